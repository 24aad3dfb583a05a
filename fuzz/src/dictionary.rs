//! The words of each protocol, for libFuzzer to put into inputs, out of the tables that the
//! codecs declare.

use std::collections::BTreeMap;

use amqp_codec::ReplyCode;
use amqp_codec::method::MethodId;
use mqtt_codec::{PacketType, PropertyIdentifier, ReasonCode};
use stomp_codec::Version;

use crate::targets::stomp_typed::COMMANDS;

/// Bytes, and what they are called.
type Words = BTreeMap<Vec<u8>, String>;

/// Names of files, and what is in them.
#[must_use]
pub fn files() -> [(&'static str, String); 3] {
    let words = [
        ("amqp.dict", amqp()),
        ("mqtt.dict", mqtt()),
        ("stomp.dict", stomp()),
    ];
    words.map(|(name, words)| {
        let lines = words.iter();
        let lines = lines.map(|(bytes, what)| format!("# {what}\n\"{}\"\n", quoted(bytes)));
        (name, lines.collect())
    })
}

/// As libFuzzer reads it: all bytes in hexadecimal.
fn quoted(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02X}")).collect()
}

fn add(words: &mut Words, bytes: impl Into<Vec<u8>>, what: impl Into<String>) {
    words.entry(bytes.into()).or_insert(what.into());
}

fn amqp() -> Words {
    let mut words = Words::new();
    add(&mut words, *b"AMQP\0\0\x09\x01", "protocol header");
    add(&mut words, [0xCE], "frame end");
    for class in 0..=100_u16 {
        for method in 0..=130_u16 {
            let id = MethodId::new(class, method);
            if id.info().is_some() {
                let bytes = [class.to_be_bytes(), method.to_be_bytes()].concat();
                add(&mut words, bytes, id.to_string());
            }
        }
    }
    for code in ReplyCode::ALL {
        add(&mut words, code.code().to_be_bytes(), code.to_string());
    }
    // Section 4.2.1 and the errata of RabbitMQ: the letter, and nothing or the least after it.
    for letter in *b"tbBsuIilfdDSATxFV" {
        add(
            &mut words,
            [letter],
            format!("field value {}", letter as char),
        );
    }
    words
}

fn mqtt() -> Words {
    let mut words = Words::new();
    for name in ["\0\x04MQTT\x04", "\0\x04MQTT\x05", "\0\x06MQIsdp\x03"] {
        add(&mut words, name, "protocol name and level");
    }
    for kind in PacketType::ALL {
        let first = (kind as u8) << 4;
        // The flags of section 2.1.3.
        let flags = match kind {
            PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => 2,
            _ => 0,
        };
        add(&mut words, [first | flags], kind.name());
    }
    for property in PropertyIdentifier::ALL {
        add(&mut words, [*property as u8], property.name());
    }
    for code in ReasonCode::ALL {
        add(&mut words, [*code as u8], code.name());
    }
    for filter in ["#", "+", "+/#", "$share/g/", "$SYS/"] {
        add(&mut words, filter, "topic filter");
    }
    words
}

fn stomp() -> Words {
    let mut words = Words::new();
    for command in COMMANDS {
        add(&mut words, format!("{command}\n"), "command");
        for version in Version::ALL {
            for header in command.required_headers(version) {
                add(&mut words, format!("{header}:"), "header that is required");
            }
        }
    }
    // Those that are not required by any ("Standard Headers").
    for header in [
        "ack:auto",
        "ack:client",
        "ack:client-individual",
        "content-length:",
        "content-type:",
        "heart-beat:0,0",
        "receipt:",
        "transaction:",
        "server:",
        "session:",
    ] {
        add(&mut words, header, "header");
    }
    // Much that is claimed, within the limits.
    for length in ["1000000", "1023", "1025"] {
        add(&mut words, format!("content-length:{length}"), "claim");
    }
    for escape in ["\\n", "\\r", "\\c", "\\\\"] {
        add(&mut words, escape, "escape");
    }
    for end in ["\0", "\n\n", "\r\n\r\n"] {
        add(&mut words, end, "end");
    }
    words
}
