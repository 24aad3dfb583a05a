//! Which broker is judged, over which protocol.

use std::fmt;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::scram::Credentials;
use crate::tls::{Tls, TlsArgs, TlsError};

/// A family of cases, told by the scheme of the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// AMQP 0-9-1.
    Amqp,
    /// MQTT 3.1, 3.1.1 and 5.0.
    Mqtt,
    /// STOMP 1.0, 1.1 and 1.2.
    Stomp,
}

impl Protocol {
    /// The scheme of its URLs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Mqtt => "mqtt",
            Self::Stomp => "stomp",
        }
    }

    /// What the ids of its cases begin with, by version.
    pub(crate) fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Amqp => &["amqp"],
            Self::Mqtt => &["mqtt5", "mqtt311", "mqtt31"],
            Self::Stomp => &["stomp12", "stomp11", "stomp10"],
        }
    }
}

/// What is between TCP and the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Nothing but TLS, perhaps.
    Stream,
    /// WebSocket.
    WebSocket,
}

/// Where a broker speaks WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebSocketAddress {
    pub(crate) port: u16,
    pub(crate) path: String,
}

/// A scheme of URLs: its name, what it means, and the port and path that it stands for.
struct Scheme {
    name: &'static str,
    protocol: Protocol,
    tls: bool,
    transport: Transport,
    port: u16,
    path: &'static str,
}

const SCHEMES: &[Scheme] = &[
    scheme("amqp", Protocol::Amqp, false, Transport::Stream, 5672, "/"),
    scheme("amqps", Protocol::Amqp, true, Transport::Stream, 5671, "/"),
    scheme("mqtt", Protocol::Mqtt, false, Transport::Stream, 1883, "/"),
    scheme("mqtts", Protocol::Mqtt, true, Transport::Stream, 8883, "/"),
    scheme(
        "ws",
        Protocol::Mqtt,
        false,
        Transport::WebSocket,
        80,
        "/mqtt",
    ),
    scheme(
        "wss",
        Protocol::Mqtt,
        true,
        Transport::WebSocket,
        443,
        "/mqtt",
    ),
    scheme(
        "stomp",
        Protocol::Stomp,
        false,
        Transport::Stream,
        61613,
        "/",
    ),
    scheme(
        "stomps",
        Protocol::Stomp,
        true,
        Transport::Stream,
        61614,
        "/",
    ),
    scheme(
        "stomp+ws",
        Protocol::Stomp,
        false,
        Transport::WebSocket,
        80,
        "/stomp",
    ),
    scheme(
        "stomp+wss",
        Protocol::Stomp,
        true,
        Transport::WebSocket,
        443,
        "/stomp",
    ),
];

