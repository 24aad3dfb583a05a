//! The three versions of the protocol, and what differs between them on the
//! wire, as data.

use core::fmt;
use core::str::FromStr;

use crate::ParseError;

/// A version of the protocol.
///
/// Versions are ordered: a later one is greater.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Version {
    /// STOMP 1.0.
    V1_0,
    /// STOMP 1.1.
    V1_1,
    /// STOMP 1.2.
    V1_2,
}

impl Version {
    /// All versions, the oldest first.
    pub const ALL: [Self; 3] = [Self::V1_0, Self::V1_1, Self::V1_2];

    /// The version as the headers `accept-version` and `version` write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    /// The version as the name of a WebSocket sub-protocol, which the header
    /// `Sec-WebSocket-Protocol` lists.
    ///
    /// ```
    /// use stomp_codec::Version;
    ///
    /// // A client offers what it speaks, and a server takes the highest.
    /// let offered = "v10.stomp, v11.stomp, v12.stomp, chat";
    /// let names = offered.split(',').map(str::trim);
    /// let version = names.filter_map(Version::parse_subprotocol).max();
    /// assert_eq!(version, Some(Version::V1_2));
    /// assert_eq!(Version::V1_2.subprotocol(), "v12.stomp");
    /// ```
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::V1_0 => "v10.stomp",
            Self::V1_1 => "v11.stomp",
            Self::V1_2 => "v12.stomp",
        }
    }

    /// The version that a WebSocket sub-protocol stands for. Case counts.
    #[must_use]
    pub fn parse_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.subprotocol() == name)
    }

    pub(crate) const fn syntax(self) -> Syntax {
        SYNTAX[self as usize]
    }
}

/// Reads the version as the headers `accept-version` and `version` write it.
impl FromStr for Version {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        let version = Self::ALL.into_iter().find(|v| v.as_str() == name);
        version.ok_or(ParseError)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which escapes a header may hold (1.1 and 1.2, "Value Encoding").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Escapes {
    /// A backslash is a backslash: all of 1.0; CONNECT and CONNECTED always.
    None,
    /// `\n`, `\c`, `\\`.
    V1_1,
    /// `\r`, `\n`, `\c`, `\\`.
    V1_2,
}

/// How header lines are written in a version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Syntax {
    /// The version whose commands and bodies are allowed.
    pub(crate) version: Version,
    /// A line may end with CR LF (1.2, "STOMP Frames"); in 1.0 and 1.1 a CR
    /// before the LF belongs to the line.
    pub(crate) crlf: bool,
    /// A CR elsewhere than before LF is an error: 1.2 has an escape for it and
    /// its grammar keeps it out of names and values.
    pub(crate) bare_cr_is_error: bool,
    /// Blanks around names and values are not part of them. 1.0 shows padding
    /// in its examples (`ack: client`), so its peers pad; 1.1 and 1.2 MUST
    /// never trim.
    pub(crate) trim: bool,
    /// The same for the value of `content-length`, whose meaning cannot wait until
    /// the version is known.
    pub(crate) trim_content_length: bool,
    pub(crate) escapes: Escapes,
}

// keeps: stomp12/header-encoding/no-trimming, stomp11/header-encoding/no-trimming,
// keeps: stomp10/header-encoding/padding
const SYNTAX: [Syntax; 3] = [
    Syntax {
        version: Version::V1_0,
        crlf: false,
        bare_cr_is_error: false,
        trim: true,
        trim_content_length: true,
        escapes: Escapes::None,
    },
    Syntax {
        version: Version::V1_1,
        crlf: false,
        bare_cr_is_error: false,
        trim: false,
        trim_content_length: false,
        escapes: Escapes::V1_1,
    },
    Syntax {
        version: Version::V1_2,
        crlf: true,
        bare_cr_is_error: true,
        trim: false,
        trim_content_length: false,
        escapes: Escapes::V1_2,
    },
];

impl Syntax {
    /// For the frame that opens a connection, read by a server before any
    /// version is agreed on. A client of 1.2 may end its lines with CR LF; only
    /// a STOMP frame, which 1.0 does not know, can hold escapes.
    pub(crate) const FIRST_FROM_CLIENT: Self = Self {
        version: Version::V1_2,
        crlf: true,
        bare_cr_is_error: false,
        trim: false,
        trim_content_length: true,
        escapes: Escapes::V1_2,
    };

    /// For the frame that answers it, read by a client before it knows the
    /// version. CONNECTED is never escaped; an ERROR may come from a server
    /// that only speaks 1.0, so that its backslashes are left alone.
    pub(crate) const FIRST_FROM_SERVER: Self = Self {
        version: Version::V1_2,
        crlf: true,
        bare_cr_is_error: false,
        trim: false,
        trim_content_length: true,
        escapes: Escapes::None,
    };

    /// The same for a command: CONNECT and CONNECTED are never escaped.
    pub(crate) const fn of(mut self, command: crate::Command) -> Self {
        if !command.is_escaped() {
            self.escapes = Escapes::None;
            self.bare_cr_is_error = false;
        }
        self
    }
}
