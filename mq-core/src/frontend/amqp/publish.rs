//! `basic.publish`.

use alloc::boxed::Box;
use alloc::sync::Arc;
use amqp_codec::ReplyCode;
use amqp_codec::connection::ReplyError;
use amqp_codec::method::basic;
use core::time::Duration;

use super::channel::{Channel, Inbound, Incoming, Mode};
use super::{AmqpFrontEnd, Answer, Serving, content};
use crate::frontend::body::{Assembly, Source};
use crate::model::message::Text;
use crate::model::queue::REPLY_QUEUE;
use crate::model::request::{self, Publish, Unrouted};
use crate::model::{Body, Request};

impl AmqpFrontEnd {
    /// A publish has come. It is served when its body has come too.
    pub(super) fn published(&mut self, now: Duration, number: u16, inbound: Inbound) {
        if inbound.content.is_whole() {
            let body = inbound.content.body_bytes().into();
            self.serve_publish(now, number, &inbound, body);
        } else if let Some(channel) = self.channels.get_mut(&number) {
            let body = Assembly::default();
            channel.incoming = Some(Box::new(Incoming { inbound, body }));
        }
    }

    /// A part of a body, after which so many bytes are to come.
    pub(super) fn body_part(
        &mut self,
        now: Duration,
        number: u16,
        source: Source<'_>,
        part: &[u8],
        remaining: u64,
    ) {
        let Some(channel) = self.channels.get_mut(&number) else {
            return;
        };
        let Some(incoming) = &mut channel.incoming else {
            return;
        };
        let before = incoming.body.len();
        if remaining > 0 && self.held_bodies + part.len() as u64 > self.held_bodies_limit {
            let text = alloc::format!(
                "contents that are not complete, at most {} bytes are held",
                self.held_bodies_limit
            );
            let error = ReplyError::new(ReplyCode::ContentTooLarge, number, text);
            self.fail(now, &error.caused_by(basic::Publish::ID));
            return;
        }
        match incoming.body.push(source, part, Some(remaining)) {
            None => self.held_bodies += part.len() as u64,
            Some(body) => {
                self.held_bodies -= before as u64;
                if let Some(incoming) = channel.incoming.take() {
                    self.serve_publish(now, number, &incoming.inbound, body);
                }
            }
        }
    }

    fn serve_publish(&mut self, now: Duration, number: u16, inbound: &Inbound, body: Body) {
        let method = basic::Publish::ID;
        self.serve(now, number, method, |channel, serving| {
            channel.publish(serving, inbound, body)
        });
    }
}

impl Channel {
    /// Bytes of the body that is coming.
    pub(super) fn held_body(&self) -> u64 {
        let incoming = self.incoming.as_ref();
        incoming.map_or(0, |incoming| incoming.body.len() as u64)
    }

    fn publish(&mut self, s: &mut Serving<'_>, inbound: &Inbound, body: Body) -> Answer {
        let Inbound {
            publish_tag,
            mandatory,
            immediate,
            content,
        } = inbound;
        if *immediate {
            return Err(s.fail(ReplyCode::NotImplemented, "immediate=true"));
        }
        let limits = &s.config.limits;
        let mut message = content::message(content, body, s.user, limits, s.last_route, s.now)
            .map_err(|refusal| s.refuse(refusal))?;
        let reply_to = message.properties.reply_to.as_ref();
        if reply_to.is_some_and(|name| name == REPLY_QUEUE) {
            let Some(reply) = &self.reply else {
                return Err(s.fail(
                    ReplyCode::PreconditionFailed,
                    "fast reply consumer does not exist",
                ));
            };
            message = message.into_edited();
            message.properties.reply_to = Some(Text::from(&*reply.name));
        }
        let publish = Publish {
            message: Arc::new(message),
            unrouted: if *mandatory {
                Unrouted::Return
            } else {
                Unrouted::Drop
            },
        };
        let channel = s.number;
        if let Mode::Transaction(_) = self.mode {
            let exchange = publish.message.exchange.clone();
            s.link.tell(Request::CheckPublish { channel, exchange });
            return self.hold(s, publish);
        }
        s.link.tell(Request::Publish {
            channel,
            publish,
            answer: publish_tag.map_or(request::Answer::Never, request::Answer::Always),
        });
        Ok(())
    }
}
