//! The classes exchange and queue.

use amqp_codec::ReplyCode;
use amqp_codec::method::{exchange, queue};

use super::channel::Channel;
use super::content::headers;
use super::{Answer, Serving, Trouble};
use crate::model::exchange::{Destination, ExchangeSettings, ExchangeType};
use crate::model::message::Name;
use crate::model::queue::QueueSettings;
use crate::model::refusal::Refusal;
use crate::model::vhost::{BindRequest, DeclareQueue, REPLY_QUEUE};

/// A count as the wire has it.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Channel {
    /// The queue that a method means: an empty name is the one declared last.
    pub(super) fn queue_name(&self, s: &Serving<'_>, name: &str) -> Result<Name, Trouble> {
        if !name.is_empty() {
            return Ok(Name::from(name));
        }
        self.last_queue.clone().ok_or_else(|| {
            s.refuse(Refusal::not_found(format_args!(
                "no previously declared queue"
            )))
        })
    }

    pub(super) fn exchange_declare(
        &mut self,
        s: &mut Serving<'_>,
        m: &exchange::Declare<'_>,
    ) -> Answer {
        let declared = if m.passive {
            s.vhost.check_exchange(m.exchange)
        } else {
            let Some(kind) = ExchangeType::parse(m.r#type) else {
                return Err(s.fail(
                    ReplyCode::CommandInvalid,
                    alloc::format!("unknown exchange type '{}'", m.r#type),
                ));
            };
            ExchangeSettings::new(m.exchange, kind, &headers(m.arguments)).and_then(|settings| {
                s.vhost.declare_exchange(
                    m.exchange,
                    ExchangeSettings {
                        durable: m.durable,
                        auto_delete: m.auto_delete,
                        internal: m.internal,
                        ..settings
                    },
                )
            })
        };
        declared.map_err(|refusal| s.refuse(refusal))?;
        Ok(s.codec.exchange_declare_ok(s.number)?)
    }

    pub(super) fn exchange_delete(
        &mut self,
        s: &mut Serving<'_>,
        m: &exchange::Delete<'_>,
    ) -> Answer {
        s.vhost
            .delete_exchange(m.exchange, m.if_unused)
            .map_err(|refusal| s.refuse(refusal))?;
        Ok(s.codec.exchange_delete_ok(s.number)?)
    }

    pub(super) fn exchange_bind(&mut self, s: &mut Serving<'_>, m: &exchange::Bind<'_>) -> Answer {
        s.vhost
            .bind(BindRequest {
                source: m.source,
                destination: Destination::Exchange(Name::from(m.destination)),
                routing_key: m.routing_key,
                arguments: headers(m.arguments),
            })
            .map_err(|refusal| s.refuse(refusal))?;
        Ok(s.codec.exchange_bind_ok(s.number)?)
    }

    pub(super) fn exchange_unbind(
        &mut self,
        s: &mut Serving<'_>,
        m: &exchange::Unbind<'_>,
    ) -> Answer {
        s.vhost
            .unbind(&BindRequest {
                source: m.source,
                destination: Destination::Exchange(Name::from(m.destination)),
                routing_key: m.routing_key,
                arguments: headers(m.arguments),
            })
            .map_err(|refusal| s.refuse(refusal))?;
        Ok(s.codec.exchange_unbind_ok(s.number)?)
    }

    pub(super) fn queue_declare(&mut self, s: &mut Serving<'_>, m: &queue::Declare<'_>) -> Answer {
        if m.queue.starts_with(REPLY_QUEUE) {
            return self.declare_reply(s, m.queue);
        }
        let state = if m.passive {
            let name = self.queue_name(s, m.queue)?;
            s.vhost.check_queue(&name, s.connection)
        } else {
            s.vhost.declare_queue(DeclareQueue {
                name: m.queue,
                settings: QueueSettings {
                    durable: m.durable,
                    exclusive: m.exclusive.then_some(s.connection),
                    auto_delete: m.auto_delete,
                    arguments: headers(m.arguments),
                },
                connection: s.connection,
            })
        }
        .map_err(|refusal| s.refuse(refusal))?;
        self.last_queue = Some(state.name.clone());
        Ok(s.codec.queue_declare_ok(
            s.number,
            &state.name,
            count(state.messages),
            count(state.consumers),
        )?)
    }

    /// Declaring a name of direct reply-to tells whether the requester is
    /// still there.
    fn declare_reply(&mut self, s: &mut Serving<'_>, name: &str) -> Answer {
        if name != REPLY_QUEUE && !s.vhost.reply_exists(name) {
            return Err(s.refuse(s.vhost.not_found("queue", name)));
        }
        Ok(s.codec.queue_declare_ok(s.number, name, 0, 1)?)
    }

    pub(super) fn queue_bind(&mut self, s: &mut Serving<'_>, m: &queue::Bind<'_>) -> Answer {
        let name = self.queue_name(s, m.queue)?;
        // With neither name given, the key is the name of the queue.
        let key = match (m.queue, m.routing_key) {
            ("", "") => &*name,
            (_, key) => key,
        };
        s.vhost
            .queue(&name, s.connection)
            .and_then(|id| {
                s.vhost.bind(BindRequest {
                    source: m.exchange,
                    destination: Destination::Queue(id),
                    routing_key: key,
                    arguments: headers(m.arguments),
                })
            })
            .map_err(|refusal| s.refuse(refusal))?;
        Ok(s.codec.queue_bind_ok(s.number)?)
    }

    pub(super) fn queue_unbind(&mut self, s: &mut Serving<'_>, m: &queue::Unbind<'_>) -> Answer {
        let name = self.queue_name(s, m.queue)?;
        let key = match (m.queue, m.routing_key) {
            ("", "") => &*name,
            (_, key) => key,
        };
        s.vhost
            .queue(&name, s.connection)
            .and_then(|id| {
                s.vhost.unbind(&BindRequest {
                    source: m.exchange,
                    destination: Destination::Queue(id),
                    routing_key: key,
                    arguments: headers(m.arguments),
                })
            })
            .map_err(|refusal| s.refuse(refusal))?;
        Ok(s.codec.queue_unbind_ok(s.number)?)
    }

    pub(super) fn queue_purge(&mut self, s: &mut Serving<'_>, m: &queue::Purge<'_>) -> Answer {
        let name = self.queue_name(s, m.queue)?;
        let purged = s
            .vhost
            .purge(&name, s.connection)
            .map_err(|refusal| s.refuse(refusal))?;
        Ok(s.codec.queue_purge_ok(s.number, count(purged))?)
    }

    pub(super) fn queue_delete(&mut self, s: &mut Serving<'_>, m: &queue::Delete<'_>) -> Answer {
        let name = self.queue_name(s, m.queue)?;
        let deleted = s
            .vhost
            .delete_queue(&name, s.connection, m.if_unused, m.if_empty)
            .map_err(|refusal| s.refuse(refusal))?;
        Ok(s.codec.queue_delete_ok(s.number, count(deleted))?)
    }
}