const fn scheme(
    name: &'static str,
    protocol: Protocol,
    tls: bool,
    transport: Transport,
    port: u16,
    path: &'static str,
) -> Scheme {
    Scheme {
        name,
        protocol,
        tls,
        transport,
        port,
        path,
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One broker, reached over one protocol.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// From the scheme.
    pub(crate) protocol: Protocol,
    /// The host as written, for the protocols that send it.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// From the URL. Without it AMQP and STOMP take `guest`, MQTT is anonymous.
    pub(crate) user: Option<String>,
    /// From the URL. Without it AMQP and STOMP take `guest`.
    pub(crate) password: Option<String>,
    /// The path of the URL, `/` without one (AMQP and STOMP).
    pub(crate) virtual_host: String,
    /// From the scheme.
    pub(crate) transport: Transport,
    /// Where it speaks WebSocket, which for another scheme than one of WebSocket only the
    /// cases about that use.
    pub(crate) web_socket: Option<WebSocketAddress>,
    /// Whether the scheme is one with TLS, and how it is spoken.
    pub(crate) tls: Option<Tls>,
    /// Another virtual host that the user may use (AMQP).
    pub(crate) other_virtual_host: Option<String>,
    /// The name and password of a user who may log in, and do nothing else.
    pub(crate) restricted: Option<(String, String)>,
    /// How a client of MQTT 5.0 may authenticate by AUTH.
    pub(crate) authentication: Option<Credentials>,
    /// What has been found out about it before it is judged.
    pub(crate) profile: Profile,
}

/// What a broker says of itself, and how a client gets in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    /// The name that it gives itself.
    pub(crate) product: Option<String>,
    /// The version that it says it has.
    pub(crate) version: Option<String>,
    /// Who it is and which limits it announces, a line each.
    pub(crate) says: Vec<String>,
    /// The versions that it does not offer, by what the ids of their cases
    /// begin with, and what it answered.
    pub(crate) lacks: Vec<(&'static str, String)>,
    /// The keep alive of an MQTT client that does not ask for another: 0, or
    /// what a broker that refuses that accepts.
    pub(crate) keep_alive: u16,
    /// The QoS above which an MQTT broker closes although it has not announced a
    /// maximum, and what it did.
    pub(crate) maximum_qos: Option<(u8, String)>,
    /// Whether a message went round before the first case: what a broker could do then shows
    /// afterwards whether it still serves.
    pub(crate) carries: bool,
    /// The `host` header of STOMP, when the virtual host of the URL is not taken.
    pub(crate) host: Option<String>,
}

impl Profile {
    /// Why the version that the id begins with is not offered.
    pub(crate) fn lacks(&self, id: &str) -> Option<&str> {
        let version = id.split('/').next()?;
        self.lacks
            .iter()
            .find(|(lacked, _)| *lacked == version)
            .map(|(_, evidence)| evidence.as_str())
    }
}

/// Why a URL names no broker, or one that does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("{url}: {source}")]
    Url {
        url: String,
        source: url::ParseError,
    },
    #[error(
        "{0}: the scheme must be amqp, amqps, mqtt, mqtts, ws, wss, stomp, stomps, stomp+ws or \
         stomp+wss"
    )]
    Scheme(String),
    #[error("{0}: the protocol is missing; write amqp://{0}, mqtt://{0} or stomp://{0}")]
    NoScheme(String),
    #[error("{0}: there is no host")]
    NoHost(String),
    #[error("{0}: not UTF-8 once percent-decoded")]
    NotUtf8(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{0}: write USER:PASSWORD")]
    NoPassword(String),
    #[error("cannot reach {target}: {source}")]
    Unreachable {
        target: String,
        source: std::io::Error,
    },
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        // `localhost:1883` is a URL with the scheme `localhost`.
        if !text.contains("://") {
            return Err(TargetError::NoScheme(text.into()));
        }
        let url = Url::parse(text).map_err(|source| TargetError::Url {
            url: text.into(),
            source,
        })?;
        let scheme = SCHEMES
            .iter()
            .find(|scheme| scheme.name == url.scheme())
            .ok_or_else(|| TargetError::Scheme(text.into()))?;
        let decode = |part: &str| {
            percent_decode_str(part)
                .decode_utf8()
                .map(String::from)
                .map_err(|_| TargetError::NotUtf8(text.into()))
        };
        let host = match url.host_str() {
            None | Some("") => return Err(TargetError::NoHost(text.into())),
            Some(host) => host.to_string(),
        };
        let port = url.port().unwrap_or(scheme.port);
        let mut target = Self::new(scheme.protocol, host, port);
        target.transport = scheme.transport;
        if scheme.tls {
            target.tls = Some(Tls::new(&TlsArgs::default())?);
        }
        if !url.username().is_empty() {
            target.user = Some(decode(url.username())?);
            target.password = url.password().map(decode).transpose()?;
        }
        match (scheme.transport, url.path()) {
            (Transport::WebSocket, path) => {
                let path = if matches!(path, "" | "/") {
                    scheme.path
                } else {
                    path
                };
                let path = path.into();
                target.web_socket = Some(WebSocketAddress { port, path });
            }
            (Transport::Stream, "" | "/") => {}
            (Transport::Stream, path) => {
                target.virtual_host = decode(path.strip_prefix('/').unwrap_or(path))?;
            }
        }
        Ok(target)
    }
}

/// The URL without the password.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme().name, self.host, self.port)
    }
}

