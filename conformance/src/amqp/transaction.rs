//! Transactions and publisher confirms (class tx, capability publisher_confirms).

use super::bytes::{
    BASIC_ACK, CONFIRM_SELECT, CONFIRM_SELECT_OK, NO_PROPERTIES, TX_COMMIT, TX_COMMIT_OK,
    TX_ROLLBACK, TX_ROLLBACK_OK, TX_SELECT, TX_SELECT_OK, args,
};
use super::client::Client;
use super::method_args::{DURABLE, EXCLUSIVE};
use crate::case::Level::Must;
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Transactions and confirms",
    cases: &[
        Case {
            id: "amqp/tx.commit/publishes",
            rule: "tx / commit; section 4.6 / visibility",
            level: Must,
            title: "What a transaction publishes is in the queue after commit-ok, and not before",
            run: |ctx| {
                let (mut client, queue) = transacted(ctx)?;
                client.publish("", &queue, b"committed");
                expect_ready(&mut client, &queue, 0)?;
                client.call(1, TX_COMMIT, args(), TX_COMMIT_OK)?;
                expect_ready(&mut client, &queue, 1)
            },
        },
        Case {
            id: "amqp/tx.rollback/publishes",
            rule: "tx / rollback",
            level: Must,
            title: "What a transaction published is not in the queue after rollback",
            run: |ctx| {
                let (mut client, queue) = transacted(ctx)?;
                client.publish("", &queue, b"taken back");
                client.call(1, TX_ROLLBACK, args(), TX_ROLLBACK_OK)?;
                client.call(1, TX_COMMIT, args(), TX_COMMIT_OK)?;
                expect_ready(&mut client, &queue, 0)
            },
        },
        Case {
            id: "amqp/tx.commit/acks",
            rule: "tx / commit",
            level: Must,
            title: "An ack in a transaction counts after commit",
            run: |ctx| {
                let (mut client, queue) = transacted(ctx)?;
                for body in [b"acked", b"other"] {
                    client.publish_with(2, "", &queue, 0, NO_PROPERTIES, body);
                }
                client.expect_well(2, "basic.qos-ok")?;
                let message = client.expect_get(&queue, b"acked")?;
                client.expect_get(&queue, b"other")?;
                client.ack(message.delivery_tag, false);
                client.call(1, TX_COMMIT, args(), TX_COMMIT_OK)?;
                client.expect_back(&queue, b"other")?;
                client.expect_empty(&queue, "the acknowledged message is gone")
            },
        },
        Case {
            id: "amqp/tx.rollback/acks",
            rule: "tx / rollback",
            level: Must,
            title: "An ack in a transaction does not count after rollback, and can be given again",
            run: |ctx| {
                let (mut client, queue) = transacted(ctx)?;
                client.publish_with(2, "", &queue, 0, NO_PROPERTIES, b"acked");
                client.expect_well(2, "basic.qos-ok")?;
                let message = client.expect_get(&queue, b"acked")?;
                client.ack(message.delivery_tag, false);
                client.call(1, TX_ROLLBACK, args(), TX_ROLLBACK_OK)?;
                client.ack(message.delivery_tag, false);
                client.call(1, TX_ROLLBACK, args(), TX_ROLLBACK_OK)?;
                client.expect_back(&queue, b"acked")
            },
        },
        Case {
            id: "amqp/tx/channel-closed",
            rule: "tx / select",
            level: Must,
            title: "What a transaction published and did not commit is not in the queue when its channel closes",
            run: |ctx| {
                let (mut client, queue) = transacted(ctx)?;
                client.publish("", &queue, b"never committed");
                client.close_channel(1)?;
                expect_ready(&mut client, &queue, 0)
            },
        },
        Case {
            id: "amqp/tx.commit/not-selected",
            rule: "tx / commit / transacted",
            level: Must,
            title: "A commit without a transaction is a channel exception 406",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(1, TX_COMMIT, args());
                client.expect_channel_close(1, &[406], "a commit without tx.select")
            },
        },
        Case {
            id: "amqp/tx.rollback/not-selected",
            rule: "tx / rollback / transacted",
            level: Must,
            title: "A rollback without a transaction is a channel exception 406",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(1, TX_ROLLBACK, args());
                client.expect_channel_close(1, &[406], "a rollback without tx.select")
            },
        },
        Case {
            id: "amqp/tx.select/twice",
            rule: "tx / select",
            level: Must,
            title: "A channel that is transacted can be selected again",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.call(1, TX_SELECT, args(), TX_SELECT_OK)?;
                client.call(1, TX_SELECT, args(), TX_SELECT_OK).map(drop)
            },
        },
        Case {
            id: "amqp/confirm.select/counts",
            rule: "capability publisher_confirms",
            level: Must,
            title: "Publishes are confirmed in tags that count from confirm.select, each once",
            run: |ctx| {
                let (mut client, queue) = confirming(ctx)?;
                for body in [b"1", b"2", b"3"] {
                    client.publish("", &queue, body);
                }
                expect_confirms(&mut client, 3)
            },
        },
        Case {
            id: "amqp/confirm.select/counts-from-select",
            rule: "capability publisher_confirms",
            level: Must,
            title: "What was published before confirm.select is not counted",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "publisher_confirms")?;
                let queue = client.queue(ctx)?;
                client.publish("", &queue, b"before");
                client.call(1, CONFIRM_SELECT, args().octet(0), CONFIRM_SELECT_OK)?;
                client.publish("", &queue, b"after");
                expect_confirms(&mut client, 1)
            },
        },
        Case {
            id: "amqp/confirm.select/many",
            rule: "capability publisher_confirms",
            level: Must,
            title: "Of three hundred publishes, some of them persistent, each is confirmed once",
            run: |ctx| {
                let (mut client, queue) = confirming(ctx)?;
                let durable = client
                    .declare(1, &ctx.name("durable."), DURABLE | EXCLUSIVE)?
                    .name;
                // Bit 12 is delivery-mode; 2 is persistent.
                let persistent = args().short(1 << 12).octet(2);
                for _ in 0..100 {
                    client.publish("", &queue, b"transient");
                    client.publish_with(1, "", &durable, 0, &persistent.0, b"persistent");
                    client.publish("", &ctx.name("none."), b"lost");
                }
                expect_confirms(&mut client, 300)
            },
        },
        Case {
            id: "amqp/confirm.select/unroutable",
            rule: "capability publisher_confirms",
            level: Must,
            title: "A message that goes nowhere is confirmed",
            run: |ctx| {
                let (mut client, _) = confirming(ctx)?;
                client.publish("", &ctx.name("none."), b"lost");
                expect_confirms(&mut client, 1)
            },
        },
        Case {
            id: "amqp/confirm.select/returned-first",
            rule: "capability publisher_confirms",
            level: Must,
            title: "A mandatory message that goes nowhere comes back before its confirm",
            run: |ctx| {
                let (mut client, _) = confirming(ctx)?;
                client.publish_with(1, "", &ctx.name("none."), 1, NO_PROPERTIES, b"back");
                client.expect_return(1, 312)?;
                expect_confirms(&mut client, 1)
            },
        },
        Case {
            id: "amqp/confirm.select/no-wait",
            rule: "capability publisher_confirms",
            level: Must,
            title: "confirm.select with no-wait has no reply",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "publisher_confirms")?;
                client.send(1, CONFIRM_SELECT, args().octet(1));
                client.publish("", &ctx.name("none."), b"lost");
                expect_confirms(&mut client, 1)
            },
        },
        Case {
            id: "amqp/confirm.select/in-transaction",
            rule: "capability publisher_confirms",
            level: Must,
            title: "A transacted channel cannot be in confirm mode: channel exception 406",
            run: |ctx| {
                let mut client = Client::with_capability(ctx, "publisher_confirms")?;
                client.call(1, TX_SELECT, args(), TX_SELECT_OK)?;
                client.send(1, CONFIRM_SELECT, args().octet(0));
                client.expect_channel_close(1, &[406], "confirm.select after tx.select")
            },
        },
        Case {
            id: "amqp/tx.select/in-confirm-mode",
            rule: "capability publisher_confirms",
            level: Must,
            title: "A channel in confirm mode cannot be transacted: channel exception 406",
            run: |ctx| {
                let (mut client, _) = confirming(ctx)?;
                client.send(1, TX_SELECT, args());
                client.expect_channel_close(1, &[406], "tx.select after confirm.select")
            },
        },
    ],
};

