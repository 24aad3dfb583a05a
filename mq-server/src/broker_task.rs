//! The task that owns the broker.
//!
//! It takes what the connections have sent in batches, gives it to the broker,
//! and only then collects what the broker wants done, so that many small
//! frames for one peer leave in one write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use mq_core::model::{Refusal, Step};
use mq_core::{
    Administration, Broker, ConnectionId, Credentials, Input, NumberMap, Output, Protocol, Proving,
    Report, Terms,
};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep_until};

use crate::authenticator::{Attempt, Authenticator, StepAttempt, Verdict};
use crate::connection::Connection;
use crate::fault::{Fault, StoreFaults};
use crate::hand::{Inventory, Snapshot};
use crate::link::{End, Link, Reading};
use crate::listener::Peer as Origin;
use crate::live::Live;
use crate::name;
use crate::places::Place;
use crate::report::{Reports, Subject};
use crate::store::Batch;
use crate::store::writer::{Read, Writer};
use crate::tasks::{Seat, Tasks};
use crate::transport::Established;

/// Commands that may wait for the broker. With reads of at most
/// [`connection::LARGEST_READ`] bytes this bounds what is in flight between
/// the sockets and the broker.
pub(crate) const INBOX: usize = 256;

/// Commands that the broker handles before what it said about them is sent.
const BATCH: usize = 128;

/// While the broker has more to do, one turn follows the other for so long before the other tasks
/// of this thread have theirs, and before connections have a look at what they were handed. One
/// read of a publisher can be worth many turns, a write costs about the same for what one of
/// them brings as for what all of them do, and a task that yields has another thread look for it.
const STRETCH: Duration = Duration::from_millis(1);

/// So many bytes are worth a write of their own.
const PLENTY: usize = 32 * 1024;

/// How long peers may take, when the server ends, to close their side after the last of
/// them has been sent its goodbye. A reset that comes before they have read that could
/// take it from them.
const LAST_LINGER: Duration = Duration::from_millis(200);

/// Connections of which it is looked at one time whether they are idle.
const LOOKS: usize = 64;

/// A timer that nobody asked for still fires, and does nothing, after this.
const IDLE: Duration = Duration::from_secs(3600);

/// A connection of which the protocol has begun.
pub(crate) struct Accepted {
    pub(crate) established: Established,
    pub(crate) terms: Terms,
    /// Where it comes from.
    pub(crate) peer: Origin,
    /// Held until the socket is closed.
    pub(crate) place: Place,
}

/// What listeners and connections say to the broker task.
pub(crate) enum Command {
    Accepted(Box<Accepted>),
    Received {
        connection: ConnectionId,
        bytes: Bytes,
    },
    Transmitted {
        connection: ConnectionId,
        len: usize,
    },
    /// What had arrived when the broker asked for it has been sent.
    Drained {
        connection: ConnectionId,
    },
    /// End of stream, a reset, or a peer that stopped taking bytes.
    Gone {
        connection: ConnectionId,
    },
    /// A connection has given up its task, having nothing to do.
    Idle(Box<Connection>),
    /// It is known who a peer is.
    Authenticated {
        connection: ConnectionId,
        verdict: Verdict,
    },
    /// It is known what a step of a peer proves.
    Proving {
        connection: ConnectionId,
        answer: Proving,
    },
    /// The program that has the server in it asks what there is.
    Snapshot {
        answer: oneshot::Sender<Snapshot>,
    },
    /// It asks what each queue, session and connection holds.
    Inventory {
        answer: oneshot::Sender<Inventory>,
    },
    /// It changes something.
    Administer {
        action: Box<Administration>,
        answer: oneshot::Sender<Result<(), Refusal>>,
    },
    /// It has something go wrong.
    Inject {
        fault: Fault,
        answer: oneshot::Sender<()>,
    },
    /// It cuts all connections, and asks how many there were.
    Cut {
        answer: oneshot::Sender<usize>,
    },
}

/// A connection that the broker knows.
struct Peer {
    subject: Subject,
    seat: Seat,
}

