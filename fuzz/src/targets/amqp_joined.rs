//! A client and a server of AMQP, joined by pipes from which any number of bytes arrive at
//! a time: what is published comes, in its order and whole; each publish is confirmed once;
//! each delivery is settled once; and a close has its time.

use std::collections::BTreeMap;
use std::time::Duration;

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Confirmation, ConnectionError, Delivery,
    InboundPublish, Mandatory, Message, Redelivered, ReplyError, Request, Requeue, ServerConfig,
    ServerConnection, ServerEvent, Tags, Unacknowledged,
};
use amqp_codec::method::{basic, confirm};
use amqp_codec::{Properties, ReplyCode};
use arbitrary::{Arbitrary, Unstructured};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// On one of two channels, with a body of so many bytes.
    Publish(bool, u16),
    Deliver(bool, u16),
    /// So many bytes arrive there.
    ToServer(u16),
    ToClient(u16),
    /// The server confirms what waits: the newest, or all.
    Confirm(bool, bool),
    /// The client settles what it has: the newest, or all; or it does not want it.
    Settle(bool, bool, bool),
}

#[derive(Arbitrary, Debug)]
struct Input {
    small_frames: bool,
    /// Milliseconds before the end in which nothing is called.
    silence: u16,
    steps: Vec<Step>,
}

/// What is known about one of the channels.
#[derive(Default)]
struct Channel {
    /// Bodies on their way, the oldest first: what arrives is the first of them.
    published: std::collections::VecDeque<usize>,
    delivered: std::collections::VecDeque<usize>,
    /// Arrived at the server, and not confirmed by it.
    unconfirmed: Vec<u64>,
    /// Publishes, and confirms that came back.
    publishes: u64,
    confirms: u64,
    /// Arrived at the client, and not settled by it.
    unsettled: Vec<u64>,
    /// What the server waits to be settled.
    waits: Unacknowledged<()>,
}

struct World {
    client: ClientConnection,
    server: ServerConnection,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    channels: BTreeMap<u16, Channel>,
}

const NOW: Duration = Duration::ZERO;

/// A body that says how long it is.
fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ length) as u8).collect()
}

impl World {
    fn new(small_frames: bool) -> Self {
        // 4096 is the least that is allowed (section 4.2.3, frame-min-size).
        let frame_max = if small_frames { 4096 } else { 131_072 };
        let mut world = Self {
            client: ClientConnection::new(NOW, ClientConfig::default()),
            server: ServerConnection::new(NOW, ServerConfig::default().with_frame_max(frame_max)),
            to_server: Vec::new(),
            to_client: Vec::new(),
            channels: BTreeMap::new(),
        };
        world.settle();
        world.client.open_channel().expect("one is free");
        world.client.open_channel().expect("another is free");
        world.settle();
        for channel in [1, 2] {
            world
                .client
                .confirm_select(channel, &confirm::Select::default())
                .expect("it is open");
            let consume = basic::Consume {
                consumer_tag: "c",
                ..Default::default()
            };
            world.client.consume(channel, &consume).expect("it is open");
            world.channels.insert(channel, Channel::default());
        }
        world.settle();
        world
    }

    fn settle(&mut self) {
        while self.move_to_server(usize::MAX) + self.move_to_client(usize::MAX) > 0 {}
    }

    fn move_to_server(&mut self, most: usize) -> usize {
        self.client.poll_transmit(NOW, &mut self.to_server);
        let length = most.min(self.to_server.len());
        let mut input = &self.to_server[..length];
        while let Some(event) = self.server.receive(NOW, &mut input).expect("legal") {
            match event {
                ServerEvent::Authenticate { .. } => self.server.accept(NOW),
                ServerEvent::Open { .. } => self.server.open_ok(NOW),
                ServerEvent::Request {
                    channel, request, ..
                } => match request {
                    Request::ConfirmSelect(_) => self.server.confirm_select_ok(channel),
                    Request::BasicConsume(consume) => {
                        self.server.consume_ok(channel, consume.consumer_tag)
                    }
                    Request::BasicAck(ack) => {
                        let tags = Tags::new(ack.delivery_tag, ack.multiple);
                        settled(&mut self.channels, channel, tags)
                    }
                    Request::BasicNack(nack) => {
                        let tags = Tags::new(nack.delivery_tag, nack.multiple);
                        settled(&mut self.channels, channel, tags)
                    }
                    other => panic!("nobody asked for {other:?}"),
                },
                ServerEvent::Publish(InboundPublish {
                    channel,
                    publish_tag: Some(tag),
                    content,
                    ..
                }) => {
                    let known = self.channels.get_mut(&channel).expect("it is open");
                    let length = known.published.pop_front().expect("it was published");
                    assert!(content.body() == body(length), "a body of {length} bytes");
                    known.unconfirmed.push(tag);
                    Ok(())
                }
                _ => Ok(()),
            }
            .expect("it is asked for");
        }
        let taken = length - input.len();
        self.to_server.drain(..taken);
        taken
    }

