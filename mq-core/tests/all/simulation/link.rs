//! A link between a client and the broker, and what the broker may say of the client.

use mq_core::Reason;
use std::time::Duration;

/// For so long the broker bears with a client that says nothing: one and a half times the
/// shortest keep alive.
const SILENCE: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) to_broker: Vec<u8>,
    pub(super) to_client: Vec<u8>,
    pub(super) paused: bool,
    pub(super) closed: bool,
    /// When the broker closed it.
    pub(super) closed_at: Duration,
    /// The client breaks rules.
    pub(super) is_strange: bool,
    is_logged_in: bool,
    /// When the broker heard of the client last, or began to listen again.
    heard: Duration,
}

impl Link {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            heard: now,
            ..Self::default()
        }
    }

    pub(super) fn is_heard(&mut self, now: Duration) {
        self.heard = now;
    }

    pub(super) fn pause(&mut self, paused: bool, now: Duration) {
        assert_ne!(self.paused, paused, "paused or resumed twice");
        self.paused = paused;
        self.heard = now;
    }

    /// What the broker says of a client that keeps the rules is no more than that: it finds no
    /// fault, delivers what it has, and bears with it for long enough.
    pub(super) fn judge(&mut self, reason: &Reason, now: Duration) {
        if self.is_strange {
            return;
        }
        match reason {
            Reason::LoggedIn => self.is_logged_in = true,
            // A handshake has its time, whatever the client says meanwhile.
            Reason::TimedOut(what) if self.is_logged_in && !what.contains("handshake") => {
                // What the broker does not read is no silence.
                let waits = self.paused && !self.to_broker.is_empty();
                let is_fair = !waits && now >= self.heard + SILENCE;
                assert!(
                    is_fair,
                    "{what}, though the client was heard at {:?}",
                    self.heard
                );
            }
            Reason::LoginRefused(what) | Reason::Malformed(what) | Reason::Undeliverable(what) => {
                panic!("{what}, of a client that keeps the rules")
            }
            _ => {}
        }
    }
}
