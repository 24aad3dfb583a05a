//! The trie of patterns.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::Segment;
use crate::few_map::FewMap;

/// Patterns with values, found by the words that they match.
///
/// Nodes live in one vector and refer to each other by index. A match walks
/// the words once with the set of nodes that the words so far can have led to,
/// so its cost is bounded by words times nodes, whatever the patterns are, and
/// no depth of a topic can exhaust the stack. The values of a pattern have keys,
/// by which one of many is taken out without a look at the others.
#[derive(Debug)]
pub(crate) struct Trie<K, V> {
    nodes: Vec<Node<K, V>>,
    free: Vec<usize>,
    /// Another one after each change.
    version: u64,
}

#[derive(Debug)]
struct Node<K, V> {
    words: FewMap<Box<str>, Link>,
    one: Link,
    many: Link,
    values: FewMap<K, V>,
}

/// A node that the words so far have led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reached {
    node: usize,
    /// Through `#`: it stays in the set whatever word comes.
    repeats: bool,
}

/// What a wildcard matches that a pattern begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leading {
    /// What it matches elsewhere.
    Anything,
    /// Nothing, as for an MQTT topic that begins with `$` (section 4.7.2).
    Nothing,
}

/// A child, in half of the room of an index: there are many nodes, and no memory has four
/// billion of them. The root is nobody's child.
#[derive(Debug, Clone, Copy, Default)]
struct Link(Option<NonZeroU32>);

impl Link {
    fn to(child: Option<usize>) -> Self {
        Self(child.and_then(|child| NonZeroU32::new(child as u32)))
    }

    fn get(self) -> Option<usize> {
        self.0.map(|child| child.get() as usize)
    }
}

impl<K: Ord, V> Node<K, V> {
    fn new() -> Self {
        Self {
            words: FewMap::new(),
            one: Link::default(),
            many: Link::default(),
            values: FewMap::new(),
        }
    }

    fn is_unused(&self) -> bool {
        let has_link = self.one.get().is_some() || self.many.get().is_some();
        self.values.is_empty() && self.words.is_empty() && !has_link
    }

    fn child(&self, segment: &Segment) -> Option<usize> {
        match segment {
            Segment::Word(word) => self.words.get(&**word)?.get(),
            Segment::One => self.one.get(),
            Segment::Many => self.many.get(),
        }
    }

    fn set_child(&mut self, segment: &Segment, child: Option<usize>) {
        match (segment, child) {
            (Segment::Word(word), Some(_)) => {
                self.words.insert(Box::from(&**word), Link::to(child));
            }
            (Segment::Word(word), None) => {
                self.words.remove(&**word);
            }
            (Segment::One, child) => self.one = Link::to(child),
            (Segment::Many, child) => self.many = Link::to(child),
        }
    }
}

impl<K: Ord, V> Default for Trie<K, V> {
    fn default() -> Self {
        Self {
            nodes: Vec::from([Node::new()]),
            free: Vec::new(),
            version: 0,
        }
    }
}

const ROOT: usize = 0;
/// Nodes that there is room for from the beginning of a match.
const FEW: usize = 8;

impl<K: Ord, V> Trie<K, V> {
    /// What matches is the same as long as this is.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Adds a value under the pattern, in place of one with the same key.
    pub(crate) fn insert(&mut self, pattern: &[Segment], key: K, value: V) {
        self.version += 1;
        let mut at = ROOT;
        for segment in pattern {
            at = match self.nodes[at].child(segment) {
                Some(child) => child,
                None => {
                    let node = Node::new();
                    let child = match self.free.pop() {
                        Some(index) => {
                            self.nodes[index] = node;
                            index
                        }
                        None => {
                            if self.nodes.len() == self.nodes.capacity() {
                                // Doubling would leave room for as many again.
                                self.nodes.reserve_exact(self.nodes.len() / 4 + 1);
                            }
                            self.nodes.push(node);
                            self.nodes.len() - 1
                        }
                    };
                    self.nodes[at].set_child(segment, Some(child));
                    child
                }
            };
        }
        self.nodes[at].values.insert(key, value);
    }

    /// Removes the value with the key under the pattern, and the nodes that
    /// nothing needs any more.
    pub(crate) fn remove(&mut self, pattern: &[Segment], key: &K) {
        self.version += 1;
        let mut path = Vec::with_capacity(pattern.len());
        let mut at = ROOT;
        for segment in pattern {
            path.push(at);
            match self.nodes[at].child(segment) {
                Some(child) => at = child,
                None => return,
            }
        }
        self.nodes[at].values.remove(key);
        for (parent, segment) in path.into_iter().zip(pattern).rev() {
            if !self.nodes[at].is_unused() {
                break;
            }
            self.nodes[parent].set_child(segment, None);
            self.free.push(at);
            at = parent;
        }
    }

