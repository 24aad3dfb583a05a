//! AMQP 0-9-1 frames as bytes, written from the grammar (section 4.2) and
//! without the workspace's codec, and one client's conversation.

use std::fmt;

use crate::case::Context;
use crate::transcript::hex_line;
use crate::verdict::{Stop, fail};
use crate::wire::{Parsed, Seen, Wire};

/// What a client sends first (4.2.2).
pub(super) const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// Frame types (4.2.3).
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// Closes every frame (4.2.3).
pub(super) const FRAME_END: u8 = 0xCE;

/// A class id and a method id.
pub(super) type Method = (u16, u16);

macro_rules! methods {
    ($($name:ident $class:literal $method:literal $text:literal)*) => {
        $(pub(super) const $name: Method = ($class, $method);)*
        const NAMES: &[(Method, &str)] = &[$((($class, $method), $text)),*];
    };
}

methods! {
    CONNECTION_START 10 10 "connection.start"
    CONNECTION_START_OK 10 11 "connection.start-ok"
    CONNECTION_TUNE 10 30 "connection.tune"
    CONNECTION_TUNE_OK 10 31 "connection.tune-ok"
    CONNECTION_OPEN 10 40 "connection.open"
    CONNECTION_OPEN_OK 10 41 "connection.open-ok"
    CONNECTION_CLOSE 10 50 "connection.close"
    CONNECTION_CLOSE_OK 10 51 "connection.close-ok"
    CHANNEL_OPEN 20 10 "channel.open"
    CHANNEL_OPEN_OK 20 11 "channel.open-ok"
    CHANNEL_CLOSE 20 40 "channel.close"
    CHANNEL_CLOSE_OK 20 41 "channel.close-ok"
}

/// The specification's name of a method.
fn method_name(method: Method) -> String {
    NAMES
        .iter()
        .find(|(known, _)| *known == method)
        .map_or_else(
            || format!("method {}.{}", method.0, method.1),
            |(_, name)| (*name).to_string(),
        )
}

/// The bytes of a frame.
pub(super) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(channel.to_be_bytes());
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(payload);
    bytes.push(FRAME_END);
    bytes
}

/// The bytes of a method frame.
pub(super) fn method(channel: u16, method: Method, args: Args) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend(method.0.to_be_bytes());
    payload.extend(method.1.to_be_bytes());
    payload.extend(args.0);
    frame(METHOD, channel, &payload)
}

/// The arguments of a method, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Args(pub(super) Vec<u8>);

/// No arguments yet.
pub(super) fn args() -> Args {
    Args::default()
}

impl Args {
    /// One octet; also up to eight bits, the first in the lowest place.
    pub(super) fn octet(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn short(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn shortstr(mut self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        assert!(value.len() < 256, "a case built too long a shortstr");
        self.0.push(value.len() as u8);
        self.0.extend(value);
        self
    }

    pub(super) fn longstr(mut self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.0.extend((value.len() as u32).to_be_bytes());
        self.0.extend(value);
        self
    }

    /// A field table of these names, each with the bytes of its value: the
    /// type letter and what follows.
    pub(super) fn table(self, fields: &[(&str, &[u8])]) -> Self {
        let mut table = args();
        for (name, value) in fields {
            table = table.shortstr(name);
            table.0.extend(*value);
        }
        self.longstr(table.0)
    }
}

/// Reads arguments in order.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (head, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| fail("whole arguments", format!("[{}]", hex_line(self.0))))?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn octet(&mut self) -> Result<u8, Stop> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn short(&mut self) -> Result<u16, Stop> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn long(&mut self) -> Result<u32, Stop> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(super) fn shortstr(&mut self) -> Result<&'a [u8], Stop> {
        let length = self.octet()?;
        self.take(length.into())
    }

    pub(super) fn longstr(&mut self) -> Result<&'a [u8], Stop> {
        let length = self.long()?;
        self.take(length as usize)
    }
}

