//! What the embedder decides before the broker starts.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::admission::Authentication;
use crate::dialect::StompDialect;
use crate::limits::Limits;
use crate::mqtt_rules::MqttRules;
use crate::offer::Offer;
use crate::pattern::{Keys, compile};
use crate::policy::{self, Policy};
use crate::quota::{UserLimits, VirtualHostLimits};
use crate::rewrite::TopicRewrite;
use crate::slow_consumers::SlowConsumers;

/// The settings of a [`Broker`](crate::Broker).
///
/// It is not `#[non_exhaustive]`: who offers these settings to people lists the fields
/// without `..`, so that a new one does not compile until it can be set there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// User name to password. The default has `guest`/`guest`.
    pub users: BTreeMap<String, String>,
    /// Whether an MQTT or STOMP peer that presents no credentials is let in
    /// (as user `guest`). AMQP always authenticates. Default: yes.
    pub allow_anonymous: bool,
    /// Whether an MQTT or STOMP peer with a user name that is not in `users` is let in
    /// as one without credentials is, where that is allowed. The password of a user
    /// that is there has to be right all the same. Default: no.
    pub any_user: bool,
    /// How long a peer may take to log in: in AMQP from the protocol header to
    /// connection.open, beginning anew with each answer of the broker; in MQTT until CONNECT,
    /// and for each AUTH before CONNACK; in STOMP until CONNECT. Then the connection ends.
    /// [`Duration::MAX`]: for ever. Not zero. Default: 10 seconds, as RabbitMQ's
    /// `handshake_timeout`.
    pub login_timeout: Duration,
    /// Who checks what peers say about themselves. Default: the broker, by
    /// [`users`](Self::users), also where an MQTT client of 5.0 proves its password with
    /// `SCRAM-SHA-256` or `SCRAM-SHA-1`.
    pub authentication: Authentication,
    /// How long the embedder may take for that, where it is the one who checks. Then the peer
    /// is refused. Default: 10 seconds.
    pub authentication_timeout: Duration,
    /// What users may do, as in RabbitMQ: one entry for each user and virtual host. With
    /// none at all, which is the default, every user may do everything everywhere. With
    /// one, a user without an entry for a virtual host cannot use it.
    pub permissions: Vec<Permission>,
    /// Which routing keys of topic exchanges users may use. A user without an entry for
    /// an exchange may use all. MQTT publishes and subscribes through `amq.topic`, with
    /// `.` for `/`.
    pub topic_permissions: Vec<TopicPermission>,
    /// Policies: arguments for queues and exchanges by name, as in RabbitMQ.
    pub policies: Vec<Policy>,
    /// Policies that limit what users say.
    pub operator_policies: Vec<Policy>,
    /// Limits of users, by name. A user without an entry has none.
    pub user_limits: BTreeMap<String, UserLimits>,
    /// Limits of virtual hosts, by name. One without an entry has none.
    pub virtual_host_limits: BTreeMap<String, VirtualHostLimits>,
    /// Virtual hosts. The first is the default: MQTT, and a STOMP peer whose
    /// `host` names no virtual host, use it. Default: `/`.
    pub virtual_hosts: Vec<String>,
    /// Whether a STOMP `host` that names no virtual host means the default one
    /// (yes, the default) or is refused with an ERROR. STOMP 1.2 allows both.
    pub stomp_host_fallback: bool,
    /// Whether CONNECT of STOMP 1.1 and 1.2 has to have the header `host`, as they
    /// require. Default: no, which means the default virtual host. The clients of
    /// stomp.py, stompjs and Spring send none unless told to.
    pub stomp_host_required: bool,
    /// Mixed into the names that the broker makes up (`amq.gen-…`, assigned
    /// client identifiers, reply-to tokens): give a secret where those names
    /// must not be guessed. Two brokers with the same seed make the same names. The nonces and
    /// salts of SCRAM are made of it as well, with the time: it has to be a secret, and another
    /// one at each start, where clients use that.
    pub seed: u64,
    /// Unix time at the embedder's origin of `now`. It is seen in time stamps such as
    /// those of the `x-death` header, and with a [`store`](Self::store) it is what times
    /// to live, session expiry and the delays of wills count by while the broker is down.
    /// Where a clock is set back between two runs, they last longer by that much.
    pub unix_time: Duration,
    /// Longest MQTT session expiry interval that is granted, in seconds. A
    /// longer request is answered with this one in the CONNACK; sessions of
    /// MQTT 3.1 and 3.1.1 without clean session get it too.
    pub session_expiry_maximum: u32,
    /// How long a delivery from a queue may be out unacknowledged, where neither the consumer
    /// nor the queue nor a policy says it (`x-consumer-timeout`, `consumer-timeout`). Then the
    /// channel is closed with 406, a STOMP client gets an ERROR, and the message is there
    /// again. STOMP subscriptions in ActiveMQ's dialect have no such limit. Zero: for ever.
    /// Default: 30 minutes, as in RabbitMQ.
    pub consumer_timeout: Duration,
    /// What is done about peers that take what they are sent too slowly. Default: their
    /// messages wait.
    pub slow_consumers: SlowConsumers,
    /// Heart-beat interval proposed in AMQP's `connection.tune`, in seconds;
    /// zero proposes none.
    pub heartbeat: u16,
    /// Smallest interval at which STOMP heart-beats can be sent, and are wanted
    /// where a client offers them; the slower side's interval holds. Zero turns
    /// them off.
    pub stomp_heart_beat: Duration,
    /// Whose words STOMP's destinations and headers are. Default: RabbitMQ's.
    pub stomp_dialect: StompDialect,
    /// Whether it is said in ActiveMQ's dialect that connections, consumers and destinations come
    /// and go, and that a message has expired or become a dead letter: under the topics
    /// `ActiveMQ.Advisory.Connection`, `Consumer.Queue.NAME` and `Consumer.Topic.NAME` with how
    /// many consumers there are, `Queue`, `Topic`, `TempQueue`, `TempTopic`,
    /// `Expired.Queue.NAME` and `MessageDLQd.Queue.NAME`. Default: no.
    pub advisories: bool,
    /// Whether each queue of ActiveMQ's dialect has dead letters of its own in
    /// `ActiveMQ.DLQ.Queue.NAME` (`individualDeadLetterStrategy`). Default: no, all are in
    /// `ActiveMQ.DLQ`.
    pub individual_dead_letters: bool,
    /// Largest number of AMQP channels on one connection.
    pub channel_max: u16,
    /// Largest AMQP frame, in bytes (at least 4096).
    pub frame_max: u32,
    /// Receive Maximum told to MQTT 5 clients: QoS 1 and 2 messages in flight
    /// towards the broker.
    pub receive_maximum: u16,
    /// QoS 1 and 2 messages in flight towards one MQTT client, whatever its Receive
    /// Maximum. The others wait in its session, where they can expire, and count
    /// against the session's limits. Zero counts as one.
    pub maximum_in_flight: u16,
    /// Topic Alias Maximum told to MQTT 5 clients: names that a client may
    /// shorten at one time.
    pub topic_alias_maximum: u16,
    /// Whether MQTT clients may publish to topics that begin with `$` (MQTT 5.0 section
    /// 4.7.2). To `$SYS` they never may, as in Mosquitto. Default: yes.
    pub dollar_topics: bool,
    /// Other names for the topics of MQTT clients. They come before everything else: rights are
    /// asked for the new name, and a message is delivered with it.
    pub topic_rewrites: Vec<TopicRewrite>,
    /// How often what the broker says of itself under `$SYS` is said anew, with Mosquitto's
    /// names, to the MQTT clients of the first virtual host. Only what has changed is. Zero,
    /// the default: there is no `$SYS`.
    pub sys_interval: Duration,
    /// `product` and `version` in AMQP's server-properties. Clients are steered by them:
    /// kombu, and Celery with it, takes every product but `RabbitMQ` from 3.3 on for one
    /// whose `basic.qos` with `global` has the meaning of the specification, and the amqp
    /// gem of Ruby and txAMQP ask for that name and compare the version. Others (pika,
    /// aio-pika, amqplib, amqp091-go, bunny) look at `capabilities` alone. Default:
    /// `RabbitMQ` and `3.10.8`, whose meaning of AMQP this broker follows; the properties
    /// `platform` and `information` say what it is.
    pub amqp_product: String,
    /// See [`amqp_product`](Self::amqp_product): numbers with dots.
    pub amqp_version: String,
    /// The features that MQTT clients may use, and the texts that they receive.
    pub offer: Offer,
    /// What is accepted of MQTT clients that break a rule.
    pub mqtt_rules: MqttRules,
    /// Whether the embedder reads what has arrived on a socket when
    /// [`Output::Drain`](crate::Output::Drain) asks for it. Off by default: what has not
    /// been handed in when another connection takes over the client identifier does not
    /// count then.
    pub drain_on_takeover: bool,
    /// Whether what is durable outlives the broker. Default: it does not.
    pub store: Store,
    /// Bounds on what peers can make grow.
    pub limits: Limits,
}

