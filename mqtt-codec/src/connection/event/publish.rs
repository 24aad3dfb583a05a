//! The messages in what the peer did.

use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;

use bytes::Bytes;

use crate::connection::MessageBuf;
use crate::{
    PacketIdentifier, Properties, PropertiesBuf, PropertiesBuilder, Property, PropertyIdentifier,
    Publish, QoS, TopicName,
};

/// A PUBLISH that was received. What a topic alias stood for has been put in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboundPublish<'a> {
    /// Where it is published.
    pub topic_name: ResolvedTopicName<'a>,
    /// The message; empty if it comes in parts.
    pub payload: &'a [u8],
    /// How surely it is delivered.
    pub qos: QoS,
    /// Whether it is, or is to become, a retained message.
    pub retain: bool,
    /// Whether it may have come before. A QoS 2 message that has come before does not
    /// come again, whatever this says.
    pub dup: bool,
    /// What to acknowledge it by: there with QoS 1 and 2.
    pub packet_identifier: Option<PacketIdentifier>,
    /// Properties as they came, the topic alias among them.
    pub properties: Properties<'a>,
    payload_length: u32,
}

impl<'a> InboundPublish<'a> {
    #[inline]
    pub(in crate::connection) fn new(
        publish: &Publish<'a>,
        topic_name: ResolvedTopicName<'a>,
        payload_length: u32,
    ) -> Self {
        Self {
            topic_name,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            packet_identifier: publish.packet_identifier,
            properties: publish.properties,
            payload_length,
        }
    }
}

impl InboundPublish<'_> {
    /// Length of the payload in bytes, wherever it is.
    #[must_use]
    pub fn payload_length(&self) -> u64 {
        self.payload_length.into()
    }

    /// Whether the payload is here. If not, it comes in parts, which are the next events:
    /// the packet is larger than [`Limits::assembled_size`](crate::Limits::assembled_size).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.payload.len() == self.payload_length as usize
    }

    /// An owned copy, without the topic alias. `None` of a message that is not whole.
    #[must_use]
    pub fn to_message(&self) -> Option<MessageBuf> {
        self.is_whole()
            .then(|| self.with_payload(Bytes::copy_from_slice(self.payload)))
    }

    /// An owned copy with this payload, without the topic alias: for a payload that comes
    /// in parts, or that need not be copied.
    // keeps: 5.0 MQTT-3.3.1-3, 5.0 MQTT-3.3.2-4, 5.0 MQTT-3.3.2-15, 5.0 MQTT-3.3.2-16,
    // keeps: 5.0 MQTT-3.3.2-17, 5.0 MQTT-3.3.2-18, 5.0 MQTT-3.3.2-20, 3.1.1 MQTT-3.3.1-3
    #[must_use]
    pub fn with_payload(&self, payload: impl Into<Bytes>) -> MessageBuf {
        MessageBuf {
            topic_name: self.topic_name.to_shared(),
            payload: payload.into(),
            qos: self.qos,
            retain: self.retain,
            properties: without_topic_alias(self.properties),
        }
    }
}

fn without_topic_alias(properties: Properties<'_>) -> PropertiesBuf {
    if !properties.contains(PropertyIdentifier::TopicAlias) {
        return properties.to_buf();
    }
    let mut builder = PropertiesBuilder::new();
    for property in properties {
        if !matches!(property, Property::TopicAlias(_)) {
            // Nothing that one packet carried is refused.
            let _ = builder.push(property);
        }
    }
    builder.build()
}

/// A topic name: from the packet, or from an earlier one by way of a topic alias.
#[derive(Clone)]
pub enum ResolvedTopicName<'a> {
    /// It stands in the packet.
    Borrowed(TopicName<'a>),
    /// A topic alias stands for it.
    Shared(Arc<str>),
}

impl ResolvedTopicName<'_> {
    /// An owned copy; no copy but a reference where there was a topic alias.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        match self {
            Self::Borrowed(name) => Arc::from(name.as_str()),
            Self::Shared(name) => Arc::clone(name),
        }
    }

    /// The name, to be put into another packet.
    #[must_use]
    pub fn as_topic_name(&self) -> TopicName<'_> {
        match self {
            Self::Borrowed(name) => *name,
            Self::Shared(name) => TopicName::checked(name),
        }
    }
}

impl Deref for ResolvedTopicName<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(name) => name,
            Self::Shared(name) => name,
        }
    }
}

impl PartialEq for ResolvedTopicName<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ResolvedTopicName<'_> {}

impl PartialEq<str> for ResolvedTopicName<'_> {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for ResolvedTopicName<'_> {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Debug for ResolvedTopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for ResolvedTopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
