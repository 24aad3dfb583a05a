//! The trie of patterns.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Segment;
use crate::model::message::Name;

/// Patterns with values, found by the words that they match.
///
/// Nodes live in one vector and refer to each other by index. A match walks
/// the words once with the set of nodes that the words so far can have led to,
/// so its cost is bounded by words times nodes, whatever the patterns are, and
/// no depth of a topic can exhaust the stack.
#[derive(Debug)]
pub(crate) struct Trie<T> {
    nodes: Vec<Node<T>>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Node<T> {
    words: BTreeMap<Name, usize>,
    one: Option<usize>,
    many: Option<usize>,
    /// Reached through `#`: stays in the set whatever word comes.
    repeats: bool,
    values: Vec<T>,
}

impl<T> Node<T> {
    fn new(repeats: bool) -> Self {
        Node {
            words: BTreeMap::new(),
            one: None,
            many: None,
            repeats,
            values: Vec::new(),
        }
    }

    fn is_unused(&self) -> bool {
        self.values.is_empty() && self.words.is_empty() && self.one.is_none() && self.many.is_none()
    }

    fn child(&self, segment: &Segment) -> Option<usize> {
        match segment {
            Segment::Word(word) => self.words.get(word).copied(),
            Segment::One => self.one,
            Segment::Many => self.many,
        }
    }

    fn set_child(&mut self, segment: &Segment, child: Option<usize>) {
        match (segment, child) {
            (Segment::Word(word), Some(child)) => {
                self.words.insert(word.clone(), child);
            }
            (Segment::Word(word), None) => {
                self.words.remove(word);
            }
            (Segment::One, child) => self.one = child,
            (Segment::Many, child) => self.many = child,
        }
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Trie {
            nodes: Vec::from([Node::new(false)]),
            free: Vec::new(),
        }
    }
}

const ROOT: usize = 0;

impl<T> Trie<T> {
    /// Adds a value under the pattern; a pattern can have many.
    pub(crate) fn insert(&mut self, pattern: &[Segment], value: T) {
        let mut at = ROOT;
        for segment in pattern {
            at = match self.nodes[at].child(segment) {
                Some(child) => child,
                None => {
                    let node = Node::new(*segment == Segment::Many);
                    let child = match self.free.pop() {
                        Some(index) => {
                            self.nodes[index] = node;
                            index
                        }
                        None => {
                            self.nodes.push(node);
                            self.nodes.len() - 1
                        }
                    };
                    self.nodes[at].set_child(segment, Some(child));
                    child
                }
            };
        }
        self.nodes[at].values.push(value);
    }

    /// Removes the values under the pattern for which `remove` says so, and
    /// the nodes that nothing needs any more.
    pub(crate) fn remove(&mut self, pattern: &[Segment], mut remove: impl FnMut(&T) -> bool) {
        let mut path = Vec::with_capacity(pattern.len());
        let mut at = ROOT;
        for segment in pattern {
            path.push(at);
            match self.nodes[at].child(segment) {
                Some(child) => at = child,
                None => return,
            }
        }
        self.nodes[at].values.retain(|value| !remove(value));
        for (parent, segment) in path.into_iter().zip(pattern).rev() {
            if !self.nodes[at].is_unused() {
                break;
            }
            self.nodes[parent].set_child(segment, None);
            self.free.push(at);
            at = parent;
        }
    }

    /// Calls `found` with every value whose pattern matches the words; a value
    /// that is there under several patterns comes once for each.
    pub(crate) fn for_each_match<'a>(
        &self,
        words: impl Iterator<Item = &'a str>,
        mut found: impl FnMut(&T),
    ) {
        let mut active = Vec::new();
        let mut next = Vec::new();
        self.enter(ROOT, &mut active);
        for word in words {
            for &index in &active {
                let node = &self.nodes[index];
                if node.repeats {
                    next.push(index);
                }
                if let Some(&child) = node.words.get(word) {
                    self.enter(child, &mut next);
                }
                if let Some(child) = node.one {
                    self.enter(child, &mut next);
                }
            }
            // A node after `#` can be reached by staying and by entering.
            next.sort_unstable();
            next.dedup();
            core::mem::swap(&mut active, &mut next);
            next.clear();
            if active.is_empty() {
                return;
            }
        }
        for index in active {
            self.nodes[index].values.iter().for_each(&mut found);
        }
    }

    /// Adds a node, and those that `#` reaches from it without a word.
    fn enter(&self, index: usize, set: &mut Vec<usize>) {
        let mut next = Some(index);
        while let Some(index) = next {
            set.push(index);
            next = self.nodes[index].many;
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
                trie.insert(&binding_key(pattern), n);
            }
            for (n, pattern) in patterns.iter().enumerate() {
                if removed[n] {
                    trie.remove(&binding_key(pattern), |v| *v == n);
                }
            }
            let mut found = Vec::new();
            trie.for_each_match(words(&key), |v| found.push(*v));
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
                trie.insert(&binding_key(pattern), ());
            }
            for pattern in &patterns {
                trie.remove(&binding_key(pattern), |()| true);
            }
            prop_assert_eq!(trie.node_count(), 1);
        }
    }

    #[test]
    fn many_wildcards_do_not_explode() {
        let mut trie = Trie::default();
        trie.insert(&binding_key(&["#"; 60].join(".a.")), ());
        let key: String = ["a"; 120].join(".");
        let mut count = 0;
        trie.for_each_match(words(&key), |()| count += 1);
        assert_eq!(count, 1);
    }
}
