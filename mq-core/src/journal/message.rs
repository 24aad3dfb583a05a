//! Messages and tables in records.
//!
//! A message is
//!
//! | field | type |
//! |---|---|
//! | exchange, routing key | text each |
//! | when the broker took it | time |
//! | origin | a byte: 0 AMQP, 1 MQTT, 2 STOMP, 3 the broker |
//! | of AMQP: the properties in their encoding | bytes |
//! | of MQTT: topic, RETAIN | text, flag |
//! | of STOMP: destination | text |
//! | content type, content encoding | optional bytes each |
//! | headers | table |
//! | delivery mode, priority | optional byte each |
//! | correlation identifier | optional bytes |
//! | reply-to | optional bytes |
//! | time to live in nanoseconds | optional number |
//! | message identifier | optional bytes |
//! | time stamp | optional number |
//! | type, user, application, cluster | optional bytes each |
//! | payload is UTF-8 | optional flag |
//! | quality of service | byte |
//! | body | all that is left |
//!
//! A table is the number of its entries, and for each its name, as bytes, and its value:
//! a byte that names its type, and what that has.
//!
//! | byte | type | then |
//! |---|---|---|
//! | 0 | none | |
//! | 1 | boolean | flag |
//! | 2 to 8 | integer: I8, U8, I16, U16, I32, U32, I64 | 8 bytes, the highest first |
//! | 9 | float | its 4 bytes |
//! | 10 | double | its 8 bytes |
//! | 11 | decimal | scale as a byte, value as 4 bytes |
//! | 12, 13 | string, binary | bytes |
//! | 14 | time stamp | number |
//! | 15 | array | number of values, values |
//! | 16 | table | table |

use alloc::vec::Vec;
use bytes::{Buf, Bytes};
use core::time::Duration;

use super::field::{
    Fields, Malformed, put_bytes, put_flag, put_number, put_option, put_text, put_time,
};
use crate::model::message::{Headers, Integer, Message, Origin, Properties, Qos, Text, Value};
use crate::model::meter::Counted;

/// How deep tables may nest: deeper than what comes in over AMQP, with room for what the
/// broker puts around it.
const DEPTH: u16 = 256;

const INTEGERS: &[(u8, Integer)] = &[
    (2, Integer::I8),
    (3, Integer::U8),
    (4, Integer::I16),
    (5, Integer::U16),
    (6, Integer::I32),
    (7, Integer::U32),
    (8, Integer::I64),
];

const QUALITIES: &[(u8, Qos)] = &[
    (0, Qos::AtMostOnce),
    (1, Qos::AtLeastOnce),
    (2, Qos::ExactlyOnce),
];

/// Writes a message but for its body, which comes last.
pub(super) fn put_message(out: &mut Vec<u8>, message: &Message) {
    let Message {
        exchange,
        routing_key,
        properties,
        body: _,
        published,
        origin,
        counted: _,
    } = message;
    put_text(out, exchange);
    put_text(out, routing_key);
    put_time(out, *published);
    match origin {
        Origin::Amqp(encoded) => {
            out.push(0);
            put_bytes(out, encoded);
        }
        Origin::Mqtt { topic, retain } => {
            out.push(1);
            put_text(out, topic);
            put_flag(out, *retain);
        }
        Origin::Stomp { destination } => {
            out.push(2);
            put_text(out, destination);
        }
        Origin::Broker => out.push(3),
    }
    put_properties(out, properties);
}

