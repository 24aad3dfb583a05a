//! A client over mio. It subscribes, publishes to itself as surely as the server grants,
//! receives, acknowledges and says goodbye.
//!
//! `mqtt_mio_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
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
use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, Message, Session};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode, Subscription};

const TOPIC: &str = "examples/mio";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, version, user) = match arguments[..] {
        [address] => (address, "5.0", None),
        [address, version] => (address, version, None),
        [address, user, password] => (address, "5.0", Some((user, password))),
        [address, version, user, password] => (address, version, Some((user, password))),
        _ => return Err("usage: mqtt_mio_client HOST:PORT [VERSION] [USER PASSWORD]".into()),
    };
    let version = ProtocolVersion::ALL
        .into_iter()
        .find(|known| known.to_string() == version)
        .ok_or("the version is 3.1, 3.1.1 or 5.0")?;

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
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    let connect = Connect {
        keep_alive: 30,
        user_name: user.map(|(name, _)| name.try_into()).transpose()?,
        password: user.map(|(_, password)| password.as_bytes()),
        ..Connect::clean(version, "mio-client".try_into()?)
    };
    client.connect(start.elapsed(), &connect, Session::new())?;

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
            round.answer(client, event)?;
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
    sent: bool,
    received: bool,
}

impl Round {
    fn answer(
        &mut self,
        client: &mut ClientConnection,
        event: ClientEvent<'_>,
    ) -> Result<(), Box<dyn Error>> {
        match event {
            ClientEvent::ConnAck(connack) if connack.reason_code == ReasonCode::Success => {
                println!("connected");
                client.subscribe(
                    &[Subscription::new(TOPIC, QoS::ExactlyOnce)],
                    Properties::EMPTY,
                )?;
            }
            ClientEvent::SubAck(suback) => {
                let qos = match suback.reason_codes.iter().next() {
                    Some(ReasonCode::GrantedQoS2) => QoS::ExactlyOnce,
                    Some(ReasonCode::GrantedQoS1) => QoS::AtLeastOnce,
                    other => return Err(format!("subscribed with {other:?}").into()),
                };
                println!("subscribed with {qos:?}");
                client.publish(&Message::new(TOPIC, "21.5", qos))?;
            }
            // It acknowledges by itself.
            ClientEvent::Publish(message) => {
                let text = String::from_utf8_lossy(message.payload);
                println!("received {text} from {}", message.topic_name);
                self.received = message.qos < QoS::ExactlyOnce;
            }
            ClientEvent::PubRel(_) => self.received = true,
            ClientEvent::PubAck(ack) | ClientEvent::PubRec(ack) | ClientEvent::PubComp(ack)
                if ack.reason_code.is_error() =>
            {
                return Err(ack.reason_code.to_string().into());
            }
            ClientEvent::PubAck(ack) | ClientEvent::PubComp(ack) => {
                println!("delivered: {}", ack.reason_code);
                self.sent = true;
            }
            ClientEvent::ConnAck(connack) => return Err(connack.reason_code.to_string().into()),
            ClientEvent::Disconnect(disconnect) => {
                return Err(format!("the server leaves: {}", disconnect.reason_code).into());
            }
            _ => {}
        }
        if self.sent && self.received {
            client.close(
                std::time::Duration::ZERO,
                ReasonCode::Success,
                Properties::EMPTY,
            )?;
        }
        Ok(())
    }
}
