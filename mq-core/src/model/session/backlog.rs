//! What waits for the client of a session, in order and by the time at which it
//! expires.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use core::time::Duration;

use super::Pending;
use crate::model::message::Qos;

/// The messages of a session that have not been sent.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// The number of the next message.
    next: u64,
    /// From the first message on, until it is [at rest](Backlog::rest): most sessions have
    /// none.
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By number. What expired amid others leaves a gap, but never at the front.
    list: VecDeque<(u64, Option<Pending>)>,
    len: usize,
    bytes: usize,
    /// Those with a time to live, by the moment at which it is over.
    expiries: BTreeSet<(Duration, u64)>,
    /// The numbers of those with QoS 0, and of some that are not there any more.
    transient: VecDeque<u64>,
}

/// Gaps are closed when they outnumber the messages by so many.
const GAPS: usize = 16;

impl Backlog {
    pub(super) fn len(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.len)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes no memory where no message waits.
    pub(super) fn rest(&mut self) {
        self.waiting.take_if(|waiting| waiting.len == 0);
    }

    /// Sizes of the messages, added up.
    pub(super) fn bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes)
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
        let waiting = self.waiting.get_or_insert_default();
        waiting.insert_last(number, pending);
    }

    pub(super) fn front(&self) -> Option<&Pending> {
        self.waiting.as_ref()?.front()
    }

    /// Takes out the first message, with its position.
    pub(super) fn pop(&mut self) -> Option<(u64, Pending)> {
        self.waiting.as_mut()?.pop()
    }

    /// Takes out a message that has expired by `now`, with its position.
    pub(super) fn pop_expired(&mut self, now: Duration) -> Option<(u64, Pending)> {
        self.waiting.as_mut()?.pop_expired(now)
    }

    /// Takes out the message at a position, if it is there.
    pub(super) fn remove(&mut self, number: u64) -> Option<Pending> {
        self.waiting.as_mut()?.remove(number)
    }

    /// The positions of the messages with QoS 0, which are forgotten: some may be gone.
    pub(super) fn take_transient(&mut self) -> VecDeque<u64> {
        let waiting = self.waiting.as_mut();
        waiting.map_or_else(VecDeque::new, |waiting| {
            core::mem::take(&mut waiting.transient)
        })
    }
}

impl Waiting {
    fn insert_last(&mut self, number: u64, pending: Pending) {
        self.len += 1;
        self.bytes += pending.message.size();
        if let Some(at) = pending.message.expiry() {
            self.expiries.insert((at, number));
        }
        if pending.qos == Qos::AtMostOnce {
            self.transient.push_back(number);
        }
        self.list.push_back((number, Some(pending)));
    }

    fn front(&self) -> Option<&Pending> {
        self.list.front()?.1.as_ref()
    }

    fn pop(&mut self) -> Option<(u64, Pending)> {
        let (number, pending) = self.list.pop_front()?;
        let pending = pending?;
        self.forget(number, &pending);
        while self.transient.front().is_some_and(|n| *n <= number) {
            self.transient.pop_front();
        }
        self.close_gaps();
        Some((number, pending))
    }

    fn pop_expired(&mut self, now: Duration) -> Option<(u64, Pending)> {
        let (at, number) = *self.expiries.first()?;
        if at > now {
            return None;
        }
        Some((number, self.remove(number)?))
    }

    fn remove(&mut self, number: u64) -> Option<Pending> {
        let place = self.list.partition_point(|(n, _)| *n < number);
        let (found, pending) = self.list.get_mut(place)?;
        let pending = pending.take_if(|_| *found == number)?;
        self.forget(number, &pending);
        self.close_gaps();
        Some(pending)
    }

    fn forget(&mut self, number: u64, pending: &Pending) {
        self.len -= 1;
        self.bytes -= pending.message.size();
        if let Some(at) = pending.message.expiry() {
            self.expiries.remove(&(at, number));
        }
    }

