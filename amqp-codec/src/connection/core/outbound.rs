//! Frames out: methods, and contents whole or in parts.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::{BufMut, Bytes};

use super::super::content::Message;
use super::super::error::{ConnectionError, ReplyError, SendError};
use super::super::transmit::SHARED;
use super::Core;
use crate::frame::{self, ContentHeader, FRAME_END, FRAME_OVERHEAD};
use crate::method::{Fields, Identified, SentBy};
use crate::{EncodeError, ReplyCode};

/// Bytes of answers that a peer may make wait on a channel for the end of a body.
const WAITING: usize = 64 * 1024;

/// A body that is being sent in parts.
#[derive(Debug, Default)]
pub(in crate::connection) struct Sending {
    /// Bytes that are still to be sent.
    remaining: u64,
    /// Methods of the channel: they may not break into the content (section
    /// 4.2.6), so they wait for its end.
    waiting: Vec<u8>,
    /// How many bytes of those the peer has caused.
    caused: usize,
}

impl<C: Default> Core<C> {
    /// Queues a method frame, after a body that is being sent on its channel.
    #[inline]
    pub(in crate::connection) fn answer<A: Fields + Identified>(
        &mut self,
        channel: u16,
        arguments: &A,
    ) -> Result<(), EncodeError> {
        let most = self.payload_max();
        let out = match self.sending.get_mut(&channel) {
            None => self.transmit.buffer(),
            Some(sending) => &mut sending.waiting,
        };
        frame::encode_method(channel, arguments, most, out)
    }

    /// Where the next method frame of a channel will lie in what is transmitted, unless
    /// it waits for the end of a body.
    #[inline]
    pub(in crate::connection) fn position(&self, channel: u16) -> Option<u64> {
        let waits = self.sending.contains_key(&channel);
        (!waits).then(|| self.left + self.transmit.encoded_len() as u64)
    }

