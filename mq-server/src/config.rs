//! What an embedder says to start a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mq_core::{Interceptor, Protocol};

use crate::authenticator::Authenticator;
use crate::bridge::{Bridge, BridgeProtocol};
use crate::store::Storage;
use crate::transport::{Endpoint, TlsFiles};

/// A protocol's name as people write it: `AMQP`, `MQTT`, `STOMP`.
#[must_use]
pub fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Amqp => "AMQP",
        Protocol::Mqtt => "MQTT",
        Protocol::Stomp => "STOMP",
        _ => "unknown",
    }
}

/// Where each protocol listens. `None` leaves that protocol out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// AMQP 0-9-1; the standard port is 5672.
    pub amqp: Option<SocketAddr>,
    /// MQTT 3.1, 3.1.1 and 5.0; the standard port is 1883.
    pub mqtt: Option<SocketAddr>,
    /// STOMP 1.0, 1.1 and 1.2; the port in common use is 61613.
    pub stomp: Option<SocketAddr>,
}

impl Listen {
    /// All three protocols on these ports of 127.0.0.1. Port 0 asks the
    /// operating system for a free one.
    #[must_use]
    pub fn loopback(amqp: u16, mqtt: u16, stomp: u16) -> Self {
        let at = |port| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self {
            amqp: at(amqp),
            mqtt: at(mqtt),
            stomp: at(stomp),
        }
    }

    /// No protocol at all, to switch single ones on.
    #[must_use]
    pub fn none() -> Self {
        Self {
            amqp: None,
            mqtt: None,
            stomp: None,
        }
    }

    /// The protocols that are on, each with its address.
    pub fn iter(&self) -> impl Iterator<Item = (Protocol, SocketAddr)> + use<> {
        [
            (Protocol::Amqp, self.amqp),
            (Protocol::Mqtt, self.mqtt),
            (Protocol::Stomp, self.stomp),
        ]
        .into_iter()
        .filter_map(|(protocol, address)| Some((protocol, address?)))
    }

    pub(crate) fn set(&mut self, protocol: Protocol, address: SocketAddr) {
        match protocol {
            Protocol::Amqp => self.amqp = Some(address),
            Protocol::Mqtt => self.mqtt = Some(address),
            Protocol::Stomp => self.stomp = Some(address),
            _ => {}
        }
    }
}

impl Default for Listen {
    /// The standard ports on 127.0.0.1: 5672, 1883 and 61613.
    fn default() -> Self {
        Self::loopback(5672, 1883, 61613)
    }
}

/// Everything that [`Server::start`](crate::Server::start) needs.
///
/// Start from [`Config::default`] or [`Config::ephemeral`] and set fields.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: Listen,
    /// More listeners: TLS, WebSocket, Unix sockets, one port for all protocols.
    pub endpoints: Vec<Endpoint>,
    /// The certificate for the listeners with TLS. Default: none.
    pub tls: Option<TlsFiles>,
    /// How long a peer may take until its protocol begins: for TLS, the WebSocket
    /// handshake, the PROXY header and, where anything is spoken, its first bytes.
    /// Default 10 s.
    pub handshake_timeout: Duration,
    /// Users, virtual hosts and the limits of the broker itself. The server sets its
    /// `unix_time`, `authentication`, `drain_on_takeover` and `store`.
    pub broker: mq_core::Config,
    /// Who checks who peers are. Default: the broker, by its `users`.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// Sees each message before it is routed, and may change or refuse it. The broker waits
    /// for it. Default: nobody.
    pub interceptor: Option<Arc<Mutex<dyn Interceptor>>>,
    /// Where the log is kept from which a server that is started again goes on: what is
    /// confirmed is in there. Default: nowhere; all is gone with the server then, and what is
    /// confirmed is in memory.
    pub store: Option<Arc<dyn Storage>>,
    /// Other MQTT brokers with which messages are exchanged. Default: none.
    pub bridges: Vec<Bridge>,
    /// Bytes that are to stay free where the store is. While fewer are, publishers wait, also
    /// those of transient messages: RabbitMQ's `disk_free_limit`. How often it is looked
    /// depends on how far it is from that: every 10 seconds to every 100 milliseconds. Zero:
    /// it is not looked at; a store that has no room left has publishers of what is stored
    /// wait all the same. Default: 50 MB, as in RabbitMQ.
    pub disk_free_limit: u64,
    /// Connections of one TCP listener that the operating system completes before they are
    /// accepted; it may have a lower limit of its own. Default 1,024.
    pub tcp_backlog: u32,
    /// After how long without a byte the operating system asks a TCP peer whether it is still
    /// there, and then every third of that; a peer that vanished without a word is found so
    /// also in protocols without a keep-alive of their own. Zero: it does not ask. Default
    /// 30 s.
    pub tcp_keepalive: Duration,
    /// Open sockets at one time, over all protocols. A connection over it is
    /// closed at once. Default 10,000.
    pub max_connections: u32,
    /// Open sockets at one time from one IP address; from behind a proxy that speaks the
    /// PROXY protocol, the address that it names. A connection over it is closed at once.
    /// Default 10,000.
    pub max_connections_per_address: u32,
    /// A peer that takes no byte of what is waiting for it for this long is given up, and so
    /// is one that has not taken all of it so long after the end of its connection. Default
    /// 60 s.
    pub write_timeout: Duration,
    /// How long a connection that is over may take to receive its last bytes
    /// and close its own side. Default 2 s.
    pub linger: Duration,
    /// How long [`Server::shutdown`](crate::Server::shutdown) waits for peers
    /// to take their goodbyes before it cuts them off. Default 5 s.
    pub shutdown_grace: Duration,
}

