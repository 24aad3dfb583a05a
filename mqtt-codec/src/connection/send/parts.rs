//! Messages that are sent in parts.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::connection::core::Core;
use crate::connection::{Message, MessageBuf, Payload, SendError};
use crate::{EncodeError, PacketIdentifier, QoS};

/// Bytes of answers that a peer may make wait for the end of a message.
const WAITING: usize = 64 * 1024;

/// A message of which parts are still to be sent.
#[derive(Debug)]
pub(in crate::connection) struct Outgoing {
    /// Bytes of the payload that are still to come; not 0.
    remaining: u64,
    /// What the session is to keep once it is whole.
    kept: Option<Kept>,
    /// Packets that wait until it is whole.
    after: Vec<u8>,
    /// How many bytes of those the peer has caused.
    caused: usize,
}

/// A QoS 1 or QoS 2 message.
#[derive(Debug)]
struct Kept {
    identifier: PacketIdentifier,
    /// Its place in the order of sending.
    sequence: u64,
    /// The message, without its payload.
    message: MessageBuf,
    /// The payload as far as it was sent.
    payload: Vec<u8>,
}

impl Outgoing {
    /// Where packets are written to that wait until it is whole.
    pub(in crate::connection) fn after(&mut self) -> &mut Vec<u8> {
        &mut self.after
    }

    /// Bytes that wait until it is whole.
    pub(in crate::connection) fn waiting(&self) -> usize {
        self.after.len()
    }

    /// What came from the peer has made so many bytes wait. Returns whether no more wait than
    /// may.
    pub(in crate::connection) fn has_caused(&mut self, bytes: usize) -> bool {
        self.caused += bytes;
        self.caused <= WAITING
    }

    /// Whether this is its packet identifier.
    pub(super) fn has(&self, identifier: PacketIdentifier) -> bool {
        self.kept
            .as_ref()
            .is_some_and(|kept| kept.identifier == identifier)
    }
}

impl Core {
    /// Sends the head of a message and the first part of its payload.
    pub(super) fn begin_publish(
        &mut self,
        message: &Message<'_>,
        payload_length: u64,
    ) -> Result<Option<PacketIdentifier>, SendError> {
        self.must_be_whole()?;
        let remaining = rest_of_body(message.payload.as_slice(), payload_length)?;
        if remaining == 0 {
            return self.publish(message, None);
        }
        let payload_length = usize::try_from(payload_length).unwrap_or(usize::MAX);
        self.check_message(message)?;
        if message.qos != QoS::AtMostOnce && self.send_quota() == 0 {
            return Err(SendError::ReceiveMaximum);
        }
        if payload_length > MAXIMUM {
            let length = payload_length;
            return Err(EncodeError::PacketTooLarge { length }.into());
        }
        let identifier = self.encode(message, None, payload_length, |core, packet| {
            let (publish, topic_alias, length) = packet;
            publish.encode_part(&length, topic_alias, core.version, core.buffer())
        })?;
        let kept = identifier.map(|identifier| {
            self.under_way += 1;
            Kept {
                identifier,
                sequence: self.session.next_sequence(),
                message: Message {
                    payload: Payload::Borrowed(&[]),
                    ..*message
                }
                .to_buf(),
                payload: message.payload.to_vec(),
            }
        });
        self.outgoing = Some(Box::new(Outgoing {
            remaining,
            kept,
            after: Vec::new(),
            caused: 0,
        }));
        Ok(identifier)
    }

    /// That no message is being sent in parts, within which no other packet can be sent.
    pub(super) fn must_be_whole(&self) -> Result<(), SendError> {
        match &self.outgoing {
            Some(outgoing) => Err(SendError::BodyLength {
                remaining: outgoing.remaining,
            }),
            None => Ok(()),
        }
    }

    /// Sends the next part of a payload. With the last one the message has been sent.
    pub(super) fn send_body(&mut self, part: &[u8]) -> Result<u64, SendError> {
        let Some(outgoing) = &mut self.outgoing else {
            return rest_of_body(part, 0);
        };
        let remaining = rest_of_body(part, outgoing.remaining)?;
        outgoing.remaining = remaining;
        self.transmit.buffer().extend_from_slice(part);
        if let Some(kept) = &mut outgoing.kept {
            kept.payload.extend_from_slice(part);
        }
        if remaining == 0
            && let Some(mut outgoing) = self.outgoing.take()
        {
            self.transmit.buffer().append(&mut outgoing.after);
            if let Some(kept) = outgoing.kept {
                let payload = kept.payload.into();
                let message = Message {
                    payload: Payload::Shared(&payload),
                    ..kept.message.as_message()
                };
                let (identifier, sequence) = (kept.identifier, kept.sequence);
                self.session.keep(identifier, &message, sequence);
            }
        }
        Ok(remaining)
    }
}

/// What remains of a body of `remaining` bytes after this part of it.
fn rest_of_body(part: &[u8], remaining: u64) -> Result<u64, SendError> {
    remaining
        .checked_sub(part.len() as u64)
        .ok_or(SendError::BodyLength { remaining })
}

/// No payload is longer than a packet (section 2.1.4).
const MAXIMUM: usize = 268_435_455;
