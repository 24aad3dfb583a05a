//! A client over smol.
//!
//! `stomp_smol_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::time::Instant;

use conversation::{Arguments, Conversation, Outcome};
use smol::Timer;
use smol::future::{or, pending};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;
use stomp_codec::connection::ReadBuffer;

fn main() -> Outcome {
    smol::block_on(run())
}

async fn run() -> Outcome {
    let arguments = Arguments::read()?;
    let mut socket = TcpStream::connect(&arguments.address).await?;
    let start = Instant::now();
    let mut conversation = Conversation::begin(start.elapsed(), &arguments, "smol")?;
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    let mut outcome = Ok(());
    loop {
        // After an error too: the goodbye is still to be sent.
        conversation.client.poll_transmit(start.elapsed(), &mut out);
        let sent = socket.write_all(&out).await;
        out.clear();
        if outcome.is_err() || conversation.client.is_closed() {
            return outcome;
        }
        sent?;

        let next = conversation.client.poll_timeout();
        let late = async {
            match next {
                Some(at) => Timer::at(start + at).await,
                None => pending().await,
            };
            Ok(None)
        };
        let read = async { socket.read(buffer.space(4096)).await.map(Some) };
        outcome = match or(read, late).await? {
            Some(0) => conversation
                .client
                .receive_eof(start.elapsed())
                .map_err(Into::into),
            Some(len) => {
                buffer.filled(len);
                conversation.receive(start.elapsed(), &mut buffer.input())
            }
            None => conversation
                .client
                .handle_timeout(start.elapsed())
                .map_err(Into::into),
        };
    }
}
