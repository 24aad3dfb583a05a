//! The links between the clients and the broker, and the clock.

use bytes::Bytes;
use mq_core::{Broker, Config, ConnectionId, Input, Output, Protocol, Report, Store, Terms};
use std::collections::BTreeMap;
use std::time::Duration;

use super::ledger::{CHOSEN, Ledger, MOST_RETAINED, PREFETCH, SINGLE, What};
use super::link::Link;
use super::rule::{self, Rules};
use crate::world::log::{Log, recover};

/// A client and its application.
pub(super) trait Peer {
    fn connection(&self) -> Option<ConnectionId>;
    fn connect(&mut self, network: &mut Network);
    /// Does one thing that an application might.
    fn act(&mut self, choice: u64, ledger: &mut Ledger);
    /// Publishes what it is asked for, if it can.
    fn perform(&mut self, _what: What, _ledger: &mut Ledger) {}
    fn transmit(&mut self, now: Duration) -> Vec<u8>;
    fn receive(&mut self, now: Duration, bytes: &[u8], ledger: &mut Ledger);
    /// Returns false when the client gives the connection up.
    fn handle_timeout(&mut self, now: Duration) -> bool;
    /// Whether the client connects again until it is served.
    fn comes_back(&self) -> bool {
        true
    }
    /// Whether the client is done with this connection.
    fn is_over(&self) -> bool;
    /// The broker has closed the link at that time, which is that time of its clock, and the
    /// client may not know.
    fn closed(&mut self, _at: Duration, _since: Duration, _ledger: &mut Ledger) {}
    /// The link is gone.
    fn lost(&mut self, ledger: &mut Ledger);
    /// The broker has crashed, and the link is gone with it.
    fn crashed(&mut self, _now: Duration, _ledger: &mut Ledger) {}
    /// Whatever was on its way has arrived, and is stored.
    fn settled(&mut self, _ledger: &mut Ledger) {}
    /// Everything has arrived: writes down what is certain now.
    fn finish(&mut self, ledger: &mut Ledger);
}

/// Timeouts in a row that are enough.
const TIMEOUTS: usize = 10_000;

/// Steps that one call takes at the most.
const CALL: u64 = 2_000;

#[derive(Debug)]
enum Call {
    Handle(Duration, Input),
    Timeout(Duration),
    /// The broker is gone, and another one is made of these batches, whose origin of time is
    /// that Unix time.
    Crash(Duration, Duration, Vec<(u64, Bytes)>),
}

pub(super) struct Network {
    pub(super) broker: Broker,
    config: Config,
    pub(super) now: Duration,
    /// Bytes that arrived anywhere.
    pub(super) moved: usize,
    links: BTreeMap<ConnectionId, Link>,
    last: u64,
    calls: Vec<Call>,
    outputs: Vec<Output>,
    /// Bodies that the broker has asked for, on their way.
    reads: Vec<(u64, Option<Bytes>)>,
    /// The policies of the queue `ruled`.
    pub(super) rules: Rules,
    /// Where the broker appends to, if it does.
    pub(super) store: Log,
    /// What earlier brokers dropped by a limit, and what expired in them.
    overflowed: u64,
    expired: u64,
}

/// Unix time of the beginning.
const BEGIN: Duration = Duration::from_secs(1_000_000);

fn config(session_messages: usize, stores: bool) -> Config {
    let mut config = Config {
        drain_on_takeover: true,
        unix_time: BEGIN,
        ..Config::default()
    };
    // Small, so that slow links are felt.
    config.limits.transmit_high_water = 20_000;
    config.limits.receive_high_water = 20_000;
    config.limits.session_messages = session_messages;
    config.limits.retained_messages = MOST_RETAINED;
    config.limits.delayed_messages = 20;
    rule::configured(&mut config);
    if stores {
        config.store = Store::Log;
        config.limits.store_high_water = 100_000;
        // Messages leave memory when a few of them are there.
        config.limits.memory_spill = 8_000;
    }
    config
}

impl Network {
    pub(super) fn new(session_messages: usize, stores: bool) -> Self {
        Self::with(config(session_messages, stores))
    }

    fn with(config: Config) -> Self {
        Self {
            broker: Broker::new(config.clone()).unwrap(),
            config,
            now: Duration::ZERO,
            moved: 0,
            links: BTreeMap::new(),
            last: 0,
            calls: Vec::new(),
            outputs: Vec::new(),
            reads: Vec::new(),
            rules: Rules::default(),
            // Until the clients come.
            store: Log {
                is_quick: true,
                ..Log::default()
            },
            overflowed: 0,
            expired: 0,
        }
    }

