//! The headers of a frame: read from the wire without a copy, or given to be
//! written.

use alloc::borrow::Cow;
use alloc::string::String;

use memchr::memchr;

use crate::version::{Escapes, Syntax};
use crate::{escape, marks};

/// One header, as the text that it stands for.
///
/// Both halves borrow from the frame unless they hold an escape.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header<'a> {
    /// The name. Case counts.
    pub name: Cow<'a, str>,
    /// The value; can be empty.
    pub value: Cow<'a, str>,
}

/// A name and its value.
impl<'a> From<(&'a str, &'a str)> for Header<'a> {
    fn from((name, value): (&'a str, &'a str)) -> Self {
        Self {
            name: Cow::Borrowed(name),
            value: Cow::Borrowed(value),
        }
    }
}

impl<'a> From<&(&'a str, &'a str)> for Header<'a> {
    fn from(pair: &(&'a str, &'a str)) -> Self {
        Self::from(*pair)
    }
}

impl<'a> From<(Cow<'a, str>, Cow<'a, str>)> for Header<'a> {
    fn from((name, value): (Cow<'a, str>, Cow<'a, str>)) -> Self {
        Self { name, value }
    }
}

impl<'a> From<&'a (String, String)> for Header<'a> {
    fn from((name, value): &'a (String, String)) -> Self {
        Self::from((&**name, &**value))
    }
}

/// The headers of a frame, in the order in which they came, repeated ones
/// included.
///
/// A view, as cheap to copy as a slice, and an iterator over [`Header`]. Where
/// a name is repeated, the first is the one that counts (1.2, "Repeated Header
/// Entries"): [`get`](Headers::get) returns that one.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(Repr<'a>);

#[derive(Clone, Copy, Debug)]
enum Repr<'a> {
    /// Lines as they are on the wire, each with its end of line; validated.
    Wire(Lines<'a>),
    /// Names and values to be written.
    Pairs(&'a [(&'a str, &'a str)]),
}

/// How a header block is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    crlf: bool,
    trim: bool,
    /// `None` too where it is known that the block holds no backslash.
    escapes: Escapes,
}

impl Layout {
    pub(crate) fn new(syntax: Syntax, may_hold_backslash: bool) -> Self {
        Self {
            crlf: syntax.crlf,
            trim: syntax.trim,
            escapes: if may_hold_backslash {
                syntax.escapes
            } else {
                Escapes::None
            },
        }
    }
}

/// A validated header block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines<'a> {
    block: &'a str,
    layout: Layout,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(block: &'a str, layout: Layout) -> Self {
        Lines { block, layout }
    }

    pub(crate) fn block(&self) -> &'a str {
        self.block
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether there may be lines that end with CR LF.
    pub(crate) fn hold_crlf(&self) -> bool {
        self.layout.crlf && memchr(b'\r', self.block.as_bytes()).is_some()
    }

    /// The next line without its end of line.
    // Inlined, as is what calls it: a line takes hardly longer than the calls would.
    #[inline(always)]
    pub(crate) fn next_line(&mut self) -> Option<&'a str> {
        let end = marks::find(b'\n', self.block.as_bytes())?;
        let (line, rest) = self.block.split_at(end);
        self.block = &rest[1..];
        Some(match line.strip_suffix('\r') {
            Some(line) if self.layout.crlf => line,
            _ => line,
        })
    }

    /// The next header, still escaped.
    #[inline(always)]
    fn next_raw(&mut self) -> Option<(&'a str, &'a str)> {
        // Every line has a colon: the first one is that of this line.
        let colon = marks::find(b':', self.block.as_bytes())?;
        let (name, rest) = self.block.split_at(colon);
        self.block = &rest[1..];
        let value = self.next_line()?;
        Some(if self.layout.trim {
            (escape::trim(name), escape::trim(value))
        } else {
            (name, value)
        })
    }

    fn get(mut self, name: &str) -> Option<Cow<'a, str>> {
        while let Some((raw, value)) = self.next_raw() {
            let found = if self.layout.escapes == Escapes::None {
                raw == name
            } else {
                escape::unescape(self.layout.escapes, raw) == name
            };
            if found {
                return Some(escape::unescape(self.layout.escapes, value));
            }
        }
        None
    }
}

impl<'a> Headers<'a> {
    /// No headers: for a frame that is to have none beside its own.
    pub const NONE: Self = Headers(Repr::Pairs(&[]));

    pub(crate) fn wire(lines: Lines<'a>) -> Self {
        Headers(Repr::Wire(lines))
    }

    pub(crate) fn pairs(pairs: &'a [(&'a str, &'a str)]) -> Self {
        Headers(Repr::Pairs(pairs))
    }

    /// The lines as they were read, if they were.
    pub(crate) fn lines(&self) -> Option<Lines<'a>> {
        match self.0 {
            Repr::Wire(lines) => Some(lines),
            Repr::Pairs(_) => None,
        }
    }

    /// The names and values that were given to be written, if they were.
    pub(crate) fn given(&self) -> &'a [(&'a str, &'a str)] {
        match self.0 {
            Repr::Wire(_) => &[],
            Repr::Pairs(pairs) => pairs,
        }
    }

    /// The same bytes read by the rules of 1.0: blanks around names and values
    /// are not part of them.
    pub(crate) fn trimmed(mut self) -> Self {
        if let Repr::Wire(lines) = &mut self.0 {
            lines.layout.trim = true;
        }
        self
    }

    /// The value of a header: of the first one of that name.
    // keeps: stomp12/repeated-headers/first, stomp11/repeated-headers/first,
    // keeps: stomp12/frames/case-sensitive, stomp11/frames/case-sensitive
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        match self.0 {
            Repr::Wire(lines) => lines.get(name),
            Repr::Pairs(pairs) => pairs
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| Cow::Borrowed(*value)),
        }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    #[inline]
    // keeps: stomp12/repeated-headers/history, stomp11/repeated-headers/history
    fn next(&mut self) -> Option<Header<'a>> {
        match &mut self.0 {
            Repr::Wire(lines) => {
                let (name, value) = lines.next_raw()?;
                Some(Header {
                    name: escape::unescape(lines.layout.escapes, name),
                    value: escape::unescape(lines.layout.escapes, value),
                })
            }
            Repr::Pairs(pairs) => {
                let ((name, value), rest) = pairs.split_first()?;
                *pairs = rest;
                Some(Header {
                    name: Cow::Borrowed(name),
                    value: Cow::Borrowed(value),
                })
            }
        }
    }
}
