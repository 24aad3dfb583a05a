//! What the server did.

use crate::connection::InboundPublish;
use crate::{Acknowledgement, Auth, ConnAck, Disconnect, SubAck, UnsubAck};

/// What the server did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// The server answered CONNECT. With an error the connection is over:
    /// [`UnsupportedProtocolVersion`](crate::ReasonCode::UnsupportedProtocolVersion) also when
    /// it refuses 5.0 in the form of 3.1.1.
    ConnAck(ConnAck<'a>),
    /// The server takes a step of an authentication. Answer it with
    /// [`authenticate`](crate::connection::Connection::<crate::connection::Client>::authenticate),
    /// unless the reason code is [`ReasonCode::Success`](crate::ReasonCode::Success).
    Auth(Auth<'a>),
    /// A message. With QoS 1 and 2, and
    /// [`Acknowledgements::Manual`](crate::connection::Acknowledgements::Manual), answer it with
    /// [`acknowledge`](crate::connection::Connection::acknowledge). A QoS 2 message comes once,
    /// however often the server sends it.
    Publish(InboundPublish<'a>),
    /// The next part of the payload of a message that was
    /// [not whole](InboundPublish::is_whole). Nothing else comes before the last part. With
    /// that the message has been received and is to be acknowledged; until then it can only
    /// be refused, and then the rest is passed over.
    #[non_exhaustive]
    Body {
        /// The next bytes of the payload, as many as there are: one at least.
        part: &'a [u8],
        /// Bytes of the payload that are still to come, 0 after the last part.
        remaining: u64,
    },
    /// A QoS 1 message to the server is settled, and its packet identifier free.
    PubAck(Acknowledgement<'a>),
    /// The server has a QoS 2 message. The PUBREL goes out automatically, unless
    /// [`Handshakes`](crate::connection::Handshakes) are manual. With an error the message is
    /// settled, and its packet identifier free.
    PubRec(Acknowledgement<'a>),
    /// A QoS 2 message to the server is settled, and its packet identifier free.
    PubComp(Acknowledgement<'a>),
    /// A QoS 2 message from the server is settled. The PUBCOMP goes out automatically, unless
    /// [`Handshakes`](crate::connection::Handshakes) are manual. It matters to an embedder
    /// that keeps sessions on disk.
    PubRel(Acknowledgement<'a>),
    /// The server answered SUBSCRIBE.
    SubAck(SubAck<'a>),
    /// The server answered UNSUBSCRIBE.
    UnsubAck(UnsubAck<'a>),
    /// The server answered PINGREQ.
    PingResp,
    /// The server says goodbye; the connection is over. 5.0 only.
    Disconnect(Disconnect<'a>),
}
