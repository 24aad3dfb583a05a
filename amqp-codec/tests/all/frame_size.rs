//! How large a frame may be (sections 2.3.3 and 4.2.3), in either role.

use crate::peers::*;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Delivery, InboundPublish, Message, ReplyError,
    SendError, ServerConfig, ServerConnection, ServerEvent,
};
use amqp_codec::method::{Secret, basic, connection, queue};
use amqp_codec::{
    ContentHeader, EncodeError, Frame, Limits, PropertiesBuf, PropertyFields, ReplyCode, TableBuf,
};

/// A peer that wants no limit may still refuse what is too large for it (fields
/// frame-max of tune and tune-ok); what it refuses is what its limits say,
/// also where RabbitMQ's eight bytes over the agreed frame-max lie above.
// shows: section 2.3.3 / limits hold
#[test]
fn nothing_over_the_own_limit_is_taken() {
    const LIMIT: usize = 8192;
    let limits = Limits::default().with_frame_size(LIMIT as u32);
    // A frame of the limit, and one of a byte more, on a channel that is closing,
    // so that its payload does not matter.
    let fits = frame(3, 1, &vec![0; LIMIT - 8]);
    let over = frame(3, 1, &vec![0; LIMIT - 7]);

    let mut config = ServerConfig::default();
    (config.limits, config.frame_max) = (limits, 0);
    let mut server = open_server(config, LIMIT as u32, 0);
    let error = ReplyError::new(ReplyCode::NotFound, 1, "");
    server.fail(NOW, &error).unwrap();
    assert_eq!(feed_server(&mut server, NOW, &fits), Ok(vec![]));
    let error = feed_server(&mut server, NOW, &over).unwrap_err();
    assert_eq!(error.reply().unwrap().reply_code, ReplyCode::FrameError);

    // The server offers no limit, or more than the client takes.
    for offered in [0, 131_072] {
        let mut config = ClientConfig::default();
        config.limits = limits;
        let mut client = open_client(config, offered, 0);
        assert_eq!(client.tuned().frame_max, LIMIT as u32);
        client.close_channel(1).unwrap();
        assert_eq!(feed_client(&mut client, NOW, &fits), Ok(vec![]));
        let error = feed_client(&mut client, NOW, &over).unwrap_err();
        assert_eq!(error.reply().unwrap().reply_code, ReplyCode::FrameError);
    }
}

/// A start-ok whose frame has so many bytes.
fn start_ok_of(size: usize) -> Vec<u8> {
    let start_ok = |response: &[u8]| {
        method(
            0,
            connection::StartOk {
                mechanism: "PLAIN",
                locale: "en_US",
                response: Secret(response),
                ..Default::default()
            },
        )
    };
    start_ok(&vec![7; size - start_ok(b"").len()])
}

/// A start whose frame has so many bytes.
fn start_of(size: usize) -> Vec<u8> {
    let start = |mechanisms: &[u8]| {
        method(
            0,
            connection::Start {
                version_minor: 9,
                mechanisms,
                locales: b"en_US",
                ..Default::default()
            },
        )
    };
    let padding = vec![b'x'; size - start(b"PLAIN ").len()];
    start(&[b"PLAIN ", &padding[..]].concat())
}

/// Before anything was agreed on: frames of frame-min-size in any case, and larger
/// ones where that is configured, as RabbitMQ does for tokens. A frame that is too
/// large ends the connection, and nothing is said (section 2.2.4).
// shows: connection / tune / frame-max / minimum, connection / tune-ok / frame-max / minimum
// shows: section 2.2.4 / no hand-shake before open
#[test]
fn frames_before_tune_ok_have_a_limit_of_their_own() {
    let rows = [
        // limits_before_login.frame_size, and the largest frame that is taken.
        (None, 4096 + 8),
        (Some(0), 4096),
        (Some(4096), 4096),
        (Some(8192), 8192),
        (Some(16_384), 16_384),
    ];
    for (before, most) in rows {
        let limits = before.map_or(Limits::BEFORE_LOGIN, |bytes| {
            Limits::default().with_frame_size(bytes)
        });
        for (size, taken) in [(4096, true), (most, true), (most + 1, false)] {
            let mut config = ServerConfig::default();
            config.limits_before_login = limits;
            let mut server = ServerConnection::new(NOW, config);
            feed_server(&mut server, NOW, b"AMQP\0\0\x09\x01").unwrap();
            assert_eq!(transmitted!(server).len(), 1);
            let bytes = start_ok_of(size);
            let events = feed_server(&mut server, NOW, &bytes);
            assert_eq!(events.is_ok(), taken, "server, {before:?}: {size}");
            if !taken {
                assert_eq!((server.transmit_len(), server.is_closed()), (0, true));
            }

            let mut config = ClientConfig::default();
            config.limits_before_login = limits;
            let mut client = ClientConnection::new(NOW, config);
            client.poll_transmit(NOW, &mut Vec::new());
            let bytes = start_of(size);
            let events = feed_client(&mut client, NOW, &bytes);
            assert_eq!(events.is_ok(), taken, "client, {before:?}: {size}");
            if !taken {
                assert_eq!((client.transmit_len(), client.is_closed()), (0, true));
            }
        }
    }
}

