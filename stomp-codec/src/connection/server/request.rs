//! The headers of a client's frame that a server acts on.

use alloc::borrow::Cow;

use crate::version::Syntax;
use crate::{Command, ConnectionError, DecodeError, Frame, Version, escape};

/// The headers that mean something to a server once the session is open, found
/// in one pass. Of repeated ones the first.
#[derive(Default)]
pub(super) struct Known<'a> {
    pub(super) destination: Option<Cow<'a, str>>,
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) ack: Option<Cow<'a, str>>,
    pub(super) message_id: Option<Cow<'a, str>>,
    pub(super) subscription: Option<Cow<'a, str>>,
    pub(super) transaction: Option<Cow<'a, str>>,
    pub(super) receipt: Option<Cow<'a, str>>,
}

impl<'a> Known<'a> {
    pub(super) fn of(frame: &Frame<'a>) -> Self {
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

    pub(super) fn require(
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

/// The receipt that a frame asks for whose decoding failed, if the header came
/// before the error ("the ERROR frame SHOULD set the receipt-id header").
pub(super) fn receipt_before(
    frame: &[u8],
    error: DecodeError,
    syntax: Syntax,
) -> Option<Cow<'_, str>> {
    let good = frame.get(..error.offset)?;
    let mut lines = good.split_inclusive(|&byte| byte == b'\n').skip(1);
    let value = lines
        .by_ref()
        .take_while(|line| !matches!(line, [b'\n'] | [b'\r', b'\n']))
        .find_map(|line| line.strip_prefix(b"receipt:")?.strip_suffix(b"\n"))?;
    let value = value
        .strip_suffix(b"\r")
        .filter(|_| syntax.crlf)
        .unwrap_or(value);
    let value = core::str::from_utf8(value).ok()?;
    let value = if syntax.trim {
        escape::trim(value)
    } else {
        value
    };
    let defined = escape::undefined_escape(syntax.escapes, value.as_bytes()).is_none();
    defined.then(|| escape::unescape(syntax.escapes, value))
}
