//! What a server's application answers and sends.

use core::time::Duration;

use super::super::Connection;
use super::super::content::Message;
use super::super::core::Phase;
use super::super::error::{ReplyError, SendError};
use super::super::role::Server;
use super::{Redelivered, Tags};
use crate::method::{
    Fields, Identified, access, basic, channel, confirm, connection, exchange, queue, tx,
};
use crate::{MethodId, ReplyCode};

/// Answers of the handshake.
impl Connection<Server> {
    /// The client is who it says: sends connection.tune.
    ///
    /// # Errors
    /// When `Authenticate` or `Secure` is not what waits to be answered.
    // keeps: section 2.3.3 / limits are proposed
    pub fn accept(&mut self, now: Duration) -> Result<(), SendError> {
        self.core.set_now(now);
        self.in_phase(Phase::Mechanism, connection::Tune::ID)?;
        let offered = self.state.offered;
        self.core.answer(0, &offered)?;
        self.core.await_peer(now, Phase::Tune);
        Ok(())
    }

    /// The mechanism needs another round: sends connection.secure.
    ///
    /// # Errors
    /// When `Authenticate` or `Secure` is not what waits to be answered.
    pub fn challenge(&mut self, now: Duration, challenge: &[u8]) -> Result<(), SendError> {
        self.core.set_now(now);
        self.in_phase(Phase::Mechanism, connection::Secure::ID)?;
        let secure = connection::Secure {
            challenge: crate::method::Secret(challenge),
        };
        self.core.answer(0, &secure)?;
        self.core.await_peer(now, Phase::Secure);
        Ok(())
    }

    /// The client may not log in. One that declared
    /// `authentication_failure_close` is told with connection.close and 403;
    /// for any other the socket is closed without a word (section 2.2.4).
    /// RabbitMQ waits a second or more before it closes, to slow guessing down:
    /// that is the embedder's to do.
    ///
    /// # Errors
    /// When `Authenticate` or `Secure` is not what waits to be answered.
    pub fn refuse(&mut self, now: Duration, text: &str) -> Result<(), SendError> {
        self.in_phase(Phase::Mechanism, connection::Close::ID)?;
        if self.core.capabilities.authentication_failure_close {
            let error = ReplyError::connection(ReplyCode::AccessRefused, text);
            self.core.send_close(now, &error);
        } else {
            self.core.set_closed();
        }
        Ok(())
    }

    /// The virtual host is open.
    ///
    /// # Errors
    /// When `Open` is not what waits to be answered.
    pub fn open_ok(&mut self, now: Duration) -> Result<(), SendError> {
        self.core.set_now(now);
        self.in_phase(Phase::VirtualHost, connection::OpenOk::ID)?;
        self.core.answer(0, &connection::OpenOk {})?;
        self.core.opened(now);
        Ok(())
    }

    /// The new credentials hold.
    ///
    /// # Errors
    /// When the connection is not open, or no `UpdateSecret` waits to be answered.
    pub fn update_secret_ok(&mut self) -> Result<(), SendError> {
        self.must_be_open()?;
        let left = self
            .core
            .updating
            .checked_sub(1)
            .ok_or(SendError::NotRequested(connection::UpdateSecretOk::ID))?;
        self.core.answer(0, &connection::UpdateSecretOk {})?;
        self.core.updating = left;
        Ok(())
    }

    // Answers to requests.

    /// The request that is next on the channel, if it is `method`; whether it
    /// wants no answer.
    fn asked(
        &mut self,
        channel: u16,
        method: MethodId,
        answer: MethodId,
    ) -> Result<bool, SendError> {
        self.must_be_open()?;
        match self.core.open_channel(channel)?.data.asked.front() {
            Some(asked) if asked.method == method => Ok(asked.no_wait),
            _ => Err(SendError::NotRequested(answer)),
        }
    }

    fn answered(&mut self, channel: u16) {
        if let Ok(channel) = self.core.open_channel(channel) {
            channel.data.asked.pop_front();
        }
    }

    fn answer<A: Fields + Identified>(
        &mut self,
        channel: u16,
        method: MethodId,
        answer: &A,
    ) -> Result<(), SendError> {
        if !self.asked(channel, method, A::ID)? {
            self.core.answer(channel, answer)?;
        }
        self.answered(channel);
        Ok(())
    }
}

