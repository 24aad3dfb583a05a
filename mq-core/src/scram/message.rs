//! The messages of a client (RFC 5802 section 7).

use alloc::string::String;

use super::ScramError;
use super::preparation::prepared;

/// Its first message.
#[derive(Debug)]
pub(super) struct ClientFirst<'a> {
    /// What it says of channel binding, and for whom it acts.
    pub(super) header: &'a str,
    /// What comes after that, which is signed.
    pub(super) bare: &'a str,
    pub(super) user: String,
    pub(super) nonce: &'a str,
}

/// Its last message.
#[derive(Debug)]
pub(super) struct ClientFinal<'a> {
    /// The header of the first message, in base64.
    pub(super) binding: &'a str,
    pub(super) nonce: &'a str,
    /// In base64.
    pub(super) proof: &'a str,
    /// All before the proof, which is signed.
    pub(super) without_proof: &'a str,
}

/// The value of an attribute that has to be there.
fn attribute<'a>(text: Option<&'a str>, name: &str) -> Result<&'a str, ScramError> {
    let text = text.ok_or(ScramError::Message)?;
    text.strip_prefix(name).ok_or(ScramError::Message)
}

/// A name: `=2C` is a comma, and `=3D` an equals sign.
fn name(text: &str) -> Result<String, ScramError> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        name.push_str(before);
        let (escape, after) = after.split_at_checked(2).ok_or(ScramError::Message)?;
        name.push(match escape {
            "2C" => ',',
            "3D" => '=',
            _ => return Err(ScramError::Message),
        });
        rest = after;
    }
    name.push_str(rest);
    prepared(&name)
        .filter(|name| !name.is_empty())
        .ok_or(ScramError::Message)
}

/// A nonce: printable ASCII but for the comma, and not nothing.
fn nonce(text: &str) -> Result<&str, ScramError> {
    let fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    fine.then_some(text).ok_or(ScramError::Message)
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, ScramError> {
        let text = core::str::from_utf8(message).map_err(|_| ScramError::Message)?;
        let (binding, rest) = text.split_once(',').ok_or(ScramError::Message)?;
        let (authorization, bare) = rest.split_once(',').ok_or(ScramError::Message)?;
        match binding {
            "n" | "y" => {}
            other if other.starts_with("p=") => return Err(ScramError::ChannelBinding),
            _ => return Err(ScramError::Message),
        }
        if bare.starts_with("m=") {
            return Err(ScramError::Extension);
        }
        let mut attributes = bare.split(',');
        let user = name(attribute(attributes.next(), "n=")?)?;
        let nonce = nonce(attribute(attributes.next(), "r=")?)?;
        if !authorization.is_empty() && name(attribute(Some(authorization), "a=")?)? != user {
            return Err(ScramError::Authorization);
        }
        Ok(Self {
            header: &text[..text.len() - bare.len()],
            bare,
            user,
            nonce,
        })
    }
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, ScramError> {
        let text = core::str::from_utf8(message).map_err(|_| ScramError::Message)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError::Message)?;
        let mut attributes = without_proof.split(',');
        Ok(Self {
            binding: attribute(attributes.next(), "c=")?,
            nonce: nonce(attribute(attributes.next(), "r=")?)?,
            proof,
            without_proof,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_messages() {
        for (message, expected) in [
            ("n,,n=user,r=abc", Ok(("n,,", "user", "abc"))),
            ("y,,n=user,r=abc", Ok(("y,,", "user", "abc"))),
            ("n,a=user,n=user,r=abc", Ok(("n,a=user,", "user", "abc"))),
            ("n,a=other,n=user,r=abc", Err(ScramError::Authorization)),
            ("n,,n=a=2Cb=3Dc,r=abc", Ok(("n,,", "a,b=c", "abc"))),
            ("n,,n=user,r=abc,x=y", Ok(("n,,", "user", "abc"))),
            ("n,,n==2c,r=abc", Err(ScramError::Message)),
            ("n,,n=a=,r=abc", Err(ScramError::Message)),
            ("n,,n=,r=abc", Err(ScramError::Message)),
            ("n,,n=user,r=", Err(ScramError::Message)),
            ("n,,n=user,r=a b", Err(ScramError::Message)),
            ("n,,n=user", Err(ScramError::Message)),
            ("n,,r=abc,n=user", Err(ScramError::Message)),
            ("n,,m=x,n=user,r=abc", Err(ScramError::Extension)),
            (
                "p=tls-unique,,n=user,r=abc",
                Err(ScramError::ChannelBinding),
            ),
            ("x,,n=user,r=abc", Err(ScramError::Message)),
            ("n,n=user,r=abc", Err(ScramError::Message)),
            ("", Err(ScramError::Message)),
        ] {
            let parsed = ClientFirst::parse(message.as_bytes());
            let seen = parsed
                .as_ref()
                .map(|first| (first.header, &*first.user, first.nonce));
            assert_eq!(seen.map_err(|error| *error), expected, "{message}");
        }
        assert!(ClientFirst::parse(b"n,,n=\xFF,r=abc").is_err());
    }

    #[test]
    fn last_messages() {
        for (message, expected) in [
            (
                "c=biws,r=ab,p=cd",
                Some(("biws", "ab", "cd", "c=biws,r=ab")),
            ),
            (
                "c=biws,r=ab,x=1,p=cd",
                Some(("biws", "ab", "cd", "c=biws,r=ab,x=1")),
            ),
            ("c=biws,r=ab", None),
            ("r=ab,c=biws,p=cd", None),
            ("c=biws,p=cd", None),
            ("", None),
        ] {
            let parsed = ClientFinal::parse(message.as_bytes()).ok();
            let seen = parsed.map(|l| (l.binding, l.nonce, l.proof, l.without_proof));
            assert_eq!(seen, expected, "{message}");
        }
    }
}
