//! What each client example is told.

use std::error::Error;

use mqtt_codec::ProtocolVersion;

/// `HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`.
pub(crate) struct Arguments {
    pub(crate) address: String,
    pub(crate) version: ProtocolVersion,
    pub(crate) user: Option<(String, String)>,
}

impl Arguments {
    pub(crate) fn parse() -> Result<Self, Box<dyn Error>> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (address, version, user) = match arguments[..] {
            [address] => (address, "5.0", None),
            [address, version] => (address, version, None),
            [address, user, password] => (address, "5.0", Some((user, password))),
            [address, version, user, password] => (address, version, Some((user, password))),
            _ => return Err("usage: HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]".into()),
        };
        let version = ProtocolVersion::ALL
            .into_iter()
            .find(|known| known.to_string() == version)
            .ok_or("the version is 3.1, 3.1.1 or 5.0")?;
        Ok(Self {
            address: address.into(),
            version,
            user: user.map(|(name, password)| (name.into(), password.into())),
        })
    }
}
