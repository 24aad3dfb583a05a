//! How a connection begins, in either role (sections 2.2.4 and 4.2.2): the rows that
//! a RabbitMQ 3.10.8 was seen to answer, and what a client makes of a server.

use crate::peers::*;
use amqp_codec::connection::{
    Capabilities, ClientConfig, ClientConnection, ClientEvent, ConnectionError, ReplyError, Sasl,
    SendError, ServerConfig, ServerConnection, ServerEvent,
};
use amqp_codec::method::{Secret, channel, connection, queue};
use amqp_codec::{ProtocolHeader, ReplyCode, TableBuf};

// shows: connection / start / locales / required-support, section 2.3.3 / limits are proposed
#[test]
fn start_and_tune_say_what_is_offered() {
    let mut config = ServerConfig::default();
    config.server_properties = TableBuf::new();
    (config.channel_max, config.frame_max, config.heartbeat) = (7, 8192, 9);
    let mut server = ServerConnection::new(NOW, config);
    let bytes = [b"AMQP\0\0\x09\x01".to_vec(), start_ok(Capabilities::ALL)].concat();
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
        server.poll_transmit(NOW, &mut out);
        assert_eq!(out, b"AMQP\x00\x00\x09\x01");
        assert!(server.is_closed());
    }
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
    let begun = [header.clone(), start_ok(Capabilities::ALL)].concat();
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("hs_unknown_mech", [header.clone(), other_mechanism].concat()),
        ("tune_frame_max_higher", [begun.clone(), tune_ok(2047, 131_073, 60)].concat()),
        ("tune_frame_max_4095", [begun.clone(), tune_ok(2047, 4095, 60)].concat()),
        ("tune_frame_max_0", [begun.clone(), tune_ok(2047, 0, 60)].concat()),
        ("tune_channel_max_0", [begun.clone(), tune_ok(0, 131_072, 60)].concat()),
        ("tune_channel_max higher", [begun.clone(), tune_ok(2048, 131_072, 60)].concat()),
        ("method_before_open", [begun.clone(), tune_ok(2047, 131_072, 60), method(1, channel::Open {})].concat()),
        ("method_before_open on channel 0", [begun.clone(), method(0, queue::Declare::default())].concat()),
        ("open before tune-ok", [begun.clone(), open()].concat()),
        ("tune-ok before start-ok", [header.clone(), tune_ok(2047, 131_072, 60)].concat()),
        ("content before open", [begun.clone(), body(1, b"")].concat()),
        ("start-ok on channel 1", [header.clone(), method(1, connection::StartOk::default())].concat()),
        ("a frame over frame-min-size before tune-ok", [header.clone(), b"\x01\x00\x00\x00\x00\x10\x01".to_vec()].concat()),
        ("frame-end before open", [header, b"\x08\x00\x00\x00\x00\x00\x00\x00".to_vec()].concat()),
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

#[test]
fn a_refused_login_is_told_to_those_who_can_hear_it() {
    for told in [true, false] {
        let mut capabilities = Capabilities::ALL;
        capabilities.authentication_failure_close = told;
        let mut server = ServerConnection::new(NOW, ServerConfig::default());
        let bytes = [b"AMQP\0\0\x09\x01".to_vec(), start_ok(capabilities)].concat();
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

        server.refuse(NOW, "Login was refused.").unwrap();
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
        assert_eq!(server.accept(NOW), Err(SendError::Closed));
    }
}

