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

use conversation::{Arguments, Conversation, Outcome};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use stomp_codec::connection::ReadBuffer;

fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let address = arguments.address.to_socket_addrs()?.next();
    let mut socket = TcpStream::connect(address.ok_or("the host has no address")?)?;
    let mut poll = Poll::new()?;
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut socket, Token(0), interest)?;
    let start = Instant::now();
    let mut conversation = Conversation::begin(start.elapsed(), &arguments, "mio")?;
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    let mut events = Events::with_capacity(8);
    let mut outcome = Ok(());
    loop {
        // After an error too: the goodbye is still to be sent.
        conversation.client.poll_transmit(start.elapsed(), &mut out);
        let sent = write(&mut socket, &mut out);
        let is_over = outcome.is_err() || conversation.client.is_closed();
        if is_over && (sent.is_err() || out.is_empty()) {
            return outcome;
        }
        sent?;

        let next = conversation.client.poll_timeout();
        let wait = next.map(|at| at.saturating_sub(start.elapsed()));
        poll.poll(&mut events, wait)?;
        if !is_over {
            outcome = read(&mut socket, &mut buffer, &mut conversation, start);
            if outcome.is_ok() && next.is_some_and(|at| at <= start.elapsed()) {
                outcome = conversation
                    .client
                    .handle_timeout(start.elapsed())
                    .map_err(Into::into);
            }
        }
    }
}

/// Reads and acts until there is nothing more for now.
fn read(
    socket: &mut TcpStream,
    buffer: &mut ReadBuffer,
    conversation: &mut Conversation,
    start: Instant,
) -> Outcome {
    loop {
        match socket.read(buffer.space(4096)) {
            Ok(0) => return Ok(conversation.client.receive_eof(start.elapsed())?),
            Ok(len) => {
                buffer.filled(len);
                conversation.receive(start.elapsed(), &mut buffer.input())?;
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::NotConnected => return Ok(()),
                ErrorKind::Interrupted => {}
                _ => return Err(error.into()),
            },
        }
    }
}

/// Writes as much as the socket takes for now.
fn write(socket: &mut TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    while !out.is_empty() {
        match socket.write(out) {
            Ok(len) => drop(out.drain(..len)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::NotConnected => return Ok(()),
                ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
    Ok(())
}
