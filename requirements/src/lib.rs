//! What the specifications require, as data, and the map of a crate: which place keeps
//! each requirement, and which test shows it.
//!
//! # The lists
//!
//! [`list`] gives the requirements of a [`Specification`], from a file in `data`. Each is
//! a line, with columns separated by ` | `:
//!
//! ```text
//! MQTT-3.1.2-20 | 3.1.2.10 | MUST | connection | a client with a Keep Alive sends PINGREQ when it sends nothing else
//! MQTT-4.2-1    | 4.2      | MUST | network    | the transport is an ordered, lossless stream of bytes
//! ```
//!
//! The columns are the identifier, the section, the [`Level`], the [`Keeper`], and the
//! requirement in words of our own. A sixth column is there where a codec or connection
//! keeps the requirement and no test can show it: it says why. `#` begins a comment line.
//!
//! # The markers
//!
//! A comment line names requirements just above what keeps them, or shows that they are
//! kept; between the two there may be attributes and comments, but no empty line:
//!
//! ```text
//! // keeps: 5.0 MQTT-3.1.2-20, 3.1.1 MQTT-3.1.2-23,     in src; a list that does not fit
//! // keeps: 5.0 MQTT-3.1.2-21                           goes on in another marker
//! // shows: 5.0 MQTT-3.1.2-20                           above a test, or a row of its table
//! # shows: 5.0 MQTT-3.1.2-20                            in tests/data/*.txt, above a row
//! ```
//!
//! The identifier is the specification's own, so that a search for it finds everything
//! that is about it. MQTT 5.0 and 3.1.1 give the same numbers to different statements, so
//! there the version stands before it: see [`Specification::prefix`].
//!
//! A marker belongs to the function, type or constant below it; above a variant, a row of
//! a table or of a macro, to that row by its first word; inside a function, to the
//! function. Places are named by path, as `connection::KeepAlive::ping` or
//! `tests/keep_alive::a_silent_client_pings`, never by line. Items are told by the
//! indentation that rustfmt gives them.
//!
//! # The map
//!
//! [`Map::read`] collects the markers of a crate. What a table of the crate says already
//! need not be said again: [`Map::keeps_where`], [`Map::row_shows`]. [`Map::problems`]
//! tells what is wrong: a requirement that a codec or a connection can keep without a place
//! or a test, an unknown identifier, a marker above nothing. [`Map::render`] makes a
//! document of it, and [`Map::check`], in a test, sees that the document in the crate is
//! this one:
//!
//! ```no_run
//! use requirements::{Map, Specification};
//!
//! let map = Map::read(env!("CARGO_MANIFEST_DIR"), &[Specification::Mqtt5_0])?;
//! map.check("requirements.md");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! With `UPDATE=1` in the environment it writes the document instead. The same in memory:
//!
//! ```
//! use requirements::{Map, Specification};
//!
//! let mut map = Map::new(&[Specification::Mqtt5_0]);
//! map.source("src/connection/keep_alive.rs", "
//! impl KeepAlive {
//!     /// Whether PINGREQ is due.
//!     // keeps: 5.0 MQTT-3.1.2-20
//!     pub fn is_due(&self) -> bool {
//!         true
//!     }
//! }
//! ");
//! map.source("tests/keep_alive.rs", "
//! // shows: 5.0 MQTT-3.1.2-20
//! #[test]
//! fn a_silent_client_pings() {}
//! ");
//! assert!(map.render().contains(
//!     "kept by `connection::keep_alive::KeepAlive::is_due`<br>\
//!      shown by `tests/keep_alive::a_silent_client_pings`"
//! ));
//! ```

mod document;
mod map;
mod source;

use std::fmt;

pub use map::Map;

/// A specification with a list of requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Specification {
    /// MQTT 5.0, OASIS Standard, 7 March 2019.
    Mqtt5_0,
    /// MQTT 3.1.1, OASIS Standard, 29 October 2014.
    Mqtt3_1_1,
    /// AMQP 0-9-1, 13 November 2008.
    Amqp0_9_1,
    /// STOMP 1.0, 1.1 and 1.2.
    Stomp,
}

impl Specification {
    /// Every specification.
    pub const ALL: [Self; 4] = [Self::Mqtt5_0, Self::Mqtt3_1_1, Self::Amqp0_9_1, Self::Stomp];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt5_0 => "MQTT 5.0",
            Self::Mqtt3_1_1 => "MQTT 3.1.1",
            Self::Amqp0_9_1 => "AMQP 0-9-1",
            Self::Stomp => "STOMP",
        }
    }

    /// What a marker puts before an identifier of this specification: the version and a
    /// space where two versions use the same identifier for different requirements.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Mqtt5_0 => "5.0 ",
            Self::Mqtt3_1_1 => "3.1.1 ",
            Self::Amqp0_9_1 | Self::Stomp => "",
        }
    }

    const fn data(self) -> &'static str {
        match self {
            Self::Mqtt5_0 => include_str!("../data/mqtt-5.0.txt"),
            Self::Mqtt3_1_1 => include_str!("../data/mqtt-3.1.1.txt"),
            Self::Amqp0_9_1 => include_str!("../data/amqp-0-9-1.txt"),
            Self::Stomp => include_str!("../data/stomp.txt"),
        }
    }
}

