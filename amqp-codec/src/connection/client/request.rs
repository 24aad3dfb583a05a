//! What a client's application asks and sends.

use super::super::content::Message;
use super::super::engine::ChannelState;
use super::super::error::{ReplyError, Scope, SendError};
use super::{ClientChannel, ClientConnection, Phase};
use crate::method::{
    Fields, Identified, Secret, access, basic, channel, confirm, connection, exchange, queue, tx,
};
use crate::{MethodId, ReplyCode};

impl ClientConnection {
    fn must_be_open(&self) -> Result<(), SendError> {
        if self.is_open() {
            Ok(())
        } else {
            Err(SendError::NotOpen)
        }
    }

    fn send<A: Fields + Identified>(
        &mut self,
        channel: u16,
        method: &A,
    ) -> Result<&mut ClientChannel, SendError> {
        self.must_be_open()?;
        self.engine.open_channel(channel)?;
        self.engine.answer(channel, method)?;
        Ok(&mut self.engine.open_channel(channel)?.data)
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
        let free = (1..=self.engine.limits.channel_max)
            .find(|number| !self.engine.channels.contains_key(number))
            .ok_or(SendError::NoFreeChannel)?;
        self.engine.answer(free, &channel::Open {})?;
        self.engine.insert_channel(free, ChannelState::Opening);
        Ok(free)
    }

    /// channel.close, without an error; `ChannelCloseOk` follows. What else
    /// comes on the channel until then is discarded.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn close_channel(&mut self, channel: u16) -> Result<(), SendError> {
        self.fail(&goodbye(Scope::Channel(channel)))
    }

    /// connection.close, without an error; `CloseOk` follows, or the close
    /// timeout. What else comes until then is discarded. Before `Opened` there
    /// is nobody to say it to, and the connection is just closed.
    ///
    /// # Errors
    /// When it was closed before.
    pub fn close(&mut self) -> Result<(), SendError> {
        self.fail(&goodbye(Scope::Connection))
    }

    /// Closes what the error says, its channel or the connection, for that reason.
    ///
    /// # Errors
    /// When that is not open.
    pub fn fail(&mut self, error: &ReplyError) -> Result<(), SendError> {
        if let Some(channel) = error.scope.channel() {
            self.must_be_open()?;
            return self.engine.send_channel_close(channel, error);
        }
        if self.engine.is_over() || self.phase == Phase::Closing {
            return Err(SendError::NotOpen);
        }
        if matches!(self.phase, Phase::Opening | Phase::Open) {
            self.engine.send_close(error);
            self.phase = Phase::Closing;
        } else {
            self.engine.set_closed();
        }
        Ok(())
    }

    /// basic.publish; in confirm mode its publish tag, which `Confirm` will name.
    ///
    /// # Errors
    /// When the channel is not open, the server has paused it, the body of the
    /// publish before is not all sent, or a string is over 255 octets.
    pub fn publish(
        &mut self,
        channel: u16,
        mandatory: bool,
        message: &Message<'_>,
    ) -> Result<Option<u64>, SendError> {
        self.begin_publish(channel, mandatory, message, message.body.len() as u64)
    }

    /// basic.publish of a body of `body_size` octets, of which the message has
    /// the first, or none: the rest is for [`send_body`](Self::send_body).
    ///
    /// # Errors
    /// As for [`publish`](Self::publish), and when the message has more than
    /// `body_size`.
    pub fn begin_publish(
        &mut self,
        channel: u16,
        mandatory: bool,
        message: &Message<'_>,
        body_size: u64,
    ) -> Result<Option<u64>, SendError> {
        self.must_be_open()?;
        let data = &self.engine.open_channel(channel)?.data;
        if data.paused {
            return Err(SendError::FlowInactive(channel));
        }
        let publish = basic::Publish {
            exchange: message.exchange,
            routing_key: message.routing_key,
            mandatory,
            immediate: false,
        };
        self.engine.content(channel, &publish, message, body_size)?;
        let data = &mut self.engine.open_channel(channel)?.data;
        Ok(data.published.as_mut().map(|last| {
            *last += 1;
            data.unconfirmed.push(*last);
            *last
        }))
    }

    /// Sends the next part of the body of [`begin_publish`](Self::begin_publish);
    /// how many octets remain to be sent. What else is sent on the channel
    /// waits for the last of them.
    ///
    /// # Errors
    /// When the channel is closed, or the part is more than remains.
    pub fn send_body(&mut self, channel: u16, part: &[u8]) -> Result<u64, SendError> {
        self.must_be_open()?;
        self.engine.send_body(channel, part)
    }

    /// confirm.select: publishes from here on are numbered from 1 and confirmed.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn confirm_select(&mut self, channel: u16, no_wait: bool) -> Result<(), SendError> {
        self.request(channel, &confirm::Select { no_wait }, no_wait)?;
        let data = &mut self.engine.open_channel(channel)?.data;
        data.published.get_or_insert(0);
        Ok(())
    }

    /// connection.update-secret: a new password or token; `UpdateSecretOk` follows.
    ///
    /// # Errors
    /// When the connection is not open or the reason is over 255 octets.
    pub fn update_secret(&mut self, new_secret: &[u8], reason: &str) -> Result<(), SendError> {
        self.must_be_open()?;
        let update = connection::UpdateSecret {
            new_secret: Secret(new_secret),
            reason,
        };
        self.engine.answer(0, &update)?;
        self.updating = self.updating.saturating_add(1);
        Ok(())
    }
}

