//! An MQTT client with a will, which is due a second after its connection.

use mq_core::ConnectionId;
use mqtt_codec::connection::{ClientEvent, Session};
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, ReasonCode, Will};
use std::time::Duration;

use super::ledger::{Ledger, Outcome, WILL_DELAY, What, body};
use super::line::{self, Line};
use super::network::{Network, Peer};
use crate::world::mqtt::{properties, topic, utf8};

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Goodbye {
    #[default]
    Unsaid,
    Asked,
    /// Then it was sent.
    Said(Duration),
    /// The broker has closed the link in that moment.
    Heard,
}

#[derive(Default)]
pub(super) struct WillPeer {
    line: Line,
    over: bool,
    ready: bool,
    /// When the connection was made.
    since: Duration,
    /// The will of this connection, or of the next.
    will: u64,
    /// What has come of its goodbye.
    goodbye: Goodbye,
    /// Wills that are void, once that is stored.
    void: Vec<u64>,
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

    fn perform(&mut self, what: What, _ledger: &mut Ledger) {
        if matches!(what, What::Part) && self.ready && self.goodbye == Goodbye::Unsaid {
            self.goodbye = Goodbye::Asked;
        }
    }

    fn transmit(&mut self, now: Duration) -> Vec<u8> {
        if self.goodbye == Goodbye::Asked {
            let codec = self.line.codec();
            codec
                .close(now, ReasonCode::Success, Properties::EMPTY)
                .unwrap();
            self.goodbye = Goodbye::Said(now);
        }
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
                ClientEvent::Disconnect(why) => c.over = line::is_fair(&why),
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

    fn closed(&mut self, at: Duration, since: Duration, ledger: &mut Ledger) {
        ledger.will_left(self.will, since);
        if self.goodbye == Goodbye::Said(at) {
            self.goodbye = Goodbye::Heard;
        }
    }

    fn lost(&mut self, ledger: &mut Ledger) {
        ledger.will_left(self.will, ledger.left);
        // One whose CONNECT may have been taken leaves the will before it uncertain too.
        let left = (self.ready && self.goodbye == Goodbye::Unsaid).then_some((
            self.will,
            ledger.left,
            ledger.left,
        ));
        let mut void = std::mem::take(&mut self.void);
        if self.goodbye == Goodbye::Heard {
            void.push(self.will);
        }
        *self = Self {
            will: ledger.will(),
            left,
            void,
            ..Self::default()
        };
    }

    fn crashed(&mut self, now: Duration, ledger: &mut Ledger) {
        if ledger.all_stored {
            return;
        }
        self.void.clear();
        ledger.wills_left(now);
        if let Some((_, earliest, latest)) = &mut self.left {
            *earliest = now.min(*earliest);
            *latest = now.max(*latest);
        }
    }

    fn settled(&mut self, ledger: &mut Ledger) {
        for will in self.void.drain(..) {
            ledger.answered(will, Outcome::Refused);
        }
    }

    fn finish(&mut self, ledger: &mut Ledger) {
        self.settled(ledger);
    }
}
