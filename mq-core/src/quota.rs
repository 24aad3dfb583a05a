//! How much a user and a virtual host may have at one time.

/// Limits of one user, as RabbitMQ has them (`rabbitmqctl set_user_limits`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserLimits {
    /// Connections. One more is refused (AMQP: 530). None: as many as there may be.
    pub max_connections: Option<u32>,
    /// Channels of all connections together; an MQTT client has none, a STOMP client has one.
    /// One more ends its connection (AMQP: 530). None: as many as there may be.
    pub max_channels: Option<u32>,
}

/// Limits of one virtual host, as RabbitMQ has them (`rabbitmqctl set_vhost_limits`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VirtualHostLimits {
    /// Connections. One more is refused (AMQP: 530). None: as many as there may be.
    pub max_connections: Option<u32>,
    /// Queues. One more is refused (406). None: [`Limits::queues`](crate::Limits::queues),
    /// which holds besides.
    pub max_queues: Option<u32>,
}
