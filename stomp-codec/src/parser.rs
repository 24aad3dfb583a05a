//! Bytes to frames, incrementally.

use memchr::{memchr, memchr_iter, memchr2};

use crate::encoder::CONTENT_LENGTH;
use crate::header::{Headers, Layout, Lines};
use crate::marks::Marks;
use crate::version::Syntax;
use crate::{Command, DecodeError, DecodeErrorKind, Frame, Limit, Limits, Version, escape};

/// Decodes the frame at the front of `input`.
///
/// Returns the frame and how many bytes it and the EOLs before it take, or
/// `None` if it is not complete. Bytes after the frame are left alone; EOLs
/// with no frame after them (heart-beats) make `None` and can be taken off
/// with [`leading_eols`].
///
/// This starts from zero each time. To decode from a stream in small reads, keep
/// a [`Scan`].
///
/// ```
/// use stomp_codec::{Command, Limits, Version, decode};
///
/// let input = b"SEND\ndestination:/queue/a\nnote:a\\cb\n\nhello\0";
/// let (frame, taken) = decode(input, Version::V1_2, &Limits::default())?.unwrap();
/// assert_eq!(taken, input.len());
/// assert_eq!(frame.command(), Command::Send);
/// assert_eq!(frame.header("destination").unwrap(), "/queue/a");
/// assert_eq!(frame.header("note").unwrap(), "a:b");
/// assert_eq!(frame.body(), b"hello");
/// # Ok::<(), stomp_codec::DecodeError>(())
/// ```
///
/// # Errors
///
/// The first rule that the bytes break; nothing sensible can follow, since the
/// start of the next frame is unknown.
pub fn decode<'a>(
    input: &'a [u8],
    version: Version,
    limits: &Limits,
) -> Result<Option<(Frame<'a>, usize)>, DecodeError> {
    Scan::default().decode(input, version, limits)
}

/// Returns how many bytes are missing, at least, until [`decode`] finds a whole frame at
/// the front of `input`; 0 when it does. Exact once the `content-length` of a SEND,
/// MESSAGE or ERROR is there.
///
/// ```
/// use stomp_codec::{Limits, Version, needed};
///
/// let input = b"SEND\ndestination:/queue/a\ncontent-length:5\n\nhel";
/// assert_eq!(needed(input, Version::V1_2, &Limits::default())?, 3);
/// # Ok::<(), stomp_codec::DecodeError>(())
/// ```
///
/// # Errors
///
/// As [`decode`].
pub fn needed(input: &[u8], version: Version, limits: &Limits) -> Result<usize, DecodeError> {
    let mut scan = Scan::default();
    match scan.decode(input, version, limits)? {
        Some(_) => Ok(0),
        None => Ok(scan.min_len().saturating_sub(input.len()).max(1)),
    }
}

/// The number of bytes that whole EOLs take at the front of `input`: LF, and in
/// 1.2 CR LF too. Between frames they are heart-beats or padding.
#[must_use]
pub fn leading_eols(input: &[u8], version: Version) -> usize {
    eols(input, version.syntax().crlf)
}

// keeps: stomp12/frames/eols-after-nul, stomp11/frames/eols-after-nul,
// keeps: stomp10/frames/eols-after-nul
pub(crate) fn eols(input: &[u8], crlf: bool) -> usize {
    let mut at = 0;
    loop {
        match input.get(at..) {
            Some([b'\n', ..]) => at += 1,
            Some([b'\r', b'\n', ..]) if crlf => at += 2,
            _ => return at,
        }
    }
}

/// How far the decoding of an incomplete frame has come.
///
/// Give the same `Scan` with the same bytes and what came after them, and no
/// byte is looked at twice: a body without `content-length` that arrives in
/// small reads costs linear time.
///
/// ```
/// use stomp_codec::{Limits, Scan, Version};
///
/// let stream = b"MESSAGE\ndestination:/queue/a\nmessage-id:1\nsubscription:0\n\nhello\0";
/// let mut scan = Scan::default();
/// let mut buffer = Vec::new();
/// for read in stream.chunks(10) {
///     buffer.extend_from_slice(read);
///     if let Some((frame, taken)) = scan.decode(&buffer, Version::V1_2, &Limits::default())? {
///         assert_eq!(frame.body(), b"hello");
///         buffer.drain(..taken);
///     }
/// }
/// assert!(buffer.is_empty());
/// # Ok::<(), stomp_codec::DecodeError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scan {
    stage: Stage,
    /// First byte of the line or body that is being read.
    from: usize,
    /// No end of that line or body is before this byte.
    seen: usize,
    /// First byte of the header block.
    headers: usize,
    /// First byte of the empty line after the header block.
    headers_end: usize,
    header_count: usize,
    /// The first colon of the line that is being read.
    colon: Option<usize>,
    /// There may be a backslash in the header block.
    backslash: bool,
    /// There may be a CR in it without an LF after it.
    bare_cr: bool,
    content_length: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Command,
    Headers(Command),
    Body(Command),
}

