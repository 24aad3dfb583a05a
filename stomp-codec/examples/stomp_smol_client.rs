//! A client over smol.
//!
//! `stomp_smol_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::time::Instant;

use conversation::{Arguments, Conversation, Outcome, wait};
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

fn main() -> Outcome {
    smol::block_on(run())
}

async fn run() -> Outcome {
    let arguments = Arguments::read()?;
    let mut socket = TcpStream::connect(&arguments.address).await?;
    let start = Instant::now();
    let mut conversation = Conversation::begin(start.elapsed(), &arguments, "smol")?;
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
        let late = async { Ok(Timer::after(wait).await).map(|_| None) };
        let space = conversation.buffer.space(4096);
        let read = async { socket.read(space).await.map(Some) };
        let read = or(read, late).await?;
        outcome = conversation.take(start.elapsed(), read);
    }
}
