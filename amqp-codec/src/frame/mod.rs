//! Frames (section 4.2.3) and the protocol header (section 4.2.2).

use bytes::BufMut;

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::method::{self, Fields, Identified};
use crate::wire::{Fault, Measure, Reader};
use crate::{Limits, Method, MethodId, Properties};

mod buf;

pub use buf::FrameBuf;

/// Bytes of a frame beside its payload: seven of header and the frame-end.
pub const FRAME_OVERHEAD: usize = 8;

/// The frame that both peers take before tune is over, in bytes: `frame-min-size`.
pub const FRAME_MIN_SIZE: u32 = 4096;

/// The last byte of every frame.
pub const FRAME_END: u8 = 0xCE;

const TYPE_METHOD: u8 = 1;
const TYPE_HEADER: u8 = 2;
const TYPE_BODY: u8 = 3;
const TYPE_HEARTBEAT: u8 = 8;

/// The class that has contents: basic.
const BASIC: u16 = 60;

/// One frame, borrowed from the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// A method (section 4.2.4).
    Method {
        /// The channel, 0 for methods of the connection class.
        channel: u16,
        /// The method.
        method: Method<'a>,
    },
    /// A content header (section 4.2.6.1).
    Header {
        /// The channel.
        channel: u16,
        /// The header.
        header: ContentHeader<'a>,
    },
    /// A part of a content's body (section 4.2.6.2).
    Body {
        /// The channel.
        channel: u16,
        /// The bytes.
        payload: &'a [u8],
    },
    /// A heartbeat (section 4.2.7).
    Heartbeat,
}

/// A content header: how long the body is, and its properties. Its class is
/// basic, its weight zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// Bytes of the body.
    pub body_size: u64,
    /// The properties.
    pub properties: Properties<'a>,
}

impl<'a> ContentHeader<'a> {
    /// Class, weight, body size, then the properties.
    const FIXED: usize = 2 + 2 + 8;

    // keeps: section 4.2.6.1 / class
    #[inline]
    fn read(mut reader: Reader<'a>) -> Result<Self, Fault> {
        let at = reader;
        let class_id = reader.short()?;
        if class_id != BASIC {
            return Err(at.fault(DecodeErrorKind::ContentClass(class_id)));
        }
        let at = reader;
        let weight = reader.short()?;
        if weight != 0 {
            return Err(at.fault(DecodeErrorKind::ContentWeight(weight)));
        }
        Ok(Self {
            body_size: reader.longlong()?,
            properties: Properties::read(reader)?,
        })
    }

    /// Bytes of the payload.
    pub(crate) fn payload_len(&self) -> usize {
        Self::FIXED + self.properties.encoded_len()
    }

    pub(crate) fn write_payload(&self, out: &mut impl BufMut) {
        out.put_u16(BASIC);
        out.put_u16(0);
        out.put_u64(self.body_size);
        self.properties.write(out);
    }
}

/// The seven bytes that a frame begins with.
#[derive(Clone, Copy)]
struct FrameHeader {
    frame_type: u8,
    channel: u16,
    size: u32,
}

impl FrameHeader {
    /// The header and what follows it; `None` means that more bytes are needed.
    #[inline]
    fn parse(input: &[u8]) -> Option<(Self, &[u8])> {
        let ([frame_type, a, b, c, d, e, f], rest) = input.split_first_chunk()?;
        let header = Self {
            frame_type: *frame_type,
            channel: u16::from_be_bytes([*a, *b]),
            size: u32::from_be_bytes([*c, *d, *e, *f]),
        };
        Some((header, rest))
    }

    // keeps: section 4.2.3 / type and end are checked, section 4.2.3 / size and channel
    // keeps: section 2.3.3 / limits hold
    #[inline]
    fn read<'a>(input: &'a [u8], limits: &Limits) -> Result<Option<(Self, &'a [u8])>, DecodeError> {
        let Some((header, rest)) = Self::parse(input) else {
            return Ok(None);
        };
        if !matches!(
            header.frame_type,
            TYPE_METHOD | TYPE_HEADER | TYPE_BODY | TYPE_HEARTBEAT
        ) {
            return Err(header.error(0, DecodeErrorKind::FrameType(header.frame_type)));
        }
        let size = u64::from(header.size) + FRAME_OVERHEAD as u64;
        if size > u64::from(limits.frame_size)
            && (header.frame_type != TYPE_HEADER || size > u64::from(limits.header_size))
        {
            let limit = match header.frame_type {
                TYPE_HEADER => limits.frame_size.max(limits.header_size),
                _ => limits.frame_size,
            };
            return Err(header.error(3, DecodeErrorKind::FrameSize { size, limit }));
        }
        Ok(Some((header, rest)))
    }

    #[cold]
    fn error(&self, offset: usize, kind: DecodeErrorKind) -> DecodeError {
        DecodeError {
            offset,
            kind,
            channel: self.channel,
            method: None,
        }
    }
}

