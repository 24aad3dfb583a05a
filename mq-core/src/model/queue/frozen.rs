//! Runs: messages of a queue that follow each other and have left memory as a whole.
//!
//! What is left of a run is how many messages it has and what they add up to. It lies far
//! from the head of its queue. Before a consumer comes to it, it is asked for, and its
//! messages come back.

use core::time::Duration;

use super::QueueId;
use crate::model::change::{BacklogId, Range};

/// How much makes a run, and how much of a queue stays in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Messages at the head that stay.
    pub(crate) head: usize,
    /// Bytes of one run: it ends with the message that reaches this.
    pub(crate) bytes: usize,
    /// Messages of one run, at most.
    pub(crate) messages: usize,
}

impl Scale {
    /// The scale for [`Limits::memory_spill`](crate::Limits::memory_spill).
    pub(crate) fn of(mark: usize) -> Self {
        Self {
            head: (mark / 8192).clamp(2, 256),
            bytes: (mark / 64).clamp(256, 256 << 10),
            messages: 1024,
        }
    }
}

/// A run, as its queue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frozen {
    /// The position of its first message. The others have the positions after it.
    pub(crate) first: u64,
    /// How many positions it has.
    pub(crate) span: u64,
    /// How many messages are left in them.
    pub(crate) left: usize,
    /// Sizes of their bodies, added up.
    pub(crate) bytes: usize,
    /// Their sizes, added up.
    pub(crate) held: usize,
    /// When the time of the first and of the last of them is over. All of them have a time
    /// to live, or none.
    pub(crate) expires: Option<(Duration, Duration)>,
    /// The priority that all of them were published with.
    pub(crate) priority: Option<u8>,
    /// Messages before that position may have been delivered.
    pub(crate) offered: u64,
    /// It was asked for.
    pub(crate) asked: bool,
}

impl Frozen {
    /// How many of its messages have a time to live.
    pub(super) fn expiring(&self) -> usize {
        match self.expires {
            Some(_) => self.left,
            None => 0,
        }
    }

    /// Its positions.
    pub(crate) fn range(&self, queue: QueueId) -> Range {
        Range {
            backlog: BacklogId::from(queue),
            first: self.first,
            count: self.span,
        }
    }

    /// The position after its last one.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.span
    }
}

/// Ready messages that could become a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The priority in their queue.
    pub(crate) level: u8,
    /// The position of the first.
    pub(crate) first: u64,
    /// How many there are, at positions that follow each other.
    pub(crate) count: usize,
    /// Those before that position may have been delivered.
    pub(crate) offered: u64,
}
