//! A client over tokio.
//!
//! `mqtt_tokio_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
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
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    let mut socket = TcpStream::connect(&arguments.address).await?;
    let start = Instant::now();
    let mut conversation = Conversation::begin("tokio", &arguments, start.elapsed())?;
    let mut out = Vec::new();
    loop {
        conversation.transmit(start.elapsed(), &mut out);
        socket.write_all(&out).await?;
        out.clear();
        if conversation.is_over() {
            return conversation.outcome();
        }
        let wait = conversation.wait(start.elapsed());
        if let Ok(length) = timeout(wait, socket.read(conversation.space())).await {
            conversation.read(start.elapsed(), length?);
        }
        conversation.turn(start.elapsed());
    }
}
