//! STOMP frames, in each version: any bytes to a frame, and back, and again
//! the same; and a scan that is resumed finds what one in a single go finds.

use crate::allocation::bounded;
use stomp_codec::{DecodeErrorKind, Limits, Scan, Version, decode};

/// Runs one input.
pub fn run(data: &[u8]) {
    let limits = Limits::default();
    for version in Version::ALL {
        let whole = bounded(data, 0, || decode(data, version, &limits));
        // Of a limit it is the first byte that is too many, which may not have come yet.
        if let Err(error) = &whole
            && !matches!(error.kind, DecodeErrorKind::Limit(_))
        {
            assert!(error.offset <= data.len(), "{error:?}");
        }

        // All cuts of short inputs, some of long ones.
        let step = 1 + data.len() / 256;
        let mut scan = Scan::default();
        let mut pieces = Ok(None);
        for end in (0..data.len()).step_by(step).chain([data.len()]) {
            pieces = scan.decode(&data[..end], version, &limits);
            match &pieces {
                Ok(None) => assert!(scan.min_len() > end, "not even {end} would do"),
                _ => break,
            }
        }
        assert_eq!(pieces, whole);

        let Ok(Some((frame, len))) = whole else {
            continue;
        };
        assert!(len <= data.len());
        let mut out = Vec::new();
        frame
            .encode(&mut out)
            .expect("what was decoded can be encoded");
        assert_eq!(out.len(), frame.encoded_len());
        let (again, taken) = decode(&out, version, &limits)
            .expect("what was encoded is good")
            .expect("and complete");
        assert_eq!(taken, out.len());
        assert_eq!(again.command(), frame.command());
        assert_eq!(again.body(), frame.body());
        // Encoding adds content-length where a body has none.
        let headers = |frame: stomp_codec::Frame<'_>| {
            frame
                .headers()
                .filter(|header| header.name != "content-length")
                .map(|header| (header.name.into_owned(), header.value.into_owned()))
                .collect::<Vec<_>>()
        };
        assert_eq!(headers(again), headers(frame));
        let kept = bounded(data, 8, || frame.to_buf()).expect("it can be kept");
        assert_eq!(kept.as_frame(), frame);
    }
}
