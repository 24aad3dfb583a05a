//! What the broker answers to single deviations from AMQP 0-9-1. The reference
//! is what RabbitMQ 3.10.8 answered to the same; the names are those of that
//! observation.

use crate::world::World;
use crate::world::amqp::{Amqp, delete_queue, table, text};
use amqp_codec::connection::{Requeue, Tags};
use amqp_codec::method::{basic, confirm, exchange, queue, tx};
use amqp_codec::{FieldValue, Method, PropertyFields, TableBuf};

const NONE: TableBuf = TableBuf::new();

/// One deviation: what is done on channel 1 of a client, in a world where
/// another client has the exclusive queue `theirs`.
type Deviation = (&'static str, fn(&mut Amqp, &mut World), &'static str);

fn declare_exchange(c: &mut Amqp, name: &str, kind: &str) {
    let declare = exchange::Declare {
        exchange: name,
        r#type: kind,
        ..Default::default()
    };
    c.codec.exchange_declare(1, &declare).unwrap();
}

fn declare_with(c: &mut Amqp, name: &str, value: FieldValue<'_>) {
    c.declare("args", &table([(name, value)]));
}

fn delete_exchange(c: &mut Amqp, exchange: &str, if_unused: bool) {
    let delete = exchange::Delete {
        exchange,
        if_unused,
        ..Default::default()
    };
    c.codec.exchange_delete(1, &delete).unwrap();
}

fn bind_exchange(c: &mut Amqp, source: &str, destination: &str) {
    let bind = exchange::Bind {
        source,
        destination,
        ..Default::default()
    };
    c.codec.exchange_bind(1, &bind).unwrap();
}

fn publish_fields(c: &mut Amqp, fields: &PropertyFields<'_>) {
    c.publish_with(1, "", "q", "body", false, fields);
}

