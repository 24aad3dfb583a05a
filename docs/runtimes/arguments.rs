//! What an example is asked to do.

use crate::Outcome;

/// `RUNTIME ADDRESS [VERSION] [USER PASSWORD]`.
pub(crate) struct Arguments {
    pub(crate) runtime: String,
    pub(crate) address: String,
    #[allow(dead_code, reason = "there may be no choice")]
    pub(crate) version: Option<String>,
    pub(crate) user: Option<(String, String)>,
}

impl Arguments {
    pub(crate) fn parse() -> Outcome<Self> {
        let mut given: Vec<String> = std::env::args().skip(1).collect();
        let user = match given.len() {
            4.. => given
                .pop()
                .and_then(|password| Some((given.pop()?, password))),
            _ => None,
        };
        let mut given = given.into_iter();
        let (Some(runtime), Some(address)) = (given.next(), given.next()) else {
            return Err("usage: RUNTIME ADDRESS [VERSION] [USER PASSWORD]".into());
        };
        let version = given.next();
        Ok(Self {
            runtime,
            address,
            version,
            user,
        })
    }
}
