//! Consuming, getting and acknowledging.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use amqp_codec::ReplyCode;
use amqp_codec::connection::{ReplyError, Tags};
use amqp_codec::method::basic;
use core::time::Duration;

use super::asked::Next;
use super::channel::{Channel, Mode, Operation, TOO_LARGE};
use super::{Answer, Serving};
use crate::frontend::settle;
use crate::model::Request;
use crate::model::message::Name;
use crate::model::queue::{CONSUMER_TIMEOUT, REPLY_QUEUE, SELECTOR, Settlement};
use crate::model::refusal::Refusal;
use crate::model::request::{Consume, ConsumerTimeout};

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
            let (channel, count) = (s.number, prefetch);
            s.link.tell(Request::Prefetch { channel, count });
        } else {
            self.prefetch = prefetch;
        }
        Ok(s.codec.qos_ok(s.number)?)
    }

    pub(super) fn consume(&mut self, s: &mut Serving<'_>, m: &basic::Consume<'_>) -> Answer {
        let tag = if m.consumer_tag.is_empty() {
            Name::from(s.names.next("amq.ctag-"))
        } else {
            Name::from(m.consumer_tag)
        };
        if self.consumers.contains_key(&tag) {
            // Of the connection, whatever the code's own scope.
            let text = alloc::format!("attempt to reuse consumer tag '{tag}'");
            return Err(ReplyError::connection(ReplyCode::NotAllowed, text).into());
        }
        if m.queue == REPLY_QUEUE {
            return self.consume_replies(s, m, tag);
        }
        let name = self.queue_name(s, m.queue)?;
        let invalid = |argument: &str| {
            s.refuse(Refusal::precondition_failed(format_args!(
                "invalid arg '{argument}' for queue '{name}' in vhost '{}'",
                s.virtual_host
            )))
        };
        let argument = |argument| m.arguments.get(argument);
        let priority = match argument("x-priority") {
            None => 0,
            Some(value) => value.as_i64().ok_or_else(|| invalid("x-priority"))?,
        };
        let selector = match argument(SELECTOR) {
            None => None,
            Some(value) => {
                let text = value.as_str().ok_or_else(|| invalid(SELECTOR))?;
                Some(Name::from(text))
            }
        };
        let timeout = match argument(CONSUMER_TIMEOUT) {
            None => ConsumerTimeout::Default,
            Some(value) => {
                let millis = value.as_i64().and_then(|millis| u64::try_from(millis).ok());
                let millis = millis.ok_or_else(|| invalid(CONSUMER_TIMEOUT))?;
                ConsumerTimeout::Own(Duration::from_millis(millis))
            }
        };
        let question = Request::Consume(Box::new(Consume {
            channel: s.number,
            queue: name,
            no_ack: m.no_ack,
            exclusive: m.exclusive,
            leads: false,
            priority,
            prefetch: self.prefetch,
            timeout,
            // As in RabbitMQ the flag has no effect.
            no_local: false,
            selector,
            topic: None,
        }));
        s.ask(question, Next::ConsumeOk { tag });
        Ok(())
    }

    fn consume_replies(
        &mut self,
        s: &mut Serving<'_>,
        m: &basic::Consume<'_>,
        tag: Name,
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
        let question = Request::OpenReplies { channel: s.number };
        s.ask(question, Next::ReplyConsumeOk { tag });
        Ok(())
    }

    pub(super) fn cancel(&mut self, s: &mut Serving<'_>, m: &basic::Cancel<'_>) -> Answer {
        if let Some(consumer) = self.consumers.remove(m.consumer_tag) {
            self.tags.remove(&consumer);
            self.reply.take_if(|reply| reply.consumer == consumer);
            let channel = s.number;
            s.link.tell(Request::Cancel { channel, consumer });
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
        let no_ack = m.no_ack;
        let question = Request::Get {
            channel: s.number,
            queue: name.clone(),
            no_ack,
        };
        let queue = name;
        let tries = GET_TRIES;
        let next = Next::GetOk {
            queue,
            no_ack,
            tries,
        };
        s.ask(question, next);
        Ok(())
    }

    pub(super) fn settle(
        &mut self,
        s: &mut Serving<'_>,
        tags: Tags,
        settlement: Settlement,
    ) -> Answer {
        let taken = self
            .unacknowledged
            .take(tags)
            .map_err(|unknown| unknown.reply(s.number))?;
        match &mut self.mode {
            Mode::Transaction(transaction) => {
                let operations = &mut transaction.operations;
                let room = s
                    .config
                    .limits
                    .transaction_operations
                    .saturating_sub(operations.len());
                let leases: BTreeMap<u64, _> = taken.collect();
                if leases.len() > room {
                    self.unacknowledged.extend(leases);
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
                let leases = taken.map(|(_, lease)| lease);
                settle(s.link, leases, settlement);
            }
        }
        Ok(())
    }

    /// `basic.recover`: everything that is out goes back, in its place.
    pub(super) fn recover(&mut self, s: &mut Serving<'_>, requeue: bool) -> Answer {
        if !requeue {
            return Err(s.fail(ReplyCode::NotImplemented, "requeue=false"));
        }
        self.requeue(s.link);
        Ok(())
    }
}
