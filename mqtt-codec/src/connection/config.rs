//! How a connection behaves.

use core::time::Duration;

use super::TopicAliasPolicy;
use crate::settings::settings;
use crate::{Limits, QoS};

/// What is decoded before login: a CONNECT whose will has 65,535 bytes, and as much beside it.
const BEFORE_LOGIN: Limits = Limits::DEFAULT.with_maximum_packet_size(128 * 1024);

/// Who acknowledges the messages of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Acknowledgements {
    /// The connection, as it hands a message out.
    #[default]
    Automatic,
    /// The embedder, with [`acknowledge`](super::Connection::acknowledge).
    Manual,
}

/// Who sends PUBREL and PUBCOMP: the second half of the handshake of a QoS 2 message
/// (section 4.3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Handshakes {
    /// The connection: PUBREL when PUBREC comes, PUBCOMP when PUBREL comes.
    #[default]
    Automatic,
    /// The embedder, with [`release`](super::Connection::release) and
    /// [`complete`](super::Connection::complete): once its disk has what PUBREC and PUBREL
    /// said, so that a crash makes no message come twice.
    Manual,
}

settings! {
    /// How a client's connection behaves.
    pub struct ClientConfig {
        /// What is decoded before CONNACK: CONNACK and AUTH. Default: that of [`Limits`], and
        /// packets of 128 KiB at most.
        pub limits_before_login, with_limits_before_login: Limits = BEFORE_LOGIN;
        /// What is decoded after CONNACK. The Maximum Packet Size of CONNECT, if it is smaller,
        /// takes precedence over the one in here.
        pub limits, with_limits: Limits = Limits::DEFAULT;
        /// How long the server may take from CONNECT to CONNACK. Default: 10 seconds.
        pub handshake_timeout, with_handshake_timeout: Duration = Duration::from_secs(10);
        /// How long the server may be silent after PINGREQ, until PINGRESP. Default: 10 seconds.
        pub ping_timeout, with_ping_timeout: Duration = Duration::from_secs(10);
        /// Who acknowledges the messages of the server. Default: the connection.
        pub acknowledgements, with_acknowledgements: Acknowledgements = Acknowledgements::Automatic;
        /// Who sends PUBREL and PUBCOMP. Default: the connection.
        pub handshakes, with_handshakes: Handshakes = Handshakes::Automatic;
        /// Which topic names get a topic alias when they are sent. Default: none.
        pub topic_alias_policy, with_topic_alias_policy: TopicAliasPolicy = TopicAliasPolicy::Never;
        /// The most topic names to have an alias at a time, whatever the server's Topic Alias
        /// Maximum: each is kept, and may have 65,535 bytes. Default: 16.
        pub outbound_topic_alias_maximum, with_outbound_topic_alias_maximum: u16 = 16;
        /// The most QoS 1 and QoS 2 messages to have under way, whatever the server's Receive
        /// Maximum; 0 counts as 1 (MQTT-4.9.0-1). They are kept here until it acknowledges
        /// them, and are sent again on the next connection. Default: 20, as paho has it:
        /// Debian's Mosquitto loses QoS 2 messages over it.
        pub maximum_in_flight, with_maximum_in_flight: u16 = 20;
    }
}

settings! {
    /// What a server offers to every client. What differs from the protocol's default is
    /// announced in the CONNACK of 5.0; what a client then breaks ends its connection.
    pub struct ServerConfig {
        /// What is decoded before CONNECT is accepted: CONNECT and AUTH of a stranger. Default:
        /// that of [`Limits`], and packets of 128 KiB at most.
        pub limits_before_login, with_limits_before_login: Limits = BEFORE_LOGIN;
        /// What is decoded after login. The largest packet is announced as Maximum Packet Size.
        pub limits, with_limits: Limits = Limits::DEFAULT;
        /// How long a client may take until CONNECT, and for each AUTH before CONNACK.
        /// Default: 10 seconds.
        pub handshake_timeout, with_handshake_timeout: Duration = Duration::from_secs(10);
        /// Who sends PUBREL and PUBCOMP. Default: the connection.
        pub handshakes, with_handshakes: Handshakes = Handshakes::Automatic;
        /// How many QoS 1 and QoS 2 messages a client may have under way. Not 0. 3.x has no
        /// word for it, and is not held to it. Default: 65,535.
        pub receive_maximum, with_receive_maximum: u16 = u16::MAX;
        /// The highest topic alias that a client may use. Default: 0, none.
        pub topic_alias_maximum, with_topic_alias_maximum: u16 = 0;
        /// The highest QoS that a client may publish with. Default: 2.
        pub maximum_qos, with_maximum_qos: QoS = QoS::ExactlyOnce;
        /// Whether messages may be retained. Default: yes.
        pub retain_available, with_retain_available: bool = true;
        /// Whether subscriptions may have wildcards. Default: yes.
        pub wildcard_subscription_available, with_wildcard_subscription_available: bool = true;
        /// Whether subscriptions may have identifiers. Default: yes.
        pub subscription_identifiers_available, with_subscription_identifiers_available: bool = true;
        /// Whether subscriptions may be shared. Default: yes.
        pub shared_subscription_available, with_shared_subscription_available: bool = true;
        /// Which topic names get a topic alias when they are sent. Default: none.
        pub topic_alias_policy, with_topic_alias_policy: TopicAliasPolicy = TopicAliasPolicy::Never;
        /// The most topic names to have an alias at a time, whatever the client's Topic Alias
        /// Maximum: each is kept, and may have 65,535 bytes. Default: 16.
        pub outbound_topic_alias_maximum, with_outbound_topic_alias_maximum: u16 = 16;
        /// The most QoS 1 and QoS 2 messages to have under way to a client, whatever its
        /// Receive Maximum; 0 counts as 1 (MQTT-4.9.0-1). A client of 3.x has no way to say
        /// one, and most of 5.0 do not: what is under way is kept here until they acknowledge
        /// it, and is sent again on the next connection. Default: 20, as Mosquitto has it.
        pub maximum_in_flight, with_maximum_in_flight: u16 = 20;
    }
}