/// A frame as it came.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) channel: u16,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The method, when it is one.
    pub(super) fn method(&self) -> Option<Method> {
        match (self.kind, self.payload.as_slice()) {
            (METHOD, [a, b, c, d, ..]) => {
                Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
            }
            _ => None,
        }
    }

    /// What follows the method's ids.
    pub(super) fn args(&self) -> Reader<'_> {
        Reader(self.payload.get(4..).unwrap_or_default())
    }

    /// The code and text of a connection.close or channel.close.
    fn close_reason(&self) -> Option<(u16, String)> {
        if !matches!(self.method(), Some(CONNECTION_CLOSE | CHANNEL_CLOSE)) {
            return None;
        }
        let mut args = self.args();
        let code = args.short().ok()?;
        let text = String::from_utf8_lossy(args.shortstr().ok()?).into_owned();
        Some((code, text))
    }
}

/// `channel.close 404 "NOT_FOUND - ..." on channel 1 [01 00 01 ...]`
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.method()) {
            (_, Some(method)) => f.write_str(&method_name(method))?,
            (HEADER, _) => f.write_str("a content header")?,
            (BODY, _) => f.write_str("a content body")?,
            (HEARTBEAT, _) => f.write_str("a heart-beat")?,
            (kind, _) => write!(f, "a frame of type {kind}")?,
        }
        if let Some((code, text)) = self.close_reason() {
            write!(f, " {code} {text:?}")?;
        }
        let bytes = frame(self.kind, self.channel, &self.payload);
        write!(f, " on channel {} [{}]", self.channel, hex_line(&bytes))
    }
}

/// Whole frames with the right end only: a broker that cannot frame fails
/// every case, which is what it should do.
fn parse_frame(bytes: &[u8]) -> Parsed<Frame> {
    let Some((head, rest)) = bytes.split_first_chunk::<7>() else {
        return Parsed::Incomplete;
    };
    let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    if !matches!(head[0], METHOD | HEADER | BODY | HEARTBEAT) {
        return Parsed::Malformed("no frame type".into());
    }
    match rest.get(size) {
        None => Parsed::Incomplete,
        Some(&FRAME_END) => Parsed::Whole(
            Frame {
                kind: head[0],
                channel: u16::from_be_bytes([head[1], head[2]]),
                payload: rest[..size].to_vec(),
            },
            7 + size + 1,
        ),
        Some(_) => Parsed::Malformed("a frame without CE at its end".into()),
    }
}

/// One client's connection, up to where the case takes over.
pub(super) struct Client {
    pub(super) wire: Wire,
}

impl Client {
    /// Sends the protocol header and receives connection.start.
    pub(super) fn start(ctx: &Context<'_>) -> Result<(Self, Frame), Stop> {
        let mut client = Self {
            wire: ctx.connect()?,
        };
        client.wire.send(PROTOCOL_HEADER);
        let start = client.expect(
            0,
            CONNECTION_START,
            "connection.start after the protocol header",
        )?;
        Ok((client, start))
    }

    /// Authenticates with PLAIN and receives connection.tune.
    pub(super) fn tuned(ctx: &Context<'_>) -> Result<(Self, Frame), Stop> {
        let (mut client, _) = Self::start(ctx)?;
        client
            .wire
            .send(&method(0, CONNECTION_START_OK, start_ok(ctx, "PLAIN")));
        let tune = client.expect(
            0,
            CONNECTION_TUNE,
            "connection.tune after a correct start-ok",
        )?;
        Ok((client, tune))
    }

    /// Opens the connection with the limits that the broker proposed and no
    /// heart-beats.
    pub(super) fn open(ctx: &Context<'_>) -> Result<Self, Stop> {
        let (mut client, tune) = Self::tuned(ctx)?;
        let mut limits = tune.args();
        let tune_ok = args().short(limits.short()?).long(limits.long()?).short(0);
        client.wire.send(&method(0, CONNECTION_TUNE_OK, tune_ok));
        client.open_virtual_host(ctx)?;
        Ok(client)
    }

