//! AMQP 0-9-1 as bytes: frames, methods, arguments, field tables and content,
//! written from the grammar (section 4.2) and without the workspace's codec.

use std::fmt;

use crate::transcript::hex_line;
use crate::verdict::{Stop, fail};
use crate::wire::Parsed;

/// What a client sends first (4.2.2).
pub(super) const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// Frame types (4.2.3).
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
/// 8 in the machine-readable specification, 4 in the text: erratum 29.
pub(super) const HEARTBEAT: u8 = 8;

/// Closes every frame (4.2.3).
pub(super) const FRAME_END: u8 = 0xCE;

/// Octets of a frame around its payload.
pub(super) const FRAME_OVERHEAD: usize = 8;

/// The smallest frame-max that can be negotiated.
pub(super) const FRAME_MIN_SIZE: usize = 4096;

/// The class id of basic, as content headers repeat it.
pub(super) const BASIC: u16 = 60;

/// Every reply code that reports an error on a channel or a connection.
pub(super) const ANY_CODE: &[u16] = &[
    311, 312, 313, 320, 402, 403, 404, 405, 406, 501, 502, 503, 504, 505, 506, 530, 540, 541,
];

/// A class id and a method id.
pub(crate) type Method = (u16, u16);

macro_rules! methods {
    ($($name:ident $class:literal $method:literal $text:literal)*) => {
        // The list is the specification's, whole, so that what comes is named.
        $(#[allow(dead_code)] pub(super) const $name: Method = ($class, $method);)*
        const NAMES: &[(Method, &str)] = &[$((($class, $method), $text)),*];
    };
}

methods! {
    CONNECTION_START 10 10 "connection.start"
    CONNECTION_START_OK 10 11 "connection.start-ok"
    CONNECTION_SECURE 10 20 "connection.secure"
    CONNECTION_SECURE_OK 10 21 "connection.secure-ok"
    CONNECTION_TUNE 10 30 "connection.tune"
    CONNECTION_TUNE_OK 10 31 "connection.tune-ok"
    CONNECTION_OPEN 10 40 "connection.open"
    CONNECTION_OPEN_OK 10 41 "connection.open-ok"
    CONNECTION_CLOSE 10 50 "connection.close"
    CONNECTION_CLOSE_OK 10 51 "connection.close-ok"
    CONNECTION_BLOCKED 10 60 "connection.blocked"
    CONNECTION_UNBLOCKED 10 61 "connection.unblocked"
    CONNECTION_UPDATE_SECRET 10 70 "connection.update-secret"
    CONNECTION_UPDATE_SECRET_OK 10 71 "connection.update-secret-ok"
    CHANNEL_OPEN 20 10 "channel.open"
    CHANNEL_OPEN_OK 20 11 "channel.open-ok"
    CHANNEL_FLOW 20 20 "channel.flow"
    CHANNEL_FLOW_OK 20 21 "channel.flow-ok"
    CHANNEL_CLOSE 20 40 "channel.close"
    CHANNEL_CLOSE_OK 20 41 "channel.close-ok"
    EXCHANGE_DECLARE 40 10 "exchange.declare"
    EXCHANGE_DECLARE_OK 40 11 "exchange.declare-ok"
    EXCHANGE_DELETE 40 20 "exchange.delete"
    EXCHANGE_DELETE_OK 40 21 "exchange.delete-ok"
    EXCHANGE_BIND 40 30 "exchange.bind"
    EXCHANGE_BIND_OK 40 31 "exchange.bind-ok"
    EXCHANGE_UNBIND 40 40 "exchange.unbind"
    EXCHANGE_UNBIND_OK 40 51 "exchange.unbind-ok"
    QUEUE_DECLARE 50 10 "queue.declare"
    QUEUE_DECLARE_OK 50 11 "queue.declare-ok"
    QUEUE_BIND 50 20 "queue.bind"
    QUEUE_BIND_OK 50 21 "queue.bind-ok"
    QUEUE_UNBIND 50 50 "queue.unbind"
    QUEUE_UNBIND_OK 50 51 "queue.unbind-ok"
    QUEUE_PURGE 50 30 "queue.purge"
    QUEUE_PURGE_OK 50 31 "queue.purge-ok"
    QUEUE_DELETE 50 40 "queue.delete"
    QUEUE_DELETE_OK 50 41 "queue.delete-ok"
    BASIC_QOS 60 10 "basic.qos"
    BASIC_QOS_OK 60 11 "basic.qos-ok"
    BASIC_CONSUME 60 20 "basic.consume"
    BASIC_CONSUME_OK 60 21 "basic.consume-ok"
    BASIC_CANCEL 60 30 "basic.cancel"
    BASIC_CANCEL_OK 60 31 "basic.cancel-ok"
    BASIC_PUBLISH 60 40 "basic.publish"
    BASIC_RETURN 60 50 "basic.return"
    BASIC_DELIVER 60 60 "basic.deliver"
    BASIC_GET 60 70 "basic.get"
    BASIC_GET_OK 60 71 "basic.get-ok"
    BASIC_GET_EMPTY 60 72 "basic.get-empty"
    BASIC_ACK 60 80 "basic.ack"
    BASIC_REJECT 60 90 "basic.reject"
    BASIC_RECOVER_ASYNC 60 100 "basic.recover-async"
    BASIC_RECOVER 60 110 "basic.recover"
    BASIC_RECOVER_OK 60 111 "basic.recover-ok"
    BASIC_NACK 60 120 "basic.nack"
    TX_SELECT 90 10 "tx.select"
    TX_SELECT_OK 90 11 "tx.select-ok"
    TX_COMMIT 90 20 "tx.commit"
    TX_COMMIT_OK 90 21 "tx.commit-ok"
    TX_ROLLBACK 90 30 "tx.rollback"
    TX_ROLLBACK_OK 90 31 "tx.rollback-ok"
    CONFIRM_SELECT 85 10 "confirm.select"
    CONFIRM_SELECT_OK 85 11 "confirm.select-ok"
}

/// The specification's name of a method.
pub(crate) fn method_name(method: Method) -> String {
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
    let payload = super::bytes::args()
        .short(method.0)
        .short(method.1)
        .raw(args.0);
    frame(METHOD, channel, &payload.0)
}

/// The bytes of a content header frame. `properties` are the property flags
/// and the property list (4.2.6.1).
pub(super) fn header(channel: u16, size: u64, properties: &[u8]) -> Vec<u8> {
    let payload = args().short(BASIC).short(0).longlong(size).raw(properties);
    frame(HEADER, channel, &payload.0)
}

/// No property at all: the flags alone.
pub(super) const NO_PROPERTIES: &[u8] = &[0, 0];

/// The bytes of content: a header and, unless the body is empty, one body
/// frame (2.3.5.2).
pub(super) fn content(channel: u16, properties: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = header(channel, body.len() as u64, properties);
    if !body.is_empty() {
        bytes.extend(frame(BODY, channel, body));
    }
    bytes
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

    pub(super) fn short(self, value: u16) -> Self {
        self.raw(value.to_be_bytes())
    }

    pub(super) fn long(self, value: u32) -> Self {
        self.raw(value.to_be_bytes())
    }

    pub(super) fn longlong(self, value: u64) -> Self {
        self.raw(value.to_be_bytes())
    }

    pub(super) fn shortstr(self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        assert!(value.len() < 256, "a case built too long a shortstr");
        self.octet(value.len() as u8).raw(value)
    }

    pub(super) fn longstr(self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.long(value.len() as u32).raw(value)
    }

    /// A field table.
    pub(super) fn table(self, fields: &Fields) -> Self {
        self.longstr(&fields.0)
    }

    pub(super) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend(bytes.as_ref());
        self
    }
}

