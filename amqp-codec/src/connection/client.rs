//! The client role.

use alloc::collections::VecDeque;
use core::ops::RangeInclusive;
use core::time::Duration;

use bytes::BufMut;

use super::confirm::Unconfirmed;
use super::content::{Content, Message};
use super::engine::{ChannelState, Engine, Incoming};
use super::error::{ConnectionError, ReplyError, Scope, SendError};
use super::handshake::{Capabilities, ClientConfig, Sasl, answer_tune};
use crate::frame::FRAME_MIN_SIZE;
use crate::method::{
    Arguments, Identified, Secret, SentBy, access, basic, channel, confirm, connection, exchange,
    queue, tx,
};
use crate::sasl::{AmqPlain, Plain};
use crate::{Method, MethodId, ProtocolHeader, ReplyCode, Table};

macro_rules! replies {
    ($a:lifetime; $($variant:ident($type:ty),)*) => {
        /// A server's answer to a request, without content.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Reply<$a> {
            $(
                #[doc = concat!("[`", stringify!($type), "`]")]
                $variant($type),
            )*
        }

        impl<$a> Reply<$a> {
            /// Class and method number.
            #[must_use]
            pub const fn id(&self) -> MethodId {
                match self {
                    $(Self::$variant(_) => <$type>::ID,)*
                }
            }

            fn from_method(method: Method<$a>) -> Option<Self> {
                match method {
                    $(Method::$variant(method) => Some(Self::$variant(method)),)*
                    _ => None,
                }
            }
        }
    };
}

