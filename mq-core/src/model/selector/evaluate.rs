//! What a selector makes of a message.

use core::cmp::Ordering;

use super::{Comparison, Expression, Literal, Operation};
use crate::model::message::{Integer, Message, Properties, Text, Value};

/// The value of an expression. Booleans are conditions too: Null is the unknown one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Operand<'a> {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    String(&'a str),
    /// It is there, and nothing that a selector can say is like it: a table, bytes.
    Other,
}

/// Whether a condition is true of a message.
pub(super) fn is_true(condition: &Expression, converts: bool, message: &Message) -> bool {
    let evaluation = Evaluation { converts, message };
    evaluation.truth(condition) == Some(true)
}

/// JMS's names of what a message has, and where it is here.
fn field<'a>(name: &str, properties: &'a Properties) -> Option<Operand<'a>> {
    let text = |text: &'a Option<Text>| text.as_deref().map_or(Operand::Null, Operand::text);
    Some(match name {
        "JMSDeliveryMode" => Operand::String(match properties.delivery_mode {
            Some(2) => "PERSISTENT",
            _ => "NON_PERSISTENT",
        }),
        // JMS's default, section 3.4.9.
        "JMSPriority" => Operand::Int(properties.priority.unwrap_or(4).into()),
        // AMQP counts seconds, JMS milliseconds.
        "JMSTimestamp" => properties.timestamp.map_or(Operand::Null, |seconds| {
            Operand::Long(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX))
        }),
        "JMSMessageID" => text(&properties.message_id),
        "JMSType" => text(&properties.kind),
        "JMSXUserID" => text(&properties.user_id),
        "JMSXAppID" => text(&properties.app_id),
        "JMSCorrelationID" => {
            let id = properties.correlation_id.as_deref();
            id.map_or(Operand::Null, Operand::text)
        }
        _ => return None,
    })
}

impl<'a> Operand<'a> {
    fn text(bytes: &'a [u8]) -> Self {
        core::str::from_utf8(bytes).map_or(Operand::Other, Operand::String)
    }
}

impl<'a> From<&'a Value> for Operand<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Void => Operand::Null,
            Value::Bool(value) => Operand::Bool(*value),
            Value::Int(Integer::U32 | Integer::I64, number) => Operand::Long(*number),
            Value::Int(_, number) => {
                i32::try_from(*number).map_or(Operand::Long(*number), Operand::Int)
            }
            Value::F32(number) => Operand::Float(*number),
            Value::F64(number) => Operand::Double(*number),
            Value::Decimal { scale, value } => {
                let tenths = (0..*scale).fold(1.0, |power, _| power * 10.0);
                Operand::Double(f64::from(*value) / tenths)
            }
            Value::String(bytes) => Operand::text(bytes),
            Value::Timestamp(seconds) => {
                i64::try_from(*seconds).map_or(Operand::Other, Operand::Long)
            }
            Value::Binary(_) | Value::Array(_) | Value::Table(_) => Operand::Other,
        }
    }
}

impl<'a> From<&'a Literal> for Operand<'a> {
    fn from(literal: &'a Literal) -> Self {
        match literal {
            Literal::Bool(value) => Operand::Bool(*value),
            Literal::Int(number) => Operand::Int(*number),
            Literal::Long(number) => Operand::Long(*number),
            Literal::Double(number) => Operand::Double(*number),
            Literal::String(text) => Operand::String(text),
        }
    }
}

struct Evaluation<'a> {
    converts: bool,
    message: &'a Message,
}

