//! Frames in: what each of them comes to.

use core::time::Duration;

use super::super::content::{Assembled, Content, Head};
use super::super::error::{ConnectionError, ReplyError};
use super::{ChannelState, Core, Phase};
use crate::frame::{Frame, PartialFrame, RawFrame, RawType};
use crate::method::{SentBy, channel, connection};
use crate::{Method, MethodId, ReplyCode};

/// What a frame comes to.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// Nothing to tell: a heartbeat, a part of a content, what is discarded.
    Nothing,
    /// A method on channel 0.
    Connection(Method<'a>),
    /// channel.open on a channel that is not.
    Open(u16),
    /// A method without content on a channel that is open or opening.
    Method(u16, Method<'a>),
    /// A content, whole, or to be followed by parts of its body.
    Content(u16, Content),
    /// A part of a body, after which so many bytes remain.
    Body(u16, &'a [u8], u64),
    /// The answer to our channel.close: the number is free.
    ChannelCloseOk(u16),
    /// The channel is being closed for this reason.
    ChannelFailed(u16, ReplyError),
}

impl<C: Default> Core<C> {
    /// What every call to `receive` begins with: sticky errors, and signs of life.
    #[inline]
    pub(in crate::connection) fn begin(
        &mut self,
        now: Duration,
        input: &mut &[u8],
    ) -> Result<Duration, ConnectionError> {
        let now = self.at(now);
        if let Some(error) = &self.error {
            let error = error.clone();
            self.linger(input);
            return Err(error);
        }
        // More input than was left is traffic, also of a frame that is still coming.
        if input.len() > self.left_over {
            self.heard(now);
        }
        Ok(now)
    }

    /// What every call to `receive` ends with. Input that was taken is traffic too,
    /// however long the embedder had kept it.
    #[inline]
    pub(in crate::connection) fn end(&mut self, now: Duration, before: usize, left: usize) {
        if left < before {
            self.heard(now);
        }
        self.left_over = left;
    }

    /// The frame at the front of `input`, which is taken, or what there is of one that belongs
    /// to a body in parts.
    #[inline]
    pub(in crate::connection) fn next_frame<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<RawFrame<'a>>, ConnectionError> {
        if self.partial.is_some() {
            return self.next_part(input);
        }
        let Some((raw, len)) = RawFrame::split(input, &self.limits)? else {
            return self.first_part(input);
        };
        *input = &input[len..];
        Ok(Some(raw))
    }

    /// What there is of a frame whose end is still to come.
    #[inline(never)]
    fn first_part<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<RawFrame<'a>>, ConnectionError> {
        let channels = &self.channels;
        let mut rest = *input;
        self.partial = PartialFrame::begin(&mut rest, |number, size| {
            let channel = channels.get(&number);
            channel.is_some_and(|channel| channel.assembly.has_room_for(size))
        });
        let part = self.next_part(&mut rest)?;
        match part {
            Some(_) => *input = rest,
            None => self.partial = None,
        }
        Ok(part)
    }

    fn next_part<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<RawFrame<'a>>, ConnectionError> {
        let Some(partial) = &mut self.partial else {
            return Ok(None);
        };
        let part = partial.next(input)?;
        if partial.is_over() {
            self.partial = None;
        }
        Ok(part)
    }

    /// A method on channel 0 during the handshake; `None` for a heartbeat.
    pub(in crate::connection) fn handshake_method<'a>(
        &self,
        raw: RawFrame<'a>,
    ) -> Result<Option<Method<'a>>, ConnectionError> {
        match raw.decode(&self.limits)? {
            Frame::Heartbeat => Ok(None),
            Frame::Method { channel: 0, method } => Ok(Some(method)),
            _ => Err(ConnectionError::Handshake(raw.method_id())),
        }
    }

    /// A frame on an open connection.
    // keeps: channel / close / stability, section 4.2.7 / discarded
    pub(in crate::connection) fn incoming<'a>(
        &mut self,
        raw: RawFrame<'a>,
        input: &mut &'a [u8],
    ) -> Result<Incoming<'a>, ConnectionError> {
        if raw.raw_type() == RawType::Heartbeat {
            raw.decode(&self.limits)?;
            return Ok(Incoming::Nothing);
        }
        let number = raw.channel();
        if number == 0 {
            return self.on_channel_zero(raw);
        }
        let Some(channel) = self.channels.get_mut(&number) else {
            return self.on_closed_channel(raw);
        };
        if channel.state == ChannelState::Closing {
            // Looked at no further than to know whether it is one of the two
            // that count (rule channel / close / stability).
            match raw.method_id() {
                Some(channel::CloseOk::ID) => {
                    self.remove_channel(number);
                    return Ok(Incoming::ChannelCloseOk(number));
                }
                Some(channel::Close::ID) => {
                    // A content that was being sent is of no use any more, but
                    // this side's own close may wait for its end.
                    self.end_body(number);
                    self.answer_short(number, &channel::CloseOk {});
                }
                _ => {}
            }
            return Ok(Incoming::Nothing);
        }
        if raw.raw_type() != RawType::Method || !channel.assembly.is_idle() {
            let assembled = channel.assembly.frame(raw, &self.limits, &mut self.held)?;
            let method = channel.assembly.method();
            return Ok(self.assembled(number, assembled, method, raw.payload));
        }
        let Frame::Method { method, .. } = raw.decode(&self.limits)? else {
            return Ok(Incoming::Nothing);
        };
        let info = method.info();
        if info.id.class_id == connection::Close::ID.class_id || info.sent_by == self.role {
            return Err(
                ReplyError::connection(ReplyCode::CommandInvalid, "unimplemented method")
                    .caused_by(info.id)
                    .into(),
            );
        }
        if let Some(head) = Head::of(&method) {
            let assembled = channel
                .assembly
                .start(head, raw, input, &self.limits, &mut self.held);
            return Ok(self.assembled(number, assembled, Some(info.id), &[]));
        }
        Ok(Incoming::Method(number, method))
    }

    /// What a frame of this method's content comes to. A content that is too
    /// large, alone or with the others, closes its channel.
    fn assembled<'a>(
        &mut self,
        number: u16,
        assembled: Assembled,
        method: Option<MethodId>,
        part: &'a [u8],
    ) -> Incoming<'a> {
        let (code, text) = match assembled {
            Assembled::Partly => return Incoming::Nothing,
            Assembled::Complete(content) => return Incoming::Content(number, content),
            Assembled::Part(remaining) => return Incoming::Body(number, part, remaining),
            // As RabbitMQ answers it. 311 is for a size that is too large "at the
            // present time", which the client may try again.
            Assembled::TooLarge(size) => (
                ReplyCode::PreconditionFailed,
                alloc::format!(
                    "message size {size} is larger than configured max size {}",
                    self.limits.body_size
                ),
            ),
            Assembled::NoRoom => (
                ReplyCode::ContentTooLarge,
                alloc::format!(
                    "contents that are not complete, at most {} bytes are held",
                    self.limits.held_size
                ),
            ),
        };
        let error = ReplyError::new(code, number, text).caused_by(method);
        let closing = self.send_channel_close(number, &error);
        debug_assert_eq!(closing, Ok(()));
        Incoming::ChannelFailed(number, error)
    }

    // keeps: section 4.2.3 / size and channel, section 4.2.6.1 / channel
    fn on_channel_zero<'a>(&self, raw: RawFrame<'a>) -> Result<Incoming<'a>, ConnectionError> {
        if raw.raw_type() != RawType::Method {
            // Section 4.2.6.1: contents are never on channel 0.
            return Err(ReplyError::connection(
                ReplyCode::ChannelError,
                "content frame on channel 0",
            )
            .into());
        }
        let Frame::Method { method, .. } = raw.decode(&self.limits)? else {
            return Ok(Incoming::Nothing);
        };
        let info = method.info();
        let error = |code, text: &str| ReplyError::connection(code, text).caused_by(info.id).into();
        if info.id.class_id != connection::Close::ID.class_id {
            return Err(error(ReplyCode::ChannelError, "method needs a channel"));
        }
        if info.sent_by == self.role {
            return Err(error(ReplyCode::CommandInvalid, "unimplemented method"));
        }
        Ok(Incoming::Connection(method))
    }

    // keeps: section 4.3 / channels
    fn on_closed_channel<'a>(&self, raw: RawFrame<'a>) -> Result<Incoming<'a>, ConnectionError> {
        let number = raw.channel();
        let error = |code, text: &str| {
            ReplyError::connection(code, text)
                .caused_by(raw.method_id())
                .into()
        };
        if self.role != SentBy::Server || raw.method_id() != Some(channel::Open::ID) {
            return Err(error(ReplyCode::ChannelError, "expected 'channel.open'"));
        }
        raw.decode(&self.limits)?;
        if number > self.limits.channel_max {
            return Err(error(
                ReplyCode::NotAllowed,
                "channel number is above the negotiated channel-max",
            ));
        }
        Ok(Incoming::Open(number))
    }

    /// A frame after this side's connection.close: all is discarded but close
    /// and close-ok (rule connection / close / stability). Returns whether it is over.
    // keeps: connection / close / stability
    pub(in crate::connection) fn on_closing(&mut self, raw: RawFrame<'_>) -> bool {
        if raw.channel() != 0 {
            return false;
        }
        match raw.method_id() {
            Some(connection::CloseOk::ID) => {
                self.set_closed();
                true
            }
            Some(connection::Close::ID) => {
                self.answer_short(0, &connection::CloseOk {});
                false
            }
            _ => false,
        }
    }

    /// After a goodbye for an error: nothing counts any more but the peer's
    /// close and close-ok.
    fn linger(&mut self, input: &mut &[u8]) {
        while self.phase != Phase::Closed {
            match self.next_frame(input) {
                Ok(Some(raw)) => drop(self.on_closing(raw)),
                Ok(None) => return,
                Err(_) => self.set_closed(),
            }
        }
        *input = &[];
    }
}
