//! A client as one without an operating system has it: two arrays for the bytes, a wire
//! that takes and has what it can, and a clock that is asked. Only the wire is a socket
//! here, so that it can talk to a server.
//!
//! `stomp_arrays_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use conversation::{Arguments, Conversation, Outcome};

/// What a driver of a serial line or of a network chip has.
trait Wire {
    /// The time since it was switched on.
    fn now(&self) -> Duration;
    /// How many bytes have come into `room`: 0 if there are none for now, `None` at the
    /// end.
    fn read(&mut self, room: &mut [u8]) -> io::Result<Option<usize>>;
    /// How many of the bytes were taken.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// Drives the client until its protocol is over. The arrays bound what it can receive in
/// one piece, and what it sends at a time.
fn drive(conversation: &mut Conversation, wire: &mut impl Wire) -> Outcome {
    let (mut input, mut filled) = ([0; 1024], 0);
    let (mut output, mut waiting) = ([0; 256], 0);
    let mut outcome = Ok(());
    loop {
        let client = &mut conversation.client;
        waiting += client.poll_transmit(wire.now(), &mut &mut output[waiting..]);
        let sent = wire.write(&output[..waiting])?;
        output.copy_within(sent..waiting, 0);
        waiting -= sent;
        let is_over = outcome.is_err() || client.is_closed();
        if is_over && waiting == 0 && client.transmit_len() == 0 {
            return outcome;
        } else if is_over {
            continue;
        }

        if client.poll_timeout().is_some_and(|at| at <= wire.now()) {
            outcome = client.handle_timeout(wire.now()).map_err(Into::into);
            continue;
        }
        let Some(len) = wire.read(&mut input[filled..])? else {
            outcome = client.receive_eof(wire.now()).map_err(Into::into);
            continue;
        };
        filled += len;
        let mut rest = &input[..filled];
        outcome = conversation.receive(wire.now(), &mut rest);
        let left = rest.len();
        if left == input.len() {
            return Err("a frame that is too long for the array".into());
        }
        input.copy_within(filled - left..filled, 0);
        filled = left;
    }
}

struct Socket {
    stream: TcpStream,
    start: Instant,
}

impl Wire for Socket {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn read(&mut self, room: &mut [u8]) -> io::Result<Option<usize>> {
        match self.stream.read(room) {
            Ok(0) => Ok(None),
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
                Ok(Some(0))
            }
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }
}

fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let stream = TcpStream::connect(&arguments.address)?;
    stream.set_nonblocking(true)?;
    let start = Instant::now();
    let mut wire = Socket { stream, start };
    let mut conversation = Conversation::begin(wire.now(), &arguments, "arrays")?;
    drive(&mut conversation, &mut wire)
}
