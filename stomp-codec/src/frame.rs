//! One frame: a view of what was read, or of what is to be written.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use bytes::{BufMut, Bytes};

use crate::escape::{self, Writing};
use crate::header::{Headers, Layout, Lines};
use crate::{Command, EncodeError, Version, encoder};

/// A frame: command, headers, body.
///
/// It borrows everything and is cheap to copy. [`decode`](crate::decode) returns
/// one that looks at the bytes read; [`Frame::new`] makes one of its parts, to
/// [`encode`](Frame::encode).
///
/// ```
/// use stomp_codec::{Command, Frame, Version};
///
/// let headers = [("destination", "/queue/a"), ("note", "a:b")];
/// let frame = Frame::new(Version::V1_2, Command::Send, &headers, b"hello");
/// let mut out = Vec::new();
/// frame.encode(&mut out)?;
/// assert_eq!(out, b"SEND\ndestination:/queue/a\nnote:a\\cb\ncontent-length:5\n\nhello\0");
/// # Ok::<(), stomp_codec::EncodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    version: Version,
    command: Command,
    headers: Headers<'a>,
    body: &'a [u8],
    /// False: the body comes in parts.
    whole: bool,
}

impl<'a> Frame<'a> {
    /// A frame to be encoded. Whether `version` can carry it shows when it is.
    #[must_use]
    pub fn new(
        version: Version,
        command: Command,
        headers: &'a [(&'a str, &'a str)],
        body: &'a [u8],
    ) -> Self {
        Frame {
            version,
            command,
            headers: Headers::pairs(headers),
            body,
            whole: true,
        }
    }

    /// What was read; without a body if that comes in parts.
    pub(crate) fn decoded(
        version: Version,
        command: Command,
        headers: Headers<'a>,
        body: Option<&'a [u8]>,
    ) -> Self {
        Frame {
            version,
            command,
            headers,
            body: body.unwrap_or_default(),
            whole: body.is_some(),
        }
    }

    /// The first frame of a connection, now that the version is known.
    pub(crate) fn negotiated(mut self, version: Version) -> Self {
        self.version = version;
        if version.syntax().trim {
            self.headers = self.headers.trimmed();
        }
        self
    }

