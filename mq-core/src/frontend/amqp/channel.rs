//! A channel: its consumers, what they hold, and its mode.

use alloc::boxed::Box;
use alloc::vec::Vec;
use amqp_codec::ReplyCode;
use amqp_codec::connection::{Content, Request, Tags, Unacknowledged};
use amqp_codec::method::channel;

use super::asked::{Asked, Next};
use super::{Answer, Serving};
use crate::few_map::FewMap;
use crate::frontend::body::Assembly;
use crate::frontend::{Link, settle};
use crate::model::Request as Ask;
use crate::model::message::Name;
use crate::model::queue::ConsumerId;
use crate::model::queue::{Lease, Settlement};
use crate::model::request::{self, Publish};

/// How publishes and acknowledgements count.
pub(super) enum Mode {
    Normal,
    /// `confirm.select`: each publish is answered.
    Confirm,
    /// `tx.select`: they wait for `tx.commit`.
    Transaction(Transaction),
}

/// What an open transaction holds.
#[derive(Default)]
pub(super) struct Transaction {
    pub(super) operations: Vec<Operation>,
    /// Sizes of the bodies, added up.
    bytes: usize,
}

/// A step of a transaction.
pub(super) enum Operation {
    Publish(Publish),
    Settle {
        delivery_tag: u64,
        lease: Lease,
        settlement: Settlement,
    },
}

/// The consumer of `amq.rabbitmq.reply-to`.
#[derive(Clone)]
pub(super) struct ReplyConsumer {
    pub(super) consumer: ConsumerId,
    /// Where replies go, instead of the pseudo-queue.
    pub(super) name: Name,
}

/// A publish as the codec hands it out, with its body or before that.
pub(super) struct Inbound {
    pub(super) publish_tag: Option<u64>,
    pub(super) mandatory: bool,
    pub(super) immediate: bool,
    pub(super) content: Content,
}

/// A publish whose body is coming in parts.
pub(super) struct Incoming {
    pub(super) inbound: Inbound,
    pub(super) body: Assembly,
}

/// A channel that is open.
pub(super) struct Channel {
    number: u16,
    pub(super) unacknowledged: Unacknowledged<Lease>,
    pub(super) consumers: FewMap<Name, ConsumerId>,
    pub(super) tags: FewMap<ConsumerId, Name>,
    /// `basic.qos` without global: for consumers to come.
    pub(super) prefetch: u32,
    /// The queue declared last, which an empty name means.
    pub(super) last_queue: Option<Name>,
    pub(super) mode: Mode,
    pub(super) reply: Option<ReplyConsumer>,
    /// The publish whose body is coming.
    pub(super) incoming: Option<Box<Incoming>>,
}

/// What is left of a channel on which nothing is under way.
pub(super) struct IdleChannel {
    consumers: Box<[(ConsumerId, Name)]>,
    prefetch: u32,
    last_queue: Option<Name>,
    mode: IdleMode,
    reply: Option<Box<ReplyConsumer>>,
}

/// The [`Mode`] of such a channel: its transaction holds nothing.
#[derive(Clone, Copy)]
enum IdleMode {
    Normal,
    Confirm,
    Transaction,
}

impl Channel {
    /// What is left of it, if nothing is under way.
    pub(super) fn idle(&self) -> Option<IdleChannel> {
        // A field that is new does not compile until it is known whether it matters here.
        let Self {
            number: _,
            unacknowledged,
            consumers: _,
            tags,
            prefetch,
            last_queue,
            mode,
            reply,
            incoming,
        } = self;
        let mode = match mode {
            Mode::Normal => IdleMode::Normal,
            Mode::Confirm => IdleMode::Confirm,
            Mode::Transaction(it) if it.operations.is_empty() => IdleMode::Transaction,
            Mode::Transaction(_) => return None,
        };
        if !unacknowledged.is_empty() || incoming.is_some() {
            return None;
        }
        let tags = tags.iter();
        Some(IdleChannel {
            consumers: tags.map(|(id, tag)| (*id, tag.clone())).collect(),
            prefetch: *prefetch,
            last_queue: last_queue.clone(),
            mode,
            reply: reply.clone().map(Box::new),
        })
    }

