//! Frames, methods, field tables and heart-beats on an open connection (4.2).

use std::time::{Duration, Instant};

use super::bytes::{
    BASIC_GET, BASIC_PUBLISH, BASIC_QOS, BASIC_QOS_OK, BODY, CHANNEL_OPEN, CHANNEL_OPEN_OK,
    CONNECTION_TUNE_OK, FRAME_MIN_SIZE, FRAME_OVERHEAD, HEADER, HEARTBEAT, METHOD, NO_PROPERTIES,
    QUEUE_DECLARE, QUEUE_DECLARE_OK, args, content, every_type, fields, frame, header, method,
    parse_frame,
};
use super::client::{Client, Limits};
use super::method_args::{EXCLUSIVE, declare_args, publish_args};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};
use crate::wire::{Bytes, Parsed, Seen};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Framing",
    cases: &[
        Case {
            id: "amqp/frame/end-octet",
            rule: "section 4.2.3 / frame-end; section 4.2.3 / type and end are checked",
            level: Must,
            title: "A frame that does not end with CE is fatal",
            run: |ctx| {
                let mut bytes = method(1, BASIC_QOS, args().long(0).short(0).octet(0));
                *bytes.last_mut().expect("a frame is not empty") = 0xCD;
                fatal(ctx, &bytes, &[501])
            },
        },
        Case {
            id: "amqp/frame/unknown-type",
            rule: "section 4.2.3 / type and end are checked",
            level: Must,
            title: "A frame of a type that is not defined is fatal",
            run: |ctx| fatal(ctx, &frame(9, 1, b"abc"), &[501]),
        },
        Case {
            id: "amqp/frame/oversized",
            rule: "section 4.2.3 / size and channel; section 2.3.3 / limits hold",
            level: Must,
            title: "A frame above the negotiated frame-max is a connection exception 501",
            run: |ctx| {
                let mut client = with_frame_max(ctx, FRAME_MIN_SIZE)?;
                let queue = client.queue(ctx)?;
                let mut bytes = method(1, BASIC_PUBLISH, publish_args("", &queue, 0));
                bytes.extend(header(1, 5000, NO_PROPERTIES));
                bytes.extend(frame(BODY, 1, &[b'x'; 5000]));
                client.wire.send(&bytes);
                client.expect_connection_close(1, &[501], "a frame of 5008 octets, frame-max 4096")
            },
        },
        Case {
            id: "amqp/frame/of-frame-max",
            rule: "section 4.2.3 / size and channel; section 2.3.3 / limits hold",
            level: Must,
            title: "A frame of just the negotiated frame-max is accepted",
            run: |ctx| {
                let mut client = with_frame_max(ctx, FRAME_MIN_SIZE)?;
                let queue = client.queue(ctx)?;
                let body = [b'x'; FRAME_MIN_SIZE - FRAME_OVERHEAD];
                client.publish("", &queue, &body);
                client.expect_get(&queue, &body).map(drop)
            },
        },
        Case {
            id: "amqp/frame/sent-within-frame-max",
            rule: "section 4.2.3 / size and channel",
            level: Must,
            title: "A broker sends no frame above the negotiated frame-max",
            run: sent_within_frame_max,
        },
        Case {
            id: "amqp/frame/at-every-octet",
            rule: "section 4.2.3",
            level: Must,
            title: "Frames are found wherever the stream is cut",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                let mut bytes = method(1, BASIC_PUBLISH, publish_args("", &queue, 0));
                bytes.extend(content(1, NO_PROPERTIES, b"bit by bit"));
                for byte in bytes {
                    client.wire.send(&[byte]);
                }
                client.expect_get(&queue, b"bit by bit").map(drop)
            },
        },
        Case {
            id: "amqp/frame/pipelined",
            rule: "section 4.6; section 3.2.1 / replies",
            level: Must,
            title: "Requests in one segment are answered one by one, in order",
            run: |ctx| {
                let mut client = Client::open(ctx)?;
                client.needs_channel(20)?;
                let mut bytes = Vec::new();
                for channel in 1..=20 {
                    bytes.extend(method(channel, CHANNEL_OPEN, args().shortstr("")));
                    bytes.extend(method(channel, BASIC_QOS, args().long(0).short(1).octet(0)));
                }
                client.wire.send(&bytes);
                for channel in 1..=20 {
                    client.expect(channel, CHANNEL_OPEN_OK, "channel.open-ok")?;
                    client.expect(channel, BASIC_QOS_OK, "basic.qos-ok")?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/method/unknown-class",
            rule: "section 2.3.7 / close is a hand-shake; constants command-invalid, not-implemented",
            level: Must,
            title: "A method of an unknown class closes the connection with a handshake",
            run: |ctx| closed_with_a_handshake(ctx, &method(1, (99, 10), args())),
        },
        Case {
            id: "amqp/method/unknown-method",
            rule: "section 2.3.7 / close is a hand-shake; constants command-invalid, not-implemented",
            level: Must,
            title: "An unknown method of a known class closes the connection with a handshake",
            run: |ctx| closed_with_a_handshake(ctx, &method(1, (60, 250), args())),
        },
        Case {
            id: "amqp/method/truncated-arguments",
            rule: "constants frame-error, syntax-error",
            level: Must,
            title: "A method whose arguments end too soon is a connection exception 501 or 502",
            run: |ctx| exception(ctx, &method(1, BASIC_QOS, args().octet(0)), &[501, 502]),
        },
        Case {
            id: "amqp/method/trailing-octets",
            rule: "constants frame-error, syntax-error",
            level: Must,
            title: "A method with octets after its arguments is a connection exception 501 or 502",
            run: |ctx| {
                let qos = args().long(0).short(0).octet(0).raw(b"extra");
                exception(ctx, &method(1, BASIC_QOS, qos), &[501, 502])
            },
        },
        Case {
            id: "amqp/method/channel-class-on-channel-0",
            rule: "constants command-invalid, channel-error",
            level: Must,
            title: "A method that needs a channel is refused on channel 0",
            run: |ctx| {
                let bytes = method(0, BASIC_QOS, args().long(0).short(0).octet(0));
                exception(ctx, &bytes, &[503, 504])
            },
        },
        Case {
            id: "amqp/method/connection-class-on-channel-1",
            rule: "section 4.2.3 / size and channel",
            level: Must,
            title: "A method of the connection class on another channel than 0 is refused with 503",
            run: |ctx| {
                let limits = Limits {
                    channel_max: 0,
                    frame_max: 0,
                    heartbeat: 0,
                };
                exception(ctx, &method(1, CONNECTION_TUNE_OK, limits.args()), &[503])
            },
        },
        Case {
            id: "amqp/field-table/every-type",
            rule: "section 4.2.5.5; erratum 3; section 4.2.5.1 / alignment",
            level: Must,
            title: "A field table with a field of every type is understood",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let arguments = every_type();
                client
                    .declare_with(1, &ctx.name("q."), EXCLUSIVE, &arguments)
                    .map(drop)
            },
        },
        Case {
            id: "amqp/field-table/unknown-type",
            rule: "section 2.3.7 / close is a hand-shake; constants frame-error, syntax-error",
            level: Must,
            title: "A field of an unknown type closes the connection with a handshake",
            run: |ctx| {
                let arguments = fields().field("x-a", b"?1234");
                let declare = declare_args(&ctx.name("q."), EXCLUSIVE, &arguments);
                closed_with_a_handshake(ctx, &method(1, QUEUE_DECLARE, declare))
            },
        },
        Case {
            id: "amqp/field-table/truncated",
            rule: "constants frame-error, syntax-error",
            level: Must,
            title: "A field table longer than its frame is a connection exception 501 or 502",
            run: |ctx| {
                let declare = args()
                    .short(0)
                    .shortstr(ctx.name("q."))
                    .octet(EXCLUSIVE)
                    .long(1000)
                    .raw(b"\x01a");
                exception(ctx, &method(1, QUEUE_DECLARE, declare), &[501, 502])
            },
        },
        Case {
            id: "amqp/field-table/field-name",
            rule: "section 4.2.5.5 / field names are validated",
            level: Should,
            title: "A field name that does not start with a letter, $ or # is refused with 503",
            // The text calls 503 "syntax error", which is 502: both are accepted.
            run: |ctx| {
                let arguments = fields().int("1-up", 1);
                let declare = declare_args(&ctx.name("q."), EXCLUSIVE, &arguments);
                exception(ctx, &method(1, QUEUE_DECLARE, declare), &[502, 503])
            },
        },
        Case {
            id: "amqp/field-table/nested-deeply",
            rule: "section 4.2.5.5",
            level: Must,
            title: "A table nested a thousand deep is taken or refused, and the broker goes on",
            run: nested_deeply,
        },
        Case {
            id: "amqp/heartbeat/sent",
            rule: "section 4.2.7; erratum 12",
            level: Must,
            title: "A broker with nothing to say sends heart-beats at the negotiated pace",
            run: |ctx| {
                let ctx = ctx.timed();
                let mut client = with_heartbeat(ctx, 1)?;
                // One interval, and one more for a broker that looks once an interval.
                let window = Duration::from_secs(3);
                let seen = client.wire.next_within(window, |bytes| match bytes.len() {
                    8.. => Parsed::Whole(Bytes(bytes[..8].to_vec()), 8),
                    _ => Parsed::Incomplete,
                })?;
                match seen {
                    Seen::Frame(Bytes(bytes)) if bytes == HEARTBEAT_FRAME => Ok(()),
                    other => Err(fail(
                        format!("{} within 3 s", Bytes(HEARTBEAT_FRAME.to_vec())),
                        other.to_string(),
                    )),
                }
            },
        },
        Case {
            id: "amqp/heartbeat/silent-client",
            rule: "section 4.2.7",
            level: Should,
            title: "A client that is silent for two heart-beat intervals is disconnected",
            run: |ctx| silent_client(ctx.timed()),
        },
        Case {
            id: "amqp/heartbeat/kept-alive",
            rule: "section 4.2.7",
            level: Must,
            title: "A client that sends heart-beats only is not disconnected",
            run: |ctx| {
                let ctx = ctx.timed();
                let mut client = with_heartbeat(ctx, 1)?;
                for _ in 0..10 {
                    client.wire.send(HEARTBEAT_FRAME);
                    ctx.sleep(Duration::from_millis(450))?;
                }
                client.open_channel(1)
            },
        },
        Case {
            id: "amqp/heartbeat/not-negotiated",
            rule: "section 4.2.7 / discarded",
            level: Must,
            title: "A heart-beat is no error when none were negotiated",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.wire.send(HEARTBEAT_FRAME);
                client.expect_well(1, "basic.qos-ok: a heart-beat is no error")
            },
        },
        Case {
            id: "amqp/heartbeat/on-channel-1",
            rule: "section 4.2.3 / size and channel; section 4.2.7 / channel",
            level: Must,
            title: "A heart-beat on another channel than 0 is a connection exception",
            // 503 for any frame that belongs on channel 0 (4.2.3), 501 for any
            // heart-beat that is invalid (4.2.7): the text gives both.
            run: |ctx| exception(ctx, &frame(HEARTBEAT, 1, b""), &[501, 503]),
        },
        Case {
            id: "amqp/heartbeat/with-payload",
            rule: "section 4.2.7; erratum 22",
            level: Must,
            title: "A heart-beat with a payload is a connection exception 501",
            run: |ctx| exception(ctx, &frame(HEARTBEAT, 0, b"x"), &[501]),
        },
    ],
};

