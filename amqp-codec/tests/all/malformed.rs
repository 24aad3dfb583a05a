//! Malformed input with the byte and the reply code of its error.
//!
//! Codes are those that a RabbitMQ 3.10.8 was seen to answer. Where it answers
//! nothing of use (it drops the socket on an unknown method or a bad type
//! letter, and closes with 541 on bad property flags), they are the specification's.

use amqp_codec::{DecodeErrorKind as Kind, Limits, MethodId, decode, needed};

fn frame(frame_type: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![frame_type];
    bytes.extend(channel.to_be_bytes());
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(payload);
    bytes.push(0xCE);
    bytes
}

/// queue.declare of "q" with this table, length included.
fn declare(table: &[u8]) -> Vec<u8> {
    let mut payload = b"\x00\x32\x00\x0a\x00\x00\x01q\x00".to_vec();
    payload.extend(table);
    frame(1, 1, &payload)
}

/// The offset of the byte after `declare`'s table length.
const TABLE: usize = 7 + 9 + 4;

fn header(flags: u16, properties: &[u8]) -> Vec<u8> {
    let mut payload = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    payload.extend(flags.to_be_bytes());
    payload.extend(properties);
    frame(2, 1, &payload)
}

/// The offset of `header`'s first property.
const PROPERTIES: usize = 7 + 14;

/// `{"": {"": .. {"": true}}}` of this depth, length included.
fn nested(depth: usize) -> Vec<u8> {
    let mut table = b"\x00t\x01".to_vec();
    for _ in 1..depth {
        let mut outer = b"\x00F".to_vec();
        outer.extend((table.len() as u32).to_be_bytes());
        outer.extend(&table);
        table = outer;
    }
    let mut sized = (table.len() as u32).to_be_bytes().to_vec();
    sized.extend(table);
    sized
}

fn nested_arrays(depth: usize) -> Vec<u8> {
    let mut array = b"V".to_vec();
    for _ in 1..depth {
        let mut outer = b"A".to_vec();
        outer.extend((array.len() as u32).to_be_bytes());
        outer.extend(&array);
        array = outer;
    }
    let mut table = b"\x00".to_vec();
    table.extend(array);
    let mut sized = (table.len() as u32).to_be_bytes().to_vec();
    sized.extend(table);
    sized
}

