//! The properties of MQTT 5.0 (2.2.2): written, and read back strictly.

use super::wire::{
    AUTH, CONNACK, DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, string,
    varint,
};

pub(super) const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
pub(super) const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
pub(super) const CONTENT_TYPE: u8 = 0x03;
pub(super) const RESPONSE_TOPIC: u8 = 0x08;
pub(super) const CORRELATION_DATA: u8 = 0x09;
pub(super) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
pub(super) const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
pub(super) const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
pub(super) const SERVER_KEEP_ALIVE: u8 = 0x13;
pub(super) const AUTHENTICATION_METHOD: u8 = 0x15;
pub(super) const AUTHENTICATION_DATA: u8 = 0x16;
pub(super) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
pub(super) const WILL_DELAY_INTERVAL: u8 = 0x18;
pub(super) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
pub(super) const RESPONSE_INFORMATION: u8 = 0x1A;
const SERVER_REFERENCE: u8 = 0x1C;
pub(super) const REASON_STRING: u8 = 0x1F;
pub(super) const RECEIVE_MAXIMUM: u8 = 0x21;
pub(super) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
pub(super) const TOPIC_ALIAS: u8 = 0x23;
pub(super) const MAXIMUM_QOS: u8 = 0x24;
pub(super) const RETAIN_AVAILABLE: u8 = 0x25;
pub(super) const USER_PROPERTY: u8 = 0x26;
pub(super) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
pub(super) const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
pub(super) const SUBSCRIPTION_IDENTIFIERS_AVAILABLE: u8 = 0x29;
pub(super) const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2A;

pub(super) fn byte(id: u8, value: u8) -> Vec<u8> {
    vec![id, value]
}

pub(super) fn two_byte(id: u8, value: u16) -> Vec<u8> {
    [&[id], &value.to_be_bytes()[..]].concat()
}

pub(super) fn four_byte(id: u8, value: u32) -> Vec<u8> {
    [&[id], &value.to_be_bytes()[..]].concat()
}

/// A UTF-8 string or binary data.
pub(super) fn text(id: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![id], string(value)].concat()
}

pub(super) fn user(name: &str, value: &str) -> Vec<u8> {
    [vec![USER_PROPERTY], string(name), string(value)].concat()
}

pub(super) fn subscription_identifier(value: usize) -> Vec<u8> {
    [vec![SUBSCRIPTION_IDENTIFIER], varint(value)].concat()
}

/// How the value of a property is written.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Byte,
    TwoByte,
    FourByte,
    Varint,
    Text,
    Binary,
    Pair,
}

/// The name that the specification has for a property (2.2.2.2).
pub(super) fn name(id: u8) -> &'static str {
    NAMES
        .iter()
        .find(|(known, _)| *known == id)
        .map_or("unknown property", |(_, name)| name)
}

const NAMES: &[(u8, &str)] = &[
    (PAYLOAD_FORMAT_INDICATOR, "payload format indicator"),
    (MESSAGE_EXPIRY_INTERVAL, "message expiry interval"),
    (CONTENT_TYPE, "content type"),
    (RESPONSE_TOPIC, "response topic"),
    (CORRELATION_DATA, "correlation data"),
    (SUBSCRIPTION_IDENTIFIER, "subscription identifier"),
    (SESSION_EXPIRY_INTERVAL, "session expiry interval"),
    (ASSIGNED_CLIENT_IDENTIFIER, "assigned client identifier"),
    (SERVER_KEEP_ALIVE, "server keep alive"),
    (AUTHENTICATION_METHOD, "authentication method"),
    (AUTHENTICATION_DATA, "authentication data"),
    (REQUEST_PROBLEM_INFORMATION, "request problem information"),
    (WILL_DELAY_INTERVAL, "will delay interval"),
    (REQUEST_RESPONSE_INFORMATION, "request response information"),
    (RESPONSE_INFORMATION, "response information"),
    (SERVER_REFERENCE, "server reference"),
    (REASON_STRING, "reason string"),
    (RECEIVE_MAXIMUM, "receive maximum"),
    (TOPIC_ALIAS_MAXIMUM, "topic alias maximum"),
    (TOPIC_ALIAS, "topic alias"),
    (MAXIMUM_QOS, "maximum QoS"),
    (RETAIN_AVAILABLE, "retain available"),
    (USER_PROPERTY, "user property"),
    (MAXIMUM_PACKET_SIZE, "maximum packet size"),
    (
        WILDCARD_SUBSCRIPTION_AVAILABLE,
        "wildcard subscription available",
    ),
    (
        SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
        "subscription identifiers available",
    ),
    (
        SHARED_SUBSCRIPTION_AVAILABLE,
        "shared subscription available",
    ),
];