/// A frame whose ends were found and whose payload was not looked at yet.
#[derive(Clone, Copy)]
pub(crate) struct RawFrame<'a> {
    header: FrameHeader,
    pub(crate) payload: &'a [u8],
}

/// A body's frame of which the rest is to come. A body may be cut into frames anywhere (section
/// 4.2.6.2): each part of one is handed out as though it were one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartialFrame {
    channel: u16,
    /// Bytes of its payload.
    size: u32,
    /// Those that have not come.
    left: u32,
}

impl PartialFrame {
    /// The frame at the front, of which the end is not there, if it is a body's. Its channel and
    /// its size say whether it may come in parts.
    pub(crate) fn begin(input: &mut &[u8], may: impl FnOnce(u16, u32) -> bool) -> Option<Self> {
        let (header, rest) = FrameHeader::parse(input)?;
        *input = rest;
        let FrameHeader {
            frame_type,
            channel,
            size,
        } = header;
        let left = size;
        (frame_type == TYPE_BODY && may(channel, size)).then_some(Self {
            channel,
            size,
            left,
        })
    }

    /// What there is of the rest, which is taken. The last byte waits for the frame-end, so that
    /// a body has come whole only with that.
    // keeps: section 4.2.3 / frame-end
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<RawFrame<'a>>, DecodeError> {
        let Some((part, rest)) = input.split_at_checked(self.left as usize) else {
            return Ok(self.take(input, input.len()));
        };
        match rest.first() {
            None => Ok(self.take(input, part.len().saturating_sub(1))),
            Some(&FRAME_END) => {
                let raw = self.take(input, part.len());
                *input = &input[1..];
                Ok(raw)
            }
            Some(&end) => {
                let raw = RawFrame::part(self.channel, part);
                let offset = self.size as usize + FRAME_OVERHEAD - 1;
                Err(raw.header.error(offset, DecodeErrorKind::FrameEnd(end)))
            }
        }
    }

    fn take<'a>(&mut self, input: &mut &'a [u8], len: usize) -> Option<RawFrame<'a>> {
        let (part, rest) = input.split_at(len);
        *input = rest;
        self.left -= len as u32;
        (len > 0).then(|| RawFrame::part(self.channel, part))
    }

    /// Whether all of it has been taken.
    pub(crate) fn is_over(&self) -> bool {
        self.left == 0
    }
}

/// What a raw frame is, by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawType {
    Method,
    Header,
    Body,
    Heartbeat,
}

impl<'a> RawFrame<'a> {
    /// Finds the frame at the front: `None` when it is not complete.
    // keeps: section 4.2.3 / frame-end, section 4.2.3 / type and end are checked
    #[inline]
    pub(crate) fn split(
        input: &'a [u8],
        limits: &Limits,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((header, rest)) = FrameHeader::read(input, limits)? else {
            return Ok(None);
        };
        let Some((payload, [end, ..])) = rest.split_at_checked(header.size as usize) else {
            return Ok(None);
        };
        let len = payload.len() + FRAME_OVERHEAD;
        if *end != FRAME_END {
            return Err(header.error(len - 1, DecodeErrorKind::FrameEnd(*end)));
        }
        Ok(Some((Self { header, payload }, len)))
    }

    /// What has come of a body's frame, which is longer.
    fn part(channel: u16, payload: &'a [u8]) -> Self {
        let header = FrameHeader {
            frame_type: TYPE_BODY,
            channel,
            size: payload.len() as u32,
        };
        Self { header, payload }
    }

    pub(crate) fn channel(&self) -> u16 {
        self.header.channel
    }

    pub(crate) fn raw_type(&self) -> RawType {
        match self.header.frame_type {
            TYPE_METHOD => RawType::Method,
            TYPE_HEADER => RawType::Header,
            TYPE_BODY => RawType::Body,
            _ => RawType::Heartbeat,
        }
    }

    /// The class and method number of a method frame, without its fields.
    pub(crate) fn method_id(&self) -> Option<MethodId> {
        match self.header.frame_type {
            TYPE_METHOD => MethodId::of_payload(self.payload),
            _ => None,
        }
    }

