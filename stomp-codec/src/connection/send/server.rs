//! What a server's application says, and the frames that say it.

use alloc::vec::Vec;
use core::time::Duration;

use crate::connection::core::Phase;
use crate::connection::event::is_user_header;
use crate::connection::heart_beat::Agreed;
use crate::connection::subscription::{Named, NamedText, Subscription};
use crate::connection::{Connection, Server};
use crate::setters::setters;
use crate::{Command, EncodeError, Encoder, Header, SendError, Version};

/// What goes into CONNECTED ("CONNECTED Frame"), besides the version and the
/// heart-beats.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Accept<'a> {
    /// A name for the session; should be unique, since it also makes the
    /// `message-id`s of the session unique.
    pub session: Option<&'a str>,
    /// Name and version of the server, as `name/1.2.3`.
    pub server: Option<&'a str>,
    /// More headers.
    pub headers: &'a [(&'a str, &'a str)],
}

setters! { Accept<'a> {
    with_session(session: &'a str) = Some(session);
    with_server(server: &'a str) = Some(server);
    with_headers(headers: &'a [(&'a str, &'a str)]);
} }

/// What goes into the ERROR that ends a connection ("ERROR").
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Goodbye<'a> {
    /// The receipt that the frame asked for that this is about, if it did.
    pub receipt: Option<&'a str>,
    /// A short description: the header `message`.
    pub summary: &'a str,
    /// More headers. Those named `receipt-id`, `message` and `content-length` are left
    /// out. Without a `content-type`, a body is `text/plain`.
    pub headers: &'a [(&'a str, &'a str)],
    /// A longer description.
    pub body: &'a [u8],
}

impl<'a> Goodbye<'a> {
    /// With this summary, and nothing else.
    #[must_use]
    pub fn new(summary: &'a str) -> Self {
        Self {
            summary,
            ..Self::default()
        }
    }
}

setters! { Goodbye<'a> {
    with_receipt(receipt: &'a str) = Some(receipt);
    with_headers(headers: &'a [(&'a str, &'a str)]);
    with_body(body: &'a [u8]);
} }

impl Connection<Server> {
    /// Opens the session: CONNECTED. Frames that the client has sent after its
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
        self.core.set_now(now);
        let Some((version, theirs)) = self.state.deciding else {
            return Err(self.core.out_of_turn());
        };
        let ours = self.config.heart_beat;
        let mut encoder = Encoder::new(self.core.outbound.buffer(), version, Command::Connected)?;
        encoder.named("version", version.as_str())?;
        if version > Version::V1_0 {
            // Clients are known that cannot do without the header.
            encoder.named("heart-beat", &alloc::format!("{ours}"))?;
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
        self.state.deciding = None;
        self.state.session = accept.session.unwrap_or_default().into();
        let agreed = match version {
            Version::V1_0 => Agreed::default(),
            _ => Agreed::new(ours, theirs, self.config.tolerance),
        };
        self.core.open(version, agreed);
        Ok(())
    }

    /// Refuses the session: ERROR, and the connection is closed.
    ///
    /// # Errors
    ///
    /// No CONNECT waits for an answer; or what the frame, which has no escapes
    /// yet, cannot carry.
    // keeps: stomp12/connecting/rejected, stomp11/connecting/rejected
    pub fn refuse(&mut self, now: Duration, goodbye: &Goodbye<'_>) -> Result<(), SendError> {
        self.core.set_now(now);
        if self.state.deciding.is_none() {
            return Err(self.core.out_of_turn());
        }
        self.put_error(goodbye)?;
        self.state.deciding = None;
        self.core.end();
        Ok(())
    }

    /// Ends the session for something that went wrong: ERROR, and the connection is
    /// closed.
    ///
    /// # Errors
    ///
    /// No session is open; or what the version cannot carry.
    // keeps: stomp12/ERROR/sent, stomp11/ERROR/sent, stomp10/ERROR/sent, stomp12/ERROR/close,
    // keeps: stomp12/ERROR/body, stomp11/ERROR/body, stomp10/ERROR/body
    pub fn close(&mut self, now: Duration, goodbye: &Goodbye<'_>) -> Result<(), SendError> {
        self.core.set_now(now);
        self.in_session()?;
        self.put_error(goodbye)?;
        self.state.transactions.clear();
        self.core.end();
        Ok(())
    }

    /// The version of the session, also after DISCONNECT until its receipt is given.
    fn in_session(&self) -> Result<Version, SendError> {
        match (self.core.phase, self.core.version) {
            (Phase::Open | Phase::Closing, Some(version)) => Ok(version),
            (Phase::Handshake, _) => Err(SendError::NotOpen),
            _ => Err(SendError::Closed),
        }
    }

    /// ERROR. Before CONNECTED the client does not know the version, and reads as if
    /// there were no escapes.
    pub(in crate::connection) fn put_error(
        &mut self,
        goodbye: &Goodbye<'_>,
    ) -> Result<(), EncodeError> {
        let version = self.core.version.unwrap_or(Version::V1_0);
        put_error(self.core.outbound.buffer(), version, goodbye)
    }

    /// What was sent and not settled, by subscription: what an application gives
    /// to others when the connection is lost. It is still there when the connection
    /// has failed; nothing is after DISCONNECT, whose event has it.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (Subscription, u64)> + '_ {
        self.state.subscriptions.unacknowledged()
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
        let version = self.in_session()?;
        put_receipt(self.core.outbound.buffer(), version, receipt)?;
        if self.state.farewell.as_deref() == Some(receipt) {
            self.core.end();
        }
        Ok(())
    }

    /// Sends a message to a subscription: MESSAGE.
    ///
    /// `delivery` is the application's own number for it, by which events speak
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
    pub fn deliver<'h>(
        &mut self,
        subscription: Subscription,
        delivery: u64,
        destination: &str,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        body: &[u8],
    ) -> Result<(), SendError> {
        self.put_message(subscription, delivery, destination, headers, |encoder| {
            encoder.body(body)
        })
    }

    /// Sends a message whose body follows in parts: `body_size` bytes by
    /// [`send_body`](Self::send_body). Whatever else is sent waits for the last of
    /// them, heart-beats too; an ERROR for what the client does meanwhile is never
    /// sent. Otherwise as [`deliver`](Self::deliver).
    ///
    /// # Errors
    ///
    /// As for `deliver`; the body of the message before is not all sent.
    pub fn begin_deliver<'h>(
        &mut self,
        subscription: Subscription,
        delivery: u64,
        destination: &str,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        body_size: u64,
    ) -> Result<(), SendError> {
        self.core.outbound.can_begin_body()?;
        self.put_message(subscription, delivery, destination, headers, |encoder| {
            encoder.before_body(body_size)
        })?;
        self.core.outbound.begin_body(body_size);
        Ok(())
    }

    fn put_message<'h>(
        &mut self,
        subscription: Subscription,
        delivery: u64,
        destination: &str,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        end: impl FnOnce(Encoder<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), SendError> {
        let version = self.core.writable()?;
        let entry = self.state.subscriptions.get(subscription);
        let entry = entry.ok_or(SendError::UnknownSubscription)?;
        let number = entry.next();
        let needs_ack = entry.needs_ack();
        let named = Named {
            subscription,
            number,
        };
        let frame = MessageFrame {
            subscription: entry.id.as_deref(),
            session: &self.state.session,
            named,
            needs_ack,
            destination,
        };
        frame.write(self.core.outbound.buffer(), version, headers, end)?;
        self.state.subscriptions.sent(subscription, delivery);
        Ok(())
    }

    /// Sends a message that no SUBSCRIBE asked for, under a name of the server's
    /// own in the header `subscription`, as brokers do for replies to a temporary
    /// destination. It cannot be acknowledged. Otherwise as
    /// [`deliver`](Self::deliver).
    ///
    /// # Errors
    ///
    /// No session is open; or a header that the version cannot carry.
    pub fn deliver_unsubscribed<'h>(
        &mut self,
        subscription: &str,
        destination: &str,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        body: &[u8],
    ) -> Result<(), SendError> {
        let version = self.core.writable()?;
        let frame = MessageFrame {
            subscription: Some(subscription),
            session: &self.state.session,
            // No SUBSCRIBE gets the number 0.
            named: Named {
                subscription: Subscription(0),
                number: self.state.unsubscribed + 1,
            },
            needs_ack: false,
            destination,
        };
        let end = |encoder: Encoder<'_>| encoder.body(body);
        frame.write(self.core.outbound.buffer(), version, headers, end)?;
        self.state.unsubscribed += 1;
        Ok(())
    }
}