/// frame_max_plus_8_fudge: some clients count the payload only.
// shows: section 2.3.3 / limits hold
#[test]
fn frames_may_be_frame_max_of_payload() {
    let mut server = open_server(server_config(), 4096, 0);
    let events = [
        publish(1),
        header(1, 4096 + 8 + 1),
        body(1, &[7; 4096]),
        body(1, &[7; 9]),
    ]
    .concat();
    let events = feed_server(&mut server, NOW, &events).unwrap();
    let [ServerEvent::Publish(InboundPublish { content, .. })] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(content.body(), [7; 4105]);
    let error = feed_server(&mut server, NOW, &body(1, &[7; 4097])).unwrap_err();
    assert_eq!(error.reply().unwrap().reply_code, ReplyCode::FrameError);
}

// shows: delivery-tag / non-zero, section 2.3.5.2 / body frames
// shows: section 4.2.3 / size and channel
#[test]
fn contents_go_out_in_frames_of_frame_max() {
    let mut server = open_server(server_config(), 4096, 0);
    let message = Message {
        exchange: "e",
        routing_key: "k",
        body: &[1; 10_000],
        ..Default::default()
    };
    assert_eq!(server.deliver(1, "t", Redelivered::Yes, &message), Ok(1));
    feed_server(
        &mut server,
        NOW,
        &method(
            1,
            basic::Get {
                queue: "q",
                no_ack: false,
            },
        ),
    )
    .unwrap();
    let empty = Message {
        body: b"",
        ..message
    };
    assert_eq!(server.get_ok(1, Redelivered::No, 9, &empty), Ok(2));
    assert_eq!(
        server.get_ok(1, Redelivered::No, 9, &empty),
        Err(SendError::NotRequested(basic::GetOk::ID))
    );
    server
        .return_message(
            1,
            ReplyCode::NoRoute,
            "NO_ROUTE",
            &Message {
                body: &[1; 4088],
                ..message
            },
        )
        .unwrap();
    assert_eq!(
        transmitted!(server),
        [
            r#"1 basic.deliver consumer_tag="t" delivery_tag=1 redelivered=true exchange="e" routing_key="k""#,
            "1 header 10000",
            "1 body 4088",
            "1 body 4088",
            "1 body 1824",
            r#"1 basic.get-ok delivery_tag=2 redelivered=false exchange="e" routing_key="k" message_count=9"#,
            "1 header 0",
            r#"1 basic.return reply_code=312 reply_text="NO_ROUTE" exchange="e" routing_key="k""#,
            "1 header 4088",
            "1 body 4088"
        ]
    );
}

/// Properties whose content header frame has so many bytes.
fn properties_of(frame: usize) -> PropertiesBuf {
    // The bytes around the header's value: flags, table and entry with their lengths.
    let around = 8 + 14 + 4 + 2 + 1 + 4;
    let mut headers = TableBuf::new();
    let value = "x".repeat(frame - around);
    headers.insert("h", value.as_str()).unwrap();
    let fields = PropertyFields {
        headers: Some(headers.as_table()),
        ..Default::default()
    };
    fields.to_buf().unwrap()
}

