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

use super::body::Body;
use super::meter::{Counted, Metered};

/// A shared, immutable name: of a queue, an exchange, a routing key.
pub type Name = Arc<str>;

/// A short text of a message: bytes that should be UTF-8. Over AMQP, where others than
/// ours pass on what is not, it goes out as it came; the other protocols cannot say it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// The text, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
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
pub enum Value {
    /// Nothing.
    Void,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(Integer, i64),
    /// A number of 32 bits.
    F32(f32),
    /// A number of 64 bits.
    F64(f64),
    /// A decimal number: `value` divided by ten to the power of `scale`.
    Decimal {
        /// The digits after the point.
        scale: u8,
        /// The digits.
        value: i32,
    },
    /// Text: bytes that should be UTF-8.
    String(Bytes),
    /// Bytes.
    Binary(Bytes),
    /// Seconds of Unix time.
    Timestamp(u64),
    /// Values in their order.
    Array(Vec<Self>),
    /// Values by name.
    Table(Headers),
}

/// The width in which an integer travelled, so that it travels on unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integer {
    /// 8 bits.
    I8,
    /// 8 bits, unsigned.
    U8,
    /// 16 bits.
    I16,
    /// 16 bits, unsigned.
    U16,
    /// 32 bits.
    I32,
    /// 32 bits, unsigned.
    U32,
    /// 64 bits.
    I64,
}

impl Value {
    /// A text.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::String(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// An integer of 64 bits.
    #[must_use]
    pub fn long(number: i64) -> Self {
        Self::Int(Integer::I64, number)
    }

    /// The text, if it is one and UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(bytes) => core::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The integer, if it is one, whatever its width.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(_, number) => Some(*number),
            _ => None,
        }
    }

    /// The value where only text can be said, as in MQTT and STOMP. Tables,
    /// arrays and bytes cannot be.
    #[must_use]
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
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
pub struct Headers(pub(crate) Vec<(Text, Value)>);

impl Headers {
    /// Whether there are none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value of that name.
    #[must_use]
    pub fn get<N: AsRef<[u8]> + ?Sized>(&self, name: &N) -> Option<&Value> {
        let name = name.as_ref();
        self.0.iter().find(|(n, _)| **n == *name).map(|(_, v)| v)
    }

    /// Adds a value at the end, whether the name is there or not.
    pub fn push(&mut self, name: &str, value: Value) {
        self.0.push((Text::from(name), value));
    }

    /// Puts `value` under `name` in place of what was there.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => self.push(name, value),
        }
    }

    /// Takes out the first value of that name.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
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
pub enum Qos {
    /// QoS 0.
    #[default]
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
    /// QoS 2.
    ExactlyOnce,
}

/// The properties of a message that more than one protocol knows, under
/// AMQP's names where AMQP has one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Properties {
    /// The MIME type of the body.
    pub content_type: Option<Text>,
    /// The MIME encoding of the body.
    pub content_encoding: Option<Text>,
    /// AMQP headers, MQTT user properties, STOMP user headers.
    pub headers: Headers,
    /// 1 for what may be lost, 2 for what is to be stored; None counts as 1.
    pub delivery_mode: Option<u8>,
    /// From 0; higher is more urgent.
    pub priority: Option<u8>,
    /// AMQP correlation-id, MQTT correlation data.
    pub correlation_id: Option<Bytes>,
    /// AMQP reply-to; MQTT response topic `a/b` as `/topic/a.b`.
    pub reply_to: Option<Text>,
    /// Time to live since [`Message::published`]: AMQP expiration, MQTT
    /// message expiry interval.
    pub expiration: Option<Duration>,
    /// The name that the publisher gave it.
    pub message_id: Option<Text>,
    /// When it was made, in seconds of Unix time, as its publisher says.
    pub timestamp: Option<u64>,
    /// AMQP type: what the application calls this kind of message.
    pub kind: Option<Text>,
    /// The user who published it.
    pub user_id: Option<Text>,
    /// The application that made it.
    pub app_id: Option<Text>,
    /// For AMQP only.
    pub cluster_id: Option<Text>,
    /// MQTT 5.0 payload format indicator: the body is UTF-8 text.
    pub payload_is_utf8: Option<bool>,
    /// How it is handed over at most.
    pub qos: Qos,
}

