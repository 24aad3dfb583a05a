//! SCRAM: a client proves that it knows a password without saying it, and so does the server
//! (RFC 5802, RFC 7677).
//!
//! Channel binding is not offered: its mechanisms end with `-PLUS` and bind to the TLS
//! connection, which nothing in here knows.

mod keys;
mod message;
mod preparation;

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(crate) use keys::{Keys, Mechanism};
use message::{ClientFinal, ClientFirst};

/// How often a password is hashed: what RFC 7677 section 4 asks for at least.
pub(crate) const ITERATIONS: u32 = 4096;

/// What a server keeps of an exchange after its first message.
#[derive(Debug)]
pub(crate) struct Exchange {
    mechanism: Mechanism,
    /// The header of the client's first message, as bytes of its last one have it again.
    header: String,
    /// Both nonces.
    nonce: String,
    /// The first messages, as they are signed.
    signed: String,
    keys: Keys,
}

/// The user whom a client's first message names.
///
/// # Errors
///
/// It is no first message, or it asks for what is not offered.
pub(crate) fn user(first: &[u8]) -> Result<String, ScramError> {
    ClientFirst::parse(first).map(|first| first.user)
}

impl Exchange {
    /// Answers a client's first message. The nonce is one that the server has not used
    /// before, and that nobody can guess. Keys that no password has lead to a refusal at the
    /// end, and to nothing else that the client could see.
    ///
    /// # Errors
    ///
    /// It is no first message, or it asks for what is not offered.
    pub(crate) fn begin(
        mechanism: Mechanism,
        first: &[u8],
        nonce: &str,
        salt: &[u8],
        keys: Keys,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        let first = ClientFirst::parse(first)?;
        let nonce = alloc::format!("{}{nonce}", first.nonce);
        let salt = STANDARD.encode(salt);
        let answer = alloc::format!("r={nonce},s={salt},i={ITERATIONS}");
        let exchange = Self {
            mechanism,
            header: first.header.into(),
            signed: alloc::format!("{},{answer}", first.bare),
            nonce,
            keys,
        };
        Ok((exchange, answer.into_bytes()))
    }

    /// Checks a client's last message. Returns the answer, by which the server proves that
    /// it knows the password.
    ///
    /// # Errors
    ///
    /// It is no last message, not of this exchange, or proves nothing.
    pub(crate) fn finish(self, last: &[u8]) -> Result<Vec<u8>, ScramError> {
        let last = ClientFinal::parse(last)?;
        if last.binding != STANDARD.encode(&self.header) {
            return Err(ScramError::ChannelBinding);
        }
        if last.nonce != self.nonce {
            return Err(ScramError::Nonce);
        }
        let proof = STANDARD
            .decode(last.proof)
            .map_err(|_| ScramError::Message)?;
        let signed = alloc::format!("{},{}", self.signed, last.without_proof);
        if !self.keys.prove(self.mechanism, signed.as_bytes(), &proof) {
            return Err(ScramError::Proof);
        }
        let signature = self.keys.sign(self.mechanism, signed.as_bytes());
        Ok(alloc::format!("v={}", STANDARD.encode(signature)).into_bytes())
    }
}

/// Why a client is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScramError {
    /// The message is not what the grammar says (RFC 5802 section 7).
    #[error("a SCRAM message is malformed")]
    Message,
    /// It has an extension that the server has to know and does not.
    #[error("the SCRAM client requires an extension")]
    Extension,
    /// Channel binding is asked for, or has changed.
    #[error("the SCRAM client's channel binding does not fit")]
    ChannelBinding,
    /// The client wants to act as somebody else.
    #[error("the SCRAM client wants to act for another user")]
    Authorization,
    /// The nonce is not the one of this exchange.
    #[error("the SCRAM nonce has changed")]
    Nonce,
    /// The password is another.
    #[error("the user or the password is wrong")]
    Proof,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5802 section 5 and RFC 7677 section 3: mechanism, client's first message, what the
    /// server adds to the nonce, salt, server's first, client's last, server's last.
    const VECTORS: [(Mechanism, &str, &str, &str, &str, &str, &str); 2] = [
        (
            Mechanism::Sha1,
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "3rfcNHYJY1ZVvWVs7j",
            "QSXCR+Q6sek8bf92",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            Mechanism::Sha256,
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ];

    #[test]
    fn the_vectors_of_the_rfcs() {
        for (mechanism, first, nonce, salt, challenge, last, signature) in VECTORS {
            let salt = STANDARD.decode(salt).unwrap();
            assert_eq!(user(first.as_bytes()).unwrap(), "user");
            let keys = Keys::derive(mechanism, "pencil", &salt);
            let begin = |keys: &Keys| {
                Exchange::begin(mechanism, first.as_bytes(), nonce, &salt, keys.clone()).unwrap()
            };
            let (exchange, answer) = begin(&keys);
            assert_eq!(core::str::from_utf8(&answer), Ok(challenge));
            let answer = exchange.finish(last.as_bytes()).unwrap();
            assert_eq!(core::str::from_utf8(&answer), Ok(signature));
            // What differs in any byte is refused.
            for (from, to, error) in [
                ("p=", "p=A", ScramError::Message),
                (",p=v", ",p=w", ScramError::Proof),
                (",p=d", ",p=e", ScramError::Proof),
                ("c=biws", "c=eSws", ScramError::ChannelBinding),
                (",p=", "x,p=", ScramError::Nonce),
                (",p=", ",x=y,p=", ScramError::Proof),
            ] {
                let changed = last.replace(from, to);
                if changed != last {
                    let (exchange, _) = begin(&keys);
                    assert_eq!(exchange.finish(changed.as_bytes()), Err(error), "{changed}");
                }
            }
            let (exchange, _) = begin(&Keys::derive(mechanism, "pencils", &salt));
            assert_eq!(exchange.finish(last.as_bytes()), Err(ScramError::Proof));
        }
    }
}
