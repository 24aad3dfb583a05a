//! The broker: connections, and the model that they share.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::{Buf, Bytes, BytesMut};
use core::time::Duration;

use crate::config::{Config, ConfigError, Store};
use crate::frontend::{self, FrontEnd, Progress, Protocol};
use crate::journal::{Admission, Journal, Reader};
use crate::limits::Limits;
use crate::model::message::Name;
use crate::model::{BYTES_PER_STEP, ConnectionId, Model, Notice, Request, Statistics, Wait};
use crate::names;
use crate::recovery::RecoveryError;
use crate::report::{Login, Report};

/// What happened outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A peer connected.
    Connected {
        /// The new connection.
        connection: ConnectionId,
        /// What it speaks.
        protocol: Protocol,
    },
    /// Bytes came in, cut anywhere.
    Received {
        /// From whom.
        connection: ConnectionId,
        /// The next bytes of the stream.
        bytes: Bytes,
    },
    /// So many bytes of earlier [`Output::Transmit`]s have left for the socket.
    /// Without this the connection gets no more deliveries when
    /// [`Limits::transmit_high_water`](crate::Limits::transmit_high_water) is reached.
    Transmitted {
        /// Whose bytes.
        connection: ConnectionId,
        /// How many bytes.
        len: usize,
    },
    /// The connection is over: end of the stream, reset, or given up.
    Disconnected {
        /// Which one.
        connection: ConnectionId,
    },
    /// Everything that had arrived on a connection's socket has been handed in:
    /// the answer to [`Output::Drain`].
    Drained {
        /// Which one.
        connection: ConnectionId,
    },
    /// Of what [`Output::Append`] handed out, everything before `through` is stored for
    /// good. Batches may be left out: the last one counts for those before it.
    Durable {
        /// The position after the last byte that is.
        through: u64,
    },
    /// The broker stops: every peer gets its protocol's goodbye and then
    /// [`Output::Close`], and nobody is let in any more.
    Shutdown,
}

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Append these bytes to the log, all of them or none, and report with
    /// [`Input::Durable`] when they are stored for good. Only comes with
    /// [`Store::Log`](crate::Store::Log), once in a call at most, and before all else of
    /// that call.
    Append {
        /// How many bytes were appended before, ever.
        position: u64,
        /// The batch. What is in it is for [`Recovery`](crate::Recovery).
        bytes: Bytes,
    },
    /// Nothing in the log that lies before `before` is needed any more. A batch that
    /// begins before and ends after it stays.
    Trim {
        /// The position of the first byte that is.
        before: u64,
    },
    /// Write these bytes, and report them with [`Input::Transmitted`].
    Transmit {
        /// To whom.
        connection: ConnectionId,
        /// The next bytes of the stream.
        bytes: Bytes,
    },
    /// Stop reading from that socket: what it sent waits, and there is enough
    /// of it.
    Pause {
        /// Which one.
        connection: ConnectionId,
    },
    /// Read from that socket again.
    Resume {
        /// Which one.
        connection: ConnectionId,
    },
    /// Read what has arrived on that socket by now, paused or not, hand it in as
    /// usual, and then say [`Input::Drained`]. Another connection takes over its
    /// client identifier and waits for that, for a second at most: a DISCONNECT that
    /// came before must not be missed. Only comes with
    /// [`Config::drain_on_takeover`](crate::Config::drain_on_takeover).
    Drain {
        /// Which one.
        connection: ConnectionId,
    },
    /// Something to log or to count. It asks for nothing.
    Report(Report),
    /// Close the socket once all that was transmitted is written. The broker
    /// has forgotten the connection and ignores inputs about it.
    Close {
        /// Which one.
        connection: ConnectionId,
    },
}

/// Steps that one call does at most before it leaves the rest for later: some
/// hundred microseconds. What a single event moves is not divided, and comes on top.
const TURN: u64 = 1_000;

/// Steps that one connection's input may take before others have their turn.
const SLICE: u64 = 250;

