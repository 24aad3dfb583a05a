//! Strings that are checked once, where they are made or decoded, and not again where they
//! are encoded.

use core::fmt;
use core::ops::Deref;

use crate::{Rule, StringError, wire};

macro_rules! checked_string {
    ($( #[$doc:meta] )* $name:ident) => {
        $( #[$doc] )*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            /// A string that has been checked to be one.
            #[inline]
            pub(crate) const fn checked(string: &'a str) -> Self {
                Self(string)
            }

            /// Encoded length in bytes.
            #[inline]
            pub(crate) const fn encoded_len(&self) -> usize {
                2 + self.0.len()
            }

            /// The string.
            #[must_use]
            #[inline]
            pub const fn as_str(&self) -> &'a str {
                self.0
            }
        }

        impl Deref for $name<'_> {
            type Target = str;

            #[inline]
            fn deref(&self) -> &str {
                self.0
            }
        }

        impl AsRef<str> for $name<'_> {
            fn as_ref(&self) -> &str {
                self.0
            }
        }

        impl<'a> TryFrom<&'a str> for $name<'a> {
            type Error = StringError;

            fn try_from(string: &'a str) -> Result<Self, StringError> {
                Self::new(string)
            }
        }

        impl<'a> From<$name<'a>> for &'a str {
            fn from(string: $name<'a>) -> Self {
                string.0
            }
        }

        impl PartialEq<str> for $name<'_> {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name<'_> {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.0, f)
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.0)
            }
        }
    };
}

checked_string! {
    /// A UTF-8 Encoded String (section 1.5.4): no U+0000, and 65,535 bytes at most.
    ///
    /// ```
    /// use mqtt_codec::Utf8String;
    ///
    /// let user_name = Utf8String::new("alice")?;
    /// assert_eq!(user_name, "alice");
    /// assert!(Utf8String::new("ali\0ce").is_err());
    /// # Ok::<(), mqtt_codec::StringError>(())
    /// ```
    Utf8String
}

checked_string! {
    /// A Topic Name (section 4.7): no wildcard characters and no U+0000, and 65,535 bytes
    /// at most.
    ///
    /// ```
    /// use mqtt_codec::TopicName;
    ///
    /// let name = TopicName::new("station/12")?;
    /// assert_eq!(name, "station/12");
    /// assert!(TopicName::new("station/+").is_err());
    /// # Ok::<(), mqtt_codec::StringError>(())
    /// ```
    TopicName
}

impl<'a> Utf8String<'a> {
    /// The empty string.
    pub const EMPTY: Self = Self("");

    /// Checks a string.
    ///
    /// # Errors
    /// When it has U+0000, or more than 65,535 bytes.
    #[inline]
    pub fn new(string: &'a str) -> Result<Self, StringError> {
        check_length(string)?;
        if wire::contains_null(string.as_bytes()) {
            return Err(StringError::Rule(Rule::Utf8Null));
        }
        Ok(Self(string))
    }
}

impl<'a> TopicName<'a> {
    /// No name: a Topic Alias stands for it (5.0 section 3.3.2.3.4).
    pub const EMPTY: Self = Self("");

    /// Checks a string.
    ///
    /// # Errors
    /// When it is empty, has a wildcard character or U+0000, or has more than 65,535 bytes.
    // keeps: 5.0 MQTT-4.7.0-1, 5.0 MQTT-4.7.3-2, 5.0 MQTT-4.7.3-3
    // keeps: 3.1.1 MQTT-4.7.1-1, 3.1.1 MQTT-4.7.3-2, 3.1.1 MQTT-4.7.3-3
    #[inline]
    pub fn new(name: &'a str) -> Result<Self, StringError> {
        check_length(name)?;
        if name.is_empty() || wire::contains_null_or_wildcard(name.as_bytes()) {
            return Err(StringError::Rule(name_rule(name)));
        }
        Ok(Self(name))
    }
}

impl<'a> From<TopicName<'a>> for Utf8String<'a> {
    fn from(name: TopicName<'a>) -> Self {
        Self(name.0)
    }
}

#[inline]
fn check_length(string: &str) -> Result<(), StringError> {
    if string.len() > usize::from(u16::MAX) {
        return Err(StringError::TooLong {
            length: string.len(),
        });
    }
    Ok(())
}

/// What is wrong with a Topic Name.
#[cold]
fn name_rule(name: &str) -> Rule {
    if name.is_empty() {
        Rule::TopicNameEmpty
    } else if wire::contains_wildcard(name.as_bytes()) {
        Rule::TopicNameWildcard
    } else {
        Rule::Utf8Null
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    // shows: 5.0 MQTT-3.3.2-2, 5.0 MQTT-4.7.0-1, 5.0 MQTT-4.7.3-1, 5.0 MQTT-4.7.3-2
    // shows: 3.1.1 MQTT-3.3.2-2, 3.1.1 MQTT-4.7.1-1, 3.1.1 MQTT-4.7.3-1, 3.1.1 MQTT-4.7.3-2
    #[test]
    fn topic_names() {
        for (name, expected) in [
            ("a", Ok("a")),
            ("/", Ok("/")),
            ("$SYS/x", Ok("$SYS/x")),
            ("a b/ü", Ok("a b/ü")),
            ("", Err(StringError::Rule(Rule::TopicNameEmpty))),
            ("a/+", Err(StringError::Rule(Rule::TopicNameWildcard))),
            ("a#", Err(StringError::Rule(Rule::TopicNameWildcard))),
            ("a\0b", Err(StringError::Rule(Rule::Utf8Null))),
        ] {
            assert_eq!(TopicName::new(name).map(|name| name.as_str()), expected);
        }
    }

    // shows: 5.0 MQTT-1.5.4-2, 3.1.1 MQTT-1.5.3-2
    #[test]
    fn strings() {
        for (string, expected) in [
            ("", Ok("")),
            ("+/#", Ok("+/#")),
            ("\u{FEFF}", Ok("\u{FEFF}")),
            ("a\0", Err(StringError::Rule(Rule::Utf8Null))),
        ] {
            assert_eq!(Utf8String::new(string).map(|it| it.as_str()), expected);
        }
    }

    // shows: 5.0 MQTT-4.7.3-3, 3.1.1 MQTT-4.7.3-3
    #[test]
    fn neither_has_more_than_65535_bytes() {
        let longest = "x".repeat(65_535);
        assert!(Utf8String::new(&longest).is_ok() && TopicName::new(&longest).is_ok());
        // Half as many characters, and one more.
        let longer: String = "ü".repeat(32_768);
        let error = StringError::TooLong { length: 65_536 };
        assert_eq!(Utf8String::new(&longer), Err(error));
        assert_eq!(TopicName::new(&longer), Err(error));
    }
}
