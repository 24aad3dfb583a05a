//! Publishing and content: basic.publish, content header and body, basic.return
//! (2.3.5.2, 4.2.6, class basic).

use super::bytes::{
    Args, BASIC_PUBLISH, BASIC_QOS, BODY, CHANNEL_OPEN, CHANNEL_OPEN_OK, HEADER, HEARTBEAT,
    NO_PROPERTIES, args, content, every_type, fields, frame, header, method,
};
use super::client::Client;
use super::method_args::{EXCLUSIVE, NO_ACK, publish_args};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Context, Section};
use crate::target::Protocol;
use crate::verdict::{Stop, fail};
use crate::wire::Bytes;

/// Bits of basic.publish.
const MANDATORY: u8 = 1;
const IMMEDIATE: u8 = 2;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Amqp,
    title: "Publishing and content",
    cases: &[
        Case {
            id: "amqp/basic.publish/exchange-not-found",
            rule: "basic / publish / exchange / must-exist",
            level: Must,
            title: "Publishing to an exchange that does not exist is a channel exception 404",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.publish(&ctx.name("none."), "k", b"lost");
                client.expect_channel_close(1, &[404], "an exchange that does not exist")
            },
        },
        Case {
            id: "amqp/basic.publish/unroutable",
            rule: "basic / publish / mandatory",
            level: Must,
            title: "A message that goes nowhere and is not mandatory is dropped without a word",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                client.publish("", &ctx.name("none."), b"lost");
                client.expect_well(1, "basic.qos-ok: dropping is no error")
            },
        },
        Case {
            id: "amqp/basic.publish/mandatory",
            rule: "basic / publish / mandatory / 01; erratum 17",
            level: Should,
            title: "A mandatory message that goes nowhere comes back whole: basic.return 312",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let (key, properties) = (ctx.name("none."), every_property(ctx));
                client.publish_with(1, "", &key, MANDATORY, &properties.0, b"come back");
                let message = client.expect_return(1, 312)?;
                let intact = message.exchange.is_empty()
                    && message.routing_key == key.as_bytes()
                    && message.body == b"come back"
                    && message.properties == properties.0;
                if intact {
                    Ok(())
                } else {
                    Err(fail(
                        "the message as it was published",
                        format!("{message:?}"),
                    ))
                }
            },
        },
        Case {
            id: "amqp/basic.publish/mandatory-routable",
            rule: "basic / publish / mandatory",
            level: Must,
            title: "A mandatory message that is routed does not come back",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.publish_with(1, "", &queue, MANDATORY, NO_PROPERTIES, b"stay");
                client.expect_get(&queue, b"stay").map(drop)
            },
        },
        Case {
            id: "amqp/basic.publish/immediate",
            rule: "basic / publish / immediate / 01",
            level: Should,
            title: "An immediate message without a consumer to take it comes back: basic.return 313",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.publish_with(1, "", &queue, IMMEDIATE, NO_PROPERTIES, b"now");
                client.expect_return(1, 313)?;
                client.expect_empty(&queue, "an immediate message is not queued")
            },
        },
        Case {
            id: "amqp/content/every-property",
            rule: "section 3.1.1 / bodies are kept; section 4.2.6.1",
            level: Must,
            title: "Every property arrives as it was sent, octet by octet",
            run: |ctx| passes_through(ctx, &every_property(ctx).0),
        },
        Case {
            id: "amqp/content/every-field-type",
            rule: "section 3.1.1 / bodies are kept; section 4.2.5.5; erratum 3",
            level: Must,
            title: "Headers with a field of every type arrive as they were sent, octet by octet",
            run: |ctx| {
                let headers = every_type();
                passes_through(ctx, &args().short(1 << 13).table(&headers).0)
            },
        },
        Case {
            id: "amqp/content/body-of-many-frames",
            rule: "section 4.2.6.2 / set of frames; section 3.1.1 / bodies are kept; section 2.3.5.2 / body frames",
            level: Must,
            title: "A body in many frames, of one octet and of none among them, arrives unchanged",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                let chunks: [&[u8]; 5] = [b"a", b"", b"bc\x00\xCE", &[0xCE; 3000], b"z"];
                let body = chunks.concat();
                let mut bytes = method(1, BASIC_PUBLISH, publish_args("", &queue, 0));
                bytes.extend(header(1, body.len() as u64, NO_PROPERTIES));
                for chunk in chunks {
                    bytes.extend(frame(BODY, 1, chunk));
                }
                client.wire.send(&bytes);
                client.expect_get(&queue, &body).map(drop)
            },
        },
        Case {
            id: "amqp/content/empty-body",
            rule: "section 4.2.6; section 4.2.6.1",
            level: Must,
            title: "Content of no octets is complete with its header",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                client.publish("", &queue, b"");
                client.publish("", &queue, b"next");
                client.expect_get(&queue, b"")?;
                client.expect_get(&queue, b"next").map(drop)
            },
        },
        Case {
            id: "amqp/content/megabyte",
            rule: "section 2.3.5.2",
            level: Must,
            title: "A body of a megabyte arrives unchanged",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                let body: Vec<u8> = (0..1_u32 << 20).map(|i| (i ^ (i >> 8)) as u8).collect();
                let mut bytes = method(1, BASIC_PUBLISH, publish_args("", &queue, 0));
                bytes.extend(header(1, body.len() as u64, NO_PROPERTIES));
                for chunk in body.chunks(4000) {
                    bytes.extend(frame(BODY, 1, chunk));
                }
                client.wire.send(&bytes);
                match client.get(&queue, true)? {
                    Some(message) if message.body == body => Ok(()),
                    Some(message) => Err(fail(
                        "the body that was sent",
                        Bytes(message.body).to_string(),
                    )),
                    None => Err(fail("the message", "basic.get-empty")),
                }
            },
        },
        Case {
            id: "amqp/basic.publish/persistent-backlog",
            rule: "basic / 02",
            level: Must,
            title: "Of a thousand persistent messages that wait in a queue none is missing",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let queue = client.queue(ctx)?;
                // Bit 12 is delivery-mode; 2 is persistent.
                let persistent = args().short(1 << 12).octet(2);
                for number in 0..1000 {
                    let body = format!("{number}");
                    client.publish_with(1, "", &queue, 0, &persistent.0, body.as_bytes());
                }
                client.expect_well(1, "basic.qos-ok after the messages")?;
                client.consume(&queue, "c", NO_ACK)?;
                for number in 0..1000 {
                    client.expect_delivery(format!("{number}").as_bytes())?;
                }
                Ok(())
            },
        },
        Case {
            id: "amqp/content/channels-interleaved",
            rule: "section 4.2.6; section 2.3.5.2",
            level: Must,
            title: "Frames of other channels and heart-beats may stand between the frames of content",
            run: |ctx| {
                let mut client = Client::with_channel(ctx)?;
                let (first, second) = (ctx.name("q1."), ctx.name("q2."));
                client.declare(1, &first, EXCLUSIVE)?;
                client.declare(1, &second, EXCLUSIVE)?;
                client.open_channel(2)?;
                client.needs_channel(3)?;
                let bytes = [
                    method(1, BASIC_PUBLISH, publish_args("", &first, 0)),
                    method(2, BASIC_PUBLISH, publish_args("", &second, 0)),
                    header(2, 4, NO_PROPERTIES),
                    header(1, 4, NO_PROPERTIES),
                    frame(BODY, 1, b"fi"),
                    frame(HEARTBEAT, 0, b""),
                    frame(BODY, 2, b"se"),
                    method(3, CHANNEL_OPEN, args().shortstr("")),
                    frame(BODY, 1, b"rs"),
                    frame(BODY, 2, b"co"),
                ]
                .concat();
                client.wire.send(&bytes);
                client.expect(3, CHANNEL_OPEN_OK, "channel.open-ok")?;
                client.expect_get(&first, b"firs")?;
                // What channel 2 published is in order for channel 2 only.
                client.expect_well(2, "basic.qos-ok")?;
                client.expect_get(&second, b"seco").map(drop)
            },
        },
        Case {
            id: "amqp/content/method-instead-of-header",
            rule: "section 4.2.6 / incomplete content",
            level: Must,
            title: "A method where a content header must come is a connection exception 505",
            run: |ctx| {
                let qos = method(1, BASIC_QOS, args().long(0).short(0).octet(0));
                after_publish(ctx, &[qos], &[505])
            },
        },
        Case {
            id: "amqp/content/body-instead-of-header",
            rule: "section 4.2.6 / incomplete content",
            level: Must,
            title: "A body where a content header must come is a connection exception 505",
            run: |ctx| after_publish(ctx, &[frame(BODY, 1, b"body")], &[505]),
        },
        Case {
            id: "amqp/content/method-instead-of-body",
            rule: "section 4.2.6 / incomplete content",
            level: Must,
            title: "A method where a content body must come is a connection exception 505",
            run: |ctx| {
                let qos = method(1, BASIC_QOS, args().long(0).short(0).octet(0));
                after_publish(ctx, &[header(1, 4, NO_PROPERTIES), qos], &[505])
            },
        },
        Case {
            id: "amqp/content/header-instead-of-body",
            rule: "section 4.2.6 / incomplete content",
            level: Must,
            title: "A second content header where a body must come is a connection exception 505",
            run: |ctx| {
                let header = header(1, 4, NO_PROPERTIES);
                after_publish(ctx, &[header.clone(), header], &[505])
            },
        },
        Case {
            id: "amqp/content/body-too-long",
            rule: "section 4.2.6 / incomplete content",
            level: Must,
            title: "A body longer than its header says is a connection exception 505",
            // 501 is the code for a frame that is malformed in itself; a
            // broker that takes the body frame for that is as clear.
            run: |ctx| {
                let header = header(1, 2, NO_PROPERTIES);
                after_publish(ctx, &[header, frame(BODY, 1, b"too long")], &[501, 505])
            },
        },
        Case {
            id: "amqp/content/header-without-publish",
            rule: "section 4.2.6 / incomplete content",
            level: Must,
            title: "A content header without a method before it is a connection exception 505",
            run: |ctx| unexpected(ctx, &header(1, 4, NO_PROPERTIES), &[505]),
        },
        Case {
            id: "amqp/content/body-without-publish",
            rule: "section 4.2.6 / incomplete content",
            level: Must,
            title: "A content body without a method before it is a connection exception 505",
            run: |ctx| unexpected(ctx, &frame(BODY, 1, b"body"), &[505]),
        },
        Case {
            id: "amqp/content/on-channel-0",
            rule: "section 4.2.6.1 / channel",
            level: Must,
            title: "Content on channel 0 is a connection exception 504",
            run: |ctx| unexpected(ctx, &header(0, 4, NO_PROPERTIES), &[504]),
        },
        Case {
            id: "amqp/content/other-class",
            rule: "section 4.2.6.1 / class; section 4.2.6 / incomplete content",
            level: Must,
            title: "A content header of another class than its method is a connection exception",
            // 501 for an invalid class-id (4.2.6.1), 505 for content that is
            // badly formatted (4.2.6): the text gives both.
            run: |ctx| {
                let payload = args().short(50).short(0).longlong(4).raw(NO_PROPERTIES);
                after_publish(ctx, &[frame(HEADER, 1, &payload.0)], &[501, 505])
            },
        },
        Case {
            id: "amqp/content/weight",
            rule: "section 4.2.6.1",
            level: Must,
            title: "A content header whose weight is not zero is a connection exception",
            run: |ctx| {
                let payload = args().short(60).short(1).longlong(4).raw(NO_PROPERTIES);
                after_publish(ctx, &[frame(HEADER, 1, &payload.0)], &[501, 502, 505])
            },
        },
        Case {
            id: "amqp/content/truncated-properties",
            rule: "section 2.3.7 / close is a hand-shake; section 4.2.6; constants frame-error, syntax-error",
            level: Must,
            title: "A property list that ends too soon is a connection exception",
            run: |ctx| {
                // Bit 15 is content-type: a shortstr of 9 octets, of which 2 are there.
                let payload = args()
                    .short(60)
                    .short(0)
                    .longlong(0)
                    .short(1 << 15)
                    .raw(b"\x09te");
                after_publish(ctx, &[frame(HEADER, 1, &payload.0)], &[501, 502, 505])
            },
        },
    ],
};