impl<'a> Evaluation<'a> {
    /// Whether a condition holds; None: it is unknown.
    fn truth(&self, condition: &'a Expression) -> Option<bool> {
        match condition {
            Expression::Or(parts) => self.any(parts, true),
            Expression::And(parts) => self.any(parts, false),
            Expression::Not(inner) => self.truth(inner).map(|truth| !truth),
            Expression::Compare {
                comparison,
                left,
                right,
            } => self.compare(*comparison, self.operand(left), self.operand(right)),
            Expression::Between { value, low, high } => {
                let value = self.operand(value);
                let from = self.compare(Comparison::GreaterOrEqual, value, self.operand(low));
                let to = self.compare(Comparison::LessOrEqual, value, self.operand(high));
                match (from, to) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                }
            }
            Expression::In { name, values } => match self.named(name) {
                Operand::Null => None,
                Operand::String(text) => Some(values.iter().any(|value| **value == *text)),
                _ => Some(false),
            },
            Expression::Like { name, pattern } => match self.named(name) {
                Operand::Null => None,
                Operand::String(text) => Some(pattern.matches(text)),
                _ => Some(false),
            },
            Expression::IsNull(name) => Some(self.named(name) == Operand::Null),
            Expression::Name(_) | Expression::Literal(_) => match self.operand(condition) {
                Operand::Null => None,
                operand => Some(operand == Operand::Bool(true)),
            },
            Expression::Arithmetic(..) | Expression::Negative(_) => None,
        }
    }

    /// Whether one of the parts is `wanted`: that decides it. Otherwise it is the
    /// opposite, unless a part is unknown.
    fn any(&self, parts: &'a [Expression], wanted: bool) -> Option<bool> {
        let mut result = Some(!wanted);
        for part in parts {
            match self.truth(part) {
                Some(truth) if truth == wanted => return Some(wanted),
                Some(_) => {}
                None => result = None,
            }
        }
        result
    }

    fn operand(&self, expression: &'a Expression) -> Operand<'a> {
        match expression {
            Expression::Name(name) => self.named(name),
            Expression::Literal(literal) => literal.into(),
            Expression::Arithmetic(first, others) => {
                let first = self.operand(first);
                others.iter().fold(first, |left, (operation, right)| {
                    calculate(*operation, left, self.operand(right))
                })
            }
            Expression::Negative(inner) => match self.operand(inner) {
                Operand::Int(number) => Operand::Int(number.wrapping_neg()),
                Operand::Long(number) => Operand::Long(number.wrapping_neg()),
                Operand::Float(number) => Operand::Float(-number),
                Operand::Double(number) => Operand::Double(-number),
                _ => Operand::Null,
            },
            condition => self.truth(condition).map_or(Operand::Null, Operand::Bool),
        }
    }

    fn named(&self, name: &str) -> Operand<'a> {
        let properties = &self.message.properties;
        field(name, properties).unwrap_or_else(|| {
            let header = properties.headers.get(name);
            header.map_or(Operand::Null, Operand::from)
        })
    }

    fn compare(
        &self,
        comparison: Comparison,
        left: Operand<'a>,
        right: Operand<'a>,
    ) -> Option<bool> {
        let (left, right) = match (left, right) {
            (Operand::Null, _) | (_, Operand::Null) => return None,
            (Operand::String(text), number) if self.converts && is_number(number) => {
                (converted(text), number)
            }
            (number, Operand::String(text)) if self.converts && is_number(number) => {
                (number, converted(text))
            }
            operands => operands,
        };
        let equal = match (left, right) {
            (Operand::String(a), Operand::String(b)) => a == b,
            (Operand::Bool(a), Operand::Bool(b)) => a == b,
            (a, b) if is_number(a) && is_number(b) => {
                let order = order(a, b);
                return Some(match comparison {
                    Comparison::Equal => order == Some(Ordering::Equal),
                    // Also of what is not a number.
                    Comparison::NotEqual => order != Some(Ordering::Equal),
                    Comparison::Less => order == Some(Ordering::Less),
                    Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
                    Comparison::Greater => order == Some(Ordering::Greater),
                    Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
                });
            }
            // Of different kinds.
            _ => return Some(false),
        };
        Some(match comparison {
            Comparison::Equal => equal,
            Comparison::NotEqual => !equal,
            // Strings and booleans have no order.
            _ => false,
        })
    }
}

