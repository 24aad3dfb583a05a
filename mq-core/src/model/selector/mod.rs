//! Selectors: which messages a consumer wants, in the SQL-92 subset of Jakarta
//! Messaging (section 3.8.1, "Message selector").
//!
//! A selector names headers and properties of a message, never its body. Its logic has
//! three values: what is not there is unknown, and a consumer gets a message only if the
//! selector is true. A mismatch of types while it runs is false or unknown and never an
//! error; what can be seen to be wrong in the text is refused with [`Selector::parse`].
//!
//! Where the specification leaves a choice, or ActiveMQ does otherwise:
//!
//! | question | here |
//! |---|---|
//! | `NOT a = 1` | `NOT (a = 1)`, as the specification says; ActiveMQ reads `(NOT a) = 1` |
//! | `<>` between a string and a number | false, as the specification says; ActiveMQ says true |
//! | `7 / 2` | 3, as in Java; ActiveMQ says 3.5 |
//! | division of integers by zero | unknown |
//! | a string that looks like a number | a string, unless the selector begins with ActiveMQ's `convert_string_expressions:`: then it compares as the number. Everything over STOMP and MQTT is a string |
//! | `JMSDestination`, `JMSReplyTo`, `JMSExpiration`, `JMSRedelivered` | refused, as the specification says |

mod evaluate;
mod parser;
mod pattern;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::message::{Message, Name};
use super::refusal::Refusal;
use pattern::Pattern;

/// Longest text, in bytes.
const LONGEST: usize = 8192;

/// Levels of parentheses.
const DEEPEST: u8 = 32;

/// What ActiveMQ puts before a selector in which strings compare as the numbers that
/// they look like.
const CONVERTS: &str = "convert_string_expressions:";

/// Which messages a consumer wants.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selector {
    condition: Expression,
    /// Strings compare as the numbers that they look like.
    converts: bool,
}

impl Selector {
    /// Reads a selector. A blank one is none: it wants every message.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, Refusal> {
        if text.len() > LONGEST {
            return Err(Refusal::precondition_failed(format_args!(
                "selector of {} bytes; {LONGEST} are allowed",
                text.len()
            )));
        }
        let (converts, source) = match text.trim_start().strip_prefix(CONVERTS) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if parser::is_blank(source) {
            return Ok(None);
        }
        match parser::parse(source) {
            Ok(condition) => Ok(Some(Self {
                condition,
                converts,
            })),
            Err(rest) => {
                let at = text.len() - rest.len();
                Err(Refusal::precondition_failed(format_args!(
                    "invalid selector at byte {at}: {text}"
                )))
            }
        }
    }

    /// Whether it is true of a message.
    pub(crate) fn matches(&self, message: &Message) -> bool {
        evaluate::is_true(&self.condition, self.converts, message)
    }
}

/// A condition, or a value that conditions are made of.
#[derive(Debug, Clone, PartialEq)]
enum Expression {
    /// Two at least.
    Or(Vec<Self>),
    /// Two at least.
    And(Vec<Self>),
    Not(Box<Self>),
    Compare {
        comparison: Comparison,
        left: Box<Self>,
        right: Box<Self>,
    },
    Between {
        value: Box<Self>,
        low: Box<Self>,
        high: Box<Self>,
    },
    In {
        name: Name,
        values: Vec<Name>,
    },
    Like {
        name: Name,
        pattern: Pattern,
    },
    IsNull(Name),
    /// A value, and what is done to it, from left to right.
    Arithmetic(Box<Self>, Vec<(Operation, Self)>),
    Negative(Box<Self>),
    Name(Name),
    Literal(Literal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    String(Name),
}

#[cfg(test)]
mod tests;