/// All fourteen properties: flags from bit 15 down to bit 2.
fn every_property(ctx: &Context<'_>) -> Args {
    let user = ctx.target.user.as_deref().unwrap_or_default();
    args()
        .short(0b1111_1111_1111_1100)
        .shortstr("text/plain")
        .shortstr("identity")
        .table(&fields().longstr("header", "value"))
        .octet(1)
        .octet(5)
        .shortstr("correlation-id")
        .shortstr("reply-to")
        .shortstr("60000")
        .shortstr("message-id")
        .longlong(1_700_000_000)
        .shortstr("type")
        .shortstr(user)
        .shortstr("app-id")
        .shortstr("")
}

/// A message with these properties comes out with the same.
fn passes_through(ctx: &Context<'_>, properties: &[u8]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let queue = client.queue(ctx)?;
    client.publish_with(1, "", &queue, 0, properties, b"body");
    let message = client.expect_get(&queue, b"body")?;
    if message.properties == properties {
        Ok(())
    } else {
        Err(fail(
            format!("the properties {}", Bytes(properties.to_vec())),
            Bytes(message.properties).to_string(),
        ))
    }
}

/// These frames after a basic.publish are a connection exception. A frame
/// that belongs there is the difference: without it all is well.
fn after_publish(ctx: &Context<'_>, frames: &[Vec<u8>], codes: &[u16]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    let queue = client.queue(ctx)?;
    let publish = method(1, BASIC_PUBLISH, publish_args("", &queue, 0));
    client
        .wire
        .send(&[publish.clone(), content(1, NO_PROPERTIES, b"fine")].concat());
    client.expect_well(1, "basic.qos-ok after well-formed content")?;
    client.wire.send(&[publish, frames.concat()].concat());
    let why = Bytes(frames.concat()).to_string();
    client.expect_connection_close(1, codes, &format!("{why} after basic.publish"))
}

fn unexpected(ctx: &Context<'_>, bytes: &[u8], codes: &[u16]) -> Result<(), Stop> {
    let mut client = Client::with_channel(ctx)?;
    client.wire.send(bytes);
    client.expect_connection_close(1, codes, &Bytes(bytes.to_vec()).to_string())
}
