//! The same bytes in any chunks give the same events, answers and errors.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::peers::*;
use amqp_codec::Limits;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, ConnectionError, Delivery, InboundPublish,
    Message, Request, ServerConfig, ServerConnection, ServerEvent,
};
use amqp_codec::method::{METHODS, Method, basic, channel, confirm, connection, queue};
use arbitrary::Unstructured;
use proptest::prelude::*;

/// What a connection made of a stream: events, all that it sent, and its end.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<String>,
    sent: Vec<u8>,
    end: Result<bool, ConnectionError>,
}

/// What a connection said.
#[derive(Default)]
struct Events {
    said: Vec<String>,
    /// Bodies in parts, by channel, as far as they have come.
    bodies: BTreeMap<u16, Vec<u8>>,
}

impl Events {
    fn push(&mut self, event: &impl std::fmt::Debug) {
        self.said.push(format!("{event:?}"));
    }

    /// A part of a body: an event once it is the last, wherever it was cut.
    fn part(&mut self, channel: u16, part: &[u8], remaining: u64) {
        assert!(!part.is_empty());
        self.bodies.entry(channel).or_default().extend(part);
        if remaining == 0 {
            let body = self.bodies.remove(&channel);
            self.push(&(channel, body));
        }
    }
}

/// Presents `bytes` in chunks of these lengths (over and over), as a socket would.
fn play<C>(
    connection: &mut C,
    bytes: &[u8],
    chunks: &[usize],
    mut step: impl FnMut(&mut C, &mut &[u8], &mut Events) -> Result<(), ConnectionError>,
) -> (Vec<String>, Result<(), ConnectionError>) {
    let mut events = Events::default();
    let mut buffered = Vec::new();
    let mut rest = bytes;
    let mut chunks = chunks.iter().cycle();
    while !rest.is_empty() {
        let len = (*chunks.next().unwrap()).clamp(1, rest.len());
        buffered.extend_from_slice(&rest[..len]);
        rest = &rest[len..];
        let mut input = &buffered[..];
        if let Err(error) = step(connection, &mut input, &mut events) {
            return (events.said, Err(error));
        }
        let taken = buffered.len() - input.len();
        buffered.drain(..taken);
    }
    (events.said, Ok(()))
}

fn play_server(bytes: &[u8], chunks: &[usize], limits: Limits) -> Outcome {
    let mut config = ServerConfig::default();
    config.limits = limits;
    let mut server = ServerConnection::new(NOW, config);
    let (events, end) = play(&mut server, bytes, chunks, |server, input, events| {
        while let Some(event) = server.receive(NOW, input)? {
            match &event {
                ServerEvent::Body {
                    channel,
                    part,
                    remaining,
                    ..
                } => events.part(*channel, part, *remaining),
                event => events.push(event),
            }
            answer(server, &event);
        }
        Ok(())
    });
    let mut sent = Vec::new();
    server.poll_transmit(NOW, &mut sent);
    Outcome {
        events,
        sent,
        end: end.map(|()| server.is_closed()),
    }
}

/// A broker that agrees to everything, at once.
fn answer(server: &mut ServerConnection, event: &ServerEvent<'_>) {
    let answered = match event {
        ServerEvent::Authenticate { .. } => server.accept(NOW),
        ServerEvent::Open { .. } => server.open_ok(NOW),
        ServerEvent::UpdateSecret { .. } => server.update_secret_ok(),
        ServerEvent::Request {
            channel, request, ..
        } => match request {
            Request::QueueDeclare(declare) => {
                server.queue_declare_ok(*channel, declare.queue, 1, 2)
            }
            Request::BasicConsume(consume) => server.consume_ok(*channel, consume.consumer_tag),
            Request::BasicGet(_) => server.get_empty(*channel),
            Request::ConfirmSelect(_) => server.confirm_select_ok(*channel),
            _ => Ok(()),
        },
        ServerEvent::Publish(InboundPublish {
            channel,
            publish_tag: Some(tag),
            content,
            ..
        }) => server.ack(*channel, Tags::One(*tag)).and_then(|()| {
            server
                .deliver(*channel, "t", Redelivered::No, &content.message())
                .map(drop)
        }),
        _ => Ok(()),
    };
    // Behind a request that is not answered here, answers are refused: fine.
    let _ = answered;
}

