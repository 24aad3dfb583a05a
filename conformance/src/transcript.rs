//! What went over the wire during a case, with direction and time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::describe::describe;
use crate::wire::{End, Parsed};

/// The record of one case; clones write to the same record.
#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    start: Instant,
    entries: Arc<Mutex<Vec<Entry>>>,
    is_kept: bool,
}

#[derive(Debug)]
struct Entry {
    milliseconds: u128,
    /// Counted from 1 in the order in which the case opened them.
    connection: usize,
    what: What,
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum What {
    /// Bytes to the broker.
    Sent(Vec<u8>),
    /// Bytes from the broker.
    Received(Vec<u8>),
    /// The broker ended the connection.
    Ended(End),
    /// Anything else.
    Note(String),
}

impl Transcript {
    /// An empty record whose clock starts now.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            entries: Arc::default(),
            is_kept: true,
        }
    }

    /// No record, for a conversation that has no end.
    pub(crate) fn of_nothing() -> Self {
        Self {
            is_kept: false,
            ..Self::new()
        }
    }

    /// Returns whether anything is recorded.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Adds to the record. What is received beyond [`KEPT`] is left out.
    pub(crate) fn add(&self, connection: usize, what: What) {
        if !self.is_kept {
            return;
        }
        let milliseconds = self.start.elapsed().as_millis();
        let mut entries = self.lock();
        if let What::Received(bytes) = &what {
            let kept: usize = entries
                .iter()
                .map(|entry| match &entry.what {
                    What::Received(bytes) => bytes.len(),
                    _ => 0,
                })
                .sum();
            if kept + bytes.len() > KEPT {
                return;
            }
        }
        entries.push(Entry {
            milliseconds,
            connection,
            what,
        });
    }

    /// The number for the next connection, from 1.
    pub(crate) fn open(&self) -> usize {
        let mut entries = self.lock();
        let connection = entries.iter().map(|e| e.connection).max().unwrap_or(0) + 1;
        entries.push(Entry {
            milliseconds: self.start.elapsed().as_millis(),
            connection,
            what: What::Note("connected".into()),
        });
        connection
    }

    /// Whether the broker ended one of the connections.
    pub(crate) fn has_an_end(&self) -> bool {
        self.lock()
            .iter()
            .any(|entry| matches!(entry.what, What::Ended(_)))
    }

    /// What was sent over each connection, in the order in which they were opened.
    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        let mut connections = BTreeMap::<usize, Vec<u8>>::new();
        for entry in &*self.lock() {
            if let What::Sent(bytes) = &entry.what {
                connections
                    .entry(entry.connection)
                    .or_default()
                    .extend(bytes);
            }
        }
        connections.into_values().collect()
    }

    /// Returns what happened, with the frames in words as a case with this id
    /// reads them.
    pub(crate) fn events(&self, id: &str) -> Vec<Event> {
        let mut streams = BTreeMap::<(usize, Direction), Stream>::new();
        self.lock()
            .iter()
            .map(|entry| {
                let (direction, bytes) = match &entry.what {
                    What::Sent(bytes) => (Direction::Sent, bytes),
                    What::Received(bytes) => (Direction::Received, bytes),
                    What::Note(note) => return entry.event(Direction::Note, vec![note.clone()]),
                    What::Ended(end) => {
                        return entry.event(Direction::Note, vec![end.to_string()]);
                    }
                };
                let stream = streams.entry((entry.connection, direction)).or_default();
                Event {
                    length: bytes.len(),
                    bytes: hex(&bytes[..bytes.len().min(DUMP_LIMIT)]),
                    ..entry.event(direction, stream.describe(id, bytes))
                }
            })
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        // A case that panicked has still said what it did.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn event(&self, direction: Direction, text: Vec<String>) -> Event {
        Event {
            milliseconds: self.milliseconds.try_into().unwrap_or(u64::MAX),
            connection: self.connection,
            direction,
            length: 0,
            bytes: String::new(),
            text,
        }
    }
}

/// What has come of a stream in one direction and makes no whole frame yet.
#[derive(Debug, Default)]
struct Stream {
    rest: Vec<u8>,
    /// After what is no frame nothing can be told apart any more.
    lost: bool,
}

impl Stream {
    /// Returns the frames that are whole with these bytes, in words.
    fn describe(&mut self, id: &str, bytes: &[u8]) -> Vec<String> {
        let mut text = Vec::new();
        if self.lost {
            return text;
        }
        self.rest.extend(bytes);
        let mut at = 0;
        while at < self.rest.len() {
            match describe(id, &self.rest[at..]) {
                Parsed::Whole(frame, length) => {
                    text.push(frame);
                    at += length.max(1);
                }
                Parsed::Incomplete => {
                    let left = self.rest.len() - at;
                    text.push(format!("{left} bytes of a frame that is not whole yet"));
                    break;
                }
                Parsed::Malformed(why) => {
                    text.push(format!("no frame: {why}"));
                    self.lost = true;
                    break;
                }
            }
        }
        self.rest.drain(..at);
        text
    }
}

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    /// To the broker.
    Sent,
    /// From the broker.
    Received,
    /// Nowhere: something else happened on the connection.
    Note,
}

