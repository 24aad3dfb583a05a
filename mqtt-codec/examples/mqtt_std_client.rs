//! A client over blocking sockets.
//!
//! `mqtt_std_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod arguments;
mod conversation;

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use arguments::Arguments;
use conversation::Conversation;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    let mut socket = TcpStream::connect(&arguments.address)?;
    let start = Instant::now();
    let mut conversation = Conversation::begin("std", &arguments, start.elapsed())?;
    let mut out = Vec::new();
    loop {
        conversation.transmit(start.elapsed(), &mut out);
        socket.write_all(&out)?;
        out.clear();
        if conversation.is_over() {
            return conversation.outcome();
        }
        socket.set_read_timeout(Some(conversation.wait(start.elapsed())))?;
        match socket.read(conversation.space()) {
            Ok(length) => conversation.read(start.elapsed(), length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        conversation.turn(start.elapsed());
    }
}