fn play_client(bytes: &[u8], chunks: &[usize], limits: Limits) -> Outcome {
    let mut config = ClientConfig::default();
    config.limits = limits;
    let mut client = ClientConnection::new(NOW, config);
    let (events, end) = play(&mut client, bytes, chunks, |client, input, events| {
        while let Some(event) = client.receive(NOW, input)? {
            match &event {
                ClientEvent::Body {
                    channel,
                    part,
                    remaining,
                    ..
                } => events.part(*channel, part, *remaining),
                event => events.push(event),
            }
            act(client, &event);
        }
        Ok(())
    });
    let mut sent = Vec::new();
    client.poll_transmit(NOW, &mut sent);
    Outcome {
        events,
        sent,
        end: end.map(|()| client.is_closed()),
    }
}

/// An application that asks for all that the stream may answer.
fn act(client: &mut ClientConnection, event: &ClientEvent<'_>) {
    let acted = match event {
        ClientEvent::Opened => client
            .open_channel()
            .and_then(|_| client.open_channel())
            .map(drop),
        ClientEvent::ChannelOpened { channel, .. } => client
            .confirm_select(*channel, &confirm::Select::default())
            .and_then(|()| {
                let message = Message {
                    routing_key: "k",
                    body: b"x",
                    ..Default::default()
                };
                for _ in 0..5 {
                    client.publish(*channel, Mandatory::No, &message)?;
                }
                client.queue_declare(*channel, &queue::Declare::default())?;
                client.get(*channel, &basic::Get::default())
            }),
        ClientEvent::Deliver(Delivery {
            channel,
            delivery_tag,
            ..
        }) => client.ack(*channel, Tags::One(*delivery_tag)),
        ClientEvent::ChannelClosed { .. } => client.open_channel().map(drop),
        _ => Ok(()),
    };
    let _ = acted;
}

/// Frames that a client could send, some of them wrong.
fn client_stream(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let mut stream = client_handshake(4096, 60);
    stream.extend(method(1, channel::Open {}));
    stream.extend(method(2, channel::Open {}));
    while !u.is_empty() {
        let number = u.int_in_range(1..=2)?;
        let bytes = match u.int_in_range(0..=20)? {
            0..=5 => content(
                u,
                number,
                basic::Publish {
                    exchange: "e",
                    routing_key: "k",
                    ..Default::default()
                }
                .into(),
            )?,
            6 => method(
                number,
                queue::Declare {
                    queue: "q",
                    ..Default::default()
                },
            ),
            7 => method(
                number,
                basic::Consume {
                    no_wait: u.arbitrary()?,
                    ..Default::default()
                },
            ),
            8 => method(number, basic::Get::default()),
            9 => method(
                number,
                confirm::Select {
                    no_wait: u.arbitrary()?,
                },
            ),
            10 => frame(8, 0, b""),
            11 => method(
                number,
                channel::Close {
                    reply_text: "bye",
                    ..Default::default()
                },
            ),
            12 => method(number, channel::Open {}),
            13 => method(
                0,
                connection::UpdateSecret {
                    reason: "r",
                    ..Default::default()
                },
            ),
            14 => method(number, channel::CloseOk {}),
            15 => two_contents(u)?,
            16 | 17 => any_method(u, number)?,
            18 => header(number, u.int_in_range(0..=30_000)?),
            19 => frame(u.arbitrary()?, number, b"abc"),
            _ if u.ratio(1, 3)? => method(0, connection::Close::default()),
            _ => vec![u.arbitrary()?; 3],
        };
        stream.extend(bytes);
    }
    Ok(stream)
}

