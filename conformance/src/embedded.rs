//! The reference broker, started in this process on ports of its own.

use std::net::SocketAddr;

use mq_server::{BlockingServer, Config, StartError};

use crate::target::{Protocol, Target};

/// The broker and how it is reached. Dropping it shuts it down.
#[derive(Debug)]
pub(crate) struct Embedded {
    /// One for each protocol.
    pub(crate) targets: Vec<Target>,
    _server: BlockingServer,
}

impl Embedded {
    /// Starts it, with everything at its default but the ports.
    ///
    /// # Errors
    ///
    /// Those of the server.
    pub(crate) fn start() -> Result<Self, StartError> {
        let server = BlockingServer::start(Config::ephemeral())?;
        let targets = [
            (Protocol::Amqp, server.amqp_addr()),
            (Protocol::Mqtt, server.mqtt_addr()),
            (Protocol::Stomp, server.stomp_addr()),
        ]
        .into_iter()
        .filter_map(|(protocol, address)| Some(target(protocol, address?)))
        .collect();
        Ok(Self {
            targets,
            _server: server,
        })
    }
}

/// As the URL `PROTOCOL://ADDRESS` would say it.
fn target(protocol: Protocol, address: SocketAddr) -> Target {
    Target::new(protocol, address.ip().to_string(), address.port())
}
