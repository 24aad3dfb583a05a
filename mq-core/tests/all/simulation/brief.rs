//! An MQTT client whose session ends two seconds after its connection.

use mq_core::{ConnectionId, Protocol};
use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, Session};
use mqtt_codec::{Connect, Property, ProtocolVersion};
use std::time::Duration;

use super::ledger::Ledger;
use super::network::{Network, Peer};
use crate::world::mqtt::{properties, utf8};

/// The client identifier.
pub(super) const NAME: &str = "brief";

/// How long the session outlives a connection.
pub(super) const LIFE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct BriefPeer {
    id: Option<ConnectionId>,
    codec: Option<ClientConnection>,
    buffer: Vec<u8>,
    over: bool,
    ready: bool,
    /// When the connection was made.
    since: Duration,
    /// When the session was left, by the earliest that can be and the latest.
    left: Option<(Duration, Duration)>,
}

impl BriefPeer {
    fn connected(&self, is_present: bool, ledger: &Ledger) {
        let Some((earliest, latest)) = self.left else {
            return;
        };
        // The broker took the CONNECT between `since` and now.
        if ledger.latest() < earliest + LIFE {
            assert!(is_present, "a session ended before its time");
        }
        if self.since > latest + LIFE {
            assert!(!is_present, "a session outlived its time");
        }
    }
}

impl Peer for BriefPeer {
    fn connection(&self) -> Option<ConnectionId> {
        self.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.id = Some(network.open(Protocol::Mqtt));
        self.since = network.clock(network.now);
        let mut codec = ClientConnection::new(network.now, ClientConfig::default());
        let keep = properties([Property::SessionExpiryInterval(LIFE.as_secs() as u32)]);
        let connect = Connect {
            keep_alive: 10,
            properties: keep.as_properties(),
            ..Connect::resume(ProtocolVersion::V5_0, utf8(NAME))
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
                    let is_present = connack.session_present;
                    self.connected(is_present, ledger);
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

    fn lost(&mut self, ledger: &mut Ledger) {
        self.left = match self.left {
            _ if self.ready => Some((ledger.left, ledger.left)),
            // It may have had its session, or not. The clock may have been set back meanwhile.
            left => {
                left.map(|(earliest, latest)| (earliest.min(ledger.left), latest.max(ledger.left)))
            }
        };
        *self = Self {
            left: self.left,
            ..Self::default()
        };
    }

    fn crashed(&mut self, now: Duration, ledger: &mut Ledger) {
        if ledger.all_stored {
            return;
        }
        // That it was left may not be stored: then it counts from here on.
        self.left = self
            .left
            .map(|(earliest, latest)| (earliest.min(now), latest.max(now)));
    }

    fn finish(&mut self, _ledger: &mut Ledger) {}
}
