//! The headers of a frame that a connection acts on.

use alloc::borrow::Cow;

use crate::{Command, ConnectionError, Frame, Version};

/// The headers that mean something to either side once the session is open, found
/// in one pass. Of repeated ones the first.
#[derive(Default)]
pub(crate) struct KnownHeaders<'a> {
    pub(crate) destination: Option<Cow<'a, str>>,
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) ack: Option<Cow<'a, str>>,
    pub(crate) message_id: Option<Cow<'a, str>>,
    pub(crate) subscription: Option<Cow<'a, str>>,
    pub(crate) transaction: Option<Cow<'a, str>>,
    pub(crate) receipt: Option<Cow<'a, str>>,
}

impl<'a> KnownHeaders<'a> {
    pub(crate) fn of(frame: &Frame<'a>) -> Self {
        let mut known = KnownHeaders::default();
        for header in frame.headers() {
            if let Some(place) = known.place(&header.name) {
                place.get_or_insert(header.value);
            }
        }
        known
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match name {
            "destination" => &mut self.destination,
            "id" => &mut self.id,
            "ack" => &mut self.ack,
            "message-id" => &mut self.message_id,
            "subscription" => &mut self.subscription,
            "transaction" => &mut self.transaction,
            "receipt" => &mut self.receipt,
            _ => return None,
        })
    }

    // keeps: stomp12/SEND/destination, stomp11/SEND/destination, stomp10/SEND/destination,
    // keeps: stomp12/SUBSCRIBE/destination, stomp11/SUBSCRIBE/destination,
    // keeps: stomp10/SUBSCRIBE/destination, stomp12/SUBSCRIBE-id/required,
    // keeps: stomp11/SUBSCRIBE-id/required, stomp12/UNSUBSCRIBE/id, stomp11/UNSUBSCRIBE/id,
    // keeps: stomp12/ACK/id, stomp11/ACK/message-id, stomp10/ACK/message-id,
    // keeps: stomp11/ACK/subscription, stomp12/NACK/headers, stomp11/NACK/headers,
    // keeps: stomp12/BEGIN/transaction, stomp11/BEGIN/transaction, stomp10/BEGIN/transaction,
    // keeps: stomp12/COMMIT/transaction, stomp11/COMMIT/transaction, stomp10/COMMIT/transaction,
    // keeps: stomp12/ABORT/transaction, stomp11/ABORT/transaction, stomp10/ABORT/transaction,
    // keeps: stomp12/MESSAGE/destination, stomp11/MESSAGE/destination,
    // keeps: stomp10/MESSAGE/destination, stomp12/MESSAGE/message-id, stomp11/MESSAGE/message-id,
    // keeps: stomp10/MESSAGE/message-id, stomp12/MESSAGE/subscription,
    // keeps: stomp11/MESSAGE/subscription
    pub(crate) fn require(
        &self,
        command: Command,
        version: Version,
    ) -> Result<(), ConnectionError> {
        for &header in command.required_headers(version) {
            let there = match header {
                "destination" => self.destination.is_some(),
                "id" => self.id.is_some(),
                "message-id" => self.message_id.is_some(),
                "subscription" => self.subscription.is_some(),
                "transaction" => self.transaction.is_some(),
                _ => true,
            };
            if !there {
                return Err(ConnectionError::MissingHeader { command, header });
            }
        }
        Ok(())
    }
}