impl Scan {
    /// Decodes the frame at the front of `input`, which starts at the same byte
    /// as in the call before, if that gave `None`. Otherwise as [`decode`].
    ///
    /// # Errors
    ///
    /// As [`decode`].
    pub fn decode<'a>(
        &mut self,
        input: &'a [u8],
        version: Version,
        limits: &Limits,
    ) -> Result<Option<(Frame<'a>, usize)>, DecodeError> {
        let decoded = self.decode_with(input, version.syntax(), limits, usize::MAX)?;
        Ok(decoded.map(|decoded| (decoded.frame, decoded.taken)))
    }

    /// After `None`: the least length of an input in which the frame could be
    /// complete. Exact once the `content-length` of a SEND, MESSAGE or ERROR is known.
    #[must_use]
    pub fn min_len(&self) -> usize {
        match (self.stage, self.content_length) {
            (Stage::Body(command), Some(length)) if command.has_body() || self.seen > self.from => {
                self.from.saturating_add(length).saturating_add(1)
            }
            (Stage::Body(_), _) => self.seen + 1,
            // At least an end of line and the NUL.
            (Stage::Headers(_), _) => self.seen + 2,
            // And the end of line of the command.
            (Stage::Command, _) => self.seen + 3,
        }
    }

    /// The same, but a frame whose body is longer than `assembled` is given
    /// without it as soon as that shows. Its body is then to be read by
    /// [`Parts`](crate::parts::Parts).
    pub(crate) fn decode_with<'a>(
        &mut self,
        input: &'a [u8],
        syntax: Syntax,
        limits: &Limits,
        assembled: usize,
    ) -> Result<Option<Decoded<'a>>, DecodeError> {
        if input.len() < self.seen {
            // Not the same bytes: begin again.
            *self = Self::default();
        }
        let located = match self.locate(input, syntax, limits, assembled) {
            Ok(Some(located)) => located,
            Ok(None) => return Ok(None),
            Err(error) => {
                *self = Self::default();
                return Err(error);
            }
        };
        let Located {
            command,
            block,
            body_end,
        } = located;
        let layout = Layout::new(syntax.of(command), self.backslash);
        let headers = Headers::wire(Lines::new(block, layout));
        let (body, taken) = match body_end {
            // Blank lines after CONNECT are no body.
            Some(end) if command == Command::Connect => (Some(&[][..]), end + 1),
            Some(end) => (input.get(self.from..end), end + 1),
            None => (None, self.from),
        };
        let content_length = self.content_length;
        *self = Self::default();
        Ok(Some(Decoded {
            frame: Frame::decoded(syntax.version, command, headers, body),
            taken,
            content_length,
        }))
    }

    /// Finds the parts of the frame, as far as they have come.
    #[inline]
    // keeps: stomp12/frames/structure, stomp11/frames/structure, stomp10/frames/structure,
    // keeps: stomp12/frames/any-segmentation, stomp11/frames/any-segmentation,
    // keeps: stomp10/frames/any-segmentation
    fn locate<'a>(
        &mut self,
        input: &'a [u8],
        syntax: Syntax,
        limits: &Limits,
        assembled: usize,
    ) -> Result<Option<Located<'a>>, DecodeError> {
        if let Stage::Command = self.stage
            && !self.command(input, syntax, limits)?
        {
            return Ok(None);
        }
        let mut block = None;
        if let Stage::Headers(command) = self.stage {
            let syntax = syntax.of(command);
            if !self.headers(input, syntax, limits, command)? {
                return Ok(None);
            }
            block = Some(self.block(input, syntax)?);
        }
        let Stage::Body(command) = self.stage else {
            return Ok(None);
        };
        let body_end = match self.body(input, syntax, limits, assembled, command)? {
            End::NotYet => return Ok(None),
            End::At(end) => Some(end),
            End::TooFar => None,
        };
        let block = match block {
            Some(block) => block,
            None => self.block(input, syntax.of(command))?,
        };
        Ok(Some(Located {
            command,
            block,
            body_end,
        }))
    }

    /// Reads the EOLs before the frame and the command. False: more bytes are
    /// needed.
    fn command(
        &mut self,
        input: &[u8],
        syntax: Syntax,
        limits: &Limits,
    ) -> Result<bool, DecodeError> {
        if self.seen == self.from {
            self.from += eols(input.get(self.from..).unwrap_or_default(), syntax.crlf);
            self.seen = self.from;
        }
        let start = self.from;
        let seen = self.seen - start;
        let rest = input.get(start..).unwrap_or_default();
        let found = memchr2(b'\n', 0, rest.get(seen..).unwrap_or_default());
        let found = found.map(|at| seen + at);
        let line = Line::new(rest, found, syntax);
        if line.text.len() > limits.command {
            let offset = start.saturating_add(limits.command);
            return Err(error(offset, DecodeErrorKind::Limit(Limit::Command)));
        }
        let Some(next) = line.next else {
            self.seen = start + line.text.len();
            return Ok(false);
        };
        let command = Command::from_bytes(line.text).filter(|_| !line.nul);
        let Some(command) = command else {
            return Err(error(start, DecodeErrorKind::UnknownCommand));
        };
        if command.since() > syntax.version {
            return Err(error(
                start,
                DecodeErrorKind::CommandNotInVersion(command, syntax.version),
            ));
        }
        self.start_line(start + next);
        self.headers = start + next;
        self.stage = Stage::Headers(command);
        Ok(true)
    }

    /// Reads header lines to the empty one. False: more bytes are needed.
    // keeps: stomp12/size-limits/header-count, stomp11/size-limits/header-count,
    // keeps: stomp12/size-limits/header-line, stomp11/size-limits/header-line,
    // keeps: stomp12/grammar/header, stomp11/grammar/header, stomp10/grammar/header,
    // keeps: stomp12/grammar/name, stomp11/grammar/name, stomp10/grammar/name,
    // keeps: stomp12/grammar/empty-value, stomp11/grammar/empty-value,
    // keeps: stomp10/grammar/colon-in-value, stomp12/content-length/on-any-frame
    fn headers(
        &mut self,
        input: &[u8],
        syntax: Syntax,
        limits: &Limits,
        command: Command,
    ) -> Result<bool, DecodeError> {
        // The state lives in locals for the length of the loop: every line goes
        // through here.
        let mut start = self.from;
        let mut colon = self.colon;
        let mut count = self.header_count;
        // Where all headers have to end, and where the line has to.
        let block_end = self.headers.saturating_add(limits.headers);
        let line_end = |start: usize| start.saturating_add(limits.header_line).min(block_end);
        let mut cap = line_end(start);
        let too_long = |cap| {
            let limit = if cap < block_end {
                Limit::HeaderLine
            } else {
                Limit::Headers
            };
            error(cap, DecodeErrorKind::Limit(limit))
        };
        for at in Marks::new(input, self.seen) {
            match input.get(at) {
                Some(b':') => {
                    colon.get_or_insert(at);
                }
                Some(b'\n') => {
                    let has_cr = syntax.crlf && at > start && input.get(at - 1) == Some(&b'\r');
                    let end = at - usize::from(has_cr);
                    if end > cap {
                        return Err(too_long(cap));
                    }
                    if end == start {
                        self.headers_end = start;
                        self.start_line(at + 1);
                        self.stage = Stage::Body(command);
                        return Ok(true);
                    }
                    if count == limits.header_count {
                        return Err(error(start, DecodeErrorKind::Limit(Limit::HeaderCount)));
                    }
                    count += 1;
                    let Some(colon) = colon.take() else {
                        return Err(error(start, DecodeErrorKind::HeaderWithoutColon));
                    };
                    if colon == start {
                        return Err(error(start, DecodeErrorKind::EmptyHeaderName));
                    }
                    // Most lines need no closer look.
                    if colon - start == CONTENT_LENGTH.len() || syntax.trim {
                        let line = input.get(start..end).unwrap_or_default();
                        self.header(line, start, colon - start, syntax)?;
                    }
                    start = at + 1;
                    if start > block_end {
                        return Err(too_long(block_end));
                    }
                    cap = line_end(start);
                }
                Some(b'\r') => self.bare_cr |= input.get(at + 1) != Some(&b'\n'),
                Some(b'\\') => self.backslash = true,
                Some(0) if at > cap => return Err(too_long(cap)),
                Some(0) => return Err(error(at, DecodeErrorKind::NulInHeaders)),
                _ => {}
            }
        }
        let line = without_cr(input.get(start..).unwrap_or_default(), syntax);
        if start + line.len() > cap {
            return Err(too_long(cap));
        }
        self.from = start;
        self.seen = input.len();
        self.colon = colon;
        self.header_count = count;
        Ok(false)
    }

    /// Looks at a header line that may be the `content-length` that counts, or whose
    /// name may be nothing but blanks.
    fn header(
        &mut self,
        line: &[u8],
        start: usize,
        colon: usize,
        syntax: Syntax,
    ) -> Result<(), DecodeError> {
        let Some((mut name, [_, value @ ..])) = line.split_at_checked(colon) else {
            return Ok(());
        };
        if syntax.trim {
            name = trim(name);
        }
        if name.is_empty() {
            return Err(error(start, DecodeErrorKind::EmptyHeaderName));
        }
        if name == CONTENT_LENGTH.as_bytes() && self.content_length.is_none() {
            let mut at = start + line.len() - value.len();
            let mut value = value;
            if syntax.trim_content_length {
                at += value.iter().take_while(|&&byte| is_blank(byte)).count();
                value = trim(value);
            }
            let length = decimal(value).ok_or(error(at, DecodeErrorKind::ContentLength))?;
            self.content_length = Some(length);
        }
        Ok(())
    }

    /// Finds the end of the body.
    // keeps: stomp12/content-length/octets-read, stomp11/content-length/octets-read,
    // keeps: stomp10/content-length/octets-read, stomp12/content-length/nul-terminates,
    // keeps: stomp11/content-length/nul-terminates, stomp10/content-length/nul-terminates,
    // keeps: stomp12/content-length/first-nul, stomp11/content-length/first-nul,
    // keeps: stomp10/content-length/first-nul, stomp12/body/allowed, stomp11/body/allowed,
    // keeps: stomp12/size-limits/body, stomp11/size-limits/body
    fn body(
        &mut self,
        input: &[u8],
        syntax: Syntax,
        limits: &Limits,
        assembled: usize,
        command: Command,
    ) -> Result<End, DecodeError> {
        let start = self.from;
        let too_long = || {
            let offset = start.saturating_add(limits.body);
            error(offset, DecodeErrorKind::Limit(Limit::Body))
        };
        let not_allowed = || error(start, DecodeErrorKind::BodyNotAllowed(command));
        let may_have_body = command.may_have_body(syntax.version);
        if let Some(length) = self.content_length {
            // Clients copy the headers of a MESSAGE into its ACK: that is the length
            // of what is not here.
            if !command.has_body() {
                match input.get(start) {
                    None => return Ok(End::NotYet),
                    Some(0) => return Ok(End::At(start)),
                    // It is here after all.
                    Some(_) => self.seen = self.seen.max(start + 1),
                }
            }
            if length > 0 && !may_have_body {
                return Err(not_allowed());
            }
            if length > limits.body {
                return Err(too_long());
            }
            if length > assembled {
                return Ok(End::TooFar);
            }
            let end = start.saturating_add(length);
            return match input.get(end) {
                None => Ok(End::NotYet),
                Some(0) => Ok(End::At(end)),
                Some(_) => Err(error(end, DecodeErrorKind::MissingNul)),
            };
        }
        let found = memchr(0, input.get(self.seen..).unwrap_or_default());
        let end = found.map_or(input.len(), |at| self.seen + at);
        let new = self.seen..end.min(start.saturating_add(limits.body));
        self.seen = end;
        if end > start && !may_have_body {
            // Clients of 1.0 write blank lines between the headers of CONNECT and NUL.
            let new = input.get(new).unwrap_or_default();
            if command != Command::Connect || !new.iter().all(|byte| b"\r\n".contains(byte)) {
                return Err(not_allowed());
            }
            if end - start > limits.body {
                return Err(too_long());
            }
            return Ok(found.map_or(End::NotYet, |_| End::At(end)));
        }
        if end - start > assembled.min(limits.body) {
            // Which of the two it is must not depend on how much has come.
            return if assembled < limits.body {
                Ok(End::TooFar)
            } else {
                Err(too_long())
            };
        }
        Ok(found.map_or(End::NotYet, |_| End::At(end)))
    }

    fn start_line(&mut self, at: usize) {
        self.from = at;
        self.seen = at;
        self.colon = None;
    }

    /// The header block, once what is cheapest to check for all headers at a time
    /// is checked.
    #[inline]
    // keeps: stomp12/header-encoding/utf-8, stomp11/header-encoding/utf-8,
    // keeps: stomp12/content-type/utf-8, stomp11/content-type/utf-8
    fn block<'a>(&self, input: &'a [u8], syntax: Syntax) -> Result<&'a str, DecodeError> {
        let start = self.headers;
        let bytes = input.get(start..self.headers_end).unwrap_or_default();
        let block = match core::str::from_utf8(bytes) {
            Ok(block) => block,
            Err(e) => {
                let offset = start + e.valid_up_to();
                return Err(error(offset, DecodeErrorKind::HeaderNotUtf8));
            }
        };
        // Hardly any frame holds one of the two.
        if self.backslash || self.bare_cr {
            self.check_escapes(bytes, syntax)?;
        }
        Ok(block)
    }

    #[cold]
    // keeps: stomp12/header-encoding/undefined-escape, stomp11/header-encoding/undefined-escape
    fn check_escapes(&self, bytes: &[u8], syntax: Syntax) -> Result<(), DecodeError> {
        let start = self.headers;
        if self.backslash
            && let Some(at) = escape::undefined_escape(syntax.escapes, bytes)
        {
            return Err(error(start + at, DecodeErrorKind::UndefinedEscape));
        }
        if self.bare_cr && syntax.bare_cr_is_error {
            let mut carriage_returns = memchr_iter(b'\r', bytes);
            if let Some(at) = carriage_returns.find(|at| bytes.get(at + 1) != Some(&b'\n')) {
                return Err(error(start + at, DecodeErrorKind::BareCarriageReturn));
            }
        }
        Ok(())
    }
}

