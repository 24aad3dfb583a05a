//! What `Debug` shows in the place of a secret.

use core::fmt;

/// A password or authentication data: it is there, and not shown.
pub(crate) struct Secret;

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}
