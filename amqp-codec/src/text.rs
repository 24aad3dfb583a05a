//! Short strings that a peer may have filled with anything.

use core::fmt;

/// A short string of a content's properties or the name of a table's entry:
/// UTF-8 by the specification (section 4.2.5.3), any bytes in practice.
///
/// RabbitMQ does not look at these bytes and passes them on, and some clients put
/// binary identifiers there. So does this crate: they are kept as they came and
/// looked at when text is asked for. Short strings of methods, such as the name of
/// a queue, are checked and are `&str`.
///
/// ```
/// use amqp_codec::Text;
///
/// assert_eq!(Text::from("text/plain").to_str(), Some("text/plain"));
/// assert_eq!(Text::from("text/plain"), "text/plain");
///
/// let binary = Text::new(b"\xFF\xFEx");
/// assert_eq!(binary.to_str(), None);
/// assert_eq!(binary.as_bytes(), b"\xFF\xFEx");
/// assert_eq!(binary.to_string(), "\u{FFFD}\u{FFFD}x");
/// ```
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// These bytes, whatever they are.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes as on the wire.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text; `None` where the bytes are not UTF-8.
    #[must_use]
    pub fn to_str(self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }

    /// The length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Text<'a> {
    fn from(text: &'a T) -> Self {
        Self(text.as_ref())
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

/// The text, with U+FFFD for what is not UTF-8.
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// The text in quotation marks; bytes that are not UTF-8 are escaped.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_str() {
            Some(text) => text.fmt(f),
            None => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}
