//! Channels that are opened, closed and used again, and connections that end as
//! they should (section 2.3.7), from either side.

use crate::peers::*;
use amqp_codec::connection::{
    Capabilities, ClientConfig, ClientConnection, ClientEvent, Confirmation, ConnectionError,
    Message, ReplyError, SendError, ServerConfig, ServerConnection, ServerEvent,
};
use amqp_codec::method::{basic, channel, connection, queue};
use amqp_codec::{Limits, ReplyCode};

/// A channel number above what was agreed is 530.
// shows: section 4.3 / channels
#[test]
fn channels_above_channel_max_are_not_allowed() {
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    let handshake = [
        b"AMQP\0\0\x09\x01".to_vec(),
        start_ok(Capabilities::ALL),
        tune_ok(3, 4096, 0),
        open(),
    ]
    .concat();
    feed_server(&mut server, NOW, &handshake).unwrap();
    let events = method(3, channel::Open {});
    let events = feed_server(&mut server, NOW, &events).unwrap();
    assert_matches!(&events[..], [ServerEvent::ChannelOpened { channel: 3, .. }]);
    let error = feed_server(&mut server, NOW, &method(4, channel::Open {})).unwrap_err();
    assert_eq!(error.reply().unwrap().reply_code, ReplyCode::NotAllowed);
}

