//! AMQP 0-9-1, with RabbitMQ's extensions.

mod channel;
mod consumer;
mod content;
mod publish;
mod topology;

use alloc::collections::BTreeMap;
use alloc::string::String;
use amqp_codec::connection::{
    Capabilities, Message as Outbound, ReplyError, Scope, SendError, ServerConfig,
    ServerConnection, ServerEvent,
};
use amqp_codec::{MethodId, Properties, PropertiesBuf, ReplyCode, sasl};
use bytes::BytesMut;
use core::time::Duration;

use super::{Context, FrontEnd, Progress};
use crate::config::Config;
use crate::model::ConnectionId;
use crate::model::message::{Message, Name, Origin};
use crate::model::queue::ChannelId;
use crate::model::refusal::{Refusal, RefusalKind};
use crate::model::vhost::{Delivery, Effect, Settlement, VirtualHost};
use channel::Channel;

/// One AMQP connection.
pub(super) struct AmqpFrontEnd {
    codec: ServerConnection,
    /// The virtual host, by number.
    vhost: usize,
    user: Option<Name>,
    channels: BTreeMap<u16, Channel>,
    /// The numbers of the channels.
    numbers: BTreeMap<ChannelId, u16>,
    /// Deliveries may come.
    writable: bool,
    /// A goodbye was said: only its answer is still waited for.
    closing: bool,
}

/// What a request ends in.
type Answer = Result<(), Trouble>;

/// Why a request was not served.
enum Trouble {
    /// The channel or the connection is closed with this.
    Reply(ReplyError),
    /// The codec would not send the answer, because the channel is closing.
    Unsendable,
}

impl From<SendError> for Trouble {
    fn from(_: SendError) -> Self {
        Trouble::Unsendable
    }
}

impl From<ReplyError> for Trouble {
    fn from(error: ReplyError) -> Self {
        Trouble::Reply(error)
    }
}

/// A refusal of the model in AMQP's words, on this channel.
fn reply(channel: u16, refusal: Refusal) -> ReplyError {
    let code = match refusal.kind {
        RefusalKind::AccessRefused => ReplyCode::AccessRefused,
        RefusalKind::NotFound => ReplyCode::NotFound,
        RefusalKind::ResourceLocked => ReplyCode::ResourceLocked,
        RefusalKind::PreconditionFailed => ReplyCode::PreconditionFailed,
        RefusalKind::NotImplemented => ReplyCode::NotImplemented,
    };
    ReplyError::new(code, channel, refusal.text)
}

/// What a request is served with.
struct Serving<'a> {
    codec: &'a mut ServerConnection,
    vhost: &'a mut VirtualHost,
    connection: ConnectionId,
    user: &'a str,
    now: Duration,
    /// The number of the channel.
    number: u16,
}

impl Serving<'_> {
    fn refuse(&self, refusal: Refusal) -> Trouble {
        Trouble::Reply(reply(self.number, refusal))
    }

    fn fail(&self, code: ReplyCode, text: impl Into<String>) -> Trouble {
        Trouble::Reply(ReplyError::new(code, self.number, text))
    }
}

impl AmqpFrontEnd {
    pub(super) fn new(config: &Config, now: Duration) -> Self {
        let mut codec = ServerConfig::default();
        for (name, value) in SERVER_PROPERTIES {
            codec.server_properties.remove(name);
            // Names and values are short literals.
            let _ = codec.server_properties.insert(name, *value);
        }
        // Publishers are held back by reading no further, not by a word.
        let mut capabilities = Capabilities::ALL;
        capabilities.connection_blocked = false;
        codec.server_properties.remove("capabilities");
        let _ = codec
            .server_properties
            .insert("capabilities", &capabilities.to_table());
        codec.limits.body_size = config.limits.message_size as u64;
        // Room for one of the largest, and for others beside it.
        let two = codec.limits.body_size.saturating_mul(2);
        codec.limits.held_size = codec.limits.held_size.max(two);
        codec.channel_max = config.channel_max;
        codec.frame_max = config.frame_max;
        codec.heartbeat = config.heartbeat;
        AmqpFrontEnd {
            codec: ServerConnection::new(now, codec),
            vhost: 0,
            user: None,
            channels: BTreeMap::new(),
            numbers: BTreeMap::new(),
            writable: true,
            closing: false,
        }
    }

