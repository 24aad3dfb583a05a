//! The frames that a server answers with.

use alloc::vec::Vec;

use super::event::NOT_USER_HEADERS;
use crate::connection::subscription::Named;
use crate::encoder::Decimal;
use crate::{Command, EncodeError, Encoder, Version};

/// RECEIPT.
// keeps: stomp12/RECEIPT/receipt-id, stomp11/RECEIPT/receipt-id, stomp10/RECEIPT/receipt-id
pub(super) fn put_receipt(
    out: &mut Vec<u8>,
    version: Version,
    receipt: &str,
) -> Result<(), EncodeError> {
    let mut encoder = Encoder::new(out, version, Command::Receipt)?;
    encoder.header("receipt-id", receipt)?;
    encoder.body(b"")
}

/// ERROR.
// keeps: stomp12/ERROR/message, stomp11/ERROR/message, stomp10/ERROR/message,
// keeps: stomp12/ERROR/identifies, stomp11/ERROR/identifies, stomp12/ERROR/receipt-id,
// keeps: stomp11/ERROR/receipt-id, stomp12/ERROR/content-type, stomp11/ERROR/content-type
pub(super) fn put_error(
    out: &mut Vec<u8>,
    version: Version,
    receipt: Option<&str>,
    message: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<(), EncodeError> {
    let mut encoder = Encoder::new(out, version, Command::Error)?;
    if let Some(receipt) = receipt {
        encoder.header("receipt-id", receipt)?;
    }
    encoder.header("message", message)?;
    for (name, value) in headers {
        encoder.header(name, value)?;
    }
    if !body.is_empty() {
        encoder.header("content-type", "text/plain")?;
    }
    encoder.body(body)
}

/// The parts of a MESSAGE frame, but for the headers that come with the message.
pub(super) struct MessageFrame<'a> {
    pub(super) subscription: Option<&'a str>,
    pub(super) session: &'a str,
    pub(super) named: Named,
    pub(super) needs_ack: bool,
    pub(super) destination: &'a str,
}

impl MessageFrame<'_> {
    /// Writes it; `end` writes what is behind the headers.
    // keeps: stomp12/MESSAGE/destination, stomp11/MESSAGE/destination,
    // keeps: stomp10/MESSAGE/destination, stomp12/MESSAGE/message-id, stomp11/MESSAGE/message-id,
    // keeps: stomp10/MESSAGE/message-id, stomp12/MESSAGE/subscription,
    // keeps: stomp11/MESSAGE/subscription, stomp12/MESSAGE/ack, stomp10/SUBSCRIBE/subscription
    pub(super) fn write<'h>(
        &self,
        out: &mut Vec<u8>,
        version: Version,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        end: impl FnOnce(Encoder<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let subscription = Decimal::from_u64(self.named.subscription.get());
        let number = Decimal::from_u64(self.named.number);
        let named = [subscription.as_str(), "-", number.as_str()];
        let mut encoder = Encoder::new(out, version, Command::Message)?;
        if let Some(name) = self.subscription {
            encoder.header("subscription", name)?;
        }
        if self.session.is_empty() {
            encoder.header_of("message-id", &named)?;
        } else {
            let [subscription, hyphen, number] = named;
            let id = [self.session, hyphen, subscription, hyphen, number];
            encoder.header_of("message-id", &id)?;
        }
        encoder.header("destination", self.destination)?;
        if self.needs_ack && version >= Version::V1_2 {
            encoder.header_of("ack", &named)?;
        }
        for (name, value) in headers {
            if !NOT_USER_HEADERS.contains(&name) {
                encoder.header(name, value)?;
            }
        }
        end(encoder)
    }
}
