//! What ends a connection, and what a caller may not do.

use thiserror::Error;

use crate::{DecodeError, EncodeError, PropertyError, ProtocolVersion, ReasonCode, Rule};

/// Why a connection ended in failure. It is final: every later drive call returns it again.
/// Write what `poll_transmit` still has, which tells the peer where its version has words for
/// it, and close the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer sent what is not a packet, or one that is over a limit. It is at fault.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The peer sent a packet that it may not send, or not now. It is at fault.
    #[error("broken rule {}: {rule}", rule.statement(*version))]
    Protocol {
        /// The rule.
        rule: Rule,
        /// The version whose rule it is.
        version: ProtocolVersion,
    },
    /// The peer takes no packet so large, and the protocol requires that it is sent: CONNACK,
    /// SUBACK and the like. The peer asked for more than its Maximum Packet Size can answer.
    #[error("a required packet of {length} bytes: the peer takes {maximum}")]
    PacketTooLarge {
        /// Length of the packet in bytes.
        length: usize,
        /// The peer's Maximum Packet Size in bytes.
        maximum: u32,
    },
    /// CONNECT, CONNACK, or an AUTH before it did not come in time (5.0 section 3.1.4): the
    /// peer, or the network, is too slow.
    #[error("the login did not come to its end in time")]
    HandshakeTimeout,
    /// The client was silent for one and a half times the keep alive (5.0
    /// MQTT-3.1.2-22, 3.1.1 MQTT-3.1.2-24). It or the network is gone.
    #[error("nothing received for one and a half times the keep alive")]
    PeerTimeout {
        /// The version whose rule it is.
        version: ProtocolVersion,
    },
    /// The server was silent for too long after PINGREQ (5.0 section 3.1.2.10). It or the
    /// network is gone.
    #[error("no PINGRESP in time")]
    PingTimeout,
    /// The network connection ended without DISCONNECT. A server publishes the will.
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
            Self::PacketTooLarge { .. } => Some(ReasonCode::PacketTooLarge),
            Self::PeerTimeout { .. } => Some(ReasonCode::KeepAliveTimeout),
            Self::PingTimeout => Some(ReasonCode::UnspecifiedError),
            Self::HandshakeTimeout | Self::UnexpectedEof => None,
        }
    }

    /// The normative statement that was broken, as [`Rule::statement`] returns it.
    #[must_use]
    pub const fn statement(&self) -> Option<&'static str> {
        match self {
            Self::Decode(error) => Some(error.statement()),
            Self::Protocol { rule, version } => Some(rule.statement(*version)),
            Self::PeerTimeout { version } => match version {
                ProtocolVersion::V5_0 => Some("MQTT-3.1.2-22"),
                _ => Some("MQTT-3.1.2-24"),
            },
            Self::PacketTooLarge { .. }
            | Self::PingTimeout
            | Self::HandshakeTimeout
            | Self::UnexpectedEof => None,
        }
    }
}

/// What was asked for cannot be sent. Unless the call says otherwise the state of the connection
/// is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The call does not fit the state of the connection: most calls are for after CONNACK,
    /// those of the login for before. The caller is at fault.
    #[error("the connection is not open for this")]
    NotOpen,
    /// The connection is over: make another one.
    #[error("the connection is over")]
    Closed,
    /// More of a body than was announced, or another message before the body is all sent.
    /// The caller is at fault.
    #[error("{remaining} bytes of the body remain to be sent")]
    BodyLength {
        /// Bytes that remain of the body; 0 too if none has begun.
        remaining: u64,
    },
    /// As many QoS 1 and QoS 2 messages are under way as the peer takes (section 4.9). Send
    /// it again when one is settled.
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
