//! AMQP clients: confirms, transactions, consumers that take and give back.

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Confirmation, Delivery, Mandatory, Message, Reply,
    Requeue, Tags,
};
use amqp_codec::method::{basic, confirm, exchange, queue, tx};
use amqp_codec::{FieldValue, Method, PropertiesBuf, PropertyFields};
use mq_core::{ConnectionId, Protocol};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::ledger::{
    CHOSEN, DELAYS, Ledger, Outcome, PREFETCH, Place, QUEUES, RANKS, REPLIES, SHORT_LIFE, SINGLE,
    TIME_TO_LIVE, What, body, number,
};
use super::network::{Network, Peer};
use crate::world::amqp::{table, text};

/// The channel with confirms and consumers, and that with transactions.
const CONFIRM: u16 = 1;
const TRANSACTION: u16 = 2;

#[derive(Default)]
pub(super) struct AmqpPeer {
    number: u8,
    id: Option<ConnectionId>,
    codec: Option<ClientConnection>,
    buffer: Vec<u8>,
    ready: bool,
    over: bool,
    /// Publish tag to message.
    unconfirmed: BTreeMap<u64, u64>,
    /// Delivery tag to what is held.
    held: BTreeMap<u64, (Place, u64)>,
    /// Queues of the gets whose answer is to come.
    gets: VecDeque<Place>,
    consuming: Vec<Place>,
    /// What it wants of the queue `chosen`.
    part: usize,
    /// Published in the open transaction, and in those that are being committed.
    open: Vec<u64>,
    committing: VecDeque<Vec<u64>>,
    acknowledged: Vec<(Place, u64)>,
    /// The last message of each publisher that came for the first time.
    order: BTreeMap<(Place, u8), u64>,
}

impl AmqpPeer {
    pub(super) fn new(number: u8) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    fn send(&mut self, channel: u16, exchange: &str, key: &str, message: u64) {
        self.send_with(channel, exchange, key, message, None, None);
    }

    /// Publishes a message that comes to the queue `late` after a time.
    fn send_late(&mut self, channel: u16, publisher: u8, slot: u8, ledger: &mut Ledger) {
        let delay = DELAYS[usize::from(slot) % DELAYS.len()];
        let message = ledger.for_later(publisher, delay, 0);
        self.send_with(channel, "late", "late", message, None, Some(delay));
    }

    fn send_with(
        &mut self,
        channel: u16,
        exchange: &str,
        key: &str,
        message: u64,
        expiry: Option<Duration>,
        delay: Option<Duration>,
    ) {
        let expiration = expiry.map(|time| time.as_millis().to_string());
        // At times more than a frame of the other client's.
        let large = self.number == 0 && message % 5 == 4;
        let note = "n".repeat(if large { 6000 } else { 10 });
        let mut headers = table([("note", text(&note)), ("part", text(part(message)))]);
        if let Some(delay) = delay {
            let millis = FieldValue::I64(delay.as_millis() as i64);
            headers.insert("x-delay", millis).unwrap();
        }
        let properties: PropertiesBuf = PropertyFields {
            delivery_mode: Some(2),
            headers: Some(headers.as_table()),
            expiration: expiration.as_deref().map(Into::into),
            priority: (key == "ranked").then_some((message % RANKS) as u8),
            reply_to: (key == "requests").then_some("amq.rabbitmq.reply-to".into()),
            ..PropertyFields::default()
        }
        .to_buf()
        .unwrap();
        let body = body(message);
        let content = Message {
            exchange,
            routing_key: key,
            properties: properties.as_properties(),
            body: &body,
        };
        let codec = self.codec.as_mut().unwrap();
        let tag = codec.publish(channel, Mandatory::No, &content).unwrap();
        match tag {
            Some(tag) => drop(self.unconfirmed.insert(tag, message)),
            None => self.open.push(message),
        }
    }

    fn acknowledge(&mut self, multiple: bool, ledger: &mut Ledger) {
        let Some((&tag, _)) = self.held.iter().nth(self.held.len() / 2) else {
            return;
        };
        self.codec
            .as_mut()
            .unwrap()
            .ack(CONFIRM, tags(tag, multiple))
            .unwrap();
        for (place, message) in self.take(tag, multiple) {
            ledger.settled(place, message);
            self.acknowledged.push((place, message));
        }
    }

