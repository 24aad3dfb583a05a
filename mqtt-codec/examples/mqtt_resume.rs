//! A session that outlives its connection: the first is cut with a message under way, and the
//! next goes on with it.
//!
//! `mqtt_resume HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[path = "runtimes/arguments.rs"]
mod arguments;

use mqtt_codec::connection::*;
use mqtt_codec::{Connect, Properties, PropertiesBuilder, Property, ProtocolVersion};
use mqtt_codec::{QoS, ReasonCode, Subscription};

include!("../src/drive-loop.rs");

fn main() -> Outcome {
    let arguments = arguments::Arguments::parse(std::env::args().skip(1))?;
    // The times in a session are of one origin for all of its connections.
    let start = Instant::now();
    let session = connect(&arguments, start, &Session::new(), true)?;
    println!("cut off with {} under way", session.in_flight().len());
    let session = connect(&arguments, start, &session, false)?;
    println!("settled: {}", session.is_empty());
    session
        .is_empty()
        .then_some(())
        .ok_or_else(|| "not settled".into())
}

/// One connection, until its message is settled or, if it is to be cut, on its way. Returns
/// what the next one goes on with.
fn connect(
    arguments: &arguments::Arguments,
    start: Instant,
    session: &Session,
    is_cut: bool,
) -> Outcome<Session> {
    let version = arguments.version.as_deref().unwrap_or("5.0");
    let version = ProtocolVersion::ALL
        .into_iter()
        .find(|it| it.to_string() == version);
    let mut connect = Connect::resume(
        version.ok_or("no such version")?,
        "resume-client".try_into()?,
    );
    let mut properties = PropertiesBuilder::new();
    // Without it the session ends with its connection in 5.0.
    properties.push(Property::SessionExpiryInterval(3600))?;
    if connect.protocol_version.has_properties() {
        connect.properties = properties.as_properties();
    }
    if let Some((name, password)) = &arguments.user {
        connect.user_name = Some(name.as_str().try_into()?);
        connect.password = Some(password.as_bytes());
    }
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    client.connect(start.elapsed(), &connect, session.clone())?;
    let mut socket = TcpStream::connect(&arguments.address)?;
    let outcome = drive(&mut client, &mut socket, start, |client, now, event| {
        match event {
            ClientEvent::ConnAck(connack) if connack.reason_code.is_error() => {
                return Err(connack.reason_code.to_string().into());
            }
            ClientEvent::ConnAck(connack) => {
                if !connack.session_present {
                    let filters = [Subscription::new("examples/resume", QoS::AtLeastOnce)];
                    client.subscribe(&filters, Properties::EMPTY)?;
                }
                // What was under way is again, or was lost with the server's part of the session.
                let is_lost = client.session().is_empty();
                for (_, packet) in session.in_flight() {
                    if let InFlight::Publish(message) = packet
                        && is_lost
                    {
                        client.publish(&message)?;
                    }
                }
                if is_cut {
                    client.publish(&Message::new("examples/resume", "21.5", QoS::AtLeastOnce))?;
                    return Err("the line breaks".into());
                }
            }
            ClientEvent::Publish(message) => {
                println!("received {}", String::from_utf8_lossy(message.payload));
            }
            ClientEvent::PubAck(_) if client.session().is_empty() => {
                client.close(now, ReasonCode::Success, Properties::EMPTY)?;
            }
            _ => {}
        }
        Ok(())
    });
    if !is_cut {
        outcome?;
    }
    Ok(client.into_session())
}
