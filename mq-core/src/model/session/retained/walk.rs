//! Walks over the retained messages that a filter matches.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::topics::{ROOT, Topics};
use crate::model::message::{Message, Name};
use crate::model::session::SubscriptionOptions;
use crate::model::topic::Segment;

/// Steps that a walk takes at one time.
pub(in crate::model::session) const STEPS: u64 = 64;

/// Children of a node that are looked at in one step, if they have nothing below that could
/// match.
const AT_ONCE: usize = 16;

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

    /// Goes on until a message is found, or one node has been looked for or a few children of
    /// one: those but the first are added to `more`.
    pub(super) fn step<'a>(
        &mut self,
        topics: &'a Topics,
        now: Duration,
        more: &mut u64,
    ) -> Step<'a> {
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
            let (last, here) = (self.last, place.level);
            let was_there = |node: &u32| topics.is_from_before(*node, last);
            if !was_there(&place.node) {
                self.path.pop();
                continue;
            }
            let next = match level {
                Level::Word(word) => {
                    let child = topics.child(place.node, word);
                    self.path.pop();
                    child.filter(was_there).map(|child| (child, here + 1))
                }
                Level::One | Level::Many => {
                    let after = match place.at {
                        At::Message => None,
                        At::Children(after) => after,
                    };
                    // The levels that a child is for, and the word that must be below it.
                    let (below, then) = match (level, self.levels.get(here + 1)) {
                        (Level::Many, _) => (here, None),
                        (_, Some(Level::Word(word))) => (here + 2, Some(*word)),
                        _ => (here + 1, None),
                    };
                    let mut seen = None;
                    let mut children = topics.children(place.node, after).take(AT_ONCE);
                    let found = children.find_map(|(word, child)| {
                        *more += u64::from(seen.replace(word).is_some());
                        if place.node == ROOT && topics.is_dollar(word) {
                            return None;
                        }
                        let child = Some(child).filter(was_there)?;
                        match then {
                            Some(word) => topics.child(child, word).filter(was_there),
                            None => Some(child),
                        }
                    });
                    match seen {
                        Some(word) => place.at = At::Children(Some(word)),
                        None => {
                            self.path.pop();
                        }
                    }
                    found.map(|node| (node, below))
                }
            };
            self.path
                .extend(next.map(|(node, level)| Place::new(node, level)));
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
pub(in crate::model::session) struct Walks(
    /// While there are any: most sessions have none.
    Option<Box<Begun>>,
);

#[derive(Debug, Default)]
struct Begun {
    by_number: BTreeMap<u64, Walk>,
    by_filter: BTreeMap<Name, u64>,
    last: u64,
}

impl Walks {
    pub(in crate::model::session) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(in crate::model::session) fn push(&mut self, walk: Walk) {
        self.remove(&walk.filter);
        let begun = self.0.get_or_insert_default();
        begun.last += 1;
        begun.by_filter.insert(walk.filter.clone(), begun.last);
        begun.by_number.insert(begun.last, walk);
    }

    pub(in crate::model::session) fn remove(&mut self, filter: &str) {
        if let Some(begun) = &mut self.0
            && let Some(number) = begun.by_filter.remove(filter)
        {
            begun.by_number.remove(&number);
            self.forget_none();
        }
    }

    pub(in crate::model::session) fn first(&mut self) -> Option<&mut Walk> {
        let first = self.0.as_mut()?.by_number.first_entry()?;
        Some(first.into_mut())
    }

    pub(in crate::model::session) fn remove_first(&mut self) {
        if let Some(begun) = &mut self.0
            && let Some((_, walk)) = begun.by_number.pop_first()
        {
            begun.by_filter.remove(&walk.filter);
            self.forget_none();
        }
    }

    fn forget_none(&mut self) {
        self.0.take_if(|begun| begun.by_number.is_empty());
    }
}
