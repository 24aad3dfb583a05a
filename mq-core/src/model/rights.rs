//! Users, and who may come in.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::message::Name;
use super::refusal::Refusal;
use super::request::Credentials;

/// The users of the broker.
#[derive(Debug)]
pub(crate) struct Rights {
    passwords: BTreeMap<String, String>,
    /// Who gives no credentials may come in, as [`ANONYMOUS`].
    allow_anonymous: bool,
}

/// The user that nobody in particular is.
const ANONYMOUS: &str = "guest";

impl Rights {
    pub(crate) fn new(passwords: BTreeMap<String, String>, allow_anonymous: bool) -> Self {
        Rights {
            passwords,
            allow_anonymous,
        }
    }

    /// The user who comes in with these credentials. Why one does not is for the people
    /// who run the broker, and for no client.
    pub(super) fn user(&self, credentials: Option<Credentials>) -> Result<Name, Refusal> {
        let refused = match credentials {
            None if self.allow_anonymous => return Ok(Name::from(ANONYMOUS)),
            None => "nobody comes in without a user",
            Some(Credentials { user, password }) => match self.passwords.get(&*user) {
                Some(_) if self.accepts(&user, &password) => return Ok(user),
                Some(_) => "the password is wrong",
                None => "there is no such user",
            },
        };
        Err(Refusal::access_refused(format_args!("{refused}")))
    }

    /// Whether the password is the user's.
    pub(crate) fn accepts(&self, user: &str, password: &[u8]) -> bool {
        self.passwords
            .get(user)
            .is_some_and(|expected| same_bytes(expected.as_bytes(), password))
    }
}

/// Compares without telling by its time where two secrets differ.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y)) == 0
}
