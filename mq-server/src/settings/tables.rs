//! The settings as people write them.
//!
//! The settings of the broker are taken apart and put together without `..`: a new one does
//! not compile until it is here, and the example file has to show it then.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mq_core::{SlowConsumers, SlowConsumersError};
use mq_server::store::{Directory, Storage, StoreError};
use mq_server::{Config, Endpoint, Listen, TlsFiles};
use serde::{Deserialize, Serialize};

use super::bridge::BridgeTable;
use super::policy::PolicyTable;
use super::rewrite::{self, RewriteTable};
use super::{Log, Settings, SettingsError};
use crate::cli::{Address, LogFormat};

/// Every setting. What is not in a file keeps its default.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tables {
    data: PathBuf,
    ephemeral: bool,
    store: String,
    data_file_bytes: u64,
    allow_anonymous: bool,
    any_user: bool,
    permissions: Vec<PermissionTable>,
    topic_permissions: Vec<TopicPermissionTable>,
    policies: Vec<PolicyTable>,
    operator_policies: Vec<PolicyTable>,
    user_limits: BTreeMap<String, UserLimitsTable>,
    virtual_host_limits: BTreeMap<String, VirtualHostLimitsTable>,
    virtual_hosts: Vec<String>,
    stomp_host_fallback: bool,
    stomp_host_required: bool,
    consumer_timeout_seconds: u64,
    slow_consumers: Policy,
    disk_free_limit: u64,
    max_connections: u32,
    max_connections_per_address: u32,
    write_timeout_seconds: u64,
    linger_seconds: u64,
    shutdown_grace_seconds: u64,
    handshake_timeout_seconds: u64,
    login_timeout_seconds: u64,
    tcp_backlog: u32,
    tcp_keepalive_seconds: u64,
    endpoints: Vec<Endpoint>,
    bridges: Vec<BridgeTable>,
    /// Drawn at every start, unless it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    listen: ListenTable,
    tls: TlsTable,
    users: BTreeMap<String, String>,
    amqp: AmqpTable,
    mqtt: MqttTable,
    stomp: StompTable,
    limits: LimitsTable,
    log: LogTable,
}

/// A table of the file, all of whose keys have a default: that of the whole.
macro_rules! table {
    ($table:ident in $field:ident { $($name:ident: $type:ty,)+ }) => {
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        struct $table {
            $($name: $type,)+
        }

        impl Default for $table {
            fn default() -> Self {
                Tables::default().$field
            }
        }
    };
}

table!(ListenTable in listen {
    amqp: Address,
    mqtt: Address,
    stomp: Address,
});

// An empty name is no file.
table!(TlsTable in tls {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
});

table!(AmqpTable in amqp {
    heartbeat_seconds: u16,
    channel_max: u16,
    frame_max: u32,
    product: String,
    version: String,
});

table!(MqttTable in mqtt {
    session_expiry_maximum_seconds: u32,
    receive_maximum: u16,
    maximum_in_flight: u16,
    topic_alias_maximum: u16,
    dollar_topics: bool,
    topic_rewrites: Vec<RewriteTable>,
    sys_interval_seconds: u64,
    maximum_qos: u8,
    retain_available: bool,
    wildcard_subscription_available: bool,
    subscription_identifiers_available: bool,
    shared_subscription_available: bool,
    maximum_keep_alive_seconds: u16,
    outbound_topic_alias_maximum: u16,
    response_information: String,
    server_reference: String,
    allow_any_3_1_client_identifier: bool,
    allow_password_without_user_name: bool,
    allow_dup_on_qos_0: bool,
    check_payload_format: bool,
});

table!(StompTable in stomp {
    heart_beat_milliseconds: u64,
    dialect: Dialect,
    advisories: bool,
    individual_dead_letters: bool,
});

table!(LogTable in log {
    level: String,
    format: LogFormat,
});

/// A table that stands for a type of the broker with the same fields.
macro_rules! same {
    ($table:ident as $original:ident { $($name:ident,)+ }) => {
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        struct $table {
            $($name: String,)+
        }

        impl From<mq_core::$original> for $table {
            fn from(original: mq_core::$original) -> Self {
                let mq_core::$original { $($name,)+ } = original;
                Self { $($name,)+ }
            }
        }

        impl From<$table> for mq_core::$original {
            fn from(table: $table) -> Self {
                let $table { $($name,)+ } = table;
                Self { $($name,)+ }
            }
        }
    };
}

