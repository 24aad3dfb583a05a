use amqp_codec::PropertyFields;
use amqp_codec::connection::{ClientEvent as Event, ConnectionError::*, *};
use amqp_codec::method::{basic::Consume, confirm::Select, queue::Declare};

fn main() -> Outcome {
    let address = std::env::args().nth(1).ok_or("usage: HOST:PORT")?;
    println!("{:?}", run(&address, &["wash", "dry", "fold"])?);
    Ok(())
}

/// Publishes tasks and receives them, each at least once, however often the line breaks.
fn run(address: &str, tasks: &[&str]) -> Outcome<Vec<String>> {
    let persistent = PropertyFields::default().with_delivery_mode(2).to_buf()?;
    // What is not confirmed, with the publish tags of the connection.
    let mut outbox: Vec<_> = tasks.iter().map(|task| (task, None)).collect();
    let (start, mut received) = (Instant::now(), std::collections::BTreeSet::new());
    loop {
        let socket = TcpStream::connect(address).map_err(Box::from);
        let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
        let act = |client: &mut ClientConnection, now, event: Event<'_>| -> Outcome {
            match event {
                Event::Opened => drop(client.open_channel()?),
                Event::ChannelOpened { channel, .. } => {
                    client.confirm_select(channel, &Select::default())?;
                    client.queue_declare(channel, &Declare::new("tasks").with_durable(true))?;
                    client.consume(channel, &Consume::new("tasks"))?;
                    for (task, tag) in &mut outbox {
                        let message = Message::new("", "tasks", task.as_bytes());
                        let message = message.with_properties(persistent.as_properties());
                        *tag = client.publish(channel, Mandatory::Yes, &message)?;
                    }
                }
                Event::Confirm(it) if it.acknowledged => {
                    outbox.retain(|(_, tag)| tag.is_none_or(|tag| !it.publish_tags.contains(&tag)));
                }
                Event::Deliver(it) => {
                    received.insert(String::from_utf8(it.content.body().to_vec())?);
                    client.ack(it.channel, Tags::One(it.delivery_tag))?;
                }
                Event::Start { .. } | Event::Reply { .. } | Event::Flow { .. } => {}
                Event::Blocked { .. } | Event::Unblocked | Event::CloseOk => {}
                Event::Closed { close, .. } if close.reply_code == 320 => {}
                refused => return Err(format!("{refused:?}").into()),
            }
            if outbox.is_empty() && received.len() == tasks.len() && client.is_open() {
                client.close(now)?;
            }
            Ok(())
        };
        let outcome = socket.and_then(|mut it| drive(&mut client, &mut it, start, act));
        match (outcome, client.error()) {
            // The line broke, or the server fell silent or stopped (320): again, and only then.
            (Ok(()), _) if !outbox.is_empty() || received.len() < tasks.len() => {}
            (_, Some(UnexpectedEof | PeerTimeout | HandshakeTimeout | CloseTimeout)) => {}
            (Err(error), _) if error.is::<std::io::Error>() => {}
            (outcome, _) => return outcome.map(|()| received.into_iter().collect()),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
