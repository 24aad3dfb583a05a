//! Field values, properties and frames as bytes and as meaning, written by hand
//! from the specification's grammar (section 4.2), erratum 3 (type letters, the
//! column that RabbitMQ uses) and erratum 4 (arrays are measured in bytes).

use amqp_codec::{
    Array, ContentHeader, FieldValue, Frame, Limits, PropertyFields, ProtocolHeader, Table,
    TableBuf, decode,
};

#[test]
#[rustfmt::skip] // A row a line.
fn each_letter_means_its_type() {
    let limits = Limits::default();
    let array = Array::decode(b"t\x01V", &limits).unwrap();
    let table = Table::decode(b"\x01kV", &limits).unwrap();
    let rows: &[(&[u8], FieldValue<'_>, &str)] = &[
        (b"t\x00", FieldValue::Boolean(false), "false"),
        (b"t\x01", FieldValue::Boolean(true), "true"),
        (b"b\xff", FieldValue::I8(-1), "-1"),
        (b"B\xff", FieldValue::U8(255), "255"),
        // A signed 16-bit integer, not the specification's short string.
        (b"s\xff\xfe", FieldValue::I16(-2), "-2"),
        (b"u\xff\xfe", FieldValue::U16(65534), "65534"),
        (b"I\x80\x00\x00\x00", FieldValue::I32(i32::MIN), "-2147483648"),
        (b"i\x80\x00\x00\x00", FieldValue::U32(0x8000_0000), "2147483648"),
        // Signed, not the specification's unsigned.
        (b"l\xff\xff\xff\xff\xff\xff\xff\xff", FieldValue::I64(-1), "-1"),
        (b"f\x3f\xc0\x00\x00", FieldValue::F32(1.5), "1.5"),
        (b"d\xbf\xf8\x00\x00\x00\x00\x00\x00", FieldValue::F64(-1.5), "-1.5"),
        // Signed, not the grammar's long-uint.
        (b"D\x02\xff\xff\xff\x9c", FieldValue::Decimal { scale: 2, value: -100 }, "-100e-2"),
        (b"S\x00\x00\x00\x03abc", FieldValue::LongString(b"abc"), "\"abc\""),
        (b"S\x00\x00\x00\x01\xff", FieldValue::LongString(b"\xff"), "\"\\xff\""),
        (b"x\x00\x00\x00\x02\x00\x01", FieldValue::Bytes(b"\x00\x01"), "b\"\\x00\\x01\""),
        // Two elements, three bytes.
        (b"A\x00\x00\x00\x03t\x01V", FieldValue::Array(array), "[true, void]"),
        (b"T\x00\x00\x00\x00\x67\x00\x00\x00", FieldValue::Timestamp(0x6700_0000), "@1728053248"),
        (b"F\x00\x00\x00\x03\x01kV", FieldValue::Table(table), "{\"k\": void}"),
        (b"V", FieldValue::Void, "void"),
    ];
    for (bytes, value, shown) in rows {
        let mut entry = b"\x01n".to_vec();
        entry.extend(*bytes);
        let read = Table::decode(&entry, &limits).unwrap();
        assert_eq!(read.get("n"), Some(*value), "{shown}");
        assert_eq!(read.iter().collect::<Vec<_>>(), [("n".into(), *value)]);
        assert_eq!(format!("{value:?}"), *shown);
        assert_eq!(value.letter(), bytes[0]);

        let mut built = TableBuf::new();
        built.insert("n", *value).unwrap();
        assert_eq!(built.as_table().as_bytes(), entry, "{shown}");
    }
    // `L` is another letter for the same, which is read and never written.
    let read = Table::decode(b"\x01nL\xff\xff\xff\xff\xff\xff\xff\xfe", &limits).unwrap();
    assert_eq!(read.get("n"), Some(FieldValue::I64(-2)));
    // Any byte but zero is true, as in RabbitMQ.
    let read = Table::decode(b"\x01nt\x02", &limits).unwrap();
    assert_eq!(read.get("n"), Some(FieldValue::Boolean(true)));
}

#[test]
fn integers_of_every_letter_are_integers() {
    for (value, expected) in [
        (FieldValue::from(-1i8), Some(-1)),
        (FieldValue::from(200u8), Some(200)),
        (FieldValue::from(-300i16), Some(-300)),
        (FieldValue::from(60_000u16), Some(60_000)),
        (FieldValue::from(-70_000i32), Some(-70_000)),
        (FieldValue::from(4_000_000_000u32), Some(4_000_000_000)),
        (FieldValue::from(i64::MIN), Some(i64::MIN)),
        (FieldValue::Timestamp(1), None),
        (FieldValue::from("1"), None),
        (FieldValue::from(1.0), None),
    ] {
        assert_eq!(value.as_i64(), expected, "{value:?}");
    }
}

/// A content header with all fourteen properties: flags from bit 15 down.
#[test]
fn all_fourteen_properties() {
    let bytes = b"\x02\x00\x01\x00\x00\x00\x60\
        \x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\xff\xfc\
        \x0atext/plain\x04gzip\x00\x00\x00\x04\x01at\x01\x02\x07\x02c1\x02rq\x0560000\x02m1\
        \x00\x00\x00\x00\x67\x00\x00\x00\x04kind\x05guest\x03app\x02c0\xce";
    let mut bytes = bytes.to_vec();
    let size = bytes.len() as u32 - 8;
    bytes[3..7].copy_from_slice(&size.to_be_bytes());

    let mut headers = TableBuf::new();
    headers.insert("a", true).unwrap();
    let fields = PropertyFields {
        content_type: Some("text/plain".into()),
        content_encoding: Some("gzip".into()),
        headers: Some(headers.as_table()),
        delivery_mode: Some(2),
        priority: Some(7),
        correlation_id: Some("c1".into()),
        reply_to: Some("rq".into()),
        expiration: Some("60000".into()),
        message_id: Some("m1".into()),
        timestamp: Some(0x6700_0000),
        r#type: Some("kind".into()),
        user_id: Some("guest".into()),
        app_id: Some("app".into()),
        reserved: Some("c0".into()),
    };
    let properties = fields.to_buf().unwrap();
    let frame = Frame::Header {
        channel: 1,
        header: ContentHeader {
            body_size: 5,
            properties: properties.as_properties(),
        },
    };
    let (decoded, len) = decode(&bytes, &Limits::default()).unwrap().unwrap();
    assert_eq!((decoded, len), (frame, bytes.len()));
    let mut encoded = Vec::new();
    frame.encode(&mut encoded).unwrap();
    assert_eq!(encoded, bytes);
    assert_eq!(
        properties.as_properties().to_string(),
        "content_type=\"text/plain\" content_encoding=\"gzip\" headers={\"a\": true} delivery_mode=2 priority=7 \
         correlation_id=\"c1\" reply_to=\"rq\" expiration=\"60000\" message_id=\"m1\" timestamp=1728053248 \
         type=\"kind\" user_id=\"guest\" app_id=\"app\" reserved=\"c0\""
    );
}

/// Each property alone, by its flag (section 4.2.6.1: the first is bit 15).
#[test]
#[rustfmt::skip] // A row a line.
fn each_property_has_its_flag() {
    let text = Some("v".into());
    let none = PropertyFields::default;
    let rows = [
        (0x8000, PropertyFields { content_type: text, ..none() }, "\x01v"),
        (0x4000, PropertyFields { content_encoding: text, ..none() }, "\x01v"),
        (0x2000, PropertyFields { headers: Some(Table::EMPTY), ..none() }, "\0\0\0\0"),
        (0x1000, PropertyFields { delivery_mode: Some(1), ..none() }, "\x01"),
        (0x0800, PropertyFields { priority: Some(9), ..none() }, "\x09"),
        (0x0400, PropertyFields { correlation_id: text, ..none() }, "\x01v"),
        (0x0200, PropertyFields { reply_to: text, ..none() }, "\x01v"),
        (0x0100, PropertyFields { expiration: text, ..none() }, "\x01v"),
        (0x0080, PropertyFields { message_id: text, ..none() }, "\x01v"),
        (0x0040, PropertyFields { timestamp: Some(1), ..none() }, "\0\0\0\0\0\0\0\x01"),
        (0x0020, PropertyFields { r#type: text, ..none() }, "\x01v"),
        (0x0010, PropertyFields { user_id: text, ..none() }, "\x01v"),
        (0x0008, PropertyFields { app_id: text, ..none() }, "\x01v"),
        (0x0004, PropertyFields { reserved: text, ..none() }, "\x01v"),
        (0x0000, none(), ""),
    ];
    for (flags, fields, value) in rows {
        let mut payload = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
        payload.extend(u16::to_be_bytes(flags));
        payload.extend(value.as_bytes());
        let mut bytes = b"\x02\x00\x07\x00\x00\x00".to_vec();
        bytes.push(payload.len() as u8);
        bytes.extend(payload);
        bytes.push(0xCE);
        let (frame, _) = decode(&bytes, &Limits::default()).unwrap().unwrap();
        let Frame::Header { header, .. } = frame else {
            panic!("{frame:?}")
        };
        assert_eq!(header.properties.fields(), fields, "{flags:04x}");
        assert_eq!(header.properties.is_empty(), flags == 0);
    }
}

#[test]
fn body_and_heartbeat_frames() {
    let rows: &[(&[u8], Frame<'_>)] = &[
        (
            b"\x03\x00\x02\x00\x00\x00\x03abc\xce",
            Frame::Body {
                channel: 2,
                payload: b"abc",
            },
        ),
        (
            b"\x03\xff\xff\x00\x00\x00\x00\xce",
            Frame::Body {
                channel: 65535,
                payload: b"",
            },
        ),
        // Type 8 (erratum 29), eight bytes (erratum 12).
        (b"\x08\x00\x00\x00\x00\x00\x00\xce", Frame::Heartbeat),
    ];
    for (bytes, frame) in rows {
        assert_eq!(
            decode(bytes, &Limits::default()),
            Ok(Some((*frame, bytes.len())))
        );
        let mut encoded = Vec::new();
        frame.encode(&mut encoded).unwrap();
        assert_eq!(encoded, *bytes);
        assert_eq!(frame.encoded_len(), bytes.len());
    }
}

#[test]
fn protocol_headers() {
    let ours = ProtocolHeader::AMQP_0_9_1;
    assert_eq!(ours.to_bytes(), *b"AMQP\x00\x00\x09\x01");
    for cut in 0..8 {
        assert_eq!(ProtocolHeader::decode(&ours.to_bytes()[..cut]), Ok(None));
    }
    assert_eq!(
        ProtocolHeader::decode(b"AMQP\x00\x00\x09\x01+"),
        Ok(Some(ours))
    );
    // AMQP 1.0 with SASL, and AMQP 0-9: another protocol, not an error.
    for other in [b"AMQP\x03\x01\x00\x00", b"AMQP\x01\x01\x00\x09"] {
        let header = ProtocolHeader::decode(other).unwrap().unwrap();
        assert_ne!(header, ours);
        assert_eq!(header.to_bytes(), *other);
    }
    for (garbage, offset) in [(&b"GET / HTTP/1.1"[..], 0), (b"AM\x00", 2), (b"\x01", 0)] {
        let error = ProtocolHeader::decode(garbage).unwrap_err();
        assert_eq!(error.offset, offset);
        assert_eq!(
            error.to_string(),
            format!("not a protocol header (byte {offset})")
        );
    }
}
