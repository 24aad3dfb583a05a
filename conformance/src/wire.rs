//! One connection of a case: bytes out, bytes in, and the end of it.

use std::fmt;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::interrupt;
use crate::stream::Stream;
use crate::transcript::{Transcript, What, hex_line, shown};
use crate::verdict::{Stop, fail, inconclusive, not_applicable};

/// How the broker ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// End of file: it closed its side.
    Closed,
    /// A TCP reset. With bytes of ours unread, closing looks like this.
    Reset,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection closed",
            Self::Reset => "the connection reset",
        })
    }
}

/// What came next from the broker. `F` is a frame, a packet or raw bytes.
#[derive(Clone, Debug)]
pub(crate) enum Seen<F> {
    /// A whole one.
    Frame(F),
    /// The broker closed, after these bytes that make no whole frame.
    Ended(End, Vec<u8>),
    /// Nothing within this time; these bytes of an incomplete frame at most.
    Silence(Duration, Vec<u8>),
}

impl<F: fmt::Display> fmt::Display for Seen<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = match self {
            Self::Frame(frame) => return frame.fmt(f),
            Self::Ended(end, rest) => {
                write!(f, "{end}")?;
                rest
            }
            Self::Silence(time, rest) => {
                write!(f, "nothing within {:.1} s", time.as_secs_f64())?;
                rest
            }
        };
        if !rest.is_empty() {
            write!(f, " after {}", shown(rest))?;
        }
        Ok(())
    }
}

/// What a parser finds at the front of what has been received.
pub(crate) enum Parsed<F> {
    /// A frame of this many bytes.
    Whole(F, usize),
    /// Only the beginning of one.
    Incomplete,
    /// No frame can begin like this, and why.
    Malformed(String),
}

/// How many bytes a broker may send over one connection. No case asks for a
/// tenth of it, and a broker that sends for ever must not take the memory.
const RECEIVE_LIMIT: usize = 16 << 20;

/// How long a read waits before it looks whether the run was interrupted.
const READ_SLICE: Duration = Duration::from_millis(250);

/// One connection, with a record of what goes over it.
pub(crate) struct Wire {
    stream: Stream,
    patience: Duration,
    silence: Duration,
    deadline: Instant,
    transcript: Transcript,
    number: usize,
    received: Vec<u8>,
    total: usize,
    ended: Option<End>,
    /// The most that may be written at once, and who says so.
    limit: Option<(usize, String)>,
    /// What stands against going on.
    stopped: Option<Stop>,
    /// Whether Ctrl-C ends the conversation.
    interruptible: bool,
}

impl Wire {
    pub(crate) fn new(
        stream: Stream,
        patience: Duration,
        silence: Duration,
        deadline: Instant,
        transcript: Transcript,
        interruptible: bool,
    ) -> Self {
        let number = transcript.open();
        Self {
            stream,
            patience,
            silence,
            deadline,
            transcript,
            number,
            received: Vec::new(),
            total: 0,
            ended: None,
            limit: None,
            stopped: None,
            interruptible,
        }
    }

