//! One client's conversation, and the expectations that cases share.

use std::time::Duration;

use super::wire::{Frame, Version, frame, parse_frame};
use crate::case::Context;
use crate::verdict::{Setup, Stop, fail, not_applicable};
use crate::wire::{Seen, Wire};

/// One client's connection.
///
/// RECEIPTs come when the work is done and MESSAGEs when there are some, so
/// either may come before the other; what a case does not wait for yet is put
/// aside in the order of arrival.
pub(super) struct Client {
    pub(super) wire: Wire,
    version: Version,
    /// The frame or part of the protocol that the case is about.
    about: &'static str,
    aside: Vec<Frame>,
    /// Whether a subscription wants its messages acknowledged.
    settles: bool,
    /// How many messages came since the last acknowledgement.
    unsettled: u32,
    receipts: u32,
    silence: Duration,
}

impl Client {
    /// A TCP connection without a CONNECT, for frames of this version.
    pub(super) fn new(ctx: &Context<'_>, version: Version) -> Result<Self, Stop> {
        Ok(Self {
            wire: ctx.connect()?,
            version,
            about: ctx.id.split('/').nth(1).unwrap_or_default(),
            aside: Vec::new(),
            settles: false,
            unsettled: 0,
            receipts: 0,
            silence: ctx.silence,
        })
    }

    /// A client of this version, connected.
    pub(super) fn connected(ctx: &Context<'_>, version: Version) -> Result<Self, Stop> {
        Self::connected_with(ctx, version, &[]).map(|(client, _)| client)
    }

    /// The same with more headers in the CONNECT, and the CONNECTED.
    ///
    /// # Errors
    ///
    /// [`Stop::NotApplicable`] when the broker says that it does not speak
    /// this version.
    pub(super) fn connected_with(
        ctx: &Context<'_>,
        version: Version,
        headers: &[(&str, &str)],
    ) -> Result<(Self, Frame), Stop> {
        let mut client = Self::new(ctx, version)?;
        let mut all = connect_headers(ctx, version);
        all.extend_from_slice(headers);
        client.send(&frame("CONNECT", &all, b""));
        let expected = format!("CONNECTED after a CONNECT for version {}", version.as_str());
        let judged = matches!(
            client.about,
            "connecting" | "CONNECT" | "connection-lingering"
        ) || ctx.id.contains("/connect-");
        let connected = client.connected_frame(version, &expected);
        let connected = if judged {
            connected?
        } else {
            connected.setup("connecting")?
        };
        Ok((client, connected))
    }

