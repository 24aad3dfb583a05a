//! The PROXY protocol, version 2: where a connection really came from.

use std::io;
use std::net::SocketAddr;

use ppp::v2::{Addresses, Header, PROTOCOL_PREFIX};
use tokio::io::AsyncReadExt;

use super::BoxSocket;

/// Bytes of a header before its addresses.
const MINIMUM_LENGTH: usize = 16;

/// A header's addresses and extensions take no more than this; real ones have about 100 bytes.
const LARGEST: usize = 4096;

/// Reads the header. Returns the address of the peer, or None where the proxy speaks for
/// itself, as in its health checks, or for a peer that has no IP address.
pub(super) async fn read(socket: &mut BoxSocket) -> io::Result<Option<SocketAddr>> {
    let mut header = vec![0; MINIMUM_LENGTH];
    socket.read_exact(&mut header).await?;
    if !header.starts_with(PROTOCOL_PREFIX) {
        return Err(invalid(
            "it does not begin with a PROXY header of version 2",
        ));
    }
    let len = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if len > LARGEST {
        return Err(invalid("its PROXY header is too long"));
    }
    header.resize(MINIMUM_LENGTH + len, 0);
    socket.read_exact(&mut header[MINIMUM_LENGTH..]).await?;
    let header = Header::try_from(&header[..]).map_err(|error| invalid(&error.to_string()))?;
    Ok(match header.addresses {
        Addresses::IPv4(ip) => Some((ip.source_address, ip.source_port).into()),
        Addresses::IPv6(ip) => Some((ip.source_address, ip.source_port).into()),
        Addresses::Unix(_) | Addresses::Unspecified => None,
    })
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
