//! How a client behaves.

use core::time::Duration;

use crate::Limits;
use crate::connection::TopicAliasPolicy;

/// Who acknowledges the messages of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledgements {
    /// The connection, as it hands a message out.
    #[default]
    Automatic,
    /// The embedder, with [`acknowledge`](super::ClientConnection::acknowledge).
    Manual,
}

/// How a client's connection behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What is decoded. The Maximum Packet Size of CONNECT, if it is smaller, goes before
    /// the one in here.
    pub limits: Limits,
    /// How long the server may take from CONNECT to CONNACK. Default: 10 seconds.
    pub connect_timeout: Duration,
    /// How long the server may take from PINGREQ to PINGRESP. Default: 10 seconds.
    pub ping_timeout: Duration,
    /// Who acknowledges the messages of the server. Default: the connection.
    pub acknowledgements: Acknowledgements,
    /// Which topic names get a topic alias when they are sent. Default: none.
    pub topic_alias_policy: TopicAliasPolicy,
    /// The most topic names to have an alias at a time, whatever the server's Topic Alias
    /// Maximum: each is kept, and may have 65,535 bytes. Default: 16.
    pub outbound_topic_alias_maximum: u16,
    /// The most QoS 1 and QoS 2 messages to have under way, whatever the server's
    /// Receive Maximum; 0 counts as 1 (MQTT-4.9.0-1). They are held here until it
    /// acknowledges them, and are sent again on the next connection. Default: 20,
    /// as Mosquitto and paho have it: Mosquitto loses QoS 2 messages that are over it.
    pub maximum_in_flight: u16,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            limits: Limits::DEFAULT,
            connect_timeout: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(10),
            acknowledgements: Acknowledgements::Automatic,
            topic_alias_policy: TopicAliasPolicy::Never,
            outbound_topic_alias_maximum: 16,
            maximum_in_flight: 20,
        }
    }
}
