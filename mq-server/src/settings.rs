//! The settings: defaults, then the file, then the flags.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mq_server::{Config, Endpoint, TlsFiles};
use serde::Deserialize;

use crate::cli::{Address, Flags, LogFormat};

/// What the process runs with.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) log: Log,
}

/// What to log, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

/// Settings that cannot be used. Each message is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("cannot read the settings in {}: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}{}: {message}", .path.display(), at(.line))]
    File {
        path: PathBuf,
        line: Option<usize>,
        message: String,
    },
    #[error(
        "{level:?} is no log level: write error, warn, info, debug, trace or off, \
         or a filter such as \"info,mq_server=debug\""
    )]
    LogLevel { level: String },
    #[error(
        "every listener is off: leave at least one of amqp, mqtt and stomp on, or add one by --listen"
    )]
    NothingToDo,
    #[error("tls.certificate and tls.key go together: give both, or neither")]
    HalfOfTls,
    #[error(transparent)]
    Broker(#[from] mq_core::ConfigError),
}

fn at(line: &Option<usize>) -> String {
    line.map(|line| format!(", line {line}"))
        .unwrap_or_default()
}

/// The file. What is not in it keeps its default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    allow_anonymous: Option<bool>,
    any_user: Option<bool>,
    virtual_hosts: Option<Vec<String>>,
    stomp_host_fallback: Option<bool>,
    stomp_host_required: Option<bool>,
    max_connections: Option<u32>,
    write_timeout_seconds: Option<u64>,
    linger_seconds: Option<u64>,
    shutdown_grace_seconds: Option<u64>,
    seed: Option<u64>,
    handshake_timeout_seconds: Option<u64>,
    endpoints: Option<Vec<Endpoint>>,
    listen: ListenTable,
    tls: TlsTable,
    users: Option<BTreeMap<String, String>>,
    amqp: AmqpTable,
    mqtt: MqttTable,
    stomp: StompTable,
    limits: LimitsTable,
    log: LogTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ListenTable {
    amqp: Option<Address>,
    mqtt: Option<Address>,
    stomp: Option<Address>,
}

