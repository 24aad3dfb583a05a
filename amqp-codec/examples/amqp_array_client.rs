//! A client that drives its connection from nothing but arrays, as on a device without
//! an operating system: `drive` sees a clock and a wire, of which this file makes a
//! socket.
//!
//! `amqp_array_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use core::time::Duration;
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use amqp_codec::connection::ClientConnection;
use amqp_codec::{FRAME_MIN_SIZE, Limits};
use conversation::Conversation;

/// The largest frame that is agreed on, and the eight bytes that may be on top.
const FRAME: usize = FRAME_MIN_SIZE as usize + 8;

/// What a device has.
trait Board {
    /// The time since it was switched on.
    fn now(&self) -> Duration;
    /// Reads what there is, within a millisecond: nothing, if there is nothing. `None`
    /// at the end.
    fn read(&mut self, room: &mut [u8]) -> Result<Option<usize>, Box<dyn Error>>;
    fn write(&mut self, bytes: &[u8]) -> Result<(), Box<dyn Error>>;
}

/// Drives the connection until the protocol is over.
fn drive<B: Board>(client: &mut ClientConnection, board: &mut B) -> Result<(), Box<dyn Error>> {
    let mut conversation = Conversation::default();
    let (mut bytes, mut end, mut out) = ([0; FRAME], 0, [0; 256]);
    while !client.is_closed() {
        send(client, board, &mut out)?;
        if client.poll_timeout().is_some_and(|at| at <= board.now()) {
            client.handle_timeout(board.now())?;
        }
        match board.read(&mut bytes[end..])? {
            Some(length) => end += length,
            None => client.receive_eof(board.now())?,
        }

        let mut input = &bytes[..end];
        while let Some(event) = client.receive(board.now(), &mut input)? {
            conversation.answer(board.now(), client, event)?;
        }
        // The start of a frame moves to the front.
        let left = input.len();
        bytes.copy_within(end - left..end, 0);
        end = left;
    }
    Ok(())
}

/// Sends all that waits, an array's worth at a time.
fn send<B: Board>(
    client: &mut ClientConnection,
    board: &mut B,
    out: &mut [u8],
) -> Result<(), Box<dyn Error>> {
    while client.transmit_len() > 0 {
        let length = client.poll_transmit(board.now(), &mut &mut *out);
        board.write(&out[..length])?;
    }
    Ok(())
}

struct Socket {
    stream: TcpStream,
    start: Instant,
}

impl Board for Socket {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn read(&mut self, room: &mut [u8]) -> Result<Option<usize>, Box<dyn Error>> {
        match self.stream.read(room) {
            Ok(0) => Ok(None),
            Ok(length) => Ok(Some(length)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(Some(0))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        Ok(self.stream.write_all(bytes)?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (address, config) = conversation::arguments()?;
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(1)))?;
    let start = Instant::now();
    let mut board = Socket { stream, start };
    let limits = Limits::DEFAULT.with_header_size(0);
    let config = config.with_frame_max(FRAME_MIN_SIZE).with_limits(limits);
    let mut client = ClientConnection::new(board.now(), config);

    let outcome = drive(&mut client, &mut board);
    // However it ended, the protocol's own goodbye is still to be sent.
    let sent = send(&mut client, &mut board, &mut [0; 256]);
    outcome?;
    sent
}
