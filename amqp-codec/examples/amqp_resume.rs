//! What outlives a connection. The first one is cut with publishes that are not confirmed and
//! deliveries that are not acknowledged; the second publishes again what was not confirmed, and
//! is given again what was not acknowledged. So a message may come twice.
//!
//! `amqp_resume HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[path = "runtimes/arguments.rs"]
mod arguments;

use std::collections::{BTreeMap, BTreeSet};

use amqp_codec::connection::*;
use amqp_codec::method::{basic, confirm, queue};

include!("../src/drive-loop.rs");

/// What is left to do: this outlives a connection.
struct Work {
    /// What the server has not confirmed.
    outbox: BTreeSet<String>,
    /// What is to be received and acknowledged.
    awaited: BTreeSet<String>,
}

fn main() -> Outcome {
    let arguments = arguments::Arguments::parse(std::env::args().skip(1))?;
    let texts = ["one", "two", "three"].map(String::from);
    let (outbox, awaited) = (texts.clone().into(), texts.into());
    let mut work = Work { outbox, awaited };
    let cut = connect(&arguments, &mut work, true);
    println!("{cut:?}, not confirmed: {:?}", work.outbox);
    connect(&arguments, &mut work, false)
}

/// One connection, until all is done or, if it is to be cut, until a message has come.
fn connect(arguments: &arguments::Arguments, work: &mut Work, is_cut: bool) -> Outcome {
    let mut config = ClientConfig::default();
    if let Some((username, password)) = arguments.user.clone() {
        config = config.with_sasl(Sasl::Plain { username, password });
    }
    let name = format!("examples.resume.{}", std::process::id());
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);
    // Which message a tag names: tags are of one channel of one connection.
    let mut published = BTreeMap::new();
    let mut socket = TcpStream::connect(&arguments.address)?;
    drive(&mut client, &mut socket, start, |client, now, event| {
        match event {
            ClientEvent::Opened => drop(client.open_channel()?),
            ClientEvent::ChannelOpened { channel, .. } => {
                client.confirm_select(channel, &confirm::Select::default())?;
                client.queue_declare(channel, &queue::Declare::new(&name).with_durable(true))?;
                client.consume(channel, &basic::Consume::new(&name))?;
                for text in &work.outbox {
                    let message = Message::new("", &name, text.as_bytes());
                    let tag = client.publish(channel, Mandatory::Yes, &message)?;
                    published.extend(tag.map(|tag| (tag, text.clone())));
                }
            }
            ClientEvent::Confirm {
                publish_tags,
                acknowledged: true,
                ..
            } => {
                for text in publish_tags.filter_map(|tag| published.remove(&tag)) {
                    work.outbox.remove(&text);
                }
            }
            ClientEvent::Deliver { .. } if is_cut => return Err("the line breaks".into()),
            ClientEvent::Deliver {
                channel,
                delivery_tag,
                redelivered,
                content,
                ..
            } => {
                let text = String::from_utf8_lossy(content.body());
                println!("received {text}, redelivered: {redelivered}");
                client.ack(channel, Tags::One(delivery_tag))?;
                work.awaited.remove(&*text);
            }
            ClientEvent::Start { .. } | ClientEvent::Reply { .. } | ClientEvent::CloseOk => {}
            ClientEvent::ConsumerCancelled { .. } => {} // with its queue
            // What was refused: the channel or the connection is closed, or a message returned.
            refused => return Err(format!("{refused:?}").into()),
        }
        if work.outbox.is_empty() && work.awaited.is_empty() && client.is_open() {
            client.queue_delete(1, &queue::Delete::new(&name))?;
            client.close(now)?;
        }
        Ok(())
    })
}
