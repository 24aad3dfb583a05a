//! What a client makes of a server's frames, and what it lets its application send.

mod peers;

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, ConnectionError, Message, Reply, ReplyError, Sasl,
    SendError,
};
use amqp_codec::method::{Secret, basic, channel, confirm, connection, queue, tx};
use amqp_codec::{MethodId, ProtocolHeader, ReplyCode};
use peers::*;

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

fn start(mechanisms: &[u8]) -> Vec<u8> {
    method(
        0,
        connection::Start {
            version_minor: 9,
            mechanisms,
            locales: b"en_US",
            ..Default::default()
        },
    )
}

fn tune(channel_max: u16, frame_max: u32, heartbeat: u16) -> Vec<u8> {
    method(
        0,
        connection::Tune {
            channel_max,
            frame_max,
            heartbeat,
        },
    )
}

fn ack(delivery_tag: u64, multiple: bool) -> Vec<u8> {
    method(
        1,
        basic::Ack {
            delivery_tag,
            multiple,
        },
    )
}

// shows: section 4.2.2 / header first
#[test]
fn the_handshake_is_answered_by_itself() {
    let mut client = ClientConnection::new(NOW, ClientConfig::default());
    let mut out = Vec::new();
    client.poll_transmit(&mut out);
    assert_eq!(out, b"AMQP\x00\x00\x09\x01");
    assert_eq!(client.open_channel(), Err(SendError::NotOpen));

    let bytes = server_handshake(131_072, 60);
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    assert!(matches!(
        events[..],
        [ClientEvent::Start { .. }, ClientEvent::Opened]
    ));
    let said = transmitted!(client);
    assert!(said[0].contains(r#"mechanism="PLAIN" response=<12 octets> locale="en_US""#));
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
        client.poll_transmit(&mut Vec::new());
        let bytes = start(b"EXTERNAL AMQPLAIN PLAIN");
        feed_client(&mut client, NOW, &bytes).unwrap();
        let said = transmitted!(client);
        let expected = format!("mechanism={name:?} response=<{len} octets>");
        assert!(said[0].contains(&expected), "{said:?}");

        // Not offered: nothing is said.
        let mut client = ClientConnection::new(NOW, config);
        client.poll_transmit(&mut Vec::new());
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
    client.poll_transmit(&mut Vec::new());
    let bytes = joined(&[
        start(b"RABBIT-CR-DEMO"),
        method(
            0,
            connection::Secure {
                challenge: Secret(b"Please tell me your password"),
            },
        ),
        tune(0, 0, 0),
    ]);
    let mut input = &bytes[..];
    let event = client.receive(NOW, &mut input).unwrap();
    assert!(matches!(event, Some(ClientEvent::Start { .. })));
    // Until it is answered nothing is taken.
    assert_eq!(client.receive(NOW, &mut input), Ok(None));
    assert_eq!(
        client.secure_ok(b""),
        Err(SendError::NotRequested(connection::SecureOk::ID))
    );
    client.start_ok("RABBIT-CR-DEMO", b"guest").unwrap();
    let event = client.receive(NOW, &mut input).unwrap();
    assert!(matches!(
        event,
        Some(ClientEvent::Secure {
            challenge: b"Please tell me your password"
        })
    ));
    client.secure_ok(b"My password is guest").unwrap();
    assert_eq!(client.receive(NOW, &mut input), Ok(None));
    assert!(input.is_empty());
    let said = transmitted!(client);
    assert_eq!(said[1], "0 connection.secure-ok response=<20 octets>");
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
            joined(&[start(b"PLAIN"), tune(0, 4095, 0)]),
            ConnectionError::Tune {
                field: "frame-max",
                offered: 4095,
                answered: 4095,
            },
        ),
        (
            "tune before start",
            tune(0, 0, 0),
            ConnectionError::Handshake(connection::Tune::ID),
        ),
        (
            "open-ok before tune",
            joined(&[start(b"PLAIN"), method(0, connection::OpenOk {})]),
            ConnectionError::Handshake(connection::OpenOk::ID),
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
        client.poll_transmit(&mut out);
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
    let bytes = joined(&[start(b"PLAIN"), method(0, close)]);
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    assert_eq!(events[1], ClientEvent::Closed { close });
    let mut out = Vec::new();
    client.poll_transmit(&mut out);
    assert!(out.ends_with(&method(0, connection::CloseOk {})));
    assert!(client.is_closed());
}

/// Each on an open connection with channel 1 open; the server is told.
#[test]
fn a_server_that_breaks_rules_is_told() {
    let rows: Vec<(&str, Vec<u8>, u16, MethodId)> = vec![
        (
            "an answer that nobody asked for",
            method(1, queue::BindOk {}),
            503,
            queue::BindOk::ID,
        ),
        (
            "a client's method",
            method(1, queue::Bind::default()),
            503,
            queue::Bind::ID,
        ),
        (
            "channel.open from a server",
            method(2, channel::Open {}),
            504,
            channel::Open::ID,
        ),
        (
            "channel.open-ok twice",
            method(1, channel::OpenOk {}),
            503,
            channel::OpenOk::ID,
        ),
        (
            "a delivery on an unopened channel",
            method(2, basic::Deliver::default()),
            504,
            basic::Deliver::ID,
        ),
        (
            "an ack outside of confirm mode",
            ack(1, false),
            503,
            basic::Ack::ID,
        ),
        (
            "get-ok without get",
            joined(&[method(1, basic::GetOk::default()), header(1, 0)]),
            503,
            basic::GetOk::ID,
        ),
        (
            "connection.start late",
            start(b"PLAIN"),
            503,
            connection::Start::ID,
        ),
        (
            "update-secret-ok that nobody asked for",
            method(0, connection::UpdateSecretOk {}),
            503,
            connection::UpdateSecretOk::ID,
        ),
        ("a body without header", body(1, b"x"), 505, MethodId::NONE),
        // The method whose content it is, not the one that breaks in.
        (
            "a method in a content",
            joined(&[
                method(1, basic::Deliver::default()),
                method(1, basic::Cancel::default()),
            ]),
            505,
            basic::Deliver::ID,
        ),
        (
            "a body longer than its header says",
            joined(&[
                method(1, basic::Return::default()),
                header(1, 1),
                body(1, b"xy"),
            ]),
            505,
            basic::Return::ID,
        ),
    ];
    for (name, bytes, code, cause) in rows {
        let mut client = open_client(ClientConfig::default(), 4096, 0);
        let error = feed_client(&mut client, NOW, &bytes).expect_err(name);
        let reply = error.reply().expect(name);
        assert_eq!(
            (reply.reply_code.code(), reply.method),
            (code, cause),
            "{name}"
        );
        let said = transmitted!(client);
        assert!(
            said[0].starts_with(&format!("0 connection.close reply_code={code} ")),
            "{name}: {said:?}"
        );
        // The answer is waited for, and what comes before it is discarded.
        assert!(!client.is_closed(), "{name}");
        let more = joined(&[
            method(1, basic::Deliver::default()),
            method(0, connection::CloseOk {}),
        ]);
        let mut input = &more[..];
        assert_eq!(client.receive(NOW, &mut input), Err(error), "{name}");
        assert!(client.is_closed() && input.is_empty(), "{name}");
    }
}

// shows: section 3.2.1 / replies
#[test]
fn answers_come_in_the_order_of_requests() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    let declare = queue::Declare {
        queue: "q",
        ..Default::default()
    };
    client.queue_declare(1, &declare).unwrap();
    client
        .queue_declare(
            1,
            &queue::Declare {
                no_wait: true,
                ..declare
            },
        )
        .unwrap();
    client.get(1, &basic::Get::default()).unwrap();
    client.get(1, &basic::Get::default()).unwrap();
    client.tx_select(1, &tx::Select {}).unwrap();
    assert_eq!(
        client.tx_select(2, &tx::Select {}),
        Err(SendError::ChannelNotOpen(2))
    );
    assert_eq!(transmitted!(client).len(), 5);
    let declare_ok = queue::DeclareOk {
        queue: "q",
        message_count: 1,
        consumer_count: 0,
    };
    let bytes = joined(&[
        method(1, declare_ok),
        method(
            1,
            basic::GetOk {
                delivery_tag: 1,
                message_count: 7,
                routing_key: "k",
                ..Default::default()
            },
        ),
        header(1, 2),
        body(1, b"hi"),
        method(1, basic::GetEmpty {}),
        method(1, tx::SelectOk {}),
    ]);
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    let [
        ClientEvent::Reply {
            channel: 1,
            reply: Reply::QueueDeclareOk(ok),
        },
        ClientEvent::GetOk {
            channel: 1,
            delivery_tag: 1,
            redelivered: false,
            message_count: 7,
            content,
        },
        ClientEvent::Reply {
            reply: Reply::BasicGetEmpty(_),
            ..
        },
        ClientEvent::Reply {
            reply: Reply::TxSelectOk(_),
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(*ok, declare_ok);
    assert_eq!((content.routing_key(), content.body()), ("k", &b"hi"[..]));

    // Out of order.
    client.tx_commit(1, &tx::Commit {}).unwrap();
    client.get(1, &basic::Get::default()).unwrap();
    let error = feed_client(&mut client, NOW, &method(1, basic::GetEmpty {})).unwrap_err();
    assert_eq!(error.reply().unwrap().reply_code, ReplyCode::CommandInvalid);
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
    assert_eq!(client.publish(1, false, &message), Ok(None));
    client.confirm_select(1, false).unwrap();
    for tag in 1..=9 {
        assert_eq!(client.publish(1, false, &message), Ok(Some(tag)));
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
    let bytes = joined(&[
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
    ]);
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    let confirm = |first, last, acknowledged| ClientEvent::Confirm {
        channel: 1,
        publish_tags: first..=last,
        acknowledged,
    };
    assert_eq!(events[1..3], [confirm(2, 2, true), confirm(4, 4, true)]);
    assert!(matches!(
        events[3],
        ClientEvent::Return {
            channel: 1,
            reply_code: 312,
            ..
        }
    ));
    assert_eq!(
        events[4..],
        [
            confirm(1, 1, false),
            confirm(3, 3, false),
            confirm(5, 6, false),
            confirm(7, 9, true)
        ]
    );
    assert_eq!(client.unconfirmed(1), 0);
}

// shows: channel / flow / bidirectional
#[test]
fn what_a_server_sends_of_its_own_accord() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    let bytes = joined(&[
        method(0, connection::Blocked { reason: "disk" }),
        method(0, connection::Unblocked {}),
        method(
            1,
            basic::Cancel {
                consumer_tag: "a",
                no_wait: true,
            },
        ),
        method(
            1,
            basic::Cancel {
                consumer_tag: "b",
                no_wait: false,
            },
        ),
        method(
            1,
            basic::Deliver {
                consumer_tag: "c",
                delivery_tag: 5,
                redelivered: true,
                exchange: "e",
                routing_key: "k",
            },
        ),
        header(1, 0),
        method(1, channel::Flow { active: false }),
    ]);
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    assert_eq!(
        events[..4],
        [
            ClientEvent::Blocked { reason: "disk" },
            ClientEvent::Unblocked,
            ClientEvent::ConsumerCancelled {
                channel: 1,
                consumer_tag: "a"
            },
            ClientEvent::ConsumerCancelled {
                channel: 1,
                consumer_tag: "b"
            },
        ]
    );
    let ClientEvent::Deliver {
        channel: 1,
        delivery_tag: 5,
        redelivered: true,
        content,
    } = &events[4]
    else {
        panic!("{events:?}")
    };
    let method_of_it = content.method();
    assert_eq!(
        method_of_it.to_string(),
        r#"basic.deliver consumer_tag="c" delivery_tag=5 redelivered=true exchange="e" routing_key="k""#
    );
    assert_eq!(
        events[5],
        ClientEvent::Flow {
            channel: 1,
            active: false
        }
    );
    assert_eq!(
        transmitted!(client),
        [
            r#"1 basic.cancel-ok consumer_tag="b""#,
            "1 channel.flow-ok active=false"
        ]
    );
    // Paused, until the server resumes it.
    let message = Message::default();
    assert_eq!(
        client.publish(1, false, &message),
        Err(SendError::FlowInactive(1))
    );
    feed_client(&mut client, NOW, &method(1, channel::Flow { active: true })).unwrap();
    assert_eq!(client.publish(1, false, &message), Ok(None));
}

// shows: channel / open / state, section 2.3.7 / close is a hand-shake
#[test]
fn channels_are_opened_closed_and_used_again() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    assert_eq!(client.open_channel(), Ok(2));
    assert_eq!(
        client.publish(2, false, &Message::default()),
        Err(SendError::ChannelNotOpen(2))
    );
    client.close_channel(1).unwrap();
    assert_eq!(client.close_channel(1), Err(SendError::ChannelNotOpen(1)));
    assert_eq!(client.open_channel(), Ok(3));
    let close = channel::Close {
        reply_code: 404,
        reply_text: "NOT_FOUND",
        class_id: 60,
        method_id: 40,
    };
    let bytes = joined(&[
        method(1, basic::Deliver::default()),
        header(1, 4),
        method(1, channel::CloseOk {}),
        method(2, channel::OpenOk {}),
        method(2, close),
    ]);
    assert_eq!(
        feed_client(&mut client, NOW, &bytes).unwrap(),
        [
            ClientEvent::ChannelCloseOk { channel: 1 },
            ClientEvent::ChannelOpened { channel: 2 },
            ClientEvent::ChannelClosed { channel: 2, close },
        ]
    );
    assert_eq!(
        transmitted!(client),
        [
            "2 channel.open",
            r#"1 channel.close reply_code=200 reply_text="OK - Goodbye" class_id=0 method_id=0"#,
            "3 channel.open",
            "2 channel.close-ok"
        ]
    );
    // The lowest that is free.
    assert_eq!(client.open_channel(), Ok(1));
    assert_eq!(client.open_channel(), Ok(2));
    assert_eq!(client.open_channel(), Ok(4));
}

/// What waits on a channel is given up with it, even in the middle of an ack of many.
#[test]
fn a_channel_that_is_closed_has_nothing_unconfirmed() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client.confirm_select(1, true).unwrap();
    for _ in 0..5 {
        client.publish(1, false, &Message::default()).unwrap();
    }
    let bytes = joined(&[ack(2, false), ack(4, true)]);
    let mut input = &bytes[..];
    for publish_tags in [2..=2, 1..=1] {
        assert_eq!(
            client.receive(NOW, &mut input),
            Ok(Some(ClientEvent::Confirm {
                channel: 1,
                publish_tags,
                acknowledged: true
            }))
        );
    }
    assert_eq!(client.unconfirmed(1), 3);
    client.close_channel(1).unwrap();
    assert_eq!(client.unconfirmed(1), 0);
    assert_eq!(client.receive(NOW, &mut input), Ok(None));
}

// shows: section 4.3 / channels
#[test]
fn no_more_channels_than_agreed() {
    let mut config = ClientConfig::default();
    config.channel_max = 2;
    let mut client = open_client(config, 4096, 0);
    assert_eq!(client.open_channel(), Ok(2));
    assert_eq!(client.open_channel(), Err(SendError::NoFreeChannel));
}

// shows: section 2.3.7 / close is a hand-shake
#[test]
fn the_connection_is_closed_by_either_side() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client.close().unwrap();
    assert_eq!(client.close(), Err(SendError::NotOpen));
    assert_eq!(
        client.publish(1, false, &Message::default()),
        Err(SendError::NotOpen)
    );
    let bytes = joined(&[
        method(1, basic::Deliver::default()),
        method(0, connection::CloseOk {}),
    ]);
    assert_eq!(
        feed_client(&mut client, NOW, &bytes),
        Ok(vec![ClientEvent::CloseOk])
    );
    assert!(client.is_closed());

    let mut client = open_client(ClientConfig::default(), 4096, 0);
    let close = connection::Close {
        reply_code: 320,
        reply_text: "CONNECTION_FORCED",
        ..Default::default()
    };
    let bytes = method(0, close);
    assert_eq!(
        feed_client(&mut client, NOW, &bytes),
        Ok(vec![ClientEvent::Closed { close }])
    );
    assert_eq!(transmitted!(client), ["0 connection.close-ok"]);
    assert!(client.is_closed());
}

