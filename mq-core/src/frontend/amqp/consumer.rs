//! Consuming, getting and acknowledging.

use alloc::collections::BTreeMap;
use amqp_codec::ReplyCode;
use amqp_codec::connection::ReplyError;
use amqp_codec::method::basic;

use super::channel::{Channel, Mode, Operation, ReplyConsumer, TOO_LARGE};
use super::{Answer, Serving, with_outbound};
use crate::model::message::Name;
use crate::model::refusal::Refusal;
use crate::model::vhost::{ConsumeRequest, REPLY_QUEUE, Settlement};

/// Messages that AMQP cannot say, which one `basic.get` gives up at most before it
/// answers that there is none. The next one goes on from there.
const GET_TRIES: usize = 16;

impl Channel {
    pub(super) fn qos(&mut self, s: &mut Serving<'_>, m: &basic::Qos) -> Answer {
        if m.prefetch_size != 0 {
            return Err(s.fail(
                ReplyCode::NotImplemented,
                alloc::format!("prefetch_size!=0 ({})", m.prefetch_size),
            ));
        }
        let prefetch = u32::from(m.prefetch_count);
        if m.global {
            s.vhost.update_channel(self.id, |c| c.prefetch = prefetch);
        } else {
            self.prefetch = prefetch;
        }
        Ok(s.codec.qos_ok(s.number)?)
    }

    pub(super) fn consume(&mut self, s: &mut Serving<'_>, m: &basic::Consume<'_>) -> Answer {
        let tag = if m.consumer_tag.is_empty() {
            Name::from(s.vhost.made_up_name("amq.ctag-"))
        } else {
            Name::from(m.consumer_tag)
        };
        if self.consumers.contains_key(&tag) {
            // Of the connection, whatever the code's own scope.
            let text = alloc::format!("attempt to reuse consumer tag '{tag}'");
            return Err(ReplyError::connection(ReplyCode::NotAllowed, text).into());
        }
        if m.queue == REPLY_QUEUE {
            return self.consume_replies(s, m, &tag);
        }
        let name = self.queue_name(s, m.queue)?;
        let queue = s
            .vhost
            .queue(&name, s.connection)
            .map_err(|refusal| s.refuse(refusal))?;
        let priority = match m.arguments.get("x-priority") {
            None => 0,
            Some(value) => value.as_i64().ok_or_else(|| {
                s.refuse(Refusal::precondition_failed(format_args!(
                    "invalid arg 'x-priority' for queue '{name}' in vhost '{}'",
                    s.vhost.name
                )))
            })?,
        };
        let consumer = s
            .vhost
            .consume(ConsumeRequest {
                queue,
                channel: self.id,
                no_ack: m.no_ack,
                exclusive: m.exclusive,
                priority,
                prefetch: self.prefetch,
            })
            .map_err(|refusal| s.refuse(refusal))?;
        self.consumers.insert(tag.clone(), consumer);
        self.tags.insert(consumer, tag.clone());
        Ok(s.codec.consume_ok(s.number, &tag)?)
    }

    fn consume_replies(
        &mut self,
        s: &mut Serving<'_>,
        m: &basic::Consume<'_>,
        tag: &Name,
    ) -> Answer {
        let wrong = if !m.no_ack {
            Some("reply consumer cannot acknowledge")
        } else if self.reply.is_some() {
            Some("reply consumer already set")
        } else {
            None
        };
        if let Some(text) = wrong {
            return Err(s.fail(ReplyCode::PreconditionFailed, text));
        }
        let (name, consumer) = s
            .vhost
            .open_reply(self.id)
            .map_err(|refusal| s.refuse(refusal))?;
        self.consumers.insert(tag.clone(), consumer);
        self.tags.insert(consumer, tag.clone());
        self.reply = Some(ReplyConsumer { consumer, name });
        Ok(s.codec.consume_ok(s.number, tag)?)
    }

    pub(super) fn cancel(&mut self, s: &mut Serving<'_>, m: &basic::Cancel<'_>) -> Answer {
        if let Some(consumer) = self.consumers.remove(m.consumer_tag) {
            self.tags.remove(&consumer);
            self.reply.take_if(|reply| reply.consumer == consumer);
            s.vhost.cancel(self.id, consumer);
        }
        // A tag that nobody has counts as cancelled.
        Ok(s.codec.cancel_ok(s.number, m.consumer_tag)?)
    }

    pub(super) fn get(&mut self, s: &mut Serving<'_>, m: &basic::Get<'_>) -> Answer {
        if m.queue == REPLY_QUEUE {
            return Err(s.fail(
                ReplyCode::PreconditionFailed,
                "fast reply consumer does not exist",
            ));
        }
        let name = self.queue_name(s, m.queue)?;
        let queue = s
            .vhost
            .queue(&name, s.connection)
            .map_err(|refusal| s.refuse(refusal))?;
        for _ in 0..GET_TRIES {
            let Some(fetched) = s.vhost.get(queue, self.id, m.no_ack) else {
                break;
            };
            let (codec, number) = (&mut *s.codec, s.number);
            let remaining = u32::try_from(fetched.remaining).unwrap_or(u32::MAX);
            let sent = with_outbound(&fetched.message, |message| {
                codec.get_ok(number, fetched.redelivered, remaining, message)
            });
            match (sent, fetched.lease) {
                (Ok(tag), Some(lease)) => {
                    self.unacknowledged.insert(tag, lease);
                    return Ok(());
                }
                (Ok(_), None) => return Ok(()),
                // AMQP cannot say it (see deliver): the next one, then.
                (Err(_), Some(lease)) => s.vhost.settle(lease, Settlement::Undeliverable),
                (Err(_), None) => {}
            }
        }
        Ok(s.codec.get_empty(s.number)?)
    }

    pub(super) fn settle(
        &mut self,
        s: &mut Serving<'_>,
        delivery_tag: u64,
        multiple: bool,
        settlement: Settlement,
    ) -> Answer {
        let taken = self
            .unacknowledged
            .take(delivery_tag, multiple)
            .map_err(|unknown| unknown.reply(s.number))?;
        match &mut self.mode {
            Mode::Transaction(transaction) => {
                let operations = &mut transaction.operations;
                let room = s
                    .vhost
                    .limits
                    .transaction_operations
                    .saturating_sub(operations.len());
                let leases: BTreeMap<u64, _> = taken.collect();
                if leases.len() > room {
                    for (tag, lease) in leases {
                        self.unacknowledged.insert(tag, lease);
                    }
                    return Err(s.fail(ReplyCode::PreconditionFailed, TOO_LARGE));
                }
                operations.extend(leases.into_iter().map(|(delivery_tag, lease)| {
                    Operation::Settle {
                        delivery_tag,
                        lease,
                        settlement,
                    }
                }));
            }
            _ => {
                for (_, lease) in taken {
                    s.vhost.settle(lease, settlement);
                }
            }
        }
        Ok(())
    }

    /// `basic.recover`: everything that is out goes back, in its place.
    pub(super) fn recover(&mut self, s: &mut Serving<'_>, requeue: bool) -> Answer {
        if !requeue {
            return Err(s.fail(ReplyCode::NotImplemented, "requeue=false"));
        }
        for (_, lease) in self.unacknowledged.take_all() {
            s.vhost.settle(lease, Settlement::Requeue);
        }
        Ok(())
    }
}
