//! What a client does with what comes in.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::super::config::{ClientConfig, Sasl};
use super::super::confirm::Unconfirmed;
use super::super::content::{Content, Kind};
use super::super::core::{ChannelState, Core, Incoming, Phase, Setup};
use super::super::error::{ConnectionError, ReplyError, SendError};
use super::super::event::{ClientEvent, Confirmation, Delivery, Reply};
use super::super::role::{Client, Role};
use super::super::tune::answer_tune;
use super::super::{Capabilities, Connection};
use crate::method::{self, SentBy, basic, channel, connection};
use crate::sasl::{AmqPlain, Plain};
use crate::{Method, MethodId, ProtocolHeader, ReplyCode};

/// What the client role keeps of a channel.
#[derive(Debug, Default)]
pub struct ClientChannel {
    /// Requests whose answers are to come, in order.
    pub(in super::super) asked: VecDeque<MethodId>,
    /// The last publish tag, in confirm mode.
    pub(in super::super) published: Option<u64>,
    pub(in super::super) unconfirmed: Unconfirmed,
    /// The server wants no contents (channel.flow).
    pub(in super::super) paused: bool,
}

/// An ack or nack of many of which there is more to hand out.
#[derive(Debug)]
struct Confirming {
    channel: u16,
    up_to: u64,
    acknowledged: bool,
}

/// What a client keeps beside what both roles keep.
#[derive(Debug)]
pub struct ClientState {
    pub(in super::super) config: ClientConfig,
    confirming: Option<Confirming>,
}

impl Role for Client {
    type Config = ClientConfig;
    type Event<'a> = ClientEvent<'a>;
    type State = ClientState;
    type Channel = ClientChannel;

    // keeps: section 4.2.2 / header first
    fn begin(now: Duration, config: ClientConfig) -> (Core<ClientChannel>, ClientState) {
        let setup = Setup {
            role: SentBy::Client,
            limits_before_login: config.limits_before_login,
            limits: config.limits,
            handshake_timeout: config.handshake_timeout,
            close_timeout: config.close_timeout,
        };
        let mut core = Core::new(now, setup);
        core.raw(&ProtocolHeader::AMQP_0_9_1.to_bytes());
        let confirming = None;
        (core, ClientState { config, confirming })
    }

    /// A server that does not speak 0-9-1 says what it speaks.
    // keeps: connection / start / client-support
    fn protocol_header(
        connection: &mut Connection<Self>,
        input: &mut &[u8],
    ) -> Result<bool, ConnectionError> {
        match input.first() {
            None => Ok(false),
            Some(b'A') => match ProtocolHeader::decode(input) {
                Ok(None) => Ok(false),
                Ok(Some(other)) => Err(ConnectionError::Version(Some(other))),
                Err(error) => Err(error.into()),
            },
            Some(_) => {
                connection.core.phase = Phase::Start;
                Ok(true)
            }
        }
    }

