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
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use amqp_codec::PropertyFields;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Mandatory, Message, ReadBuffer, Reply, SendError,
    Tags,
};
use amqp_codec::method::{basic, confirm, queue};

fn main() -> Result<(), Box<dyn Error>> {
    let (address, config) = conversation::arguments()?;
    let mut work = Work::new();
    for run in 1..=2 {
        println!("connection {run}");
        connect(&address, config.clone(), &mut work)?;
    }
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
    cut: bool,
}

impl Work {
    fn new() -> Self {
        let tasks = (1..=3).map(|id| (id, format!("task {id}")));
        Self {
            queue: format!("amqp-codec.resume.{}", std::process::id()),
            unconfirmed: tasks.collect(),
            published: BTreeMap::new(),
            seen: Vec::new(),
            cut: false,
        }
    }

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
    ) -> Result<(), Box<dyn Error>> {
        match event {
            ClientEvent::Opened => drop(client.open_channel()?),
            ClientEvent::ChannelOpened { channel } => {
                client.confirm_select(channel, &confirm::Select::default())?;
                let declare = queue::Declare {
                    queue: &self.queue,
                    durable: true,
                    ..Default::default()
                };
                client.queue_declare(channel, &declare)?;
            }
            ClientEvent::Reply {
                channel,
                reply: Reply::QueueDeclareOk(_),
            } => {
                self.publish(client)?;
                let consume = basic::Consume {
                    queue: &self.queue,
                    ..Default::default()
                };
                client.consume(channel, &consume)?;
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
            } => {
                let task = String::from_utf8_lossy(content.body()).into_owned();
                println!("received {task:?}, redelivered: {redelivered}");
                if !self.cut {
                    // The line breaks before the acknowledgement.
                    self.cut = true;
                    return Ok(());
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
        if self.seen.len() == 3 && self.unconfirmed.is_empty() && client.is_open() {
            self.seen.clear();
            let delete = queue::Delete {
                queue: &self.queue,
                ..Default::default()
            };
            client.queue_delete(1, &delete)?;
        }
        Ok(())
    }
}

/// One connection, to its end or until it is cut.
fn connect(address: &str, config: ClientConfig, work: &mut Work) -> Result<(), Box<dyn Error>> {
    let mut socket = TcpStream::connect(address)?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), config);
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    let begun_cut = work.cut;
    while !client.is_closed() {
        client.poll_transmit(start.elapsed(), &mut out);
        socket.write_all(&out)?;
        out.clear();

        let wait = client
            .poll_timeout()
            .map(|at| at.saturating_sub(start.elapsed()));
        // A socket takes no timeout of zero.
        socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        match socket.read(buffer.space(4096)) {
            Ok(0) => client.receive_eof(start.elapsed())?,
            Ok(length) => buffer.filled(length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                client.handle_timeout(start.elapsed())?;
            }
            Err(error) => return Err(error.into()),
        }

        let mut input = buffer.input();
        while let Some(event) = client.receive(start.elapsed(), &mut input)? {
            work.answer(start.elapsed(), &mut client, event)?;
            if work.cut != begun_cut {
                return Ok(()); // the socket is dropped, and nothing is said
            }
        }
    }
    Ok(())
}
