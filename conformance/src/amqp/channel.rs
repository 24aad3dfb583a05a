//! Channels: opening, closing, exceptions, flow (1.4, 2.2.2, 4.3).

use super::bytes::{
    CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_FLOW, CHANNEL_FLOW_OK, CHANNEL_OPEN, EXCHANGE_DECLARE,
    QUEUE_DECLARE, args, fields, method,
};
use super::client::{Client, Limits};
use super::method_args::{
    EXCHANGE_AUTO_DELETE, EXCLUSIVE, NO_ACK, NO_WAIT, PASSIVE, close_args, declare_args,
    exchange_args,
};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Section};
use crate::target::Protocol;
use crate::verdict::{fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Channels",
    cases: &[
        Case {
            id: "amqp/channel.open/open-ok",
            rule: "channel / open",
            level: Must,
            title: "channel.open is answered with open-ok and an empty longstr",
            run: |ctx| {
                let mut client = Client::open(ctx)?;
                client.send(1, CHANNEL_OPEN, args().shortstr(""));
                client.expect_bytes(
                    b"\x01\x00\x01\x00\x00\x00\x08\x00\x14\x00\x0b\x00\x00\x00\x00\xCE",
                    "channel.open-ok",
                )
            },
        },
        Case {
            id: "amqp/channel.open/twice",
            rule: "channel / open / state",
            level: Must,
            title: "A channel that is open cannot be opened again: connection exception 504",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(1, CHANNEL_OPEN, args().shortstr(""));
                client.expect_connection_close(1, &[504], "a second channel.open")
            },
        },
        Case {
            id: "amqp/channel.open/above-channel-max",
            rule: "section 2.3.3 / limits hold; section 4.3 / channels",
            level: Must,
            title: "A channel above the negotiated channel-max gets the client disconnected",
            run: |ctx| {
                // As many as the broker proposes, and five at most.
                let mut most = 0;
                let mut client = Client::open_with(ctx, &fields(), |limits| {
                    most = match limits.channel_max {
                        0 => 5,
                        proposed => proposed.min(5),
                    };
                    Limits {
                        channel_max: most,
                        heartbeat: 0,
                        ..limits
                    }
                })?;
                client.open_channel(most)?;
                client.send(most + 1, CHANNEL_OPEN, args().shortstr(""));
                match client.next(most + 1)? {
                    Seen::Ended(..) => Ok(()),
                    Seen::Frame(frame) if frame.channel == 0 && frame.close_reason().is_some() => {
                        Ok(())
                    }
                    other => Err(fail(
                        format!("connection.close or the end, for a channel above {most}"),
                        other.to_string(),
                    )),
                }
            },
        },
        Case {
            id: "amqp/channel.open/at-channel-max",
            rule: "connection / tune / channel-max",
            level: Must,
            title: "The highest channel that the broker proposes can be opened",
            run: |ctx| {
                let mut client = Client::open(ctx)?;
                let most = client.highest_channel();
                client.open_channel(most)
            },
        },
        Case {
            id: "amqp/channel.close/class-and-method",
            rule: "channel / close / class-id; channel / close / method-id",
            level: Must,
            title: "The broker's channel.close names the method that it is due to",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let declare = declare_args(&ctx.name("none."), PASSIVE, &fields());
                client.send(1, QUEUE_DECLARE, declare);
                let expected = "channel.close due to queue.declare, class 50 and method 10";
                let close = client.expect(1, CHANNEL_CLOSE, expected)?;
                if close.cause() == Some(QUEUE_DECLARE) {
                    Ok(())
                } else {
                    Err(fail(expected, close.to_string()))
                }
            },
        },
        Case {
            id: "amqp/channel/not-open",
            rule: "constant channel-error",
            level: Must,
            title: "A method on a channel that is not open is a connection exception 504",
            run: |ctx| {
                let mut client = Client::open(ctx)?;
                client.send(3, QUEUE_DECLARE, declare_args("", EXCLUSIVE, &fields()));
                client.expect_connection_close(3, &[504], "queue.declare on a channel not open")
            },
        },
        Case {
            id: "amqp/channel.close/reopen",
            rule: "section 2.3.7 / close is a hand-shake",
            level: Must,
            title: "A channel can be closed and opened again",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.close_channel(1)?;
                client.open_channel(1)?;
                client.expect_well(1, "a channel that works again")
            },
        },
        Case {
            id: "amqp/channel.close/reopen-after-exception",
            rule: "section 2.3.7 / close is a hand-shake",
            level: Must,
            title: "A channel that an exception closed can be opened again",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(
                    1,
                    QUEUE_DECLARE,
                    declare_args(&ctx.name("none."), PASSIVE, &fields()),
                );
                client.expect_channel_close(1, &[404], "a queue that does not exist")?;
                client.open_channel(1)?;
                client.expect_well(1, "a channel that works again")
            },
        },
        Case {
            id: "amqp/channel.close/discards",
            rule: "channel / close / stability",
            level: Must,
            title: "After a broker's channel.close nothing is done on it but close and close-ok",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.open_channel(2)?;
                let queue = ctx.name("q.");
                // One write: the declare arrives before any answer can.
                let mut bytes = method(
                    1,
                    QUEUE_DECLARE,
                    declare_args(&ctx.name("none."), PASSIVE, &fields()),
                );
                bytes.extend(method(
                    1,
                    QUEUE_DECLARE,
                    declare_args(&queue, EXCLUSIVE, &fields()),
                ));
                client.wire.send(&bytes);
                client.expect_channel_close(1, &[404], "a queue that does not exist")?;
                client.send(2, QUEUE_DECLARE, declare_args(&queue, PASSIVE, &fields()));
                client.expect_channel_close(2, &[404], "a queue whose declare was discarded")?;
                client.open_channel(1)
            },
        },
        Case {
            id: "amqp/channel.close/crossing",
            rule: "channel / close / stability",
            level: Must,
            title: "A channel.close that crosses the broker's own is answered with close-ok",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(
                    1,
                    QUEUE_DECLARE,
                    declare_args(&ctx.name("none."), PASSIVE, &fields()),
                );
                client.expect(1, CHANNEL_CLOSE, "channel.close 404")?;
                client.send(1, CHANNEL_CLOSE, close_args());
                let expected = "channel.close-ok for a close that crossed another";
                client.expect(1, CHANNEL_CLOSE_OK, expected).map(drop)
            },
        },
        Case {
            id: "amqp/channel/exceptions-are-apart",
            rule: "section 2.2.2",
            level: Must,
            title: "An exception on one channel leaves the other channels as they are",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.open_channel(2)?;
                let queue = client.declare(2, "", EXCLUSIVE)?.name;
                client.send(
                    1,
                    QUEUE_DECLARE,
                    declare_args(&ctx.name("none."), PASSIVE, &fields()),
                );
                client.expect_channel_close(1, &[404], "a queue that does not exist")?;
                client.declare(2, &queue, PASSIVE).map(drop)
            },
        },
        Case {
            id: "amqp/channel/no-wait-exception",
            rule: "domain no-wait",
            level: Must,
            title: "A method with no-wait has no reply, but its exception is told",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let fine = exchange_args(
                    &ctx.name("x."),
                    "fanout",
                    EXCHANGE_AUTO_DELETE | NO_WAIT,
                    &fields(),
                );
                client.send(1, EXCHANGE_DECLARE, fine);
                client.expect_well(1, "basic.qos-ok and no declare-ok before")?;
                let bits = NO_WAIT;
                let other = exchange_args(&ctx.name("x."), "direct", bits, &fields());
                client.send(1, EXCHANGE_DECLARE, other);
                client.expect_exception(1, &[406], &[530], "another type for an exchange")
            },
        },
        Case {
            id: "amqp/channel.flow/active",
            rule: "channel / flow",
            level: Must,
            title: "channel.flow that asks to go on is answered with flow-ok",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(1, CHANNEL_FLOW, args().octet(1));
                client.expect_bytes(
                    b"\x01\x00\x01\x00\x00\x00\x05\x00\x14\x00\x15\x01\xCE",
                    "channel.flow-ok with active",
                )
            },
        },
        Case {
            id: "amqp/channel.flow/paused",
            rule: "channel / flow / bidirectional; channel / flow / initial-state",
            level: Should,
            title: "channel.flow pauses deliveries and starts them again",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.send(1, CHANNEL_FLOW, args().octet(0));
                let flow_ok = match client.next(1)? {
                    Seen::Frame(frame) if frame.method() == Some(CHANNEL_FLOW_OK) => frame,
                    Seen::Frame(frame) if matches!(frame.close_reason(), Some((540, _))) => {
                        return Err(not_applicable(format!("not implemented: {frame}")));
                    }
                    other => return Err(fail("channel.flow-ok", other.to_string())),
                };
                if flow_ok.args().octet()? & 1 != 0 {
                    return Err(fail("flow-ok that is not active", flow_ok.to_string()));
                }
                let queue = client.queue(ctx)?;
                client.consume(&queue, "c", NO_ACK)?;
                client.publish("", &queue, b"later");
                client.expect_silence("no delivery while paused")?;
                client.send(1, CHANNEL_FLOW, args().octet(1));
                client.expect(1, CHANNEL_FLOW_OK, "channel.flow-ok")?;
                client.expect_delivery(b"later").map(drop)
            },
        },
    ],
};