    /// What the clock says at a time of the simulation.
    pub(super) fn clock(&self, at: Duration) -> Duration {
        self.config.unix_time + at
    }

    /// When the broker closed the link, if it has.
    pub(super) fn closed(&self, connection: ConnectionId) -> Option<Duration> {
        let link = self.links.get(&connection)?;
        link.closed.then_some(link.closed_at)
    }

    /// All that the broker knows is stored. One that has done nothing since it came back has
    /// not said yet whose connections are gone.
    pub(super) fn is_all_stored(&self) -> bool {
        let is_fresh = matches!(self.calls.last(), Some(Call::Crash(..)));
        self.store.waiting() == 0 && !is_fresh
    }

    /// Whether the broker outlives its crashes.
    pub(super) fn stores(&self) -> bool {
        self.config.store == Store::Log
    }

    /// So many of the batches and one more are stored, the oldest.
    pub(super) fn sync(&mut self, part: usize) {
        let waiting = self.store.waiting();
        if waiting == 0 {
            return;
        }
        let stored = self.store.batches.len() - waiting + part.min(waiting - 1) + 1;
        let (position, bytes) = &self.store.batches[stored - 1];
        let through = position + bytes.len() as u64;
        self.store.durable = through;
        self.handle(Input::Durable { through });
    }

    /// Everything that is appended is stored, until nothing more is.
    pub(super) fn sync_all(&mut self) {
        self.wait(Duration::ZERO);
        while self.store.waiting() > 0 || !self.reads.is_empty() {
            self.read(usize::MAX);
            self.sync(usize::MAX);
            self.wait(Duration::ZERO);
        }
    }

    /// So many of the bodies that were asked for and one more have been read, the latest
    /// first.
    pub(super) fn read(&mut self, part: usize) {
        let count = self.reads.len().min(part.saturating_add(1));
        for (id, bytes) in self.reads.split_off(self.reads.len() - count) {
            self.handle(Input::Read { id, bytes });
        }
    }

    /// The broker is gone with all links, and with the batches that were not stored, but for
    /// some of the oldest. With `flipped` the first that is lost is there, with that bit
    /// turned round. The clock jumps by so many seconds before the broker is there again.
    pub(super) fn crash(&mut self, kept: usize, flipped: Option<u16>, jump: i32) {
        let kept = kept % (self.store.waiting() + 1);
        let lost = self.store.lose(kept);
        if let (Some(flipped), Some((position, bytes))) = (flipped, lost) {
            self.damage(position, &bytes, flipped.into());
        }
        self.links.clear();
        self.reads.clear();
        let statistics = self.broker.statistics();
        self.overflowed += statistics.overflowed;
        self.expired += statistics.expired;
        let batches = self.store.batches.clone();
        let by = Duration::from_secs(jump.unsigned_abs().into());
        let clock = &mut self.config.unix_time;
        *clock = match jump < 0 {
            true => clock.checked_sub(by).unwrap(),
            false => *clock + by,
        };
        let call = Call::Crash(self.now, *clock, batches.clone());
        self.calls.push(call);
        self.broker = recover(self.config.clone(), batches, self.now).unwrap();
        self.rules.crashed();
    }

    /// A batch is there whose bytes are not those that were appended, with a bit turned round
    /// or the end torn off. A store that does not notice hands it over: that is an error, or
    /// a broker, but what lies before it is not said to be damaged.
    fn damage(&self, position: u64, bytes: &Bytes, at: usize) {
        let mut turned = bytes.to_vec();
        turned[at / 8 % bytes.len()] ^= 1 << (at % 8);
        let torn = bytes.slice(..at % bytes.len());
        for damaged in [Bytes::from(turned), torn] {
            let batches = self.store.batches.iter().cloned();
            let batches = batches.chain([(position, damaged)]);
            use mq_core::RecoveryError as Error;
            match recover(self.config.clone(), batches, self.now) {
                Err(
                    Error::Damaged { position: found }
                    | Error::Unknown {
                        position: found, ..
                    }
                    | Error::Refused {
                        position: found, ..
                    }
                    | Error::VirtualHost {
                        position: found, ..
                    },
                ) => assert!(found >= position, "{found} is not damaged, but {position}"),
                Err(error) => panic!("{error}"),
                Ok(_) => {}
            }
        }
    }