/// Identifier, form, and which packets a server may send it in (2.2.2.2).
#[rustfmt::skip]
pub(super) const FORMS: &[(u8, Form, &[u8])] = &[
    (PAYLOAD_FORMAT_INDICATOR, Form::Byte, &[PUBLISH]),
    (MESSAGE_EXPIRY_INTERVAL, Form::FourByte, &[PUBLISH]),
    (CONTENT_TYPE, Form::Text, &[PUBLISH]),
    (RESPONSE_TOPIC, Form::Text, &[PUBLISH]),
    (CORRELATION_DATA, Form::Binary, &[PUBLISH]),
    (SUBSCRIPTION_IDENTIFIER, Form::Varint, &[PUBLISH]),
    (SESSION_EXPIRY_INTERVAL, Form::FourByte, &[CONNACK]),
    (ASSIGNED_CLIENT_IDENTIFIER, Form::Text, &[CONNACK]),
    (SERVER_KEEP_ALIVE, Form::TwoByte, &[CONNACK]),
    (AUTHENTICATION_METHOD, Form::Text, &[CONNACK, AUTH]),
    (AUTHENTICATION_DATA, Form::Binary, &[CONNACK, AUTH]),
    (REQUEST_PROBLEM_INFORMATION, Form::Byte, &[]),
    (WILL_DELAY_INTERVAL, Form::FourByte, &[]),
    (REQUEST_RESPONSE_INFORMATION, Form::Byte, &[]),
    (RESPONSE_INFORMATION, Form::Text, &[CONNACK]),
    (SERVER_REFERENCE, Form::Text, &[CONNACK, DISCONNECT]),
    (REASON_STRING, Form::Text, &[CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH]),
    (RECEIVE_MAXIMUM, Form::TwoByte, &[CONNACK]),
    (TOPIC_ALIAS_MAXIMUM, Form::TwoByte, &[CONNACK]),
    (TOPIC_ALIAS, Form::TwoByte, &[PUBLISH]),
    (MAXIMUM_QOS, Form::Byte, &[CONNACK]),
    (RETAIN_AVAILABLE, Form::Byte, &[CONNACK]),
    (USER_PROPERTY, Form::Pair, &[CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH]),
    (MAXIMUM_PACKET_SIZE, Form::FourByte, &[CONNACK]),
    (WILDCARD_SUBSCRIPTION_AVAILABLE, Form::Byte, &[CONNACK]),
    (SUBSCRIPTION_IDENTIFIERS_AVAILABLE, Form::Byte, &[CONNACK]),
    (SHARED_SUBSCRIPTION_AVAILABLE, Form::Byte, &[CONNACK]),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(u32),
    Bytes(Vec<u8>),
    Pair(Vec<u8>, Vec<u8>),
}

/// The properties of one packet, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties(Vec<(u8, Value)>);

impl Properties {
    /// The value of a numeric property.
    pub(super) fn number(&self, id: u8) -> Option<u32> {
        self.numbers(id).first().copied()
    }