/// Channel 1 transacted, channel 2 not, and an exclusive queue.
fn transacted(ctx: &Context<'_>) -> Result<(Client, String), Stop> {
    let mut client = Client::with_channel(ctx)?;
    client.open_channel(2)?;
    let queue = client.declare(2, &ctx.name("q."), EXCLUSIVE)?.name;
    client.call(1, TX_SELECT, args(), TX_SELECT_OK)?;
    Ok((client, queue))
}

/// Channel 1 in confirm mode and an exclusive queue.
fn confirming(ctx: &Context<'_>) -> Result<(Client, String), Stop> {
    let mut client = Client::with_capability(ctx, "publisher_confirms")?;
    let queue = client.queue(ctx)?;
    client.call(1, CONFIRM_SELECT, args().octet(0), CONFIRM_SELECT_OK)?;
    Ok((client, queue))
}

/// As seen from channel 2.
fn expect_ready(client: &mut Client, queue: &str, expected: u32) -> Result<(), Stop> {
    let ready = client.ready(2, queue)?;
    if ready == expected {
        Ok(())
    } else {
        Err(fail(
            format!("{expected} messages in the queue"),
            format!("{ready}"),
        ))
    }
}

/// Acks of every tag from 1 to `count`, in any order and grouping, each tag
/// once, and nothing more.
fn expect_confirms(client: &mut Client, count: u64) -> Result<(), Stop> {
    let mut open: Vec<u64> = (1..=count).collect();
    while !open.is_empty() {
        let frame = client.expect(1, BASIC_ACK, &format!("basic.ack for {open:?}"))?;
        let mut args = frame.args();
        let tag = args.longlong()?;
        let multiple = args.octet()? & 1 != 0;
        let before = open.len();
        open.retain(|&t| !(t == tag || (multiple && t < tag)));
        if open.len() == before || tag > count {
            return Err(fail(format!("basic.ack for {open:?}"), frame.to_string()));
        }
    }
    client.expect_well(1, "basic.qos-ok and no further confirm")
}
