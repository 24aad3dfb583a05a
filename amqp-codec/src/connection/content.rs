//! Contents (section 4.2.6): method, header and body frames put together, each
//! channel for itself.

use core::fmt;

use bytes::{Bytes, BytesMut};

use crate::frame::{ContentHeader, RawFrame, RawType};
use crate::method::basic::Publish;
use crate::wire::Reader;
use crate::{Limits, Method, MethodId, Properties, ReplyCode};

use super::error::ReplyError;
use crate::setters::setters;

/// What every content method carries, borrowed: to publish, to deliver, to
/// answer a get, to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The exchange that it is or was published to.
    pub exchange: &'a str,
    /// Its routing key.
    pub routing_key: &'a str,
    /// Its properties.
    pub properties: Properties<'a>,
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// A message without properties. The default exchange, whose name is empty, takes the name
    /// of a queue for its routing key.
    #[must_use]
    pub fn new(exchange: &'a str, routing_key: &'a str, body: &'a [u8]) -> Self {
        Self {
            exchange,
            routing_key,
            body,
            ..Self::default()
        }
    }
}

setters! { Message<'a> {
    ///
    /// ```
    /// use amqp_codec::PropertyFields;
    /// use amqp_codec::connection::Message;
    ///
    /// let persistent = PropertyFields::default().with_delivery_mode(2).to_buf()?;
    /// let message = Message::new("", "tasks", b"hello").with_properties(persistent.as_properties());
    /// # Ok::<(), amqp_codec::EncodeError>(())
    /// ```
    with_properties(properties: Properties<'a>);
} }

/// A content that came in: method, properties and body in one allocation. To
/// clone it is to count a reference.
///
/// It is whole, unless its body is over
/// [`Limits::assembled_size`](crate::Limits::assembled_size): then
/// [`body`](Self::body) is empty, and parts follow as events.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    bytes: Bytes,
    head: Head,
    /// Where the content header's payload begins; the method's is before.
    header_at: usize,
    /// Where the body begins.
    body_at: usize,
}

impl Content {
    /// The method that brought it: publish, deliver, get-ok or return.
    #[must_use]
    pub fn method(&self) -> Method<'_> {
        let reader = Reader::new(&self.bytes[..self.header_at], &Limits::DEFAULT);
        let method = Method::read_payload(reader);
        // It was decoded before it got here, so there is no other case.
        debug_assert!(method.is_ok());
        method.unwrap_or(Method::BasicPublish(Publish::default()))
    }

    /// The exchange that it was published to.
    #[must_use]
    pub fn exchange(&self) -> &str {
        self.short_string(self.head.exchange_at)
    }

    /// Its routing key.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        self.short_string(self.head.routing_key_at)
    }

    /// The short string whose length stands there. It was checked when it came.
    fn short_string(&self, at: u16) -> &str {
        let mut reader = Reader::new(&self.bytes[usize::from(at)..], &Limits::DEFAULT);
        reader.shortstr().unwrap_or_default()
    }

    /// What brought it, with what belongs to this hop alone.
    pub(super) const fn kind(&self) -> Kind {
        self.head.kind
    }

    /// Its properties.
    #[must_use]
    pub fn properties(&self) -> Properties<'_> {
        // Class, weight and body size are before.
        Properties::from_checked(&self.bytes[self.header_at + 12..self.body_at])
    }

    /// Its properties as `bytes::Bytes`, encoded: flags, then properties. They keep the one
    /// allocation alive; [`Properties::decode`] reads them again.
    #[must_use]
    pub fn properties_bytes(&self) -> Bytes {
        self.bytes.slice(self.header_at + 12..self.body_at)
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_at..]
    }

    /// Bytes of its body, as its header says.
    #[must_use]
    pub fn body_size(&self) -> u64 {
        let size = self.bytes[self.header_at + 4..].first_chunk();
        size.map_or(0, |size| u64::from_be_bytes(*size))
    }

    /// Whether its body is here; else it follows in parts.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.body_size() == self.body().len() as u64
    }

    /// The consumer that it is delivered to; `None` of other contents.
    #[must_use]
    pub fn consumer_tag(&self) -> Option<&str> {
        matches!(self.head.kind, Kind::Deliver { .. }).then(|| self.short_string(CONSUMER_TAG_AT))
    }

    /// Its body as `bytes::Bytes`, which keep the one allocation alive.
    #[must_use]
    pub fn body_bytes(&self) -> Bytes {
        self.bytes.slice(self.body_at..)
    }

    /// All of it that goes on to somebody else.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message {
            exchange: self.exchange(),
            routing_key: self.routing_key(),
            properties: self.properties(),
            body: self.body(),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {:?} <{} bytes>",
            self.method(),
            self.properties(),
            self.body().len()
        )
    }
}

