//! Application messages: what is sent, and what outlives the bytes that it came in.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
use core::time::Duration;

use bytes::Bytes;

use crate::setters::setters;
use crate::{Properties, PropertiesBuf, PropertiesBuilder, Property, PropertyIdentifier, QoS};

/// An application message to be sent.
///
/// ```
/// use mqtt_codec::connection::Message;
/// use mqtt_codec::{PropertiesBuilder, Property, QoS};
///
/// let unit = PropertiesBuilder::new().with(Property::UserProperty("unit", "celsius"))?;
/// let message = Message::new("station/12", "21.5", QoS::AtLeastOnce)
///     .with_retain(true)
///     .with_properties(unit.as_properties());
/// # Ok::<(), mqtt_codec::PropertyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Where it is published.
    pub topic_name: &'a str,
    /// The message.
    pub payload: Payload<'a>,
    /// How surely it is delivered.
    pub qos: QoS,
    /// Whether it is, or is to become, a retained message.
    pub retain: bool,
    /// Properties of the message. A connection of 3.x leaves them out. A Topic Alias
    /// has no place here: the connection uses aliases automatically.
    pub properties: Properties<'a>,
}

impl<'a> Message<'a> {
    /// A message that is not retained and has no properties.
    #[must_use]
    #[inline]
    pub fn new(topic_name: &'a str, payload: impl Into<Payload<'a>>, qos: QoS) -> Self {
        Self {
            topic_name,
            payload: payload.into(),
            qos,
            retain: false,
            properties: Properties::EMPTY,
        }
    }

    /// An owned copy. A payload that is shared is not copied.
    #[must_use]
    pub fn to_buf(&self) -> MessageBuf {
        MessageBuf {
            topic_name: self.topic_name.into(),
            payload: self.payload.to_bytes(),
            qos: self.qos,
            retain: self.retain,
            properties: self.properties.to_buf(),
        }
    }

    /// When it is of no use any more, if that is limited (section 3.3.2.3.3).
    #[inline]
    pub(super) fn expires(&self, now: Duration) -> Option<Duration> {
        let limited = PropertyIdentifier::MessageExpiryInterval;
        if !self.properties.contains(limited) {
            return None;
        }
        let seconds = self.properties.message_expiry_interval()?;
        now.checked_add(Duration::from_secs(seconds.into()))
    }

    /// The properties with this Message Expiry Interval in the place of the first: what is
    /// left of it, in whole seconds (MQTT-3.3.2-6).
    pub(super) fn aged_properties(&self, left: Duration) -> PropertiesBuilder {
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let mut builder = PropertiesBuilder::new();
        for property in self.properties {
            let property = match property {
                Property::MessageExpiryInterval(first) => Property::MessageExpiryInterval(
                    u32::try_from(seconds).map_or(first, |seconds| seconds.min(first)),
                ),
                other => other,
            };
            // They stood together before.
            let _ = builder.push(property);
        }
        builder
    }
}

setters! { Message<'a> {
    with_retain(retain: bool);
    with_properties(properties: Properties<'a>);
} }

/// The payload of a [`Message`].
///
/// What a session keeps of a payload that is shared is a reference, if it is large; of one that
/// is borrowed, a copy.
#[derive(Clone, Copy)]
pub enum Payload<'a> {
    /// Bytes that are copied where they are to be kept.
    Borrowed(&'a [u8]),
    /// Bytes of which another reference can be had.
    Shared(&'a Bytes),
}

impl Payload<'_> {
    /// An owned copy; a reference where it is shared.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Shared(bytes) => Bytes::clone(bytes),
        }
    }
}

impl<'a> Payload<'a> {
    /// The bytes.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &'a [u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Payload<'_> {}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

macro_rules! borrowed {
    ($($type:ty),*) => {$(
        impl<'a> From<&'a $type> for Payload<'a> {
            #[inline]
            fn from(bytes: &'a $type) -> Self {
                Self::Borrowed(bytes.as_ref())
            }
        }
    )*};
}

borrowed! { [u8], str, Vec<u8>, String }

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Borrowed(bytes)
    }
}

impl<'a> From<&'a Bytes> for Payload<'a> {
    #[inline]
    fn from(bytes: &'a Bytes) -> Self {
        Self::Shared(bytes)
    }
}

/// An application message that outlives the bytes it came in. A clone counts three
/// references and copies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageBuf {
    /// Where it is published.
    pub topic_name: Arc<str>,
    /// The message.
    pub payload: Bytes,
    /// How surely it is delivered.
    pub qos: QoS,
    /// Whether it is, or is to become, a retained message.
    pub retain: bool,
    /// Properties of the message, without a Topic Alias.
    pub properties: PropertiesBuf,
}

impl MessageBuf {
    /// A message that is not retained and has no properties.
    #[must_use]
    pub fn new(topic_name: &str, payload: impl Into<Bytes>, qos: QoS) -> Self {
        Self {
            topic_name: topic_name.into(),
            payload: payload.into(),
            qos,
            retain: false,
            properties: PropertiesBuf::new(),
        }
    }

    /// The message, to be sent.
    #[must_use]
    #[inline]
    pub fn as_message(&self) -> Message<'_> {
        Message {
            topic_name: &self.topic_name,
            payload: Payload::Shared(&self.payload),
            qos: self.qos,
            retain: self.retain,
            properties: self.properties.as_properties(),
        }
    }
}
