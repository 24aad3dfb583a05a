//! What lies between a socket and the broker's bytes: the PROXY protocol, TLS,
//! WebSocket, and finding out which protocol a peer speaks.

mod carrier;
mod endpoint;
mod handshake;
mod identity;
mod proxy;
mod rewind;
mod tls;
mod websocket;

pub use endpoint::{Address, Endpoint, EndpointError, IdentityFrom, Speaks};
pub use tls::{ClientTls, TlsError, TlsFiles};

pub(crate) use carrier::{Carrier, SMALL};
pub(crate) use handshake::{Arrival, Established, establish};
pub(crate) use tls::Acceptor;

use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes in both directions.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

pub(crate) type BoxSocket = Box<dyn Socket>;