/// What the embedder keeps for the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Store {
    /// Nothing: all is gone with the broker. No [`Output::Append`](crate::Output::Append)
    /// comes, and no answer waits for one.
    #[default]
    None,
    /// An append-only log: [`Output::Append`](crate::Output::Append) is written to it,
    /// and what is promised to clients waits for
    /// [`Input::Durable`](crate::Input::Durable). [`Recovery`](crate::Recovery) makes a
    /// broker of the log again.
    Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            users: BTreeMap::from([(String::from("guest"), String::from("guest"))]),
            allow_anonymous: true,
            any_user: false,
            login_timeout: Duration::from_secs(10),
            authentication: Authentication::Users,
            authentication_timeout: Duration::from_secs(10),
            permissions: Vec::new(),
            topic_permissions: Vec::new(),
            policies: Vec::new(),
            operator_policies: Vec::new(),
            user_limits: BTreeMap::new(),
            virtual_host_limits: BTreeMap::new(),
            virtual_hosts: Vec::from([String::from("/")]),
            stomp_host_fallback: true,
            stomp_host_required: false,
            seed: 0,
            unix_time: Duration::ZERO,
            session_expiry_maximum: u32::MAX,
            consumer_timeout: Duration::from_secs(30 * 60),
            slow_consumers: SlowConsumers::Block,
            heartbeat: 60,
            stomp_heart_beat: Duration::from_millis(500),
            stomp_dialect: StompDialect::RabbitMq,
            advisories: false,
            individual_dead_letters: false,
            channel_max: 2047,
            frame_max: 131_072,
            receive_maximum: 1024,
            // As many as are sent before the broker looks whether the client keeps up.
            maximum_in_flight: 64,
            topic_alias_maximum: 64,
            dollar_topics: true,
            topic_rewrites: Vec::new(),
            sys_interval: Duration::ZERO,
            amqp_product: String::from("RabbitMQ"),
            amqp_version: String::from("3.10.8"),
            offer: Offer::default(),
            mqtt_rules: MqttRules::default(),
            drain_on_takeover: false,
            store: Store::None,
            limits: Limits::default(),
        }
    }
}