    /// connection.open on the target's virtual host.
    pub(super) fn open_virtual_host(&mut self, ctx: &Context<'_>) -> Result<(), Stop> {
        let open = args()
            .shortstr(&ctx.target.virtual_host)
            .shortstr("")
            .octet(0);
        self.wire.send(&method(0, CONNECTION_OPEN, open));
        self.expect(0, CONNECTION_OPEN_OK, "connection.open-ok")
            .map(drop)
    }

    /// Opens a connection and its channel 1.
    pub(super) fn with_channel(ctx: &Context<'_>) -> Result<Self, Stop> {
        let mut client = Self::open(ctx)?;
        client.open_channel(1)?;
        Ok(client)
    }

    /// Opens a channel.
    pub(super) fn open_channel(&mut self, channel: u16) -> Result<(), Stop> {
        self.call(channel, CHANNEL_OPEN, args().shortstr(""), CHANNEL_OPEN_OK)
            .map(drop)
    }

    /// Sends a method.
    pub(super) fn send(&mut self, channel: u16, name: Method, args: Args) {
        self.wire.send(&method(channel, name, args));
    }

    /// Sends a method and expects the reply next.
    pub(super) fn call(
        &mut self,
        channel: u16,
        name: Method,
        args: Args,
        reply: Method,
    ) -> Result<Frame, Stop> {
        self.send(channel, name, args);
        let expected = format!("{} after {}", method_name(reply), method_name(name));
        self.expect(channel, reply, &expected)
    }

    /// The next frame that is not a heart-beat.
    pub(super) fn next(&mut self) -> Result<Seen<Frame>, Stop> {
        loop {
            match self.wire.next(parse_frame)? {
                Seen::Frame(frame) if frame.kind == HEARTBEAT => {}
                seen => return Ok(seen),
            }
        }
    }

    /// This method on this channel next.
    pub(super) fn expect(
        &mut self,
        channel: u16,
        name: Method,
        expected: &str,
    ) -> Result<Frame, Stop> {
        match self.next()? {
            Seen::Frame(frame) if frame.channel == channel && frame.method() == Some(name) => {
                Ok(frame)
            }
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// A channel.close with one of these reply codes next; it is answered.
    pub(super) fn expect_channel_close(
        &mut self,
        channel: u16,
        codes: &[u16],
        why: &str,
    ) -> Result<(), Stop> {
        let expected = format!("channel.close {} for {why}", either(codes));
        let frame = self.expect(channel, CHANNEL_CLOSE, &expected)?;
        check_code(&frame, codes, &expected)?;
        self.send(channel, CHANNEL_CLOSE_OK, args());
        Ok(())
    }

    /// A connection.close with one of these reply codes next; it is answered,
    /// and the broker closes the socket.
    pub(super) fn expect_connection_close(&mut self, codes: &[u16], why: &str) -> Result<(), Stop> {
        let expected = format!("connection.close {} for {why}", either(codes));
        let frame = self.expect(0, CONNECTION_CLOSE, &expected)?;
        check_code(&frame, codes, &expected)?;
        self.send(0, CONNECTION_CLOSE_OK, args());
        Ok(())
    }
}

/// The arguments of a start-ok with the target's credentials.
pub(super) fn start_ok(ctx: &Context<'_>, mechanism: &str) -> Args {
    let user = ctx.target.user.as_deref().unwrap_or_default();
    let password = ctx.target.password.as_deref().unwrap_or_default();
    args()
        .table(&[])
        .shortstr(mechanism)
        .longstr(format!("\0{user}\0{password}"))
        .shortstr("en_US")
}

fn check_code(frame: &Frame, codes: &[u16], expected: &str) -> Result<(), Stop> {
    match frame.close_reason() {
        Some((code, _)) if codes.contains(&code) => Ok(()),
        _ => Err(fail(expected, frame.to_string())),
    }
}

fn either(codes: &[u16]) -> String {
    let codes: Vec<_> = codes.iter().map(u16::to_string).collect();
    codes.join(" or ")
}
