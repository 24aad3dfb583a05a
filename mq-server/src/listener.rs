//! Accepting connections, and living through the times when that fails.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mq_core::Protocol;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use crate::broker_task::Command;
use crate::name;

/// How long to leave a listener alone when the process or the machine has run
/// out of something. The connections wait in the kernel's backlog meanwhile.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(250);

/// A peer that vanished without a word is found after about a minute, also in
/// protocols without a keep-alive of their own.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Accepts for ever; ends when the broker task is gone.
pub(crate) async fn accept(
    listener: TcpListener,
    protocol: Protocol,
    commands: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
) {
    // One line when the trouble begins and one when it ends, not one a try.
    let mut failing = false;
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(protocol = name(protocol), %error, "a connection was gone before it was accepted");
                continue;
            }
            Err(error) => {
                if !failing {
                    tracing::error!(protocol = name(protocol), %error, "cannot accept connections; trying on");
                    failing = true;
                }
                tokio::time::sleep(OUT_OF_RESOURCES).await;
                continue;
            }
        };
        if failing {
            tracing::info!(protocol = name(protocol), "accepting connections again");
            failing = false;
        }
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!(protocol = name(protocol), %peer, "refused: the limit of connections is reached");
            continue;
        };
        if let Err(error) = set_options(&stream) {
            tracing::debug!(protocol = name(protocol), %peer, %error, "socket options");
        }
        let accepted = Command::Accepted {
            protocol,
            stream,
            peer,
            permit,
        };
        if commands.send(accepted).await.is_err() {
            return;
        }
    }
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

fn set_options(stream: &TcpStream) -> io::Result<()> {
    // Writes are already batched: waiting for more would only add delay.
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL),
    )
}
