//! Requests: each leads to the one method that does it, and its result to the notice
//! that answers.

use alloc::boxed::Box;

use super::work::Asked;
use super::{VirtualHost, Work};
use crate::model::PublishOutcome;
use crate::model::exchange::{BindRequest, Destination, refuse_default_exchange};
use crate::model::message::Name;
use crate::model::queue::{ChannelId, ConsumeRequest, QueueSettings, declaration};
use crate::model::refusal::{Refusal, RefusalKind};
use crate::model::request::{BROWSED, Binding, BindingTarget, Consume, DeclareQueue, Request};
use crate::model::selector::Selector;
use crate::model::session::{SubscribeRefusal, SubscribeRequest};
use crate::model::transaction::Transaction;
use crate::model::{ConnectionId, Notice, Wait};

impl VirtualHost {
    /// Does what a front end asks for.
    pub(crate) fn serve(&mut self, connection: ConnectionId, request: Request) {
        let id = |number| ChannelId { connection, number };
        if let Err(refusal) = self.members.permit(connection, &request, self) {
            let channel = request.channel().unwrap_or_default();
            self.answer(id(channel), |_| Err(refusal));
            return;
        }
        match request {
            Request::Login(_) | Request::Prove(_) | Request::Open { .. } => {}
            Request::Leave => self.leave(connection),
            Request::CountRefused => {
                self.shared.statistics.published += 1;
                self.shared.statistics.refused += 1;
            }
            Request::Flow(flow) => self.set_flow(connection, flow),
            Request::OpenChannel { channel } => self.open_channel(id(channel)),
            Request::CloseChannel { channel } => self.close_channel(id(channel)),
            Request::Prefetch { channel, count } => {
                self.queues
                    .update_channel(id(channel), |c| c.prefetch = count);
            }
            Request::DeclareExchange(r) => {
                let durable = r.settings.durable;
                self.answer_about(durable, id(r.channel), |vhost| {
                    vhost
                        .exchanges
                        .declare(&mut vhost.shared, &r.name, r.settings)?;
                    Ok(Notice::Done)
                });
            }
            Request::CheckExchange { channel, name } => {
                let durable = self.exchanges.is_durable(&name);
                self.answer_about(durable, id(channel), |vhost| {
                    vhost.exchanges.check(&vhost.shared, &name)?;
                    Ok(Notice::Done)
                });
            }
            Request::DeleteExchange {
                channel,
                name,
                if_unused,
            } => self.answer(id(channel), |vhost| {
                vhost
                    .exchanges
                    .delete(&mut vhost.shared, &name, if_unused)?;
                Ok(Notice::Done)
            }),
            Request::Bind(r) => {
                let durable = self
                    .binding(connection, &r)
                    .is_ok_and(|binding| self.exchanges.keeps(&self.shared, &binding));
                self.answer_about(durable, id(r.channel), |vhost| {
                    let binding = vhost.binding(connection, &r)?;
                    vhost.exchanges.bind(&mut vhost.shared, binding)?;
                    Ok(Notice::Done)
                });
            }
            Request::Unbind(r) => self.answer(id(r.channel), |vhost| {
                vhost.unbind_named(connection, &r)?;
                Ok(Notice::Done)
            }),
            Request::DeclareQueue(r) => {
                let durable = self.queues.is_durable(&r.name);
                self.answer_about(durable, id(r.channel), |vhost| {
                    let declared = vhost.declare_queue(declaration(connection, &r));
                    declared.map(Notice::from)
                });
            }
            Request::MakeQueue(r) => {
                let durable = self.queues.is_durable(&r.name);
                self.answer_about(durable, id(r.channel), |vhost| {
                    let made = match vhost.queues.id_of(&r.name) {
                        Some(_) => vhost.queues.check(&mut vhost.shared, &r.name, connection),
                        None => vhost.declare_queue(declaration(connection, &r)),
                    };
                    made.map(Notice::from)
                });
            }
            Request::RenewQueue(r) => {
                let durable = self.queues.is_durable(&r.name);
                self.answer_about(durable, id(r.channel), |vhost| {
                    vhost.renew_queue(connection, &r).map(Notice::from)
                });
            }
            Request::CheckQueue { channel, queue } => {
                let durable = self.queues.is_durable(&queue);
                self.answer_about(durable, id(channel), |vhost| {
                    vhost
                        .queues
                        .check(&mut vhost.shared, &queue, connection)
                        .map(Notice::from)
                });
            }
            Request::PurgeQueue { channel, queue } => self.ask(id(channel), |vhost| {
                let changes = vhost.shared.changes.count();
                let purged = vhost.queues.purge(&mut vhost.shared, &queue, connection)?;
                let channel = id(channel);
                let work = Work::Purge {
                    channel,
                    purged,
                    changes,
                };
                vhost.begin(Some(connection), work);
                Ok(())
            }),
            Request::DeleteQueue {
                channel,
                queue,
                if_unused,
                if_empty,
            } => self.ask(id(channel), |vhost| {
                let (changes, first) = (vhost.shared.changes.count(), vhost.shared.notices.len());
                let messages = vhost.delete_queue(&queue, connection, if_unused, if_empty)?;
                // The answer comes before its consumers are cancelled, as in RabbitMQ.
                let cancelled = vhost.shared.notices.split_off(first);
                let wait = vhost.shared.wait_since(changes);
                let answer = Notice::Removed { messages };
                vhost.shared.emit_after(wait, connection, answer);
                vhost.shared.notices.extend(cancelled);
                Ok(())
            }),
            Request::Consume(r) => self.answer(id(r.channel), |vhost| {
                let queue = vhost.queues.find(&vhost.shared, &r.queue, connection)?;
                let consumer = vhost.consume(consumption(queue, id(r.channel), &r)?)?;
                Ok(Notice::Consumed { consumer })
            }),
            Request::Browse {
                channel,
                queue,
                selector,
            } => self.answer(id(channel), |vhost| {
                let queue = vhost.queues.find(&vhost.shared, &queue, connection)?;
                let selector = match &selector {
                    Some(text) => Selector::parse(text)?,
                    None => None,
                };
                let queue = vhost.queues.get(queue);
                let messages = queue.map(|queue| queue.browse(BROWSED, selector.as_ref()));
                vhost.shared.statistics.steps += BROWSED as u64;
                Ok(Notice::Browsed(messages.unwrap_or_default()))
            }),
            Request::Cancel { channel, consumer } => self.cancel(id(channel), consumer),
            Request::Get {
                channel,
                queue,
                no_ack,
            } => self.ask(id(channel), |vhost| {
                let queue = vhost.queues.find(&vhost.shared, &queue, connection)?;
                vhost.get_or_wait(queue, id(channel), no_ack);
                Ok(())
            }),
            Request::Settle { lease, settlement } => self.settle(lease, settlement),
            Request::Undeliverable { claim, message } => {
                self.give_up_undeliverable(claim, &message);
            }
            Request::SettleAll {
                leases,
                settlement,
                asked,
            } => {
                let changes = self.shared.changes.count();
                let asked = asked.map(|(number, ticket)| Asked {
                    channel: id(number),
                    ticket,
                    changes,
                });
                let work = Work::Settle {
                    leases: leases.into_iter(),
                    settlement,
                    asked,
                };
                self.begin(Some(connection), work);
            }
            Request::OpenReplies { channel } => self.answer(id(channel), |vhost| {
                let (name, consumer) = vhost.open_reply(id(channel))?;
                Ok(Notice::RepliesOpened { name, consumer })
            }),
            Request::CheckReplies { channel, name } => self.answer(id(channel), |vhost| {
                if vhost.queues.reply_exists(&name) {
                    Ok(Notice::Done)
                } else {
                    Err(vhost.shared.not_found("queue", &name))
                }
            }),
            Request::Publish {
                channel,
                publish,
                answer,
            } => self.publish_on(id(channel), &publish, answer),
            Request::RefusePublish { channel, answer } => {
                self.refuse_on(id(channel), answer);
            }
            Request::RefuseCommit { channel, ticket } => {
                let refusal = Refusal::precondition_failed(format_args!(
                    "a message of the transaction is refused"
                ));
                self.refuse_publish(id(channel), Some(ticket), refusal);
            }
            Request::Attach(attach) => self.attach(connection, *attach),
            Request::Detach(leaving) => {
                if let Some(session) = self.members.take_session(connection) {
                    self.detach(session, leaving);
                }
            }
            Request::Settled { packet_identifier } => {
                if let Some(session) = self.members.session(connection) {
                    self.sessions
                        .settle_sent(&mut self.shared, session, packet_identifier);
                }
            }
            Request::Received { packet_identifier } => {
                if let Some(session) = self.members.session(connection) {
                    self.sessions.release_sent(
                        &mut self.shared,
                        connection,
                        session,
                        packet_identifier,
                    );
                }
            }
            Request::Released { packet_identifier } => {
                if let Some(session) = self.members.session(connection) {
                    self.sessions.complete_received(
                        &mut self.shared,
                        connection,
                        session,
                        packet_identifier,
                    );
                }
            }
            Request::Subscribe(filters) => {
                let changes = self.shared.changes.count();
                let session = self.members.session(connection);
                let subscribe = |request: SubscribeRequest| match (session, request.refused) {
                    (None, _) => Err(SubscribeRefusal::TooMany),
                    (_, Some(refusal)) => Err(refusal),
                    _ if !self
                        .members
                        .may_subscribe(connection, request.topic_filter()) =>
                    {
                        Err(SubscribeRefusal::NotAuthorized)
                    }
                    (Some(session), _) => {
                        self.sessions.subscribe(&mut self.shared, session, request)
                    }
                };
                let results = filters.into_iter().map(subscribe).collect();
                let wait = self.shared.wait_since(changes);
                self.shared
                    .emit_after(wait, connection, Notice::Subscribed(results));
            }
            Request::Unsubscribe(filters) => {
                let changes = self.shared.changes.count();
                let session = self.members.session(connection);
                let unsubscribe = |filter: &Name| {
                    session
                        .is_some_and(|id| self.sessions.unsubscribe(&mut self.shared, id, filter))
                };
                let results = filters.iter().map(unsubscribe).collect();
                let wait = self.shared.wait_since(changes);
                self.shared
                    .emit_after(wait, connection, Notice::Unsubscribed(results));
            }
            Request::CheckPublish { channel, exchange } => {
                let allowed = self
                    .members
                    .permit_write(connection, &exchange)
                    .and_then(|()| self.exchanges.check_publish(&self.shared, &exchange));
                if self.is_open(id(channel))
                    && let Err(refusal) = allowed
                {
                    self.refuse_publish(id(channel), None, refusal);
                }
            }
            Request::Store { channel, ticket } => {
                let outcome = PublishOutcome::Routed;
                self.accept(id(channel), ticket, outcome, Wait::Stored);
            }
            Request::Commit {
                channel,
                operations,
                ticket,
            } => {
                if self.is_open(id(channel)) {
                    let changes = self.shared.changes.count();
                    let transaction = Transaction::new(id(channel), ticket, operations, changes);
                    self.begin(Some(connection), Work::Commit(Box::new(transaction)));
                }
            }
        }
    }

