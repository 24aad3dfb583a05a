//! What outlives a connection. The first one is cut with a publish that is not
//! confirmed and a delivery that is not acknowledged; the second publishes again what
//! was not confirmed, and is given again what was not acknowledged.
//!
//! `amqp_resume HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[expect(dead_code, reason = "this one has a conversation of its own")]
mod conversation;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use amqp_codec::PropertyFields;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Mandatory, Message, ReadBuffer, Reply, SendError,
    Tags,
};
use amqp_codec::method::{basic, confirm, queue};
use conversation::{Outcome, take, wait};

fn main() -> Outcome {
    let (address, config) = conversation::arguments()?;
    let tasks = (1..=3).map(|id| (id, format!("task {id}")));
    let mut work = Work {
        queue: format!("amqp-codec.resume.{}", std::process::id()),
        unconfirmed: tasks.collect(),
        published: BTreeMap::new(),
        seen: Vec::new(),
        is_cut: true,
    };
    connect(&address, config.clone(), &mut work)?;
    connect(&address, config, &mut work)?;
    println!("goodbye");
    Ok(())
}

/// What outlives a connection: what is to be published until it is confirmed, and what
/// has been seen, since a message may come twice.
struct Work {
    queue: String,
    /// By identifier.
    unconfirmed: BTreeMap<u32, String>,
    /// The identifiers of this connection's publishes, by publish tag.
    published: BTreeMap<u64, u32>,
    seen: Vec<String>,
    /// Whether the line breaks before the first acknowledgement.
    is_cut: bool,
}

impl Work {
    /// Publishes all that is not confirmed, again if need be.
    fn publish(&mut self, client: &mut ClientConnection) -> Result<(), SendError> {
        // Tags count from 1 on each channel, so they mean nothing on another.
        self.published.clear();
        for (id, task) in &self.unconfirmed {
            let name = id.to_string();
            let fields = PropertyFields {
                // So that a receiver can tell that it has seen it.
                message_id: Some((&name).into()),
                delivery_mode: Some(2),
                ..Default::default()
            };
            let properties = fields.to_buf()?;
            let message = Message {
                routing_key: &self.queue,
                properties: properties.as_properties(),
                body: task.as_bytes(),
                ..Default::default()
            };
            let tag = client.publish(1, Mandatory::Yes, &message)?;
            self.published.extend(tag.map(|tag| (tag, *id)));
        }
        Ok(())
    }

    fn answer(
        &mut self,
        now: Duration,
        client: &mut ClientConnection,
        event: ClientEvent<'_>,
    ) -> Outcome {
        let queue = &self.queue;
        match event {
            ClientEvent::Opened => drop(client.open_channel()?),
            ClientEvent::ChannelOpened { channel, .. } => {
                client.confirm_select(channel, &confirm::Select::default())?;
                let durable = true;
                let declare = queue::Declare { queue, durable, ..Default::default() };
                client.queue_declare(channel, &declare)?;
            }
            ClientEvent::Reply {
                channel,
                reply: Reply::QueueDeclareOk(_),
                ..
            } => {
                let consume = basic::Consume { queue, ..Default::default() };
                client.consume(channel, &consume)?;
                self.publish(client)?;
            }
            ClientEvent::Confirm { publish_tags, .. } => {
                for tag in publish_tags {
                    if let Some(id) = self.published.remove(&tag) {
                        self.unconfirmed.remove(&id);
                    }
                }
            }
            ClientEvent::Deliver {
                channel,
                delivery_tag,
                redelivered,
                content,
                ..
            } => {
                let task = String::from_utf8_lossy(content.body()).into_owned();
                println!("received {task:?}, redelivered: {redelivered}");
                if self.is_cut {
                    return Err("the line breaks".into());
                }
                client.ack(channel, Tags::One(delivery_tag))?;
                if !self.seen.contains(&task) {
                    self.seen.push(task);
                }
            }
            ClientEvent::Reply {
                reply: Reply::QueueDeleteOk(_),
                ..
            } => client.close(now)?,
            ClientEvent::Start { .. }
            | ClientEvent::Reply { .. }
            | ClientEvent::ConsumerCancelled { .. } // with its queue
            | ClientEvent::CloseOk => {}
            unexpected => return Err(format!("{unexpected:?}").into()),
        }
        if self.seen.len() == 3 && self.unconfirmed.is_empty() {
            self.seen.clear();
            let queue = &self.queue;
            let delete = queue::Delete {
                queue,
                ..Default::default()
            };
            client.queue_delete(1, &delete)?;
        }
        Ok(())
    }
}

/// One connection, to its end or until it is cut.
fn connect(address: &str, config: ClientConfig, work: &mut Work) -> Outcome {
    let mut socket = TcpStream::connect(address)?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    while !client.is_closed() {
        client.poll_transmit(start.elapsed(), &mut out);
        socket.write_all(&out)?;
        out.clear();
        socket.set_read_timeout(Some(wait(&client, start.elapsed())))?;
        let read = match socket.read(buffer.space(4096)) {
            Ok(length) => Some(length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            Err(error) => return Err(error.into()),
        };
        let now = start.elapsed();
        let outcome = take(&mut client, &mut buffer, now, read, |client, event| {
            work.answer(now, client, event)
        });
        if let Err(error) = outcome {
            // The socket is dropped, and nothing is said.
            println!("{error}");
            return match std::mem::take(&mut work.is_cut) {
                true => Ok(()),
                false => Err(error),
            };
        }
    }
    Ok(())
}