    /// Sends the bytes. That the broker has closed already is not an error
    /// here: what it said before can still be read, and its end is seen then.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Some((limit, why)) = &self.limit
            && bytes.len() > *limit
        {
            self.stopped = Some(not_applicable(why.as_str()));
            return;
        }
        self.transcript.add(self.number, What::Sent(bytes.to_vec()));
        let left = self.deadline.saturating_duration_since(Instant::now());
        let sent = self
            .stream
            .set_write_timeout(left.max(Duration::from_millis(1)))
            .and_then(|()| self.stream.write_all(bytes));
        if let Err(error) = sent {
            self.note(format!("sending failed: {error}"));
        }
    }

    /// The broker has announced that it takes no more than this at once. A case
    /// that sends more asks nothing of such a broker: what it reads next is
    /// "not applicable", because of `why`.
    pub(crate) fn limit_writes(&mut self, limit: usize, why: String) {
        self.limit = Some((limit, why));
    }

    /// For the case that asks what happens beyond the limit.
    pub(crate) fn unlimit_writes(&mut self) {
        self.limit = None;
    }

    /// How long one answer may take.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// How long nothing must come for the broker to count as silent.
    pub(crate) fn silence(&self) -> Duration {
        self.silence
    }

    /// Closes the sending side only.
    pub(crate) fn shutdown_write(&mut self) {
        match self.stream.shutdown_write() {
            Ok(()) => self.note("closed our side"),
            Err(error) => self.note(format!("closing our side failed: {error}")),
        }
    }

    /// Puts a line into the record of the case.
    pub(crate) fn note(&self, note: impl Into<String>) {
        self.transcript.add(self.number, What::Note(note.into()));
    }

    /// The next frame, within the time that one answer may take.
    ///
    /// # Errors
    ///
    /// [`Stop::Fail`] when what came cannot be a frame; [`Stop::Inconclusive`]
    /// when the deadline of the case passed.
    pub(crate) fn next<F>(
        &mut self,
        parse: impl FnMut(&[u8]) -> Parsed<F>,
    ) -> Result<Seen<F>, Stop> {
        self.next_within(self.patience, parse)
    }

    /// The next frame, within `time`.
    ///
    /// # Errors
    ///
    /// As for [`Self::next`].
    pub(crate) fn next_within<F>(
        &mut self,
        time: Duration,
        mut parse: impl FnMut(&[u8]) -> Parsed<F>,
    ) -> Result<Seen<F>, Stop> {
        if let Some(stop) = &self.stopped {
            return Err(stop.clone());
        }
        let until = Instant::now() + time;
        loop {
            match parse(&self.received) {
                Parsed::Whole(frame, length) => {
                    self.received.drain(..length);
                    return Ok(Seen::Frame(frame));
                }
                Parsed::Malformed(why) => {
                    return Err(fail(
                        "well-formed frames",
                        format!("{why} {}", shown(&self.received)),
                    ));
                }
                Parsed::Incomplete => {}
            }
            if let Some(end) = self.ended {
                return Ok(Seen::Ended(end, std::mem::take(&mut self.received)));
            }
            if !self.fill(until)? {
                return Ok(Seen::Silence(time, self.received.clone()));
            }
        }
    }

    /// All bytes until the broker closes.
    ///
    /// # Errors
    ///
    /// [`Stop::Fail`] when it is still open after the time that one answer may
    /// take; `expected` says what the rule asks for.
    pub(crate) fn expect_end(&mut self, expected: &str) -> Result<(End, Vec<u8>), Stop> {
        let seen = self.next(|_| Parsed::<Bytes>::Incomplete)?;
        match seen {
            Seen::Ended(end, bytes) => Ok((end, bytes)),
            other => Err(fail(expected, format!("still open: {other}"))),
        }
    }

    /// Exactly these bytes next.
    ///
    /// # Errors
    ///
    /// [`Stop::Fail`] for other bytes, the end or silence.
    pub(crate) fn expect_bytes(&mut self, bytes: &[u8], expected: &str) -> Result<(), Stop> {
        let seen = self.next(|received| {
            let count = received.len().min(bytes.len());
            if received[..count] != bytes[..count] || count == bytes.len() {
                Parsed::Whole(Bytes(received[..count].to_vec()), count)
            } else {
                Parsed::Incomplete
            }
        })?;
        match seen {
            Seen::Frame(Bytes(seen)) if seen == bytes => Ok(()),
            other => Err(fail(
                format!("{expected} [{}]", hex_line(bytes)),
                other.to_string(),
            )),
        }
    }

    /// Reads once, until `until` or the deadline. `Ok(false)`: nothing came.
    fn fill(&mut self, until: Instant) -> Result<bool, Stop> {
        let now = Instant::now();
        if now >= self.deadline {
            return Err(inconclusive("the deadline of the case has passed"));
        }
        if self.interruptible && interrupt::requested() {
            return Err(inconclusive("the run was interrupted"));
        }
        let left = until.min(self.deadline).saturating_duration_since(now);
        if left.is_zero() {
            return Ok(false);
        }
        let mut buffer = [0; 16 * 1024];
        let read = self
            .stream
            .set_read_timeout(left.min(READ_SLICE))
            .and_then(|()| self.stream.read(&mut buffer));
        match read {
            Ok(0) => self.end(End::Closed),
            Ok(count) => {
                self.transcript
                    .add(self.number, What::Received(buffer[..count].to_vec()));
                self.received.extend_from_slice(&buffer[..count]);
                self.total += count;
                if self.total > RECEIVE_LIMIT && self.transcript.is_kept() {
                    return Err(fail(
                        format!("at most {RECEIVE_LIMIT} bytes over one connection"),
                        format!("more, and [{}] last", hex_line(&buffer[..count.min(16)])),
                    ));
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe => {
                    self.end(End::Reset);
                }
                _ => return Err(inconclusive(format!("cannot read: {error}"))),
            },
        }
        Ok(true)
    }

    fn end(&mut self, end: End) {
        self.transcript.add(self.number, What::Ended(end));
        self.ended = Some(end);
    }
}

/// Bytes that are shown in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", hex_line(&self.0))
    }
}
