//! An MQTT client with a will, which is due a second after its connection.

use mq_core::{ConnectionId, Protocol};
use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, Session};
use mqtt_codec::{Connect, Property, ProtocolVersion, QoS, Will};
use std::time::Duration;

use super::ledger::{Ledger, Outcome, WILL_DELAY, body};
use super::network::{Network, Peer};
use crate::world::mqtt::{properties, topic, utf8};

#[derive(Default)]
pub(super) struct WillPeer {
    id: Option<ConnectionId>,
    codec: Option<ClientConnection>,
    buffer: Vec<u8>,
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
        self.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.id = Some(network.open(Protocol::Mqtt));
        self.since = network.clock(network.now);
        let mut codec = ClientConnection::new(network.now, ClientConfig::default());
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
        codec
            .connect(network.now, &connect, Session::new())
            .unwrap();
        self.codec = Some(codec);
    }

    fn act(&mut self, _choice: u64, _ledger: &mut Ledger) {}

    fn transmit(&mut self, now: Duration) -> Vec<u8> {
        let mut out = Vec::new();
        self.codec.as_mut().unwrap().poll_transmit(now, &mut out);
        out
    }

    fn receive(&mut self, now: Duration, bytes: &[u8], ledger: &mut Ledger) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(bytes);
        let mut input = &buffer[..];
        loop {
            let codec = self.codec.as_mut().unwrap();
            match codec.receive(now, &mut input).unwrap() {
                Some(ClientEvent::ConnAck(connack)) => {
                    assert!(!connack.reason_code.is_error(), "{connack:?}");
                    self.connected(ledger);
                    self.ready = true;
                }
                Some(ClientEvent::Disconnect(_)) => self.over = true,
                Some(_) => {}
                None => break,
            }
        }
        self.buffer = input.to_vec();
    }

    fn handle_timeout(&mut self, now: Duration) -> bool {
        let codec = self.codec.as_mut().unwrap();
        codec.poll_timeout().is_none_or(|at| at > now) || codec.handle_timeout(now).is_ok()
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
