use mqtt_codec::connection::{ClientEvent as Event, ConnectionError::*, *};
use mqtt_codec::{QoS::ExactlyOnce, *};

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
    let (filter, mut session) = (Subscription::new("station/+", ExactlyOnce), Session::new());
    let (start, mut unsent, mut received) = (Instant::now(), readings.iter(), Vec::new());
    loop {
        let socket = TcpStream::connect(address).map_err(Box::from);
        let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
        client.connect(start.elapsed(), connect, session.clone())?;
        let act = |client: &mut ClientConnection, now, event: Event<'_>| -> Outcome {
            match event {
                Event::ConnAck(it) if it.reason_code.is_error() => Err(it.reason_code.to_string())?,
                Event::ConnAck(_) => {
                    client.subscribe(&[filter], Properties::EMPTY)?;
                    if client.session().is_empty() {
                        let mut lost_there = session.messages();
                        lost_there.try_for_each(|it| client.publish(&it).map(drop))?;
                    }
                }
                Event::SubAck(it) if it.reason_codes.iter().any(ReasonCode::is_error) => {
                    return Err(format!("{it:?}").into());
                }
                Event::SubAck(_) | Event::PubComp(_) => {
                    for reading in unsent.by_ref().take(client.send_quota()) {
                        client.publish(&Message::new("station/12", *reading, ExactlyOnce))?;
                    }
                }
                Event::Publish(it) => received.push(String::from_utf8(it.payload.to_vec())?),
                Event::Disconnect(it) if matches!(it.reason_code as u8, 0x89 | 0x8b) => {}
                Event::Disconnect(it) => Err(it.reason_code.to_string())?,
                _ => {}
            }
            if received.len() >= readings.len() && client.session().is_empty() && client.is_open() {
                client.close(now, ReasonCode::Success, Properties::EMPTY)?;
            }
            Ok(())
        };
        let outcome = socket.and_then(|mut it| drive(&mut client, &mut it, start, act));
        match (outcome, client.error()) {
            // The line broke, or the server fell silent, was busy (0x89) or stopped (0x8B): again.
            (Ok(()), _) if received.len() < readings.len() => {}
            (_, Some(UnexpectedEof | PingTimeout | HandshakeTimeout)) => {}
            (Err(error), _) if error.is::<std::io::Error>() => {}
            (outcome, _) => return outcome.map(|()| received),
        }
        session = client.into_session();
        std::thread::sleep(Duration::from_millis(100));
    }
}