/// One published message, shared by everything it was routed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The exchange that it is published to. Empty: the default exchange, whose keys are names of queues.
    pub exchange: Name,
    /// What the exchange routes it by.
    pub routing_key: Name,
    /// What else is said of it.
    pub properties: Properties,
    /// What it carries.
    pub body: Body,
    /// When the broker took it.
    pub published: Duration,
    /// Where it came from.
    pub origin: Origin,
    /// That the broker counts what it holds: nothing that it says.
    pub counted: Counted,
}

/// Bytes that a message takes beside those that its size counts: itself, and its places
/// in a queue and in the journal.
const OVERHEAD: usize = size_of::<Message>() + 256;

impl Metered for Message {
    fn weight(&self) -> usize {
        self.size() - self.counted.absent_len() + OVERHEAD
    }

    fn counted(&mut self) -> &mut Counted {
        &mut self.counted
    }
}

/// Where a message came from, with what only that protocol can say of it: so it
/// goes out over the same protocol as it came in.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Origin {
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
    Stomp {
        /// The destination, in the words of the client.
        destination: Name,
    },
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
        let len = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.len());
        len(&self.content_type)
            + len(&self.content_encoding)
            + len(&self.reply_to)
            + len(&self.message_id)
            + len(&self.kind)
            + len(&self.user_id)
            + len(&self.app_id)
            + len(&self.cluster_id)
            + self.correlation_id.as_ref().map_or(0, Bytes::len)
            + self.headers.size()
    }
}

impl Message {
    /// Bytes that count towards the limits of queues and sessions: what is held for it,
    /// but for what every message has.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        // One that is counted has been measured, and does not change.
        let Some(weight) = self.counted.weight() else {
            return self.measure();
        };
        let size = weight - OVERHEAD + self.counted.absent_len();
        debug_assert_eq!(size, self.measure(), "edited while it was counted");
        size
    }

    #[cold]
    fn measure(&self) -> usize {
        let origin = match &self.origin {
            // The encoding of the properties is kept too.
            Origin::Amqp(properties) => properties.len(),
            Origin::Mqtt { topic, .. } => topic.len(),
            Origin::Stomp { destination } => destination.len(),
            Origin::Broker => 0,
        };
        let names = self.exchange.len() + self.routing_key.len();
        self.body_len() + names + origin + self.properties.size()
    }

    /// Bytes of its body, which may have left memory.
    pub(crate) fn body_len(&self) -> usize {
        self.body.len() + self.counted.absent_len()
    }

    /// Whether its body has left memory.
    pub(crate) fn is_absent(&self) -> bool {
        self.counted.absent_len() > 0
    }

    /// It without its body, and without a share in the memory that the body came in.
    pub(crate) fn without_body(&self) -> Self {
        let mut message = self.clone();
        message.counted = Counted::absent(self.body.len());
        message.body = Body::default();
        message.detach();
        message
    }

    /// It with a copy of its body, and without a share in the memory that it came in.
    pub(crate) fn detached(mut self) -> Self {
        self.body = self.body.copy().into();
        self.detach();
        self
    }

    /// Copies what lies in the memory that the body came in.
    fn detach(&mut self) {
        let message = self;
        if let Origin::Amqp(encoded) = &mut message.origin {
            *encoded = Bytes::copy_from_slice(encoded);
        }
        if let Some(id) = &mut message.properties.correlation_id {
            *id = Bytes::copy_from_slice(id);
        }
        for (_, value) in &mut message.properties.headers.0 {
            if let Value::String(bytes) | Value::Binary(bytes) = value {
                *bytes = Bytes::copy_from_slice(bytes);
            }
        }
    }

    /// It with its body.
    pub(crate) fn with_body(&self, body: Bytes) -> Self {
        let mut message = self.clone();
        message.counted = Counted::default();
        message.body = body.into();
        message
    }

    /// The message, to be changed: what its publisher's protocol said of it holds no
    /// longer and is left out.
    pub(crate) fn into_edited(mut self) -> Self {
        self.origin = Origin::Broker;
        self.counted = Counted::absent(self.counted.absent_len());
        self
    }

    /// Whether it is to outlive the broker, where it is kept in something that does.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.properties.delivery_mode == Some(PERSISTENT)
    }

    /// When its time to live is over, if it has one.
    #[must_use]
    pub fn expiry(&self) -> Option<Duration> {
        let ttl = self.properties.expiration?;
        Some(self.published.saturating_add(ttl))
    }

    /// Whether the publisher set RETAIN.
    #[must_use]
    pub fn is_retained(&self) -> bool {
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
