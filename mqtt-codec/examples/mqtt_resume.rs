//! A session that outlives its connection: a message is under way when the connection is cut, and
//! the next one goes on with it.
//!
//! `mqtt_resume HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod arguments;

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use arguments::Arguments;
use mqtt_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Message, ReadBuffer, Session,
};
use mqtt_codec::{Connect, Properties, PropertiesBuilder, Property, QoS, ReasonCode};

/// When to leave a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// As soon as the message is on its way.
    Cut,
    /// When it is settled, with a goodbye.
    Settled,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    // Times of all connections of a session count from the same origin.
    let start = Instant::now();
    let session = connect(&arguments, start, Session::new(), Leave::Cut)?;
    println!("cut off with {} under way", session.in_flight().len());
    let session = connect(&arguments, start, session, Leave::Settled)?;
    if !session.is_empty() {
        return Err("the message is not settled".into());
    }
    println!("settled on the next connection");
    Ok(())
}

/// One connection. Returns what it leaves.
fn connect(
    arguments: &Arguments,
    start: Instant,
    session: Session,
    leave: Leave,
) -> Result<Session, Box<dyn Error>> {
    let mut properties = PropertiesBuilder::new();
    if arguments.version.has_properties() {
        // Without it the session ends with its connection.
        properties.push(Property::SessionExpiryInterval(60))?;
    }
    let connect = Connect {
        user_name: match &arguments.user {
            Some((name, _)) => Some(name.as_str().try_into()?),
            None => None,
        },
        password: arguments.user.as_ref().map(|(_, it)| it.as_bytes()),
        properties: properties.as_properties(),
        ..Connect::resume(arguments.version, "resume-client".try_into()?)
    };
    let mut socket = TcpStream::connect(&arguments.address)?;
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    client.connect(start.elapsed(), &connect, session)?;
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    loop {
        client.poll_transmit(start.elapsed(), &mut out);
        socket.write_all(&out)?;
        out.clear();
        if client.is_closed() || leave == Leave::Cut && !client.session().is_empty() {
            break;
        }
        let wait = client
            .poll_timeout()
            .map(|at| at.saturating_sub(start.elapsed()));
        socket.set_read_timeout(wait.map(|wait| wait.max(std::time::Duration::from_millis(1))))?;
        match socket.read(buffer.space(4096)) {
            Ok(0) => client.receive_eof(start.elapsed()).unwrap_or_default(),
            Ok(length) => buffer.filled(length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        let now = start.elapsed();
        let mut input = buffer.input();
        while let Ok(Some(event)) = client.receive(now, &mut input) {
            match event {
                ClientEvent::ConnAck(connack) if connack.reason_code.is_error() => {
                    return Err(connack.reason_code.to_string().into());
                }
                ClientEvent::ConnAck(connack) => {
                    println!(
                        "connected, the server has a session: {}",
                        connack.session_present
                    );
                    // What is not settled has been queued again already.
                    if client.session().is_empty() {
                        client.publish(&Message::new(
                            "examples/resume",
                            "21.5",
                            QoS::AtLeastOnce,
                        ))?;
                    }
                }
                ClientEvent::PubAck(_) if leave == Leave::Settled => {
                    client.close(now, ReasonCode::Success, Properties::EMPTY)?;
                }
                _ => {}
            }
        }
        client.handle_timeout(now).unwrap_or_default();
    }
    if let Some(error) = client.error() {
        return Err((*error).into());
    }
    Ok(client.into_session())
}
