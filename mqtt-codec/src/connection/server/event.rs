//! What a server is told.

use alloc::boxed::Box;

use crate::connection::InboundPublish;
use crate::{Acknowledgement, Auth, Connect, Disconnect, Subscribe, Unsubscribe};

/// What a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// It wants to connect. To be answered with [`accept`](super::ServerConnection::accept),
    /// [`reject`](super::ServerConnection::reject) or
    /// [`authenticate`](super::ServerConnection::authenticate). In a box, because it comes once and
    /// is several times as large as the others.
    Connect(Box<Connect<'a>>),
    /// It takes a step of an authentication. Before CONNACK to be answered as CONNECT is;
    /// later, in a re-authentication, with `authenticate` or
    /// [`disconnect`](super::ServerConnection::disconnect).
    Auth(Auth<'a>),
    /// It publishes. With QoS 1 and 2 to be answered with
    /// [`acknowledge`](super::ServerConnection::acknowledge) once the message is safe. A QoS 2
    /// message comes once, however often the client sends it.
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
    /// It subscribes. To be answered with [`suback`](super::ServerConnection::suback).
    Subscribe(Subscribe<'a>),
    /// It ends subscriptions. To be answered with [`unsuback`](super::ServerConnection::unsuback).
    Unsubscribe(Unsubscribe<'a>),
    /// It says goodbye; the connection is over. With
    /// [`ReasonCode::Success`](crate::ReasonCode::Success), which it always is in 3.x, the
    /// will is discarded (MQTT-3.14.4-3); with any other it is published.
    Disconnect(Disconnect<'a>),
}
