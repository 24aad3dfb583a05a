//! What the application asks, answers and sends. What only one role sends is in `client` and
//! `server`.

mod client;
mod server;

pub use client::{ConnectOptions, Opening, Options};
pub use server::{Accept, Goodbye};

pub(super) use server::put_receipt;

use bytes::Bytes;

use super::{Connection, Role};
use crate::SendError;

impl<R: Role> Connection<R> {
    /// Sends the next part of a body that was begun, and returns how many bytes of it
    /// remain to be sent. What else is sent waits for the last of them.
    ///
    /// # Errors
    ///
    /// No body was begun, and no session is open; the part is more than remains.
    pub fn send_body(&mut self, part: &[u8]) -> Result<u64, SendError> {
        self.must_be_in_body()?;
        self.core.outbound.put_body(part)
    }

    /// As [`send_body`](Self::send_body), without a copy of the part if it has 4 KiB or
    /// more: its memory is shared until it has left.
    ///
    /// # Errors
    ///
    /// As for [`send_body`](Self::send_body).
    pub fn send_shared_body(&mut self, part: Bytes) -> Result<u64, SendError> {
        self.must_be_in_body()?;
        self.core.outbound.put_shared_body(part)
    }

    /// What had begun before DISCONNECT still goes out.
    fn must_be_in_body(&self) -> Result<(), SendError> {
        if !self.core.outbound.is_in_body() {
            self.core.writable()?;
        }
        Ok(())
    }
}
