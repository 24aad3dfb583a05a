//! The settings: defaults, then the file, then the environment, then the flags.
//!
//! Each of these is a table of the same shape ([`Tables`]), and is checked by itself, so that
//! a complaint names where it comes from. Laid over each other they are read once.

mod bridge;
mod layer;
mod policy;
mod rewrite;
mod tables;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mq_server::Config;

use crate::cli::{Flags, LogFormat};
use layer::Layer;
pub(crate) use tables::Tables;

/// What the process runs with.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) log: Log,
    /// The same as people write it.
    pub(crate) tables: Tables,
}

/// What to log, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// One setting of the environment or of the flags.
    #[error("{source_name}: {message}")]
    One {
        source_name: String,
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
    #[error("cannot find the address of {host:?} to listen on: {reason}")]
    Host { host: String, reason: String },
    #[error("bridges: {topic:?} is no topic: {reason}")]
    BridgeTopic {
        topic: String,
        reason: mq_core::BridgeTopicError,
    },
    #[error(
        "bridges: {0:?} has half of TLS: bridge_certfile and bridge_keyfile go together, and with bridge_cafile"
    )]
    BridgeTls(String),
    #[error("mqtt.topic_rewrites: {0}")]
    Rewrite(#[from] mq_core::RewriteError),
    #[error(transparent)]
    Config(#[from] mq_server::ConfigError),
    #[error("store: {0}")]
    Store(#[from] mq_server::store::StoreError),
}

fn at(line: &Option<usize>) -> String {
    line.map(|line| format!(", line {line}"))
        .unwrap_or_default()
}

/// The environment of a process.
pub(crate) type Variables = BTreeMap<OsString, OsString>;

impl Settings {
    /// Reads the file that the flags name, if they do, and checks the whole.
    pub(crate) fn load(flags: &Flags, variables: &Variables) -> Result<Self, SettingsError> {
        let mut file = None;
        if let Some(path) = &flags.config {
            let text = fs::read_to_string(path).map_err(|source| SettingsError::Read {
                path: path.clone(),
                source,
            })?;
            file = Some((path.as_path(), text));
        }
        let file = file.as_ref().map(|(path, text)| (*path, text.as_str()));
        Self::of(Tables::of(file, flags, variables)?)
    }

    /// Checks the whole.
    pub(crate) fn of(tables: Tables) -> Result<Self, SettingsError> {
        let settings = tables.into_settings()?;
        crate::log::check_level(&settings.log.level)?;
        settings.config.check()?;
        let config = &settings.config;
        if config.listen.iter().next().is_none() && config.endpoints.is_empty() {
            return Err(SettingsError::NothingToDo);
        }
        Ok(settings)
    }
}

impl Tables {
    /// What these say: a file with its text, the flags and the environment.
    pub(crate) fn of(
        file: Option<(&Path, &str)>,
        flags: &Flags,
        variables: &Variables,
    ) -> Result<Self, SettingsError> {
        let mut layers = Vec::new();
        if let Some((path, text)) = file {
            layers.push(read(path, text)?);
        }
        layers.push(Layer::of_variables(variables)?);
        layers.push(Layer::of_flags(flags)?);
        Layer::merge(layers)
    }
}

fn read(path: &Path, text: &str) -> Result<Layer, SettingsError> {
    let wrong = |error: toml::de::Error| SettingsError::File {
        path: path.to_owned(),
        line: error
            .span()
            .map(|span| text[..span.start].matches('\n').count() + 1),
        message: one_line(error.message()),
    };
    // Read as what it means first, for the line of what is wrong.
    toml::from_str::<Tables>(text).map_err(wrong)?;
    Ok(Layer(toml::from_str(text).map_err(wrong)?))
}

/// Some messages of the parser have a second line.
fn one_line(message: &str) -> String {
    message.trim_end().replace('\n', ", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../mq-server.example.toml");

    fn load(flags: &[&str], variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        use clap::Parser;
        let arguments = ["mq-server"].iter().chain(flags);
        let arguments = crate::cli::Arguments::try_parse_from(arguments).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        Settings::load(&arguments.flags, &variables.collect())
    }

    /// The example shows every setting with its default: with the comment signs off, it
    /// has the same keys and values as the defaults.
    #[test]
    fn the_example_shows_every_default() {
        let uncommented: String = EXAMPLE
            .lines()
            .map(|line| line.strip_prefix("#= ").unwrap_or(line))
            .map(|line| format!("{line}\n"))
            .collect();
        let mut example: toml::Table = toml::from_str(&uncommented).unwrap();
        toml::from_str::<Tables>(&uncommented).unwrap();
        assert!(example.remove("seed").is_some(), "there is no default seed");
        let defaults = toml::Table::try_from(Tables::default()).unwrap();
        assert_eq!(example, defaults);
    }

    #[test]
    fn the_later_wins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mq.toml");
        fs::write(
            &path,
            r#"
            virtual_hosts = ["one", "two"]
            max_connections = 1
            [listen]
            amqp = "127.0.0.1:1"
            stomp = "off"
            [users]
            alice = "secret"
            [limits]
            queues = 7
            exchanges = 7
            bindings = 7
            [log]
            level = "debug"
            "#,
        )
        .unwrap();
        let settings = load(
            &[
                "--config",
                path.to_str().unwrap(),
                "--amqp=127.0.0.1:2",
                "--log-format=json",
                "--set=limits.bindings=9",
            ],
            &[
                ("MQ_SERVER__LIMITS__EXCHANGES", "8"),
                ("MQ_SERVER__LIMITS__BINDINGS", "8"),
                ("MQ_SERVER__LISTEN__AMQP", "127.0.0.1:3"),
                ("MQ_SERVER_PORT", "another program's"),
            ],
        )
        .unwrap();
        let config = &settings.config;
        assert_eq!(config.listen.amqp, "127.0.0.1:2".parse().ok(), "flag");
        assert_eq!(config.listen.mqtt, "127.0.0.1:1883".parse().ok(), "default");
        assert_eq!(config.listen.stomp, None, "file");
        assert_eq!(config.max_connections, 1);
        assert_eq!(config.broker.virtual_hosts, ["one", "two"]);
        let users = BTreeMap::from([("alice".to_owned(), "secret".to_owned())]);
        assert_eq!(config.broker.users, users, "in place of the default");
        let limits = &config.broker.limits;
        assert_eq!(
            (limits.queues, limits.exchanges, limits.bindings),
            (7, 8, 9)
        );
        assert_eq!(settings.log.level, "debug");
        assert_eq!(settings.log.format, LogFormat::Json);
    }

    #[test]
    fn users_of_a_later_layer_are_all() {
        let settings = load(
            &["--user=bob:b", "--user=carol:c:d"],
            &[("MQ_SERVER__USERS__ALICE", "a")],
        );
        let users = settings.unwrap().config.broker.users;
        let users: Vec<_> = users
            .iter()
            .map(|(n, p)| (n.as_str(), p.as_str()))
            .collect();
        assert_eq!(users, [("bob", "b"), ("carol", "c:d")]);
    }

    #[test]
    fn variables_are_typed_as_the_setting_is() {
        let settings = load(
            &["--set=log.level=warn", "--set=seed=12"],
            &[
                ("MQ_SERVER__AMQP__VERSION", "3.10"),
                ("MQ_SERVER__AMQP__PRODUCT", "\"quoted\""),
                ("MQ_SERVER__ALLOW_ANONYMOUS", "false"),
                ("MQ_SERVER__VIRTUAL_HOSTS", "[\"a\", \"b\"]"),
                ("MQ_SERVER__USERS__ALICE", "123"),
            ],
        )
        .unwrap();
        let broker = &settings.config.broker;
        assert_eq!(
            broker.amqp_version, "3.10",
            "a string, though it looks like a number"
        );
        assert_eq!(broker.amqp_product, "quoted");
        assert!(!broker.allow_anonymous);
        assert_eq!(broker.virtual_hosts, ["a", "b"]);
        assert_eq!(broker.users["alice"], "123");
        assert_eq!(broker.seed, 12);
        assert_eq!(settings.log.level, "warn");
    }

    #[test]
    fn variables_and_flags_that_cannot_be_used() {
        type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
        let rows: [Row<'_>; 6] = [
            (
                &[],
                &[("MQ_SERVER__COLOUR", "1")],
                "MQ_SERVER__COLOUR: unknown field `colour`",
            ),
            (
                &[],
                &[("MQ_SERVER__LIMITS__QUEUES", "many")],
                "MQ_SERVER__LIMITS__QUEUES: invalid type",
            ),
            (
                &[],
                &[("MQ_SERVER__LISTEN__AMQP", "here")],
                "\"here\" is no address",
            ),
            (
                &["--set=limits.queue=1"],
                &[],
                "--set limits.queue: unknown field `queue`",
            ),
            (&["--set=max_connections=0"], &[], "max_connections is 0"),
            (
                &["--amqp=no.such.host.invalid:1"],
                &[],
                "cannot find the address of \"no.such.host.invalid\"",
            ),
        ];
        for (flags, variables, complaint) in rows {
            let error = load(flags, variables).unwrap_err().to_string();
            assert!(
                error.contains(complaint),
                "wanted {complaint:?} in {error:?}"
            );
            assert!(!error.contains('\n'), "{error:?}");
        }
    }

    #[test]
    fn a_host_name_is_an_address_to_listen_on() {
        let settings = load(&["--mqtt=localhost:0", "--amqp=[::1]:7"], &[]).unwrap();
        let listen = settings.config.listen;
        assert_eq!(listen.mqtt, "127.0.0.1:0".parse().ok());
        assert_eq!(listen.amqp, "[::1]:7".parse().ok());
    }
}
