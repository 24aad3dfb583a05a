//! What the broker's task and the task of one connection share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

use crate::fault::Pace;

/// Reads of one connection that wait for the broker at most, so that one that floods
/// leaves the inbox to the others. With fewer, a busy connection has to be woken for nearly
/// each of them.
const READS_WAITING: usize = 4;

/// Whether the broker wants to hear from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    On,
    Paused,
    /// What still comes is thrown away.
    Over,
}

/// When the sending side of a socket is closed, once everything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Now,
    /// When the peer has closed its side, or some time has passed. Close-ok of AMQP tells its
    /// recipient that it may close the socket (section 1.4.2.9), and a client that is about
    /// to do so reports a socket that ends before as a failure.
    AfterPeer,
}

/// The broker's orders to a connection. What it transmits is bounded by the broker, which
/// holds back while what it transmitted has not been reported to have left.
#[derive(Debug)]
pub(crate) struct Link {
    desk: Mutex<Desk>,
    /// What was read ahead of the broker.
    reads: AtomicUsize,
    /// There is another pace than the one without faults.
    is_paced: AtomicBool,
}

#[derive(Debug)]
struct Desk {
    /// To be written.
    chunks: VecDeque<Bytes>,
    /// Nothing more comes.
    end: Option<End>,
    reading: Reading,
    drain: bool,
    /// The connection may give up its task, if it has nothing to do.
    may_park: bool,
    pace: Pace,
    /// Of the connection's task.
    waker: Option<Waker>,
}

/// What the broker wants of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orders {
    pub(crate) reading: Reading,
    /// To hand in what has arrived, paused or not, and to say so.
    pub(crate) drain: bool,
    /// To give up the task if there is nothing to do.
    pub(crate) may_park: bool,
    /// Nothing more is to be written after what there is.
    pub(crate) end: Option<End>,
}

impl Link {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            desk: Mutex::new(Desk {
                chunks: VecDeque::new(),
                end: None,
                reading: Reading::On,
                drain: false,
                may_park: false,
                pace,
                waker: None,
            }),
            reads: AtomicUsize::new(0),
            is_paced: AtomicBool::new(pace != Pace::default()),
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Desk)) {
        let mut desk = self.desk();
        change(&mut desk);
        if let Some(waker) = &desk.waker {
            waker.wake_by_ref();
        }
    }

    /// Hands over what is to be written. [`wake`](Self::wake) has it noticed.
    pub(crate) fn push(&self, bytes: Bytes) {
        self.desk().chunks.push_back(bytes);
    }

    /// Has the connection look at what it was handed.
    pub(crate) fn wake(&self) {
        self.change(|_| {});
    }

    /// Nothing more comes.
    pub(crate) fn end(&self, end: End) {
        self.change(|desk| desk.end = Some(end));
    }

    /// One that is to pause is not woken for it: it has a look before it reads.
    pub(crate) fn set_reading(&self, reading: Reading) {
        match reading {
            Reading::Paused => self.desk().reading = reading,
            Reading::On | Reading::Over => self.change(|desk| desk.reading = reading),
        }
    }

    pub(crate) fn set_pace(&self, pace: Pace) {
        self.is_paced
            .store(pace != Pace::default(), Ordering::Release);
        self.change(|desk| desk.pace = pace);
    }

    /// How what was read is handed in. It is asked for after the read: whoever has set a pace
    /// and sends bytes then can rely on it.
    pub(crate) fn pace(&self) -> Pace {
        match self.is_paced.load(Ordering::Acquire) {
            true => self.desk().pace,
            false => Pace::default(),
        }
    }

    /// Has the connection hand in what has arrived, paused or not, and say so.
    pub(crate) fn drain(&self) {
        self.change(|desk| desk.drain = true);
    }

    /// Has the connection give up its task, if it has nothing to do.
    pub(crate) fn offer_parking(&self) {
        self.change(|desk| desk.may_park = true);
    }

    /// Whether the broker wants nothing of the connection but to hear what comes.
    pub(crate) fn is_quiet(&self) -> bool {
        let desk = self.desk();
        let is_quiet = desk.chunks.is_empty() && desk.end.is_none() && !desk.drain;
        is_quiet && desk.reading == Reading::On && !desk.pace.is_stopped
    }

    /// The broker has taken in what a read brought.
    pub(crate) fn taken(&self) {
        if self.reads.fetch_sub(1, Ordering::AcqRel) == READS_WAITING {
            self.wake();
        }
    }

    /// What the connection's task has to do now. It is woken when there is something new.
    pub(crate) fn orders(&self, waker: &Waker, queue: &mut VecDeque<Bytes>) -> Orders {
        let mut desk = self.desk();
        if queue.is_empty() {
            // No copy, and no room that is kept by an idle connection.
            *queue = std::mem::take(&mut desk.chunks);
        } else {
            queue.append(&mut desk.chunks);
        }
        match &mut desk.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        let is_stopped = desk.pace.is_stopped && desk.reading != Reading::Over;
        Orders {
            reading: if is_stopped {
                Reading::Paused
            } else {
                desk.reading
            },
            drain: !is_stopped && std::mem::take(&mut desk.drain),
            may_park: std::mem::take(&mut desk.may_park),
            end: desk.end,
        }
    }

    /// Whether more may be read ahead of the broker. If not, the task is woken when it may.
    pub(crate) fn has_room(&self) -> bool {
        self.reads.load(Ordering::Acquire) < READS_WAITING
    }

    /// What a read brought is handed in.
    pub(crate) fn reads(&self) {
        self.reads.fetch_add(1, Ordering::AcqRel);
    }
}