    fn connected_frame(&mut self, version: Version, expected: &str) -> Result<Frame, Stop> {
        match self.next()? {
            Seen::Frame(frame) if frame.is("CONNECTED") => {
                if speaks(&frame, version) {
                    Ok(frame)
                } else {
                    Err(fail(expected, frame.to_string()))
                }
            }
            Seen::Frame(frame)
                if frame.is("ERROR")
                    && frame
                        .header_text("version")
                        .is_some_and(|known| !known.contains(version.as_str())) =>
            {
                Err(not_applicable(frame.to_string()))
            }
            other => Err(fail(expected, other.to_string())),
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.wire.send(bytes);
    }

    /// What comes next, what was put aside first.
    pub(super) fn next(&mut self) -> Result<Seen<Frame>, Stop> {
        if self.aside.is_empty() {
            let version = self.version;
            self.wire.next(|bytes| parse_frame(version, bytes))
        } else {
            Ok(Seen::Frame(self.aside.remove(0)))
        }
    }

    /// The next frame that `wanted` says yes to; MESSAGEs and RECEIPTs before
    /// it are put aside.
    fn take(&mut self, expected: &str, wanted: impl Fn(&Frame) -> bool) -> Result<Frame, Stop> {
        if let Some(at) = self.aside.iter().position(&wanted) {
            return Ok(self.aside.remove(at));
        }
        let version = self.version;
        loop {
            match self.wire.next(|bytes| parse_frame(version, bytes))? {
                Seen::Frame(frame) if wanted(&frame) => return Ok(frame),
                Seen::Frame(frame) if frame.is("MESSAGE") || frame.is("RECEIPT") => {
                    self.aside.push(frame);
                }
                other => return Err(fail(expected, other.to_string())),
            }
        }
    }

    /// Sends the frame with a receipt header behind the others and without
    /// waiting. Gives the receipt's name.
    pub(super) fn ask(&mut self, command: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        self.receipts += 1;
        let receipt = format!("receipt-{}", self.receipts);
        let mut all = headers.to_vec();
        all.push(("receipt", &receipt));
        self.send(&frame(command, &all, body));
        receipt
    }

    /// The RECEIPT of this name.
    pub(super) fn receipt(&mut self, receipt: &str, of: &str) -> Result<(), Stop> {
        self.take(
            &format!("RECEIPT with receipt-id:{receipt}, of the {of}"),
            |frame| frame.is("RECEIPT") && frame.header("receipt-id") == Some(receipt.as_bytes()),
        )
        .map(drop)
    }

    /// Sends the frame with a receipt header and waits for the RECEIPT.
    pub(super) fn request(
        &mut self,
        command: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), Stop> {
        let receipt = self.ask(command, headers, body);
        let received = self.receipt(&receipt, command);
        // A frame that is refused has no RECEIPT, and is no question about it.
        let refused = matches!(&received, Err(Stop::Fail { seen, .. }) if seen.starts_with("ERROR"))
            && matches!(self.about, "receipt" | "RECEIPT");
        if self.is_about(command) && !refused {
            received
        } else {
            received.setup(command)
        }
    }

    /// Whether an answer to the frame that does not come is a failure of the
    /// case. In one that is about another frame it is one of the setup.
    fn is_about(&self, command: &str) -> bool {
        const STEPS: [&str; 5] = ["SEND", "SUBSCRIBE", "BEGIN", "DISCONNECT", "UNSUBSCRIBE"];
        // What a frame carries is asked about with a SEND.
        const CARRIED: [&str; 9] = [
            "body",
            "content-length",
            "content-type",
            "frames",
            "grammar",
            "header-encoding",
            "repeated-headers",
            "size-limits",
            "STOMP",
        ];
        !STEPS.contains(&command)
            || self.about.starts_with(command)
            || matches!(self.about, "receipt" | "RECEIPT")
            || command == "SEND" && CARRIED.contains(&self.about)
    }

    /// Subscribes and waits until the subscription stands.
    pub(super) fn subscribe(&mut self, id: &str, destination: &str, ack: &str) -> Result<(), Stop> {
        let headers = [("id", id), ("destination", destination), ("ack", ack)];
        self.settles |= ack != "auto";
        self.request("SUBSCRIBE", &headers, b"")
    }

    /// Sends a message and waits until the broker has it.
    pub(super) fn publish(&mut self, destination: &str, body: &str) -> Result<(), Stop> {
        self.request("SEND", &[("destination", destination)], body.as_bytes())
    }

    /// The next MESSAGE.
    pub(super) fn message(&mut self) -> Result<Frame, Stop> {
        self.take("a MESSAGE", |frame| frame.is("MESSAGE"))
    }

    /// The next MESSAGE, or `None` when the window of silence passes without one.
    pub(super) fn message_within(&mut self) -> Result<Option<Frame>, Stop> {
        let version = self.version;
        match self
            .wire
            .next_within(self.silence, |bytes| parse_frame(version, bytes))?
        {
            Seen::Silence(..) => Ok(None),
            Seen::Frame(frame) if frame.is("MESSAGE") => Ok(Some(frame)),
            other => Err(fail("a MESSAGE", other.to_string())),
        }
    }

    /// The next MESSAGE, which has this body.
    pub(super) fn message_with(&mut self, body: &[u8]) -> Result<Frame, Stop> {
        let expected = format!("a MESSAGE with body \"{}\"", body.escape_ascii());
        let message =
            self.take(&expected, |frame| frame.is("MESSAGE"))
                .map_err(|stop| match &stop {
                    // Which is a window of one, and no rule asks for another.
                    Stop::Fail { seen, .. }
                        if self.unsettled > 0 && seen.starts_with("nothing") =>
                    {
                        not_applicable(format!(
                            "{seen} while {} of the messages before are not acknowledged",
                            self.unsettled
                        ))
                    }
                    _ => stop,
                })?;
        if message.body == body {
            self.unsettled += u32::from(self.settles);
            Ok(message)
        } else {
            Err(fail(expected, message.to_string()))
        }
    }

    /// ACK or NACK of the message, by the headers of the version, and its
    /// RECEIPT.
    pub(super) fn settle(
        &mut self,
        command: &str,
        message: &Frame,
        more: &[(&str, &str)],
    ) -> Result<(), Stop> {
        let mut headers = self.settle_headers(message)?;
        self.unsettled = 0;
        headers.extend_from_slice(more);
        self.request(command, &headers, b"")
    }

    /// The headers with which this version acknowledges the message.
    pub(super) fn settle_headers<'m>(
        &self,
        message: &'m Frame,
    ) -> Result<Vec<(&'static str, &'m str)>, Stop> {
        let of = |name| {
            message.header_text(name).ok_or_else(|| {
                fail(
                    format!("a MESSAGE with the header {name}"),
                    message.to_string(),
                )
            })
        };
        Ok(match self.version {
            Version::V10 => vec![("message-id", of("message-id")?)],
            Version::V11 => vec![
                ("message-id", of("message-id")?),
                ("subscription", of("subscription")?),
            ],
            Version::V12 => vec![("id", of("ack")?)],
        })
    }

    /// DISCONNECT, its RECEIPT, and gone.
    pub(super) fn disconnect(mut self) -> Result<(), Stop> {
        self.request("DISCONNECT", &[], b"")
    }

