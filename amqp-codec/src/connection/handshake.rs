//! What the peers tell and ask of each other before the virtual host is open:
//! capabilities, and the limits of tune.

use alloc::string::String;
use core::time::Duration;

use super::error::ConnectionError;
use crate::frame::FRAME_MIN_SIZE;
use crate::method::connection::{Tune, TuneOk};
use crate::{FieldValue, Limits, Table, TableBuf};

macro_rules! capabilities {
    ($($(#[$doc:meta])* $field:ident $name:literal,)*) => {
        /// The capabilities that a peer declares: the table `capabilities` in
        /// its client or server properties (RabbitMQ).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Capabilities {
            $($(#[$doc])* pub $field: bool,)*
        }

        impl Capabilities {
            /// All that this crate knows.
            pub const ALL: Self = Self { $($field: true,)* };

            /// Reads them from client or server properties; what is not
            /// declared as true is false.
            #[must_use]
            pub fn from_properties(properties: Table<'_>) -> Self {
                let declared = match properties.get("capabilities") {
                    Some(FieldValue::Table(table)) => table,
                    _ => Table::EMPTY,
                };
                Self {
                    $($field: declared.get($name) == Some(FieldValue::Boolean(true)),)*
                }
            }

            /// The table to put under `capabilities`; what is false is left out.
            #[must_use]
            pub fn to_table(self) -> TableBuf {
                let mut table = TableBuf::new();
                $(
                    if self.$field {
                        insert(&mut table, $name, true.into());
                    }
                )*
                table
            }
        }
    };
}

capabilities! {
    /// `publisher_confirms`: confirm.select.
    publisher_confirms "publisher_confirms",
    /// `exchange_exchange_bindings`: exchange.bind and exchange.unbind.
    exchange_exchange_bindings "exchange_exchange_bindings",
    /// `basic.nack`.
    basic_nack "basic.nack",
    /// `consumer_cancel_notify`: the server may send basic.cancel.
    consumer_cancel_notify "consumer_cancel_notify",
    /// `connection.blocked`: the server may send connection.blocked.
    connection_blocked "connection.blocked",
    /// `consumer_priorities`: `x-priority` of basic.consume.
    consumer_priorities "consumer_priorities",
    /// `authentication_failure_close`: a refused login is told with connection.close.
    authentication_failure_close "authentication_failure_close",
    /// `per_consumer_qos`: basic.qos counts per consumer unless global.
    per_consumer_qos "per_consumer_qos",
    /// `direct_reply_to`: the queue `amq.rabbitmq.reply-to`.
    direct_reply_to "direct_reply_to",
}

/// Properties of this crate itself, to begin with.
pub(super) fn default_properties() -> TableBuf {
    let mut properties = TableBuf::new();
    insert(&mut properties, "product", env!("CARGO_PKG_NAME").into());
    insert(&mut properties, "version", env!("CARGO_PKG_VERSION").into());
    insert(&mut properties, "platform", "Rust".into());
    insert(
        &mut properties,
        "capabilities",
        (&Capabilities::ALL.to_table()).into(),
    );
    properties
}

/// Names here are literals, so short enough.
fn insert(table: &mut TableBuf, name: &str, value: FieldValue<'_>) {
    let inserted = table.insert(name, value);
    debug_assert!(inserted.is_ok(), "{name}");
}

/// How a server presents itself and what it allows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// What is accepted from the client.
    pub limits: Limits,
    /// Product, version, capabilities: what `connection.start` tells. By
    /// default this crate's name and all [`Capabilities`].
    pub server_properties: TableBuf,
    /// SASL mechanisms, separated by spaces. By default `PLAIN AMQPLAIN`.
    pub mechanisms: String,
    /// Locales, separated by spaces. By default `en_US`.
    pub locales: String,
    /// The highest channel number to offer, 0 for no limit but
    /// [`Limits::channel_max`]. By default 2047.
    pub channel_max: u16,
    /// The largest frame to offer, in octets, 0 for no limit but
    /// [`Limits::frame_size`]. By default 131,072.
    pub frame_max: u32,
    /// Seconds between heartbeats to propose, 0 for none. By default 60.
    pub heartbeat: u16,
    /// How long the handshake may take, up to open-ok. By default 10 seconds.
    pub handshake_timeout: Duration,
    /// How long the peer may take to answer connection.close. By default 10 seconds.
    pub close_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
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
#[derive(Clone)]
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

impl core::fmt::Debug for Sasl {
    /// The mechanism's name only: a log must not show a password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Plain { .. } => "PLAIN",
            Self::AmqPlain { .. } => "AMQPLAIN",
            Self::External { .. } => "EXTERNAL",
            Self::Application => "Application",
        })
    }
}