#[test]
fn a_client_may_close_with_an_error() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    let error = ReplyError::new(ReplyCode::InternalError, 1, "bug");
    client.fail(&error).unwrap();
    let said = transmitted!(client);
    assert!(said[0].starts_with("0 connection.close reply_code=541 "));
}

/// A method is one frame, so one that is larger than frame-max is not sent; and
/// no answer to it is waited for.
// shows: section 4.2.3 / size and channel
#[test]
fn a_method_over_frame_max_is_not_sent() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    // Method, reserved, name, bits, then the table's and the entry's own octets.
    let around = 8 + 4 + 2 + 2 + 1 + 4 + 2 + 1 + 4;
    for (octets, fits) in [(4096 - around + 1, false), (4096 - around, true)] {
        let mut arguments = amqp_codec::TableBuf::new();
        arguments.insert("x", "y".repeat(octets).as_str()).unwrap();
        let declare = queue::Declare {
            queue: "q",
            arguments: arguments.as_table(),
            ..Default::default()
        };
        assert_eq!(client.queue_declare(1, &declare).is_ok(), fits);
        assert_eq!(client.transmit_len(), if fits { 4096 } else { 0 });
    }
}

/// A channel that was asked for is not open before open-ok.
#[test]
fn a_content_before_open_ok_is_an_error() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    assert_eq!(client.open_channel(), Ok(2));
    let deliver = basic::Deliver {
        consumer_tag: "t",
        delivery_tag: 1,
        ..Default::default()
    };
    let bytes = joined(&[method(2, deliver), header(2, 0)]);
    let error = feed_client(&mut client, NOW, &bytes).unwrap_err();
    let reply = error.reply().unwrap();
    assert_eq!(
        (reply.reply_code, reply.method),
        (ReplyCode::CommandInvalid, basic::Deliver::ID)
    );
}

#[test]
fn update_secret_is_answered() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client.update_secret(b"jwt", "expired").unwrap();
    assert_eq!(
        transmitted!(client),
        [r#"0 connection.update-secret new_secret=<3 octets> reason="expired""#]
    );
    let bytes = method(0, connection::UpdateSecretOk {});
    assert_eq!(
        feed_client(&mut client, NOW, &bytes),
        Ok(vec![ClientEvent::UpdateSecretOk])
    );
    // It was asked once (RabbitMQ's update-secret is synchronous: an answer each).
    let error = feed_client(&mut client, NOW, &bytes).unwrap_err();
    let reply = error.reply().unwrap();
    assert_eq!(
        (reply.reply_code, reply.method),
        (ReplyCode::CommandInvalid, connection::UpdateSecretOk::ID)
    );
}
