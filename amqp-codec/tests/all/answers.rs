//! Requests and their answers, in order, on either side; what is sent without being
//! asked for; and what sends that fail leave behind.

use crate::peers::*;
use amqp_codec::ReplyCode;
use amqp_codec::connection::{
    Capabilities, ClientConfig, ClientEvent, Delivery, Message, Reply, Request, SendError,
    ServerConfig, ServerConnection, ServerEvent,
};
use amqp_codec::method::{basic, channel, connection, queue, tx};

#[test]
fn answers_are_in_the_order_of_requests_and_kept_back_on_no_wait() {
    let mut server = open_server(server_config(), 4096, 0);
    let bytes = [
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
    ]
    .concat();
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    let asked: Vec<_> = events
        .iter()
        .map(|event| match event {
            ServerEvent::Request {
                channel: 1,
                request,
                ..
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
    let bytes = [
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
    ]
    .concat();
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    let [
        ClientEvent::Reply {
            channel: 1,
            reply: Reply::QueueDeclareOk(ok),
            ..
        },
        ClientEvent::GetOk {
            channel: 1,
            delivery_tag: 1,
            redelivered: false,
            message_count: 7,
            content,
            ..
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
    assert_matches!(
        &events[..],
        [ServerEvent::UpdateSecret {
            new_secret: b"jwt",
            reason: "expired",
            ..
        }]
    );
    server.update_secret_ok().unwrap();
    assert_eq!(transmitted!(server), ["0 connection.update-secret-ok"]);
    // It was asked once.
    let unasked = SendError::NotRequested(connection::UpdateSecretOk::ID);
    assert_eq!(server.update_secret_ok(), Err(unasked));
    assert_eq!(server.transmit_len(), 0);
}

#[test]
fn update_secret_is_answered() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    client.update_secret(b"jwt", "expired").unwrap();
    assert_eq!(
        transmitted!(client),
        [r#"0 connection.update-secret new_secret=<3 bytes> reason="expired""#]
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
        (
            ReplyCode::CommandInvalid,
            Some(connection::UpdateSecretOk::ID)
        )
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
        let bytes = [
            b"AMQP\0\0\x09\x01".to_vec(),
            start_ok(capabilities),
            tune_ok(1, 4096, 0),
            open(),
            method(1, channel::Open {}),
        ]
        .concat();
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

// shows: channel / flow / bidirectional
#[test]
fn what_a_server_sends_of_its_own_accord() {
    let mut client = open_client(ClientConfig::default(), 4096, 0);
    let bytes = [
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
    ]
    .concat();
    let events = feed_client(&mut client, NOW, &bytes).unwrap();
    assert_matches!(
        &events[..4],
        [
            ClientEvent::Blocked { reason: "disk", .. },
            ClientEvent::Unblocked,
            ClientEvent::ConsumerCancelled {
                channel: 1,
                consumer_tag: "a",
                ..
            },
            ClientEvent::ConsumerCancelled {
                channel: 1,
                consumer_tag: "b",
                ..
            },
        ]
    );
    let ClientEvent::Deliver(Delivery {
        channel: 1,
        delivery_tag: 5,
        redelivered: true,
        content,
        ..
    }) = &events[4]
    else {
        panic!("{events:?}")
    };
    let method_of_it = content.method();
    assert_eq!(
        method_of_it.to_string(),
        r#"basic.deliver consumer_tag="c" delivery_tag=5 redelivered=true exchange="e" routing_key="k""#
    );
    assert_matches!(
        &events[5],
        ClientEvent::Flow {
            channel: 1,
            active: false,
            ..
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
        client.publish(1, Mandatory::No, &message),
        Err(SendError::FlowInactive(1))
    );
    feed_client(&mut client, NOW, &method(1, channel::Flow { active: true })).unwrap();
    assert_eq!(client.publish(1, Mandatory::No, &message), Ok(None));
}

#[test]
fn flow_pauses_deliveries() {
    let mut server = open_server(server_config(), 4096, 0);
    let bytes = method(1, channel::Flow { active: false });
    let events = feed_server(&mut server, NOW, &bytes).unwrap();
    assert_matches!(
        &events[..],
        [ServerEvent::Request {
            channel: 1,
            request: Request::ChannelFlow(channel::Flow { active: false }),
            ..
        }]
    );
    server
        .flow_ok(1, &channel::FlowOk { active: false })
        .unwrap();
    assert_eq!(
        server.deliver(1, "t", Redelivered::No, &Message::default()),
        Err(SendError::FlowInactive(1))
    );
    feed_server(&mut server, NOW, &method(1, channel::Flow { active: true })).unwrap();
    server
        .flow_ok(1, &channel::FlowOk { active: true })
        .unwrap();
    assert_eq!(
        server.deliver(1, "t", Redelivered::No, &Message::default()),
        Ok(1)
    );
    assert_eq!(
        transmitted!(server)[..2],
        [
            "1 channel.flow-ok active=false",
            "1 channel.flow-ok active=true"
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
        server.deliver(1, "t", Redelivered::No, &message),
        Err(SendError::Encode(_))
    ));
    assert_eq!(server.transmit_len(), 0);
    assert_eq!(
        server.deliver(1, "t", Redelivered::No, &Message::default()),
        Ok(1)
    );
}