    /// No frame for a while.
    pub(super) fn expect_silence(&mut self, expected: &str) -> Result<(), Stop> {
        let version = self.version;
        let seen = match self.aside.first() {
            Some(frame) => Seen::Frame(frame.clone()),
            None => self
                .wire
                .next_within(self.silence, |bytes| parse_frame(version, bytes))?,
        };
        match seen {
            Seen::Silence(..) => Ok(()),
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// An ERROR next; `expected` says to what.
    pub(super) fn expect_error(&mut self, expected: &str) -> Result<Frame, Stop> {
        match self.next()? {
            Seen::Frame(frame) if frame.is("ERROR") => Ok(frame),
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// An ERROR, or the end of the connection without one: for rules that say
    /// what is wrong but not what the broker answers. MESSAGEs may still be on
    /// their way.
    pub(super) fn expect_refusal(&mut self, expected: &str) -> Result<(), Stop> {
        loop {
            match self.next()? {
                Seen::Frame(frame) if frame.is("MESSAGE") => {}
                Seen::Frame(frame) if frame.is("ERROR") => return Ok(()),
                Seen::Ended(..) => return Ok(()),
                other => return Err(fail(expected, other.to_string())),
            }
        }
    }

    /// An ERROR, and then the end of the connection.
    pub(super) fn expect_error_and_end(&mut self, expected: &str) -> Result<Frame, Stop> {
        let error = self.expect_error(expected)?;
        self.expect_end_after(&error, expected)?;
        Ok(error)
    }

    /// The end of the connection after this ERROR. A broker that stays is asked
    /// something then, so that the case need not wait long to be sure.
    pub(super) fn expect_end_after(&mut self, error: &Frame, expected: &str) -> Result<(), Stop> {
        let version = self.version;
        let parse = |bytes: &[u8]| parse_frame(version, bytes);
        let mut seen = self.wire.next_within(self.silence, parse)?;
        // What was sent may be more than one mistake to the broker.
        while matches!(&seen, Seen::Frame(frame) if frame.is("ERROR")) {
            seen = self.wire.next_within(self.silence, parse)?;
        }
        if matches!(seen, Seen::Silence(..)) {
            self.ask("BEGIN", &[("transaction", "still-there")], b"");
            seen = self.wire.next(parse)?;
        }
        match seen {
            Seen::Ended(..) => Ok(()),
            other => Err(fail(
                expected,
                format!("still open: {other}, after {error}"),
            )),
        }
    }
}

/// What a CONNECT of this version needs, with the target's credentials and
/// virtual host.
pub(super) fn connect_headers<'a>(
    ctx: &'a Context<'_>,
    version: Version,
) -> Vec<(&'static str, &'a str)> {
    let mut headers = Vec::new();
    // 1.0 knows neither header: a client that does not name its versions
    // speaks 1.0. A virtual host has to be named all the same when it is not
    // the one that the broker would take.
    if version > Version::V10 {
        headers.push(("accept-version", version.as_str()));
    }
    let host = ctx.target.profile.host.as_ref();
    let host = host.unwrap_or(&ctx.target.virtual_host);
    if version > Version::V10 || ctx.target.virtual_host != "/" {
        headers.push(("host", host.as_str()));
    }
    headers.extend(credentials(ctx));
    headers
}

/// `login` and `passcode` of the target.
pub(super) fn credentials<'a>(
    ctx: &'a Context<'_>,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let user = ctx.target.user.as_deref().map(|user| ("login", user));
    let password = ctx.target.password.as_deref();
    user.into_iter()
        .chain(password.map(|password| ("passcode", password)))
}

/// Whether the CONNECTED is of this version; 1.0 need not say so.
pub(super) fn speaks(connected: &Frame, version: Version) -> bool {
    match connected.header_text("version") {
        None => version == Version::V10,
        Some(spoken) => spoken == version.as_str(),
    }
}

/// A queue of this case alone.
pub(super) fn queue(ctx: &Context<'_>, hint: &str) -> String {
    format!("/queue/{}", ctx.name(hint))
}

/// That what is left in the queue is these messages and no other, in whatever
/// order: a marker goes in behind them, and a new client takes everything.
pub(super) fn expect_left(
    ctx: &Context<'_>,
    version: Version,
    destination: &str,
    bodies: &[&str],
) -> Result<(), Stop> {
    let expected = format!("in {destination}: exactly {bodies:?}, and the marker");
    let mut client = Client::connected(ctx, version)?;
    client.publish(destination, "marker")?;
    client.subscribe("left", destination, "auto")?;
    let mut missing: Vec<&str> = bodies.to_vec();
    missing.push("marker");
    while !missing.is_empty() {
        let seen = client.take(&expected, |frame| frame.is("MESSAGE"))?;
        match missing.iter().position(|body| body.as_bytes() == seen.body) {
            Some(at) => drop(missing.remove(at)),
            None => return Err(fail(expected, seen.to_string())),
        }
    }
    client.expect_silence(&expected)
}
