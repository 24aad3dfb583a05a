//! A client over tokio.
//!
//! `stomp_tokio_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`

mod conversation;

use std::future::pending;

use conversation::{Arguments, Conversation, Outcome};
use stomp_codec::connection::ReadBuffer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let mut socket = TcpStream::connect(&arguments.address).await?;
    let start = Instant::now();
    let mut conversation = Conversation::begin(start.elapsed(), &arguments, "tokio")?;
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
                Some(at) => sleep_until(start + at).await,
                None => pending().await,
            }
        };
        outcome = tokio::select! {
            read = socket.read(buffer.space(4096)) => match read? {
                0 => conversation.client.receive_eof(start.elapsed()).map_err(Into::into),
                len => {
                    buffer.filled(len);
                    conversation.receive(start.elapsed(), &mut buffer.input())
                }
            },
            () = late => conversation.client.handle_timeout(start.elapsed()).map_err(Into::into),
        };
    }
}
