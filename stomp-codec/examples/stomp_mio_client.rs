//! A client over mio: sockets that say when they are ready.
//!
//! `stomp_mio_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Instant;

use conversation::{Arguments, Conversation, Outcome, wait};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let address = arguments.address.to_socket_addrs()?.next();
    let mut socket = TcpStream::connect(address.ok_or("the host has no address")?)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut socket, Token(0), interest)?;
    let start = Instant::now();
    let mut conversation = Conversation::begin(start.elapsed(), &arguments, "mio")?;
    let (mut out, mut outcome) = (Vec::new(), Ok(()));
    loop {
        // After an error too: the goodbye is still to be sent.
        conversation.client.poll_transmit(start.elapsed(), &mut out);
        let sent = now_or_never(|| socket.write(&out));
        if outcome.is_err() || conversation.client.is_closed() {
            return outcome;
        }
        let sent = sent?;
        out.drain(..sent.unwrap_or(0));
        let read = now_or_never(|| socket.read(conversation.buffer.space(4096)))?;
        // Only what was not done for now says when it can be.
        if read.is_none() && (out.is_empty() || sent.is_none()) {
            let wait = wait(&conversation.client, start.elapsed());
            poll.poll(&mut events, Some(wait))?;
        }
        outcome = conversation.take(start.elapsed(), read);
    }
}

/// What a socket does at once; `None` if it is not ready.
fn now_or_never<T>(act: impl FnOnce() -> io::Result<T>) -> io::Result<Option<T>> {
    match act() {
        Ok(done) => Ok(Some(done)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}