    /// Calls `found` with every value whose pattern matches one of the keys, each a
    /// row of words. A value that is there under several patterns comes once for each,
    /// however many keys match one. Returns how many nodes were looked at.
    pub(crate) fn for_each_match<'a, 'w, W: Iterator<Item = &'w str>>(
        &'a self,
        keys: impl Iterator<Item = W>,
        leading: Leading,
        mut found: impl FnMut(&'a K, &'a V),
    ) -> usize {
        if self.nodes[ROOT].is_unused() {
            return 0;
        }
        let mut matched = Vec::new();
        // More than most sets of nodes have.
        let mut active = Vec::with_capacity(FEW);
        let mut next = Vec::with_capacity(FEW);
        let mut steps = 0;
        let mut count = 0;
        for words in keys {
            count += 1;
            active.clear();
            match leading {
                Leading::Anything => self.enter(ROOT, &mut active),
                Leading::Nothing => active.push(Reached {
                    node: ROOT,
                    repeats: false,
                }),
            }
            for word in words {
                steps += active.len();
                for &reached in &active {
                    let node = &self.nodes[reached.node];
                    if reached.repeats {
                        next.push(reached);
                    }
                    if let Some(child) = node.words.get(word).and_then(|child| child.get()) {
                        self.enter(child, &mut next);
                    }
                    let is_barred = leading == Leading::Nothing && reached.node == ROOT;
                    if let Some(child) = node.one.get()
                        && !is_barred
                    {
                        self.enter(child, &mut next);
                    }
                }
                // A node after `#` can be reached by staying and by entering.
                next.sort_unstable();
                next.dedup();
                core::mem::swap(&mut active, &mut next);
                next.clear();
                if active.is_empty() {
                    break;
                }
            }
            if matched.is_empty() {
                core::mem::swap(&mut matched, &mut active);
            } else {
                matched.append(&mut active);
            }
        }
        if count > 1 {
            matched.sort_unstable();
            matched.dedup();
        }
        for reached in matched {
            for (key, value) in self.nodes[reached.node].values.iter() {
                found(key, value);
            }
        }
        steps
    }

    /// Adds a node, and those that `#` reaches from it without a word.
    fn enter(&self, node: usize, set: &mut Vec<Reached>) {
        let mut repeats = false;
        let mut next = Some(node);
        while let Some(node) = next {
            set.push(Reached { node, repeats });
            next = self.nodes[node].many.get();
            repeats = true;
        }
    }

    #[cfg(test)]
    fn node_count(&self) -> usize {
        self.nodes.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{binding_key, words};
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    /// The rule itself, by recursion: what the trie must agree with.
    fn matches(pattern: &[Segment], key: &[&str]) -> bool {
        match pattern.split_first() {
            None => key.is_empty(),
            Some((Segment::Many, rest)) => {
                (0..=key.len()).any(|skipped| matches(rest, &key[skipped..]))
            }
            Some((Segment::One, rest)) => !key.is_empty() && matches(rest, &key[1..]),
            Some((Segment::Word(word), rest)) => {
                key.first().is_some_and(|k| **k == **word) && matches(rest, &key[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_rule(
            patterns in prop::collection::vec("([ab*#](\\.[ab*#]){0,5})?", 1..12),
            removed in prop::collection::vec(any::<bool>(), 12),
            key in "([abc](\\.[abc]){0,6})?",
        ) {
            let mut trie = Trie::default();
            for (n, pattern) in patterns.iter().enumerate() {
                trie.insert(&binding_key(pattern), n, ());
            }
            for (n, pattern) in patterns.iter().enumerate() {
                if removed[n] {
                    trie.remove(&binding_key(pattern), &n);
                }
            }
            let mut found = Vec::new();
            let key_words = [words(&key)].into_iter();
            trie.for_each_match(key_words, Leading::Anything, |n, ()| found.push(*n));
            found.sort_unstable();
            let key: Vec<&str> = words(&key).collect();
            let expected: Vec<usize> = patterns
                .iter()
                .enumerate()
                .filter(|(n, p)| !removed[*n] && matches(&binding_key(p), &key))
                .map(|(n, _)| n)
                .collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn removing_everything_leaves_the_root(
            patterns in prop::collection::vec("([ab*#](\\.[ab*#]){0,5})?", 1..12),
        ) {
            let mut trie = Trie::default();
            for pattern in &patterns {
                trie.insert(&binding_key(pattern), (), ());
            }
            for pattern in &patterns {
                trie.remove(&binding_key(pattern), &());
            }
            prop_assert_eq!(trie.node_count(), 1);
        }
    }

    #[test]
    fn many_wildcards_do_not_explode() {
        let mut trie = Trie::default();
        trie.insert(&binding_key(&["#"; 60].join(".a.")), (), ());
        let key: String = ["a"; 120].join(".");
        let mut count = 0;
        let key_words = [words(&key)].into_iter();
        trie.for_each_match(key_words, Leading::Anything, |(), ()| count += 1);
        assert_eq!(count, 1);
    }
}