impl Config {
    /// The defaults, on ports that the operating system chooses on 127.0.0.1.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self {
            listen: Listen::loopback(0, 0, 0),
            ..Self::default()
        }
    }
}

/// Settings that contradict themselves, or can serve nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A listener's virtual host that is none.
    #[error("{endpoint} names a virtual host that is not in virtual_hosts")]
    VirtualHost {
        /// The listener.
        endpoint: String,
    },
    /// A bridge with a topic that is none.
    #[error("bridge {name:?}: {reason}")]
    Bridge {
        /// The name of the bridge.
        name: String,
        /// What is wrong with it.
        reason: mq_core::BridgeTopicError,
    },
    /// A bridge that would get back what it publishes.
    #[error(
        "bridge {name:?}: {topic:?} comes in and goes out under one name there, which needs MQTT 5.0"
    )]
    BridgeEcho {
        /// The name of the bridge.
        name: String,
        /// The topic that comes in.
        topic: String,
    },
    /// Those of the broker itself.
    #[error(transparent)]
    Broker(#[from] mq_core::ConfigError),
    /// A setting that may not be zero.
    #[error("{name} is 0: {consequence}; set 1 or more, or leave it out for the default")]
    Zero {
        /// Its name in the settings.
        name: &'static str,
        /// What would come of it.
        consequence: &'static str,
    },
}

impl Config {
    /// Checks that the settings can be used.
    ///
    /// # Errors
    ///
    /// What is wrong with them, as one line that says what to do.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.broker.check()?;
        let hosts = &self.broker.virtual_hosts;
        let is_known = |name: &Option<String>| name.as_ref().is_none_or(|n| hosts.contains(n));
        if let Some(endpoint) = self.endpoints.iter().find(|e| !is_known(&e.virtual_host)) {
            let endpoint = endpoint.to_string();
            return Err(ConfigError::VirtualHost { endpoint });
        }
        for bridge in &self.bridges {
            if !is_known(&bridge.virtual_host) {
                let endpoint = format!("bridge {:?}", bridge.name);
                return Err(ConfigError::VirtualHost { endpoint });
            }
            let mut checked = bridge.topics.topics.iter().map(|topic| topic.check());
            if let Some(Err(reason)) = checked.find(Result::is_err) {
                let name = bridge.name.clone();
                return Err(ConfigError::Bridge { name, reason });
            }
            if bridge.protocol == BridgeProtocol::V3_1_1
                && let Some(topic) = bridge.topics.echo()
            {
                return Err(ConfigError::BridgeEcho {
                    name: bridge.name.clone(),
                    topic: topic.to_string(),
                });
            }
        }
        let limits = &self.broker.limits;
        let wait = |timeout: Duration| usize::from(!timeout.is_zero());
        let rows = [
            (
                "max_connections",
                self.max_connections as usize,
                "nobody could connect",
            ),
            (
                "max_connections_per_address",
                self.max_connections_per_address as usize,
                "nobody could connect",
            ),
            (
                "limits.connections",
                limits.connections,
                "nobody could connect",
            ),
            (
                "tcp_backlog",
                self.tcp_backlog as usize,
                "nobody could connect",
            ),
            (
                "handshake_timeout",
                wait(self.handshake_timeout),
                "no connection could begin",
            ),
            (
                "write_timeout",
                wait(self.write_timeout),
                "every peer would be given up at once",
            ),
            (
                "limits.message_size",
                limits.message_size,
                "only empty messages could be sent",
            ),
            (
                "limits.transmit_high_water",
                limits.transmit_high_water,
                "nothing could be delivered",
            ),
            (
                "limits.receive_high_water",
                limits.receive_high_water,
                "nothing could be received",
            ),
            (
                "limits.unacknowledged",
                limits.unacknowledged as usize,
                "nothing could be delivered",
            ),
            (
                "limits.sessions",
                limits.sessions,
                "no MQTT client could connect",
            ),
            (
                "limits.topic_levels",
                limits.topic_levels,
                "no MQTT topic could be named",
            ),
        ];
        match rows.into_iter().find(|(_, value, _)| *value == 0) {
            Some((name, _, consequence)) => Err(ConfigError::Zero { name, consequence }),
            None => Ok(()),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            endpoints: Vec::new(),
            tls: None,
            handshake_timeout: Duration::from_secs(10),
            broker: mq_core::Config::default(),
            authenticator: None,
            interceptor: None,
            store: None,
            bridges: Vec::new(),
            disk_free_limit: 50_000_000,
            tcp_backlog: 1024,
            tcp_keepalive: Duration::from_secs(30),
            max_connections: 10_000,
            max_connections_per_address: 10_000,
            write_timeout: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}
