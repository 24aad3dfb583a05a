//! Acknowledging: basic.ack, reject, recover, and what comes again (class basic).

use super::bytes::{
    BASIC_PUBLISH, BASIC_RECOVER, BASIC_RECOVER_ASYNC, BASIC_RECOVER_OK, BASIC_REJECT, BODY,
    NO_PROPERTIES, TX_SELECT, TX_SELECT_OK, args, frame, header, method,
};
use super::client::{Client, Message};
use super::method_args::{EXCLUSIVE, NO_ACK, publish_args};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Acknowledging",
    cases: &[
        Case {
            id: "amqp/basic.ack/explicit",
            rule: "basic / 10",
            level: Must,
            title: "A message is gone when it was acknowledged, and comes again when it was not",
            run: |ctx| {
                let (mut client, [first, _]) = delivered(ctx, [b"1", b"2"])?;
                client.ack(first, false);
                client.expect_back(&ctx.name("q."), b"2")?;
                client.expect_empty(&ctx.name("q."), "the acknowledged message is gone")
            },
        },
        Case {
            id: "amqp/basic.ack/no-ack",
            rule: "basic / 09",
            level: Must,
            title: "What was delivered with no-ack is gone without an acknowledgement",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", NO_ACK)?;
                client.publish("", &queue, b"gone");
                client.expect_delivery(b"gone")?;
                client.cancel(1, "c")?;
                client.publish("", &queue, b"held");
                client.expect_get(&queue, b"held")?;
                client.expect_back(&queue, b"held")?;
                client.expect_empty(&queue, "no message that was delivered with no-ack")
            },
        },
        Case {
            id: "amqp/basic.ack/multiple",
            rule: "basic / ack / multiple",
            level: Must,
            title: "An ack of multiple acknowledges up to and including its tag, and no more",
            run: |ctx| {
                let (mut client, [_, second, _]) = delivered(ctx, [b"1", b"2", b"3"])?;
                client.ack(second, true);
                client.expect_back(&ctx.name("q."), b"3")?;
                client.expect_empty(&ctx.name("q."), "the first two were acknowledged")
            },
        },
        Case {
            id: "amqp/basic.ack/all",
            rule: "delivery-tag / non-zero; basic / ack / multiple",
            level: Must,
            title: "An ack of multiple with tag 0 acknowledges all so far",
            run: |ctx| {
                let (mut client, _) = delivered(ctx, [b"1", b"2"])?;
                client.ack(0, true);
                client.publish("", &ctx.name("q."), b"3");
                client.expect_delivery(b"3")?;
                client.expect_back(&ctx.name("q."), b"3")?;
                client.expect_empty(&ctx.name("q."), "all so far were acknowledged")
            },
        },
        Case {
            id: "amqp/basic.ack/unknown-delivery-tag",
            rule: "basic / ack / multiple / exists",
            level: Must,
            title: "An ack of a tag that was not delivered is a channel exception 406",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.ack(42, false);
                client.expect_channel_close(1, &[406], "an unknown delivery tag")
            },
        },
        Case {
            id: "amqp/basic.ack/twice",
            rule: "basic / ack / multiple / exists",
            level: Must,
            title: "A second ack of a message is a channel exception 406",
            run: |ctx| {
                let (mut client, [first, _]) = delivered(ctx, [b"1", b"2"])?;
                client.ack(first, false);
                client.ack(first, false);
                client.expect_channel_close(1, &[406], "a second ack")
            },
        },
        Case {
            id: "amqp/basic.ack/no-ack-tag",
            rule: "basic / ack / multiple / exists",
            level: Must,
            title: "An ack of what was delivered with no-ack is a channel exception 406",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", NO_ACK)?;
                client.publish("", &queue, b"gone");
                let message = client.expect_delivery(b"gone")?;
                client.ack(message.delivery_tag, false);
                client.expect_channel_close(1, &[406], "a delivery that wants no ack")
            },
        },
        Case {
            id: "amqp/basic.ack/of-another-channel",
            rule: "basic / ack / multiple / exists; delivery-tag / channel-local",
            level: Must,
            title: "A delivery tag of another channel is unknown: channel exception 406",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.open_channel(2)?;
                let queue = client.declare(1, &ctx.name("q."), EXCLUSIVE)?.name;
                client.consume_on(2, &queue, "c", 0)?;
                client.publish("", &queue, b"on channel 2");
                let message = client.delivery(2)?;
                client.ack(message.delivery_tag, false);
                client.expect_channel_close(1, &[406], "a delivery tag of channel 2")
            },
        },
        Case {
            id: "amqp/basic.ack/unknown-in-transaction",
            rule: "basic / ack / multiple / exists",
            level: Must,
            title: "On a transacted channel an unknown tag is refused at once, not at commit",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.call(1, TX_SELECT, args(), TX_SELECT_OK)?;
                client.ack(42, false);
                client.expect_channel_close(1, &[406], "an unknown delivery tag before commit")
            },
        },
        Case {
            id: "amqp/basic.reject/requeue",
            rule: "basic / reject / requeue",
            level: Should,
            title: "A message rejected to be requeued comes again, to another client",
            run: |ctx| requeued(ctx).map(drop),
        },
        Case {
            id: "amqp/basic.reject/requeue-redelivered",
            rule: "redelivered / implementation",
            level: Should,
            title: "A message that was requeued is marked redelivered",
            run: |ctx| expect_redelivered(&requeued(ctx)?),
        },
        Case {
            id: "amqp/basic.reject/discard",
            rule: "basic / reject / requeue",
            level: Must,
            title: "A message rejected not to be requeued is gone",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.publish("", &queue, b"gone");
                let message = client.expect_get(&queue, b"gone")?;
                client.reject(message.delivery_tag, false);
                client.expect_empty(&queue, "no message that was rejected")
            },
        },
        Case {
            id: "amqp/basic.reject/unknown-delivery-tag",
            rule: "erratum 21",
            level: Should,
            title: "A reject of a tag that was not delivered is a channel exception 406",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(1, BASIC_REJECT, args().longlong(42).octet(0));
                client.expect_channel_close(1, &[406], "an unknown delivery tag")
            },
        },
        Case {
            id: "amqp/basic.reject/order",
            rule: "section 4.7 / order",
            level: Should,
            title: "A message that is requeued takes its old place in the queue",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.declare(1, &ctx.name("q."), 0)?.name;
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                }
                let first = client.expect_get(&queue, b"1")?;
                client.reject(first.delivery_tag, true);
                client.expect_well(1, "basic.qos-ok after the reject")?;
                let mut other = Client::with_channel(ctx)?;
                for body in [b"1", b"2", b"3"] {
                    other.expect_get(&queue, body)?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/basic.reject/requeue-elsewhere",
            rule: "basic / reject / requeue / 01",
            level: Must,
            title: "A message that is rejected to be requeued goes to another consumer where there is one",
            run: requeued_elsewhere,
        },
        Case {
            id: "amqp/basic.reject/while-content-is-sent",
            rule: "basic / reject / 01",
            level: Should,
            title: "A reject is acted on although a content waits to be taken by the client",
            run: while_content_is_sent,
        },
        Case {
            id: "amqp/basic.recover/requeue",
            rule: "basic / recover / 01",
            level: Must,
            title: "basic.recover with requeue sends all again that was not acknowledged, as redelivered",
            run: |ctx| {
                let (mut client, [first, _]) = delivered(ctx, [b"1", b"2"])?;
                client.ack(first, false);
                client.call(1, BASIC_RECOVER, args().octet(1), BASIC_RECOVER_OK)?;
                let message = client.expect_delivery(b"2")?;
                expect_redelivered(&message)
            },
        },
        Case {
            id: "amqp/basic.recover/to-the-same",
            rule: "basic / recover / 01; erratum 2",
            level: Must,
            title: "basic.recover without requeue sends again to the same consumer, as redelivered",
            run: |ctx| {
                let (mut client, _) = delivered(ctx, [b"1"])?;
                client.send(1, BASIC_RECOVER, args().octet(0));
                match client.next(1)? {
                    Seen::Frame(frame) if frame.method() == Some(BASIC_RECOVER_OK) => {}
                    Seen::Frame(frame) if matches!(frame.close_reason(), Some((540, _))) => {
                        return Err(not_applicable(format!("not implemented: {frame}")));
                    }
                    other => return Err(fail("basic.recover-ok", other.to_string())),
                }
                let message = client.expect_delivery(b"1")?;
                expect_redelivered(&message)
            },
        },
        Case {
            id: "amqp/basic.recover-async/requeue",
            rule: "basic / recover-async / 01",
            level: Must,
            title: "basic.recover-async sends again, as redelivered, and has no reply",
            run: |ctx| {
                let (mut client, _) = delivered(ctx, [b"1"])?;
                client.send(1, BASIC_RECOVER_ASYNC, args().octet(1));
                let message = client.expect_delivery(b"1")?;
                expect_redelivered(&message)
            },
        },
        Case {
            id: "amqp/basic/redelivered-at-connection-loss",
            rule: "redelivered / implementation",
            level: Should,
            title: "What a lost connection had not acknowledged comes again, marked redelivered",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.declare(1, &ctx.name("q."), 0)?.name;
                client.publish("", &queue, b"again");
                client.expect_get(&queue, b"again")?;
                drop(client);
                let mut client = Client::with_channel(ctx)?;
                // The broker learns of the loss from TCP, which takes a moment.
                client.consume(&queue, "c", NO_ACK)?;
                let message = client.expect_delivery(b"again")?;
                client.delete_queue(&queue)?;
                expect_redelivered(&message)
            },
        },
    ],
};