fn is_number(operand: Operand<'_>) -> bool {
    matches!(
        operand,
        Operand::Int(_) | Operand::Long(_) | Operand::Float(_) | Operand::Double(_)
    )
}

/// The number that a string looks like.
fn converted(text: &str) -> Operand<'_> {
    let text = text.trim();
    match (text.parse(), text.parse()) {
        (Ok(exact), _) => Operand::Long(exact),
        (_, Ok(approximate)) => Operand::Double(approximate),
        _ => Operand::Other,
    }
}

/// Which of two numbers is the greater; None: one of them is not a number.
fn order(a: Operand<'_>, b: Operand<'_>) -> Option<Ordering> {
    match (exact(a), exact(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => order_mixed(a, approximate(b)),
        (None, Some(b)) => order_mixed(b, approximate(a)).map(Ordering::reverse),
        (None, None) => approximate(a).partial_cmp(&approximate(b)),
    }
}

/// Without a loss of bits, which a conversion to a double has above 2^53.
fn order_mixed(a: i64, b: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if b.is_nan() {
        return None;
    }
    if b >= LIMIT {
        return Some(Ordering::Less);
    }
    if b < -LIMIT {
        return Some(Ordering::Greater);
    }
    // In range, so that the whole part is exact.
    let whole = b as i64;
    let order = a.cmp(&whole);
    Some(order.then_with(|| 0.0_f64.partial_cmp(&(b - whole as f64)).unwrap_or(order)))
}

fn exact(operand: Operand<'_>) -> Option<i64> {
    match operand {
        Operand::Int(number) => Some(number.into()),
        Operand::Long(number) => Some(number),
        _ => None,
    }
}

fn approximate(operand: Operand<'_>) -> f64 {
    match operand {
        Operand::Int(number) => number.into(),
        Operand::Long(number) => number as f64,
        Operand::Float(number) => number.into(),
        Operand::Double(number) => number,
        _ => f64::NAN,
    }
}

/// Arithmetic with Java's promotion: to the wider of the two types.
fn calculate<'a>(operation: Operation, left: Operand<'a>, right: Operand<'a>) -> Operand<'a> {
    if !is_number(left) || !is_number(right) {
        return Operand::Null;
    }
    match (left, right) {
        (Operand::Int(a), Operand::Int(b)) => match operation {
            Operation::Add => Operand::Int(a.wrapping_add(b)),
            Operation::Subtract => Operand::Int(a.wrapping_sub(b)),
            Operation::Multiply => Operand::Int(a.wrapping_mul(b)),
            Operation::Divide if b == 0 => Operand::Null,
            Operation::Divide => Operand::Int(a.wrapping_div(b)),
        },
        (Operand::Double(_), _) | (_, Operand::Double(_)) => {
            let (a, b) = (approximate(left), approximate(right));
            Operand::Double(match operation {
                Operation::Add => a + b,
                Operation::Subtract => a - b,
                Operation::Multiply => a * b,
                Operation::Divide => a / b,
            })
        }
        (Operand::Float(_), _) | (_, Operand::Float(_)) => {
            let (a, b) = (approximate(left) as f32, approximate(right) as f32);
            Operand::Float(match operation {
                Operation::Add => a + b,
                Operation::Subtract => a - b,
                Operation::Multiply => a * b,
                Operation::Divide => a / b,
            })
        }
        (a, b) => match (operation, exact(a), exact(b)) {
            (Operation::Add, Some(a), Some(b)) => Operand::Long(a.wrapping_add(b)),
            (Operation::Subtract, Some(a), Some(b)) => Operand::Long(a.wrapping_sub(b)),
            (Operation::Multiply, Some(a), Some(b)) => Operand::Long(a.wrapping_mul(b)),
            (Operation::Divide, Some(a), Some(b)) if b != 0 => Operand::Long(a.wrapping_div(b)),
            _ => Operand::Null,
        },
    }
}
