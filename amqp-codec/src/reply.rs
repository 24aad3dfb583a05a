//! Reply codes: why a channel or a connection is closed (section 1.2 of the
//! specification).

use core::fmt;

macro_rules! reply_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $name:literal $class:ident,)*) => {
        /// A reply code of AMQP 0-9-1, section 1.2, with 312 as in erratum 17.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum ReplyCode {
            $($(#[$doc])* $variant = $code,)*
        }

        impl ReplyCode {
            /// Every code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code of this number, if the specification knows one.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name as reply texts carry it: `NOT_FOUND`.
            // keeps: section 1.4.1 / names
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Whether it closes the connection; a soft error closes only its channel.
            #[must_use]
            pub const fn is_hard(self) -> bool {
                match self {
                    $(Self::$variant => reply_codes!(@$class),)*
                }
            }
        }
    };
    (@hard) => { true };
    (@soft) => { false };
}

reply_codes! {
    /// The close is not an error.
    Success = 200 "OK" soft,
    /// The content is larger than the peer accepts.
    ContentTooLarge = 311 "CONTENT_TOO_LARGE" soft,
    /// A mandatory content has no queue to go to.
    NoRoute = 312 "NO_ROUTE" soft,
    /// An immediate content has no consumer to go to.
    NoConsumers = 313 "NO_CONSUMERS" soft,
    /// An operator closed the connection.
    ConnectionForced = 320 "CONNECTION_FORCED" hard,
    /// The virtual host is unknown.
    InvalidPath = 402 "INVALID_PATH" hard,
    /// The peer may not do that.
    AccessRefused = 403 "ACCESS_REFUSED" soft,
    /// No such entity.
    NotFound = 404 "NOT_FOUND" soft,
    /// Another connection holds the entity for itself.
    ResourceLocked = 405 "RESOURCE_LOCKED" soft,
    /// A condition that the method rests on does not hold.
    PreconditionFailed = 406 "PRECONDITION_FAILED" soft,
    /// A frame that cannot be decoded.
    FrameError = 501 "FRAME_ERROR" hard,
    /// A field with a value that is not legal.
    SyntaxError = 502 "SYNTAX_ERROR" hard,
    /// A method that is not valid here.
    CommandInvalid = 503 "COMMAND_INVALID" hard,
    /// A channel that is not open, or open already.
    ChannelError = 504 "CHANNEL_ERROR" hard,
    /// A frame that was not expected, as one that breaks into a content.
    UnexpectedFrame = 505 "UNEXPECTED_FRAME" hard,
    /// A limit was reached.
    ResourceError = 506 "RESOURCE_ERROR" hard,
    /// The peer may not do that, by the rules rather than by its rights.
    NotAllowed = 530 "NOT_ALLOWED" hard,
    /// Not implemented.
    NotImplemented = 540 "NOT_IMPLEMENTED" hard,
    /// A fault of the answering side.
    InternalError = 541 "INTERNAL_ERROR" hard,
}

impl ReplyCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }
}

impl TryFrom<u16> for ReplyCode {
    /// The number, which the specification does not know.
    type Error = u16;

    fn try_from(code: u16) -> Result<Self, u16> {
        Self::from_code(code).ok_or(code)
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The constants of the specification's XML with their `class`, and 312 of erratum 17.
    // shows: section 1.4.1 / names
    #[test]
    fn codes_and_classes_are_the_specifications() {
        let soft = [200, 311, 312, 313, 403, 404, 405, 406];
        let hard = [320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541];
        for code in 0..=u16::MAX {
            let known = ReplyCode::from_code(code);
            assert_eq!(
                known.is_some(),
                soft.contains(&code) || hard.contains(&code),
                "{code}"
            );
            if let Some(known) = known {
                assert_eq!(known.code(), code);
                assert_eq!(known.is_hard(), hard.contains(&code), "{code}");
            }
        }
        assert!(ReplyCode::ALL.is_sorted());
        assert_eq!(ReplyCode::ALL.len(), soft.len() + hard.len());
    }
}
