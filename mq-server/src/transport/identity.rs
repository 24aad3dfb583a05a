//! The user's name in the certificate of a client.

use std::io;

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::parse_x509_certificate;
use x509_parser::x509::X509Name;

use super::IdentityFrom;

/// The name that a certificate has there, which rustls has verified before.
pub(super) fn identity(certificate: &CertificateDer<'_>, from: IdentityFrom) -> io::Result<String> {
    let (_, certificate) = parse_x509_certificate(certificate).map_err(io::Error::other)?;
    let subject = certificate.subject();
    let name = match from {
        IdentityFrom::CommonName => {
            let first = subject.iter_common_name().next();
            first.and_then(|name| Some(name.as_str().ok()?.to_owned()))
        }
        IdentityFrom::DistinguishedName => distinguished_name(subject),
        IdentityFrom::SubjectAlternativeName => {
            let names = certificate.subject_alternative_name().ok().flatten();
            names.and_then(|names| {
                names
                    .value
                    .general_names
                    .iter()
                    .find_map(|name| match name {
                        GeneralName::DNSName(name)
                        | GeneralName::RFC822Name(name)
                        | GeneralName::URI(name) => Some((*name).to_owned()),
                        _ => None,
                    })
            })
        }
    };
    name.filter(|name| !name.is_empty()).ok_or_else(|| {
        io::Error::other("its certificate has no name where the user's is looked for")
    })
}

/// The whole subject as RFC 4514 writes it: the last part first, and what could be taken for
/// the end of a part escaped.
fn distinguished_name(subject: &X509Name<'_>) -> Option<String> {
    let parts: Vec<_> = subject.iter_rdn().collect();
    let mut text = String::new();
    for part in parts.into_iter().rev() {
        for (index, attribute) in part.iter().enumerate() {
            match (text.is_empty(), index) {
                (true, _) => {}
                (false, 0) => text.push(','),
                (false, _) => text.push('+'),
            }
            match oid2abbrev(attribute.attr_type(), oid_registry()) {
                Ok(name) => text.push_str(name),
                Err(_) => text.push_str(&attribute.attr_type().to_id_string()),
            }
            text.push('=');
            escape(attribute.as_str().ok()?, &mut text);
        }
    }
    Some(text)
}

/// RFC 4514 section 2.4.
fn escape(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let special = match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => true,
            ' ' => index == 0 || index == last,
            '#' => index == 0,
            _ => false,
        };
        match character {
            '\0' => text.push_str("\\00"),
            _ if special => text.extend(['\\', character]),
            _ => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    /// A certificate for `O=Example, Inc.` and `CN= #1`, with these DNS names.
    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        let mut subject = DistinguishedName::new();
        subject.push(DnType::OrganizationName, "Example, Inc.");
        subject.push(DnType::CommonName, " #1");
        params.distinguished_name = subject;
        let names = names.iter();
        params.subject_alt_names = names
            .map(|name| SanType::DnsName((*name).try_into().unwrap()))
            .collect();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn names() {
        let rows = [
            (IdentityFrom::CommonName, " #1"),
            (
                IdentityFrom::DistinguishedName,
                "CN=\\ #1,O=Example\\, Inc.",
            ),
            (IdentityFrom::SubjectAlternativeName, "device.example"),
        ];
        let certificate = certificate(&["device.example", "other.example"]);
        for (from, expected) in rows {
            assert_eq!(identity(&certificate, from).unwrap(), expected);
        }
    }

    #[test]
    fn a_certificate_without_the_name() {
        let certificate = certificate(&[]);
        let from = IdentityFrom::SubjectAlternativeName;
        assert!(identity(&certificate, from).is_err());
    }
}
