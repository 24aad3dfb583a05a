//! A client over blocking sockets.
//!
//! `stomp_std_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use conversation::{Arguments, Conversation, Outcome, wait};

fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let mut socket = TcpStream::connect(&arguments.address)?;
    let start = Instant::now();
    let mut conversation = Conversation::begin(start.elapsed(), &arguments, "std")?;
    let (mut out, mut outcome) = (Vec::new(), Ok(()));
    loop {
        // After an error too: the goodbye is still to be sent.
        conversation.client.poll_transmit(start.elapsed(), &mut out);
        let sent = socket.write_all(&out);
        out.clear();
        if outcome.is_err() || conversation.client.is_closed() {
            return outcome;
        }
        sent?;
        let wait = wait(&conversation.client, start.elapsed());
        socket.set_read_timeout(Some(wait))?;
        let read = match socket.read(conversation.buffer.space(4096)) {
            Ok(length) => Some(length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            Err(error) => return Err(error.into()),
        };
        outcome = conversation.take(start.elapsed(), read);
    }
}