    fn move_to_client(&mut self, most: usize) -> usize {
        self.server.poll_transmit(NOW, &mut self.to_client);
        let length = most.min(self.to_client.len());
        let mut input = &self.to_client[..length];
        while let Some(event) = self.client.receive(NOW, &mut input).expect("legal") {
            match event {
                ClientEvent::Confirm(Confirmation {
                    channel,
                    publish_tags,
                    acknowledged,
                    ..
                }) => {
                    assert!(acknowledged);
                    let known = self.channels.get_mut(&channel).expect("it is open");
                    known.confirms += publish_tags.end() + 1 - publish_tags.start();
                    assert!(known.confirms <= known.publishes, "a confirm of nothing");
                }
                ClientEvent::Deliver(Delivery {
                    channel,
                    delivery_tag,
                    content,
                    ..
                }) => {
                    let known = self.channels.get_mut(&channel).expect("it is open");
                    let length = known.delivered.pop_front().expect("it was sent");
                    assert!(content.body() == body(length), "a body of {length} bytes");
                    known.unsettled.push(delivery_tag);
                }
                _ => {}
            }
        }
        let taken = length - input.len();
        self.to_client.drain(..taken);
        taken
    }

    /// A close has its whole timeout, however long nothing was called before it.
    fn close(&mut self, now: Duration) {
        let bye = ReplyError::new(ReplyCode::ConnectionForced, 0, "bye");
        self.client.close(now).expect("it is open");
        self.server.close(now, &bye).expect("it is open");
        let end = now + ClientConfig::default().close_timeout;
        let before = end - Duration::from_millis(1);
        for (at, outcome) in [(before, Ok(())), (end, Err(ConnectionError::CloseTimeout))] {
            assert_eq!(self.client.handle_timeout(at), outcome, "closed at {now:?}");
            assert_eq!(self.server.handle_timeout(at), outcome, "closed at {now:?}");
        }
    }

    fn step(&mut self, step: Step) {
        // Several frames, and not so many that a run takes long.
        let size = |length: u16| usize::from(length) % 10_000;
        let number = |second: bool| if second { 2 } else { 1 };
        match step {
            Step::Publish(second, length) => {
                let channel = number(second);
                let message = Message {
                    exchange: "e",
                    routing_key: "k",
                    properties: Properties::EMPTY,
                    body: &body(size(length)),
                };
                let tag = self.client.publish(channel, Mandatory::No, &message);
                let known = self.channels.get_mut(&channel).expect("it is open");
                known.publishes += 1;
                assert_eq!(tag, Ok(Some(known.publishes)));
                known.published.push_back(size(length));
            }
            Step::Deliver(second, length) => {
                let channel = number(second);
                let message = Message {
                    exchange: "e",
                    routing_key: "k",
                    properties: Properties::EMPTY,
                    body: &body(size(length)),
                };
                let tag = self.server.deliver(channel, "c", Redelivered::No, &message);
                let known = self.channels.get_mut(&channel).expect("it is open");
                known.waits.insert(tag.expect("it has a consumer"), ());
                known.delivered.push_back(size(length));
            }
            Step::ToServer(most) => {
                self.move_to_server(most.into());
            }
            Step::ToClient(most) => {
                self.move_to_client(most.into());
            }
            Step::Confirm(second, all) => {
                let channel = number(second);
                let known = self.channels.get_mut(&channel).expect("it is open");
                if let Some(tags) = some(&mut known.unconfirmed, all) {
                    self.server.ack(channel, tags).expect("it was published");
                }
            }
            Step::Settle(second, all, wanted) => {
                let channel = number(second);
                let known = self.channels.get_mut(&channel).expect("it is open");
                if let Some(tags) = some(&mut known.unsettled, all) {
                    match wanted {
                        true => self.client.ack(channel, tags),
                        false => self.client.nack(channel, tags, Requeue::No),
                    }
                    .expect("it was delivered");
                }
            }
        }
    }
}

/// Takes the newest alone, or all up to it.
fn some(tags: &mut Vec<u64>, all: bool) -> Option<Tags> {
    let last = tags.pop()?;
    if all {
        tags.clear();
        return Some(Tags::UpTo(last));
    }
    Some(Tags::One(last))
}

fn settled(
    channels: &mut BTreeMap<u16, Channel>,
    channel: u16,
    tags: Tags,
) -> Result<(), amqp_codec::SendError> {
    let known = channels.get_mut(&channel).expect("it is open");
    let taken = known.waits.take(tags).expect("each is settled once");
    assert!(taken.count() > 0, "{tags:?} settles nothing");
    Ok(())
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut world = World::new(input.small_frames);
    for step in &input.steps {
        world.step(*step);
    }
    world.settle();
    for second in [false, true] {
        world.step(Step::Confirm(second, true));
        world.step(Step::Settle(second, true, true));
    }
    world.settle();
    for (number, channel) in &world.channels {
        assert_eq!(channel.confirms, channel.publishes, "channel {number}");
        assert_eq!(channel.waits.len(), 0, "channel {number}");
        assert!(channel.published.is_empty() && channel.delivered.is_empty());
    }
    world.close(Duration::from_millis(input.silence.into()));
}
