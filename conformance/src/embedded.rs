//! The reference broker, started in this process on ports of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mq_core::Permission;
use mq_server::store::Memory;
use mq_server::{Address, BlockingServer, Config, Endpoint, Speaks, StartError};

use crate::runner::Starter;
use crate::scram::Credentials;
use crate::target::{Protocol, Target, WebSocketAddress};

/// A virtual host beside the default one.
const OTHER: &str = "other";

/// A user who may log in and nothing else, and the password.
const RESTRICTED: (&str, &str) = ("restricted", "restricted");

/// The broker and how it is reached. Dropping it shuts it down.
#[derive(Debug)]
pub(crate) struct Embedded {
    config: Config,
    targets: Vec<Target>,
    server: Mutex<Option<BlockingServer>>,
}

impl Embedded {
    /// Starts it, with a log in memory that it goes on from when it is started again, a
    /// second virtual host, a user without rights, and WebSocket.
    ///
    /// # Errors
    ///
    /// Those of the server.
    pub(crate) fn start() -> Result<Self, StartError> {
        let mut config = config();
        let server = BlockingServer::start(config.clone())?;
        // The same ports again when it is started again.
        config.listen = server.addresses();
        let endpoints = server.endpoints().iter();
        let is_web_socket = |endpoint: &&Endpoint| endpoint.speaks == Speaks::WebSocket;
        config.endpoints = endpoints.filter(is_web_socket).cloned().collect();
        let web_socket = config.endpoints.first().and_then(web_socket);
        let targets = [
            (Protocol::Amqp, server.amqp_addr()),
            (Protocol::Mqtt, server.mqtt_addr()),
            (Protocol::Stomp, server.stomp_addr()),
        ]
        .into_iter()
        .filter_map(|(protocol, address)| Some(target(protocol, address?, web_socket.clone())))
        .collect();
        Ok(Self {
            config,
            targets,
            server: Mutex::new(Some(server)),
        })
    }

    /// One for each protocol.
    pub(crate) fn targets(&self) -> Vec<Target> {
        self.targets.clone()
    }

    /// What shuts it down and starts it again, on the same ports and with its log.
    pub(crate) fn restarted(&self) -> Starter<'_> {
        Box::new(|| {
            let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
            drop(server.take());
            let again = BlockingServer::start(self.config.clone());
            *server = Some(again.map_err(|error| error.to_string())?);
            Ok(())
        })
    }
}

/// Everything at its default but the ports and what the cases want beside.
fn config() -> Config {
    let mut config = Config::ephemeral();
    let mut web_socket = Endpoint::tcp(
        mq_server::Protocol::Mqtt,
        SocketAddr::from(([127, 0, 0, 1], 0)),
    );
    web_socket.speaks = Speaks::WebSocket;
    config.endpoints = vec![web_socket];
    config.store = Some(Arc::new(Memory::new()));
    let broker = &mut config.broker;
    broker.virtual_hosts = vec!["/".into(), OTHER.into()];
    let (user, password) = RESTRICTED;
    broker.users.insert(user.into(), password.into());
    let permission = |user: &str, virtual_host: &str, pattern: &str| Permission {
        user: user.into(),
        virtual_host: virtual_host.into(),
        configure: pattern.into(),
        write: pattern.into(),
        read: pattern.into(),
    };
    broker.permissions = vec![
        permission("guest", "/", ".*"),
        permission("guest", OTHER, ".*"),
        permission(user, "/", "^$"),
    ];
    config
}

/// The port where it speaks WebSocket, and the path for MQTT.
fn web_socket(endpoint: &Endpoint) -> Option<WebSocketAddress> {
    match endpoint.address {
        Address::Tcp(_, port) => Some(WebSocketAddress {
            port,
            path: "/mqtt".into(),
        }),
        _ => None,
    }
}

fn target(protocol: Protocol, address: SocketAddr, web_socket: Option<WebSocketAddress>) -> Target {
    let mut target = Target::new(protocol, address.ip().to_string(), address.port());
    target.web_socket = web_socket.filter(|_| protocol == Protocol::Mqtt);
    // MQTT alone lets a client in that does not say who it is.
    target.user = Some("guest".into());
    target.password = Some("guest".into());
    target.other_virtual_host = Some(OTHER.into());
    target.authentication = Some(Credentials {
        method: "SCRAM-SHA-256".into(),
        user: "guest".into(),
        password: "guest".into(),
    });
    let (user, password) = RESTRICTED;
    target.restricted = Some((user.into(), password.into()));
    target
}
