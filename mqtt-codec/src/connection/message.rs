//! Application messages that outlive the bytes they came in.

use alloc::sync::Arc;
use core::time::Duration;

use bytes::Bytes;

use crate::{PropertiesBuf, PropertiesBuilder, Property, QoS};

/// An application message that outlives the bytes it came in. A clone counts three
/// references and copies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it is published.
    pub topic_name: Arc<str>,
    /// The message.
    pub payload: Bytes,
    /// How surely it is delivered.
    pub qos: QoS,
    /// Whether it is, or is to become, a retained message.
    pub retain: bool,
    /// Properties of the message. A connection of 3.x leaves them out. A Topic Alias
    /// has no place here: the connection uses aliases by itself.
    pub properties: PropertiesBuf,
}

impl Message {
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

    /// When it is of no use any more, if that is limited (section 3.3.2.3.3).
    #[inline]
    pub(super) fn expires(&self, now: Duration) -> Option<Duration> {
        if self.properties.is_empty() {
            return None;
        }
        let seconds = self.properties.as_properties().message_expiry_interval()?;
        now.checked_add(Duration::from_secs(seconds.into()))
    }

    /// The properties with this Message Expiry Interval in the place of the first: what is
    /// left of it, in whole seconds (MQTT-3.3.2-6).
    pub(super) fn aged_properties(&self, left: Duration) -> PropertiesBuf {
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let mut builder = PropertiesBuilder::new();
        for property in self.properties.as_properties() {
            let property = match property {
                Property::MessageExpiryInterval(first) => Property::MessageExpiryInterval(
                    u32::try_from(seconds).map_or(first, |seconds| seconds.min(first)),
                ),
                other => other,
            };
            // They stood together before.
            let _ = builder.push(property);
        }
        builder.build()
    }
}
