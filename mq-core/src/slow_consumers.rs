//! What becomes of peers that take what they are sent too slowly.

use core::time::Duration;

/// What is done about a peer with so much on its way to it that it gets no more deliveries
/// ([`Limits::transmit_high_water`](crate::Limits::transmit_high_water)).
///
/// Whatever it is, memory is bounded: what is not on its way waits in queues and sessions,
/// within the limits of those.
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
