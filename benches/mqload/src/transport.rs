//! What carries the bytes: TCP, TLS, WebSocket. TCP alone has no layer on top of it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use anyhow::{Context as _, Result, ensure};
use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::target::{Protocol, Target};

/// Trusts what is signed by a certificate of this PEM file.
pub fn trust(file: &std::path::Path) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(file).with_context(|| format!("{}", file.display()))?
    {
        roots.add(certificate.context("a certificate")?)?;
    }
    ensure!(!roots.is_empty(), "{}: no certificate", file.display());
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A connected stream.
pub enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    WebSocket(Box<Messages<TcpStream>>),
    WebSocketTls(Box<Messages<TlsStream<TcpStream>>>),
}

impl Transport {
    /// Connects to the target.
    pub async fn connect(target: &Target, tls: Option<&TlsConnector>) -> Result<Self> {
        let socket = TcpStream::connect((&*target.host, target.port)).await?;
        socket.set_nodelay(true)?;
        if !target.tls {
            return Ok(match &target.web_socket {
                None => Self::Tcp(socket),
                Some(_) => Self::WebSocket(Box::new(Messages::open(target, socket).await?)),
            });
        }
        let name = ServerName::try_from(target.host.clone())?;
        let stream = tls
            .context("TLS wants --ca FILE, the certificate to trust")?
            .connect(name, socket)
            .await?;
        Ok(match &target.web_socket {
            None => Self::Tls(Box::new(stream)),
            Some(_) => Self::WebSocketTls(Box::new(Messages::open(target, stream).await?)),
        })
    }
}

/// Does the same with whichever stream it is.
macro_rules! each {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Tcp($stream) => $call,
            Transport::Tls($stream) => $call,
            Transport::WebSocket($stream) => $call,
            Transport::WebSocketTls($stream) => $call,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

/// The bytes of a WebSocket's messages, one after the other.
pub struct Messages<S> {
    stream: WebSocketStream<S>,
    /// What was not read yet of the message that came last.
    rest: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Messages<S> {
    async fn open(target: &Target, stream: S) -> Result<Self> {
        let scheme = if target.tls { "wss" } else { "ws" };
        let path = target.web_socket.as_deref().unwrap_or("/");
        let mut request =
            format!("{scheme}://{}:{}{path}", target.host, target.port).into_client_request()?;
        let subprotocol = match target.protocol {
            Protocol::Stomp => "v12.stomp",
            _ => "mqtt",
        };
        request.headers_mut().insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(subprotocol),
        );
        let (stream, _) = tokio_tungstenite::client_async(request, stream).await?;
        Ok(Self {
            stream,
            rest: Bytes::new(),
        })
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::other(other),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Messages<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(())),
                Some(Err(Error::ConnectionClosed)) => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                Some(Ok(Message::Text(text))) => self.rest = text.into(),
                Some(Ok(_)) => {}
            }
        }
        let length = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Messages<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut stream = Pin::new(&mut self.stream);
        ready!(stream.as_mut().poll_ready(cx)).map_err(io_error)?;
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        stream.start_send(message).map_err(io_error)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx).map_err(io_error)
    }
}
