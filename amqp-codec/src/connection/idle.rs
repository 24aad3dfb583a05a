//! What is left of an idle connection.

use alloc::boxed::Box;
use core::time::Duration;

use super::core::{ChannelState, Core, Phase};
use super::role::Server;
use super::timer::{Reading, Timer};
use super::{Capabilities, Connection, ServerConfig, ServerConnection};
use crate::method::connection::TuneOk;

/// A server's connection on which nothing is under way, in a small part of its room: what
/// start-ok and tune-ok said, its channels, and when it has to be heard and to be said something.
///
/// Most connections of a server are idle most of the time. It may
/// [have](Connection::<Server>::idle) this of them, forget the connections, and
/// [resume](Self::resume) each of them when there are bytes to receive, a message to send, or
/// the time-out has come.
#[derive(Clone, Debug)]
pub struct IdleConnection {
    agreed: TuneOk,
    capabilities: Capabilities,
    channels: Box<[IdleChannel]>,
    /// By when the client has to be heard, and when the next heartbeat is due, if there are any.
    receive: Option<Duration>,
    send: Option<Duration>,
}

/// To put away more channels than these, and back, would take too long for one call.
const FEW: usize = 16;

/// A channel on which nothing is under way.
#[derive(Clone, Debug)]
struct IdleChannel {
    number: u16,
    /// The client wants no contents (channel.flow).
    paused: bool,
    /// The last delivery tag.
    delivered: u64,
    /// The last publish tag, in confirm mode.
    published: Option<u64>,
}

impl Connection<Server> {
    /// What there is of this connection, if it is idle: open, read from, nothing waits to be
    /// sent, no request waits for its answer and no publish for its confirm, no channel is
    /// opening or closing and no content coming or going, the last call of
    /// [`receive`](Self::receive) left nothing over, and there are no more than 16 channels.
    #[must_use]
    pub fn idle(&self) -> Option<IdleConnection> {
        // A field that is new does not compile until it is known whether it matters here.
        let Core {
            phase,
            limits: _,
            own_limits: _,
            role: _,
            agreed,
            capabilities,
            transmit,
            left: _,
            channels,
            first_free: _,
            held: _,
            partial,
            sending,
            updating,
            timers,
            heartbeat: _,
            handshake_timeout: _,
            close_timeout: _,
            now: _,
            left_over,
            error,
        } = &self.core;
        let is_open =
            *phase == Phase::Open && error.is_none() && timers.reading == Reading::Running;
        let is_sent = transmit.len() == 0 && sending.is_empty() && *updating == 0;
        let is_quiet = is_sent && *left_over == 0 && partial.is_none();
        if !is_open || !is_quiet || channels.len() > FEW {
            return None;
        }
        let channels = channels.iter().map(|(number, channel)| {
            let data = &channel.data;
            let is_idle = channel.state == ChannelState::Open
                && channel.is_between_contents()
                && data.asked.is_empty()
                && data.confirms.is_empty();
            is_idle.then_some(IdleChannel {
                number: *number,
                paused: data.paused,
                delivered: data.delivered,
                published: data.published,
            })
        });
        Some(IdleConnection {
            agreed: *agreed,
            capabilities: *capabilities,
            channels: channels.collect::<Option<_>>()?,
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
    /// settings that it had; what `connection.start` says is not needed any more.
    #[must_use]
    pub fn resume(&self, now: Duration, config: ServerConfig) -> ServerConnection {
        let mut connection = ServerConnection::new(now, config);
        let core = &mut connection.core;
        core.capabilities = self.capabilities;
        core.tuned(now, self.agreed);
        core.opened(now);
        core.timers.stop_all();
        let timers = [(Timer::Receive, self.receive), (Timer::Send, self.send)];
        for (timer, due) in timers {
            if let Some(due) = due {
                core.timers.set(timer, due, Duration::ZERO);
            }
        }
        for idle in &self.channels {
            core.insert_channel(idle.number, ChannelState::Open);
            if let Ok(channel) = core.open_channel(idle.number) {
                channel.data.paused = idle.paused;
                channel.data.delivered = idle.delivered;
                channel.data.published = idle.published;
            }
        }
        connection
    }
}
