//! What an example is asked to do.

use crate::Outcome;

/// `ADDRESS [VERSION] [USER PASSWORD]`.
pub(crate) struct Arguments {
    pub(crate) address: String,
    #[allow(dead_code, reason = "there may be no choice")]
    pub(crate) version: Option<String>,
    pub(crate) user: Option<(String, String)>,
}

impl Arguments {
    pub(crate) fn parse(given: impl Iterator<Item = String>) -> Outcome<Self> {
        let given: Vec<String> = given.collect();
        let (address, version, user) = match &given[..] {
            [address] => (address, None, None),
            [address, version] => (address, Some(version), None),
            [address, name, password] => (address, None, Some((name, password))),
            [address, version, name, password] => (address, Some(version), Some((name, password))),
            _ => return Err("usage: ADDRESS [VERSION] [USER PASSWORD]".into()),
        };
        Ok(Self {
            address: address.clone(),
            version: version.cloned(),
            user: user.map(|(name, password)| (name.clone(), password.clone())),
        })
    }
}
