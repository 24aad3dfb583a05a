//! AMQP frames: any bytes to a frame, and back, and again the same.

use crate::allocation::bounded;
use amqp_codec::{Limits, ProtocolHeader, decode, needed};

/// Runs one input.
pub fn run(data: &[u8]) {
    let limits = Limits::default();
    if let Ok(Some(header)) = ProtocolHeader::decode(data) {
        assert_eq!(header.to_bytes(), data[..ProtocolHeader::LEN]);
    }
    let (frame, len) = match bounded(data, 0, || decode(data, &limits)) {
        Ok(Some(decoded)) => decoded,
        Ok(None) => return,
        Err(error) => return assert!(error.offset <= data.len(), "{error:?}"),
    };
    for cut in (0..len).rev().take(64).chain(0..len.min(16)) {
        let front = &data[..cut];
        assert_eq!(decode(front, &limits), Ok(None), "cut at {cut}");
        assert!((1..=len - cut).contains(&needed(front)), "cut at {cut}");
    }
    assert_eq!(needed(&data[..len]), 0);
    // Reads every field, table and property.
    let _ = format!("{frame:?}");

    let kept = bounded(data, 2, || frame.to_buf()).expect("it was decoded");
    assert_eq!(kept.as_frame(), frame);
    let mut out = Vec::new();
    frame
        .encode(&mut out)
        .expect("what was decoded can be encoded");
    assert_eq!(out.len(), frame.encoded_len());
    assert_eq!(out[..3], data[..3], "its type and channel");
    assert_eq!(decode(&out, &limits), Ok(Some((frame, out.len()))));
}
