//! What the application asks, answers and sends. What only one role sends is in `client` and
//! `server`.

mod client;
mod server;
// Names for the bits of methods.
mod vocabulary;

pub use vocabulary::{Mandatory, Redelivered, Requeue, Tags};

use core::time::Duration;

use bytes::Bytes;

use super::{Connection, ReplyError, Role, Scope, SendError};

impl<R: Role> Connection<R> {
    /// Sends the next part of a body that was begun, and returns how many bytes of it
    /// remain to be sent. What else is sent on the channel waits for the last of them.
    ///
    /// # Errors
    /// When the channel is closed, or the part is more than remains.
    pub fn send_body(&mut self, channel: u16, part: &[u8]) -> Result<u64, SendError> {
        self.must_be_open()?;
        self.core.send_body(channel, part)
    }

    /// As [`send_body`](Self::send_body), without a copy of the part if it has 4 KiB or
    /// more: its memory is shared until it has left.
    ///
    /// # Errors
    /// As for [`send_body`](Self::send_body).
    pub fn send_shared_body(&mut self, channel: u16, part: Bytes) -> Result<u64, SendError> {
        self.must_be_open()?;
        self.core.send_shared_body(channel, part)
    }

    /// Closes what the error says, its channel or the connection, for that reason. A
    /// channel's close waits for the end of a body that is being sent on it. What the
    /// peer sends there is discarded until its close-ok, which is the event
    /// `ChannelCloseOk` or `CloseOk`.
    ///
    /// # Errors
    /// When that is not open.
    pub fn fail(&mut self, now: Duration, error: &ReplyError) -> Result<(), SendError> {
        match error.scope {
            Scope::Connection => self.core.close(now, error),
            Scope::Channel(channel) => {
                self.must_be_open()?;
                self.core.send_channel_close(channel, error)
            }
        }
    }
}
