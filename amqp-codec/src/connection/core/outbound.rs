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

/// Bytes of answers that may wait on a channel for the end of a body.
const WAITING: usize = 64 * 1024;

/// A body that is being sent in parts.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// Bytes that are still to be sent.
    remaining: u64,
    /// Methods of the channel: they may not break into the content (section
    /// 4.2.6), so they wait for its end.
    waiting: Vec<u8>,
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
        (!waits).then(|| self.transmit.position())
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
        match self.transmit.waiting_from(position) {
            Some(mut place) => {
                frame::encode_method(channel, arguments, most, &mut place).map(|()| true)
            }
            None => Ok(false),
        }
    }

    /// As [`answer_short`](Self::answer_short), to a method that the peer may
    /// repeat: it must not be able to fill what waits for the end of a body.
    pub(in crate::connection) fn answer_bounded<A: Fields + Identified>(
        &mut self,
        channel: u16,
        arguments: &A,
    ) -> Result<(), ConnectionError> {
        self.answer_short(channel, arguments);
        match self.sending.get(&channel) {
            Some(sending) if sending.waiting.len() > WAITING => Err(ReplyError::connection(
                ReplyCode::ResourceError,
                "too many answers wait for the end of a body",
            )
            .caused_by(A::ID)
            .into()),
            _ => Ok(()),
        }
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
        // A server passes on what cannot be split (erratum 11).
        if self.role == SentBy::Client {
            frame::fits(header.payload_len(), self.payload_max())?;
        }
        self.answer(channel, arguments)?;
        frame::encode_header(channel, &header, self.transmit.buffer());
        self.body_frames(channel, message.body);
        if remaining > 0 {
            let waiting = Vec::new();
            self.sending.insert(channel, Sending { remaining, waiting });
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
        let len = self.transmit.poll(out);
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
