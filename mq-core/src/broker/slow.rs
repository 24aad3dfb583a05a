//! Peers that take what they are sent too slowly, where such a one is to be disconnected.

use alloc::boxed::Box;
use core::time::Duration;

use super::Broker;
use super::connection::Connection;
use crate::config::Config;
use crate::model::{ConnectionId, Flow};
use crate::report::Reason;
use crate::slow_consumers::SlowConsumers;

/// How a peer gets on while more than half of what may be on its way to it is.
#[derive(Debug)]
pub(super) struct Pace {
    /// It has to have taken half of what may be on its way by then.
    until: Duration,
    taken: usize,
}

impl Connection {
    fn slow_consumers(&self, config: &Config) -> SlowConsumers {
        let own = self.slow_consumers.as_deref();
        *own.unwrap_or(&config.slow_consumers)
    }

    /// Begins or ends to look at how much the peer takes, by what is on its way.
    pub(super) fn watch_pace(&mut self, config: &Config, now: Duration) {
        let SlowConsumers::Disconnect { after } = self.slow_consumers(config) else {
            return;
        };
        if self.unsent <= config.limits.transmit_high_water / 2 {
            self.pace = None;
        } else if self.pace.is_none() {
            self.pace = Some(Box::new(Pace {
                until: now.saturating_add(after),
                taken: 0,
            }));
        }
    }

    /// The peer has taken so many bytes. Once they are enough, its time begins anew.
    pub(super) fn count_taken(&mut self, config: &Config, len: usize) {
        if let Some(pace) = &mut self.pace {
            pace.taken = pace.taken.saturating_add(len);
            if pace.taken >= config.limits.transmit_high_water / 2 {
                self.pace = None;
            }
        }
    }

    /// When it is to be disconnected, as things are.
    pub(super) fn too_slow_at(&self) -> Option<Duration> {
        self.pace.as_ref().map(|pace| pace.until)
    }

    /// What the model is to do with messages for it. Those that wait for the store are not
    /// the peer's doing.
    pub(super) fn flow(&self, config: &Config, writable: bool) -> Flow {
        let is_slow =
            self.outbound().saturating_sub(self.held) >= config.limits.transmit_high_water;
        match self.slow_consumers(config) {
            _ if writable => Flow::Open,
            SlowConsumers::DropQos0 if is_slow => Flow::Lossy,
            _ => Flow::Held,
        }
    }
}

impl Broker {
    /// Disconnects a peer that has been too slow for long enough.
    pub(super) fn stop_slow(&mut self, id: ConnectionId) {
        let now = self.shared.now;
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if connection.too_slow_at().is_none_or(|at| at > now) {
            return;
        }
        let waiting = connection.unsent;
        let reason = alloc::format!("{waiting} bytes wait for it, and it takes too few of them");
        self.shared
            .report(&connection.login, id, Reason::Slow(reason));
        self.with(id, |front, now| front.give_up(now));
        self.flush(id);
        self.close(id);
    }
}