    /// The version by whose rules it was read, or is to be written.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The command.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command
    }

    /// All headers in order, repeated ones included.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }

    /// The value of a header: of the first one of that name (1.2, "Repeated
    /// Header Entries").
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        self.headers.get(name)
    }

    /// The body; empty if there is none, or if it comes in parts.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether the body, if there is one, is here. It is, but for a frame that a
    /// connection hands out before its body has come
    /// ([`Limits::assembled_size`](crate::Limits::assembled_size)).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many bytes [`encode`](Frame::encode) writes if it succeeds.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let headers: usize = match (self.headers.lines(), self.headers.given()) {
            (Some(lines), _) if !lines.hold_crlf() => lines.block().len(),
            (Some(mut lines), _) => {
                let line = |line: &str| line.len() + self.eol(line).len();
                core::iter::from_fn(|| lines.next_line().map(line)).sum()
            }
            (None, given) => {
                let writing = Writing::new(self.version, self.command);
                let line = |(name, value)| writing.len(name) + writing.len(value) + 2;
                given.iter().copied().map(line).sum()
            }
        };
        let content_length = if self.adds_content_length() {
            encoder::content_length_len(self.body.len())
        } else {
            0
        };
        // Three: the LF of the command, the empty line and the NUL.
        self.command.as_str().len() + headers + content_length + self.body.len() + 3
    }

    /// No encoding of the frame is longer.
    fn longest_encoding(&self) -> usize {
        let headers = match self.headers.lines() {
            Some(lines) => lines.block().len(),
            None => {
                let escaped = |(name, value): &(&str, &str)| 2 * (name.len() + value.len()) + 2;
                self.headers.given().iter().map(escaped).sum()
            }
        };
        let others = encoder::LONGEST_CONTENT_LENGTH + self.body.len() + 3;
        self.command.as_str().len() + headers + others
    }

    /// Writes the frame, with LF for an EOL (and CR LF after a value of CONNECT that was
    /// read with a CR at its end). Headers go out in the
    /// order given; a `content-length` follows them if there is a body and none
    /// of them is one (1.2, "Header content-length").
    ///
    /// # Errors
    ///
    /// What the version cannot carry; [`EncodeError::NoRoom`]. Nothing was written
    /// then.
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        if !self.whole {
            return Err(EncodeError::BodyInParts);
        }
        encoder::check_command(self.version, self.command, self.body)?;
        let writing = Writing::new(self.version, self.command);
        let mut plain = true;
        let mut content_length = None;
        for (name, value) in self.headers.given() {
            plain &= writing.check(name, value)?;
            if *name == encoder::CONTENT_LENGTH && content_length.is_none() {
                encoder::check_content_length(value, self.body)?;
                content_length = Some(*value);
            }
        }
        // The exact length costs a look at each byte of the headers; most often there
        // is room to spare.
        if out.remaining_mut() < self.longest_encoding() {
            let needed = self.encoded_len();
            if out.remaining_mut() < needed {
                return Err(EncodeError::NoRoom { needed });
            }
        }
        out.put_slice(self.command.as_str().as_bytes());
        out.put_u8(b'\n');
        match self.headers.lines() {
            Some(lines) if !lines.hold_crlf() => out.put_slice(lines.block().as_bytes()),
            Some(mut lines) => {
                while let Some(line) = lines.next_line() {
                    out.put_slice(line.as_bytes());
                    out.put_slice(self.eol(line));
                }
            }
            None => {
                for (name, value) in self.headers.given() {
                    if plain {
                        escape::put_plain(name, value, out);
                    } else {
                        writing.put(name, value, out);
                    }
                }
            }
        }
        // Headers that were given have been looked through already.
        let adds_content_length = match self.headers.lines() {
            Some(_) => self.adds_content_length(),
            None => content_length.is_none() && !self.body.is_empty(),
        };
        if adds_content_length {
            encoder::put_content_length(self.body.len() as u64, out);
        }
        out.put_u8(b'\n');
        out.put_slice(self.body);
        out.put_u8(0);
        Ok(())
    }

    /// A copy that outlives the input: one allocation for all headers, one for
    /// the body.
    ///
    /// # Errors
    ///
    /// As [`encode`](Frame::encode); never for a whole frame that was decoded.
    pub fn to_buf(&self) -> Result<FrameBuf, EncodeError> {
        if !self.whole {
            return Err(EncodeError::BodyInParts);
        }
        self.with_body(Bytes::copy_from_slice(self.body))
    }

    /// The same with the headers of this frame and another body.
    pub(crate) fn with_body(&self, body: Bytes) -> Result<FrameBuf, EncodeError> {
        let (block, layout) = match self.headers.lines() {
            Some(lines) => (String::from(lines.block()), lines.layout()),
            None => {
                let writing = Writing::new(self.version, self.command);
                let mut block = String::new();
                for (name, value) in self.headers.given() {
                    writing.check(name, value)?;
                    writing.push(name, value, &mut block);
                }
                let syntax = self.version.syntax().of(self.command);
                let layout = Layout::new(syntax, block.contains('\\'));
                (block, layout)
            }
        };
        Ok(FrameBuf {
            version: self.version,
            command: self.command,
            block,
            layout,
            body,
        })
    }

    /// What ends a line that was read: LF, unless that would make an EOL of a CR which is
    /// the line's own.
    fn eol(&self, line: &str) -> &'static [u8] {
        if line.ends_with('\r') && self.version.syntax().crlf {
            b"\r\n"
        } else {
            b"\n"
        }
    }

    fn adds_content_length(&self) -> bool {
        !self.body.is_empty() && self.header(encoder::CONTENT_LENGTH).is_none()
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(f, self)
    }
}

/// By what it says: two frames are equal if their commands, headers (in order)
/// and bodies are, however they are escaped.
impl PartialEq for Frame<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.command == other.command && self.body == other.body && self.headers.eq(other.headers)
    }
}

impl Eq for Frame<'_> {}

/// A frame that owns its bytes, for what must outlive the input.
#[derive(Clone)]
pub struct FrameBuf {
    version: Version,
    command: Command,
    block: String,
    layout: Layout,
    body: Bytes,
}

impl FrameBuf {
    /// The frame, to be looked at or encoded.
    pub fn as_frame(&self) -> Frame<'_> {
        Frame {
            version: self.version,
            command: self.command,
            headers: Headers::wire(Lines::new(&self.block, self.layout)),
            body: &self.body,
            whole: true,
        }
    }

    pub(crate) fn set_body(&mut self, body: Bytes) {
        self.body = body;
    }

    /// The command.
    pub fn command(&self) -> Command {
        self.command
    }

    /// The body, to be shared without a copy.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The bytes that it holds: headers and body.
    pub fn size(&self) -> usize {
        self.block.len() + self.body.len()
    }
}

impl fmt::Debug for FrameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(f, &self.as_frame())
    }
}

impl PartialEq for FrameBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_frame() == other.as_frame()
    }
}

impl Eq for FrameBuf {}

fn debug(f: &mut fmt::Formatter<'_>, frame: &Frame<'_>) -> fmt::Result {
    struct Map<'a>(Headers<'a>);
    impl fmt::Debug for Map<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_map()
                .entries(self.0.map(|h| {
                    // A passcode does not belong in a log.
                    let secret = h.name == "passcode";
                    let value = if secret {
                        Cow::Borrowed("...")
                    } else {
                        h.value
                    };
                    (h.name, value)
                }))
                .finish()
        }
    }
    f.debug_struct("Frame")
        .field("version", &frame.version)
        .field("command", &frame.command)
        .field("headers", &Map(frame.headers))
        .field("body", &Bytes::copy_from_slice(frame.body))
        .finish()
}