    /// Consumes from a queue, unless it does already.
    fn consume(&mut self, queue: Place, choice: u64) {
        if self.consuming.contains(&queue) {
            return;
        }
        let selector = selector(choice);
        let arguments = match queue {
            CHOSEN => table([("x-selector", text(&selector))]),
            _ => table([]),
        };
        if queue == CHOSEN {
            self.part = choice as usize % PARTS.len();
        }
        let consume = basic::Consume {
            queue,
            consumer_tag: queue,
            arguments: arguments.as_table(),
            ..Default::default()
        };
        let codec = self.codec.as_mut().unwrap();
        codec.consume(CONFIRM, &consume).unwrap();
        self.consuming.push(queue);
    }

    fn commit(&mut self) {
        let codec = self.codec.as_mut().unwrap();
        codec.tx_commit(TRANSACTION, &tx::Commit {}).unwrap();
        self.committing.push_back(std::mem::take(&mut self.open));
    }

    /// What an acknowledgement of this tag is about.
    fn take(&mut self, tag: u64, multiple: bool) -> Vec<(Place, u64)> {
        if !multiple {
            return self.held.remove(&tag).into_iter().collect();
        }
        let later = self.held.split_off(&(tag + 1));
        std::mem::replace(&mut self.held, later)
            .into_values()
            .collect()
    }

    fn event(&mut self, event: ClientEvent<'_>, ledger: &mut Ledger) {
        match event {
            ClientEvent::Opened => {
                let codec = self.codec.as_mut().unwrap();
                codec.open_channel().unwrap();
                codec.open_channel().unwrap();
            }
            ClientEvent::ChannelOpened {
                channel: CONFIRM, ..
            } => {
                let codec = self.codec.as_mut().unwrap();
                let select = confirm::Select { no_wait: true };
                codec.confirm_select(CONFIRM, &select).unwrap();
                let qos = basic::Qos {
                    prefetch_count: PREFETCH as u16,
                    ..Default::default()
                };
                codec.qos(CONFIRM, &qos).unwrap();
            }
            ClientEvent::ChannelOpened { .. } => {
                let codec = self.codec.as_mut().unwrap();
                codec.tx_select(TRANSACTION, &tx::Select {}).unwrap();
                let replies = basic::Consume {
                    queue: "amq.rabbitmq.reply-to",
                    consumer_tag: REPLIES,
                    no_ack: true,
                    ..Default::default()
                };
                codec.consume(CONFIRM, &replies).unwrap();
                self.ready = true;
            }
            ClientEvent::Confirm(Confirmation {
                publish_tags,
                acknowledged,
                ..
            }) => {
                let outcome = if acknowledged {
                    Outcome::Confirmed
                } else {
                    Outcome::Refused
                };
                for tag in publish_tags {
                    ledger.answered(self.unconfirmed.remove(&tag).unwrap(), outcome);
                }
            }
            ClientEvent::Reply {
                reply: Reply::TxCommitOk(_),
                ..
            } => {
                for message in self.committing.pop_front().unwrap() {
                    ledger.answered(message, Outcome::Confirmed);
                }
            }
            ClientEvent::Reply {
                reply: Reply::BasicGetEmpty(_),
                ..
            } => {
                self.gets.pop_front();
            }
            ClientEvent::GetOk {
                delivery_tag,
                content,
                ..
            } => {
                let place = self.gets.pop_front().unwrap();
                let message = number(content.body());
                ledger.delivered(place, message);
                self.held.insert(delivery_tag, (place, message));
            }
            ClientEvent::Deliver(Delivery {
                delivery_tag,
                redelivered,
                content,
                ..
            }) => {
                let Method::BasicDeliver(deliver) = content.method() else {
                    panic!("{content:?}")
                };
                let tag = deliver.consumer_tag;
                let message = number(content.body());
                if tag == REPLIES {
                    ledger.delivered(REPLIES, message);
                    return;
                }
                let place = QUEUES.into_iter().find(|queue| *queue == tag).unwrap();
                let publisher = ledger.delivered(place, message);
                if let Some(publisher) = publisher
                    && !redelivered
                    && !["dead", "cycle", "ranked", "late"].contains(&place)
                {
                    let last = self.order.insert((place, publisher), message);
                    assert!(last < Some(message), "{place}: {message} after {last:?}");
                }
                if place == CHOSEN {
                    assert_eq!(part(message), PARTS[self.part], "{message} is not wanted");
                }
                if place == SINGLE {
                    ledger.active(self.number);
                }
                if place == "requests" {
                    let to = content.properties().fields().reply_to.unwrap_or_default();
                    let to = to.to_str().unwrap();
                    let reply = ledger.reply_to(self.number, message);
                    self.send(CONFIRM, "", to, reply);
                }
                self.held.insert(delivery_tag, (place, message));
            }
            // A transaction that the broker refuses, say.
            ClientEvent::ChannelClosed { .. } | ClientEvent::Closed { .. } => self.over = true,
            _ => {}
        }
    }
}

