//! What a client asks for with its subscriptions and its will.

use alloc::sync::Arc;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::model::message::{Message, Qos};

/// What a subscription asks for (MQTT 5.0 section 3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The QoS of its messages at most.
    pub qos: Qos,
    /// Without what this client publishes.
    pub no_local: bool,
    /// RETAIN stays as the publisher set it.
    pub retain_as_published: bool,
    /// Its subscription identifier, which goes out with each message.
    pub identifier: Option<NonZeroU32>,
}

/// A will message, and how long after the end of the connection it is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Will {
    /// The message.
    pub message: Arc<Message>,
    /// How long.
    pub delay: Duration,
}
