//! A client over mio.
//!
//! `amqp_mio_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Instant;

use amqp_codec::connection::{ClientConnection, ReadBuffer};
use conversation::{Conversation, Outcome, take, wait};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

fn main() -> Outcome {
    let (address, config) = conversation::arguments()?;
    let address = address.to_socket_addrs()?.next();
    let mut socket = TcpStream::connect(address.ok_or("the host has no address")?)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut socket, Token(0), interest)?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);
    let (mut conversation, mut outcome) = (Conversation::default(), Ok(()));
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    loop {
        // After an error too: the protocol's own goodbye is still to be sent.
        client.poll_transmit(start.elapsed(), &mut out);
        let sent = now_or_never(|| socket.write(&out));
        if outcome.is_err() || client.is_closed() {
            return outcome;
        }
        let sent = sent?;
        out.drain(..sent.unwrap_or(0));
        let read = now_or_never(|| socket.read(buffer.space(4096)))?;
        // Only what was not done for now says when it can be.
        if read.is_none() && (out.is_empty() || sent.is_none()) {
            poll.poll(&mut events, Some(wait(&client, start.elapsed())))?;
        }
        let now = start.elapsed();
        outcome = take(&mut client, &mut buffer, now, read, |client, event| {
            conversation.answer(now, client, event)
        });
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
