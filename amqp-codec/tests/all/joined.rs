//! A client and a server joined in memory agree on every publish, return,
//! confirm, delivery and acknowledgement, whatever the order in which they act
//! and the bytes between them move, bodies whole and in parts.

use std::collections::{BTreeMap, VecDeque};

use crate::peers::*;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Confirmation, Delivery, InboundPublish, Message,
    Reply, ReplyError, Request, SendError, ServerConnection, ServerEvent, Unacknowledged,
};
use amqp_codec::method::basic;
use amqp_codec::{Limits, PropertyFields, ReplyCode};
use arbitrary::Unstructured;
use proptest::prelude::*;

/// What is carried from one side to the other, and not yet there.
#[derive(Default)]
struct Wire {
    in_flight: Vec<u8>,
    arrived: Vec<u8>,
}

/// What both sides should come to know of a channel.
#[derive(Default)]
struct Channel {
    // The client's knowledge.
    open: bool,
    confirm: bool,
    consuming: bool,
    sent: Vec<(String, Vec<u8>)>,
    outcomes: BTreeMap<u64, bool>,
    returned: Vec<String>,
    received: Vec<(u64, Vec<u8>)>,
    /// What is left to be sent of the last body.
    to_publish: Vec<u8>,
    acknowledged: Vec<(u64, bool, bool)>,
    // The server's.
    published: Vec<(String, Vec<u8>)>,
    to_confirm: Vec<u64>,
    confirmed: BTreeMap<u64, bool>,
    gave_back: Vec<String>,
    delivered: Vec<(u64, Vec<u8>)>,
    /// The consumer has begun, with this prefetch-count.
    prefetch_count: Option<u16>,
    /// Each with its consumer, or none of a get.
    unacknowledged: Unacknowledged<Option<&'static str>>,
    settled: Vec<(u64, bool)>,
    to_deliver: Vec<u8>,
}

impl Channel {
    /// Whether the consumer may be given more (basic.qos).
    fn has_room(&self) -> bool {
        let held = self.unacknowledged.iter().filter(|(_, by)| by.is_some());
        let held = held.count() as u16;
        self.prefetch_count.is_some_and(|most| held < most)
    }
}

/// What the client's consumer may have outstanding.
const PREFETCH_COUNT: u16 = 20;

/// Bodies over this come in parts; those of the schedules have up to 9000 bytes.
const ASSEMBLED_SIZE: u64 = 500;

struct World {
    client: ClientConnection,
    server: ServerConnection,
    to_server: Wire,
    to_client: Wire,
    channels: BTreeMap<u16, Channel>,
    /// Requests that the server's application has not answered yet.
    owed: VecDeque<(u16, &'static str)>,
    count: u64,
    /// Parts of bodies that came, at the server and at the client.
    parts: [usize; 2],
}

impl World {
    fn new() -> Self {
        let mut config = ClientConfig::default();
        config.frame_max = 4096;
        config.channel_max = 4;
        config.limits = Limits::default().with_assembled_size(ASSEMBLED_SIZE);
        let mut of_server = server_config();
        of_server.limits.assembled_size = ASSEMBLED_SIZE;
        let mut world = Self {
            client: ClientConnection::new(NOW, config),
            server: ServerConnection::new(NOW, of_server),
            to_server: Wire::default(),
            to_client: Wire::default(),
            channels: BTreeMap::new(),
            owed: VecDeque::new(),
            count: 0,
            parts: [0; 2],
        };
        while !world.client.is_open() {
            world.settle();
        }
        world
    }

    /// Moves up to so many bytes to the server, and lets it look at them.
    fn server_reads(&mut self, len: usize) {
        self.client
            .poll_transmit(NOW, &mut self.to_server.in_flight);
        let len = len.min(self.to_server.in_flight.len());
        self.to_server
            .arrived
            .extend(self.to_server.in_flight.drain(..len));
        let arrived = std::mem::take(&mut self.to_server.arrived);
        let mut input = &arrived[..];
        while let Some(event) = self.server.receive(NOW, &mut input).unwrap() {
            self.on_server(event);
        }
        self.to_server.arrived = input.to_vec();
    }

