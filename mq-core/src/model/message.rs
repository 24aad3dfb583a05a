//! The protocol-neutral message.
//!
//! A message is what all three protocols can say about one: a body, the
//! exchange and routing key it was published with, and the properties that
//! have a counterpart elsewhere. Each front end translates at its edge.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::ops::Deref;
use core::time::Duration;

/// A shared, immutable name: of a queue, an exchange, a routing key.
pub(crate) type Name = Arc<str>;

/// A short text of a message: bytes that should be UTF-8. Over AMQP, where others than
/// ours pass on what is not, it goes out as it came; the other protocols cannot say it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text(Arc<[u8]>);

impl Text {
    pub(crate) fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }
}

impl<T: AsRef<[u8]> + ?Sized> From<&T> for Text {
    fn from(text: &T) -> Self {
        Self(Arc::from(text.as_ref()))
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A value of a header or argument: the field types of AMQP 0-9-1 with
/// RabbitMQ's additions, into which MQTT and STOMP put their strings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Void,
    Bool(bool),
    Int(Integer, i64),
    F32(f32),
    F64(f64),
    Decimal { scale: u8, value: i32 },
    String(Bytes),
    Binary(Bytes),
    Timestamp(u64),
    Array(Vec<Self>),
    Table(Headers),
}

/// The width in which an integer travelled, so that it travels on unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integer {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
}

impl Value {
    pub(crate) fn string(text: &str) -> Self {
        Self::String(Bytes::copy_from_slice(text.as_bytes()))
    }

    pub(crate) fn long(number: i64) -> Self {
        Self::Int(Integer::I64, number)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(bytes) => core::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(_, number) => Some(*number),
            _ => None,
        }
    }

    /// The value where only text can be said, as in MQTT and STOMP. Tables,
    /// arrays and bytes cannot be.
    pub(crate) fn as_text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::String(bytes) => Cow::Borrowed(core::str::from_utf8(bytes).ok()?),
            Self::Bool(b) => Cow::Borrowed(if *b { "true" } else { "false" }),
            Self::Int(_, n) => n.to_string().into(),
            Self::Timestamp(n) => n.to_string().into(),
            Self::F32(n) => n.to_string().into(),
            Self::F64(n) => n.to_string().into(),
            _ => return None,
        })
    }

    /// Equality as declarations and header matching need it: an integer is
    /// the same number whatever its width.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(_, a), Self::Int(_, b)) => a == b,
            (a, b) => a == b,
        }
    }
}

/// An ordered list of named values. Names may repeat (MQTT user properties
/// do); a look-up finds the first.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Headers(pub(crate) Vec<(Text, Value)>);

impl Headers {
    pub(crate) fn get<N: AsRef<[u8]> + ?Sized>(&self, name: &N) -> Option<&Value> {
        let name = name.as_ref();
        self.0.iter().find(|(n, _)| **n == *name).map(|(_, v)| v)
    }

    pub(crate) fn push(&mut self, name: &str, value: Value) {
        self.0.push((Text::from(name), value));
    }

    /// Puts `value` under `name` in place of what was there.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => self.push(name, value),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// Whether both hold the same names with the same values, in any order.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let within = |a: &Self, b: &Self| {
            a.0.iter()
                .all(|(name, value)| b.get(name).is_some_and(|v| v.same(value)))
        };
        within(self, other) && within(other, self)
    }
}

/// Quality of service, MQTT 5.0 section 4.3. Messages from AMQP and STOMP, which
/// have none, count as [`AtLeastOnce`](Qos::AtLeastOnce) whatever their delivery
/// mode, as in RabbitMQ 3.10.8: the one says how a message is handed over, the
/// other what a restart does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[expect(clippy::enum_variant_names, reason = "the standard's names")]
pub(crate) enum Qos {
    #[default]
    AtMostOnce,
    AtLeastOnce,
    ExactlyOnce,
}

/// The properties of a message that more than one protocol knows, under
/// AMQP's names where AMQP has one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Properties {
    pub(crate) content_type: Option<Text>,
    pub(crate) content_encoding: Option<Text>,
    /// AMQP headers, MQTT user properties, STOMP user headers.
    pub(crate) headers: Headers,
    pub(crate) delivery_mode: Option<u8>,
    pub(crate) priority: Option<u8>,
    /// AMQP correlation-id, MQTT correlation data.
    pub(crate) correlation_id: Option<Bytes>,
    /// AMQP reply-to; MQTT response topic `a/b` as `/topic/a.b`.
    pub(crate) reply_to: Option<Text>,
    /// Time to live since [`Message::published`]: AMQP expiration, MQTT
    /// message expiry interval.
    pub(crate) expiration: Option<Duration>,
    pub(crate) message_id: Option<Text>,
    pub(crate) timestamp: Option<u64>,
    pub(crate) kind: Option<Text>,
    pub(crate) user_id: Option<Text>,
    pub(crate) app_id: Option<Text>,
    pub(crate) cluster_id: Option<Text>,
    /// MQTT 5.0 payload format indicator: the body is UTF-8 text.
    pub(crate) payload_is_utf8: Option<bool>,
    pub(crate) qos: Qos,
}

