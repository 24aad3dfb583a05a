//! tokio.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Act;
use crate::{ClientConnection, Outcome, ReadBuffer, take, wait};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(
    address: &str,
    mut client: ClientConnection,
    start: Instant,
    mut act: Act,
) -> Outcome {
    let mut socket = TcpStream::connect(address).await?;
    let (mut buffer, mut out, mut outcome) = (ReadBuffer::new(), Vec::new(), Ok(()));
    loop {
        client.poll_transmit(start.elapsed(), &mut out);
        let sent = socket.write_all(&out).await;
        out.clear();
        if outcome.is_err() || client.is_closed() {
            return outcome;
        }
        sent?;
        let wait = wait(&client, start.elapsed());
        let read = timeout(wait, socket.read(buffer.space(4096))).await;
        let read = read.ok().transpose()?;
        outcome = take(&mut client, start.elapsed(), &mut buffer, read, &mut act);
    }
}
