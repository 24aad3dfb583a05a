//! A client over blocking sockets.
//!
//! `mqtt_std_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`

mod conversation;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use conversation::{Arguments, Outcome, begin};

fn main() -> Outcome {
    let arguments = Arguments::parse()?;
    let mut socket = TcpStream::connect(&arguments.address)?;
    let mut conversation = begin("std", &arguments)?;
    loop {
        socket.write_all(&conversation.turn())?;
        if let Some(outcome) = conversation.outcome() {
            return outcome;
        }
        socket.set_read_timeout(Some(conversation.wait()))?;
        match socket.read(conversation.space()) {
            Ok(length) => conversation.read(length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
