//! Messages that come in parts, so that memory is bounded by the limits and not by the
//! packet.

use crate::connection::core::{Core, Taken};
use crate::connection::send::check_answer;
use crate::connection::{ConnectionError, InboundPublish, SendError};
use crate::packet::{Length, decode_publish_head, publish_head_length};
use crate::{PacketIdentifier, PacketSet, Properties, Publish, QoS, ReasonCode, Rule};

/// A payload that is handed out in parts, of which some are yet to come.
#[derive(Debug)]
pub(in crate::connection) struct Parts {
    /// Bytes of the payload that have not been handed out; not 0.
    remaining: u32,
    /// What is to be acknowledged when all of it has been.
    unacknowledged: Option<(PacketIdentifier, QoS)>,
    /// Nobody wants the rest.
    discarded: bool,
}

impl Core {
    /// Takes the head of a PUBLISH that is larger than `assembled_size`: what stands before
    /// its payload.
    #[inline(never)]
    pub(in crate::connection) fn take_head<'a>(
        &mut self,
        first: u8,
        length: Length,
        input: &mut &'a [u8],
        check: impl Fn(&Publish<'_>) -> Result<(), Rule>,
    ) -> Result<Taken<'a>, ConnectionError> {
        let packet = &input[..input.len().min(length.total)];
        let head = publish_head_length(first, length, packet, self.version, &self.limits);
        let limit = self
            .limits
            .variable_header_size
            .max(self.limits.assembled_size);
        if head - length.header > limit as usize {
            return Err(self.violation(Rule::VariableHeaderSize));
        }
        // Where the fields run over the end of the packet, decoding tells.
        let Some((front, rest)) = input.split_at_checked(head.min(length.total)) else {
            return Ok(Taken::Incomplete);
        };
        let publish = decode_publish_head(first, length, front, self.version, &self.limits)?;
        *input = rest;
        check(&publish).map_err(|rule| self.violation(rule))?;
        let topic_name = self.resolve(&publish)?;
        // A packet has 268,435,455 bytes and a few at most.
        let payload_length = (length.total - front.len()) as u32;
        let new = match publish.packet_identifier {
            Some(identifier) if payload_length == 0 => {
                self.receive_identifier(identifier, publish.qos, publish.dup)?
            }
            Some(identifier) => self.is_new(identifier, publish.qos, publish.dup)?,
            None => true,
        };
        if payload_length > 0 {
            self.parts = Some(Parts {
                remaining: payload_length,
                unacknowledged: publish
                    .packet_identifier
                    .filter(|_| new)
                    .map(|identifier| (identifier, publish.qos)),
                discarded: !new,
            });
        }
        if !new {
            return Ok(Taken::Nothing);
        }
        Ok(Taken::Publish(InboundPublish::new(
            &publish,
            topic_name,
            payload_length,
        )))
    }

    /// The next part of a payload. Only with the last one has the message been received.
    #[inline(never)]
    pub(in crate::connection) fn take_part<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Taken<'a>, ConnectionError> {
        let Some(parts) = &mut self.parts else {
            return Ok(Taken::Nothing);
        };
        let length = input.len().min(parts.remaining as usize);
        if length == 0 {
            return Ok(Taken::Incomplete);
        }
        let (part, rest) = input.split_at(length);
        *input = rest;
        parts.remaining -= length as u32;
        let (remaining, discarded) = (parts.remaining, parts.discarded);
        if remaining == 0 {
            let unacknowledged = parts.unacknowledged;
            self.parts = None;
            if let Some((identifier, qos)) = unacknowledged {
                self.expect_answer(identifier, qos);
                if self.automatic {
                    let sent = self.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY);
                    Self::required(sent)?;
                }
            }
        }
        Ok(match discarded {
            true => Taken::Nothing,
            false => Taken::Body {
                part,
                remaining: remaining.into(),
            },
        })
    }

    /// A message of which parts are still to come may be refused, and then the rest of it
    /// is passed over.
    #[inline]
    pub(in crate::connection) fn refuse_rest(
        &mut self,
        identifier: PacketIdentifier,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let Some(parts) = &mut self.parts else {
            return Ok(());
        };
        let qos = match parts.unacknowledged {
            Some((waiting, qos)) if waiting == identifier => qos,
            _ => return Ok(()),
        };
        if !reason_code.is_error() {
            return Err(SendError::PayloadIncomplete);
        }
        let packet = match qos {
            QoS::ExactlyOnce => PacketSet::PUBREC,
            _ => PacketSet::PUBACK,
        };
        check_answer(reason_code, properties, packet)?;
        parts.unacknowledged = None;
        parts.discarded = true;
        self.expect_answer(identifier, qos);
        Ok(())
    }
}
