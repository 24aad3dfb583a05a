//! How much of contents a connection takes: one body, and what is held on all
//! channels together. What is too large "at the present time" is 311, and the
//! channel's end (section 1.2).

use crate::peers::*;
use amqp_codec::connection::{
    ClientConfig, ClientEvent, InboundPublish, ReplyError, ServerConfig, ServerConnection,
    ServerEvent,
};
use amqp_codec::method::{basic, channel};
use amqp_codec::{Limits, ReplyCode};

/// What a publish on its own and its header are held as: their payloads.
fn begun() -> u64 {
    (publish(1).len() - 8 + header(1, 0).len() - 8) as u64
}

/// A server that holds so much, with channels 1 and 2 open.
fn server_that_holds(limits: Limits) -> ServerConnection {
    let mut config = ServerConfig::default();
    config.limits = limits;
    let mut server = open_server(config, 4096, 0);
    feed_server(&mut server, NOW, &method(2, channel::Open {})).unwrap();
    server.poll_transmit(NOW, &mut Vec::new());
    server
}

/// Contents are on their way on both channels, and there is no more room.
fn full_server() -> ServerConnection {
    let mut server = server_that_holds(Limits::default().with_held_size(2 * begun() + 100));
    let bytes = [
        publish(1),
        publish(2),
        header(1, 100),
        header(2, 100),
        body(1, &[1; 60]),
        body(2, &[2; 40]),
    ]
    .concat();
    assert_eq!(feed_server(&mut server, NOW, &bytes), Ok(vec![]));
    server
}

