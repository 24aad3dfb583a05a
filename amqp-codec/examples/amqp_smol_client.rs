//! A client over smol.
//!
//! `amqp_smol_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::error::Error;
use std::future::pending;
use std::time::Instant;

use amqp_codec::connection::{ClientConnection, ReadBuffer};
use conversation::Conversation;
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (address, config) = conversation::arguments()?;
    let mut socket = TcpStream::connect(address).await?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);

    let outcome = drive(&mut client, &mut socket, start).await;
    // However it ended, the protocol's own goodbye is still to be sent. If that fails too,
    // what happened first says more.
    let mut out = Vec::new();
    client.poll_transmit(start.elapsed(), &mut out);
    let sent = socket.write_all(&out).await;
    outcome?;
    Ok(sent?)
}

/// Drives the connection until the protocol is over.
async fn drive(
    client: &mut ClientConnection,
    socket: &mut TcpStream,
    start: Instant,
) -> Result<(), Box<dyn Error>> {
    let mut conversation = Conversation::default();
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    while !client.is_closed() {
        client.poll_transmit(start.elapsed(), &mut out);
        socket.write_all(&out).await?;
        out.clear();

        let timeout = client.poll_timeout();
        let read = async { socket.read(buffer.space(4096)).await.map(Some) };
        let late = async {
            match timeout {
                Some(at) => Timer::at(start + at).await,
                None => pending().await,
            };
            Ok(None)
        };
        match or(read, late).await? {
            Some(0) => client.receive_eof(start.elapsed())?,
            Some(length) => buffer.filled(length),
            None => client.handle_timeout(start.elapsed())?,
        }

        let mut input = buffer.input();
        while let Some(event) = client.receive(start.elapsed(), &mut input)? {
            conversation.answer(start.elapsed(), client, event)?;
        }
    }
    Ok(())
}
