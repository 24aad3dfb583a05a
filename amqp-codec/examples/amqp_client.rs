//! A client that declares a queue, consumes from it, publishes to it with a confirm and in a
//! transaction, receives, acknowledges and says goodbye. What it says stands here, and how bytes
//! come and go in `runtimes`.
//!
//! `amqp_client std|tokio|smol|mio|arrays HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[path = "../../docs/runtimes/mod.rs"]
mod runtimes;

use amqp_codec::connection::*;
use amqp_codec::method::{basic, confirm, queue, tx};
use amqp_codec::{PropertiesBuf, PropertyFields};

include!("../src/drive-loop.rs");

fn main() -> Outcome {
    let arguments = runtimes::Arguments::parse()?;
    let (start, mut config) = (Instant::now(), ClientConfig::default());
    if let Some((username, password)) = &arguments.user {
        config = config.with_sasl(Sasl::plain(username, password));
    }
    let client = ClientConnection::new(start.elapsed(), config);
    let persistent = PropertyFields::default()
        .with_content_type("text/plain")
        .with_delivery_mode(2);
    let conversation = conversation(persistent.to_buf()?);
    runtimes::run(&arguments, client, start, conversation)
}

fn conversation(properties: PropertiesBuf) -> runtimes::Act {
    let (mut received, mut done) = (0, 0);
    Box::new(move |client, now, event| {
        match event {
            ClientEvent::Opened => drop((client.open_channel()?, client.open_channel()?)),
            // The first channel consumes, and publishes with confirms.
            ClientEvent::ChannelOpened { channel: 1, .. } => {
                client.confirm_select(1, &confirm::Select::default())?;
                // It goes with the connection.
                client.queue_declare(1, &queue::Declare::new("").with_exclusive(true))?;
            }
            ClientEvent::ChannelOpened { channel, .. } => {
                client.tx_select(channel, &tx::Select {})?;
            }
            ClientEvent::Reply {
                reply: Reply::QueueDeclareOk(declared),
                ..
            } => {
                let name = declared.queue;
                client.consume(1, &basic::Consume::new(name))?;
                for (channel, body) in [(1, "with a confirm"), (2, "in a transaction")] {
                    let message = Message::new("", name, body.as_bytes())
                        .with_properties(properties.as_properties());
                    client.publish(channel, Mandatory::Yes, &message)?;
                }
                client.tx_commit(2, &tx::Commit {})?;
            }
            ClientEvent::Deliver(Delivery {
                channel,
                delivery_tag,
                content,
                ..
            }) => {
                println!("received {:?}", String::from_utf8_lossy(content.body()));
                client.ack(channel, Tags::One(delivery_tag))?;
                received += 1;
            }
            ClientEvent::Confirm(Confirmation {
                acknowledged: true, ..
            })
            | ClientEvent::Reply {
                reply: Reply::TxCommitOk(_),
                ..
            } => done += 1,
            ClientEvent::Start { .. } | ClientEvent::Reply { .. } => {}
            ClientEvent::CloseOk => println!("goodbye"),
            // What was refused: the channel or the connection is closed, or a message returned.
            refused => return Err(format!("{refused:?}").into()),
        }
        if received == 2 && done == 2 && client.is_open() {
            client.close(now)?;
        }
        Ok(())
    })
}
