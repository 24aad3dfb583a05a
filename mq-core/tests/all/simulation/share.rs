//! MQTT clients that share a subscription.

use mq_core::ConnectionId;
use mqtt_codec::connection::{ClientEvent, Session};
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, Subscription};
use std::time::Duration;

use super::ledger::{Ledger, SHARED, What, number};
use super::line::{self, Line};
use super::network::{Network, Peer};
use crate::world::mqtt::{properties, utf8};

/// Their client identifiers.
pub(super) const NAMES: [&str; 2] = ["share-a", "share-b"];

#[derive(Default)]
pub(super) struct SharePeer {
    member: u8,
    line: Line,
    over: bool,
    /// Its session is given up by the next CONNECT.
    forgets: bool,
    session: Session,
}

impl SharePeer {
    pub(super) fn new(member: u8) -> Self {
        Self {
            member,
            ..Self::default()
        }
    }

    fn event(&mut self, event: ClientEvent<'_>, ledger: &mut Ledger) {
        match event {
            ClientEvent::ConnAck(connack) => {
                assert!(!connack.reason_code.is_error(), "{connack:?}");
                self.forgets = false;
                if !connack.session_present {
                    let all = [Subscription::new("$share/g/s/#", QoS::AtLeastOnce)];
                    let codec = self.line.codec();
                    codec.subscribe(&all, Properties::EMPTY).unwrap();
                }
            }
            ClientEvent::SubAck(_) => ledger.joined(self.member),
            ClientEvent::Publish(publish) => {
                let message = number(publish.payload);
                ledger.delivered(SHARED, message);
                ledger.shared(message, self.member);
            }
            ClientEvent::Disconnect(why) => self.over = line::is_fair(&why),
            _ => {}
        }
    }
}

impl Peer for SharePeer {
    fn connection(&self) -> Option<ConnectionId> {
        self.line.id
    }

    fn connect(&mut self, network: &mut Network) {
        let keep = properties([Property::SessionExpiryInterval(100_000)]);
        let name = NAMES[usize::from(self.member)];
        let connect = Connect {
            clean_start: self.forgets,
            keep_alive: 10,
            properties: keep.as_properties(),
            ..Connect::resume(ProtocolVersion::V5_0, utf8(name))
        };
        let mut session = std::mem::take(&mut self.session);
        if self.forgets {
            session = Session::new();
        }
        self.line.open(network, &connect, session);
    }

    fn act(&mut self, _choice: u64, _ledger: &mut Ledger) {}

    fn perform(&mut self, what: What, ledger: &mut Ledger) {
        if matches!(what, What::Forget) && !self.forgets {
            self.forgets = ledger.leaves(self.member);
        }
    }

    fn transmit(&mut self, now: Duration) -> Vec<u8> {
        self.line.transmit(now)
    }

    fn receive(&mut self, now: Duration, bytes: &[u8], ledger: &mut Ledger) {
        Line::receive(
            self,
            |c| &mut c.line,
            now,
            bytes,
            |c, event| c.event(event, ledger),
        );
    }

    fn handle_timeout(&mut self, now: Duration) -> bool {
        self.line.handle_timeout(now)
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn lost(&mut self, _ledger: &mut Ledger) {
        let session = self.line.lose();
        *self = Self {
            forgets: self.forgets,
            session,
            ..Self::new(self.member)
        };
    }

    fn finish(&mut self, _ledger: &mut Ledger) {}
}