impl Direction {
    /// As written in a transcript.
    pub(crate) fn arrow(self) -> &'static str {
        match self {
            Self::Sent => ">>",
            Self::Received => "<<",
            Self::Note => "--",
        }
    }
}

/// Something that happened on a connection, for a reader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    /// Since the case began.
    pub(crate) milliseconds: u64,
    /// Counted from 1 in the order in which the case opened them.
    pub(crate) connection: usize,
    pub(crate) direction: Direction,
    /// How many bytes there were.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(crate) length: usize,
    /// The first KiB of them, as `01 AB`.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(crate) bytes: String,
    /// The frames that were whole with them, or what else happened.
    pub(crate) text: Vec<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // The form that serde asks for.
fn is_zero(length: &usize) -> bool {
    *length == 0
}

/// The events for a reader, a line each, `>>` to the broker and `<<` from it:
/// the frames in words, and the bytes as a dump, or in the same line as far as
/// they are few.
pub(crate) fn render(events: &[Event], dump: bool) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    for event in events {
        let head = format!(
            "{:>6} ms  #{} {}",
            event.milliseconds,
            event.connection,
            event.direction.arrow()
        );
        if event.length == 0 {
            text.push_str(&format!("{head} {}\n", event.text.join("; ")));
            continue;
        }
        let line = if event.text.is_empty() {
            "bytes".into()
        } else {
            event.text.join("; ")
        };
        if dump {
            text.push_str(&format!("{head} {} bytes: {line}\n", event.length));
            rows(&mut text, event);
        } else {
            text.push_str(&format!("{head} {line} [{}]\n", first_bytes(event, 64)));
        }
    }
    text
}

/// `01 AB ... (300 bytes)`
fn first_bytes(event: &Event, limit: usize) -> String {
    if event.length <= limit {
        event.bytes.clone()
    } else {
        let end = event.bytes.len().min(limit * 3 - 1);
        format!("{} ... ({} bytes)", &event.bytes[..end], event.length)
    }
}

/// A dump with offset, hex and text.
fn rows(text: &mut String, event: &Event) {
    for (row, line) in dump_rows(&event.bytes).enumerate() {
        let (hex, printable) = line;
        text.push_str(&format!(
            "           {:04x}  {hex:<47}  {printable}\n",
            row * 16
        ));
    }
    if event.length > DUMP_LIMIT {
        text.push_str(&format!(
            "           ... {} bytes more\n",
            event.length - DUMP_LIMIT
        ));
    }
}

/// The rows of a dump, sixteen bytes each, in hex and as text.
pub(crate) fn dump_rows(bytes: &str) -> impl Iterator<Item = (&str, String)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (row, left) = rest.split_at(rest.len().min(16 * 3 - 1));
        rest = left.trim_start();
        let printable = row
            .split(' ')
            .map(|byte| match u8::from_str_radix(byte, 16) {
                Ok(b @ 0x20..=0x7e) => b as char,
                _ => '.',
            })
            .collect();
        Some((row, printable))
    })
}

/// How many received bytes a record keeps: a thousand of them stay in memory
/// until the report is written.
const KEPT: usize = 1 << 20;

/// Longer messages are cut here: the rule broken is never in the second KiB.
const DUMP_LIMIT: usize = 1024;

/// `01 AB`, whole.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            text.push(' ');
        }
        text.push_str(&format!("{byte:02X}"));
    }
    text
}

/// `01 AB ... (300 bytes)`: as much as is useful in one line.
pub(crate) fn hex_line(bytes: &[u8]) -> String {
    const LIMIT: usize = 64;
    if bytes.len() <= LIMIT {
        hex(bytes)
    } else {
        format!("{} ... ({} bytes)", hex(&bytes[..LIMIT]), bytes.len())
    }
}

/// Bytes as a reader knows them: what is text as text, else in hex.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const LIMIT: usize = 60;
    let text = bytes.len() >= 4
        && bytes
            .iter()
            .all(|b| matches!(b, 0x20..=0x7E | b'\r' | b'\n' | b'\t'));
    if text {
        format!(
            "{:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(LIMIT)])
        )
    } else {
        format!("[{}]", hex_line(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_has_offset_hex_and_text() {
        let transcript = Transcript::new();
        let sent = b"AMQP\x00\x00\x09\x01 and more".to_vec();
        transcript.add(1, What::Sent(sent));
        let text = render(&transcript.events("amqp/x/y"), true);
        let (line, dump) = text.split_once('\n').unwrap();
        assert!(
            line.ends_with("#1 >> 17 bytes: protocol header 0.0.9.1; no frame: no frame type"),
            "{line}"
        );
        assert_eq!(
            dump,
            "           0000  41 4D 51 50 00 00 09 01 20 61 6E 64 20 6D 6F 72  AMQP.... and mor\n           \
             0010  65                                               e\n"
        );
    }

    #[test]
    fn what_is_text_is_shown_as_text() {
        assert_eq!(shown(b"HTTP/1.1 400\r\n"), "\"HTTP/1.1 400\\r\\n\"");
        assert_eq!(shown(b"\x20\x02\x00\x05"), "[20 02 00 05]");
    }
}
