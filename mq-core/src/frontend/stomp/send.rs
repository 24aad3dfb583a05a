//! SEND: what it publishes, once its body has come.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use stomp_codec::connection::InboundSend;

use super::destination::{self, Destination};
use super::{CHANNEL, Failure, StompFrontEnd, headers};
use crate::dialect::StompDialect;
use crate::frontend::body::{Assembly, Source};
use crate::model::Body;
use crate::model::message::{Message, Origin, Text};
use crate::model::meter::Counted;
use crate::model::queue::QueueSettings;
use crate::model::refusal::Refusal;
use crate::model::request::{self, Answer, Publish, Request, Unrouted};
use crate::model::schedule::Schedule;

/// A SEND of which the body is coming.
pub(super) struct Incoming {
    posting: Posting,
    receipt: Option<String>,
    body: Assembly,
}

/// What a SEND publishes.
enum Posting {
    /// To one destination.
    One(Publish),
    /// To several: to all of them, or to none.
    All(Vec<Publish>),
}

impl Posting {
    /// Adds the body, which has come after the rest.
    fn set_body(&mut self, body: &Body) {
        let publishes = match self {
            Self::One(publish) => core::slice::from_mut(publish),
            Self::All(publishes) => publishes,
        };
        for publish in publishes {
            // Nothing else has a share in it yet.
            if let Some(message) = Arc::get_mut(&mut publish.message) {
                message.body = body.clone();
            }
        }
    }
}

impl StompFrontEnd {
    /// SEND outside of a transaction. It is served when its body has come too.
    pub(super) fn send(
        &mut self,
        now: Duration,
        source: Source<'_>,
        send: &InboundSend<'_>,
    ) -> Result<(), Failure> {
        let body = match send.is_whole() {
            true => source.keep(send.body()).into(),
            false => Body::default(),
        };
        let dialect = self.config.stomp_dialect;
        let posting = if destination::is_composite(&send.destination, dialect) {
            Posting::All(self.publish_to_all(send, &body, now)?)
        } else {
            let destination = parse(&send.destination, dialect)?;
            Posting::One(self.publish(send, destination, body, now)?)
        };
        let receipt = send.receipt.as_deref();
        if send.is_whole() {
            self.post(posting, receipt);
        } else {
            self.incoming = Some(Box::new(Incoming {
                posting,
                receipt: receipt.map(String::from),
                body: Assembly::default(),
            }));
        }
        Ok(())
    }

    /// A part of the body of a SEND, after which so many bytes are to come.
    pub(super) fn body_part(&mut self, source: Source<'_>, part: &[u8], remaining: Option<u64>) {
        let incoming = self.incoming.as_mut();
        let body = incoming.and_then(|incoming| incoming.body.push(source, part, remaining));
        if let Some(body) = body
            && let Some(incoming) = self.incoming.take()
        {
            let Incoming {
                mut posting,
                receipt,
                ..
            } = *incoming;
            posting.set_body(&body);
            self.post(posting, receipt.as_deref());
        }
    }

    /// Publishes what a SEND says.
    fn post(&mut self, posting: Posting, receipt: Option<&str>) {
        let ticket = self.ticket(receipt);
        let channel = CHANNEL;
        self.link.tell(match posting {
            Posting::One(publish) => Request::Publish {
                channel,
                publish,
                // An ERROR says what is refused, whether there is a receipt or not.
                answer: match receipt {
                    Some(_) => Answer::Always(ticket),
                    None => Answer::IfRefused(ticket),
                },
            },
            Posting::All(publishes) => Request::Commit {
                channel,
                operations: publishes
                    .into_iter()
                    .map(request::Operation::Publish)
                    .collect(),
                ticket,
            },
        });
    }

    /// What a SEND publishes to the destinations that it names.
    pub(super) fn publish_to_all(
        &mut self,
        send: &InboundSend<'_>,
        body: &Body,
        now: Duration,
    ) -> Result<Vec<Publish>, Failure> {
        let all = destination::parse_all(&send.destination, self.config.stomp_dialect)
            .ok_or_else(|| invalid(&send.destination))?;
        all.into_iter()
            .map(|destination| self.publish(send, destination, body.clone(), now))
            .collect()
    }

    /// What a SEND publishes.
    fn publish(
        &mut self,
        send: &InboundSend<'_>,
        destination: Destination<'_>,
        body: Body,
        now: Duration,
    ) -> Result<Publish, Failure> {
        let destination = self.resolve(destination);
        let Some((exchange, routing_key)) = destination.route() else {
            return Err(invalid(&send.destination));
        };
        let headers = send.user_headers().map(|h| (h.name, h.value));
        let dialect = self.config.stomp_dialect;
        let mut properties = headers::properties(headers, dialect, now);
        if let Err(why) = Schedule::of(&properties.headers) {
            return Err(Failure::new("Invalid header", why));
        }
        if let Some(claimed) = properties.user_id.as_ref().filter(|id| **id != *self.user) {
            return Err(Failure::from(Refusal::precondition_failed(format_args!(
                "user_id property set to '{}' but authenticated user was '{}'",
                claimed.as_str().unwrap_or_default(),
                self.user
            ))));
        }
        if let Some(reply_to) = &mut properties.reply_to {
            let destination = reply_to
                .as_str()
                .and_then(|text| Destination::parse(text, dialect));
            match destination {
                Some(Destination::TemporaryQueue(name)) => {
                    let name = name.into_owned();
                    let consumes = dialect == StompDialect::RabbitMq;
                    *reply_to = Text::from(&*self.temporary_queue(&name, consumes));
                }
                Some(Destination::TemporaryTopic(name)) => {
                    let key = self.temporary_topic(&name);
                    *reply_to = Text::from(&alloc::format!("/topic/{key}"));
                }
                _ => {}
            }
        }
        let message = Message {
            exchange: self.last_route.exchange.of(exchange),
            routing_key: self.last_route.routing_key.of(routing_key),
            properties,
            body,
            published: now,
            counted: Counted::default(),
            origin: Origin::Stomp {
                destination: self.last_destination.of(&send.destination),
            },
        };
        let unrouted = match destination {
            Destination::Queue(_) => {
                // Most messages say nothing of the queue.
                let named = &message.properties.headers.0;
                let asked = dialect == StompDialect::ActiveMq
                    || named.iter().any(|(name, _)| headers::is_of_queue(name));
                Unrouted::MakeQueue(asked.then(|| {
                    let shape = headers::QueueShape::of_queue(&send.frame);
                    let name = &message.routing_key;
                    Box::new(QueueSettings {
                        durable: shape.durable,
                        exclusive: shape.exclusive.then_some(self.connection),
                        auto_delete: shape.auto_delete,
                        arguments: headers::arguments_of_queue(&send.frame, name, &self.config),
                    })
                }))
            }
            Destination::ExistingQueue(_) => Unrouted::Refuse,
            _ => Unrouted::Drop,
        };
        Ok(Publish {
            message: Arc::new(message),
            unrouted,
        })
    }
}

fn parse(text: &str, dialect: StompDialect) -> Result<Destination<'_>, Failure> {
    Destination::parse(text, dialect).ok_or_else(|| invalid(text))
}

pub(super) fn invalid(destination: &str) -> Failure {
    Failure::new(
        "invalid_destination",
        alloc::format!("'{destination}' is not a valid destination here"),
    )
}