#[test]
fn a_mechanism_may_take_another_round() {
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    let bytes = [b"AMQP\0\0\x09\x01".to_vec(), start_ok(Capabilities::ALL)].concat();
    let mut input = &bytes[..];
    server.receive(NOW, &mut input).unwrap();
    server.challenge(NOW, b"?").unwrap();
    assert_eq!(
        transmitted!(server)[1..],
        ["0 connection.secure challenge=<1 bytes>"]
    );
    assert_eq!(
        server.accept(NOW),
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
    assert_matches!(event, Ok(Some(ServerEvent::Secure { response: b"!", .. })));
    server.accept(NOW).unwrap();
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
    server.accept(NOW).unwrap();
    let event = server.receive(NOW, &mut input);
    assert_matches!(
        event,
        Ok(Some(ServerEvent::Open {
            virtual_host: "/",
            ..
        }))
    );
    let error = ReplyError::new(ReplyCode::NotAllowed, 0, "vhost / not found")
        .caused_by(connection::Open::ID);
    server.close(NOW, &error).unwrap();
    assert_eq!(
        server.open_ok(NOW),
        Err(SendError::NotRequested(connection::OpenOk::ID))
    );
    assert_eq!(
        transmitted!(server)[2..],
        [
            r#"0 connection.close reply_code=530 reply_text="NOT_ALLOWED - vhost / not found" class_id=10 method_id=40"#
        ]
    );
}

// shows: section 4.2.2 / header first
#[test]
fn the_handshake_is_answered_by_itself() {
    let mut client = ClientConnection::new(NOW, ClientConfig::default());
    let mut out = Vec::new();
    client.poll_transmit(NOW, &mut out);
    assert_eq!(out, b"AMQP\x00\x00\x09\x01");
    assert_eq!(client.open_channel(), Err(SendError::NotOpen));

    let bytes = server_handshake(131_072, 60);
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    assert!(matches!(
        events[..],
        [ClientEvent::Start { .. }, ClientEvent::Opened]
    ));
    let said = transmitted!(client);
    assert!(said[0].contains(r#"mechanism="PLAIN" response=<12 bytes> locale="en_US""#));
    assert_eq!(
        said[1..],
        [
            "0 connection.tune-ok channel_max=2047 frame_max=131072 heartbeat=60",
            r#"0 connection.open virtual_host="/""#
        ]
    );
    assert_eq!(client.tuned().heartbeat, 60);
    assert!(client.capabilities().basic_nack);
}

#[test]
fn each_mechanism_sends_its_response() {
    let username = || "u".to_string();
    let password = || "p".to_string();
    let rows = [
        (
            Sasl::Plain {
                username: username(),
                password: password(),
            },
            "PLAIN",
            4,
        ),
        (
            // \x05LOGINS....u\x08PASSWORDS....p
            Sasl::AmqPlain {
                username: username(),
                password: password(),
            },
            "AMQPLAIN",
            6 + 5 + 1 + 9 + 5 + 1,
        ),
        (
            Sasl::External {
                identity: String::new(),
            },
            "EXTERNAL",
            0,
        ),
    ];
    for (sasl, name, len) in rows {
        let mut config = ClientConfig::default();
        config.sasl = sasl;
        let mut client = ClientConnection::new(NOW, config.clone());
        client.poll_transmit(NOW, &mut Vec::new());
        let bytes = start(b"EXTERNAL AMQPLAIN PLAIN");
        feed_client(&mut client, NOW, &bytes).unwrap();
        let said = transmitted!(client);
        let expected = format!("mechanism={name:?} response=<{len} bytes>");
        assert!(said[0].contains(&expected), "{said:?}");

        // Not offered: nothing is said.
        let mut client = ClientConnection::new(NOW, config);
        client.poll_transmit(NOW, &mut Vec::new());
        let error = feed_client(&mut client, NOW, &start(b"PLAINER SCRAM")).unwrap_err();
        assert_eq!(error, ConnectionError::Mechanism(name.into()));
        assert_eq!(client.transmit_len(), 0);
    }
}

#[test]
fn another_mechanism_is_the_applications() {
    let mut config = ClientConfig::default();
    config.sasl = Sasl::Application;
    let mut client = ClientConnection::new(NOW, config);
    client.poll_transmit(NOW, &mut Vec::new());
    let bytes = [
        start(b"RABBIT-CR-DEMO"),
        method(
            0,
            connection::Secure {
                challenge: Secret(b"Please tell me your password"),
            },
        ),
        tune(0, 0, 0),
    ]
    .concat();
    let mut input = &bytes[..];
    let event = client.receive(NOW, &mut input).unwrap();
    assert!(matches!(event, Some(ClientEvent::Start { .. })));
    // Until it is answered nothing is taken.
    assert_eq!(client.receive(NOW, &mut input), Ok(None));
    assert_eq!(
        client.secure_ok(NOW, b""),
        Err(SendError::NotRequested(connection::SecureOk::ID))
    );
    client.start_ok(NOW, "RABBIT-CR-DEMO", b"guest").unwrap();
    let event = client.receive(NOW, &mut input).unwrap();
    assert!(matches!(
        event,
        Some(ClientEvent::Secure {
            challenge: b"Please tell me your password",
            ..
        })
    ));
    client.secure_ok(NOW, b"My password is guest").unwrap();
    assert_eq!(client.receive(NOW, &mut input), Ok(None));
    assert!(input.is_empty());
    let said = transmitted!(client);
    assert_eq!(said[1], "0 connection.secure-ok response=<20 bytes>");
}

// shows: connection / start / client-support
#[test]
fn handshakes_that_fail() {
    let rows: Vec<(&str, Vec<u8>, ConnectionError)> = vec![
        (
            "the server speaks 1.0",
            b"AMQP\x00\x01\x00\x00".to_vec(),
            ConnectionError::Version(ProtocolHeader::decode(b"AMQP\x00\x01\x00\x00").unwrap()),
        ),
        (
            "version 8.0 in start",
            method(
                0,
                connection::Start {
                    version_major: 8,
                    ..Default::default()
                },
            ),
            ConnectionError::Version(None),
        ),
        (
            "tune below frame-min-size",
            [start(b"PLAIN"), tune(0, 4095, 0)].concat(),
            ConnectionError::Tune {
                field: "frame-max",
                offered: 4095,
                answered: 4095,
            },
        ),
        (
            "tune before start",
            tune(0, 0, 0),
            ConnectionError::Handshake(Some(connection::Tune::ID)),
        ),
        (
            "open-ok before tune",
            [start(b"PLAIN"), method(0, connection::OpenOk {})].concat(),
            ConnectionError::Handshake(Some(connection::OpenOk::ID)),
        ),
    ];
    for (name, bytes, expected) in rows {
        let mut client = ClientConnection::new(NOW, ClientConfig::default());
        assert_eq!(
            feed_client(&mut client, NOW, &bytes),
            Err(expected),
            "{name}"
        );
        assert!(client.is_closed());
        let mut out = Vec::new();
        client.poll_transmit(NOW, &mut out);
        assert!(!out.windows(4).any(|w| w == [0, 10, 0, 50]), "{name}");
    }
}

/// authentication_failure_close, as the client sees it.
#[test]
fn a_refused_login_is_an_event() {
    let mut client = ClientConnection::new(NOW, ClientConfig::default());
    let close = connection::Close {
        reply_code: 403,
        reply_text: "ACCESS_REFUSED - Login was refused",
        ..Default::default()
    };
    let bytes = [start(b"PLAIN"), method(0, close)].concat();
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    assert_matches!(&events[1], ClientEvent::Closed { close: told, .. } if *told == close);
    let mut out = Vec::new();
    client.poll_transmit(NOW, &mut out);
    assert!(out.ends_with(&method(0, connection::CloseOk {})));
    assert!(client.is_closed());
}
