//! Walks over the retained messages that a filter matches.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::topics::{ROOT, Topics};
use crate::model::message::{Message, Name};
use crate::model::session::SubscriptionOptions;
use crate::model::topic::Segment;

/// Steps that a walk takes at one time.
pub(in crate::model::session) const STEPS: usize = 64;

/// A walk over the messages that match a filter and were there when it began. It goes
/// down the trie where the filter may match, and can rest anywhere: what comes meanwhile
/// is no part of it, and what goes is passed over.
#[derive(Debug)]
pub(in crate::model::session) struct Walk {
    filter: Name,
    pub(in crate::model::session) options: SubscriptionOptions,
    levels: Vec<Level>,
    /// From the root to where it stands. A level with a word leaves nothing here, since
    /// there is no way back to it.
    path: Vec<Place>,
    /// The number of the last message that it is for.
    last: u64,
}

/// A level of a filter, with the number of a word. If the word leaves the trie and its
/// number becomes that of another, only nodes have it that came after the walk began.
#[derive(Debug, Clone, Copy)]
enum Level {
    Word(u32),
    One,
    Many,
}

/// A node, with the level of the filter that its children have to match.
#[derive(Debug)]
struct Place {
    node: u32,
    level: usize,
    at: At,
}

/// How far a walk has come at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Message,
    /// Children come next, after the one by this word.
    Children(Option<u32>),
}

impl Place {
    fn new(node: u32, level: usize) -> Self {
        Self {
            node,
            level,
            at: At::Message,
        }
    }
}

/// What a step of a walk came to.
pub(in crate::model::session) enum Step<'a> {
    /// A message. The walk stays there until [`pass`](Walk::pass) is called.
    Found(&'a Arc<Message>),
    /// There may be more.
    Nothing,
    End,
}

impl Walk {
    /// None if no topic has one of the filter's words.
    pub(super) fn new(
        filter: Name,
        pattern: &[Segment],
        options: SubscriptionOptions,
        topics: &Topics,
        last: u64,
    ) -> Option<Self> {
        let level = |segment: &Segment| {
            Some(match segment {
                Segment::Word(word) => Level::Word(topics.word(word)?),
                Segment::One => Level::One,
                Segment::Many => Level::Many,
            })
        };
        Some(Self {
            filter,
            options,
            levels: pattern.iter().map(level).collect::<Option<_>>()?,
            path: Vec::from([Place::new(ROOT, 0)]),
            last,
        })
    }

    /// Goes on until a message is found or one node has been looked for.
    pub(super) fn step<'a>(&mut self, topics: &'a Topics, now: Duration) -> Step<'a> {
        let mut has_looked = false;
        while let Some(place) = self.path.last_mut() {
            let level = self.levels.get(place.level).copied();
            if place.at == At::Message && matches!(level, None | Some(Level::Many)) {
                let message = topics.message(place.node, self.last);
                if let Some(message) = message.filter(|message| !message.is_expired(now)) {
                    return Step::Found(message);
                }
            }
            let Some(level) = level else {
                self.path.pop();
                continue;
            };
            if core::mem::replace(&mut has_looked, true) {
                return Step::Nothing;
            }
            let after = match place.at {
                At::Message => None,
                At::Children(after) => after,
            };
            let next = match level {
                _ if !topics.is_from_before(place.node, self.last) => None,
                Level::Word(word) => topics.child(place.node, word).map(|child| (word, child)),
                Level::One | Level::Many => topics.next_child(place.node, after),
            };
            let Some((word, child)) = next else {
                self.path.pop();
                continue;
            };
            let (parent, mut below) = (place.node, place.level + 1);
            match level {
                Level::Word(_) => {
                    self.path.pop();
                }
                Level::One => place.at = At::Children(Some(word)),
                Level::Many => {
                    place.at = At::Children(Some(word));
                    below = place.level;
                }
            }
            let is_wildcard = !matches!(level, Level::Word(_));
            let is_hidden = is_wildcard && parent == ROOT && topics.is_dollar(word);
            if !is_hidden && topics.is_from_before(child, self.last) {
                self.path.push(Place::new(child, below));
            }
        }
        Step::End
    }

    /// Leaves the message that was found.
    pub(in crate::model::session) fn pass(&mut self) {
        if let Some(place) = self.path.last_mut() {
            place.at = At::Children(None);
        }
    }
}

/// The walks of one session, one for each filter, in the order in which they began.
#[derive(Debug, Default)]
pub(in crate::model::session) struct Walks {
    by_number: BTreeMap<u64, Walk>,
    by_filter: BTreeMap<Name, u64>,
    last: u64,
}

impl Walks {
    pub(in crate::model::session) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    pub(in crate::model::session) fn push(&mut self, walk: Walk) {
        self.remove(&walk.filter);
        self.last += 1;
        self.by_filter.insert(walk.filter.clone(), self.last);
        self.by_number.insert(self.last, walk);
    }

    pub(in crate::model::session) fn remove(&mut self, filter: &str) {
        if let Some(number) = self.by_filter.remove(filter) {
            self.by_number.remove(&number);
        }
    }

    pub(in crate::model::session) fn first(&mut self) -> Option<&mut Walk> {
        self.by_number.first_entry().map(|entry| entry.into_mut())
    }

    pub(in crate::model::session) fn remove_first(&mut self) {
        if let Some((_, walk)) = self.by_number.pop_first() {
            self.by_filter.remove(&walk.filter);
        }
    }
}
