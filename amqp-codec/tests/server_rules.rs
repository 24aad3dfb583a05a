//! What a server answers to a client that breaks a rule, or keeps one: the rows
//! that a RabbitMQ 3.10.8 was seen to answer, where a connection is to answer
//! them and not the broker behind it.

mod peers;

use amqp_codec::connection::Capabilities;
use amqp_codec::connection::{
    ConnectionError, Message, ReplyError, Request, SendError, ServerConfig, ServerConnection,
    ServerEvent,
};
use amqp_codec::method::{basic, channel, confirm, connection, queue, tx};
use amqp_codec::{EncodeError, MethodId, PropertyFields, ReplyCode, TableBuf};
use peers::*;

fn publish(channel: u16) -> Vec<u8> {
    method(
        channel,
        basic::Publish {
            routing_key: "q",
            ..Default::default()
        },
    )
}

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

/// Each on an open connection with channel 1 open: the connection is closed with
/// this code, which the peer is told with this method as the cause. What is wrong
/// with a content is laid to its method, whichever breaks in.
// shows: channel / open / state, section 2.3.3 / limits hold, section 3.1.2 / one virtual host
// shows: section 4.2.3 / frame-end, section 4.2.3 / type and end are checked
// shows: section 4.2.3 / size and channel, section 4.2.6 / incomplete content
// shows: section 4.2.6.1 / class, section 4.2.6.1 / channel, section 4.2.7 / channel
#[test]
#[rustfmt::skip] // A row a line.
fn hard_errors() {
    let declare = method(1, queue::Declare { queue: "q", ..Default::default() });
    let rows: Vec<(&str, Vec<u8>, u16, MethodId)> = vec![
        ("frame_bad_end", [&declare[..declare.len() - 1], &[0]].concat(), 501, MethodId::NONE),
        ("frame_too_large", b"\x01\x00\x01\x00\x00\x13\x88".to_vec(), 501, MethodId::NONE),
        ("frame_unknown_type", frame(9, 1, b"abc"), 501, MethodId::NONE),
        ("heartbeat_nonzero_channel (section 4.2.3)", frame(8, 1, b""), 503, MethodId::NONE),
        ("heartbeat_with_payload", frame(8, 0, b"x"), 501, MethodId::NONE),
        ("method_unknown_class", frame(1, 1, b"\x00\x63\x00\x0a"), 540, MethodId::new(99, 10)),
        ("method_unknown_method", frame(1, 1, b"\x00\x3c\x00\x63"), 540, MethodId::new(60, 99)),
        ("method_truncated_args", frame(1, 1, b"\x00\x3c\x00\x0a\x00"), 501, basic::Qos::ID),
        ("method_trailing_bytes", frame(1, 1, b"\x00\x3c\x00\x0a\x00\x00\x00\x00\x00\x00\x00extra"), 501, basic::Qos::ID),
        ("method_nonconn_on_ch0", method(0, queue::Declare::default()), 504, queue::Declare::ID),
        ("channel.open on channel 0", method(0, channel::Open {}), 504, channel::Open::ID),
        ("connclass_on_ch1", method(1, connection::Open { virtual_host: "/" }), 503, connection::Open::ID),
        ("connection.close on channel 1", method(1, connection::Close::default()), 503, connection::Close::ID),
        ("bad_utf8_shortstr", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01\xff\x00\x00\x00\x00\x00"), 501, queue::Declare::ID),
        ("table_bad_type", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x03\x01a?"), 502, queue::Declare::ID),
        ("table_truncated", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x09\x01a"), 501, queue::Declare::ID),
        ("channel_open_twice", method(1, channel::Open {}), 504, channel::Open::ID),
        ("method_on_unopened_channel", method(2, queue::Declare::default()), 504, queue::Declare::ID),
        ("channel.close on an unopened channel", method(2, channel::Close::default()), 504, channel::Close::ID),
        ("content header on an unopened channel", header(2, 0), 504, MethodId::NONE),
        ("content body on channel 0", body(0, b"x"), 504, MethodId::NONE),
        ("content header on channel 0", header(0, 1), 504, MethodId::NONE),
        ("content_header_wrong_class", joined(&[publish(1), frame(2, 1, b"\x00\x32\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")]), 505, basic::Publish::ID),
        ("content_header_weight_nonzero", joined(&[publish(1), frame(2, 1, b"\x00\x3c\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")]), 505, basic::Publish::ID),
        ("content_method_instead_of_header", joined(&[publish(1), publish(1)]), 505, basic::Publish::ID),
        ("content_method_instead_of_body", joined(&[publish(1), header(1, 3), publish(1)]), 505, basic::Publish::ID),
        ("content header twice", joined(&[publish(1), header(1, 3), header(1, 3)]), 505, basic::Publish::ID),
        ("content body instead of header", joined(&[publish(1), body(1, b"x")]), 505, basic::Publish::ID),
        ("content_body_without_header", body(1, b"x"), 505, MethodId::NONE),
        ("content header without method", header(1, 0), 505, MethodId::NONE),
        ("content_body_overrun", joined(&[publish(1), header(1, 3), body(1, b"four")]), 505, basic::Publish::ID),
        ("content body overrun by the second frame", joined(&[publish(1), header(1, 3), body(1, b"tw"), body(1, b"tw")]), 505, basic::Publish::ID),
        ("body after a content of size 0", joined(&[publish(1), header(1, 0), body(1, b"")]), 505, MethodId::NONE),
        ("content_bad_props_flags", joined(&[publish(1), frame(2, 1, b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03")]), 502, basic::Publish::ID),
        ("a server's method: queue.declare-ok", method(1, queue::DeclareOk::default()), 503, queue::DeclareOk::ID),
        ("a server's content: basic.deliver", method(1, basic::Deliver::default()), 503, basic::Deliver::ID),
        ("a server's method on channel 0: connection.tune", method(0, connection::Tune::default()), 503, connection::Tune::ID),
        ("connection.open twice", open(), 503, connection::Open::ID),
        ("connection.start-ok late", start_ok(Capabilities::ALL), 503, connection::StartOk::ID),
        ("channel.close-ok that nobody asked for", method(1, channel::CloseOk {}), 503, channel::CloseOk::ID),
        ("connection.close-ok that nobody asked for", method(0, connection::CloseOk {}), 503, connection::CloseOk::ID),
    ];
    for (name, bytes, code, cause) in rows {
        let mut server = open_server(server_config(), 4096, 0);
        let error = feed_server(&mut server, NOW, &bytes).expect_err(name);
        let reply = error.reply().unwrap_or_else(|| panic!("{name}: {error:?}"));
        assert_eq!((reply.reply_code.code(), reply.method), (code, cause), "{name}");
        let text = reply.reply_text();
        assert_eq!(
            transmitted!(server),
            [format!(
                "0 connection.close reply_code={code} reply_text={text:?} class_id={} method_id={}",
                cause.class_id, cause.method_id
            )],
            "{name}"
        );
        // Terminal and sticky, but for the answer to the goodbye, if frames can
        // still be told apart.
        let lost = bytes.len() < 8 || bytes.ends_with(&[0]) || bytes[0] == 9;
        assert_eq!(server.is_closed(), lost, "{name}");
        assert_eq!(server.close(&reply), Err(SendError::NotOpen), "{name}");
        let more = joined(&[
            open(),
            publish(1),
            method(0, connection::Close::default()),
        ]);
        let mut input = &more[..];
        assert_eq!(server.receive(NOW, &mut input), Err(error.clone()));
        assert!(input.is_empty());
        let answer = ["0 connection.close-ok"];
        assert_eq!(transmitted!(server), answer[..usize::from(!lost)], "{name}");
        let close_ok = method(0, connection::CloseOk {});
        assert_eq!(
            server.receive(NOW, &mut &close_ok[..]),
            Err(error.clone())
        );
        assert!(server.is_closed(), "{name}");
        assert_eq!(server.poll_timeout(), None);
        assert_eq!(server.handle_timeout(NOW), Err(error.clone()));
        assert_eq!(server.receive_eof(NOW), Err(error));
        assert_eq!(server.transmit_len(), 0, "{name}");
    }
}

/// A goodbye that is not answered is given up in time, or at the end of input.
#[test]
fn a_goodbye_waits_no_longer_than_the_close_timeout() {
    for by_eof in [true, false] {
        let mut server = open_server(server_config(), 4096, 0);
        let error = feed_server(&mut server, NOW, &body(1, b"x")).unwrap_err();
        transmitted!(server);
        let due = NOW + ServerConfig::default().close_timeout;
        assert_eq!(
            (server.is_closed(), server.poll_timeout()),
            (false, Some(due))
        );
        if by_eof {
            assert_eq!(server.receive_eof(NOW), Err(error));
        } else {
            assert_eq!(server.handle_timeout(due), Err(error));
        }
        assert_eq!((server.is_closed(), server.poll_timeout()), (true, None));
    }
}

/// A buffer that is too small takes what it can, and no octet is lost.
#[test]
fn transmitting_fills_what_room_there_is() {
    let mut server = open_server(server_config(), 4096, 0);
    let message = Message {
        body: &[5; 3000],
        ..Default::default()
    };
    let mut bytes = Vec::new();
    for _ in 0..200 {
        server.deliver(1, "t", false, &message).unwrap();
        // Somewhat less than a delivery.
        let mut room = [0; 2900];
        let len = server.poll_transmit(&mut &mut room[..]);
        bytes.extend_from_slice(&room[..len]);
    }
    while server.transmit_len() > 0 {
        let mut room = [0; 700];
        let len = server.poll_transmit(&mut &mut room[..]);
        bytes.extend_from_slice(&room[..len]);
    }
    let frames = shown(&bytes);
    assert_eq!(frames.len(), 600);
    assert!(frames[597].contains("delivery_tag=200 "));
}

/// A channel number above what was agreed is 530.
// shows: section 4.3 / channels
#[test]
fn channels_above_channel_max_are_not_allowed() {
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    let handshake = joined(&[
        b"AMQP\0\0\x09\x01".to_vec(),
        start_ok(Capabilities::ALL),
        tune_ok(3, 4096, 0),
        open(),
    ]);
    feed_server(&mut server, NOW, &handshake).unwrap();
    let events = method(3, channel::Open {});
    let events = feed_server(&mut server, NOW, &events).unwrap();
    assert_eq!(events, [ServerEvent::ChannelOpened { channel: 3 }]);
    let error = feed_server(&mut server, NOW, &method(4, channel::Open {})).unwrap_err();
    assert_eq!(error.reply().unwrap().reply_code, ReplyCode::NotAllowed);
}

/// Before connection.open nothing is said: the socket is closed (section 2.2.4).
// shows: connection / start-ok / mechanism / validity
// shows: connection / tune-ok / channel-max / upper-limit
// shows: connection / tune-ok / frame-max / minimum
// shows: connection / tune-ok / frame-max / upper-limit
// shows: section 2.2.4 / no hand-shake before open
#[test]
#[rustfmt::skip] // A row a line.
fn handshakes_that_end_in_silence() {
    let header = b"AMQP\0\0\x09\x01".to_vec();
    let other_mechanism = method(
        0,
        connection::StartOk {
            mechanism: "SCRAM",
            locale: "en_US",
            ..Default::default()
        },
    );
    let begun = joined(&[header.clone(), start_ok(Capabilities::ALL)]);
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("hs_unknown_mech", joined(&[header.clone(), other_mechanism])),
        ("tune_frame_max_higher", joined(&[begun.clone(), tune_ok(2047, 131_073, 60)])),
        ("tune_frame_max_4095", joined(&[begun.clone(), tune_ok(2047, 4095, 60)])),
        ("tune_frame_max_0", joined(&[begun.clone(), tune_ok(2047, 0, 60)])),
        ("tune_channel_max_0", joined(&[begun.clone(), tune_ok(0, 131_072, 60)])),
        ("tune_channel_max higher", joined(&[begun.clone(), tune_ok(2048, 131_072, 60)])),
        ("method_before_open", joined(&[begun.clone(), tune_ok(2047, 131_072, 60), method(1, channel::Open {})])),
        ("method_before_open on channel 0", joined(&[begun.clone(), method(0, queue::Declare::default())])),
        ("open before tune-ok", joined(&[begun.clone(), open()])),
        ("tune-ok before start-ok", joined(&[header.clone(), tune_ok(2047, 131_072, 60)])),
        ("content before open", joined(&[begun.clone(), body(1, b"")])),
        ("start-ok on channel 1", joined(&[header.clone(), method(1, connection::StartOk::default())])),
        ("a frame over frame-min-size before tune-ok", joined(&[header.clone(), b"\x01\x00\x00\x00\x00\x10\x01".to_vec()])),
        ("frame-end before open", joined(&[header, b"\x08\x00\x00\x00\x00\x00\x00\x00".to_vec()])),
    ];
    for (name, bytes) in rows {
        let mut server = ServerConnection::new(NOW, ServerConfig::default());
        // What was sent before the error is not looked at here.
        let error = feed_server(&mut server, NOW, &bytes).expect_err(name);
        let said = transmitted!(server);
        assert!(!said.iter().any(|frame| frame.contains(" connection.close")), "{name}: {said:?}");
        assert!(server.is_closed(), "{name}: {error}");
    }
}

// shows: connection / start / locales / required-support, section 2.3.3 / limits are proposed
#[test]
fn start_and_tune_say_what_is_offered() {
    let mut config = ServerConfig::default();
    config.server_properties = TableBuf::new();
    (config.channel_max, config.frame_max, config.heartbeat) = (7, 8192, 9);
    let mut server = ServerConnection::new(NOW, config);
    let bytes = joined(&[b"AMQP\0\0\x09\x01".to_vec(), start_ok(Capabilities::ALL)]);
    feed_server(&mut server, NOW, &bytes).unwrap();
    assert_eq!(
        transmitted!(server),
        [
            r#"0 connection.start version_major=0 version_minor=9 server_properties={} mechanisms="PLAIN AMQPLAIN" locales="en_US""#,
            "0 connection.tune channel_max=7 frame_max=8192 heartbeat=9",
        ]
    );
}

/// Section 4.2.2: a server that cannot speak what is asked says what it speaks.
// shows: connection / start / protocol-name, connection / start / server-support
// shows: section 4.2.2 / header is answered
#[test]
fn another_protocol_is_answered_with_our_header() {
    for bytes in [
        &b"AMQP\x00\x01\x00\x00"[..],
        b"AMQP\x03\x01\x00\x00",
        b"AMQP\x01\x01\x00\x09",
        b"GET / HTTP/1.1\r\n",
        b"AMQX",
        b"\x16\x03\x01",
    ] {
        let mut server = ServerConnection::new(NOW, ServerConfig::default());
        let error = feed_server(&mut server, NOW, bytes).unwrap_err();
        assert!(matches!(error, ConnectionError::Version(_)), "{error:?}");
        let mut out = Vec::new();
        server.poll_transmit(&mut out);
        assert_eq!(out, b"AMQP\x00\x00\x09\x01");
        assert!(server.is_closed());
    }
}

#[test]
fn a_refused_login_is_told_to_those_who_can_hear_it() {
    for told in [true, false] {
        let mut capabilities = Capabilities::ALL;
        capabilities.authentication_failure_close = told;
        let mut server = ServerConnection::new(NOW, ServerConfig::default());
        let bytes = joined(&[b"AMQP\0\0\x09\x01".to_vec(), start_ok(capabilities)]);
        let mut input = &bytes[..];
        let event = server.receive(NOW, &mut input).unwrap();
        let Some(ServerEvent::Authenticate {
            mechanism,
            response,
            locale,
            ..
        }) = event
        else {
            panic!("{event:?}")
        };
        assert_eq!(
            (mechanism, response, locale),
            ("PLAIN", &b"\0guest\0guest"[..], "en_US")
        );
        assert_eq!(server.capabilities(), capabilities);
        // Nothing is taken before the answer.
        let tune = tune_ok(2047, 131_072, 0);
        let mut early = &tune[..];
        assert_eq!(server.receive(NOW, &mut early), Ok(None));
        assert_eq!(early.len(), tune.len());

        server.refuse("Login was refused.").unwrap();
        let said = transmitted!(server);
        assert_eq!(server.is_closed(), !told);
        if told {
            let close = r#"0 connection.close reply_code=403 reply_text="ACCESS_REFUSED - Login was refused." class_id=0 method_id=0"#;
            assert_eq!(said[1..], [close]);
            let events = method(0, connection::CloseOk {});
            assert_eq!(
                feed_server(&mut server, NOW, &events),
                Ok(vec![ServerEvent::CloseOk])
            );
            assert!(server.is_closed());
        } else {
            assert_eq!(said.len(), 1, "{said:?}");
        }
        assert_eq!(server.accept(), Err(SendError::NotOpen));
    }
}

#[test]
fn a_mechanism_may_take_another_round() {
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    let bytes = joined(&[b"AMQP\0\0\x09\x01".to_vec(), start_ok(Capabilities::ALL)]);
    let mut input = &bytes[..];
    server.receive(NOW, &mut input).unwrap();
    server.challenge(b"?").unwrap();
    assert_eq!(
        transmitted!(server)[1..],
        ["0 connection.secure challenge=<1 octets>"]
    );
    assert_eq!(
        server.accept(),
        Err(SendError::NotRequested(connection::Tune::ID))
    );
    let bytes = method(
        0,
        connection::SecureOk {
            response: amqp_codec::method::Secret(b"!"),
        },
    );
    let mut input = &bytes[..];
    let event = server.receive(NOW, &mut input);
    assert_eq!(event, Ok(Some(ServerEvent::Secure { response: b"!" })));
    server.accept().unwrap();
    assert_eq!(
        transmitted!(server),
        ["0 connection.tune channel_max=2047 frame_max=131072 heartbeat=60"]
    );
}

#[test]
fn a_virtual_host_can_be_refused_with_a_close() {
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    let bytes = client_handshake(131_072, 0);
    let mut input = &bytes[..];
    server.receive(NOW, &mut input).unwrap();
    server.accept().unwrap();
    let event = server.receive(NOW, &mut input);
    assert_eq!(event, Ok(Some(ServerEvent::Open { virtual_host: "/" })));
    let error = ReplyError::new(ReplyCode::NotAllowed, 0, "vhost / not found")
        .caused_by(connection::Open::ID);
    server.close(&error).unwrap();
    assert_eq!(
        server.open_ok(),
        Err(SendError::NotRequested(connection::OpenOk::ID))
    );
    assert_eq!(
        transmitted!(server)[2..],
        [
            r#"0 connection.close reply_code=530 reply_text="NOT_ALLOWED - vhost / not found" class_id=10 method_id=40"#
        ]
    );
}

/// Rule channel / close / stability, and reuse of the number.
// shows: channel / close / stability
#[test]
fn after_channel_close_all_is_discarded_until_close_ok() {
    let mut server = open_server(server_config(), 4096, 0);
    let declare = method(1, queue::Declare::default());
    feed_server(&mut server, NOW, &declare).unwrap();
    let error = ReplyError::new(ReplyCode::NotFound, 1, "no queue").caused_by(queue::Declare::ID);
    server.fail(&error).unwrap();
    assert_eq!(server.fail(&error), Err(SendError::ChannelNotOpen(1)));
    assert_eq!(
        transmitted!(server),
        [
            r#"1 channel.close reply_code=404 reply_text="NOT_FOUND - no queue" class_id=50 method_id=10"#
        ]
    );
    // The answer to the request is not wanted any more, nor is anything else.
    assert_eq!(
        server.queue_declare_ok(1, "q", 0, 0),
        Err(SendError::ChannelNotOpen(1))
    );
    assert_eq!(
        server.deliver(1, "t", false, &Message::default()),
        Err(SendError::ChannelNotOpen(1))
    );
    let discarded = joined(&[
        declare.clone(),
        publish(1),
        header(1, 3),
        body(1, b"abc"),
        // Not even looked at.
        frame(1, 1, b"\x00\x32\x00\x63"),
        frame(2, 1, b"nonsense"),
        method(1, channel::Open {}),
    ]);
    assert_eq!(feed_server(&mut server, NOW, &discarded), Ok(vec![]));
    // A close that crossed ours is answered (and does not free the number).
    let crossed = method(
        1,
        channel::Close {
            reply_code: 200,
            reply_text: "bye",
            ..Default::default()
        },
    );
    assert_eq!(feed_server(&mut server, NOW, &crossed), Ok(vec![]));
    assert_eq!(transmitted!(server), ["1 channel.close-ok"]);
    // Other channels go on.
    let events = method(2, channel::Open {});
    assert_eq!(
        feed_server(&mut server, NOW, &events),
        Ok(vec![ServerEvent::ChannelOpened { channel: 2 }])
    );
    let events = joined(&[method(1, channel::CloseOk {}), method(1, channel::Open {})]);
    assert_eq!(
        feed_server(&mut server, NOW, &events),
        Ok(vec![
            ServerEvent::ChannelCloseOk { channel: 1 },
            ServerEvent::ChannelOpened { channel: 1 }
        ])
    );
    // Delivery tags begin anew.
    assert_eq!(server.deliver(1, "t", false, &Message::default()), Ok(1));
}

// shows: section 2.3.7 / close is a hand-shake
#[test]
fn a_client_may_close_its_channel_and_open_it_again() {
    let mut server = open_server(server_config(), 4096, 0);
    let close = channel::Close {
        reply_code: 200,
        reply_text: "done",
        ..Default::default()
    };
    let events = joined(&[method(1, close), method(1, channel::Open {})]);
    assert_eq!(
        feed_server(&mut server, NOW, &events),
        Ok(vec![
            ServerEvent::ChannelClosed { channel: 1, close },
            ServerEvent::ChannelOpened { channel: 1 }
        ])
    );
    assert_eq!(
        transmitted!(server),
        ["1 channel.close-ok", "1 channel.open-ok"]
    );
}

/// Rule connection / close / stability.
// shows: connection / close / stability
#[test]
fn after_connection_close_all_is_discarded_until_close_ok() {
    let mut server = open_server(server_config(), 4096, 60);
    let error = ReplyError::new(
        ReplyCode::ConnectionForced,
        0,
        "broker forced connection closure",
    );
    server.close(&error).unwrap();
    assert_eq!(transmitted!(server).len(), 1);
    let events = joined(&[
        publish(1),
        method(7, queue::Declare::default()),
        frame(1, 0, b"\xff\xff\xff\xff"),
        frame(8, 0, b""),
        method(0, connection::Close::default()),
        method(0, connection::CloseOk {}),
        publish(1),
    ]);
    assert_eq!(
        feed_server(&mut server, NOW, &events),
        Ok(vec![ServerEvent::CloseOk])
    );
    assert_eq!(transmitted!(server), ["0 connection.close-ok"]);
    assert!(server.is_closed());
    assert_eq!(server.receive_eof(NOW), Ok(()));
}

/// connection_close_ok: close-ok, then silence.
// shows: section 2.3.7 / close is a hand-shake
#[test]
fn a_client_closes_the_connection() {
    let mut server = open_server(server_config(), 4096, 60);
    let close = connection::Close {
        reply_code: 200,
        reply_text: "bye",
        ..Default::default()
    };
    let events = joined(&[method(0, close), publish(1)]);
    assert_eq!(
        feed_server(&mut server, NOW, &events),
        Ok(vec![ServerEvent::Closed { close }])
    );
    assert_eq!(transmitted!(server), ["0 connection.close-ok"]);
    assert!(server.is_closed());
    assert_eq!(
        (server.poll_timeout(), server.receive_eof(NOW)),
        (None, Ok(()))
    );
}

#[test]
fn a_socket_closed_without_close_is_an_error() {
    let mut server = open_server(server_config(), 4096, 60);
    assert_eq!(server.receive_eof(NOW), Err(ConnectionError::UnexpectedEof));
    assert!(server.is_closed());
    assert_eq!(server.transmit_len(), 0);
}

/// frame_max_plus_8_fudge: some clients count the payload only.
// shows: section 2.3.3 / limits hold
#[test]
fn frames_may_be_frame_max_of_payload() {
    let mut server = open_server(server_config(), 4096, 0);
    let events = joined(&[
        publish(1),
        header(1, 4096 + 8 + 1),
        body(1, &[7; 4096]),
        body(1, &[7; 9]),
    ]);
    let events = feed_server(&mut server, NOW, &events).unwrap();
    let [ServerEvent::Publish { content, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(content.body(), [7; 4105]);
    let error = feed_server(&mut server, NOW, &body(1, &[7; 4097])).unwrap_err();
    assert_eq!(error.reply().unwrap().reply_code, ReplyCode::FrameError);
}

/// Contents of one channel between those of another (section 4.2.6), of no
/// body, of one frame, of many, and of empty frames.
// shows: section 4.2.6.2 / set of frames, section 4.2.7 / discarded
#[test]
fn contents_are_put_together_by_channel() {
    let mut server = open_server(server_config(), 4096, 0);
    feed_server(&mut server, NOW, &method(2, channel::Open {})).unwrap();
    let bytes = joined(&[
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
    ]);
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let contents: Vec<_> = events
        .iter()
        .map(|event| match event {
            ServerEvent::Publish {
                channel,
                publish_tag: None,
                content,
                mandatory: false,
                immediate: false,
            } => {
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

/// 311: the one soft error that the connection finds itself.
#[test]
fn a_body_over_the_limit_closes_its_channel() {
    let mut server = open_server(server_config(), 4096, 0);
    feed_server(&mut server, NOW, &method(2, channel::Open {})).unwrap();
    transmitted!(server);
    let bytes = joined(&[
        publish(1),
        header(1, 20_001),
        body(1, b"some of it"),
        publish(2),
        header(2, 20_000),
        method(1, channel::CloseOk {}),
    ]);
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let [
        ServerEvent::ChannelFailed { channel: 1, error },
        ServerEvent::ChannelCloseOk { channel: 1 },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (error.reply_code, error.method),
        (ReplyCode::ContentTooLarge, basic::Publish::ID)
    );
    let said = transmitted!(server);
    assert!(
        said[0].starts_with("1 channel.close reply_code=311 "),
        "{said:?}"
    );
    assert_eq!(said.len(), 1);
}

/// The same where the content is in one frame, and there at once.
#[test]
fn a_body_over_the_limit_is_refused_however_it_comes() {
    let mut server = open_server(server_config(), 131_072, 0);
    let bytes = joined(&[publish(1), header(1, 20_001), body(1, &[0; 20_001])]);
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let failed = matches!(events[..], [ServerEvent::ChannelFailed { channel: 1, .. }]);
    assert!(failed, "{events:?}");
}

#[test]
fn answers_are_in_the_order_of_requests_and_kept_back_on_no_wait() {
    let mut server = open_server(server_config(), 4096, 0);
    let bytes = joined(&[
        method(
            1,
            queue::Declare {
                queue: "a",
                ..Default::default()
            },
        ),
        method(
            1,
            queue::Declare {
                queue: "b",
                no_wait: true,
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Consume {
                queue: "a",
                consumer_tag: "c",
                ..Default::default()
            },
        ),
        method(
            1,
            basic::Ack {
                delivery_tag: 1,
                multiple: false,
            },
        ),
        method(1, basic::RecoverAsync { requeue: true }),
        method(1, tx::Select {}),
    ]);
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let asked: Vec<_> = events
        .iter()
        .map(|event| match event {
            ServerEvent::Request {
                channel: 1,
                request,
            } => (request.id().to_string(), request.no_wait()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        asked
            .iter()
            .map(|(name, no_wait)| (name.as_str(), *no_wait))
            .collect::<Vec<_>>(),
        [
            ("queue.declare", false),
            ("queue.declare", true),
            ("basic.consume", false),
            ("basic.ack", false),
            ("basic.recover-async", false),
            ("tx.select", false)
        ]
    );
    assert_eq!(
        server.consume_ok(1, "c"),
        Err(SendError::NotRequested(basic::ConsumeOk::ID))
    );
    // What cannot be said is not said, and is still owed.
    let long = "q".repeat(256);
    assert!(matches!(
        server.queue_declare_ok(1, &long, 0, 0),
        Err(SendError::Encode(_))
    ));
    assert_eq!(server.queue_declare_ok(1, "a", 3, 4), Ok(()));
    assert_eq!(server.queue_declare_ok(1, "b", 0, 0), Ok(()));
    assert_eq!(
        server.queue_declare_ok(1, "b", 0, 0),
        Err(SendError::NotRequested(queue::DeclareOk::ID))
    );
    assert_eq!(server.consume_ok(1, "c"), Ok(()));
    assert_eq!(server.tx_select_ok(1), Ok(()));
    assert_eq!(
        server.tx_select_ok(1),
        Err(SendError::NotRequested(tx::SelectOk::ID))
    );
    assert_eq!(server.tx_select_ok(2), Err(SendError::ChannelNotOpen(2)));
    assert_eq!(
        transmitted!(server),
        [
            r#"1 queue.declare-ok queue="a" message_count=3 consumer_count=4"#,
            r#"1 basic.consume-ok consumer_tag="c""#,
            "1 tx.select-ok"
        ]
    );
}

#[test]
fn publishes_are_numbered_from_confirm_select_on() {
    let mut server = open_server(server_config(), 4096, 0);
    let bytes = joined(&[
        publish(1),
        header(1, 0),
        method(1, confirm::Select { no_wait: true }),
        publish(1),
        header(1, 0),
        publish(1),
        header(1, 1),
        body(1, b"x"),
    ]);
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let tags: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Publish { publish_tag, .. } => Some(*publish_tag),
            _ => None,
        })
        .collect();
    assert_eq!(tags, [None, Some(1), Some(2)]);
    server.confirm_select_ok(1).unwrap();
    assert_eq!(
        server.ack(1, 3, false),
        Err(SendError::NotRequested(basic::Ack::ID))
    );
    assert_eq!(server.ack(1, 2, true), Ok(()));
    assert_eq!(server.nack(1, 1, false), Ok(()));
    assert_eq!(
        transmitted!(server),
        [
            "1 basic.ack delivery_tag=2 multiple=true",
            "1 basic.nack delivery_tag=1 multiple=false requeue=false"
        ]
    );
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
    assert_eq!(server.deliver(1, "t", true, &message), Ok(1));
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
    assert_eq!(server.get_ok(1, false, 9, &empty), Ok(2));
    assert_eq!(
        server.get_ok(1, false, 9, &empty),
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

/// A consumer_tag that cannot be said takes no delivery tag.
#[test]
fn a_failed_send_changes_nothing() {
    let mut server = open_server(server_config(), 4096, 0);
    let long = "k".repeat(256);
    let message = Message {
        routing_key: &long,
        ..Default::default()
    };
    assert!(matches!(
        server.deliver(1, "t", false, &message),
        Err(SendError::Encode(_))
    ));
    assert_eq!(server.transmit_len(), 0);
    assert_eq!(server.deliver(1, "t", false, &Message::default()), Ok(1));
}

/// Methods and content headers are one frame each, so one that is larger than
/// frame-max is not sent at all; no delivery tag is taken.
// shows: section 4.2.3 / size and channel
#[test]
fn a_frame_over_frame_max_is_not_sent() {
    let mut server = open_server(server_config(), 4096, 0);
    // The octets around the header's value: flags, table and entry with their lengths.
    let around = 8 + 14 + 4 + 2 + 1 + 4;
    for (octets, fits) in [(4096 - around, true), (4096 - around + 1, false)] {
        let mut headers = TableBuf::new();
        headers.insert("h", "x".repeat(octets).as_str()).unwrap();
        let properties = PropertyFields {
            headers: Some(headers.as_table()),
            ..Default::default()
        };
        let properties = properties.to_buf().unwrap();
        let message = Message {
            properties: properties.as_properties(),
            ..Default::default()
        };
        let sent = server.deliver(1, "t", false, &message);
        if fits {
            assert_eq!(sent, Ok(1));
            server.poll_transmit(&mut Vec::new());
        } else {
            let error = EncodeError::FrameSize {
                size: 4097,
                limit: 4096,
            };
            assert_eq!(sent, Err(SendError::Encode(error)));
            assert_eq!(server.transmit_len(), 0);
        }
    }
    assert_eq!(server.deliver(1, "t", false, &Message::default()), Ok(2));
}

#[test]
fn flow_pauses_deliveries() {
    let mut server = open_server(server_config(), 4096, 0);
    let bytes = method(1, channel::Flow { active: false });
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    assert_eq!(
        events,
        [ServerEvent::Request {
            channel: 1,
            request: Request::ChannelFlow(channel::Flow { active: false })
        }]
    );
    server.flow_ok(1, false).unwrap();
    assert_eq!(
        server.deliver(1, "t", false, &Message::default()),
        Err(SendError::FlowInactive(1))
    );
    feed_server(&mut server, NOW, &method(1, channel::Flow { active: true })).unwrap();
    server.flow_ok(1, true).unwrap();
    assert_eq!(server.deliver(1, "t", false, &Message::default()), Ok(1));
    assert_eq!(
        transmitted!(server)[..2],
        [
            "1 channel.flow-ok active=false",
            "1 channel.flow-ok active=true"
        ]
    );
}

/// Only to clients that declared the capability.
#[test]
fn notices_are_for_those_who_declared_them() {
    for declared in [true, false] {
        let mut capabilities = Capabilities::default();
        capabilities.connection_blocked = declared;
        capabilities.consumer_cancel_notify = declared;
        let mut server = ServerConnection::new(NOW, ServerConfig::default());
        let bytes = joined(&[
            b"AMQP\0\0\x09\x01".to_vec(),
            start_ok(capabilities),
            tune_ok(1, 4096, 0),
            open(),
            method(1, channel::Open {}),
        ]);
        feed_server(&mut server, NOW, &bytes).unwrap();
        transmitted!(server);
        assert_eq!(server.blocked("memory"), Ok(declared));
        assert_eq!(server.unblocked(), Ok(declared));
        assert_eq!(server.cancel_consumer(1, "t"), Ok(declared));
        let all = [
            r#"0 connection.blocked reason="memory""#,
            "0 connection.unblocked",
            r#"1 basic.cancel consumer_tag="t" no_wait=true"#,
        ];
        assert_eq!(transmitted!(server), all[..if declared { 3 } else { 0 }]);
    }
}

#[test]
fn update_secret_is_asked_and_answered() {
    let mut server = open_server(server_config(), 4096, 0);
    let bytes = method(
        0,
        connection::UpdateSecret {
            new_secret: amqp_codec::method::Secret(b"jwt"),
            reason: "expired",
        },
    );
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    assert_eq!(
        events,
        [ServerEvent::UpdateSecret {
            new_secret: b"jwt",
            reason: "expired"
        }]
    );
    server.update_secret_ok().unwrap();
    assert_eq!(transmitted!(server), ["0 connection.update-secret-ok"]);
    // It was asked once.
    let unasked = SendError::NotRequested(connection::UpdateSecretOk::ID);
    assert_eq!(server.update_secret_ok(), Err(unasked));
    assert_eq!(server.transmit_len(), 0);
}

/// A text too long for the wire is cut between characters, not refused.
#[test]
fn reply_texts_are_cut_to_what_fits() {
    let mut server = open_server(server_config(), 4096, 0);
    let error = ReplyError::new(ReplyCode::NotFound, 1, "é".repeat(300));
    assert_eq!(error.reply_text().len(), 254);
    server.fail(&error).unwrap();
    assert_eq!(transmitted!(server).len(), 1);
}
