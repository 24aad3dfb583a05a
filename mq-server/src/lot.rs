//! Where sockets are parked while their connections have nothing to do.
//!
//! A connection that is served takes about a kilobyte in here: its task, what tokio's driver
//! keeps of its socket, and what it shares with the broker's task. Most connections are idle
//! most of the time, and of one that is parked only the descriptor is left. One object watches
//! all that are, and the broker's task hears of it when something comes from one of them.

use std::io;
use std::net;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll as Watch, Token};
use mq_core::ConnectionId;
use tokio::io::unix::AsyncFd;

use crate::places::Place;

/// Sockets that are heard of at one time.
const AT_ONCE: usize = 128;

/// A socket that is watched.
#[derive(Debug)]
pub(crate) struct Parked {
    socket: TcpStream,
    /// Held until the socket is closed.
    place: Place,
    /// The milliseconds of the broker's time then, as far as they go into it.
    since: u32,
}

/// Many are parked, so that room counts; of what is parked for seven weeks it does not matter
/// for how long.
fn milliseconds(now: Duration) -> u32 {
    now.as_millis() as u32
}

/// Watches what is parked.
pub(crate) struct Lot {
    /// From the first one on.
    watch: Option<AsyncFd<Watch>>,
    events: Events,
}

impl Lot {
    pub(crate) fn new() -> Self {
        Self {
            watch: None,
            events: Events::with_capacity(AT_ONCE),
        }
    }

    /// Parks a socket. Where that cannot be, it is returned, to be served again.
    pub(crate) fn park(
        &mut self,
        connection: ConnectionId,
        socket: net::TcpStream,
        place: Place,
        now: Duration,
    ) -> Result<Parked, (net::TcpStream, Place)> {
        let mut socket = TcpStream::from_std(socket);
        match self.watch(connection, &mut socket) {
            Ok(()) => Ok(Parked {
                socket,
                place,
                since: milliseconds(now),
            }),
            Err(error) => {
                tracing::debug!(id = connection.0, %error, "cannot park a socket");
                Err((socket.into(), place))
            }
        }
    }

    fn watch(&mut self, connection: ConnectionId, socket: &mut TcpStream) -> io::Result<()> {
        let token = usize::try_from(connection.0).map_err(io::Error::other)?;
        if self.watch.is_none() {
            let interest = tokio::io::Interest::READABLE;
            #[allow(
                deprecated,
                reason = "its successor is unsafe, for types that do not own their descriptor"
            )]
            let watch = AsyncFd::with_interest(Watch::new()?, interest)?;
            self.watch = Some(watch);
        }
        match &self.watch {
            // What has come by now is heard of at once.
            Some(watch) => {
                let registry = watch.get_ref().registry();
                registry.register(socket, Token(token), Interest::READABLE)
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Has a socket back, and says how long it was here.
    pub(crate) fn leave(
        &self,
        parked: Parked,
        now: Duration,
    ) -> io::Result<(tokio::net::TcpStream, Place, Duration)> {
        let Parked {
            mut socket,
            place,
            since,
        } = parked;
        if let Some(watch) = &self.watch {
            watch.get_ref().registry().deregister(&mut socket)?;
        }
        let socket = tokio::net::TcpStream::from_std(socket.into())?;
        let parked = milliseconds(now).wrapping_sub(since);
        Ok((socket, place, Duration::from_millis(parked.into())))
    }

    /// Waits until something has come from connections that are parked, its end included, and
    /// adds them to `woken`. Nothing is lost where this is given up before.
    pub(crate) async fn hear(&mut self, woken: &mut Vec<ConnectionId>) {
        let Self { watch, events } = self;
        let Some(watch) = watch else {
            return std::future::pending().await;
        };
        loop {
            let mut ready = match watch.readable_mut().await {
                Ok(ready) => ready,
                Err(error) => {
                    tracing::error!(%error, "cannot watch the sockets that are parked");
                    return std::future::pending().await;
                }
            };
            let polled = ready.get_inner_mut().poll(events, Some(Duration::ZERO));
            match polled {
                Ok(()) if events.is_empty() => ready.clear_ready(),
                Ok(()) => {
                    let tokens = events.iter().map(|event| event.token().0 as u64);
                    woken.extend(tokens.map(ConnectionId));
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::error!(%error, "cannot hear of the sockets that are parked");
                    ready.clear_ready();
                }
            }
        }
    }
}