/// The names and values of a field table, without its length.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) Vec<u8>);

/// No fields yet.
pub(super) fn fields() -> Fields {
    Fields::default()
}

impl Fields {
    /// A field of any type: the type letter and what follows it. The letters
    /// are those of erratum 3.
    pub(super) fn field(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self(Args(self.0).shortstr(name).raw(value).0)
    }

    pub(super) fn boolean(self, name: &str, value: bool) -> Self {
        self.field(name, [b't', value.into()])
    }

    pub(super) fn int(self, name: &str, value: i32) -> Self {
        self.field(name, args().octet(b'I').raw(value.to_be_bytes()).0)
    }

    pub(super) fn longstr(self, name: &str, value: &str) -> Self {
        self.field(name, args().octet(b'S').longstr(value).0)
    }

    pub(super) fn nested(self, name: &str, value: &Self) -> Self {
        self.field(name, args().octet(b'F').table(value).0)
    }
}

/// Every type of the errata, each with a value that is not zero.
pub(super) fn every_type() -> Fields {
    fields()
        .field("x-t", b"t\x01")
        .field("x-b", b"b\xFE")
        .field("x-B", b"B\xFE")
        .field("x-s", b"s\xFF\xFE")
        .field("x-u", b"u\xFF\xFE")
        .field("x-I", b"I\xFF\xFF\xFF\xFE")
        .field("x-i", b"i\xFF\xFF\xFF\xFE")
        .field("x-l", b"l\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE")
        .field("x-f", b"f\x3F\xC0\x00\x00")
        .field("x-d", b"d\x3F\xF8\x00\x00\x00\x00\x00\x00")
        .field("x-D", b"D\x02\x00\x00\x01\x3A")
        .field("x-S", b"S\x00\x00\x00\x02hi")
        .field("x-A", b"A\x00\x00\x00\x07t\x00S\x00\x00\x00\x00")
        .field("x-T", b"T\x00\x00\x00\x00\x65\x53\xF1\x00")
        .field("x-F", b"F\x00\x00\x00\x04\x01kt\x01")
        .field("x-V", b"V")
        .field("x-x", b"x\x00\x00\x00\x02\x00\xFF")
}