/// All 65,535 channels at once: each gets the lowest number that is free, in no more time for
/// the others.
// shows: section 4.3 / channels
#[test]
fn every_channel_can_be_open() {
    let limits = Limits::default().with_channel_max(u16::MAX);
    let client = ClientConfig::default().with_limits(limits);
    let client = client.with_channel_max(u16::MAX);
    let server = ServerConfig::default().with_limits(limits);
    let server = server.with_channel_max(u16::MAX);
    let mut client = ClientConnection::new(NOW, client);
    let mut server = ServerConnection::new(NOW, server);
    // What the one sends goes to the other, four times there and back.
    let mut exchange = |client: &mut ClientConnection| {
        for _ in 0..4 {
            let mut wire = Vec::new();
            client.poll_transmit(NOW, &mut wire);
            feed_server(&mut server, NOW, &wire).unwrap();
            wire.clear();
            server.poll_transmit(NOW, &mut wire);
            feed_client(client, NOW, &wire).unwrap();
        }
    };
    exchange(&mut client);
    assert_eq!(client.tuned().channel_max, u16::MAX);
    for number in 1..=u16::MAX {
        assert_eq!(client.open_channel(), Ok(number));
    }
    assert_eq!(client.open_channel(), Err(SendError::NoFreeChannel));
    exchange(&mut client);
    for freed in [&[40_000][..], &[u16::MAX, 1, 2], &[3]] {
        for number in freed {
            client.close_channel(*number).unwrap();
        }
        // Until close-ok they are in use.
        assert_eq!(client.open_channel(), Err(SendError::NoFreeChannel));
        exchange(&mut client);
        let mut lowest_first = freed.to_vec();
        lowest_first.sort_unstable();
        for number in lowest_first {
            assert_eq!(client.open_channel(), Ok(number));
        }
        exchange(&mut client);
    }
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

// shows: channel / open / state, section 2.3.7 / close is a hand-shake
#[test]
fn channels_are_opened_closed_and_used_again() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    assert_eq!(client.open_channel(), Ok(2));
    assert_eq!(
        client.publish(2, Mandatory::No, &Message::default()),
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
    let bytes = [
        method(1, basic::Deliver::default()),
        header(1, 4),
        method(1, channel::CloseOk {}),
        method(2, channel::OpenOk {}),
        method(2, close),
    ]
    .concat();
    assert_matches!(
        &feed_client(&mut client, NOW, &bytes).unwrap()[..],
        [
            ClientEvent::ChannelCloseOk { channel: 1, .. },
            ClientEvent::ChannelOpened { channel: 2, .. },
            ClientEvent::ChannelClosed { channel: 2, close: told, .. },
        ] if *told == close
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
    client
        .confirm_select(1, &confirm::Select { no_wait: true })
        .unwrap();
    for _ in 0..5 {
        client
            .publish(1, Mandatory::No, &Message::default())
            .unwrap();
    }
    let bytes = [ack(2, false), ack(4, true)].concat();
    let mut input = &bytes[..];
    for publish_tags in [2..=2, 1..=1] {
        assert_matches!(
            client.receive(NOW, &mut input),
            Ok(Some(ClientEvent::Confirm(Confirmation {
                channel: 1,
                publish_tags: told,
                acknowledged: true,
                ..
            }))) if told == publish_tags
        );
    }
    assert_eq!(client.unconfirmed(1), 3);
    client.close_channel(1).unwrap();
    assert_eq!(client.unconfirmed(1), 0);
    assert_eq!(client.receive(NOW, &mut input), Ok(None));
}

/// Rule channel / close / stability, and reuse of the number.
// shows: channel / close / stability
#[test]
fn after_channel_close_all_is_discarded_until_close_ok() {
    let mut server = open_server(server_config(), 4096, 0);
    let declare = method(1, queue::Declare::default());
    feed_server(&mut server, NOW, &declare).unwrap();
    let error = ReplyError::new(ReplyCode::NotFound, 1, "no queue").caused_by(queue::Declare::ID);
    server.fail(NOW, &error).unwrap();
    assert_eq!(server.fail(NOW, &error), Err(SendError::ChannelNotOpen(1)));
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
        server.deliver(1, "t", Redelivered::No, &Message::default()),
        Err(SendError::ChannelNotOpen(1))
    );
    let discarded = [
        declare.clone(),
        publish(1),
        header(1, 3),
        body(1, b"abc"),
        // Not even looked at.
        frame(1, 1, b"\x00\x32\x00\x63"),
        frame(2, 1, b"nonsense"),
        method(1, channel::Open {}),
    ]
    .concat();
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
    assert_matches!(
        &feed_server(&mut server, NOW, &events).unwrap()[..],
        [ServerEvent::ChannelOpened { channel: 2, .. }]
    );
    let events = [method(1, channel::CloseOk {}), method(1, channel::Open {})].concat();
    assert_matches!(
        &feed_server(&mut server, NOW, &events).unwrap()[..],
        [
            ServerEvent::ChannelCloseOk { channel: 1, .. },
            ServerEvent::ChannelOpened { channel: 1, .. }
        ]
    );
    // Delivery tags begin anew.
    assert_eq!(
        server.deliver(1, "t", Redelivered::No, &Message::default()),
        Ok(1)
    );
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
    let events = [method(1, close), method(1, channel::Open {})].concat();
    assert_matches!(
        &feed_server(&mut server, NOW, &events).unwrap()[..],
        [
            ServerEvent::ChannelClosed { channel: 1, close: told, .. },
            ServerEvent::ChannelOpened { channel: 1, .. }
        ] if *told == close
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
    server.close(NOW, &error).unwrap();
    assert_eq!(transmitted!(server).len(), 1);
    let events = [
        publish(1),
        method(7, queue::Declare::default()),
        frame(1, 0, b"\xff\xff\xff\xff"),
        frame(8, 0, b""),
        method(0, connection::Close::default()),
        method(0, connection::CloseOk {}),
        publish(1),
    ]
    .concat();
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
    let events = [method(0, close), publish(1)].concat();
    assert_matches!(
        &feed_server(&mut server, NOW, &events).unwrap()[..],
        [ServerEvent::Closed { close: told, .. }] if *told == close
    );
    assert_eq!(transmitted!(server), ["0 connection.close-ok"]);
    assert!(server.is_closed());
    assert_eq!(
        (server.poll_timeout(), server.receive_eof(NOW)),
        (None, Ok(()))
    );
}

// shows: section 2.3.7 / close is a hand-shake
#[test]
fn the_connection_is_closed_by_either_side() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client.close(NOW).unwrap();
    assert_eq!(client.close(NOW), Err(SendError::Closed));
    assert_eq!(
        client.publish(1, Mandatory::No, &Message::default()),
        Err(SendError::Closed)
    );
    let bytes = [
        method(1, basic::Deliver::default()),
        method(0, connection::CloseOk {}),
    ]
    .concat();
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
    assert_matches!(
        &feed_client(&mut client, NOW, &bytes).unwrap()[..],
        [ClientEvent::Closed { close: told, .. }] if *told == close
    );
    assert_eq!(transmitted!(client), ["0 connection.close-ok"]);
    assert!(client.is_closed());
}

#[test]
fn a_socket_closed_without_close_is_an_error() {
    let mut server = open_server(server_config(), 4096, 60);
    assert_eq!(server.receive_eof(NOW), Err(ConnectionError::UnexpectedEof));
    assert!(server.is_closed());
    assert_eq!(server.transmit_len(), 0);
}
