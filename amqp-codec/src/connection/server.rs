//! The server role.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use core::time::Duration;

use bytes::BufMut;

use super::content::Content;
use super::engine::{ChannelState, Engine, Incoming};
use super::error::{ConnectionError, ReplyError};
use super::handshake::{Capabilities, ServerConfig, check_tune_ok};
use crate::frame::FRAME_MIN_SIZE;
use crate::method::{SentBy, channel, connection};
use crate::{Limits, Method, MethodId, ProtocolHeader, ReplyCode, TableBuf};

mod answer;
mod event;

pub use event::{Request, ServerEvent};

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
    limits: Limits,
    capabilities: Capabilities,
    /// update-secrets that wait for their answer.
    updating: u32,
}

impl ServerConnection {
    /// A connection that a client has just made.
    #[must_use]
    pub fn new(now: Duration, config: ServerConfig) -> Self {
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
            limits: config.limits,
            capabilities: Capabilities::default(),
            updating: 0,
        }
    }

    // The drive contract.

    /// Takes frames from the front of `input` until one makes an event. `None`
    /// means that what is left is no whole frame, or that the application has
    /// to answer first; keep it, and present it again with what comes next.
    ///
    /// # Errors
    /// When the client broke the protocol: the connection is over, and every
    /// later call says the same. A goodbye may wait to be transmitted, and its
    /// answer to be received: go on until [`is_closed`](Self::is_closed).
    // keeps: basic / reject / 01
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
        self.phase == Phase::Open && !self.engine.is_over()
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
    // keeps: connection / start / protocol-name, connection / start / server-support
    // keeps: section 4.2.2 / header is answered
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

    // keeps: connection / start-ok / mechanism / validity, section 3.1.2 / one virtual host
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
                self.engine.tuned(now, ok, self.limits);
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

    // keeps: section 2.3.7 / close is a hand-shake
    fn closed_by_peer<'a>(&mut self, close: connection::Close<'a>) -> ServerEvent<'a> {
        self.engine.answer_short(0, &connection::CloseOk {});
        self.engine.set_closed();
        ServerEvent::Closed { close }
    }

    // keeps: channel / open / state
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
                self.updating = self.updating.saturating_add(1);
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
                self.engine.remove_channel(channel);
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
}