same!(PermissionTable as Permission {
    user,
    virtual_host,
    configure,
    write,
    read,
});

same!(TopicPermissionTable as TopicPermission {
    user,
    virtual_host,
    exchange,
    write,
    read,
});

/// A table of numbers that are not set without a limit, with the same fields as a type of the
/// broker.
macro_rules! numbers {
    ($table:ident as $original:ident { $($name:ident,)+ }) => {
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        struct $table {
            $(
                #[serde(default, skip_serializing_if = "Option::is_none")]
                $name: Option<u32>,
            )+
        }

        impl From<mq_core::$original> for $table {
            fn from(original: mq_core::$original) -> Self {
                let mq_core::$original { $($name,)+ } = original;
                Self { $($name,)+ }
            }
        }

        impl From<$table> for mq_core::$original {
            fn from(table: $table) -> Self {
                let $table { $($name,)+ } = table;
                Self { $($name,)+ }
            }
        }
    };
}

numbers!(UserLimitsTable as UserLimits {
    max_connections,
    max_channels,
});

numbers!(VirtualHostLimitsTable as VirtualHostLimits {
    max_connections,
    max_queues,
});

fn converted<T: Into<U>, U>(tables: BTreeMap<String, T>) -> BTreeMap<String, U> {
    let tables = tables.into_iter();
    tables.map(|(name, table)| (name, table.into())).collect()
}

/// The table of limits has the names of [`mq_core::Limits`].
macro_rules! limits {
    ($($name:ident: $type:ty,)+) => {
        table!(LimitsTable in limits { $($name: $type,)+ });

        impl From<mq_core::Limits> for LimitsTable {
            fn from(limits: mq_core::Limits) -> Self {
                let mq_core::Limits { $($name,)+ } = limits;
                Self { $($name,)+ }
            }
        }

        impl From<LimitsTable> for mq_core::Limits {
            fn from(limits: LimitsTable) -> Self {
                let LimitsTable { $($name,)+ } = limits;
                Self { $($name,)+ }
            }
        }
    };
}

limits! {
    transmit_high_water: usize,
    receive_high_water: usize,
    connections: usize,
    message_size: usize,
    headers: usize,
    queue_messages: usize,
    queue_bytes: usize,
    queues: usize,
    exchanges: usize,
    bindings: usize,
    session_messages: usize,
    session_bytes: usize,
    sessions: usize,
    subscriptions: usize,
    topic_filters: usize,
    retained_messages: usize,
    retained_bytes: usize,
    delayed_messages: usize,
    topic_levels: usize,
    transaction_operations: usize,
    transaction_bytes: usize,
    transactions: usize,
    consumers: usize,
    unacknowledged: u32,
    store_high_water: usize,
    memory_high_water: usize,
    memory_low_water: usize,
    memory_spill: usize,
}