/// Timers that one call serves.
const TIMERS: usize = 256;

/// How long an embedder may take to read what has arrived.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// How far a connection is on its way out, since another takes its client identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Departure {
    /// The embedder hands in what has arrived, and is waited for no longer than until then.
    Draining { until: Duration },
    /// Nothing more is received. The connection ends once its backlog is taken.
    Drained,
}

struct Connection {
    front: Box<dyn FrontEnd + Send>,
    /// Received, and not taken yet.
    backlog: BytesMut,
    /// Handed out, and not reported as transmitted yet.
    unsent: usize,
    /// Sizes of messages for it that wait for the store.
    held: usize,
    /// It publishes, and the store is behind.
    blocked: bool,
    /// Takes deliveries.
    writable: bool,
    /// Among those whose output and deadline have to be looked at.
    touched: bool,
    paused: bool,
    /// The model has to answer before more of the backlog is taken.
    waits: bool,
    /// In the line of those whose backlog can be taken.
    in_line: bool,
    /// The peer is gone, and only what it has sent before is still to be taken.
    gone: bool,
    departure: Option<Departure>,
    deadline: Option<Duration>,
    login: Box<Login>,
}

impl Connection {
    /// Bytes on their way to the peer.
    fn outbound(&self) -> usize {
        self.unsent + self.held + self.front.transmit_len()
    }

    /// Hands the requests of its front end to the model. Returns whether it is blocked from
    /// here on.
    fn pass_requests(
        &mut self,
        id: ConnectionId,
        now: Duration,
        model: &mut Model,
        journal: &mut Option<Box<Journal>>,
    ) -> bool {
        let mut blocked = false;
        while let Some(request) = self.front.poll_request() {
            self.login.hear(&request);
            let Some(journal) = journal else {
                model.handle(now, id, request);
                continue;
            };
            if let Request::CloseChannel { channel } = request {
                journal.close_channel(id, channel);
            }
            if !(journal.is_full() && request.publishes()) {
                model.handle(now, id, request);
                continue;
            }
            journal.take(model);
            let end = journal.end();
            model.handle(now, id, request);
            journal.take(model);
            if journal.end() > end && !self.blocked {
                // It waits before its next message.
                self.blocked = true;
                blocked = true;
                self.front.notice(now, Notice::Blocked);
            }
        }
        blocked
    }

    /// Whether its input waits because its peer does not take what it is sent, or the store
    /// what it publishes. The last
    /// input of a connection does not: there is no later time for it.
    fn is_held(&self, limits: &Limits) -> bool {
        let is_last = self.gone || self.departure.is_some();
        !is_last && (self.blocked || self.outbound() >= limits.transmit_high_water)
    }

    /// Whether there is input that can be taken, now or when the model has answered.
    fn has_input(&self) -> bool {
        self.in_line || self.waits
    }

    /// When it has to be looked at next.
    fn poll_timeout(&self) -> Option<Duration> {
        let drained = match self.departure {
            Some(Departure::Draining { until }) => Some(until),
            Some(Departure::Drained) | None => None,
        };
        self.front.poll_timeout().into_iter().chain(drained).min()
    }
}

/// A deterministic message broker: the same inputs at the same times give the
/// same outputs in the same order.
///
/// Call [`handle`](Self::handle) for everything that happens, then
/// [`poll_output`](Self::poll_output) until it has nothing more, and
/// [`handle_timeout`](Self::handle_timeout) no earlier than
/// [`poll_timeout`](Self::poll_timeout) says. `now` is the time since an origin
/// that the embedder chooses; it must not go backwards.
pub struct Broker {
    config: Arc<Config>,
    /// Unix time.
    now: Duration,
    model: Model,
    connections: BTreeMap<ConnectionId, Connection>,
    deadlines: BTreeSet<(Duration, ConnectionId)>,
    /// Connections whose output and deadline have to be looked at.
    touched: BTreeSet<ConnectionId>,
    outputs: VecDeque<Output>,
    /// Batches, which go before all other outputs.
    batches: VecDeque<Output>,
    /// With a store.
    journal: Option<Box<Journal>>,
    /// Connections whose input waits for the store.
    blocked: BTreeSet<ConnectionId>,
    /// Connections with a backlog that can be taken, in the order of their turns.
    line: VecDeque<ConnectionId>,
    /// Steps done in here. The model counts its own.
    steps: u64,
    stopping: bool,
}

