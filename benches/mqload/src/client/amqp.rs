//! AMQP 0-9-1. A queue is a queue on the default exchange; a topic is `amq.topic`, where
//! each consumer binds a queue of its own.

use std::collections::VecDeque;
use std::time::Duration;

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Confirmation, Delivery, Mandatory, Message, Reply,
    Sasl, Tags,
};
use amqp_codec::method::{basic, confirm, queue};
use amqp_codec::{PropertiesBuf, PropertyFields};
use anyhow::{Result, bail};

use super::{Client, Heard, Job};
use crate::load::{Confirm, Kind};
use crate::target::Target;

const CHANNEL: u16 = 1;
/// Where topics are, in every broker.
const TOPICS: &str = "amq.topic";

pub struct Amqp {
    client: ClientConnection,
    job: Job,
    properties: PropertiesBuf,
    /// Tag and stamp of what is not confirmed, in the order in which it was published.
    unconfirmed: VecDeque<(u64, u64)>,
    /// Confirmed, but not yet at the front.
    settled_early: usize,
    leaving: bool,
}

/// The stamp of what was confirmed while something before it was not.
const SETTLED: u64 = u64::MAX;

impl Amqp {
    /// The next step of logging in, once the queue that is consumed is called `queue`.
    fn consume(&mut self, queue: &str) -> Result<()> {
        let Some(destination) = &self.job.consume else {
            return Ok(());
        };
        if destination.kind == Kind::Topic {
            let bind = queue::Bind {
                queue,
                exchange: TOPICS,
                routing_key: &destination.name,
                ..Default::default()
            };
            self.client.queue_bind(CHANNEL, &bind)?;
        }
        let qos = basic::Qos {
            prefetch_count: 1000,
            ..Default::default()
        };
        self.client.qos(CHANNEL, &qos)?;
        let consume = basic::Consume {
            queue,
            no_ack: self.job.confirm == Confirm::None,
            ..Default::default()
        };
        self.client.consume(CHANNEL, &consume)?;
        Ok(())
    }

    /// Declares what has to be there.
    fn declare(&mut self) -> Result<()> {
        if self.job.publish.is_some() && self.job.confirm >= Confirm::Once {
            self.client
                .confirm_select(CHANNEL, &confirm::Select::default())?;
        }
        let both = [&self.job.consume, &self.job.publish];
        let queue = both
            .into_iter()
            .flatten()
            .find(|destination| destination.kind == Kind::Queue);
        let declare = match queue {
            // Publishers declare it too: nothing is lost, whoever comes first.
            Some(destination) => queue::Declare {
                queue: &destination.name,
                durable: self.job.durable,
                ..Default::default()
            },
            None if self.job.consume.is_some() => queue::Declare {
                exclusive: true,
                ..Default::default()
            },
            // A publisher to a topic needs nothing; this reply says that it may begin.
            None => {
                self.client.qos(CHANNEL, &basic::Qos::default())?;
                return Ok(());
            }
        };
        self.client.queue_declare(CHANNEL, &declare)?;
        Ok(())
    }

    fn confirmed(&mut self, first: u64, last: u64, heard: &mut impl FnMut(Heard<'_>)) {
        let Some(&(front, _)) = self.unconfirmed.front() else {
            return;
        };
        // Tags follow each other, so a tag is an index.
        for tag in first.max(front)..=last {
            if let Some((_, stamp)) = self.unconfirmed.get_mut((tag - front) as usize) {
                heard(Heard::Confirmed(std::mem::replace(stamp, SETTLED)));
                self.settled_early += 1;
            }
        }
        while let Some((_, SETTLED)) = self.unconfirmed.front() {
            self.unconfirmed.pop_front();
            self.settled_early -= 1;
        }
    }
}

impl Client for Amqp {
    fn begin(now: Duration, target: &Target, job: Job) -> Result<Self> {
        let mut config = ClientConfig::default().with_virtual_host(&target.virtual_host);
        if let Some((username, password)) = target.user.clone() {
            config = config.with_sasl(Sasl::Plain { username, password });
        }
        let properties = PropertyFields {
            delivery_mode: Some(if job.durable { 2 } else { 1 }),
            ..Default::default()
        };
        Ok(Self {
            client: ClientConnection::new(now, config),
            properties: properties.to_buf()?,
            job,
            unconfirmed: VecDeque::new(),
            settled_early: 0,
            leaving: false,
        })
    }

    fn receive(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        heard: &mut impl FnMut(Heard<'_>),
    ) -> Result<()> {
        while let Some(event) = self.client.receive(now, input)? {
            match event {
                ClientEvent::Deliver(Delivery {
                    delivery_tag,
                    content,
                    ..
                }) => {
                    heard(Heard::Message(content.body()));
                    if self.job.confirm >= Confirm::Once {
                        self.client.ack(CHANNEL, Tags::One(delivery_tag))?;
                    }
                }
                ClientEvent::Confirm(Confirmation {
                    publish_tags,
                    acknowledged,
                    ..
                }) => {
                    if !acknowledged {
                        bail!("a message was refused: basic.nack");
                    }
                    self.confirmed(*publish_tags.start(), *publish_tags.end(), heard);
                }
                ClientEvent::Opened => {
                    self.client.open_channel()?;
                }
                ClientEvent::ChannelOpened { .. } => self.declare()?,
                ClientEvent::Reply { reply, .. } => match reply {
                    Reply::QueueDeclareOk(declared) if self.job.consume.is_some() => {
                        self.consume(declared.queue)?;
                    }
                    Reply::QueueDeclareOk(_) | Reply::BasicConsumeOk(_) => heard(Heard::Ready),
                    Reply::BasicQosOk(_) if self.job.consume.is_none() => heard(Heard::Ready),
                    Reply::QueueDeleteOk(_) => self.client.close(now)?,
                    _ => {}
                },
                ClientEvent::Closed { close, .. } => bail!("{}", close.reply_text),
                ClientEvent::ChannelClosed { close, .. } if !self.leaving => {
                    bail!("{}", close.reply_text)
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn receive_eof(&mut self, now: Duration) -> Result<()> {
        Ok(self.client.receive_eof(now)?)
    }

    fn may_publish(&self) -> bool {
        self.unconfirmed.len() - self.settled_early < self.job.window
    }

    fn publish(&mut self, body: &[u8], stamp: u64) -> Result<()> {
        let Some(destination) = &self.job.publish else {
            bail!("nothing to publish to");
        };
        let message = Message {
            exchange: match destination.kind {
                Kind::Queue => "",
                Kind::Topic => TOPICS,
            },
            routing_key: &destination.name,
            properties: self.properties.as_properties(),
            body,
        };
        if let Some(tag) = self.client.publish(CHANNEL, Mandatory::No, &message)? {
            self.unconfirmed.push_back((tag, stamp));
        }
        Ok(())
    }

    fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) {
        self.client.poll_transmit(now, out);
    }

    fn timeout(&self) -> Option<Duration> {
        self.client.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<()> {
        Ok(self.client.handle_timeout(now)?)
    }

    fn close(&mut self, now: Duration) -> Result<()> {
        self.leaving = true;
        match &self.job.consume {
            // One of its consumers is the last one there, and takes the queue along.
            Some(destination) if destination.kind == Kind::Queue => {
                let delete = queue::Delete {
                    queue: &destination.name,
                    ..Default::default()
                };
                self.client.queue_delete(CHANNEL, &delete)?;
            }
            _ => self.client.close(now)?,
        }
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}
