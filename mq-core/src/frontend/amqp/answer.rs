//! What the notices of the model lead to.

use alloc::string::ToString;
use amqp_codec::connection::{ReplyError, SendError, ServerConnection, Tags};
use amqp_codec::method::basic;
use amqp_codec::{MethodId, ReplyCode};
use core::time::Duration;

use super::super::give_back;
use super::asked::{Asked, Next};
use super::channel::ReplyConsumer;
use super::{AmqpFrontEnd, reply, send_message};
use crate::model::PublishOutcome;
use crate::model::queue::Claim;
use crate::model::refusal::Refusal;
use crate::model::{Notice, Request};

/// A count as the wire has it.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl AmqpFrontEnd {
    pub(super) fn take_notice(&mut self, now: Duration, notice: Notice) {
        match notice {
            Notice::Deliver(delivery) => self.deliver(&delivery),
            Notice::Accepted {
                channel,
                ticket,
                outcome,
            } => self.accepted(channel, ticket, outcome),
            Notice::Returned { channel, message } => {
                let codec = &mut self.codec;
                // A channel that closes gets nothing back, and nothing else can be wrong.
                let _ = send_message(codec, channel, &message, |codec, message, size| {
                    codec.begin_return(channel, ReplyCode::NoRoute, "NO_ROUTE", message, size)
                });
            }
            Notice::ChannelEnded { channel, refusal } => {
                if self.channels.contains_key(&channel) {
                    self.fail(now, &reply(channel, *refusal));
                }
            }
            Notice::PublishRefused {
                channel, refusal, ..
            } => {
                let method = self.committing(channel).unwrap_or(basic::Publish::ID);
                self.refused(now, channel, method, *refusal);
            }
            Notice::Cancelled { channel, consumer } => {
                let tag = self
                    .channels
                    .get_mut(&channel)
                    .and_then(|c| c.forget_consumer(consumer));
                if let Some(tag) = tag {
                    // A channel that closes need not be told.
                    let _ = self.codec.cancel_consumer(channel, &tag);
                }
            }
            // Only clients that have announced it get it.
            Notice::Blocked(shortage) => {
                self.send(|codec| codec.blocked(shortage.text()).map(|_told| ()));
            }
            Notice::Unblocked => self.send(|codec| codec.unblocked().map(|_told| ())),
            answer => self.answered(now, answer),
        }
    }

    fn accepted(&mut self, channel: u16, ticket: u64, outcome: PublishOutcome) {
        if self.committing(channel).is_some() {
            if let Some(channel) = self.channels.get_mut(&channel) {
                channel.committed();
            }
            self.send(|codec| codec.tx_commit_ok(channel));
            return;
        }
        self.send(|codec| match outcome {
            PublishOutcome::Refused | PublishOutcome::Dropped => {
                codec.nack(channel, Tags::One(ticket))
            }
            PublishOutcome::Routed
            | PublishOutcome::Unroutable
            | PublishOutcome::Replied
            | PublishOutcome::Delayed => codec.ack(channel, Tags::One(ticket)),
        });
    }

    /// Takes the question back if it was a commit on this channel, and returns its method.
    fn committing(&mut self, channel: u16) -> Option<MethodId> {
        let is_commit = |asked: &Asked| matches!(asked, Asked::Channel { number, next: Next::TxCommitOk, .. } if *number == channel);
        match self.link.answered_if(is_commit)? {
            Asked::Channel { method, .. } => Some(method),
            _ => None,
        }
    }

    /// Sends what a client is owed. The codec refuses it on a channel, or a connection,
    /// that is closing: then the client has had its answer in the close.
    pub(super) fn send(
        &mut self,
        send: impl FnOnce(&mut ServerConnection) -> Result<(), SendError>,
    ) {
        let _ = send(&mut self.codec);
    }

    fn answered(&mut self, now: Duration, notice: Notice) {
        match self.link.answered() {
            None => {}
            Some(Asked::Login { mechanism }) => match notice {
                Notice::LoggedIn { user } => {
                    self.user = user;
                    self.send(|codec| codec.accept(now));
                }
                _ => {
                    let text = alloc::format!(
                        "Login was refused using authentication mechanism {mechanism}. \
                         For details see the broker logfile."
                    );
                    self.send(|codec| codec.refuse(now, &text));
                }
            },
            Some(Asked::Open) => match notice {
                Notice::Refused(refusal) => self.close(now, &refusal.text),
                _ => self.send(|codec| codec.open_ok(now)),
            },
            Some(Asked::Channel {
                number,
                method,
                next,
            }) => match notice {
                Notice::Refused(refusal) => self.refused(now, number, method, *refusal),
                notice => self.done(number, method, next, notice),
            },
        }
    }

    /// Closes the connection because something is not allowed.
    fn close(&mut self, now: Duration, text: &str) {
        let error = ReplyError::connection(ReplyCode::NotAllowed, text.to_string());
        self.send(|codec| codec.close(now, &error));
    }

    fn refused(&mut self, now: Duration, number: u16, method: MethodId, refusal: Refusal) {
        if self.channels.contains_key(&number) {
            self.fail(now, &reply(number, refusal).caused_by(method));
        }
    }

    /// Passes on that something is done.
    fn done(&mut self, number: u16, method: MethodId, next: Next, notice: Notice) {
        let Some(channel) = self.channels.get_mut(&number) else {
            // It is closed. A message that came for it goes back.
            if let Notice::Fetched(Some(fetched)) = notice {
                give_back(&mut self.link, fetched.claim);
            }
            return;
        };
        match (next, notice) {
            (Next::Ok(ok), _) => self.send(|codec| ok(codec, number)),
            (
                Next::QueueDeclareOk,
                Notice::QueueDeclared {
                    queue,
                    messages,
                    consumers,
                },
            ) => {
                let (messages, consumers) = (count(messages), count(consumers));
                channel.last_queue = Some(queue.clone());
                self.send(|codec| codec.queue_declare_ok(number, &queue, messages, consumers));
            }
            (Next::ReplyDeclareOk { name }, _) => {
                self.send(|codec| codec.queue_declare_ok(number, &name, 0, 1));
            }
            (Next::QueuePurgeOk, Notice::Removed { messages }) => {
                self.send(|codec| codec.queue_purge_ok(number, count(messages)));
            }
            (Next::QueueDeleteOk, Notice::Removed { messages }) => {
                self.send(|codec| codec.queue_delete_ok(number, count(messages)));
            }
            (Next::ConsumeOk { tag }, Notice::Consumed { consumer }) => {
                channel.consumers.insert(tag.clone(), consumer);
                channel.tags.insert(consumer, tag.clone());
                self.send(|codec| codec.consume_ok(number, &tag));
            }
            (Next::ReplyConsumeOk { tag }, Notice::RepliesOpened { name, consumer }) => {
                channel.consumers.insert(tag.clone(), consumer);
                channel.tags.insert(consumer, tag.clone());
                channel.reply = Some(ReplyConsumer { consumer, name });
                self.send(|codec| codec.consume_ok(number, &tag));
            }
            (Next::GetOk { .. }, Notice::Fetched(None)) => {
                self.send(|codec| codec.get_empty(number));
            }
            (
                Next::GetOk {
                    queue,
                    no_ack,
                    tries,
                },
                Notice::Fetched(Some(fetched)),
            ) => {
                let codec = &mut self.codec;
                let redelivered = fetched.redelivered.into();
                let left = count(fetched.remaining);
                let sent = send_message(codec, number, &fetched.message, |codec, message, size| {
                    codec.begin_get_ok(number, redelivered, left, message, size)
                });
                match (sent, fetched.claim) {
                    (Ok(tag), Claim::Leased(lease)) => channel.unacknowledged.insert(tag, lease),
                    (Ok(_), Claim::Taken(_)) => {}
                    (Err(SendError::Encode(_)), claim) => {
                        // AMQP cannot say it (see deliver): the next one, then.
                        self.link.tell(Request::Undeliverable {
                            claim: Some(claim),
                            message: fetched.message.clone(),
                        });
                        let tries = tries - 1;
                        if tries == 0 {
                            self.send(|codec| codec.get_empty(number));
                            return;
                        }
                        let question = Request::Get {
                            channel: number,
                            queue: queue.clone(),
                            no_ack,
                        };
                        let asked = Asked::Channel {
                            number,
                            method,
                            next: Next::GetOk {
                                queue,
                                no_ack,
                                tries,
                            },
                        };
                        self.link.ask(question, asked);
                    }
                    // The channel is over, or the connection.
                    (Err(_), claim) => give_back(&mut self.link, claim),
                }
            }
            // The model answers what was asked.
            _ => {}
        }
    }
}
