//! mio: sockets that say when they are ready.

use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::Act;
use crate::{ClientConnection, Outcome, ReadBuffer, take, wait};

pub(crate) fn run(
    address: &str,
    mut client: ClientConnection,
    start: Instant,
    mut act: Act,
) -> Outcome {
    let address = address.to_socket_addrs()?.next();
    let mut socket = TcpStream::connect(address.ok_or("the host has no address")?)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut socket, Token(0), interest)?;
    let (mut buffer, mut out, mut outcome) = (ReadBuffer::new(), Vec::new(), Ok(()));
    loop {
        client.poll_transmit(start.elapsed(), &mut out);
        let sent = if_ready(socket.write(&out));
        if outcome.is_err() || client.is_closed() {
            return outcome;
        }
        let sent = sent?;
        out.drain(..sent.unwrap_or(0));
        let read = if_ready(socket.read(buffer.space(4096)))?;
        // Only what was not done for now says when it can be.
        if read.is_none() && (out.is_empty() || sent.is_none()) {
            poll.poll(&mut events, Some(wait(&client, start.elapsed())))?;
        }
        outcome = take(&mut client, start.elapsed(), &mut buffer, read, &mut act);
    }
}

/// What a socket did; `None` if it is not ready.
fn if_ready(done: io::Result<usize>) -> io::Result<Option<usize>> {
    match done.map_err(|error| (error.kind(), error)) {
        Ok(length) => Ok(Some(length)),
        Err((ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted, _)) => {
            Ok(None)
        }
        Err((_, error)) => Err(error),
    }
}
