//! The server role.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use core::time::Duration;

use bytes::BufMut;

use super::content::{Content, Message};
use super::engine::{ChannelState, Engine, Incoming};
use super::error::{ConnectionError, ReplyError, Scope, SendError};
use super::handshake::{Capabilities, ServerConfig, check_tune_ok};
use crate::frame::FRAME_MIN_SIZE;
use crate::method::{
    Arguments, Identified, SentBy, access, basic, channel, confirm, connection, exchange, queue, tx,
};
use crate::{Method, MethodId, ProtocolHeader, ReplyCode, Table, TableBuf};

macro_rules! requests {
    ($a:lifetime; $($(#[$doc:meta])* $variant:ident($type:ty) $($no_wait:ident)?,)*) => {
        /// A method that the broker acts on.
        ///
        /// The document of each names the answer. Every one that has an answer
        /// is to be answered, in order on its channel, whatever its `no_wait`
        /// says: the connection keeps the answer to itself then.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Request<$a> {
            $($(#[$doc])* $variant($type),)*
        }

        impl<$a> Request<$a> {
            /// Class and method number, for [`ReplyError::caused_by`].
            #[must_use]
            pub const fn id(&self) -> MethodId {
                match self {
                    $(Self::$variant(_) => <$type>::ID,)*
                }
            }

            /// Whether the client wants no answer.
            #[must_use]
            pub const fn no_wait(&self) -> bool {
                match self {
                    $(Self::$variant(_method) => false $(|| _method.$no_wait)?,)*
                }
            }

            fn from_method(method: Method<$a>) -> Option<Self> {
                match method {
                    $(Method::$variant(method) => Some(Self::$variant(method)),)*
                    _ => None,
                }
            }
        }

        impl<$a> From<Request<$a>> for Method<$a> {
            fn from(request: Request<$a>) -> Self {
                match request {
                    $(Request::$variant(method) => Self::$variant(method),)*
                }
            }
        }
    };
}

requests! { 'a;
    /// [`ServerConnection::access_request_ok`]
    AccessRequest(access::Request<'a>),
    /// [`ServerConnection::exchange_declare_ok`]
    ExchangeDeclare(exchange::Declare<'a>) no_wait,
    /// [`ServerConnection::exchange_delete_ok`]
    ExchangeDelete(exchange::Delete<'a>) no_wait,
    /// [`ServerConnection::exchange_bind_ok`]
    ExchangeBind(exchange::Bind<'a>) no_wait,
    /// [`ServerConnection::exchange_unbind_ok`]
    ExchangeUnbind(exchange::Unbind<'a>) no_wait,
    /// [`ServerConnection::queue_declare_ok`]
    QueueDeclare(queue::Declare<'a>) no_wait,
    /// [`ServerConnection::queue_bind_ok`]
    QueueBind(queue::Bind<'a>) no_wait,
    /// [`ServerConnection::queue_unbind_ok`]
    QueueUnbind(queue::Unbind<'a>),
    /// [`ServerConnection::queue_purge_ok`]
    QueuePurge(queue::Purge<'a>) no_wait,
    /// [`ServerConnection::queue_delete_ok`]
    QueueDelete(queue::Delete<'a>) no_wait,
    /// [`ServerConnection::qos_ok`]
    BasicQos(basic::Qos),
    /// [`ServerConnection::consume_ok`]
    BasicConsume(basic::Consume<'a>) no_wait,
    /// [`ServerConnection::cancel_ok`]
    BasicCancel(basic::Cancel<'a>) no_wait,
    /// The answer to [`ServerConnection::cancel_consumer`]; it has none itself.
    BasicCancelOk(basic::CancelOk<'a>),
    /// [`ServerConnection::get_ok`] or [`ServerConnection::get_empty`]
    BasicGet(basic::Get<'a>),
    /// No answer; of an unknown tag, [`UnknownDeliveryTag::reply`](super::UnknownDeliveryTag::reply).
    BasicAck(basic::Ack),
    /// No answer, as for an ack.
    BasicNack(basic::Nack),
    /// No answer, as for an ack.
    BasicReject(basic::Reject),
    /// [`ServerConnection::recover_ok`]
    BasicRecover(basic::Recover),
    /// No answer.
    BasicRecoverAsync(basic::RecoverAsync),
    /// [`ServerConnection::confirm_select_ok`]
    ConfirmSelect(confirm::Select) no_wait,
    /// [`ServerConnection::tx_select_ok`]
    TxSelect(tx::Select),
    /// [`ServerConnection::tx_commit_ok`]
    TxCommit(tx::Commit),
    /// [`ServerConnection::tx_rollback_ok`]
    TxRollback(tx::Rollback),
    /// [`ServerConnection::flow_ok`], or 540 as RabbitMQ does for `active=false`.
    ChannelFlow(channel::Flow),
    /// The answer to [`ServerConnection::flow`]; it has none itself.
    ChannelFlowOk(channel::FlowOk),
}

/// What a client did, as far as the server's application has to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// connection.start-ok. To be answered with [`ServerConnection::accept`],
    /// [`challenge`](ServerConnection::challenge) or
    /// [`refuse`](ServerConnection::refuse); no input is taken until then.
    Authenticate {
        /// One of the mechanisms that were offered.
        mechanism: &'a str,
        /// The initial response: see [`sasl`](crate::sasl).
        response: &'a [u8],
        /// The locale.
        locale: &'a str,
        /// What the client is.
        client_properties: Table<'a>,
    },
    /// connection.secure-ok, after a challenge. To be answered as `Authenticate`.
    Secure {
        /// The mechanism's response.
        response: &'a [u8],
    },
    /// connection.open; tune is over. To be answered with
    /// [`ServerConnection::open_ok`], or [`close`](ServerConnection::close) with
    /// 530; no input is taken until then.
    Open {
        /// The virtual host.
        virtual_host: &'a str,
    },
    /// connection.update-secret. To be answered with
    /// [`ServerConnection::update_secret_ok`], or
    /// [`close`](ServerConnection::close) with 530.
    UpdateSecret {
        /// The new password or token.
        new_secret: &'a [u8],
        /// The reason in words.
        reason: &'a str,
    },
    /// channel.open, which was answered.
    ChannelOpened {
        /// Its number.
        channel: u16,
    },
    /// channel.close, which was answered: its number is free.
    ChannelClosed {
        /// Its number.
        channel: u16,
        /// The client's reason.
        close: channel::Close<'a>,
    },
    /// The client's close-ok to a channel.close of this side: the number is free.
    ChannelCloseOk {
        /// Its number.
        channel: u16,
    },
    /// The connection closes the channel for a soft error that it found itself:
    /// a content over [`Limits::body_size`](crate::Limits::body_size). What the
    /// channel had is to be given up; `ChannelCloseOk` follows.
    ChannelFailed {
        /// Its number.
        channel: u16,
        /// The reason.
        error: ReplyError,
    },
    /// A method that the broker acts on, and as a rule answers.
    Request {
        /// Its channel.
        channel: u16,
        /// The method.
        request: Request<'a>,
    },
    /// basic.publish with its header and body.
    Publish {
        /// Its channel.
        channel: u16,
        /// Its number on a channel in confirm mode, from 1: to be confirmed
        /// with [`ServerConnection::ack`] or [`nack`](ServerConnection::nack).
        publish_tag: Option<u64>,
        /// Return it if it goes to no queue.
        mandatory: bool,
        /// Return it if no consumer takes it at once.
        immediate: bool,
        /// Exchange, routing key, properties and body.
        content: Content,
    },
    /// connection.close, which was answered: the connection is closed.
    Closed {
        /// The client's reason.
        close: connection::Close<'a>,
    },
    /// The client's close-ok to a connection.close of this side: it is closed.
    CloseOk,
}

/// How far the handshake is, and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The protocol header is to come.
    Header,
    /// start-ok is to come.
    Start,
    /// The application has to answer `Authenticate` or `Secure`.
    Authenticate,
    /// secure-ok is to come.
    Secure,
    /// tune-ok is to come.
    Tune,
    /// open is to come.
    Tuned,
    /// The application has to answer `Open`.
    Opening,
    Open,
    /// connection.close was sent.
    Closing,
}

/// A request that the application has not answered.
struct Asked {
    method: MethodId,
    no_wait: bool,
}

/// What the server role keeps of a channel.
#[derive(Default)]
pub(super) struct ServerChannel {
    asked: VecDeque<Asked>,
    /// The last delivery tag.
    delivered: u64,
    /// The last publish tag, in confirm mode.
    published: Option<u64>,
    /// The client wants no contents (channel.flow).
    paused: bool,
}

/// One connection, in the server's role. See [the drive contract](crate#the-drive-contract).
pub struct ServerConnection {
    engine: Engine<ServerChannel>,
    phase: Phase,
    /// Until start is sent.
    server_properties: TableBuf,
    mechanisms: String,
    locales: String,
    offered: connection::Tune,
    agreed: connection::TuneOk,
    frame_size: u32,
    capabilities: Capabilities,
}

impl ServerConnection {
    /// A connection that a client has just made.
    #[must_use]
    pub fn new(config: ServerConfig, now: Duration) -> Self {
        let frame_size = config.limits.frame_size.max(FRAME_MIN_SIZE);
        let offer = |value: u32, limit: u32| if value == 0 { limit } else { value.min(limit) };
        let channel_max = offer(config.channel_max.into(), config.limits.channel_max.into());
        let offered = connection::Tune {
            channel_max: channel_max as u16,
            frame_max: offer(config.frame_max, frame_size),
            heartbeat: config.heartbeat,
        };
        Self {
            engine: Engine::new(
                SentBy::Server,
                config.limits,
                now,
                config.handshake_timeout,
                config.close_timeout,
            ),
            phase: Phase::Header,
            server_properties: config.server_properties,
            mechanisms: config.mechanisms,
            locales: config.locales,
            offered,
            agreed: connection::TuneOk::default(),
            frame_size,
            capabilities: Capabilities::default(),
        }
    }

    // The drive contract.

    /// Takes frames from the front of `input` until one makes an event. `None`
    /// means that what is left is no whole frame, or that the application has
    /// to answer first; keep it, and present it again with what comes next.
    ///
    /// # Errors
    /// When the client broke the protocol: the connection is over, and every
    /// later call says the same. A goodbye may wait to be transmitted.
    pub fn receive<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        self.engine.begin(now, input)?;
        let before = input.len();
        let event = self.step(now, input);
        self.engine.end(now, before, input.len());
        event.map_err(|error| {
            let goodbye = matches!(self.phase, Phase::Opening | Phase::Open);
            self.engine.fail(error, goodbye)
        })
    }

    /// The client has closed its side of the socket.
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

    /// Does what is due: sends a heartbeat, or gives the client up.
    ///
    /// # Errors
    /// When the client was silent for too long: the connection is over.
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

    /// What the client declared that it can do; nothing before `Authenticate`.
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

    fn step<'a>(
        &mut self,
        now: Duration,
        input: &mut &'a [u8],
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        loop {
            if self.engine.closed {
                *input = &[];
                return Ok(None);
            }
            match self.phase {
                Phase::Header => {
                    if !self.protocol_header(input)? {
                        return Ok(None);
                    }
                    continue;
                }
                Phase::Authenticate | Phase::Opening => return Ok(None),
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
                Phase::Closing => self.engine.on_closing(raw).then_some(ServerEvent::CloseOk),
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

    /// Section 4.2.2. Whether it was there.
    fn protocol_header(&mut self, input: &mut &[u8]) -> Result<bool, ConnectionError> {
        let received = match ProtocolHeader::decode(input) {
            Ok(None) => return Ok(false),
            Ok(Some(ProtocolHeader::AMQP_0_9_1)) => {
                *input = &input[ProtocolHeader::LEN..];
                let start = connection::Start {
                    version_major: 0,
                    version_minor: 9,
                    server_properties: self.server_properties.as_table(),
                    mechanisms: self.mechanisms.as_bytes(),
                    locales: self.locales.as_bytes(),
                };
                self.engine.answer_short(0, &start);
                self.phase = Phase::Start;
                return Ok(true);
            }
            Ok(Some(other)) => Some(other),
            Err(_) => None,
        };
        self.engine.raw(&ProtocolHeader::AMQP_0_9_1.to_bytes());
        Err(ConnectionError::Version(received))
    }

    fn handshake<'a>(
        &mut self,
        now: Duration,
        method: Method<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        match (self.phase, method) {
            (Phase::Start, Method::ConnectionStartOk(ok)) => {
                if !self
                    .mechanisms
                    .split(' ')
                    .any(|offered| offered == ok.mechanism)
                {
                    return Err(ConnectionError::Mechanism(ok.mechanism.to_string()));
                }
                self.capabilities = Capabilities::from_properties(ok.client_properties);
                self.phase = Phase::Authenticate;
                Ok(Some(ServerEvent::Authenticate {
                    mechanism: ok.mechanism,
                    response: ok.response.0,
                    locale: ok.locale,
                    client_properties: ok.client_properties,
                }))
            }
            (Phase::Secure, Method::ConnectionSecureOk(ok)) => {
                self.phase = Phase::Authenticate;
                Ok(Some(ServerEvent::Secure {
                    response: ok.response.0,
                }))
            }
            (Phase::Tune, Method::ConnectionTuneOk(ok)) => {
                check_tune_ok(self.offered, ok)?;
                self.agreed = ok;
                self.engine.tuned(now, ok, self.frame_size);
                self.phase = Phase::Tuned;
                Ok(None)
            }
            (Phase::Tuned, Method::ConnectionOpen(open)) => {
                self.phase = Phase::Opening;
                Ok(Some(ServerEvent::Open {
                    virtual_host: open.virtual_host,
                }))
            }
            (_, Method::ConnectionClose(close)) => Ok(Some(self.closed_by_peer(close))),
            (_, method) => Err(ConnectionError::Handshake(method.id())),
        }
    }

    fn closed_by_peer<'a>(&mut self, close: connection::Close<'a>) -> ServerEvent<'a> {
        self.engine.answer_short(0, &connection::CloseOk {});
        self.engine.set_closed();
        ServerEvent::Closed { close }
    }

    fn act<'a>(
        &mut self,
        incoming: Incoming<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let invalid = |code, text: &str, method| -> ConnectionError {
            ReplyError::connection(code, text).caused_by(method).into()
        };
        Ok(Some(match incoming {
            Incoming::Nothing => return Ok(None),
            Incoming::Connection(Method::ConnectionClose(close)) => self.closed_by_peer(close),
            Incoming::Connection(Method::ConnectionUpdateSecret(update)) => {
                ServerEvent::UpdateSecret {
                    new_secret: update.new_secret.0,
                    reason: update.reason,
                }
            }
            Incoming::Connection(method) => {
                return Err(invalid(
                    ReplyCode::CommandInvalid,
                    "unexpected method on an open connection",
                    method.id(),
                ));
            }
            Incoming::Open(channel) => {
                self.engine.insert_channel(channel, ChannelState::Open);
                self.engine.answer_short(channel, &channel::OpenOk {});
                ServerEvent::ChannelOpened { channel }
            }
            Incoming::Method(channel, Method::ChannelClose(close)) => {
                self.engine.channels.remove(&channel);
                self.engine.answer_short(channel, &channel::CloseOk {});
                ServerEvent::ChannelClosed { channel, close }
            }
            Incoming::Method(_, Method::ChannelOpen(_)) => {
                return Err(invalid(
                    ReplyCode::ChannelError,
                    "second 'channel.open' seen",
                    channel::Open::ID,
                ));
            }
            Incoming::Method(channel, method) => {
                let Some(request) = Request::from_method(method) else {
                    return Err(invalid(
                        ReplyCode::CommandInvalid,
                        "unimplemented method",
                        method.id(),
                    ));
                };
                self.note(channel, &request);
                ServerEvent::Request { channel, request }
            }
            Incoming::Content(channel, content) => return Ok(self.published(channel, content)),
            Incoming::ChannelCloseOk(channel) => ServerEvent::ChannelCloseOk { channel },
            Incoming::ChannelFailed(channel, error) => {
                ServerEvent::ChannelFailed { channel, error }
            }
        }))
    }

    /// Notes what a request leaves to be done.
    fn note(&mut self, channel: u16, request: &Request<'_>) {
        let Ok(channel) = self.engine.open_channel(channel) else {
            return;
        };
        let method = Method::from(*request);
        if !method.info().replies.is_empty() {
            channel.data.asked.push_back(Asked {
                method: method.id(),
                no_wait: request.no_wait(),
            });
        }
        // From here on, even before select-ok, publishes are counted.
        if matches!(request, Request::ConfirmSelect(_)) {
            channel.data.published.get_or_insert(0);
        }
    }

    fn published<'a>(&mut self, channel: u16, content: Content) -> Option<ServerEvent<'a>> {
        let data = &mut self.engine.open_channel(channel).ok()?.data;
        if let Some(tag) = &mut data.published {
            *tag += 1;
        }
        let publish_tag = data.published;
        let Method::BasicPublish(method) = content.method() else {
            return None;
        };
        Some(ServerEvent::Publish {
            channel,
            publish_tag,
            mandatory: method.mandatory,
            immediate: method.immediate,
            content,
        })
    }

    // Answers of the handshake.

    fn in_phase(&self, phase: Phase, answer: MethodId) -> Result<(), SendError> {
        if self.engine.closed {
            Err(SendError::NotOpen)
        } else if self.phase == phase {
            Ok(())
        } else {
            Err(SendError::NotRequested(answer))
        }
    }

    /// The client is who it says: sends connection.tune.
    ///
    /// # Errors
    /// When `Authenticate` or `Secure` is not what waits to be answered.
    pub fn accept(&mut self) -> Result<(), SendError> {
        self.in_phase(Phase::Authenticate, connection::Tune::ID)?;
        let offered = self.offered;
        self.engine.answer(0, &offered)?;
        self.phase = Phase::Tune;
        Ok(())
    }

    /// The mechanism needs another round: sends connection.secure.
    ///
    /// # Errors
    /// When `Authenticate` or `Secure` is not what waits to be answered.
    pub fn challenge(&mut self, challenge: &[u8]) -> Result<(), SendError> {
        self.in_phase(Phase::Authenticate, connection::Secure::ID)?;
        let secure = connection::Secure {
            challenge: crate::method::Secret(challenge),
        };
        self.engine.answer(0, &secure)?;
        self.phase = Phase::Secure;
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
    pub fn refuse(&mut self, text: &str) -> Result<(), SendError> {
        self.in_phase(Phase::Authenticate, connection::Close::ID)?;
        if self.capabilities.authentication_failure_close {
            let error = ReplyError::connection(ReplyCode::AccessRefused, text);
            self.engine.send_close(&error);
            self.phase = Phase::Closing;
        } else {
            self.engine.set_closed();
        }
        Ok(())
    }

    /// The virtual host is open.
    ///
    /// # Errors
    /// When `Open` is not what waits to be answered.
    pub fn open_ok(&mut self) -> Result<(), SendError> {
        self.in_phase(Phase::Opening, connection::OpenOk::ID)?;
        self.engine.answer(0, &connection::OpenOk {})?;
        self.engine.opened();
        self.phase = Phase::Open;
        Ok(())
    }

    /// The new credentials hold.
    ///
    /// # Errors
    /// When the connection is not open.
    pub fn update_secret_ok(&mut self) -> Result<(), SendError> {
        self.must_be_open()?;
        Ok(self.engine.answer(0, &connection::UpdateSecretOk {})?)
    }

    fn must_be_open(&self) -> Result<(), SendError> {
        if self.is_open() {
            Ok(())
        } else {
            Err(SendError::NotOpen)
        }
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
        match self.engine.open_channel(channel)?.data.asked.front() {
            Some(asked) if asked.method == method => Ok(asked.no_wait),
            _ => Err(SendError::NotRequested(answer)),
        }
    }

    fn answered(&mut self, channel: u16) {
        if let Ok(channel) = self.engine.open_channel(channel) {
            channel.data.asked.pop_front();
        }
    }

    fn answer<'m, A: Arguments<'m> + Identified>(
        &mut self,
        channel: u16,
        method: MethodId,
        answer: &A,
    ) -> Result<(), SendError> {
        if !self.asked(channel, method, A::ID)? {
            self.engine.answer(channel, answer)?;
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
        /// on it is another, or when a string is over 255 octets.
        impl ServerConnection {
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
impl ServerConnection {
    /// basic.get-ok; the delivery tag that it got.
    ///
    /// # Errors
    /// As for all answers, and when the client has paused the channel.
    pub fn get_ok(
        &mut self,
        channel: u16,
        redelivered: bool,
        message_count: u32,
        message: &Message<'_>,
    ) -> Result<u64, SendError> {
        self.asked(channel, basic::Get::ID, basic::GetOk::ID)?;
        let delivery_tag = self.next_delivery(channel)?;
        let get_ok = basic::GetOk {
            delivery_tag,
            redelivered,
            exchange: message.exchange,
            routing_key: message.routing_key,
            message_count,
        };
        self.engine.content(channel, &get_ok, message)?;
        self.delivered(channel, delivery_tag);
        self.answered(channel);
        Ok(delivery_tag)
    }

    /// basic.deliver; the delivery tag that it got: 1, 2, and so on on each channel.
    ///
    /// # Errors
    /// When the channel is not open, the client has paused it, or a string is
    /// over 255 octets.
    pub fn deliver(
        &mut self,
        channel: u16,
        consumer_tag: &str,
        redelivered: bool,
        message: &Message<'_>,
    ) -> Result<u64, SendError> {
        let delivery_tag = self.next_delivery(channel)?;
        let deliver = basic::Deliver {
            consumer_tag,
            delivery_tag,
            redelivered,
            exchange: message.exchange,
            routing_key: message.routing_key,
        };
        self.engine.content(channel, &deliver, message)?;
        self.delivered(channel, delivery_tag);
        Ok(delivery_tag)
    }

    fn next_delivery(&mut self, channel: u16) -> Result<u64, SendError> {
        self.must_be_open()?;
        let data = &self.engine.open_channel(channel)?.data;
        if data.paused {
            return Err(SendError::FlowInactive(channel));
        }
        Ok(data.delivered + 1)
    }

    fn delivered(&mut self, channel: u16, delivery_tag: u64) {
        if let Ok(channel) = self.engine.open_channel(channel) {
            channel.data.delivered = delivery_tag;
        }
    }

    /// basic.return: gives a publish back. In confirm mode it goes before the ack.
    ///
    /// # Errors
    /// When the channel is not open or a string is over 255 octets.
    pub fn return_message(
        &mut self,
        channel: u16,
        reply_code: ReplyCode,
        reply_text: &str,
        message: &Message<'_>,
    ) -> Result<(), SendError> {
        self.on_channel(channel)?;
        let method = basic::Return {
            reply_code: reply_code.code(),
            reply_text,
            exchange: message.exchange,
            routing_key: message.routing_key,
        };
        Ok(self.engine.content(channel, &method, message)?)
    }

    fn on_channel(&mut self, channel: u16) -> Result<(), SendError> {
        self.must_be_open()?;
        self.engine.open_channel(channel).map(drop)
    }

    /// The publish tag has to be one that was given out.
    fn confirms(&mut self, channel: u16, publish_tag: u64, by: MethodId) -> Result<(), SendError> {
        self.must_be_open()?;
        match self.engine.open_channel(channel)?.data.published {
            Some(last) if publish_tag <= last => Ok(()),
            _ => Err(SendError::NotRequested(by)),
        }
    }

    /// Confirms a publish: it is the broker's now. With `multiple`, all up to it.
    ///
    /// # Errors
    /// When the channel is not open, not in confirm mode, or has no such publish yet.
    pub fn ack(&mut self, channel: u16, publish_tag: u64, multiple: bool) -> Result<(), SendError> {
        self.confirms(channel, publish_tag, basic::Ack::ID)?;
        let ack = basic::Ack {
            delivery_tag: publish_tag,
            multiple,
        };
        Ok(self.engine.answer(channel, &ack)?)
    }

    /// Refuses a publish: it is lost. With `multiple`, all up to it.
    ///
    /// # Errors
    /// As for [`ack`](Self::ack).
    pub fn nack(
        &mut self,
        channel: u16,
        publish_tag: u64,
        multiple: bool,
    ) -> Result<(), SendError> {
        self.confirms(channel, publish_tag, basic::Nack::ID)?;
        let nack = basic::Nack {
            delivery_tag: publish_tag,
            multiple,
            requeue: false,
        };
        Ok(self.engine.answer(channel, &nack)?)
    }

    /// Tells that a consumer has ended, if the client declared
    /// `consumer_cancel_notify`; whether it did. No answer is asked for.
    ///
    /// # Errors
    /// When the channel is not open or the tag is over 255 octets.
    pub fn cancel_consumer(&mut self, channel: u16, consumer_tag: &str) -> Result<bool, SendError> {
        self.on_channel(channel)?;
        if self.capabilities.consumer_cancel_notify {
            let cancel = basic::Cancel {
                consumer_tag,
                no_wait: true,
            };
            self.engine.answer(channel, &cancel)?;
        }
        Ok(self.capabilities.consumer_cancel_notify)
    }

    /// channel.flow-ok: what [`deliver`](Self::deliver) does from here on.
    ///
    /// # Errors
    /// As for all answers.
    pub fn flow_ok(&mut self, channel: u16, active: bool) -> Result<(), SendError> {
        self.answer(channel, channel::Flow::ID, &channel::FlowOk { active })?;
        self.engine.open_channel(channel)?.data.paused = !active;
        Ok(())
    }

    /// channel.flow: asks the client to pause or resume publishing.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn flow(&mut self, channel: u16, active: bool) -> Result<(), SendError> {
        self.on_channel(channel)?;
        Ok(self.engine.answer(channel, &channel::Flow { active })?)
    }

    /// connection.blocked, if the client declared `connection.blocked`; whether
    /// it did.
    ///
    /// # Errors
    /// When the connection is not open or the reason is over 255 octets.
    pub fn blocked(&mut self, reason: &str) -> Result<bool, SendError> {
        self.must_be_open()?;
        if self.capabilities.connection_blocked {
            self.engine.answer(0, &connection::Blocked { reason })?;
        }
        Ok(self.capabilities.connection_blocked)
    }

    /// connection.unblocked, as [`blocked`](Self::blocked).
    ///
    /// # Errors
    /// When the connection is not open.
    pub fn unblocked(&mut self) -> Result<bool, SendError> {
        self.must_be_open()?;
        if self.capabilities.connection_blocked {
            self.engine.answer(0, &connection::Unblocked {})?;
        }
        Ok(self.capabilities.connection_blocked)
    }

    // Closing.

    /// Closes what the error says: its channel or the connection.
    ///
    /// # Errors
    /// As for [`close_channel`](Self::close_channel) and [`close`](Self::close).
    pub fn fail(&mut self, error: &ReplyError) -> Result<(), SendError> {
        match error.scope {
            Scope::Connection => self.close(error),
            Scope::Channel(channel) => self.close_channel(channel, error),
        }
    }

    /// channel.close. What the client sends on the channel is discarded until
    /// its close-ok, which is the event `ChannelCloseOk`.
    ///
    /// # Errors
    /// When the channel is not open.
    pub fn close_channel(&mut self, channel: u16, error: &ReplyError) -> Result<(), SendError> {
        self.must_be_open()?;
        self.engine.send_channel_close(channel, error)
    }

    /// connection.close. What the client sends is discarded until its close-ok,
    /// which is the event `CloseOk`; it has the close timeout for that. Before
    /// `Open` there is nobody to say it to, and the connection is just closed.
    ///
    /// # Errors
    /// When it was closed before.
    pub fn close(&mut self, error: &ReplyError) -> Result<(), SendError> {
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
}
