//! The commands, and what each version says of each, as a table.

use core::fmt;
use core::str::FromStr;

use crate::{ParseError, Version};

/// The command of a frame.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Command {
    /// `CONNECT`: opens the session (client).
    Connect,
    /// `STOMP`: the same as CONNECT, since 1.1 (client).
    Stomp,
    /// `SEND`: a message for a destination (client).
    Send,
    /// `SUBSCRIBE`: asks for the messages of a destination (client).
    Subscribe,
    /// `UNSUBSCRIBE`: ends a subscription (client).
    Unsubscribe,
    /// `ACK`: a message was consumed (client).
    Ack,
    /// `NACK`: a message was not consumed, since 1.1 (client).
    Nack,
    /// `BEGIN`: starts a transaction (client).
    Begin,
    /// `COMMIT`: ends a transaction and makes it happen (client).
    Commit,
    /// `ABORT`: ends a transaction and forgets it (client).
    Abort,
    /// `DISCONNECT`: ends the session (client).
    Disconnect,
    /// `CONNECTED`: the session is open (server).
    Connected,
    /// `MESSAGE`: a message of a subscription (server).
    Message,
    /// `RECEIPT`: a frame of the client was processed (server).
    Receipt,
    /// `ERROR`: something went wrong; the connection closes (server).
    Error,
}

/// Who sends a frame.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SentBy {
    /// The end that opens the connection.
    Client,
    /// The end that accepts the connection.
    Server,
}

/// Which versions let a command have a body.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Body {
    /// Every version.
    Yes,
    /// 1.1 and 1.2 forbid it. 1.0 has no such rule, and says of SUBSCRIBE that
    /// its body is ignored.
    Ignored,
    /// No version: 1.0 says that it is empty.
    No,
}

struct Row {
    command: Command,
    name: &'static str,
    since: Version,
    sent_by: SentBy,
    body: Body,
    /// The headers that must be there, in 1.0, 1.1 and 1.2 ("Frames and
    /// Headers" of 1.2, and the section of each frame).
    required: [&'static [&'static str]; 3],
}

const fn row(
    command: Command,
    name: &'static str,
    since: Version,
    sent_by: SentBy,
    body: Body,
    required: [&'static [&'static str]; 3],
) -> Row {
    Row {
        command,
        name,
        since,
        sent_by,
        body,
        required,
    }
}

const NONE: [&[&str]; 3] = [&[], &[], &[]];
const OPENING: [&[&str]; 3] = [
    &[],
    &["accept-version", "host"],
    &["accept-version", "host"],
];
const TRANSACTION: [&[&str]; 3] = [&["transaction"], &["transaction"], &["transaction"]];

use Body::{Ignored, No, Yes};
use Command as C;
use SentBy::{Client, Server};
use Version::{V1_0, V1_1};

/// In the order of [`Command`].
#[rustfmt::skip]
const TABLE: [Row; 15] = [
    row(C::Connect, "CONNECT", V1_0, Client, No, OPENING),
    row(C::Stomp, "STOMP", V1_1, Client, No, OPENING),
    row(C::Send, "SEND", V1_0, Client, Yes,
        [&["destination"], &["destination"], &["destination"]]),
    row(C::Subscribe, "SUBSCRIBE", V1_0, Client, Ignored,
        [&["destination"], &["destination", "id"], &["destination", "id"]]),
    // 1.0 wants `destination` or `id`.
    row(C::Unsubscribe, "UNSUBSCRIBE", V1_0, Client, Ignored,
        [&[], &["id"], &["id"]]),
    row(C::Ack, "ACK", V1_0, Client, Ignored,
        [&["message-id"], &["message-id", "subscription"], &["id"]]),
    row(C::Nack, "NACK", V1_1, Client, No,
        [&[], &["message-id", "subscription"], &["id"]]),
    row(C::Begin, "BEGIN", V1_0, Client, Ignored, TRANSACTION),
    row(C::Commit, "COMMIT", V1_0, Client, Ignored, TRANSACTION),
    row(C::Abort, "ABORT", V1_0, Client, Ignored, TRANSACTION),
    row(C::Disconnect, "DISCONNECT", V1_0, Client, Ignored, NONE),
    row(C::Connected, "CONNECTED", V1_0, Server, Ignored,
        [&[], &["version"], &["version"]]),
    row(C::Message, "MESSAGE", V1_0, Server, Yes,
        [&["destination", "message-id"], &["destination", "message-id", "subscription"],
         &["destination", "message-id", "subscription"]]),
    row(C::Receipt, "RECEIPT", V1_0, Server, No,
        [&["receipt-id"], &["receipt-id"], &["receipt-id"]]),
    row(C::Error, "ERROR", V1_0, Server, Yes, NONE),
];

