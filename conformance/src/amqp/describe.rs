//! AMQP frames in words.

use super::bytes::{
    BASIC_ACK, BASIC_CANCEL, BASIC_CANCEL_OK, BASIC_CONSUME, BASIC_CONSUME_OK, BASIC_DELIVER,
    BASIC_GET, BASIC_GET_EMPTY, BASIC_GET_OK, BASIC_NACK, BASIC_PUBLISH, BASIC_QOS, BASIC_RECOVER,
    BASIC_RECOVER_ASYNC, BASIC_REJECT, BASIC_RETURN, BODY, CHANNEL_CLOSE, CHANNEL_FLOW,
    CHANNEL_FLOW_OK, CHANNEL_OPEN, CHANNEL_OPEN_OK, CONFIRM_SELECT, CONNECTION_BLOCKED,
    CONNECTION_CLOSE, CONNECTION_OPEN, CONNECTION_OPEN_OK, CONNECTION_SECURE, CONNECTION_SECURE_OK,
    CONNECTION_START, CONNECTION_START_OK, CONNECTION_TUNE, CONNECTION_TUNE_OK, EXCHANGE_BIND,
    EXCHANGE_DECLARE, EXCHANGE_DELETE, EXCHANGE_UNBIND, Frame, HEADER, HEARTBEAT, Method,
    QUEUE_BIND, QUEUE_DECLARE, QUEUE_DECLARE_OK, QUEUE_DELETE, QUEUE_DELETE_OK, QUEUE_PURGE,
    QUEUE_PURGE_OK, QUEUE_UNBIND, Reader, method_name, parse_frame,
};
use crate::describe::quoted;
use crate::verdict::Stop;
use crate::wire::Parsed;

/// The fields of the methods that have some: `name:type`, with `o`, `s`, `l`
/// and `L` for integers of one, two, four and eight bytes, `x` and `X` for
/// short and long strings, `T` for a table, and `?` for a bit, which shares its
/// byte with those next to it. What is reserved begins with `-`.
const FIELDS: &[(Method, &str)] = &[
    (
        CONNECTION_START,
        "major:o minor:o server-properties:T mechanisms:X locales:X",
    ),
    (
        CONNECTION_START_OK,
        "client-properties:T mechanism:x response:S locale:x",
    ),
    (CONNECTION_SECURE, "challenge:X"),
    (CONNECTION_SECURE_OK, "response:S"),
    (CONNECTION_TUNE, "channel-max:s frame-max:l heartbeat:s"),
    (CONNECTION_TUNE_OK, "channel-max:s frame-max:l heartbeat:s"),
    (CONNECTION_OPEN, "virtual-host:x -:x -:?"),
    (CONNECTION_OPEN_OK, "-:x"),
    (CONNECTION_CLOSE, "code:s text:x class:s method:s"),
    (CONNECTION_BLOCKED, "reason:x"),
    (CHANNEL_OPEN, "-:x"),
    (CHANNEL_OPEN_OK, "-:X"),
    (CHANNEL_FLOW, "active:?"),
    (CHANNEL_FLOW_OK, "active:?"),
    (CHANNEL_CLOSE, "code:s text:x class:s method:s"),
    (
        EXCHANGE_DECLARE,
        "-:s exchange:x type:x passive:? durable:? auto-delete:? internal:? no-wait:? arguments:T",
    ),
    (EXCHANGE_DELETE, "-:s exchange:x if-unused:? no-wait:?"),
    (
        EXCHANGE_BIND,
        "-:s destination:x source:x routing-key:x no-wait:? arguments:T",
    ),
    (
        EXCHANGE_UNBIND,
        "-:s destination:x source:x routing-key:x no-wait:? arguments:T",
    ),
    (
        QUEUE_DECLARE,
        "-:s queue:x passive:? durable:? exclusive:? auto-delete:? no-wait:? arguments:T",
    ),
    (QUEUE_DECLARE_OK, "queue:x messages:l consumers:l"),
    (
        QUEUE_BIND,
        "-:s queue:x exchange:x routing-key:x no-wait:? arguments:T",
    ),
    (
        QUEUE_UNBIND,
        "-:s queue:x exchange:x routing-key:x arguments:T",
    ),
    (QUEUE_PURGE, "-:s queue:x no-wait:?"),
    (QUEUE_PURGE_OK, "messages:l"),
    (QUEUE_DELETE, "-:s queue:x if-unused:? if-empty:? no-wait:?"),
    (QUEUE_DELETE_OK, "messages:l"),
    (BASIC_QOS, "prefetch-size:l prefetch-count:s global:?"),
    (
        BASIC_CONSUME,
        "-:s queue:x consumer-tag:x no-local:? no-ack:? exclusive:? no-wait:? arguments:T",
    ),
    (BASIC_CONSUME_OK, "consumer-tag:x"),
    (BASIC_CANCEL, "consumer-tag:x no-wait:?"),
    (BASIC_CANCEL_OK, "consumer-tag:x"),
    (
        BASIC_PUBLISH,
        "-:s exchange:x routing-key:x mandatory:? immediate:?",
    ),
    (BASIC_RETURN, "code:s text:x exchange:x routing-key:x"),
    (
        BASIC_DELIVER,
        "consumer-tag:x delivery-tag:L redelivered:? exchange:x routing-key:x",
    ),
    (BASIC_GET, "-:s queue:x no-ack:?"),
    (
        BASIC_GET_OK,
        "delivery-tag:L redelivered:? exchange:x routing-key:x messages:l",
    ),
    (BASIC_GET_EMPTY, "-:x"),
    (BASIC_ACK, "delivery-tag:L multiple:?"),
    (BASIC_REJECT, "delivery-tag:L requeue:?"),
    (BASIC_NACK, "delivery-tag:L multiple:? requeue:?"),
    (BASIC_RECOVER, "requeue:?"),
    (BASIC_RECOVER_ASYNC, "requeue:?"),
    (CONFIRM_SELECT, "no-wait:?"),
];