fn put_properties(out: &mut Vec<u8>, properties: &Properties) {
    let Properties {
        content_type,
        content_encoding,
        headers,
        delivery_mode,
        priority,
        correlation_id,
        reply_to,
        expiration,
        message_id,
        timestamp,
        kind,
        user_id,
        app_id,
        cluster_id,
        payload_is_utf8,
        qos,
    } = properties;
    put_option(out, content_type.as_deref(), put_bytes);
    put_option(out, content_encoding.as_deref(), put_bytes);
    put_headers(out, headers);
    put_option(out, *delivery_mode, Vec::push);
    put_option(out, *priority, Vec::push);
    put_option(out, correlation_id.as_deref(), put_bytes);
    put_option(out, reply_to.as_deref(), put_bytes);
    put_option(out, expiration.map(nanoseconds), put_number);
    put_option(out, message_id.as_deref(), put_bytes);
    put_option(out, *timestamp, put_number);
    put_option(out, kind.as_deref(), put_bytes);
    put_option(out, user_id.as_deref(), put_bytes);
    put_option(out, app_id.as_deref(), put_bytes);
    put_option(out, cluster_id.as_deref(), put_bytes);
    put_option(out, *payload_is_utf8, put_flag);
    put_quality(out, *qos);
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn put_quality(out: &mut Vec<u8>, qos: Qos) {
    let byte = QUALITIES.iter().find(|(_, q)| *q == qos);
    out.push(byte.map_or(0, |(byte, _)| *byte));
}

pub(super) fn put_headers(out: &mut Vec<u8>, headers: &Headers) {
    put_number(out, headers.0.len() as u64);
    for (name, value) in &headers.0 {
        put_bytes(out, name);
        put_value(out, value);
    }
}

/// Where the value came from has bounded its depth.
fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Void => out.push(0),
        Value::Bool(flag) => {
            out.push(1);
            put_flag(out, *flag);
        }
        Value::Int(width, number) => {
            let byte = INTEGERS.iter().find(|(_, w)| w == width);
            out.push(byte.map_or(8, |(byte, _)| *byte));
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::F32(number) => {
            out.push(9);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::F64(number) => {
            out.push(10);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Decimal { scale, value } => {
            out.push(11);
            out.push(*scale);
            out.extend_from_slice(&value.to_be_bytes());
        }
        Value::String(bytes) => {
            out.push(12);
            put_bytes(out, bytes);
        }
        Value::Binary(bytes) => {
            out.push(13);
            put_bytes(out, bytes);
        }
        Value::Timestamp(seconds) => {
            out.push(14);
            put_number(out, *seconds);
        }
        Value::Array(values) => {
            out.push(15);
            put_number(out, values.len() as u64);
            for value in values {
                put_value(out, value);
            }
        }
        Value::Table(headers) => {
            out.push(16);
            put_headers(out, headers);
        }
    }
}

impl Fields {
    /// A message, with all that is left as its body.
    pub(super) fn message(&mut self) -> Result<Message, Malformed> {
        Ok(Message {
            exchange: self.text()?,
            routing_key: self.text()?,
            published: self.time()?,
            origin: match self.byte()? {
                0 => Origin::Amqp(self.bytes()?),
                1 => Origin::Mqtt {
                    topic: self.text()?,
                    retain: self.flag()?,
                },
                2 => Origin::Stomp {
                    destination: self.text()?,
                },
                3 => Origin::Broker,
                _ => return Err(Malformed),
            },
            properties: self.properties()?,
            body: self.rest().into(),
            counted: Counted::default(),
        })
    }

    fn properties(&mut self) -> Result<Properties, Malformed> {
        Ok(Properties {
            content_type: self.option(Self::short)?,
            content_encoding: self.option(Self::short)?,
            headers: self.headers()?,
            delivery_mode: self.option(Self::byte)?,
            priority: self.option(Self::byte)?,
            correlation_id: self.option(Self::bytes)?,
            reply_to: self.option(Self::short)?,
            expiration: self.option(Self::number)?.map(Duration::from_nanos),
            message_id: self.option(Self::short)?,
            timestamp: self.option(Self::number)?,
            kind: self.option(Self::short)?,
            user_id: self.option(Self::short)?,
            app_id: self.option(Self::short)?,
            cluster_id: self.option(Self::short)?,
            payload_is_utf8: self.option(Self::flag)?,
            qos: self.quality()?,
        })
    }

    /// A text of a message, which may be no UTF-8.
    fn short(&mut self) -> Result<Text, Malformed> {
        Ok(Text::from(&self.bytes()?))
    }

    pub(super) fn quality(&mut self) -> Result<Qos, Malformed> {
        let byte = self.byte()?;
        let quality = QUALITIES.iter().find(|(b, _)| *b == byte);
        quality.map(|(_, qos)| *qos).ok_or(Malformed)
    }

    pub(super) fn headers(&mut self) -> Result<Headers, Malformed> {
        self.table(DEPTH)
    }

    fn table(&mut self, depth: u16) -> Result<Headers, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        let entries = self.list(|fields| Ok((fields.short()?, fields.value(depth)?)))?;
        Ok(Headers(entries))
    }

    fn value(&mut self, depth: u16) -> Result<Value, Malformed> {
        let byte = self.byte()?;
        if let Some((_, width)) = INTEGERS.iter().find(|(b, _)| *b == byte) {
            let number = self.fixed(Bytes::try_get_i64)?;
            return Ok(Value::Int(*width, number));
        }
        Ok(match byte {
            0 => Value::Void,
            1 => Value::Bool(self.flag()?),
            9 => Value::F32(self.fixed(Bytes::try_get_f32)?),
            10 => Value::F64(self.fixed(Bytes::try_get_f64)?),
            11 => Value::Decimal {
                scale: self.byte()?,
                value: self.fixed(Bytes::try_get_i32)?,
            },
            12 => Value::String(self.bytes()?),
            13 => Value::Binary(self.bytes()?),
            14 => Value::Timestamp(self.number()?),
            15 => {
                let depth = depth.checked_sub(1).ok_or(Malformed)?;
                Value::Array(self.list(|fields| fields.value(depth))?)
            }
            16 => Value::Table(self.table(depth)?),
            _ => return Err(Malformed),
        })
    }

    fn fixed<T, E>(&mut self, get: fn(&mut Bytes) -> Result<T, E>) -> Result<T, Malformed> {
        get(&mut self.0).map_err(|_| Malformed)
    }
}
