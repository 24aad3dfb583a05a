//! Bodies in parts (section 4.2.6): what a connection hands out without holding
//! it, and what it sends without having it whole.

use crate::peers::*;
use amqp_codec::connection::{
    ClientConfig, ClientEvent, ConnectionError, Delivery, InboundPublish, Message, ReplyError,
    Request, SendError, ServerConfig, ServerEvent,
};
use amqp_codec::method::{basic, channel, confirm, queue};
use amqp_codec::{Limits, ReplyCode};

/// Bodies of up to 10 bytes are put together, and 10,000 is the most.
fn limits() -> Limits {
    Limits::default()
        .with_assembled_size(10)
        .with_body_size(10_000)
}

fn streaming_server() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.limits = limits();
    config
}

/// What an application sees of contents: `1: 2/11` is a content on channel 1
/// with two of eleven bytes, `1+5, 4` five more after which four remain.
fn seen(events: &[ServerEvent<'_>]) -> Vec<String> {
    let show = |event: &ServerEvent<'_>| match event {
        ServerEvent::Publish(InboundPublish {
            channel, content, ..
        }) => {
            let (here, size) = (content.body().len(), content.body_size());
            assert_eq!(content.is_whole(), here as u64 == size);
            assert_eq!(content.routing_key(), "q");
            format!("{channel}: {here}/{size}")
        }
        ServerEvent::Body {
            channel,
            part,
            remaining,
            ..
        } => format!("{channel}+{}, {remaining}", part.len()),
        other => format!("{other:?}"),
    };
    events.iter().map(show).collect()
}

// shows: section 4.2.6.2 / set of frames
#[test]
fn a_body_over_the_threshold_comes_in_parts() {
    let rows: &[(&[Vec<u8>], &[&str])] = &[
        // At the threshold it is put together.
        (
            &[
                publish(1),
                header(1, 10),
                body(1, &[1; 6]),
                body(1, &[1; 4]),
            ],
            &["1: 10/10"],
        ),
        (
            &[publish(1), header(1, 10), body(1, &[1; 10])],
            &["1: 10/10"],
        ),
        // Above it each frame is a part, even if there is but one.
        (
            &[publish(1), header(1, 11), body(1, &[1; 11])],
            &["1: 0/11", "1+11, 0"],
        ),
        // A frame without bytes is no part.
        (
            &[
                publish(1),
                header(1, 11),
                body(1, &[1; 5]),
                body(1, b""),
                body(1, &[1; 6]),
                publish(1),
                header(1, 1),
                body(1, b"x"),
            ],
            &["1: 0/11", "1+5, 6", "1+6, 0", "1: 1/1"],
        ),
        // Channels between each other, whole and in parts.
        (
            &[
                publish(1),
                publish(2),
                header(1, 20),
                header(2, 3),
                body(1, &[1; 15]),
                body(2, b"ab"),
                frame(8, 0, b""),
                body(1, &[1; 5]),
                body(2, b"c"),
            ],
            &["1: 0/20", "1+15, 5", "1+5, 0", "2: 3/3"],
        ),
    ];
    for (frames, expected) in rows {
        let mut server = open_server(streaming_server(), 4096, 0);
        feed_server(&mut server, NOW, &method(2, channel::Open {})).unwrap();
        let bytes = frames.concat();
        let events = feed_server(&mut server, NOW, &bytes).unwrap();
        assert_eq!(seen(&events), *expected);
    }
}

/// What a server says of a stream that comes in two reads, and whether it is within a frame of
/// a body after the first.
fn in_two(bytes: &[u8], cut: usize) -> (Vec<String>, bool, Result<(), ConnectionError>) {
    let mut server = open_server(streaming_server(), 4096, 0);
    let (first, second) = bytes.split_at(cut);
    let mut input = first;
    let (mut said, mut is_within) = (Vec::new(), false);
    for more in [second, b""] {
        let end = loop {
            match server.receive(NOW, &mut input) {
                Ok(None) => break Ok(()),
                Ok(Some(event)) => said.extend(seen(&[event])),
                Err(error) => break Err(error),
            }
        };
        if more.is_empty() || end.is_err() {
            return (said, is_within, end);
        }
        is_within = server.is_receiving_body();
        // What was not taken lies before it.
        input = &bytes[cut - input.len()..];
    }
    unreachable!()
}