/// Where a payload's fields begin: after class and method number.
const FIELDS_AT: u16 = 4;
/// basic.deliver: its first field.
const CONSUMER_TAG_AT: u16 = FIELDS_AT;

/// What a content's method says, from the one time that it was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Where the exchange's length stands in the method's payload.
    exchange_at: u16,
    /// Where the routing key's does.
    routing_key_at: u16,
    kind: Kind,
}

/// The methods with content, and their fields that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Publish {
        mandatory: bool,
        immediate: bool,
    },
    Deliver {
        delivery_tag: u64,
        redelivered: bool,
    },
    GetOk {
        delivery_tag: u64,
        redelivered: bool,
        message_count: u32,
    },
    Return {
        reply_code: u16,
    },
}

impl Head {
    /// `None` of a method without content.
    #[inline]
    pub(super) fn of(method: &Method<'_>) -> Option<Self> {
        // A short string has at most 255 bytes.
        let sized = |text: &str| 1 + text.len() as u16;
        let (before, exchange, kind) = match method {
            Method::BasicPublish(it) => {
                let kind = Kind::Publish {
                    mandatory: it.mandatory,
                    immediate: it.immediate,
                };
                // The reserved short.
                (2, it.exchange, kind)
            }
            Method::BasicDeliver(it) => {
                let kind = Kind::Deliver {
                    delivery_tag: it.delivery_tag,
                    redelivered: it.redelivered,
                };
                (sized(it.consumer_tag) + 8 + 1, it.exchange, kind)
            }
            Method::BasicGetOk(it) => {
                let kind = Kind::GetOk {
                    delivery_tag: it.delivery_tag,
                    redelivered: it.redelivered,
                    message_count: it.message_count,
                };
                (8 + 1, it.exchange, kind)
            }
            Method::BasicReturn(it) => {
                let kind = Kind::Return {
                    reply_code: it.reply_code,
                };
                (2 + sized(it.reply_text), it.exchange, kind)
            }
            _ => return None,
        };
        let exchange_at = FIELDS_AT + before;
        Some(Self {
            exchange_at,
            routing_key_at: exchange_at + sized(exchange),
            kind,
        })
    }
}

/// A content on its way in, on one channel.
#[derive(Debug, Default)]
pub(super) enum Assembly {
    /// None.
    #[default]
    Idle,
    /// The method came: its payload is in the buffer.
    Method { buffer: BytesMut, head: Head },
    /// The header came too.
    Body {
        buffer: BytesMut,
        head: Head,
        header_at: usize,
        body_at: usize,
        /// Bytes that are still to come.
        remaining: u64,
    },
    /// The content was handed out without its body, of which so many bytes
    /// are still to come.
    Parts {
        method: Option<MethodId>,
        remaining: u64,
    },
}

/// Bytes that the assemblies of a connection hold together, within
/// [`Limits::held_size`].
#[derive(Debug, Default)]
pub(super) struct Held(u64);

impl Held {
    /// Whether there is room for so many more.
    fn fits(&self, bytes: usize, limits: &Limits) -> bool {
        self.0.saturating_add(bytes as u64) <= limits.held_size
    }

    /// Puts what has come after what came before, if there is room for it.
    fn extend(&mut self, buffer: &mut BytesMut, bytes: &[u8], limits: &Limits) -> bool {
        let fits = self.fits(bytes.len(), limits);
        if fits {
            buffer.extend_from_slice(bytes);
            self.0 += bytes.len() as u64;
        }
        fits
    }

