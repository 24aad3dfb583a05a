//! What went over the wire in words, frame by frame, for the reader of a
//! transcript.

use crate::wire::Parsed;

/// Says what the frame at the front of a stream is, in a case with this id.
pub(crate) fn describe(id: &str, bytes: &[u8]) -> Parsed<String> {
    let version = id.split('/').next().unwrap_or_default();
    if version == "amqp" {
        crate::amqp::describe(bytes)
    } else if version.starts_with("mqtt") {
        crate::mqtt::describe(version == "mqtt5", bytes)
    } else {
        crate::stomp::describe(version, bytes)
    }
}

/// Bytes that are mostly text as a reader knows them, cut where they are long.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    const LIMIT: usize = 80;
    if bytes.len() > LIMIT {
        format!(
            "\"{}...\" ({} bytes)",
            bytes[..LIMIT].escape_ascii(),
            bytes.len()
        )
    } else {
        format!("\"{}\"", bytes.escape_ascii())
    }
}
