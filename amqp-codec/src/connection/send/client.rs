//! What a client's application asks and sends.

use core::time::Duration;

use super::super::Connection;
use super::super::content::Message;
use super::super::core::{ChannelState, Phase};
use super::super::error::{ReplyError, Scope, SendError};
use super::super::receive::ClientChannel;
use super::super::role::Client;
use super::{Mandatory, Requeue, Tags};
use crate::method::{
    Fields, Identified, Secret, access, basic, channel, confirm, connection, exchange, queue, tx,
};

/// What a client's application asks and sends.
impl Connection<Client> {
    /// Answers `Start` with a mechanism of the application's own. A response that
    /// makes a frame of more than frame-min-size, 4096 bytes, is sent as well, but
    /// a server may refuse it: see
    /// [`Limits::BEFORE_LOGIN`](crate::Limits::BEFORE_LOGIN).
    ///
    /// # Errors
    /// When `Start` is not what waits to be answered, or the mechanism's name
    /// or the configured locale is over 255 bytes.
    pub fn start_ok(
        &mut self,
        now: Duration,
        mechanism: &str,
        response: &[u8],
    ) -> Result<(), SendError> {
        self.core.set_now(now);
        self.in_phase(Phase::Mechanism, connection::StartOk::ID)?;
        let ok = connection::StartOk {
            client_properties: self.state.config.client_properties.as_table(),
            mechanism,
            response: Secret(response),
            locale: &self.state.config.locale,
        };
        self.core.answer(0, &ok)?;
        self.core.await_peer(now, Phase::Tune);
        Ok(())
    }

    /// Answers `Secure`.
    ///
    /// # Errors
    /// When `Secure` is not what waits to be answered.
    pub fn secure_ok(&mut self, now: Duration, response: &[u8]) -> Result<(), SendError> {
        self.core.set_now(now);
        self.in_phase(Phase::Response, connection::SecureOk::ID)?;
        let ok = connection::SecureOk {
            response: Secret(response),
        };
        self.core.answer(0, &ok)?;
        self.core.await_peer(now, Phase::Tune);
        Ok(())
    }

    fn send<A: Fields + Identified>(
        &mut self,
        channel: u16,
        method: &A,
    ) -> Result<&mut ClientChannel, SendError> {
        self.must_be_open()?;
        self.core.open_channel(channel)?;
        self.core.answer(channel, method)?;
        Ok(&mut self.core.open_channel(channel)?.data)
    }

    fn request<A: Fields + Identified>(
        &mut self,
        channel: u16,
        method: &A,
        no_wait: bool,
    ) -> Result<(), SendError> {
        let data = self.send(channel, method)?;
        if !no_wait {
            data.asked.push_back(A::ID);
        }
        Ok(())
    }

    /// channel.open, on the lowest number that is free; `ChannelOpened` follows.
    ///
    /// # Errors
    /// When the connection is not open, or all channels are in use.
    // keeps: channel / open / state, section 4.3 / channels
    pub fn open_channel(&mut self) -> Result<u16, SendError> {
        self.must_be_open()?;
        let free = (self.core.first_free..=self.core.limits.channel_max)
            .find(|number| !self.core.channels.contains_key(number))
            .ok_or(SendError::NoFreeChannel)?;
        self.core.answer(free, &channel::Open {})?;
        self.core.insert_channel(free, ChannelState::Opening);
        self.core.first_free = free;
        Ok(free)
    }

