//! A client's and a server's connection, joined by memory.

use std::time::Duration;

use super::utf8;
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ConnectionError, InboundPublish, SendError,
    ServerConfig, ServerConnection, Session,
};
use mqtt_codec::{Connect, PacketIdentifier, Properties, ProtocolVersion, ReasonCode};

use mqtt_codec::connection::{ClientEvent, ServerEvent};

/// Both ends, and the bytes between them.
pub(crate) struct Link {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    pub(crate) to_server: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
    pub(crate) now: Duration,
}

impl Link {
    pub(crate) fn new(client: ClientConfig, server: ServerConfig) -> Self {
        Self {
            client: ClientConnection::new(Duration::ZERO, client),
            server: ServerConnection::new(Duration::ZERO, server),
            to_server: Vec::new(),
            to_client: Vec::new(),
            now: Duration::ZERO,
        }
    }

    /// Both ends at their defaults, and connected.
    pub(crate) fn connected(version: ProtocolVersion) -> Self {
        let mut link = Self::new(ClientConfig::default(), ServerConfig::default());
        link.connect(&Connect::clean(version, utf8("c")), Session::new());
        link
    }

    /// Exchanges CONNECT and CONNACK.
    pub(crate) fn connect(&mut self, connect: &Connect<'_>, session: Session) {
        self.client.connect(self.now, connect, session).unwrap();
        assert!(matches!(
            self.at_server().unwrap()[..],
            [ref event] if event.starts_with("Connect(")
        ));
        self.server
            .accept(self.now, &Accept::default(), Session::new())
            .unwrap();
        assert!(matches!(
            self.at_client().unwrap()[..],
            [ref event] if event.starts_with("ConnAck(")
        ));
    }

    /// Brings the client's bytes to the server: the events, as text.
    pub(crate) fn at_server(&mut self) -> Result<Vec<String>, ConnectionError> {
        let mut events = Vec::new();
        self.server_events(|_, event| events.push(format!("{event:?}")))?;
        Ok(events)
    }

    /// Brings the server's bytes to the client: the events, as text.
    pub(crate) fn at_client(&mut self) -> Result<Vec<String>, ConnectionError> {
        let mut events = Vec::new();
        self.client_events(|_, event| events.push(format!("{event:?}")))?;
        Ok(events)
    }

    /// Brings the client's bytes to the server, and answers each event.
    pub(crate) fn server_events(
        &mut self,
        mut answer: impl FnMut(&mut ServerConnection, ServerEvent<'_>),
    ) -> Result<(), ConnectionError> {
        self.client
            .poll_transmit(Duration::ZERO, &mut self.to_server);
        let mut input = &self.to_server[..];
        while let Some(event) = self.server.receive(self.now, &mut input)? {
            answer(&mut self.server, event);
        }
        let taken = self.to_server.len() - input.len();
        self.to_server.drain(..taken);
        Ok(())
    }

    /// Brings the server's bytes to the client, and answers each event.
    pub(crate) fn client_events(
        &mut self,
        mut answer: impl FnMut(&mut ClientConnection, ClientEvent<'_>),
    ) -> Result<(), ConnectionError> {
        self.server
            .poll_transmit(Duration::ZERO, &mut self.to_client);
        let mut input = &self.to_client[..];
        while let Some(event) = self.client.receive(self.now, &mut input)? {
            answer(&mut self.client, event);
        }
        let taken = self.to_client.len() - input.len();
        self.to_client.drain(..taken);
        Ok(())
    }
}

/// Acknowledges a message with success, if it is one to acknowledge.
pub(crate) fn acknowledge_with(
    publish: &InboundPublish<'_>,
    acknowledge: impl FnOnce(PacketIdentifier, ReasonCode, Properties<'_>) -> Result<(), SendError>,
) {
    if let Some(identifier) = publish.packet_identifier {
        acknowledge(identifier, ReasonCode::Success, Properties::EMPTY).unwrap();
    }
}
