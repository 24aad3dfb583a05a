use std::collections::BTreeSet;

use amqp_codec::PropertyFields;
use amqp_codec::connection::*;
use amqp_codec::method::{basic, confirm, queue};

fn main() -> Outcome {
    let address = std::env::args().nth(1).ok_or("usage: HOST:PORT")?;
    let received = run(&address, &ClientConfig::default(), &["wash", "dry", "fold"])?;
    println!("{received:?}");
    Ok(())
}

/// Publishes tasks and receives them, each at least once, however often the line breaks.
fn run(address: &str, config: &ClientConfig, tasks: &[&str]) -> Outcome<BTreeSet<String>> {
    let persistent = PropertyFields::default().with_delivery_mode(2).to_buf()?;
    // What is not confirmed, with the publish tags of the connection.
    let mut outbox: Vec<_> = tasks.iter().map(|task| (task, None)).collect();
    let mut received = BTreeSet::new();
    loop {
        let (start, mut socket) = (Instant::now(), TcpStream::connect(address)?);
        let mut client = ClientConnection::new(start.elapsed(), config.clone());
        let outcome = drive(&mut client, &mut socket, start, |client, now, event| {
            match event {
                ClientEvent::Opened => drop(client.open_channel()?),
                ClientEvent::ChannelOpened { channel, .. } => {
                    client.confirm_select(channel, &confirm::Select::default())?;
                    let queue = queue::Declare::new("tasks").with_durable(true);
                    client.queue_declare(channel, &queue)?;
                    client.consume(channel, &basic::Consume::new("tasks"))?;
                    for (task, tag) in &mut outbox {
                        let message = Message::new("", "tasks", task.as_bytes())
                            .with_properties(persistent.as_properties());
                        *tag = client.publish(channel, Mandatory::Yes, &message)?;
                    }
                }
                ClientEvent::Confirm(it) if it.acknowledged => {
                    outbox.retain(|(_, tag)| tag.is_none_or(|tag| !it.publish_tags.contains(&tag)));
                }
                ClientEvent::Deliver(it) => {
                    received.insert(String::from_utf8(it.content.body().to_vec())?);
                    client.ack(it.channel, Tags::One(it.delivery_tag))?;
                }
                ClientEvent::Start { .. } | ClientEvent::Reply { .. } | ClientEvent::CloseOk => {}
                refused => return Err(format!("{refused:?}").into()),
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