/// Frames that a server could send, some of them wrong.
fn server_stream(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let mut stream = server_handshake(4096, 60);
    stream.extend(method(1, channel::OpenOk {}));
    stream.extend(method(2, channel::OpenOk {}));
    while !u.is_empty() {
        let number = u.int_in_range(1..=2)?;
        let bytes = match u.int_in_range(0..=18)? {
            0..=3 => content(
                u,
                number,
                basic::Deliver {
                    delivery_tag: 7,
                    consumer_tag: "t",
                    ..Default::default()
                }
                .into(),
            )?,
            4 => content(
                u,
                number,
                basic::Return {
                    reply_code: 312,
                    ..Default::default()
                }
                .into(),
            )?,
            5 => content(u, number, basic::GetOk::default().into())?,
            6 => method(number, confirm::SelectOk {}),
            7 => method(number, queue::DeclareOk::default()),
            8 => method(number, basic::GetEmpty {}),
            9 | 10 => method(
                number,
                basic::Ack {
                    delivery_tag: u.int_in_range(0..=6)?,
                    multiple: u.arbitrary()?,
                },
            ),
            11 => method(
                number,
                basic::Nack {
                    delivery_tag: u.int_in_range(0..=6)?,
                    multiple: u.arbitrary()?,
                    requeue: false,
                },
            ),
            12 => method(
                number,
                channel::Flow {
                    active: u.arbitrary()?,
                },
            ),
            13 => method(
                number,
                channel::Close {
                    reply_text: "bye",
                    ..Default::default()
                },
            ),
            14 => method(number, channel::OpenOk {}),
            15 => method(0, connection::Blocked { reason: "r" }),
            16 => frame(8, 0, b""),
            17 => any_method(u, number)?,
            _ if u.ratio(1, 3)? => method(0, connection::Close::default()),
            _ => vec![u.arbitrary()?; 2],
        };
        stream.extend(bytes);
    }
    Ok(stream)
}

/// A content in one to four frames, as a rule.
fn content(u: &mut Unstructured<'_>, number: u16, of: Method<'_>) -> arbitrary::Result<Vec<u8>> {
    let size = u.int_in_range(0..=6000usize)? / u.int_in_range(1..=300usize)?;
    let mut payload = Vec::new();
    crate::generate::content_header(u, size as u64, &mut payload)?;
    let mut bytes = method(number, of);
    bytes.extend(frame(2, number, &payload));
    let whole = vec![u.arbitrary()?; size];
    let part = (size / u.int_in_range(1..=4usize)?).clamp(1, 4088);
    for part in whole.chunks(part) {
        bytes.extend(body(number, part));
        if u.ratio(1, 6)? {
            bytes.extend(frame(8, 0, b""));
        }
    }
    Ok(bytes)
}

/// Two contents, a frame of one after a frame of the other.
fn two_contents(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for number in *u.choose(&[[1, 2], [2, 1]])? {
        bytes.extend(method(number, basic::Publish::default()));
    }
    let (first, second) = *u.choose(&[(1, 2), (2, 1)])?;
    if u.arbitrary()? {
        bytes.extend(header(first, 3));
        bytes.extend(body(first, b"abc"));
        bytes.extend(header(second, 3));
        bytes.extend(body(second, b"def"));
    } else {
        for number in [second, first] {
            bytes.extend(header(number, 6));
        }
        for number in [first, second, second, first] {
            bytes.extend(body(number, b"abc"));
        }
    }
    Ok(bytes)
}

fn any_method(u: &mut Unstructured<'_>, number: u16) -> arbitrary::Result<Vec<u8>> {
    let info = u.choose_iter(METHODS)?;
    let mut payload = Vec::new();
    crate::generate::method(u, info, true, &mut payload)?;
    let number = if info.id.class_id == 10 { 0 } else { number };
    Ok(frame(1, number, &payload))
}

fn entropy() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

fn chunks() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        proptest::collection::vec(1usize..12, 1..20),
        proptest::collection::vec(1usize..5000, 1..20),
    ]
}