/// RECEIPT.
// keeps: stomp12/RECEIPT/receipt-id, stomp11/RECEIPT/receipt-id, stomp10/RECEIPT/receipt-id
pub(in crate::connection) fn put_receipt(
    out: &mut Vec<u8>,
    version: Version,
    receipt: &str,
) -> Result<(), EncodeError> {
    let mut encoder = Encoder::new(out, version, Command::Receipt)?;
    encoder.named("receipt-id", receipt)?;
    encoder.body(b"")
}

/// ERROR.
// keeps: stomp12/ERROR/message, stomp11/ERROR/message, stomp10/ERROR/message,
// keeps: stomp12/ERROR/identifies, stomp11/ERROR/identifies, stomp12/ERROR/receipt-id,
// keeps: stomp11/ERROR/receipt-id, stomp12/ERROR/content-type, stomp11/ERROR/content-type
fn put_error(
    out: &mut Vec<u8>,
    version: Version,
    goodbye: &Goodbye<'_>,
) -> Result<(), EncodeError> {
    let mut encoder = Encoder::new(out, version, Command::Error)?;
    if let Some(receipt) = goodbye.receipt {
        encoder.named("receipt-id", receipt)?;
    }
    encoder.named("message", goodbye.summary)?;
    let mut is_typed = goodbye.body.is_empty();
    for (name, value) in goodbye.headers {
        if !matches!(*name, "receipt-id" | "message" | "content-length") {
            is_typed |= *name == "content-type";
            encoder.header(name, value)?;
        }
    }
    if !is_typed {
        encoder.named("content-type", "text/plain")?;
    }
    encoder.body(goodbye.body)
}