fn goodbye(scope: Scope) -> ReplyError {
    ReplyError {
        reply_code: ReplyCode::Success,
        scope,
        method: MethodId::NONE,
        text: "Goodbye".into(),
    }
}

/// Requests that carry their method as it is: a row for each.
macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident $type:ty $(, $no_wait:ident)?;)*) => {
        /// Requests, one for each method. An answer is the event `Reply`, in
        /// the order of the requests on their channel, unless `no_wait` says
        /// that none is wanted.
        impl ClientConnection {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// When the channel is not open or a string is over 255 octets.
                pub fn $name(&mut self, channel: u16, method: &$type) -> Result<(), SendError> {
                    self.request(channel, method, false $(|| method.$no_wait)?)
                }
            )*
        }
    };
}

requests! {
    /// access.request.
    access_request access::Request<'_>;
    /// exchange.declare.
    exchange_declare exchange::Declare<'_>, no_wait;
    /// exchange.delete.
    exchange_delete exchange::Delete<'_>, no_wait;
    /// exchange.bind.
    exchange_bind exchange::Bind<'_>, no_wait;
    /// exchange.unbind.
    exchange_unbind exchange::Unbind<'_>, no_wait;
    /// queue.declare.
    queue_declare queue::Declare<'_>, no_wait;
    /// queue.bind.
    queue_bind queue::Bind<'_>, no_wait;
    /// queue.unbind.
    queue_unbind queue::Unbind<'_>;
    /// queue.purge.
    queue_purge queue::Purge<'_>, no_wait;
    /// queue.delete.
    queue_delete queue::Delete<'_>, no_wait;
    /// basic.qos.
    qos basic::Qos;
    /// basic.consume.
    consume basic::Consume<'_>, no_wait;
    /// basic.cancel.
    cancel basic::Cancel<'_>, no_wait;
    /// basic.get; `GetOk`, or `Reply` with get-empty.
    get basic::Get<'_>;
    /// basic.recover.
    recover basic::Recover;
    /// tx.select.
    tx_select tx::Select;
    /// tx.commit.
    tx_commit tx::Commit;
    /// tx.rollback.
    tx_rollback tx::Rollback;
    /// channel.flow.
    flow channel::Flow;
}

/// Acknowledgements, which have no answer. The server closes the channel on a
/// tag that is not outstanding.
impl ClientConnection {
    /// basic.ack; with `multiple`, of all up to the tag.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn ack(
        &mut self,
        channel: u16,
        delivery_tag: u64,
        multiple: bool,
    ) -> Result<(), SendError> {
        let ack = basic::Ack {
            delivery_tag,
            multiple,
        };
        self.send(channel, &ack).map(drop)
    }

    /// basic.nack; with `multiple`, of all up to the tag.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn nack(
        &mut self,
        channel: u16,
        delivery_tag: u64,
        multiple: bool,
        requeue: bool,
    ) -> Result<(), SendError> {
        let nack = basic::Nack {
            delivery_tag,
            multiple,
            requeue,
        };
        self.send(channel, &nack).map(drop)
    }

    /// basic.reject.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn reject(
        &mut self,
        channel: u16,
        delivery_tag: u64,
        requeue: bool,
    ) -> Result<(), SendError> {
        let reject = basic::Reject {
            delivery_tag,
            requeue,
        };
        self.send(channel, &reject).map(drop)
    }
}