/// Where bodies begin to come in parts: all of them, the larger, none. How much
/// is held: what is little for one content, or for two, or more than comes.
fn limits() -> impl Strategy<Value = Limits> {
    let assembled = prop_oneof![Just(0), 0u64..3000, Just(u64::MAX)];
    let held = prop_oneof![0u64..3000, Just(u64::MAX)];
    (assembled, held).prop_map(|(assembled, held)| {
        Limits::default()
            .with_body_size(20_000)
            .with_assembled_size(assembled)
            .with_held_size(held)
    })
}

proptest! {
    // shows: section 4.2.6.2 / set of frames
    #[test]
    fn any_chunks_make_the_same_of_a_client(
        entropy in entropy(), chunks in chunks(), limits in limits(),
    ) {
        let bytes = client_stream(&mut Unstructured::new(&entropy)).unwrap();
        let whole = play_server(&bytes, &[usize::MAX], limits);
        prop_assert_eq!(&play_server(&bytes, &[1], limits), &whole);
        prop_assert_eq!(&play_server(&bytes, &chunks, limits), &whole);
    }

    #[test]
    fn any_chunks_make_the_same_of_a_server(
        entropy in entropy(), chunks in chunks(), limits in limits(),
    ) {
        let bytes = server_stream(&mut Unstructured::new(&entropy)).unwrap();
        let whole = play_client(&bytes, &[usize::MAX], limits);
        prop_assert_eq!(&play_client(&bytes, &[1], limits), &whole);
        prop_assert_eq!(&play_client(&bytes, &chunks, limits), &whole);
    }

    /// Whatever the bytes are, nobody panics and an end is an end.
    #[test]
    fn garbage_ends_in_an_error_or_waits(entropy in entropy(), after_handshake: bool) {
        let mut bytes = if after_handshake { client_handshake(4096, 60) } else { Vec::new() };
        bytes.extend(&entropy);
        let outcome = play_server(&bytes, &[7], Limits::default());
        if let Err(error) = outcome.end {
            prop_assert!(!error.to_string().is_empty());
        }
        let mut bytes = if after_handshake { server_handshake(4096, 60) } else { Vec::new() };
        bytes.extend(&entropy);
        play_client(&bytes, &[7], Limits::default());
    }
}

/// One conversation, cut in two at every byte.
#[test]
fn cut_at_every_byte() {
    let bytes = [
        client_handshake(4096, 60),
        method(1, channel::Open {}),
        method(1, confirm::Select::default()),
        method(
            1,
            queue::Declare {
                queue: "q",
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Publish {
                routing_key: "q",
                ..Default::default()
            },
        ),
        header(1, 5),
        body(1, b"hello"),
        method(1, channel::Close::default()),
        method(0, connection::Close::default()),
    ]
    .concat();
    // The body whole, and as a part of its own.
    for (assembled_size, events) in [(u64::MAX, 8), (0, 9)] {
        let limits = Limits::default().with_assembled_size(assembled_size);
        let whole = play_server(&bytes, &[usize::MAX], limits);
        assert_eq!(whole.events.len(), events, "{:#?}", whole.events);
        assert_eq!(whole.end, Ok(true));
        for cut in 1..bytes.len() {
            let parts = play_server(&bytes, &[cut, usize::MAX], limits);
            assert_eq!(parts, whole, "{cut}");
        }
    }
}

/// The time of arrival is no part of it.
#[test]
fn a_partial_frame_waits_for_the_rest_of_it() {
    let mut server = open_server(server_config(), 4096, 60);
    let declare = method(
        1,
        queue::Declare {
            queue: "q",
            ..Default::default()
        },
    );
    for cut in 0..declare.len() {
        let mut input = &declare[..cut];
        let now = NOW + Duration::from_secs(1);
        assert_eq!(server.receive(now, &mut input), Ok(None));
        assert_eq!(input.len(), cut);
    }
    let mut input = &declare[..];
    let event = server.receive(NOW, &mut input).unwrap();
    assert!(matches!(
        event,
        Some(ServerEvent::Request {
            channel: 1,
            request: Request::QueueDeclare(_),
            ..
        })
    ));
}