impl Peer for AmqpPeer {
    fn connection(&self) -> Option<ConnectionId> {
        self.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.id = Some(network.open(Protocol::Amqp));
        let mut config = ClientConfig::default();
        if self.number == 1 {
            config.frame_max = 4096;
        }
        self.codec = Some(ClientConnection::new(network.now, config));
    }

    fn act(&mut self, choice: u64, ledger: &mut Ledger) {
        if !self.ready {
            return;
        }
        let queue = QUEUES[(choice >> 8) as usize % QUEUES.len()];
        match choice % 16 {
            0..4 if queue == "bound" => {
                let what = [What::Lasting, What::Shared][(choice >> 16) as usize % 2];
                self.publish(what, ledger);
            }
            0..4 if queue == "requests" => {
                let message = ledger.request(self.number);
                self.send(CONFIRM, "", queue, message);
            }
            0..4 if queue == "late" => {
                let slot = (choice >> 16) as u8;
                self.publish(What::Late { slot }, ledger);
            }
            0..4 if queue != "dead" => {
                let message = ledger.for_queue(self.number, queue);
                self.send(CONFIRM, "", queue, message);
            }
            4 | 5 => {
                // More than `strict` has room for, at times.
                let queue = ["plain", "strict", "late"][(choice >> 8) as usize % 3];
                for _ in 0..=(choice >> 16) % 3 {
                    if queue == "late" {
                        let slot = (choice >> 24) as u8;
                        self.send_late(TRANSACTION, self.number + 100, slot, ledger);
                        continue;
                    }
                    // In a sequence of its own, since it takes place later than it was said.
                    let message = ledger.for_queue(self.number + 100, queue);
                    self.send(TRANSACTION, "", queue, message);
                }
            }
            6 => self.commit(),
            7 => {
                self.codec
                    .as_mut()
                    .unwrap()
                    .tx_rollback(TRANSACTION, &tx::Rollback {})
                    .unwrap();
                for message in self.open.drain(..) {
                    ledger.answered(message, Outcome::Refused);
                }
            }
            8 => self.consume(queue, choice >> 16),
            9 => {
                let get = basic::Get {
                    queue,
                    no_ack: false,
                };
                self.codec.as_mut().unwrap().get(CONFIRM, &get).unwrap();
                self.gets.push_back(queue);
            }
            10 | 11 => self.acknowledge(false, ledger),
            12 => self.acknowledge(true, ledger),
            13 | 14 => {
                let multiple = choice & 256 == 0;
                if let Some(&tag) = self.held.keys().next_back() {
                    self.codec
                        .as_mut()
                        .unwrap()
                        .nack(CONFIRM, tags(tag, multiple), Requeue::Yes)
                        .unwrap();
                    self.take(tag, multiple);
                }
            }
            15 => {
                let mut held = self.held.iter();
                let dying = held.find(|(_, (place, _))| ["dying", "cycle"].contains(place));
                if let Some((&tag, _)) = dying {
                    self.codec
                        .as_mut()
                        .unwrap()
                        .reject(CONFIRM, tag, Requeue::No)
                        .unwrap();
                    for (place, message) in self.take(tag, false) {
                        ledger.rejected(place, message);
                    }
                }
            }
            _ => {}
        }
    }