impl fmt::Display for Specification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Declares an enumeration whose variants are words of a data file.
macro_rules! words {
    ($(#[$attribute:meta])* $name:ident { $( $(#[$doc:meta])* $variant:ident = $word:literal, )* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$doc])* $variant, )* }

        impl $name {
            /// Every variant.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// How strongly a requirement is meant (RFC 2119).
    Level {
        /// It is absolute.
        Must = "MUST",
        /// An absolute prohibition.
        MustNot = "MUST NOT",
        /// There must be a reason not to.
        Should = "SHOULD",
        /// There must be a reason to do it.
        ShouldNot = "SHOULD NOT",
        /// It is an option.
        May = "MAY",
    }
}

words! {
    /// Who can keep a requirement. Where several can, the first in this order.
    Keeper {
        /// Encoder and decoder, who see one packet or frame and know nothing else.
        Codec = "codec",
        /// The protocol's state of one connection, of the client or of the server.
        Connection = "connection",
        /// Who knows every connection, subscription and message.
        Broker = "broker",
        /// Who uses or runs the client or the broker.
        Application = "application",
        /// Who carries the bytes, and who closes the socket.
        Network = "network",
    }
}

impl Keeper {
    /// Whether a codec crate answers for it.
    #[must_use]
    pub const fn is_codec_crate(self) -> bool {
        matches!(self, Self::Codec | Self::Connection)
    }
}

/// A requirement of a specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Who requires it.
    pub specification: Specification,
    /// How the specification names it, unique in its list: `MQTT-3.1.2-20`.
    pub identifier: &'static str,
    /// Where it stands: `3.1.2.10`.
    pub section: &'static str,
    /// How strongly it is meant.
    pub level: Level,
    /// Who can keep it.
    pub keeper: Keeper,
    /// What is required, in words of our own: a clause in one line.
    pub text: &'static str,
    /// Why no test can show it; only of what a codec crate keeps.
    pub not_shown: Option<&'static str>,
}

impl Requirement {
    /// Whether a marker that says `name` means this one: see [`Specification::prefix`].
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        name.strip_prefix(self.specification.prefix()) == Some(self.identifier)
    }
}

/// As a marker names it.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.specification.prefix(), self.identifier)
    }
}

/// The requirements of `specification`, in its order.
///
/// # Panics
///
/// Never: a test reads every list.
#[must_use]
pub fn list(specification: Specification) -> Vec<Requirement> {
    specification
        .data()
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| match parse(specification, line) {
            Ok(requirement) => requirement,
            Err(fault) => panic!("requirements of {specification}: {fault}: {line}"),
        })
        .collect()
}

fn parse(specification: Specification, line: &'static str) -> Result<Requirement, &'static str> {
    let columns: Vec<_> = line.split(" | ").map(str::trim).collect();
    let [identifier, section, level, keeper, text, ref rest @ ..] = columns[..] else {
        return Err("fewer than five columns");
    };
    let not_shown = match *rest {
        [] => None,
        [reason] => Some(reason),
        _ => return Err("more than six columns"),
    };
    let level = Level::ALL.iter().find(|known| known.as_str() == level);
    let keeper = Keeper::ALL.iter().find(|known| known.as_str() == keeper);
    let (Some(&level), Some(&keeper)) = (level, keeper) else {
        return Err("no such level or keeper");
    };
    if not_shown.is_some() && !keeper.is_codec_crate() {
        return Err("a sixth column where nothing has to be shown");
    }
    Ok(Requirement {
        specification,
        identifier,
        section,
        level,
        keeper,
        text,
        not_shown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_identifier_is_unique_and_fits_in_a_marker() {
        for specification in Specification::ALL {
            let mut seen = BTreeSet::new();
            for requirement in list(specification) {
                let identifier = requirement.identifier;
                assert!(
                    seen.insert(identifier),
                    "{identifier} stands twice in {specification}"
                );
                assert!(!identifier.contains(','), "{identifier}");
            }
        }
    }

    #[test]
    fn a_requirement_is_a_clause() {
        for requirement in Specification::ALL.into_iter().flat_map(list) {
            for text in [Some(requirement.text), requirement.not_shown]
                .into_iter()
                .flatten()
            {
                assert!(!text.is_empty() && text.len() <= 160, "{requirement:?}");
                assert!(
                    !text.ends_with('.') && !text.contains('|'),
                    "{requirement:?}"
                );
            }
        }
    }

    /// How many statements the two standards number (5.0 appendix B, 3.1.1 appendix B).
    #[test]
    fn no_statement_of_mqtt_is_left_out() {
        assert_eq!(list(Specification::Mqtt5_0).len(), 251);
        assert_eq!(list(Specification::Mqtt3_1_1).len(), 143);
    }
}
