//! What ends a connection, and what a caller may not do.

use thiserror::Error;

use crate::{DecodeError, EncodeError, PropertyError, ProtocolVersion, ReasonCode, Rule};

/// Why a connection ended in failure. It is final: the connection gives it again
/// whatever is called afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer sent what is not a packet.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The peer sent a packet that it may not send, or not now.
    #[error("broken rule {}: {rule}", rule.statement(*version))]
    Protocol {
        /// The rule.
        rule: Rule,
        /// The version whose rule it is.
        version: ProtocolVersion,
    },
    /// The client was silent for one and a half times the keep alive (5.0
    /// MQTT-3.1.2-22, 3.1.1 MQTT-3.1.2-24).
    #[error("nothing received for one and a half times the keep alive")]
    KeepAliveTimeout {
        /// The version whose rule it is.
        version: ProtocolVersion,
    },
    /// The server did not answer PINGREQ in time (5.0 section 3.1.2.10).
    #[error("no PINGRESP in time")]
    PingTimeout,
    /// CONNECT, or CONNACK, did not come in time (5.0 section 3.1.4).
    #[error("no CONNECT or CONNACK in time")]
    ConnectTimeout,
    /// The network connection ended without DISCONNECT.
    #[error("the network connection ended without DISCONNECT")]
    UnexpectedEof,
}

impl ConnectionError {
    /// The same, told of a server: some rules are stated for each end.
    #[cold]
    pub(super) fn of_server(self) -> Self {
        match self {
            Self::Decode(mut error) => {
                error.rule = error.rule.of_server();
                Self::Decode(error)
            }
            Self::Protocol { rule, version } => Self::Protocol {
                rule: rule.of_server(),
                version,
            },
            other => other,
        }
    }

    /// The reason code that tells the peer; `None` when there is nothing to tell it.
    #[must_use]
    pub const fn reason_code(&self) -> Option<ReasonCode> {
        match self {
            Self::Decode(error) => Some(error.reason_code()),
            Self::Protocol { rule, .. } => Some(rule.reason_code()),
            Self::KeepAliveTimeout { .. } => Some(ReasonCode::KeepAliveTimeout),
            Self::PingTimeout => Some(ReasonCode::UnspecifiedError),
            Self::ConnectTimeout | Self::UnexpectedEof => None,
        }
    }

    /// The normative statement that was broken, as [`Rule::statement`] gives it.
    #[must_use]
    pub const fn statement(&self) -> Option<&'static str> {
        match self {
            Self::Decode(error) => Some(error.statement()),
            Self::Protocol { rule, version } => Some(rule.statement(*version)),
            Self::KeepAliveTimeout { version } => match version {
                ProtocolVersion::V5_0 => Some("MQTT-3.1.2-22"),
                _ => Some("MQTT-3.1.2-24"),
            },
            Self::PingTimeout | Self::ConnectTimeout | Self::UnexpectedEof => None,
        }
    }
}

/// What was asked for cannot be sent. The state of the connection is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// CONNECT and CONNACK have not been exchanged yet, or have been already.
    #[error("not at this point of the connection")]
    NotConnected,
    /// The connection is over.
    #[error("the connection is over")]
    Closed,
    /// As many QoS 1 and QoS 2 messages are under way as the peer takes (section 4.9).
    #[error("as many messages are under way as the peer takes")]
    ReceiveMaximum,
    /// The packet is larger than the peer takes. A server drops the message as if it had
    /// been sent (MQTT-3.1.2-25).
    #[error("a packet of {length} bytes: the peer takes {maximum}")]
    PacketTooLarge {
        /// Length of the packet in bytes.
        length: usize,
        /// The peer's Maximum Packet Size in bytes.
        maximum: u32,
    },
    /// The server said in CONNACK that it does not support this, or it is not this
    /// side's to send.
    #[error("broken rule {}: {rule}", rule.statement(ProtocolVersion::V5_0))]
    Rule {
        /// The rule.
        rule: Rule,
    },
    /// No packet with this identifier waits for this answer.
    #[error("no packet with this identifier waits for this answer")]
    UnknownPacketIdentifier,
    /// The message is still coming in parts: until the last one it can only be refused.
    #[error("the payload has not come to its end: the message can only be refused")]
    PayloadIncomplete,
    /// Every packet identifier is in use.
    #[error("every packet identifier is in use")]
    NoPacketIdentifier,
    /// There is to be one reason code for each topic filter.
    #[error("{given} reason codes for {expected} topic filters")]
    ReasonCodeCount {
        /// Topic filters asked for.
        expected: usize,
        /// Reason codes given.
        given: usize,
    },
    /// The reason code is not one for this answer.
    #[error("{reason_code} is no reason code for this")]
    ReasonCode {
        /// The reason code.
        reason_code: ReasonCode,
    },
    /// Session Present and the session given do not agree, or CONNECT wants a new one
    /// (MQTT-3.2.2-2, MQTT-3.2.2-3).
    #[error("Session Present, Clean Start and the session given do not agree")]
    SessionPresent,
    /// The packet cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The properties cannot go together.
    #[error(transparent)]
    Property(#[from] PropertyError),
}