/// These messages delivered to one consumer on channel 1, with their tags, none
/// acknowledged, from the queue named by the hint "q.".
fn delivered<const N: usize>(
    ctx: &Context<'_>,
    bodies: [&[u8]; N],
) -> Result<(Client, [u64; N]), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let queue = client.queue(ctx)?;
    for body in bodies {
        client.publish("", &queue, body);
    }
    client.consume(&queue, "c", 0)?;
    let mut tags = [0; N];
    for (tag, body) in tags.iter_mut().zip(bodies) {
        *tag = client
            .expect_delivery(body)
            .setup("the delivery")?
            .delivery_tag;
    }
    Ok((client, tags))
}

/// A message that one client has rejected, as another one gets it. To the first
/// it must not come again on the same channel.
fn requeued(ctx: &Context<'_>) -> Result<Message, Stop> {
    let mut first = Client::with_channel(ctx)?;
    let queue = first.declare(1, &ctx.name("q."), 0)?.name;
    first.publish("", &queue, b"again");
    let message = first.expect_get(&queue, b"again").setup("basic.get")?;
    first.reject(message.delivery_tag, true);
    // The reject has no reply; what follows it on the channel has.
    first.expect_well(1, "basic.qos-ok after the reject")?;
    let mut second = Client::with_channel(ctx)?;
    second.expect_get(&queue, b"again")
}

