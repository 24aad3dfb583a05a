//! Bytes to frames and back, over bytes that the grammar allows.

use amqp_codec::method::METHODS;
use amqp_codec::{
    ArrayBuf, DecodeErrorKind, EncodeError, FieldValue, Frame, FrameBuf, Limits, Method,
    PropertyFields, Table, TableBuf, decode, method::queue, needed,
};
use arbitrary::Unstructured;
use bytes::BytesMut;
use proptest::prelude::*;

fn entropy() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..3000)
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out).unwrap();
    out
}

/// A frame that is kept is the same frame, however it came to be kept.
fn kept(bytes: &[u8], frame: &Frame<'_>) {
    let mut input = BytesMut::from(bytes);
    input.extend_from_slice(&bytes[..bytes.len() - 1]);
    let kept = FrameBuf::decode(&mut input, &Limits::default())
        .unwrap()
        .unwrap();
    assert_eq!(kept.as_frame(), *frame);
    assert_eq!(kept.as_bytes(), bytes);
    assert_eq!(frame.to_buf(), Ok(kept));
    // And the next is not taken before it is complete.
    assert_eq!(FrameBuf::decode(&mut input, &Limits::default()), Ok(None));
    assert_eq!(input, bytes[..bytes.len() - 1]);
}

/// Builds a table anew from what a walk over it shows.
fn rebuilt(table: Table<'_>) -> TableBuf {
    let mut buf = TableBuf::new();
    for (name, value) in table {
        match value {
            FieldValue::Table(inner) => buf.insert(name, &rebuilt(inner)),
            other => buf.insert(name, other),
        }
        .unwrap();
    }
    buf
}

