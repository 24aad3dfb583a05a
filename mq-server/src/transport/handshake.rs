//! From an accepted socket to a connection that the broker can serve.

use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use mq_core::Protocol;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::rewind::Rewind;
use super::{Acceptor, BoxSocket, Carrier, Endpoint, Speaks, proxy, websocket};

/// A socket that was accepted.
pub(crate) enum Arrival {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A connection of which the protocol is known.
pub(crate) struct Established {
    pub(crate) protocol: Protocol,
    pub(crate) carrier: Carrier,
    /// Where a proxy says that it came from.
    pub(crate) source: Option<SocketAddr>,
    /// The user in the client's certificate, where that is asked for.
    pub(crate) identity: Option<String>,
}

/// Does what has to be done before the protocol's first byte. It may wait for the peer for
/// as long as that likes: the caller bounds the time.
pub(crate) async fn establish(
    arrival: Arrival,
    endpoint: &Endpoint,
    tls: Option<&Acceptor>,
    message_size: usize,
) -> io::Result<Established> {
    let mut socket = arrival.into_socket();
    let source = match endpoint.proxy {
        true => proxy::read(&mut socket).await?,
        false => None,
    };
    let mut identity = None;
    if endpoint.tls {
        (socket, identity) = encrypted(socket, endpoint, tls).await?;
    }
    let speaks = match endpoint.speaks {
        Speaks::Anything => {
            let mut found;
            (socket, found) = detect(socket).await?;
            if found == Found::Tls {
                (socket, identity) = encrypted(socket, endpoint, tls).await?;
                (socket, found) = detect(socket).await?;
            }
            found.speaks()?
        }
        known => known,
    };
    let (protocol, carrier) = match speaks {
        Speaks::Only(protocol) => (protocol, Carrier::Bytes(socket)),
        Speaks::WebSocket | Speaks::Anything => {
            let (stream, protocol) = websocket::accept(socket, message_size).await?;
            (protocol, Carrier::messages(stream, protocol))
        }
    };
    Ok(Established {
        protocol,
        carrier,
        source,
        identity,
    })
}

impl Arrival {
    /// The connection, where the protocol begins with the first byte.
    pub(crate) fn plain(self, protocol: Protocol) -> Established {
        let carrier = match self {
            Self::Tcp(stream) => Carrier::Tcp(stream),
            #[cfg(unix)]
            Self::Unix(stream) => Carrier::Bytes(Box::new(stream)),
        };
        Established {
            protocol,
            carrier,
            source: None,
            identity: None,
        }
    }

    fn into_socket(self) -> BoxSocket {
        match self {
            Self::Tcp(stream) => Box::new(stream),
            #[cfg(unix)]
            Self::Unix(stream) => Box::new(stream),
        }
    }
}

/// A socket with TLS on it, and the user in the client's certificate.
async fn encrypted(
    socket: BoxSocket,
    endpoint: &Endpoint,
    tls: Option<&Acceptor>,
) -> io::Result<(BoxSocket, Option<String>)> {
    match tls {
        Some(acceptor) => acceptor.accept(socket, endpoint.identity).await,
        None => Err(io::Error::other(
            "it wants TLS, and there is no certificate",
        )),
    }
}

/// What the first bytes of a stream say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Tls,
    Http,
    Protocol(Protocol),
    Unknown,
}

impl Found {
    fn speaks(self) -> io::Result<Speaks> {
        match self {
            Self::Protocol(protocol) => Ok(Speaks::Only(protocol)),
            Self::Http => Ok(Speaks::WebSocket),
            Self::Tls | Self::Unknown => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its first bytes are of no protocol that is spoken here",
            )),
        }
    }

    /// AMQP begins with its protocol header, MQTT with the first byte of CONNECT, STOMP
    /// with CONNECT or STOMP after any number of line ends, HTTP with a method, TLS with a
    /// record of its handshake. None while more bytes are needed.
    fn of(bytes: &[u8]) -> Option<Self> {
        let first = bytes.iter().find(|byte| !b"\r\n".contains(byte));
        Some(match first {
            None if bytes.len() < EOLS => return None,
            None => Self::Unknown,
            Some(0x16) => Self::Tls,
            Some(0x10) => Self::Protocol(Protocol::Mqtt),
            Some(b'A') => Self::Protocol(Protocol::Amqp),
            Some(b'C' | b'S') => Self::Protocol(Protocol::Stomp),
            Some(_) if METHODS.iter().any(|method| bytes.starts_with(method)) => Self::Http,
            Some(_) if METHODS.iter().any(|method| method.starts_with(bytes)) => return None,
            Some(_) => Self::Unknown,
        })
    }
}

/// Methods of HTTP (RFC 9110 section 9.3). Only the first begins a WebSocket; a request with
/// another one is answered with 405.
const METHODS: [&[u8]; 7] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
];

/// So many bytes of line ends before a STOMP frame are looked at.
const EOLS: usize = 16;

async fn detect(mut socket: BoxSocket) -> io::Result<(BoxSocket, Found)> {
    let mut first = BytesMut::with_capacity(2 * EOLS);
    loop {
        if socket.read_buf(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(found) = Found::of(&first) {
            let first: Bytes = first.freeze();
            return Ok((Box::new(Rewind { first, socket }), found));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        let rows: [(&[u8], Option<Found>); 15] = [
            (b"", None),
            (b"AMQP\0\0\x09\x01", Some(Found::Protocol(Protocol::Amqp))),
            (b"\x10\x0C\0\x04MQTT", Some(Found::Protocol(Protocol::Mqtt))),
            (b"CONNECT\n", Some(Found::Protocol(Protocol::Stomp))),
            (b"\r\n", None),
            (
                b"\n\nCONNECT\naccept-version:1.2\nhost:h\n\n\0",
                Some(Found::Protocol(Protocol::Stomp)),
            ),
            (&[b'\n'; 20], Some(Found::Unknown)),
            (b"\r\n\nSTOMP\n", Some(Found::Protocol(Protocol::Stomp))),
            (b"GET /ws HTTP/1.1\r\n", Some(Found::Http)),
            (b"HEAD / HTTP/1.0\r\n", Some(Found::Http)),
            (b"POST /mqtt HTTP/1.1\r\n", Some(Found::Http)),
            (b"HE", None),
            (b"HELO localhost\r\n", Some(Found::Unknown)),
            (b"\x16\x03\x01", Some(Found::Tls)),
            (b"\0", Some(Found::Unknown)),
        ];
        for (bytes, found) in rows {
            assert_eq!(Found::of(bytes), found, "{bytes:?}");
        }
    }
}
