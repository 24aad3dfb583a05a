//! Contents put together (section 4.2.6), numbered and confirmed, and transmitted.

use crate::peers::*;
use amqp_codec::ReplyCode;
use amqp_codec::connection::{
    ClientConfig, ClientEvent, Confirmation, InboundPublish, Message, SendError, ServerEvent,
};
use amqp_codec::method::{basic, channel, confirm};

/// Contents of one channel between those of another (section 4.2.6), of no
/// body, of one frame, of many, and of empty frames.
// shows: section 4.2.6.2 / set of frames, section 4.2.7 / discarded
#[test]
fn contents_are_put_together_by_channel() {
    let mut server = open_server(server_config(), 4096, 0);
    feed_server(&mut server, NOW, &method(2, channel::Open {})).unwrap();
    let bytes = [
        publish(1),
        publish(2),
        header(2, 6),
        header(1, 4),
        body(2, b"abc"),
        frame(8, 0, b""),
        body(1, b"12"),
        body(2, b""),
        body(2, b"def"),
        body(1, b"34"),
        publish(1),
        header(1, 0),
        publish(2),
        header(2, 1),
        body(2, b"x"),
        // All that a content needs comes next, but of the other channel.
        publish(2),
        publish(1),
        header(2, 1),
        body(2, b"y"),
        header(1, 1),
        body(1, b"z"),
        publish(2),
        publish(1),
        header(2, 0),
        header(1, 0),
    ]
    .concat();
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let contents: Vec<_> = events
        .iter()
        .map(|event| match event {
            ServerEvent::Publish(InboundPublish {
                channel,
                publish_tag: None,
                content,
                mandatory: false,
                immediate: false,
                ..
            }) => {
                assert_eq!((content.exchange(), content.routing_key()), ("", "q"));
                assert_eq!(content.body_bytes(), content.body());
                (*channel, content.body())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        contents,
        [
            (2, &b"abcdef"[..]),
            (1, b"1234"),
            (1, b""),
            (2, b"x"),
            (2, b"y"),
            (1, b"z"),
            (2, b""),
            (1, b"")
        ]
    );
}

#[test]
fn publishes_are_numbered_from_confirm_select_on() {
    let mut server = open_server(server_config(), 4096, 0);
    let bytes = [
        publish(1),
        header(1, 0),
        method(1, confirm::Select { no_wait: true }),
        publish(1),
        header(1, 0),
        publish(1),
        header(1, 1),
        body(1, b"x"),
    ]
    .concat();
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let tags: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Publish(InboundPublish { publish_tag, .. }) => Some(*publish_tag),
            _ => None,
        })
        .collect();
    assert_eq!(tags, [None, Some(1), Some(2)]);
    server.confirm_select_ok(1).unwrap();
    assert_eq!(
        server.ack(1, Tags::One(3)),
        Err(SendError::NotRequested(basic::Ack::ID))
    );
    assert_eq!(server.ack(1, Tags::UpTo(2)), Ok(()));
    assert_eq!(server.nack(1, Tags::One(1)), Ok(()));
    assert_eq!(
        transmitted!(server),
        [
            "1 basic.ack delivery_tag=2 multiple=true",
            "1 basic.nack delivery_tag=1 multiple=false requeue=false"
        ]
    );
}

/// What a server answers to three publishes before anything leaves.
enum Answer {
    Ack(Tags),
    Nack(u64),
    Return,
    /// The client closes the channel, and gets its close-ok.
    Closed,
}
use Answer::{Ack, Closed, Nack, Return};

const ACK_1: &str = "1 basic.ack delivery_tag=1 multiple=false";
const ACK_2: &str = "1 basic.ack delivery_tag=2 multiple=false";
const ACK_3: &str = "1 basic.ack delivery_tag=3 multiple=false";
const UP_TO_2: &str = "1 basic.ack delivery_tag=2 multiple=true";
const UP_TO_3: &str = "1 basic.ack delivery_tag=3 multiple=true";
const RETURN: &str =
    r#"1 basic.return reply_code=312 reply_text="NO_ROUTE" exchange="" routing_key="""#;
const HEADER: &str = "1 header 0";
const NACK_2: &str = "1 basic.nack delivery_tag=2 multiple=false requeue=false";

/// Acks that wait are one with `multiple`, unless that would acknowledge what is
/// outstanding, or overtake a nack or a return.
const JOINED: &[(&[Answer], &[&str])] = &[
    (&[Ack(Tags::One(1))], &[ACK_1]),
    (&[Ack(Tags::One(1)), Ack(Tags::One(2))], &[UP_TO_2]),
    (
        &[Ack(Tags::One(1)), Ack(Tags::One(2)), Ack(Tags::One(3))],
        &[UP_TO_3],
    ),
    (&[Ack(Tags::UpTo(2)), Ack(Tags::One(3))], &[UP_TO_3]),
    (&[Ack(Tags::One(1)), Ack(Tags::UpTo(3))], &[UP_TO_3]),
    (&[Ack(Tags::One(1)), Ack(Tags::One(3))], &[ACK_1, ACK_3]),
    (&[Ack(Tags::One(2)), Ack(Tags::One(3))], &[ACK_2, ACK_3]),
    (&[Ack(Tags::One(2)), Ack(Tags::One(1))], &[UP_TO_2]),
    (
        &[Ack(Tags::One(3)), Ack(Tags::One(2)), Ack(Tags::One(1))],
        &[ACK_3, UP_TO_2],
    ),
    (
        &[Ack(Tags::One(1)), Nack(2), Ack(Tags::One(3))],
        &[ACK_1, NACK_2, ACK_3],
    ),
    (
        &[Nack(2), Ack(Tags::One(1)), Ack(Tags::One(3))],
        &[NACK_2, UP_TO_3],
    ),
    (
        &[
            Ack(Tags::One(1)),
            Return,
            Ack(Tags::One(2)),
            Ack(Tags::One(3)),
        ],
        &[ACK_1, RETURN, HEADER, UP_TO_3],
    ),
    (
        &[Ack(Tags::One(1)), Ack(Tags::One(2)), Closed],
        &[UP_TO_2, "1 channel.close-ok"],
    ),
];