    /// channel.close, without an error; `ChannelCloseOk` follows. What else
    /// comes on the channel until then is discarded. [`fail`](Self::fail) closes it for
    /// a reason.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn close_channel(&mut self, channel: u16) -> Result<(), SendError> {
        self.must_be_open()?;
        let goodbye = ReplyError::goodbye(Scope::Channel(channel));
        self.core.send_channel_close(channel, &goodbye)
    }

    /// connection.close, without an error; `CloseOk` follows, or the close
    /// timeout, counted from `now`. What else comes until then is discarded. Before
    /// tune is over there is nobody to say it to, and the connection is just closed.
    /// [`fail`](Self::fail) closes it for a reason.
    ///
    /// # Errors
    /// When it was closed before.
    pub fn close(&mut self, now: Duration) -> Result<(), SendError> {
        self.core
            .close(now, &ReplyError::goodbye(Scope::Connection))
    }

    /// basic.publish; in confirm mode its publish tag, which `Confirm` will name.
    ///
    /// # Errors
    /// When the channel is not open, the server has paused it, the body of the
    /// publish before is not all sent, or a string is over 255 bytes.
    pub fn publish(
        &mut self,
        channel: u16,
        mandatory: Mandatory,
        message: &Message<'_>,
    ) -> Result<Option<u64>, SendError> {
        self.begin_publish(channel, mandatory, message, message.body.len() as u64)
    }

    /// basic.publish of a body of `body_size` bytes, of which the message has
    /// the first, or none: the rest is for [`send_body`](Self::send_body).
    ///
    /// # Errors
    /// As for [`publish`](Self::publish), and when the message has more than
    /// `body_size`.
    pub fn begin_publish(
        &mut self,
        channel: u16,
        mandatory: Mandatory,
        message: &Message<'_>,
        body_size: u64,
    ) -> Result<Option<u64>, SendError> {
        self.must_be_open()?;
        let data = &self.core.open_channel(channel)?.data;
        if data.paused {
            return Err(SendError::FlowInactive(channel));
        }
        let publish = basic::Publish {
            exchange: message.exchange,
            routing_key: message.routing_key,
            mandatory: mandatory.is_yes(),
            immediate: false,
        };
        self.core.content(channel, &publish, message, body_size)?;
        let data = &mut self.core.open_channel(channel)?.data;
        Ok(data.published.as_mut().map(|last| {
            *last += 1;
            data.unconfirmed.push(*last);
            *last
        }))
    }

    /// confirm.select: publishes from here on are numbered from 1 and confirmed.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn confirm_select(
        &mut self,
        channel: u16,
        method: &confirm::Select,
    ) -> Result<(), SendError> {
        self.request(channel, method, method.no_wait)?;
        let data = &mut self.core.open_channel(channel)?.data;
        data.published.get_or_insert(0);
        Ok(())
    }

    /// connection.update-secret: a new password or token; `UpdateSecretOk` follows.
    ///
    /// # Errors
    /// When the connection is not open or the reason is over 255 bytes.
    pub fn update_secret(&mut self, new_secret: &[u8], reason: &str) -> Result<(), SendError> {
        self.must_be_open()?;
        let update = connection::UpdateSecret {
            new_secret: Secret(new_secret),
            reason,
        };
        self.core.answer(0, &update)?;
        self.core.updating = self.core.updating.saturating_add(1);
        Ok(())
    }
}

/// Requests that carry their method as it is: a row for each.
macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident $type:ty $(, $no_wait:ident)?;)*) => {
        /// Requests, one for each method. An answer is the event `Reply`, in
        /// the order of the requests on their channel, unless `no_wait` says
        /// that none is wanted. A request may be sent without waiting for the
        /// answer to the one before. One that fails has no answer: the server
        /// closes the channel, which is `ChannelClosed`, or the connection,
        /// which is `Closed`.
        impl Connection<Client> {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// When the channel is not open; where the method has strings, also when one is
                /// over 255 bytes.
                pub fn $name(&mut self, channel: u16, method: &$type) -> Result<(), SendError> {
                    self.request(channel, method, false $(|| method.$no_wait)?)
                }
            )*
        }
    };
}

