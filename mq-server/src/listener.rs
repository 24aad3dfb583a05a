//! Accepting connections, and living through the times when that fails.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use mq_core::Terms;

use crate::broker_task::{Accepted, Command};
use crate::live::Live;
use crate::places::{Claim, Place, Places};
use crate::throttle::{Line, Throttle};
use crate::transport::{Acceptor, Address, Arrival, Endpoint, Established, Speaks, establish};

/// How long to leave a listener alone when the process or the machine has run
/// out of something. The connections wait in the kernel's backlog meanwhile.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(250);

/// What all listeners share.
#[derive(Clone)]
pub(crate) struct Reception {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) places: Places,
    pub(crate) live: Live,
    /// For those that are turned away before their protocol begins.
    pub(crate) throttle: Throttle,
    pub(crate) tls: Option<Acceptor>,
    /// Bytes of one WebSocket message.
    pub(crate) message_size: usize,
}

impl Reception {
    /// Says why a connection ends before its protocol begins.
    fn turn_away(&self, endpoint: &Endpoint, peer: &Peer, reason: &dyn fmt::Display) {
        if let Some(Line { left_out }) = self.throttle.line(Instant::now()) {
            tracing::info!(%endpoint, %peer, left_out, "refused: {reason}");
        }
    }

    /// Hands a connection of which the protocol begins to the broker.
    async fn hand_on(
        &self,
        mut established: Established,
        peer: Peer,
        place: Place,
        endpoint: &Endpoint,
    ) {
        let values = self.live.get();
        let slow_consumers = endpoint.slow_consumers.unwrap_or(values.slow_consumers);
        let terms = Terms {
            identity: established.identity.take(),
            allow_anonymous: endpoint.allow_anonymous,
            virtual_host: endpoint.virtual_host.clone(),
            state_topics: false,
            login_timeout: Some(endpoint.login_timeout.unwrap_or(values.login_timeout)),
            slow_consumers: Some(slow_consumers),
        };
        self.accept(established, terms, peer, place).await;
    }

    /// Hands a connection to the broker.
    pub(crate) async fn accept(
        &self,
        established: Established,
        terms: Terms,
        peer: Peer,
        place: Place,
    ) {
        let accepted = Box::new(Accepted {
            established,
            terms,
            peer,
            place,
        });
        // If the broker is gone, so is the need for this connection.
        let _ = self.commands.send(Command::Accepted(accepted)).await;
    }
}

/// An open listener.
pub(crate) struct Listener {
    /// With the port that it really has.
    pub(crate) endpoint: Endpoint,
    socket: Bound,
}

enum Bound {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, which goes with its listener.
#[cfg(unix)]
struct SocketFile(PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it is gone already, all is as it should be.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    pub(crate) async fn bind(endpoint: &Endpoint, backlog: u32) -> io::Result<Self> {
        let mut endpoint = endpoint.clone();
        let socket = match &mut endpoint.address {
            Address::Tcp(host, port) => {
                let socket = listen(host, *port, backlog).await?;
                *port = socket.local_addr()?.port();
                Bound::Tcp(socket)
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                remove_stale(path)?;
                Bound::Unix(UnixListener::bind(&*path)?, SocketFile(path.clone()))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Self { endpoint, socket })
    }

    /// The IP address and port, of a listener that has them.
    pub(crate) fn local_addr(&self) -> Option<std::net::SocketAddr> {
        match &self.socket {
            Bound::Tcp(socket) => socket.local_addr().ok(),
            #[cfg(unix)]
            Bound::Unix(..) => None,
        }
    }

    /// The next connection, and where it comes from.
    async fn accept(&self, live: &Live) -> io::Result<(Arrival, Peer)> {
        match &self.socket {
            Bound::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                if let Err(error) = set_options(&stream, live.get().tcp_keepalive) {
                    tracing::debug!(%peer, %error, "socket options");
                }
                Ok((Arrival::Tcp(stream), peer.into()))
            }
            #[cfg(unix)]
            Bound::Unix(socket, SocketFile(path)) => {
                let (stream, _) = socket.accept().await?;
                Ok((Arrival::Unix(stream), Peer::unix(path.clone())))
            }
        }
    }
}

/// Where a connection comes from. It is kept of each, so that what is large has a box.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    V4(SocketAddrV4),
    Other(Box<Other>),
}

#[derive(Clone, Debug)]
pub(crate) enum Other {
    V6(SocketAddrV6),
    /// The path of the socket that it found.
    Unix(PathBuf),
    /// The name of a bridge of this server.
    Bridge(String),
}

impl Peer {
    #[cfg(unix)]
    fn unix(path: PathBuf) -> Self {
        Self::Other(Box::new(Other::Unix(path)))
    }

    pub(crate) fn bridge(name: String) -> Self {
        Self::Other(Box::new(Other::Bridge(name)))
    }

