//! Where to listen, and what is spoken there.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use mq_core::{Protocol, SlowConsumers};
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

/// What peers of an endpoint speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Speaks {
    /// One protocol.
    Only(Protocol),
    /// WebSocket. The path decides what is inside: `/mqtt`, `/stomp`, or `/ws`, where the
    /// sub-protocol does.
    WebSocket,
    /// Anything: AMQP, MQTT, STOMP, WebSocket, each also over TLS where the server has a
    /// certificate. The first bytes of a connection decide.
    Anything,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// A host name or IP address, and a port; port 0 is any free one.
    Tcp(String, u16),
    /// The path of a Unix domain socket. A socket file that nobody listens on is replaced.
    Unix(PathBuf),
}

/// A listener: an address and what is spoken there. It is written as a URL:
///
/// | URL | meaning |
/// |---|---|
/// | `amqp://HOST:PORT`, `mqtt://..`, `stomp://..` | one protocol over TCP |
/// | `amqps://..`, `mqtts://..`, `stomps://..` | the same over TLS |
/// | `ws://..`, `wss://..` | WebSocket: `/mqtt`, `/stomp`, or `/ws` with a sub-protocol |
/// | `any://..` | one port for all of them: the first bytes of a connection decide |
/// | `amqp+unix:///run/mq.sock` | a Unix domain socket in place of TCP, with any scheme |
/// | `..?proxy` | each connection begins with a header of the PROXY protocol, version 2 |
/// | `..?max_connections=N` | so many connections at one time |
/// | `..?allow_anonymous=no` | MQTT and STOMP peers without credentials are refused, or let in by `yes`, whatever the other listeners do |
/// | `..?handshake_timeout=SECONDS` | how long a peer may take until its protocol begins |
/// | `..?login_timeout=SECONDS` | and then to log in |
/// | `..?slow_consumers=POLICY` | what is done about a peer that takes what it is sent too slowly: `block`, `drop_qos0`, or `disconnect:SECONDS` after which it is disconnected |
/// | `..?virtual_host=NAME` | the virtual host of MQTT and STOMP peers that name none |
/// | `..?identity=common_name` | the user is the name in the client's certificate: `common_name`, `distinguished_name` or `subject_alternative_name` |
///
/// `&` joins these options.
///
/// ```
/// use mq_server::{Endpoint, Protocol, Speaks};
///
/// let endpoint: Endpoint = "mqtts://0.0.0.0:8883?proxy".parse()?;
/// assert_eq!(endpoint.speaks, Speaks::Only(Protocol::Mqtt));
/// assert!(endpoint.tls && endpoint.proxy);
/// # Ok::<(), mq_server::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub struct Endpoint {
    /// Where to listen.
    pub address: Address,
    /// What is spoken there.
    pub speaks: Speaks,
    /// TLS below that. It needs [`Config::tls`](crate::Config::tls).
    pub tls: bool,
    /// A header of the PROXY protocol, version 2, before everything else. It says where the
    /// connection really came from, so only a proxy may reach this endpoint.
    pub proxy: bool,
    /// Connections at one time. Default: as many as the server takes.
    pub max_connections: Option<u32>,
    /// Whether MQTT and STOMP peers without credentials are let in here. Default: what
    /// [`mq_core::Config::allow_anonymous`] says.
    pub allow_anonymous: Option<bool>,
    /// How long a peer may take until its protocol begins. Default: what
    /// [`Config::handshake_timeout`](crate::Config::handshake_timeout) says.
    pub handshake_timeout: Option<Duration>,
    /// How long it may take to log in. Default: what [`mq_core::Config::login_timeout`] says.
    pub login_timeout: Option<Duration>,
    /// What is done about it if it takes what it is sent too slowly. Default: what
    /// [`mq_core::Config::slow_consumers`] says.
    pub slow_consumers: Option<SlowConsumers>,
    /// The virtual host of MQTT and STOMP peers that name none. Default: the first.
    pub virtual_host: Option<String>,
    /// What in the client's certificate is the user's name: for AMQP's mechanism EXTERNAL,
    /// and for MQTT and STOMP peers without credentials. It needs TLS and
    /// [`TlsFiles::client_ca`](crate::TlsFiles::client_ca). Default: nothing.
    pub identity: Option<IdentityFrom>,
}