    /// What this takes, the messages that are gone have paid for: there are more of those
    /// than are left.
    fn close_gaps(&mut self) {
        while let Some((_, None)) = self.list.front() {
            self.list.pop_front();
        }
        if self.list.len() > 2 * self.len + GAPS {
            self.list.retain(|(_, pending)| pending.is_some());
        }
        if self.transient.len() > 2 * self.len + GAPS {
            let list = &self.list;
            self.transient.retain(|number| {
                let place = list.binary_search_by_key(number, |(number, _)| *number);
                place.is_ok_and(|place| list[place].1.is_some())
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::queue::tests::message;
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Act {
        Push {
            qos: Qos,
            expiration: Option<u64>,
        },
        Pop,
        Expire(u64),
        Remove(u64),
        /// Its client goes.
        Leave,
        Rest,
    }

    fn act() -> impl Strategy<Value = Act> {
        let qos = prop_oneof![Just(Qos::AtMostOnce), Just(Qos::AtLeastOnce)];
        let push = (qos, option::of(1..9_u64));
        let push = push.prop_map(|(qos, expiration)| Act::Push { qos, expiration });
        prop_oneof![
            12 => push,
            3 => Just(Act::Pop),
            2 => (0..9_u64).prop_map(Act::Expire),
            2 => (0..200_u64).prop_map(Act::Remove),
            1 => Just(Act::Leave),
            1 => Just(Act::Rest),
        ]
    }

    fn pending(qos: Qos, expiration: Option<u64>) -> Pending {
        let mut message = message("m");
        message.properties.expiration = expiration.map(Duration::from_secs);
        Pending {
            message: Arc::new(message),
            qos,
            retain: false,
            identifiers: Vec::new(),
            share: None,
        }
    }

    proptest! {
        /// It is the list that it stands for, and takes no more than that needs.
        #[test]
        fn it_is_a_list(acts in vec(act(), 0..400)) {
            let mut backlog = Backlog::default();
            let mut list: Vec<(u64, Pending)> = Vec::new();
            for act in acts {
                match act {
                    Act::Push { qos, expiration } => {
                        let pending = pending(qos, expiration);
                        list.push((backlog.push(pending.clone()), pending));
                    }
                    Act::Pop => {
                        let first = (!list.is_empty()).then(|| list.remove(0));
                        prop_assert_eq!(backlog.pop(), first);
                    }
                    Act::Expire(now) => {
                        let now = Duration::from_secs(now);
                        let is_over = |pending: &Pending| {
                            pending.message.expiry().is_some_and(|at| at <= now)
                        };
                        while let Some(expired) = backlog.pop_expired(now) {
                            prop_assert!(is_over(&expired.1) && list.contains(&expired));
                            list.retain(|pending| *pending != expired);
                        }
                        prop_assert!(!list.iter().any(|(_, pending)| is_over(pending)));
                    }
                    Act::Remove(position) => {
                        let at = list.iter().position(|(at, _)| *at == position);
                        let removed = at.map(|at| list.remove(at).1);
                        prop_assert_eq!(backlog.remove(position), removed);
                    }
                    Act::Leave => {
                        for position in backlog.take_transient() {
                            backlog.remove(position);
                        }
                        list.retain(|(_, pending)| pending.qos != Qos::AtMostOnce);
                    }
                    Act::Rest => {
                        backlog.rest();
                        prop_assert_eq!(backlog.waiting.is_none(), list.is_empty());
                    }
                }
                prop_assert_eq!(backlog.len(), list.len());
                let bytes: usize = list.iter().map(|(_, pending)| pending.message.size()).sum();
                prop_assert_eq!(backlog.bytes(), bytes);
                prop_assert_eq!(backlog.front(), list.first().map(|(_, pending)| pending));
                let most = 2 * list.len() + GAPS;
                if let Some(waiting) = &backlog.waiting {
                    prop_assert!(waiting.list.len() <= most && waiting.transient.len() <= most);
                }
            }
        }
    }
}