requests! {
    /// access.request: asks for a ticket, which 0-9-1 no longer uses; RabbitMQ answers it.
    access_request access::Request<'_>;
    /// exchange.declare: makes an exchange, or checks that it is there with these settings.
    exchange_declare exchange::Declare<'_>, no_wait;
    /// exchange.delete: deletes an exchange and its bindings.
    exchange_delete exchange::Delete<'_>, no_wait;
    /// exchange.bind: binds an exchange to another, which is the source (RabbitMQ's addition).
    exchange_bind exchange::Bind<'_>, no_wait;
    /// exchange.unbind: ends the binding of an exchange to another.
    exchange_unbind exchange::Unbind<'_>, no_wait;
    /// queue.declare: makes a queue, or checks that it is there with these settings. The
    /// answer has its name, how many messages are ready and how many consumers there are.
    queue_declare queue::Declare<'_>, no_wait;
    /// queue.bind: binds a queue to an exchange.
    queue_bind queue::Bind<'_>, no_wait;
    /// queue.unbind: ends the binding of a queue to an exchange.
    queue_unbind queue::Unbind<'_>;
    /// queue.purge: drops the messages of a queue that wait for a consumer.
    queue_purge queue::Purge<'_>, no_wait;
    /// queue.delete: deletes a queue and its messages.
    queue_delete queue::Delete<'_>, no_wait;
    /// basic.qos: bounds how many unacknowledged deliveries the server has under way to a
    /// consumer; with `global`, at RabbitMQ, to all consumers of the channel.
    qos basic::Qos;
    /// basic.consume: begins a consumer: its messages come as `Deliver`.
    consume basic::Consume<'_>, no_wait;
    /// basic.cancel: ends a consumer. What was delivered to it can still be acknowledged.
    cancel basic::Cancel<'_>, no_wait;
    /// basic.get: asks for one message of a queue; `GetOk`, or `Reply` with get-empty.
    get basic::Get<'_>;
    /// basic.recover: asks for all unacknowledged deliveries of the channel again.
    recover basic::Recover;
    /// tx.select: makes the channel transactional.
    tx_select tx::Select;
    /// tx.commit: makes the publishes and acknowledgements since the last commit happen.
    tx_commit tx::Commit;
    /// tx.rollback: forgets the publishes and acknowledgements since the last commit.
    tx_rollback tx::Rollback;
    /// channel.flow: asks the server to pause or resume its deliveries. RabbitMQ refuses to
    /// pause.
    flow channel::Flow;
}

/// Acknowledgements, which have no answer. The server closes the channel on a
/// tag that is not outstanding.
impl Connection<Client> {
    /// basic.ack: the deliveries are settled, and the server forgets them.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn ack(&mut self, channel: u16, deliveries: Tags) -> Result<(), SendError> {
        let ack = basic::Ack {
            delivery_tag: deliveries.last(),
            multiple: deliveries.is_multiple(),
        };
        self.send(channel, &ack).map(drop)
    }

    /// basic.nack: gives deliveries back, to be delivered again or dropped (RabbitMQ's addition).
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn nack(
        &mut self,
        channel: u16,
        deliveries: Tags,
        requeue: Requeue,
    ) -> Result<(), SendError> {
        let nack = basic::Nack {
            delivery_tag: deliveries.last(),
            multiple: deliveries.is_multiple(),
            requeue: requeue.is_yes(),
        };
        self.send(channel, &nack).map(drop)
    }

    /// basic.reject: gives one delivery back, to be delivered again or dropped.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn reject(
        &mut self,
        channel: u16,
        delivery_tag: u64,
        requeue: Requeue,
    ) -> Result<(), SendError> {
        let reject = basic::Reject {
            delivery_tag,
            requeue: requeue.is_yes(),
        };
        self.send(channel, &reject).map(drop)
    }

    /// Publishes on a channel that the server has not confirmed yet.
    #[must_use]
    pub fn unconfirmed(&self, channel: u16) -> u64 {
        let channel = self.core.channels.get(&channel);
        channel.map_or(0, |channel| channel.data.unconfirmed.len())
    }
}
