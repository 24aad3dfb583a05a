use mqtt_codec::connection::*;
use mqtt_codec::{Connect, Properties, PropertiesBuilder, Property, ProtocolVersion};
use mqtt_codec::{QoS, ReasonCode, Subscription};

fn main() -> Outcome {
    let address = std::env::args().nth(1).ok_or("usage: HOST:PORT")?;
    let an_hour = PropertiesBuilder::new().with(Property::SessionExpiryInterval(3600))?;
    let connect = Connect::resume(ProtocolVersion::V5_0, "station-12".try_into()?)
        .with_properties(an_hour.as_properties());
    println!("{:?}", run(&address, &connect, &["21.5", "21.6", "21.7"])?);
    Ok(())
}

/// Publishes readings and receives them, each exactly once, however often the line breaks.
fn run(address: &str, connect: &Connect<'_>, readings: &[&str]) -> Outcome<Vec<String>> {
    let filters = [Subscription::new("station/+", QoS::ExactlyOnce)];
    let (mut outbox, mut received) = (readings.to_vec(), Vec::new());
    // The times in a session are of one origin for all of its connections.
    let (start, mut session) = (Instant::now(), Session::new());
    loop {
        let mut socket = TcpStream::connect(address)?;
        let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
        client.connect(start.elapsed(), connect, session.clone())?;
        let outcome = drive(&mut client, &mut socket, start, |client, now, event| {
            match event {
                ClientEvent::ConnAck(it) if it.reason_code.is_error() => {
                    return Err(it.reason_code.to_string().into());
                }
                ClientEvent::ConnAck(_) => {
                    client.subscribe(&filters, Properties::EMPTY)?;
                    // What is under way goes on, unless the server has lost its part of it.
                    let lost = session.messages().filter(|_| client.session().is_empty());
                    for message in lost.collect::<Vec<_>>() {
                        client.publish(&message)?;
                    }
                }
                ClientEvent::SubAck(_) => {
                    for reading in outbox.drain(..) {
                        client.publish(&Message::new("station/12", reading, QoS::ExactlyOnce))?;
                    }
                }
                ClientEvent::Publish(it) => received.push(String::from_utf8(it.payload.to_vec())?),
                ClientEvent::Disconnect(it) => return Err(it.reason_code.to_string().into()),
                _ => {}
            }
            if received.len() == readings.len() && client.session().is_empty() && client.is_open() {
                client.close(now, ReasonCode::Success, Properties::EMPTY)?;
            }
            Ok(())
        });
        match outcome {
            // The line broke, or the server fell silent: again.
            Err(error) if error.is::<std::io::Error>() || client.error().is_some() => {}
            outcome => return outcome.map(|()| received),
        }
        session = client.into_session();
        std::thread::sleep(Duration::from_millis(100));
    }
}
