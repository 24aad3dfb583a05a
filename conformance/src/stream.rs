//! What carries a conversation: TCP, TLS over it, and WebSocket over either.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use tungstenite::http::Uri;
use tungstenite::{ClientRequestBuilder, Error, Message, WebSocket};

use crate::target::{Protocol, Target, Transport};

/// A connection to a broker.
pub(crate) struct Stream {
    /// The same socket as below, for its options and its end.
    socket: TcpStream,
    carrier: Carrier,
}

enum Carrier {
    Plain(Plain),
    WebSocket {
        socket: Box<WebSocket<Plain>>,
        /// Whether what is text goes into text frames.
        text: bool,
        /// What has come of a message and was not read yet.
        rest: Vec<u8>,
    },
}

/// TCP, or TLS over it.
enum Plain {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => match stream.read(buffer) {
                // A peer that closes without a word of TLS has closed all the same.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }
}

impl Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Stream {
    /// Connects to the broker as its URL says, up to where its protocol begins. `patience`
    /// is how long each step may take.
    ///
    /// # Errors
    ///
    /// Those of the connection, of TLS, and of the WebSocket handshake.
    pub(crate) fn connect(target: &Target, patience: Duration) -> io::Result<Self> {
        let stream = Self::connect_plain(target, target.port, patience)?;
        match (target.transport, &target.web_socket) {
            (Transport::WebSocket, Some(web_socket)) => stream.upgrade(target, &web_socket.path),
            _ => Ok(stream),
        }
    }

    /// Connects without WebSocket, whatever the URL says, to a port of the broker.
    ///
    /// # Errors
    ///
    /// Those of the connection and of TLS.
    pub(crate) fn connect_plain(
        target: &Target,
        port: u16,
        patience: Duration,
    ) -> io::Result<Self> {
        let stream = target.connect(port, patience)?;
        // Small frames are sent when the case says so. Without the option they come later.
        stream.set_nodelay(true).unwrap_or_default();
        let socket = stream.try_clone()?;
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        let plain = match &target.tls {
            None => Plain::Tcp(stream),
            Some(tls) => Plain::Tls(Box::new(tls.connect(target.address(), stream)?)),
        };
        Ok(Self {
            socket,
            carrier: Carrier::Plain(plain),
        })
    }

    fn upgrade(self, target: &Target, path: &str) -> io::Result<Self> {
        let Carrier::Plain(plain) = self.carrier else {
            return Ok(self);
        };
        let uri = format!("ws://{}:{}{path}", target.host, target.port);
        let uri: Uri = uri.parse().map_err(io::Error::other)?;
        let request = subprotocols(target.protocol)
            .iter()
            .fold(ClientRequestBuilder::new(uri), |request, name| {
                request.with_sub_protocol(*name)
            });
        let (socket, _) = tungstenite::client(request, plain)
            .map_err(|error| io::Error::other(format!("WebSocket handshake: {error}")))?;
        Ok(Self {
            socket: self.socket,
            carrier: Carrier::WebSocket {
                socket: Box::new(socket),
                text: target.protocol == Protocol::Stomp,
                rest: Vec::new(),
            },
        })
    }

    /// How long one read may take.
    ///
    /// # Errors
    ///
    /// For a time of zero.
    pub(crate) fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(time))
    }

    /// How long one write may take.
    ///
    /// # Errors
    ///
    /// For a time of zero.
    pub(crate) fn set_write_timeout(&self, time: Duration) -> io::Result<()> {
        self.socket.set_write_timeout(Some(time))
    }

    /// Closes the sending side, as the end of a program does.
    ///
    /// # Errors
    ///
    /// Those of the connection: the peer may have closed it.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<()> {
        let plain = match &mut self.carrier {
            Carrier::Plain(plain) => plain,
            Carrier::WebSocket { socket, .. } => socket.get_mut(),
        };
        if let Plain::Tls(stream) = plain {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        self.socket.shutdown(Shutdown::Write)
    }

    /// Sends all of the bytes; over WebSocket, as one message.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.carrier {
            Carrier::Plain(plain) => {
                plain.write_all(bytes)?;
                plain.flush()
            }
            Carrier::WebSocket { socket, text, .. } => {
                let message = match str::from_utf8(bytes) {
                    Ok(words) if *text => Message::text(words),
                    _ => Message::binary(bytes.to_vec()),
                };
                socket.send(message).map_err(into_io)
            }
        }
    }

    /// Reads what has come. `Ok(0)` is the end.
    ///
    /// # Errors
    ///
    /// Those of the connection, a timeout among them.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.carrier {
            Carrier::Plain(plain) => plain.read(buffer),
            Carrier::WebSocket { socket, rest, .. } => {
                while rest.is_empty() {
                    match socket.read() {
                        Ok(Message::Binary(bytes)) => rest.extend_from_slice(&bytes),
                        Ok(Message::Text(words)) => rest.extend_from_slice(words.as_bytes()),
                        Ok(Message::Close(_))
                        | Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(0),
                        Ok(_) => {}
                        Err(error) => return Err(into_io(error)),
                    }
                }
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                rest.drain(..count);
                Ok(count)
            }
        }
    }
}

/// What a client of the protocol offers in the WebSocket handshake.
fn subprotocols(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::Mqtt => &["mqtt"],
        Protocol::Stomp => &["v12.stomp", "v11.stomp", "v10.stomp"],
        Protocol::Amqp => &[],
    }
}

/// The end of a connection without a Close frame is a reset, as far as WebSocket goes.
fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::Protocol(_) => io::Error::new(ErrorKind::ConnectionReset, error),
        other => io::Error::other(other),
    }
}