/// An empty name is no file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsTable {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AmqpTable {
    heartbeat_seconds: Option<u16>,
    channel_max: Option<u16>,
    frame_max: Option<u32>,
    product: Option<String>,
    version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MqttTable {
    session_expiry_maximum_seconds: Option<u32>,
    receive_maximum: Option<u16>,
    maximum_in_flight: Option<u16>,
    topic_alias_maximum: Option<u16>,
    dollar_topics: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StompTable {
    heart_beat_milliseconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogTable {
    level: Option<String>,
    format: Option<LogFormat>,
}

/// The table of limits has the names of [`mq_core::Limits`].
macro_rules! limits {
    ($($name:ident: $type:ty,)+) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct LimitsTable {
            $($name: Option<$type>,)+
        }

        impl LimitsTable {
            fn apply(&self, limits: &mut mq_core::Limits) {
                $(set(&mut limits.$name, self.$name);)+
            }
        }
    };
}

limits! {
    transmit_high_water: usize,
    receive_high_water: usize,
    connections: usize,
    message_size: usize,
    user_properties: usize,
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
    topic_levels: usize,
    transaction_operations: usize,
    transaction_bytes: usize,
    transactions: usize,
    consumers: usize,
    unacknowledged: u32,
}

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

impl Settings {
    /// Reads the file that the flags name, if they do, and checks the whole.
    pub(crate) fn load(flags: &Flags) -> Result<Settings, SettingsError> {
        let mut settings = Settings {
            config: Config::default(),
            log: Log {
                level: "info".to_owned(),
                format: LogFormat::Text,
            },
        };
        // Names that the broker makes up shall not be guessed.
        settings.config.broker.seed = RandomState::new().hash_one(std::process::id());
        if let Some(path) = &flags.config {
            let text = fs::read_to_string(path).map_err(|source| SettingsError::Read {
                path: path.clone(),
                source,
            })?;
            settings.apply_file(parse(path, &text)?)?;
        }
        settings.apply_flags(flags);
        settings.config.broker.check()?;
        if settings.config.listen.iter().next().is_none() && settings.config.endpoints.is_empty() {
            return Err(SettingsError::NothingToDo);
        }
        Ok(settings)
    }

    fn apply_file(&mut self, file: File) -> Result<(), SettingsError> {
        let config = &mut self.config;
        set(&mut config.listen.amqp, file.listen.amqp.map(Address::on));
        set(&mut config.listen.mqtt, file.listen.mqtt.map(Address::on));
        set(&mut config.listen.stomp, file.listen.stomp.map(Address::on));
        set(&mut config.max_connections, file.max_connections);
        let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        set(
            &mut config.write_timeout,
            seconds(file.write_timeout_seconds),
        );
        set(&mut config.linger, seconds(file.linger_seconds));
        set(
            &mut config.handshake_timeout,
            seconds(file.handshake_timeout_seconds),
        );
        set(&mut config.endpoints, file.endpoints);
        let named = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        config.tls = match (named(file.tls.certificate), named(file.tls.key)) {
            (Some(certificate), Some(key)) => {
                Some(tls_files(certificate, key, named(file.tls.client_ca)))
            }
            (None, None) => None,
            _ => return Err(SettingsError::HalfOfTls),
        };
        set(
            &mut config.shutdown_grace,
            seconds(file.shutdown_grace_seconds),
        );

        let broker = &mut config.broker;
        set(&mut broker.users, file.users);
        set(&mut broker.allow_anonymous, file.allow_anonymous);
        set(&mut broker.any_user, file.any_user);
        set(&mut broker.virtual_hosts, file.virtual_hosts);
        set(&mut broker.stomp_host_fallback, file.stomp_host_fallback);
        set(&mut broker.stomp_host_required, file.stomp_host_required);
        set(&mut broker.seed, file.seed);
        set(&mut broker.heartbeat, file.amqp.heartbeat_seconds);
        set(&mut broker.channel_max, file.amqp.channel_max);
        set(&mut broker.frame_max, file.amqp.frame_max);
        set(&mut broker.amqp_product, file.amqp.product);
        set(&mut broker.amqp_version, file.amqp.version);
        set(
            &mut broker.session_expiry_maximum,
            file.mqtt.session_expiry_maximum_seconds,
        );
        set(&mut broker.receive_maximum, file.mqtt.receive_maximum);
        set(&mut broker.maximum_in_flight, file.mqtt.maximum_in_flight);
        set(
            &mut broker.topic_alias_maximum,
            file.mqtt.topic_alias_maximum,
        );
        set(&mut broker.dollar_topics, file.mqtt.dollar_topics);
        set(
            &mut broker.stomp_heart_beat,
            file.stomp
                .heart_beat_milliseconds
                .map(Duration::from_millis),
        );
        file.limits.apply(&mut broker.limits);

        set(&mut self.log.level, file.log.level);
        set(&mut self.log.format, file.log.format);
        Ok(())
    }

    fn apply_flags(&mut self, flags: &Flags) {
        let config = &mut self.config;
        set(&mut config.listen.amqp, flags.amqp.map(Address::on));
        set(&mut config.listen.mqtt, flags.mqtt.map(Address::on));
        set(&mut config.listen.stomp, flags.stomp.map(Address::on));
        if !flags.endpoints.is_empty() {
            config.endpoints.clone_from(&flags.endpoints);
        }
        if let (Some(certificate), Some(key)) = (&flags.tls_certificate, &flags.tls_key) {
            let client_ca = flags.tls_client_ca.clone();
            config.tls = Some(tls_files(certificate.clone(), key.clone(), client_ca));
        }
        set(&mut config.max_connections, flags.max_connections);
        let broker = &mut config.broker;
        if !flags.users.is_empty() {
            broker.users = flags
                .users
                .iter()
                .map(|user| (user.name.clone(), user.password.clone()))
                .collect();
        }
        set(&mut broker.allow_anonymous, flags.allow_anonymous);
        set(&mut broker.any_user, flags.any_user);
        set(&mut broker.dollar_topics, flags.dollar_topics);
        set(&mut broker.amqp_product, flags.amqp_product.clone());
        set(&mut broker.amqp_version, flags.amqp_version.clone());
        if !flags.virtual_hosts.is_empty() {
            broker.virtual_hosts.clone_from(&flags.virtual_hosts);
        }
        set(&mut self.log.level, flags.log_level.clone());
        set(&mut self.log.format, flags.log_format);
    }
}

fn tls_files(certificate: PathBuf, key: PathBuf, client_ca: Option<PathBuf>) -> TlsFiles {
    let files = TlsFiles::new(certificate, key);
    match client_ca {
        Some(client_ca) => files.with_client_ca(client_ca),
        None => files,
    }
}

fn parse(path: &Path, text: &str) -> Result<File, SettingsError> {
    toml::from_str(text).map_err(|error| SettingsError::File {
        path: path.to_owned(),
        line: error
            .span()
            .map(|span| text[..span.start].matches('\n').count() + 1),
        // Some of its messages have a second line.
        message: error.message().replace('\n', ", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the fields of a struct, by its `Debug`.
    fn fields(shown: &str) -> Vec<&str> {
        let lines = shown.lines().filter(|line| line.starts_with("    "));
        let lines = lines.filter(|line| !line.starts_with("     "));
        lines
            .filter_map(|line| line.trim().split(':').next())
            .filter(|n| n.contains(char::is_alphabetic))
            .collect()
    }

    /// Every setting of the broker is one of the file: under its own name, or without
    /// the name of its protocol in the protocol's table, or with its unit.
    #[test]
    fn every_setting_of_the_broker_can_be_set() {
        let file = format!("{:?}", File::default());
        let broker = format!("{:#?}", mq_core::Config::default());
        let limits = format!("{:#?}", mq_core::Limits::default());
        for name in fields(&broker).into_iter().chain(fields(&limits)) {
            // The server itself says what time it is, and that it answers `Output::Drain`.
            if matches!(name, "unix_time" | "drain_on_takeover") {
                continue;
            }
            let bare = name
                .trim_start_matches("amqp_")
                .trim_start_matches("stomp_");
            let found = [name, bare]
                .iter()
                .any(|name| file.contains(&format!(" {name}")));
            assert!(found, "{name} is in no table of the file");
        }
    }

    /// The example shows every setting with its default: with the comment
    /// signs off, it changes nothing and leaves nothing out.
    #[test]
    fn the_example_is_complete_and_changes_nothing() {
        let example = include_str!("../mq-server.example.toml");
        let uncommented: String = example
            .lines()
            .map(|line| line.strip_prefix("#= ").unwrap_or(line))
            .map(|line| format!("{line}\n"))
            .collect();
        let file = parse(Path::new("example"), &uncommented).unwrap();
        let shown = format!("{file:?}");
        assert!(
            !shown.contains(": None"),
            "a setting that the example does not show: {shown}"
        );
        let mut settings = Settings::load(&Flags::default()).unwrap();
        let before = format!("{settings:?}");
        settings.config.broker.seed = 0;
        let seedless = format!("{settings:?}");
        settings.apply_file(file).unwrap();
        settings.config.broker.seed = 0;
        assert_eq!(format!("{settings:?}"), seedless);
        assert_ne!(before, seedless, "the default seed is random");
    }

    #[test]
    fn the_later_wins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mq.toml");
        fs::write(
            &path,
            r#"
            virtual_hosts = ["one", "two"]
            [listen]
            amqp = "127.0.0.1:1"
            stomp = "off"
            [users]
            alice = "secret"
            [limits]
            queues = 7
            [log]
            level = "debug"
            "#,
        )
        .unwrap();
        let flags = Flags {
            config: Some(path),
            amqp: Some("127.0.0.1:2".parse().unwrap()),
            log_format: Some(LogFormat::Json),
            ..Flags::default()
        };
        let settings = Settings::load(&flags).unwrap();
        let config = &settings.config;
        assert_eq!(config.listen.amqp, "127.0.0.1:2".parse().ok(), "flag");
        assert_eq!(config.listen.mqtt, "127.0.0.1:1883".parse().ok(), "default");
        assert_eq!(config.listen.stomp, None, "file");
        assert_eq!(config.broker.virtual_hosts, ["one", "two"]);
        assert_eq!(
            config.broker.users,
            BTreeMap::from([("alice".to_owned(), "secret".to_owned())]),
            "the file's users take the place of the default one"
        );
        assert_eq!(config.broker.limits.queues, 7);
        assert_eq!(settings.log.level, "debug");
        assert_eq!(settings.log.format, LogFormat::Json);
    }
}
