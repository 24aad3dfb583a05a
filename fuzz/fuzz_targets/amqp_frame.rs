//! AMQP frames: any bytes to a frame, and back, and again the same.
#![no_main]

use amqp_codec::{Limits, ProtocolHeader, decode, needed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    if let Ok(Some(header)) = ProtocolHeader::decode(data) {
        assert_eq!(header.to_bytes(), data[..ProtocolHeader::LEN]);
    }
    let Ok(Some((frame, len))) = decode(data, &limits) else {
        return;
    };
    for cut in (0..len).rev().take(64).chain(0..len.min(16)) {
        let front = &data[..cut];
        assert_eq!(decode(front, &limits), Ok(None), "cut at {cut}");
        assert!((1..=len - cut).contains(&needed(front)), "cut at {cut}");
    }
    assert_eq!(needed(&data[..len]), 0);
    // Reads every field, table and property.
    let _ = format!("{frame:?}");

    let mut out = Vec::new();
    frame
        .encode(&mut out)
        .expect("what was decoded can be encoded");
    assert_eq!(out.len(), frame.encoded_len());
    assert_eq!(decode(&out, &limits), Ok(Some((frame, out.len()))));
});
