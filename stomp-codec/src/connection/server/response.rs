//! What a server's application says, and the frames that say it.

use alloc::vec::Vec;
use core::time::Duration;

use super::event::NOT_USER_HEADERS;
use super::{Accept, ServerConnection, State};
use crate::connection::heart_beat::Pulse;
use crate::connection::subscription::{Named, Subscription};
use crate::encoder::Decimal;
use crate::{Command, EncodeError, Encoder, SendError, Version};

impl ServerConnection {
    /// Opens the session: CONNECTED. Frames that the client has sent behind its
    /// CONNECT are waiting, so that [`receive`](Self::receive) is to be called
    /// next.
    ///
    /// # Errors
    ///
    /// No CONNECT waits for an answer; or what CONNECTED, which has no escapes,
    /// cannot carry.
    // keeps: stomp12/connecting/connected, stomp11/connecting/connected,
    // keeps: stomp10/connecting/connected, stomp12/CONNECTED/version, stomp11/CONNECTED/version,
    // keeps: stomp12/CONNECTED/heart-beat, stomp11/CONNECTED/heart-beat
    pub fn accept(&mut self, now: Duration, accept: &Accept<'_>) -> Result<(), SendError> {
        let State::Deciding(version, theirs) = self.state else {
            return Err(self.not_connected());
        };
        let ours = self.config.heart_beat;
        let mut encoder = Encoder::new(self.outbound.buffer(), version, Command::Connected)?;
        encoder.header("version", version.as_str())?;
        if version > Version::V1_0 {
            // Clients are known that cannot do without the header.
            encoder.header("heart-beat", &alloc::format!("{ours}"))?;
        }
        let session = accept.session.map(|session| ("session", session));
        let server = accept.server.map(|server| ("server", server));
        for (name, value) in session.into_iter().chain(server) {
            encoder.header(name, value)?;
        }
        for (name, value) in accept.headers {
            encoder.header(name, value)?;
        }
        encoder.body(b"")?;
        self.session = accept.session.unwrap_or_default().into();
        if version > Version::V1_0 {
            self.pulse = Pulse::new(now, ours, theirs, self.config.tolerance);
        }
        self.state = State::Open(version);
        Ok(())
    }

    /// Refuses the session: ERROR, and the connection is closed.
    ///
    /// # Errors
    ///
    /// No CONNECT waits for an answer; or what the frame, which has no escapes
    /// yet, cannot carry.
    // keeps: stomp12/connecting/rejected, stomp11/connecting/rejected
    pub fn refuse(&mut self, message: &str, body: &[u8]) -> Result<(), SendError> {
        let State::Deciding(..) = self.state else {
            return Err(self.not_connected());
        };
        self.put_error(None, message, &[], body)?;
        self.close();
        Ok(())
    }

    /// Says that a frame was processed: RECEIPT.
    ///
    /// Receipts need no order. After the one for DISCONNECT the connection is
    /// closed.
    ///
    /// # Errors
    ///
    /// No session is open.
    // keeps: stomp12/receipt/answered, stomp11/receipt/answered, stomp10/receipt/answered
    pub fn receipt(&mut self, receipt: &str) -> Result<(), SendError> {
        let (version, last) = match &self.state {
            State::Open(version) => (*version, false),
            State::Disconnecting(version, last) => (*version, last == receipt),
            _ => return Err(self.not_connected()),
        };
        self.put_receipt(version, receipt)?;
        if last {
            self.close();
        }
        Ok(())
    }

    /// Says that something went wrong: ERROR, with the receipt that the frame
    /// asked for, if it was about one that did. The connection is closed.
    ///
    /// # Errors
    ///
    /// No session is open.
    // keeps: stomp12/ERROR/sent, stomp11/ERROR/sent, stomp10/ERROR/sent, stomp12/ERROR/close,
    // keeps: stomp12/ERROR/body, stomp11/ERROR/body, stomp10/ERROR/body
    pub fn error(
        &mut self,
        receipt: Option<&str>,
        message: &str,
        body: &[u8],
    ) -> Result<(), SendError> {
        let (State::Open(_) | State::Disconnecting(..)) = self.state else {
            return Err(self.not_connected());
        };
        self.put_error(receipt, message, &[], body)?;
        self.close();
        Ok(())
    }