/// The body of the only event, which is a whole content on this channel.
fn published(events: &[ServerEvent<'_>], number: u16) -> Vec<u8> {
    match events {
        [
            ServerEvent::Publish(InboundPublish {
                channel, content, ..
            }),
        ] if *channel == number => content.body().to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_channel_that_passes_the_limit_is_closed_and_others_go_on() {
    let mut server = full_server();
    let bytes = body(1, b"x");
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let [
        ServerEvent::ChannelFailed {
            channel: 1, error, ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (error.reply_code, error.method),
        (ReplyCode::ContentTooLarge, Some(basic::Publish::ID))
    );
    let said = transmitted!(server);
    assert!(
        said[0].starts_with("1 channel.close reply_code=311 "),
        "{said:?}"
    );
    // Its content is given up, so that the other's has room.
    let bytes = body(2, &[2; 60]);
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    assert_eq!(published(&events, 2), [2; 100]);
    // And it may be tried again.
    let bytes = [
        body(1, &[1; 39]),
        method(1, channel::CloseOk {}),
        method(1, channel::Open {}),
    ]
    .concat();
    feed_server(&mut server, NOW, &bytes).unwrap();
    let bytes = [publish(1), header(1, 100), body(1, &[1; 100])].concat();
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    assert_eq!(published(&events, 1), [1; 100]);
}

/// Wherever in a content it is passed, and if all of the content is there at once.
#[test]
fn the_limit_is_the_same_for_each_frame() {
    let frames = [
        vec![publish(3)],
        vec![publish(3), header(3, 1)],
        vec![publish(3), header(3, 1), body(3, b"x")],
    ];
    let taken = [publish(3).len() - 8, begun() as usize, begun() as usize + 1];
    for (frames, taken) in frames.iter().zip(taken) {
        for short in [0, 1] {
            let held = 2 * begun() + 100 + (taken - short) as u64;
            let mut server = server_that_holds(Limits::default().with_held_size(held));
            let bytes = [
                publish(1),
                publish(2),
                header(1, 100),
                header(2, 100),
                body(1, &[1; 60]),
                body(2, &[2; 40]),
                method(3, channel::Open {}),
            ]
            .concat();
            feed_server(&mut server, NOW, &bytes).unwrap();
            let bytes = frames.concat();
            let events = feed_server(&mut server, NOW, &bytes).unwrap();
            let failed = events
                .iter()
                .any(|event| matches!(event, ServerEvent::ChannelFailed { channel: 3, .. }));
            assert_eq!(failed, short == 1, "{frames:?}");
        }
    }
}

/// What ends a content makes room for the next.
#[test]
fn what_is_given_up_or_complete_counts_no_more() {
    let mut server = full_server();
    let error = ReplyError::new(ReplyCode::NotFound, 2, "");
    server.fail(NOW, &error).unwrap();
    let bytes = body(1, &[1; 40]);
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    assert_eq!(published(&events, 1), [1; 100]);
    // A hundred contents in pieces, one behind the other.
    for _ in 0..100 {
        let pieces = [publish(1), header(1, 100), body(1, &[1; 50])].concat();
        assert_eq!(feed_server(&mut server, NOW, &pieces), Ok(vec![]));
        let bytes = body(1, &[1; 50]);
        let events = feed_server(&mut server, NOW, &bytes).unwrap();
        assert_eq!(published(&events, 1), [1; 100]);
    }
}

/// A header may claim what it likes: room is taken by what comes.
#[test]
fn what_is_claimed_takes_no_room() {
    let held = 2000 * begun();
    let mut server = server_that_holds(Limits::default().with_held_size(held));
    for number in 1..=2000 {
        if number > 2 {
            feed_server(&mut server, NOW, &method(number, channel::Open {})).unwrap();
        }
        let bytes = [publish(number), header(number, 134_217_728)].concat();
        assert_eq!(feed_server(&mut server, NOW, &bytes), Ok(vec![]));
    }
    let bytes = body(7, b"x");
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let failed = matches!(events[..], [ServerEvent::ChannelFailed { channel: 7, .. }]);
    assert!(failed, "{events:?}");
}

/// Of a body in parts nothing is held.
#[test]
fn parts_take_no_room() {
    let limits = Limits::default()
        .with_held_size(begun())
        .with_assembled_size(10);
    let mut server = server_that_holds(limits);
    let bytes = [publish(1), header(1, 8000), body(1, &[1; 4000])].concat();
    assert_eq!(feed_server(&mut server, NOW, &bytes).unwrap().len(), 2);
    let bytes = [publish(2), header(2, 0)].concat();
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    assert_eq!(published(&events, 2), []);
}

/// A client holds no more for its server.
#[test]
fn a_client_has_the_same_limit() {
    let mut config = ClientConfig::default();
    config.limits.held_size = 100;
    let mut client = open_client(config, 4096, 0);
    let bytes = [
        method(1, basic::Deliver::default()),
        header(1, 1000),
        body(1, &[1; 100]),
    ]
    .concat();
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    let [
        ClientEvent::ChannelFailed {
            channel: 1, error, ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (error.reply_code, error.method),
        (ReplyCode::ContentTooLarge, Some(basic::Deliver::ID))
    );
}

/// 406, as RabbitMQ answers it: 311 means that it may be tried again.
#[test]
fn a_body_over_the_limit_closes_its_channel() {
    let mut server = open_server(server_config(), 4096, 0);
    feed_server(&mut server, NOW, &method(2, channel::Open {})).unwrap();
    transmitted!(server);
    let bytes = [
        publish(1),
        header(1, 20_001),
        body(1, b"some of it"),
        publish(2),
        header(2, 20_000),
        method(1, channel::CloseOk {}),
    ]
    .concat();
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let [
        ServerEvent::ChannelFailed {
            channel: 1, error, ..
        },
        ServerEvent::ChannelCloseOk { channel: 1, .. },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (error.reply_code, error.method),
        (ReplyCode::PreconditionFailed, Some(basic::Publish::ID))
    );
    let said = transmitted!(server);
    assert!(
        said[0].starts_with("1 channel.close reply_code=406 "),
        "{said:?}"
    );
    assert_eq!(said.len(), 1);
}

/// The same where the content is in one frame, and there at once.
#[test]
fn a_body_over_the_limit_is_refused_however_it_comes() {
    let mut server = open_server(server_config(), 131_072, 0);
    let bytes = [publish(1), header(1, 20_001), body(1, &[0; 20_001])].concat();
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let failed = matches!(events[..], [ServerEvent::ChannelFailed { channel: 1, .. }]);
    assert!(failed, "{events:?}");
}