/// The parts of a MESSAGE frame, but for the headers that come with the message.
struct MessageFrame<'a> {
    subscription: Option<&'a str>,
    session: &'a str,
    named: Named,
    needs_ack: bool,
    destination: &'a str,
}

impl MessageFrame<'_> {
    /// Writes it; `rest` writes what comes after the headers.
    // keeps: stomp12/MESSAGE/destination, stomp11/MESSAGE/destination,
    // keeps: stomp10/MESSAGE/destination, stomp12/MESSAGE/message-id, stomp11/MESSAGE/message-id,
    // keeps: stomp10/MESSAGE/message-id, stomp12/MESSAGE/subscription,
    // keeps: stomp11/MESSAGE/subscription, stomp12/MESSAGE/ack, stomp10/SUBSCRIBE/subscription
    fn write<'h>(
        &self,
        out: &mut Vec<u8>,
        version: Version,
        headers: impl IntoIterator<Item: Into<Header<'h>>>,
        rest: impl FnOnce(Encoder<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let named = NamedText::new(self.named);
        let mut encoder = Encoder::new(out, version, Command::Message)?;
        if let Some(name) = self.subscription {
            encoder.named("subscription", name)?;
        }
        let end = if self.session.is_empty() {
            named.alone()
        } else {
            named.after_hyphen()
        };
        encoder.named_with_end("message-id", self.session, end)?;
        encoder.named("destination", self.destination)?;
        if self.needs_ack && version >= Version::V1_2 {
            encoder.named_with_end("ack", "", named.alone())?;
        }
        for header in headers {
            let Header { name, value } = &header.into();
            if is_user_header(name) {
                encoder.header(name, value)?;
            }
        }
        rest(encoder)
    }
}
