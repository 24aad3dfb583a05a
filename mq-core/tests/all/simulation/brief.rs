//! An MQTT client whose session ends two seconds after its connection.

use mq_core::ConnectionId;
use mqtt_codec::connection::{ClientEvent, Session};
use mqtt_codec::{Connect, Property, ProtocolVersion};
use std::time::Duration;

use super::ledger::Ledger;
use super::line::{self, Line};
use super::network::{Network, Peer};
use crate::world::mqtt::{properties, utf8};

/// The client identifier.
pub(super) const NAME: &str = "brief";

/// How long the session outlives a connection.
pub(super) const LIFE: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct BriefPeer {
    line: Line,
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
        self.line.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.since = network.clock(network.now);
        let keep = properties([Property::SessionExpiryInterval(LIFE.as_secs() as u32)]);
        let connect = Connect {
            keep_alive: 10,
            properties: keep.as_properties(),
            ..Connect::resume(ProtocolVersion::V5_0, utf8(NAME))
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
                    c.connected(connack.session_present, ledger);
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
