//! What the broker says of itself when it is asked.

use super::Broker;
use super::connection::Connection;
use super::connections::Look;
use crate::frontend::Protocol;
use crate::model::{ConnectionId, Name, QueueStatistics, SessionStatistics, Shortage, Statistics};

/// How one connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStatistics {
    /// Which one.
    pub connection: ConnectionId,
    /// What it speaks.
    pub protocol: Protocol,
    /// The user that the client said it is; empty while it has not, or for nobody in
    /// particular.
    pub user: Name,
    /// MQTT's client identifier; empty in other protocols.
    pub client_identifier: Name,
    /// Bytes that were received, and that the broker has not taken.
    pub unread: usize,
    /// Bytes on their way to the peer: handed out and not reported as
    /// [transmitted](crate::Input::Transmitted), or about to be handed out.
    pub unsent: usize,
    /// What the broker is short of, so that its input waits.
    pub blocked: Option<Shortage>,
}

/// Each of these calls looks at all that it returns: it is for a person who asks, or for
/// a scrape, and not for each message.
impl Broker {
    /// What was counted, over all virtual hosts.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut statistics = self.shared.model.statistics();
        statistics.steps += self.steps;
        statistics
    }

    /// What each queue has counted: by virtual host, and in the order in which they were
    /// declared.
    pub fn queues(&self) -> impl Iterator<Item = QueueStatistics> {
        self.shared.model.queues()
    }

    /// What each MQTT session holds: by virtual host, and in the order in which they began.
    pub fn sessions(&self) -> impl Iterator<Item = SessionStatistics> {
        self.shared.model.sessions()
    }

    /// How each connection stands.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionStatistics> {
        let connections = self.connections.iter();
        connections.map(|(id, look)| {
            let (protocol, client, in_use) = match look {
                Look::InUse(it) => (it.protocol, it.login.client(), Some(it)),
                Look::Idle(protocol, client) => (protocol, client, None),
            };
            ConnectionStatistics {
                connection: id,
                protocol,
                user: client.user().clone(),
                client_identifier: client.identifier().clone(),
                unread: in_use.map_or(0, |it| it.backlog.len()),
                unsent: in_use.map_or(0, Connection::outbound),
                blocked: in_use.and_then(|it| it.blocked),
            }
        })
    }
}
