//! What the clients say, whatever they run on: they declare a queue, consume from it,
//! publish to it with a confirm and in a transaction, receive, acknowledge and say
//! goodbye.

use std::error::Error;
use std::time::Duration;

use amqp_codec::PropertyFields;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Mandatory, Message, ReadBuffer, Reply, Sasl,
    SendError, Tags,
};
use amqp_codec::method::{basic, confirm, queue, tx};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// `HOST:PORT [USER PASSWORD]`: the server's address, and who we are.
pub(crate) fn arguments() -> Result<(String, ClientConfig), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let config = ClientConfig::default();
    match &arguments[..] {
        [address] => Ok((address.clone(), config)),
        [address, username, password] => {
            let (username, password) = (username.clone(), password.clone());
            let sasl = Sasl::Plain { username, password };
            Ok((address.clone(), config.with_sasl(sasl)))
        }
        _ => Err("usage: HOST:PORT [USER PASSWORD]".into()),
    }
}

/// How long to wait for input: to the next timeout, or an hour, since not every runtime
/// can wait for ever or not at all.
pub(crate) fn wait(client: &ClientConnection, now: Duration) -> Duration {
    let left = client.poll_timeout().map(|at| at.saturating_sub(now));
    let hour = Duration::from_secs(3600);
    left.unwrap_or(hour).clamp(Duration::from_millis(1), hour)
}

/// Acts on what was read into the buffer: so many bytes, none at the end of the stream, or
/// nothing in time.
pub(crate) fn take(
    client: &mut ClientConnection,
    buffer: &mut ReadBuffer,
    now: Duration,
    read: Option<usize>,
    mut answer: impl FnMut(&mut ClientConnection, ClientEvent<'_>) -> Outcome,
) -> Outcome {
    match read {
        Some(0) => client.receive_eof(now)?,
        Some(length) => buffer.filled(length),
        None => {}
    }
    let mut input = buffer.input();
    while let Some(event) = client.receive(now, &mut input)? {
        answer(client, event)?;
    }
    Ok(client.handle_timeout(now)?)
}

/// What is done of it.
#[derive(Default)]
pub(crate) struct Conversation {
    queue: String,
    confirmed: bool,
    committed: bool,
    received: u8,
}

impl Conversation {
    pub(crate) fn answer(
        &mut self,
        now: Duration,
        client: &mut ClientConnection,
        event: ClientEvent<'_>,
    ) -> Outcome {
        match event {
            ClientEvent::Opened => drop(client.open_channel()?),
            // The first channel consumes, and publishes with confirms.
            ClientEvent::ChannelOpened { channel: 1, .. } => {
                client.confirm_select(1, &confirm::Select::default())?;
                let declare = queue::Declare {
                    exclusive: true, // it goes with the connection
                    ..Default::default()
                };
                client.queue_declare(1, &declare)?;
            }
            ClientEvent::Reply {
                reply: Reply::QueueDeclareOk(declared),
                ..
            } => {
                self.queue = declared.queue.into();
                let consume = basic::Consume {
                    queue: &self.queue,
                    consumer_tag: "example",
                    ..Default::default()
                };
                client.consume(1, &consume)?;
                self.publish(client, 1, b"with a confirm")?;
                client.open_channel()?;
            }
            // The second publishes in a transaction.
            ClientEvent::ChannelOpened { channel, .. } => {
                client.tx_select(channel, &tx::Select {})?;
                self.publish(client, channel, b"in a transaction")?;
                client.tx_commit(channel, &tx::Commit {})?;
            }
            ClientEvent::Confirm {
                acknowledged: true, ..
            } => self.confirmed = true,
            ClientEvent::Reply {
                reply: Reply::TxCommitOk(_),
                ..
            } => self.committed = true,
            ClientEvent::Deliver {
                channel,
                delivery_tag,
                content,
                ..
            } => {
                println!("received {:?}", String::from_utf8_lossy(content.body()));
                client.ack(channel, Tags::One(delivery_tag))?;
                self.received += 1;
            }
            ClientEvent::Start { .. } | ClientEvent::Reply { .. } => {}
            ClientEvent::CloseOk => println!("goodbye"),
            unexpected => return Err(format!("{unexpected:?}").into()),
        }
        if self.confirmed && self.committed && self.received == 2 && client.is_open() {
            client.close(now)?;
        }
        Ok(())
    }

    /// Publishes to the queue, surely: persistent, and returned if there is no queue.
    fn publish(
        &self,
        client: &mut ClientConnection,
        channel: u16,
        body: &[u8],
    ) -> Result<(), SendError> {
        let fields = PropertyFields {
            content_type: Some("text/plain".into()),
            delivery_mode: Some(2),
            ..Default::default()
        };
        let properties = fields.to_buf()?;
        let message = Message {
            exchange: "", // the default exchange: the routing key is the queue's name
            routing_key: &self.queue,
            properties: properties.as_properties(),
            body,
        };
        client.publish(channel, Mandatory::Yes, &message).map(drop)
    }
}
