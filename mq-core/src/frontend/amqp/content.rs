//! Contents and field tables of AMQP, and the neutral message.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use amqp_codec::connection::Content;
use amqp_codec::{
    Array, ArrayBuf, EncodeError, FieldValue, PropertiesBuf, PropertyFields, Table, TableBuf,
    Text as ShortText,
};
use bytes::Bytes;
use core::time::Duration;

use crate::frontend::last_name::LastRoute;
use crate::limits::Limits;
use crate::model::Body;
use crate::model::message::{Headers, Integer, Message, Origin, Properties, Qos, Text, Value};
use crate::model::meter::Counted;
use crate::model::queue::LONGEST_MILLIS;
use crate::model::refusal::Refusal;

/// The delivery modes: 1 does not survive a restart, 2 does.
const DELIVERY_MODES: [u8; 2] = [1, 2];

/// Header in which a correlation identifier travels that AMQP's property, a
/// short string, cannot hold.
const LONG_CORRELATION_ID: &str = "x-correlation-id";

/// Header in which a routing key travels that AMQP's field, a short string, cannot
/// hold: a topic of MQTT or STOMP can be as long as that.
const LONG_ROUTING_KEY: &str = "x-routing-key";

/// Longest short string.
const SHORT: usize = 255;

/// A field table as headers or arguments. One with too many entries is refused: each
/// weighs more here than on the wire.
pub(super) fn headers(table: Table<'_>, limits: &Limits) -> Result<Headers, Refusal> {
    let limit = limits.headers;
    if !has_at_most(table, &mut { limit }) {
        return Err(Refusal::precondition_failed(format_args!(
            "a field table has more than {limit} entries"
        )));
    }
    Ok(entries(table))
}

/// Whether a table has no more entries than are left, those of tables in it too. The
/// codec has bounded the depth.
fn has_at_most(table: Table<'_>, left: &mut usize) -> bool {
    table.iter().all(|(_, value)| {
        *left > 0 && {
            *left -= 1;
            value_has_at_most(value, left)
        }
    })
}

fn value_has_at_most(value: FieldValue<'_>, left: &mut usize) -> bool {
    match value {
        FieldValue::Table(table) => has_at_most(table, left),
        FieldValue::Array(array) => array.iter().all(|value| value_has_at_most(value, left)),
        _ => true,
    }
}

fn entries(table: Table<'_>) -> Headers {
    let entry = |(name, v)| (text(name), value(v));
    Headers(table.iter().map(entry).collect())
}

fn text(text: ShortText<'_>) -> Text {
    Text::from(text.as_bytes())
}

/// The codec has bounded the depth already.
fn value(value_: FieldValue<'_>) -> Value {
    match value_ {
        FieldValue::Boolean(b) => Value::Bool(b),
        FieldValue::I8(n) => Value::Int(Integer::I8, n.into()),
        FieldValue::U8(n) => Value::Int(Integer::U8, n.into()),
        FieldValue::I16(n) => Value::Int(Integer::I16, n.into()),
        FieldValue::U16(n) => Value::Int(Integer::U16, n.into()),
        FieldValue::I32(n) => Value::Int(Integer::I32, n.into()),
        FieldValue::U32(n) => Value::Int(Integer::U32, n.into()),
        FieldValue::I64(n) => Value::Int(Integer::I64, n),
        FieldValue::F32(n) => Value::F32(n),
        FieldValue::F64(n) => Value::F64(n),
        FieldValue::Decimal { scale, value } => Value::Decimal { scale, value },
        FieldValue::LongString(s) => Value::String(Bytes::copy_from_slice(s)),
        FieldValue::Bytes(b) => Value::Binary(Bytes::copy_from_slice(b)),
        FieldValue::Array(array) => Value::Array(array.iter().map(value).collect()),
        FieldValue::Timestamp(t) => Value::Timestamp(t),
        FieldValue::Table(table) => Value::Table(entries(table)),
        _ => Value::Void,
    }
}

/// Headers as a field table. A name that comes twice goes in once, the first;
/// one that is too long for a table stays out.
fn table(headers: &Headers) -> Result<TableBuf, EncodeError> {
    let mut table = TableBuf::new();
    let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
    for (name, value) in &headers.0 {
        if name.len() <= SHORT && seen.insert(name) {
            with_field(value, &mut |field| table.insert(&**name, field))?;
        }
    }
    Ok(table)
}