pub(crate) struct BrokerTask {
    broker: Broker,
    /// Writes the log, where one is kept.
    log: Option<Writer>,
    /// What the broker has appended since that was handed on last.
    appended: Vec<Batch>,
    /// The origin of the broker's time.
    start: Instant,
    /// In boxes: a map of numbers wants small values.
    peers: NumberMap<ConnectionId, Box<Peer>>,
    /// Those that are gone in this turn, for what there may be to say about them.
    leaving: BTreeMap<ConnectionId, Subject>,
    reports: Reports,
    /// Those that were handed something to write, in the order of their first chunk.
    unflushed: Vec<ConnectionId>,
    /// Those among them that are not to wait for more.
    hasty: Vec<ConnectionId>,
    /// Since when turns have followed each other, in the broker's time.
    stretch: Option<Duration>,
    tasks: Tasks,
    /// Connections that are parked, and from which something has come.
    woken: Vec<ConnectionId>,
    /// Hears when no connection has anything left to write.
    written: mpsc::Receiver<()>,
    last_id: u64,
    /// Who waits for what came of a change.
    administering: BTreeMap<u64, oneshot::Sender<Result<(), Refusal>>>,
    live: Live,
    authenticator: Option<Arc<dyn Authenticator>>,
    /// Of who peers are.
    checks: JoinSet<()>,
    commands: mpsc::Sender<Command>,
    inbox: mpsc::Receiver<Command>,
}

impl BrokerTask {
    pub(crate) fn new(
        broker: Broker,
        log: Option<Writer>,
        start: Instant,
        live: Live,
        authenticator: Option<Arc<dyn Authenticator>>,
        commands: mpsc::Sender<Command>,
        inbox: mpsc::Receiver<Command>,
    ) -> Self {
        let (writing, written) = mpsc::channel(1);
        Self {
            broker,
            log,
            appended: Vec::new(),
            start,
            peers: NumberMap::default(),
            leaving: BTreeMap::new(),
            reports: Reports::default(),
            unflushed: Vec::new(),
            hasty: Vec::new(),
            stretch: None,
            tasks: Tasks::new(start, live.clone(), commands.clone(), writing),
            woken: Vec::new(),
            written,
            last_id: 0,
            administering: BTreeMap::new(),
            live,
            authenticator,
            checks: JoinSet::new(),
            commands,
            inbox,
        }
    }

