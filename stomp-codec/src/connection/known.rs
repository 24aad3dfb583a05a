//! The headers of a frame that a connection acts on.

use alloc::borrow::Cow;

use crate::{Command, ConnectionError, Frame, Version};

/// The headers that mean something to either side once the session is open, found
/// in one pass. Of repeated ones the first.
#[derive(Default)]
pub(crate) struct Known<'a> {
    pub(crate) destination: Option<Cow<'a, str>>,
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) ack: Option<Cow<'a, str>>,
    pub(crate) message_id: Option<Cow<'a, str>>,
    pub(crate) subscription: Option<Cow<'a, str>>,
    pub(crate) transaction: Option<Cow<'a, str>>,
    pub(crate) receipt: Option<Cow<'a, str>>,
}

impl<'a> Known<'a> {
    pub(crate) fn of(frame: &Frame<'a>) -> Self {
        let mut known = Known::default();
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
