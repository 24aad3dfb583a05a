//! smol.

use std::time::Instant;

use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

use super::Act;
use crate::{ClientConnection, Outcome, ReadBuffer, take, wait};

pub(crate) fn run(
    address: &str,
    mut client: ClientConnection,
    start: Instant,
    mut act: Act,
) -> Outcome {
    smol::block_on(async {
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
            let timer = Timer::after(wait(&client, start.elapsed()));
            let late = async { (timer.await, Ok(None)).1 };
            let read = async { socket.read(buffer.space(4096)).await.map(Some) };
            let read = or(read, late).await?;
            outcome = take(&mut client, start.elapsed(), &mut buffer, read, &mut act);
        }
    })
}
