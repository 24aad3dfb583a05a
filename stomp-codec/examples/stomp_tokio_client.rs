//! A client over tokio.
//!
//! `stomp_tokio_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use conversation::{Arguments, Conversation, Outcome, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let mut socket = TcpStream::connect(&arguments.address).await?;
    let start = Instant::now();
    let mut conversation = Conversation::begin(start.elapsed(), &arguments, "tokio")?;
    let (mut out, mut outcome) = (Vec::new(), Ok(()));
    loop {
        // After an error too: the goodbye is still to be sent.
        conversation.client.poll_transmit(start.elapsed(), &mut out);
        let sent = socket.write_all(&out).await;
        out.clear();
        if outcome.is_err() || conversation.client.is_closed() {
            return outcome;
        }
        sent?;
        let wait = wait(&conversation.client, start.elapsed());
        let read = timeout(wait, socket.read(conversation.buffer.space(4096))).await;
        let read = read.ok().transpose()?;
        outcome = conversation.take(start.elapsed(), read);
    }
}
