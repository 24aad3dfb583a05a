//! Users, and who may come in.

use alloc::collections::BTreeMap;
use alloc::string::String;

/// The users of the broker.
#[derive(Debug)]
pub(crate) struct Rights {
    passwords: BTreeMap<String, String>,
}

impl Rights {
    pub(crate) fn new(passwords: BTreeMap<String, String>) -> Self {
        Rights { passwords }
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
