//! A client over mio.
//!
//! `amqp_mio_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Instant;

use amqp_codec::connection::{ClientConnection, ReadBuffer};
use conversation::Conversation;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

fn main() -> Result<(), Box<dyn Error>> {
    let (address, config) = conversation::arguments()?;
    let address = address
        .to_socket_addrs()?
        .next()
        .ok_or("the host has no address")?;
    let mut socket = TcpStream::connect(address)?;
    let mut poll = Poll::new()?;
    poll.registry().register(
        &mut socket,
        Token(0),
        Interest::READABLE | Interest::WRITABLE,
    )?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);

    let mut out = Vec::new();
    let outcome = drive(&mut client, &mut socket, &mut poll, start, &mut out);
    // However it ended, the protocol's own goodbye is still to be sent. If that fails too,
    // what happened first says more: that the connection was refused.
    client.poll_transmit(start.elapsed(), &mut out);
    let sent = write_all(&mut socket, &mut poll, &mut out);
    outcome?;
    Ok(sent?)
}

/// Drives the connection until the protocol is over. What the socket did not take yet
/// stays in `out`.
fn drive(
    client: &mut ClientConnection,
    socket: &mut TcpStream,
    poll: &mut Poll,
    start: Instant,
    out: &mut Vec<u8>,
) -> Result<(), Box<dyn Error>> {
    let mut conversation = Conversation::default();
    let mut events = Events::with_capacity(8);
    let mut buffer = ReadBuffer::new();
    while !client.is_closed() {
        let wait = client
            .poll_timeout()
            .map(|at| at.saturating_sub(start.elapsed()));
        poll.poll(&mut events, wait)?;
        client.handle_timeout(start.elapsed())?;
        let ended = read(socket, &mut buffer)?;

        let mut input = buffer.input();
        while let Some(event) = client.receive(start.elapsed(), &mut input)? {
            conversation.answer(start.elapsed(), client, event)?;
        }
        drop(input);
        if ended {
            client.receive_eof(start.elapsed())?;
        }

        client.poll_transmit(start.elapsed(), out);
        write(socket, out)?;
    }
    Ok(())
}

/// Reads until there is nothing more for now. Returns whether the socket has ended.
fn read(socket: &mut TcpStream, buffer: &mut ReadBuffer) -> io::Result<bool> {
    loop {
        match socket.read(buffer.space(4096)) {
            Ok(0) => return Ok(true),
            Ok(length) => buffer.filled(length),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::NotConnected => return Ok(false),
                ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
}

/// Writes everything, and waits for the socket where it has to.
fn write_all(socket: &mut TcpStream, poll: &mut Poll, out: &mut Vec<u8>) -> io::Result<()> {
    write(socket, out)?;
    while !out.is_empty() {
        poll.poll(&mut Events::with_capacity(1), None)?;
        write(socket, out)?;
    }
    Ok(())
}

/// Writes as much as the socket takes for now.
fn write(socket: &mut TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    while !out.is_empty() {
        match socket.write(out) {
            Ok(length) => drop(out.drain(..length)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::NotConnected => return Ok(()),
                ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
    Ok(())
}
