//! Certificates for tests.

use mq_server::TlsFiles;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// An authority, and what it signed for a server and a client, as files.
pub(crate) struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Another name than what it signs has: OpenSSL takes those for signed by themselves.
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        let name = &mut authority.distinguished_name;
        name.push(DnType::CommonName, "authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let names = vec!["localhost".to_owned()];
            let params = CertificateParams::new(names).unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            let path = directory.path().join(name);
            std::fs::write(path.with_extension("pem"), certificate.pem()).unwrap();
            std::fs::write(path.with_extension("key"), key.serialize_pem()).unwrap();
        }
        Self { directory }
    }

    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn of_server(&self) -> TlsFiles {
        TlsFiles::new(self.file("server.pem"), self.file("server.key"))
    }
}