    /// Every value of a numeric property.
    pub(super) fn numbers(&self, id: u8) -> Vec<u32> {
        let values = self.0.iter().filter(|(found, _)| *found == id);
        values
            .filter_map(|(_, value)| match value {
                Value::Number(number) => Some(*number),
                _ => None,
            })
            .collect()
    }

    /// The value of a string or binary property.
    pub(super) fn bytes(&self, id: u8) -> Option<&[u8]> {
        self.0.iter().find_map(|(found, value)| match value {
            Value::Bytes(bytes) if *found == id => Some(&bytes[..]),
            _ => None,
        })
    }

    /// The user properties, in order.
    pub(super) fn users(&self) -> Vec<(&[u8], &[u8])> {
        let values = self.0.iter().filter_map(|(_, value)| match value {
            Value::Pair(name, value) => Some((&name[..], &value[..])),
            _ => None,
        });
        values.collect()
    }

    pub(super) fn has(&self, id: u8) -> bool {
        self.0.iter().any(|(found, _)| *found == id)
    }

    /// Reads the property length and the properties at the front of `input`,
    /// as a server may send them in a packet of this `kind`.
    pub(super) fn read(kind: u8, input: &mut &[u8]) -> Result<Self, String> {
        let length = read_varint(input)? as usize;
        let mut left = take(input, length)?;
        let mut properties: Vec<(u8, Value)> = Vec::new();
        while !left.is_empty() {
            let id = take(&mut left, 1)?[0];
            let Some((_, form, kinds)) = FORMS.iter().find(|form| form.0 == id) else {
                return Err(format!("a property 0x{id:02X} that no server sends"));
            };
            if kinds.is_empty() {
                return Err(format!("a property 0x{id:02X} that no server sends"));
            }
            if !kinds.contains(&kind) {
                return Err(format!("a property 0x{id:02X} that does not belong there"));
            }
            let repeats = matches!(id, USER_PROPERTY | SUBSCRIPTION_IDENTIFIER);
            if !repeats && properties.iter().any(|(found, _)| *found == id) {
                return Err(format!("the property 0x{id:02X} twice"));
            }
            let value = match form {
                Form::Byte => Value::Number(take(&mut left, 1)?[0].into()),
                Form::TwoByte | Form::FourByte => {
                    let length = if matches!(form, Form::TwoByte) { 2 } else { 4 };
                    let bytes = take(&mut left, length)?;
                    Value::Number(bytes.iter().fold(0, |sum, &b| sum << 8 | u32::from(b)))
                }
                Form::Varint => Value::Number(read_varint(&mut left)?),
                Form::Text => Value::Bytes(read_utf8(&mut left)?),
                Form::Binary => Value::Bytes(read_string(&mut left)?.to_vec()),
                Form::Pair => Value::Pair(read_utf8(&mut left)?, read_utf8(&mut left)?),
            };
            properties.push((id, value));
        }
        Ok(Self(properties))
    }
}

pub(super) fn take<'a>(input: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    match input.split_at_checked(length) {
        Some((taken, rest)) => {
            *input = rest;
            Ok(taken)
        }
        None => Err("a field that is longer than the packet".into()),
    }
}

pub(super) fn read_string<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let length = take(input, 2)?;
    take(input, usize::from(length[0]) << 8 | usize::from(length[1]))
}

fn read_utf8(input: &mut &[u8]) -> Result<Vec<u8>, String> {
    let bytes = read_string(input)?.to_vec();
    match std::str::from_utf8(&bytes) {
        Ok(_) => Ok(bytes),
        Err(_) => Err("a string that is not UTF-8".into()),
    }
}

pub(super) fn read_varint(input: &mut &[u8]) -> Result<u32, String> {
    let mut value = 0;
    for i in 0..4 {
        let byte = take(input, 1)?[0];
        value |= u32::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return if byte == 0 && i > 0 {
                Err("a variable byte integer that is not in its shortest form".into())
            } else {
                Ok(value)
            };
        }
    }
    Err("a variable byte integer of more than four bytes".into())
}