/// One published message, shared by everything it was routed to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) exchange: Name,
    pub(crate) routing_key: Name,
    pub(crate) properties: Properties,
    pub(crate) body: Bytes,
    /// When the broker took it.
    pub(crate) published: Duration,
    pub(crate) origin: Origin,
}

/// Where a message came from, with what only that protocol can say of it: so it
/// goes out over the same protocol as it came in.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Origin {
    /// Published over AMQP: the properties in their encoding.
    Amqp(Bytes),
    /// Published over MQTT.
    Mqtt {
        /// The topic name, which the routing key also says with other separators.
        topic: Name,
        /// RETAIN as the publisher set it (MQTT 5.0 section 3.3.1.3).
        retain: bool,
    },
    /// Published over STOMP: the destination comes back unchanged in MESSAGE
    /// (STOMP 1.2, MESSAGE).
    Stomp { destination: Name },
    /// Made or changed by the broker.
    #[default]
    Broker,
}

/// The delivery mode of a message that outlives the broker.
pub(crate) const PERSISTENT: u8 = 2;

/// Bytes that a header takes besides its name and its value.
const ENTRY: usize = size_of::<(Text, Value)>() + 2 * size_of::<usize>();

impl Value {
    /// Bytes that it holds besides itself. The codec has bounded the depth.
    fn size(&self) -> usize {
        match self {
            Self::String(bytes) | Self::Binary(bytes) => bytes.len(),
            Self::Array(values) => {
                let values = values.iter().map(|value| size_of::<Self>() + value.size());
                values.sum()
            }
            Self::Table(headers) => headers.size(),
            _ => 0,
        }
    }
}

impl Headers {
    /// Bytes that they hold.
    fn size(&self) -> usize {
        let entries = self.0.iter();
        let sizes = entries.map(|(name, value)| ENTRY + name.len() + value.size());
        sizes.sum()
    }
}

impl Properties {
    /// Bytes that they hold.
    fn size(&self) -> usize {
        let texts = [
            &self.content_type,
            &self.content_encoding,
            &self.reply_to,
            &self.message_id,
            &self.kind,
            &self.user_id,
            &self.app_id,
            &self.cluster_id,
        ];
        let texts = texts.into_iter().flatten().map(|text| text.len());
        let correlation_id = self.correlation_id.as_ref().map_or(0, Bytes::len);
        texts.sum::<usize>() + self.headers.size() + correlation_id
    }
}

impl Message {
    /// Bytes that count towards the limits of queues and sessions: what is held for it,
    /// but for what every message has.
    pub(crate) fn size(&self) -> usize {
        let origin = match &self.origin {
            // The encoding of the properties is kept too.
            Origin::Amqp(properties) => properties.len(),
            Origin::Mqtt { topic, .. } => topic.len(),
            Origin::Stomp { destination } => destination.len(),
            Origin::Broker => 0,
        };
        let names = self.exchange.len() + self.routing_key.len();
        self.body.len() + names + origin + self.properties.size()
    }

    /// The message, to be changed: what its publisher's protocol said of it holds no
    /// longer and is left out.
    pub(crate) fn into_edited(self) -> Self {
        Self {
            origin: Origin::Broker,
            ..self
        }
    }

    /// Whether it is to outlive the broker, where it is kept in something that does.
    pub(crate) fn is_lasting(&self) -> bool {
        self.properties.delivery_mode == Some(PERSISTENT)
    }

    /// When its time to live is over, if it has one.
    pub(crate) fn expiry(&self) -> Option<Duration> {
        let ttl = self.properties.expiration?;
        Some(self.published.saturating_add(ttl))
    }

    /// Whether the publisher set RETAIN.
    pub(crate) fn is_retained(&self) -> bool {
        matches!(self.origin, Origin::Mqtt { retain: true, .. })
    }

    /// Whether its time to live is over.
    pub(crate) fn is_expired(&self, now: Duration) -> bool {
        self.properties
            .expiration
            .is_some_and(|ttl| self.published.saturating_add(ttl) <= now)
    }

    /// The routing keys besides the first: AMQP headers `CC` and `BCC`.
    pub(crate) fn extra_routing_keys(&self) -> impl Iterator<Item = &str> {
        self.copies("CC").chain(self.copies("BCC"))
    }

    /// The routing keys in one header.
    pub(crate) fn copies(&self, header: &str) -> impl Iterator<Item = &str> + use<'_> {
        match self.properties.headers.get(header) {
            Some(Value::Array(keys)) => Some(keys.iter().filter_map(Value::as_str)),
            _ => None,
        }
        .into_iter()
        .flatten()
    }
}

/// Swaps `.` and `/`, which is how an MQTT topic becomes an AMQP routing key
/// and back. Its own inverse, so no two topics share a key.
pub(crate) fn swap_separators(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        })
        .collect()
}
