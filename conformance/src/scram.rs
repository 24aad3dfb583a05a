//! The client's side of SCRAM (RFC 5802, RFC 7677), for the authentication of MQTT 5.0 that takes
//! several packets.

use std::fmt;
use std::str::FromStr;

use rsasl::config::SASLConfig;
use rsasl::prelude::{Mechname, SASLClient, Session};

/// The mechanisms that are spoken, by the names that they are registered with.
const METHODS: [&str; 3] = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// A method of authentication, and who authenticates by it: `METHOD:USER:PASSWORD`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) method: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:PASSWORD", self.method, self.user)
    }
}

impl FromStr for Credentials {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let (Some(method), Some(user), Some(password)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("must be METHOD:USER:PASSWORD".into());
        };
        if !METHODS.contains(&method) {
            return Err(format!("the method must be one of {}", METHODS.join(", ")));
        }
        Ok(Self {
            method: method.into(),
            user: user.into(),
            password: password.into(),
        })
    }
}

/// One authentication by a client.
pub(crate) struct Exchange(Session);

impl Exchange {
    /// Begins one.
    ///
    /// # Errors
    ///
    /// Why the mechanism cannot be used with these credentials, in words.
    pub(crate) fn new(credentials: &Credentials) -> Result<Self, String> {
        let Credentials {
            method,
            user,
            password,
        } = credentials;
        let config = SASLConfig::with_credentials(None, user.clone(), password.clone())
            .map_err(|error| error.to_string())?;
        let name = Mechname::parse(method.as_bytes()).map_err(|error| error.to_string())?;
        SASLClient::new(config)
            .start_suggested(&[name])
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Takes what the server sent, nothing at first, and returns the next message to it.
    ///
    /// # Errors
    ///
    /// What is wrong with the server's message, in words.
    pub(crate) fn step(&mut self, input: Option<&[u8]>) -> Result<Vec<u8>, String> {
        let mut message = Vec::new();
        self.0
            .step(input, &mut message)
            .map_err(|error| error.to_string())?;
        Ok(message)
    }
}

/// A client-final-message with another proof.
pub(crate) fn with_wrong_proof(message: &[u8]) -> Vec<u8> {
    let mut wrong = message.to_vec();
    // ClientProof is the last attribute, and its value has no comma.
    let proof = wrong.windows(3).rposition(|part| part == b",p=");
    if let Some(first) = proof.and_then(|at| wrong.get_mut(at + 3)) {
        *first = if *first == b'A' { b'B' } else { b'A' };
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_and_do_not_show_their_password() {
        let read: Credentials = "SCRAM-SHA-256:me:a:b".parse().unwrap();
        assert_eq!((&*read.user, &*read.password), ("me", "a:b"));
        assert_eq!(format!("{read:?}"), "SCRAM-SHA-256:me:PASSWORD");
        for (text, part) in [
            ("SCRAM-SHA-256:me", "METHOD:USER:PASSWORD"),
            ("PLAIN:me:b", "SCRAM-SHA-1, SCRAM-SHA-256"),
        ] {
            assert!(text.parse::<Credentials>().unwrap_err().contains(part));
        }
    }

    #[test]
    fn each_method_begins_with_the_name_of_the_user() {
        for method in METHODS {
            let credentials = format!("{method}:us,er=x:secret").parse().unwrap();
            let first = Exchange::new(&credentials).unwrap().step(None).unwrap();
            let first = String::from_utf8(first).unwrap();
            // RFC 5802, 5.1: `=2C` for a comma and `=3D` for an equals sign.
            assert!(first.starts_with("n,,n=us=2Cer=3Dx,r="), "{first}");
        }
    }

    /// RFC 7677, 3 has the form; the value is changed where it begins.
    #[test]
    fn a_wrong_proof_has_the_form_of_a_right_one() {
        for (right, wrong) in [
            ("c=biws,r=rOprNG,p=dHzb=", "c=biws,r=rOprNG,p=AHzb="),
            ("c=biws,r=x,p=AHzb=", "c=biws,r=x,p=BHzb="),
        ] {
            assert_eq!(with_wrong_proof(right.as_bytes()), wrong.as_bytes());
        }
    }
}