    /// The channel, as it was.
    pub(super) fn resume(number: u16, idle: &IdleChannel) -> Self {
        let IdleChannel {
            consumers,
            prefetch,
            last_queue,
            mode,
            reply,
        } = idle;
        let mut channel = Self::new(number);
        for (consumer, tag) in consumers {
            channel.consumers.insert(tag.clone(), *consumer);
            channel.tags.insert(*consumer, tag.clone());
        }
        channel.prefetch = *prefetch;
        channel.last_queue = last_queue.clone();
        channel.mode = match mode {
            IdleMode::Normal => Mode::Normal,
            IdleMode::Confirm => Mode::Confirm,
            IdleMode::Transaction => Mode::Transaction(Transaction::default()),
        };
        channel.reply = reply.as_deref().cloned();
        channel
    }

    pub(super) fn new(number: u16) -> Self {
        Self {
            number,
            unacknowledged: Unacknowledged::new(),
            consumers: FewMap::new(),
            tags: FewMap::new(),
            prefetch: 0,
            last_queue: None,
            mode: Mode::Normal,
            reply: None,
            incoming: None,
        }
    }

    /// Gives back what it holds, an open transaction's too, and cancels its
    /// consumers.
    pub(super) fn close(mut self, link: &mut Link<Asked>) {
        self.roll_back();
        self.requeue(link);
        let channel = self.number;
        link.tell(Ask::CloseChannel { channel });
    }

    /// Gives back all that is out.
    pub(super) fn requeue(&mut self, link: &mut Link<Asked>) {
        let leases = self.unacknowledged.take_all().map(|(_, lease)| lease);
        settle(link, leases, Settlement::Requeue);
    }

    pub(super) fn forget_consumer(&mut self, consumer: ConsumerId) -> Option<Name> {
        let tag = self.tags.remove(&consumer)?;
        self.consumers.remove(&tag);
        Some(tag)
    }

    /// Serves a request that is not a publish.
    pub(super) fn request(&mut self, s: &mut Serving<'_>, request: Request<'_>) -> Answer {
        match request {
            Request::AccessRequest(_) => Ok(s.codec.access_request_ok(s.number, 1)?),
            Request::ExchangeDeclare(m) => self.exchange_declare(s, &m),
            Request::ExchangeDelete(m) => self.exchange_delete(s, &m),
            Request::ExchangeBind(m) => self.exchange_bind(s, &m),
            Request::ExchangeUnbind(m) => self.exchange_unbind(s, &m),
            Request::QueueDeclare(m) => self.queue_declare(s, &m),
            Request::QueueBind(m) => self.queue_bind(s, &m),
            Request::QueueUnbind(m) => self.queue_unbind(s, &m),
            Request::QueuePurge(m) => self.queue_purge(s, &m),
            Request::QueueDelete(m) => self.queue_delete(s, &m),
            Request::BasicQos(m) => self.qos(s, &m),
            Request::BasicConsume(m) => self.consume(s, &m),
            Request::BasicCancel(m) => self.cancel(s, &m),
            Request::BasicGet(m) => self.get(s, &m),
            Request::BasicAck(m) => self.settle(
                s,
                Tags::new(m.delivery_tag, m.multiple),
                Settlement::Acknowledge,
            ),
            Request::BasicReject(m) => {
                self.settle(s, Tags::One(m.delivery_tag), rejection(m.requeue))
            }
            Request::BasicNack(m) => self.settle(
                s,
                Tags::new(m.delivery_tag, m.multiple),
                rejection(m.requeue),
            ),
            Request::BasicRecover(m) => {
                self.recover(s, m.requeue)?;
                Ok(s.codec.recover_ok(s.number)?)
            }
            Request::BasicRecoverAsync(m) => self.recover(s, m.requeue),
            Request::TxSelect(_) => self.tx_select(s),
            Request::TxCommit(_) => self.tx_commit(s),
            Request::TxRollback(_) => self.tx_rollback(s),
            Request::ConfirmSelect(_) => self.confirm_select(s),
            Request::ChannelFlow(m) if m.active => Ok(s
                .codec
                .flow_ok(s.number, &channel::FlowOk { active: true })?),
            Request::ChannelFlow(_) => Err(s.fail(ReplyCode::NotImplemented, "active=false")),
            _ => Ok(()),
        }
    }