    pub(crate) fn socket_address(&self) -> Option<SocketAddr> {
        match self {
            Self::V4(address) => Some((*address).into()),
            Self::Other(other) => match **other {
                Other::V6(address) => Some(address.into()),
                Other::Unix(_) | Other::Bridge(_) => None,
            },
        }
    }

    fn address(&self) -> Option<IpAddr> {
        Some(self.socket_address()?.ip().to_canonical())
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => Self::V4(address),
            SocketAddr::V6(address) => Self::Other(Box::new(Other::V6(address))),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::Other(other) => match &**other {
                Other::V6(address) => address.fmt(f),
                Other::Unix(path) => path.display().fmt(f),
                Other::Bridge(name) => write!(f, "bridge {name}"),
            },
        }
    }
}

/// Removes the file of a Unix socket on which nobody listens any more.
#[cfg(unix)]
fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// Accepts for ever; ends when the broker task is gone. Each listener has a number.
pub(crate) async fn accept(number: u32, listener: Listener, reception: Reception) {
    let endpoint = Arc::new(listener.endpoint.clone());
    // Ended with this future.
    let mut handshakes = JoinSet::new();
    // One line when the trouble begins and one when it ends, not one a try.
    let mut failing = false;
    while !reception.commands.is_closed() {
        // Ended tasks are only remembered until somebody asks.
        while handshakes.try_join_next().is_some() {}
        let (arrival, peer) = match listener.accept(&reception.live).await {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(%endpoint, %error, "a connection was gone before it was accepted");
                continue;
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%endpoint, %error, "cannot accept connections; trying on");
                    failing = true;
                }
                tokio::time::sleep(OUT_OF_RESOURCES).await;
                continue;
            }
        };
        if failing {
            tracing::info!(%endpoint, "accepting connections again");
            failing = false;
        }
        let values = reception.live.get();
        let claim = Claim {
            listener: number,
            // A proxy will say where it comes from.
            address: peer.address().filter(|_| !endpoint.proxy),
            max: values.max_connections,
            max_of_listener: endpoint.max_connections.unwrap_or(u32::MAX),
            max_of_address: values.max_connections_per_address,
        };
        let place = match reception.places.take(claim) {
            Ok(place) => place,
            Err(full) => {
                reception.turn_away(&endpoint, &peer, &full);
                continue;
            }
        };
        match endpoint.speaks {
            Speaks::Only(protocol) if !endpoint.tls && !endpoint.proxy => {
                let established = arrival.plain(protocol);
                reception.hand_on(established, peer, place, &endpoint).await;
            }
            _ => {
                let (endpoint, reception) = (Arc::clone(&endpoint), reception.clone());
                handshakes.spawn(receive(arrival, peer, place, endpoint, reception));
            }
        }
    }
}

/// Brings a connection to where its protocol begins, and hands it to the broker.
async fn receive(
    arrival: Arrival,
    mut peer: Peer,
    mut place: Place,
    endpoint: Arc<Endpoint>,
    reception: Reception,
) {
    let values = reception.live.get();
    let tls = reception.tls.as_ref();
    let handshake_timeout = endpoint
        .handshake_timeout
        .unwrap_or(values.handshake_timeout);
    let handshake = establish(arrival, &endpoint, tls, reception.message_size);
    let established = match timeout(handshake_timeout, handshake).await {
        Ok(Ok(established)) => established,
        Ok(Err(error)) => return reception.turn_away(&endpoint, &peer, &error),
        Err(_) => {
            let reason = "its protocol did not begin in time";
            return reception.turn_away(&endpoint, &peer, &reason);
        }
    };
    if let Some(source) = established.source {
        peer = source.into();
        let counted = place.set_address(source.ip(), values.max_connections_per_address);
        if let Err(full) = counted {
            return reception.turn_away(&endpoint, &peer, &full);
        }
    }
    reception.hand_on(established, peer, place, &endpoint).await;
}

/// Errors that accept(2) reports about the one connection it took from the
/// queue, and not about the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::TimedOut
    )
}

/// Listens on the first address of a host that can be had.
async fn listen(host: &str, port: u16, backlog: u32) -> io::Result<TcpListener> {
    let mut refused = io::ErrorKind::AddrNotAvailable.into();
    for address in lookup_host((host, port)).await? {
        let listening = (|| {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            // On Windows it would let others have the same port.
            #[cfg(not(windows))]
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(backlog)
        })();
        match listening {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn set_options(stream: &TcpStream, keepalive: Duration) -> io::Result<()> {
    // Writes are already batched: waiting for more would only add delay.
    stream.set_nodelay(true)?;
    if keepalive.is_zero() {
        return Ok(());
    }
    let interval = (keepalive / 3).max(Duration::from_secs(1));
    SockRef::from(stream).set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(keepalive)
            .with_interval(interval),
    )
}
