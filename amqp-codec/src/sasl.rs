//! The responses of the SASL mechanisms that AMQP brokers know.
//!
//! - PLAIN (RFC 4616): [`Plain`].
//! - AMQPLAIN (RabbitMQ): [`AmqPlain`].
//! - EXTERNAL (RFC 4422, appendix A): the response is the identity to be, in
//!   UTF-8, and as a rule empty; who it is the transport knows.

use alloc::vec::Vec;
use core::fmt;

use crate::{DecodeError, EncodeError, FieldValue, Limits, Table, TableBuf};

/// The response of PLAIN: an identity to be, a user, a password, with zero
/// bytes between.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Plain<'a> {
    /// The identity to be; as a rule empty, for the user's own.
    pub authorization_identity: &'a str,
    /// The user.
    pub username: &'a str,
    /// The password.
    pub password: &'a [u8],
}

impl<'a> Plain<'a> {
    /// Reads a response; `None` when it is no PLAIN response.
    ///
    /// ```
    /// use amqp_codec::sasl::Plain;
    ///
    /// let plain = Plain::parse(b"\0guest\0secret").unwrap();
    /// assert_eq!((plain.username, plain.password), ("guest", &b"secret"[..]));
    /// ```
    #[must_use]
    pub fn parse(response: &'a [u8]) -> Option<Self> {
        let mut parts = response.splitn(3, |byte| *byte == 0);
        Some(Self {
            authorization_identity: core::str::from_utf8(parts.next()?).ok()?,
            username: core::str::from_utf8(parts.next()?).ok()?,
            password: parts.next()?,
        })
    }

    /// The response to send. Identity and user cannot hold a zero byte; that
    /// they do not is the caller's to know.
    #[must_use]
    pub fn to_response(&self) -> Vec<u8> {
        [
            self.authorization_identity.as_bytes(),
            &[0],
            self.username.as_bytes(),
            &[0],
            self.password,
        ]
        .concat()
    }
}

impl fmt::Debug for Plain<'_> {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PLAIN as {:?}", self.username)
    }
}

/// The response of AMQPLAIN: `LOGIN` and `PASSWORD` as the entries of a field
/// table, without the table's length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AmqPlain<'a> {
    /// The user.
    pub username: &'a str,
    /// The password.
    pub password: &'a [u8],
}

impl<'a> AmqPlain<'a> {
    /// Reads a response; `None` in it when an entry is missing.
    ///
    /// # Errors
    /// When the response is no field table.
    pub fn parse(response: &'a [u8], limits: &Limits) -> Result<Option<Self>, DecodeError> {
        let table = Table::decode(response, limits)?;
        let entry = |name| table.get(name);
        Ok(match (entry("LOGIN"), entry("PASSWORD")) {
            (Some(FieldValue::LongString(login)), Some(FieldValue::LongString(password))) => {
                core::str::from_utf8(login)
                    .ok()
                    .map(|username| Self { username, password })
            }
            _ => None,
        })
    }

    /// The response to send.
    ///
    /// # Errors
    /// When they are over 4 GiB.
    pub fn to_response(&self) -> Result<Vec<u8>, EncodeError> {
        let mut table = TableBuf::new();
        table.insert("LOGIN", self.username)?;
        table.insert("PASSWORD", self.password)?;
        Ok(table.as_table().as_bytes().to_vec())
    }
}

impl fmt::Debug for AmqPlain<'_> {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AMQPLAIN as {:?}", self.username)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_has_three_parts() {
        type Parts<'a> = (&'a str, &'a str, &'a [u8]);
        let rows: &[(&[u8], Option<Parts<'_>>)] = &[
            (b"\0guest\0guest", Some(("", "guest", b"guest"))),
            (b"other\0user\0pass", Some(("other", "user", b"pass"))),
            (b"\0\0", Some(("", "", b""))),
            // A password may hold anything.
            (b"\0u\0p\0q\xff", Some(("", "u", b"p\0q\xff"))),
            (b"", None),
            (b"guest", None),
            (b"guest\0guest", None),
            (b"\0\xff\0p", None),
        ];
        for (response, expected) in rows {
            let parsed = Plain::parse(response);
            let parts = parsed.map(|p| (p.authorization_identity, p.username, p.password));
            assert_eq!(parts, *expected, "{response:?}");
            if let Some(parsed) = parsed {
                assert_eq!(parsed.to_response(), *response);
                assert!(!alloc::format!("{parsed:?}").contains("pass"));
            }
        }
    }

    #[test]
    fn amqplain_is_a_table_without_length() {
        let response = b"\x05LOGINS\x00\x00\x00\x05guest\x08PASSWORDS\x00\x00\x00\x03\x00p\xff";
        let parsed = AmqPlain::parse(response, &Limits::DEFAULT)
            .unwrap()
            .unwrap();
        assert_eq!(
            (parsed.username, parsed.password),
            ("guest", &b"\0p\xff"[..])
        );
        assert_eq!(parsed.to_response().unwrap(), response);

        let missing = b"\x05LOGINS\x00\x00\x00\x05guest";
        assert_eq!(AmqPlain::parse(missing, &Limits::DEFAULT), Ok(None));
        let not_text = b"\x05LOGINt\x01\x08PASSWORDS\x00\x00\x00\x00";
        assert_eq!(AmqPlain::parse(not_text, &Limits::DEFAULT), Ok(None));
        assert!(AmqPlain::parse(b"\0guest\0guest", &Limits::DEFAULT).is_err());
    }
}