    /// Whether something may be done on the channel.
    pub(super) fn is_open(&self, id: ChannelId) -> bool {
        match self.queues.channel(id) {
            Some(channel) => !channel.failed,
            None => self.members.session(id.connection).is_some(),
        }
    }

    /// Answers a question on a channel. One that is refused ends the channel.
    fn answer(&mut self, id: ChannelId, ask: impl FnOnce(&mut Self) -> Result<Notice, Refusal>) {
        self.answer_about(false, id, ask);
    }

    /// The same, about something that may be durable: that it is there, its record may be
    /// on its way to the store.
    fn answer_about(
        &mut self,
        durable: bool,
        id: ChannelId,
        ask: impl FnOnce(&mut Self) -> Result<Notice, Refusal>,
    ) {
        self.ask(id, |vhost| {
            let changes = vhost.shared.changes.count();
            let notice = ask(vhost)?;
            let wait = match durable {
                true => Wait::Stored,
                false => vhost.shared.wait_since(changes),
            };
            vhost.shared.emit_after(wait, id.connection, notice);
            Ok(())
        });
    }

    /// Asks something on a channel. What is refused ends the channel.
    fn ask(&mut self, id: ChannelId, ask: impl FnOnce(&mut Self) -> Result<(), Refusal>) {
        let result = if self.is_open(id) {
            ask(self)
        } else {
            let number = id.number;
            Err(Refusal::not_found(format_args!(
                "channel {number} is not open"
            )))
        };
        if let Err(refusal) = result {
            self.queues.fail_channel(id);
            self.shared
                .emit(id.connection, Notice::Refused(Box::new(refusal)));
        }
    }

