//! A client over smol.
//!
//! `mqtt_smol_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`

mod conversation;

use conversation::{Arguments, Outcome, begin};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;
use smol::{Timer, future};

fn main() -> Outcome {
    smol::block_on(async {
        let arguments = Arguments::parse()?;
        let mut socket = TcpStream::connect(&arguments.address).await?;
        let mut conversation = begin("smol", &arguments)?;
        loop {
            socket.write_all(&conversation.turn()).await?;
            if let Some(outcome) = conversation.outcome() {
                return outcome;
            }
            let wait = Timer::after(conversation.wait());
            let read = async { Some(socket.read(conversation.space()).await) };
            let timeout = async { (wait.await, None).1 };
            if let Some(length) = future::or(read, timeout).await {
                conversation.read(length?);
            }
        }
    })
}
