use stomp_codec::Headers;
use stomp_codec::connection::{ClientEvent as Event, ConnectionError::*, *};

fn main() -> Outcome {
    let address = std::env::args().nth(1).ok_or("usage: HOST:PORT")?;
    let connect = ConnectOptions::new("/")
        .with_login("guest")
        .with_passcode("guest");
    println!("{:?}", run(&address, &connect, &["wash", "dry", "fold"])?);
    Ok(())
}

/// Sends tasks and receives them, each at least once, however often the line breaks.
fn run(address: &str, connect: &ConnectOptions<'_>, tasks: &[&str]) -> Outcome<Vec<String>> {
    let (queue, plain) = ("/queue/tasks", Options::default());
    // What is not confirmed, with the receipts of the connection.
    let mut outbox: Vec<_> = tasks.iter().map(|task| (task, None)).collect();
    let (start, mut received) = (Instant::now(), std::collections::BTreeSet::new());
    loop {
        let socket = TcpStream::connect(address).map_err(Box::from);
        let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
        client.connect(start.elapsed(), connect)?;
        let mut connected = false;
        let act = |client: &mut ClientConnection, now, event: Event<'_>| -> Outcome {
            match event {
                Event::Connected(_) => {
                    connected = true;
                    client.subscribe(queue, AckMode::ClientIndividual, Headers::NONE, plain)?;
                    for (task, receipt) in &mut outbox {
                        let (headers, body) = ([("persistent", "true")], task.as_bytes());
                        *receipt = client.send(queue, headers, body, Options::RECEIPT)?;
                    }
                }
                Event::Receipt(it) => outbox.retain(|(_, receipt)| *receipt != Some(it)),
                Event::Message(message) if client.is_open() => {
                    received.insert(String::from_utf8(message.body().to_vec())?);
                    let token = message.ack.ok_or("a message that needs no ACK")?;
                    client.ack(&token, Headers::NONE, plain)?;
                }
                // STOMP has no codes: before CONNECTED it is a refusal, later the server stops.
                Event::Error(it) if !connected => return Err(format!("{:?}", it.summary).into()),
                _ => {}
            }
            if outbox.is_empty() && received.len() == tasks.len() && client.is_open() {
                client.close(now)?;
            }
            Ok(())
        };
        let outcome = socket.and_then(|mut it| drive(&mut client, &mut it, start, act));
        match (outcome, client.error()) {
            // The line broke, or the server fell silent or stopped: again, and only then.
            (Ok(()), _) if !outbox.is_empty() || received.len() < tasks.len() => {}
            (_, Some(UnexpectedEof | PeerTimeout | HandshakeTimeout | CloseTimeout)) => {}
            (Err(error), _) if error.is::<std::io::Error>() => {}
            (outcome, _) => return outcome.map(|()| received.into_iter().collect()),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