    fn authenticate(&mut self, context: &Context<'_>, mechanism: &str, response: &[u8]) {
        let user = match mechanism {
            "PLAIN" => sasl::Plain::parse(response)
                .filter(|plain| context.password_is(plain.username, plain.password))
                .map(|plain| Name::from(plain.username)),
            "AMQPLAIN" => sasl::AmqPlain::parse(response, &amqp_codec::Limits::default())
                .ok()
                .flatten()
                .filter(|plain| context.password_is(plain.username, plain.password))
                .map(|plain| Name::from(plain.username)),
            _ => None,
        };
        let _ = match &user {
            Some(_) => self.codec.accept(),
            None => self.codec.refuse(&alloc::format!(
                "Login was refused using authentication mechanism {mechanism}. \
                 For details see the broker logfile."
            )),
        };
        self.user = user;
    }

    fn open(&mut self, context: &mut Context<'_>, name: &str) {
        let _ = match context.vhosts.iter().position(|v| *v.name == *name) {
            Some(index) => {
                self.vhost = index;
                self.codec.open_ok()
            }
            None => self.codec.close(&ReplyError::connection(
                ReplyCode::NotAllowed,
                alloc::format!("vhost {name} not found"),
            )),
        };
    }

    fn event(&mut self, context: &mut Context<'_>, event: ServerEvent<'_>) {
        let connection = context.connection;
        match event {
            ServerEvent::Authenticate {
                mechanism,
                response,
                ..
            } => self.authenticate(context, mechanism, response),
            ServerEvent::Open { virtual_host } => self.open(context, virtual_host),
            ServerEvent::UpdateSecret { new_secret, .. } => {
                let user = self.user.as_deref().unwrap_or_default();
                let _ = if context.password_is(user, new_secret) {
                    self.codec.update_secret_ok()
                } else {
                    self.codec.close(&ReplyError::connection(
                        ReplyCode::NotAllowed,
                        "New secret was refused by one of the backends",
                    ))
                };
            }
            ServerEvent::ChannelOpened { channel } => {
                let (index, writable) = (self.vhost, self.writable);
                if let Some(vhost) = context.vhost(index) {
                    let id = vhost.open_channel(connection);
                    vhost.update_channel(id, |c| c.writable = writable);
                    self.channels.insert(channel, Channel::new(id));
                    self.numbers.insert(id, channel);
                }
            }
            ServerEvent::ChannelClosed { channel, .. }
            | ServerEvent::ChannelFailed { channel, .. } => self.close_channel(context, channel),
            ServerEvent::Request { channel, request } => {
                let method = request.id();
                self.serve(context, channel, method, |c, s| c.request(s, request));
            }
            ServerEvent::Publish {
                channel,
                publish_tag,
                mandatory,
                immediate,
                content,
            } => {
                let method = PUBLISH;
                self.serve(context, channel, method, |c, s| {
                    c.publish(s, publish_tag, mandatory, immediate, &content)
                });
            }
            ServerEvent::Closed { .. } | ServerEvent::CloseOk => self.leave(context),
            _ => {}
        }
    }

