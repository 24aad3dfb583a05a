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
use std::time::{Duration, Instant};

use conversation::{Arguments, Conversation, Outcome};
use stomp_codec::connection::ReadBuffer;

fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let mut socket = TcpStream::connect(&arguments.address)?;
    let start = Instant::now();
    let mut conversation = Conversation::begin(start.elapsed(), &arguments, "std")?;
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    let mut outcome = Ok(());
    loop {
        // After an error too: the goodbye is still to be sent.
        conversation.client.poll_transmit(start.elapsed(), &mut out);
        let sent = socket.write_all(&out);
        out.clear();
        if outcome.is_err() || conversation.client.is_closed() {
            return outcome;
        }
        sent?;

        let next = conversation.client.poll_timeout();
        let wait = next.map(|at| at.saturating_sub(start.elapsed()));
        // A socket has no timeout of zero.
        socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        outcome = match socket.read(buffer.space(4096)) {
            Ok(0) => conversation
                .client
                .receive_eof(start.elapsed())
                .map_err(Into::into),
            Ok(len) => {
                buffer.filled(len);
                conversation.receive(start.elapsed(), &mut buffer.input())
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(()),
                _ => Err(error.into()),
            },
        };
        if outcome.is_ok() && next.is_some_and(|at| at <= start.elapsed()) {
            outcome = conversation
                .client
                .handle_timeout(start.elapsed())
                .map_err(Into::into);
        }
    }
}