/// Reads arguments in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (head, rest) = self.0.split_at_checked(count).ok_or_else(|| {
            let left = hex_line(self.0);
            fail(
                format!("{count} octets more of arguments"),
                format!("[{left}]"),
            )
        })?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn octet(&mut self) -> Result<u8, Stop> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn short(&mut self) -> Result<u16, Stop> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Result<u32, Stop> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn longlong(&mut self) -> Result<u64, Stop> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn shortstr(&mut self) -> Result<&'a [u8], Stop> {
        let length = self.octet()?;
        self.take(length.into())
    }

    pub(super) fn longstr(&mut self) -> Result<&'a [u8], Stop> {
        let length = self.long()?;
        self.take(length as usize)
    }

    /// The value of a field in a field table, of a type that stands in
    /// server-properties: its letter and its bytes.
    pub(super) fn field(mut self, name: &str) -> Result<Option<(u8, &'a [u8])>, Stop> {
        while !self.0.is_empty() {
            let found = self.shortstr()?;
            let letter = self.octet()?;
            let value = match letter {
                b't' | b'b' | b'B' => self.take(1)?,
                b's' | b'u' => self.take(2)?,
                b'I' | b'i' | b'f' => self.take(4)?,
                b'D' => self.take(5)?,
                b'l' | b'L' | b'd' | b'T' => self.take(8)?,
                b'S' | b'A' | b'F' | b'x' => self.longstr()?,
                b'V' => &[],
                _ => {
                    return Err(fail(
                        "a field of a known type",
                        format!(
                            "type {:?} of {:?}",
                            letter as char,
                            String::from_utf8_lossy(found)
                        ),
                    ));
                }
            };
            if found == name.as_bytes() {
                return Ok(Some((letter, value)));
            }
        }
        Ok(None)
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
    pub(super) fn close_reason(&self) -> Option<(u16, String)> {
        if !matches!(self.method(), Some(CONNECTION_CLOSE | CHANNEL_CLOSE)) {
            return None;
        }
        let mut args = self.args();
        let code = args.short().ok()?;
        let text = String::from_utf8_lossy(args.shortstr().ok()?).into_owned();
        Some((code, text))
    }
}

impl Frame {
    /// The method that a connection.close or channel.close is due to.
    pub(super) fn cause(&self) -> Option<Method> {
        self.close_reason()?;
        let mut args = self.args();
        args.short().ok()?;
        args.shortstr().ok()?;
        Some((args.short().ok()?, args.short().ok()?))
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
/// every case, as it should.
pub(super) fn parse_frame(bytes: &[u8]) -> Parsed<Frame> {
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
            size + FRAME_OVERHEAD,
        ),
        Some(_) => Parsed::Malformed("a frame without CE at its end".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_grammar() {
        assert_eq!(
            method(1, CHANNEL_OPEN, args().shortstr("")),
            b"\x01\x00\x01\x00\x00\x00\x05\x00\x14\x00\x0a\x00\xCE"
        );
        assert_eq!(
            frame(HEARTBEAT, 0, b""),
            b"\x08\x00\x00\x00\x00\x00\x00\xCE"
        );
        assert_eq!(
            content(2, NO_PROPERTIES, b"hi"),
            b"\x02\x00\x02\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\xCE\
              \x03\x00\x02\x00\x00\x00\x02hi\xCE"
        );
        let table = fields()
            .boolean("a", true)
            .int("b", -2)
            .longstr("c", "d")
            .nested("e", &fields());
        assert_eq!(
            args().table(&table).0,
            b"\x00\x00\x00\x1a\x01at\x01\x01bI\xff\xff\xff\xfe\x01cS\x00\x00\x00\x01d\x01eF\x00\x00\x00\x00"
        );
    }

    #[test]
    fn a_frame_is_parsed_when_it_is_whole() {
        let bytes = method(1, CHANNEL_OPEN, args().shortstr(""));
        for cut in 0..bytes.len() {
            assert!(matches!(parse_frame(&bytes[..cut]), Parsed::Incomplete));
        }
        let Parsed::Whole(frame, length) = parse_frame(&bytes) else {
            panic!("not whole");
        };
        assert_eq!((frame.method(), length), (Some(CHANNEL_OPEN), bytes.len()));
        let mut wrong = bytes.clone();
        *wrong.last_mut().unwrap() = 0xCD;
        assert!(matches!(parse_frame(&wrong), Parsed::Malformed(_)));
        wrong[0] = 4;
        assert!(matches!(parse_frame(&wrong), Parsed::Malformed(_)));
    }
}
