//! What the tests share: packets written as text, packets made from any bytes, and two
//! connections joined.

pub(crate) mod arbitrary;
pub(crate) mod ends;
pub(crate) mod link;

use mqtt_codec::{ProtocolVersion, TopicName, Utf8String};

/// A string that a packet can carry.
pub(crate) fn utf8(string: &str) -> Utf8String<'_> {
    Utf8String::new(string).unwrap()
}

/// A Topic Name.
pub(crate) fn topic(name: &str) -> TopicName<'_> {
    TopicName::new(name).unwrap()
}

/// Bytes from the notation of the data files: hexadecimal, `'text'`, `{BLOCK}` for a
/// block behind its length as a variable byte integer, and `FIRST: BODY` for a packet,
/// which is `FIRST {BODY}`.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut blocks = vec![Vec::new()];
    let mut quoted = false;
    let mut high = None;
    let whole = match text.split_once(':').filter(|(first, _)| first.len() == 2) {
        Some((first, body)) => format!("{first}{{{body}}}"),
        None => text.to_owned(),
    };
    for c in whole.chars() {
        match c {
            '\'' => quoted = !quoted,
            _ if quoted => {
                let mut buffer = [0; 4];
                let encoded = c.encode_utf8(&mut buffer).as_bytes();
                blocks.last_mut().unwrap().extend_from_slice(encoded);
            }
            ' ' => assert!(high.is_none(), "half a byte in {text}"),
            '{' => blocks.push(Vec::new()),
            '}' => {
                let block = blocks.pop().unwrap();
                let outer = blocks.last_mut().unwrap();
                put_length(outer, block.len());
                outer.extend_from_slice(&block);
            }
            _ => {
                let digit = c.to_digit(16).unwrap_or_else(|| panic!("{c} in {text}")) as u8;
                match high.take() {
                    None => high = Some(digit),
                    Some(high) => blocks.last_mut().unwrap().push(high << 4 | digit),
                }
            }
        }
    }
    assert!(
        !quoted && high.is_none() && blocks.len() == 1,
        "unfinished: {text}"
    );
    blocks.pop().unwrap()
}

fn put_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = (length % 128) as u8;
        length /= 128;
        out.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            return;
        }
    }
}

/// The rows of a data file: columns separated by ` | `, `#` begins a comment line.
pub(crate) fn rows(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split(" | ").map(str::trim).collect())
}

/// The versions that a column names.
pub(crate) fn versions(column: &str) -> Vec<ProtocolVersion> {
    column
        .split(' ')
        .map(|name| {
            ProtocolVersion::ALL
                .into_iter()
                .find(|version| version.to_string() == name)
                .unwrap_or_else(|| panic!("no version {name}"))
        })
        .collect()
}

/// The column's part for a version: `5.0/3.x`, or one for all.
pub(crate) fn of_version(column: &str, version: ProtocolVersion) -> &str {
    match column.split_once('/') {
        Some((five, _)) if version == ProtocolVersion::V5_0 => five,
        Some((_, three)) => three,
        None => column,
    }
}
