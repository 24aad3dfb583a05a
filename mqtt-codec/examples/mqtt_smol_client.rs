//! A client over smol.
//!
//! `mqtt_smol_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod arguments;
mod conversation;

use std::error::Error;
use std::time::Instant;

use arguments::Arguments;
use conversation::Conversation;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;
use smol::{Timer, future};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(converse())
}

async fn converse() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    let mut socket = TcpStream::connect(&arguments.address).await?;
    let start = Instant::now();
    let mut conversation = Conversation::begin("smol", &arguments, start.elapsed())?;
    let mut out = Vec::new();
    loop {
        conversation.transmit(start.elapsed(), &mut out);
        socket.write_all(&out).await?;
        out.clear();
        if conversation.is_over() {
            return conversation.outcome();
        }
        let wait = conversation.wait(start.elapsed());
        let read = async { Some(socket.read(conversation.space()).await) };
        let timeout = async {
            Timer::after(wait).await;
            None
        };
        if let Some(length) = future::or(read, timeout).await {
            conversation.read(start.elapsed(), length?);
        }
        conversation.turn(start.elapsed());
    }
}
