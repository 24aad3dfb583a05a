//! Messages that come in chunks, so that memory is bounded by a threshold and not by the
//! packet.

use super::exchange::Exchange;
use super::inbound::{Taken, check_answer};
use super::{ConnectionError, InboundPublish, PublishChunk, SendError};
use crate::packet::{Length, decode_error, decode_publish_head};
use crate::{PacketIdentifier, PacketSet, Properties, Publish, QoS, ReasonCode, Rule};

/// A PUBLISH that is handed out in chunks, of which some are yet to come.
#[derive(Debug)]
pub(super) struct Chunked {
    /// Bytes of the payload that have not been handed out.
    remaining: u32,
    /// What is to be acknowledged when all of it has been.
    unacknowledged: Option<(PacketIdentifier, QoS)>,
    /// Nobody wants the rest.
    discarded: bool,
}

impl Exchange {
    /// Takes the front of a PUBLISH that is larger than the threshold: what stands before
    /// the payload.
    #[inline(never)]
    pub(super) fn take_start<'a>(
        &mut self,
        first: u8,
        length: Length,
        input: &mut &'a [u8],
        check: impl Fn(&Publish<'_>) -> Result<(), Rule>,
    ) -> Result<Taken<'a>, ConnectionError> {
        let threshold = self.chunk_threshold as usize;
        let front = &input[..input.len().min(threshold)];
        let Some((publish, taken)) =
            decode_publish_head(first, length, front, self.version, &self.limits)?
        else {
            if front.len() < threshold {
                return Ok(Taken::Incomplete);
            }
            return Err(decode_error(1, Rule::PacketTooLarge, self.version).into());
        };
        *input = &input[taken..];
        check(&publish).map_err(|rule| self.violation(rule))?;
        let topic_name = self.resolve(&publish)?;
        let new = match publish.packet_identifier {
            Some(identifier) => self.is_new(identifier, publish.qos, publish.dup)?,
            None => true,
        };
        // A packet has 268,435,455 bytes and a few at most.
        let remaining = (length.total - taken) as u32;
        self.chunked = Some(Chunked {
            remaining,
            unacknowledged: publish
                .packet_identifier
                .filter(|_| new)
                .map(|identifier| (identifier, publish.qos)),
            discarded: !new,
        });
        if !new {
            return Ok(Taken::Nothing);
        }
        Ok(Taken::Start(
            InboundPublish::new(&publish, topic_name),
            remaining,
        ))
    }

    /// The next bytes of a payload. Only with the last ones has the message been received.
    #[inline(never)]
    pub(super) fn take_chunk<'a>(&mut self, input: &mut &'a [u8]) -> Taken<'a> {
        let Some(chunked) = &mut self.chunked else {
            return Taken::Nothing;
        };
        let length = input.len().min(chunked.remaining as usize);
        if length == 0 && chunked.remaining > 0 {
            return Taken::Incomplete;
        }
        let (payload, rest) = input.split_at(length);
        *input = rest;
        chunked.remaining -= length as u32;
        let (remaining, discarded) = (chunked.remaining, chunked.discarded);
        if remaining == 0 {
            let unacknowledged = chunked.unacknowledged;
            self.chunked = None;
            if let Some((identifier, qos)) = unacknowledged {
                self.expect_answer(identifier, qos);
                if self.automatic {
                    // It waits for it.
                    let _ = self.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY);
                }
            }
        }
        match discarded {
            true => Taken::Nothing,
            false => Taken::Chunk(PublishChunk { payload, remaining }),
        }
    }

    /// A message that is still on its way in chunks may be refused, and then the rest of
    /// it is passed over.
    #[inline]
    pub(super) fn refuse_rest(
        &mut self,
        identifier: PacketIdentifier,
        reason_code: ReasonCode,
        properties: Properties<'_>,
    ) -> Result<(), SendError> {
        let Some(chunked) = &mut self.chunked else {
            return Ok(());
        };
        let qos = match chunked.unacknowledged {
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
        chunked.unacknowledged = None;
        chunked.discarded = true;
        self.expect_answer(identifier, qos);
        Ok(())
    }
}
