//! A client that drives its connection from nothing but arrays, as on a device without
//! an operating system: `drive` has a clock and a wire, of which `main` makes a socket.
//!
//! `amqp_array_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[expect(
    dead_code,
    reason = "only what was said is used, and no buffer that grows"
)]
mod conversation;

use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use amqp_codec::connection::ClientConnection;
use amqp_codec::{FRAME_MIN_SIZE, Limits};
use conversation::{Conversation, Outcome};

/// The largest frame that is agreed on, and the eight bytes that may be on top.
const FRAME: usize = FRAME_MIN_SIZE as usize + 8;

/// Drives the connection until the protocol is over. `read` returns how many bytes have
/// come, 0 if there are none for now, `None` at the end.
fn drive(
    mut client: ClientConnection,
    clock: impl Fn() -> Duration,
    mut read: impl FnMut(&mut [u8]) -> io::Result<Option<usize>>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Outcome {
    let (mut conversation, mut outcome) = (Conversation::default(), Ok(()));
    let (mut bytes, mut end, mut out) = ([0; FRAME], 0, [0; 256]);
    loop {
        // After an error too: the protocol's own goodbye is still to be sent.
        while client.transmit_len() > 0 {
            let length = client.poll_transmit(clock(), &mut &mut out[..]);
            write(&out[..length])?;
        }
        if outcome.is_err() || client.is_closed() {
            return outcome;
        }
        let (came, now) = (read(&mut bytes[end..])?, clock());
        end += came.unwrap_or(0);
        let mut input = &bytes[..end];
        outcome = take(&mut client, &mut conversation, now, &mut input);
        if came.is_none() && outcome.is_ok() {
            outcome = client.receive_eof(now).map_err(Into::into);
        }
        // The start of a frame moves to the front.
        let left = input.len();
        bytes.copy_within(end - left..end, 0);
        end = left;
    }
}

fn take(
    client: &mut ClientConnection,
    conversation: &mut Conversation,
    now: Duration,
    input: &mut &[u8],
) -> Outcome {
    while let Some(event) = client.receive(now, input)? {
        conversation.answer(now, client, event)?;
    }
    Ok(client.handle_timeout(now)?)
}

fn main() -> Outcome {
    let (address, config) = conversation::arguments()?;
    let mut socket = TcpStream::connect(address)?;
    let mut sink = socket.try_clone()?;
    socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    let start = Instant::now();
    let limits = Limits::DEFAULT.with_header_size(0);
    let config = config.with_frame_max(FRAME_MIN_SIZE).with_limits(limits);
    let client = ClientConnection::new(start.elapsed(), config);
    let read = |room: &mut [u8]| match socket.read(room) {
        Ok(length) => Ok(Some(length).filter(|length| *length > 0)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(Some(0))
        }
        Err(error) => Err(error),
    };
    drive(
        client,
        || start.elapsed(),
        read,
        |bytes| sink.write_all(bytes),
    )
}
