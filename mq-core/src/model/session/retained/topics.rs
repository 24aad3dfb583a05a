//! The trie of topics that have a retained message.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::model::message::{Message, Name};
use crate::model::topic::words;

/// Topics as routing keys, each with its message.
///
/// Each word is kept once and has a number, and all edges are in one map by numbers: a
/// level of a topic takes about 50 bytes, whatever its words are. Nothing recurses.
#[derive(Debug)]
pub(super) struct Topics {
    nodes: Vec<Node>,
    free: Vec<u32>,
    /// The node below a node, by word.
    edges: BTreeMap<(u32, u32), u32>,
    words: Words,
}

#[derive(Debug)]
struct Node {
    message: Option<Arc<Message>>,
    /// The number of the message.
    number: u64,
    /// The number of the first message that needed the node; `FREE` without one.
    born: u64,
}

pub(super) const ROOT: u32 = 0;

/// `Node::born` of a node that is not in the trie.
const FREE: u64 = u64::MAX;

/// Bytes that a level takes: a tree is at least half full.
const LEVEL: usize = size_of::<Node>() + 2 * size_of::<((u32, u32), u32)>();

/// Bytes that a word takes besides its text.
const WORD: usize = size_of::<Word>() + 2 * size_of::<(Name, u32)>() + 2 * size_of::<usize>();

impl Default for Topics {
    fn default() -> Self {
        Self {
            nodes: Vec::from([Node {
                message: None,
                number: 0,
                born: 0,
            }]),
            free: Vec::new(),
            edges: BTreeMap::new(),
            words: Words::default(),
        }
    }
}

impl Topics {
    /// Bytes that the levels take, without their messages.
    pub(super) fn bytes(&self) -> usize {
        (self.nodes.len() - self.free.len()) * LEVEL + self.words.bytes
    }

    /// The node of a topic, if there is one.
    pub(super) fn find(&self, key: &str) -> Option<u32> {
        words(key).try_fold(ROOT, |node, word| self.child(node, self.words.find(word)?))
    }

    /// The node of a topic, with what it takes on the way there. None if there are too
    /// many nodes: then the topic has to be [pruned](Self::prune).
    pub(super) fn find_or_add(&mut self, key: &str, number: u64) -> Option<u32> {
        let mut node = ROOT;
        for word in words(key) {
            let child = self.words.find(word).and_then(|w| self.child(node, w));
            node = match child {
                Some(child) => child,
                None => self.add(node, word, number)?,
            };
        }
        Some(node)
    }

    fn add(&mut self, parent: u32, word: &str, born: u64) -> Option<u32> {
        let node = Node {
            message: None,
            number: 0,
            born,
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.nodes[index as usize] = node;
                index
            }
            None => {
                let index = u32::try_from(self.nodes.len()).ok()?;
                self.nodes.push(node);
                index
            }
        };
        let word = self.words.hold(word);
        self.edges.insert((parent, word), index);
        Some(index)
    }

    /// Removes the nodes of a topic that nothing needs.
    pub(super) fn prune(&mut self, key: &str) {
        let mut path = Vec::new();
        let mut node = ROOT;
        for word in words(key) {
            let Some(word) = self.words.find(word) else {
                break;
            };
            let edge = (node, word);
            let Some(&child) = self.edges.get(&edge) else {
                break;
            };
            path.push((edge, child));
            node = child;
        }
        while let Some((edge, node)) = path.pop() {
            let is_used = self.nodes[node as usize].message.is_some()
                || self.children(node, None).next().is_some();
            if is_used {
                return;
            }
            self.edges.remove(&edge);
            self.words.release(edge.1);
            self.nodes[node as usize].born = FREE;
            self.free.push(node);
        }
    }

    /// Puts a message at a node.
    pub(super) fn put(&mut self, node: u32, message: Arc<Message>, number: u64) {
        let node = &mut self.nodes[node as usize];
        node.message = Some(message);
        node.number = number;
    }

    /// Takes the message out of a node, with its number.
    pub(super) fn take(&mut self, node: u32) -> Option<(Arc<Message>, u64)> {
        let node = &mut self.nodes[node as usize];
        Some((node.message.take()?, node.number))
    }

    /// The message at a node, if it is no newer than the one with this number.
    pub(super) fn message(&self, node: u32, last: u64) -> Option<&Arc<Message>> {
        let node = &self.nodes[node as usize];
        node.message.as_ref().filter(|_| node.number <= last)
    }

    /// Whether a node is in the trie and has been since the message with this number. One
    /// that is gone or came later has nothing from before.
    pub(super) fn is_from_before(&self, node: u32, last: u64) -> bool {
        self.nodes[node as usize].born <= last
    }

    pub(super) fn child(&self, node: u32, word: u32) -> Option<u32> {
        self.edges.get(&(node, word)).copied()
    }

    /// The children of a node, each after its word, from the next word after one on.
    pub(super) fn children(
        &self,
        node: u32,
        after: Option<u32>,
    ) -> impl Iterator<Item = (u32, u32)> + '_ {
        let from = match after {
            None => Bound::Included((node, 0)),
            Some(word) => Bound::Excluded((node, word)),
        };
        let to = Bound::Included((node, u32::MAX));
        let edges = self.edges.range((from, to));
        edges.map(|(&(_, word), &child)| (word, child))
    }

    /// The number of a word that is in a topic.
    pub(super) fn word(&self, text: &str) -> Option<u32> {
        self.words.find(text)
    }

    /// Whether a word begins with `$`.
    pub(super) fn is_dollar(&self, word: u32) -> bool {
        self.words.list[word as usize].text.starts_with('$')
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.len() - self.free.len() == 1
            && self.edges.is_empty()
            && self.words.numbers.is_empty()
            && self.words.bytes == 0
    }
}

/// The words of all topics, with a number each. A word is there for as many nodes as are
/// below their parents by it, so no more numbers are needed than for nodes.
#[derive(Debug, Default)]
struct Words {
    numbers: BTreeMap<Name, u32>,
    list: Vec<Word>,
    free: Vec<u32>,
    bytes: usize,
}

#[derive(Debug)]
struct Word {
    text: Name,
    /// How many nodes it leads to.
    nodes: u32,
}

impl Words {
    fn find(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    /// The number of a word that leads to one node more.
    fn hold(&mut self, text: &str) -> u32 {
        if let Some(number) = self.find(text) {
            self.list[number as usize].nodes += 1;
            return number;
        }
        let word = Word {
            text: Name::from(text),
            nodes: 1,
        };
        self.bytes += WORD + text.len();
        let name = word.text.clone();
        let number = match self.free.pop() {
            Some(number) => {
                self.list[number as usize] = word;
                number
            }
            None => {
                self.list.push(word);
                (self.list.len() - 1) as u32
            }
        };
        self.numbers.insert(name, number);
        number
    }

    /// A word leads to one node less.
    fn release(&mut self, number: u32) {
        let word = &mut self.list[number as usize];
        word.nodes -= 1;
        if word.nodes == 0 {
            let text = core::mem::replace(&mut word.text, Name::from(""));
            self.bytes -= WORD + text.len();
            self.numbers.remove(&text);
            self.free.push(number);
        }
    }
}