/// How a client presents itself and what it asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What is accepted from the server.
    pub limits: Limits,
    /// Product, version, capabilities: what `connection.start-ok` tells. By
    /// default this crate's name and all [`Capabilities`].
    pub client_properties: TableBuf,
    /// How to log in. By default PLAIN as `guest`, `guest`.
    pub sasl: Sasl,
    /// The locale. By default `en_US`.
    pub locale: String,
    /// The virtual host. By default `/`.
    pub virtual_host: String,
    /// The highest channel number to ask for, 0 for the server's. By default 0.
    pub channel_max: u16,
    /// The largest frame to ask for, in octets, 0 for the server's. By default 0.
    pub frame_max: u32,
    /// Seconds between heartbeats to ask for, 0 for none. The shorter of this
    /// and the server's is taken. By default 60.
    pub heartbeat: u16,
    /// How long the handshake may take, up to open-ok. By default 10 seconds.
    pub handshake_timeout: Duration,
    /// How long the peer may take to answer connection.close. By default 10 seconds.
    pub close_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            limits: Limits::DEFAULT,
            client_properties: default_properties(),
            sasl: Sasl::Plain {
                username: "guest".into(),
                password: "guest".into(),
            },
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

/// The server's look at tune-ok (rules connection / tune-ok, as RabbitMQ keeps
/// them): no more than was offered, and 0, no limit, is more than any limit; a
/// frame-max of less than frame-min-size is none.
// keeps: connection / tune-ok / channel-max / upper-limit
// keeps: connection / tune-ok / frame-max / minimum
// keeps: connection / tune-ok / frame-max / upper-limit
pub(super) fn check_tune_ok(offered: Tune, answered: TuneOk) -> Result<(), ConnectionError> {
    let above = |offered: u32, answered: u32| offered != 0 && (answered == 0 || answered > offered);
    if above(offered.channel_max.into(), answered.channel_max.into()) {
        return Err(ConnectionError::Tune {
            field: "channel-max",
            offered: offered.channel_max.into(),
            answered: answered.channel_max.into(),
        });
    }
    if above(offered.frame_max, answered.frame_max)
        || (answered.frame_max != 0 && answered.frame_max < FRAME_MIN_SIZE)
    {
        return Err(ConnectionError::Tune {
            field: "frame-max",
            offered: offered.frame_max,
            answered: answered.frame_max,
        });
    }
    Ok(())
}

