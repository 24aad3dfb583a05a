//! A client over smol. It subscribes, sends to itself with a receipt, receives,
//! acknowledges with a receipt and says goodbye.
//!
//! `stomp_smol_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

use std::error::Error;
use std::time::Instant;

use stomp_codec::connection::{
    AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options, ReceiptId,
};
use stomp_codec::{Headers, Version};

use smol::Timer;
use smol::future::{or, pending};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

const QUEUE: &str = "/queue/examples.smol";

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, version, user) = match arguments[..] {
        [address] => (address, "1.2", None),
        [address, version] => (address, version, None),
        [address, user, password] => (address, "1.2", Some((user, password))),
        [address, version, user, password] => (address, version, Some((user, password))),
        _ => return Err("usage: stomp_smol_client HOST:PORT [VERSION] [USER PASSWORD]".into()),
    };
    let version: Version = version
        .parse()
        .map_err(|_| "the version is 1.0, 1.1 or 1.2")?;

    let mut socket = TcpStream::connect(address).await?;
    let start = Instant::now();
    let mut config = ClientConfig::default();
    config.versions = vec![version];
    let mut client = ClientConnection::new(start.elapsed(), config);
    client.connect(
        start.elapsed(),
        &ConnectOptions {
            host: "/",
            login: user.map(|(name, _)| name),
            passcode: user.map(|(_, password)| password),
            ..ConnectOptions::default()
        },
    )?;

    let outcome = converse(&mut client, &mut socket, start).await;
    // However it ended, the protocol's own goodbye is still to be sent. If that fails too,
    // what happened first says more.
    let mut out = Vec::new();
    client.poll_transmit(start.elapsed(), &mut out);
    let sent = socket.write_all(&out).await;
    outcome?;
    Ok(sent?)
}

/// Drives the connection until the protocol is over.
async fn converse(
    client: &mut ClientConnection,
    socket: &mut TcpStream,
    start: Instant,
) -> Result<(), Box<dyn Error>> {
    let mut round = Round::default();
    let (mut buffer, mut chunk, mut out) = (Vec::new(), [0; 4096], Vec::new());
    while !client.is_closed() {
        client.poll_transmit(start.elapsed(), &mut out);
        socket.write_all(&out).await?;
        out.clear();

        let timeout = client.poll_timeout();
        let read = async { socket.read(&mut chunk).await.map(Some) };
        let late = async {
            match timeout {
                Some(at) => Timer::at(start + at).await,
                None => pending().await,
            };
            Ok(None)
        };
        match or(read, late).await? {
            Some(0) => client.receive_eof(start.elapsed())?,
            Some(length) => buffer.extend_from_slice(&chunk[..length]),
            None => client.handle_timeout(start.elapsed())?,
        }

        let mut input = &buffer[..];
        while let Some(event) = client.receive(start.elapsed(), &mut input)? {
            round.answer(client, start.elapsed(), event)?;
        }
        let taken = buffer.len() - input.len();
        buffer.drain(..taken);
    }
    Ok(())
}

/// What is done of the round.
#[derive(Default)]
struct Round {
    subscribed: Option<ReceiptId>,
    sent: Option<ReceiptId>,
    acknowledged: Option<ReceiptId>,
    /// How many of the two last ones have come.
    done: u8,
}

impl Round {
    fn answer(
        &mut self,
        client: &mut ClientConnection,
        now: std::time::Duration,
        event: ClientEvent<'_>,
    ) -> Result<(), Box<dyn Error>> {
        match event {
            ClientEvent::Connected(connected) => {
                println!("connected with STOMP {}", connected.version);
                // 1.0 knows no other mode in which there are ACKs.
                let mode = match connected.version {
                    Version::V1_0 => AckMode::Client,
                    _ => AckMode::ClientIndividual,
                };
                (_, self.subscribed) =
                    client.subscribe(QUEUE, mode, Headers::NONE, Options::RECEIPT)?;
            }
            ClientEvent::Message(message) => {
                let text = String::from_utf8_lossy(message.body());
                println!("received {text} from {}", message.destination);
                let token = message.ack.ok_or("a message that needs no ACK")?;
                self.acknowledged = client.ack(&token, Headers::NONE, Options::RECEIPT)?;
            }
            ClientEvent::Receipt(receipt) => {
                let receipt = Some(receipt);
                if receipt == self.subscribed {
                    println!("subscribed");
                    let headers = [("content-type", "text/plain")];
                    self.sent = client.send(QUEUE, headers, b"21.5", Options::RECEIPT)?;
                } else if receipt == self.sent || receipt == self.acknowledged {
                    self.done += 1;
                    if self.done == 2 {
                        println!("delivered and acknowledged");
                        client.close(now)?;
                    }
                }
            }
            ClientEvent::Error(error) => {
                let message = error.summary.unwrap_or_default();
                let details = String::from_utf8_lossy(error.frame.body());
                return Err(format!("the server says {message}: {details}").into());
            }
            _ => {}
        }
        Ok(())
    }
}