    /// How many messages were dropped by a limit, and how many expired.
    pub(super) fn dropped(&self) -> (u64, u64) {
        let statistics = self.broker.statistics();
        (
            self.overflowed + statistics.overflowed,
            self.expired + statistics.expired,
        )
    }

    /// An administrator asks for one of the policies of the queue `ruled`.
    pub(super) fn rule(&mut self, choice: u8) {
        let (id, action) = self.rules.ask(choice);
        let action = Box::new(action);
        self.handle(Input::Administer { id, action });
    }

    pub(super) fn open(&mut self, protocol: Protocol) -> ConnectionId {
        self.last += 1;
        let connection = ConnectionId(self.last);
        self.links.insert(connection, Link::new(self.now));
        self.handle(Input::Connected {
            connection,
            protocol,
            terms: Terms::default(),
        });
        connection
    }

    /// A link of a client that breaks rules.
    pub(super) fn open_to_stranger(&mut self, protocol: Protocol) -> ConnectionId {
        let connection = self.open(protocol);
        self.links.get_mut(&connection).unwrap().is_strange = true;
        connection
    }

    /// Puts bytes on a client's link, of which at most `len` arrive.
    pub(super) fn send(&mut self, connection: ConnectionId, bytes: &[u8], len: usize) {
        let link = self.links.get_mut(&connection).unwrap();
        link.to_broker.extend_from_slice(bytes);
        if link.paused || link.closed {
            return;
        }
        let len = len.min(link.to_broker.len());
        if len > 0 {
            link.is_heard(self.now);
            let bytes: Bytes = link.to_broker.drain(..len).collect();
            self.moved += len;
            self.handle(Input::Received { connection, bytes });
        }
    }

    /// At most `len` bytes arrive at a client.
    pub(super) fn receive(&mut self, connection: ConnectionId, len: usize) -> Vec<u8> {
        let link = self.links.get_mut(&connection).unwrap();
        let len = len.min(link.to_client.len());
        let bytes = link.to_client.drain(..len).collect();
        self.moved += len;
        if len > 0 && !link.closed {
            self.handle(Input::Transmitted { connection, len });
        }
        bytes
    }

    /// Whether the broker has closed the link and everything before that has arrived.
    pub(super) fn is_over(&self, connection: ConnectionId) -> bool {
        let link = &self.links[&connection];
        link.closed && link.to_client.is_empty()
    }

    /// The link is gone. Returns since when it is for the broker.
    pub(super) fn cut(&mut self, connection: ConnectionId) -> Duration {
        match self.links.remove(&connection) {
            Some(link) if link.closed => return link.closed_at,
            Some(_) => self.handle(Input::Disconnected { connection }),
            None => {}
        }
        self.now
    }

