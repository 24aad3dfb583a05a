//! What RabbitMQ adds to AMQP by arguments, headers and properties, and other
//! brokers after it.
//!
//! No capability announces them, and to a broker that does not know an argument
//! it says nothing. Who knows one refuses it with a value of the wrong type, and
//! only who does so is asked.

use std::time::Duration;

use super::bytes::{
    BASIC_ACK, BASIC_NACK, CHANNEL_CLOSE, CONFIRM_SELECT, CONFIRM_SELECT_OK, CONNECTION_CLOSE,
    EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK, Fields, NO_PROPERTIES, QUEUE_DECLARE, QUEUE_DECLARE_OK,
    args, fields,
};
use super::client::{Client, Message};
use super::method_args::{
    EXCHANGE_AUTO_DELETE, EXCLUSIVE, NO_ACK, PASSIVE, declare_args, exchange_args,
};
use crate::case::Level::{May, Must};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Extensions of RabbitMQ",
    cases: &[
        Case {
            id: "amqp/x-message-ttl/expires",
            rule: "extension x-message-ttl",
            level: May,
            title: "A message that has been in the queue for x-message-ttl milliseconds is gone",
            run: |ctx| {
                let ctx = ctx.timed();
                let arguments = fields().int("x-message-ttl", 200);
                let (mut client, queue) = with_argument(ctx, "x-message-ttl", &arguments)?;
                client.publish("", &queue, b"late");
                ctx.sleep(EXPIRED)?;
                client.expect_empty(&queue, "no message that has expired")
            },
        },
        Case {
            id: "amqp/x-message-ttl/not-before",
            rule: "extension x-message-ttl",
            level: May,
            title: "A message is there before its x-message-ttl has passed",
            run: |ctx| {
                let arguments = fields().int("x-message-ttl", 60_000);
                let (mut client, queue) = with_argument(ctx, "x-message-ttl", &arguments)?;
                client.publish("", &queue, b"early");
                client.expect_get(&queue, b"early").map(drop)
            },
        },
        Case {
            id: "amqp/expiration/expires",
            rule: "extension expiration",
            level: May,
            title: "A message is gone when its expiration has passed, and not another",
            run: |ctx| {
                let ctx = ctx.timed();
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                knows_property(ctx, "expiration", &expiration("soon"))?;
                client.publish_with(1, "", &queue, 0, &expiration("200"), b"late");
                client.publish("", &queue, b"stays");
                ctx.sleep(EXPIRED)?;
                client.expect_get(&queue, b"stays").map(drop)
            },
        },
        Case {
            id: "amqp/x-expires/unused",
            rule: "extension x-expires",
            level: May,
            title: "A queue that is not used for x-expires milliseconds is gone",
            run: |ctx| {
                let ctx = ctx.timed();
                let arguments = fields().int("x-expires", 300);
                let (mut client, queue) = with_argument(ctx, "x-expires", &arguments)?;
                ctx.sleep(EXPIRED)?;
                client.send(1, QUEUE_DECLARE, declare_args(&queue, PASSIVE, &fields()));
                client.expect_channel_close(1, &[404], "a queue that has expired")
            },
        },
        Case {
            id: "amqp/x-expires/used",
            rule: "extension x-expires",
            level: May,
            title: "A queue with a consumer does not expire",
            run: |ctx| {
                let ctx = ctx.timed();
                let arguments = fields().int("x-expires", 1000);
                let (mut client, queue) = with_argument(ctx, "x-expires", &arguments)?;
                client.consume(&queue, "c", NO_ACK)?;
                ctx.sleep(EXPIRED)?;
                client.publish("", &queue, b"still here");
                client.expect_delivery(b"still here").map(drop)
            },
        },
        Case {
            id: "amqp/x-max-length/drops-head",
            rule: "extension x-max-length",
            level: May,
            title: "A queue with more messages than x-max-length drops the oldest",
            run: |ctx| {
                let arguments = fields().int("x-max-length", 2);
                let (mut client, queue) = with_argument(ctx, "x-max-length", &arguments)?;
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                }
                client.expect_get(&queue, b"2")?;
                client.expect_get(&queue, b"3")?;
                client.expect_empty(&queue, "two messages")
            },
        },
        Case {
            id: "amqp/x-max-length-bytes/drops-head",
            rule: "extension x-max-length-bytes",
            level: May,
            title: "A queue with more bytes of bodies than x-max-length-bytes drops the oldest",
            run: |ctx| {
                let arguments = fields().int("x-max-length-bytes", 10);
                let (mut client, queue) = with_argument(ctx, "x-max-length-bytes", &arguments)?;
                for body in [b"11111", b"22222", b"33333"] {
                    client.publish("", &queue, body);
                }
                client.expect_get(&queue, b"22222")?;
                client.expect_get(&queue, b"33333")?;
                client.expect_empty(&queue, "ten bytes of bodies")
            },
        },
        Case {
            id: "amqp/x-overflow/reject-publish",
            rule: "extension x-overflow",
            level: May,
            title: "A full queue with x-overflow reject-publish keeps its messages and nacks new ones",
            run: |ctx| {
                knows(ctx, "x-overflow", b"S\x00\x00\x00\x04none")?;
                let mut client = Client::with_capability(ctx, "publisher_confirms")?;
                let arguments = fields()
                    .int("x-max-length", 1)
                    .longstr("x-overflow", "reject-publish");
                let queue = declared(&mut client, ctx, &arguments)?;
                client.call(1, CONFIRM_SELECT, args().octet(0), CONFIRM_SELECT_OK)?;
                client.publish("", &queue, b"first");
                client.expect(1, BASIC_ACK, "basic.ack of the first message")?;
                client.publish("", &queue, b"second");
                client.expect(1, BASIC_NACK, "basic.nack of the second message")?;
                client.expect_get(&queue, b"first").map(drop)
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/rejected",
            rule: "extension x-dead-letter-exchange",
            level: May,
            title: "A message that is rejected goes to the dead-letter exchange, and says why",
            run: |ctx| {
                let (mut client, queue, dead) = with_dead_letters(ctx, fields())?;
                client.publish("", &queue, b"dead");
                let message = client.expect_get(&queue, b"dead")?;
                client.reject(message.delivery_tag, false);
                expect_dead(&mut client, &dead, &queue, "rejected")
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/expired",
            rule: "extension x-dead-letter-exchange",
            level: May,
            title: "A message that expires goes to the dead-letter exchange, and says why",
            run: |ctx| {
                let ctx = ctx.timed();
                let ttl = fields().int("x-message-ttl", 100);
                let (mut client, queue, dead) = with_dead_letters(ctx, ttl)?;
                client.publish("", &queue, b"dead");
                ctx.sleep(EXPIRED)?;
                expect_dead(&mut client, &dead, &queue, "expired")
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/too-many",
            rule: "extension x-dead-letter-exchange",
            level: May,
            title: "A message that a full queue drops goes to the dead-letter exchange, and says why",
            run: |ctx| {
                let length = fields().int("x-max-length", 1);
                let (mut client, queue, dead) = with_dead_letters(ctx, length)?;
                client.publish("", &queue, b"dead");
                client.publish("", &queue, b"stays");
                client.expect_get(&queue, b"stays")?;
                expect_dead(&mut client, &dead, &queue, "maxlen")
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/acknowledged",
            rule: "extension x-dead-letter-exchange",
            level: May,
            title: "A message that is acknowledged or requeued goes to no dead-letter exchange",
            run: |ctx| {
                let (mut client, queue, dead) = with_dead_letters(ctx, fields())?;
                client.publish("", &queue, b"again");
                let message = client.expect_get(&queue, b"again")?;
                client.reject(message.delivery_tag, true);
                let message = client.expect_get(&queue, b"again")?;
                client.ack(message.delivery_tag, false);
                client.expect_well(1, "the ack accepted")?;
                client.expect_empty(&dead, "nothing among the dead letters")
            },
        },
        Case {
            id: "amqp/alternate-exchange/unroutable",
            rule: "extension alternate-exchange",
            level: May,
            title: "A message that an exchange cannot route goes to its alternate exchange",
            run: |ctx| {
                let (mut client, exchange, queue, other) = with_alternate(ctx)?;
                client.publish(&exchange, "nowhere", b"unrouted");
                client.publish(&exchange, "known", b"routed");
                client.expect_get(&queue, b"routed")?;
                client.expect_get(&other, b"unrouted")?;
                client.expect_empty(&other, "what was routed does not go there")
            },
        },
        Case {
            id: "amqp/alternate-exchange/mandatory",
            rule: "extension alternate-exchange",
            level: May,
            title: "A mandatory message that the alternate exchange routes does not come back",
            run: |ctx| {
                let (mut client, exchange, _, other) = with_alternate(ctx)?;
                client.publish_with(1, &exchange, "nowhere", 1, NO_PROPERTIES, b"unrouted");
                client.expect_well(1, "no basic.return")?;
                client.expect_get(&other, b"unrouted").map(drop)
            },
        },
        Case {
            id: "amqp/x-single-active-consumer/one-at-a-time",
            rule: "extension x-single-active-consumer",
            level: May,
            title: "Of several consumers one is served, and the next when that one has gone",
            run: |ctx| {
                knows(ctx, "x-single-active-consumer", b"S\x00\x00\x00\x03yes")?;
                let mut client = Client::with_channel(ctx)?;
                let arguments = fields().boolean("x-single-active-consumer", true);
                let queue = declared(&mut client, ctx, &arguments)?;
                for tag in ["first", "second"] {
                    client.consume(&queue, tag, NO_ACK)?;
                }
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                    expect_consumer(&client.expect_delivery(body)?, "first")?;
                }
                client.cancel(1, "first")?;
                client.publish("", &queue, b"4");
                expect_consumer(&client.expect_delivery(b"4")?, "second")
            },
        },
        Case {
            id: "amqp/x-max-priority/order",
            rule: "extension x-max-priority",
            level: May,
            title: "A queue with x-max-priority takes a priority above it for the highest",
            run: |ctx| {
                let arguments = fields().int("x-max-priority", 5);
                let (mut client, queue) = with_argument(ctx, "x-max-priority", &arguments)?;
                for (priority, body) in [(4, b"4"), (5, b"5"), (9, b"9"), (0, b"0")] {
                    // Property flags: bit 11 is priority.
                    let properties = args().short(1 << 11).octet(priority);
                    client.publish_with(1, "", &queue, 0, &properties.0, body);
                }
                for body in [b"5", b"9", b"4", b"0"] {
                    client.expect_get(&queue, body)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/CC/copies",
            rule: "extension CC",
            level: May,
            title: "A message goes to the routing keys in its CC header too, once to each queue",
            run: |ctx| copies(ctx, "CC"),
        },
        Case {
            id: "amqp/BCC/copies",
            rule: "extension BCC",
            level: May,
            title: "A message goes to the routing keys in its BCC header, which does not arrive",
            run: |ctx| copies(ctx, "BCC"),
        },
        Case {
            id: "amqp/user-id/own",
            rule: "extension user-id",
            level: May,
            title: "A message with the user's own name in user-id arrives with it",
            run: |ctx| {
                let user = ctx.target.user.clone().unwrap_or_default();
                knows_property(ctx, "user-id", &user_id(&format!("not {user}")))?;
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.publish_with(1, "", &queue, 0, &user_id(&user), b"mine");
                let message = client.expect_get(&queue, b"mine")?;
                if message.properties == user_id(&user) {
                    Ok(())
                } else {
                    Err(fail("the user-id as it was sent", format!("{message:?}")))
                }
            },
        },
        Case {
            id: "amqp/basic.qos/per-consumer",
            rule: "capability per_consumer_qos",
            level: Must,
            title: "A prefetch count without global is one for each new consumer of the channel",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "per_consumer_qos")?;
                let queue = client.queue(ctx)?;
                let qos = args().long(0).short(1).octet(0);
                client.call(1, super::bytes::BASIC_QOS, qos, super::bytes::BASIC_QOS_OK)?;
                client.consume(&queue, "one", 0)?;
                client.consume(&queue, "two", 0)?;
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                }
                let first = client.expect_delivery(b"1")?;
                let second = client.expect_delivery(b"2")?;
                if first.consumer_tag == second.consumer_tag {
                    let seen =
                        format!("both to {:?}", String::from_utf8_lossy(&first.consumer_tag));
                    return Err(fail("one message for each consumer", seen));
                }
                client.expect_silence("no third message")
            },
        },
    ],
};