/// Answers without fields, or of one: a row for each.
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident($($field:ident: $type:ty),*) $request:ty => $answer:ident::$method:ident;)*) => {
        /// Answers to requests. Each fails, and changes nothing, when the
        /// channel is not open, when the request that is next to be answered
        /// on it is another, or when a string is over 255 bytes.
        impl Connection<Server> {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// As for all answers.
                pub fn $name(&mut self, channel: u16, $($field: $type),*) -> Result<(), SendError> {
                    self.answer(channel, <$request>::ID, &$answer::$method { $($field),* })
                }
            )*
        }
    };
}

answers! {
    /// access.request-ok.
    access_request_ok(ticket: u16) access::Request<'_> => access::RequestOk;
    /// exchange.declare-ok.
    exchange_declare_ok() exchange::Declare<'_> => exchange::DeclareOk;
    /// exchange.delete-ok.
    exchange_delete_ok() exchange::Delete<'_> => exchange::DeleteOk;
    /// exchange.bind-ok.
    exchange_bind_ok() exchange::Bind<'_> => exchange::BindOk;
    /// exchange.unbind-ok.
    exchange_unbind_ok() exchange::Unbind<'_> => exchange::UnbindOk;
    /// queue.declare-ok: the queue's name, messages that are ready, consumers.
    queue_declare_ok(queue: &str, message_count: u32, consumer_count: u32) queue::Declare<'_> => queue::DeclareOk;
    /// queue.bind-ok.
    queue_bind_ok() queue::Bind<'_> => queue::BindOk;
    /// queue.unbind-ok.
    queue_unbind_ok() queue::Unbind<'_> => queue::UnbindOk;
    /// queue.purge-ok: how many messages were dropped.
    queue_purge_ok(message_count: u32) queue::Purge<'_> => queue::PurgeOk;
    /// queue.delete-ok: how many messages went with it.
    queue_delete_ok(message_count: u32) queue::Delete<'_> => queue::DeleteOk;
    /// basic.qos-ok.
    qos_ok() basic::Qos => basic::QosOk;
    /// basic.consume-ok: the consumer's tag.
    consume_ok(consumer_tag: &str) basic::Consume<'_> => basic::ConsumeOk;
    /// basic.cancel-ok: the consumer's tag.
    cancel_ok(consumer_tag: &str) basic::Cancel<'_> => basic::CancelOk;
    /// basic.get-empty.
    get_empty() basic::Get<'_> => basic::GetEmpty;
    /// basic.recover-ok.
    recover_ok() basic::Recover => basic::RecoverOk;
    /// confirm.select-ok.
    confirm_select_ok() confirm::Select => confirm::SelectOk;
    /// tx.select-ok.
    tx_select_ok() tx::Select => tx::SelectOk;
    /// tx.commit-ok.
    tx_commit_ok() tx::Commit => tx::CommitOk;
    /// tx.rollback-ok.
    tx_rollback_ok() tx::Rollback => tx::RollbackOk;
}

/// What a server sends on channels, beside plain answers.
impl Connection<Server> {
    /// basic.get-ok; the delivery tag that it got.
    ///
    /// # Errors
    /// As for all answers, when the client has paused the channel, and when the
    /// body of the content before is not all sent.
    pub fn get_ok(
        &mut self,
        channel: u16,
        redelivered: Redelivered,
        message_count: u32,
        message: &Message<'_>,
    ) -> Result<u64, SendError> {
        let body_size = message.body.len() as u64;
        self.begin_get_ok(channel, redelivered, message_count, message, body_size)
    }

    /// basic.get-ok of a body of `body_size` bytes, of which the message has
    /// the first, or none: the rest is for [`send_body`](Self::send_body).
    ///
    /// # Errors
    /// As for [`get_ok`](Self::get_ok), and when the message has more than
    /// `body_size`.
    pub fn begin_get_ok(
        &mut self,
        channel: u16,
        redelivered: Redelivered,
        message_count: u32,
        message: &Message<'_>,
        body_size: u64,
    ) -> Result<u64, SendError> {
        self.asked(channel, basic::Get::ID, basic::GetOk::ID)?;
        let delivery_tag = self.next_delivery(channel)?;
        let get_ok = basic::GetOk {
            delivery_tag,
            redelivered: redelivered.is_yes(),
            exchange: message.exchange,
            routing_key: message.routing_key,
            message_count,
        };
        self.core.content(channel, &get_ok, message, body_size)?;
        self.delivered(channel, delivery_tag);
        self.answered(channel);
        Ok(delivery_tag)
    }

