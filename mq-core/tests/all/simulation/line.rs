//! The connection of a simulated MQTT client.

use mq_core::{ConnectionId, Protocol};
use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, ReadBuffer, Session};
use mqtt_codec::{Connect, Disconnect, ReasonCode};
use std::time::Duration;

use super::network::Network;

/// A server says goodbye to a client that keeps the rules when that has been silent, or when
/// another has its identifier. Returns true: the connection is over.
pub(super) fn is_fair(goodbye: &Disconnect<'_>) -> bool {
    use ReasonCode::{KeepAliveTimeout, SessionTakenOver};
    let is_fair = [KeepAliveTimeout, SessionTakenOver].contains(&goodbye.reason_code);
    assert!(is_fair, "{goodbye:?} to a client that keeps the rules");
    true
}

#[derive(Default)]
pub(super) struct Line {
    pub(super) id: Option<ConnectionId>,
    codec: Option<ClientConnection>,
    buffer: ReadBuffer,
}

impl Line {
    /// Opens a link to the broker, and asks for a session.
    pub(super) fn open(&mut self, network: &mut Network, connect: &Connect<'_>, session: Session) {
        let mut codec = ClientConnection::new(network.now, ClientConfig::default());
        codec.connect(network.now, connect, session).unwrap();
        *self = Self {
            id: Some(network.open(Protocol::Mqtt)),
            codec: Some(codec),
            buffer: ReadBuffer::new(),
        };
    }

    /// The state of the connection, from its first `open` on.
    pub(super) fn codec(&mut self) -> &mut ClientConnection {
        self.codec.as_mut().unwrap()
    }

    pub(super) fn transmit(&mut self, now: Duration) -> Vec<u8> {
        let mut out = Vec::new();
        self.codec().poll_transmit(now, &mut out);
        out
    }

    /// Takes in what has arrived for a client, and acts on each event.
    pub(super) fn receive<C>(
        client: &mut C,
        line: impl Fn(&mut C) -> &mut Self,
        now: Duration,
        bytes: &[u8],
        mut act: impl FnMut(&mut C, ClientEvent<'_>),
    ) {
        let mut buffer = std::mem::take(&mut line(client).buffer);
        buffer.extend_from_slice(bytes);
        let mut input = buffer.input();
        while let Some(event) = line(client).codec().receive(now, &mut input).unwrap() {
            act(client, event);
        }
        drop(input);
        line(client).buffer = buffer;
    }

    /// Returns false when the client gives the connection up.
    pub(super) fn handle_timeout(&mut self, now: Duration) -> bool {
        let codec = self.codec();
        codec.poll_timeout().is_none_or(|at| at > now) || codec.handle_timeout(now).is_ok()
    }

    /// The link is gone. Returns the session, which is the client's.
    pub(super) fn lose(&mut self) -> Session {
        std::mem::take(self).codec.unwrap().into_session()
    }
}