    /// Sends a message to a subscription: MESSAGE.
    ///
    /// `message` is the application's own number for it, by which events speak
    /// of it until it is settled. In ack mode `auto` it is settled by this.
    /// `subscription`, `message-id`, `destination`, `ack` and `content-length`
    /// are written here; headers of these names (and `receipt` and
    /// `transaction`) among `headers` are left out.
    ///
    /// # Errors
    ///
    /// No such subscription; or a header that the version cannot carry
    /// ([`Version::check_header`] tells beforehand).
    // keeps: stomp12/UNSUBSCRIBE/stops, stomp11/UNSUBSCRIBE/stops, stomp10/UNSUBSCRIBE/stops
    pub fn message<'h>(
        &mut self,
        subscription: Subscription,
        message: u64,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        body: &[u8],
    ) -> Result<(), SendError> {
        self.put_message(subscription, message, destination, headers, |encoder| {
            encoder.body(body)
        })
    }

    /// Sends a message whose body follows in parts: `content_length` octets by
    /// [`send_body`](Self::send_body). Whatever else is sent waits for the last of
    /// them, heart-beats too; an ERROR for what the client does meanwhile is never
    /// sent. Otherwise as [`message`](Self::message).
    ///
    /// # Errors
    ///
    /// As for `message`; the body of the message before is not all sent.
    pub fn begin_message<'h>(
        &mut self,
        subscription: Subscription,
        message: u64,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        content_length: usize,
    ) -> Result<(), SendError> {
        self.outbound.can_begin_body()?;
        self.put_message(subscription, message, destination, headers, |encoder| {
            encoder.before_body(content_length)
        })?;
        self.outbound.begin_body(content_length);
        Ok(())
    }

    /// Sends the next part of the body of [`begin_message`](Self::begin_message);
    /// gives how many octets remain to be sent.
    ///
    /// # Errors
    ///
    /// The session has ended and no body is open; the part is more than remains.
    pub fn send_body(&mut self, part: &[u8]) -> Result<usize, SendError> {
        // A client that has said DISCONNECT still gets what had begun.
        match self.state {
            State::Open(_) | State::Disconnecting(..) => self.outbound.put_body(part),
            State::Closed if self.outbound.is_in_body() => self.outbound.put_body(part),
            _ => Err(self.not_connected()),
        }
    }

    fn put_message<'h>(
        &mut self,
        subscription: Subscription,
        message: u64,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        end: impl FnOnce(Encoder<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), SendError> {
        let State::Open(version) = self.state else {
            return Err(self.not_connected());
        };
        let entry = self.subscriptions.get(subscription);
        let entry = entry.ok_or(SendError::UnknownSubscription)?;
        let number = entry.next();
        let needs_ack = entry.needs_ack();
        let named = Named {
            subscription,
            number,
        };
        let frame = MessageFrame {
            subscription: entry.id.as_deref(),
            session: &self.session,
            named,
            needs_ack,
            destination,
        };
        frame.write(self.outbound.buffer(), version, headers, end)?;
        self.subscriptions.sent(subscription, message);
        Ok(())
    }

    /// Sends a message that no SUBSCRIBE asked for, under a name of the server's
    /// own in the header `subscription`, as brokers do for replies to a temporary
    /// destination. It cannot be acknowledged. Otherwise as
    /// [`message`](Self::message).
    ///
    /// # Errors
    ///
    /// No session is open; or a header that the version cannot carry.
    pub fn message_unsubscribed<'h>(
        &mut self,
        subscription: &str,
        destination: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        body: &[u8],
    ) -> Result<(), SendError> {
        let State::Open(version) = self.state else {
            return Err(self.not_connected());
        };
        let frame = MessageFrame {
            subscription: Some(subscription),
            session: &self.session,
            // No SUBSCRIBE gets the number 0.
            named: Named {
                subscription: Subscription(0),
                number: self.unsubscribed + 1,
            },
            needs_ack: false,
            destination,
        };
        let end = |encoder: Encoder<'_>| encoder.body(body);
        frame.write(self.outbound.buffer(), version, headers, end)?;
        self.unsubscribed += 1;
        Ok(())
    }
}

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
