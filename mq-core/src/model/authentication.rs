//! Users who prove who they are in several steps: SCRAM, by the passwords of the
//! configuration.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

use super::message::Name;
use super::refusal::Refusal;
use super::request::Step;
use super::{ConnectionId, Model, Notice};
use crate::scram::{Exchange, Keys, Mechanism, ScramError, user};

/// Bytes of a salt (RFC 5802 leaves it to the server).
const SALT: usize = 16;

/// Bytes of the server's part of a nonce.
const NONCE: usize = 18;

/// What is under way, and what was derived for it.
#[derive(Debug)]
pub(super) struct Proofs {
    secret: [u8; 8],
    /// How many nonces there were.
    nonces: u64,
    /// A connection whose client was asked for its first message, or for its last one.
    exchanges: BTreeMap<ConnectionId, Option<Under>>,
    /// By user. They are derived when they are needed first.
    keys: BTreeMap<(Mechanism, String), Keys>,
}

/// An exchange, and whom it is about.
#[derive(Debug)]
struct Under {
    exchange: Exchange,
    who: Option<Who>,
}

/// A user, and the virtual host that was named with it.
#[derive(Debug, Clone)]
struct Who {
    user: Name,
    virtual_host: Option<Name>,
}

impl Proofs {
    /// Nobody can guess nonces, or tell the salt of a user from one that was made up, who does
    /// not know the seed.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            secret: seed.to_be_bytes(),
            nonces: 0,
            exchanges: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.exchanges.remove(&connection);
    }

    /// The salt of a user, whether there is one or not.
    fn salt(&self, mechanism: Mechanism, user: &str) -> Vec<u8> {
        let text = alloc::format!("salt {mechanism:?} {user}");
        let mut salt = Mechanism::Sha256.mac(&self.secret, text.as_bytes());
        salt.truncate(SALT);
        salt
    }

    /// No two are the same, unless the seed, the connection, the time and the number of those
    /// before it are.
    fn nonce(&mut self, connection: ConnectionId, now: core::time::Duration) -> String {
        use base64::Engine;
        self.nonces += 1;
        let text = alloc::format!("nonce {connection:?} {now:?} {}", self.nonces);
        let mut nonce = Mechanism::Sha256.mac(&self.secret, text.as_bytes());
        nonce.truncate(NONCE);
        base64::engine::general_purpose::STANDARD.encode(nonce)
    }
}

impl Model {
    /// Takes a step of a client that proves who it is.
    pub(super) fn prove(&mut self, connection: ConnectionId, step: &Step) {
        let notice = match self.next_step(connection, step) {
            Ok(notice) => notice,
            Err(refusal) => {
                self.proofs.forget(connection);
                super::refused(refusal)
            }
        };
        self.notices.push_back((connection, notice));
    }

    fn next_step(&mut self, connection: ConnectionId, step: &Step) -> Result<Notice, Refusal> {
        let Some(mechanism) = Mechanism::named(&step.method) else {
            return Err(Refusal::not_implemented(format_args!(
                "there is no authentication method '{}'",
                step.method
            )));
        };
        let under_way = match step.begins {
            true => None,
            false => self.proofs.exchanges.remove(&connection).flatten(),
        };
        let Some(data) = &step.data else {
            // The client speaks first, and is asked to.
            if !step.begins {
                return Err(refusal(ScramError::Message));
            }
            self.proofs.exchanges.insert(connection, None);
            let data = Bytes::new();
            return Ok(Notice::Challenge { data });
        };
        match under_way {
            None => self.first_message(connection, mechanism, data),
            Some(Under { exchange, who }) => {
                let data = exchange.finish(data).map_err(refusal)?;
                // Nobody has the keys of a user that is not there.
                let Who { user, virtual_host } = who.ok_or_else(|| refusal(ScramError::Proof))?;
                Ok(Notice::Proven {
                    user,
                    virtual_host,
                    data: Some(Bytes::from(data)),
                })
            }
        }
    }

    fn first_message(
        &mut self,
        connection: ConnectionId,
        mechanism: Mechanism,
        data: &[u8],
    ) -> Result<Notice, Refusal> {
        let name = user(data).map_err(refusal)?;
        let salt = self.proofs.salt(mechanism, &name);
        let who = self.who(&name);
        let keys = match &who {
            None => Keys::of_nobody(mechanism, &salt),
            Some(who) => self.keys_of(mechanism, who, &name, &salt),
        };
        let nonce = self.proofs.nonce(connection, self.now);
        let (exchange, answer) =
            Exchange::begin(mechanism, data, &nonce, &salt, keys).map_err(refusal)?;
        let under = Under { exchange, who };
        self.proofs.exchanges.insert(connection, Some(under));
        let data = Bytes::from(answer);
        Ok(Notice::Challenge { data })
    }

    fn keys_of(&mut self, mechanism: Mechanism, who: &Who, name: &str, salt: &[u8]) -> Keys {
        let key = (mechanism, name.to_string());
        if let Some(keys) = self.proofs.keys.get(&key) {
            return keys.clone();
        }
        let password = self.rights.password(&who.user).unwrap_or_default();
        let keys = Keys::derive(mechanism, password, salt);
        self.proofs.keys.insert(key, keys.clone());
        keys
    }

    /// The user of that name, or with the virtual host before it.
    fn who(&self, name: &str) -> Option<Who> {
        if self.rights.password(name).is_some() {
            return Some(Who {
                user: Name::from(name),
                virtual_host: None,
            });
        }
        let (index, user) = self.split(name)?;
        self.rights.password(&user)?;
        Some(Who {
            user,
            virtual_host: self
                .vhosts
                .get(index)
                .map(|vhost| vhost.shared.name.clone()),
        })
    }
}

fn refusal(error: ScramError) -> Refusal {
    Refusal::access_refused(format_args!("{error}"))
}
