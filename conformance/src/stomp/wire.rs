//! STOMP frames as bytes, written from the specifications and without the
//! workspace's codec.

use std::fmt;

use crate::wire::Parsed;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V10,
    V11,
    V12,
}

impl Version {
    /// As in the headers `accept-version` and `version`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::V10 => "1.0",
            Self::V11 => "1.1",
            Self::V12 => "1.2",
        }
    }
}

/// A frame as it came: header names and values as they are on the wire,
/// escapes included.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) command: Vec<u8>,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Frame {
    pub(super) fn is(&self, command: &str) -> bool {
        self.command == command.as_bytes()
    }

    /// The first value of the header, which is the one that counts.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(known, _)| known == name.as_bytes())
            .map(|(_, value)| value.as_slice())
    }

    /// The same for a header that goes back to the broker, escaped as it came.
    pub(super) fn header_text(&self, name: &str) -> Option<&str> {
        self.header(name)
            .and_then(|value| str::from_utf8(value).ok())
    }
}

/// `ERROR "message:..\n" body "..."`: as text, what is not printable escaped.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.command.escape_ascii())?;
        for (name, value) in &self.headers {
            write!(f, " \"{}:{}\"", name.escape_ascii(), value.escape_ascii())?;
        }
        write!(f, " body \"{}\"", self.body.escape_ascii())
    }
}

/// The bytes of a frame, as given: nothing is escaped and no header added.
pub(super) fn frame(command: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{command}\n").into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}:{value}\n").bytes());
    }
    bytes.push(b'\n');
    bytes.extend(body);
    bytes.push(0);
    bytes
}

/// The frame at the front, as this version writes it. End-of-lines between
/// frames (heart-beats too) are passed over.
pub(super) fn parse_frame(version: Version, bytes: &[u8]) -> Parsed<Frame> {
    let start = bytes
        .iter()
        .position(|b| !matches!(b, b'\r' | b'\n'))
        .unwrap_or(bytes.len());
    let mut at = start;
    let mut line = || {
        let rest = &bytes[at..];
        let length = rest.iter().position(|&b| b == b'\n')?;
        at += length + 1;
        // Only 1.2 ends a line with a carriage return; before that it is an
        // octet of the value.
        Some(match rest[..length].strip_suffix(b"\r") {
            Some(line) if version == Version::V12 => line,
            _ => &rest[..length],
        })
    };
    let Some(command) = line() else {
        return Parsed::Incomplete;
    };
    let mut headers = Vec::new();
    loop {
        let Some(header) = line() else {
            return Parsed::Incomplete;
        };
        if header.is_empty() {
            break;
        }
        let Some(colon) = header.iter().position(|&b| b == b':') else {
            return Parsed::Malformed("a header without a colon".into());
        };
        headers.push((header[..colon].to_vec(), header[colon + 1..].to_vec()));
    }
    let mut frame = Frame {
        command: command.to_vec(),
        headers,
        body: Vec::new(),
    };
    let rest = &bytes[at..];
    let length = match frame.header("content-length") {
        None => rest.iter().position(|&b| b == 0),
        Some(value) => {
            let Some(length) = str::from_utf8(value).ok().and_then(|v| v.parse().ok()) else {
                return Parsed::Malformed("a content-length that is no number".into());
            };
            match rest.get(length) {
                None => None,
                Some(0) => Some(length),
                Some(_) => return Parsed::Malformed("no NUL after content-length octets".into()),
            }
        }
    };
    match length {
        None => Parsed::Incomplete,
        Some(length) => {
            frame.body = rest[..length].to_vec();
            Parsed::Whole(frame, at + length + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Version::{V11, V12};
    use super::*;

    fn parsed(version: Version, bytes: &[u8]) -> String {
        match parse_frame(version, bytes) {
            Parsed::Whole(frame, length) => format!("{frame} in {length}"),
            Parsed::Incomplete => "incomplete".into(),
            Parsed::Malformed(why) => why,
        }
    }

    #[test]
    fn frames_as_they_come() {
        for (version, bytes, expected) in [
            (V12, &b"\n"[..], "incomplete"),
            (V12, b"A\nb:c\n\nbody", "incomplete"),
            (V12, b"\r\n\nA\n\n\0", r#"A body "" in 7"#),
            (V12, b"A\r\nb:c\r\n\r\n\0", r#"A "b:c" body "" in 11"#),
            (V11, b"A\nb:c\r\n\n\0", r#"A "b:c\r" body "" in 9"#),
            (V12, b"A\nb:c:d\n\nx\0y", r#"A "b:c:d" body "x" in 11"#),
            (
                V12,
                b"A\ncontent-length:3\n\n\0\0\0\0",
                r#"A "content-length:3" body "\x00\x00\x00" in 24"#,
            ),
            (V12, b"A\ncontent-length:3\n\n\0\0\0", "incomplete"),
            (
                V12,
                b"A\ncontent-length:1\n\nxy\0",
                "no NUL after content-length octets",
            ),
            (
                V12,
                b"A\ncontent-length:x\n\n\0",
                "a content-length that is no number",
            ),
            (V12, b"A\nb\n\n\0", "a header without a colon"),
        ] {
            assert_eq!(parsed(version, bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_first_of_repeated_headers_counts() {
        let bytes = frame("A", &[("k", "1"), ("k", "2")], b"");
        let Parsed::Whole(frame, _) = parse_frame(V12, &bytes) else {
            panic!("{} is a frame", bytes.escape_ascii());
        };
        assert_eq!(frame.header("k"), Some(&b"1"[..]));
    }
}
