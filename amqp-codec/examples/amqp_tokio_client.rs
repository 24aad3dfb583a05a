//! A client over tokio.
//!
//! `amqp_tokio_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use amqp_codec::connection::{ClientConnection, ReadBuffer};
use conversation::{Conversation, Outcome, take, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let (address, config) = conversation::arguments()?;
    let mut socket = TcpStream::connect(address).await?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);
    let (mut conversation, mut outcome) = (Conversation::default(), Ok(()));
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    loop {
        // After an error too: the protocol's own goodbye is still to be sent.
        client.poll_transmit(start.elapsed(), &mut out);
        let sent = socket.write_all(&out).await;
        out.clear();
        if outcome.is_err() || client.is_closed() {
            return outcome;
        }
        sent?;
        let read = socket.read(buffer.space(4096));
        let read = timeout(wait(&client, start.elapsed()), read).await;
        let read = read.ok().transpose()?;
        let now = start.elapsed();
        outcome = take(&mut client, &mut buffer, now, read, |client, event| {
            conversation.answer(now, client, event)
        });
    }
}
