//! What a server does with what comes in.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use core::time::Duration;

use super::super::config::ServerConfig;
use super::super::confirm::Confirms;
use super::super::content::{Content, Kind};
use super::super::core::{ChannelState, Core, Incoming, Phase, Setup};
use super::super::error::{ConnectionError, ReplyError};
use super::super::event::{InboundPublish, Request, ServerEvent};
use super::super::role::{Role, Server};
use super::super::tune::check_tune_ok;
use super::super::{Capabilities, Connection};
use crate::frame::FRAME_MIN_SIZE;
use crate::method::{self, SentBy, channel, connection};
use crate::{Method, MethodId, ProtocolHeader, ReplyCode, TableBuf};

/// A request that the application has not answered.
#[derive(Debug)]
pub(in super::super) struct Asked {
    pub(in super::super) method: MethodId,
    pub(in super::super) no_wait: bool,
}

/// What the server role keeps of a channel.
#[derive(Debug, Default)]
pub struct ServerChannel {
    pub(in super::super) asked: VecDeque<Asked>,
    /// The last delivery tag.
    pub(in super::super) delivered: u64,
    /// The last publish tag, in confirm mode.
    pub(in super::super) published: Option<u64>,
    pub(in super::super) confirms: Confirms,
    /// The client wants no contents (channel.flow).
    pub(in super::super) paused: bool,
}

/// What a server keeps beside what both roles keep.
#[derive(Debug)]
pub struct ServerState {
    /// Until start is sent.
    server_properties: TableBuf,
    mechanisms: String,
    locales: String,
    pub(in super::super) offered: connection::Tune,
}

impl Role for Server {
    type Config = ServerConfig;
    type Event<'a> = ServerEvent<'a>;
    type State = ServerState;
    type Channel = ServerChannel;

    fn begin(now: Duration, config: ServerConfig) -> (Core<ServerChannel>, ServerState) {
        let frame_size = config.limits.frame_size.max(FRAME_MIN_SIZE);
        let offer = |value: u32, limit: u32| if value == 0 { limit } else { value.min(limit) };
        let channel_max = offer(config.channel_max.into(), config.limits.channel_max.into());
        let setup = Setup {
            role: SentBy::Server,
            limits_before_login: config.limits_before_login,
            limits: config.limits,
            handshake_timeout: config.handshake_timeout,
            close_timeout: config.close_timeout,
        };
        let state = ServerState {
            offered: connection::Tune {
                channel_max: channel_max as u16,
                frame_max: offer(config.frame_max, frame_size),
                heartbeat: config.heartbeat,
            },
            server_properties: config.server_properties,
            mechanisms: config.mechanisms,
            locales: config.locales,
        };
        (Core::new(now, setup), state)
    }

    /// Section 4.2.2.
    // keeps: connection / start / protocol-name, connection / start / server-support
    // keeps: section 4.2.2 / header is answered
    fn protocol_header(
        connection: &mut Connection<Self>,
        input: &mut &[u8],
    ) -> Result<bool, ConnectionError> {
        let received = match ProtocolHeader::decode(input) {
            Ok(None) => return Ok(false),
            Ok(Some(ProtocolHeader::AMQP_0_9_1)) => {
                *input = &input[ProtocolHeader::LEN..];
                // They are said once.
                let properties = core::mem::take(&mut connection.state.server_properties);
                let start = method::connection::Start {
                    version_major: 0,
                    version_minor: 9,
                    server_properties: properties.as_table(),
                    mechanisms: connection.state.mechanisms.as_bytes(),
                    locales: connection.state.locales.as_bytes(),
                };
                connection.core.answer_short(0, &start);
                connection.core.phase = Phase::Start;
                return Ok(true);
            }
            Ok(Some(other)) => Some(other),
            Err(_) => None,
        };
        connection.core.raw(&ProtocolHeader::AMQP_0_9_1.to_bytes());
        Err(ConnectionError::Version(received))
    }

