//! A client that subscribes, publishes to itself as surely as the server grants, receives and
//! says goodbye. What it says stands here, and how bytes come and go in `runtimes`.
//!
//! `mqtt_client std|tokio|smol|mio|arrays HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[path = "../../docs/runtimes/mod.rs"]
mod runtimes;

use mqtt_codec::connection::*;
use mqtt_codec::{Connect, Properties, QoS, ReasonCode, Subscription};

include!("../src/drive-loop.rs");

fn main() -> Outcome {
    let arguments = runtimes::Arguments::parse()?;
    let version = arguments.version.as_deref().unwrap_or("5.0").parse()?;
    let (start, identifier) = (Instant::now(), format!("{}-client", arguments.runtime));
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    let mut connect = Connect::clean(version, identifier.as_str().try_into()?);
    if let Some((name, password)) = &arguments.user {
        connect = connect
            .with_user_name(name.as_str().try_into()?)
            .with_password(password.as_bytes());
    }
    client.connect(start.elapsed(), &connect, Session::new())?;
    let conversation = conversation(format!("examples/{}", arguments.runtime));
    runtimes::run(&arguments, client, start, conversation)
}

fn conversation(topic: String) -> runtimes::Act {
    let (mut sent, mut received) = (false, false);
    Box::new(move |client, now, event| {
        match event {
            ClientEvent::ConnAck(connack) if connack.reason_code.is_error() => {
                return Err(connack.reason_code.to_string().into());
            }
            ClientEvent::ConnAck(_) => {
                let filters = [Subscription::new(&topic, QoS::ExactlyOnce)];
                client.subscribe(&filters, Properties::EMPTY)?;
            }
            ClientEvent::SubAck(suback) => {
                let qos = match suback.reason_codes.iter().next() {
                    Some(ReasonCode::GrantedQoS2) => QoS::ExactlyOnce,
                    Some(ReasonCode::GrantedQoS1) => QoS::AtLeastOnce,
                    other => return Err(format!("subscribed with {other:?}").into()),
                };
                client.publish(&Message::new(&topic, "21.5", qos))?;
            }
            // It is acknowledged automatically.
            ClientEvent::Publish(message) => {
                let text = String::from_utf8_lossy(message.payload);
                println!("received {text} from {}", message.topic_name);
                received = message.qos < QoS::ExactlyOnce;
            }
            ClientEvent::PubRel(_) => received = true,
            ClientEvent::PubAck(ack) | ClientEvent::PubRec(ack) | ClientEvent::PubComp(ack)
                if ack.reason_code.is_error() =>
            {
                return Err(ack.reason_code.to_string().into());
            }
            ClientEvent::PubAck(_) | ClientEvent::PubComp(_) => sent = true,
            ClientEvent::Disconnect(disconnect) => {
                return Err(format!("the server leaves: {}", disconnect.reason_code).into());
            }
            _ => {}
        }
        if sent && received && client.is_open() {
            client.close(now, ReasonCode::Success, Properties::EMPTY)?;
        }
        Ok(())
    })
}
