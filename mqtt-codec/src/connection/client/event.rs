//! What a client is told.

use crate::connection::InboundPublish;
use crate::{Acknowledgement, Auth, ConnAck, Disconnect, SubAck, UnsubAck};

/// What a server did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// It answered CONNECT. With an error the connection is over:
    /// [`UnsupportedProtocolVersion`](crate::ReasonCode::UnsupportedProtocolVersion) also when
    /// it refuses 5.0 in the form of 3.1.1.
    ConnAck(ConnAck<'a>),
    /// It takes a step of an authentication. Unless the reason code is
    /// [`ReasonCode::Success`](crate::ReasonCode::Success), to be answered with
    /// [`authenticate`](super::ClientConnection::authenticate).
    Auth(Auth<'a>),
    /// A message. With QoS 1 and 2, and
    /// [`Acknowledgements::Manual`](super::Acknowledgements::Manual), to be answered with
    /// [`acknowledge`](super::ClientConnection::acknowledge). A QoS 2 message comes once,
    /// however often the server sends it.
    Publish(InboundPublish<'a>),
    /// The next part of the payload of a message that was
    /// [not whole](InboundPublish::is_whole). Nothing else comes before the last part. With
    /// that the message has been received and is to be acknowledged; until then it can only
    /// be refused, and then the rest is passed over.
    Payload {
        /// The next bytes of the payload, as many as there are: one at least.
        part: &'a [u8],
        /// Bytes of the payload that are still to come, 0 after the last part.
        remaining: u32,
    },
    /// A QoS 1 message to it is settled, and its packet identifier free.
    PubAck(Acknowledgement<'a>),
    /// It has a QoS 2 message. The PUBREL goes out by itself. With an error the message
    /// is settled, and its packet identifier free.
    PubRec(Acknowledgement<'a>),
    /// A QoS 2 message to it is settled, and its packet identifier free.
    PubComp(Acknowledgement<'a>),
    /// A QoS 2 message from it is settled. The PUBCOMP goes out by itself. Of interest to
    /// who keeps sessions on disk.
    PubRel(Acknowledgement<'a>),
    /// It answered SUBSCRIBE.
    SubAck(SubAck<'a>),
    /// It answered UNSUBSCRIBE.
    UnsubAck(UnsubAck<'a>),
    /// It answered PINGREQ.
    PingResp,
    /// It says goodbye; the connection is over. 5.0 only.
    Disconnect(Disconnect<'a>),
}