/// Says what the protocol header or frame at the front is.
pub(crate) fn describe(bytes: &[u8]) -> Parsed<String> {
    if bytes.starts_with(b"AMQP") {
        return match bytes.first_chunk::<8>() {
            None => Parsed::Incomplete,
            Some([.., id, major, minor, revision]) => Parsed::Whole(
                format!("protocol header {id}.{major}.{minor}.{revision}"),
                8,
            ),
        };
    }
    match parse_frame(bytes) {
        Parsed::Whole(frame, length) => Parsed::Whole(in_words(&frame), length),
        Parsed::Incomplete => Parsed::Incomplete,
        Parsed::Malformed(why) => Parsed::Malformed(why),
    }
}

fn in_words(frame: &Frame) -> String {
    let what = match (frame.kind, frame.method()) {
        (_, Some(method)) => {
            let mut text = method_name(method);
            let layout = FIELDS.iter().find(|(known, _)| *known == method);
            let layout = layout.map_or("", |(_, layout)| layout);
            if fields(frame.args(), layout, &mut text).is_err() {
                text.push_str(" ... and too few bytes for the rest");
            }
            text
        }
        (HEADER, _) => {
            let mut args = Reader(&frame.payload);
            let size = args.long().and_then(|_| args.longlong());
            format!(
                "content header of {} bytes, properties {}",
                size.map_or("an unknown number of".into(), |size| size.to_string()),
                quoted(args.0)
            )
        }
        (BODY, _) => format!("content body {}", quoted(&frame.payload)),
        (HEARTBEAT, _) => "heart-beat".into(),
        (kind, _) => format!("frame of type {kind}"),
    };
    format!("{what} on channel {}", frame.channel)
}

/// Adds the fields by their layout.
fn fields(mut args: Reader<'_>, layout: &str, text: &mut String) -> Result<(), Stop> {
    // The byte that bits share, and how many of them have been read.
    let mut bits = None;
    for field in layout.split_ascii_whitespace() {
        let (name, form) = field.split_once(':').unwrap_or((field, ""));
        if form == "?" {
            let (byte, count) = match bits {
                Some((byte, count)) => (byte, count),
                None => (args.octet()?, 0),
            };
            bits = Some((byte, count + 1));
            if byte >> count & 1 == 1 && name != "-" {
                text.push(' ');
                text.push_str(name);
            }
            continue;
        }
        bits = None;
        let value = match form {
            "o" => args.octet()?.to_string(),
            "s" => args.short()?.to_string(),
            "l" => args.long()?.to_string(),
            "L" => args.longlong()?.to_string(),
            "x" => quoted(args.shortstr()?),
            "X" => quoted(args.longstr()?),
            // A password may be in it.
            "S" => format!("({} bytes)", args.longstr()?.len()),
            _ => {
                let table = args.longstr()?;
                if table.is_empty() {
                    continue;
                }
                quoted(table)
            }
        };
        if name != "-" {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    if !args.0.is_empty() {
        text.push_str(&format!(" and {} bytes more", args.0.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_words() {
        for (bytes, expected) in [
            (&b"AMQP\x00\x00\x09\x01"[..], "protocol header 0.0.9.1"),
            (
                b"\x01\x00\x01\x00\x00\x00\x05\x00\x14\x00\x0a\x00\xCE",
                "channel.open on channel 1",
            ),
            (
                b"\x01\x00\x01\x00\x00\x00\x0d\x00\x32\x00\x0a\x00\x00\x01q\x12\x00\x00\x00\x00\xCE",
                "queue.declare queue=\"q\" durable no-wait on channel 1",
            ),
            (
                b"\x01\x00\x01\x00\x00\x00\x0d\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x00\x07\x01\xCE",
                "basic.ack delivery-tag=7 multiple on channel 1",
            ),
            (
                b"\x01\x00\x01\x00\x00\x00\x06\x00\x3c\x00\x50\x00\x00\xCE",
                "basic.ack ... and too few bytes for the rest on channel 1",
            ),
            (
                b"\x02\x00\x01\x00\x00\x00\x0e\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\xCE",
                "content header of 2 bytes, properties \"\\x00\\x00\" on channel 1",
            ),
            (b"\x08\x00\x00\x00\x00\x00\x00\xCE", "heart-beat on channel 0"),
        ] {
            match describe(bytes) {
                Parsed::Whole(text, length) => {
                    assert_eq!((text.as_str(), length), (expected, bytes.len()));
                }
                _ => panic!("{expected} is whole"),
            }
        }
    }
}
