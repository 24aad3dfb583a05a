//! MQTT clients whose sessions outlive their connections.

use mq_core::{ConnectionId, Protocol};
use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, Message, Session};
use mqtt_codec::{
    Connect, PacketIdentifier, Properties, Property, ProtocolVersion, QoS, Subscription,
};
use std::collections::BTreeMap;
use std::time::Duration;

use super::ledger::{Ledger, Outcome, Place, RETAINED, body, number};
use super::network::{Network, Peer};
use crate::world::mqtt::{properties, utf8};

pub(super) struct MqttPeer {
    number: u8,
    name: Place,
    id: Option<ConnectionId>,
    codec: Option<ClientConnection>,
    buffer: Vec<u8>,
    over: bool,
    ready: bool,
    /// The server has its session.
    known: bool,
    subscribed: bool,
    /// Has asked for the retained messages, and has the answer.
    retained: Option<bool>,
    session: Session,
    unconfirmed: BTreeMap<PacketIdentifier, (QoS, u64)>,
    /// The last message of each publisher and QoS that came for the first time.
    order: BTreeMap<(u8, u8), u64>,
}

impl MqttPeer {
    pub(super) fn new(number: u8) -> Self {
        Self {
            number,
            name: ["even", "odd"][usize::from(number) % 2],
            id: None,
            codec: None,
            buffer: Vec::new(),
            over: false,
            ready: false,
            known: false,
            subscribed: false,
            retained: None,
            session: Session::new(),
            unconfirmed: BTreeMap::new(),
            order: BTreeMap::new(),
        }
    }

    fn event(&mut self, event: ClientEvent<'_>, ledger: &mut Ledger) {
        match event {
            ClientEvent::ConnAck(connack) => {
                assert!(!connack.reason_code.is_error(), "{connack:?}");
                assert!(
                    connack.session_present || !self.known,
                    "the session is gone"
                );
                self.known = true;
                self.ready = true;
                if !self.subscribed {
                    let all = [Subscription::new("t/#", QoS::ExactlyOnce)];
                    let codec = self.codec.as_mut().unwrap();
                    codec.subscribe(&all, Properties::EMPTY).unwrap();
                    ledger.asks(self.name);
                }
            }
            ClientEvent::SubAck(_) if self.subscribed => {
                self.retained = Some(true);
                ledger.wants_retained(self.name);
            }
            ClientEvent::SubAck(_) => {
                self.subscribed = true;
                ledger.subscribed(self.name);
            }
            ClientEvent::PubAck(ack) if ack.reason_code.is_error() => {
                self.unconfirmed.remove(&ack.packet_identifier);
            }
            ClientEvent::PubAck(ack) => self.confirmed(ack.packet_identifier, ledger),
            ClientEvent::PubComp(ack) => self.confirmed(ack.packet_identifier, ledger),
            // With an error it is settled: nothing is known of it.
            ClientEvent::PubRec(ack) if ack.reason_code.is_error() => {
                self.unconfirmed.remove(&ack.packet_identifier);
            }
            ClientEvent::Publish(publish) => {
                let message = number(publish.payload);
                let publisher = ledger.delivered(self.name, message);
                if let Some(publisher) = publisher
                    && !publish.dup
                    && !publish.retain
                {
                    let key = (publisher, publish.qos as u8);
                    let last = self.order.insert(key, message);
                    assert!(
                        last < Some(message),
                        "{}: {message} after {last:?}",
                        self.name
                    );
                }
            }
            ClientEvent::Disconnect(_) => self.over = true,
            _ => {}
        }
    }

    fn confirmed(&mut self, identifier: PacketIdentifier, ledger: &mut Ledger) {
        let (_, message) = self.unconfirmed.remove(&identifier).unwrap();
        ledger.answered(message, Outcome::Confirmed);
    }
}

