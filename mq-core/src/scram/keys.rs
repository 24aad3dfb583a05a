//! Keys that are derived from a password (RFC 5802 section 3).

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::ITERATIONS;
use super::preparation::prepared;

/// A mechanism, by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mechanism {
    Sha1,
    Sha256,
}

impl Mechanism {
    /// By the name that the IANA has registered, which is compared byte by byte.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "SCRAM-SHA-1" => Some(Self::Sha1),
            "SCRAM-SHA-256" => Some(Self::Sha256),
            _ => None,
        }
    }

    fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    pub(crate) fn mac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, data),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, data),
        }
    }

    fn salted(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                let mut salted = vec![0; 20];
                pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, ITERATIONS, &mut salted);
                salted
            }
            Self::Sha256 => {
                let mut salted = vec![0; 32];
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, ITERATIONS, &mut salted);
                salted
            }
        }
    }
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Ok(mut mac) = <M as hmac::digest::KeyInit>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// What a server has to know of a user: the password cannot be had from it, nor can anybody
/// come in with it.
#[derive(Clone)]
pub(crate) struct Keys {
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Those of a password. It takes some milliseconds.
    pub(crate) fn derive(mechanism: Mechanism, password: &str, salt: &[u8]) -> Self {
        // What cannot be prepared is taken as it is: no client proves it then.
        let password = prepared(password).unwrap_or_else(|| password.into());
        let salted = mechanism.salted(password.as_bytes(), salt);
        let client = mechanism.mac(&salted, b"Client Key");
        Self {
            stored: mechanism.hash(&client),
            server: mechanism.mac(&salted, b"Server Key"),
        }
    }

    /// Those of no password at all.
    pub(crate) fn of_nobody(mechanism: Mechanism, secret: &[u8]) -> Self {
        Self {
            stored: mechanism.mac(secret, b"stored"),
            server: mechanism.mac(secret, b"server"),
        }
    }

    /// Whether a proof for what was signed is by somebody who knows the password.
    pub(super) fn prove(&self, mechanism: Mechanism, signed: &[u8], proof: &[u8]) -> bool {
        let signature = mechanism.mac(&self.stored, signed);
        if proof.len() != signature.len() {
            return false;
        }
        let client: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        mechanism.hash(&client).ct_eq(&self.stored).into()
    }

    /// The server's proof.
    pub(super) fn sign(&self, mechanism: Mechanism, signed: &[u8]) -> Vec<u8> {
        mechanism.mac(&self.server, signed)
    }
}