/// What a user may do in a virtual host: three regular expressions over the names of
/// exchanges and queues. Each matches anywhere in a name; `.*` allows everything and `^$`
/// or an empty one nothing. The default exchange is held against them as `amq.default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The user's name; `guest` is also who gives no credentials.
    pub user: String,
    /// The name of a virtual host.
    pub virtual_host: String,
    /// What the user may declare and delete.
    pub configure: String,
    /// Where the user may publish to, and which queues and exchanges it may bind.
    pub write: String,
    /// Where the user may consume from, and which exchanges it may bind to.
    pub read: String,
}

/// Which routing keys of a topic exchange a user may use: two regular expressions, in
/// which `{username}`, `{vhost}` and, for MQTT, `{client_id}` stand for what they name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPermission {
    /// The user's name.
    pub user: String,
    /// The name of a virtual host.
    pub virtual_host: String,
    /// The name of a topic exchange.
    pub exchange: String,
    /// The routing keys that the user may publish with.
    pub write: String,
    /// The routing keys that the user may bind, or subscribe to, with.
    pub read: String,
}

/// Why a [`Config`] cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no virtual host to connect to.
    #[error("no virtual host is configured")]
    NoVirtualHost,
    /// A virtual host is named twice.
    #[error("virtual host {0:?} is configured twice")]
    DuplicateVirtualHost(String),
    /// A permission names a virtual host that there is not.
    #[error(
        "a permission of user {user:?} is for virtual host {virtual_host:?}, which is not configured"
    )]
    PermissionHost {
        /// Whose permission it is.
        user: String,
        /// The virtual host that it names.
        virtual_host: String,
    },
    /// A permission has a regular expression that is none, or too large.
    #[error("a permission of user {user:?} has no valid regular expression: {reason}")]
    PermissionPattern {
        /// Whose permission it is.
        user: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A topic permission is for a user who has no permission for the virtual host.
    #[error(
        "user {user:?} has a topic permission and no permission for virtual host {virtual_host:?}"
    )]
    TopicPermission {
        /// Whose permission it is.
        user: String,
        /// The virtual host that it names.
        virtual_host: String,
    },
    /// A policy cannot be used.
    #[error("policy {name:?} cannot be used: {reason}")]
    Policy {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// AMQP 0-9-1 fixes the smallest `frame_max` at 4096 (`frame-min-size`).
    #[error("frame_max is {0}, and AMQP requires at least 4096")]
    FrameMax(u32),
    /// MQTT 5.0 section 3.2.2.3.3: zero is a protocol error.
    #[error("receive_maximum is 0, and MQTT requires at least 1")]
    ReceiveMaximum,
    /// MQTT knows three qualities of service.
    #[error("offer.maximum_qos is {0}, and MQTT knows 0, 1 and 2")]
    MaximumQos(u8),
    /// A time of zero, in which nothing can be done.
    #[error("{name} is 0: {consequence}")]
    NoTime {
        /// The name of the setting.
        name: &'static str,
        /// What would come of it.
        consequence: &'static str,
    },
    /// [`Recovery`](crate::Recovery) without [`Store::Log`].
    #[error("store is None, so that there is nothing to recover from")]
    NoStore,
}