/// A part of a frame is handed out before the rest comes: all that there is of it, but for its
/// last byte, which waits for the frame-end.
// shows: section 4.2.3 / frame-end
#[test]
fn a_frame_of_a_body_in_parts_is_not_waited_for() {
    let begin = [publish(1), header(1, 16)].concat();
    let stream = [&begin[..], &body(1, b"0123456789"), &body(1, b"abcdef")].concat();
    let head = begin.len() + 7;
    // Where it is cut, whether it is within a frame there, and the parts.
    let rows: &[(usize, bool, &[&str])] = &[
        (head - 1, false, &["1+10, 6", "1+6, 0"]),
        (head, false, &["1+10, 6", "1+6, 0"]),
        (head + 1, true, &["1+1, 15", "1+9, 6", "1+6, 0"]),
        (head + 9, true, &["1+9, 7", "1+1, 6", "1+6, 0"]),
        (head + 10, true, &["1+9, 7", "1+1, 6", "1+6, 0"]),
        (head + 11, false, &["1+10, 6", "1+6, 0"]),
        (stream.len() - 1, true, &["1+10, 6", "1+5, 1", "1+1, 0"]),
    ];
    for (cut, is_within, parts) in rows {
        let expected: Vec<&str> = ["1: 0/16"].iter().chain(*parts).copied().collect();
        let (said, was_within, end) = in_two(&stream, *cut);
        assert_eq!(said, expected, "{cut}");
        assert_eq!((was_within, end), (*is_within, Ok(())), "{cut}");
    }
}

/// Of a body whose frame has a wrong end, or is larger than the body, the last part never comes,
/// and the fault is the same wherever the frame is cut.
// shows: section 4.2.3 / frame-end
#[test]
fn a_fault_of_a_frame_in_parts_ends_the_connection() {
    let begin = [publish(1), header(1, 11)].concat();
    let mut wrong_end = body(1, b"0123456789a");
    *wrong_end.last_mut().unwrap() = 0;
    let too_large = body(1, b"0123456789ab");
    for frame in [wrong_end, too_large] {
        let stream = [&begin[..], &frame].concat();
        let (_, _, fault) = in_two(&stream, begin.len());
        assert!(fault.is_err());
        for cut in begin.len()..stream.len() {
            let (said, _, end) = in_two(&stream, cut);
            assert_eq!(end, fault, "{cut}");
            assert!(said.iter().all(|said| !said.ends_with(", 0")), "{said:?}");
        }
    }
}

/// A channel that this side closes while a frame of it is coming hears no more of that, and the
/// others go on behind it.
#[test]
fn the_rest_of_a_frame_of_a_closing_channel_is_passed_over() {
    let mut server = open_server(streaming_server(), 4096, 0);
    feed_server(&mut server, NOW, &method(2, channel::Open {})).unwrap();
    let rest = [body(1, &[1; 11]), publish(2), header(2, 1), body(2, b"x")].concat();
    let bytes = [publish(1), header(1, 11), rest[..12].to_vec()].concat();
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    assert_eq!(seen(&events), ["1: 0/11", "1+5, 6"]);
    assert!(server.idle().is_none());
    let error = ReplyError::new(ReplyCode::NotFound, 1, "gone");
    server.fail(NOW, &error).unwrap();
    let events = feed_server(&mut server, NOW, &rest[12..]).unwrap();
    assert_eq!(seen(&events), ["2: 1/1"]);
}

// shows: section 4.2.6 / incomplete content
#[test]
fn what_breaks_into_a_body_in_parts_is_an_error() {
    let begun = [publish(1), header(1, 11), body(1, &[1; 5])].concat();
    for wrong in [
        // Longer than its header says.
        body(1, &[1; 7]),
        header(1, 11),
        method(1, basic::Ack::default()),
    ] {
        let mut server = open_server(streaming_server(), 4096, 0);
        feed_server(&mut server, NOW, &begun).unwrap();
        let error = feed_server(&mut server, NOW, &wrong).unwrap_err();
        let reply = error.reply().unwrap();
        assert_eq!(
            (reply.reply_code, reply.method),
            (ReplyCode::UnexpectedFrame, Some(basic::Publish::ID))
        );
    }
    // And one over the limit on bodies never begins.
    let mut server = open_server(streaming_server(), 4096, 0);
    let bytes = [publish(1), header(1, 10_001)].concat();
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    assert!(matches!(events[..], [ServerEvent::ChannelFailed { .. }]));
}