/// The client's answer to tune: the lower of both where both have a limit.
// keeps: connection / tune / frame-max / minimum, section 2.3.3 / limits are reduced
pub(super) fn answer_tune(offered: Tune, config: &ClientConfig) -> Result<TuneOk, ConnectionError> {
    fn lower<T: Ord + Default + Copy>(a: T, b: T) -> T {
        let none = T::default();
        if a == none {
            b
        } else if b == none {
            a
        } else {
            a.min(b)
        }
    }
    let frame_max = lower(
        lower(offered.frame_max, config.frame_max),
        config.limits.frame_size.max(FRAME_MIN_SIZE),
    );
    if frame_max != 0 && frame_max < FRAME_MIN_SIZE {
        return Err(ConnectionError::Tune {
            field: "frame-max",
            offered: offered.frame_max,
            answered: frame_max,
        });
    }
    Ok(TuneOk {
        channel_max: lower(
            lower(offered.channel_max, config.channel_max),
            config.limits.channel_max,
        ),
        frame_max,
        heartbeat: if config.heartbeat == 0 {
            0
        } else {
            lower(offered.heartbeat, config.heartbeat)
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tune(channel_max: u16, frame_max: u32, heartbeat: u16) -> Tune {
        Tune {
            channel_max,
            frame_max,
            heartbeat,
        }
    }

    /// What RabbitMQ 3.10.8 let pass and what it closed the socket on.
    // shows: connection / tune-ok / channel-max / upper-limit
    // shows: connection / tune-ok / frame-max / minimum
    // shows: connection / tune-ok / frame-max / upper-limit
    #[test]
    fn tune_ok_may_lower_and_never_raise() {
        let rows = [
            // Offered, answered, whether it is agreed.
            ((2047, 131_072), (2047, 131_072), true),
            ((2047, 131_072), (1, 4096), true),
            ((2047, 131_072), (2047, 131_073), false),
            ((2047, 131_072), (2048, 131_072), false),
            ((2047, 131_072), (2047, 4095), false),
            ((2047, 131_072), (2047, 0), false),
            ((2047, 131_072), (0, 131_072), false),
            // Nothing offered is no limit, so any number is lower (erratum 10).
            ((0, 0), (0, 0), true),
            ((0, 0), (65535, u32::MAX), true),
            ((0, 0), (1, 4095), false),
        ];
        for ((channels, frame), (channels_ok, frame_ok), agreed) in rows {
            let answered = TuneOk {
                channel_max: channels_ok,
                frame_max: frame_ok,
                heartbeat: 600,
            };
            let result = check_tune_ok(tune(channels, frame, 60), answered);
            assert_eq!(result.is_ok(), agreed, "{answered:?}");
        }
    }

    // shows: section 2.3.3 / limits are reduced, connection / tune / frame-max / minimum
    #[test]
    fn a_client_answers_with_the_lower_of_both() {
        let rows = [
            // Offered; asked: channel-max, frame-max, heartbeat; answered.
            ((2047, 131_072, 60), (0, 0, 60), (2047, 131_072, 60)),
            ((2047, 131_072, 60), (10, 8192, 5), (10, 8192, 5)),
            ((10, 8192, 5), (2047, 131_072, 60), (10, 8192, 5)),
            ((0, 0, 0), (0, 0, 30), (2047, 131_080, 30)),
            ((2047, 131_072, 60), (0, 0, 0), (2047, 131_072, 0)),
        ];
        for ((a, b, c), (channel_max, frame_max, heartbeat), (x, y, z)) in rows {
            let config = ClientConfig {
                channel_max,
                frame_max,
                heartbeat,
                ..ClientConfig::default()
            };
            let answer = answer_tune(tune(a, b, c), &config).unwrap();
            assert_eq!(
                (answer.channel_max, answer.frame_max, answer.heartbeat),
                (x, y, z)
            );
            assert_eq!(check_tune_ok(tune(a, b, c), answer), Ok(()));
        }
        // Frames of frame-min-size are taken whatever the limit is.
        for frame_size in [0, 4095, 4096] {
            let mut config = ClientConfig::default();
            config.limits.frame_size = frame_size;
            let answer = answer_tune(tune(2047, 131_072, 60), &config).unwrap();
            assert_eq!(answer.frame_max, FRAME_MIN_SIZE);
        }
        // Below frame-min-size there is nothing to agree on.
        assert!(answer_tune(tune(0, 4095, 0), &ClientConfig::default()).is_err());
    }

    #[test]
    fn capabilities_are_what_is_declared_as_true() {
        let mut declared = TableBuf::new();
        declared.insert("basic.nack", true).unwrap();
        declared.insert("publisher_confirms", false).unwrap();
        declared.insert("connection.blocked", 1).unwrap();
        declared.insert("of another broker", true).unwrap();
        let mut properties = TableBuf::new();
        properties.insert("capabilities", &declared).unwrap();
        let expected = Capabilities {
            basic_nack: true,
            ..Capabilities::default()
        };
        assert_eq!(
            Capabilities::from_properties(properties.as_table()),
            expected
        );
        assert_eq!(
            Capabilities::from_properties(Table::EMPTY),
            Capabilities::default()
        );
        let ours = default_properties();
        assert_eq!(
            Capabilities::from_properties(ours.as_table()),
            Capabilities::ALL
        );
    }
}
