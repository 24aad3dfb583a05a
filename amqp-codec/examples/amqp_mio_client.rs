//! A client over mio. It declares a queue, consumes from it, publishes to it with a
//! confirm and in a transaction, receives, acknowledges and says goodbye.
//!
//! `amqp_mio_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Instant;

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Message, Reply, Sasl, SendError,
};
use amqp_codec::method::{basic, queue, tx};
use amqp_codec::{PropertiesBuf, PropertyFields};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

fn main() -> Result<(), Box<dyn Error>> {
    let (address, config) = arguments()?;
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
    let mut client = ClientConnection::new(start.elapsed(), config);

    let mut out = Vec::new();
    let outcome = converse(&mut client, &mut socket, &mut poll, start, &mut out);
    // However it ended, the protocol's own goodbye is still to be sent. If that fails too,
    // what happened first says more: that the connection was refused.
    client.poll_transmit(&mut out);
    let sent = write_all(&mut socket, &mut poll, &mut out);
    outcome?;
    Ok(sent?)
}

/// The server's address, and who we are.
fn arguments() -> Result<(String, ClientConfig), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut config = ClientConfig::default();
    let address = match &arguments[..] {
        [address] => address,
        [address, username, password] => {
            config.sasl = Sasl::Plain {
                username: username.clone(),
                password: password.clone(),
            };
            address
        }
        _ => return Err("usage: amqp_mio_client HOST:PORT [USER PASSWORD]".into()),
    };
    Ok((address.clone(), config))
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
            round.answer(client, event)?;
        }
        let taken = buffer.len() - input.len();
        buffer.drain(..taken);
        if ended {
            client.receive_eof(start.elapsed())?;
        }

        client.poll_transmit(out);
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

/// Writes everything, and waits for the socket where it has to.
fn write_all(socket: &mut TcpStream, poll: &mut Poll, out: &mut Vec<u8>) -> io::Result<()> {
    write(socket, out)?;
    while !out.is_empty() {
        poll.poll(&mut Events::with_capacity(1), None)?;
        write(socket, out)?;
    }
    Ok(())
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

/// What is done of the round.
#[derive(Default)]
struct Round {
    queue: String,
    confirmed: bool,
    committed: bool,
    received: u8,
}

impl Round {
    fn answer(
        &mut self,
        client: &mut ClientConnection,
        event: ClientEvent<'_>,
    ) -> Result<(), Box<dyn Error>> {
        match event {
            ClientEvent::Opened => {
                client.open_channel()?;
            }
            // The first channel consumes, and publishes with confirms.
            ClientEvent::ChannelOpened { channel: 1 } => {
                client.confirm_select(1, false)?;
                let declare = queue::Declare {
                    exclusive: true, // it goes with the connection
                    ..Default::default()
                };
                client.queue_declare(1, &declare)?;
            }
            ClientEvent::Reply {
                reply: Reply::QueueDeclareOk(declared),
                ..
            } => {
                self.queue = declared.queue.into();
                let consume = basic::Consume {
                    queue: &self.queue,
                    consumer_tag: "example",
                    ..Default::default()
                };
                client.consume(1, &consume)?;
                self.publish(client, 1, b"with a confirm")?;
                client.open_channel()?;
            }
            // The second publishes in a transaction.
            ClientEvent::ChannelOpened { channel } => {
                client.tx_select(channel, &tx::Select {})?;
                self.publish(client, channel, b"in a transaction")?;
                client.tx_commit(channel, &tx::Commit {})?;
            }
            ClientEvent::Confirm {
                publish_tags,
                acknowledged: true,
                ..
            } => {
                println!("confirmed {publish_tags:?}");
                self.confirmed = true;
            }
            ClientEvent::Reply {
                reply: Reply::TxCommitOk(_),
                ..
            } => {
                println!("committed");
                self.committed = true;
            }
            ClientEvent::Deliver {
                channel,
                delivery_tag,
                content,
                ..
            } => {
                println!("received {:?}", String::from_utf8_lossy(content.body()));
                client.ack(channel, delivery_tag, false)?;
                self.received += 1;
            }
            ClientEvent::Start { .. } | ClientEvent::Reply { .. } => {}
            ClientEvent::CloseOk => println!("goodbye"),
            unexpected => return Err(format!("{unexpected:?}").into()),
        }
        if self.confirmed && self.committed && self.received == 2 && client.is_open() {
            self.received = 0; // only once
            client.close()?;
        }
        Ok(())
    }

    /// Publishes to the queue, surely: persistent, and returned if there is no queue.
    fn publish(
        &self,
        client: &mut ClientConnection,
        channel: u16,
        body: &[u8],
    ) -> Result<(), SendError> {
        let properties: PropertiesBuf = PropertyFields {
            content_type: Some("text/plain".into()),
            delivery_mode: Some(2),
            ..Default::default()
        }
        .to_buf()?;
        let message = Message {
            exchange: "", // the default exchange: the routing key is the queue's name
            routing_key: &self.queue,
            properties: properties.as_properties(),
            body,
        };
        client.publish(channel, true, &message).map(drop)
    }
}