/// Longer than what expires, by as much as a slow machine wants.
pub(super) const EXPIRED: Duration = Duration::from_millis(1500);

/// Stops unless the broker refuses a queue with this argument of a wrong type.
pub(super) fn knows(ctx: &Context<'_>, argument: &str, wrong: &[u8]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let arguments = fields().field(argument, wrong);
    let declare = declare_args(&ctx.name("known."), EXCLUSIVE, &arguments);
    client.send(1, QUEUE_DECLARE, declare);
    expect_refused(&mut client, argument)
}

/// Stops unless the broker refuses a message with these properties.
pub(super) fn knows_property(ctx: &Context<'_>, name: &str, wrong: &[u8]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    // Of a name that the case itself does not use.
    let queue = client.declare(1, &ctx.name("known."), EXCLUSIVE)?.name;
    client.publish_with(1, "", &queue, 0, wrong, b"refused");
    client.send(1, QUEUE_DECLARE, declare_args(&queue, PASSIVE, &fields()));
    expect_refused(&mut client, name)
}

fn expect_refused(client: &mut Client, what: &str) -> Result<(), Stop> {
    match client.next(1)? {
        Seen::Frame(frame) if matches!(frame.method(), Some(CHANNEL_CLOSE | CONNECTION_CLOSE)) => {
            Ok(())
        }
        Seen::Frame(frame) if frame.method() == Some(QUEUE_DECLARE_OK) => Err(not_applicable(
            format!("the broker takes anything for {what}: {frame}"),
        )),
        other => Err(fail("an exception, or queue.declare-ok", other.to_string()))
            .setup("a value of the wrong type"),
    }
}

