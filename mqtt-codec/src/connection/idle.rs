//! What is left of an idle connection.

use core::time::Duration;

use super::authentication::Turn;
use super::core::{Core, Login, Phase};
use super::role::Server;
use super::timer::{Reading, Timer};
use super::{Connection, PeerLimits, ServerConfig, ServerConnection};
use crate::ProtocolVersion;

/// A server's connection on which nothing is under way, in the eighth of its room: what CONNECT
/// and CONNACK said, and by when the client has to be heard.
///
/// Most connections of a server are idle most of the time. It may
/// [have](Connection::<Server>::idle) this of them, forget the connections, and
/// [resume](Self::resume) each of them when there are bytes to receive, a message to send, or
/// the time-out has come.
#[derive(Clone, Debug)]
pub struct IdleConnection {
    version: ProtocolVersion,
    login: Login,
    peer: PeerLimits,
    /// By when the client has to be heard, if it has a keep alive.
    due: Option<Duration>,
    /// The number of the next message, and the packet identifier of the last one.
    sequence: u64,
    last_identifier: u16,
}

impl Connection<Server> {
    /// What there is of this connection, if it is idle: open, read from, nothing waits to be
    /// sent, nothing is unacknowledged in either direction, no topic alias stands for anything,
    /// and the last call of [`receive`](Self::receive) left nothing over.
    #[must_use]
    pub fn idle(&self) -> Option<IdleConnection> {
        // A field that is new does not compile until it is known whether it matters here.
        let Core {
            side: _,
            phase,
            error: _,
            version,
            asked: _,
            login,
            limits: _,
            peer,
            now: _,
            timers,
            last_sent: _,
            left_over,
            transmit,
            session,
            handshakes: _,
            send_maximum: _,
            under_way,
            unsent,
            outbound_aliases,
            outgoing,
            receive_maximum: _,
            receiving,
            unacknowledged,
            requests,
            inbound_aliases,
            parts,
            automatic: _,
            answers: _,
        } = &self.core;
        let is_quiet = transmit.len() == 0
            && *left_over == 0
            && outgoing.is_none()
            && parts.is_none()
            && requests.is_none();
        let is_settled = session.is_empty()
            && unsent.is_empty()
            && unacknowledged.is_empty()
            && *under_way == 0
            && *receiving == 0;
        let has_no_alias = outbound_aliases.as_ref().is_none_or(|it| it.is_empty())
            && inbound_aliases.as_ref().is_none_or(|it| it.is_empty());
        let is_open =
            *phase == Phase::Open && timers.reading == Reading::Running && login.turn == Turn::None;
        (is_open && is_quiet && is_settled && has_no_alias).then(|| IdleConnection {
            version: *version,
            login: login.clone(),
            peer: *peer,
            due: timers.at(Timer::Receive),
            sequence: session.sequence,
            last_identifier: session.last_identifier,
        })
    }
}

impl IdleConnection {
    /// When [`handle_timeout`](Connection::handle_timeout) of the connection is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Duration> {
        self.due
    }

    /// The connection, which goes on as though it had always been there. It is to have the
    /// settings that it had.
    #[must_use]
    pub fn resume(&self, now: Duration, config: ServerConfig) -> ServerConnection {
        let mut connection = ServerConnection::new(now, config);
        let core = &mut connection.core;
        core.timers.stop_all();
        if let Some(due) = self.due {
            core.timers.set(Timer::Receive, due, Duration::ZERO);
        }
        core.version = self.version;
        core.asked = true;
        core.login = self.login.clone();
        core.peer = self.peer;
        core.session.sequence = self.sequence;
        core.session.last_identifier = self.last_identifier;
        connection.open();
        connection
    }
}