    pub(super) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        let mut timeouts = 0;
        while let Some(at) = self.broker.poll_timeout().filter(|at| *at <= until) {
            timeouts += 1;
            assert!(timeouts < TIMEOUTS, "the broker comes to no end");
            self.now = self.now.max(at);
            self.calls.push(Call::Timeout(self.now));
            let before = self.broker.statistics().steps;
            self.broker.handle_timeout(self.now);
            self.counts_from(before);
            self.drain();
        }
        self.now = until;
    }

    fn handle(&mut self, input: Input) {
        self.calls.push(Call::Handle(self.now, input.clone()));
        let before = self.broker.statistics().steps;
        self.broker.handle(self.now, input);
        self.counts_from(before);
        self.drain();
        self.rest();
    }

    /// What is forgotten of a connection while it is idle changes nothing.
    fn rest(&mut self) {
        let number = self.calls.len() % self.links.len().max(1);
        if let Some(connection) = self.links.keys().nth(number).copied() {
            let input = Input::Idle { connection };
            self.calls.push(Call::Handle(self.now, input.clone()));
            self.broker.handle(self.now, input);
        }
    }

    /// No call does more than a bounded amount of work.
    fn counts_from(&self, before: u64) {
        let steps = self.broker.statistics().steps - before;
        assert!(steps <= CALL, "{steps} steps in one call");
    }

    fn drain(&mut self) {
        let mut drained = Vec::new();
        let mut appended = false;
        while let Some(output) = self.broker.poll_output() {
            // Outputs about a link that was cut were on their way already.
            match &output {
                Output::Transmit { connection, bytes } => {
                    if let Some(link) = self.links.get_mut(connection) {
                        assert!(!link.closed, "bytes after the close");
                        link.to_client.extend_from_slice(bytes);
                    }
                }
                Output::Close { connection } => {
                    if let Some(link) = self.links.get_mut(connection) {
                        link.closed = true;
                        link.closed_at = self.now;
                    }
                }
                // Nothing has arrived that the broker was not given.
                Output::Drain { connection } => drained.push(*connection),
                Output::Pause { connection } => self.pause(*connection, true),
                Output::Resume { connection } => self.pause(*connection, false),
                Output::Append { position, slices } => {
                    self.store.append(*position, slices);
                    appended = true;
                }
                Output::Read { id, position, len } => {
                    let bytes = self.store.read(*position, *len);
                    self.reads.push((*id, bytes));
                }
                Output::Trim { before } => self.store.trim(*before),
                Output::Administered { id, .. } => self.rules.answered(*id),
                Output::Report(Report::Peer(report)) => {
                    if let Some(link) = self.links.get_mut(&report.connection) {
                        link.judge(&report.reason, self.now);
                    }
                }
                Output::Report(_) => {}
                other => panic!("{other:?}"),
            }
            self.outputs.push(output);
        }
        for connection in drained {
            self.handle(Input::Drained { connection });
        }
        if appended && self.store.is_quick {
            self.sync(usize::MAX);
        }
        if self.store.is_quick {
            self.read(usize::MAX);
        }
    }

    fn pause(&mut self, connection: ConnectionId, paused: bool) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.pause(paused, self.now);
        }
    }

    /// Every copy of a message is accounted for, at any time.
    pub(super) fn check(&self) {
        let s = self.broker.statistics();
        let gone = s.acknowledged + s.expired + s.overflowed + s.rejected + s.discarded;
        assert_eq!(s.queued, gone + s.ready + s.unacknowledged, "{s:?}");
    }

    /// Nothing waits for nothing, now that nothing moves: where messages are ready in a queue,
    /// each of its consumers that may be served holds as many as it wants, and the client of
    /// a session has got all that there is.
    pub(super) fn check_rest(&self) {
        if !self.reads.is_empty() || self.store.waiting() > 0 {
            return;
        }
        for queue in self.broker.queues() {
            let served = match &*queue.name {
                SINGLE => queue.consumers.min(1),
                // Nobody may want what is there.
                CHOSEN => 0,
                _ => queue.consumers,
            };
            let is_stuck = queue.ready > 0 && queue.unacknowledged < served * PREFETCH;
            assert!(!is_stuck, "a message waits for nothing: {queue:?}");
        }
        for session in self.broker.sessions() {
            let is_stuck = session.ready > 0 && session.connection.is_some();
            assert!(!is_stuck, "a message waits for nothing: {session:?}");
        }
    }

    /// A network around another broker at the same time, whose store is quick.
    fn around(&self, broker: Broker) -> Self {
        // Bodies that have left memory are read from there.
        let batches = self.store.batches.clone();
        Self {
            broker,
            store: Log {
                trimmed: batches.first().map_or(0, |(position, _)| *position),
                durable: self.store.durable,
                is_quick: true,
                batches,
            },
            now: self.now,
            last: self.last,
            ..Self::with(self.config.clone())
        }
    }

    /// The state of the broker, as another one has it that was given the same calls; and the
    /// state that a broker has which is made of what is stored. All links are gone.
    pub(super) fn twins(&self) -> [Self; 2] {
        let batches = self.store.batches.iter().cloned();
        let recovered = recover(self.config.clone(), batches, self.now).unwrap();
        [self.replay(), recovered].map(|broker| self.around(broker))
    }

    /// The same calls to another broker give the same outputs.
    pub(super) fn replay(&self) -> Broker {
        let mut config = self.config.clone();
        config.unix_time = BEGIN;
        let mut broker = Broker::new(config.clone()).unwrap();
        let mut outputs = self.outputs.iter();
        for call in &self.calls {
            match call {
                Call::Handle(now, input) => broker.handle(*now, input.clone()),
                Call::Timeout(now) => broker.handle_timeout(*now),
                Call::Crash(now, unix_time, batches) => {
                    config.unix_time = *unix_time;
                    broker = recover(config.clone(), batches.clone(), *now).unwrap();
                }
            }
            while let Some(output) = broker.poll_output() {
                assert_eq!(Some(&output), outputs.next(), "replayed");
            }
        }
        assert_eq!(outputs.next(), None, "replayed");
        broker
    }
}
