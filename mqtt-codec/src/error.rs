//! Errors of encoding and decoding. Those of a connection are in
//! [`connection`](crate::connection).

use thiserror::Error;

use crate::{PacketType, PropertyIdentifier, ProtocolVersion, ReasonCode, Rule};

/// Bytes that are not a packet: where, which rule they break, and what to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("at byte {offset} of the packet: broken rule {}: {rule}", self.statement())]
pub struct DecodeError {
    pub(crate) offset: usize,
    pub(crate) rule: Rule,
    pub(crate) version: ProtocolVersion,
}

impl DecodeError {
    /// How many bytes into the packet the field stands that breaks the rule.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// The version whose rule it is.
    #[must_use]
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The identifier of the normative statement: see [`Rule::statement`].
    #[must_use]
    pub const fn statement(&self) -> &'static str {
        self.rule.statement(self.version)
    }

    /// The reason code to answer with, in CONNACK or in DISCONNECT (5.0 section 4.13).
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        self.rule.reason_code()
    }
}

/// A packet that cannot be written: what decoding would refuse, or what the version
/// has no place for. Nothing has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A string or binary field has more than 65,535 bytes (5.0 sections 1.5.4, 1.5.6).
    #[error("a field of {length} bytes: a string or binary field has 65535 at most")]
    FieldTooLong {
        /// Length of the field in bytes.
        length: usize,
    },
    /// The packet has more than 268,435,455 bytes after its fixed header (section 2.1.4).
    #[error("a packet with {length} bytes after its fixed header: 268435455 are the most")]
    PacketTooLarge {
        /// Length without fixed header, in bytes.
        length: usize,
    },
    /// The output has not enough room.
    #[error("the output has not room for {needed} bytes")]
    NoRoom {
        /// Bytes that the packet takes in all.
        needed: usize,
    },
    /// The fields break this rule.
    #[error("broken rule {}: {rule}", rule.statement(*version))]
    Rule {
        /// The rule.
        rule: Rule,
        /// The version that was to be written.
        version: ProtocolVersion,
    },
    /// The packet may not carry one of the properties given (5.0 table 2-4).
    #[error("{packet} may not carry one of these properties")]
    PropertyNotAllowed {
        /// The packet.
        packet: PacketType,
    },
    /// The version has no way to say it: AUTH, properties, a reason code in 3.x.
    #[error("MQTT {version} has no {what}")]
    NotInVersion {
        /// The version that was to be written.
        version: ProtocolVersion,
        /// What it lacks.
        what: &'static str,
    },
}

/// A text that is no version's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("not a version of MQTT: they are 3.1, 3.1.1 and 5.0")]
pub struct ParseError;

/// A string that no packet can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum StringError {
    /// It has more than 65,535 bytes (5.0 section 1.5.4).
    #[error("a string of {length} bytes: 65535 are the most")]
    TooLong {
        /// Length of the string in bytes.
        length: usize,
    },
    /// It breaks this rule.
    #[error("broken rule {}: {_0}", _0.statement(ProtocolVersion::V5_0))]
    Rule(Rule),
}

/// A property that cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// A string or binary value has more than 65,535 bytes.
    #[error("{identifier}: a value of {length} bytes: 65535 are the most")]
    TooLong {
        /// The property.
        identifier: PropertyIdentifier,
        /// Length of the value in bytes.
        length: usize,
    },
    /// The value breaks this rule, or the property is there already.
    #[error("{identifier}: broken rule {}: {rule}", rule.statement(ProtocolVersion::V5_0))]
    Rule {
        /// The property.
        identifier: PropertyIdentifier,
        /// The rule.
        rule: Rule,
    },
}