    /// Writes a method frame over one of the same length at `position`, unless some of
    /// that has left. Returns whether it did.
    #[inline]
    pub(in crate::connection) fn replace<A: Fields + Identified>(
        &mut self,
        position: u64,
        channel: u16,
        arguments: &A,
    ) -> Result<bool, EncodeError> {
        let most = self.payload_max();
        let start = position.checked_sub(self.left).map(usize::try_from);
        let Some(Ok(start)) = start else {
            return Ok(false);
        };
        match self.transmit.encoded().get_mut(start..) {
            Some(mut place) if !place.is_empty() => {
                frame::encode_method(channel, arguments, most, &mut place).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// As [`answer_short`](Self::answer_short), to a method that the peer may
    /// repeat: it must not be able to fill what waits for the end of a body.
    pub(in crate::connection) fn answer_bounded<A: Fields + Identified>(
        &mut self,
        channel: u16,
        arguments: &A,
    ) -> Result<(), ConnectionError> {
        let waiting = |core: &Self| core.sending.get(&channel).map_or(0, |it| it.waiting.len());
        let before = waiting(self);
        self.answer_short(channel, arguments);
        let caused = waiting(self) - before;
        if let Some(sending) = self.sending.get_mut(&channel) {
            sending.caused += caused;
            if sending.caused > WAITING {
                return Err(ReplyError::connection(
                    ReplyCode::ResourceError,
                    "too many answers wait for the end of a body",
                )
                .caused_by(A::ID)
                .into());
            }
        }
        Ok(())
    }

    /// Queues a method frame whose strings, if any, are known to be short.
    pub(in crate::connection) fn answer_short<A: Fields + Identified>(
        &mut self,
        channel: u16,
        arguments: &A,
    ) {
        let answered = self.answer(channel, arguments);
        debug_assert_eq!(answered, Ok(()));
    }

    /// Queues a content: method, header, and the body in frames of frame-max.
    /// What the body falls short of `body_size` is to be sent in parts.
    #[inline]
    pub(in crate::connection) fn content<A: Fields + Identified>(
        &mut self,
        channel: u16,
        arguments: &A,
        message: &Message<'_>,
        body_size: u64,
    ) -> Result<(), SendError> {
        if let Some(sending) = self.sending.get(&channel) {
            let remaining = sending.remaining;
            return Err(SendError::BodyLength { remaining });
        }
        let remaining = rest_of_body(message.body, body_size)?;
        let header = ContentHeader {
            body_size,
            properties: message.properties,
        };
        let most = self.payload_max();
        // A server passes on what cannot be split (erratum 11).
        if self.role == SentBy::Client {
            frame::fits(header.payload_len(), most)?;
        }
        let out = self.transmit.buffer();
        frame::encode_method(channel, arguments, most, out)?;
        frame::encode_header(channel, &header, out);
        for part in message.body.chunks(most) {
            frame::encode_body(channel, part, out);
        }
        if remaining > 0 {
            let sending = Sending {
                remaining,
                ..Sending::default()
            };
            self.sending.insert(channel, sending);
        }
        Ok(())
    }

    /// Bytes that a frame to send may carry.
    #[inline]
    fn payload_max(&self) -> usize {
        match self.agreed.frame_max {
            0 => u32::MAX as usize - FRAME_OVERHEAD,
            bytes => (bytes as usize).saturating_sub(FRAME_OVERHEAD).max(1),
        }
    }

    // keeps: section 2.3.5.2 / body frames, section 4.2.3 / size and channel
    #[inline]
    fn body_frames(&mut self, channel: u16, bytes: &[u8]) {
        for part in bytes.chunks(self.payload_max()) {
            frame::encode_body(channel, part, self.transmit.buffer());
        }
    }

    // keeps: section 2.3.5.2 / body frames, section 4.2.3 / size and channel
    fn shared_body_frames(&mut self, channel: u16, mut bytes: Bytes) {
        let most = self.payload_max();
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(most));
            if part.len() < SHARED {
                frame::encode_body(channel, &part, self.transmit.buffer());
                continue;
            }
            frame::encode_body_header(channel, part.len(), self.transmit.buffer());
            self.transmit.put_body(part);
            self.transmit.buffer().push(FRAME_END);
        }
    }

    /// Queues the next part of a body. Returns how many bytes remain to be sent.
    pub(in crate::connection) fn send_body(
        &mut self,
        channel: u16,
        part: &[u8],
    ) -> Result<u64, SendError> {
        let remaining = self.take_part(channel, part)?;
        self.body_frames(channel, part);
        self.part_is_sent(channel, remaining);
        Ok(remaining)
    }

    /// As [`send_body`](Self::send_body), with a part that is not copied if it is large.
    pub(in crate::connection) fn send_shared_body(
        &mut self,
        channel: u16,
        part: Bytes,
    ) -> Result<u64, SendError> {
        let remaining = self.take_part(channel, &part)?;
        self.shared_body_frames(channel, part);
        self.part_is_sent(channel, remaining);
        Ok(remaining)
    }

    /// What remains to be sent of a channel's body after this part of it.
    fn take_part(&self, channel: u16, part: &[u8]) -> Result<u64, SendError> {
        if !self.channels.contains_key(&channel) {
            return Err(SendError::ChannelNotOpen(channel));
        }
        let before = self.sending.get(&channel).map_or(0, |body| body.remaining);
        rest_of_body(part, before)
    }

    fn part_is_sent(&mut self, channel: u16, remaining: u64) {
        if let Some(sending) = self.sending.get_mut(&channel) {
            sending.remaining = remaining;
        }
        if remaining == 0 {
            self.end_body(channel);
        }
    }

    /// Queues what has waited for the end of the body that is being sent on a channel.
    pub(super) fn end_body(&mut self, channel: u16) {
        if let Some(sending) = self.sending.remove(&channel) {
            self.transmit.buffer().extend_from_slice(&sending.waiting);
        }
    }

    pub(in crate::connection) fn raw(&mut self, bytes: &[u8]) {
        self.transmit.buffer().extend_from_slice(bytes);
    }

    pub(in crate::connection) fn poll_transmit(
        &mut self,
        now: Duration,
        out: &mut impl BufMut,
    ) -> usize {
        let now = self.at(now);
        let waiting = self.transmit.encoded_len();
        let len = self.transmit.poll(out);
        self.left += (waiting - self.transmit.encoded_len()) as u64;
        if len > 0 {
            self.sent(now);
        }
        len
    }

    pub(in crate::connection) fn poll_transmit_slices(
        &mut self,
        now: Duration,
        out: &mut impl Extend<Bytes>,
    ) -> usize {
        let now = self.at(now);
        self.left += self.transmit.encoded_len() as u64;
        let len = self.transmit.poll_slices(out);
        if len > 0 {
            self.sent(now);
        }
        len
    }
}

/// What remains of a body of `remaining` bytes after this part of it.
fn rest_of_body(part: &[u8], remaining: u64) -> Result<u64, SendError> {
    remaining
        .checked_sub(part.len() as u64)
        .ok_or(SendError::BodyLength { remaining })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::connection::core::Setup;
    use crate::method::basic;

    /// A position stays that of the same frame, and is good until some of that has left.
    #[test]
    fn a_frame_is_replaced_while_it_waits() {
        let mut core = Core::<()>::new(
            Duration::ZERO,
            Setup {
                role: SentBy::Server,
                limits_before_login: Limits::DEFAULT,
                limits: Limits::DEFAULT,
                handshake_timeout: Duration::MAX,
                close_timeout: Duration::MAX,
            },
        );
        let ack = |delivery_tag| basic::Ack {
            delivery_tag,
            multiple: false,
        };
        let encoded = |tags: &[u64]| {
            let mut bytes = Vec::new();
            for tag in tags {
                assert_eq!(
                    frame::encode_method(1, &ack(*tag), u32::MAX as usize, &mut bytes),
                    Ok(())
                );
            }
            bytes
        };
        let length = encoded(&[1]).len();
        let mut positions = Vec::new();
        for tag in [1, 2, 3] {
            positions.push(core.position(1).unwrap_or(u64::MAX));
            assert_eq!(core.answer(1, &ack(tag)), Ok(()));
        }
        // All of the first and a byte of the second leave.
        let mut room = alloc::vec![0; length + 1];
        assert_eq!(
            core.poll_transmit(Duration::ZERO, &mut &mut room[..]),
            length + 1
        );
        for (position, tag, is_here) in [(0, 4, false), (1, 5, false), (2, 6, true)] {
            let replaced = core.replace(positions[position], 1, &ack(tag));
            assert_eq!(replaced, Ok(is_here), "{tag}");
        }
        let mut rest = Vec::new();
        core.poll_transmit(Duration::ZERO, &mut rest);
        assert_eq!(rest, encoded(&[2, 6])[1..]);
        // What is gone is not mistaken for what comes later, whichever way it went.
        positions.push(core.position(1).unwrap_or(u64::MAX));
        assert_eq!(core.answer(1, &ack(7)), Ok(()));
        let mut slices = Vec::<Bytes>::new();
        core.poll_transmit_slices(Duration::ZERO, &mut slices);
        assert_eq!(slices, [encoded(&[7])]);
        let next = core.position(1).unwrap_or(u64::MAX);
        assert_eq!(core.answer(1, &ack(8)), Ok(()));
        for (position, is_here) in [(positions[2], false), (positions[3], false), (next, true)] {
            assert_eq!(core.replace(position, 1, &ack(9)), Ok(is_here));
        }
    }
}
