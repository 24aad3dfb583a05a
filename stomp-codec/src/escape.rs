//! Escapes in headers (1.1 and 1.2, "Value Encoding").

use alloc::borrow::Cow;
use alloc::string::String;

use bytes::BufMut;
use memchr::{memchr, memchr_iter};

use crate::version::Escapes;
use crate::{Command, EncodeError, Version};

/// The byte that `\` and `letter` stand for.
// keeps: stomp12/header-encoding/decode, stomp11/header-encoding/decode,
// keeps: stomp10/header-encoding/no-escapes
const fn unescape_byte(escapes: Escapes, letter: u8) -> Option<u8> {
    match (escapes, letter) {
        (Escapes::None, _) => None,
        (_, b'n') => Some(b'\n'),
        (_, b'c') => Some(b':'),
        (_, b'\\') => Some(b'\\'),
        (Escapes::V1_2, b'r') => Some(b'\r'),
        _ => None,
    }
}

/// What is written for `byte`, if it has to be escaped.
// keeps: stomp12/header-encoding/encode, stomp11/header-encoding/encode,
// keeps: stomp10/header-encoding/no-escapes
const fn escape_byte(escapes: Escapes, byte: u8) -> Option<&'static str> {
    match (escapes, byte) {
        (Escapes::None, _) => None,
        (_, b'\n') => Some("\\n"),
        (_, b':') => Some("\\c"),
        (_, b'\\') => Some("\\\\"),
        (Escapes::V1_2, b'\r') => Some("\\r"),
        _ => None,
    }
}

/// Where the first undefined escape is, if there is one.
pub(crate) fn undefined_escape(escapes: Escapes, block: &[u8]) -> Option<usize> {
    if escapes == Escapes::None {
        return None;
    }
    let mut second_of_pair = None;
    memchr_iter(b'\\', block).find(|&at| {
        if second_of_pair == Some(at) {
            return false;
        }
        second_of_pair = Some(at + 1);
        // A header line never ends the block without its end of line, so that
        // there is a byte after the backslash.
        block
            .get(at + 1)
            .is_none_or(|&letter| unescape_byte(escapes, letter).is_none())
    })
}

/// The text that a name or value stands for; borrowed unless it holds an
/// escape. An undefined escape (decoding accepts none) stands for itself.
#[inline]
pub(crate) fn unescape(escapes: Escapes, raw: &str) -> Cow<'_, str> {
    // Most frames hold no backslash, and then every name and value comes by here.
    match escapes {
        Escapes::None => Cow::Borrowed(raw),
        _ => replace_escapes(escapes, raw),
    }
}

fn replace_escapes(escapes: Escapes, raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'\\', raw.as_bytes()) else {
        return Cow::Borrowed(raw);
    };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut chars = raw[first..].chars();
    while let Some(c) = chars.next() {
        let escaped = (c == '\\')
            .then(|| chars.clone().next())
            .flatten()
            .and_then(|letter| u8::try_from(letter).ok())
            .and_then(|letter| unescape_byte(escapes, letter));
        match escaped {
            Some(byte) => {
                chars.next();
                text.push(char::from(byte));
            }
            None => text.push(c),
        }
    }
    Cow::Owned(text)
}

/// The bytes that mean something in a header, each a bit.
mod class {
    pub(super) const NUL: u8 = 1;
    pub(super) const LF: u8 = 2;
    pub(super) const CR: u8 = 4;
    pub(super) const COLON: u8 = 8;
    pub(super) const BACKSLASH: u8 = 16;

    /// The class of each byte; most have none.
    pub(super) const OF: [u8; 256] = {
        let mut table = [0; 256];
        table[0] = NUL;
        table[b'\n' as usize] = LF;
        table[b'\r' as usize] = CR;
        table[b':' as usize] = COLON;
        table[b'\\' as usize] = BACKSLASH;
        table
    };

    /// All classes that a text holds.
    pub(super) fn all(text: &str) -> u8 {
        let bytes = text.bytes();
        bytes.fold(0, |classes, byte| classes | OF[usize::from(byte)])
    }
}

/// How the headers of one frame are to be written, and what it cannot carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing {
    escapes: Escapes,
    trim: bool,
    /// The classes that a name may not hold.
    not_in_names: u8,
    /// Those that a value may not hold.
    not_in_values: u8,
    /// Those that are written as escapes.
    escaped: u8,
}

