//! AMQP clients: confirms, transactions, consumers that take and give back.

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Confirmation, Delivery, Mandatory, Message, Reply,
    Requeue, Tags,
};
use amqp_codec::method::{basic, confirm, tx};
use amqp_codec::{FieldValue, Method, PropertiesBuf, PropertyFields, ReplyCode, Text};
use mq_core::{ConnectionId, Protocol};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::ledger::{
    CHOSEN, DELAYS, Ledger, Outcome, PREFETCH, Place, QUEUES, RANKS, REPLIES, ROUND, SHORT_LIFE,
    SINGLE, What, body, number,
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
    /// The broker has a store.
    keeps: bool,
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

    fn send_queue(&mut self, queue: Place, ledger: &mut Ledger) {
        let message = ledger.for_queue(self.number, queue);
        self.send(CONFIRM, "", queue, message);
    }

    fn send_topic(&mut self, expiry: Option<Duration>, ledger: &mut Ledger) {
        let message = ledger.for_topic(self.number, false, expiry);
        self.send_with(CONFIRM, "amq.topic", "t.amqp", message, expiry, None);
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
            delivery_mode: Some(if is_lasting(message, self.keeps) {
                2
            } else {
                1
            }),
            // Any bytes travel there.
            correlation_id: (message % 8 == 6).then_some(Text::new(b"\xFF\xFE")),
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

    fn get(&mut self, queue: Place) {
        let get = basic::Get {
            queue,
            no_ack: false,
        };
        self.codec.as_mut().unwrap().get(CONFIRM, &get).unwrap();
        self.gets.push_back(queue);
    }

    /// Gives back what came last, or all.
    fn give_back(&mut self, multiple: bool) {
        let Some(&tag) = self.held.keys().next_back() else {
            return;
        };
        let codec = self.codec.as_mut().unwrap();
        let tags = tags(tag, multiple);
        codec.nack(CONFIRM, tags, Requeue::Yes).unwrap();
        self.take(tag, multiple);
    }

    /// Publishes so many messages to a queue in a transaction, and commits it.
    fn transact(&mut self, queue: Place, count: usize, ledger: &mut Ledger) {
        for _ in 0..count {
            // In a sequence of its own, since it takes place later than it was said.
            let message = ledger.for_queue(self.number + 100, queue);
            self.send(TRANSACTION, "", queue, message);
        }
        self.commit();
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
                    && !["dead", "cycle", "ranked", "late", ROUND].contains(&place)
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
            // There is no room for a transaction.
            ClientEvent::ChannelClosed { close, .. } => {
                let is_fair = close.reply_code == ReplyCode::PreconditionFailed.code();
                assert!(is_fair, "{close:?} to a client that keeps the rules");
                self.over = true;
            }
            // Its link was slow: whether the broker bore with it long enough, the link judges.
            ClientEvent::Closed { close, .. } => {
                let is_fair = close.reply_code == ReplyCode::ConnectionForced.code();
                assert!(is_fair, "{close:?} to a client that keeps the rules");
                self.over = true;
            }
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
        self.keeps = network.stores();
    }

    fn act(&mut self, choice: u64, ledger: &mut Ledger) {
        if !self.ready {
            return;
        }
        let queue = QUEUES[(choice >> 8) as usize % QUEUES.len()];
        match choice % 16 {
            0..4 if queue == "bound" => {
                let what = [What::Lasting, What::Shared][(choice >> 16) as usize % 2];
                self.perform(what, ledger);
            }
            0..4 if queue == "requests" => self.perform(What::Request, ledger),
            0..4 if queue == "late" => {
                let slot = (choice >> 16) as u8;
                self.perform(What::Late { slot }, ledger);
            }
            0..4 if queue != "dead" => self.send_queue(queue, ledger),
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
            9 => self.get(queue),
            10 | 11 => self.acknowledge(false, ledger),
            12 => self.acknowledge(true, ledger),
            13 | 14 => self.give_back(choice & 256 == 0),
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

    fn perform(&mut self, what: What, ledger: &mut Ledger) {
        if !self.ready {
            return;
        }
        match what {
            What::Expiring => self.send_topic(Some(SHORT_LIFE), ledger),
            What::Lasting | What::Once => self.send_topic(None, ledger),
            What::Shared => {
                let message = ledger.for_share(self.number);
                self.send(CONFIRM, "amq.topic", "s.amqp", message);
            }
            What::Together => self.transact("plain", 2, ledger),
            What::Overfill => self.transact("strict", 4, ledger),
            What::Strict => self.send_queue("strict", ledger),
            What::Ranked => self.send_queue("ranked", ledger),
            What::Ruled => self.send_queue("ruled", ledger),
            What::Round => self.send_queue(ROUND, ledger),
            What::Single => {
                self.consume(SINGLE, 0);
                self.send_queue(SINGLE, ledger);
            }
            What::Late { slot } => self.send_late(CONFIRM, self.number, slot, ledger),
            What::Take => self.get("strict"),
            What::GiveBack => self.give_back(true),
            What::Request => {
                let message = ledger.request(self.number);
                self.send(CONFIRM, "", "requests", message);
            }
            What::Serve => self.consume("requests", 0),
            What::Retained { .. } | What::Cleared { .. } | What::Part | What::Forget => {}
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

    fn closed(&mut self, _at: Duration, _since: Duration, ledger: &mut Ledger) {
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

/// Whether a message is to outlive a crash. Where there is none it makes no difference.
pub(super) fn is_lasting(message: u64, stores: bool) -> bool {
    stores || message.is_multiple_of(2)
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
