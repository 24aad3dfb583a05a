//! More of what RabbitMQ adds: limits together and at their ends, and who is served when.

use super::argument::{
    EXPIRED, expect_consumer, expiration, knows, knows_property, user_id, with_alternate,
    with_argument,
};
use super::bytes::{
    BASIC_CONSUME, BASIC_CONSUME_OK, BASIC_QOS, BASIC_QOS_OK, CHANNEL_CLOSE, CONNECTION_CLOSE,
    EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK, NO_PROPERTIES, QUEUE_DECLARE, QUEUE_DECLARE_OK, args,
    fields,
};
use super::client::Client;
use super::extension::{REPLY_TO, reply_address};
use super::method_args::{
    EXCHANGE_AUTO_DELETE, EXCLUSIVE, NO_ACK, PASSIVE, consume_args, declare_args, exchange_args,
};
use crate::case::Level::{May, Must};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Limits and service of RabbitMQ",
    cases: &[
        Case {
            id: "amqp/x-message-ttl/zero",
            rule: "extension x-message-ttl",
            level: May,
            title: "With an x-message-ttl of 0 a message goes to a consumer at once, or is gone",
            run: |ctx| only_to_a_consumer(ctx, "x-message-ttl"),
        },
        Case {
            id: "amqp/x-message-ttl/shorter-expiration",
            rule: "extension x-message-ttl; extension expiration",
            level: May,
            title: "Of x-message-ttl and a message's expiration the shorter one counts",
            run: |ctx| expires(ctx.timed(), 60_000, "200"),
        },
        Case {
            id: "amqp/x-message-ttl/longer-expiration",
            rule: "extension x-message-ttl; extension expiration",
            level: May,
            title: "A message's expiration does not outlast x-message-ttl",
            run: |ctx| expires(ctx.timed(), 200, "60000"),
        },
        Case {
            id: "amqp/x-max-length/unacknowledged",
            rule: "extension x-max-length",
            level: May,
            title: "What is out with a consumer does not count for x-max-length",
            run: |ctx| {
                let arguments = fields().int("x-max-length", 1);
                let (mut client, queue) = with_argument(ctx, "x-max-length", &arguments)?;
                client.publish("", &queue, b"out");
                client.expect_get(&queue, b"out")?;
                client.publish("", &queue, b"ready");
                client.expect_get(&queue, b"ready").map(drop)
            },
        },
        Case {
            id: "amqp/x-max-length/zero",
            rule: "extension x-max-length",
            level: May,
            title: "With an x-max-length of 0 a message goes to a consumer at once, or is gone",
            run: |ctx| only_to_a_consumer(ctx, "x-max-length"),
        },
        Case {
            id: "amqp/x-expires/redeclared",
            rule: "extension x-expires",
            level: May,
            title: "A queue that is declared again in time does not expire meanwhile",
            run: |ctx| {
                let ctx = ctx.timed();
                let arguments = fields().int("x-expires", 2500);
                let (mut client, queue) = with_argument(ctx, "x-expires", &arguments)?;
                client.publish("", &queue, b"kept");
                for _ in 0..2 {
                    ctx.sleep(EXPIRED)?;
                    client.declare_with(1, &queue, EXCLUSIVE, &arguments)?;
                }
                client.expect_get(&queue, b"kept").map(drop)
            },
        },
        Case {
            id: "amqp/user-id/another",
            rule: "extension user-id",
            level: May,
            title: "A message with the name of another in user-id is a channel exception 406",
            run: |ctx| {
                let user = ctx.target.user.clone().unwrap_or_default();
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                let wrong = user_id(&format!("not {user}"));
                client.publish_with(1, "", &queue, 0, &wrong, b"refused");
                client.send(1, QUEUE_DECLARE, declare_args(&queue, PASSIVE, &fields()));
                match client.next(1)? {
                    Seen::Frame(frame)
                        if !matches!(frame.method(), Some(CHANNEL_CLOSE | CONNECTION_CLOSE)) =>
                    {
                        Err(not_applicable(format!(
                            "the broker takes any user-id: {frame}"
                        )))
                    }
                    Seen::Frame(frame) if matches!(frame.close_reason(), Some((406, _))) => Ok(()),
                    other => Err(fail("channel.close 406", other.to_string())),
                }
            },
        },
        Case {
            id: "amqp/x-single-active-consumer/connection-lost",
            rule: "extension x-single-active-consumer",
            level: May,
            title: "When the connection of the consumer that is served is lost, the next one is served",
            run: |ctx| {
                knows(ctx, "x-single-active-consumer", b"S\x00\x00\x00\x03yes")?;
                let arguments = fields().boolean("x-single-active-consumer", true);
                let mut first = Client::with_channel(ctx)?;
                let name = ctx.name("q.");
                first
                    .declare_with(1, &name, 0, &arguments)
                    .setup("declaring the queue")?;
                first.consume(&name, "first", 0)?;
                let mut second = Client::with_channel(ctx)?;
                second.consume(&name, "second", NO_ACK)?;
                second.publish("", &name, b"1");
                first.expect_delivery(b"1")?;
                drop(first);
                let message = second.expect_delivery(b"1")?;
                second.delete_queue(&name)?;
                expect_consumer(&message, "second")
            },
        },
        Case {
            id: "amqp/x-max-priority/equal-in-order",
            rule: "extension x-max-priority",
            level: May,
            title: "Messages of one priority keep their order, and without one have priority 0",
            run: |ctx| {
                let arguments = fields().int("x-max-priority", 5);
                let (mut client, queue) = with_argument(ctx, "x-max-priority", &arguments)?;
                let priority = |priority| args().short(1 << 11).octet(priority).0;
                for (properties, body) in [
                    (NO_PROPERTIES.to_vec(), b"none 1"),
                    (priority(3), b"high 1"),
                    (priority(0), b"none 2"),
                    (priority(3), b"high 2"),
                ] {
                    client.publish_with(1, "", &queue, 0, &properties, body);
                }
                for body in [b"high 1", b"high 2", b"none 1", b"none 2"] {
                    client.expect_get(&queue, body)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/basic.consume/priority-of-the-blocked",
            rule: "capability consumer_priorities",
            level: Must,
            title: "While the consumer of higher priority can take no more, a lower one is served",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "consumer_priorities")?;
                let queue = client.queue(ctx)?;
                let qos = args().long(0).short(1).octet(0);
                client.call(1, BASIC_QOS, qos, BASIC_QOS_OK)?;
                for (tag, priority) in [("low", 1), ("high", 10)] {
                    let arguments = fields().int("x-priority", priority);
                    let consume = consume_args(&queue, tag, 0, &arguments);
                    client.call(1, BASIC_CONSUME, consume, BASIC_CONSUME_OK)?;
                }
                for (body, tag) in [(b"1", "high"), (b"2", "low")] {
                    client.publish("", &queue, body);
                    expect_consumer(&client.expect_delivery(body)?, tag)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/alternate-exchange/of-the-alternate",
            rule: "extension alternate-exchange",
            level: May,
            title: "What the alternate exchange cannot route either goes to the alternate of that",
            run: |ctx| {
                let (mut client, _, queue, _) = with_alternate(ctx)?;
                let names = ["last.", "second.", "first."].map(|hint| ctx.name(hint));
                for (name, kind, alternate) in [
                    (&names[0], "fanout", None),
                    (&names[1], "direct", Some(&names[0])),
                    (&names[2], "direct", Some(&names[1])),
                ] {
                    let arguments = alternate.map_or_else(fields, |alternate| {
                        fields().longstr("alternate-exchange", alternate)
                    });
                    let declare = exchange_args(name, kind, EXCHANGE_AUTO_DELETE, &arguments);
                    client
                        .call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)
                        .setup("declaring the exchanges")?;
                }
                client.bind(&queue, &names[0], "")?;
                client.publish(&names[2], "nowhere", b"unrouted");
                client.expect_get(&queue, b"unrouted").map(drop)
            },
        },
        Case {
            id: "amqp/direct-reply-to/is-there",
            rule: "capability direct_reply_to",
            level: Must,
            title: "A passive declare of a reply address finds it while its consumer is there, and not after",
            run: reply_address_is_there,
        },
    ],
};

