//! The command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use mq_server::Endpoint;
use serde::{Deserialize, Serialize};

/// A message broker for AMQP 0-9-1, MQTT (3.1, 3.1.1, 5.0) and STOMP (1.0,
/// 1.1, 1.2). What is published over one protocol can be consumed over the
/// others.
///
/// Settings come from the defaults, then from the file, then from environment
/// variables, then from these flags; the later wins. Each listener's address is
/// printed on standard output once it accepts connections; the log goes to standard
/// error. Ctrl-C and SIGTERM stop the server after a goodbye to every peer; a second one
/// stops it at once. SIGHUP has it read its settings and certificates again.
#[derive(Debug, Default, Parser)]
#[command(name = "mq-server", version, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) flags: Flags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a data directory readable again that was damaged, and exit. What can be read
    /// is kept; each damaged file stays beside it, with ".damaged" at the end of its name.
    Repair {
        /// The data directory. No mq-server may run on it.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

#[derive(Debug, Default, Args)]
pub(crate) struct Flags {
    /// A TOML file with settings. mq-server.example.toml in the source shows
    /// every one with its default.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// One setting, by its name in the file, as limits.queues=1000; repeat for more. The
    /// environment variable MQ_SERVER__LIMITS__QUEUES=1000 does the same.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<Assignment>,

    /// The directory for what has to outlive the process: durable queues and their persistent
    /// messages, sessions, retained messages. It is made if it is not there [default: mq-data].
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pub(crate) data: Option<PathBuf>,

    /// Keep everything in memory: it is gone with the process, and what is confirmed is in
    /// memory alone.
    #[arg(long)]
    pub(crate) ephemeral: bool,

    /// A PostgreSQL database in place of the directory: postgres://USER:PASSWORD@HOST/DATABASE.
    /// Others on this machine can see the flags of a process: for a password the file is a
    /// better place. It takes a build with the feature "postgres".
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "ephemeral"])]
    pub(crate) store: Option<String>,

    /// Where AMQP 0-9-1 listens [default: 127.0.0.1:5672]. Port 0 takes a free
    /// one, "off" leaves the protocol out.
    #[arg(long, value_name = "HOST:PORT|off")]
    pub(crate) amqp: Option<Address>,

    /// Where MQTT listens [default: 127.0.0.1:1883].
    #[arg(long, value_name = "HOST:PORT|off")]
    pub(crate) mqtt: Option<Address>,

    /// Where STOMP listens [default: 127.0.0.1:61613].
    #[arg(long, value_name = "HOST:PORT|off")]
    pub(crate) stomp: Option<Address>,

    /// One more listener; repeat for more. Schemes are amqp, amqps, mqtt, mqtts, stomp,
    /// stomps, ws, wss (paths /mqtt, /stomp and /ws) and any, which finds out what a peer
    /// speaks; with "+unix" and a path in place of HOST:PORT a Unix socket; with "?proxy"
    /// at the end a PROXY protocol v2 header comes first.
    #[arg(long = "listen", value_name = "SCHEME://HOST:PORT")]
    pub(crate) endpoints: Vec<Endpoint>,

    /// The server's certificate for TLS, in PEM form, with those that signed it.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// The private key of that certificate, in PEM form.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Requires clients over TLS to have a certificate that one of these authorities signed.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// A user who may connect; repeat for more. Given once or more, only these
    /// may [default: guest:guest]. Others on this machine can see the flags of
    /// a process: the file is a better place for a password.
    #[arg(long = "user", value_name = "NAME:PASSWORD")]
    pub(crate) users: Vec<User>,

    /// Whether MQTT and STOMP peers without a user are let in [default: true].
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    pub(crate) allow_anonymous: Option<bool>,

    /// Whether MQTT and STOMP peers with a user name that is none of the users are let
    /// in as well, where those without one are [default: false].
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    pub(crate) any_user: Option<bool>,

    /// Whether MQTT clients may publish to topics that begin with "$", except $SYS
    /// [default: true].
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    pub(crate) dollar_topics: Option<bool>,

    /// What AMQP clients are told that this is; some are steered by it
    /// [default: RabbitMQ].
    #[arg(long, value_name = "NAME")]
    pub(crate) amqp_product: Option<String>,

    /// The version that goes with it [default: 3.10.8].
    #[arg(long, value_name = "N.N.N")]
    pub(crate) amqp_version: Option<String>,

    /// A virtual host; repeat for more. The first is the one for MQTT
    /// [default: /].
    #[arg(long = "vhost", value_name = "NAME")]
    pub(crate) virtual_hosts: Vec<String>,

    /// Connections at one time, over all protocols [default: 10000].
    #[arg(long, value_name = "N")]
    pub(crate) max_connections: Option<u32>,

    /// What to log: error, warn, info, debug, trace or off, or a filter such
    /// as "info,mq_server=debug" [default: info].
    #[arg(long, value_name = "FILTER")]
    pub(crate) log_level: Option<String>,

    /// How to write a line of the log [default: text].
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// Read the settings, say whether they are good, and exit.
    #[arg(long)]
    pub(crate) check_config: bool,
}

/// A setting by its name in the file, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
        Ok(Self {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
        })
    }
}

/// Where a listener is to be, or that there is to be none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Address {
    /// A host name or IP address, and a port.
    On(String, u16),
    Off,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        parse_address(text).ok_or_else(|| {
            format!(
                "{text:?} is no address: write HOST:PORT, as 127.0.0.1:5672, localhost:5672 or \
                 [::]:5672, or off"
            )
        })
    }
}

fn parse_address(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    // The colons of a bare IPv6 address cannot be told from the one before the port.
    let is_host = !host.is_empty() && (is_bracketed || !host.contains(':'));
    is_host.then(|| Address::On(host.trim_matches(['[', ']']).to_owned(), port))
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::On(host, port) => write!(f, "{host}:{port}"),
            Self::Off => f.write_str("off"),
        }
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

/// A user and the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl FromStr for User {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The text is not repeated: it may hold a password.
        match text.split_once(':') {
            Some((name, password)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                password: password.to_owned(),
            }),
            _ => Err("write NAME:PASSWORD".to_owned()),
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For reading.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}