    fn confirm_select(&mut self, s: &mut Serving<'_>) -> Answer {
        if matches!(self.mode, Mode::Transaction(_)) {
            return Err(s.fail(
                ReplyCode::PreconditionFailed,
                "cannot switch from tx to confirm mode",
            ));
        }
        self.mode = Mode::Confirm;
        Ok(s.codec.confirm_select_ok(s.number)?)
    }

    fn tx_select(&mut self, s: &mut Serving<'_>) -> Answer {
        match self.mode {
            Mode::Confirm => {
                return Err(s.fail(
                    ReplyCode::PreconditionFailed,
                    "cannot switch from confirm to tx mode",
                ));
            }
            Mode::Normal => self.mode = Mode::Transaction(Transaction::default()),
            Mode::Transaction(_) => {}
        }
        Ok(s.codec.tx_select_ok(s.number)?)
    }

    fn transaction(&mut self, s: &Serving<'_>) -> Result<&mut Transaction, super::Trouble> {
        match &mut self.mode {
            Mode::Transaction(transaction) => Ok(transaction),
            _ => Err(s.fail(
                ReplyCode::PreconditionFailed,
                "channel is not transactional",
            )),
        }
    }

    /// Holds a publish until the transaction is committed.
    pub(super) fn hold(&mut self, s: &Serving<'_>, publish: Publish) -> Answer {
        let transaction = self.transaction(s)?;
        let limits = &s.config.limits;
        let bytes = transaction.bytes.saturating_add(publish.message.size());
        if transaction.operations.len() >= limits.transaction_operations
            || bytes > limits.transaction_bytes
        {
            return Err(s.fail(ReplyCode::PreconditionFailed, TOO_LARGE));
        }
        transaction.bytes = bytes;
        transaction.operations.push(Operation::Publish(publish));
        Ok(())
    }

    /// `tx.commit`. What the transaction settles is the channel's until the model has
    /// accepted it.
    fn tx_commit(&mut self, s: &mut Serving<'_>) -> Answer {
        let transaction = self.transaction(s)?;
        let mut operations = Vec::with_capacity(transaction.operations.len());
        transaction.operations.retain(|operation| match operation {
            Operation::Publish(publish) => {
                operations.push(request::Operation::Publish(publish.clone()));
                false
            }
            Operation::Settle {
                lease, settlement, ..
            } => {
                let (lease, settlement) = (*lease, *settlement);
                operations.push(request::Operation::Settle { lease, settlement });
                true
            }
        });
        let question = Ask::Commit {
            channel: self.number,
            operations,
            ticket: 0,
        };
        s.ask(question, Next::TxCommitOk);
        Ok(())
    }

    /// The transaction is done, and the next one begins.
    pub(super) fn committed(&mut self) {
        if let Mode::Transaction(transaction) = &mut self.mode {
            *transaction = Transaction::default();
        }
    }

    fn tx_rollback(&mut self, s: &mut Serving<'_>) -> Answer {
        self.transaction(s)?;
        self.roll_back();
        Ok(s.codec.tx_rollback_ok(s.number)?)
    }

    /// Forgets what the open transaction published; what it acknowledged is
    /// unacknowledged again.
    fn roll_back(&mut self) {
        let Mode::Transaction(transaction) = &mut self.mode else {
            return;
        };
        let operations = core::mem::take(transaction).operations.into_iter();
        self.unacknowledged
            .extend(operations.filter_map(|operation| match operation {
                Operation::Settle {
                    delivery_tag,
                    lease,
                    ..
                } => Some((delivery_tag, lease)),
                Operation::Publish { .. } => None,
            }));
    }
}

/// Why a transaction can hold no more.
pub(super) const TOO_LARGE: &str = "too much in one transaction";

fn rejection(requeue: bool) -> Settlement {
    if requeue {
        Settlement::Requeue
    } else {
        Settlement::Reject
    }
}
