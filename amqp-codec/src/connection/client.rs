//! The client role.

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::BufMut;

use super::confirm::Unconfirmed;
use super::content::Content;
use super::engine::{ChannelState, Engine, Incoming};
use super::error::{ConnectionError, ReplyError, SendError};
use super::handshake::{Capabilities, ClientConfig, Sasl, answer_tune};
use crate::method::{Secret, SentBy, basic, channel, connection};
use crate::sasl::{AmqPlain, Plain};
use crate::{Method, MethodId, ProtocolHeader, ReplyCode};

mod event;
mod request;

pub use event::{ClientEvent, Reply};

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
    // keeps: section 4.2.2 / header first
    #[must_use]
    pub fn new(now: Duration, config: ClientConfig) -> Self {
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
    /// later call says the same. A goodbye may wait to be transmitted, and its
    /// answer to be received: go on until [`is_closed`](Self::is_closed).
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

    /// Octets that [`poll_transmit`](Self::poll_transmit) would give, had it the
    /// room. What waits for the end of a body that is sent in parts is not among
    /// them: no transmitting makes it go, but [`send_body`](Self::send_body) does.
    /// What the peer can make wait there is bounded, by 64 KiB a channel.
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
        self.phase == Phase::Open && !self.engine.is_over()
    }

    /// Publishes on a channel that the server has not confirmed yet.
    #[must_use]
    pub fn unconfirmed(&self, channel: u16) -> u64 {
        let channel = self.engine.channels.get(&channel);
        channel.map_or(0, |channel| channel.data.unconfirmed.len())
    }

    // keeps: connection / start / client-support
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

    // keeps: connection / start / client-support
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
                self.engine.tuned(now, ok, self.config.limits);
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

    /// Answers `Start` with a mechanism of the application's own. A response that
    /// makes a frame of more than frame-min-size, 4096 octets, is sent as well, but
    /// a server may refuse it: see
    /// [`Limits::initial_frame_size`](crate::Limits::initial_frame_size).
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
        if self.engine.is_over() {
            Err(SendError::NotOpen)
        } else if self.phase == phase {
            Ok(())
        } else {
            Err(SendError::NotRequested(answer))
        }
    }

    // keeps: section 2.3.7 / close is a hand-shake
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
            Incoming::Body(channel, part, remaining) => ClientEvent::Body {
                channel,
                part,
                remaining,
            },
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

    // keeps: channel / flow / bidirectional
    fn on_method<'a>(
        &mut self,
        number: u16,
        method: Method<'a>,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        let Some(channel) = self.engine.channels.get_mut(&number) else {
            return Ok(None);
        };
        if let Method::ChannelClose(close) = method {
            self.engine.remove_channel(number);
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
                        .answer_bounded(number, &basic::CancelOk { consumer_tag })?;
                }
                Ok(Some(ClientEvent::ConsumerCancelled {
                    channel: number,
                    consumer_tag,
                }))
            }
            Method::ChannelFlow(channel::Flow { active }) => {
                channel.data.paused = !active;
                self.engine
                    .answer_bounded(number, &channel::FlowOk { active })?;
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
        // The server has not opened the channel yet.
        if self.engine.open_channel(channel).is_err() {
            return Err(invalid(content.method().id()));
        }
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
}

impl ClientChannel {
    /// The answer must be one of the first request that waits for one.
    // keeps: section 3.2.1 / replies
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
