//! Consuming: basic.consume, cancel, deliver, get and qos (class basic, 4.7).

use std::collections::BTreeSet;

use super::bytes::{BASIC_CONSUME, BASIC_GET, BASIC_GET_OK, BASIC_QOS, BASIC_QOS_OK, args, fields};
use super::client::Client;
use super::method_args::{
    AUTO_DELETE, DURABLE, EXCLUSIVE, EXCLUSIVE_CONSUMER, NO_ACK, NO_LOCAL, NO_WAIT, consume_args,
};
use crate::case::Level::{May, Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Consuming",
    cases: &[
        Case {
            id: "amqp/basic.consume/generated-tag",
            rule: "basic / consume / consumer-tag",
            level: Must,
            title: "A consumer without a tag gets one that is unique on the channel",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                let tags = BTreeSet::from([
                    client.consume(&queue, "", 0)?,
                    client.consume(&queue, "", 0)?,
                    client.consume(&queue, "", 0)?,
                ]);
                if tags.len() == 3 {
                    Ok(())
                } else {
                    Err(fail("three consumer tags", format!("{tags:?}")))
                }
            },
        },
        Case {
            id: "amqp/basic.consume/tag-in-use",
            rule: "basic / consume / consumer-tag / 01",
            level: Must,
            title: "A consumer tag that is in use is a connection exception 530",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", 0)?;
                client.send(1, BASIC_CONSUME, consume_args(&queue, "c", 0, &fields()));
                client.expect_connection_close(1, &[530], "a consumer tag in use")
            },
        },
        Case {
            id: "amqp/basic.consume/tag-of-channel",
            rule: "basic / consume / consumer-tag / 02",
            level: Must,
            title: "A consumer tag belongs to its channel: another may use it, and cancels its own only",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.open_channel(2)?;
                let queue = client.queue(ctx)?;
                let other = client.declare(2, &ctx.name("other."), EXCLUSIVE)?.name;
                client.consume(&queue, "c", NO_ACK)?;
                client.consume_on(2, &other, "c", NO_ACK)?;
                client.cancel(2, "c")?;
                client.publish("", &queue, b"to channel 1");
                client.expect_delivery(b"to channel 1").map(drop)
            },
        },
        Case {
            id: "amqp/basic.consume/minimum",
            rule: "basic / consume / 01",
            level: Should,
            title: "A queue takes at least 16 consumers",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                for _ in 0..16 {
                    client.consume(&queue, "", NO_ACK)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/basic.consume/queue-not-found",
            rule: "basic / consume / queue",
            level: Must,
            title: "Consuming from a queue that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(
                    1,
                    BASIC_CONSUME,
                    consume_args(&ctx.name("none."), "", 0, &fields()),
                );
                client.expect_channel_close(1, &[404], "a queue that does not exist")
            },
        },
        Case {
            id: "amqp/basic.consume/exclusive",
            rule: "basic / consume / exclusive / 01",
            level: Must,
            title: "Exclusive access and another consumer exclude each other: channel exception 403",
            run: |ctx| {
                for (first, second) in [(EXCLUSIVE_CONSUMER, 0), (0, EXCLUSIVE_CONSUMER)] {
                    let mut client = Client::with_channel(ctx)?;
                    client.open_channel(2)?;
                    let queue = client.declare(1, "", EXCLUSIVE)?.name;
                    client.consume(&queue, "c", first)?;
                    client.send(
                        2,
                        BASIC_CONSUME,
                        consume_args(&queue, "d", second, &fields()),
                    );
                    client.expect_channel_close(2, &[403], "a consumer beside an exclusive one")?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/basic.consume/no-wait",
            rule: "domain no-wait",
            level: Must,
            title: "A consumer with no-wait is served and has no consume-ok",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                // In basic.consume no-wait is the fourth bit.
                let bits = NO_ACK | (NO_WAIT >> 1);
                client.send(1, BASIC_CONSUME, consume_args(&queue, "c", bits, &fields()));
                client.publish("", &queue, b"served");
                client.expect_delivery(b"served").map(drop)
            },
        },
        Case {
            id: "amqp/basic.deliver/fields",
            rule: "basic / deliver; delivery-tag / non-zero",
            level: Must,
            title: "A delivery says its consumer, exchange and routing key, and has a tag of its own, not 0",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let exchange = client.exchange(ctx, "topic")?;
                let queue = client.queue(ctx)?;
                client.bind(&queue, &exchange, "#")?;
                let tag = client.consume(&queue, "c", 0)?;
                let mut tags = BTreeSet::from([0]);
                for key in ["a.b", ""] {
                    client.publish(&exchange, key, b"body");
                    let message = client.expect_delivery(b"body")?;
                    let right = message.consumer_tag == tag.as_bytes()
                        && message.exchange == exchange.as_bytes()
                        && message.routing_key == key.as_bytes()
                        && tags.insert(message.delivery_tag)
                        && !message.redelivered;
                    if !right {
                        return Err(fail(
                            format!(
                                "consumer {tag:?}, a new delivery tag, {exchange:?}, {key:?}, not redelivered"
                            ),
                            format!("{message:?}"),
                        ));
                    }
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/basic.deliver/order",
            rule: "section 4.7 / order; basic / 08",
            level: Must,
            title: "Messages of one publisher arrive in order, persistent or not",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.declare(1, &ctx.name("q."), DURABLE)?.name;
                for i in 0..100_u32 {
                    // Property flags: bit 12 is delivery-mode.
                    let properties = args().short(1 << 12).octet(1 + (i % 3 == 0) as u8);
                    client.publish_with(1, "", &queue, 0, &properties.0, &i.to_be_bytes());
                }
                client.consume(&queue, "c", NO_ACK)?;
                for i in 0..100_u32 {
                    client.expect_delivery(&i.to_be_bytes())?;
                }
                client.delete_queue(&queue)
            },
        },
        Case {
            id: "amqp/basic.deliver/one-consumer-each",
            rule: "section 3.1.4",
            level: Must,
            title: "A message in a queue goes to one of its consumers only",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "a", NO_ACK)?;
                client.consume(&queue, "b", NO_ACK)?;
                let sent: BTreeSet<_> = (0..10_u8).map(|i| vec![i]).collect();
                for body in &sent {
                    client.publish("", &queue, body);
                }
                let mut received = BTreeSet::new();
                for _ in 0..10 {
                    received.insert(client.delivery(1)?.body);
                }
                if received != sent {
                    return Err(fail("ten messages, each once", format!("{received:?}")));
                }
                client.expect_silence("no message twice")
            },
        },
        Case {
            id: "amqp/basic.cancel/stops",
            rule: "basic / cancel",
            level: Must,
            title: "After cancel-ok nothing is delivered, and the message stays in the queue",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", 0)?;
                let cancelled = client.cancel(1, "c")?;
                if cancelled.args().shortstr()? != b"c" {
                    return Err(fail("cancel-ok of consumer c", cancelled.to_string()));
                }
                client.publish("", &queue, b"stays");
                client.expect_get(&queue, b"stays").map(drop)
            },
        },
        Case {
            id: "amqp/basic.cancel/unacknowledged",
            rule: "basic / cancel",
            level: Must,
            title: "What was delivered before a cancel can be acknowledged after it",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", 0)?;
                client.publish("", &queue, b"late");
                let message = client.expect_delivery(b"late")?;
                client.cancel(1, "c")?;
                client.ack(message.delivery_tag, false);
                client.expect_well(1, "basic.qos-ok: the delivery tag is still valid")
            },
        },
        Case {
            id: "amqp/basic.cancel/queue-gone",
            rule: "basic / cancel / 01",
            level: Must,
            title: "Cancelling a consumer whose queue has been deleted is no error",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", 0)?;
                client.delete_queue(&queue)?;
                client.cancel(1, "c").map(drop)
            },
        },
        Case {
            id: "amqp/basic.cancel/unknown-tag",
            rule: "basic / cancel",
            level: May,
            title: "Cancelling a consumer that is not there is answered with cancel-ok",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.cancel(1, "none").map(drop)
            },
        },
        Case {
            id: "amqp/basic.get/message-count",
            rule: "basic / get-ok",
            level: Must,
            title: "get-ok tells how many messages are left, and that this one comes for the first time",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                }
                client.send(1, BASIC_GET, args().short(0).shortstr(&queue).octet(1));
                let frame = client.expect(1, BASIC_GET_OK, "basic.get-ok")?;
                let mut args = frame.args();
                args.longlong()?;
                let redelivered = args.octet()?;
                args.shortstr()?;
                args.shortstr()?;
                if args.long()? == 2 && redelivered == 0 {
                    Ok(())
                } else {
                    let expected = "message-count 2, not redelivered";
                    Err(fail(expected, frame.to_string()))
                }
            },
        },
        Case {
            id: "amqp/basic.get/empty",
            rule: "basic / get",
            level: Must,
            title: "basic.get on an empty queue is answered with get-empty",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.expect_empty(&queue, "basic.get-empty")
            },
        },
        Case {
            id: "amqp/basic.get/queue-not-found",
            rule: "basic / get / queue",
            level: Must,
            title: "basic.get on a queue that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(
                    1,
                    BASIC_GET,
                    args().short(0).shortstr(ctx.name("none.")).octet(0),
                );
                client.expect_channel_close(1, &[404], "a queue that does not exist")
            },
        },
        Case {
            id: "amqp/basic.qos/prefetch-count",
            rule: "basic / qos / prefetch-count / 01",
            level: Must,
            title: "No more messages are sent than the prefetch count, and an ack makes room",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.call(1, BASIC_QOS, args().long(0).short(2).octet(0), BASIC_QOS_OK)?;
                for body in [b"1", b"2", b"3", b"4"] {
                    client.publish("", &queue, body);
                }
                client.consume(&queue, "c", 0)?;
                client.expect_delivery(b"1")?;
                let second = client.expect_delivery(b"2")?;
                client.expect_silence("two messages for a prefetch count of 2")?;
                client.ack(second.delivery_tag, false);
                client.expect_delivery(b"3")?;
                client.expect_silence("one message for one ack")
            },
        },
        Case {
            id: "amqp/basic.qos/no-ack-is-not-limited",
            rule: "basic / qos / prefetch-count",
            level: Must,
            title: "The prefetch count does not limit consumers that do not acknowledge",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.call(1, BASIC_QOS, args().long(0).short(1).octet(0), BASIC_QOS_OK)?;
                client.consume(&queue, "c", NO_ACK)?;
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                }
                for body in [b"1", b"2", b"3"] {
                    client.expect_delivery(body)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/basic.qos/global",
            rule: "basic / qos / global",
            level: Must,
            title: "A prefetch count with global is one for all consumers of the channel together",
            // On the whole connection, says the text; brokers that limit each consumer
            // without global limit the channel with it. Either is one for both.
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.call(1, BASIC_QOS, args().long(0).short(1).octet(1), BASIC_QOS_OK)?;
                client.consume(&queue, "one", 0)?;
                client.consume(&queue, "two", 0)?;
                client.publish("", &queue, b"1");
                client.publish("", &queue, b"2");
                let first = client.expect_delivery(b"1")?;
                client.expect_silence("one message for a prefetch count of 1")?;
                client.ack(first.delivery_tag, false);
                client.expect_delivery(b"2").map(drop)
            },
        },
        Case {
            id: "amqp/basic.consume/no-local",
            rule: "domain no-local",
            level: Must,
            title: "A consumer with no-local does not get what its own connection publishes",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                // Shared, so that another connection may publish to it.
                let queue = client.declare(1, &ctx.name("q."), AUTO_DELETE)?.name;
                client.consume(&queue, "c", NO_LOCAL | NO_ACK)?;
                client.publish("", &queue, b"own");
                let mut other = Client::with_channel(ctx)?;
                other.publish("", &queue, b"of another");
                client.expect_delivery(b"of another").map(drop)
            },
        },
        Case {
            id: "amqp/basic.qos/prefetch-size",
            rule: "basic / qos / prefetch-size / 01",
            level: Must,
            title: "A message larger than the prefetch size is sent when no other is unacknowledged",
            run: prefetch_size,
        },
        Case {
            id: "amqp/basic/priority",
            rule: "basic / 06",
            level: Must,
            title: "Of messages with priority 0 and 9 the latter comes first, in a queue for priorities",
            // Brokers order by priority in queues that were declared for it;
            // to others x-max-priority is an argument they do not know.
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let arguments = fields().int("x-max-priority", 9);
                let queue = client
                    .declare_with(1, &ctx.name("q."), EXCLUSIVE, &arguments)?
                    .name;
                for (priority, body) in [(0, b"low1"), (9, b"high"), (0, b"low2")] {
                    // Property flags: bit 11 is priority.
                    let properties = args().short(1 << 11).octet(priority);
                    client.publish_with(1, "", &queue, 0, &properties.0, body);
                }
                for body in [b"high", b"low1", b"low2"] {
                    client.expect_get(&queue, body)?;
                }
                Ok(())
            },
        },
    ],
};

fn prefetch_size(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let queue = client.queue(ctx)?;
    client.send(1, BASIC_QOS, args().long(10).short(0).octet(0));
    match client.next(1)? {
        Seen::Frame(frame) if frame.method() == Some(BASIC_QOS_OK) => {}
        // The constants have a code for functionality that is not there.
        Seen::Frame(frame) if matches!(frame.close_reason(), Some((540, _))) => {
            return Err(not_applicable(format!("no prefetch size: {frame}")));
        }
        other => return Err(fail("basic.qos-ok", other.to_string())),
    }
    client.publish("", &queue, b"more than ten octets");
    client.publish("", &queue, b"second");
    client.consume(&queue, "c", 0)?;
    let first = client.expect_delivery(b"more than ten octets")?;
    client.expect_silence("nothing more within a prefetch size of 10")?;
    client.ack(first.delivery_tag, false);
    client.expect_delivery(b"second").map(drop)
}