    /// Serves until `stopped` resolves.
    pub(crate) async fn serve_until(&mut self, mut stopped: oneshot::Receiver<()>) {
        let mut alarm = std::pin::pin!(sleep_until((self.start + IDLE).into()));
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if self.has_work() {
                // What has come meanwhile is taken with it, and nothing is waited for:
                // the alarm counts in milliseconds.
                if self.stretch.is_none() {
                    tokio::task::yield_now().await;
                }
                if !matches!(stopped.try_recv(), Err(TryRecvError::Empty)) {
                    return;
                }
                while batch.len() < BATCH
                    && let Ok(command) = self.inbox.try_recv()
                {
                    batch.push(command);
                }
                // None says that nothing has come.
                let _ = self.tasks.hear(&mut self.woken).now_or_never();
            } else {
                self.set_alarm(alarm.as_mut());
                tokio::select! {
                    biased;
                    _ = &mut stopped => return,
                    open = news_of(&mut self.log) => {
                        if !open {
                            tracing::error!("the log cannot be written any more: stopping");
                            return;
                        }
                    }
                    _ = self.inbox.recv_many(&mut batch, BATCH) => {}
                    () = self.tasks.hear(&mut self.woken) => {}
                    () = alarm.as_mut() => {}
                }
            }
            self.turn(&mut batch);
        }
    }

    /// Whether the broker has left work that can be done now.
    fn has_work(&self) -> bool {
        let due = self.broker.poll_timeout();
        !self.tasks.lost.is_empty() || due.is_some_and(|due| due <= self.start.elapsed())
    }

    /// Has every peer told goodbye and waits until they have taken it, or until the grace
    /// period is over. Peers that do not close their own side then are not waited for.
    pub(crate) async fn say_goodbye(&mut self) {
        let deadline = later(Instant::now(), self.live.get().shutdown_grace);
        self.broker.handle(self.start.elapsed(), Input::Shutdown);
        self.carry_out();
        self.wake_writers();
        let mut batch = Vec::with_capacity(BATCH);
        // Only those that write have one from here on.
        self.tasks.writing = mpsc::channel(1).0;
        // When the last goodbye has been written.
        let mut written = None;
        while !self.tasks.running.is_empty() {
            let until = written.map_or(deadline, |at| deadline.min(at + LAST_LINGER));
            let wake = self.wake_at().min(until);
            tokio::select! {
                _ = self.inbox.recv_many(&mut batch, BATCH) => {}
                // Some wait for a confirmation, which they get before the end.
                true = news_of(&mut self.log) => {}
                _ = self.written.recv(), if written.is_none() => written = Some(Instant::now()),
                _ = self.tasks.running.join_next() => {}
                () = sleep_until(wake.into()) => {}
            }
            if Instant::now() >= until {
                if written.is_none() {
                    tracing::warn!(
                        connections = self.tasks.running.len(),
                        "the grace period is over; closing what is left"
                    );
                }
                break;
            }
            self.turn(&mut batch);
        }
        self.tasks.running.shutdown().await;
    }

    /// Waits until the log is written to its end, or cannot be.
    pub(crate) async fn close_log(&mut self) {
        if let Some(log) = self.log.take() {
            // A panic in there has been reported in there.
            let _ = tokio::task::spawn_blocking(move || log.finish()).await;
        }
    }

    /// One turn of the loop: the batch, the timers, the outputs.
    fn turn(&mut self, batch: &mut Vec<Command>) {
        // Ended tasks are only remembered until somebody asks.
        for tasks in [&mut self.tasks.running, &mut self.checks] {
            while let Some(ended) = tasks.try_join_next() {
                if let Err(error) = ended {
                    tracing::error!(%error, "a task of a connection failed");
                }
            }
        }
        let now = self.start.elapsed();
        if let Some(through) = self.log.as_mut().and_then(Writer::newly_durable) {
            self.broker.handle(now, Input::Durable { through });
        }
        if let Some(is_short) = self.log.as_mut().and_then(Writer::newly_short) {
            self.broker.handle(now, Input::StoreRoom { is_short });
        }
        let read = self.log.as_mut().map(Writer::newly_read);
        for (id, bytes) in read.into_iter().flatten() {
            self.broker.handle(now, Input::Read { id, bytes });
        }
        for connection in std::mem::take(&mut self.woken) {
            self.link(connection);
        }
        let lost = std::mem::take(&mut self.tasks.lost);
        let lost = lost.into_iter();
        let lost = lost.map(|connection| Command::Gone { connection });
        for command in lost.chain(batch.drain(..)) {
            if let Some(input) = self.admit(command) {
                self.broker.handle(now, input);
            }
        }
        // Also while inputs keep coming: timers do not wait for a quiet moment.
        if self.broker.poll_timeout().is_some_and(|due| due <= now) {
            self.broker.handle_timeout(now);
        }
        self.carry_out();
        self.wake_writers();
        self.look(now);
        self.reports
            .count_drops(Instant::now(), || self.broker.statistics());
    }

    /// Looks whether connections are idle.
    fn look(&mut self, now: Duration) {
        for _ in 0..LOOKS {
            let Some(connection) = self.tasks.next_look(now) else {
                return;
            };
            if let Some(peer) = self.peers.get_mut(&connection) {
                self.tasks.look(connection, &mut peer.seat);
            }
        }
    }

    /// Turns a command into the broker's input. Connections that the broker
    /// has closed are not its business any more.
    fn admit(&mut self, command: Command) -> Option<Input> {
        match command {
            Command::Received { connection, bytes } => {
                let peer = self.peers.get_mut(&connection)?;
                peer.seat.pass();
                // The next one may come in while this one is handled.
                if let Some(link) = peer.seat.link() {
                    link.taken();
                }
                peer.subject.hear(&bytes);
                Some(Input::Received { connection, bytes })
            }
            Command::Transmitted { connection, len } => self
                .peers
                .contains_key(&connection)
                .then_some(Input::Transmitted { connection, len }),
            Command::Drained { connection } => self
                .peers
                .contains_key(&connection)
                .then_some(Input::Drained { connection }),
            Command::Authenticated {
                connection,
                verdict,
            } => Some(Input::Authenticated {
                connection,
                user: verdict,
            }),
            Command::Proving { connection, answer } => Some(Input::Proving { connection, answer }),
            Command::Gone { connection } => {
                let peer = self.peers.remove(&connection)?;
                tracing::debug!(
                    id = connection.0,
                    protocol = name(peer.subject.protocol),
                    "disconnected"
                );
                if let Some(link) = peer.seat.link() {
                    link.set_reading(Reading::Over);
                }
                self.leaving.insert(connection, peer.subject.clone());
                Some(Input::Disconnected { connection })
            }
            Command::Idle(idle) => {
                let connection = idle.id();
                let Some(peer) = self.peers.get_mut(&connection) else {
                    // It has to end.
                    self.tasks.go_on(*idle);
                    return None;
                };
                self.tasks.park(*idle, &mut peer.seat);
                let is_parked = peer.seat.is_parked();
                is_parked.then_some(Input::Idle { connection })
            }
            Command::Snapshot { answer } => {
                // Who asked may not wait any more.
                let _ = answer.send(Snapshot {
                    connections: self.peers.len(),
                    idle: self.peers.values().filter(|p| p.seat.is_parked()).count(),
                    statistics: self.broker.statistics(),
                });
                None
            }
            Command::Inventory { answer } => {
                // Who asked may not wait any more.
                let _ = answer.send(Inventory {
                    queues: self.broker.queues().collect(),
                    sessions: self.broker.sessions().collect(),
                    connections: self.broker.connections().collect(),
                });
                None
            }
            Command::Administer { action, answer } => {
                self.last_id += 1;
                let id = self.last_id;
                self.administering.insert(id, answer);
                Some(Input::Administer { id, action })
            }
            Command::Inject { fault, answer } => {
                let input = self.inject(fault);
                // Who asked may not wait any more.
                let _ = answer.send(());
                input
            }
            Command::Cut { answer } => {
                let peers = std::mem::take(&mut self.peers);
                // Who asked may not wait any more.
                let _ = answer.send(peers.len());
                let now = self.start.elapsed();
                for (connection, peer) in peers.iter() {
                    if let Some(link) = peer.seat.link() {
                        link.set_reading(Reading::Over);
                    }
                    self.broker.handle(now, Input::Disconnected { connection });
                }
                None
            }
            Command::Accepted(accepted) => {
                let Accepted {
                    established,
                    terms,
                    peer,
                    place,
                } = *accepted;
                let protocol = established.protocol;
                let connection = self.open(established, peer, place);
                Some(Input::Connected {
                    connection,
                    protocol,
                    terms,
                })
            }
        }
    }

    fn open(&mut self, established: Established, peer: Origin, place: Place) -> ConnectionId {
        let Established {
            protocol,
            carrier,
            source: _,
            identity: _,
        } = established;
        self.last_id += 1;
        let id = ConnectionId(self.last_id);
        tracing::debug!(id = id.0, protocol = name(protocol), %peer, "connected");
        let peer = Peer {
            subject: Subject {
                protocol,
                peer,
                is_new: true,
                speaks: None,
            },
            seat: self.tasks.open(id, carrier, place),
        };
        self.peers.insert(id, Box::new(peer));
        id
    }

    /// Has something go wrong, here or in the broker.
    fn inject(&mut self, fault: Fault) -> Option<Input> {
        match fault {
            Fault::RefuseLogins(count) => {
                return Some(Input::Fault(mq_core::Fault::RefuseLogins(count)));
            }
            Fault::RefusePublishes(count) => {
                return Some(Input::Fault(mq_core::Fault::RefusePublishes(count)));
            }
            Fault::Delay(delay) => self.tasks.pace.delay = delay,
            Fault::StopReading(stop) => self.tasks.pace.is_stopped = stop,
            Fault::FullStore(is_full) => self.set_store_faults(|faults| faults.set_full(is_full)),
            Fault::FreeDisk(free) => self.set_store_faults(|faults| faults.set_free(free)),
            Fault::SlowStore(delay) => self.set_store_faults(|faults| faults.set_delay(delay)),
        }
        for link in self.peers.values().filter_map(|peer| peer.seat.link()) {
            link.set_pace(self.tasks.pace);
        }
        None
    }

    fn set_store_faults(&self, set: impl FnOnce(&StoreFaults)) {
        if let Some(log) = &self.log {
            set(&log.faults);
            log.look();
        }
    }

    /// Does everything that the broker has asked for.
    fn carry_out(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Transmit { connection, bytes } => {
                    if let Some(peer) = self.peers.get_mut(&connection) {
                        if bytes.is_empty() {
                            continue;
                        }
                        peer.seat.pass();
                        if let Some(served) = self.tasks.serve(connection, &mut peer.seat) {
                            let before = served.unflushed;
                            served.unflushed += bytes.len();
                            if before == 0 {
                                self.unflushed.push(connection);
                            }
                            if before < PLENTY && served.unflushed >= PLENTY {
                                self.hasty.push(connection);
                            }
                            served.link.push(bytes);
                        }
                    }
                }
                Output::Pause { connection } => self.set_reading(connection, Reading::Paused),
                Output::Resume { connection } => self.set_reading(connection, Reading::On),
                Output::Drain { connection } => {
                    if let Some(link) = self.link(connection) {
                        link.drain();
                    }
                }
                Output::Close { connection } => {
                    self.link(connection);
                    if let Some(peer) = self.peers.remove(&connection) {
                        tracing::debug!(
                            id = connection.0,
                            protocol = name(peer.subject.protocol),
                            "closed"
                        );
                        // It ends, and sends FIN, when it has written what it has, and
                        // waits for the peer's FIN.
                        if let Some(link) = peer.seat.link() {
                            link.set_reading(Reading::Over);
                        }
                    }
                }
                Output::Authenticate {
                    connection,
                    credentials,
                } => self.check(connection, credentials),
                Output::Prove { connection, step } => self.prove(connection, step),
                Output::Append { position, slices } => {
                    self.appended.push(Batch { position, slices });
                }
                Output::Trim { before } => {
                    self.hand_on_log();
                    if let Some(log) = &self.log {
                        log.trim(before);
                    }
                }
                Output::Read { id, position, len } => {
                    self.hand_on_log();
                    if let Some(log) = &self.log {
                        log.read(Read { id, position, len });
                    }
                }
                Output::Administered { id, result } => {
                    if let Some(answer) = self.administering.remove(&id) {
                        // Who asked may not wait any more.
                        let _ = answer.send(result);
                    }
                }
                Output::Report(Report::Dropped(dropped)) => self.reports.write_dropped(&dropped),
                Output::Report(Report::Peer(report)) => {
                    let connection = &report.connection;
                    let peer = self.peers.get(connection).map(|peer| &peer.subject);
                    if let Some(subject) = peer.or(self.leaving.get(connection)) {
                        self.reports.write(&report, subject);
                    }
                }
                other => tracing::error!(?other, "an output that this shell does not know"),
            }
        }
        self.leaving.clear();
        self.hand_on_log();
    }

    /// Has the connections write what they were handed, unless more is to come at once.
    fn wake_writers(&mut self) {
        let now = self.start.elapsed();
        let since = self.stretch.unwrap_or(now);
        let has_work = self.broker.poll_timeout().is_some_and(|due| due <= now);
        let goes_on = has_work && now - since < STRETCH;
        self.stretch = goes_on.then_some(since);
        let woken = match goes_on {
            true => &mut self.hasty,
            false => {
                self.hasty.clear();
                &mut self.unflushed
            }
        };
        for connection in woken.drain(..) {
            if let Some(peer) = self.peers.get_mut(&connection)
                && let Some(served) = peer.seat.served()
                && std::mem::take(&mut served.unflushed) > 0
            {
                served.link.wake();
            }
        }
    }

    /// Has it found out who a peer is.
    fn check(&mut self, connection: ConnectionId, credentials: Credentials) {
        // The broker only asks where there is somebody to answer.
        let Some(authenticator) = &self.authenticator else {
            return;
        };
        let Some(peer) = self.peers.get(&connection) else {
            return;
        };
        let checked = authenticator.authenticate(Attempt {
            protocol: peer.subject.protocol,
            address: peer.subject.peer.socket_address(),
            credentials,
        });
        let commands = self.commands.clone();
        self.checks.spawn(async move {
            let verdict = checked.await;
            let answer = Command::Authenticated {
                connection,
                verdict,
            };
            // If the broker is gone, so is the need for this answer.
            let _ = commands.send(answer).await;
        });
    }

    /// Has it look at a step of a peer.
    fn prove(&mut self, connection: ConnectionId, step: Step) {
        // The broker only asks where there is somebody to answer.
        let Some(authenticator) = &self.authenticator else {
            return;
        };
        let Some(peer) = self.peers.get(&connection) else {
            return;
        };
        let proving = authenticator.prove(StepAttempt {
            connection,
            address: peer.subject.peer.socket_address(),
            step,
        });
        let commands = self.commands.clone();
        self.checks.spawn(async move {
            let answer = proving.await;
            let answer = Command::Proving { connection, answer };
            // If the broker is gone, so is the need for this answer.
            let _ = commands.send(answer).await;
        });
    }

    fn hand_on_log(&mut self) {
        if let Some(log) = &self.log
            && !self.appended.is_empty()
        {
            log.append(std::mem::take(&mut self.appended));
        }
    }

    /// The way to the task of a connection. One that is parked has a task again.
    fn link(&mut self, connection: ConnectionId) -> Option<&Link> {
        let peer = self.peers.get_mut(&connection)?;
        let served = self.tasks.serve(connection, &mut peer.seat)?;
        Some(&served.link)
    }

    fn set_reading(&mut self, connection: ConnectionId, reading: Reading) {
        if let Some(link) = self.link(connection) {
            link.set_reading(reading);
        }
    }

    /// The instant at which there is something to do next.
    fn wake_at(&self) -> Instant {
        let due = self.broker.poll_timeout().into_iter();
        match due.chain(self.tasks.next_look_at()).min() {
            Some(due) => later(self.start, due),
            None => Instant::now() + IDLE,
        }
    }

    /// Keeps the alarm at or before the broker's next timeout. Most timeouts
    /// move away again before they are due, so an alarm that is too early is
    /// left to ring and set anew then.
    fn set_alarm(&self, mut alarm: std::pin::Pin<&mut Sleep>) {
        let wake = self.wake_at().into();
        if wake < alarm.deadline() || alarm.is_elapsed() {
            alarm.as_mut().reset(wake);
        }
    }
}

/// The moment so long after another; one that can never come is as good as one in an hour.
fn later(moment: Instant, time: Duration) -> Instant {
    moment
        .checked_add(time)
        .unwrap_or_else(|| Instant::now() + IDLE)
}

/// Resolves when more of the log is durable, or something in it was read: to true, or to
/// false if none ever will be.
async fn news_of(log: &mut Option<Writer>) -> bool {
    match log {
        Some(log) => log.has_news().await,
        None => std::future::pending().await,
    }
}

impl Drop for Peer {
    /// The connection ends when it has written what there is.
    fn drop(&mut self) {
        if let Some(link) = self.seat.link() {
            link.end(match self.subject.protocol {
                Protocol::Amqp => End::AfterPeer,
                _ => End::Now,
            });
        }
    }
}