    /// What an assembly has held is handed out or given up.
    fn release(&mut self, buffer: &BytesMut) {
        self.0 -= buffer.len() as u64;
    }

    /// Gives an assembly up.
    pub(super) fn give_up(&mut self, assembly: &mut Assembly) {
        if let Assembly::Method { buffer, .. } | Assembly::Body { buffer, .. } = assembly {
            self.release(buffer);
        }
        *assembly = Assembly::Idle;
    }
}

/// What a frame did to an assembly.
pub(super) enum Assembled {
    /// It is not complete yet.
    Partly,
    /// It can be handed out: it is whole, or its body follows in parts.
    Complete(Content),
    /// The frame is a part of the body, after which so many bytes remain.
    Part(u64),
    /// The body would be larger than is allowed; nothing was taken of it.
    TooLarge(u64),
    /// All contents together would be larger than is allowed; nothing was taken.
    NoRoom,
}

impl Assembly {
    /// Starts with a content method's frame. When all that is handed out with it is there
    /// already, which is how messages mostly arrive, it is taken from `input` and copied once,
    /// into an allocation of just its size.
    pub(super) fn start(
        &mut self,
        head: Head,
        method: RawFrame<'_>,
        input: &mut &[u8],
        limits: &Limits,
        held: &mut Held,
    ) -> Assembled {
        if let Some((content, remaining, rest)) = at_once(head, method, input, limits, held) {
            *input = rest;
            if remaining > 0 {
                *self = Self::Parts {
                    method: method.method_id(),
                    remaining,
                };
            }
            return Assembled::Complete(content);
        }
        let mut buffer = BytesMut::new();
        if !held.extend(&mut buffer, method.payload, limits) {
            return Assembled::NoRoom;
        }
        *self = Self::Method { buffer, head };
        Assembled::Partly
    }

    /// Goes on with the next frame of the channel. An error names the method
    /// whose content it is (fields class-id and method-id of close).
    pub(super) fn frame(
        &mut self,
        raw: RawFrame<'_>,
        limits: &Limits,
        held: &mut Held,
    ) -> Result<Assembled, super::ConnectionError> {
        // What is refused has left the assembly as it was.
        self.next(raw, limits, held)
            .map_err(|error| error.in_content_of(self.method()))
    }

    // keeps: section 4.2.6 / incomplete content, section 4.2.6.2 / set of frames
    // keeps: section 2.3.5.2 / body frames
    fn next(
        &mut self,
        raw: RawFrame<'_>,
        limits: &Limits,
        held: &mut Held,
    ) -> Result<Assembled, super::ConnectionError> {
        match self {
            Self::Idle => {
                Err(unexpected("expected method frame, got non method frame instead").into())
            }
            Self::Method { .. } if raw.raw_type() != RawType::Header => Err(unexpected(
                "expected content header for class 60, got non content header frame instead",
            )
            .into()),
            Self::Method { buffer, head } => {
                let head = *head;
                let header = raw.content_header(limits)?;
                if header.body_size > limits.body_size {
                    return Ok(Assembled::TooLarge(header.body_size));
                }
                let header_at = buffer.len();
                if !held.extend(buffer, raw.payload, limits) {
                    return Ok(Assembled::NoRoom);
                }
                let buffer = core::mem::take(buffer);
                if header.body_size > limits.assembled_size {
                    held.release(&buffer);
                    *self = Self::Parts {
                        method: MethodId::of_payload(&buffer),
                        remaining: header.body_size,
                    };
                    return Ok(Assembled::Complete(Content {
                        head,
                        header_at,
                        body_at: buffer.len(),
                        bytes: buffer.freeze(),
                    }));
                }
                *self = Self::Body {
                    body_at: buffer.len(),
                    buffer,
                    head,
                    header_at,
                    remaining: header.body_size,
                };
                Ok(self.complete(held))
            }
            Self::Body { .. } | Self::Parts { .. } if raw.raw_type() != RawType::Body => {
                Err(unexpected("expected content body, got non content body frame instead").into())
            }
            Self::Body {
                buffer, remaining, ..
            } => {
                let rest = rest_of(*remaining, raw)?;
                // The buffer grows by what has come, never by what was claimed.
                if !held.extend(buffer, raw.payload, limits) {
                    return Ok(Assembled::NoRoom);
                }
                *remaining = rest;
                Ok(self.complete(held))
            }
            Self::Parts { remaining, .. } => {
                *remaining = rest_of(*remaining, raw)?;
                let rest = *remaining;
                if rest == 0 {
                    *self = Self::Idle;
                }
                Ok(match raw.payload {
                    [] => Assembled::Partly,
                    _ => Assembled::Part(rest),
                })
            }
        }
    }

