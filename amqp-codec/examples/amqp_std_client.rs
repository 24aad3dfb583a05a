//! A client over blocking sockets.
//!
//! `amqp_std_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use amqp_codec::connection::{ClientConnection, ReadBuffer};
use conversation::{Conversation, Outcome, take, wait};

fn main() -> Outcome {
    let (address, config) = conversation::arguments()?;
    let mut socket = TcpStream::connect(address)?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);
    let (mut conversation, mut outcome) = (Conversation::default(), Ok(()));
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    loop {
        // After an error too: the protocol's own goodbye is still to be sent.
        client.poll_transmit(start.elapsed(), &mut out);
        let sent = socket.write_all(&out);
        out.clear();
        if outcome.is_err() || client.is_closed() {
            return outcome;
        }
        sent?;
        socket.set_read_timeout(Some(wait(&client, start.elapsed())))?;
        let read = match socket.read(buffer.space(4096)) {
            Ok(length) => Some(length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            Err(error) => return Err(error.into()),
        };
        let now = start.elapsed();
        outcome = take(&mut client, &mut buffer, now, read, |client, event| {
            conversation.answer(now, client, event)
        });
    }
}
