//! What one peer may make the broker hold, and what happens at each limit.

/// Bounds on everything a peer can make grow.
///
/// Every field has a safe default. What happens at a limit is written beside
/// it; nothing is ever dropped without a policy that says so. As
/// [`Config`](crate::Config), it can be taken apart without `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes handed out as [`Output::Transmit`](crate::Output::Transmit) and not
    /// yet reported as [`Input::Transmitted`](crate::Input::Transmitted), above
    /// which nothing more is delivered to that connection until it falls to half.
    pub transmit_high_water: usize,
    /// Bytes received and not yet processed, above which the connection gets
    /// [`Output::Pause`](crate::Output::Pause) until half of them are gone.
    pub receive_high_water: usize,
    /// Connections at one time. One more is closed at once.
    pub connections: usize,
    /// Size of one message body in bytes. A larger one is refused by the
    /// protocol's own means (AMQP: channel error 406; MQTT: 0x95; STOMP: ERROR).
    pub message_size: usize,
    /// Headers of one message: MQTT user properties, also of a will, entries of AMQP's
    /// headers and arguments with those of the tables in them, header lines of a STOMP
    /// frame. Each weighs more here than on the wire. More are refused (AMQP: channel
    /// error 406; MQTT: 0x95; STOMP: ERROR).
    pub headers: usize,
    /// Ready messages in one queue. At the limit the queue's `x-overflow`
    /// decides: the oldest is dropped, or the publish is refused.
    pub queue_messages: usize,
    /// Bytes of ready messages in one queue, bodies, names and properties; same policy.
    pub queue_bytes: usize,
    /// Queues in one virtual host. One more is refused (406).
    pub queues: usize,
    /// Exchanges in one virtual host. One more is refused (406).
    pub exchanges: usize,
    /// Bindings of one exchange. One more is refused (406).
    pub bindings: usize,
    /// Messages waiting in one MQTT session, those that have expired left out. At
    /// the limit the newest is dropped and counted. Where nobody else has it, an MQTT
    /// 5 publisher gets 0x97, and one over AMQP that wants confirms a nack.
    pub session_messages: usize,
    /// Bytes of messages waiting in one MQTT session, properties and topics too, and of
    /// its will; same policy.
    pub session_bytes: usize,
    /// MQTT sessions, connected or not. A connection that would need one more
    /// is refused (MQTT 5: 0x97, quota exceeded).
    pub sessions: usize,
    /// Subscriptions of one MQTT session. One more gets 0x97 in its SUBACK.
    pub subscriptions: usize,
    /// Topic filters in one MQTT SUBSCRIBE or UNSUBSCRIBE. One more ends the connection
    /// (MQTT 5: 0x97, quota exceeded).
    pub topic_filters: usize,
    /// Retained messages, those that have expired left out. One more is delivered,
    /// but not retained: that is counted, and an MQTT 5 publisher gets 0x97.
    pub retained_messages: usize,
    /// Bytes of retained messages, with their properties and the levels of their topics;
    /// same policy.
    pub retained_bytes: usize,
    /// Messages that wait for their time in one virtual host, of all exchanges that delay
    /// them. One more is refused as one to a full queue is.
    pub delayed_messages: usize,
    /// Levels of an MQTT topic name or filter. More are refused as invalid.
    pub topic_levels: usize,
    /// Operations held by one open transaction. One more is refused (AMQP:
    /// channel error 406, STOMP: ERROR).
    pub transaction_operations: usize,
    /// Bytes of messages held by one open transaction, properties too; same policy.
    pub transaction_bytes: usize,
    /// Open transactions of one STOMP connection. One more gets an ERROR.
    pub transactions: usize,
    /// Subscriptions (STOMP) or consumers of a channel (AMQP). One more is refused.
    pub consumers: usize,
    /// Deliveries that one AMQP channel or STOMP connection may hold
    /// unacknowledged, whatever prefetch it asked for. At the limit it gets no
    /// more until it acknowledges.
    pub unacknowledged: u32,
    /// Bytes that were appended to the store and are not reported as
    /// [`Input::Durable`](crate::Input::Durable) yet, above which a connection that
    /// publishes what has to be stored is read no further, until half of them are. AMQP
    /// clients that announce `connection.blocked` receive it.
    pub store_high_water: usize,
    /// Bytes that all messages of the broker hold together, bodies, properties and what is
    /// kept about each of them, from which on a connection that publishes is read no further,
    /// until no more than [`memory_low_water`](Self::memory_low_water) are. AMQP clients that
    /// announce `connection.blocked` receive it. A connection that has something to
    /// acknowledge is read until a quarter more is held, so that it can acknowledge.
    pub memory_high_water: usize,
    /// Bytes held at which those go on. More than `memory_high_water` counts as that.
    pub memory_low_water: usize,
    /// Bytes held above which stored messages that are in queues alone leave memory: as runs
    /// where many lie together far from the head of one queue, and otherwise bodies of 256
    /// bytes and more. They are read back before consumers want them. Recovery keeps no more
    /// than about that in memory, either. Only with [`Store::Log`](crate::Store::Log).
    pub memory_spill: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transmit_high_water: 1 << 20,
            receive_high_water: 1 << 20,
            connections: 100_000,
            message_size: 128 << 20,
            headers: 1_000,
            queue_messages: 1_000_000,
            queue_bytes: 1 << 30,
            queues: 100_000,
            exchanges: 10_000,
            bindings: 100_000,
            session_messages: 100_000,
            session_bytes: 256 << 20,
            sessions: 100_000,
            subscriptions: 10_000,
            topic_filters: 10_000,
            retained_messages: 100_000,
            retained_bytes: 256 << 20,
            delayed_messages: 1_000_000,
            topic_levels: 200,
            transaction_operations: 100_000,
            transaction_bytes: 64 << 20,
            transactions: 1_000,
            consumers: 10_000,
            unacknowledged: 1_000_000,
            store_high_water: 16 << 20,
            memory_high_water: 2 << 30,
            memory_low_water: 3 << 29,
            memory_spill: 1 << 30,
        }
    }
}