    /// basic.deliver; the delivery tag that it got: 1, 2, and so on on each channel.
    ///
    /// # Errors
    /// When the channel is not open, the client has paused it, the body of the
    /// content before is not all sent, or a string is over 255 bytes.
    pub fn deliver(
        &mut self,
        channel: u16,
        consumer_tag: &str,
        redelivered: Redelivered,
        message: &Message<'_>,
    ) -> Result<u64, SendError> {
        let body_size = message.body.len() as u64;
        self.begin_deliver(channel, consumer_tag, redelivered, message, body_size)
    }

    /// basic.deliver of a body of `body_size` bytes, of which the message has
    /// the first, or none: the rest is for [`send_body`](Self::send_body).
    ///
    /// # Errors
    /// As for [`deliver`](Self::deliver), and when the message has more than
    /// `body_size`.
    pub fn begin_deliver(
        &mut self,
        channel: u16,
        consumer_tag: &str,
        redelivered: Redelivered,
        message: &Message<'_>,
        body_size: u64,
    ) -> Result<u64, SendError> {
        let delivery_tag = self.next_delivery(channel)?;
        let deliver = basic::Deliver {
            consumer_tag,
            delivery_tag,
            redelivered: redelivered.is_yes(),
            exchange: message.exchange,
            routing_key: message.routing_key,
        };
        self.core.content(channel, &deliver, message, body_size)?;
        self.delivered(channel, delivery_tag);
        Ok(delivery_tag)
    }

    // keeps: delivery-tag / non-zero
    fn next_delivery(&mut self, channel: u16) -> Result<u64, SendError> {
        self.must_be_open()?;
        let data = &self.core.open_channel(channel)?.data;
        if data.paused {
            return Err(SendError::FlowInactive(channel));
        }
        Ok(data.delivered + 1)
    }

    fn delivered(&mut self, channel: u16, delivery_tag: u64) {
        if let Ok(channel) = self.core.open_channel(channel) {
            channel.data.delivered = delivery_tag;
        }
    }

    /// basic.return: gives a publish back. In confirm mode it goes before the ack.
    ///
    /// # Errors
    /// When the channel is not open, the body of the content before is not all
    /// sent, or a string is over 255 bytes.
    pub fn return_message(
        &mut self,
        channel: u16,
        reply_code: ReplyCode,
        reply_text: &str,
        message: &Message<'_>,
    ) -> Result<(), SendError> {
        let body_size = message.body.len() as u64;
        self.begin_return(channel, reply_code, reply_text, message, body_size)
    }

    /// basic.return of a body of `body_size` bytes, of which the message has
    /// the first, or none: the rest is for [`send_body`](Self::send_body).
    ///
    /// # Errors
    /// As for [`return_message`](Self::return_message), and when the message
    /// has more than `body_size`.
    pub fn begin_return(
        &mut self,
        channel: u16,
        reply_code: ReplyCode,
        reply_text: &str,
        message: &Message<'_>,
        body_size: u64,
    ) -> Result<(), SendError> {
        self.must_be_open()?;
        let confirms = &mut self.core.open_channel(channel)?.data.confirms;
        confirms.keep_order();
        let method = basic::Return {
            reply_code: reply_code.code(),
            reply_text,
            exchange: message.exchange,
            routing_key: message.routing_key,
        };
        self.core.content(channel, &method, message, body_size)
    }

    fn on_channel(&mut self, channel: u16) -> Result<(), SendError> {
        self.must_be_open()?;
        self.core.open_channel(channel).map(drop)
    }

    /// The publish tag has to be one that was given out, of a publish that has
    /// all come, and is never 0.
    // keeps: delivery-tag / non-zero
    fn confirms(&mut self, channel: u16, publish_tag: u64, by: MethodId) -> Result<(), SendError> {
        self.must_be_open()?;
        let in_parts = self.core.is_in_parts(channel);
        match self.core.open_channel(channel)?.data.published {
            Some(last) if (1..=last.saturating_sub(in_parts.into())).contains(&publish_tag) => {
                Ok(())
            }
            _ => Err(SendError::NotRequested(by)),
        }
    }