    fn publish(&mut self, what: What, ledger: &mut Ledger) {
        let expiry = match what {
            What::Expiring => Some(SHORT_LIFE),
            What::Lasting | What::Once => None,
            What::Shared if self.ready => {
                let message = ledger.for_share(self.number);
                self.send(CONFIRM, "amq.topic", "s.amqp", message);
                return;
            }
            What::Together if self.ready => {
                for _ in 0..2 {
                    let message = ledger.for_queue(self.number + 100, "plain");
                    self.send(TRANSACTION, "", "plain", message);
                }
                self.commit();
                return;
            }
            What::Ranked if self.ready => {
                let message = ledger.for_queue(self.number, "ranked");
                self.send(CONFIRM, "", "ranked", message);
                return;
            }
            What::Late { slot } if self.ready => {
                self.send_late(CONFIRM, self.number, slot, ledger);
                return;
            }
            What::Ruled if self.ready => {
                let message = ledger.for_queue(self.number, "ruled");
                self.send(CONFIRM, "", "ruled", message);
                return;
            }
            What::Single if self.ready => {
                self.consume(SINGLE, 0);
                let message = ledger.for_queue(self.number, SINGLE);
                self.send(CONFIRM, "", SINGLE, message);
                return;
            }
            What::Shared
            | What::Together
            | What::Ranked
            | What::Single
            | What::Late { .. }
            | What::Ruled
            | What::Retained { .. }
            | What::Cleared { .. } => return,
        };
        if self.ready {
            let message = ledger.for_topic(self.number, false, expiry);
            self.send_with(CONFIRM, "amq.topic", "t.amqp", message, expiry, None);
        }
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

    fn closed(&self, _since: Duration, ledger: &mut Ledger) {
        ledger.inactive(self.number);
    }

    fn lost(&mut self, ledger: &mut Ledger) {
        ledger.disconnected(self.number);
        *self = Self::new(self.number);
    }

    fn finish(&mut self, ledger: &mut Ledger) {
        assert!(
            self.unconfirmed.is_empty(),
            "{:?} are not confirmed",
            self.unconfirmed
        );
        assert!(
            self.committing.is_empty(),
            "{:?} are not committed",
            self.committing
        );
        for (place, message) in self.acknowledged.drain(..) {
            ledger.settled_certainly(place, message);
        }
    }
}

/// What consumers of the queue `chosen` want, by the header `part`.
pub(super) const PARTS: [&str; 2] = ["even", "odd"];

pub(super) fn part(message: u64) -> &'static str {
    PARTS[message as usize % PARTS.len()]
}

pub(super) fn selector(choice: u64) -> String {
    format!("part = '{}'", part(choice))
}

fn tags(tag: u64, multiple: bool) -> Tags {
    match multiple {
        true => Tags::UpTo(tag),
        false => Tags::One(tag),
    }
}