    /// Whether a frame of so many bytes may be a part of the body of a content that was handed
    /// out.
    pub(super) fn has_room_for(&self, size: u32) -> bool {
        matches!(self, Self::Parts { remaining, .. } if u64::from(size) <= *remaining)
    }

    /// Whether the body of a content that was handed out is still to come.
    pub(super) fn is_in_parts(&self) -> bool {
        matches!(self, Self::Parts { .. })
    }

    /// The method whose content it is; `None` of [`Idle`](Self::Idle).
    pub(super) fn method(&self) -> Option<MethodId> {
        match self {
            Self::Idle => None,
            Self::Method { buffer, .. } | Self::Body { buffer, .. } => MethodId::of_payload(buffer),
            Self::Parts { method, .. } => *method,
        }
    }

    /// Whether no content has begun.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    fn complete(&mut self, held: &mut Held) -> Assembled {
        match self {
            Self::Body {
                buffer,
                head,
                header_at,
                body_at,
                remaining: 0,
            } => {
                held.release(buffer);
                let content = Content {
                    bytes: core::mem::take(buffer).freeze(),
                    head: *head,
                    header_at: *header_at,
                    body_at: *body_at,
                };
                *self = Self::Idle;
                Assembled::Complete(content)
            }
            _ => Assembled::Partly,
        }
    }
}

/// A content whose frames are at the front of `input`, whole and without fault: header and body,
/// or the header alone where the body is handed out in parts, and then how much of it remains; and
/// what is left after them. Nothing of it is held, but it has to fit all the same: how bytes are cut
/// makes no difference.
fn at_once<'a>(
    head: Head,
    method: RawFrame<'_>,
    input: &'a [u8],
    limits: &Limits,
    held: &Held,
) -> Option<(Content, u64, &'a [u8])> {
    let (raw, len) = RawFrame::split(input, limits).ok()??;
    if raw.raw_type() != RawType::Header || raw.channel() != method.channel() {
        return None;
    }
    let ContentHeader { body_size, .. } = raw.content_header(limits).ok()?;
    if body_size > limits.body_size {
        return None;
    }
    let (body, remaining, rest) = if body_size == 0 {
        (&[][..], 0, &input[len..])
    } else if body_size > limits.assembled_size {
        (&[][..], body_size, &input[len..])
    } else {
        let (body, body_len) = RawFrame::split(&input[len..], limits).ok()??;
        if body.raw_type() != RawType::Body
            || body.channel() != method.channel()
            || body.payload.len() as u64 != body_size
        {
            return None;
        }
        (body.payload, 0, &input[len + body_len..])
    };
    let header_at = method.payload.len();
    let body_at = header_at + raw.payload.len();
    let len = body_at + body.len();
    if !held.fits(len, limits) {
        return None;
    }
    let mut bytes = alloc::vec::Vec::with_capacity(len);
    bytes.extend_from_slice(method.payload);
    bytes.extend_from_slice(raw.payload);
    bytes.extend_from_slice(body);
    let content = Content {
        bytes: bytes.into(),
        head,
        header_at,
        body_at,
    };
    Some((content, remaining, rest))
}

/// What remains of a body after this frame of it.
fn rest_of(remaining: u64, raw: RawFrame<'_>) -> Result<u64, ReplyError> {
    remaining
        .checked_sub(raw.payload.len() as u64)
        .ok_or_else(|| unexpected("content body is longer than its header says"))
}

fn unexpected(text: &str) -> ReplyError {
    ReplyError::connection(ReplyCode::UnexpectedFrame, text)
}
