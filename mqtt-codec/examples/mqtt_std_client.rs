//! A client over blocking sockets. It subscribes, publishes to itself as surely as the
//! server grants, receives, acknowledges and says goodbye.
//!
//! `mqtt_std_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, Message, Session};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode, Subscription};

const TOPIC: &str = "examples/std";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, version, user) = match arguments[..] {
        [address] => (address, "5.0", None),
        [address, version] => (address, version, None),
        [address, user, password] => (address, "5.0", Some((user, password))),
        [address, version, user, password] => (address, version, Some((user, password))),
        _ => return Err("usage: mqtt_std_client HOST:PORT [VERSION] [USER PASSWORD]".into()),
    };
    let version = ProtocolVersion::ALL
        .into_iter()
        .find(|known| known.to_string() == version)
        .ok_or("the version is 3.1, 3.1.1 or 5.0")?;

    let mut socket = TcpStream::connect(address)?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    let connect = Connect {
        keep_alive: 30,
        user_name: user.map(|(name, _)| name.try_into()).transpose()?,
        password: user.map(|(_, password)| password.as_bytes()),
        ..Connect::clean(version, "std-client".try_into()?)
    };
    client.connect(start.elapsed(), &connect, Session::new())?;

    let outcome = converse(&mut client, &mut socket, start);
    // However it ended, the protocol's own goodbye is still to be sent. If that fails too,
    // what happened first says more.
    let mut out = Vec::new();
    client.poll_transmit(start.elapsed(), &mut out);
    let sent = socket.write_all(&out);
    outcome?;
    Ok(sent?)
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
        client.poll_transmit(start.elapsed(), &mut out);
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