/// A confirm tells that the broker has the message: of one that is still
/// coming that cannot be said.
// shows: delivery-tag / non-zero
#[test]
fn a_publish_is_confirmed_when_all_of_it_has_come() {
    let mut server = open_server(streaming_server(), 4096, 0);
    let bytes = [
        method(1, confirm::Select::default()),
        publish(1),
        header(1, 0),
        publish(1),
        header(1, 11),
        body(1, &[1; 5]),
    ]
    .concat();
    feed_server(&mut server, NOW, &bytes).unwrap();
    server.confirm_select_ok(1).unwrap();
    let refused = Err(SendError::NotRequested(basic::Ack::ID));
    assert_eq!(server.ack(1, Tags::One(2)), refused);
    assert_eq!(server.ack(1, Tags::UpTo(1)), Ok(()));
    feed_server(&mut server, NOW, &body(1, &[1; 6])).unwrap();
    // Rule delivery-tag / non-zero: 0 would be all of them to no client.
    assert_eq!(server.ack(1, Tags::UpTo(0)), refused);
    assert_eq!(server.ack(1, Tags::One(2)), Ok(()));
}

#[test]
fn a_client_gets_deliveries_returns_and_answers_in_parts() {
    let mut config = ClientConfig::default();
    config.limits = limits();
    let mut client = open_client(config, 4096, 0);
    client.get(1, &basic::Get::default()).unwrap();
    let contents = [
        method(
            1,
            basic::Deliver {
                consumer_tag: "t",
                delivery_tag: 1,
                ..Default::default()
            },
        ),
        method(1, basic::Return::default()),
        method(1, basic::GetOk::default()),
    ];
    for content in contents {
        let bytes = [
            content,
            header(1, 4091),
            body(1, &[1; 4088]),
            body(1, b"end"),
        ]
        .concat();
        let events = feed_client(&mut client, NOW, &bytes).unwrap();
        let [
            ClientEvent::Deliver(Delivery { content, .. })
            | ClientEvent::Return { content, .. }
            | ClientEvent::GetOk { content, .. },
            ClientEvent::Body {
                channel: 1,
                part: _,
                remaining: 3,
                ..
            },
            ClientEvent::Body {
                channel: 1,
                part: b"end",
                remaining: 0,
                ..
            },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!((content.body_size(), content.is_whole()), (4091, false));
        let deliver = content.method().id() == basic::Deliver::ID;
        assert_eq!(content.consumer_tag(), deliver.then_some("t"));
    }
}

// shows: section 2.3.5.2 / body frames
#[test]
fn a_client_sends_a_body_in_parts_of_any_size() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client
        .confirm_select(1, &confirm::Select { no_wait: true })
        .unwrap();
    transmitted!(client);
    let message = Message {
        routing_key: "q",
        body: b"first",
        ..Default::default()
    };
    assert_eq!(
        client.begin_publish(1, Mandatory::No, &message, 4),
        Err(SendError::BodyLength { remaining: 4 })
    );
    assert_eq!(client.transmit_len(), 0);
    assert_eq!(
        client.begin_publish(1, Mandatory::No, &message, 5000),
        Ok(Some(1))
    );
    assert_eq!(client.send_body(1, b""), Ok(4995));
    assert_eq!(client.send_body(1, &[2; 4095]), Ok(900));
    // The channel has to wait, but for what it would come to nothing.
    assert_eq!(
        client.publish(1, Mandatory::No, &message),
        Err(SendError::BodyLength { remaining: 900 })
    );
    client.queue_declare(1, &queue::Declare::default()).unwrap();
    assert_eq!(
        client.send_body(1, &[2; 901]),
        Err(SendError::BodyLength { remaining: 900 })
    );
    // Other channels, and the connection, do not.
    client.update_secret(b"s", "").unwrap();
    assert_eq!(client.open_channel(), Ok(2));
    assert_eq!(client.send_body(1, &[2; 900]), Ok(0));
    assert_eq!(
        client.send_body(1, b"x"),
        Err(SendError::BodyLength { remaining: 0 })
    );
    assert_eq!(client.publish(1, Mandatory::No, &message), Ok(Some(2)));
    assert_eq!(
        transmitted!(client),
        [
            r#"1 basic.publish exchange="" routing_key="q" mandatory=false immediate=false"#,
            "1 header 5000",
            "1 body 5",
            "1 body 4088",
            "1 body 7",
            "0 connection.update-secret new_secret=<1 bytes> reason=\"\"",
            "2 channel.open",
            "1 body 900",
            r#"1 queue.declare queue="" passive=false durable=false exclusive=false auto_delete=false no_wait=false arguments={}"#,
            r#"1 basic.publish exchange="" routing_key="q" mandatory=false immediate=false"#,
            "1 header 5",
            "1 body 5",
        ]
    );
    assert_eq!(client.send_body(3, b"x"), Err(SendError::ChannelNotOpen(3)));
}

