//! The way of a client to the server: TCP, TLS, WebSocket, or WebSocket over TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

/// How a client comes to the server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Tcp,
    Tls,
    WebSocket,
    SecureWebSocket,
}

pub(super) const WAYS: [Way; 4] = [Way::Tcp, Way::Tls, Way::WebSocket, Way::SecureWebSocket];

/// What clients trust.
pub(super) type Trust = Arc<ClientConfig>;

/// Trust in one authority.
pub(super) fn trust(authority: &Path) -> Trust {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(authority).unwrap())
        .unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    Arc::new(config.with_no_client_auth())
}

/// Where a client finds the server, and how.
#[derive(Clone)]
pub(super) struct At {
    /// Of the protocol.
    pub(super) plain: u16,
    /// For everything.
    pub(super) any: u16,
    pub(super) way: Way,
    /// The sub-protocol of WebSocket; none: the protocol has no WebSocket, and comes over TCP
    /// or TLS.
    pub(super) web_socket: Option<&'static str>,
    pub(super) trust: Trust,
}

/// A socket that can be read with a timeout.
pub(super) trait Socket: Read + Write + Send {}

impl Socket for TcpStream {}
impl Socket for StreamOwned<ClientConnection, TcpStream> {}

/// An open connection.
pub(super) enum Carrier {
    Stream(Box<dyn Socket>),
    Messages(Box<WebSocket<Box<dyn Socket>>>),
}

/// The server is gone.
pub(super) struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl At {
    /// Connects. Reads end after five milliseconds from then on.
    pub(super) fn connect(&self) -> Result<Carrier, Gone> {
        let (is_secure, is_web) = match (self.way, self.web_socket) {
            (Way::Tcp, _) | (Way::WebSocket, None) => (false, None),
            (Way::Tls, _) | (Way::SecureWebSocket, None) => (true, None),
            (Way::WebSocket, Some(name)) => (false, Some(name)),
            (Way::SecureWebSocket, Some(name)) => (true, Some(name)),
        };
        let port = match is_secure || is_web.is_some() {
            true => self.any,
            false => self.plain,
        };
        let tcp = TcpStream::connect(("127.0.0.1", port))?;
        tcp.set_read_timeout(Some(Duration::from_secs(5)))?;
        let timer = tcp.try_clone()?;
        let socket: Box<dyn Socket> = match is_secure {
            false => Box::new(tcp),
            true => {
                let name = ServerName::try_from("localhost").unwrap();
                let tls = ClientConnection::new(Arc::clone(&self.trust), name).unwrap();
                let mut stream = StreamOwned::new(tls, tcp);
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock)?;
                }
                Box::new(stream)
            }
        };
        let carrier = match is_web {
            None => Carrier::Stream(socket),
            Some(name) => {
                let mut request = format!("ws://localhost:{port}/ws")
                    .into_client_request()
                    .unwrap();
                let headers = request.headers_mut();
                headers.insert("Sec-WebSocket-Protocol", name.parse().unwrap());
                let (socket, _) = client(request, socket).map_err(|_| Gone)?;
                Carrier::Messages(Box::new(socket))
            }
        };
        timer.set_read_timeout(Some(Duration::from_millis(5)))?;
        Ok(carrier)
    }
}

/// Whether a read has ended since nothing has come.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl Carrier {
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        match self {
            Self::Stream(socket) => {
                socket.write_all(bytes)?;
                socket.flush()?;
            }
            Self::Messages(_) if bytes.is_empty() => {}
            Self::Messages(socket) => {
                let message = Message::Binary(bytes.to_vec().into());
                socket.send(message).map_err(|_| Gone)?;
            }
        }
        Ok(())
    }

    /// Adds what has come, if something comes soon.
    pub(super) fn receive(&mut self, input: &mut Vec<u8>) -> Result<(), Gone> {
        match self {
            Self::Stream(socket) => {
                let mut chunk = [0; 16 * 1024];
                match socket.read(&mut chunk) {
                    Ok(0) => return Err(Gone),
                    Ok(len) => input.extend(&chunk[..len]),
                    Err(error) if is_late(&error) => {}
                    Err(_) => return Err(Gone),
                }
            }
            Self::Messages(socket) => match socket.read() {
                Ok(message) => input.extend(message.into_data()),
                Err(Error::Io(error)) if is_late(&error) => {}
                Err(_) => return Err(Gone),
            },
        }
        Ok(())
    }
}
