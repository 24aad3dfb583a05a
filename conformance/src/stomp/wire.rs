//! STOMP frames as bytes, written from the specification and without the
//! workspace's codec, and one client's conversation.

use std::fmt;

use crate::case::Context;
use crate::verdict::{Stop, fail};
use crate::wire::{Parsed, Seen, Wire};

/// A frame as it came: header names and values as they are on the wire,
/// escapes included.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) command: Vec<u8>,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// The first value of the header, which is the one that counts.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(known, _)| known == name.as_bytes())
            .map(|(_, value)| value.as_slice())
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

/// End-of-lines between frames (heart-beats too) are passed over.
fn parse_frame(bytes: &[u8]) -> Parsed<Frame> {
    let start = bytes
        .iter()
        .position(|b| !matches!(b, b'\r' | b'\n'))
        .unwrap_or(bytes.len());
    let mut at = start;
    let mut line = || {
        let rest = &bytes[at..];
        let length = rest.iter().position(|&b| b == b'\n')?;
        at += length + 1;
        Some(
            rest[..length]
                .strip_suffix(b"\r")
                .unwrap_or(&rest[..length]),
        )
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

/// One client's connection, up to where the case takes over.
pub(super) struct Client {
    pub(super) wire: Wire,
}

impl Client {
    /// A TCP connection without a CONNECT.
    pub(super) fn new(ctx: &Context<'_>) -> Result<Self, Stop> {
        Ok(Self {
            wire: ctx.connect()?,
        })
    }

    /// Sends a CONNECT for these versions with the target's credentials and
    /// virtual host.
    pub(super) fn send_connect(&mut self, ctx: &Context<'_>, accept_version: &str) {
        let mut headers = vec![
            ("accept-version", accept_version),
            ("host", ctx.target.virtual_host.as_str()),
        ];
        if let Some(user) = &ctx.target.user {
            headers.push(("login", user));
        }
        if let Some(password) = &ctx.target.password {
            headers.push(("passcode", password));
        }
        self.wire.send(&frame("CONNECT", &headers, b""));
    }

    /// Connects with this version.
    pub(super) fn connected(ctx: &Context<'_>, version: &str) -> Result<Self, Stop> {
        let mut client = Self::new(ctx)?;
        client.send_connect(ctx, version);
        client.expect("CONNECTED", "CONNECTED after a correct CONNECT")?;
        Ok(client)
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> Result<Seen<Frame>, Stop> {
        self.wire.next(parse_frame)
    }

    /// A frame with this command next.
    pub(super) fn expect(&mut self, command: &str, expected: &str) -> Result<Frame, Stop> {
        match self.next()? {
            Seen::Frame(frame) if frame.command == command.as_bytes() => Ok(frame),
            other => Err(fail(expected, other.to_string())),
        }
    }
}