    fn client_reads(&mut self, len: usize) {
        self.server
            .poll_transmit(NOW, &mut self.to_client.in_flight);
        let len = len.min(self.to_client.in_flight.len());
        self.to_client
            .arrived
            .extend(self.to_client.in_flight.drain(..len));
        let arrived = std::mem::take(&mut self.to_client.arrived);
        let mut input = &arrived[..];
        while let Some(event) = self.client.receive(NOW, &mut input).unwrap() {
            self.on_client(event);
        }
        self.to_client.arrived = input.to_vec();
    }

    fn on_server(&mut self, event: ServerEvent<'_>) {
        match event {
            ServerEvent::Authenticate { .. } => self.server.accept(NOW).unwrap(),
            ServerEvent::Open { .. } => self.server.open_ok(NOW).unwrap(),
            ServerEvent::ChannelOpened { .. } => {}
            ServerEvent::ChannelClosed { channel, .. }
            | ServerEvent::ChannelCloseOk { channel, .. } => {
                self.owed.retain(|(owed, _)| *owed != channel);
                let of = self.channels.get_mut(&channel).unwrap();
                of.to_deliver.clear();
            }
            ServerEvent::Publish(InboundPublish {
                channel,
                publish_tag,
                mandatory,
                immediate: false,
                content,
                ..
            }) => {
                let of = self.channels.get_mut(&channel).unwrap();
                let properties = content.properties();
                let name = properties.message_id().unwrap().to_str().unwrap();
                of.published.push((name.into(), content.body().into()));
                if mandatory {
                    of.gave_back.push(name.into());
                    let message = Message {
                        body: b"",
                        ..content.message()
                    };
                    self.go_on_delivering(channel, usize::MAX);
                    self.server
                        .return_message(channel, ReplyCode::NoRoute, "NO_ROUTE", &message)
                        .unwrap();
                }
                let of = self.channels.get_mut(&channel).unwrap();
                of.to_confirm.extend(publish_tag);
            }
            ServerEvent::Body {
                channel,
                part,
                remaining,
                ..
            } => {
                let of = self.channels.get_mut(&channel).unwrap();
                let (_, sent) = &of.sent[of.published.len() - 1];
                let (_, body) = of.published.last_mut().unwrap();
                body.extend_from_slice(part);
                self.parts[0] += 1;
                assert_eq!(sent.len() as u64, body.len() as u64 + remaining);
            }
            ServerEvent::Request {
                channel, request, ..
            } => match request {
                Request::BasicAck(ack) => {
                    self.settle_tags(channel, ack.delivery_tag, ack.multiple, true);
                }
                Request::BasicNack(nack) => {
                    self.settle_tags(channel, nack.delivery_tag, nack.multiple, false);
                }
                Request::BasicReject(reject) => {
                    self.settle_tags(channel, reject.delivery_tag, false, false);
                }
                Request::BasicQos(qos) => {
                    assert_eq!(qos.prefetch_count, PREFETCH_COUNT);
                    self.owed.push_back((channel, "qos"));
                }
                Request::BasicConsume(consume) => {
                    let of = self.channels.get_mut(&channel).unwrap();
                    assert_eq!(consume.consumer_tag, "consumer");
                    of.prefetch_count = Some(PREFETCH_COUNT);
                    self.owed.push_back((channel, "consume"));
                }
                Request::ConfirmSelect(_) => self.owed.push_back((channel, "confirm")),
                Request::BasicGet(_) => self.owed.push_back((channel, "get")),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn settle_tags(&mut self, channel: u16, tag: u64, multiple: bool, acked: bool) {
        let of = self.channels.get_mut(&channel).unwrap();
        let settled = of.unacknowledged.take(Tags::new(tag, multiple)).unwrap();
        of.settled.extend(settled.map(|(tag, _)| (tag, acked)));
    }

    fn on_client(&mut self, event: ClientEvent<'_>) {
        match event {
            ClientEvent::Start { .. } | ClientEvent::Opened => {}
            ClientEvent::ChannelOpened { channel, .. } => {
                self.channels.get_mut(&channel).unwrap().open = true;
            }
            ClientEvent::ChannelClosed { channel, .. }
            | ClientEvent::ChannelCloseOk { channel, .. } => {
                let of = self.channels.get_mut(&channel).unwrap();
                of.open = false;
                of.to_publish.clear();
            }
            ClientEvent::Reply { channel, reply, .. } => match reply {
                Reply::BasicConsumeOk(ok) => {
                    assert_eq!(ok.consumer_tag, "consumer");
                    assert!(self.channels[&channel].consuming);
                }
                Reply::BasicQosOk(_) | Reply::ConfirmSelectOk(_) | Reply::BasicGetEmpty(_) => {}
                other => panic!("{other:?}"),
            },
            ClientEvent::Deliver(Delivery {
                channel,
                delivery_tag,
                content,
                ..
            })
            | ClientEvent::GetOk {
                channel,
                delivery_tag,
                content,
                ..
            } => {
                let of = self.channels.get_mut(&channel).unwrap();
                of.received.push((delivery_tag, content.body().into()));
            }
            ClientEvent::Body {
                channel,
                part,
                remaining,
                ..
            } => {
                let of = self.channels.get_mut(&channel).unwrap();
                let (_, sent) = &of.delivered[of.received.len() - 1];
                let (_, body) = of.received.last_mut().unwrap();
                body.extend_from_slice(part);
                self.parts[1] += 1;
                assert_eq!(sent.len() as u64, body.len() as u64 + remaining);
            }
            ClientEvent::Return {
                channel, content, ..
            } => {
                let of = self.channels.get_mut(&channel).unwrap();
                let properties = content.properties();
                of.returned
                    .push(properties.message_id().unwrap().to_string());
            }
            ClientEvent::Confirm(Confirmation {
                channel,
                publish_tags,
                acknowledged,
                ..
            }) => {
                let of = self.channels.get_mut(&channel).unwrap();
                for tag in publish_tags {
                    assert_eq!(
                        of.outcomes.insert(tag, acknowledged),
                        None,
                        "confirmed twice"
                    );
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// The client or its application does something, if it can.
    fn client_acts(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let number = u.int_in_range(1..=4)?;
        let open = self.channels.get(&number).is_some_and(|of| of.open);
        if !open {
            if let Ok(number) = self.client.open_channel() {
                // What was known of a channel that had the number is over.
                self.agree_on(number, true);
                self.channels.insert(number, Channel::default());
            }
            return Ok(());
        }
        let of = self.channels.get_mut(&number).unwrap();
        match u.int_in_range(0..=11)? {
            0 => {
                let asked = self.client.confirm_select(
                    number,
                    &confirm::Select {
                        no_wait: u.arbitrary()?,
                    },
                );
                of.confirm |= asked.is_ok();
            }
            1 if !of.consuming => {
                let consume = basic::Consume {
                    queue: "q",
                    consumer_tag: "consumer",
                    ..Default::default()
                };
                let qos = basic::Qos {
                    prefetch_count: PREFETCH_COUNT,
                    ..Default::default()
                };
                self.client.qos(number, &qos).unwrap();
                self.client.consume(number, &consume).unwrap();
                of.consuming = true;
            }
            2 => self
                .client
                .get(
                    number,
                    &basic::Get {
                        queue: "q",
                        no_ack: false,
                    },
                )
                .unwrap(),
            3 if u.ratio(1, 8)? => {
                self.client.close_channel(number).unwrap();
                of.open = false;
                // The close waits for the end of what has begun.
                let rest = std::mem::take(&mut of.to_publish);
                assert_eq!(self.client.send_body(number, &rest), Ok(0));
            }
            4..=6 => {
                let outstanding: Vec<u64> = of.received.iter().map(|(tag, _)| *tag).collect();
                let outstanding: Vec<u64> = outstanding
                    .into_iter()
                    .filter(|tag| {
                        !of.acknowledged
                            .iter()
                            .any(|(up_to, multiple, _)| tag == up_to || (*multiple && tag < up_to))
                    })
                    .collect();
                if outstanding.is_empty() {
                    return Ok(());
                }
                let tag = *u.choose(&outstanding)?;
                let multiple: bool = u.arbitrary()?;
                let acked = u.arbitrary()?;
                if acked {
                    self.client.ack(number, Tags::new(tag, multiple)).unwrap();
                } else {
                    self.client
                        .nack(number, Tags::new(tag, multiple), Requeue::Yes)
                        .unwrap();
                }
                of.acknowledged.push((tag, multiple, acked));
            }
            _ if !of.to_publish.is_empty() => {
                let len = u.int_in_range(0..=of.to_publish.len())?;
                let part: Vec<u8> = of.to_publish.drain(..len).collect();
                let left = self.client.send_body(number, &part).unwrap();
                assert_eq!(left, of.to_publish.len() as u64);
            }
            _ => {
                self.count += 1;
                let name = self.count.to_string();
                let body = vec![
                    self.count as u8;
                    u.int_in_range(0..=9000usize)? / u.int_in_range(1..=50usize)?
                ];
                let properties = PropertyFields {
                    message_id: Some(name.as_str().into()),
                    ..Default::default()
                }
                .to_buf()
                .unwrap();
                let message = Message {
                    exchange: "e",
                    routing_key: "q",
                    properties: properties.as_properties(),
                    body: &body,
                };
                let mandatory = u.ratio(1, 5)?;
                let tag = if u.arbitrary()? {
                    self.client.publish(number, mandatory.into(), &message)
                } else {
                    let (first, rest) = body.split_at(u.int_in_range(0..=body.len())?);
                    of.to_publish = rest.to_vec();
                    let size = body.len() as u64;
                    let message = Message {
                        body: first,
                        ..message
                    };
                    self.client
                        .begin_publish(number, mandatory.into(), &message, size)
                };
                assert_eq!(tag.unwrap().is_some(), of.confirm);
                of.sent.push((name, body));
            }
        }
        Ok(())
    }

    /// The server or its broker does something, if it can.
    fn server_acts(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let number = u.int_in_range(1..=4)?;
        match u.int_in_range(0..=7)? {
            0..=2 => self.answer_one(u.arbitrary()?),
            3 | 4 => self.confirm_some(number, u)?,
            5 if u.ratio(1, 10)? => {
                let error = ReplyError::new(ReplyCode::NotFound, number, "gone");
                if self.server.fail(NOW, &error).is_ok() {
                    self.owed.retain(|(owed, _)| *owed != number);
                    self.go_on_delivering(number, usize::MAX);
                }
            }
            _ => {
                let body = vec![7; u.int_in_range(0..=9000usize)? / u.int_in_range(1..=50usize)?];
                let first = u.int_in_range(0..=body.len())?;
                self.deliver(
                    number,
                    &body,
                    if u.arbitrary()? { body.len() } else { first },
                );
            }
        }
        Ok(())
    }

    fn answer_one(&mut self, message: bool) {
        let Some((channel, asked)) = self.owed.pop_front() else {
            return;
        };
        match asked {
            "qos" => self.server.qos_ok(channel).unwrap(),
            "consume" => self.server.consume_ok(channel, "consumer").unwrap(),
            "confirm" => self.server.confirm_select_ok(channel).unwrap(),
            "get" if message => {
                self.go_on_delivering(channel, usize::MAX);
                let got = Message {
                    routing_key: "q",
                    body: b"got",
                    ..Default::default()
                };
                let tag = self
                    .server
                    .get_ok(channel, Redelivered::No, 0, &got)
                    .unwrap();
                let of = self.channels.get_mut(&channel).unwrap();
                of.delivered.push((tag, got.body.into()));
                of.unacknowledged.insert(tag, None);
            }
            _ => self.server.get_empty(channel).unwrap(),
        }
    }

    /// Confirms some publishes in any order; an ack of many is one of all up to there.
    fn confirm_some(&mut self, number: u16, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let Some(of) = self.channels.get_mut(&number) else {
            return Ok(());
        };
        if of.to_confirm.is_empty() {
            return Ok(());
        }
        let (tag, multiple, acked) = (*u.choose(&of.to_confirm)?, u.arbitrary()?, u.arbitrary()?);
        let sent = if acked {
            self.server.ack(number, Tags::new(tag, multiple))
        } else {
            self.server.nack(number, Tags::new(tag, multiple))
        };
        if sent.is_ok() {
            let means = |one: &u64| *one == tag || (multiple && *one < tag);
            of.confirmed.extend(
                of.to_confirm
                    .iter()
                    .filter(|one| means(one))
                    .map(|one| (*one, acked)),
            );
            of.to_confirm.retain(|one| !means(one));
        }
        Ok(())
    }

    /// Delivers a body, for now its first bytes, or more of the one before.
    fn deliver(&mut self, number: u16, body: &[u8], first: usize) {
        if self.go_on_delivering(number, first) {
            return;
        }
        match self.channels.get_mut(&number) {
            Some(of) if of.has_room() => {}
            _ => return,
        }
        let (first, rest) = body.split_at(first);
        let message = Message {
            exchange: "e",
            routing_key: "q",
            body: first,
            ..Default::default()
        };
        let size = body.len() as u64;
        match self
            .server
            .begin_deliver(number, "consumer", Redelivered::No, &message, size)
        {
            Ok(tag) => {
                let of = self.channels.get_mut(&number).unwrap();
                of.to_deliver = rest.to_vec();
                assert_eq!(tag, of.delivered.len() as u64 + 1);
                of.delivered.push((tag, body.into()));
                of.unacknowledged.insert(tag, Some("consumer"));
            }
            Err(error) => assert_eq!(error, SendError::ChannelNotOpen(number)),
        }
    }

    /// Sends up to so many more bytes of a delivery. Returns whether there were any.
    fn go_on_delivering(&mut self, number: u16, most: usize) -> bool {
        let Some(of) = self.channels.get_mut(&number) else {
            return false;
        };
        let len = most.min(of.to_deliver.len());
        let part: Vec<u8> = of.to_deliver.drain(..len).collect();
        if !part.is_empty() {
            let left = self.server.send_body(number, &part).unwrap();
            assert_eq!(left, of.to_deliver.len() as u64);
        }
        len > 0 || !of.to_deliver.is_empty()
    }

    /// Sends the rest of each body that has begun.
    fn finish_bodies(&mut self) {
        for number in 1..=4 {
            self.go_on_delivering(number, usize::MAX);
            if let Some(of) = self.channels.get_mut(&number) {
                let rest = std::mem::take(&mut of.to_publish);
                if !rest.is_empty() {
                    assert_eq!(self.client.send_body(number, &rest), Ok(0));
                }
            }
        }
    }

    /// Lets all that is on its way arrive.
    fn settle(&mut self) {
        self.server_reads(usize::MAX);
        self.client_reads(usize::MAX);
    }

    /// What one side sent, the other got: all of it, or, of a channel that was
    /// closed before all had arrived, the first of it.
    fn agree_on(&self, number: u16, closed: bool) {
        let Some(of) = self.channels.get(&number) else {
            return;
        };
        let agree = |sent: usize, got: usize| {
            assert!(
                got == sent || (closed && got < sent),
                "{number}: {got} of {sent}"
            );
        };
        agree(of.sent.len(), of.published.len());
        assert!(starts_with(&of.sent, &of.published, closed));
        agree(of.delivered.len(), of.received.len());
        assert!(starts_with(&of.delivered, &of.received, closed));
        agree(of.gave_back.len(), of.returned.len());
        assert!(of.gave_back.starts_with(&of.returned));
        agree(of.confirmed.len(), of.outcomes.len());
        for (tag, outcome) in &of.outcomes {
            assert_eq!(of.confirmed.get(tag), Some(outcome));
        }
        // Acknowledgements, in the order in which they were made.
        let mut outstanding: Vec<u64> = of.received.iter().map(|(tag, _)| *tag).collect();
        let mut expected = Vec::new();
        for (tag, multiple, acked) in &of.acknowledged {
            let means = |one: &u64| one == tag || (*multiple && one < tag);
            expected.extend(
                outstanding
                    .iter()
                    .filter(|one| means(one))
                    .map(|one| (*one, *acked)),
            );
            outstanding.retain(|one| !means(one));
        }
        agree(expected.len(), of.settled.len());
        assert!(expected.starts_with(&of.settled));
        if !closed {
            assert_eq!(self.client.unconfirmed(number), of.to_confirm.len() as u64);
        }
    }

    fn play(u: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let mut world = Self::new();
        while !u.is_empty() {
            match u.int_in_range(0..=4)? {
                0 | 1 => world.client_acts(u)?,
                2 => world.server_acts(u)?,
                3 => world
                    .server_reads(u.int_in_range(0..=6000usize)? / u.int_in_range(1..=100usize)?),
                _ => world
                    .client_reads(u.int_in_range(0..=6000usize)? / u.int_in_range(1..=100usize)?),
            }
        }
        Ok(world)
    }
}

/// Whether what was got is the first of what was sent; of the last body, on a
/// channel that was closed, perhaps not all.
fn starts_with<T: PartialEq>(sent: &[(T, Vec<u8>)], got: &[(T, Vec<u8>)], closed: bool) -> bool {
    let Some(((name, body), before)) = got.split_last() else {
        return true;
    };
    let (of, whole) = &sent[before.len()];
    let last = body == whole || (closed && whole.starts_with(body));
    sent.starts_with(before) && name == of && last
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn peers_agree_on_everything(entropy in proptest::collection::vec(any::<u8>(), 0..2500)) {
        let mut world = World::play(&mut Unstructured::new(&entropy)).unwrap();
        world.finish_bodies();
        while !world.owed.is_empty() {
            world.answer_one(false);
        }
        for _ in 0..4 {
            world.settle();
        }
        for (number, of) in &world.channels {
            world.agree_on(*number, !of.open);
        }
        // And they part in peace.
        world.client.close(NOW).unwrap();
        let mut bytes = Vec::new();
        world.client.poll_transmit(NOW, &mut bytes);
        let events = feed_server(&mut world.server, NOW, &bytes).unwrap();
        let closed = matches!(events[..], [ServerEvent::Closed { .. }]);
        prop_assert!(closed);
        let mut bytes = Vec::new();
        world.server.poll_transmit(NOW, &mut bytes);
        prop_assert_eq!(feed_client(&mut world.client, NOW, &bytes).unwrap(), [ClientEvent::CloseOk]);
        prop_assert!(world.client.is_closed() && world.server.is_closed());
    }
}

/// The property above is worth what its conversations hold.
#[test]
fn conversations_hold_something() {
    let entropy: Vec<u8> = (0..20_000u64)
        .map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
        .collect();
    let mut world = World::play(&mut Unstructured::new(&entropy)).unwrap();
    world.finish_bodies();
    for _ in 0..4 {
        world.settle();
    }
    let sum = |count: fn(&Channel) -> usize| world.channels.values().map(count).sum::<usize>();
    let counts = [
        sum(|of| of.published.len()),
        sum(|of| of.received.len()),
        sum(|of| of.outcomes.len()),
        sum(|of| of.settled.len()),
        sum(|of| of.returned.len()),
        world.parts[0],
        world.parts[1],
    ];
    assert!(counts.iter().all(|count| *count >= 3), "{counts:?}");
    assert!(world.count > 200, "{}", world.count);
}
