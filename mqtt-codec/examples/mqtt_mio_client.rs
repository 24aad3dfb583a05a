//! A client over mio: sockets that do not block, and one poll.
//!
//! `mqtt_mio_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`

mod conversation;

use std::io::{Error, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;

use conversation::{Arguments, Outcome, begin};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

fn main() -> Outcome {
    let arguments = Arguments::parse()?;
    let address = arguments.address.to_socket_addrs()?.next();
    let mut socket = TcpStream::connect(address.ok_or("the host has no address")?)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut socket, Token(0), interest)?;
    let mut conversation = begin("mio", &arguments)?;
    let mut out = Vec::new();
    loop {
        poll.poll(&mut events, Some(conversation.wait()))?;
        while let Some(length) = now(socket.read(conversation.space()))? {
            conversation.read(length);
            if length == 0 {
                break;
            }
        }
        out.append(&mut conversation.turn());
        while !out.is_empty()
            && let Some(length) = now(socket.write(&out))?
        {
            out.drain(..length);
        }
        if out.is_empty()
            && let Some(outcome) = conversation.outcome()
        {
            return outcome;
        }
    }
}

/// What was done, unless there is nothing to read, no room to write, or no connection yet.
fn now(done: Result<usize, Error>) -> Result<Option<usize>, Error> {
    match done {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(None),
        Err(error) => Err(error),
    }
}