/// Section 4.2.6: nothing of the channel comes between the frames of a content.
// shows: channel / flow / bidirectional
#[test]
fn answers_wait_for_the_end_of_a_body() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    let message = Message::default();
    client.begin_publish(1, Mandatory::No, &message, 2).unwrap();
    let asked = [
        method(1, channel::Flow { active: false }),
        method(
            1,
            basic::Cancel {
                consumer_tag: "t",
                no_wait: false,
            },
        ),
    ]
    .concat();
    let begun = client.transmit_len();
    feed_client(&mut client, NOW, &asked).unwrap();
    // What waits is not to be transmitted yet, so it is not counted: whoever
    // transmits until nothing is left would never come to an end.
    assert_eq!(client.transmit_len(), begun);
    let said = transmitted!(client);
    assert_eq!(said[1..], ["1 header 2"]);
    assert_eq!(client.transmit_len(), 0);
    // What has begun is to be finished, flow or not.
    assert_eq!(client.send_body(1, b"a"), Ok(1));
    assert_eq!(client.transmit_len(), 8 + 1);
    assert_eq!(client.send_body(1, b"b"), Ok(0));
    let answers = [
        method(1, channel::FlowOk { active: false }),
        method(1, basic::CancelOk { consumer_tag: "t" }),
    ]
    .concat();
    assert_eq!(client.transmit_len(), 2 * (8 + 1) + answers.len());
    assert_eq!(
        client.publish(1, Mandatory::No, &message),
        Err(SendError::FlowInactive(1))
    );
    assert_eq!(
        transmitted!(client),
        [
            "1 body 1",
            "1 body 1",
            "1 channel.flow-ok active=false",
            r#"1 basic.cancel-ok consumer_tag="t""#,
        ]
    );
}

/// A peer that asks on and on while a body waits fills no memory.
#[test]
fn answers_that_wait_are_bounded() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client
        .begin_publish(1, Mandatory::No, &Message::default(), 2)
        .unwrap();
    let asked = method(1, channel::Flow { active: true });
    let error = (0..1_000_000)
        .find_map(|_| feed_client(&mut client, NOW, &asked).err())
        .unwrap();
    assert_eq!(error.reply().unwrap().reply_code, ReplyCode::ResourceError);
    assert!(client.transmit_len() < 100_000);

    // What this side has to say itself does not count.
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client
        .begin_publish(1, Mandatory::No, &Message::default(), 2)
        .unwrap();
    for tag in 1..=10_000 {
        client.ack(1, Tags::One(tag)).unwrap();
    }
    for _ in 0..100 {
        feed_client(&mut client, NOW, &asked).unwrap();
    }
    assert_eq!(client.send_body(1, b"12"), Ok(0));
    assert_eq!(transmitted!(client).len(), 3 + 10_000 + 100);
}

#[test]
fn a_close_ends_a_body_or_waits_for_its_end() {
    let not_found = channel::Close {
        reply_code: 404,
        ..Default::default()
    };
    let message = Message::default();

    // The server closes: nothing more can be sent of it.
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client.begin_publish(1, Mandatory::No, &message, 2).unwrap();
    transmitted!(client);
    feed_client(&mut client, NOW, &method(1, not_found)).unwrap();
    assert_eq!(client.send_body(1, b"a"), Err(SendError::ChannelNotOpen(1)));
    assert_eq!(transmitted!(client), ["1 channel.close-ok"]);
    // Nor on the channel that has its number next.
    assert_eq!(client.open_channel(), Ok(1));
    feed_client(&mut client, NOW, &method(1, channel::OpenOk {})).unwrap();
    assert_eq!(
        client.begin_publish(1, Mandatory::No, &message, 0),
        Ok(None)
    );

    // The client closes: first comes what was announced.
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client.begin_publish(1, Mandatory::No, &message, 2).unwrap();
    client.close_channel(1).unwrap();
    assert_eq!(client.send_body(1, b"ab"), Ok(0));
    let said = transmitted!(client);
    assert_eq!(said[2], "1 body 2");
    assert!(said[3].starts_with("1 channel.close "), "{said:?}");

    // Both do.
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client.begin_publish(1, Mandatory::No, &message, 2).unwrap();
    client.close_channel(1).unwrap();
    transmitted!(client);
    feed_client(&mut client, NOW, &method(1, not_found)).unwrap();
    let said = transmitted!(client);
    assert!(said[0].starts_with("1 channel.close "), "{said:?}");
    assert_eq!(said[1..], ["1 channel.close-ok"]);

    // The connection's end does not wait.
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client.begin_publish(1, Mandatory::No, &message, 2).unwrap();
    client.close(NOW).unwrap();
    assert_eq!(client.send_body(1, b"a"), Err(SendError::Closed));
}