pub(super) fn declared(
    client: &mut Client,
    ctx: &Context<'_>,
    arguments: &Fields,
) -> Result<String, Stop> {
    client
        .declare_with(1, &ctx.name("q."), EXCLUSIVE, arguments)
        .map(|declared| declared.name)
        .setup("declaring the queue")
}

/// A queue with these arguments on a broker that knows one of them, a number.
pub(super) fn with_argument(
    ctx: &Context<'_>,
    argument: &str,
    arguments: &Fields,
) -> Result<(Client, String), Stop> {
    knows(ctx, argument, b"S\x00\x00\x00\x03ten")?;
    let mut client = Client::with_channel(ctx)?;
    let queue = declared(&mut client, ctx, arguments)?;
    Ok((client, queue))
}

/// A queue whose dead letters go to another queue by the default exchange.
pub(super) fn with_dead_letters(
    ctx: &Context<'_>,
    arguments: Fields,
) -> Result<(Client, String, String), Stop> {
    knows(ctx, "x-dead-letter-exchange", b"I\x00\x00\x00\x01")?;
    let mut client = Client::with_channel(ctx)?;
    let dead = client
        .declare(1, &ctx.name("dead."), EXCLUSIVE)
        .setup("declaring the queue of dead letters")?
        .name;
    let arguments = arguments
        .longstr("x-dead-letter-exchange", "")
        .longstr("x-dead-letter-routing-key", &dead);
    let queue = declared(&mut client, ctx, &arguments)?;
    Ok((client, queue, dead))
}