impl Target {
    fn scheme(&self) -> &'static Scheme {
        let is_ours = |scheme: &&Scheme| {
            (scheme.protocol, scheme.tls, scheme.transport)
                == (self.protocol, self.tls.is_some(), self.transport)
        };
        // AMQP over WebSocket is none, and no URL makes one.
        SCHEMES.iter().find(is_ours).unwrap_or(&SCHEMES[0])
    }

    /// The host as a name or an address: a URL writes an IPv6 address in brackets.
    pub(crate) fn address(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The broker as the user sees it who may do nothing, if there is one.
    pub(crate) fn as_restricted(&self) -> Option<Self> {
        let (user, password) = self.restricted.clone()?;
        Some(Self {
            user: Some(user),
            password: Some(password),
            ..self.clone()
        })
    }

    /// Returns the URL that reaches it again, with everything but the password.
    pub(crate) fn url(&self) -> String {
        let usual = Self::new(self.protocol, self.host.clone(), self.port);
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut url = format!("{}://", self.scheme().name);
        if self.user != usual.user || self.password != usual.password {
            url.push_str(&encode(self.user.as_deref().unwrap_or_default()));
            if self.password.is_some() {
                url.push_str(":PASSWORD");
            }
            url.push('@');
        }
        url.push_str(&format!("{}:{}", self.host, self.port));
        if self.virtual_host != usual.virtual_host {
            url.push_str(&format!("/{}", encode(&self.virtual_host)));
        }
        if let (Transport::WebSocket, Some(web_socket)) = (self.transport, &self.web_socket)
            && web_socket.path != self.scheme().path
        {
            url.push_str(&web_socket.path);
        }
        url
    }

    /// A broker with the credentials and virtual host that a URL without any
    /// means.
    pub(crate) fn new(protocol: Protocol, host: String, port: u16) -> Self {
        let guest = match protocol {
            Protocol::Mqtt => None,
            Protocol::Amqp | Protocol::Stomp => Some("guest".to_string()),
        };
        Self {
            protocol,
            host,
            port,
            user: guest.clone(),
            password: guest,
            virtual_host: "/".into(),
            transport: Transport::Stream,
            web_socket: None,
            tls: None,
            other_virtual_host: None,
            restricted: None,
            authentication: None,
            profile: Profile::default(),
        }
    }

    /// Opens a TCP connection to a port of the broker, trying every address of the host.
    ///
    /// # Errors
    ///
    /// That of the last address tried.
    pub(crate) fn connect(&self, port: u16, patience: Duration) -> std::io::Result<TcpStream> {
        let addresses: Vec<SocketAddr> = (self.address(), port).to_socket_addrs()?.collect();
        let mut last = std::io::Error::other("the host has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, patience) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Fails unless something listens there, so that a mistyped port is one
    /// clear line and not a hundred cases that cannot be played.
    ///
    /// # Errors
    ///
    /// [`TargetError::Unreachable`].
    pub(crate) fn check_reachable(&self, patience: Duration) -> Result<(), TargetError> {
        self.connect(self.port, patience)
            .map(drop)
            .map_err(|source| TargetError::Unreachable {
                target: self.to_string(),
                source,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, expected) in [
            ("amqp://localhost", "amqp localhost 5672 guest guest /"),
            ("amqp://localhost/", "amqp localhost 5672 guest guest /"),
            ("amqp://a:b@h:7/v%2fw", "amqp h 7 a b v/w"),
            ("amqp://a%40b:c%3ad@h/%2f", "amqp h 5672 a@b c:d /"),
            ("mqtt://h", "mqtt h 1883 - - /"),
            ("mqtt://u@h:9", "mqtt h 9 u - /"),
            ("stomp://[::1]:1", "stomp [::1] 1 guest guest /"),
            ("ws://h", "mqtt h 80 - - /"),
            ("ws://u:p@h:8080/path", "mqtt h 8080 u p /"),
            ("stomp+ws://h:9/ws", "stomp h 9 guest guest /"),
        ] {
            let target: Target = url.parse().unwrap();
            let shown = format!(
                "{} {} {} {} {} {}",
                target.protocol,
                target.host,
                target.port,
                target.user.as_deref().unwrap_or("-"),
                target.password.as_deref().unwrap_or("-"),
                target.virtual_host
            );
            assert_eq!(shown, expected, "{url}");
        }
        for (url, again) in [
            ("amqp://guest:guest@h/%2f", "amqp://h:5672"),
            (
                "amqp://a%40b:secret@h:7/v%2fw",
                "amqp://a%40b:PASSWORD@h:7/v%2Fw",
            ),
            ("mqtt://u@h", "mqtt://u@h:1883"),
            ("ws://h:80", "ws://h:80"),
            ("ws://h/other", "ws://h:80/other"),
            ("stomp+ws://h:9", "stomp+ws://h:9"),
        ] {
            assert_eq!(url.parse::<Target>().unwrap().url(), again);
        }
        for (url, part) in [
            ("localhost:5672", "write amqp://localhost:5672, mqtt://"),
            ("127.0.0.1:5672", "write amqp://127.0.0.1:5672, mqtt://"),
            ("nonsense", "write amqp://nonsense"),
            ("http://h", "the scheme must be"),
            ("amqp://", "there is no host"),
            ("mqtt://h:99999", "invalid port"),
        ] {
            let error = url.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
