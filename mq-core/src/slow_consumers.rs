//! What becomes of peers that take what they are sent too slowly.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// What is done about a peer with so much on its way to it that it gets no more deliveries
/// ([`Limits::transmit_high_water`](crate::Limits::transmit_high_water)).
///
/// Whatever it is, memory is bounded: what is not on its way waits in queues and sessions,
/// within the limits of those.
///
/// It is written as `block`, `drop_qos0` or `disconnect:SECONDS`.
///
/// ```
/// use mq_core::SlowConsumers;
///
/// let after = std::time::Duration::from_secs(10);
/// assert_eq!("disconnect:10".parse(), Ok(SlowConsumers::Disconnect { after }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SlowConsumers {
    /// Its messages wait, in all protocols, until it has taken half of what is on its way.
    #[default]
    Block,
    /// Messages that an MQTT client is to get with QoS 0 are dropped meanwhile, as in
    /// Mosquitto. [`Statistics::overflowed`](crate::Statistics::overflowed) counts them, and
    /// [`DropCause::Slow`](crate::DropCause::Slow) reports them. A shared subscription passes
    /// the client over. Everything else waits: QoS 1 and 2, and what is in queues, which AMQP
    /// and STOMP clients consume, also those without acknowledgements.
    DropQos0,
    /// A peer that takes less than half of that limit in this time, while more than half of it
    /// is on its way, is disconnected in the words of its protocol (AMQP: 320,
    /// connection-forced; MQTT 5.0: 0x97, quota exceeded; STOMP: ERROR), as in NATS.
    /// [`Reason::Slow`](crate::Reason::Slow) reports it. What it has not acknowledged is in
    /// its queue or session again; what needs no acknowledgement and is on its way is lost.
    /// Not zero.
    Disconnect {
        /// How long it may take.
        after: Duration,
    },
}

/// Why a text is no [`SlowConsumers`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} says nothing about slow consumers: write block, drop_qos0 or disconnect:SECONDS, with 1 \
     or more"
)]
pub struct SlowConsumersError(String);

impl FromStr for SlowConsumers {
    type Err = SlowConsumersError;

    fn from_str(text: &str) -> Result<Self, SlowConsumersError> {
        let seconds = text.strip_prefix("disconnect:").map(str::parse);
        match (text, seconds) {
            ("block", _) => Ok(Self::Block),
            ("drop_qos0", _) => Ok(Self::DropQos0),
            (_, Some(Ok(seconds @ 1..))) => Ok(Self::Disconnect {
                after: Duration::from_secs(seconds),
            }),
            _ => Err(SlowConsumersError(text.to_string())),
        }
    }
}

impl fmt::Display for SlowConsumers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block => f.write_str("block"),
            Self::DropQos0 => f.write_str("drop_qos0"),
            Self::Disconnect { after } => write!(f, "disconnect:{}", after.as_secs()),
        }
    }
}
