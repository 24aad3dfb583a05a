//! MQTT packets in words.

use super::property::{FORMS, Form, read_string, take};
use super::wire::{
    AUTH, CONNACK, DISCONNECT, PUBLISH, Packet, SUBACK, UNSUBACK, name, parse_packet,
};
use crate::describe::quoted;
use crate::wire::Parsed;

const CONNECT: u8 = 1;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;

/// Says what the packet at the front is, in version 5.0 or before it.
pub(crate) fn describe(v5: bool, bytes: &[u8]) -> Parsed<String> {
    match parse_packet(bytes) {
        Parsed::Whole(packet, length) => {
            let mut text = name(packet.kind()).to_string();
            if fields(v5, &packet, &mut text).is_err() {
                text.push_str(" ... and too few bytes for the rest");
            }
            Parsed::Whole(text, length)
        }
        Parsed::Incomplete => Parsed::Incomplete,
        Parsed::Malformed(why) => Parsed::Malformed(why),
    }
}

/// Adds what the packet says.
fn fields(v5: bool, packet: &Packet, text: &mut String) -> Result<(), String> {
    let mut rest = &packet.body[..];
    let rest = &mut rest;
    match packet.kind() {
        CONNECT => {
            let protocol = quoted(read_string(rest)?);
            let [level, flags, high, low] = *take(rest, 4)? else {
                return Ok(());
            };
            let keep_alive = u16::from_be_bytes([high, low]);
            text.push_str(&format!(
                " {protocol} level {level}, flags 0x{flags:02X}, keep alive {keep_alive}"
            ));
            if level == 5 {
                properties(rest, text)?;
            }
            text.push_str(&format!(", client {}", quoted(read_string(rest)?)));
            if flags & 4 != 0 {
                if level == 5 {
                    properties(rest, text)?;
                }
                text.push_str(&format!(", will to {}", quoted(read_string(rest)?)));
                text.push_str(&format!(" {}", quoted(read_string(rest)?)));
            }
            if flags & 0x80 != 0 {
                text.push_str(&format!(", user {}", quoted(read_string(rest)?)));
            }
            if flags & 0x40 != 0 {
                text.push_str(&format!(", password of {} bytes", read_string(rest)?.len()));
            }
        }
        CONNACK => {
            let [flags, code] = *take(rest, 2)? else {
                return Ok(());
            };
            text.push_str(&format!(" code 0x{code:02X}"));
            if flags & 1 != 0 {
                text.push_str(", session present");
            }
            if !rest.is_empty() {
                properties(rest, text)?;
            }
        }
        PUBLISH => {
            let qos = packet.first >> 1 & 3;
            text.push_str(&format!(" to {}, QoS {qos}", quoted(read_string(rest)?)));
            for (bit, word) in [(8, ", DUP"), (1, ", RETAIN")] {
                if packet.first & bit != 0 {
                    text.push_str(word);
                }
            }
            if qos > 0 {
                identifier(rest, text)?;
            }
            if v5 {
                properties(rest, text)?;
            }
            text.push_str(&format!(", {}", quoted(std::mem::take(rest))));
        }
        SUBSCRIBE | UNSUBSCRIBE => {
            identifier(rest, text)?;
            if v5 {
                properties(rest, text)?;
            }
            while !rest.is_empty() {
                text.push_str(&format!(", {}", quoted(read_string(rest)?)));
                if packet.kind() == SUBSCRIBE {
                    text.push_str(&format!(" options 0x{:02X}", take(rest, 1)?[0]));
                }
            }
        }
        SUBACK | UNSUBACK => {
            identifier(rest, text)?;
            if v5 {
                properties(rest, text)?;
            }
            codes(std::mem::take(rest), text);
        }
        // 4 to 7: PUBACK, PUBREC, PUBREL and PUBCOMP.
        4..=7 => {
            identifier(rest, text)?;
            code_and_properties(rest, text)?;
        }
        DISCONNECT | AUTH => code_and_properties(rest, text)?,
        _ => {}
    }
    if !rest.is_empty() {
        text.push_str(&format!(" and {} bytes more", rest.len()));
    }
    Ok(())
}

fn identifier(rest: &mut &[u8], text: &mut String) -> Result<(), String> {
    let id = take(rest, 2)?;
    text.push_str(&format!(" of {}", u16::from_be_bytes([id[0], id[1]])));
    Ok(())
}

fn codes(codes: &[u8], text: &mut String) {
    for code in codes {
        text.push_str(&format!(", code 0x{code:02X}"));
    }
}

fn code_and_properties(rest: &mut &[u8], text: &mut String) -> Result<(), String> {
    if let Some((&code, left)) = rest.split_first() {
        codes(&[code], text);
        *rest = left;
    }
    if !rest.is_empty() {
        properties(rest, text)?;
    }
    Ok(())
}

/// Adds the properties, from their length on.
fn properties(rest: &mut &[u8], text: &mut String) -> Result<(), String> {
    let length = super::property::read_varint(rest)? as usize;
    let mut left = take(rest, length)?;
    let left = &mut left;
    while !left.is_empty() {
        let id = take(left, 1)?[0];
        let Some((_, form, _)) = FORMS.iter().find(|form| form.0 == id) else {
            text.push_str(&format!(", unknown property 0x{id:02X} and what follows"));
            return Ok(());
        };
        let value = match form {
            Form::Byte => take(left, 1)?[0].to_string(),
            Form::TwoByte => number(take(left, 2)?),
            Form::FourByte => number(take(left, 4)?),
            Form::Varint => super::property::read_varint(left)?.to_string(),
            Form::Text | Form::Binary => quoted(read_string(left)?),
            Form::Pair => {
                let name = quoted(read_string(left)?);
                format!("{name}={}", quoted(read_string(left)?))
            }
        };
        text.push_str(&format!(", {} {value}", super::property::name(id)));
    }
    Ok(())
}

fn number(bytes: &[u8]) -> String {
    let number = bytes.iter().fold(0_u32, |sum, &b| sum << 8 | u32::from(b));
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_in_words() {
        for (v5, bytes, expected) in [
            (
                false,
                &b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c"[..],
                "CONNECT \"MQTT\" level 4, flags 0x02, keep alive 60, client \"c\"",
            ),
            (
                true,
                b"\x20\x06\x00\x00\x03\x21\x00\x0a",
                "CONNACK code 0x00, receive maximum 10",
            ),
            (
                true,
                b"\x32\x09\x00\x01t\x00\x07\x00xyz",
                "PUBLISH to \"t\", QoS 1 of 7, \"xyz\"",
            ),
            (
                false,
                b"\x82\x06\x00\x01\x00\x01t\x01",
                "SUBSCRIBE of 1, \"t\" options 0x01",
            ),
            (false, b"\x40\x02\x00\x07", "PUBACK of 7"),
            (true, b"\xe0\x01\x8e", "DISCONNECT, code 0x8E"),
            (
                false,
                b"\x32\x02\x00\x01",
                "PUBLISH ... and too few bytes for the rest",
            ),
        ] {
            match describe(v5, bytes) {
                Parsed::Whole(text, length) => {
                    assert_eq!((text.as_str(), length), (expected, bytes.len()));
                }
                _ => panic!("{expected} is whole"),
            }
        }
    }
}