proptest! {
    #[test]
    fn method_frames(entropy in entropy(), row in 0..METHODS.len(), channel: u16) {
        let info = &METHODS[row];
        let mut payload = Vec::new();
        crate::generate::method(&mut Unstructured::new(&entropy), info, false, &mut payload).unwrap();
        let bytes = crate::generate::frame(1, channel, &payload);

        let (frame, len) = decode(&bytes, &Limits::default()).unwrap().unwrap();
        prop_assert_eq!(len, bytes.len());
        let Frame::Method { method, .. } = frame else { panic!("{frame:?}") };
        prop_assert_eq!(method.id(), info.id);
        prop_assert_eq!(method.info().name, info.name);
        prop_assert_eq!(frame.encoded_len(), bytes.len());
        kept(&bytes, &frame);
        prop_assert_eq!(encoded(&frame), bytes);

        // What is reserved is read without a look.
        let mut payload = Vec::new();
        crate::generate::method(&mut Unstructured::new(&entropy), info, true, &mut payload).unwrap();
        let bytes = crate::generate::frame(1, channel, &payload);
        prop_assert!(decode(&bytes, &Limits::default()).unwrap().is_some());
    }

    #[test]
    fn header_frames(entropy in entropy(), channel: u16, body_size: u64) {
        let mut payload = Vec::new();
        crate::generate::content_header(&mut Unstructured::new(&entropy), body_size, &mut payload).unwrap();
        let bytes = crate::generate::frame(2, channel, &payload);

        let (frame, len) = decode(&bytes, &Limits::default()).unwrap().unwrap();
        prop_assert_eq!(len, bytes.len());
        prop_assert_eq!(frame.encoded_len(), bytes.len());
        kept(&bytes, &frame);
        prop_assert_eq!(encoded(&frame), &bytes[..]);

        // One at a time, all at once, and encoded anew: the same.
        let Frame::Header { header, .. } = frame else { panic!("{frame:?}") };
        let (properties, fields) = (header.properties, header.properties.fields());
        prop_assert_eq!(header.body_size, body_size);
        let buf = fields.to_buf().unwrap();
        prop_assert_eq!(buf.as_properties(), properties);
        let one_by_one = PropertyFields {
            content_type: properties.content_type(),
            content_encoding: properties.content_encoding(),
            headers: properties.headers(),
            delivery_mode: properties.delivery_mode(),
            priority: properties.priority(),
            correlation_id: properties.correlation_id(),
            reply_to: properties.reply_to(),
            expiration: properties.expiration(),
            message_id: properties.message_id(),
            timestamp: properties.timestamp(),
            r#type: properties.r#type(),
            user_id: properties.user_id(),
            app_id: properties.app_id(),
            reserved: properties.reserved(),
        };
        prop_assert_eq!(one_by_one, fields);
    }

    #[test]
    fn tables_walked_and_built_anew(entropy in entropy()) {
        let mut bytes = Vec::new();
        crate::generate::table(&mut Unstructured::new(&entropy), 4, &mut bytes).unwrap();
        let table = Table::decode(&bytes[4..], &Limits::default()).unwrap();
        // `L` is read and `l` written; nothing else differs. NaN is no number, so bytes are compared.
        let again = rebuilt(table);
        prop_assert_eq!(again.as_table().as_bytes().len(), table.as_bytes().len());
        prop_assert_eq!(format!("{again:?}"), format!("{table:?}"));
        for (name, _) in table {
            let first = table.iter().find(|(other, _)| *other == name).unwrap().1;
            prop_assert_eq!(format!("{:?}", table.get(name)), format!("{:?}", Some(first)));
        }
        prop_assert_eq!(table.get("a name of more than twenty characters, so of none"), None);
    }

    #[test]
    fn cut_frames_need_more_and_cut_payloads_are_truncated(
        entropy in proptest::collection::vec(any::<u8>(), 0..400),
        row in 0..METHODS.len(),
    ) {
        let mut u = Unstructured::new(&entropy);
        let mut payload = Vec::new();
        let frame_type = if row % 4 == 0 {
            crate::generate::content_header(&mut u, 0, &mut payload).unwrap();
            2
        } else {
            crate::generate::method(&mut u, &METHODS[row], false, &mut payload).unwrap();
            1
        };
        let bytes = crate::generate::frame(frame_type, 1, &payload);
        for cut in 0..bytes.len() {
            prop_assert_eq!(decode(&bytes[..cut], &Limits::default()), Ok(None));
            let more = needed(&bytes[..cut]);
            prop_assert!(more > 0 && cut + more <= bytes.len());
            prop_assert!(cut < 7 || cut + more == bytes.len());
        }
        prop_assert_eq!(needed(&bytes), 0);
        for cut in 0..payload.len() {
            let short = crate::generate::frame(frame_type, 1, &payload[..cut]);
            let error = decode(&short, &Limits::default()).unwrap_err();
            prop_assert_eq!(error.kind, DecodeErrorKind::Truncated);
            prop_assert_eq!(error.reply_code().code(), 501);
            prop_assert!(error.offset >= 7 && error.offset <= 7 + cut);
        }
        // One byte more than the fields.
        payload.push(0);
        let error = decode(&crate::generate::frame(frame_type, 1, &payload), &Limits::default()).unwrap_err();
        prop_assert_eq!((error.kind, error.offset), (DecodeErrorKind::Trailing, 7 + payload.len() - 1));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(mut bytes in entropy(), plausible: bool) {
        if plausible && bytes.len() >= 8 {
            let types = [1, 2, 3, 8];
            bytes[0] = types[usize::from(bytes[0]) % 4];
            let size = bytes.len() as u32 - 8;
            bytes[3..7].copy_from_slice(&size.to_be_bytes());
            *bytes.last_mut().unwrap() = 0xCE;
            if let [_, _, _, _, _, _, _, class, id, _, ..] = &mut bytes[..] {
                (*class, *id) = (0, [10, 20, 40, 50, 60][usize::from(*id) % 5]);
            }
        }
        if let Ok(Some((frame, len))) = decode(&bytes, &Limits::default()) {
            prop_assert!(len <= bytes.len());
            prop_assert_eq!(frame.encoded_len(), len);
            let _ = format!("{frame:?}");
        }
        if let Ok(table) = Table::decode(&bytes, &Limits::default()) {
            prop_assert_eq!(rebuilt(table).as_table().as_bytes().len(), bytes.len());
        }
    }
}

/// A body that is large enough to share the memory that it came in.
#[test]
fn large_frames_are_kept_too() {
    let payload = [7; 5000];
    let frame = Frame::Body {
        channel: 1,
        payload: &payload,
    };
    kept(&encoded(&frame), &frame);
}

/// A length byte can tell no more than 255 (section 4.2.5.3).
#[test]
fn a_short_string_over_255_bytes_is_an_error_and_writes_nothing() {
    for (len, expected) in [
        (255, Ok(())),
        (256, Err(EncodeError::ShortString(256))),
        (300, Err(EncodeError::ShortString(300))),
    ] {
        let name = "q".repeat(len);
        let method = queue::Declare {
            queue: &name,
            ..Default::default()
        };
        let frame = Frame::Method {
            channel: 1,
            method: Method::from(method),
        };
        let mut out = Vec::new();
        assert_eq!(frame.encode(&mut out), expected);
        assert_eq!(out.is_empty(), expected.is_err());

        let mut table = TableBuf::new();
        assert_eq!(table.insert(&name, true), expected);
        assert_eq!(table.as_table().is_empty(), expected.is_err());

        let fields = PropertyFields {
            user_id: Some(name.as_str().into()),
            ..Default::default()
        };
        assert_eq!(fields.to_buf().map(drop), expected);
    }
}

#[test]
fn entries_can_be_removed() {
    let mut table = TableBuf::new();
    table.insert("a", 1).unwrap();
    table.insert("b", "two").unwrap();
    table.insert("a", 3).unwrap();
    assert!(table.remove("a"));
    assert!(!table.remove("a"));
    assert_eq!(format!("{table:?}"), r#"{"b": "two"}"#);
}

/// What is wrong with one of many entries leaves nothing of the others.
#[test]
fn many_entries_are_added_or_none() {
    let long = "x".repeat(256);
    let error = EncodeError::ShortString(256);
    let mut table = TableBuf::try_from([("a", 1), ("b", 2)]).unwrap();
    assert_eq!(table.try_extend([("c", 3), (&*long, 4)]), Err(error));
    assert_eq!(format!("{table:?}"), r#"{"a": 1, "b": 2}"#);
    assert_eq!(table.try_extend([("c", true)]), Ok(()));
    assert_eq!(format!("{table:?}"), r#"{"a": 1, "b": 2, "c": true}"#);
    assert_eq!(TableBuf::try_from([(&*long, 1)]), Err(error));

    let mut deep = ArrayBuf::new();
    for _ in 1..Limits::MAX_TABLE_DEPTH {
        deep = ArrayBuf::try_from([&deep]).unwrap();
    }
    let mut array = ArrayBuf::try_from(["a", "b"]).unwrap();
    let elements = [FieldValue::from(1), FieldValue::from(&deep)];
    let error = EncodeError::TableDepth(Limits::MAX_TABLE_DEPTH);
    assert_eq!(array.try_extend(elements), Ok(()));
    deep = ArrayBuf::try_from([&deep]).unwrap();
    let elements = [FieldValue::from(2), FieldValue::from(&deep)];
    assert_eq!(array.try_extend(elements), Err(error));
    assert_eq!(array.as_array().iter().count(), 4);
}
