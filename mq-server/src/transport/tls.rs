//! TLS by rustls: certificates from PEM files, which can be read again while serving.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::identity::identity;
use super::{BoxSocket, IdentityFrom};

/// The PEM files that TLS needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The server's certificate and those that it was signed with, the server's first.
    pub certificate: PathBuf,
    /// The private key of the server's certificate.
    pub key: PathBuf,
    /// Authorities that sign certificates of clients. With it a client without a
    /// certificate of theirs is refused in the TLS handshake; default: none are asked for.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// A certificate and its key; clients need none.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: None,
        }
    }

    /// Requires clients to have a certificate that one of these authorities signed.
    #[must_use]
    pub fn with_client_ca(self, client_ca: impl Into<PathBuf>) -> Self {
        Self {
            client_ca: Some(client_ca.into()),
            ..self
        }
    }
}

/// The PEM files that TLS needs where this server is a client: at the other end of a
/// [`Bridge`](crate::Bridge).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientTls {
    /// Authorities that sign the other server's certificate. It has to be for the name or the
    /// IP address that the server is connected to by.
    pub ca: PathBuf,
    /// A certificate to show, with those that it was signed with, and its private key.
    /// Default: none.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl ClientTls {
    /// The other server's certificate is signed by one of these authorities.
    pub fn new(ca: impl Into<PathBuf>) -> Self {
        Self {
            ca: ca.into(),
            identity: None,
        }
    }

    /// Shows a certificate, for which this is the key.
    #[must_use]
    pub fn with_identity(self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            identity: Some((certificate.into(), key.into())),
            ..self
        }
    }

    /// Reads the files.
    fn load(&self) -> Result<ClientConfig, TlsError> {
        let roots = roots(&self.ca)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|source| unusable(&self.ca, source))?
            .with_root_certificates(roots);
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|source| unusable(certificate, source)),
        }
    }

    /// Checks that the files can be used.
    pub(crate) fn check(&self) -> Result<(), TlsError> {
        self.load().map(drop)
    }

    /// Does a handshake with the server of that name, with the files as they are now.
    pub(crate) async fn connect(&self, socket: BoxSocket, host: &str) -> io::Result<BoxSocket> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let files = self.clone();
        let config = tokio::task::spawn_blocking(move || files.load())
            .await?
            .map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Box::new(connector.connect(name, socket).await?))
    }
}

/// Why TLS cannot be offered. Each message names the file and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read or is no PEM file of that kind.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not belong together, or an authority cannot be used.
    #[error("the certificate {} cannot be used: {source}", .path.display())]
    Certificate {
        /// The file with the certificate.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// An endpoint takes users from certificates, and none are asked for.
    #[error(
        "{0} takes the user from the client's certificate: it needs TLS, and tls.client_ca to verify the certificate with"
    )]
    NoClientCertificates(String),
    /// An endpoint wants TLS, and there is no certificate.
    #[error(
        "{0} needs a certificate: set tls.certificate and tls.key, or --tls-certificate and --tls-key"
    )]
    NoCertificate(String),
}

/// Does TLS handshakes, with the certificates that were read last.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    files: Arc<TlsFiles>,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Acceptor {
    pub(crate) fn new(files: TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            config: Arc::new(RwLock::new(Arc::new(load(&files)?))),
            files: Arc::new(files),
        })
    }

    /// Reads the files again. Connections from now on see the new certificates; after an
    /// error, those before.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let config = Arc::new(load(&self.files)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Does a handshake. Returns also the user in the client's certificate, if one is asked
    /// for.
    pub(super) async fn accept(
        &self,
        socket: BoxSocket,
        from: Option<IdentityFrom>,
    ) -> io::Result<(BoxSocket, Option<String>)> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        let stream = TlsAcceptor::from(config).accept(socket).await?;
        let user = match (from, stream.get_ref().1.peer_certificates()) {
            (None, _) => None,
            (Some(from), Some([certificate, ..])) => Some(identity(certificate, from)?),
            (Some(_), _) => return Err(io::Error::other("it has shown no certificate")),
        };
        Ok((Box::new(stream), user))
    }
}

fn load(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let provider = Arc::new(ring::default_provider());
    let unusable = |source| unusable(&files.certificate, source);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(roots(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|error| file(path, &error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(chain, key).map_err(unusable)
}

fn unusable(path: &Path, source: rustls::Error) -> TlsError {
    TlsError::Certificate {
        path: path.to_owned(),
        source,
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| file(path, &format!("no private key in PEM form: {error}")))
}

/// The authorities in a file.
fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(path)? {
        roots
            .add(authority)
            .map_err(|error| file(path, &error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> =
        read.map_err(|error| file(path, &format!("no certificates in PEM form: {error}")))?;
    if certificates.is_empty() {
        return Err(file(path, "it has no certificate in PEM form"));
    }
    Ok(certificates)
}

fn file(path: &Path, reason: &str) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
