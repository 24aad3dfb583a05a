//! What is left of an idle connection.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use super::core::{Core, Phase};
use super::heart_beat::Agreed;
use super::receive::ServerState;
use super::role::Server;
use super::subscription::IdleSubscription;
use super::timer::{Reading, Timer};
use super::{Connection, ServerConfig, ServerConnection};
use crate::Version;

/// A server's connection on which nothing is under way, in a small part of its room: what
/// CONNECT and CONNECTED said, its subscriptions, and when it has to be heard and to be said
/// something.
///
/// Most connections of a server are idle most of the time. It may
/// [have](Connection::<Server>::idle) this of them, forget the connections, and
/// [resume](Self::resume) each of them when there are bytes to receive, a message to send, or
/// the time-out has come.
#[derive(Clone, Debug)]
pub struct IdleConnection {
    version: Version,
    crlf_after: bool,
    heart_beat: Agreed,
    session: Box<str>,
    subscriptions: Box<[IdleSubscription]>,
    /// How many subscriptions there ever were.
    ever: u64,
    /// How many messages were sent without a subscription.
    unsubscribed: u64,
    /// By when the client has to be heard, and when the next heart-beat is due, if there are
    /// any.
    receive: Option<Duration>,
    send: Option<Duration>,
}

/// To put away more subscriptions than these, and back, would take too long for one call.
const FEW: usize = 16;

impl Connection<Server> {
    /// What there is of this connection, if it is idle: open, read from, nothing waits to be
    /// sent, no message waits to be acknowledged, no transaction is open and no body coming or
    /// going, the last call of [`receive`](Self::receive) left nothing over, and there are no
    /// more than 16 subscriptions.
    #[must_use]
    pub fn idle(&self) -> Option<IdleConnection> {
        // A field that is new does not compile until it is known whether it matters here.
        let Core {
            phase,
            version,
            error,
            inbound,
            outbound,
            timers,
            heart_beat,
            last_words,
            now: _,
        } = &self.core;
        let ServerState {
            deciding,
            farewell,
            session,
            subscriptions,
            transactions,
            partial,
            unsubscribed,
        } = &self.state;
        let is_open =
            *phase == Phase::Open && error.is_none() && timers.reading == Reading::Running;
        let is_quiet = outbound.is_idle()
            && inbound.is_between_frames()
            && partial.is_none()
            && last_words.is_none();
        let is_settled = deciding.is_none() && farewell.is_none() && transactions.is_empty();
        if !is_open || !is_quiet || !is_settled || subscriptions.len() > FEW {
            return None;
        }
        let (subscriptions, ever) = subscriptions.idle()?;
        Some(IdleConnection {
            version: (*version)?,
            crlf_after: inbound.crlf_after,
            heart_beat: *heart_beat,
            session: session.as_str().into(),
            subscriptions,
            ever,
            unsubscribed: *unsubscribed,
            receive: timers.at(Timer::Receive),
            send: timers.at(Timer::Send),
        })
    }
}

impl IdleConnection {
    /// When [`handle_timeout`](Connection::handle_timeout) of the connection is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.receive.into_iter().chain(self.send).min()
    }

    /// The connection, which goes on as though it had always been there. It is to have the
    /// settings that it had.
    #[must_use]
    pub fn resume(&self, now: Duration, config: ServerConfig) -> ServerConnection {
        let mut connection = ServerConnection::new(now, config);
        let core = &mut connection.core;
        core.open(self.version, self.heart_beat);
        core.inbound.crlf_after = self.crlf_after;
        core.timers.stop_all();
        let timers = [(Timer::Receive, self.receive), (Timer::Send, self.send)];
        for (timer, due) in timers {
            if let Some(due) = due {
                core.timers.set(timer, due, Duration::ZERO);
            }
        }
        let state = &mut connection.state;
        state.session = String::from(&*self.session);
        state.unsubscribed = self.unsubscribed;
        state.subscriptions.resume(&self.subscriptions, self.ever);
        connection
    }
}
