//! MQTT 3.1.1: a publisher and a subscriber whose sessions outlive their connections.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, Message, Session};
use mqtt_codec::{Connect, PacketIdentifier, Properties, ProtocolVersion, QoS, Subscription};

use super::way::At;
use super::{Client, Shared, talk};

/// Messages that wait for their acknowledgement.
const OPEN: usize = 10;

/// A client with its own state, which a crash of the server leaves as it is.
pub(super) struct Endpoint {
    name: &'static str,
    session: Session,
    open: BTreeMap<PacketIdentifier, String>,
}

impl Endpoint {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            session: Session::new(),
            open: BTreeMap::new(),
        }
    }

    /// Publishes with QoS 1 and 2, and retained, until the server is gone.
    pub(super) fn publish(&mut self, shared: &Shared, at: &At, start: Instant, stop: &AtomicBool) {
        self.talk(shared, at, start, stop, Task::Publish);
    }

    /// Has what is open acknowledged.
    pub(super) fn finish(&mut self, shared: &Shared, at: &At, start: Instant, stop: &AtomicBool) {
        self.talk(shared, at, start, stop, Task::Finish);
    }

    /// Subscribes, and ends when that is acknowledged.
    pub(super) fn subscribe(
        &mut self,
        shared: &Shared,
        at: &At,
        start: Instant,
        stop: &AtomicBool,
    ) {
        self.talk(shared, at, start, stop, Task::Subscribe);
    }

    /// Receives what it has subscribed to before, until the server is gone.
    pub(super) fn receive(&mut self, shared: &Shared, at: &At, start: Instant, stop: &AtomicBool) {
        self.talk(shared, at, start, stop, Task::Receive);
    }

    fn talk(&mut self, shared: &Shared, at: &At, start: Instant, stop: &AtomicBool, task: Task) {
        let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
        let connect = Connect::resume(ProtocolVersion::V3_1_1, self.name.try_into().unwrap());
        let session = std::mem::take(&mut self.session);
        client.connect(start.elapsed(), &connect, session).unwrap();
        let mut conversation = Conversation {
            shared,
            client,
            open: std::mem::take(&mut self.open),
            task,
            is_open: false,
            is_done: false,
        };
        talk(at, start, stop, &mut conversation);
        self.open = conversation.open;
        self.session = conversation.client.into_session();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Publish,
    Finish,
    Subscribe,
    Receive,
}

struct Conversation<'a> {
    shared: &'a Shared,
    client: ClientConnection,
    open: BTreeMap<PacketIdentifier, String>,
    task: Task,
    is_open: bool,
    is_done: bool,
}

impl Conversation<'_> {
    fn publish(&mut self) -> bool {
        // Of ten messages four have QoS 2, four QoS 1, and two are retained.
        let (publisher, qos) = match self.shared.ledger().next.values().sum::<u64>() % 5 {
            0 | 1 => ("mqtt2", QoS::ExactlyOnce),
            2 | 3 => ("mqtt1", QoS::AtLeastOnce),
            _ => ("retained", QoS::AtLeastOnce),
        };
        let body = self.shared.body(publisher);
        let topic = if publisher == "retained" {
            "retained"
        } else {
            "kill/1"
        };
        let message = Message {
            retain: publisher == "retained",
            ..Message::new(topic, &body, qos)
        };
        let Ok(Some(identifier)) = self.client.publish(&message) else {
            return false;
        };
        self.open.insert(identifier, body);
        true
    }

    fn acknowledged(&mut self, identifier: PacketIdentifier) {
        let body = self.open.remove(&identifier).expect("what was published");
        match body.strip_prefix("retained ") {
            Some(number) => self.shared.ledger().retained = number.parse().unwrap(),
            None => self.shared.confirm(body),
        }
    }
}

impl Client for Conversation<'_> {
    fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) {
        while self.task == Task::Publish && self.is_open && self.open.len() < OPEN {
            if !self.publish() {
                break;
            }
        }
        self.client.poll_transmit(now, out);
    }

    fn receive(&mut self, now: Duration, input: &mut &[u8]) {
        while let Ok(Some(event)) = self.client.receive(now, input) {
            match event {
                ClientEvent::ConnAck(connack) => {
                    assert!(!connack.reason_code.is_error(), "{connack:?}");
                    if self.task == Task::Receive {
                        assert!(connack.session_present, "the session is lost");
                    }
                    self.is_open = true;
                    if self.task == Task::Subscribe {
                        let filters = [Subscription::new("kill/#", QoS::ExactlyOnce)];
                        self.client.subscribe(&filters, Properties::EMPTY).unwrap();
                    }
                }
                ClientEvent::SubAck(_) => self.is_done = true,
                ClientEvent::Publish(publish) => self.shared.receive(publish.payload),
                ClientEvent::PubAck(ack) | ClientEvent::PubComp(ack) => {
                    let identifier = ack.packet_identifier;
                    self.acknowledged(identifier);
                }
                ClientEvent::PubRec(_) | ClientEvent::PubRel(_) => {}
                other => panic!("{other:?}"),
            }
        }
        if self.task == Task::Finish && self.is_open && self.open.is_empty() {
            self.is_done = true;
        }
    }

    fn is_done(&self) -> bool {
        self.is_done || self.client.is_closed()
    }
}

/// The number of the retained message.
pub(super) fn retained(at: &At, start: Instant) -> u64 {
    let body = read(at, start, "retained", |_| true);
    body.map_or(0, |body| {
        let text = std::str::from_utf8(&body).unwrap();
        text["retained ".len()..].parse().unwrap()
    })
}

/// Waits until the bridge of a server is connected, which it says of itself.
pub(super) fn bridged(at: &At, start: Instant) {
    let state = "$SYS/broker/connection/kill/state";
    let is_up = read(at, start, state, |payload| payload == b"1").is_some();
    assert!(is_up, "the bridge is not connected");
}

/// The first message on a topic that is wanted, if it comes in 20 seconds.
fn read(at: &At, start: Instant, topic: &str, wanted: fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    let connect = Connect::clean(ProtocolVersion::V3_1_1, "reader".try_into().unwrap());
    client
        .connect(start.elapsed(), &connect, Session::new())
        .unwrap();
    let mut reader = Reader {
        client,
        topic,
        wanted,
        found: None,
        until: Instant::now() + Duration::from_secs(20),
    };
    talk(at, start, &AtomicBool::new(false), &mut reader);
    reader.found
}

/// Waits for a message on a topic.
struct Reader<'a> {
    client: ClientConnection,
    topic: &'a str,
    wanted: fn(&[u8]) -> bool,
    found: Option<Vec<u8>>,
    until: Instant,
}

impl Client for Reader<'_> {
    fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) {
        self.client.poll_transmit(now, out);
    }

    fn receive(&mut self, now: Duration, input: &mut &[u8]) {
        while let Ok(Some(event)) = self.client.receive(now, input) {
            match event {
                ClientEvent::ConnAck(_) => {
                    let filters = [Subscription::new(self.topic, QoS::AtMostOnce)];
                    self.client.subscribe(&filters, Properties::EMPTY).unwrap();
                }
                ClientEvent::Publish(publish) if (self.wanted)(publish.payload) => {
                    self.found.get_or_insert_with(|| publish.payload.to_vec());
                }
                _ => {}
            }
        }
    }

    fn is_done(&self) -> bool {
        self.found.is_some() || Instant::now() > self.until
    }
}
