//! Dead letters, as RabbitMQ has them: where they go, and what is written on them.

use super::argument::{EXPIRED, declared, expiration, knows, with_dead_letters};
use super::bytes::{
    BASIC_ACK, BASIC_NACK, BASIC_REJECT, CONFIRM_SELECT, CONFIRM_SELECT_OK, EXCHANGE_DECLARE,
    EXCHANGE_DECLARE_OK, Reader, args, fields,
};
use super::client::{Client, Message};
use super::method_args::{EXCHANGE_AUTO_DELETE, EXCLUSIVE, NO_ACK, exchange_args};
use crate::case::Level::May;
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail};

const RULE: &str = "extension x-dead-letter-exchange";

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Dead letters of RabbitMQ",
    cases: &[
        Case {
            id: "amqp/x-death/fields",
            rule: "extension x-death",
            level: May,
            title: "A dead letter says how often, why and when it died, in which queue, and how it came there",
            run: |ctx| {
                let (mut client, queue, dead) = with_dead_letters(ctx, fields())?;
                reject(&mut client, &queue)?;
                let message = dead_letter(&mut client, &dead)?;
                let death = death(&message)?;
                let keys = args().octet(b'S').longstr(&queue).0;
                for (name, letter, expected) in [
                    ("count", b'l', &1_u64.to_be_bytes()[..]),
                    ("reason", b'S', b"rejected"),
                    ("queue", b'S', queue.as_bytes()),
                    ("exchange", b'S', b""),
                    ("routing-keys", b'A', &keys),
                ] {
                    expect_field(&death, name, letter, expected, &message)?;
                }
                match Reader(&death).field("time")? {
                    Some((b'T', _)) => Ok(()),
                    _ => Err(fail("a time in x-death", format!("{message:?}"))),
                }
            },
        },
        Case {
            id: "amqp/x-death/counts",
            rule: "extension x-death",
            level: May,
            title: "A message that dies twice in one queue for one reason has one entry, which says 2",
            run: |ctx| {
                knows(ctx, "x-dead-letter-exchange", b"I\x00\x00\x00\x01")?;
                let message = around(ctx)?;
                let death = death(&message)?;
                expect_field(&death, "count", b'l', &2_u64.to_be_bytes(), &message)
            },
        },
        Case {
            id: "amqp/x-death/first",
            rule: "extension x-death",
            level: May,
            title: "A dead letter names the queue, exchange and reason of its first death",
            run: |ctx| {
                let (mut client, queue, dead) = with_dead_letters(ctx, fields())?;
                reject(&mut client, &queue)?;
                let message = dead_letter(&mut client, &dead)?;
                let headers = headers(&message)?;
                for (name, expected) in [
                    ("x-first-death-queue", queue.as_str()),
                    ("x-first-death-exchange", ""),
                    ("x-first-death-reason", "rejected"),
                ] {
                    expect_field(&headers, name, b'S', expected.as_bytes(), &message)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/own-key",
            rule: RULE,
            level: May,
            title: "Without x-dead-letter-routing-key a dead letter keeps its routing key",
            run: |ctx| {
                knows(ctx, "x-dead-letter-exchange", b"I\x00\x00\x00\x01")?;
                let mut client = Client::with_channel(ctx)?;
                let exchange = client.exchange(ctx, "direct")?;
                let dead = client.declare(1, &ctx.name("dead."), EXCLUSIVE)?.name;
                let arguments = fields().longstr("x-dead-letter-exchange", &exchange);
                let queue = declared(&mut client, ctx, &arguments)?;
                client.bind(&dead, &exchange, &queue)?;
                reject(&mut client, &queue)?;
                let message = dead_letter(&mut client, &dead)?;
                if message.routing_key == queue.as_bytes()
                    && message.exchange == exchange.as_bytes()
                {
                    Ok(())
                } else {
                    let expected = format!("by {exchange} with the routing key {queue}");
                    Err(fail(expected, format!("{message:?}")))
                }
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/no-such-exchange",
            rule: RULE,
            level: May,
            title: "A dead letter for an exchange that does not exist is gone, and nobody is cut off",
            run: |ctx| {
                knows(ctx, "x-dead-letter-exchange", b"I\x00\x00\x00\x01")?;
                let mut client = Client::with_channel(ctx)?;
                let none = ctx.name("none.");
                let arguments = fields().longstr("x-dead-letter-exchange", &none);
                let queue = declared(&mut client, ctx, &arguments)?;
                reject(&mut client, &queue)?;
                client.expect_well(1, "basic.qos-ok after the reject")?;
                client.expect_empty(&queue, "no message that was rejected")
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/circle",
            rule: RULE,
            level: May,
            title: "A message that expires back into its own queue, which nobody rejected, is gone",
            run: |ctx| {
                let ctx = ctx.timed();
                knows(ctx, "x-dead-letter-exchange", b"I\x00\x00\x00\x01")?;
                let mut client = Client::with_channel(ctx)?;
                let arguments = fields()
                    .longstr("x-dead-letter-exchange", "")
                    .int("x-message-ttl", 100);
                let queue = declared(&mut client, ctx, &arguments)?;
                client.publish("", &queue, b"round");
                ctx.sleep(EXPIRED)?;
                client.expect_empty(&queue, "no message that went in a circle")
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/expiration-taken-off",
            rule: RULE,
            level: May,
            title: "A dead letter has no expiration any more, and says what it was",
            run: |ctx| {
                let ctx = ctx.timed();
                let (mut client, queue, dead) = with_dead_letters(ctx, fields())?;
                client.publish_with(1, "", &queue, 0, &expiration("100"), b"dead");
                ctx.sleep(EXPIRED)?;
                let message = dead_letter(&mut client, &dead)?;
                // Bit 8 is expiration.
                if Reader(&message.properties).short()? & 1 << 8 != 0 {
                    return Err(fail("no expiration", format!("{message:?}")));
                }
                let death = death(&message)?;
                expect_field(&death, "original-expiration", b'S', b"100", &message)
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/nack-multiple",
            rule: RULE,
            level: May,
            title: "A nack of multiple that discards makes a dead letter of each, in order",
            run: |ctx| {
                drop(Client::with_capability(ctx, "basic.nack")?);
                let (mut client, queue, dead) = with_dead_letters(ctx, fields())?;
                let mut last = 0;
                for body in [b"1", b"2"] {
                    client.publish("", &queue, body);
                    last = client.expect_get(&queue, body)?.delivery_tag;
                }
                client.send(1, BASIC_NACK, args().longlong(last).octet(1));
                client.consume(&dead, "dead", NO_ACK)?;
                for body in [b"1", b"2"] {
                    client.expect_delivery(body)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/x-overflow/reject-publish-dlx",
            rule: "extension x-overflow",
            level: May,
            title: "A full queue with x-overflow reject-publish-dlx nacks new messages, and makes dead letters of them",
            run: |ctx| {
                knows(ctx, "x-overflow", b"S\x00\x00\x00\x04none")?;
                drop(Client::with_capability(ctx, "publisher_confirms")?);
                let limit = fields()
                    .int("x-max-length", 1)
                    .longstr("x-overflow", "reject-publish-dlx");
                let (mut client, queue, dead) = with_dead_letters(ctx, limit)?;
                client.call(1, CONFIRM_SELECT, args().octet(0), CONFIRM_SELECT_OK)?;
                client.publish("", &queue, b"first");
                client.expect(1, BASIC_ACK, "basic.ack of the first message")?;
                client.publish("", &queue, b"dead");
                client.expect(1, BASIC_NACK, "basic.nack of the second message")?;
                client.expect_get(&queue, b"first")?;
                dead_letter(&mut client, &dead).map(drop)
            },
        },
        Case {
            id: "amqp/x-dead-letter-exchange/to-several",
            rule: RULE,
            level: May,
            title: "A dead letter goes to every queue that the exchange routes it to",
            run: |ctx| {
                knows(ctx, "x-dead-letter-exchange", b"I\x00\x00\x00\x01")?;
                let mut client = Client::with_channel(ctx)?;
                let exchange = ctx.name("x.");
                let declare = exchange_args(&exchange, "fanout", EXCHANGE_AUTO_DELETE, &fields());
                client
                    .call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)
                    .setup("declaring the exchange")?;
                let mut dead = Vec::new();
                for hint in ["one.", "two."] {
                    let queue = client.declare(1, &ctx.name(hint), EXCLUSIVE)?.name;
                    client.bind(&queue, &exchange, "")?;
                    dead.push(queue);
                }
                let arguments = fields().longstr("x-dead-letter-exchange", &exchange);
                let queue = declared(&mut client, ctx, &arguments)?;
                reject(&mut client, &queue)?;
                for (queue, tag) in dead.iter().zip(["one", "two"]) {
                    client.consume(queue, tag, NO_ACK)?;
                    client.expect_delivery(b"dead")?;
                }
                Ok(())
            },
        },
    ],
};

/// Publishes a message to the queue, and rejects it.
fn reject(client: &mut Client, queue: &str) -> Result<(), Stop> {
    client.publish("", queue, b"dead");
    let message = client.expect_get(queue, b"dead").setup("basic.get")?;
    client.reject(message.delivery_tag, false);
    Ok(())
}

/// A message that was rejected in one queue, in another that sends it back, and in the
/// first again, as it comes to the other for the second time.
fn around(ctx: &Context<'_>) -> Result<Message, Stop> {
    let mut client = Client::with_channel(ctx)?;
    client.open_channel(2)?;
    let names = [ctx.name("one."), ctx.name("two.")];
    for (channel, name, other) in [(1, &names[0], &names[1]), (2, &names[1], &names[0])] {
        let arguments = fields()
            .longstr("x-dead-letter-exchange", "")
            .longstr("x-dead-letter-routing-key", other);
        client
            .declare_with(channel, name, EXCLUSIVE, &arguments)
            .setup("declaring the queues")?;
        client.consume_on(channel, name, "c", 0)?;
    }
    client.publish("", &names[0], b"dead");
    for channel in [1, 2, 1] {
        let message = client.delivery(channel)?;
        let reject = args().longlong(message.delivery_tag).octet(0);
        client.send(channel, BASIC_REJECT, reject);
    }
    client.delivery(2)
}

/// The dead letter in its queue. It comes there a moment later.
fn dead_letter(client: &mut Client, dead: &str) -> Result<Message, Stop> {
    client.consume(dead, "dead", NO_ACK)?;
    client.expect_delivery(b"dead")
}

/// The headers of a message that may have a content type and encoding before them.
fn headers(message: &Message) -> Result<Vec<u8>, Stop> {
    let mut properties = Reader(&message.properties);
    let flags = properties.short()?;
    for bit in [15, 14] {
        if flags & 1 << bit != 0 {
            properties.shortstr()?;
        }
    }
    if flags & 1 << 13 == 0 {
        return Err(fail("headers", format!("{message:?}")));
    }
    Ok(properties.longstr()?.to_vec())
}

/// The first entry in x-death, which is the last death.
fn death(message: &Message) -> Result<Vec<u8>, Stop> {
    let headers = headers(message)?;
    let Some((b'A', deaths)) = Reader(&headers).field("x-death")? else {
        return Err(fail("a list x-death", format!("{message:?}")));
    };
    let mut deaths = Reader(deaths);
    if deaths.octet()? != b'F' {
        return Err(fail("a list of tables in x-death", format!("{message:?}")));
    }
    Ok(deaths.longstr()?.to_vec())
}

fn expect_field(
    table: &[u8],
    name: &str,
    letter: u8,
    expected: &[u8],
    message: &Message,
) -> Result<(), Stop> {
    match Reader(table).field(name)? {
        Some((found, value)) if (found, value) == (letter, expected) => Ok(()),
        _ => Err(fail(
            format!("{name} = {}", String::from_utf8_lossy(expected)),
            format!("{message:?}"),
        )),
    }
}