    /// Confirms publishes: they are the broker's now.
    ///
    /// An ack that still waits to be transmitted is made to say this too, with
    /// `multiple`, where no publish up to the tag is outstanding. A nack or a return on
    /// the channel keeps its place: later acks come after it.
    ///
    /// # Errors
    /// When the channel is not open, not in confirm mode, or has no such
    /// publish yet, not to its end.
    pub fn ack(&mut self, channel: u16, publishes: Tags) -> Result<(), SendError> {
        self.confirms(channel, publishes.last(), basic::Ack::ID)?;
        let confirms = &mut self.core.open_channel(channel)?.data.confirms;
        if let Some((position, tag)) = confirms.ack(publishes) {
            let joined = basic::Ack {
                delivery_tag: tag,
                multiple: true,
            };
            if self.core.replace(position, channel, &joined)? {
                return Ok(());
            }
        }
        let ack = basic::Ack {
            delivery_tag: publishes.last(),
            multiple: publishes.is_multiple(),
        };
        let position = self.core.position(channel);
        self.core.answer(channel, &ack)?;
        let confirms = &mut self.core.open_channel(channel)?.data.confirms;
        match position {
            Some(position) => confirms.ack_is_at(position, publishes),
            None => confirms.keep_order(),
        }
        Ok(())
    }

    /// Refuses publishes: they are lost.
    ///
    /// # Errors
    /// As for [`ack`](Self::ack).
    pub fn nack(&mut self, channel: u16, publishes: Tags) -> Result<(), SendError> {
        self.confirms(channel, publishes.last(), basic::Nack::ID)?;
        let confirms = &mut self.core.open_channel(channel)?.data.confirms;
        confirms.nack(publishes);
        let nack = basic::Nack {
            delivery_tag: publishes.last(),
            multiple: publishes.is_multiple(),
            requeue: false,
        };
        Ok(self.core.answer(channel, &nack)?)
    }

    /// basic.cancel: says that a consumer has ended, if the client declared
    /// `consumer_cancel_notify`, and returns whether it did. No answer is asked for.
    ///
    /// # Errors
    /// When the channel is not open or the tag is over 255 bytes.
    pub fn cancel_consumer(&mut self, channel: u16, consumer_tag: &str) -> Result<bool, SendError> {
        self.on_channel(channel)?;
        if self.core.capabilities.consumer_cancel_notify {
            let cancel = basic::Cancel {
                consumer_tag,
                no_wait: true,
            };
            self.core.answer(channel, &cancel)?;
        }
        Ok(self.core.capabilities.consumer_cancel_notify)
    }

    /// channel.flow-ok: what [`deliver`](Self::deliver) does from here on.
    ///
    /// # Errors
    /// As for all answers.
    pub fn flow_ok(&mut self, channel: u16, method: &channel::FlowOk) -> Result<(), SendError> {
        self.answer(channel, channel::Flow::ID, method)?;
        self.core.open_channel(channel)?.data.paused = !method.active;
        Ok(())
    }

    /// channel.flow: asks the client to pause or resume publishing.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn flow(&mut self, channel: u16, method: &channel::Flow) -> Result<(), SendError> {
        self.on_channel(channel)?;
        Ok(self.core.answer(channel, method)?)
    }

    /// connection.blocked, if the client declared `connection.blocked`. Returns
    /// whether it did.
    ///
    /// # Errors
    /// When the connection is not open or the reason is over 255 bytes.
    pub fn blocked(&mut self, reason: &str) -> Result<bool, SendError> {
        self.must_be_open()?;
        if self.core.capabilities.connection_blocked {
            self.core.answer(0, &connection::Blocked { reason })?;
        }
        Ok(self.core.capabilities.connection_blocked)
    }

    /// connection.unblocked, as [`blocked`](Self::blocked).
    ///
    /// # Errors
    /// When the connection is not open.
    pub fn unblocked(&mut self) -> Result<bool, SendError> {
        self.must_be_open()?;
        if self.core.capabilities.connection_blocked {
            self.core.answer(0, &connection::Unblocked {})?;
        }
        Ok(self.core.capabilities.connection_blocked)
    }

    // Closing.

    /// channel.close, after the end of a body that is being sent. What the client sends
    /// on the channel is discarded until its close-ok, which is the event
    /// `ChannelCloseOk`.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn close_channel(&mut self, channel: u16, error: &ReplyError) -> Result<(), SendError> {
        self.must_be_open()?;
        self.core.send_channel_close(channel, error)
    }

    /// connection.close. What the client sends is discarded until its close-ok,
    /// which is the event `CloseOk`; it has the close timeout for that, counted from
    /// `now`. Before `Open` there is nobody to say it to, and the connection is just
    /// closed.
    ///
    /// # Errors
    /// When it was closed before.
    pub fn close(&mut self, now: Duration, error: &ReplyError) -> Result<(), SendError> {
        self.core.close(now, error)
    }
}