/// Calls `then` with the value as the codec wants it: tables and arrays lent.
fn with_field(
    value: &Value,
    then: &mut dyn FnMut(FieldValue<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    match value {
        Value::Table(headers) => then(FieldValue::Table(table(headers)?.as_table())),
        Value::Array(values) => {
            let mut array = ArrayBuf::new();
            for value in values {
                with_field(value, &mut |field| array.push(field))?;
            }
            then(FieldValue::Array(array.as_array()))
        }
        value => then(scalar(value)),
    }
}

fn scalar(value: &Value) -> FieldValue<'_> {
    match value {
        Value::Bool(b) => FieldValue::Boolean(*b),
        Value::Int(width, n) => integer(*width, *n),
        Value::F32(n) => FieldValue::F32(*n),
        Value::F64(n) => FieldValue::F64(*n),
        Value::Decimal { scale, value } => FieldValue::Decimal {
            scale: *scale,
            value: *value,
        },
        Value::String(s) => FieldValue::LongString(s),
        Value::Binary(b) => FieldValue::Bytes(b),
        Value::Timestamp(t) => FieldValue::Timestamp(*t),
        Value::Table(_) => FieldValue::Table(Table::EMPTY),
        Value::Array(_) => FieldValue::Array(Array::EMPTY),
        Value::Void => FieldValue::Void,
    }
}

/// The number in the width that it came in; wider if it does not fit any more.
fn integer(width: Integer, n: i64) -> FieldValue<'static> {
    let narrow = match width {
        Integer::I8 => i8::try_from(n).map(FieldValue::I8).ok(),
        Integer::U8 => u8::try_from(n).map(FieldValue::U8).ok(),
        Integer::I16 => i16::try_from(n).map(FieldValue::I16).ok(),
        Integer::U16 => u16::try_from(n).map(FieldValue::U16).ok(),
        Integer::I32 => i32::try_from(n).map(FieldValue::I32).ok(),
        Integer::U32 => u32::try_from(n).map(FieldValue::U32).ok(),
        Integer::I64 => None,
    };
    narrow.unwrap_or(FieldValue::I64(n))
}

/// What a published content says, checked as RabbitMQ checks it.
pub(super) fn message(
    content: &Content,
    body: Body,
    user: &str,
    limits: &Limits,
    last: &mut LastRoute,
    now: Duration,
) -> Result<Message, Refusal> {
    let fields = content.properties().fields();
    if let Some(claimed) = fields.user_id.filter(|claimed| *claimed != *user) {
        return Err(Refusal::precondition_failed(format_args!(
            "user_id property set to '{claimed}' but authenticated user was '{user}'"
        )));
    }
    let expiration = match fields.expiration {
        None => None,
        // What is no UTF-8 begins with no number either, whatever it is.
        Some(text) => Some(time_to_live(text.to_str().unwrap_or_default())?),
    };
    if let Some(mode) = fields.delivery_mode
        && !DELIVERY_MODES.contains(&mode)
    {
        return Err(Refusal::precondition_failed(format_args!(
            "invalid message: {{delivery_mode_unknown,{mode}}}"
        )));
    }
    let mut headers = match fields.headers {
        Some(table) => headers(table, limits)?,
        None => Headers::default(),
    };
    for name in ["CC", "BCC"] {
        check_copies(name, headers.get(name))?;
    }
    let correlation_id = match headers.remove(LONG_CORRELATION_ID) {
        Some(Value::Binary(id)) => Some(id),
        Some(other) => {
            headers.push(LONG_CORRELATION_ID, other);
            None
        }
        None => None,
    };
    let correlation_id = fields
        .correlation_id
        .map(|id| Bytes::copy_from_slice(id.as_bytes()))
        .or(correlation_id);
    let properties = Properties {
        content_type: fields.content_type.map(text),
        content_encoding: fields.content_encoding.map(text),
        delivery_mode: fields.delivery_mode,
        priority: fields.priority,
        correlation_id,
        reply_to: fields.reply_to.map(text),
        expiration,
        message_id: fields.message_id.map(text),
        timestamp: fields.timestamp,
        kind: fields.r#type.map(text),
        user_id: fields.user_id.map(text),
        app_id: fields.app_id.map(text),
        cluster_id: fields.reserved.map(text),
        payload_is_utf8: None,
        qos: Qos::AtLeastOnce,
        headers,
    };
    // Who gets it does not see who else got it.
    let unchanged = properties.headers.get("BCC").is_none();
    Ok(Message {
        exchange: last.exchange.of(content.exchange()),
        routing_key: last.routing_key.of(content.routing_key()),
        properties,
        body,
        published: now,
        counted: Counted::default(),
        origin: if unchanged {
            Origin::Amqp(content.properties_bytes())
        } else {
            Origin::Broker
        },
    })
}