#[test]
fn acks_that_wait_are_one() {
    for (answers, expected) in JOINED {
        let mut server = open_server(server_config(), 4096, 0);
        let one = [publish(1), header(1, 0)].concat();
        let select = method(1, confirm::Select { no_wait: true });
        let bytes = [select, one.repeat(3)].concat();
        feed_server(&mut server, NOW, &bytes).unwrap();
        server.confirm_select_ok(1).unwrap();
        for answer in *answers {
            match answer {
                Ack(tags) => server.ack(1, *tags).unwrap(),
                Nack(tag) => server.nack(1, Tags::One(*tag)).unwrap(),
                Return => server
                    .return_message(1, ReplyCode::NoRoute, "NO_ROUTE", &Message::default())
                    .unwrap(),
                Closed => {
                    let close = method(1, channel::Close::default());
                    feed_server(&mut server, NOW, &close).unwrap();
                }
            }
        }
        assert_eq!(transmitted!(server), *expected);
        // What has left is not touched: the next ack is a frame of its own.
        if !matches!(answers.last(), Some(Closed)) {
            server.ack(1, Tags::UpTo(3)).unwrap();
            assert_eq!(transmitted!(server), [UP_TO_3]);
        }
    }
}

/// Acks of one and of many, in and out of order, of what is unknown or known
/// already; returns before the ack.
#[test]
fn confirms_name_just_what_was_outstanding() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    let message = Message {
        routing_key: "k",
        body: b"x",
        ..Default::default()
    };
    assert_eq!(client.publish(1, Mandatory::No, &message), Ok(None));
    client
        .confirm_select(1, &confirm::Select::default())
        .unwrap();
    for tag in 1..=9 {
        assert_eq!(client.publish(1, Mandatory::No, &message), Ok(Some(tag)));
    }
    assert_eq!(client.unconfirmed(1), 9);
    let nack = method(
        1,
        basic::Nack {
            delivery_tag: 6,
            multiple: true,
            requeue: false,
        },
    );
    let bytes = [
        method(1, confirm::SelectOk {}),
        ack(2, false),
        ack(4, false),
        method(
            1,
            basic::Return {
                reply_code: 312,
                routing_key: "k",
                ..Default::default()
            },
        ),
        header(1, 0),
        // 1, 3, 5, 6 are left: two of them are next to each other.
        nack,
        ack(4, false),
        ack(5, true),
        ack(99, false),
        ack(0, true),
    ]
    .concat();
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    let confirmed = |event: &ClientEvent<'_>| match event {
        ClientEvent::Confirm(Confirmation {
            channel: 1,
            publish_tags,
            acknowledged,
            ..
        }) => (publish_tags.clone(), *acknowledged),
        other => panic!("{other:?}"),
    };
    let acked = events[1..3].iter().map(confirmed);
    assert!(acked.eq([(2..=2, true), (4..=4, true)]));
    assert!(matches!(
        events[3],
        ClientEvent::Return {
            channel: 1,
            reply_code: 312,
            ..
        }
    ));
    let rest = [
        (1..=1, false),
        (3..=3, false),
        (5..=6, false),
        (7..=9, true),
    ];
    assert!(events[4..].iter().map(confirmed).eq(rest));
    assert_eq!(client.unconfirmed(1), 0);
}

/// A buffer that is too small takes what it can, and no byte is lost.
#[test]
fn transmitting_fills_what_room_there_is() {
    let mut server = open_server(server_config(), 4096, 0);
    let message = Message {
        body: &[5; 3000],
        ..Default::default()
    };
    let mut bytes = Vec::new();
    for _ in 0..200 {
        server.deliver(1, "t", Redelivered::No, &message).unwrap();
        // Somewhat less than a delivery.
        let mut room = [0; 2900];
        let len = server.poll_transmit(NOW, &mut &mut room[..]);
        bytes.extend_from_slice(&room[..len]);
    }
    while server.transmit_len() > 0 {
        let mut room = [0; 700];
        let len = server.poll_transmit(NOW, &mut &mut room[..]);
        bytes.extend_from_slice(&room[..len]);
    }
    let frames = shown(&bytes);
    assert_eq!(frames.len(), 600);
    assert!(frames[597].contains("delivery_tag=200 "));
}
