//! What the connections of one measurement share.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_rustls::TlsConnector;

use crate::load::Load;
use crate::target::Target;

/// One load on one broker.
pub struct Run {
    pub target: Target,
    pub load: Load,
    pub tls: Option<TlsConnector>,
    origin: Instant,
    phase: AtomicU8,
    /// When publishing began, and which stamps are measured; nanoseconds.
    begin: AtomicU64,
    from: AtomicU64,
    until: AtomicU64,
    /// Connections that can do their job.
    ready: AtomicUsize,
    /// Messages published, deliveries that came, and those that are given up.
    sent: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
    connections: Vec<Wake>,
    /// The first connections are those that a full window stops.
    publishers: usize,
}

/// How a connection is woken.
#[derive(Default)]
struct Wake {
    notify: Notify,
    /// Whether a full window stops it.
    stopped: AtomicBool,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Connections log in and subscribe.
    Begin,
    /// Messages are published.
    Run,
    /// What is on its way arrives.
    Drain,
    /// Everyone leaves.
    Close,
}

impl Run {
    /// A run of so many connections, the first of which publish as fast as they can.
    pub fn new(
        target: Target,
        load: Load,
        tls: Option<TlsConnector>,
        connections: usize,
        publishers: usize,
    ) -> Self {
        Self {
            target,
            load,
            tls,
            origin: Instant::now(),
            phase: AtomicU8::new(0),
            begin: AtomicU64::new(0),
            from: AtomicU64::new(0),
            until: AtomicU64::new(u64::MAX),
            ready: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            connections: (0..connections).map(|_| Wake::default()).collect(),
            publishers,
        }
    }

    /// The time since the run was made, which all its connections count from.
    pub fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Begin,
            1 => Phase::Run,
            2 => Phase::Drain,
            _ => Phase::Close,
        }
    }

    /// Goes on to `phase` and wakes everyone.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
        for connection in &self.connections {
            connection.notify.notify_one();
        }
    }

    /// Publishing begins now; what is stamped in a time of `measured` after `warm_up` is
    /// measured.
    pub fn begin(&self, warm_up: Duration, measured: Duration) {
        let begin = self.now();
        let store = |at: &AtomicU64, time: Duration| at.store(stamp(time), Ordering::Release);
        store(&self.begin, begin);
        store(&self.from, begin + warm_up);
        store(
            &self.until,
            begin.saturating_add(warm_up).saturating_add(measured),
        );
        self.enter(Phase::Run);
    }

    /// When publishing began.
    pub fn begun(&self) -> Duration {
        Duration::from_nanos(self.begin.load(Ordering::Acquire))
    }

    /// The time since then.
    pub fn since_begin(&self) -> Duration {
        self.now().saturating_sub(self.begun())
    }

    /// Whether what happened then is measured.
    pub fn measures(&self, stamp: u64) -> bool {
        (self.from.load(Ordering::Relaxed)..self.until.load(Ordering::Relaxed)).contains(&stamp)
    }

    /// When publishing ends.
    pub fn until(&self) -> Duration {
        Duration::from_nanos(self.until.load(Ordering::Acquire))
    }

    pub fn count_ready(&self) {
        self.ready.fetch_add(1, Ordering::AcqRel);
    }

    pub fn ready(&self) -> usize {
        self.ready.load(Ordering::Acquire)
    }

    pub fn count_sent(&self, messages: u64) {
        self.sent.fetch_add(messages, Ordering::AcqRel);
    }

    /// Counts deliveries, and lets those publish who waited for them.
    pub fn count_received(&self, messages: u64) {
        self.received.fetch_add(messages, Ordering::AcqRel);
        self.open();
    }

    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    /// Deliveries that have not come.
    pub fn missing(&self) -> u64 {
        let expected = self.sent.load(Ordering::Acquire) * self.load.copies();
        let done = self.received() + self.lost.load(Ordering::Acquire);
        expected.saturating_sub(done)
    }

    /// Gives up what has not come, so that a closed loop goes on without it.
    pub fn give_up(&self) {
        self.lost.fetch_add(self.missing(), Ordering::AcqRel);
        self.open();
    }

    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire) + self.missing()
    }

    /// How many more messages may be on their way, with a window of `window` for each
    /// publisher.
    pub fn room(&self, window: usize) -> u64 {
        let limit = (window * self.load.publishers) as u64;
        limit.saturating_sub(self.missing().div_ceil(self.load.copies()))
    }

    /// Says that a connection waits for room. It has to look again after this.
    pub fn stop(&self, connection: usize) {
        self.connections[connection]
            .stopped
            .store(true, Ordering::SeqCst);
    }

    fn open(&self) {
        for publisher in &self.connections[..self.publishers] {
            if publisher.stopped.swap(false, Ordering::SeqCst) {
                publisher.notify.notify_one();
            }
        }
    }

    pub fn wake(&self, connection: usize) {
        self.connections[connection].notify.notify_one();
    }

    pub fn notify(&self, connection: usize) -> &Notify {
        &self.connections[connection].notify
    }
}

/// A time as it stands in a message.
pub fn stamp(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
