//! Where a second declaration does not agree with the first.

use alloc::borrow::Cow;
use alloc::string::String;

use super::message::{Integer, Value};
use super::refusal::Refusal;

/// One attribute that differs, in the words of RabbitMQ, which clients parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    attribute: &'static str,
    /// `received .. but current is ..`
    text: String,
}

impl Difference {
    /// The first attribute of which the declaration and what is there say something
    /// else: name, received, current.
    pub(crate) fn of_attributes(attributes: &[(&'static str, &str, &str)]) -> Option<Self> {
        let (attribute, received, current) = attributes.iter().find(|(_, a, b)| a != b)?;
        Some(Self {
            attribute,
            text: alloc::format!("received '{received}' but current is '{current}'"),
        })
    }

    /// An argument that differs.
    pub(crate) fn of_argument(
        attribute: &'static str,
        received: Option<&Value>,
        current: Option<&Value>,
    ) -> Self {
        let text = match (received, current) {
            (Some(received), Some(current)) => alloc::format!(
                "received '{}' but current is '{}'",
                text(received),
                text(current)
            ),
            _ => alloc::format!(
                "received {} but current is {}",
                described(received),
                described(current)
            ),
        };
        Self { attribute, text }
    }

    /// The refusal of the declaration: 406.
    pub(crate) fn refusal(&self, what: &str, name: &str, vhost: &str) -> Refusal {
        Refusal::precondition_failed(format_args!(
            "inequivalent arg '{}' for {what} '{name}' in vhost '{vhost}': {}",
            self.attribute, self.text
        ))
    }
}

/// A flag as an attribute.
pub(crate) fn flag(set: bool) -> &'static str {
    if set { "true" } else { "false" }
}

fn text(value: &Value) -> Cow<'_, str> {
    value.as_text().unwrap_or(Cow::Borrowed("..."))
}

fn described(value: Option<&Value>) -> String {
    match value {
        None => String::from("none"),
        Some(value) => alloc::format!("the value '{}' of type '{}'", text(value), type_name(value)),
    }
}

/// RabbitMQ's names of the field types.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Void => "void",
        Value::Bool(_) => "bool",
        Value::Int(Integer::I8, _) => "byte",
        Value::Int(Integer::U8, _) => "unsignedbyte",
        Value::Int(Integer::I16, _) => "short",
        Value::Int(Integer::U16, _) => "unsignedshort",
        Value::Int(Integer::I32, _) => "signedint",
        Value::Int(Integer::U32, _) => "unsignedint",
        Value::Int(Integer::I64, _) => "long",
        Value::F32(_) => "float",
        Value::F64(_) => "double",
        Value::Decimal { .. } => "decimal",
        Value::String(_) => "longstr",
        Value::Binary(_) => "binary",
        Value::Timestamp(_) => "timestamp",
        Value::Array(_) => "array",
        Value::Table(_) => "table",
    }
}