impl Writing {
    pub(crate) const fn new(version: Version, command: Command) -> Self {
        use class::{BACKSLASH, COLON, CR, LF, NUL};
        let syntax = version.syntax().of(command);
        let escaped = match syntax.escapes {
            Escapes::None => 0,
            Escapes::V1_1 => LF | COLON | BACKSLASH,
            Escapes::V1_2 => LF | COLON | BACKSLASH | CR,
        };
        // What ends a header line or a frame. And who reads CONNECT or CONNECTED
        // does not know the version yet, and takes CR before LF for a part of
        // the end of line.
        let opening = if command.is_escaped() { 0 } else { CR };
        let ends = (NUL | LF | opening) & !escaped;
        Self {
            escapes: syntax.escapes,
            trim: syntax.trim,
            not_in_names: ends | (COLON & !escaped),
            not_in_values: ends,
            escaped,
        }
    }

    /// Checks that the frame can carry this header, and tells whether it can be
    /// written [plain](put_plain).
    #[inline]
    pub(crate) fn check(&self, name: &str, value: &str) -> Result<bool, EncodeError> {
        let (in_name, in_value) = (class::all(name), class::all(value));
        let refused = (in_name & self.not_in_names) | (in_value & self.not_in_values);
        if name.is_empty() || refused != 0 || self.trim {
            self.refuse(name, value)?;
        }
        Ok((in_name | in_value) & self.escaped == 0)
    }

    /// The same of a value, or a piece of one, under a name that is known to be good.
    #[inline]
    pub(crate) fn check_value(&self, name: &str, value: &str) -> Result<bool, EncodeError> {
        let in_value = class::all(value);
        if in_value & self.not_in_values != 0 || self.trim {
            self.refuse(name, value)?;
        }
        Ok(in_value & self.escaped == 0)
    }

    // keeps: stomp12/grammar/name, stomp11/grammar/name, stomp10/grammar/name,
    // keeps: stomp12/grammar/name-octets, stomp11/grammar/name-octets,
    // keeps: stomp10/grammar/name-octets, stomp12/grammar/value-octets,
    // keeps: stomp11/grammar/value-octets, stomp10/header-encoding/padding
    fn refuse(&self, name: &str, value: &str) -> Result<(), EncodeError> {
        if name.is_empty() {
            return Err(EncodeError::EmptyHeaderName);
        }
        for (text, refused) in [(name, self.not_in_names), (value, self.not_in_values)] {
            let mut bytes = text.bytes();
            if let Some(byte) = bytes.find(|o| class::OF[usize::from(*o)] & refused != 0) {
                return Err(EncodeError::HeaderByte(byte));
            }
            if self.trim && trim(text).len() != text.len() {
                return Err(EncodeError::Padding);
            }
        }
        Ok(())
    }

    /// How many bytes [`put`](Self::put) writes for a name or value.
    pub(crate) fn len(&self, text: &str) -> usize {
        let classes = text.bytes().map(|byte| class::OF[usize::from(byte)]);
        text.len() + classes.filter(|class| class & self.escaped != 0).count()
    }

    /// Writes a header line that [`check`](Self::check) has accepted.
    pub(crate) fn put(&self, name: &str, value: &str, out: &mut impl BufMut) {
        self.pieces(name, |piece| out.put_slice(piece.as_bytes()));
        out.put_u8(b':');
        self.pieces(value, |piece| out.put_slice(piece.as_bytes()));
        out.put_u8(b'\n');
    }

    /// The same to the end of a string.
    pub(crate) fn push(&self, name: &str, value: &str, out: &mut String) {
        self.pieces(name, |piece| out.push_str(piece));
        out.push(':');
        self.pieces(value, |piece| out.push_str(piece));
        out.push('\n');
    }

    /// Writes a piece of a value that [`check_value`](Self::check_value) has accepted.
    pub(crate) fn put_value(&self, value: &str, out: &mut impl BufMut) {
        self.pieces(value, |piece| out.put_slice(piece.as_bytes()));
    }

    fn pieces(&self, text: &str, mut write: impl FnMut(&str)) {
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            if class::OF[usize::from(byte)] & self.escaped != 0
                && let Some(escaped) = escape_byte(self.escapes, byte)
            {
                write(&text[from..at]);
                write(escaped);
                from = at + 1;
            }
        }
        write(&text[from..]);
    }
}

/// Writes a header line that holds nothing to be escaped.
#[inline]
pub(crate) fn put_plain(name: &str, value: &str, out: &mut impl BufMut) {
    out.put_slice(name.as_bytes());
    out.put_u8(b':');
    out.put_slice(value.as_bytes());
    out.put_u8(b'\n');
}

/// What is left of the text of a 1.0 header without the blanks around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