/// Eight octets, as every frame has: erratum 12.
const HEARTBEAT_FRAME: &[u8] = b"\x08\x00\x00\x00\x00\x00\x00\xCE";

/// "It MUST treat this as a fatal protocol error and close the connection
/// without sending any further data" (4.2.3) and "a malformed frame" is
/// reported with the reply code frame-error (constants): the specification
/// says both, so the end and connection.close are accepted.
fn fatal(ctx: &Context<'_>, bytes: &[u8], codes: &[u16]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    client.wire.send(bytes);
    match client.next(1)? {
        Seen::Ended(_, rest) if rest.is_empty() => Ok(()),
        Seen::Frame(frame)
            if frame
                .close_reason()
                .is_some_and(|(code, _)| codes.contains(&code)) =>
        {
            Ok(())
        }
        other => Err(fail(
            format!("the connection closed, or connection.close {codes:?}"),
            other.to_string(),
        )),
    }
}

fn exception(ctx: &Context<'_>, bytes: &[u8], codes: &[u16]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    client.wire.send(bytes);
    client.expect_connection_close(1, codes, &Bytes(bytes.to_vec()).to_string())
}

/// "A peer that wishes to close the connection MUST do so using a hand-shake"
/// (2.3.7); which code fits is left to the broker.
fn closed_with_a_handshake(ctx: &Context<'_>, bytes: &[u8]) -> Result<(), Stop> {
    exception(ctx, bytes, &[501, 502, 503, 540])
}