impl Default for Tables {
    fn default() -> Self {
        let Config {
            listen,
            endpoints,
            tls: _, // none
            handshake_timeout,
            broker,
            authenticator: _, // a program's own
            interceptor: _,   // likewise
            disk_free_limit,
            tcp_backlog,
            tcp_keepalive,
            max_connections,
            max_connections_per_address,
            write_timeout,
            bridges: _, // none
            store: _,   // unlike a program with a server in it, a process keeps its log
            linger,
            shutdown_grace,
        } = Config::default();
        let mq_core::Config {
            users,
            allow_anonymous,
            any_user,
            login_timeout,
            authentication: _,         // by a hook, or not
            authentication_timeout: _, // likewise
            permissions,
            topic_permissions,
            policies,
            operator_policies,
            user_limits,
            virtual_host_limits,
            virtual_hosts,
            stomp_host_fallback,
            stomp_host_required,
            consumer_timeout,
            slow_consumers,
            seed: _,
            unix_time: _, // the server's own, as the one further down
            session_expiry_maximum,
            heartbeat,
            stomp_heart_beat,
            stomp_dialect: _, // RabbitMQ's
            advisories,
            individual_dead_letters,
            channel_max,
            frame_max,
            receive_maximum,
            maximum_in_flight,
            topic_alias_maximum,
            dollar_topics,
            topic_rewrites,
            sys_interval: _, // 10 s in a process, as in Mosquitto
            amqp_product,
            amqp_version,
            offer,
            mqtt_rules,
            drain_on_takeover: _,
            store: _,
            limits,
        } = broker;
        let mq_core::Offer {
            maximum_qos,
            retain_available,
            wildcard_subscription_available,
            subscription_identifiers_available,
            shared_subscription_available,
            maximum_keep_alive,
            outbound_topic_alias_maximum,
            response_information,
            server_reference,
        } = offer;
        let mq_core::MqttRules {
            allow_any_3_1_client_identifier,
            allow_password_without_user_name,
            allow_dup_on_qos_0,
            check_payload_format,
        } = mqtt_rules;
        let address = |address: Option<SocketAddr>| {
            address.map_or(Address::Off, |at| {
                Address::On(at.ip().to_string(), at.port())
            })
        };
        let directory = Directory::new("mq-data");
        Self {
            data: directory.path,
            ephemeral: false,
            store: String::new(),
            data_file_bytes: directory.segment_size,
            allow_anonymous,
            any_user,
            permissions: permissions.into_iter().map(Into::into).collect(),
            topic_permissions: topic_permissions.into_iter().map(Into::into).collect(),
            policies: policies.into_iter().map(Into::into).collect(),
            operator_policies: operator_policies.into_iter().map(Into::into).collect(),
            user_limits: converted(user_limits),
            virtual_host_limits: converted(virtual_host_limits),
            virtual_hosts,
            stomp_host_fallback,
            stomp_host_required,
            consumer_timeout_seconds: consumer_timeout.as_secs(),
            slow_consumers: Policy(slow_consumers),
            disk_free_limit,
            max_connections,
            max_connections_per_address,
            write_timeout_seconds: write_timeout.as_secs(),
            linger_seconds: linger.as_secs(),
            shutdown_grace_seconds: shutdown_grace.as_secs(),
            handshake_timeout_seconds: handshake_timeout.as_secs(),
            login_timeout_seconds: login_timeout.as_secs(),
            tcp_backlog,
            tcp_keepalive_seconds: tcp_keepalive.as_secs(),
            endpoints,
            bridges: Vec::new(),
            seed: None,
            listen: ListenTable {
                amqp: address(listen.amqp),
                mqtt: address(listen.mqtt),
                stomp: address(listen.stomp),
            },
            tls: TlsTable {
                certificate: PathBuf::new(),
                key: PathBuf::new(),
                client_ca: PathBuf::new(),
            },
            users,
            amqp: AmqpTable {
                heartbeat_seconds: heartbeat,
                channel_max,
                frame_max,
                product: amqp_product,
                version: amqp_version,
            },
            mqtt: MqttTable {
                session_expiry_maximum_seconds: session_expiry_maximum,
                receive_maximum,
                maximum_in_flight,
                topic_alias_maximum,
                dollar_topics,
                topic_rewrites: topic_rewrites.into_iter().map(Into::into).collect(),
                sys_interval_seconds: 10,
                maximum_qos,
                retain_available,
                wildcard_subscription_available,
                subscription_identifiers_available,
                shared_subscription_available,
                maximum_keep_alive_seconds: maximum_keep_alive,
                outbound_topic_alias_maximum,
                response_information,
                server_reference,
                allow_any_3_1_client_identifier,
                allow_password_without_user_name,
                allow_dup_on_qos_0,
                check_payload_format,
            },
            stomp: StompTable {
                heart_beat_milliseconds: stomp_heart_beat.as_millis() as u64,
                dialect: Dialect::Rabbitmq,
                advisories,
                individual_dead_letters,
            },
            limits: limits.into(),
            log: LogTable {
                level: "info".to_owned(),
                format: LogFormat::Text,
            },
        }
    }
}

/// Whose words STOMP's destinations and headers are.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Dialect {
    Rabbitmq,
    Activemq,
}

impl From<Dialect> for mq_core::StompDialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Rabbitmq => Self::RabbitMq,
            Dialect::Activemq => Self::ActiveMq,
        }
    }
}

/// What is done about slow consumers, as it is written.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
struct Policy(SlowConsumers);

impl TryFrom<String> for Policy {
    type Error = SlowConsumersError;

    fn try_from(text: String) -> Result<Self, SlowConsumersError> {
        text.parse().map(Self)
    }
}

impl From<Policy> for String {
    fn from(policy: Policy) -> Self {
        policy.0.to_string()
    }
}

/// The log in a database.
#[cfg(feature = "postgres")]
fn database(url: &str) -> Result<Arc<dyn Storage>, StoreError> {
    Ok(Arc::new(url.parse::<mq_server::store::Postgres>()?))
}

