//! MQTT clients whose sessions outlive their connections.

use mq_core::ConnectionId;
use mqtt_codec::connection::{ClientConnection, ClientEvent, MessageBuf, Session};
use mqtt_codec::{
    Connect, PacketIdentifier, Properties, Property, ProtocolVersion, QoS, Subscription,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ledger::{
    DELAYED_PUBLISH, Ledger, Outcome, Place, RETAINED, SHORT_LIFE, Topic, What, body, number,
};
use super::line::{self, Line};
use super::network::{Network, Peer};
use crate::world::mqtt::{properties, utf8};

pub(super) struct MqttPeer {
    number: u8,
    name: Place,
    line: Line,
    over: bool,
    ready: bool,
    /// When the connection was made.
    since: Duration,
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
            line: Line::default(),
            over: false,
            ready: false,
            since: Duration::ZERO,
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
                    let codec = self.line.codec();
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
                let (_, message) = self.unconfirmed.remove(&ack.packet_identifier).unwrap();
                ledger.not_taken(message);
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
                if !publish.dup && !publish.retain {
                    ledger.pushed(self.name, message, self.since);
                }
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
            ClientEvent::Disconnect(why) => self.over = line::is_fair(&why),
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
        self.line.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.since = network.clock(network.now);
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
        self.line.open(network, &connect, session);
    }

    fn act(&mut self, choice: u64, ledger: &mut Ledger) {
        if !self.ready || !self.subscribed {
            return;
        }
        let expires = choice & 0x100 == 0;
        match choice % 10 {
            0..4 if expires => self.perform(What::Expiring, ledger),
            0..4 => self.perform(What::Lasting, ledger),
            4 | 5 => self.perform(What::Once, ledger),
            6 => {
                let slot = (choice >> 16) as u8 % SLOTS;
                let what = match choice >> 24 & 3 {
                    0 => What::Cleared { slot },
                    _ => What::Retained { slot, expires },
                };
                self.perform(what, ledger);
            }
            9 => self.perform(What::Late { slot: 0 }, ledger),
            _ if self.retained.is_none() => {
                self.retained = Some(false);
                let retained = [Subscription::new("r/#", QoS::AtLeastOnce)];
                let codec = self.line.codec();
                codec.subscribe(&retained, Properties::EMPTY).unwrap();
            }
            _ => {}
        }
    }

    fn perform(&mut self, what: What, ledger: &mut Ledger) {
        if !self.ready || !self.subscribed || self.line.codec().send_quota() == 0 {
            return;
        }
        let expires = match what {
            What::Expiring => true,
            // 3.1.1 cannot be told that there is no room.
            What::Late { .. } if !self.number.is_multiple_of(2) => return,
            What::Late { .. } => false,
            What::Lasting | What::Once | What::Cleared { .. } => false,
            What::Retained { expires, .. } => expires,
            // Of queues, shares and wills.
            _ => return,
        };
        // 3.1.1 cannot say it.
        let expiry = (expires && self.number.is_multiple_of(2)).then_some(SHORT_LIFE);
        let qos = match what {
            What::Once => QoS::ExactlyOnce,
            _ => QoS::AtLeastOnce,
        };
        let (message, topic) = match what {
            What::Retained { slot, .. } => (
                ledger.for_retaining((self.number, slot), expiry),
                &*format!("x/{}/{slot}", self.number),
            ),
            What::Cleared { slot } => (
                ledger.for_clearing((self.number, slot)),
                &*format!("x/{}/{slot}", self.number),
            ),
            What::Late { .. } => (
                ledger.for_later(self.number, DELAYED_PUBLISH, 0),
                "$delayed/1/late/mqtt",
            ),
            _ => (
                ledger.for_topic(self.number, qos == QoS::ExactlyOnce, expiry),
                "t/mqtt",
            ),
        };
        // More than a routing key of AMQP has, at times.
        let long = format!("t{}", "/long".repeat(80));
        let topic = match topic {
            "t/mqtt" if message % 8 == 5 => &*long,
            topic => topic,
        };
        let payload = match what {
            What::Cleared { .. } => Vec::new(),
            _ => body(message),
        };
        let mut packet = MessageBuf::new(topic, payload, qos);
        packet.retain = matches!(what, What::Retained { .. } | What::Cleared { .. });
        if let Some(time) = expiry {
            let seconds = u32::try_from(time.as_secs()).unwrap();
            packet.properties = properties([Property::MessageExpiryInterval(seconds)]);
        }
        let identifier = self
            .line
            .codec()
            .publish(&packet.as_message())
            .unwrap()
            .unwrap();
        self.unconfirmed.insert(identifier, (qos, message));
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

    fn lost(&mut self, ledger: &mut Ledger) {
        for (qos, message) in self.unconfirmed.values() {
            if *qos == QoS::AtLeastOnce {
                ledger.sent_again(*message);
            }
        }
        self.session = self.line.lose();
        self.over = false;
        self.ready = false;
        // Asked again, unless the answer has come.
        self.retained = self.retained.filter(|answered| *answered);
    }

    fn crashed(&mut self, _now: Duration, _ledger: &mut Ledger) {
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
        assert!(self.line.codec().session().is_empty());
    }
}

/// Topics of retained messages that a client has.
pub(super) const SLOTS: u8 = 5;

/// A connection that waits for nothing, until `talk` says that it is done.
fn converse(
    network: &mut Network,
    connect: &Connect<'_>,
    mut talk: impl FnMut(&mut ClientConnection, ClientEvent<'_>),
) {
    let mut line = Line::default();
    line.open(network, connect, Session::new());
    let id = line.id.unwrap();
    let mut quiet = 0;
    // It is over when nothing has moved for a while.
    while quiet < 3 {
        let moved = network.moved;
        network.send(id, &line.transmit(network.now), usize::MAX);
        network.sync_all();
        let arrived: Vec<u8> = network.receive(id, usize::MAX).into_iter().collect();
        Line::receive(
            &mut line,
            |l| l,
            network.now,
            &arrived,
            |l, event| talk(l.codec(), event),
        );
        quiet = if network.moved == moved { quiet + 1 } else { 0 };
    }
    network.cut(id);
}

/// Publishes the retained messages `r/0` and so on.
pub(super) fn retain(network: &mut Network, ledger: &mut Ledger) {
    let connect = Connect::clean(ProtocolVersion::V3_1_1, utf8("retaining"));
    converse(network, &connect, |codec, event| {
        if let ClientEvent::ConnAck(_) = event {
            for n in 0..RETAINED {
                let body = body(ledger.retained());
                let mut message = MessageBuf::new(&format!("r/{n}"), body, QoS::AtLeastOnce);
                message.retain = true;
                codec.publish(&message.as_message()).unwrap();
            }
        }
    });
}

/// What is retained under the topics of the clients.
pub(super) fn retained(network: &mut Network) -> BTreeMap<Topic, u64> {
    let mut found = BTreeMap::new();
    let connect = Connect::clean(ProtocolVersion::V5_0, utf8("looking"));
    converse(network, &connect, |codec, event| match event {
        ClientEvent::ConnAck(_) => {
            let all = [Subscription::new("x/#", QoS::AtMostOnce)];
            codec.subscribe(&all, Properties::EMPTY).unwrap();
        }
        ClientEvent::Publish(publish) => {
            let mut levels = publish.topic_name.split('/').skip(1);
            let mut level = || levels.next().unwrap().parse().unwrap();
            let before = found.insert((level(), level()), number(publish.payload));
            assert_eq!(before, None, "one message under a topic");
        }
        _ => {}
    });
    found
}

/// What the session of a client has, in words: what comes when the client connects that
/// has forgotten everything, and what it has subscribed to.
pub(super) fn session(network: &mut Network, name: Place, version: ProtocolVersion) -> Vec<String> {
    let mut found = Vec::new();
    // What is sent only now has whatever packet identifier comes next.
    let mut new = BTreeSet::new();
    for publishes in [false, true] {
        if publishes {
            let connect = Connect::clean(ProtocolVersion::V5_0, utf8("probing"));
            converse(network, &connect, |codec, event| {
                if let ClientEvent::ConnAck(_) = event {
                    for topic in ["t/probe", "r/probe"] {
                        let message = MessageBuf::new(topic, topic, QoS::AtLeastOnce);
                        codec.publish(&message.as_message()).unwrap();
                    }
                }
            });
        }
        let keep = properties([Property::SessionExpiryInterval(100_000)]);
        let properties = match version {
            ProtocolVersion::V5_0 => keep.as_properties(),
            _ => Properties::EMPTY,
        };
        let connect = Connect {
            properties,
            ..Connect::resume(version, utf8(name))
        };
        converse(network, &connect, |_, event| match event {
            ClientEvent::ConnAck(connack) if connack.session_present => {
                found.push(String::from("present"));
            }
            ClientEvent::Publish(publish) if publish.topic_name.ends_with("probe") => {
                found.push(publish.topic_name.to_string());
            }
            // One in flight has its packet identifier.
            ClientEvent::Publish(publish) if publish.dup => found.push(format!(
                "in flight {:?} {} q{}",
                publish.packet_identifier,
                number(publish.payload),
                publish.qos as u8
            )),
            // What is retained is looked for again for a new subscription alone.
            ClientEvent::Publish(publish) if !publish.retain => {
                new.extend(publish.packet_identifier);
                found.push(format!(
                    "{} q{}",
                    number(publish.payload),
                    publish.qos as u8
                ));
            }
            ClientEvent::PubRel(ack) if !new.contains(&ack.packet_identifier) => {
                found.push(format!("released {:?}", ack.packet_identifier));
            }
            _ => {}
        });
    }
    found.sort();
    found
}
