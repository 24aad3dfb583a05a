//! TLS to a broker: whose certificates are believed, and who the client says it is.

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};

use crate::again::Options;

/// Where most systems keep the authorities that they believe.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What the command line says about TLS.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct TlsArgs {
    /// Authorities that sign the broker's certificate (PEM). Without it those of
    /// the system are believed, from /etc/ssl/certs/ca-certificates.crt
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// A certificate for a broker that wants one of its clients (PEM)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_certificate: Option<PathBuf>,
    /// The private key of the client's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_key: Option<PathBuf>,
    /// Believe any certificate of the broker
    #[arg(long, conflicts_with = "tls_ca")]
    insecure: bool,
}

impl TlsArgs {
    /// Adds what was given.
    pub(crate) fn again(&self, options: &mut Options) {
        let Self {
            tls_ca,
            client_certificate,
            client_key,
            insecure,
        } = self;
        options.values("--tls-ca", tls_ca.iter().map(|path| path.display()));
        let certificate = client_certificate.iter().map(|path| path.display());
        options.values("--client-certificate", certificate);
        options.values("--client-key", client_key.iter().map(|path| path.display()));
        options.flag("--insecure", *insecure);
    }
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{}: {reason}", .path.display())]
    File { path: PathBuf, reason: String },
    #[error("the client's certificate cannot be used: {0}")]
    Certificate(rustls::Error),
}

/// How TLS is spoken to a broker.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl Tls {
    /// Reads the files that the command line names.
    ///
    /// # Errors
    ///
    /// [`TlsError`] for a file that cannot be read or used.
    pub(crate) fn new(args: &TlsArgs) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Certificate)?;
        let builder = if args.insecure {
            let verifier = Arc::new(AnyCertificate(provider));
            builder
                .dangerous()
                .with_custom_certificate_verifier(verifier)
        } else {
            let mut roots = RootCertStore::empty();
            let path = args.tls_ca.as_deref().unwrap_or(Path::new(SYSTEM));
            roots.add_parsable_certificates(certificates(path)?);
            builder.with_root_certificates(roots)
        };
        let config = match (&args.client_certificate, &args.client_key) {
            (Some(certificate), Some(key)) => {
                let private =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::File {
                        path: key.clone(),
                        reason: error.to_string(),
                    })?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, private)
                    .map_err(TlsError::Certificate)?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// Does the handshake over a connection to this host.
    ///
    /// # Errors
    ///
    /// Those of the connection, and what is wrong with the certificate.
    pub(crate) fn connect(
        &self,
        host: &str,
        mut stream: TcpStream,
    ) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut connection =
            ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(connection, stream))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = |reason: String| TlsError::File {
        path: path.to_owned(),
        reason,
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| file(error.to_string()))?;
    if found.is_empty() {
        return Err(file("there is no certificate in it".into()));
    }
    Ok(found)
}

/// Believes any certificate. That the broker has its key is checked all the same.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