/// The dead letter in its queue, with a header that says whence it came and why.
fn expect_dead(client: &mut Client, dead: &str, queue: &str, why: &str) -> Result<(), Stop> {
    // It comes there a moment later.
    client.consume(dead, "dead", NO_ACK)?;
    let message = client.expect_delivery(b"dead")?;
    let has = |part: &str| {
        message
            .properties
            .windows(part.len())
            .any(|window| window == part.as_bytes())
    };
    if has("x-death") && has(queue) && has(why) {
        Ok(())
    } else {
        Err(fail(
            format!("a header x-death with {queue:?} and {why:?}"),
            format!("{message:?}"),
        ))
    }
}

/// An exchange with an alternate, a queue bound to it with the key `known`, and
/// one that gets what goes to the alternate.
pub(super) fn with_alternate(ctx: &Context<'_>) -> Result<(Client, String, String, String), Stop> {
    let name = "alternate-exchange";
    let mut probe = Client::with_channel(ctx)?;
    let wrong = fields().field(name, b"I\x00\x00\x00\x01");
    let exchange = ctx.name("known.");
    let declare = exchange_args(&exchange, "direct", EXCHANGE_AUTO_DELETE, &wrong);
    probe.send(1, EXCHANGE_DECLARE, declare);
    match probe.next(1)? {
        Seen::Frame(frame) if matches!(frame.method(), Some(CHANNEL_CLOSE | CONNECTION_CLOSE)) => {}
        other => {
            return Err(not_applicable(format!(
                "the broker takes anything for {name}: {other}"
            )));
        }
    }
    let mut client = Client::with_channel(ctx)?;
    let alternate = client.exchange(ctx, "fanout")?;
    let other = client.declare(1, &ctx.name("other."), EXCLUSIVE)?.name;
    client.bind(&other, &alternate, "")?;
    let exchange = ctx.name("main.");
    let arguments = fields().longstr(name, &alternate);
    let declare = exchange_args(&exchange, "direct", EXCHANGE_AUTO_DELETE, &arguments);
    client
        .call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)
        .setup("declaring the exchange")?;
    let queue = client.queue(ctx)?;
    client.bind(&queue, &exchange, "known")?;
    Ok((client, exchange, queue, other))
}

