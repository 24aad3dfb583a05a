//! STOMP frames in words.

use super::wire::{Frame, Version, parse_frame};
use crate::describe::quoted;
use crate::wire::Parsed;

/// Says what the frame at the front is, in a version as the ids of cases have it.
pub(crate) fn describe(version: &str, bytes: &[u8]) -> Parsed<String> {
    let version = match version {
        "stomp10" => Version::V10,
        "stomp11" => Version::V11,
        _ => Version::V12,
    };
    let ends = bytes
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    if ends > 0 {
        return Parsed::Whole("end of line".into(), ends);
    }
    match parse_frame(version, bytes) {
        Parsed::Whole(frame, length) => Parsed::Whole(in_words(&frame), length),
        Parsed::Incomplete => Parsed::Incomplete,
        Parsed::Malformed(why) => Parsed::Malformed(why),
    }
}

fn in_words(frame: &Frame) -> String {
    let mut text = frame.command.escape_ascii().to_string();
    for (name, value) in &frame.headers {
        let value = if name == b"passcode" {
            format!("({} bytes)", value.len())
        } else {
            quoted(value)
        };
        text.push_str(&format!(" {}={value}", name.escape_ascii()));
    }
    if !frame.body.is_empty() {
        text.push_str(&format!(", {}", quoted(&frame.body)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_words() {
        let bytes = b"CONNECT\nhost:/\npasscode:secret\n\n\0";
        match describe("stomp12", bytes) {
            Parsed::Whole(text, length) => {
                assert_eq!(text, "CONNECT host=\"/\" passcode=(6 bytes)");
                assert_eq!(length, bytes.len());
            }
            _ => panic!("it is whole"),
        }
    }
}
