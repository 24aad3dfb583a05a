//! A client over mio. It subscribes, sends to itself with a receipt, receives,
//! acknowledges with a receipt and says goodbye.
//!
//! `stomp_mio_client HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use stomp_codec::connection::{
    AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options, ReceiptId,
};
use stomp_codec::{Headers, Version};

const QUEUE: &str = "/queue/examples.mio";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, version, user) = match arguments[..] {
        [address] => (address, "1.2", None),
        [address, version] => (address, version, None),
        [address, user, password] => (address, "1.2", Some((user, password))),
        [address, version, user, password] => (address, version, Some((user, password))),
        _ => return Err("usage: stomp_mio_client HOST:PORT [VERSION] [USER PASSWORD]".into()),
    };
    let version: Version = version
        .parse()
        .map_err(|_| "the version is 1.0, 1.1 or 1.2")?;

    let address = address
        .to_socket_addrs()?
        .next()
        .ok_or("the host has no address")?;
    let mut socket = TcpStream::connect(address)?;
    let mut poll = Poll::new()?;
    poll.registry().register(
        &mut socket,
        Token(0),
        Interest::READABLE | Interest::WRITABLE,
    )?;
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

    let mut out = Vec::new();
    let outcome = converse(&mut client, &mut socket, &mut poll, start, &mut out);
    // However it ended, the protocol's own goodbye is still to be sent. If that fails too,
    // what happened first says more: that the connection was refused.
    client.poll_transmit(start.elapsed(), &mut out);
    let sent = write_all(&mut socket, &mut poll, &mut out);
    outcome?;
    Ok(sent?)
}

/// Drives the connection until the protocol is over. What the socket did not take yet
/// stays in `out`.
fn converse(
    client: &mut ClientConnection,
    socket: &mut TcpStream,
    poll: &mut Poll,
    start: Instant,
    out: &mut Vec<u8>,
) -> Result<(), Box<dyn Error>> {
    let mut round = Round::default();
    let mut events = Events::with_capacity(8);
    let mut buffer = Vec::new();
    while !client.is_closed() {
        let patience = client
            .poll_timeout()
            .map(|at| at.saturating_sub(start.elapsed()));
        poll.poll(&mut events, patience)?;
        if client
            .poll_timeout()
            .is_some_and(|at| at <= start.elapsed())
        {
            client.handle_timeout(start.elapsed())?;
        }
        let ended = read(socket, &mut buffer)?;

        let mut input = &buffer[..];
        while let Some(event) = client.receive(start.elapsed(), &mut input)? {
            round.answer(client, start.elapsed(), event)?;
        }
        let taken = buffer.len() - input.len();
        buffer.drain(..taken);
        if ended {
            client.receive_eof(start.elapsed())?;
        }

        client.poll_transmit(start.elapsed(), out);
        write(socket, out)?;
    }
    Ok(())
}

/// Reads until there is nothing more for now; whether the socket has ended.
fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 4096];
    loop {
        match socket.read(&mut chunk) {
            Ok(0) => return Ok(true),
            Ok(length) => buffer.extend_from_slice(&chunk[..length]),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::NotConnected => return Ok(false),
                ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
}

/// Writes as much as the socket takes for now.
fn write(socket: &mut TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    while !out.is_empty() {
        match socket.write(out) {
            Ok(length) => drop(out.drain(..length)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::NotConnected => return Ok(()),
                ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
    Ok(())
}

/// Writes everything, and waits for the socket where it has to.
fn write_all(socket: &mut TcpStream, poll: &mut Poll, out: &mut Vec<u8>) -> io::Result<()> {
    write(socket, out)?;
    while !out.is_empty() {
        poll.poll(&mut Events::with_capacity(1), None)?;
        write(socket, out)?;
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