fn copies(ctx: &Context<'_>, header: &str) -> Result<(), Stop> {
    // A header that is no list of keys.
    let wrong = fields().field(header, b"I\x00\x00\x00\x01");
    knows_property(ctx, header, &headers(&wrong))?;
    let mut client = Client::with_channel(ctx)?;
    let queue = client.queue(ctx)?;
    let copy = client.declare(1, &ctx.name("copy."), EXCLUSIVE)?.name;
    // A list of two keys: the queue's again, and the other's.
    let mut keys = args();
    for key in [&queue, &copy] {
        keys = keys.octet(b'S').longstr(key);
    }
    let list = args().octet(b'A').longstr(&keys.0);
    let properties = headers(&fields().field(header, &list.0));
    client.publish_with(1, "", &queue, 0, &properties, b"copied");
    for queue in [&queue, &copy] {
        let message = client.expect_get(queue, b"copied")?;
        let arrives = message
            .properties
            .windows(header.len() + 1)
            .any(|part| part[0] as usize == header.len() && part[1..] == *header.as_bytes());
        if arrives == (header == "BCC") {
            let expected = if arrives {
                format!("no header {header}")
            } else {
                format!("the header {header}")
            };
            return Err(fail(expected, format!("{message:?}")));
        }
        client.expect_empty(queue, "one message")?;
    }
    Ok(())
}

pub(super) fn expect_consumer(message: &Message, tag: &str) -> Result<(), Stop> {
    if message.consumer_tag == tag.as_bytes() {
        Ok(())
    } else {
        Err(fail(
            format!("a delivery to consumer {tag:?}"),
            format!("{message:?}"),
        ))
    }
}

/// Property flags and list: bit 13 is headers.
fn headers(table: &Fields) -> Vec<u8> {
    args().short(1 << 13).table(table).0
}

/// Bit 8 is expiration.
pub(super) fn expiration(milliseconds: &str) -> Vec<u8> {
    args().short(1 << 8).shortstr(milliseconds).0
}

/// Bit 4 is user-id.
pub(super) fn user_id(user: &str) -> Vec<u8> {
    args().short(1 << 4).shortstr(user).0
}