    /// Decodes the payload.
    #[inline]
    pub(crate) fn decode(&self, limits: &Limits) -> Result<Frame<'a>, DecodeError> {
        self.decode_here(limits)
    }

    /// As [`decode`](Self::decode), within the caller: moving a frame from a call costs as much
    /// as decoding a short one.
    // keeps: section 4.2.7 / channel
    #[inline(always)]
    fn decode_here(&self, limits: &Limits) -> Result<Frame<'a>, DecodeError> {
        let channel = self.header.channel;
        let reader = Reader::new(self.payload, limits);
        let frame = match self.header.frame_type {
            TYPE_METHOD => {
                Method::read_payload(reader).map(|method| Frame::Method { channel, method })
            }
            TYPE_HEADER => {
                ContentHeader::read(reader).map(|header| Frame::Header { channel, header })
            }
            TYPE_BODY => Ok(Frame::Body {
                channel,
                payload: self.payload,
            }),
            _ if channel != 0 => Err(reader.fault(DecodeErrorKind::HeartbeatChannel)),
            _ if !self.payload.is_empty() => Err(reader.fault(DecodeErrorKind::HeartbeatPayload)),
            _ => Ok(Frame::Heartbeat),
        };
        frame.map_err(|fault| self.error(fault))
    }

    /// The content header, of a header frame.
    #[inline]
    pub(crate) fn content_header(&self, limits: &Limits) -> Result<ContentHeader<'a>, DecodeError> {
        ContentHeader::read(Reader::new(self.payload, limits)).map_err(|fault| self.error(fault))
    }

    #[cold]
    fn error(&self, fault: Fault) -> DecodeError {
        DecodeError {
            offset: 7 + self.payload.len() - fault.remaining,
            kind: fault.kind,
            channel: self.header.channel,
            method: self.method_id(),
        }
    }
}

/// Decodes the frame at the front of `input`, and tells how many bytes it has.
///
/// `None` means that the frame is not complete: see [`needed`].
///
/// # Errors
/// When the bytes break a rule or a limit. The frame's ends are checked before
/// its payload (section 4.2.3). The connection cannot go on.
///
/// ```
/// use amqp_codec::{Frame, Limits, decode};
///
/// let input = [8, 0, 0, 0, 0, 0, 0, 0xCE, 1];
/// assert_eq!(decode(&input, &Limits::default()), Ok(Some((Frame::Heartbeat, 8))));
/// assert_eq!(decode(&input[..7], &Limits::default()), Ok(None));
/// ```
#[inline]
pub fn decode<'a>(
    input: &'a [u8],
    limits: &Limits,
) -> Result<Option<(Frame<'a>, usize)>, DecodeError> {
    let Some((raw, len)) = RawFrame::split(input, limits)? else {
        return Ok(None);
    };
    Ok(Some((raw.decode_here(limits)?, len)))
}

/// How many bytes `input` is short of, at the least, to hold a whole frame:
/// 0 when it does. It looks at the frame's header only, whatever size that claims:
/// [`Limits`] are for [`decode`], which refuses what is too large before it is all
/// there. Allocate nothing by this alone.
#[must_use]
pub fn needed(input: &[u8]) -> usize {
    match FrameHeader::parse(input) {
        Some((header, rest)) => (header.size as usize)
            .saturating_add(1)
            .saturating_sub(rest.len()),
        None => FRAME_OVERHEAD.saturating_sub(input.len()),
    }
}

impl Frame<'_> {
    /// The channel; 0 for a heartbeat.
    #[must_use]
    pub const fn channel(&self) -> u16 {
        match self {
            Self::Method { channel, .. }
            | Self::Header { channel, .. }
            | Self::Body { channel, .. } => *channel,
            Self::Heartbeat => 0,
        }
    }

    fn measure(&self) -> Measure {
        let mut measure = match self {
            Self::Method { method, .. } => method::payload_len(method),
            Self::Header { header, .. } => {
                let mut measure = Measure::default();
                measure.bytes(header.payload_len());
                measure
            }
            Self::Body { payload, .. } => {
                let mut measure = Measure::default();
                measure.bytes(payload.len());
                measure
            }
            Self::Heartbeat => Measure::default(),
        };
        measure.bytes(FRAME_OVERHEAD);
        measure
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.measure().len()
    }

    /// Writes the whole frame.
    ///
    /// # Errors
    /// When a short string is over 255 bytes, a length over 32 bits, or `out`
    /// has no room for [`encoded_len`](Self::encoded_len) bytes; nothing is
    /// written then.
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        let len = self.measure().finish()?;
        if out.remaining_mut() < len {
            return Err(EncodeError::NoRoom { needed: len });
        }
        match self {
            Self::Method { channel, method } => {
                put_header(TYPE_METHOD, *channel, len - FRAME_OVERHEAD, out);
                method::write_payload(method.id(), method, out);
                out.put_u8(FRAME_END);
            }
            Self::Header { channel, header } => encode_header(*channel, header, out),
            Self::Body { channel, payload } => encode_body(*channel, payload, out),
            Self::Heartbeat => encode_heartbeat(out),
        }
        Ok(())
    }
}

