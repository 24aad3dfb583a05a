//! Which broker, what it speaks, and over what.

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use url::Url;

/// A broker under one protocol: `NAME=URL` or `URL`.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is called in the report.
    pub name: String,
    /// What is spoken.
    pub protocol: Protocol,
    /// Whether TLS is below it.
    pub tls: bool,
    /// The resource of a WebSocket, if there is one.
    pub web_socket: Option<String>,
    /// The host as it was given; TLS checks it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// User and password.
    pub user: Option<(String, String)>,
    /// The virtual host; of STOMP the header `host`.
    pub virtual_host: String,
    /// The protocol's version, where there is a choice.
    pub version: Option<String>,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// AMQP 0-9-1.
    Amqp,
    /// MQTT 3.1.1 or 5.0.
    Mqtt,
    /// STOMP 1.2.
    Stomp,
}

impl Protocol {
    /// Its name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amqp => "AMQP",
            Self::Mqtt => "MQTT",
            Self::Stomp => "STOMP",
        }
    }
}

/// The part of `--help` about URLs.
pub const HELP: &str = "\
Brokers:
  [NAME=]SCHEME://[USER:PASSWORD@]HOST[:PORT][/PATH][?version=V]
  amqp mqtt stomp            over TCP; the path is the virtual host, percent-encoded (%2F)
  amqps mqtts stomps         over TLS
  mqtt+ws stomp+ws           over WebSocket; the path is its resource (/mqtt, /ws)
  mqtt+wss stomp+wss         over WebSocket over TLS
  MQTT is 3.1.1 unless ?version=5.0 says otherwise.";

/// The schemes: protocol, TLS, WebSocket, port.
const SCHEMES: [(&str, Protocol, bool, bool, u16); 10] = [
    ("amqp", Protocol::Amqp, false, false, 5672),
    ("amqps", Protocol::Amqp, true, false, 5671),
    ("mqtt", Protocol::Mqtt, false, false, 1883),
    ("mqtts", Protocol::Mqtt, true, false, 8883),
    ("mqtt+ws", Protocol::Mqtt, false, true, 80),
    ("mqtt+wss", Protocol::Mqtt, true, true, 443),
    ("stomp", Protocol::Stomp, false, false, 61613),
    ("stomps", Protocol::Stomp, true, false, 61614),
    ("stomp+ws", Protocol::Stomp, false, true, 80),
    ("stomp+wss", Protocol::Stomp, true, true, 443),
];

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, address) = match text.split_once('=') {
            // The `=` of a query is behind the scheme.
            Some((name, url)) if !name.contains(':') => (Some(name), url),
            _ => (None, text),
        };
        let url = Url::parse(address).with_context(|| format!("{address:?} is no URL"))?;
        let &(_, protocol, tls, web_socket, port) = SCHEMES
            .iter()
            .find(|(scheme, ..)| *scheme == url.scheme())
            .with_context(|| format!("no protocol is called {:?}", url.scheme()))?;
        let host = url.host_str().context("a URL has a host")?.to_owned();
        let decode = |text: &str| -> Result<String> {
            Ok(percent_decode_str(text).decode_utf8()?.into_owned())
        };
        let mut version = None;
        for (key, value) in url.query_pairs() {
            match &*key {
                "version" => version = Some(value.into_owned()),
                _ => bail!("a URL has no {key:?}"),
            }
        }
        let path = url.path();
        Ok(Self {
            name: name.unwrap_or(url.scheme()).to_owned(),
            protocol,
            tls,
            web_socket: web_socket.then(|| if path.is_empty() { "/" } else { path }.to_owned()),
            port: url.port().unwrap_or(port),
            user: match url.username() {
                "" => None,
                user => Some((decode(user)?, decode(url.password().unwrap_or_default())?)),
            },
            virtual_host: match path.strip_prefix('/') {
                Some(name) if !name.is_empty() && !web_socket => decode(name)?,
                _ => String::from("/"),
            },
            version,
            host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let target: Target = "rabbit=amqp://guest:p%40ss@127.0.0.1/%2F"
            .parse()
            .expect("good");
        assert_eq!(
            (&*target.name, target.protocol, target.port),
            ("rabbit", Protocol::Amqp, 5672)
        );
        assert_eq!(target.user, Some(("guest".into(), "p@ss".into())));
        assert_eq!(target.virtual_host, "/");
        let target: Target = "mqtt+wss://h:99/mqtt?version=5.0".parse().expect("good");
        assert_eq!(
            (&*target.name, target.tls, target.port),
            ("mqtt+wss", true, 99)
        );
        assert_eq!(target.web_socket.as_deref(), Some("/mqtt"));
        assert_eq!(target.version.as_deref(), Some("5.0"));
        for bad in ["amqp", "http://h/", "mqtt://h/?colour=red"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
