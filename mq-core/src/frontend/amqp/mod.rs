//! AMQP 0-9-1, with RabbitMQ's extensions.

mod answer;
mod asked;
mod channel;
mod consumer;
mod content;
mod idle;
mod publish;
mod topology;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use amqp_codec::connection::{
    Capabilities, InboundPublish, Message as Outbound, Reading, ReplyError, Scope, SendError,
    ServerConfig, ServerConnection, ServerEvent,
};
use amqp_codec::{
    FieldValue, MethodId, Properties, PropertiesBuf, ReplyCode, Table, TableBuf, sasl,
};
use bytes::Bytes;
use core::time::Duration;

use super::body::{LARGE, Source, WHOLE};
use super::last_name::LastRoute;
use super::{FrontEnd, IdleFrontEnd, Link, Progress, give_back};
use crate::admission::Terms;
use crate::config::Config;
use crate::few_map::FewMap;
use crate::model::message::{Headers, Message, Name, Origin};
use crate::model::queue::{Claim, Delivery};
use crate::model::refusal::{Refusal, RefusalKind};
use crate::model::request::{Credentials, Host, Identity, Login, Row};
use crate::model::{ConnectionId, Notice, Request};
use crate::names::Names;
use crate::report::Reason;
use asked::{Asked, Next};
use channel::Channel;
use channel::Inbound;
use idle::IdleAmqp;

/// Bytes of contents that are not whole for which there is room whatever the settings say.
const LEAST_HELD: u64 = 1 << 20;

/// One AMQP connection.
pub(super) struct AmqpFrontEnd {
    codec: ServerConnection,
    config: Arc<Config>,
    link: Link<Asked>,
    names: Names,
    last_route: LastRoute,
    /// Who the transport says that the client is.
    identity: Option<Name>,
    user: Name,
    virtual_host: Name,
    channels: FewMap<u16, Channel>,
    /// Bytes of bodies that are coming, on all channels.
    held_bodies: u64,
    held_bodies_limit: u64,
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
        Self::Unsendable
    }
}

impl From<ReplyError> for Trouble {
    fn from(error: ReplyError) -> Self {
        Self::Reply(error)
    }
}

/// A refusal of the model in AMQP's words, on this channel.
fn reply(channel: u16, refusal: Refusal) -> ReplyError {
    let code = match refusal.kind {
        RefusalKind::AccessRefused => ReplyCode::AccessRefused,
        RefusalKind::NotAllowed => ReplyCode::NotAllowed,
        RefusalKind::NotFound => ReplyCode::NotFound,
        RefusalKind::ResourceLocked => ReplyCode::ResourceLocked,
        RefusalKind::PreconditionFailed | RefusalKind::ResourceLimit => {
            ReplyCode::PreconditionFailed
        }
        RefusalKind::NotImplemented => ReplyCode::NotImplemented,
    };
    ReplyError::new(code, channel, refusal.text)
}

/// What a request is served with.
struct Serving<'a> {
    codec: &'a mut ServerConnection,
    config: &'a Config,
    link: &'a mut Link<Asked>,
    names: &'a mut Names,
    last_route: &'a mut LastRoute,
    user: &'a str,
    virtual_host: &'a str,
    now: Duration,
    /// The number of the channel.
    number: u16,
    /// The method that is served.
    method: MethodId,
}

impl Serving<'_> {
    /// Asks the model something on this channel.
    fn ask(&mut self, question: Request, next: Next) {
        let asked = Asked::Channel {
            number: self.number,
            method: self.method,
            next,
        };
        self.link.ask(question, asked);
    }

    /// A field table as headers or arguments, if it has no more entries than it may.
    fn headers(&self, table: Table<'_>) -> Result<Headers, Trouble> {
        content::headers(table, &self.config.limits).map_err(|refusal| self.refuse(refusal))
    }

    fn refuse(&self, refusal: Refusal) -> Trouble {
        Trouble::Reply(reply(self.number, refusal))
    }

    fn fail(&self, code: ReplyCode, text: impl Into<String>) -> Trouble {
        Trouble::Reply(ReplyError::new(code, self.number, text))
    }
}