fn reply_address_is_there(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = Client::with_capability(ctx, "direct_reply_to")?;
    client.consume(REPLY_TO, "replies", NO_ACK)?;
    let mut other = Client::with_channel(ctx)?;
    let address = reply_address(&mut client, &mut other, ctx)?;
    other.send(1, QUEUE_DECLARE, declare_args(&address, PASSIVE, &fields()));
    let expected = "queue.declare-ok for the reply address";
    other.expect(1, QUEUE_DECLARE_OK, expected)?;
    client.close()?;
    other.send(1, QUEUE_DECLARE, declare_args(&address, PASSIVE, &fields()));
    other.expect_channel_close(1, &[404], "a reply address whose consumer has gone")
}

/// A queue where an argument of 0 leaves no message room or time to wait for a consumer.
fn only_to_a_consumer(ctx: &Context<'_>, argument: &str) -> Result<(), Stop> {
    let (mut client, queue) = with_argument(ctx, argument, &fields().int(argument, 0))?;
    client.publish("", &queue, b"nobody");
    client.expect_empty(&queue, "no message that found no consumer")?;
    client.consume(&queue, "c", NO_ACK)?;
    client.publish("", &queue, b"at once");
    client.expect_delivery(b"at once").map(drop)
}

/// A message in a queue with this x-message-ttl, in milliseconds, which has this expiration.
fn expires(ctx: &Context<'_>, ttl: i32, own: &str) -> Result<(), Stop> {
    knows_property(ctx, "expiration", &expiration("soon"))?;
    let arguments = fields().int("x-message-ttl", ttl);
    let (mut client, queue) = with_argument(ctx, "x-message-ttl", &arguments)?;
    client.publish_with(1, "", &queue, 0, &expiration(own), b"late");
    ctx.sleep(EXPIRED)?;
    client.expect_empty(&queue, "no message that has expired")
}
