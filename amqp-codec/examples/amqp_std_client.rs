//! A client over blocking sockets.
//!
//! `amqp_std_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use amqp_codec::connection::{ClientConnection, ReadBuffer};
use conversation::Conversation;

fn main() -> Result<(), Box<dyn Error>> {
    let (address, config) = conversation::arguments()?;
    let mut socket = TcpStream::connect(address)?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);

    let outcome = drive(&mut client, &mut socket, start);
    // However it ended, the protocol's own goodbye is still to be sent. If that fails too,
    // what happened first says more.
    let mut out = Vec::new();
    client.poll_transmit(start.elapsed(), &mut out);
    let sent = socket.write_all(&out);
    outcome?;
    Ok(sent?)
}

/// Drives the connection until the protocol is over.
fn drive(
    client: &mut ClientConnection,
    socket: &mut TcpStream,
    start: Instant,
) -> Result<(), Box<dyn Error>> {
    let mut conversation = Conversation::default();
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    while !client.is_closed() {
        client.poll_transmit(start.elapsed(), &mut out);
        socket.write_all(&out)?;
        out.clear();

        let wait = client
            .poll_timeout()
            .map(|at| at.saturating_sub(start.elapsed()));
        // A socket takes no timeout of zero.
        socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        match socket.read(buffer.space(4096)) {
            Ok(0) => client.receive_eof(start.elapsed())?,
            Ok(length) => buffer.filled(length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                client.handle_timeout(start.elapsed())?;
            }
            Err(error) => return Err(error.into()),
        }

        let mut input = buffer.input();
        while let Some(event) = client.receive(start.elapsed(), &mut input)? {
            conversation.answer(start.elapsed(), client, event)?;
        }
    }
    Ok(())
}