/// The part of a client's certificate that is the user's name, as RabbitMQ names them
/// (`ssl_cert_login_from`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityFrom {
    /// The first `CN` of the subject.
    CommonName,
    /// The whole subject in the form of RFC 4514: `CN=device,O=Example`.
    DistinguishedName,
    /// The first DNS name, e-mail address or URI among the subject's alternative names.
    SubjectAlternativeName,
}

const IDENTITIES: [(&str, IdentityFrom); 3] = [
    ("common_name", IdentityFrom::CommonName),
    ("distinguished_name", IdentityFrom::DistinguishedName),
    (
        "subject_alternative_name",
        IdentityFrom::SubjectAlternativeName,
    ),
];

impl Endpoint {
    /// A protocol over TCP, without TLS.
    #[must_use]
    pub fn tcp(protocol: Protocol, address: SocketAddr) -> Self {
        Self {
            address: Address::Tcp(address.ip().to_string(), address.port()),
            speaks: Speaks::Only(protocol),
            tls: false,
            proxy: false,
            max_connections: None,
            allow_anonymous: None,
            handshake_timeout: None,
            login_timeout: None,
            slow_consumers: None,
            virtual_host: None,
            identity: None,
        }
    }
}

/// Why a text is no [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address to listen on: write SCHEME://HOST:PORT with a scheme of amqp, amqps, \
     mqtt, mqtts, stomp, stomps, ws, wss and any, or SCHEME+unix:///PATH, and then ? and any \
     of proxy, max_connections=N, allow_anonymous=yes, handshake_timeout=SECONDS, \
     login_timeout=SECONDS, slow_consumers=block, drop_qos0 or disconnect:SECONDS, \
     virtual_host=NAME and identity=common_name with & between"
)]
pub struct EndpointError(String);

/// Schemes, what they speak, and whether over TLS.
const SCHEMES: [(&str, Speaks, bool); 9] = [
    ("amqp", Speaks::Only(Protocol::Amqp), false),
    ("amqps", Speaks::Only(Protocol::Amqp), true),
    ("mqtt", Speaks::Only(Protocol::Mqtt), false),
    ("mqtts", Speaks::Only(Protocol::Mqtt), true),
    ("stomp", Speaks::Only(Protocol::Stomp), false),
    ("stomps", Speaks::Only(Protocol::Stomp), true),
    ("ws", Speaks::WebSocket, false),
    ("wss", Speaks::WebSocket, true),
    ("any", Speaks::Anything, false),
];

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        parse(text).ok_or_else(|| EndpointError(text.to_owned()))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

fn parse(text: &str) -> Option<Endpoint> {
    let (scheme, rest) = text.split_once("://")?;
    let (scheme, is_unix) = match scheme.strip_suffix("+unix") {
        Some(scheme) => (scheme, true),
        None => (scheme, false),
    };
    let (_, speaks, tls) = SCHEMES.into_iter().find(|(name, ..)| *name == scheme)?;
    let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (mut proxy, mut max_connections) = (false, None);
    let (mut allow_anonymous, mut virtual_host, mut identity) = (None, None, None);
    let (mut handshake_timeout, mut login_timeout, mut slow_consumers) = (None, None, None);
    for (option, value) in form_urlencoded::parse(options.as_bytes()) {
        match (&*option, &*value) {
            ("proxy", "") => proxy = true,
            ("max_connections", count) => {
                max_connections = Some(count.parse().ok().filter(|count| *count > 0)?);
            }
            ("allow_anonymous", "yes") => allow_anonymous = Some(true),
            ("allow_anonymous", "no") => allow_anonymous = Some(false),
            ("handshake_timeout", time) => handshake_timeout = Some(seconds(time)?),
            ("login_timeout", time) => login_timeout = Some(seconds(time)?),
            ("slow_consumers", policy) => slow_consumers = Some(policy.parse().ok()?),
            ("virtual_host", name) if !name.is_empty() => virtual_host = Some(name.to_owned()),
            ("identity", name) => {
                let known = IDENTITIES.into_iter().find(|(known, _)| *known == name);
                identity = Some(known?.1);
            }
            _ => return None,
        }
    }
    let address = if is_unix {
        Address::Unix(PathBuf::from(rest).is_absolute().then(|| rest.into())?)
    } else {
        // A scheme that `Url` does not know has no default port: what is written is kept.
        let url = Url::parse(&format!("listen://{rest}")).ok()?;
        let bare = matches!(url.path(), "" | "/") && url.username().is_empty();
        let host = url.host_str()?.trim_matches(['[', ']']);
        Address::Tcp(host.to_owned(), url.port().filter(|_| bare)?)
    };
    Some(Endpoint {
        address,
        speaks,
        tls,
        proxy,
        max_connections,
        allow_anonymous,
        handshake_timeout,
        login_timeout,
        slow_consumers,
        virtual_host,
        identity,
    })
}