    // keeps: connection / start-ok / mechanism / validity, section 3.1.2 / one virtual host
    fn handshake<'a>(
        connection: &mut Connection<Self>,
        now: Duration,
        method: Method<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        match (connection.core.phase, method) {
            (Phase::Start, Method::ConnectionStartOk(ok)) => {
                if !connection
                    .state
                    .mechanisms
                    .split(' ')
                    .any(|offered| offered == ok.mechanism)
                {
                    return Err(ConnectionError::Mechanism(ok.mechanism.to_string()));
                }
                connection.core.capabilities = Capabilities::from_properties(ok.client_properties);
                connection.core.await_answer(Phase::Mechanism);
                Ok(Some(ServerEvent::Authenticate {
                    mechanism: ok.mechanism,
                    response: ok.response.0,
                    locale: ok.locale,
                    client_properties: ok.client_properties,
                }))
            }
            (Phase::Secure, Method::ConnectionSecureOk(ok)) => {
                connection.core.await_answer(Phase::Mechanism);
                Ok(Some(ServerEvent::Secure {
                    response: ok.response.0,
                }))
            }
            (Phase::Tune, Method::ConnectionTuneOk(ok)) => {
                check_tune_ok(connection.state.offered, ok)?;
                connection.core.tuned(now, ok);
                connection.core.phase = Phase::Tuned;
                Ok(None)
            }
            (Phase::Tuned, Method::ConnectionOpen(open)) => {
                connection.core.await_answer(Phase::VirtualHost);
                Ok(Some(ServerEvent::Open {
                    virtual_host: open.virtual_host,
                }))
            }
            (_, Method::ConnectionClose(close)) => Ok(Some(connection.closed_by_peer(close))),
            (_, method) => Err(ConnectionError::Handshake(Some(method.id()))),
        }
    }

    fn pending<'a>(_: &mut Connection<Self>) -> Option<ServerEvent<'a>> {
        None
    }

    // keeps: channel / open / state
    fn act<'a>(
        connection: &mut Connection<Self>,
        incoming: Incoming<'a>,
    ) -> Result<Option<ServerEvent<'a>>, ConnectionError> {
        let invalid = |code, text: &str, method| -> ConnectionError {
            ReplyError::connection(code, text).caused_by(method).into()
        };
        Ok(Some(match incoming {
            Incoming::Nothing => return Ok(None),
            Incoming::Connection(Method::ConnectionClose(close)) => {
                connection.closed_by_peer(close)
            }
            Incoming::Connection(Method::ConnectionUpdateSecret(update)) => {
                connection.core.updating = connection.core.updating.saturating_add(1);
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
                connection.core.insert_channel(channel, ChannelState::Open);
                connection.core.answer_short(channel, &channel::OpenOk {});
                ServerEvent::ChannelOpened { channel }
            }
            Incoming::Method(channel, Method::ChannelClose(close)) => {
                connection.core.remove_channel(channel);
                connection.core.answer_short(channel, &channel::CloseOk {});
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
                connection.note(channel, &request);
                ServerEvent::Request { channel, request }
            }
            Incoming::Content(channel, content) => {
                return Ok(connection.published(channel, content));
            }
            Incoming::Body(channel, part, remaining) => ServerEvent::Body {
                channel,
                part,
                remaining,
            },
            Incoming::ChannelCloseOk(channel) => ServerEvent::ChannelCloseOk { channel },
            Incoming::ChannelFailed(channel, error) => {
                ServerEvent::ChannelFailed { channel, error }
            }
        }))
    }

    fn closed(close: connection::Close<'_>) -> ServerEvent<'_> {
        ServerEvent::Closed { close }
    }

    fn close_ok<'a>() -> ServerEvent<'a> {
        ServerEvent::CloseOk
    }
}

impl Connection<Server> {
    /// Notes what a request leaves to be done.
    fn note(&mut self, channel: u16, request: &Request<'_>) {
        let Ok(channel) = self.core.open_channel(channel) else {
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
        let data = &mut self.core.open_channel(channel).ok()?.data;
        if let Some(tag) = &mut data.published {
            *tag += 1;
            data.confirms.published(*tag);
        }
        let publish_tag = data.published;
        let Kind::Publish {
            mandatory,
            immediate,
        } = content.kind()
        else {
            return None;
        };
        Some(ServerEvent::Publish(InboundPublish {
            channel,
            publish_tag,
            mandatory,
            immediate,
            content,
        }))
    }
}
