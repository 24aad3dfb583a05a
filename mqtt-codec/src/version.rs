//! The protocol version of a connection.

use core::fmt;
use core::str::FromStr;

use crate::ParseError;

/// Which MQTT a connection speaks. The Protocol Version byte of CONNECT says it
/// (5.0 section 3.1.2.2), for the whole connection and for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ProtocolVersion {
    /// MQTT 3.1, whose protocol name is `MQIsdp`.
    V3_1 = 3,
    /// MQTT 3.1.1 (OASIS, 2014).
    V3_1_1 = 4,
    /// MQTT 5.0 (OASIS, 2019).
    V5_0 = 5,
}

impl ProtocolVersion {
    /// Every version, oldest first.
    pub const ALL: [Self; 3] = [Self::V3_1, Self::V3_1_1, Self::V5_0];

    /// The Protocol Name that CONNECT carries (section 3.1.2.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V3_1 => "MQIsdp",
            Self::V3_1_1 | Self::V5_0 => "MQTT",
        }
    }

    /// The Protocol Version byte that CONNECT carries (section 3.1.2.2).
    #[must_use]
    pub const fn level(self) -> u8 {
        self as u8
    }

    /// The version with this Protocol Version byte.
    #[must_use]
    pub const fn from_level(level: u8) -> Option<Self> {
        match level {
            3 => Some(Self::V3_1),
            4 => Some(Self::V3_1_1),
            5 => Some(Self::V5_0),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::V3_1 => "3.1",
            Self::V3_1_1 => "3.1.1",
            Self::V5_0 => "5.0",
        }
    }

    /// Whether packets carry properties and reason codes: 5.0 only.
    #[must_use]
    pub const fn has_properties(self) -> bool {
        matches!(self, Self::V5_0)
    }
}

/// Reads the version as its `Display` writes it: `3.1`, `3.1.1`, `5.0`.
impl FromStr for ProtocolVersion {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        let version = Self::ALL
            .into_iter()
            .find(|version| version.as_str() == name);
        version.ok_or(ParseError)
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
