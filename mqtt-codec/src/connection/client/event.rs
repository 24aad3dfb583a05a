//! What a client is told.

use crate::connection::{InboundPublish, PublishChunk};
use crate::{Acknowledgement, Auth, ConnAck, Disconnect, SubAck, UnsubAck};

/// What a server did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// It answered CONNECT. With an error the connection is over.
    ConnAck(ConnAck<'a>),
    /// It takes a step of an authentication. Unless the reason code is
    /// [`ReasonCode::Success`](crate::ReasonCode::Success), to be answered with
    /// [`authenticate`](super::ClientConnection::authenticate).
    Auth(Auth<'a>),
    /// A message. With QoS 1 and 2, and [`Acknowledgements::Manual`](super::Acknowledgements::Manual), to be answered with
    /// [`acknowledge`](super::ClientConnection::acknowledge). A QoS 2 message comes once,
    /// however often the server sends it.
    Publish(InboundPublish<'a>),
    /// The beginning of a message with more bytes than
    /// [`chunk_threshold`](super::ClientConfig::chunk_threshold). Its payload, of which `publish`
    /// has nothing, follows in [`PublishChunk`](Self::PublishChunk)s and in no other event
    /// in between. It is to be acknowledged when the last of them has come; until then it
    /// can be refused, and then the rest is passed over.
    PublishStart {
        /// The message without its payload.
        publish: InboundPublish<'a>,
        /// Length of the payload in bytes.
        payload_length: u32,
    },
    /// The next bytes of that payload.
    PublishChunk(PublishChunk<'a>),
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