impl Peer for MqttPeer {
    fn connection(&self) -> Option<ConnectionId> {
        self.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.id = Some(network.open(Protocol::Mqtt));
        let mut codec = ClientConnection::new(network.now, ClientConfig::default());
        let keep = properties([Property::SessionExpiryInterval(100_000)]);
        let (version, properties) = match self.number % 2 {
            0 => (ProtocolVersion::V5_0, keep.as_properties()),
            _ => (ProtocolVersion::V3_1_1, Properties::EMPTY),
        };
        let connect = Connect {
            keep_alive: 10,
            properties,
            ..Connect::resume(version, utf8(self.name))
        };
        let session = std::mem::take(&mut self.session);
        codec.connect(network.now, &connect, session).unwrap();
        self.codec = Some(codec);
    }

    fn act(&mut self, choice: u64, ledger: &mut Ledger) {
        if !self.ready || !self.subscribed {
            return;
        }
        let qos = match choice % 4 {
            0 | 1 => QoS::AtLeastOnce,
            2 => QoS::ExactlyOnce,
            _ => {
                if self.retained.is_none() {
                    self.retained = Some(false);
                    let retained = [Subscription::new("r/#", QoS::AtLeastOnce)];
                    let codec = self.codec.as_mut().unwrap();
                    codec.subscribe(&retained, Properties::EMPTY).unwrap();
                }
                return;
            }
        };
        let codec = self.codec.as_mut().unwrap();
        if codec.send_quota() == 0 {
            return;
        }
        let expires = (self.number.is_multiple_of(2) && choice & 0x100 == 0).then_some(1);
        let expiry = expires.map(|seconds| Duration::from_secs(seconds.into()));
        let message = ledger.for_topic(self.number, qos == QoS::ExactlyOnce, expiry);
        let mut packet = Message::new("t/mqtt", body(message), qos);
        if let Some(seconds) = expires {
            packet.properties = properties([Property::MessageExpiryInterval(seconds)]);
        }
        let identifier = codec.publish(&packet).unwrap().unwrap();
        self.unconfirmed.insert(identifier, (qos, message));
    }

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

    fn lost(&mut self, ledger: &mut Ledger) {
        for (qos, message) in self.unconfirmed.values() {
            if *qos == QoS::AtLeastOnce {
                ledger.sent_again(*message);
            }
        }
        self.session = self.codec.take().unwrap().into_session();
        self.id = None;
        self.buffer.clear();
        self.over = false;
        self.ready = false;
        // Asked again, unless the answer has come.
        self.retained = self.retained.filter(|answered| *answered);
    }

    fn crashed(&mut self) {
        // What was sent with QoS 1 may come again, as if for the first time.
        self.order
            .retain(|(_, qos), _| *qos == QoS::ExactlyOnce as u8);
        self.retained = None;
    }

    fn finish(&mut self, _ledger: &mut Ledger) {
        assert!(
            self.unconfirmed.is_empty(),
            "{:?} are not confirmed",
            self.unconfirmed
        );
        assert!(self.codec.as_ref().unwrap().session().is_empty());
    }
}

/// Publishes the retained messages `r/0` and so on.
pub(super) fn retain(network: &mut Network, ledger: &mut Ledger) {
    let id = network.open(Protocol::Mqtt);
    let mut codec = ClientConnection::new(network.now, ClientConfig::default());
    let connect = Connect::clean(ProtocolVersion::V3_1_1, utf8("retaining"));
    codec
        .connect(network.now, &connect, Session::new())
        .unwrap();
    let mut acknowledged = 0;
    while acknowledged < RETAINED {
        let mut out = Vec::new();
        codec.poll_transmit(network.now, &mut out);
        network.send(id, &out, usize::MAX);
        network.wait(Duration::ZERO);
        let received = network.receive(id, usize::MAX);
        let mut input = &received[..];
        while let Some(event) = codec.receive(network.now, &mut input).unwrap() {
            match event {
                ClientEvent::ConnAck(_) => {
                    for n in 0..RETAINED {
                        let body = body(ledger.retained());
                        let mut message = Message::new(&format!("r/{n}"), body, QoS::AtLeastOnce);
                        message.retain = true;
                        codec.publish(&message).unwrap();
                    }
                }
                ClientEvent::PubAck(_) => acknowledged += 1,
                _ => {}
            }
        }
        assert!(input.is_empty());
    }
    network.cut(id);
}