#[test]
#[rustfmt::skip] // A row a line.
fn each_is_refused_with_its_code() {
    let limits = Limits::default()
        .with_frame_size(4096)
        .with_table_depth(8)
        .with_table_size(2000);
    let rows: &[(&str, Vec<u8>, usize, Kind, u16)] = &[
        // Frames (section 4.2.3).
        ("type 0", frame(0, 0, b""), 0, Kind::FrameType(0), 501),
        ("type 4, the PDF's heartbeat (erratum 29)", frame(4, 0, b""), 0, Kind::FrameType(4), 501),
        ("type 9", frame(9, 0, b"abc"), 0, Kind::FrameType(9), 501),
        ("a protocol header in the stream", b"AMQP\x00\x00\x09\x01".to_vec(), 0, Kind::FrameType(b'A'), 501),
        ("frame-end 0", b"\x08\x00\x00\x00\x00\x00\x00\x00".to_vec(), 7, Kind::FrameEnd(0), 501),
        ("frame-end of a method", b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x33\xcd".to_vec(), 11, Kind::FrameEnd(0xCD), 501),
        ("frame-end before the payload", b"\x01\x00\x01\x00\x00\x00\x01\x00\x00".to_vec(), 8, Kind::FrameEnd(0), 501),
        ("one byte over the limit", frame(3, 1, &[0; 4089]), 3, Kind::FrameSize { size: 4097, limit: 4096 }, 501),
        ("size of 4 GiB, and no more bytes", b"\x03\x00\x01\xff\xff\xff\xff".to_vec(), 3, Kind::FrameSize { size: (1 << 32) + 7, limit: 4096 }, 501),
        ("heartbeat on channel 1", frame(8, 1, b""), 7, Kind::HeartbeatChannel, 505),
        ("heartbeat with a payload", frame(8, 0, b"x"), 7, Kind::HeartbeatPayload, 501),
        ("heartbeat with both", frame(8, 1, b"x"), 7, Kind::HeartbeatChannel, 505),
        // Methods (section 4.2.4).
        ("no class", frame(1, 1, b""), 7, Kind::Truncated, 501),
        ("half a class", frame(1, 1, b"\x00"), 7, Kind::Truncated, 501),
        ("no method", frame(1, 1, b"\x00\x0a"), 9, Kind::Truncated, 501),
        ("class 0", frame(1, 1, b"\x00\x00\x00\x0a"), 7, Kind::UnknownMethod, 540),
        ("class 70, file in AMQP 0-8", frame(1, 1, b"\x00\x46\x00\x0a"), 7, Kind::UnknownMethod, 540),
        ("class 65535", frame(1, 1, b"\xff\xff\x00\x0a"), 7, Kind::UnknownMethod, 540),
        ("basic 0", frame(1, 1, b"\x00\x3c\x00\x00"), 7, Kind::UnknownMethod, 540),
        ("basic 72 is, 73 is not", frame(1, 1, b"\x00\x3c\x00\x49\x00"), 7, Kind::UnknownMethod, 540),
        ("exchange.unbind-ok is 51, not 41", frame(1, 1, b"\x00\x28\x00\x29"), 7, Kind::UnknownMethod, 540),
        ("bytes after tx.select", frame(1, 1, b"\x00\x5a\x00\x0a\x00"), 11, Kind::Trailing, 501),
        ("bytes after queue.declare", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x00extra"), 20, Kind::Trailing, 501),
        ("queue.declare without table", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01q\x00"), 16, Kind::Truncated, 501),
        ("queue.declare without bits", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01q"), 15, Kind::Truncated, 501),
        ("queue name cut", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x05q"), 14, Kind::Truncated, 501),
        ("queue name of 255 in 200", frame(1, 1, &[&b"\x00\x32\x00\x0a\x00\x00\xff"[..], &[b'q'; 200]].concat()), 14, Kind::Truncated, 501),
        ("delivery tag cut", frame(1, 1, b"\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x00"), 11, Kind::Truncated, 501),
        ("long string cut", frame(1, 0, b"\x00\x0a\x00\x15\x00\x00\x00\x02r"), 15, Kind::Truncated, 501),
        ("long string of 4 GiB", frame(1, 0, b"\x00\x0a\x00\x15\xff\xff\xff\xffr"), 15, Kind::Truncated, 501),
        ("queue name not UTF-8", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x01\xff\x00\x00\x00\x00\x00"), 14, Kind::Utf8, 501),
        ("queue name ends inside a character", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x02q\xc3\x00\x00\x00\x00\x00"), 14, Kind::Utf8, 501),
        ("overlong UTF-8", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x02\xc0\x80\x00\x00\x00\x00\x00"), 14, Kind::Utf8, 501),
        ("a surrogate", frame(1, 1, b"\x00\x32\x00\x0a\x00\x00\x03\xed\xa0\x80\x00\x00\x00\x00\x00"), 14, Kind::Utf8, 501),
        ("reserved short string not UTF-8", frame(1, 1, b"\x00\x14\x00\x0a\x01\xff"), 12, Kind::Utf8, 501),
        ("connection.start-ok without response", frame(1, 0, b"\x00\x0a\x00\x0b\x00\x00\x00\x00\x05PLAIN"), 21, Kind::Truncated, 501),
        ("connection.start-ok without locale", frame(1, 0, b"\x00\x0a\x00\x0b\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x00"), 25, Kind::Truncated, 501),
        ("client-properties not a table", frame(1, 0, b"\x00\x0a\x00\x0b\x00\x00\x00\x01\x00\x05PLAIN"), 16, Kind::Truncated, 501),
        ("connection.tune-ok cut", frame(1, 0, b"\x00\x0a\x00\x1f\x00\x00\x00\x00\x10"), 13, Kind::Truncated, 501),
        ("connection.open of AMQP 1.0's sort: no reserved fields", frame(1, 0, b"\x00\x0a\x00\x28\x01/"), 13, Kind::Truncated, 501),
        ("connection.open without the reserved bit", frame(1, 0, b"\x00\x0a\x00\x28\x01/\x00"), 14, Kind::Truncated, 501),
        ("virtual host not UTF-8", frame(1, 0, b"\x00\x0a\x00\x28\x01\xfe\x00\x00"), 12, Kind::Utf8, 501),
        ("connection.close with half a method number", frame(1, 0, b"\x00\x0a\x00\x32\x00\xc8\x00\x00\x00\x00"), 16, Kind::Truncated, 501),
        ("channel.open without its reserved string", frame(1, 1, b"\x00\x14\x00\x0a"), 11, Kind::Truncated, 501),
        ("channel.open with more", frame(1, 1, b"\x00\x14\x00\x0a\x00\x00"), 12, Kind::Trailing, 501),
        ("channel.flow without its bit", frame(1, 1, b"\x00\x14\x00\x14"), 11, Kind::Truncated, 501),
        ("exchange.declare without type", frame(1, 1, b"\x00\x28\x00\x0a\x00\x00\x01e"), 15, Kind::Truncated, 501),
        ("exchange.bind without routing key", frame(1, 1, b"\x00\x28\x00\x1e\x00\x00\x01d\x01s"), 17, Kind::Truncated, 501),
        ("queue.unbind with a no-wait that it has not", frame(1, 1, b"\x00\x32\x00\x32\x00\x00\x01q\x01e\x00\x00\x00\x00\x00\x00"), 22, Kind::Trailing, 501),
        ("basic.qos cut", frame(1, 1, b"\x00\x3c\x00\x0a\x00\x00\x00\x00\x00\x01"), 17, Kind::Truncated, 501),
        ("basic.consume tag not UTF-8", frame(1, 1, b"\x00\x3c\x00\x14\x00\x00\x00\x01\xc0\x00\x00\x00\x00\x00"), 15, Kind::Utf8, 501),
        ("basic.publish without bits", frame(1, 1, b"\x00\x3c\x00\x28\x00\x00\x00\x01k"), 16, Kind::Truncated, 501),
        ("basic.publish with two bytes of bits", frame(1, 1, b"\x00\x3c\x00\x28\x00\x00\x00\x01k\x00\x00"), 17, Kind::Trailing, 501),
        ("routing key not UTF-8", frame(1, 1, b"\x00\x3c\x00\x28\x00\x00\x00\x02k\xff\x00"), 15, Kind::Utf8, 501),
        ("basic.nack with a byte for each bit", frame(1, 1, b"\x00\x3c\x00\x78\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00"), 20, Kind::Trailing, 501),
        ("confirm.select without its bit", frame(1, 1, b"\x00\x55\x00\x0a"), 11, Kind::Truncated, 501),
        ("tx 40", frame(1, 1, b"\x00\x5a\x00\x28"), 7, Kind::UnknownMethod, 540),
        // Tables (section 4.2.5.5).
        ("table longer than the frame", declare(b"\x00\x00\x00\x09\x01at\x01"), TABLE, Kind::Truncated, 501),
        ("table shorter than its entry", declare(b"\x00\x00\x00\x03\x01at\x01"), TABLE + 3, Kind::Truncated, 501),
        ("name without value", declare(b"\x00\x00\x00\x02\x01a"), TABLE + 2, Kind::Truncated, 501),
        ("name cut", declare(b"\x00\x00\x00\x02\x05a"), TABLE + 1, Kind::Truncated, 501),
        ("table over its limit", declare(&[&2001u32.to_be_bytes()[..], &[0; 2001]].concat()), TABLE - 4, Kind::TableSize { size: 2001, limit: 2000 }, 506),
        ("table of 4 GiB", declare(b"\xff\xff\xff\xff"), TABLE - 4, Kind::TableSize { size: u32::MAX, limit: 2000 }, 506),
        ("letter U, of the specification only", declare(b"\x00\x00\x00\x05\x01aU\x00\x01"), TABLE + 2, Kind::FieldType(b'U'), 502),
        ("letter 0", declare(b"\x00\x00\x00\x03\x01a\x00"), TABLE + 2, Kind::FieldType(0), 502),
        ("letter ?", declare(b"\x00\x00\x00\x05\x01b?\x00\x01"), TABLE + 2, Kind::FieldType(b'?'), 502),
        ("boolean cut", declare(b"\x00\x00\x00\x03\x01at"), TABLE + 3, Kind::Truncated, 501),
        ("signed byte cut", declare(b"\x00\x00\x00\x03\x01ab"), TABLE + 3, Kind::Truncated, 501),
        ("unsigned byte cut", declare(b"\x00\x00\x00\x03\x01aB"), TABLE + 3, Kind::Truncated, 501),
        ("signed short cut", declare(b"\x00\x00\x00\x04\x01as\x00"), TABLE + 3, Kind::Truncated, 501),
        ("unsigned short cut", declare(b"\x00\x00\x00\x04\x01au\x00"), TABLE + 3, Kind::Truncated, 501),
        ("signed long cut", declare(b"\x00\x00\x00\x06\x01aI\x00\x00\x00"), TABLE + 3, Kind::Truncated, 501),
        ("unsigned long cut", declare(b"\x00\x00\x00\x06\x01ai\x00\x00\x00"), TABLE + 3, Kind::Truncated, 501),
        ("signed longlong cut", declare(b"\x00\x00\x00\x07\x01al\x00\x00\x00\x00"), TABLE + 3, Kind::Truncated, 501),
        ("signed longlong L cut", declare(b"\x00\x00\x00\x07\x01aL\x00\x00\x00\x00"), TABLE + 3, Kind::Truncated, 501),
        ("float cut", declare(b"\x00\x00\x00\x05\x01af\x00\x00"), TABLE + 3, Kind::Truncated, 501),
        ("double cut", declare(b"\x00\x00\x00\x05\x01ad\x00\x00"), TABLE + 3, Kind::Truncated, 501),
        ("decimal cut", declare(b"\x00\x00\x00\x07\x01aD\x02\x00\x00\x00"), TABLE + 3, Kind::Truncated, 501),
        ("timestamp cut", declare(b"\x00\x00\x00\x05\x01aT\x00\x00"), TABLE + 3, Kind::Truncated, 501),
        ("long string cut", declare(b"\x00\x00\x00\x08\x01aS\x00\x00\x00\x02b"), TABLE + 7, Kind::Truncated, 501),
        ("long string without length", declare(b"\x00\x00\x00\x05\x01aS\x00\x00"), TABLE + 3, Kind::Truncated, 501),
        ("byte array cut", declare(b"\x00\x00\x00\x08\x01ax\xff\xff\xff\xffb"), TABLE + 7, Kind::Truncated, 501),
        ("array cut", declare(b"\x00\x00\x00\x08\x01aA\x00\x00\x00\x02V"), TABLE + 7, Kind::Truncated, 501),
        ("array counted in elements", declare(b"\x00\x00\x00\x0b\x01aA\x00\x00\x00\x02t\x01t\x01"), TABLE + 10, Kind::Truncated, 501),
        ("array with an element cut", declare(b"\x00\x00\x00\x08\x01aA\x00\x00\x00\x01t"), TABLE + 8, Kind::Truncated, 501),
        ("array with an unknown letter", declare(b"\x00\x00\x00\x09\x01aA\x00\x00\x00\x02VZ"), TABLE + 8, Kind::FieldType(b'Z'), 502),
        ("inner table cut", declare(b"\x00\x00\x00\x08\x01aF\x00\x00\x00\x02\x00"), TABLE + 7, Kind::Truncated, 501),
        ("inner table with an entry cut, then more", declare(b"\x00\x00\x00\x0c\x01aF\x00\x00\x00\x02\x00t\x00t\x01"), TABLE + 9, Kind::Truncated, 501),
        ("tables nested nine deep", declare(&nested(9)), 7 + 9 + 4 + 7 * 6 + 1, Kind::TableDepth(8), 506),
        ("arrays nested nine deep", declare(&nested_arrays(9)), 7 + 9 + 4 + 1 + 7 * 5, Kind::TableDepth(8), 506),
        // Content headers (section 4.2.6.1).
        ("empty header", frame(2, 1, b""), 7, Kind::Truncated, 501),
        ("header without flags", frame(2, 1, b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 19, Kind::Truncated, 501),
        ("header with half a body size", frame(2, 1, b"\x00\x3c\x00\x00\x00\x00"), 11, Kind::Truncated, 501),
        ("header of class 50", frame(2, 1, b"\x00\x32\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 7, Kind::ContentClass(50), 505),
        ("header of class 0", frame(2, 1, b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 7, Kind::ContentClass(0), 505),
        ("weight 1", frame(2, 1, b"\x00\x3c\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 9, Kind::ContentWeight(1), 505),
        ("flag bit 0: more flags", header(0x0001, b"\x00\x00"), 19, Kind::PropertyFlags(1), 502),
        ("flag bit 1: no such property", header(0x0002, b""), 19, Kind::PropertyFlags(2), 502),
        ("all flags", header(0xffff, b""), 19, Kind::PropertyFlags(0xffff), 502),
        ("content-type missing", header(0x8000, b""), PROPERTIES, Kind::Truncated, 501),
        ("content-type cut", header(0x8000, b"\x03ab"), PROPERTIES + 1, Kind::Truncated, 501),
        ("headers missing", header(0x2000, b""), PROPERTIES, Kind::Truncated, 501),
        ("headers cut", header(0x2000, b"\x00\x00\x00\x05\x01at\x01"), PROPERTIES + 4, Kind::Truncated, 501),
        ("headers with an unknown letter", header(0x2000, b"\x00\x00\x00\x03\x01az"), PROPERTIES + 6, Kind::FieldType(b'z'), 502),
        ("headers too large", header(0x2000, &2001u32.to_be_bytes()), PROPERTIES, Kind::TableSize { size: 2001, limit: 2000 }, 506),
        ("delivery-mode missing", header(0x1000, b""), PROPERTIES, Kind::Truncated, 501),
        ("priority missing after delivery-mode", header(0x1800, b"\x02"), PROPERTIES + 1, Kind::Truncated, 501),
        ("reply-to cut", header(0x0200, b"\x02a"), PROPERTIES + 1, Kind::Truncated, 501),
        ("expiration cut", header(0x0100, b"\x02a"), PROPERTIES + 1, Kind::Truncated, 501),
        ("message-id cut", header(0x0080, b"\x02a"), PROPERTIES + 1, Kind::Truncated, 501),
        ("timestamp cut", header(0x0040, b"\x00\x00\x00\x00"), PROPERTIES, Kind::Truncated, 501),
        ("type cut", header(0x0020, b"\x02a"), PROPERTIES + 1, Kind::Truncated, 501),
        ("user-id cut", header(0x0010, b"\x02a"), PROPERTIES + 1, Kind::Truncated, 501),
        ("app-id cut", header(0x0008, b"\x02a"), PROPERTIES + 1, Kind::Truncated, 501),
        ("reserved property cut", header(0x0004, b"\x02a"), PROPERTIES + 1, Kind::Truncated, 501),
        ("bytes after the properties", header(0x1000, b"\x02\x00"), PROPERTIES + 1, Kind::Trailing, 501),
        ("bytes without properties", header(0, b"\x00"), PROPERTIES, Kind::Trailing, 501),
    ];
    for (name, bytes, offset, kind, code) in rows {
        let error = decode(bytes, &limits).expect_err(name);
        assert_eq!((error.offset, error.kind), (*offset, *kind), "{name}");
        assert_eq!(error.reply_code().code(), *code, "{name}");
        assert_eq!(error.channel, u16::from_be_bytes([bytes[1], bytes[2]]), "{name}");
    }
    assert!(rows.len() >= 115, "{}", rows.len());
}

#[test]
fn what_is_just_within_the_limits_passes() {
    let limits = Limits::default()
        .with_frame_size(4096)
        .with_table_depth(8)
        .with_table_size(2000);
    for bytes in [
        frame(3, 1, &[0; 4088]),
        declare(&nested(8)),
        declare(&nested_arrays(8)),
        // An empty table opens no level.
        declare(b"\x00\x00\x00\x00"),
    ] {
        assert!(decode(&bytes, &limits).unwrap().is_some());
    }
}

/// Thousands of tables in one legal frame, whatever the setting.
#[test]
fn depth_ends_at_the_hard_maximum() {
    let limits = Limits::default().with_table_depth(u16::MAX);
    assert!(decode(&declare(&nested(1024)), &limits).unwrap().is_some());
    let error = decode(&declare(&nested(1025)), &limits).unwrap_err();
    assert_eq!(error.kind, Kind::TableDepth(1024));
}

#[test]
fn an_error_names_its_method() {
    let error = decode(&declare(b"\x00\x00\x00\x03\x01a\x00"), &Limits::default()).unwrap_err();
    assert_eq!(error.method, Some(MethodId::new(50, 10)));
    assert_eq!(
        error.to_string(),
        "unknown field value type 0x00 (byte 22, channel 1, queue.declare)"
    );
    let error = decode(&frame(1, 3, b"\x00\x32\x00\x63"), &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown method (byte 7, channel 3, 50.99)"
    );
}

/// A claim of four bytes of ones is told as it is, where a `usize` can hold it:
/// the payload that is missing, and the frame-end.
#[test]
fn what_is_needed_has_no_end_that_panics() {
    let most = usize::try_from(1u64 << 32).unwrap_or(usize::MAX);
    let claim = b"\x03\x00\x01\xff\xff\xff\xff";
    assert_eq!(needed(claim), most);
    assert_eq!(needed(&[&claim[..], b"123"].concat()), most - 3);
    assert_eq!(needed(b"\x03\x00\x01\xff\xff"), 3);
    let error = decode(claim, &Limits::default().with_frame_size(u32::MAX)).unwrap_err();
    let (size, limit) = ((1 << 32) + 7, u32::MAX);
    assert_eq!(error.kind, Kind::FrameSize { size, limit });
}
