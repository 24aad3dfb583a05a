//! Frames of real clients and of RabbitMQ, as bytes and as meaning. Both are from
//! elsewhere: the bytes from a wire, the meaning from pika's decoder. The head of
//! `data/captured.txt` says of which versions, and `capture/record.py` how.

use std::collections::BTreeSet;

use amqp_codec::method::METHODS;
use amqp_codec::{Frame, Limits, decode};

/// Methods that no client could be made to say to RabbitMQ, nor it to a client, as
/// no mechanism that they share has another round. Their rows are in
/// `method_bytes.rs`, with the specification's XML as their source.
const NOT_CAPTURED: [&str; 2] = ["connection.secure", "connection.secure-ok"];

/// Octets whose reserved field is not zero: pika and librabbitmq say `insist`.
const INSISTS: &[u8] = b"\x01\0\0\0\0\0\x08\0\x0a\0\x28\x01/\0\x01\xce";

struct Row {
    who: &'static str,
    meaning: &'static str,
    bytes: Vec<u8>,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let (who, rest) = line.split_once(" | ").unwrap();
        let (meaning, hex) = rest.rsplit_once(" | ").unwrap();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes = (0..hex.len()).step_by(2).map(byte).collect();
        Row {
            who,
            meaning,
            bytes,
        }
    };
    let lines = include_str!("../data/captured.txt").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(row)
        .collect()
}

#[test]
fn bytes_mean_what_others_read_in_them() {
    for Row {
        who,
        meaning,
        bytes,
    } in rows()
    {
        let (frame, len) = decode(&bytes, &Limits::default()).unwrap().unwrap();
        assert_eq!(len, bytes.len());
        let shown = match frame {
            Frame::Method { method, .. } => method.to_string(),
            Frame::Header { header, .. } => {
                format!(
                    "header body_size={} {}",
                    header.body_size, header.properties
                )
            }
            other => panic!("{who}: {other:?}"),
        };
        assert_eq!(shown.trim_end(), meaning, "{who}");
    }
}

#[test]
fn the_same_values_are_the_same_bytes() {
    for row in rows() {
        let (frame, _) = decode(&row.bytes, &Limits::default()).unwrap().unwrap();
        // Values alone, not what was decoded: the properties are built anew.
        let properties;
        let frame = match frame {
            Frame::Header {
                channel,
                mut header,
            } => {
                properties = header.properties.fields().to_buf().unwrap();
                header.properties = properties.as_properties();
                Frame::Header { channel, header }
            }
            other => other,
        };
        let mut encoded = Vec::new();
        frame.encode(&mut encoded).unwrap();
        let mut expected = row.bytes;
        if expected == INSISTS {
            expected[INSISTS.len() - 2] = 0;
        }
        assert_eq!(encoded, expected, "{}: {}", row.who, row.meaning);
    }
}

// shows: section 1.4.1 / names
#[test]
fn each_method_was_heard() {
    let rows = rows();
    let heard: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row.meaning.split(' ').next())
        .chain(NOT_CAPTURED)
        .collect();
    let known = METHODS.iter().map(|info| info.name).chain(["header"]);
    assert_eq!(heard, known.collect());
    for name in NOT_CAPTURED {
        assert!(
            !rows
                .iter()
                .any(|row| row.meaning.split(' ').next() == Some(name))
        );
    }
}

#[test]
fn each_property_was_heard_by_itself() {
    for property in [
        "content_type",
        "content_encoding",
        "headers",
        "delivery_mode",
        "priority",
        "correlation_id",
        "reply_to",
        "expiration",
        "message_id",
        "timestamp",
        "type",
        "user_id",
        "app_id",
        "reserved",
    ] {
        for who in ["pika", "RabbitMQ to pika"] {
            // Of the three bytes `one`, and with no other property.
            let start = format!("header body_size=3 {property}=");
            let mut alone = rows()
                .into_iter()
                .filter(|row| row.who == who && row.meaning.starts_with(&start))
                .map(|row| u16::from_be_bytes([row.bytes[7 + 12], row.bytes[7 + 13]]))
                .filter(|flags| flags.is_power_of_two());
            assert!(alone.next().is_some(), "{who}: {property}");
        }
    }
}
