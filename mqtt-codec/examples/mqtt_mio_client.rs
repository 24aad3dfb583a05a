//! A client over mio: sockets that do not block, and one poll.
//!
//! `mqtt_mio_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod arguments;
mod conversation;

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Instant;

use arguments::Arguments;
use conversation::Conversation;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    let address = arguments.address.to_socket_addrs()?.next();
    let mut socket = TcpStream::connect(address.ok_or("the host has no address")?)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut socket, Token(0), interest)?;
    let start = Instant::now();
    let mut conversation = Conversation::begin("mio", &arguments, start.elapsed())?;
    let mut out = Vec::new();
    loop {
        poll.poll(&mut events, Some(conversation.wait(start.elapsed())))?;
        loop {
            match socket.read(conversation.space()) {
                Ok(0) => {
                    conversation.read(start.elapsed(), 0);
                    break;
                }
                Ok(length) => conversation.read(start.elapsed(), length),
                Err(error) if is_not_now(&error) => break,
                Err(error) => return Err(error.into()),
            }
        }
        conversation.turn(start.elapsed());
        conversation.transmit(start.elapsed(), &mut out);
        while !out.is_empty() {
            match socket.write(&out) {
                Ok(length) => drop(out.drain(..length)),
                Err(error) if is_not_now(&error) => break,
                Err(error) => return Err(error.into()),
            }
        }
        if conversation.is_over() && out.is_empty() {
            return conversation.outcome();
        }
    }
}

/// Whether there is nothing to read or no room to write, or no connection yet.
fn is_not_now(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}
