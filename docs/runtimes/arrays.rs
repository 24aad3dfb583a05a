//! Nothing but two arrays, a clock and a wire, as without an operating system; the wire is a
//! socket here. The arrays bound what is received in one piece, and what is sent at a time.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Act;
use crate::{ClientConnection, Outcome};

pub(crate) fn run(
    address: &str,
    mut client: ClientConnection,
    start: Instant,
    mut act: Act,
) -> Outcome {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    let (mut bytes, mut end, mut out) = ([0; 2048], 0, [0; 64]);
    let mut outcome = Ok(());
    loop {
        while client.transmit_len() > 0 {
            let length = client.poll_transmit(start.elapsed(), &mut &mut out[..]);
            socket.write_all(&out[..length])?;
        }
        if outcome.is_err() || client.is_closed() {
            return outcome;
        }
        if end == bytes.len() {
            return Err("more in one piece than the array holds".into());
        }
        let read = match socket.read(&mut bytes[end..]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            read => Some(read?),
        };
        let now = start.elapsed();
        end += read.unwrap_or(0);
        let mut input = &bytes[..end];
        outcome = take(&mut client, now, &mut input, &mut act);
        if read == Some(0) && outcome.is_ok() {
            outcome = client.receive_eof(now).map_err(Into::into);
        }
        // The start of a packet or frame moves to the front.
        let left = input.len();
        bytes.copy_within(end - left..end, 0);
        end = left;
    }
}

fn take(client: &mut ClientConnection, now: Duration, input: &mut &[u8], act: &mut Act) -> Outcome {
    while let Some(event) = client.receive(now, input)? {
        act(client, now, event)?;
    }
    Ok(client.handle_timeout(now)?)
}
