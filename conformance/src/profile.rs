//! A file of what is known of a broker before it is judged: how it is reached, what it says
//! of itself and what it lacks. `mqspec probe` writes it, `--profile` reads it.

use std::path::{Path, PathBuf};

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::scram::Credentials;
use crate::target::{Profile, Protocol, Target};

/// Why a file is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("{}: {source}", .path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: {source}", .path.display())]
    Syntax {
        path: PathBuf,
        source: toml::de::Error,
    },
    #[error("{}: {name} is no version of {protocol}", .path.display())]
    Version {
        path: PathBuf,
        name: String,
        protocol: Protocol,
    },
    #[error("{}: authentication {why}", .path.display())]
    Authentication { path: PathBuf, why: String },
    #[error("the profile cannot be written: {0}")]
    Write(#[from] toml::ser::Error),
}

/// The brokers of a file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    #[serde(default)]
    broker: Vec<Broker>,
}

/// One broker over one protocol.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Broker {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_virtual_host: Option<String>,
    /// `USER:PASSWORD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    restricted_user: Option<String>,
    /// `METHOD:USER:PASSWORD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    keep_alive: u16,
    #[serde(default)]
    carries: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_qos: Option<MaximumQos>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lacks: Vec<Lack>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct MaximumQos {
    qos: u8,
    because: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Lack {
    version: String,
    because: String,
}

impl Profiles {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] for one that cannot be read or is wrong.
    pub(crate) fn read(path: &Path) -> Result<Self, ProfileError> {
        let text = std::fs::read_to_string(path).map_err(|source| ProfileError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| ProfileError::Syntax {
            path: path.to_owned(),
            source,
        })
    }

    /// What was found out about these brokers.
    pub(crate) fn of(targets: &[Target]) -> Self {
        let broker = |target: &Target| {
            let profile = target.profile.clone();
            Broker {
                url: target.url(),
                other_virtual_host: target.other_virtual_host.clone(),
                restricted_user: target
                    .restricted
                    .as_ref()
                    .map(|(user, password)| format!("{user}:{password}")),
                authentication: target.authentication.as_ref().map(|credentials| {
                    let Credentials {
                        method,
                        user,
                        password,
                    } = credentials;
                    format!("{method}:{user}:{password}")
                }),
                product: profile.product,
                version: profile.version,
                says: profile.says,
                keep_alive: profile.keep_alive,
                carries: profile.carries,
                host: profile.host,
                maximum_qos: profile
                    .maximum_qos
                    .map(|(qos, because)| MaximumQos { qos, because }),
                lacks: profile
                    .lacks
                    .into_iter()
                    .map(|(version, because)| Lack {
                        version: version.into(),
                        because,
                    })
                    .collect(),
            }
        };
        Self {
            broker: targets.iter().map(broker).collect(),
        }
    }

    /// The URLs of the brokers.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        self.broker.iter().map(|broker| broker.url.as_str())
    }

    /// Fills in what the file says of the broker with this URL, which must not be asked for
    /// it then. Returns whether it says anything.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Version`].
    pub(crate) fn fill(&self, target: &mut Target, path: &Path) -> Result<bool, ProfileError> {
        let same = |broker: &&Broker| {
            let named = broker.url.parse::<Target>();
            named.is_ok_and(|named| named.to_string() == target.to_string())
        };
        let Some(broker) = self.broker.iter().find(same) else {
            return Ok(false);
        };
        let lacks = broker
            .lacks
            .iter()
            .map(|lack| {
                let known = target.protocol.prefixes();
                known
                    .iter()
                    .find(|known| **known == lack.version)
                    .map(|known| (*known, lack.because.clone()))
                    .ok_or_else(|| ProfileError::Version {
                        path: path.to_owned(),
                        name: lack.version.clone(),
                        protocol: target.protocol,
                    })
            })
            .collect::<Result<_, _>>()?;
        target.profile = Profile {
            product: broker.product.clone(),
            version: broker.version.clone(),
            says: broker.says.clone(),
            lacks,
            keep_alive: broker.keep_alive,
            maximum_qos: broker
                .maximum_qos
                .as_ref()
                .map(|maximum| (maximum.qos, maximum.because.clone())),
            carries: broker.carries,
            host: broker.host.clone(),
        };
        if target.other_virtual_host.is_none() {
            target
                .other_virtual_host
                .clone_from(&broker.other_virtual_host);
        }
        if target.authentication.is_none() {
            target.authentication = broker
                .authentication
                .as_deref()
                .map(Credentials::from_str)
                .transpose()
                .map_err(|why| ProfileError::Authentication {
                    path: path.to_owned(),
                    why,
                })?;
        }
        if target.restricted.is_none() {
            target.restricted = broker
                .restricted_user
                .as_ref()
                .and_then(|user| user.split_once(':'))
                .map(|(user, password)| (user.into(), password.into()));
        }
        Ok(true)
    }

    /// The file, with what a user may add to it.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Write`].
    pub(crate) fn text(&self) -> Result<String, ProfileError> {
        let head = "\
# Written by `mqspec probe`, and read by `mqspec --profile FILE`, which asks the broker nothing
# that stands here. Where a URL has PASSWORD in it, that is to be put in. Each broker may have
#   other_virtual_host = \"NAME\"           another virtual host that the user may use
#   restricted_user = \"USER:PASSWORD\"     a user who may log in and do nothing else
#   authentication = \"METHOD:USER:PASSWORD\"    how a client of MQTT 5.0 may authenticate by AUTH

";
        Ok(format!("{head}{}", toml::to_string(self)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_read_again() {
        let mut found: Target = "mqtt://me:secret@h:1".parse().unwrap();
        found.authentication = Some("SCRAM-SHA-1:me:secret".parse().unwrap());
        found.restricted = Some(("nobody".into(), "x".into()));
        found.profile = Profile {
            product: Some("\"x\" \n".into()),
            version: Some("1.2".into()),
            says: vec!["keep alive".into()],
            lacks: vec![("mqtt31", "CONNACK [20 02 00 01]".into())],
            keep_alive: 60,
            maximum_qos: Some((1, "closes".into())),
            carries: true,
            host: None,
        };
        let text = Profiles::of(std::slice::from_ref(&found)).text().unwrap();
        let read: Profiles = toml::from_str(&text).unwrap();
        let urls: Vec<_> = read.urls().collect();
        assert_eq!(urls, ["mqtt://me:PASSWORD@h:1"]);
        let mut again: Target = "mqtt://me:secret@h:1".parse().unwrap();
        assert!(read.fill(&mut again, Path::new("p")).unwrap());
        assert_eq!(format!("{found:?}"), format!("{again:?}"));
        assert_eq!(found.authentication, again.authentication);
        let wrong = text.replace("SCRAM-SHA-1", "X");
        let wrong: Profiles = toml::from_str(&wrong).unwrap();
        again.authentication = None;
        assert!(wrong.fill(&mut again, Path::new("p")).is_err());
        let mut other: Target = "mqtt://h:2".parse().unwrap();
        assert!(!read.fill(&mut other, Path::new("p")).unwrap());
        // A version of another protocol.
        let wrong = text.replace("mqtt31", "stomp12");
        let wrong: Profiles = toml::from_str(&wrong).unwrap();
        assert!(wrong.fill(&mut again, Path::new("p")).is_err());
    }
}
