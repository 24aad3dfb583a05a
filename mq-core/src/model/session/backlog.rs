//! What waits for the client of a session, in order and by the time at which it
//! expires.

use alloc::collections::{BTreeSet, VecDeque};
use core::time::Duration;

use super::Pending;

/// The messages of a session that have not been sent.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// By number. What expired amid others leaves a gap, but never at the front.
    list: VecDeque<(u64, Option<Pending>)>,
    /// The number of the next message.
    next: u64,
    len: usize,
    bytes: usize,
    /// Those with a time to live, by the moment at which it is over.
    expiries: BTreeSet<(Duration, u64)>,
}

/// Gaps are closed when they outnumber the messages by so many.
const GAPS: usize = 16;

impl Backlog {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sizes of the messages, added up.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a message, and returns its position.
    pub(super) fn push(&mut self, pending: Pending) -> u64 {
        let number = self.next_position();
        self.insert_last(number, pending);
        number
    }

    /// A position that no message has had.
    pub(super) fn next_position(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Puts a message back at the position that it had, after all that are there.
    pub(super) fn restore(&mut self, position: u64, pending: Pending) {
        self.set_next_position(position + 1);
        self.insert_last(position, pending);
    }

    /// Uses no position before this one.
    pub(super) fn set_next_position(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    fn insert_last(&mut self, number: u64, pending: Pending) {
        self.len += 1;
        self.bytes += pending.message.size();
        if let Some(at) = pending.message.expiry() {
            self.expiries.insert((at, number));
        }
        self.list.push_back((number, Some(pending)));
    }

    pub(super) fn front(&self) -> Option<&Pending> {
        self.list.front()?.1.as_ref()
    }

    /// Takes out the first message, with its position.
    pub(super) fn pop(&mut self) -> Option<(u64, Pending)> {
        let (number, pending) = self.list.pop_front()?;
        let pending = pending?;
        self.forget(number, &pending);
        self.close_gaps();
        Some((number, pending))
    }

    /// Removes what has expired by `now`, and names each with its position. Returns how many
    /// that were.
    pub(super) fn expire(&mut self, now: Duration, mut gone: impl FnMut(u64, &Pending)) -> usize {
        let before = self.len;
        while let Some(&(at, number)) = self.expiries.first()
            && at <= now
        {
            self.expiries.remove(&(at, number));
            let place = self.list.partition_point(|(n, _)| *n < number);
            let expired = self.list.get_mut(place).and_then(|(_, p)| p.take());
            if let Some(pending) = expired {
                self.forget(number, &pending);
                gone(number, &pending);
            }
        }
        self.close_gaps();
        before - self.len
    }

    /// Keeps what is wanted. Returns how many were not.
    pub(super) fn retain(&mut self, wanted: impl Fn(&Pending) -> bool) -> usize {
        let before = self.len;
        let Self { list, next, .. } = core::mem::take(self);
        self.next = next;
        for (number, pending) in list {
            if let Some(pending) = pending.filter(&wanted) {
                self.insert_last(number, pending);
            }
        }
        before - self.len
    }

    fn forget(&mut self, number: u64, pending: &Pending) {
        self.len -= 1;
        self.bytes -= pending.message.size();
        if let Some(at) = pending.message.expiry() {
            self.expiries.remove(&(at, number));
        }
    }

    fn close_gaps(&mut self) {
        while let Some((_, None)) = self.list.front() {
            self.list.pop_front();
        }
        if self.list.len() > 2 * self.len + GAPS {
            self.list.retain(|(_, pending)| pending.is_some());
        }
    }
}
