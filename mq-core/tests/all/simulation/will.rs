//! An MQTT client with a will, which is due a second after its connection.

use mq_core::ConnectionId;
use mqtt_codec::connection::{ClientEvent, Session};
use mqtt_codec::{Connect, Property, ProtocolVersion, QoS, Will};
use std::time::Duration;

use super::ledger::{Ledger, Outcome, WILL_DELAY, body};
use super::line::Line;
use super::network::{Network, Peer};
use crate::world::mqtt::{properties, topic, utf8};

#[derive(Default)]
pub(super) struct WillPeer {
    line: Line,
    over: bool,
    ready: bool,
    /// When the connection was made.
    since: Duration,
    /// The will of this connection, or of the next.
    will: u64,
    /// The will of the connection before, and when that was left, by the earliest that can be
    /// and the latest.
    left: Option<(u64, Duration, Duration)>,
}

impl WillPeer {
    pub(super) fn new(ledger: &mut Ledger) -> Self {
        Self {
            will: ledger.will(),
            ..Self::default()
        }
    }

    /// The client has its session again: what became of the will before is certain now,
    /// unless it was close.
    fn connected(&mut self, ledger: &mut Ledger) {
        let Some((number, earliest, latest)) = self.left.take() else {
            return;
        };
        // The broker took the CONNECT between `since` and now.
        if ledger.latest() < earliest + WILL_DELAY {
            ledger.answered(number, Outcome::Refused);
        } else if self.since > latest + WILL_DELAY {
            ledger.answered(number, Outcome::Confirmed);
        }
    }
}

impl Peer for WillPeer {
    fn connection(&self) -> Option<ConnectionId> {
        self.line.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.since = network.clock(network.now);
        let keep = properties([Property::SessionExpiryInterval(100_000)]);
        let delay = properties([Property::WillDelayInterval(WILL_DELAY.as_secs() as u32)]);
        let payload = body(self.will);
        let connect = Connect {
            keep_alive: 10,
            properties: keep.as_properties(),
            will: Some(Will {
                topic: topic("t/will"),
                payload: &payload,
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: delay.as_properties(),
            }),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("willing"))
        };
        self.line.open(network, &connect, Session::new());
    }

    fn act(&mut self, _choice: u64, _ledger: &mut Ledger) {}

    fn transmit(&mut self, now: Duration) -> Vec<u8> {
        self.line.transmit(now)
    }

    fn receive(&mut self, now: Duration, bytes: &[u8], ledger: &mut Ledger) {
        Line::receive(
            self,
            |c| &mut c.line,
            now,
            bytes,
            |c, event| match event {
                ClientEvent::ConnAck(connack) => {
                    assert!(!connack.reason_code.is_error(), "{connack:?}");
                    c.connected(ledger);
                    c.ready = true;
                }
                ClientEvent::Disconnect(_) => c.over = true,
                _ => {}
            },
        );
    }

    fn handle_timeout(&mut self, now: Duration) -> bool {
        self.line.handle_timeout(now)
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn closed(&self, since: Duration, ledger: &mut Ledger) {
        ledger.will_left(self.will, since);
    }

    fn lost(&mut self, ledger: &mut Ledger) {
        ledger.will_left(self.will, ledger.left);
        // One whose CONNECT may have been taken leaves the will before it uncertain too.
        let left = self.ready.then_some((self.will, ledger.left, ledger.left));
        *self = Self {
            will: ledger.will(),
            left,
            ..Self::default()
        };
    }

    fn crashed(&mut self, now: Duration, ledger: &mut Ledger) {
        if ledger.all_stored {
            return;
        }
        ledger.wills_left(now);
        if let Some((_, earliest, latest)) = &mut self.left {
            *earliest = now.min(*earliest);
            *latest = now.max(*latest);
        }
    }

    fn finish(&mut self, _ledger: &mut Ledger) {}
}
