//! What is written of the limits of users and virtual hosts.

use alloc::vec::Vec;

use super::field::{Fields, Malformed, put_number, put_option, put_text};
use crate::model::change::KeptLimits;

pub(super) fn put_limits(out: &mut Vec<u8>, limits: &KeptLimits) {
    let KeptLimits {
        user,
        connections,
        others,
    } = limits;
    put_option(out, user.as_deref(), put_text);
    for count in [connections, others] {
        put_option(out, count.map(u64::from), put_number);
    }
}

impl Fields {
    pub(super) fn limits(&mut self) -> Result<KeptLimits, Malformed> {
        let user = self.option(Self::text)?;
        let mut count = || {
            let count = self.option(Self::number)?;
            let count = count.map(|count| u32::try_from(count).map_err(|_| Malformed));
            count.transpose()
        };
        Ok(KeptLimits {
            user,
            connections: count()?,
            others: count()?,
        })
    }
}
