//! Channels, from channel.open to close-ok.

use super::super::content::{Assembly, Held};
use super::super::error::{ReplyError, SendError};
use super::Core;
use crate::method::channel;
use alloc::boxed::Box;

/// How far a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection) enum ChannelState {
    /// The client has asked; open-ok is to come.
    Opening,
    Open,
    /// This side has sent channel.close: all is discarded but close and close-ok.
    Closing,
}

/// One channel; `data` is what its role keeps.
#[derive(Debug)]
pub(in crate::connection) struct Channel<C> {
    pub(in crate::connection) state: ChannelState,
    pub(super) assembly: Assembly,
    pub(in crate::connection) data: C,
}

impl<C> Channel<C> {
    /// Whether no content is coming on it.
    pub(in crate::connection) fn is_between_contents(&self) -> bool {
        matches!(self.assembly, Assembly::Idle)
    }
}

impl<C: Default> Core<C> {
    pub(in crate::connection) fn insert_channel(&mut self, number: u16, state: ChannelState) {
        let channel = Channel {
            state,
            assembly: Assembly::Idle,
            data: C::default(),
        };
        self.channels.insert(number, Box::new(channel));
    }

    /// Forgets a channel: its number is free.
    pub(in crate::connection) fn remove_channel(&mut self, number: u16) {
        if let Some(mut channel) = self.channels.remove(&number) {
            self.held.give_up(&mut channel.assembly);
            self.first_free = self.first_free.min(number);
        }
        self.sending.remove(&number);
    }

    pub(super) fn remove_channels(&mut self) {
        self.channels.clear();
        self.held = Held::default();
        self.sending.clear();
    }

    /// Whether the body of a content that was handed out is still to come.
    pub(in crate::connection) fn is_in_parts(&self, number: u16) -> bool {
        self.channels
            .get(&number)
            .is_some_and(|channel| channel.assembly.is_in_parts())
    }

    pub(in crate::connection) fn open_channel(
        &mut self,
        number: u16,
    ) -> Result<&mut Channel<C>, SendError> {
        match self.channels.get_mut(&number) {
            Some(channel) if channel.state == ChannelState::Open => Ok(channel),
            _ => Err(SendError::ChannelNotOpen(number)),
        }
    }

    /// Sends channel.close; from here on the channel's frames are discarded.
    // keeps: section 2.3.7 / close is a hand-shake
    pub(in crate::connection) fn send_channel_close(
        &mut self,
        number: u16,
        error: &ReplyError,
    ) -> Result<(), SendError> {
        let Some(channel) = self
            .channels
            .get_mut(&number)
            .filter(|channel| channel.state != ChannelState::Closing)
        else {
            return Err(SendError::ChannelNotOpen(number));
        };
        channel.state = ChannelState::Closing;
        self.held.give_up(&mut channel.assembly);
        channel.data = C::default();
        let (text, cause) = (error.reply_text(), error.cause());
        let close = channel::Close {
            reply_code: error.reply_code.code(),
            reply_text: &text,
            class_id: cause.class_id,
            method_id: cause.method_id,
        };
        self.answer_short(number, &close);
        Ok(())
    }
}
