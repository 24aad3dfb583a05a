//! Whose words STOMP's destinations and headers are.

/// What STOMP leaves to the server, and servers do in their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StompDialect {
    /// RabbitMQ's: `/topic/a.*` and `/topic/a.#`, NACK puts back, `expiration` is a time to
    /// live in milliseconds.
    #[default]
    RabbitMq,
    /// ActiveMQ's: `/topic/a.*` and `/topic/a.>`, a destination without a prefix is a queue,
    /// SUBSCRIBE to `/temp-queue/N`, NACK is for the dead-letter queue `ActiveMQ.DLQ`, which
    /// queues that are made get, `expires` and `timestamp` are milliseconds of Unix time.
    ActiveMq,
}
