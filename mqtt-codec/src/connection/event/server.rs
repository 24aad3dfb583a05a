//! What the client did.

use alloc::boxed::Box;

use crate::connection::InboundPublish;
use crate::{Acknowledgement, Auth, Connect, Disconnect, Subscribe, Unsubscribe};

/// What the client did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// The client wants to connect. Answer it with
    /// [`accept`](crate::connection::Connection::<crate::connection::Server>::accept), [`refuse`](crate::connection::Connection::<crate::connection::Server>::refuse) or
    /// [`authenticate`](crate::connection::Connection::<crate::connection::Server>::authenticate).
    /// In a box, because it comes once and is several times as large as the others.
    Connect(Box<Connect<'a>>),
    /// The client takes a step of an authentication. Before CONNACK answer it as CONNECT;
    /// later, in a re-authentication, with `authenticate` or
    /// [`close`](crate::connection::Connection::<crate::connection::Server>::close).
    Auth(Auth<'a>),
    /// The client publishes. With QoS 1 and 2 answer it with
    /// [`acknowledge`](crate::connection::Connection::acknowledge) once the message is safe. A
    /// QoS 2 message comes once, however often the client sends it.
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
    /// A QoS 1 message to the client is settled, and its packet identifier free.
    PubAck(Acknowledgement<'a>),
    /// The client has a QoS 2 message. The PUBREL goes out automatically, unless
    /// [`Handshakes`](crate::connection::Handshakes) are manual. With an error the message is
    /// settled, and its packet identifier free.
    PubRec(Acknowledgement<'a>),
    /// A QoS 2 message to the client is settled, and its packet identifier free.
    PubComp(Acknowledgement<'a>),
    /// A QoS 2 message from the client is settled. The PUBCOMP goes out automatically, unless
    /// [`Handshakes`](crate::connection::Handshakes) are manual. It matters to an embedder
    /// that keeps sessions on disk.
    PubRel(Acknowledgement<'a>),
    /// The client subscribes. Answer it with
    /// [`suback`](crate::connection::Connection::<crate::connection::Server>::suback).
    Subscribe(Subscribe<'a>),
    /// The client ends subscriptions. Answer it with
    /// [`unsuback`](crate::connection::Connection::<crate::connection::Server>::unsuback).
    Unsubscribe(Unsubscribe<'a>),
    /// The client says goodbye; the connection is over. With
    /// [`ReasonCode::Success`](crate::ReasonCode::Success), which it always is in 3.x, the
    /// will is discarded (MQTT-3.14.4-3); with any other it is published.
    Disconnect(Disconnect<'a>),
}