fn requeued_elsewhere(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut first = Client::with_channel(ctx)?;
    let queue = first.declare(1, &ctx.name("q."), 0)?.name;
    first.consume(&queue, "first", 0)?;
    first.publish("", &queue, b"again");
    let message = first.expect_delivery(b"again").setup("the delivery")?;
    let mut second = Client::with_channel(ctx)?;
    second.consume(&queue, "second", NO_ACK)?;
    first.reject(message.delivery_tag, true);
    second.expect_delivery(b"again")?;
    second.delete_queue(&queue)
}

/// More bytes than the buffers of both sides and of the network between them hold.
const LARGE: usize = 12;
const MEGABYTE: usize = 1 << 20;

fn while_content_is_sent(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut other = Client::with_channel(ctx)?;
    let small = other.declare(1, &ctx.name("small."), 0)?.name;
    let large = other.declare(1, &ctx.name("large."), 0)?.name;
    other.publish("", &small, b"rejected");
    let mut bytes = method(1, BASIC_PUBLISH, publish_args("", &large, 0));
    bytes.extend(header(1, MEGABYTE as u64, NO_PROPERTIES));
    for chunk in vec![b'x'; MEGABYTE].chunks(4000) {
        bytes.extend(frame(BODY, 1, chunk));
    }
    for _ in 0..LARGE {
        other.wire.send(&bytes);
    }
    other
        .expect_well(1, "basic.qos-ok after the large messages")
        .setup("publishing")?;
    let mut client = Client::with_channel(ctx)?;
    client.open_channel(2)?;
    let message = client.expect_get(&small, b"rejected").setup("basic.get")?;
    client.consume_on(2, &large, "large", NO_ACK)?;
    // Nothing of it is read: after a while the broker can send no more.
    ctx.pause(ctx.silence)?;
    client.reject(message.delivery_tag, true);
    other.consume(&small, "small", NO_ACK)?;
    other.expect_delivery(b"rejected")?;
    drop(client);
    other.delete_queue(&large)?;
    other.delete_queue(&small)
}

fn expect_redelivered(message: &Message) -> Result<(), Stop> {
    if message.redelivered {
        Ok(())
    } else {
        Err(fail("the redelivered bit set", format!("{message:?}")))
    }
}
