//! A session that outlives its connection: a message is under way when the connection is cut, and
//! the next one goes on with it.
//!
//! `mqtt_resume HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use conversation::{Act, Arguments, Conversation, Outcome};
use mqtt_codec::connection::{ClientEvent, Message, Session};
use mqtt_codec::{Connect, Properties, PropertiesBuilder, Property, QoS, ReasonCode};

fn main() -> Outcome {
    let (arguments, start) = (Arguments::parse()?, Instant::now());
    let session = connect(&arguments, start, Session::new())?;
    println!("cut off with {} under way", session.in_flight().len());
    let session = connect(&arguments, start, session)?;
    if !session.is_empty() {
        return Err("the message is not settled".into());
    }
    println!("settled on the next connection");
    Ok(())
}

/// One connection. Returns what it leaves: the first is cut off as soon as its message is on its
/// way, the next says goodbye when that is settled.
fn connect(
    arguments: &Arguments,
    start: Instant,
    session: Session,
) -> Result<Session, Box<dyn Error>> {
    let cut = session.is_empty();
    let mut properties = PropertiesBuilder::new();
    if arguments.version.has_properties() {
        // Without it the session ends with its connection.
        properties.push(Property::SessionExpiryInterval(60))?;
    }
    let connect = Connect {
        properties: properties.as_properties(),
        ..Connect::resume(arguments.version, "resume-client".try_into()?)
    };
    let mut socket = TcpStream::connect(&arguments.address)?;
    let act: Act = Box::new(move |client, now, event| match event {
        ClientEvent::ConnAck(connack) if connack.reason_code.is_error() => {
            Err(connack.reason_code.to_string().into())
        }
        ClientEvent::ConnAck(connack) => {
            println!("the server has a session: {}", connack.session_present);
            // What is not settled has been queued again already.
            if cut {
                client.publish(&Message::new("examples/resume", "21.5", QoS::AtLeastOnce))?;
            }
            Ok(())
        }
        ClientEvent::PubAck(_) if !cut => {
            Ok(client.close(now, ReasonCode::Success, Properties::EMPTY)?)
        }
        _ => Ok(()),
    });
    let mut conversation = Conversation::new(arguments, connect, session, start, act)?;
    loop {
        socket.write_all(&conversation.turn())?;
        match conversation.outcome() {
            Some(outcome) => break outcome?,
            None if cut && !conversation.client.session().is_empty() => break,
            None => {}
        }
        socket.set_read_timeout(Some(conversation.wait()))?;
        match socket.read(conversation.space()) {
            Ok(length) => conversation.read(length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(conversation.client.into_session())
}
