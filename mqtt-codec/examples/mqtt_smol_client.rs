//! A client over smol. It subscribes, publishes to itself as surely as the server grants,
//! receives, acknowledges and says goodbye.
//!
//! `mqtt_smol_client HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

use std::error::Error;
use std::time::Instant;

use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, Message, Session};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode, Subscription};

use smol::Timer;
use smol::future::{or, pending};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

const TOPIC: &str = "examples/smol";

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, version, user) = match arguments[..] {
        [address] => (address, "5.0", None),
        [address, version] => (address, version, None),
        [address, user, password] => (address, "5.0", Some((user, password))),
        [address, version, user, password] => (address, version, Some((user, password))),
        _ => return Err("usage: mqtt_smol_client HOST:PORT [VERSION] [USER PASSWORD]".into()),
    };
    let version = ProtocolVersion::ALL
        .into_iter()
        .find(|known| known.to_string() == version)
        .ok_or("the version is 3.1, 3.1.1 or 5.0")?;

    let mut socket = TcpStream::connect(address).await?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    let connect = Connect {
        keep_alive: 30,
        user_name: user.map(|(name, _)| name.try_into()).transpose()?,
        password: user.map(|(_, password)| password.as_bytes()),
        ..Connect::clean(version, "smol-client".try_into()?)
    };
    client.connect(start.elapsed(), &connect, Session::new())?;

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
