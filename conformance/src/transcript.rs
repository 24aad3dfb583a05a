//! What went over the wire during a case, with direction and time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::wire::End;

/// The record of one case; clones write to the same record.
#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    start: Instant,
    entries: Arc<Mutex<Vec<Entry>>>,
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
        }
    }

    /// Adds to the record. What is received beyond [`KEPT`] is left out.
    pub(crate) fn add(&self, connection: usize, what: What) {
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

    /// One line for each event, and a hex dump for bytes: `>>` to the broker,
    /// `<<` from it.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for entry in &*self.lock() {
            let (arrow, bytes) = match &entry.what {
                What::Sent(bytes) => (">>", bytes),
                What::Received(bytes) => ("<<", bytes),
                What::Note(note) => {
                    line(&mut text, entry, note);
                    continue;
                }
                What::Ended(end) => {
                    line(&mut text, entry, end);
                    continue;
                }
            };
            let _ = writeln!(
                text,
                "{:>6} ms  #{} {arrow} {} bytes",
                entry.milliseconds,
                entry.connection,
                bytes.len()
            );
            dump(&mut text, bytes);
        }
        text
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        // A case that panicked has still said what it did.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event without bytes.
fn line(text: &mut String, entry: &Entry, what: impl std::fmt::Display) {
    // Writing into a string does not fail.
    let _ = writeln!(
        text,
        "{:>6} ms  #{} -- {what}",
        entry.milliseconds, entry.connection
    );
}

/// How many received bytes a record keeps: a thousand of them stay in memory
/// until the report is written.
const KEPT: usize = 1 << 20;

/// Longer messages are cut here: the rule broken is never in the second KiB.
const DUMP_LIMIT: usize = 1024;

fn dump(text: &mut String, bytes: &[u8]) {
    for (row, chunk) in bytes[..bytes.len().min(DUMP_LIMIT)].chunks(16).enumerate() {
        let printable: String = chunk
            .iter()
            .map(|&b| {
                if matches!(b, 0x20..=0x7e) {
                    b as char
                } else {
                    '.'
                }
            })
            .collect();
        let _ = writeln!(
            text,
            "           {:04x}  {:<47}  {printable}",
            row * 16,
            hex(chunk)
        );
    }
    if bytes.len() > DUMP_LIMIT {
        let _ = writeln!(
            text,
            "           ... {} bytes more",
            bytes.len() - DUMP_LIMIT
        );
    }
}

/// `01 AB`, whole.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            text.push(' ');
        }
        let _ = write!(text, "{byte:02X}");
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
        let mut text = String::new();
        dump(&mut text, b"AMQP\x00\x00\x09\x01 and more");
        assert_eq!(
            text,
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
