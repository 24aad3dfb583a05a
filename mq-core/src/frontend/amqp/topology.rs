//! The classes exchange and queue.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use amqp_codec::connection::ServerConnection;
use amqp_codec::method::{exchange, queue};
use amqp_codec::{ReplyCode, Table};

use super::asked::Next;
use super::channel::Channel;
use super::{Answer, Serving, Trouble};
use crate::model::Request;
use crate::model::exchange::ExchangeSettings;
use crate::model::message::Name;
use crate::model::queue::REPLY_QUEUE;
use crate::model::refusal::Refusal;
use crate::model::request::{Binding, BindingTarget, DeclareExchange, DeclareQueue};

/// The name that a method of these classes means: as in RabbitMQ without its line
/// ends. A method of another class, and purge, take a name as it is.
fn declared(name: &str) -> Cow<'_, str> {
    if name.contains(['\r', '\n']) {
        Cow::Owned(name.replace(['\r', '\n'], ""))
    } else {
        Cow::Borrowed(name)
    }
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
        let (channel, name) = (s.number, Name::from(declared(m.exchange)));
        let question = if m.passive {
            Request::CheckExchange { channel, name }
        } else {
            let settings = ExchangeSettings::parse(&name, m.r#type, &s.headers(m.arguments)?)
                .map_err(|refusal| s.refuse(refusal))?;
            let Some(settings) = settings else {
                return Err(s.fail(
                    ReplyCode::CommandInvalid,
                    alloc::format!("unknown exchange type '{}'", m.r#type),
                ));
            };
            Request::DeclareExchange(Box::new(DeclareExchange {
                channel,
                name,
                settings: ExchangeSettings {
                    durable: m.durable,
                    auto_delete: m.auto_delete,
                    internal: m.internal,
                    ..settings
                },
            }))
        };
        s.ask(question, Next::Ok(ServerConnection::exchange_declare_ok));
        Ok(())
    }

    pub(super) fn exchange_delete(
        &mut self,
        s: &mut Serving<'_>,
        m: &exchange::Delete<'_>,
    ) -> Answer {
        let question = Request::DeleteExchange {
            channel: s.number,
            name: Name::from(declared(m.exchange)),
            if_unused: m.if_unused,
        };
        s.ask(question, Next::Ok(ServerConnection::exchange_delete_ok));
        Ok(())
    }

    pub(super) fn exchange_bind(&mut self, s: &mut Serving<'_>, m: &exchange::Bind<'_>) -> Answer {
        let question = Request::Bind(Box::new(Binding {
            channel: s.number,
            source: Name::from(declared(m.source)),
            destination: BindingTarget::Exchange(Name::from(declared(m.destination))),
            routing_key: Name::from(m.routing_key),
            arguments: s.headers(m.arguments)?,
        }));
        s.ask(question, Next::Ok(ServerConnection::exchange_bind_ok));
        Ok(())
    }

    pub(super) fn exchange_unbind(
        &mut self,
        s: &mut Serving<'_>,
        m: &exchange::Unbind<'_>,
    ) -> Answer {
        let question = Request::Unbind(Box::new(Binding {
            channel: s.number,
            source: Name::from(declared(m.source)),
            destination: BindingTarget::Exchange(Name::from(declared(m.destination))),
            routing_key: Name::from(m.routing_key),
            arguments: s.headers(m.arguments)?,
        }));
        s.ask(question, Next::Ok(ServerConnection::exchange_unbind_ok));
        Ok(())
    }

    pub(super) fn queue_declare(&mut self, s: &mut Serving<'_>, m: &queue::Declare<'_>) -> Answer {
        let channel = s.number;
        if m.queue.starts_with(REPLY_QUEUE) {
            // Tells whether the requester is still there.
            let name = Name::from(declared(m.queue));
            let question = Request::CheckReplies {
                channel,
                name: name.clone(),
            };
            s.ask(question, Next::ReplyDeclareOk { name });
            return Ok(());
        }
        let question = if m.passive {
            let queue = self.queue_name(s, &declared(m.queue))?;
            Request::CheckQueue { channel, queue }
        } else {
            Request::DeclareQueue(Box::new(DeclareQueue {
                channel,
                name: Name::from(declared(m.queue)),
                durable: m.durable,
                exclusive: m.exclusive,
                auto_delete: m.auto_delete,
                arguments: s.headers(m.arguments)?,
            }))
        };
        s.ask(question, Next::QueueDeclareOk);
        Ok(())
    }

    /// The binding of a queue that a method means.
    fn queue_binding(
        &self,
        s: &Serving<'_>,
        (queue, exchange, routing_key): (&str, &str, &str),
        arguments: Table<'_>,
    ) -> Result<Box<Binding>, Trouble> {
        let name = self.queue_name(s, &declared(queue))?;
        // With neither name given, the key is the name of the queue.
        let routing_key = match (queue, routing_key) {
            ("", "") => name.clone(),
            (_, key) => Name::from(key),
        };
        Ok(Box::new(Binding {
            channel: s.number,
            source: Name::from(declared(exchange)),
            destination: BindingTarget::Queue(name),
            routing_key,
            arguments: s.headers(arguments)?,
        }))
    }

    pub(super) fn queue_bind(&mut self, s: &mut Serving<'_>, m: &queue::Bind<'_>) -> Answer {
        let names = (m.queue, m.exchange, m.routing_key);
        let binding = self.queue_binding(s, names, m.arguments)?;
        s.ask(
            Request::Bind(binding),
            Next::Ok(ServerConnection::queue_bind_ok),
        );
        Ok(())
    }

    pub(super) fn queue_unbind(&mut self, s: &mut Serving<'_>, m: &queue::Unbind<'_>) -> Answer {
        let names = (m.queue, m.exchange, m.routing_key);
        let binding = self.queue_binding(s, names, m.arguments)?;
        s.ask(
            Request::Unbind(binding),
            Next::Ok(ServerConnection::queue_unbind_ok),
        );
        Ok(())
    }

    pub(super) fn queue_purge(&mut self, s: &mut Serving<'_>, m: &queue::Purge<'_>) -> Answer {
        let queue = self.queue_name(s, m.queue)?;
        let channel = s.number;
        s.ask(Request::PurgeQueue { channel, queue }, Next::QueuePurgeOk);
        Ok(())
    }

    pub(super) fn queue_delete(&mut self, s: &mut Serving<'_>, m: &queue::Delete<'_>) -> Answer {
        let question = Request::DeleteQueue {
            channel: s.number,
            queue: self.queue_name(s, &declared(m.queue))?,
            if_unused: m.if_unused,
            if_empty: m.if_empty,
        };
        s.ask(question, Next::QueueDeleteOk);
        Ok(())
    }
}
