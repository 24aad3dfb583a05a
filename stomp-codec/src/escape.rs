//! Escapes in headers (1.1 and 1.2, "Value Encoding").

use alloc::borrow::Cow;
use alloc::string::String;

use bytes::BufMut;
use memchr::{memchr, memchr_iter};

use crate::version::{Escapes, Syntax};
use crate::{Command, EncodeError};

/// The octet that `\` and `letter` stand for.
const fn unescape_octet(escapes: Escapes, letter: u8) -> Option<u8> {
    match (escapes, letter) {
        (Escapes::None, _) => None,
        (_, b'n') => Some(b'\n'),
        (_, b'c') => Some(b':'),
        (_, b'\\') => Some(b'\\'),
        (Escapes::V1_2, b'r') => Some(b'\r'),
        _ => None,
    }
}

/// What is written for `octet`, if it has to be escaped.
const fn escape_octet(escapes: Escapes, octet: u8) -> Option<&'static str> {
    match (escapes, octet) {
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
        // there is an octet after the backslash.
        block
            .get(at + 1)
            .is_none_or(|&letter| unescape_octet(escapes, letter).is_none())
    })
}

/// The text that a name or value stands for; borrowed unless it holds an
/// escape. An undefined escape (decoding lets none through) stands for itself.
pub(crate) fn unescape(escapes: Escapes, raw: &str) -> Cow<'_, str> {
    if escapes == Escapes::None {
        return Cow::Borrowed(raw);
    }
    let Some(first) = memchr(b'\\', raw.as_bytes()) else {
        return Cow::Borrowed(raw);
    };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut octets = raw[first..].chars();
    while let Some(c) = octets.next() {
        let escaped = (c == '\\')
            .then(|| octets.clone().next())
            .flatten()
            .and_then(|letter| u8::try_from(letter).ok())
            .and_then(|letter| unescape_octet(escapes, letter));
        match escaped {
            Some(octet) => {
                octets.next();
                text.push(char::from(octet));
            }
            None => text.push(c),
        }
    }
    Cow::Owned(text)
}

/// Checks that `syntax`, which is that of `command`, can carry this header.
pub(crate) fn check(
    syntax: Syntax,
    command: Command,
    name: &str,
    value: &str,
) -> Result<(), EncodeError> {
    if name.is_empty() {
        return Err(EncodeError::EmptyHeaderName);
    }
    check_part(syntax, command, name, syntax.escapes == Escapes::None)?;
    check_part(syntax, command, value, false)
}

fn check_part(
    syntax: Syntax,
    command: Command,
    text: &str,
    no_colon: bool,
) -> Result<(), EncodeError> {
    let escaped = syntax.escapes != Escapes::None;
    for &octet in text.as_bytes() {
        let refused = match octet {
            0 => true,
            b'\n' => !escaped,
            b':' => no_colon,
            // Who reads CONNECT or CONNECTED does not know the version yet, and
            // takes CR before LF for a part of the end of line.
            b'\r' => !command.is_escaped(),
            _ => false,
        };
        if refused {
            return Err(EncodeError::HeaderOctet(octet));
        }
    }
    if syntax.trim && trim(text).len() != text.len() {
        return Err(EncodeError::Padding);
    }
    Ok(())
}

/// How many bytes [`put`] writes.
pub(crate) fn len(escapes: Escapes, text: &str) -> usize {
    let escaped = text
        .bytes()
        .filter(|&octet| escape_octet(escapes, octet).is_some())
        .count();
    text.len() + escaped
}

/// Writes a name or a value that [`check`] has let through.
pub(crate) fn put(escapes: Escapes, text: &str, out: &mut impl BufMut) {
    pieces(escapes, text, |piece| out.put_slice(piece.as_bytes()));
}

/// The same to the end of a string.
pub(crate) fn push(escapes: Escapes, text: &str, out: &mut String) {
    pieces(escapes, text, |piece| out.push_str(piece));
}

fn pieces(escapes: Escapes, text: &str, mut write: impl FnMut(&str)) {
    let mut from = 0;
    for (at, octet) in text.bytes().enumerate() {
        if let Some(escaped) = escape_octet(escapes, octet) {
            write(&text[from..at]);
            write(escaped);
            from = at + 1;
        }
    }
    write(&text[from..]);
}

/// What is left of the text of a 1.0 header without the blanks around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