impl core::fmt::Debug for Broker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Broker")
            .field("now", &self.now)
            .field("connections", &self.connections.len())
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker without connections.
    ///
    /// # Errors
    ///
    /// The settings contradict themselves.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let model = Model::new(&config)?;
        let journal = match config.store {
            Store::None => None,
            Store::Log => {
                let hosts = config.virtual_hosts.iter();
                let hosts = hosts.map(|name| Name::from(&**name)).collect();
                let journal = Journal::new(hosts, config.limits.store_high_water);
                Some(Box::new(journal))
            }
        };
        Ok(Self {
            now: config.unix_time,
            config: Arc::new(config),
            model,
            connections: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            touched: BTreeSet::new(),
            outputs: VecDeque::new(),
            batches: VecDeque::new(),
            journal,
            blocked: BTreeSet::new(),
            line: VecDeque::new(),
            steps: 0,
            stopping: false,
        })
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Duration, input: Input) {
        self.set_time(now);
        match input {
            Input::Connected {
                connection,
                protocol,
            } => self.connect(connection, protocol),
            Input::Received { connection, bytes } => self.receive(connection, bytes),
            Input::Transmitted { connection, len } => self.transmitted(connection, len),
            Input::Disconnected { connection } => self.disconnect(connection),
            Input::Drained { connection } => self.drained(connection),
            Input::Durable { through } => self.stored(through),
            Input::Shutdown => self.shutdown(),
        }
        self.settle();
    }

    /// The next thing to do outside, until there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.batches
            .pop_front()
            .or_else(|| self.outputs.pop_front())
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next: at a time that has
    /// come already while there is work left.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let at = if !self.line.is_empty() || self.model.has_work() || self.has_stored() {
            Some(self.now)
        } else {
            let connection = self.deadlines.first().map(|(at, _)| *at);
            let model = self.model.poll_timeout();
            model.into_iter().chain(connection).min()
        };
        at.map(|at| at.saturating_sub(self.config.unix_time))
    }

    /// Does what is due, and some of the work that earlier calls have left. The call
    /// does a bounded amount: where there is more, [`poll_timeout`](Self::poll_timeout)
    /// says so by a time that is not later than `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.set_time(now);
        let now = self.now;
        for _ in 0..TIMERS {
            let Some(&(at, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) else {
                break;
            };
            self.deadlines.remove(&(at, id));
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.deadline = None;
            }
            self.steps += 1;
            self.with(id, |front, now| front.handle_timeout(now));
            self.stop_draining(id);
        }
        self.model.handle_timeout(self.now, TIMERS);
        self.turn();
        self.settle();
    }

    /// What was counted, over all virtual hosts.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.model.statistics();
        statistics.steps += self.steps;
        statistics
    }

    fn spent(&self) -> u64 {
        self.steps + self.model.steps()
    }

    /// Goes on with what earlier calls have left: what is on its way to consumers,
    /// what moves much, and the input of the connections in line. While consumers wait,
    /// less new input is taken.
    fn turn(&mut self) {
        self.unblock();
        let delivered = self.pump(self.spent() + TURN);
        self.model.work(TURN / 2);
        let share = if delivered { TURN } else { TURN / 4 };
        let end = self.spent() + share;
        for _ in 0..self.line.len() {
            if self.spent() >= end {
                break;
            }
            if let Some(id) = self.line.pop_front() {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.in_line = false;
                }
                self.process_backlog(id);
            }
        }
    }

    /// Everything in here counts Unix time, so that what was written down once means the
    /// same later.
    fn set_time(&mut self, now: Duration) {
        let now = self.config.unix_time.saturating_add(now);
        self.now = self.now.max(now);
        self.model.set_time(self.now);
    }

    fn connect(&mut self, id: ConnectionId, protocol: Protocol) {
        if self.connections.contains_key(&id) {
            return;
        }
        let full = self.connections.len() >= self.config.limits.connections;
        if self.stopping || full {
            self.outputs.push_back(Output::Close { connection: id });
            return;
        }
        let connection = Connection {
            front: frontend::new(protocol, &self.config, id, self.now),
            backlog: BytesMut::new(),
            unsent: 0,
            held: 0,
            blocked: false,
            writable: true,
            touched: true,
            paused: false,
            waits: false,
            in_line: false,
            gone: false,
            departure: None,
            deadline: None,
            login: Box::default(),
        };
        self.connections.insert(id, connection);
        self.touched.insert(id);
    }

    fn receive(&mut self, id: ConnectionId, bytes: Bytes) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.departure == Some(Departure::Drained) {
            return;
        }
        if connection.backlog.is_empty() {
            self.process(id, bytes);
            return;
        }
        connection.backlog.extend_from_slice(&bytes);
        if connection.in_line {
            self.set_paused(id, true);
        } else {
            self.process_backlog(id);
        }
    }

    fn process_backlog(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let input = core::mem::take(&mut connection.backlog).freeze();
            self.process(id, input);
        }
    }

    /// Feeds a connection for the length of a slice, as long as its peer also takes
    /// what it is sent, and keeps what is left.
    fn process(&mut self, id: ConnectionId, mut source: Bytes) {
        self.touched.insert(id);
        let end = self.spent() + SLICE;
        let (mut held, mut more, mut waits) = (false, false, false);
        let mut input = &source[..];
        while let Some(connection) = self.connections.get_mut(&id) {
            if connection.front.is_closed() {
                return;
            }
            held = connection.is_held(&self.config.limits);
            more = self.model.is_busy(id);
            if held || more {
                break;
            }
            let before = input.len();
            let progress = connection.front.receive(self.now, &source, &mut input);
            self.steps += 1 + ((before - input.len()) / BYTES_PER_STEP) as u64;
            let blocked =
                connection.pass_requests(id, self.now, &mut self.model, &mut self.journal);
            if blocked {
                self.blocked.insert(id);
            }
            let delivered = self.pump(end);
            match progress {
                Progress::Event => {}
                Progress::Idle => break,
                Progress::Waiting => {
                    // It is in line again when the answer has come.
                    waits = true;
                    break;
                }
            }
            more = !delivered || self.spent() >= end;
            if more {
                break;
            }
        }
        let used = source.len() - input.len();
        source.advance(used);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        more &= !source.is_empty();
        connection.waits = waits;
        // Takes the buffer itself where nothing else has a share in it.
        connection.backlog = source
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let gone = connection.gone;
        if more {
            self.put_in_line(id);
        }
        if gone && !more && !waits {
            self.remove(id);
            return;
        }
        self.set_paused(id, held || more || waits);
        if self.depart(id) {
            self.pump(self.spent() + SLICE);
        }
    }

    /// Stops reading from a connection whose input waits for something else than the
    /// rest of a frame, once there is enough of it, and reads on when half is gone.
    fn set_paused(&mut self, id: ConnectionId, waits: bool) {
        let high_water = self.config.limits.receive_high_water;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let waiting = connection.backlog.len();
        if connection.gone {
            return;
        }
        if waits && waiting >= high_water && !connection.paused {
            connection.paused = true;
            self.outputs.push_back(Output::Pause { connection: id });
        } else if connection.paused && (!waits || waiting < high_water / 2) {
            connection.paused = false;
            self.outputs.push_back(Output::Resume { connection: id });
        }
    }

    /// The peer is gone. What it has sent before counts all the same.
    fn disconnect(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.backlog.is_empty() || connection.front.is_closed() {
            self.report_failure(id);
            self.remove(id);
            return;
        }
        connection.gone = true;
        connection.unsent = 0;
        let in_line = connection.in_line;
        self.set_writable(id, false);
        if !in_line {
            self.process_backlog(id);
        }
    }

    fn transmitted(&mut self, id: ConnectionId, len: usize) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.unsent = connection.unsent.saturating_sub(len);
        self.touched.insert(id);
        if connection.outbound() > self.config.limits.transmit_high_water / 2 {
            return;
        }
        if !connection.writable {
            self.set_writable(id, true);
            self.after_sending(id);
            self.pump(self.spent() + SLICE);
        }
        let waiting = self
            .connections
            .get(&id)
            .is_some_and(|c| !c.backlog.is_empty() && !c.in_line);
        if waiting {
            self.process_backlog(id);
        }
    }

    fn shutdown(&mut self) {
        self.stopping = true;
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            self.with(id, |front, now| front.shutdown(now));
            self.flush(id);
            self.close(id);
        }
    }

    /// Calls a front end outside of receiving, and hands on what comes of it.
    fn with(&mut self, id: ConnectionId, call: impl FnOnce(&mut dyn FrontEnd, Duration)) {
        self.call(id, call);
        self.pump(self.spent() + SLICE);
    }

    /// Calls a front end, and hands its requests to the model.
    fn call(&mut self, id: ConnectionId, call: impl FnOnce(&mut dyn FrontEnd, Duration)) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        call(&mut *connection.front, self.now);
        connection.touched = true;
        self.touched.insert(id);
        if connection.pass_requests(id, self.now, &mut self.model, &mut self.journal) {
            self.blocked.insert(id);
        }
    }

    /// Lets those go on that have waited for the store.
    fn unblock(&mut self) {
        let end = self.spent() + TURN / 4;
        while self.has_room()
            && self.spent() < end
            && let Some(id) = self.blocked.pop_first()
        {
            self.steps += 1;
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.blocked = false;
            }
            self.notify(id, Notice::Unblocked);
            let waiting = self.connections.get(&id);
            if waiting.is_some_and(|c| !c.backlog.is_empty() && !c.waits) {
                self.put_in_line(id);
            }
        }
    }

    fn has_room(&self) -> bool {
        self.journal
            .as_ref()
            .is_some_and(|journal| journal.has_room())
    }

    /// Whether something waits for nothing more, since it is stored.
    fn has_stored(&self) -> bool {
        let journal = self.journal.as_ref();
        journal.is_some_and(|journal| {
            journal.is_ready() || (!self.blocked.is_empty() && journal.has_room())
        })
    }

    /// What lies before is stored: what has waited for that goes out.
    fn stored(&mut self, through: u64) {
        if let Some(journal) = &mut self.journal {
            journal.set_durable(through);
            if let Some(before) = journal.poll_trim() {
                self.outputs.push_back(Output::Trim { before });
            }
        }
        self.unblock();
        self.pump(self.spent() + SLICE);
    }

    /// The next notice that may go out, unless so many steps have been done before there
    /// is one.
    fn next_notice(&mut self, end: u64) -> Option<(ConnectionId, Notice)> {
        loop {
            let steps = end.saturating_sub(self.spent());
            let Some(journal) = &mut self.journal else {
                let said = self.model.poll_notice(steps)?;
                self.steps += 1;
                return Some((said.to, said.notice));
            };
            if steps > 0
                && let Some((id, notice)) = journal.release()
            {
                self.steps += 1;
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.held = connection.held.saturating_sub(notice.size());
                }
                return Some((id, notice));
            }
            let said = self.model.poll_notice(steps)?;
            self.steps += 1;
            let size = said.notice.size();
            if said.wait == Wait::Stored {
                journal.take(&mut self.model);
            }
            match journal.admit(said) {
                Admission::Now(id, notice) => return Some((id, notice)),
                Admission::Held(id) => self.hold_back(id, size),
            }
        }
    }

    /// A notice for a connection waits. When it is too much that does, nothing more is
    /// delivered to it.
    fn hold_back(&mut self, id: ConnectionId, size: usize) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.held += size;
            self.touched.insert(id);
            self.after_sending(id);
        }
    }

    /// Hands notices to the front ends until there are none, or until so many steps
    /// have been done in all. Returns whether there are none.
    fn pump(&mut self, end: u64) -> bool {
        while let Some((id, notice)) = self.next_notice(end) {
            match notice {
                Notice::TakenOver => self.begin_departure(id),
                notice => self.notify(id, notice),
            }
        }
        let journal = self.journal.as_ref();
        !self.model.has_notices() && !journal.is_some_and(|journal| journal.is_ready())
    }

    /// Gives the input of a connection a turn.
    fn put_in_line(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.in_line
        {
            connection.in_line = true;
            self.line.push_back(id);
        }
    }

    /// Another connection has the client identifier of this one, which has to go. What it
    /// has sent before is taken first: it may say goodbye in there.
    fn begin_departure(&mut self, id: ConnectionId) {
        let until = self.now.saturating_add(DRAIN_TIME);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.departure.is_some() || connection.front.is_closed() {
            return;
        }
        connection.departure = Some(Departure::Draining { until });
        let drains = self.config.drain_on_takeover && !connection.gone;
        if !connection.backlog.is_empty() {
            self.put_in_line(id);
        }
        if drains {
            self.touched.insert(id);
            self.outputs.push_back(Output::Drain { connection: id });
        } else {
            self.end_draining(id);
        }
    }

    /// The embedder has handed in what had arrived.
    fn drained(&mut self, id: ConnectionId) {
        if self.end_draining(id) {
            self.pump(self.spent() + SLICE);
        }
    }

    /// Gives up an embedder that should have handed in what had arrived by now.
    fn stop_draining(&mut self, id: ConnectionId) {
        let is_due = self.connections.get(&id).is_some_and(
            |c| matches!(c.departure, Some(Departure::Draining { until }) if until <= self.now),
        );
        if is_due {
            self.drained(id);
        }
    }

    /// Nothing more comes from a connection that has to go. Returns whether it has been
    /// told to.
    fn end_draining(&mut self, id: ConnectionId) -> bool {
        match self.connections.get_mut(&id) {
            Some(connection) if connection.departure.is_some() => {
                connection.departure = Some(Departure::Drained);
                self.depart(id)
            }
            _ => false,
        }
    }

    /// Tells a connection that has to go to do so, once all its input is taken. Returns
    /// whether it has.
    fn depart(&mut self, id: ConnectionId) -> bool {
        let departs = self
            .connections
            .get(&id)
            .is_some_and(|c| c.departure == Some(Departure::Drained) && !c.has_input());
        if departs {
            self.notify(id, Notice::TakenOver);
        }
        departs
    }

    /// Hands a notice to the front end of a connection. If its input has waited for that,
    /// it has its turn again.
    fn notify(&mut self, id: ConnectionId, notice: Notice) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if let Some(reason) = connection.login.answered(&notice) {
            let report = connection.login.report(id, reason);
            self.outputs.push_back(Output::Report(report));
        }
        connection.front.notice(self.now, notice);
        if !connection.touched {
            connection.touched = true;
            self.touched.insert(id);
        }
        if connection.pass_requests(id, self.now, &mut self.model, &mut self.journal) {
            self.blocked.insert(id);
        }
        if core::mem::take(&mut connection.waits) && !connection.in_line {
            connection.in_line = true;
            self.line.push_back(id);
        }
        if connection.writable && connection.outbound() >= self.config.limits.transmit_high_water {
            self.set_writable(id, false);
        }
    }

    /// Lets deliveries come to a connection, or not.
    fn set_writable(&mut self, id: ConnectionId, writable: bool) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.writable = writable;
        }
        let open = writable;
        self.model.handle(self.now, id, Request::Flow { open });
    }

    /// Stops deliveries to a connection that has enough on its way.
    fn after_sending(&mut self, id: ConnectionId) {
        let high_water = self.config.limits.transmit_high_water;
        let enough = self
            .connections
            .get(&id)
            .is_some_and(|c| c.writable && c.outbound() >= high_water);
        if enough {
            self.set_writable(id, false);
        }
    }

    /// Hands out what the touched connections have to send, and closes those
    /// that are over.
    fn settle(&mut self) {
        while let Some(id) = self.touched.pop_first() {
            self.flush(id);
        }
        if let Some(journal) = &mut self.journal {
            journal.take(&mut self.model);
            let batch = journal.seal();
            self.batches
                .extend(batch.map(|(position, bytes)| Output::Append { position, bytes }));
        }
    }

    /// Takes the journal out, to be filled.
    pub(crate) fn take_journal(&mut self) -> Option<Journal> {
        self.journal.take().map(|journal| *journal)
    }

    /// Takes over what a log says.
    pub(crate) fn recover(&mut self, now: Duration, reader: Reader) -> Result<(), RecoveryError> {
        self.set_time(now);
        let journal = reader.finish(&mut self.model)?;
        if journal.end() > 0 {
            // No name is made again.
            let config = Arc::make_mut(&mut self.config);
            config.seed = names::reseed(config.seed, journal.end());
            self.model.reseed(config.seed);
        }
        self.journal = Some(Box::new(journal));
        self.model.resume();
        Ok(())
    }

    fn flush(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.touched = false;
        let len = connection.front.transmit_len();
        if len > 0 {
            let mut out = BytesMut::with_capacity(len);
            connection.front.poll_transmit(self.now, &mut out);
            if !connection.gone {
                connection.unsent += out.len();
                self.outputs.push_back(Output::Transmit {
                    connection: id,
                    bytes: out.freeze(),
                });
            }
        }
        if connection.front.is_closed() {
            self.close(id);
            return;
        }
        // While an answer waits for the store, so does what comes after the question.
        let waits = connection.waits
            && self
                .journal
                .as_ref()
                .is_some_and(|journal| journal.holds(id));
        let reading = !waits && !connection.is_held(&self.config.limits);
        connection.front.set_reading(self.now, reading);
        let deadline = connection.poll_timeout();
        if deadline != connection.deadline {
            if let Some(old) = connection.deadline {
                self.deadlines.remove(&(old, id));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, id));
            }
            connection.deadline = deadline;
        }
    }

    /// Says why a connection ends, if its peer is the cause.
    fn report_failure(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(&id)
            && let Some(reason) = connection.front.failure()
        {
            let report = connection.login.report(id, reason);
            self.outputs.push_back(Output::Report(report));
        }
    }

    /// Ends a connection from this side, unless it is over.
    fn close(&mut self, id: ConnectionId) {
        self.report_failure(id);
        if self.connections.get(&id).is_some_and(|c| !c.gone) {
            self.outputs.push_back(Output::Close { connection: id });
        }
        self.remove(id);
    }

    /// Forgets a connection, after it gave back what it holds.
    fn remove(&mut self, id: ConnectionId) {
        let Some(mut connection) = self.connections.remove(&id) else {
            return;
        };
        if let Some(at) = connection.deadline {
            self.deadlines.remove(&(at, id));
        }
        self.blocked.remove(&id);
        if let Some(journal) = &mut self.journal {
            // What it never got it gives back with the rest.
            for notice in journal.take_held(id) {
                connection.front.notice(self.now, notice);
            }
        }
        connection.front.disconnected();
        while let Some(request) = connection.front.poll_request() {
            self.model.handle(self.now, id, request);
        }
        self.model.handle(self.now, id, Request::Leave);
        self.pump(self.spent() + SLICE);
    }
}