fn put_header(frame_type: u8, channel: u16, payload_len: usize, out: &mut impl BufMut) {
    out.put_u8(frame_type);
    out.put_u16(channel);
    out.put_u32(payload_len as u32);
}

/// Writes one method frame without going through [`Method`], if its payload is of
/// at most `most` bytes.
// keeps: section 4.2.3 / size and channel
#[inline]
pub(crate) fn encode_method<A: Fields + Identified>(
    channel: u16,
    arguments: &A,
    most: usize,
    out: &mut impl BufMut,
) -> Result<(), EncodeError> {
    let payload_len = method::payload_len(arguments).finish()?;
    fits(payload_len, most)?;
    put_header(TYPE_METHOD, channel, payload_len, out);
    method::write_payload(A::ID, arguments, out);
    out.put_u8(FRAME_END);
    Ok(())
}

/// Whether a payload is of at most `most` bytes.
#[inline]
pub(crate) fn fits(payload_len: usize, most: usize) -> Result<(), EncodeError> {
    if payload_len > most {
        return Err(EncodeError::FrameSize {
            size: payload_len.saturating_add(FRAME_OVERHEAD),
            limit: most.saturating_add(FRAME_OVERHEAD),
        });
    }
    Ok(())
}

/// Writes a content header frame. Properties come from a frame or a
/// [`PropertiesBuf`](crate::PropertiesBuf), so they fit one.
pub(crate) fn encode_header(channel: u16, header: &ContentHeader<'_>, out: &mut impl BufMut) {
    put_header(TYPE_HEADER, channel, header.payload_len(), out);
    header.write_payload(out);
    out.put_u8(FRAME_END);
}

/// Writes a body frame; the payload is within frame-max, so within 32 bits.
pub(crate) fn encode_body(channel: u16, payload: &[u8], out: &mut impl BufMut) {
    encode_body_header(channel, payload.len(), out);
    out.put_slice(payload);
    out.put_u8(FRAME_END);
}

/// Writes what stands before the payload of a body frame, which is within frame-max.
pub(crate) fn encode_body_header(channel: u16, payload_len: usize, out: &mut impl BufMut) {
    put_header(TYPE_BODY, channel, payload_len, out);
}

// keeps: section 4.2.7 / channel
pub(crate) fn encode_heartbeat(out: &mut impl BufMut) {
    put_header(TYPE_HEARTBEAT, 0, 0, out);
    out.put_u8(FRAME_END);
}

/// What a client sends first, and a server only to refuse (section 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProtocolHeader {
    /// 0 for AMQP 0-9-1.
    pub id: u8,
    /// 0.
    pub major: u8,
    /// 9.
    pub minor: u8,
    /// 1.
    pub revision: u8,
}

impl ProtocolHeader {
    /// Bytes of a protocol header.
    pub const LEN: usize = 8;

    /// `AMQP` and 0, 0, 9, 1.
    pub const AMQP_0_9_1: Self = Self {
        id: 0,
        major: 0,
        minor: 9,
        revision: 1,
    };

    /// Decodes the header at the front of `input`, any version; it has
    /// [`LEN`](Self::LEN) bytes. `None` means that more are needed.
    ///
    /// # Errors
    /// As soon as a byte is wrong that has to be one of `AMQP`.
    pub fn decode(input: &[u8]) -> Result<Option<Self>, DecodeError> {
        let wrong = input
            .iter()
            .zip(b"AMQP")
            .position(|(is, ought)| is != ought);
        if let Some(offset) = wrong {
            return Err(DecodeError {
                offset,
                kind: DecodeErrorKind::ProtocolHeader,
                channel: 0,
                method: None,
            });
        }
        match *input {
            [_, _, _, _, id, major, minor, revision, ..] => Ok(Some(Self {
                id,
                major,
                minor,
                revision,
            })),
            _ => Ok(None),
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        [
            b'A',
            b'M',
            b'Q',
            b'P',
            self.id,
            self.major,
            self.minor,
            self.revision,
        ]
    }
}