/// A connection that waits for nothing.
fn converse(
    network: &mut Network,
    mut talk: impl FnMut(&mut ClientConnection, Option<ClientEvent<'_>>) -> bool,
) {
    let id = network.open(Protocol::Amqp);
    let mut codec = ClientConnection::new(network.now, ClientConfig::default());
    let mut buffer = Vec::new();
    let mut more = true;
    while more {
        let mut out = Vec::new();
        codec.poll_transmit(network.now, &mut out);
        network.send(id, &out, usize::MAX);
        network.wait(Duration::ZERO);
        buffer.extend(network.receive(id, usize::MAX));
        let mut input = &buffer[..];
        while let Some(event) = codec.receive(network.now, &mut input).unwrap() {
            more &= talk(&mut codec, Some(event));
        }
        buffer = input.to_vec();
    }
    network.cut(id);
}

/// Declares the queues: `plain` has no policy; `short` drops its oldest and `strict` refuses
/// when three are in it; what dies in `dying`, by a consumer or after a second, goes
/// to `dead`; what a consumer rejects in `cycle` comes back to it; `bound` takes
/// what is published under the topics `t/..`; `ranked` has priorities, and `single` one active
/// consumer; what comes to `late` has waited; `ruled` has policies, and consumers of `chosen`
/// want some messages only.
pub(super) fn declare(network: &mut Network) {
    let number = FieldValue::I32;
    let arguments = |queue| match queue {
        "short" => table([("x-max-length", number(3))]),
        "strict" => table([
            ("x-max-length", number(3)),
            ("x-overflow", text("reject-publish")),
        ]),
        "dying" => table([
            ("x-message-ttl", number(TIME_TO_LIVE.as_millis() as i32)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("dead")),
        ]),
        "ranked" => table([("x-max-priority", number(RANKS as i32 - 1))]),
        SINGLE => table([("x-single-active-consumer", FieldValue::Boolean(true))]),
        "cycle" => table([
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("cycle")),
        ]),
        _ => table([]),
    };
    let mut bound = 0;
    converse(network, |codec, event| match event {
        Some(ClientEvent::Opened) => codec.open_channel().is_ok(),
        Some(ClientEvent::ChannelOpened { .. }) => {
            for queue in QUEUES {
                let arguments = arguments(queue);
                let declare = queue::Declare {
                    queue,
                    durable: true,
                    arguments: arguments.as_table(),
                    ..Default::default()
                };
                codec.queue_declare(1, &declare).unwrap();
            }
            let kind = table([("x-delayed-type", text("direct"))]);
            let late = exchange::Declare {
                exchange: "late",
                r#type: "x-delayed-message",
                durable: true,
                arguments: kind.as_table(),
                ..Default::default()
            };
            codec.exchange_declare(1, &late).unwrap();
            for (queue, exchange, routing_key) in BINDINGS {
                let bind = queue::Bind {
                    queue,
                    exchange,
                    routing_key,
                    ..Default::default()
                };
                codec.queue_bind(1, &bind).unwrap();
            }
            true
        }
        Some(ClientEvent::Reply {
            reply: Reply::QueueBindOk(_),
            ..
        }) => {
            bound += 1;
            bound < BINDINGS.len()
        }
        _ => true,
    });
}

/// A queue, an exchange and the key of its binding.
const BINDINGS: [(&str, &str, &str); 3] = [
    ("bound", "amq.topic", "t.#"),
    ("late", "late", "late"),
    ("late", "amq.topic", "late.#"),
];

/// Publishes so many messages to a queue.
pub(super) fn probe(network: &mut Network, queue: Place, count: usize) {
    converse(network, |codec, event| match event {
        Some(ClientEvent::Opened) => codec.open_channel().is_ok(),
        Some(ClientEvent::ChannelOpened { .. }) => {
            let properties = PropertiesBuf::new();
            for number in 0..count {
                let content = Message {
                    exchange: "",
                    routing_key: queue,
                    properties: properties.as_properties(),
                    body: &body(number as u64),
                };
                codec.publish(1, Mandatory::No, &content).unwrap();
            }
            codec.close_channel(1).is_ok()
        }
        Some(ClientEvent::ChannelCloseOk { .. }) => false,
        _ => true,
    });
}

/// Takes everything out of a queue.
pub(super) fn empty(network: &mut Network, queue: Place) -> Vec<u64> {
    let mut found = Vec::new();
    converse(network, |codec, event| {
        let get = basic::Get {
            queue,
            no_ack: true,
        };
        match event {
            Some(ClientEvent::Opened) => codec.open_channel().is_ok(),
            Some(ClientEvent::ChannelOpened { .. }) => codec.get(1, &get).is_ok(),
            Some(ClientEvent::GetOk { content, .. }) => {
                found.push(number(content.body()));
                codec.get(1, &get).is_ok()
            }
            Some(ClientEvent::Reply {
                reply: Reply::BasicGetEmpty(_),
                ..
            }) => false,
            _ => true,
        }
    });
    found
}