/// A time that is not zero.
fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = SCHEMES
            .into_iter()
            .find(|(_, speaks, tls)| (*speaks, *tls) == (self.speaks, self.tls));
        let scheme = scheme.map_or("any", |(name, ..)| name);
        match &self.address {
            Address::Tcp(host, port) if host.contains(':') => {
                write!(f, "{scheme}://[{host}]:{port}")
            }
            Address::Tcp(host, port) => write!(f, "{scheme}://{host}:{port}"),
            Address::Unix(path) => write!(f, "{scheme}+unix://{}", path.display()),
        }?;
        let yes_or_no = |yes| if yes { "yes" } else { "no" };
        let name = |from| IDENTITIES.into_iter().find(|(_, known)| *known == from);
        let options = [
            self.proxy.then(|| "proxy".to_owned()),
            self.max_connections
                .map(|max| format!("max_connections={max}")),
            self.allow_anonymous
                .map(|allow| format!("allow_anonymous={}", yes_or_no(allow))),
            self.handshake_timeout
                .map(|time| format!("handshake_timeout={}", time.as_secs())),
            self.login_timeout
                .map(|time| format!("login_timeout={}", time.as_secs())),
            self.slow_consumers
                .map(|slow_consumers| format!("slow_consumers={slow_consumers}")),
            self.virtual_host.as_ref().map(|name| {
                let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
                format!("virtual_host={name}")
            }),
            self.identity
                .and_then(name)
                .map(|(name, _)| format!("identity={name}")),
        ];
        let options: Vec<String> = options.into_iter().flatten().collect();
        if !options.is_empty() {
            write!(f, "?{}", options.join("&"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let good = [
            "amqp://127.0.0.1:5672",
            "amqps://[::1]:5671",
            "mqtt://localhost:0",
            "mqtts://0.0.0.0:8883?proxy",
            "stomp+unix:///run/stomp.sock",
            "ws://127.0.0.1:80",
            "wss://127.0.0.1:443",
            "any://[::]:1?proxy",
            "mqtt://127.0.0.1:1883?max_connections=5",
            "mqtt://127.0.0.1:1883?proxy&max_connections=5",
            "mqtt://127.0.0.1:1883?allow_anonymous=no",
            "any://127.0.0.1:1883?handshake_timeout=3&login_timeout=60",
            "mqtt://127.0.0.1:1883?slow_consumers=block",
            "mqtt://127.0.0.1:1883?slow_consumers=drop_qos0",
            "mqtt://127.0.0.1:1883?slow_consumers=disconnect:30",
            "mqtts://127.0.0.1:8883?allow_anonymous=yes&virtual_host=%2Fa%26b&identity=common_name",
        ];
        for text in good {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), text);
        }
        let bad = [
            "",
            "127.0.0.1:5672",
            "http://127.0.0.1:80",
            "amqp://127.0.0.1",
            "amqp://:5672",
            "amqp://user@127.0.0.1:5672",
            "amqp://127.0.0.1:70000",
            "amqp://127.0.0.1:5672/vhost",
            "amqp://127.0.0.1:5672?tls",
            "amqp://127.0.0.1:5672?max_connections=0",
            "amqp://127.0.0.1:5672?max_connections=many",
            "amqp+unix://relative",
            "mqtt://127.0.0.1:1883?allow_anonymous=maybe",
            "mqtt://127.0.0.1:1883?virtual_host=",
            "mqtt://127.0.0.1:1883?identity=shoe_size",
            "mqtt://127.0.0.1:1883?proxy=5",
            "mqtt://127.0.0.1:1883?handshake_timeout=0",
            "mqtt://127.0.0.1:1883?login_timeout=0",
            "mqtt://127.0.0.1:1883?login_timeout=soon",
            "mqtt://127.0.0.1:1883?login_timeout=-1",
            "mqtt://127.0.0.1:1883?slow_consumers=",
            "mqtt://127.0.0.1:1883?slow_consumers=shoot",
            "mqtt://127.0.0.1:1883?slow_consumers=disconnect",
            "mqtt://127.0.0.1:1883?slow_consumers=disconnect:0",
        ];
        for text in bad {
            let refused: Result<Endpoint, _> = text.parse();
            assert!(refused.is_err(), "{text}");
        }
    }
}