/// Rows of the table by the [`slot`] of their name.
const BY_NAME: [u8; 64] = {
    let mut rows = [u8::MAX; 64];
    let mut row = 0;
    while row < TABLE.len() {
        if let Some(slot) = slot(TABLE[row].name.as_bytes()) {
            assert!(rows[slot] == u8::MAX, "two commands have one slot");
            rows[slot] = row as u8;
        }
        row += 1;
    }
    // What is left over holds any row: the name is compared.
    let mut slot = 0;
    while slot < rows.len() {
        if rows[slot] == u8::MAX {
            rows[slot] = 0;
        }
        slot += 1;
    }
    rows
};

/// A number below 64 that no two commands share.
const fn slot(name: &[u8]) -> Option<usize> {
    match name {
        [first, ..] => Some((*first as usize + 6 * name.len()) % 64),
        [] => None,
    }
}

impl Command {
    /// All commands of all versions.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.command)
    }

    const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The command as it is on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The command that these bytes are. Case counts.
    // keeps: stomp12/grammar/commands, stomp11/grammar/commands, stomp10/grammar/commands,
    // keeps: stomp12/frames/case-sensitive, stomp11/frames/case-sensitive,
    // keeps: stomp12/server-frames/commands, stomp11/server-frames/commands,
    // keeps: stomp10/server-frames/commands
    #[must_use]
    pub fn from_bytes(name: &[u8]) -> Option<Self> {
        let row = &TABLE[usize::from(BY_NAME[slot(name)?])];
        (row.name.as_bytes() == name).then_some(row.command)
    }

    /// The first version that has this command.
    #[must_use]
    pub const fn since(self) -> Version {
        self.row().since
    }

    /// Who sends it.
    #[must_use]
    pub const fn sent_by(self) -> SentBy {
        self.row().sent_by
    }

    /// Whether a frame may have a body ("Body" in 1.2): SEND, MESSAGE and ERROR
    /// always; in 1.0, which has no such rule, most others too.
    // keeps: stomp12/body/allowed, stomp11/body/allowed, stomp10/body/of-subscribe,
    // keeps: stomp10/body/of-receipt
    #[must_use]
    pub const fn may_have_body(self, version: Version) -> bool {
        match self.row().body {
            Yes => true,
            Ignored => matches!(version, V1_0),
            No => false,
        }
    }

    /// Whether the body means something: SEND, MESSAGE and ERROR.
    #[must_use]
    pub const fn has_body(self) -> bool {
        matches!(self.row().body, Yes)
    }

    /// The headers without which a frame is wrong.
    #[must_use]
    pub const fn required_headers(self, version: Version) -> &'static [&'static str] {
        self.row().required[version as usize]
    }

    /// Whether 1.1 and 1.2 escape its headers: all but CONNECT and CONNECTED
    /// ("Value Encoding"). STOMP is escaped: the text names the two exceptions,
    /// and clients that send STOMP do escape it.
    // keeps: stomp12/header-encoding/connect-unescaped, stomp11/header-encoding/connect-unescaped
    #[must_use]
    pub const fn is_escaped(self) -> bool {
        !matches!(self, Self::Connect | Self::Connected)
    }
}

/// The command that the text is. Case counts.
impl FromStr for Command {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        Self::from_bytes(name.as_bytes()).ok_or(ParseError)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.command as usize, index, "{}", row.name);
            assert_eq!(Command::from_bytes(row.name.as_bytes()), Some(row.command));
        }
        assert_eq!(Command::from_bytes(b"send"), None);
        assert_eq!(Command::from_bytes(b""), None);
    }
}
