//! MQTT clients that share a subscription.

use mq_core::{ConnectionId, Protocol};
use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, Session};
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, Subscription};
use std::time::Duration;

use super::ledger::{Ledger, SHARED, number};
use super::network::{Network, Peer};
use crate::world::mqtt::{properties, utf8};

/// Their client identifiers.
pub(super) const NAMES: [&str; 2] = ["share-a", "share-b"];

#[derive(Default)]
pub(super) struct SharePeer {
    member: u8,
    id: Option<ConnectionId>,
    codec: Option<ClientConnection>,
    buffer: Vec<u8>,
    over: bool,
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
                if !connack.session_present {
                    let all = [Subscription::new("$share/g/s/#", QoS::AtLeastOnce)];
                    let codec = self.codec.as_mut().unwrap();
                    codec.subscribe(&all, Properties::EMPTY).unwrap();
                }
            }
            ClientEvent::SubAck(_) => ledger.joined(),
            ClientEvent::Publish(publish) => {
                let message = number(publish.payload);
                ledger.delivered(SHARED, message);
                ledger.shared(message, self.member);
            }
            ClientEvent::Disconnect(_) => self.over = true,
            _ => {}
        }
    }
}

impl Peer for SharePeer {
    fn connection(&self) -> Option<ConnectionId> {
        self.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.id = Some(network.open(Protocol::Mqtt));
        let mut codec = ClientConnection::new(network.now, ClientConfig::default());
        let keep = properties([Property::SessionExpiryInterval(100_000)]);
        let name = NAMES[usize::from(self.member)];
        let connect = Connect {
            keep_alive: 10,
            properties: keep.as_properties(),
            ..Connect::resume(ProtocolVersion::V5_0, utf8(name))
        };
        let session = std::mem::take(&mut self.session);
        codec.connect(network.now, &connect, session).unwrap();
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
        while let Some(event) = self
            .codec
            .as_mut()
            .unwrap()
            .receive(now, &mut input)
            .unwrap()
        {
            self.event(event, ledger);
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

    fn lost(&mut self, _ledger: &mut Ledger) {
        let session = self.codec.take().unwrap().into_session();
        *self = Self {
            session,
            ..Self::new(self.member)
        };
    }

    fn finish(&mut self, _ledger: &mut Ledger) {}
}