/// The settings of the codec, for a server that says this of itself.
fn codec_config(config: &Config, properties: TableBuf) -> ServerConfig {
    let mut codec = ServerConfig::default().with_server_properties(properties);
    codec.limits.body_size = config.limits.message_size as u64;
    // Room for one of the largest, and for others beside it.
    codec.limits.held_size = codec.limits.body_size.saturating_mul(2).max(LEAST_HELD);
    // Larger ones come in parts, and may stay in the memory that they came in.
    codec.limits.assembled_size = WHOLE as u64;
    codec.channel_max = config.channel_max;
    codec.frame_max = config.frame_max;
    codec.heartbeat = config.heartbeat;
    codec
}

impl AmqpFrontEnd {
    pub(super) fn new(
        config: Arc<Config>,
        terms: Terms,
        connection: ConnectionId,
        now: Duration,
    ) -> Self {
        let mut codec = codec_config(&config, server_properties(&config));
        let identity = terms.identity.map(|user| Name::from(&*user));
        if identity.is_some() {
            codec.mechanisms.push_str(" EXTERNAL");
        }
        codec.handshake_timeout = terms.login_timeout.unwrap_or(config.login_timeout);
        Self {
            held_bodies_limit: codec.limits.held_size,
            codec: ServerConnection::new(now, codec),
            link: Link::default(),
            names: Names::new(config.seed, connection.0),
            last_route: LastRoute::default(),
            config,
            identity,
            user: Name::default(),
            virtual_host: Name::default(),
            channels: FewMap::new(),
            held_bodies: 0,
            closing: false,
        }
    }

    fn authenticate(&mut self, mechanism: &str, response: &[u8]) {
        let asked = Asked::Login {
            mechanism: Name::from(mechanism),
        };
        if let ("EXTERNAL", Some(user)) = (mechanism, &self.identity) {
            self.link
                .ask(login(Identity::Transport(user.clone())), asked);
            return;
        }
        let (user, password) = match mechanism {
            "PLAIN" => sasl::Plain::parse(response).map(|p| (p.username, p.password)),
            "AMQPLAIN" => sasl::AmqPlain::parse(response, &amqp_codec::Limits::default())
                .ok()
                .flatten()
                .map(|p| (p.username, p.password)),
            _ => None,
        }
        .unwrap_or_default();
        let credentials = Credentials {
            user: Name::from(user),
            password: Bytes::copy_from_slice(password),
        };
        self.link.ask(login(Identity::Password(credentials)), asked);
    }

    fn event(&mut self, now: Duration, source: Source<'_>, event: ServerEvent<'_>) {
        match event {
            ServerEvent::Authenticate {
                mechanism,
                response,
                ..
            } => self.authenticate(mechanism, response),
            ServerEvent::Open { virtual_host, .. } => {
                self.virtual_host = Name::from(virtual_host);
                let virtual_host = self.virtual_host.clone();
                self.link.ask(Request::Open { virtual_host }, Asked::Open);
            }
            // A password that the settings hold does not expire: as in RabbitMQ with
            // its own users, the new one is not looked at.
            ServerEvent::UpdateSecret { .. } => self.send(ServerConnection::update_secret_ok),
            ServerEvent::ChannelOpened { channel, .. } => {
                self.link.tell(Request::OpenChannel { channel });
                self.channels.insert(channel, Channel::new(channel));
            }
            ServerEvent::ChannelClosed { channel, .. }
            | ServerEvent::ChannelFailed { channel, .. } => self.close_channel(channel),
            ServerEvent::Request {
                channel, request, ..
            } => {
                let method = request.id();
                self.serve(now, channel, method, |c, s| c.request(s, request));
            }
            ServerEvent::Publish(InboundPublish {
                channel,
                publish_tag,
                mandatory,
                immediate,
                content,
                ..
            }) => {
                let inbound = Inbound {
                    publish_tag,
                    mandatory,
                    immediate,
                    content,
                };
                self.published(now, channel, inbound);
            }
            ServerEvent::Body {
                channel,
                part,
                remaining,
                ..
            } => self.body_part(now, channel, source, part, remaining),
            ServerEvent::Closed { .. } | ServerEvent::CloseOk => self.leave(),
            _ => {}
        }
    }