#[cfg(not(feature = "postgres"))]
fn database(_: &str) -> Result<Arc<dyn Storage>, StoreError> {
    Err(StoreError::NoPostgres)
}

/// Settings that are taken over while the server runs.
const CHANGEABLE: [&str; 13] = [
    "disk_free_limit",
    "handshake_timeout_seconds",
    "linger_seconds",
    "log.level",
    "login_timeout_seconds",
    "max_connections",
    "max_connections_per_address",
    "operator_policies",
    "policies",
    "shutdown_grace_seconds",
    "slow_consumers",
    "tcp_keepalive_seconds",
    "write_timeout_seconds",
];

/// Tables of names, of which all are.
const CHANGEABLE_TABLES: [&str; 2] = ["user_limits.", "virtual_host_limits."];

impl Tables {
    /// The names of settings that differ, and that only a restart takes over.
    pub(crate) fn that_need_a_restart(&self, new: &Self) -> Vec<String> {
        let tables = [self, new].map(|tables| toml::Table::try_from(tables).unwrap_or_default());
        let [old, new] = tables.map(|table| {
            let mut flat = BTreeMap::new();
            flatten("", &table, &mut flat);
            flat
        });
        let differs = |name: &&String| old.get(*name) != new.get(*name);
        let names = old
            .keys()
            .chain(new.keys().filter(|name| !old.contains_key(*name)));
        names
            .filter(differs)
            .filter(|name| !CHANGEABLE.contains(&name.as_str()))
            .filter(|name| {
                !CHANGEABLE_TABLES
                    .iter()
                    .any(|table| name.starts_with(table))
            })
            .cloned()
            .collect()
    }

