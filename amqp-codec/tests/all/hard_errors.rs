//! What ends an open connection, and how the peer is told: the rows that a RabbitMQ
//! 3.10.8 was seen to answer, where a connection is to answer them and not the
//! broker behind it.

use crate::peers::*;
use amqp_codec::connection::{Capabilities, ClientConfig, ReplyError, SendError, ServerConfig};
use amqp_codec::method::{basic, channel, connection, queue};
use amqp_codec::{MethodId, ReplyCode};

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
    let rows: Vec<(&str, Vec<u8>, u16, Option<MethodId>)> = vec![
        ("frame_bad_end", [&declare[..declare.len() - 1], &[0]].concat(), 501, None),
        ("frame_too_large", b"\x01\x00\x01\x00\x00\x13\x88".to_vec(), 501, None),
        ("frame_unknown_type", frame(9, 1, b"abc"), 501, None),
        ("heartbeat_nonzero_channel", frame(8, 1, b""), 505, None),
        ("heartbeat_with_payload", frame(8, 0, b"x"), 501, None),
        ("method_unknown_class", frame(1, 1, b"\x00\x63\x00\x0a"), 540, Some(MethodId::new(99, 10))),
        ("method_unknown_method", frame(1, 1, b"\x00\x3c\x00\x63"), 540, Some(MethodId::new(60, 99))),
        ("method_truncated_args", frame(1, 1, b"\x00\x3c\x00\x0a\x00"), 501, Some(basic::Qos::ID)),
        ("method_trailing_bytes", frame(1, 1, b"\x00\x3c\x00\x0a\x00\x00\x00\x00\x00\x00\x00extra"), 501, Some(basic::Qos::ID)),
        ("method_nonconn_on_ch0", method(0, queue::Declare::default()), 504, Some(queue::Declare::ID)),
        ("channel.open on channel 0", method(0, channel::Open {}), 504, Some(channel::Open::ID)),
        ("connclass_on_ch1", method(1, connection::Open { virtual_host: "/" }), 503, Some(connection::Open::ID)),
        ("connection.close on channel 1", method(1, connection::Close::default()), 503, Some(connection::Close::ID)),
        ("bad_utf8_shortstr", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01\xff\x00\x00\x00\x00\x00"), 501, Some(queue::Declare::ID)),
        ("table_bad_type", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x03\x01a?"), 502, Some(queue::Declare::ID)),
        ("table_truncated", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x09\x01a"), 501, Some(queue::Declare::ID)),
        ("channel_open_twice", method(1, channel::Open {}), 504, Some(channel::Open::ID)),
        ("method_on_unopened_channel", method(2, queue::Declare::default()), 504, Some(queue::Declare::ID)),
        ("channel.close on an unopened channel", method(2, channel::Close::default()), 504, Some(channel::Close::ID)),
        ("content header on an unopened channel", header(2, 0), 504, None),
        ("content body on channel 0", body(0, b"x"), 504, None),
        ("content header on channel 0", header(0, 1), 504, None),
        ("content_header_wrong_class", [publish(1), frame(2, 1, b"\x00\x32\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")].concat(), 505, Some(basic::Publish::ID)),
        ("content_header_weight_nonzero", [publish(1), frame(2, 1, b"\x00\x3c\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")].concat(), 505, Some(basic::Publish::ID)),
        ("content_method_instead_of_header", [publish(1), publish(1)].concat(), 505, Some(basic::Publish::ID)),
        ("content_method_instead_of_body", [publish(1), header(1, 3), publish(1)].concat(), 505, Some(basic::Publish::ID)),
        ("content header twice", [publish(1), header(1, 3), header(1, 3)].concat(), 505, Some(basic::Publish::ID)),
        ("content body instead of header", [publish(1), body(1, b"x")].concat(), 505, Some(basic::Publish::ID)),
        ("content_body_without_header", body(1, b"x"), 505, None),
        ("content header without method", header(1, 0), 505, None),
        ("content_body_overrun", [publish(1), header(1, 3), body(1, b"four")].concat(), 505, Some(basic::Publish::ID)),
        ("content body overrun by the second frame", [publish(1), header(1, 3), body(1, b"tw"), body(1, b"tw")].concat(), 505, Some(basic::Publish::ID)),
        ("body after a content of size 0", [publish(1), header(1, 0), body(1, b"")].concat(), 505, None),
        ("content_bad_props_flags", [publish(1), frame(2, 1, b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03")].concat(), 502, Some(basic::Publish::ID)),
        ("a server's method: queue.declare-ok", method(1, queue::DeclareOk::default()), 503, Some(queue::DeclareOk::ID)),
        ("a server's content: basic.deliver", method(1, basic::Deliver::default()), 503, Some(basic::Deliver::ID)),
        ("a server's method on channel 0: connection.tune", method(0, connection::Tune::default()), 503, Some(connection::Tune::ID)),
        ("connection.open twice", open(), 503, Some(connection::Open::ID)),
        ("connection.start-ok late", start_ok(Capabilities::ALL), 503, Some(connection::StartOk::ID)),
        ("channel.close-ok that nobody asked for", method(1, channel::CloseOk {}), 503, Some(channel::CloseOk::ID)),
        ("connection.close-ok that nobody asked for", method(0, connection::CloseOk {}), 503, Some(connection::CloseOk::ID)),
    ];
    for (name, bytes, code, cause) in rows {
        let mut server = open_server(server_config(), 4096, 0);
        let error = feed_server(&mut server, NOW, &bytes).expect_err(name);
        let reply = error.reply().unwrap_or_else(|| panic!("{name}: {error:?}"));
        assert_eq!((reply.reply_code.code(), reply.method), (code, cause), "{name}");
        let text = reply.reply_text();
        let numbers = cause.unwrap_or(MethodId::new(0, 0));
        assert_eq!(
            transmitted!(server),
            [format!(
                "0 connection.close reply_code={code} reply_text={text:?} class_id={} method_id={}",
                numbers.class_id, numbers.method_id
            )],
            "{name}"
        );
        // Terminal and sticky, but for the answer to the goodbye, if frames can
        // still be told apart.
        let lost = bytes.len() < 8 || bytes.ends_with(&[0]) || bytes[0] == 9;
        assert_eq!(server.is_closed(), lost, "{name}");
        assert_eq!(server.close(NOW, &reply), Err(SendError::Closed), "{name}");
        let more = [
            open(),
            publish(1),
            method(0, connection::Close::default()),
        ].concat();
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

/// Each on an open connection with channel 1 open; the server is told.
#[test]
fn a_server_that_breaks_rules_is_told() {
    let rows: Vec<(&str, Vec<u8>, u16, Option<MethodId>)> = vec![
        (
            "an answer that nobody asked for",
            method(1, queue::BindOk {}),
            503,
            Some(queue::BindOk::ID),
        ),
        (
            "a client's method",
            method(1, queue::Bind::default()),
            503,
            Some(queue::Bind::ID),
        ),
        (
            "channel.open from a server",
            method(2, channel::Open {}),
            504,
            Some(channel::Open::ID),
        ),
        (
            "channel.open-ok twice",
            method(1, channel::OpenOk {}),
            503,
            Some(channel::OpenOk::ID),
        ),
        (
            "a delivery on an unopened channel",
            method(2, basic::Deliver::default()),
            504,
            Some(basic::Deliver::ID),
        ),
        (
            "an ack outside of confirm mode",
            ack(1, false),
            503,
            Some(basic::Ack::ID),
        ),
        (
            "get-ok without get",
            [method(1, basic::GetOk::default()), header(1, 0)].concat(),
            503,
            Some(basic::GetOk::ID),
        ),
        (
            "connection.start late",
            start(b"PLAIN"),
            503,
            Some(connection::Start::ID),
        ),
        (
            "update-secret-ok that nobody asked for",
            method(0, connection::UpdateSecretOk {}),
            503,
            Some(connection::UpdateSecretOk::ID),
        ),
        ("a body without header", body(1, b"x"), 505, None),
        // The method whose content it is, not the one that breaks in.
        (
            "a method in a content",
            [
                method(1, basic::Deliver::default()),
                method(1, basic::Cancel::default()),
            ]
            .concat(),
            505,
            Some(basic::Deliver::ID),
        ),
        (
            "a body longer than its header says",
            [
                method(1, basic::Return::default()),
                header(1, 1),
                body(1, b"xy"),
            ]
            .concat(),
            505,
            Some(basic::Return::ID),
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
        let more = [
            method(1, basic::Deliver::default()),
            method(0, connection::CloseOk {}),
        ]
        .concat();
        let mut input = &more[..];
        assert_eq!(client.receive(NOW, &mut input), Err(error), "{name}");
        assert!(client.is_closed() && input.is_empty(), "{name}");
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
    let bytes = [method(2, deliver), header(2, 0)].concat();
    let error = feed_client(&mut client, NOW, &bytes).unwrap_err();
    let reply = error.reply().unwrap();
    assert_eq!(
        (reply.reply_code, reply.method),
        (ReplyCode::CommandInvalid, Some(basic::Deliver::ID))
    );
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

/// A text too long for the wire is cut between characters, not refused.
#[test]
fn reply_texts_are_cut_to_what_fits() {
    let mut server = open_server(server_config(), 4096, 0);
    let error = ReplyError::new(ReplyCode::NotFound, 1, "é".repeat(300));
    assert_eq!(error.reply_text().len(), 254);
    server.fail(NOW, &error).unwrap();
    assert_eq!(transmitted!(server).len(), 1);
}

#[test]
fn a_client_may_close_with_an_error() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    let error = ReplyError::new(ReplyCode::InternalError, 1, "bug");
    client.fail(NOW, &error).unwrap();
    let said = transmitted!(client);
    assert!(said[0].starts_with("0 connection.close reply_code=541 "));
}