/// A message of a client with a large frame-max must reach one with a small
/// frame-max. RabbitMQ exempts a content header from the limit (erratum 11), so a
/// server sends it whatever its size. To a server, frame-max holds: RabbitMQ 3.10.8
/// closes with 501 on a header frame over it.
// shows: section 4.2.3 / size and channel
#[test]
fn a_header_frame_over_frame_max_is_the_servers_alone() {
    for (bytes, fits) in [(4096, true), (4097, false), (200_000, false)] {
        let properties = properties_of(bytes);
        let message = Message {
            properties: properties.as_properties(),
            ..Default::default()
        };

        let mut server = open_server(server_config(), 4096, 0);
        let mut sent = Vec::new();
        assert_eq!(server.deliver(1, "t", Redelivered::No, &message), Ok(1));
        feed_server(&mut server, NOW, &method(1, basic::Get::default())).unwrap();
        assert_eq!(server.get_ok(1, Redelivered::No, 0, &message), Ok(2));
        server
            .return_message(1, ReplyCode::NoRoute, "NO_ROUTE", &message)
            .unwrap();
        server.poll_transmit(NOW, &mut sent);

        let mut client = open_client(ClientConfig::default(), 4096, 0);
        client.get(1, &basic::Get::default()).unwrap();
        client.poll_transmit(NOW, &mut Vec::new());
        let events = feed_client(&mut client, NOW, &sent).unwrap();
        let [
            ClientEvent::Deliver(Delivery { content: a, .. }),
            ClientEvent::GetOk { content: b, .. },
            ClientEvent::Return { content: c, .. },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        for content in [a, b, c] {
            assert_eq!(content.properties(), properties.as_properties());
        }

        // A client does not send it, and a server does not take it.
        let sent = client.publish(1, Mandatory::No, &message);
        let error = EncodeError::FrameSize {
            size: bytes,
            limit: 4096,
        };
        assert_eq!(
            sent,
            if fits { Ok(None) } else { Err(error.into()) },
            "{bytes}"
        );
        assert_eq!(client.transmit_len() > 0, fits);
    }
    let mut header = Vec::new();
    let properties = properties_of(4096 + 9);
    let frame = Frame::Header {
        channel: 1,
        header: ContentHeader {
            body_size: 0,
            properties: properties.as_properties(),
        },
    };
    frame.encode(&mut header).unwrap();
    let mut server = open_server(server_config(), 4096, 0);
    let error = feed_server(&mut server, NOW, &[publish(1), header].concat()).unwrap_err();
    assert_eq!(error.reply().unwrap().reply_code, ReplyCode::FrameError);
}

/// What a client takes of it has a limit of its own, before anything is held.
#[test]
fn a_client_limits_header_frames_apart_from_frame_max() {
    let rows = [
        // header_size, bytes of the frame, whether it is taken.
        (10_000, 10_000, true),
        (10_000, 10_001, false),
        // Frame-max and eight bytes are taken whatever it says.
        (0, 4104, true),
        (0, 4105, false),
    ];
    for (limit, bytes, taken) in rows {
        let mut config = ClientConfig::default();
        config.limits = Limits::default().with_header_size(limit);
        let mut client = open_client(config, 4096, 0);
        let mut input = method(1, basic::Deliver::default());
        let properties = properties_of(bytes);
        let frame = Frame::Header {
            channel: 1,
            header: ContentHeader {
                body_size: 0,
                properties: properties.as_properties(),
            },
        };
        frame.encode(&mut input).unwrap();
        // Refused by its size, as soon as that is known.
        if !taken {
            input.truncate(input.len() - bytes + 7);
        }
        let events = feed_client(&mut client, NOW, &input);
        assert_eq!(events.is_ok(), taken, "{limit}: {bytes}");
    }
}

/// A method is one frame, so one that is larger than frame-max is not sent; and
/// no answer to it is waited for.
// shows: section 4.2.3 / size and channel
#[test]
fn a_method_over_frame_max_is_not_sent() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    // Method, reserved, name, bits, then the table's and the entry's own bytes.
    let around = 8 + 4 + 2 + 2 + 1 + 4 + 2 + 1 + 4;
    for (size, fits) in [(4096 - around + 1, false), (4096 - around, true)] {
        let mut arguments = amqp_codec::TableBuf::new();
        arguments.insert("x", "y".repeat(size).as_str()).unwrap();
        let declare = queue::Declare {
            queue: "q",
            arguments: arguments.as_table(),
            ..Default::default()
        };
        assert_eq!(client.queue_declare(1, &declare).is_ok(), fits);
        assert_eq!(client.transmit_len(), if fits { 4096 } else { 0 });
    }
}
