//! A client over smol.
//!
//! `amqp_smol_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::time::Instant;

use amqp_codec::connection::{ClientConnection, ReadBuffer};
use conversation::{Conversation, Outcome, take, wait};
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

fn main() -> Outcome {
    smol::block_on(run())
}

async fn run() -> Outcome {
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
        let wait = wait(&client, start.elapsed());
        let late = async { Ok(Timer::after(wait).await).map(|_| None) };
        let read = async { socket.read(buffer.space(4096)).await.map(Some) };
        let read = or(read, late).await?;
        let now = start.elapsed();
        outcome = take(&mut client, &mut buffer, now, read, |client, event| {
            conversation.answer(now, client, event)
        });
    }
}
