//! A client over blocking sockets. It declares a queue, consumes from it, publishes to it with a
//! confirm and in a transaction, receives, acknowledges and says goodbye.
//!
//! `amqp_std_client HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Message, Reply, Sasl, SendError,
};
use amqp_codec::method::{basic, queue, tx};
use amqp_codec::{PropertiesBuf, PropertyFields};

fn main() -> Result<(), Box<dyn Error>> {
    let (address, config) = arguments()?;
    let mut socket = TcpStream::connect(address)?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);

    let outcome = converse(&mut client, &mut socket, start);
    // However it ended, the protocol's own goodbye is still to be sent. If that fails too,
    // what happened first says more.
    let mut out = Vec::new();
    client.poll_transmit(&mut out);
    let sent = socket.write_all(&out);
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
        _ => return Err("usage: amqp_std_client HOST:PORT [USER PASSWORD]".into()),
    };
    Ok((address.clone(), config))
}

/// Drives the connection until the protocol is over.
fn converse(
    client: &mut ClientConnection,
    socket: &mut TcpStream,
    start: Instant,
) -> Result<(), Box<dyn Error>> {
    let mut round = Round::default();
    let (mut buffer, mut chunk, mut out) = (Vec::new(), [0; 4096], Vec::new());
    while !client.is_closed() {
        client.poll_transmit(&mut out);
        socket.write_all(&out)?;
        out.clear();

        let patience = client
            .poll_timeout()
            .map(|at| at.saturating_sub(start.elapsed()));
        // A socket takes no timeout of zero.
        socket.set_read_timeout(patience.map(|patience| patience.max(Duration::from_millis(1))))?;
        match socket.read(&mut chunk) {
            Ok(0) => client.receive_eof(start.elapsed())?,
            Ok(length) => buffer.extend_from_slice(&chunk[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                client.handle_timeout(start.elapsed())?;
            }
            Err(error) => return Err(error.into()),
        }

        let mut input = &buffer[..];
        while let Some(event) = client.receive(start.elapsed(), &mut input)? {
            round.answer(client, event)?;
        }
        let taken = buffer.len() - input.len();
        buffer.drain(..taken);
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