fn with_frame_max(ctx: &Context<'_>, frame_max: usize) -> Result<Client, Stop> {
    let mut client = Client::open_with(ctx, &fields(), |limits| Limits {
        frame_max: frame_max as u32,
        heartbeat: 0,
        ..limits
    })?;
    client.open_channel(1)?;
    Ok(client)
}

fn with_heartbeat(ctx: &Context<'_>, seconds: u16) -> Result<Client, Stop> {
    Client::open_with(ctx, &fields(), |limits| Limits {
        heartbeat: seconds,
        ..limits
    })
}

fn sent_within_frame_max(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = with_frame_max(ctx, FRAME_MIN_SIZE)?;
    let queue = client.queue(ctx)?;
    let body: Vec<u8> = (0..10_000_u32).map(|i| i as u8).collect();
    let mut bytes = method(1, BASIC_PUBLISH, publish_args("", &queue, 0));
    bytes.extend(header(1, body.len() as u64, NO_PROPERTIES));
    for chunk in body.chunks(FRAME_MIN_SIZE - FRAME_OVERHEAD) {
        bytes.extend(frame(BODY, 1, chunk));
    }
    client.wire.send(&bytes);
    client.send(1, BASIC_GET, args().short(0).shortstr(&queue).octet(1));
    let mut received = Vec::new();
    while received.len() < body.len() {
        match client.next(1)? {
            Seen::Frame(frame) if frame.payload.len() + FRAME_OVERHEAD > FRAME_MIN_SIZE => {
                return Err(fail(
                    "frames of at most 4096 octets",
                    format!("{} octets: {frame}", frame.payload.len() + FRAME_OVERHEAD),
                ));
            }
            Seen::Frame(frame) if frame.kind == BODY => received.extend(frame.payload),
            Seen::Frame(frame) if matches!(frame.kind, METHOD | HEADER) => {}
            other => return Err(fail("the message in frames", other.to_string())),
        }
    }
    if received == body {
        Ok(())
    } else {
        Err(fail(
            "the body that was published",
            Bytes(received).to_string(),
        ))
    }
}