/// The property `expiration`: milliseconds in decimal, read as RabbitMQ reads it.
fn time_to_live(text: &str) -> Result<Duration, Refusal> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(text.len() - unsigned.len() + digits);
    let millis = number
        .parse::<i64>()
        .ok()
        .filter(|millis| *millis <= LONGEST_MILLIS);
    let wrong = match millis {
        _ if digits == 0 => String::from("no_integer"),
        _ if !rest.is_empty() => alloc::format!("{{leftover_string,\"{rest}\"}}"),
        None if number.starts_with('-') => alloc::format!("{{value_negative,{number}}}"),
        None => alloc::format!("{{value_too_large,{unsigned}}}"),
        Some(millis) => match u64::try_from(millis) {
            Ok(millis) => return Ok(Duration::from_millis(millis)),
            Err(_) => alloc::format!("{{value_negative,{millis}}}"),
        },
    };
    Err(Refusal::precondition_failed(format_args!(
        "invalid expiration '{text}': {wrong}"
    )))
}

fn check_copies(name: &str, value: Option<&Value>) -> Result<(), Refusal> {
    let fine = match value {
        None => true,
        Some(Value::Array(keys)) => keys.iter().all(|key| key.as_str().is_some()),
        Some(_) => false,
    };
    if fine {
        return Ok(());
    }
    Err(Refusal::precondition_failed(format_args!(
        "invalid message: {{unacceptable_type_in_header,\"{name}\"}}"
    )))
}

/// The routing key for AMQP's field. One that is too long is left out, since a part
/// of it would say something else.
pub(super) fn routing_key(message: &Message) -> &str {
    if message.routing_key.len() <= SHORT {
        &message.routing_key
    } else {
        ""
    }
}

/// The properties of a message that did not come over AMQP, or was changed.
pub(super) fn properties(message: &Message) -> Result<PropertiesBuf, EncodeError> {
    let p = &message.properties;
    let mut headers = p.headers.clone();
    headers.remove("BCC");
    let correlation_id = p
        .correlation_id
        .as_ref()
        .filter(|id| id.len() <= SHORT)
        // What a publisher over AMQP has put there goes out as it came. Over MQTT and
        // STOMP only text may end up where the specification wants text.
        .filter(|id| message.origin == Origin::Broker || core::str::from_utf8(id).is_ok())
        .map(|id| ShortText::new(id));
    if let (Some(id), None) = (&p.correlation_id, correlation_id) {
        headers.set(LONG_CORRELATION_ID, Value::Binary(id.clone()));
    }
    if routing_key(message).is_empty() && !message.routing_key.is_empty() {
        headers.set(LONG_ROUTING_KEY, Value::string(&message.routing_key));
    }
    let headers = table(&headers)?;
    let expiration: Option<String> = p.expiration.map(|ttl| ttl.as_millis().to_string());
    PropertyFields {
        content_type: short(&p.content_type),
        content_encoding: short(&p.content_encoding),
        headers: (!headers.as_table().is_empty()).then(|| headers.as_table()),
        delivery_mode: p.delivery_mode,
        priority: p.priority,
        correlation_id,
        reply_to: short(&p.reply_to),
        expiration: expiration.as_ref().map(ShortText::from),
        message_id: short(&p.message_id),
        timestamp: p.timestamp,
        r#type: short(&p.kind),
        user_id: short(&p.user_id),
        app_id: short(&p.app_id),
        reserved: short(&p.cluster_id),
    }
    .to_buf()
}

/// A text that fits; one that does not is left out, since a part of it would
/// say something else.
fn short(text: &Option<Text>) -> Option<ShortText<'_>> {
    text.as_deref()
        .filter(|text| text.len() <= SHORT)
        .map(ShortText::new)
}
