use std::collections::BTreeSet;

use stomp_codec::Headers;
use stomp_codec::connection::*;

fn main() -> Outcome {
    let address = std::env::args().nth(1).ok_or("usage: HOST:PORT")?;
    let connect = ConnectOptions::new("/")
        .with_login("guest")
        .with_passcode("guest");
    println!("{:?}", run(&address, &connect, &["wash", "dry", "fold"])?);
    Ok(())
}

/// Sends tasks and receives them, each at least once, however often the line breaks.
fn run(address: &str, connect: &ConnectOptions<'_>, tasks: &[&str]) -> Outcome<BTreeSet<String>> {
    let (queue, plain) = ("/queue/tasks", Options::default());
    // What is not confirmed, with the receipts of the connection.
    let mut outbox: Vec<_> = tasks.iter().map(|task| (task, None)).collect();
    let mut received = BTreeSet::new();
    loop {
        let (start, mut socket) = (Instant::now(), TcpStream::connect(address)?);
        let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
        client.connect(start.elapsed(), connect)?;
        let outcome = drive(&mut client, &mut socket, start, |client, now, event| {
            match event {
                ClientEvent::Connected(_) => {
                    client.subscribe(queue, AckMode::ClientIndividual, Headers::NONE, plain)?;
                    for (task, receipt) in &mut outbox {
                        let (headers, body) = ([("persistent", "true")], task.as_bytes());
                        *receipt = client.send(queue, headers, body, Options::RECEIPT)?;
                    }
                }
                ClientEvent::Receipt(it) => outbox.retain(|(_, receipt)| *receipt != Some(it)),
                ClientEvent::Message(message) if client.is_open() => {
                    received.insert(String::from_utf8(message.body().to_vec())?);
                    let token = message.ack.ok_or("a message that needs no ACK")?;
                    client.ack(&token, Headers::NONE, plain)?;
                }
                ClientEvent::Error(error) => return Err(format!("{:?}", error.summary).into()),
                _ => {}
            }
            if outbox.is_empty() && received.len() == tasks.len() && client.is_open() {
                client.close(now)?;
            }
            Ok(())
        });
        match outcome {
            // The line broke, or the server fell silent: again.
            Err(error) if error.is::<std::io::Error>() || client.error().is_some() => {}
            outcome => return outcome.map(|()| received),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
