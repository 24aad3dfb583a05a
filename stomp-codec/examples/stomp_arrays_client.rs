//! A client as one without an operating system has it: two arrays for the bytes, and a
//! clock and a wire, of which `main` makes a socket.
//!
//! `stomp_arrays_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[expect(dead_code, reason = "no buffer that grows")]
mod conversation;

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use conversation::{Arguments, Conversation, Outcome};

/// Drives the client until its protocol is over. `read` returns how many bytes have come,
/// 0 if there are none for now, `None` at the end. The arrays bound what is received in
/// one piece, and what is sent at a time.
fn drive(
    mut conversation: Conversation,
    clock: impl Fn() -> Duration,
    mut read: impl FnMut(&mut [u8]) -> io::Result<Option<usize>>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Outcome {
    let (mut bytes, mut end, mut out) = ([0; 1024], 0, [0; 256]);
    let mut outcome = Ok(());
    loop {
        // After an error too: the goodbye is still to be sent.
        while conversation.client.transmit_len() > 0 {
            let client = &mut conversation.client;
            let length = client.poll_transmit(clock(), &mut &mut out[..]);
            write(&out[..length])?;
        }
        if outcome.is_err() || conversation.client.is_closed() {
            return outcome;
        }
        if end == bytes.len() {
            return Err("a frame that is too long for the array".into());
        }
        let (came, now) = (read(&mut bytes[end..])?, clock());
        end += came.unwrap_or(0);
        let mut input = &bytes[..end];
        outcome = conversation.receive(now, &mut input);
        if came.is_none() && outcome.is_ok() {
            outcome = conversation.client.receive_eof(now).map_err(Into::into);
        }
        // The start of a frame moves to the front.
        let left = input.len();
        bytes.copy_within(end - left..end, 0);
        end = left;
    }
}

fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let mut socket = TcpStream::connect(&arguments.address)?;
    let mut sink = socket.try_clone()?;
    socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    let start = Instant::now();
    let conversation = Conversation::begin(start.elapsed(), &arguments, "arrays")?;
    let read = |room: &mut [u8]| match socket.read(room) {
        Ok(length) => Ok(Some(length).filter(|length| *length > 0)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(Some(0))
        }
        Err(error) => Err(error),
    };
    drive(
        conversation,
        || start.elapsed(),
        read,
        |bytes| sink.write_all(bytes),
    )
}
