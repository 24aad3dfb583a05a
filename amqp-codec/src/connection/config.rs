//! How an end of a connection presents itself, and what it accepts.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use super::capabilities::default_properties;
use crate::setters::setters;
use crate::{Limits, TableBuf};

/// How a server presents itself and what it allows.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// What is accepted from a client before tune-ok, when as a rule it has not logged
    /// in. By default [`Limits::BEFORE_LOGIN`].
    pub limits_before_login: Limits,
    /// What is accepted from the client after tune-ok.
    pub limits: Limits,
    /// Product, version, capabilities: what `connection.start` says. By default this
    /// crate's name and version, and all [`Capabilities`](super::Capabilities).
    /// Clients are steered by them: see [`with_server_properties`](Self::with_server_properties).
    pub server_properties: TableBuf,
    /// SASL mechanisms, separated by spaces. By default `PLAIN AMQPLAIN`.
    pub mechanisms: String,
    /// Locales, separated by spaces. By default `en_US`.
    pub locales: String,
    /// The highest channel number to offer, 0 for no limit but
    /// [`Limits::channel_max`]. By default 2047.
    pub channel_max: u16,
    /// The largest frame to offer, in bytes, 0 for no limit but
    /// [`Limits::frame_size`]. By default 131,072.
    pub frame_max: u32,
    /// Seconds between heartbeats to propose, 0 for none. By default 60.
    pub heartbeat: u16,
    /// How long the peer may take from the protocol header to open-ok, beginning anew with each
    /// answer of the application. While the application is to answer it does not count. By
    /// default 10 seconds; `Duration::MAX` is without end.
    pub handshake_timeout: Duration,
    /// How long the peer may take to answer connection.close. By default 10 seconds.
    /// `Duration::MAX` is without end.
    pub close_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            limits_before_login: Limits::BEFORE_LOGIN,
            limits: Limits::DEFAULT,
            server_properties: default_properties(),
            mechanisms: "PLAIN AMQPLAIN".into(),
            // keeps: connection / start / locales / required-support
            locales: "en_US".into(),
            channel_max: 2047,
            frame_max: 131_072,
            heartbeat: 60,
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(10),
        }
    }
}

/// How a client logs in.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Sasl {
    /// Mechanism PLAIN.
    Plain {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// Mechanism AMQPLAIN.
    AmqPlain {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// Mechanism EXTERNAL: by what the transport knows, such as a certificate.
    External {
        /// The user to be, or empty for the certificate's own.
        identity: String,
    },
    /// Another: the application answers the event
    /// [`Start`](super::ClientEvent::Start) itself.
    Application,
}

impl Sasl {
    /// Mechanism PLAIN.
    #[must_use]
    pub fn plain(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Plain {
            username: username.into(),
            password: password.into(),
        }
    }
}

impl fmt::Debug for Sasl {
    /// The mechanism's name only: a log must not show a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain { .. } => "PLAIN",
            Self::AmqPlain { .. } => "AMQPLAIN",
            Self::External { .. } => "EXTERNAL",
            Self::Application => "Application",
        })
    }
}

/// How a client presents itself and what it asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What is accepted from a server before tune. By default
    /// [`Limits::BEFORE_LOGIN`].
    pub limits_before_login: Limits,
    /// What is accepted from the server after tune.
    pub limits: Limits,
    /// Product, version, capabilities: what `connection.start-ok` says. By default this
    /// crate's name and version, and all [`Capabilities`](super::Capabilities).
    pub client_properties: TableBuf,
    /// How to log in. By default PLAIN as `guest`, `guest`.
    pub sasl: Sasl,
    /// The locale. By default `en_US`.
    pub locale: String,
    /// The virtual host. By default `/`.
    pub virtual_host: String,
    /// The highest channel number to ask for, 0 for the server's. By default 0.
    pub channel_max: u16,
    /// The largest frame to ask for, in bytes, 0 for the server's. By default 0.
    pub frame_max: u32,
    /// Seconds between heartbeats to ask for, 0 for none. The shorter of this
    /// and the server's is taken. By default 60.
    pub heartbeat: u16,
    /// How long the peer may take from the protocol header to open-ok, beginning anew with each
    /// answer of the application. While the application is to answer it does not count. By
    /// default 10 seconds; `Duration::MAX` is without end.
    pub handshake_timeout: Duration,
    /// How long the peer may take to answer connection.close. By default 10 seconds.
    /// `Duration::MAX` is without end.
    pub close_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            limits_before_login: Limits::BEFORE_LOGIN,
            limits: Limits::DEFAULT,
            client_properties: default_properties(),
            sasl: Sasl::plain("guest", "guest"),
            locale: "en_US".into(),
            virtual_host: "/".into(),
            channel_max: 0,
            frame_max: 0,
            heartbeat: 60,
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(10),
        }
    }
}

setters! { ServerConfig {
    with_limits_before_login(limits_before_login: Limits);
    with_limits(limits: Limits);
    ///
    /// `product` and `version` steer clients: kombu takes a product other than
    /// `RabbitMQ` for a server whose `basic.qos` with `global` counts by the letter of
    /// the specification, and some clients compare the version before they use what
    /// RabbitMQ has added. The table `capabilities` says the same without a name; make
    /// it with [`Capabilities::to_table`](super::Capabilities::to_table).
    ///
    /// ```
    /// use amqp_codec::TableBuf;
    /// use amqp_codec::connection::{Capabilities, ServerConfig};
    ///
    /// let mut properties = TableBuf::try_from([("product", "RabbitMQ"), ("version", "3.13.0")])?;
    /// properties.insert("capabilities", &Capabilities::ALL.to_table())?;
    /// let config = ServerConfig::default().with_server_properties(properties);
    /// # Ok::<(), amqp_codec::EncodeError>(())
    /// ```
    with_server_properties(server_properties: TableBuf);
    with_mechanisms(mechanisms: impl Into<String>) = mechanisms.into();
    with_locales(locales: impl Into<String>) = locales.into();
    with_channel_max(channel_max: u16);
    /// In bytes.
    with_frame_max(frame_max: u32);
    /// In seconds between heartbeats; 0 is none.
    with_heartbeat(heartbeat: u16);
    with_handshake_timeout(handshake_timeout: Duration);
    with_close_timeout(close_timeout: Duration);
} }

setters! { ClientConfig {
    with_limits_before_login(limits_before_login: Limits);
    with_limits(limits: Limits);
    with_client_properties(client_properties: TableBuf);
    with_sasl(sasl: Sasl);
    with_locale(locale: impl Into<String>) = locale.into();
    with_virtual_host(virtual_host: impl Into<String>) = virtual_host.into();
    with_channel_max(channel_max: u16);
    /// In bytes.
    with_frame_max(frame_max: u32);
    /// In seconds between heartbeats; 0 is none.
    with_heartbeat(heartbeat: u16);
    with_handshake_timeout(handshake_timeout: Duration);
    with_close_timeout(close_timeout: Duration);
} }