impl ConfigError {
    pub(crate) fn pattern(user: &str, error: &regex::Error) -> Self {
        Self::PermissionPattern {
            user: user.into(),
            reason: error.to_string(),
        }
    }
}

impl Config {
    /// Whether a user name counts as none, since anybody may come under any name.
    pub(crate) fn is_stranger(&self, user: &str) -> bool {
        // `HOST:USER` is a user as well, as MQTT has it.
        let bare = user.rsplit_once(':').map_or(user, |(_, user)| user);
        self.any_user
            && self.authentication == Authentication::Users
            && [user, bare]
                .iter()
                .all(|name| !self.users.contains_key(*name))
    }

    /// Checks that the settings can be used.
    ///
    /// # Errors
    ///
    /// What contradicts itself.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.virtual_hosts.is_empty() {
            return Err(ConfigError::NoVirtualHost);
        }
        for (index, name) in self.virtual_hosts.iter().enumerate() {
            if self.virtual_hosts[..index].contains(name) {
                return Err(ConfigError::DuplicateVirtualHost(name.clone()));
            }
        }
        self.check_permissions()?;
        policy::check(&self.virtual_hosts, &self.policies, &self.operator_policies)
            .map_err(|(name, reason)| ConfigError::Policy { name, reason })?;
        if self.frame_max < 4096 {
            return Err(ConfigError::FrameMax(self.frame_max));
        }
        if self.receive_maximum == 0 {
            return Err(ConfigError::ReceiveMaximum);
        }
        let slow = match self.slow_consumers {
            SlowConsumers::Disconnect { after } => after,
            _ => Duration::MAX,
        };
        for (name, time, consequence) in [
            ("login_timeout", self.login_timeout, "no peer could log in"),
            (
                "authentication_timeout",
                self.authentication_timeout,
                "no peer could log in",
            ),
            (
                "slow_consumers",
                slow,
                "every consumer would be disconnected that is sent much at one time",
            ),
        ] {
            if time.is_zero() {
                return Err(ConfigError::NoTime { name, consequence });
            }
        }
        if self.offer.maximum_qos > 2 {
            return Err(ConfigError::MaximumQos(self.offer.maximum_qos));
        }
        Ok(())
    }

    fn check_permissions(&self) -> Result<(), ConfigError> {
        let mut known = BTreeSet::new();
        for permission in &self.permissions {
            if !self.virtual_hosts.contains(&permission.virtual_host) {
                return Err(ConfigError::PermissionHost {
                    user: permission.user.clone(),
                    virtual_host: permission.virtual_host.clone(),
                });
            }
            for pattern in [&permission.configure, &permission.write, &permission.read] {
                compile(pattern).map_err(|error| ConfigError::pattern(&permission.user, &error))?;
            }
            known.insert((&permission.user, &permission.virtual_host));
        }
        for permission in &self.topic_permissions {
            if !known.contains(&(&permission.user, &permission.virtual_host)) {
                return Err(ConfigError::TopicPermission {
                    user: permission.user.clone(),
                    virtual_host: permission.virtual_host.clone(),
                });
            }
            for pattern in [&permission.write, &permission.read] {
                Keys::new(pattern, &permission.user, &permission.virtual_host)
                    .map_err(|error| ConfigError::pattern(&permission.user, &error))?;
            }
        }
        Ok(())
    }
}