fn silent_client(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut client = with_heartbeat(ctx, 1)?;
    let start = Instant::now();
    // Two intervals; as long again for a broker that looks once an interval
    // and is busy.
    let window = Duration::from_secs(6);
    while start.elapsed() < window {
        let left = window.saturating_sub(start.elapsed());
        match client.wire.next_within(left, parse_frame)? {
            Seen::Frame(_) => {}
            Seen::Ended(..) if start.elapsed() >= Duration::from_secs(1) => return Ok(()),
            other => return Err(fail("the connection closed after 2 s", other.to_string())),
        }
    }
    Err(fail(
        "the connection closed within 6 s",
        "heart-beats, and it is still open",
    ))
}

fn nested_deeply(ctx: &Context<'_>) -> Result<(), Stop> {
    let mut table = fields();
    for _ in 0..1000 {
        table = fields().nested("x", &table);
    }
    let mut client = Client::with_channel(ctx)?;
    client.send(
        1,
        QUEUE_DECLARE,
        declare_args(&ctx.name("q."), EXCLUSIVE, &table),
    );
    match client.next(1)? {
        Seen::Frame(frame)
            if frame.method() == Some(QUEUE_DECLARE_OK) || frame.close_reason().is_some() => {}
        other => return Err(fail("declare-ok or an exception", other.to_string())),
    }
    Client::with_channel(ctx).map(drop)
}