    /// Serves a request on a channel, and closes the channel or the connection
    /// if it has to be.
    fn serve(
        &mut self,
        now: Duration,
        number: u16,
        method: MethodId,
        serve: impl FnOnce(&mut Channel, &mut Serving<'_>) -> Answer,
    ) {
        let Some(channel) = self.channels.get_mut(&number) else {
            return;
        };
        let mut serving = Serving {
            codec: &mut self.codec,
            config: &self.config,
            link: &mut self.link,
            names: &mut self.names,
            last_route: &mut self.last_route,
            user: &self.user,
            virtual_host: &self.virtual_host,
            now,
            number,
            method,
        };
        let Err(Trouble::Reply(error)) = serve(channel, &mut serving) else {
            return;
        };
        self.fail(now, &error.caused_by(method));
    }

    fn fail(&mut self, now: Duration, error: &ReplyError) {
        match error.scope {
            Scope::Channel(number) => self.close_channel(number),
            Scope::Connection => self.end(),
        }
        // It is refused only if the channel or the connection is closing already.
        let _ = self.codec.fail(now, error);
    }

    fn close_channel(&mut self, number: u16) {
        if let Some(channel) = self.channels.remove(&number) {
            self.held_bodies -= channel.held_body();
            channel.close(&mut self.link);
        }
    }

    /// Gives back all that the connection holds, once.
    fn end(&mut self) {
        if !self.closing {
            self.leave();
            self.closing = true;
        }
    }

    /// Gives back all that the connection holds.
    fn leave(&mut self) {
        self.held_bodies = 0;
        for (_, channel) in core::mem::take(&mut self.channels).into_entries() {
            channel.close(&mut self.link);
        }
        self.link.tell(Request::Leave);
    }

    /// Sends a message to one of the consumers.
    fn deliver(&mut self, delivery: &Delivery) {
        let number = delivery.channel;
        let channel = self.channels.get_mut(&number);
        let consumer = channel.and_then(|channel| {
            let tag = channel.tags.get(&delivery.consumer)?;
            Some((tag, &mut channel.unacknowledged))
        });
        let Some((tag, unacknowledged)) = consumer else {
            // The consumer is gone, or its channel.
            give_back(&mut self.link, delivery.claim);
            return;
        };
        let redelivered = delivery.redelivered.into();
        let sent = send_message(
            &mut self.codec,
            number,
            &delivery.message,
            |codec, message, size| codec.begin_deliver(number, tag, redelivered, message, size),
        );
        match (sent, delivery.claim) {
            (Ok(delivery_tag), Claim::Leased(lease)) => {
                unacknowledged.insert(delivery_tag, lease);
            }
            (Ok(_), Claim::Taken(_)) => {}
            // AMQP cannot say it: headers beyond what a frame can be.
            (Err(SendError::Encode(_)), claim) => self.link.tell(Request::Undeliverable {
                claim: Some(claim),
                message: delivery.message.clone(),
            }),
            // The channel is over, or the connection.
            (Err(_), claim) => give_back(&mut self.link, claim),
        }
    }
}

/// The question whether somebody is a user.
fn login(identity: Identity) -> Request {
    Request::Login(Box::new(Login {
        identity,
        host: Host::Later,
    }))
}

/// What the server says about itself, besides its capabilities and what steers
/// clients (erratum 23: without its host).
const SERVER_PROPERTIES: &[(&str, &str)] = &[
    (
        "platform",
        concat!("mq ", env!("CARGO_PKG_VERSION"), ", Rust"),
    ),
    ("copyright", "The mq authors"),
    ("information", "Licensed under MIT or Apache-2.0"),
];

fn server_properties(config: &Config) -> TableBuf {
    let mut properties = TableBuf::new();
    let steering = [
        ("product", &*config.amqp_product),
        ("version", &*config.amqp_version),
    ];
    let rows = SERVER_PROPERTIES.iter().chain(&steering);
    let rows = rows.map(|(n, v)| (*n, (*v).into()));
    let capabilities = Capabilities::ALL.to_table();
    let rows = rows.chain([("capabilities", FieldValue::from(&capabilities))]);
    let extended = properties.try_extend(rows);
    debug_assert!(extended.is_ok(), "names and values are short");
    properties
}

/// Sends a message, of which `begin` sends what comes before the body: as it came, where it
/// came over AMQP. A large body is not copied.
fn send_message<R>(
    codec: &mut ServerConnection,
    channel: u16,
    message: &Message,
    begin: impl FnOnce(&mut ServerConnection, &Outbound<'_>, u64) -> Result<R, SendError>,
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
    let small = message.body.whole().filter(|body| body.len() < LARGE);
    let outbound = Outbound {
        exchange: &message.exchange,
        routing_key: content::routing_key(message),
        properties,
        body: small.map_or(&[], |body| body),
    };
    let sent = begin(codec, &outbound, message.body.len() as u64)?;
    if small.is_none() {
        for piece in message.body.pieces() {
            codec.send_shared_body(channel, piece.clone())?;
        }
    }
    Ok(sent)
}

impl AmqpFrontEnd {
    /// Ends the connection, for a reason that lies with the broker.
    fn force(&mut self, now: Duration, reason: &str) {
        self.end();
        // As RabbitMQ says it.
        let text = alloc::format!("broker forced connection closure with reason '{reason}'");
        let error = ReplyError::connection(ReplyCode::ConnectionForced, text);
        // It may be closing already.
        let _ = self.codec.close(now, &error);
    }
}

impl FrontEnd for AmqpFrontEnd {
    fn receive(&mut self, now: Duration, source: &Bytes, input: &mut &[u8]) -> Progress {
        if self.link.is_waiting() {
            return Progress::Waiting;
        }
        match self.codec.receive(now, input) {
            Ok(Some(event)) => {
                self.event(now, Source(source), event);
                Progress::Event
            }
            Ok(None) => Progress::Idle,
            Err(_) => {
                // The codec says goodbye and waits for the answer.
                self.end();
                Progress::Idle
            }
        }
    }

    fn may_gather(&self, input: &[u8]) -> bool {
        if self.codec.is_receiving_body() {
            return self.link.row() != Row::Over;
        }
        // Frames of any channel and size (section 4.2.3).
        match input {
            // basic.publish, or a part of a body that one has begun.
            [1, _, _, _, _, _, _, 0, 60, 0, 40, ..] | [3, ..] => self.link.row() != Row::Over,
            // basic.ack, reject and nack.
            [1, _, _, _, _, _, _, 0, 60, 0, 80 | 90 | 120, ..] => self.link.row() == Row::Any,
            _ => false,
        }
    }

    fn missing(&self, input: &[u8]) -> usize {
        if self.codec.is_receiving_body() {
            return 1;
        }
        amqp_codec::needed(input)
    }

    fn poll_request(&mut self) -> Option<Request> {
        self.link.poll()
    }

    fn notice(&mut self, now: Duration, notice: Notice) {
        self.take_notice(now, notice);
    }

    fn poll_transmit(&mut self, now: Duration, out: &mut Vec<Bytes>) {
        self.codec.poll_transmit_slices(now, out);
    }

    fn transmit_len(&self) -> usize {
        self.codec.transmit_len()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Duration) {
        // An error closes the connection, which is_closed() tells.
        let _ = self.codec.handle_timeout(now);
    }

    fn set_reading(&mut self, now: Duration, reading: bool) {
        self.codec.set_reading(
            now,
            if reading {
                Reading::Running
            } else {
                Reading::Paused
            },
        );
    }

    fn is_closed(&self) -> bool {
        self.codec.is_closed()
    }

    fn failure(&self) -> Option<Reason> {
        use amqp_codec::connection::ConnectionError as Error;
        let error = self.codec.error()?;
        let text = error.to_string();
        Some(match error {
            Error::HandshakeTimeout | Error::PeerTimeout | Error::CloseTimeout => {
                Reason::TimedOut(text)
            }
            _ => Reason::Malformed(text),
        })
    }

    fn has_unacknowledged(&self) -> bool {
        self.channels
            .values()
            .any(|channel| !channel.unacknowledged.is_empty())
    }

    fn idle(&self) -> Option<Box<dyn IdleFrontEnd>> {
        Some(Box::new(IdleAmqp::of(self)?))
    }

    fn shutdown(&mut self, now: Duration) {
        self.force(now, "shutdown");
    }

    fn give_up(&mut self, now: Duration) {
        self.force(now, "slow consumer");
    }

    fn disconnected(&mut self) {
        self.end();
    }
}