replies! { 'a;
    AccessRequestOk(access::RequestOk),
    ExchangeDeclareOk(exchange::DeclareOk),
    ExchangeDeleteOk(exchange::DeleteOk),
    ExchangeBindOk(exchange::BindOk),
    ExchangeUnbindOk(exchange::UnbindOk),
    QueueDeclareOk(queue::DeclareOk<'a>),
    QueueBindOk(queue::BindOk),
    QueueUnbindOk(queue::UnbindOk),
    QueuePurgeOk(queue::PurgeOk),
    QueueDeleteOk(queue::DeleteOk),
    BasicQosOk(basic::QosOk),
    BasicConsumeOk(basic::ConsumeOk<'a>),
    BasicCancelOk(basic::CancelOk<'a>),
    BasicGetEmpty(basic::GetEmpty),
    BasicRecoverOk(basic::RecoverOk),
    ConfirmSelectOk(confirm::SelectOk),
    TxSelectOk(tx::SelectOk),
    TxCommitOk(tx::CommitOk),
    TxRollbackOk(tx::RollbackOk),
    ChannelFlowOk(channel::FlowOk),
}

/// What a server did, as far as the client's application has to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// connection.start. It was answered already, unless the configuration has
    /// [`Sasl::Application`]: then [`ClientConnection::start_ok`] does, and no
    /// input is taken until then.
    Start {
        /// What the server is.
        server_properties: Table<'a>,
        /// SASL mechanisms, separated by spaces.
        mechanisms: &'a [u8],
        /// Locales, separated by spaces.
        locales: &'a [u8],
    },
    /// connection.secure. To be answered with [`ClientConnection::secure_ok`];
    /// no input is taken until then.
    Secure {
        /// The mechanism's challenge.
        challenge: &'a [u8],
    },
    /// connection.open-ok: channels may be opened.
    Opened,
    /// channel.open-ok.
    ChannelOpened {
        /// Its number.
        channel: u16,
    },
    /// channel.close, which was answered: its number is free.
    ChannelClosed {
        /// Its number.
        channel: u16,
        /// The server's reason.
        close: channel::Close<'a>,
    },
    /// The server's close-ok to a channel.close of this side: the number is free.
    ChannelCloseOk {
        /// Its number.
        channel: u16,
    },
    /// The connection closes the channel for a soft error that it found itself:
    /// a content over [`Limits::body_size`](crate::Limits::body_size).
    /// `ChannelCloseOk` follows.
    ChannelFailed {
        /// Its number.
        channel: u16,
        /// The reason.
        error: ReplyError,
    },
    /// The answer to the first request on the channel that was not answered yet.
    Reply {
        /// Its channel.
        channel: u16,
        /// The answer.
        reply: Reply<'a>,
    },
    /// basic.get-ok, the answer to a get, with its content.
    GetOk {
        /// Its channel.
        channel: u16,
        /// What to acknowledge it by.
        delivery_tag: u64,
        /// It may have been delivered before.
        redelivered: bool,
        /// Messages that are left in the queue.
        message_count: u32,
        /// Exchange, routing key, properties and body.
        content: Content,
    },
    /// basic.deliver with its content, whose method has the consumer tag.
    Deliver {
        /// Its channel.
        channel: u16,
        /// What to acknowledge it by.
        delivery_tag: u64,
        /// It may have been delivered before.
        redelivered: bool,
        /// Consumer tag, exchange, routing key, properties and body.
        content: Content,
    },
    /// basic.return: a publish that could not be routed. In confirm mode its
    /// `Confirm` follows.
    Return {
        /// Its channel.
        channel: u16,
        /// Why: 312 or 313.
        reply_code: u16,
        /// Reply text, exchange, routing key, properties and body.
        content: Content,
    },
    /// These publishes, none of them confirmed before, are the server's now,
    /// or are refused. An ack of many makes one event for each unbroken range.
    Confirm {
        /// Their channel.
        channel: u16,
        /// The publishes, by what [`ClientConnection::publish`] gave.
        publish_tags: RangeInclusive<u64>,
        /// Whether the server has them: basic.ack rather than basic.nack.
        acknowledged: bool,
    },
    /// basic.cancel: the server has ended a consumer. It was answered, if an
    /// answer was asked for.
    ConsumerCancelled {
        /// Its channel.
        channel: u16,
        /// The consumer.
        consumer_tag: &'a str,
    },
    /// channel.flow, which was answered: publishes are refused while inactive.
    Flow {
        /// Its channel.
        channel: u16,
        /// Whether publishes may be sent.
        active: bool,
    },
    /// connection.blocked: the server takes no more publishes for now.
    Blocked {
        /// The reason in words.
        reason: &'a str,
    },
    /// connection.unblocked.
    Unblocked,
    /// connection.update-secret-ok.
    UpdateSecretOk,
    /// connection.close, which was answered: the connection is closed.
    Closed {
        /// The server's reason.
        close: connection::Close<'a>,
    },
    /// The server's close-ok to a connection.close of this side: it is closed.
    CloseOk,
}

/// How far the handshake is, and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// start is to come.
    Start,
    /// The application has to answer `Start`.
    Mechanism,
    /// secure or tune is to come.
    Tune,
    /// The application has to answer `Secure`.
    Secure,
    /// open-ok is to come.
    Opening,
    Open,
    /// connection.close was sent.
    Closing,
}

/// What the client role keeps of a channel.
#[derive(Default)]
pub(super) struct ClientChannel {
    /// Requests whose answers are to come, in order.
    asked: VecDeque<MethodId>,
    /// The last publish tag, in confirm mode.
    published: Option<u64>,
    unconfirmed: Unconfirmed,
    /// The server wants no contents (channel.flow).
    paused: bool,
}

/// An ack or nack of many that is not told to its end.
struct Confirming {
    channel: u16,
    up_to: u64,
    acknowledged: bool,
}

/// One connection, in the client's role. See [the drive contract](crate#the-drive-contract).
pub struct ClientConnection {
    engine: Engine<ClientChannel>,
    phase: Phase,
    config: ClientConfig,
    agreed: connection::TuneOk,
    capabilities: Capabilities,
    confirming: Option<Confirming>,
    /// update-secrets that wait for their answer.
    updating: u32,
}

impl ClientConnection {
    /// A connection to a server; the protocol header waits to be transmitted.
    #[must_use]
    pub fn new(config: ClientConfig, now: Duration) -> Self {
        let mut engine = Engine::new(
            SentBy::Client,
            config.limits,
            now,
            config.handshake_timeout,
            config.close_timeout,
        );
        engine.raw(&ProtocolHeader::AMQP_0_9_1.to_bytes());
        Self {
            engine,
            phase: Phase::Start,
            config,
            agreed: connection::TuneOk::default(),
            capabilities: Capabilities::default(),
            confirming: None,
            updating: 0,
        }
    }

    // The drive contract.

    /// Takes frames from the front of `input` until one makes an event. `None`
    /// means that what is left is no whole frame, or that the application has
    /// to answer first; keep it, and present it again with what comes next.
    ///
    /// # Errors
    /// When the server broke the protocol: the connection is over, and every
    /// later call says the same. A goodbye may wait to be transmitted.
    pub fn receive<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        self.engine.begin(now, input)?;
        let before = input.len();
        let event = self.step(now, input);
        self.engine.end(now, before, input.len());
        event.map_err(|error| {
            let goodbye = matches!(self.phase, Phase::Opening | Phase::Open);
            self.engine.fail(error, goodbye)
        })
    }

    /// The server has closed its side of the socket.
    ///
    /// # Errors
    /// When the protocol was not over.
    pub fn receive_eof(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.engine.eof(now)
    }

    /// Appends what is to be sent to `out`, as far as it has room; the number of octets.
    pub fn poll_transmit(&mut self, out: &mut impl BufMut) -> usize {
        self.engine.transmit(out)
    }

    /// Octets that wait for [`poll_transmit`](Self::poll_transmit).
    #[must_use]
    pub fn transmit_len(&self) -> usize {
        self.engine.transmit_len()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), on the clock of `now`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.engine.timeout()
    }

    /// Does what is due: sends a heartbeat, or gives the server up.
    ///
    /// # Errors
    /// When the server was silent for too long: the connection is over.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ConnectionError> {
        self.engine.overdue(now).map_err(|error| {
            let goodbye = matches!(self.phase, Phase::Opening | Phase::Open);
            self.engine.fail(error, goodbye)
        })
    }

    /// Whether the protocol is over: close the socket once all is transmitted.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.engine.closed
    }

    // What was agreed.

    /// What the server declared that it can do; nothing before `Start`.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The limits of tune-ok; zeros before.
    #[must_use]
    pub fn tuned(&self) -> connection::TuneOk {
        self.agreed
    }

    /// Whether the virtual host is open, and neither side has closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open && !self.engine.closed
    }

    /// Publishes on a channel that the server has not confirmed yet.
    #[must_use]
    pub fn unconfirmed(&self, channel: u16) -> u64 {
        let channel = self.engine.channels.get(&channel);
        channel.map_or(0, |channel| channel.data.unconfirmed.len())
    }

    fn step<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        loop {
            if let Some(event) = self.confirm_more() {
                return Ok(Some(event));
            }
            if self.engine.closed {
                *input = &[];
                return Ok(None);
            }
            match self.phase {
                Phase::Start if input.first() == Some(&b'A') => {
                    // A server that does not speak 0-9-1 says what it speaks.
                    return match ProtocolHeader::decode(input) {
                        Ok(None) => Ok(None),
                        Ok(Some(other)) => Err(ConnectionError::Version(Some(other))),
                        Err(error) => Err(error.into()),
                    };
                }
                Phase::Mechanism | Phase::Secure => return Ok(None),
                _ => {}
            }
            let Some(raw) = self.engine.next_frame(input)? else {
                return Ok(None);
            };
            let event = match self.phase {
                Phase::Open => {
                    let incoming = self.engine.incoming(raw, input)?;
                    self.act(incoming)?
                }
                Phase::Closing => self.engine.on_closing(raw).then_some(ClientEvent::CloseOk),
                _ => match self.engine.handshake_method(raw)? {
                    Some(method) => self.handshake(now, method)?,
                    None => None,
                },
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn handshake<'a>(
        &mut self,
        now: Duration,
        method: Method<'a>,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        match (self.phase, method) {
            (Phase::Start, Method::ConnectionStart(start)) => {
                if (start.version_major, start.version_minor) != (0, 9) {
                    return Err(ConnectionError::Version(None));
                }
                self.capabilities = Capabilities::from_properties(start.server_properties);
                self.phase = Phase::Mechanism;
                self.log_in(start.mechanisms)?;
                Ok(Some(ClientEvent::Start {
                    server_properties: start.server_properties,
                    mechanisms: start.mechanisms,
                    locales: start.locales,
                }))
            }
            (Phase::Tune, Method::ConnectionSecure(secure)) => {
                self.phase = Phase::Secure;
                Ok(Some(ClientEvent::Secure {
                    challenge: secure.challenge.0,
                }))
            }
            (Phase::Tune, Method::ConnectionTune(tune)) => {
                let ok = answer_tune(tune, &self.config)?;
                self.engine.answer_short(0, &ok);
                let open = connection::Open {
                    virtual_host: &self.config.virtual_host,
                };
                self.engine.answer(0, &open).map_err(cannot_say)?;
                self.agreed = ok;
                let frame_size = self.config.limits.frame_size.max(FRAME_MIN_SIZE);
                self.engine.tuned(now, ok, frame_size);
                self.phase = Phase::Opening;
                Ok(None)
            }
            (Phase::Opening, Method::ConnectionOpenOk(_)) => {
                self.engine.opened();
                self.phase = Phase::Open;
                Ok(Some(ClientEvent::Opened))
            }
            (_, Method::ConnectionClose(close)) => Ok(Some(self.closed_by_peer(close))),
            (_, method) => Err(ConnectionError::Handshake(method.id())),
        }
    }

    /// Answers connection.start as the configuration says, if it does.
    fn log_in(&mut self, mechanisms: &[u8]) -> Result<(), ConnectionError> {
        let (mechanism, response) = match &self.config.sasl {
            Sasl::Application => return Ok(()),
            Sasl::Plain { username, password } => {
                let plain = Plain {
                    authorization_identity: "",
                    username,
                    password: password.as_bytes(),
                };
                ("PLAIN", plain.to_response())
            }
            Sasl::AmqPlain { username, password } => {
                let amqplain = AmqPlain {
                    username,
                    password: password.as_bytes(),
                };
                ("AMQPLAIN", amqplain.to_response().map_err(cannot_say)?)
            }
            Sasl::External { identity } => ("EXTERNAL", identity.as_bytes().to_vec()),
        };
        if !mechanisms
            .split(|octet| *octet == b' ')
            .any(|offered| offered == mechanism.as_bytes())
        {
            return Err(ConnectionError::Mechanism(mechanism.into()));
        }
        match self.start_ok(mechanism, &response) {
            Err(SendError::Encode(error)) => Err(cannot_say(error)),
            _ => Ok(()),
        }
    }

    /// Answers `Start` with a mechanism of the application's own.
    ///
    /// # Errors
    /// When `Start` is not what waits to be answered, or the mechanism's name
    /// or the configured locale is over 255 octets.
    pub fn start_ok(&mut self, mechanism: &str, response: &[u8]) -> Result<(), SendError> {
        self.in_phase(Phase::Mechanism, connection::StartOk::ID)?;
        let ok = connection::StartOk {
            client_properties: self.config.client_properties.as_table(),
            mechanism,
            response: Secret(response),
            locale: &self.config.locale,
        };
        self.engine.answer(0, &ok)?;
        self.phase = Phase::Tune;
        Ok(())
    }

    /// Answers `Secure`.
    ///
    /// # Errors
    /// When `Secure` is not what waits to be answered.
    pub fn secure_ok(&mut self, response: &[u8]) -> Result<(), SendError> {
        self.in_phase(Phase::Secure, connection::SecureOk::ID)?;
        let ok = connection::SecureOk {
            response: Secret(response),
        };
        self.engine.answer(0, &ok)?;
        self.phase = Phase::Tune;
        Ok(())
    }

    fn in_phase(&self, phase: Phase, answer: MethodId) -> Result<(), SendError> {
        if self.engine.closed {
            Err(SendError::NotOpen)
        } else if self.phase == phase {
            Ok(())
        } else {
            Err(SendError::NotRequested(answer))
        }
    }

    fn closed_by_peer<'a>(&mut self, close: connection::Close<'a>) -> ClientEvent<'a> {
        self.engine.answer_short(0, &connection::CloseOk {});
        self.engine.set_closed();
        ClientEvent::Closed { close }
    }

    fn act<'a>(
        &mut self,
        incoming: Incoming<'a>,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        Ok(Some(match incoming {
            Incoming::Nothing => return Ok(None),
            Incoming::Connection(method) => return self.on_connection(method).map(Some),
            Incoming::Method(channel, method) => return self.on_method(channel, method),
            Incoming::Content(channel, content) => {
                return self.on_content(channel, content).map(Some);
            }
            // Only a server is asked to open channels.
            Incoming::Open(_) => return Err(invalid(channel::Open::ID)),
            Incoming::ChannelCloseOk(channel) => ClientEvent::ChannelCloseOk { channel },
            Incoming::ChannelFailed(channel, error) => {
                ClientEvent::ChannelFailed { channel, error }
            }
        }))
    }

    fn on_connection<'a>(
        &mut self,
        method: Method<'a>,
    ) -> Result<ClientEvent<'a>, ConnectionError> {
        match method {
            Method::ConnectionClose(close) => Ok(self.closed_by_peer(close)),
            Method::ConnectionBlocked(blocked) => Ok(ClientEvent::Blocked {
                reason: blocked.reason,
            }),
            Method::ConnectionUnblocked(_) => Ok(ClientEvent::Unblocked),
            Method::ConnectionUpdateSecretOk(_) if self.updating > 0 => {
                self.updating -= 1;
                Ok(ClientEvent::UpdateSecretOk)
            }
            method => Err(invalid(method.id())),
        }
    }

    fn on_method<'a>(
        &mut self,
        number: u16,
        method: Method<'a>,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        let Some(channel) = self.engine.channels.get_mut(&number) else {
            return Ok(None);
        };
        if let Method::ChannelClose(close) = method {
            self.engine.channels.remove(&number);
            self.engine.answer_short(number, &channel::CloseOk {});
            return Ok(Some(ClientEvent::ChannelClosed {
                channel: number,
                close,
            }));
        }
        if channel.state == ChannelState::Opening {
            if method.id() != channel::OpenOk::ID {
                return Err(invalid(method.id()));
            }
            channel.state = ChannelState::Open;
            return Ok(Some(ClientEvent::ChannelOpened { channel: number }));
        }
        match method {
            Method::BasicAck(ack) => self.confirm(number, ack.delivery_tag, ack.multiple, true),
            Method::BasicNack(nack) => {
                self.confirm(number, nack.delivery_tag, nack.multiple, false)
            }
            Method::BasicCancel(cancel) => {
                let consumer_tag = cancel.consumer_tag;
                if !cancel.no_wait {
                    self.engine
                        .answer_short(number, &basic::CancelOk { consumer_tag });
                }
                Ok(Some(ClientEvent::ConsumerCancelled {
                    channel: number,
                    consumer_tag,
                }))
            }
            Method::ChannelFlow(channel::Flow { active }) => {
                channel.data.paused = !active;
                self.engine
                    .answer_short(number, &channel::FlowOk { active });
                Ok(Some(ClientEvent::Flow {
                    channel: number,
                    active,
                }))
            }
            method => {
                channel.data.answered(method.id())?;
                let reply = Reply::from_method(method).ok_or_else(|| invalid(method.id()))?;
                Ok(Some(ClientEvent::Reply {
                    channel: number,
                    reply,
                }))
            }
        }
    }

    fn on_content<'a>(
        &mut self,
        channel: u16,
        content: Content,
    ) -> Result<ClientEvent<'a>, ConnectionError> {
        match content.method() {
            Method::BasicDeliver(deliver) => Ok(ClientEvent::Deliver {
                channel,
                delivery_tag: deliver.delivery_tag,
                redelivered: deliver.redelivered,
                content,
            }),
            Method::BasicReturn(returned) => Ok(ClientEvent::Return {
                channel,
                reply_code: returned.reply_code,
                content,
            }),
            Method::BasicGetOk(get_ok) => {
                if let Some(channel) = self.engine.channels.get_mut(&channel) {
                    channel.data.answered(basic::GetOk::ID)?;
                }
                Ok(ClientEvent::GetOk {
                    channel,
                    delivery_tag: get_ok.delivery_tag,
                    redelivered: get_ok.redelivered,
                    message_count: get_ok.message_count,
                    content,
                })
            }
            method => Err(invalid(method.id())),
        }
    }

    /// An ack or nack of publishes. Tags that are not outstanding are passed over.
    fn confirm<'a>(
        &mut self,
        channel: u16,
        tag: u64,
        multiple: bool,
        acknowledged: bool,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        let data = match self.engine.channels.get_mut(&channel) {
            Some(open) if open.data.published.is_some() => &mut open.data,
            _ => {
                let method = if acknowledged {
                    basic::Ack::ID
                } else {
                    basic::Nack::ID
                };
                return Err(invalid(method));
            }
        };
        if multiple {
            self.confirming = Some(Confirming {
                channel,
                up_to: tag,
                acknowledged,
            });
            return Ok(self.confirm_more());
        }
        Ok(data.unconfirmed.take(tag).then_some(ClientEvent::Confirm {
            channel,
            publish_tags: tag..=tag,
            acknowledged,
        }))
    }

    /// The next range of an ack or nack of many.
    fn confirm_more<'a>(&mut self) -> Option<ClientEvent<'a>> {
        let confirming = self.confirming.as_ref()?;
        let channel = self.engine.channels.get_mut(&confirming.channel);
        let range = channel.and_then(|open| open.data.unconfirmed.take_up_to(confirming.up_to));
        match range {
            Some(publish_tags) => Some(ClientEvent::Confirm {
                channel: confirming.channel,
                publish_tags,
                acknowledged: confirming.acknowledged,
            }),
            None => {
                self.confirming = None;
                None
            }
        }
    }

    // Sending.

    fn must_be_open(&self) -> Result<(), SendError> {
        if self.is_open() {
            Ok(())
        } else {
            Err(SendError::NotOpen)
        }
    }

    fn send<'m, A: Arguments<'m> + Identified>(
        &mut self,
        channel: u16,
        method: &A,
    ) -> Result<&mut ClientChannel, SendError> {
        self.must_be_open()?;
        self.engine.open_channel(channel)?;
        self.engine.answer(channel, method)?;
        Ok(&mut self.engine.open_channel(channel)?.data)
    }

    fn request<'m, A: Arguments<'m> + Identified>(
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
        if self.engine.closed || self.phase == Phase::Closing {
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
    /// When the channel is not open, the server has paused it, or a string is
    /// over 255 octets.
    pub fn publish(
        &mut self,
        channel: u16,
        mandatory: bool,
        message: &Message<'_>,
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
        self.engine.content(channel, &publish, message)?;
        let data = &mut self.engine.open_channel(channel)?.data;
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
        self.updating += 1;
        Ok(())
    }
}

impl ClientChannel {
    /// The answer must be one of the first request that waits for one.
    fn answered(&mut self, answer: MethodId) -> Result<(), ConnectionError> {
        let expected = self
            .asked
            .front()
            .and_then(|asked| asked.info())
            .is_some_and(|info| info.replies.contains(&answer));
        if !expected {
            return Err(invalid(answer));
        }
        self.asked.pop_front();
        Ok(())
    }
}

fn invalid(method: MethodId) -> ConnectionError {
    ReplyError::connection(ReplyCode::CommandInvalid, "unexpected method")
        .caused_by(method)
        .into()
}

/// What the application configured cannot be said.
fn cannot_say(error: crate::EncodeError) -> ConnectionError {
    ConnectionError::Configuration(error)
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
