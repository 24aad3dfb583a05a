//! AMQP frames that are put together from their fields: what can be encoded is decoded to
//! the same again.

use amqp_codec::method::{basic, channel, connection, exchange, queue};
use amqp_codec::{
    ArrayBuf, ContentHeader, FieldValue, Frame, Limits, Method, PropertyFields, TableBuf, decode,
};
use arbitrary::{Arbitrary, Unstructured};

#[derive(Arbitrary, Debug)]
struct Made<'a> {
    kind: u8,
    channel: u16,
    texts: [&'a str; 4],
    bytes: &'a [u8],
    numbers: [u64; 2],
    flags: u8,
    entries: Vec<(&'a str, Value<'a>)>,
}

/// A field value of a table, one level of tables deep at a time.
#[derive(Arbitrary, Debug)]
enum Value<'a> {
    Boolean(bool),
    I8(i8),
    U8(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    F32(u32),
    F64(u64),
    Decimal(u8, i32),
    Text(&'a str),
    Bytes(&'a [u8]),
    Timestamp(u64),
    Void,
    Table(Vec<(&'a str, Value<'a>)>),
    Array(Vec<Value<'a>>),
}

/// Deeper than this is left out: building is the only place where this recurses.
const DEPTH: u32 = 20;

fn table(entries: &[(&str, Value<'_>)], depth: u32) -> TableBuf {
    let mut table = TableBuf::new();
    for (name, value) in entries {
        with_value(value, depth, &mut |value| {
            // A name may be too long.
            table.insert(*name, value).map(drop).unwrap_or_default();
        });
    }
    table
}

fn with_value(value: &Value<'_>, depth: u32, take: &mut dyn FnMut(FieldValue<'_>)) {
    let field = match value {
        Value::Boolean(it) => FieldValue::Boolean(*it),
        Value::I8(it) => FieldValue::I8(*it),
        Value::U8(it) => FieldValue::U8(*it),
        Value::I16(it) => FieldValue::I16(*it),
        Value::U16(it) => FieldValue::U16(*it),
        Value::I32(it) => FieldValue::I32(*it),
        Value::U32(it) => FieldValue::U32(*it),
        Value::I64(it) => FieldValue::I64(*it),
        // Not a number is not itself, so it would not be the same again.
        Value::F32(it) => match f32::from_bits(*it) {
            it if it.is_nan() => return,
            it => FieldValue::F32(it),
        },
        Value::F64(it) => match f64::from_bits(*it) {
            it if it.is_nan() => return,
            it => FieldValue::F64(it),
        },
        Value::Decimal(scale, value) => FieldValue::Decimal {
            scale: *scale,
            value: *value,
        },
        Value::Text(it) => FieldValue::LongString(it.as_bytes()),
        Value::Bytes(it) => FieldValue::Bytes(it),
        Value::Timestamp(it) => FieldValue::Timestamp(*it),
        Value::Void => FieldValue::Void,
        Value::Table(_) | Value::Array(_) if depth == DEPTH => return,
        Value::Table(entries) => return take((&table(entries, depth + 1)).into()),
        Value::Array(values) => {
            let mut array = ArrayBuf::new();
            for value in values {
                with_value(value, depth + 1, &mut |value| {
                    array.push(value).map(drop).unwrap_or_default();
                });
            }
            return take((&array).into());
        }
    };
    take(field);
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let Ok(made) = Made::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let arguments = table(&made.entries, 0);
    let arguments = arguments.as_table();
    let [first, second, third, fourth] = made.texts;
    let [number, other] = made.numbers;
    let flag = |bit: u8| made.flags >> bit & 1 == 1;
    let some = |bit: u8, text| flag(bit).then_some(text);
    let properties = PropertyFields {
        content_type: some(0, first.into()),
        content_encoding: some(1, second.into()),
        headers: flag(2).then_some(arguments),
        delivery_mode: flag(3).then_some(number as u8),
        priority: flag(4).then_some(other as u8),
        correlation_id: some(5, third.into()),
        expiration: some(6, fourth.into()),
        timestamp: flag(7).then_some(number),
        ..PropertyFields::default()
    };
    let properties = properties.to_buf();
    let channel = made.channel;
    let method: Method<'_> = match made.kind % 14 {
        0 => queue::Declare {
            queue: first,
            passive: flag(0),
            durable: flag(1),
            exclusive: flag(2),
            auto_delete: flag(3),
            no_wait: flag(4),
            arguments,
        }
        .into(),
        1 => queue::Bind {
            queue: first,
            exchange: second,
            routing_key: third,
            no_wait: flag(0),
            arguments,
        }
        .into(),
        2 => exchange::Declare {
            exchange: first,
            r#type: second,
            passive: flag(0),
            durable: flag(1),
            arguments,
            ..Default::default()
        }
        .into(),
        3 => basic::Publish {
            exchange: first,
            routing_key: second,
            mandatory: flag(0),
            immediate: flag(1),
        }
        .into(),
        4 => basic::Deliver {
            consumer_tag: first,
            delivery_tag: number,
            redelivered: flag(0),
            exchange: second,
            routing_key: third,
        }
        .into(),
        5 => basic::Ack {
            delivery_tag: number,
            multiple: flag(0),
        }
        .into(),
        6 => basic::Nack {
            delivery_tag: number,
            multiple: flag(0),
            requeue: flag(1),
        }
        .into(),
        7 => connection::StartOk {
            client_properties: arguments,
            mechanism: first,
            locale: second,
            ..Default::default()
        }
        .into(),
        8 => connection::Close {
            reply_code: number as u16,
            reply_text: first,
            class_id: other as u16,
            ..Default::default()
        }
        .into(),
        9 => channel::Close {
            reply_code: number as u16,
            reply_text: first,
            ..Default::default()
        }
        .into(),
        10 => queue::DeclareOk {
            queue: first,
            message_count: number as u32,
            consumer_count: other as u32,
        }
        .into(),
        11 => {
            return match properties {
                Ok(properties) => there_and_back(Frame::Header {
                    channel,
                    header: ContentHeader {
                        body_size: other,
                        properties: properties.as_properties(),
                    },
                }),
                // A short string has 255 bytes at most.
                Err(_) => assert!(made.texts.iter().any(|text| text.len() > 255)),
            };
        }
        12 => {
            return there_and_back(Frame::Body {
                channel,
                payload: made.bytes,
            });
        }
        _ => return there_and_back(Frame::Heartbeat),
    };
    there_and_back(Frame::Method { channel, method });
}

fn there_and_back(frame: Frame<'_>) {
    let mut out = Vec::new();
    if frame.encode(&mut out).is_err() {
        assert!(
            out.is_empty(),
            "what cannot be encoded leaves nothing behind"
        );
        return;
    }
    assert_eq!(out.len(), frame.encoded_len());
    // One byte less than it takes is an error, and no panic.
    let mut room = vec![0; out.len() - 1];
    assert!(frame.encode(&mut &mut room[..]).is_err());
    let again = decode(&out, &Limits::default());
    let Ok(Some((again, length))) = again else {
        panic!("{frame:?} was encoded, and is not accepted: {again:?}");
    };
    assert_eq!((again, length), (frame, out.len()));
    let mut second = Vec::new();
    again.encode(&mut second).expect("it was decoded");
    assert_eq!(second, out, "{frame:?}");
}