    /// Serves a request on a channel, and closes the channel or the connection
    /// if it has to be.
    fn serve(
        &mut self,
        context: &mut Context<'_>,
        number: u16,
        method: MethodId,
        serve: impl FnOnce(&mut Channel, &mut Serving<'_>) -> Answer,
    ) {
        let (now, connection, index) = (context.now, context.connection, self.vhost);
        let (Some(channel), Some(vhost)) = (self.channels.get_mut(&number), context.vhost(index))
        else {
            return;
        };
        let mut serving = Serving {
            codec: &mut self.codec,
            vhost,
            connection,
            user: self.user.as_deref().unwrap_or_default(),
            now,
            number,
        };
        let Err(Trouble::Reply(error)) = serve(channel, &mut serving) else {
            return;
        };
        self.fail(context, &error.caused_by(method));
    }

    fn fail(&mut self, context: &mut Context<'_>, error: &ReplyError) {
        match error.scope {
            Scope::Channel(number) => self.close_channel(context, number),
            Scope::Connection => {
                self.leave(context);
                self.closing = true;
            }
        }
        let _ = self.codec.fail(error);
    }

    fn close_channel(&mut self, context: &mut Context<'_>, number: u16) {
        let index = self.vhost;
        if let (Some(channel), Some(vhost)) = (self.channels.remove(&number), context.vhost(index))
        {
            self.numbers.remove(&channel.id);
            channel.close(vhost);
        }
    }

    /// Gives back all that the connection holds.
    fn leave(&mut self, context: &mut Context<'_>) {
        let (index, connection) = (self.vhost, context.connection);
        self.numbers.clear();
        if let Some(vhost) = context.vhost(index) {
            for channel in core::mem::take(&mut self.channels).into_values() {
                channel.close(vhost);
            }
            vhost.connection_closed(connection);
        }
    }
}

/// What the server says about itself, besides its capabilities (erratum 23:
/// without its host).
const SERVER_PROPERTIES: &[(&str, &str)] = &[
    ("product", "mq"),
    ("version", env!("CARGO_PKG_VERSION")),
    ("platform", "Rust"),
    ("copyright", "The mq authors"),
    ("information", "Licensed under MIT or Apache-2.0"),
];

/// basic.publish.
const PUBLISH: MethodId = MethodId {
    class_id: 60,
    method_id: 40,
};

/// Lends a message to the codec: as it came, where it came over AMQP.
fn with_outbound<R>(
    message: &Message,
    send: impl FnOnce(&Outbound<'_>) -> Result<R, SendError>,
) -> Result<R, SendError> {
    let as_it_came = match &message.origin {
        Origin::Amqp(encoded) => Properties::decode(encoded, &amqp_codec::Limits::DEFAULT).ok(),
        _ => None,
    };
    let built: PropertiesBuf;
    let properties = match as_it_came {
        Some(properties) => properties,
        None => {
            built = content::properties(message)?;
            built.as_properties()
        }
    };
    send(&Outbound {
        exchange: &message.exchange,
        routing_key: &message.routing_key,
        properties,
        body: &message.body,
    })
}

impl FrontEnd for AmqpFrontEnd {
    fn receive(&mut self, context: &mut Context<'_>, input: &mut &[u8]) -> Progress {
        match self.codec.receive(context.now, input) {
            Ok(Some(event)) => {
                self.event(context, event);
                Progress::Event
            }
            Ok(None) => Progress::Idle,
            Err(_) => {
                // The codec says goodbye and waits for the answer.
                if !self.closing {
                    self.leave(context);
                    self.closing = true;
                }
                Progress::Idle
            }
        }
    }

    fn vhost(&self) -> usize {
        self.vhost
    }

    fn deliver(&mut self, vhost: &mut VirtualHost, delivery: Delivery) {
        let sent = self.numbers.get(&delivery.channel).and_then(|number| {
            let channel = self.channels.get_mut(number)?;
            let tag = channel.tags.get(&delivery.consumer)?;
            let codec = &mut self.codec;
            let delivery_tag = with_outbound(&delivery.message, |message| {
                codec.deliver(*number, tag, delivery.redelivered, message)
            })
            .ok()?;
            if let Some(lease) = delivery.lease {
                channel.unacknowledged.insert(delivery_tag, lease);
            }
            Some(())
        });
        if let (None, Some(lease)) = (sent, delivery.lease) {
            // AMQP cannot say it: a routing key of more than 255 octets, or headers
            // larger than the frame-max that this client asked for.
            vhost.settle(lease, Settlement::Undeliverable);
        }
    }

    fn effect(&mut self, _vhost: &mut VirtualHost, effect: Effect) {
        match effect {
            Effect::ConsumerCancelled { consumer, .. } => {
                for (number, channel) in &mut self.channels {
                    if let Some(tag) = channel.forget_consumer(consumer) {
                        let _ = self.codec.cancel_consumer(*number, &tag);
                    }
                }
            }
            Effect::SessionReady { .. } | Effect::TakeOver { .. } => {}
        }
    }

    fn taken_over(&mut self, _context: &mut Context<'_>) {}

    fn resume(&mut self, _context: &mut Context<'_>) {}

    fn set_writable(&mut self, vhost: &mut VirtualHost, writable: bool) {
        self.writable = writable;
        for channel in self.channels.values() {
            vhost.update_channel(channel.id, |c| c.writable = writable);
        }
    }

    fn poll_transmit(&mut self, out: &mut BytesMut) {
        self.codec.poll_transmit(out);
    }

    fn transmit_len(&self) -> usize {
        self.codec.transmit_len()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    fn handle_timeout(&mut self, context: &mut Context<'_>) {
        // An error closes the connection, which is_closed() tells.
        let _ = self.codec.handle_timeout(context.now);
    }

    fn is_closed(&self) -> bool {
        self.codec.is_closed()
    }

    fn shutdown(&mut self, context: &mut Context<'_>) {
        self.leave(context);
        self.closing = true;
        let _ = self.codec.close(&ReplyError::connection(
            ReplyCode::ConnectionForced,
            "broker forced connection closure with reason 'shutdown'",
        ));
    }

    fn disconnected(&mut self, context: &mut Context<'_>) {
        self.leave(context);
    }
}