    // keeps: connection / start / client-support
    fn handshake<'a>(
        connection: &mut Connection<Self>,
        now: Duration,
        method: Method<'a>,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        match (connection.core.phase, method) {
            (Phase::Start, Method::ConnectionStart(start)) => {
                if (start.version_major, start.version_minor) != (0, 9) {
                    return Err(ConnectionError::Version(None));
                }
                connection.core.capabilities =
                    Capabilities::from_properties(start.server_properties);
                connection.core.await_answer(Phase::Mechanism);
                connection.log_in(now, start.mechanisms)?;
                Ok(Some(ClientEvent::Start {
                    server_properties: start.server_properties,
                    mechanisms: start.mechanisms,
                    locales: start.locales,
                }))
            }
            (Phase::Tune, Method::ConnectionSecure(secure)) => {
                connection.core.await_answer(Phase::Response);
                Ok(Some(ClientEvent::Secure {
                    challenge: secure.challenge.0,
                }))
            }
            (Phase::Tune, Method::ConnectionTune(tune)) => {
                let ok = answer_tune(tune, &connection.state.config)?;
                connection.core.answer_short(0, &ok);
                let open = method::connection::Open {
                    virtual_host: &connection.state.config.virtual_host,
                };
                connection.core.answer(0, &open).map_err(cannot_say)?;
                connection.core.tuned(now, ok);
                connection.core.phase = Phase::Opening;
                Ok(None)
            }
            (Phase::Opening, Method::ConnectionOpenOk(_)) => {
                connection.core.opened(now);
                Ok(Some(ClientEvent::Opened))
            }
            (_, Method::ConnectionClose(close)) => Ok(Some(connection.closed_by_peer(close))),
            (_, method) => Err(ConnectionError::Handshake(Some(method.id()))),
        }
    }

    fn pending<'a>(connection: &mut Connection<Self>) -> Option<ClientEvent<'a>> {
        connection.confirm_more()
    }

    fn act<'a>(
        connection: &mut Connection<Self>,
        incoming: Incoming<'a>,
    ) -> Result<Option<ClientEvent<'a>>, ConnectionError> {
        Ok(Some(match incoming {
            Incoming::Nothing => return Ok(None),
            Incoming::Connection(method) => return connection.on_connection(method).map(Some),
            Incoming::Method(channel, method) => return connection.on_method(channel, method),
            Incoming::Content(channel, content) => {
                return connection.on_content(channel, content).map(Some);
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

    fn closed(close: connection::Close<'_>) -> ClientEvent<'_> {
        ClientEvent::Closed { close }
    }

    fn close_ok<'a>() -> ClientEvent<'a> {
        ClientEvent::CloseOk
    }
}

impl Connection<Client> {
    /// Answers connection.start as the configuration says, if it does.
    fn log_in(&mut self, now: Duration, mechanisms: &[u8]) -> Result<(), ConnectionError> {
        let (mechanism, response) = match &self.state.config.sasl {
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
            .split(|byte| *byte == b' ')
            .any(|offered| offered == mechanism.as_bytes())
        {
            return Err(ConnectionError::Mechanism(mechanism.into()));
        }
        match self.start_ok(now, mechanism, &response) {
            Err(SendError::Encode(error)) => Err(cannot_say(error)),
            _ => Ok(()),
        }
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
            Method::ConnectionUpdateSecretOk(_) if self.core.updating > 0 => {
                self.core.updating -= 1;
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
        let Some(channel) = self.core.channels.get_mut(&number) else {
            return Ok(None);
        };
        if let Method::ChannelClose(close) = method {
            self.core.remove_channel(number);
            self.core.answer_short(number, &channel::CloseOk {});
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
                    self.core
                        .answer_bounded(number, &basic::CancelOk { consumer_tag })?;
                }
                Ok(Some(ClientEvent::ConsumerCancelled {
                    channel: number,
                    consumer_tag,
                }))
            }
            Method::ChannelFlow(channel::Flow { active }) => {
                channel.data.paused = !active;
                self.core
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
        if self.core.open_channel(channel).is_err() {
            return Err(invalid(content.method().id()));
        }
        match content.kind() {
            Kind::Deliver {
                delivery_tag,
                redelivered,
            } => Ok(ClientEvent::Deliver(Delivery {
                channel,
                delivery_tag,
                redelivered,
                content,
            })),
            Kind::Return { reply_code } => Ok(ClientEvent::Return {
                channel,
                reply_code,
                content,
            }),
            Kind::GetOk {
                delivery_tag,
                redelivered,
                message_count,
            } => {
                if let Some(channel) = self.core.channels.get_mut(&channel) {
                    channel.data.answered(basic::GetOk::ID)?;
                }
                Ok(ClientEvent::GetOk {
                    channel,
                    delivery_tag,
                    redelivered,
                    message_count,
                    content,
                })
            }
            Kind::Publish { .. } => Err(invalid(basic::Publish::ID)),
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
        let data = match self.core.channels.get_mut(&channel) {
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
            self.state.confirming = Some(Confirming {
                channel,
                up_to: tag,
                acknowledged,
            });
            return Ok(self.confirm_more());
        }
        Ok(data
            .unconfirmed
            .take(tag)
            .then_some(ClientEvent::Confirm(Confirmation {
                channel,
                publish_tags: tag..=tag,
                acknowledged,
            })))
    }

    /// The next range of an ack or nack of many.
    fn confirm_more<'a>(&mut self) -> Option<ClientEvent<'a>> {
        let confirming = self.state.confirming.as_ref()?;
        let channel = self.core.channels.get_mut(&confirming.channel);
        let range = channel.and_then(|open| open.data.unconfirmed.take_up_to(confirming.up_to));
        match range {
            Some(publish_tags) => Some(ClientEvent::Confirm(Confirmation {
                channel: confirming.channel,
                publish_tags,
                acknowledged: confirming.acknowledged,
            })),
            None => {
                self.state.confirming = None;
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
