//! How large a frame may be (sections 2.3.3 and 4.2.3), in either role.

mod peers;

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ReplyError, ServerConfig, ServerConnection,
};
use amqp_codec::method::{Secret, connection};
use amqp_codec::{Limits, ReplyCode};
use peers::*;

/// A peer that wants no limit may still refuse what is too large for it (fields
/// frame-max of tune and tune-ok); what it refuses is what its limits say,
/// also where RabbitMQ's eight octets over the agreed frame-max lie above.
// shows: section 2.3.3 / limits hold
#[test]
fn nothing_over_the_own_limit_is_taken() {
    const LIMIT: usize = 8192;
    let limits = Limits::default().with_frame_size(LIMIT as u32);
    // A frame of the limit, and one of an octet more, on a channel that is closing,
    // so that its payload does not matter.
    let fits = frame(3, 1, &vec![0; LIMIT - 8]);
    let over = frame(3, 1, &vec![0; LIMIT - 7]);

    let mut config = ServerConfig::default();
    (config.limits, config.frame_max) = (limits, 0);
    let mut server = open_server(config, LIMIT as u32, 0);
    let error = ReplyError::new(ReplyCode::NotFound, 1, "");
    server.fail(&error).unwrap();
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

/// A start-ok whose frame has so many octets.
fn start_ok_of(octets: usize) -> Vec<u8> {
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
    start_ok(&vec![7; octets - start_ok(b"").len()])
}

/// A start whose frame has so many octets.
fn start_of(octets: usize) -> Vec<u8> {
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
    let padding = vec![b'x'; octets - start(b"PLAIN ").len()];
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
        // initial_frame_size, frame_size, and the largest frame that is taken.
        (4096, 131_080, 4096 + 8),
        (0, 131_080, 4096 + 8),
        (8192, 131_080, 8192 + 8),
        (8192, 4096, 4096 + 8),
        (u32::MAX, 16_384, 16_384 + 8),
        (8192, 0, 4096 + 8),
    ];
    for (initial, frame_size, most) in rows {
        let limits = Limits::default()
            .with_initial_frame_size(initial)
            .with_frame_size(frame_size);
        for (octets, taken) in [(4096, true), (most, true), (most + 1, false)] {
            let mut config = ServerConfig::default();
            config.limits = limits;
            let mut server = ServerConnection::new(NOW, config);
            feed_server(&mut server, NOW, b"AMQP\0\0\x09\x01").unwrap();
            assert_eq!(transmitted!(server).len(), 1);
            let bytes = start_ok_of(octets);
            let events = feed_server(&mut server, NOW, &bytes);
            assert_eq!(events.is_ok(), taken, "server, {initial}: {octets}");
            if !taken {
                assert_eq!((server.transmit_len(), server.is_closed()), (0, true));
            }

            let mut config = ClientConfig::default();
            config.limits = limits;
            let mut client = ClientConnection::new(NOW, config);
            client.poll_transmit(&mut Vec::new());
            let bytes = start_of(octets);
            let events = feed_client(&mut client, NOW, &bytes);
            assert_eq!(events.is_ok(), taken, "client, {initial}: {octets}");
            if !taken {
                assert_eq!((client.transmit_len(), client.is_closed()), (0, true));
            }
        }
    }
}