/// A frame at the front of the input.
pub(crate) struct Decoded<'a> {
    pub(crate) frame: Frame<'a>,
    /// How many bytes it takes, with the EOLs before it.
    pub(crate) taken: usize,
    /// What its header says.
    pub(crate) content_length: Option<usize>,
}

/// The parts of a frame in the input.
struct Located<'a> {
    command: Command,
    block: &'a str,
    /// Where the NUL is, if the body is not too far.
    body_end: Option<usize>,
}

/// Where a body ends.
enum End {
    /// More bytes are needed to tell.
    NotYet,
    /// At this byte, which is NUL.
    At(usize),
    /// Behind more body than is wanted in one piece.
    TooFar,
}

/// The command's line, or the part of it that there is.
///
/// What is decided from a part of a line is what any line that begins so would
/// get: however the bytes are cut, the same error comes out.
struct Line<'a> {
    text: &'a [u8],
    /// Where the next line starts, if this one has come to its end.
    next: Option<usize>,
    /// It was ended by a NUL, and not by an end of line.
    nul: bool,
}

impl<'a> Line<'a> {
    /// The line at the front of `bytes`. Its LF, or a NUL, was `found`.
    #[inline]
    fn new(bytes: &'a [u8], found: Option<usize>, syntax: Syntax) -> Self {
        let stop = found.map_or(bytes.len(), |at| at.min(bytes.len()));
        let (text, rest) = bytes.split_at(stop);
        let nul = rest.first() == Some(&0);
        Line {
            text: if nul { text } else { without_cr(text, syntax) },
            next: found.map(|at| at + 1),
            nul,
        }
    }
}

/// A CR is the line's own unless LF follows; at the end of the input that is not
/// known.
#[inline]
// keeps: stomp12/frames/eol, stomp11/frames/eol, stomp10/frames/eol
fn without_cr(line: &[u8], syntax: Syntax) -> &[u8] {
    match line {
        [text @ .., b'\r'] if syntax.crlf => text,
        text => text,
    }
}

pub(crate) const fn error(offset: usize, kind: DecodeErrorKind) -> DecodeError {
    DecodeError { offset, kind }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// A decimal number and nothing else. One that does not fit counts as the
/// greatest: it is beyond every limit.
pub(crate) fn decimal(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0usize, |number, digit| {
        digit.is_ascii_digit().then(|| {
            number
                .saturating_mul(10)
                .saturating_add(usize::from(digit - b'0'))
        })
    })
}