    /// What the process runs with.
    pub(super) fn into_settings(self) -> Result<Settings, SettingsError> {
        let tables = self.clone();
        let Self {
            data,
            ephemeral,
            store,
            data_file_bytes,
            allow_anonymous,
            any_user,
            permissions,
            topic_permissions,
            policies,
            operator_policies,
            user_limits,
            virtual_host_limits,
            virtual_hosts,
            stomp_host_fallback,
            stomp_host_required,
            consumer_timeout_seconds,
            slow_consumers: Policy(slow_consumers),
            disk_free_limit,
            max_connections,
            max_connections_per_address,
            write_timeout_seconds,
            linger_seconds,
            shutdown_grace_seconds,
            handshake_timeout_seconds,
            login_timeout_seconds,
            tcp_backlog,
            tcp_keepalive_seconds,
            endpoints,
            bridges,
            seed,
            listen,
            tls,
            users,
            amqp,
            mqtt,
            stomp,
            limits,
            log,
        } = self;
        let broker = mq_core::Config {
            users,
            allow_anonymous,
            any_user,
            permissions: permissions.into_iter().map(Into::into).collect(),
            topic_permissions: topic_permissions.into_iter().map(Into::into).collect(),
            policies: policies.into_iter().map(Into::into).collect(),
            operator_policies: operator_policies.into_iter().map(Into::into).collect(),
            user_limits: converted(user_limits),
            virtual_host_limits: converted(virtual_host_limits),
            virtual_hosts,
            stomp_host_fallback,
            stomp_host_required,
            consumer_timeout: Duration::from_secs(consumer_timeout_seconds),
            login_timeout: Duration::from_secs(login_timeout_seconds),
            slow_consumers,
            // Names that the broker makes up shall not be guessed.
            seed: seed.unwrap_or_else(|| RandomState::new().hash_one(std::process::id())),
            session_expiry_maximum: mqtt.session_expiry_maximum_seconds,
            heartbeat: amqp.heartbeat_seconds,
            stomp_heart_beat: Duration::from_millis(stomp.heart_beat_milliseconds),
            stomp_dialect: stomp.dialect.into(),
            advisories: stomp.advisories,
            individual_dead_letters: stomp.individual_dead_letters,
            channel_max: amqp.channel_max,
            frame_max: amqp.frame_max,
            receive_maximum: mqtt.receive_maximum,
            maximum_in_flight: mqtt.maximum_in_flight,
            topic_alias_maximum: mqtt.topic_alias_maximum,
            dollar_topics: mqtt.dollar_topics,
            topic_rewrites: rewrite::rules(mqtt.topic_rewrites)?,
            sys_interval: Duration::from_secs(mqtt.sys_interval_seconds),
            offer: mq_core::Offer {
                maximum_qos: mqtt.maximum_qos,
                retain_available: mqtt.retain_available,
                wildcard_subscription_available: mqtt.wildcard_subscription_available,
                subscription_identifiers_available: mqtt.subscription_identifiers_available,
                shared_subscription_available: mqtt.shared_subscription_available,
                maximum_keep_alive: mqtt.maximum_keep_alive_seconds,
                outbound_topic_alias_maximum: mqtt.outbound_topic_alias_maximum,
                response_information: mqtt.response_information,
                server_reference: mqtt.server_reference,
            },
            mqtt_rules: mq_core::MqttRules {
                allow_any_3_1_client_identifier: mqtt.allow_any_3_1_client_identifier,
                allow_password_without_user_name: mqtt.allow_password_without_user_name,
                allow_dup_on_qos_0: mqtt.allow_dup_on_qos_0,
                check_payload_format: mqtt.check_payload_format,
            },
            amqp_product: amqp.product,
            amqp_version: amqp.version,
            limits: limits.into(),
            // The server says what time it is, who checks users, that it answers
            // `Output::Drain`, and where it stores.
            unix_time: Duration::ZERO,
            authentication: mq_core::Authentication::Users,
            authentication_timeout: mq_core::Config::default().authentication_timeout,
            drain_on_takeover: true,
            store: mq_core::Store::None,
        };
        let store = match (ephemeral, &*store) {
            (true, _) => None,
            (false, "") => {
                let directory = Directory::new(data).with_segment_size(data_file_bytes);
                Some(Arc::new(directory) as Arc<dyn Storage>)
            }
            (false, url) => Some(database(url)?),
        };
        let config = Config {
            listen: Listen {
                amqp: resolve(&listen.amqp)?,
                mqtt: resolve(&listen.mqtt)?,
                stomp: resolve(&listen.stomp)?,
            },
            endpoints,
            tls: tls.files()?,
            handshake_timeout: Duration::from_secs(handshake_timeout_seconds),
            broker,
            authenticator: None,
            interceptor: None,
            bridges: super::bridge::bridges(bridges)?,
            store,
            disk_free_limit,
            tcp_backlog,
            tcp_keepalive: Duration::from_secs(tcp_keepalive_seconds),
            max_connections,
            max_connections_per_address,
            write_timeout: Duration::from_secs(write_timeout_seconds),
            linger: Duration::from_secs(linger_seconds),
            shutdown_grace: Duration::from_secs(shutdown_grace_seconds),
        };
        let LogTable { level, format } = log;
        Ok(Settings {
            config,
            log: Log { level, format },
            tables,
        })
    }
}

/// The address of a host: its first of IPv4, or else its first.
fn resolve(address: &Address) -> Result<Option<SocketAddr>, SettingsError> {
    let Address::On(host, port) = address else {
        return Ok(None);
    };
    let unknown = |reason: String| SettingsError::Host {
        host: host.clone(),
        reason,
    };
    let found = (host.as_str(), *port).to_socket_addrs();
    let found: Vec<SocketAddr> = found.map_err(|error| unknown(error.to_string()))?.collect();
    let first = found
        .iter()
        .find(|address| address.is_ipv4())
        .or(found.first());
    first.map_or_else(
        || Err(unknown("it has none".to_owned())),
        |first| Ok(Some(*first)),
    )
}

impl TlsTable {
    fn files(self) -> Result<Option<TlsFiles>, SettingsError> {
        let named = |path: PathBuf| (!path.as_os_str().is_empty()).then_some(path);
        match (named(self.certificate), named(self.key)) {
            (Some(certificate), Some(key)) => {
                let files = TlsFiles::new(certificate, key);
                Ok(Some(match named(self.client_ca) {
                    Some(client_ca) => files.with_client_ca(client_ca),
                    None => files,
                }))
            }
            (None, None) => Ok(None),
            _ => Err(SettingsError::HalfOfTls),
        }
    }
}

/// All values by their names with dots.
fn flatten(before: &str, table: &toml::Table, flat: &mut BTreeMap<String, toml::Value>) {
    for (key, value) in table {
        let name = format!("{before}{key}");
        match value {
            toml::Value::Table(table) => flatten(&format!("{name}."), table, flat),
            value => {
                flat.insert(name, value.clone());
            }
        }
    }
}
