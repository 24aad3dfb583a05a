//! What the application asks, answers and sends. What only one role sends is in `client` and
//! `server`.

// Acknowledgements, which both ends send (section 4.3).
mod answer;
mod client;
// A message in parts, which the session keeps when it is whole.
mod parts;
// A message, and the same one again on another connection (section 4.4).
mod publish;
mod server;

pub use server::Accept;

pub(super) use answer::check_answer;
pub(super) use parts::Outgoing;

use super::core::Phase;
use super::{Connection, ConnectionError, Message, Role, SendError};
use crate::{PacketIdentifier, Properties, ReasonCode};

impl<R: Role> Connection<R> {
    /// Sends a message. Returns, with QoS 1 and 2, the packet identifier that its
    /// acknowledgement will name.
    ///
    /// # Errors
    /// [`SendError::ReceiveMaximum`]: as many are under way as the peer accepts, and the
    /// message is to wait until one is settled. [`SendError::PacketTooLarge`]: the peer
    /// accepts none so large; a server drops the message (MQTT-3.1.2-25). Others say what
    /// the peer does not support.
    pub fn publish(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        self.core.expect(Phase::Open)?;
        self.core.publish(message, None)
    }

    /// Sends a QoS 1 or QoS 2 message under a packet identifier that the caller has chosen:
    /// for an embedder whose disk has the identifier before the message leaves. A QoS 0
    /// message has none, and is sent without.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    /// [`Rule::PacketIdentifierInUse`](crate::Rule::PacketIdentifierInUse): another packet of
    /// this side has that identifier (MQTT-2.2.1-3).
    // keeps: 5.0 MQTT-2.2.1-3, 5.0 MQTT-2.2.1-4, 3.1.1 MQTT-2.3.1-2, 3.1.1 MQTT-2.3.1-4
    pub fn publish_as(
        &mut self,
        packet_identifier: PacketIdentifier,
        message: &Message<'_>,
    ) -> Result<(), SendError> {
        self.core.expect(Phase::Open)?;
        self.core.publish(message, Some(packet_identifier))?;
        Ok(())
    }

    /// Sends a message whose payload comes in parts: `payload_length` bytes in all, of which
    /// `message.payload` are the first. The others follow by [`send_body`](Self::send_body).
    /// Returns what [`publish`](Self::publish) returns.
    ///
    /// Until the last part no other packet leaves, since MQTT sends packets whole; what is
    /// queued meanwhile follows. With QoS 0 nothing of the message is kept. With QoS 1 and 2
    /// the session keeps it once it is whole, as with `publish`; what is cut off by the end of
    /// the network connection has not been sent.
    ///
    /// # Errors
    /// As [`publish`](Self::publish). [`SendError::BodyLength`]: another message is not
    /// whole yet, or `message.payload` is longer than `payload_length`.
    pub fn begin_publish(
        &mut self,
        message: &Message<'_>,
        payload_length: u64,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        self.core.expect(Phase::Open)?;
        self.core.begin_publish(message, payload_length)
    }

    /// Sends the next part of the message that [`begin_publish`](Self::begin_publish) began.
    /// Returns how many bytes of it are still to come.
    ///
    /// # Errors
    /// [`SendError::BodyLength`]: the part is more than remains. Nothing is sent then.
    pub fn send_body(&mut self, part: &[u8]) -> Result<u64, SendError> {
        self.core.expect(Phase::Open)?;
        self.core.send_body(part)
    }

    /// How many more QoS 1 and QoS 2 messages may be sent now (section 4.9).
    #[must_use]
    pub fn send_quota(&self) -> usize {
        match self.core.phase {
            Phase::Open => self.core.send_quota(),
            _ => 0,
        }
    }

    /// How many more QoS 1 and QoS 2 messages the peer may send before one of those that it has
    /// sent is answered (section 4.9).
    #[must_use]
    pub fn receive_quota(&self) -> usize {
        match self.core.phase {
            Phase::Open => self.core.receive_quota(),
            _ => 0,
        }
    }

    /// Acknowledges a message of the peer: PUBACK with QoS 1, PUBREC with QoS 2. A server's go
    /// out at once. A client's go out in the order of the messages (MQTT-4.6.0-2), each
    /// waiting for those before it. 3.x has no reason codes: there it is success.
    ///
    /// # Errors
    /// When no message with this identifier waits for it, or the reason code is not one for
    /// this. [`SendError::PacketTooLarge`] ends the connection: a peer that accepts no
    /// acknowledgement cannot be served.
    pub fn acknowledge(
        &mut self,
        packet_identifier: PacketIdentifier,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        self.core.expect(Phase::Open)?;
        match self
            .core
            .acknowledge(packet_identifier, reason_code, properties)
        {
            Ok(()) => Ok(()),
            Err(error) => self.owe(Err(error)),
        }
    }

    /// Sends PUBREL, with [`Handshakes::Manual`](super::Handshakes::Manual), for a QoS 2
    /// message for which PUBREC has come. Messages are released in the order of their PUBRECs
    /// (MQTT-4.6.0-4). One that has been released is released again automatically on the next
    /// connection.
    ///
    /// # Errors
    /// When no message with this identifier waits for it. [`SendError::PacketTooLarge`] ends
    /// the connection: a peer that accepts no PUBREL cannot be served.
    pub fn release(&mut self, packet_identifier: PacketIdentifier) -> Result<(), SendError> {
        self.core.expect(Phase::Open)?;
        let sent = self.core.release(packet_identifier);
        self.owe(sent)
    }

    /// Sends PUBCOMP, with [`Handshakes::Manual`](super::Handshakes::Manual), for a QoS 2
    /// message of the peer for which PUBREL has come. Its packet identifier is that of a new
    /// message afterwards (MQTT-4.3.3-12).
    ///
    /// # Errors
    /// When no message with this identifier waits for it: after a connection that ended
    /// before, the peer sends its PUBREL again first. [`SendError::PacketTooLarge`] ends the
    /// connection: a peer that accepts no PUBCOMP cannot be served.
    pub fn complete(&mut self, packet_identifier: PacketIdentifier) -> Result<(), SendError> {
        self.core.expect(Phase::Open)?;
        let sent = self.core.complete(packet_identifier);
        self.owe(sent)
    }

    /// What the protocol requires to be sent, and the peer takes none so large, ends the
    /// connection, whether or not the embedder looks at the error.
    #[inline(never)]
    fn owe(&mut self, sent: Result<(), SendError>) -> Result<(), SendError> {
        if let Err(SendError::PacketTooLarge { length, maximum }) = sent {
            self.fail(ConnectionError::PacketTooLarge { length, maximum });
        }
        sent
    }
}