    /// The queue of a subscription, which begins anew if it was another one.
    fn renew_queue(
        &mut self,
        connection: ConnectionId,
        r: &DeclareQueue,
    ) -> Result<declaration::QueueState, Refusal> {
        let existing = self
            .queues
            .id_of(&r.name)
            .and_then(|id| self.queues.get(id));
        if let Some(queue) = existing {
            if !queue.consumers.is_empty() {
                let text = format_args!("Durable consumer is in use");
                return Err(Refusal::resource_locked(text));
            }
            if queue.settings.arguments != r.arguments {
                self.delete_queue(&r.name, connection, true, false)?;
            }
        }
        self.declare_queue(declaration(connection, r))
    }

    /// Undoes a binding. What is not there, binding, exchange or queue, counts as
    /// unbound, as in RabbitMQ: clients undo what a deletion has undone already.
    fn unbind_named(&mut self, connection: ConnectionId, r: &Binding) -> Result<(), Refusal> {
        refuse_default_exchange(&r.source)?;
        match self.binding(connection, r) {
            Ok(binding) => self.exchanges.unbind(&mut self.shared, &binding),
            Err(refusal) if refusal.kind == RefusalKind::NotFound => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Whether what a binding leads to outlives the broker.
    pub(super) fn is_lasting(&self, destination: &Destination) -> bool {
        match destination {
            Destination::Queue(id) => self.queues.get(*id).is_some_and(|q| q.settings.durable),
            Destination::Exchange(name) => self.exchanges.is_durable(name),
        }
    }

    fn binding<'a>(
        &self,
        connection: ConnectionId,
        binding: &'a Binding,
    ) -> Result<BindRequest<'a>, Refusal> {
        let destination = match &binding.destination {
            BindingTarget::Queue(name) => {
                Destination::Queue(self.queues.find(&self.shared, name, connection)?)
            }
            BindingTarget::Exchange(name) => Destination::Exchange(name.clone()),
        };
        Ok(BindRequest {
            source: &binding.source,
            lasting: self.is_lasting(&destination),
            destination,
            routing_key: &binding.routing_key,
            arguments: binding.arguments.clone(),
        })
    }
}

fn declaration(connection: ConnectionId, r: &DeclareQueue) -> declaration::DeclareQueue<'_> {
    declaration::DeclareQueue {
        name: &r.name,
        settings: QueueSettings {
            durable: r.durable,
            exclusive: r.exclusive.then_some(connection),
            auto_delete: r.auto_delete,
            arguments: r.arguments.clone(),
        },
        connection,
    }
}

fn consumption(
    queue: crate::model::queue::QueueId,
    channel: ChannelId,
    r: &Consume,
) -> Result<ConsumeRequest, Refusal> {
    let selector = match &r.selector {
        Some(text) => Selector::parse(text)?.map(Box::new),
        None => None,
    };
    Ok(ConsumeRequest {
        queue,
        channel,
        no_ack: r.no_ack,
        exclusive: r.exclusive,
        leads: r.leads,
        priority: r.priority,
        prefetch: r.prefetch,
        timeout: r.timeout,
        no_local: r.no_local,
        selector,
        topic: r.topic.clone(),
    })
}

impl From<declaration::QueueState> for Notice {
    fn from(state: declaration::QueueState) -> Self {
        Self::QueueDeclared {
            queue: state.name,
            messages: state.messages,
            consumers: state.consumers,
        }
    }
}
