//! A client over tokio.
//!
//! `mqtt_tokio_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`

mod conversation;

use conversation::{Arguments, Outcome, begin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments = Arguments::parse()?;
    let mut socket = TcpStream::connect(&arguments.address).await?;
    let mut conversation = begin("tokio", &arguments)?;
    loop {
        socket.write_all(&conversation.turn()).await?;
        if let Some(outcome) = conversation.outcome() {
            return outcome;
        }
        let wait = conversation.wait();
        if let Ok(length) = timeout(wait, socket.read(conversation.space())).await {
            conversation.read(length?);
        }
    }
}