/// The client may reject a delivery before all of it has come.
// shows: basic / reject / 01
#[test]
fn methods_are_taken_while_a_content_is_sent() {
    let mut server = open_server(ServerConfig::default(), 4096, 0);
    let message = Message::default();
    assert_eq!(
        server.begin_deliver(1, "t", Redelivered::No, &message, 2),
        Ok(1)
    );
    let reject = basic::Reject {
        delivery_tag: 1,
        requeue: true,
    };
    let bytes = method(1, reject);
    assert_matches!(
        &feed_server(&mut server, NOW, &bytes).unwrap()[..],
        [ServerEvent::Request {
            channel: 1,
            request: Request::BasicReject(asked),
            ..
        }] if *asked == reject
    );
    assert_eq!(server.send_body(1, b"ab"), Ok(0));
}

#[test]
fn a_server_sends_each_content_in_parts() {
    let mut server = open_server(ServerConfig::default(), 4096, 0);
    feed_server(&mut server, NOW, &method(1, basic::Get::default())).unwrap();
    let message = Message {
        body: b"a",
        ..Default::default()
    };
    assert_eq!(
        server.begin_deliver(1, "t", Redelivered::No, &message, 2),
        Ok(1)
    );
    assert_eq!(
        server.begin_get_ok(1, Redelivered::No, 0, &message, 2),
        Err(SendError::BodyLength { remaining: 1 })
    );
    assert_eq!(server.send_body(1, b"b"), Ok(0));
    assert_eq!(
        server.begin_get_ok(1, Redelivered::No, 0, &message, 2),
        Ok(2)
    );
    assert_eq!(server.send_body(1, b"b"), Ok(0));
    server
        .begin_return(1, ReplyCode::NoRoute, "NO_ROUTE", &message, 2)
        .unwrap();
    // A soft error on the way: it waits too.
    let error = ReplyError::new(ReplyCode::NotFound, 1, "gone");
    server.fail(NOW, &error).unwrap();
    assert_eq!(server.send_body(1, b"b"), Ok(0));
    let said = transmitted!(server);
    let starts = [
        "1 basic.deliver ",
        "1 header 2",
        "1 body 1",
        "1 body 1",
        "1 basic.get-ok ",
        "1 header 2",
        "1 body 1",
        "1 body 1",
        "1 basic.return ",
        "1 header 2",
        "1 body 1",
        "1 body 1",
        "1 channel.close reply_code=404 ",
    ];
    assert_eq!(said.len(), starts.len());
    for (said, start) in said.iter().zip(starts) {
        assert!(said.starts_with(start), "{said}");
    }
}

/// A part that is shared goes out in the same frames as one that is copied.
#[test]
fn a_shared_part_is_framed_as_a_copied_one() {
    for frame_max in [4096, 10_000, 131_072] {
        for len in [0, 1, 4000, 4088, 4096, 9992, 9993, 50_000, 200_000] {
            let part = bytes::Bytes::from(vec![b'a'; len]);
            let message = Message::default();
            let [mut copied, mut shared] =
                [(); 2].map(|()| open_server(ServerConfig::default(), frame_max, 0));
            for server in [&mut copied, &mut shared] {
                let size = len as u64 + 1;
                let begun = server.begin_deliver(1, "t", Redelivered::No, &message, size);
                assert_eq!(begun, Ok(1));
            }
            assert_eq!(copied.send_body(1, &part), Ok(1));
            assert_eq!(shared.send_shared_body(1, part), Ok(1));
            let too_long = bytes::Bytes::from_static(b"ab");
            assert_eq!(
                shared.send_shared_body(1, too_long),
                Err(SendError::BodyLength { remaining: 1 })
            );
            for server in [&mut copied, &mut shared] {
                assert_eq!(server.send_body(1, b"z"), Ok(0));
            }
            assert_eq!(copied.transmit_len(), shared.transmit_len());
            let (mut bytes, mut slices) = (Vec::new(), Vec::new());
            let count = copied.poll_transmit(NOW, &mut bytes);
            assert_eq!(shared.poll_transmit_slices(NOW, &mut slices), count);
            assert_eq!(slices.concat(), bytes, "{frame_max} {len}");
            assert_eq!(shared.transmit_len(), 0);
        }
    }
}