const DEVIATIONS: &[Deviation] = &[
    (
        "exchange_unknown_type",
        |c, _| declare_exchange(c, "x", "nope"),
        "connection.close 503 COMMAND_INVALID - unknown exchange type 'nope'",
    ),
    (
        "exchange_amq_prefix",
        |c, _| declare_exchange(c, "amq.x", "direct"),
        "channel.close 403 ACCESS_REFUSED - exchange name 'amq.x' contains reserved pr",
    ),
    (
        "exchange_default_declare",
        |c, _| declare_exchange(c, "", "direct"),
        "channel.close 403 ACCESS_REFUSED - operation not permitted on the default exchange",
    ),
    (
        "exchange_passive_missing",
        |c, _| {
            let declare = exchange::Declare {
                exchange: "none",
                passive: true,
                ..Default::default()
            };
            c.codec.exchange_declare(1, &declare).unwrap();
        },
        "channel.close 404 NOT_FOUND - no exchange 'none' in vhost '/'",
    ),
    (
        "exchange_inequivalent_type",
        |c, _| {
            declare_exchange(c, "x", "direct");
            declare_exchange(c, "x", "fanout");
        },
        "channel.close 406 PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x'",
    ),
    (
        "exchange_delete_missing",
        |c, _| delete_exchange(c, "none", false),
        "exchange.delete-ok",
    ),
    (
        "exchange_delete_amq",
        |c, _| delete_exchange(c, "amq.direct", false),
        "channel.close 403 ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/'",
    ),
    (
        "exchange_delete_default",
        |c, _| delete_exchange(c, "", false),
        "channel.close 403 ACCESS_REFUSED - operation not permitted on the default exchange",
    ),
    (
        "exchange_delete_if_unused",
        |c, _| {
            declare_exchange(c, "x", "direct");
            c.declare("q", &NONE);
            c.bind("q", "x", "k");
            delete_exchange(c, "x", true);
        },
        "channel.close 406 PRECONDITION_FAILED - exchange 'x' in vhost '/' in use",
    ),
    (
        "exchange_bind_default",
        |c, _| bind_exchange(c, "", "amq.direct"),
        "channel.close 403 ACCESS_REFUSED - operation not permitted on the default exchange",
    ),
    (
        "exchange_publish_internal",
        |c, _| {
            let declare = exchange::Declare {
                exchange: "x",
                r#type: "direct",
                internal: true,
                ..Default::default()
            };
            c.codec.exchange_declare(1, &declare).unwrap();
            c.publish(1, "x", "k", "body");
        },
        "channel.close 403 ACCESS_REFUSED - cannot publish to internal exchange 'x' in",
    ),
    (
        "exchange_name_invalid_char",
        |c, _| declare_exchange(c, "x y/&", "direct"),
        "exchange.declare-ok",
    ),
    (
        "queue_server_named",
        |c, _| c.declare("", &NONE),
        "queue.declare-ok amq.gen-",
    ),
    (
        "queue_amq_prefix",
        |c, _| c.declare("amq.q", &NONE),
        "channel.close 403 ACCESS_REFUSED - queue name 'amq.q' contains reserved prefi",
    ),
    (
        "queue_passive_missing",
        |c, _| {
            let declare = queue::Declare {
                queue: "none",
                passive: true,
                ..Default::default()
            };
            c.codec.queue_declare(1, &declare).unwrap();
        },
        "channel.close 404 NOT_FOUND - no queue 'none' in vhost '/'",
    ),
    (
        "queue_exclusive_other_conn",
        |c, _| c.declare("theirs", &NONE),
        "channel.close 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'theirs'",
    ),
    (
        "queue_delete_missing",
        |c, _| delete_queue(c, "none", false, false),
        "queue.delete-ok 0",
    ),
    (
        "queue_delete_if_empty",
        |c, _| {
            c.declare("q", &NONE);
            c.publish(1, "", "q", "body");
            delete_queue(c, "q", false, true);
        },
        "channel.close 406 PRECONDITION_FAILED - queue 'q' in vhost '/' not empty",
    ),
    (
        "queue_delete_if_unused",
        |c, _| {
            c.declare("q", &NONE);
            c.consume(1, "q", "t", true);
            delete_queue(c, "q", true, false);
        },
        "channel.close 406 PRECONDITION_FAILED - queue 'q' in vhost '/' in use",
    ),
    (
        "queue_bind_missing_exchange",
        |c, _| {
            c.declare("q", &NONE);
            c.bind("q", "none", "k");
        },
        "channel.close 404 NOT_FOUND - no exchange 'none' in vhost '/'",
    ),
    (
        "queue_bind_missing_queue",
        |c, _| c.bind("none", "amq.direct", "k"),
        "channel.close 404 NOT_FOUND - no queue 'none' in vhost '/'",
    ),
    (
        "queue_bind_default_exchange",
        |c, _| {
            c.declare("q", &NONE);
            c.bind("q", "", "k");
        },
        "channel.close 403 ACCESS_REFUSED - operation not permitted on the default exchange",
    ),
    (
        "queue_unbind_missing_binding",
        |c, _| {
            c.declare("q", &NONE);
            let unbind = queue::Unbind {
                queue: "q",
                exchange: "amq.direct",
                ..Default::default()
            };
            c.codec.queue_unbind(1, &unbind).unwrap();
        },
        "queue.unbind-ok",
    ),
    (
        "queue_purge_missing",
        |c, _| {
            let purge = queue::Purge {
                queue: "none",
                ..Default::default()
            };
            c.codec.queue_purge(1, &purge).unwrap();
        },
        "channel.close 404 NOT_FOUND - no queue 'none' in vhost '/'",
    ),
    (
        "queue_no_current_queue",
        |c, _| {
            c.codec.queue_purge(1, &queue::Purge::default()).unwrap();
        },
        "channel.close 404 NOT_FOUND - no previously declared queue",
    ),
    (
        "queue_current_queue",
        |c, _| {
            c.declare("", &NONE);
            c.codec.queue_purge(1, &queue::Purge::default()).unwrap();
        },
        "queue.purge-ok 0",
    ),
    (
        "queue_bad_ttl_type",
        |c, _| declare_with(c, "x-message-ttl", text("1")),
        "channel.close 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue",
    ),
    (
        "queue_neg_ttl",
        |c, _| declare_with(c, "x-message-ttl", FieldValue::I32(-1)),
        "channel.close 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue",
    ),
    (
        "queue_expires_0",
        |c, _| declare_with(c, "x-expires", FieldValue::I32(0)),
        "channel.close 406 PRECONDITION_FAILED - invalid arg 'x-expires' for queue",
    ),
    (
        "queue_unknown_x_arg",
        |c, _| declare_with(c, "x-nope", FieldValue::I32(0)),
        "queue.declare-ok args 0 0",
    ),
    (
        "queue_bad_overflow",
        |c, _| declare_with(c, "x-overflow", text("nope")),
        "channel.close 406 PRECONDITION_FAILED - invalid arg 'x-overflow' for queue",
    ),
    (
        "queue_bad_type",
        |c, _| declare_with(c, "x-queue-type", text("nope")),
        "channel.close 406 PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue",
    ),
    (
        "queue_max_priority_256",
        |c, _| declare_with(c, "x-max-priority", FieldValue::I32(256)),
        "channel.close 406 PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue",
    ),
    (
        "queue_dlrk_without_dlx",
        |c, _| declare_with(c, "x-dead-letter-routing-key", text("k")),
        "channel.close 406 PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queu",
    ),
    (
        "quorum_exclusive",
        |c, _| {
            let arguments = table([("x-queue-type", text("quorum"))]);
            let declare = queue::Declare {
                queue: "q",
                durable: true,
                exclusive: true,
                arguments: arguments.as_table(),
                ..Default::default()
            };
            c.codec.queue_declare(1, &declare).unwrap();
        },
        "channel.close 406 PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'q'",
    ),
    (
        "stream_nondurable",
        |c, _| declare_with(c, "x-queue-type", text("stream")),
        "channel.close 406 PRECONDITION_FAILED - invalid property 'non-durable' for queue 'args'",
    ),
    (
        "basic_qos_prefetch_size",
        |c, _| {
            let qos = basic::Qos {
                prefetch_size: 1000,
                ..Default::default()
            };
            c.codec.qos(1, &qos).unwrap();
        },
        "connection.close 540 NOT_IMPLEMENTED - prefetch_size!=0 (1000)",
    ),
    (
        "basic_publish_missing_exchange",
        |c, _| c.publish(1, "none", "k", "body"),
        "channel.close 404 NOT_FOUND - no exchange 'none' in vhost '/'",
    ),
    (
        "basic_publish_mandatory_unroutable",
        |c, _| {
            c.publish_with(1, "", "none", "body", true, &PropertyFields::default());
        },
        "return 312 body",
    ),
    (
        "basic_publish_bad_expiration",
        |c, _| {
            publish_fields(
                c,
                &PropertyFields {
                    expiration: Some("abc".into()),
                    ..Default::default()
                },
            );
        },
        "channel.close 406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer",
    ),
    (
        "basic_publish_wrong_userid",
        |c, _| {
            publish_fields(
                c,
                &PropertyFields {
                    user_id: Some("mallory".into()),
                    ..Default::default()
                },
            );
        },
        "channel.close 406 PRECONDITION_FAILED - user_id property set to 'mallory' but authentica",
    ),
    (
        "basic_publish_cc_not_array",
        |c, _| {
            let headers = table([("CC", text("q"))]);
            publish_fields(
                c,
                &PropertyFields {
                    headers: Some(headers.as_table()),
                    ..Default::default()
                },
            );
        },
        "channel.close 406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,\"C",
    ),
    (
        "confirm_then_tx",
        |c, _| {
            c.codec
                .confirm_select(1, &confirm::Select::default())
                .unwrap();
            c.codec.tx_select(1, &tx::Select::default()).unwrap();
        },
        "channel.close 406 PRECONDITION_FAILED - cannot switch from confirm to tx mode",
    ),
    (
        "tx_then_confirm",
        |c, _| {
            c.codec.tx_select(1, &tx::Select::default()).unwrap();
            c.codec
                .confirm_select(1, &confirm::Select::default())
                .unwrap();
        },
        "channel.close 406 PRECONDITION_FAILED - cannot switch from tx to confirm mode",
    ),
    (
        "tx_commit_not_selected",
        |c, _| c.codec.tx_commit(1, &tx::Commit::default()).unwrap(),
        "channel.close 406 PRECONDITION_FAILED - channel is not transactional",
    ),
    (
        "tx_select_twice",
        |c, _| {
            c.codec.tx_select(1, &tx::Select::default()).unwrap();
            c.codec.tx_select(1, &tx::Select::default()).unwrap();
        },
        "tx.select-ok",
    ),
    (
        "basic_consume_missing",
        |c, _| c.consume(1, "none", "t", true),
        "channel.close 404 NOT_FOUND - no queue 'none' in vhost '/'",
    ),
    (
        "basic_consume_dup_tag",
        |c, _| {
            c.declare("q", &NONE);
            c.consume(1, "q", "t", true);
            c.consume(1, "q", "t", true);
        },
        "connection.close 530 NOT_ALLOWED - attempt to reuse consumer tag 't'",
    ),
    (
        "basic_consume_exclusive_conflict",
        |c, _| {
            c.declare("q", &NONE);
            c.consume(2, "q", "t", true);
            let consume = basic::Consume {
                queue: "q",
                exclusive: true,
                ..Default::default()
            };
            c.codec.consume(1, &consume).unwrap();
        },
        "channel.close 403 ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
    ),
    (
        "basic_consume_bad_priority",
        |c, _| {
            c.declare("q", &NONE);
            let arguments = table([("x-priority", text("high"))]);
            let consume = basic::Consume {
                queue: "q",
                arguments: arguments.as_table(),
                ..Default::default()
            };
            c.codec.consume(1, &consume).unwrap();
        },
        "channel.close 406 PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q'",
    ),
    (
        "basic_cancel_unknown_tag",
        |c, _| {
            let cancel = basic::Cancel {
                consumer_tag: "none",
                ..Default::default()
            };
            c.codec.cancel(1, &cancel).unwrap();
        },
        "basic.cancel-ok",
    ),
    (
        "basic_get_missing",
        |c, _| c.get("none", true),
        "channel.close 404 NOT_FOUND - no queue 'none' in vhost '/'",
    ),
    (
        "basic_get_empty",
        |c, _| {
            c.declare("q", &NONE);
            c.get("q", true);
        },
        "basic.get-empty",
    ),
    (
        "basic_ack_unknown_tag",
        |c, _| c.codec.ack(1, Tags::One(42)).unwrap(),
        "channel.close 406 PRECONDITION_FAILED - unknown delivery tag 42",
    ),
    (
        "basic_ack_twice",
        |c, w| {
            c.declare("q", &NONE);
            c.publish(1, "", "q", "body");
            c.get("q", false);
            c.seen(w);
            c.codec.ack(1, Tags::One(1)).unwrap();
            c.codec.ack(1, Tags::One(1)).unwrap();
        },
        "channel.close 406 PRECONDITION_FAILED - unknown delivery tag 1",
    ),
    (
        "basic_ack_multiple_zero_none",
        |c, _| {
            c.codec.ack(1, Tags::UpTo(0)).unwrap();
            c.codec.qos(1, &basic::Qos::default()).unwrap();
        },
        "basic.qos-ok",
    ),
    (
        "basic_reject_unknown_tag",
        |c, _| c.codec.reject(1, 42, Requeue::Yes).unwrap(),
        "channel.close 406 PRECONDITION_FAILED - unknown delivery tag 42",
    ),
    (
        "basic_nack_unknown_tag",
        |c, _| c.codec.nack(1, Tags::One(42), Requeue::Yes).unwrap(),
        "channel.close 406 PRECONDITION_FAILED - unknown delivery tag 42",
    ),
    (
        "basic_recover_requeue_false",
        |c, _| {
            c.codec
                .recover(1, &basic::Recover { requeue: false })
                .unwrap();
        },
        "connection.close 540 NOT_IMPLEMENTED - requeue=false",
    ),
    (
        "basic_recover_requeue_true",
        |c, _| {
            c.codec
                .recover(1, &basic::Recover { requeue: true })
                .unwrap();
        },
        "basic.recover-ok",
    ),
    (
        "basic_get_direct_reply_to_no_consumer",
        |c, _| c.get("amq.rabbitmq.reply-to", true),
        "channel.close 406 PRECONDITION_FAILED - fast reply consumer does not exist",
    ),
    (
        "direct_reply_to_consume_with_ack",
        |c, _| c.consume(1, "amq.rabbitmq.reply-to", "", false),
        "channel.close 406 PRECONDITION_FAILED - reply consumer cannot acknowledge",
    ),
    (
        "direct_reply_to_consume_noack",
        |c, _| c.consume(1, "amq.rabbitmq.reply-to", "t", true),
        "basic.consume-ok t",
    ),
    (
        "access_request",
        |c, _| c.codec.access_request(1, &Default::default()).unwrap(),
        "access.request-ok",
    ),
    (
        "auto_delete_never_consumed_survives",
        |c, _| {
            let declare = queue::Declare {
                queue: "q",
                auto_delete: true,
                ..Default::default()
            };
            c.codec.queue_declare(1, &declare).unwrap();
            c.get("q", true);
            c.codec
                .queue_declare(
                    1,
                    &queue::Declare {
                        passive: true,
                        ..declare
                    },
                )
                .unwrap();
        },
        "queue.declare-ok q 0 0",
    ),
    (
        "channel_flow_false",
        |c, _| {
            c.codec
                .flow(1, &amqp_codec::method::channel::Flow { active: false })
                .unwrap();
        },
        "connection.close 540 NOT_IMPLEMENTED - active=false",
    ),
    (
        "basic_publish_immediate",
        |c, w| {
            let publish = basic::Publish {
                routing_key: "q",
                immediate: true,
                ..Default::default()
            };
            c.raw(w, 1, Method::BasicPublish(publish));
            let mut header = Vec::new();
            amqp_codec::Frame::Header {
                channel: 1,
                header: Default::default(),
            }
            .encode(&mut header)
            .unwrap();
            w.send(c.id, &header);
        },
        "connection.close 540 NOT_IMPLEMENTED - immediate=true",
    ),
    (
        "queue_exclusive_get_other_conn",
        |c, _| c.get("theirs", true),
        "channel.close 405 RESOURCE_LOCKED",
    ),
    (
        "queue_exclusive_consume_other_conn",
        |c, _| c.consume(1, "theirs", "", true),
        "channel.close 405 RESOURCE_LOCKED",
    ),
];

#[test]
fn deviations() {
    for (name, act, expected) in DEVIATIONS {
        let mut world = World::new();
        let mut other = Amqp::connect(&mut world);
        let exclusive = queue::Declare {
            queue: "theirs",
            exclusive: true,
            ..Default::default()
        };
        other.codec.queue_declare(1, &exclusive).unwrap();
        other.seen(&mut world);
        let mut client = Amqp::connect(&mut world);
        act(&mut client, &mut world);
        let answer = client.answer(&mut world);
        assert!(answer.starts_with(expected), "{name}: {answer:?}");
        // A channel that is closed leaves the connection as it was.
        if answer.starts_with("channel.close") {
            client.codec.open_channel().unwrap();
            assert_eq!(client.answer(&mut world), "channel 1", "{name}");
        }
    }
}
