//! What both roles share: frames in, frames out, channels, timers, the end.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::BufMut;

use super::capabilities::Capabilities;
use super::content::{Assembled, Assembly, Content, Head, Held, Message};
use super::error::{ConnectionError, ReplyError, SendError};
use super::timer::{Reading, Timer, Timers};
use super::transmit::Transmit;
use crate::frame::{self, ContentHeader, FRAME_MIN_SIZE, FRAME_OVERHEAD, Frame, RawFrame, RawType};
use crate::method::{Fields, Identified, SentBy, channel, connection};
use crate::{EncodeError, Limits, Method, MethodId, ReplyCode};

/// Bytes of answers that may wait on a channel for the end of a body.
const WAITING: usize = 64 * 1024;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The protocol header is to come; to a client, only from a server that refuses.
    Header,
    /// start, or start-ok, is to come.
    Start,
    /// The application has to answer `Start`, or `Authenticate` and `Secure`.
    Mechanism,
    /// secure-ok is to come.
    Secure,
    /// The client's application has to answer `Secure`.
    Response,
    /// tune, or tune-ok, is to come; to a client, perhaps secure before.
    Tune,
    /// open is to come.
    Tuned,
    /// The server's application has to answer `Open`.
    VirtualHost,
    /// open-ok is to come.
    Opening,
    Open,
    /// connection.close was sent.
    Closing,
    /// Nothing more is to come.
    Closed,
}

/// What a role sets the rest up with.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    /// Which peer this is; the other must send its own methods only.
    pub(super) role: SentBy,
    pub(super) limits_before_login: Limits,
    pub(super) limits: Limits,
    pub(super) handshake_timeout: Duration,
    pub(super) close_timeout: Duration,
}

/// A body that is being sent in parts.
#[derive(Debug, Default)]
struct Sending {
    /// Bytes that are still to be sent.
    remaining: u64,
    /// Methods of the channel: they may not break into the content (section
    /// 4.2.6), so they wait for its end.
    waiting: Vec<u8>,
}

/// How far a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelState {
    /// The client has asked; open-ok is to come.
    Opening,
    Open,
    /// This side has sent channel.close: all is discarded but close and close-ok.
    Closing,
}

/// One channel; `data` is what its role keeps.
#[derive(Debug)]
pub(super) struct Channel<C> {
    pub(super) state: ChannelState,
    assembly: Assembly,
    pub(super) data: C,
}

/// What a frame comes to.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// Nothing to tell: a heartbeat, a part of a content, what is discarded.
    Nothing,
    /// A method on channel 0.
    Connection(Method<'a>),
    /// channel.open on a channel that is not.
    Open(u16),
    /// A method without content on a channel that is open or opening.
    Method(u16, Method<'a>),
    /// A content, whole, or to be followed by parts of its body.
    Content(u16, Content),
    /// A part of a body, after which so many bytes remain.
    Body(u16, &'a [u8], u64),
    /// The answer to our channel.close: the number is free.
    ChannelCloseOk(u16),
    /// The channel is being closed for this reason.
    ChannelFailed(u16, ReplyError),
}

#[derive(Debug)]
pub struct Core<C> {
    pub(super) phase: Phase,
    /// What is in force; before tune-ok those before login.
    pub(super) limits: Limits,
    /// This side's own, for after tune-ok.
    own_limits: Limits,
    role: SentBy,
    /// The limits of tune-ok. No frame-max is in force before.
    pub(super) agreed: connection::TuneOk,
    pub(super) capabilities: Capabilities,
    pub(super) transmit: Transmit,
    pub(super) channels: BTreeMap<u16, Channel<C>>,
    /// What the channels' assemblies hold.
    held: Held,
    /// Bodies on their way out in parts, by channel.
    sending: BTreeMap<u16, Sending>,
    /// update-secrets that wait for their answer.
    pub(super) updating: u32,
    pub(super) timers: Timers,
    /// Between heartbeats; zero for none.
    heartbeat: Duration,
    close_timeout: Duration,
    /// The latest time seen.
    now: Duration,
    /// What was left of the input when it was last looked at, in bytes.
    leftover: usize,
    pub(super) failed: Option<ConnectionError>,
}

impl<C: Default> Core<C> {
    // keeps: connection / tune / frame-max / minimum, connection / tune-ok / frame-max / minimum
    pub(super) fn new(now: Duration, setup: Setup) -> Self {
        // Until tune is over (rule connection / tune / frame-max / minimum).
        let before = setup.limits_before_login;
        let mut timers = Timers::default();
        timers.set(Timer::Handshake, now, setup.handshake_timeout);
        Self {
            phase: Phase::Header,
            // No content comes before tune-ok, and from a client none over frame-max.
            limits: before
                .with_frame_size(before.frame_size.max(FRAME_MIN_SIZE))
                .with_header_size(0),
            own_limits: setup.limits,
            role: setup.role,
            agreed: connection::TuneOk::default(),
            capabilities: Capabilities::default(),
            transmit: Transmit::default(),
            channels: BTreeMap::new(),
            held: Held::default(),
            sending: BTreeMap::new(),
            updating: 0,
            timers,
            heartbeat: Duration::ZERO,
            close_timeout: setup.close_timeout,
            now,
            leftover: 0,
            failed: None,
        }
    }

    /// Takes note of the time.
    pub(super) fn see(&mut self, now: Duration) {
        self.at(now);
    }

    /// The time, which never goes back.
    #[inline]
    fn at(&mut self, now: Duration) -> Duration {
        self.now = self.now.max(now);
        self.now
    }

    /// Takes tune's limits into force. Both peers count heartbeats from here on; zero
    /// seconds is none at all.
    // keeps: section 2.3.3 / limits hold
    pub(super) fn tuned(&mut self, now: Duration, tune: connection::TuneOk) {
        self.agreed = tune;
        self.limits = self.own_limits;
        // Clients exist that count the payload only, so RabbitMQ lets frames be
        // longer than frame-max by what is not payload. So does this.
        let agreed = match tune.frame_max {
            0 => u32::MAX,
            bytes => bytes.saturating_add(FRAME_OVERHEAD as u32),
        };
        self.limits.frame_size = agreed.min(self.limits.frame_size.max(FRAME_MIN_SIZE));
        if self.role == SentBy::Server {
            self.limits.header_size = 0;
        }
        if tune.channel_max != 0 {
            self.limits.channel_max = self.limits.channel_max.min(tune.channel_max);
        }
        self.heartbeat = Duration::from_secs(tune.heartbeat.into());
        self.heard(now);
        self.sent(now);
    }

    /// The handshake is over.
    pub(super) fn opened(&mut self) {
        self.timers.stop(Timer::Handshake);
        self.phase = Phase::Open;
    }

    // Receiving.

    /// What every call to `receive` begins with: sticky errors, and signs of life.
    #[inline]
    pub(super) fn begin(
        &mut self,
        now: Duration,
        input: &mut &[u8],
    ) -> Result<Duration, ConnectionError> {
        let now = self.at(now);
        if let Some(error) = self.failed.clone() {
            self.linger(input);
            return Err(error);
        }
        // More input than was left is traffic, also of a frame that is still coming.
        if input.len() > self.leftover {
            self.heard(now);
        }
        Ok(now)
    }

    /// What every call to `receive` ends with. Input that was taken is traffic too,
    /// however long the embedder had kept it.
    #[inline]
    pub(super) fn end(&mut self, now: Duration, before: usize, left: usize) {
        if left < before {
            self.heard(now);
        }
        self.leftover = left;
    }

    /// The frame at the front of `input`, which is taken.
    #[inline]
    pub(super) fn next_frame<'a>(
        &self,
        input: &mut &'a [u8],
    ) -> Result<Option<RawFrame<'a>>, ConnectionError> {
        let Some((raw, len)) = RawFrame::split(input, &self.limits)? else {
            return Ok(None);
        };
        *input = &input[len..];
        Ok(Some(raw))
    }

    /// A method on channel 0 during the handshake; `None` for a heartbeat.
    pub(super) fn handshake_method<'a>(
        &self,
        raw: RawFrame<'a>,
    ) -> Result<Option<Method<'a>>, ConnectionError> {
        match raw.decode(&self.limits)? {
            Frame::Heartbeat => Ok(None),
            Frame::Method { channel: 0, method } => Ok(Some(method)),
            _ => Err(ConnectionError::Handshake(raw.method_id())),
        }
    }

    /// A frame on an open connection.
    // keeps: channel / close / stability, section 4.2.7 / discarded
    pub(super) fn incoming<'a>(
        &mut self,
        raw: RawFrame<'a>,
        input: &mut &'a [u8],
    ) -> Result<Incoming<'a>, ConnectionError> {
        if raw.raw_type() == RawType::Heartbeat {
            raw.decode(&self.limits)?;
            return Ok(Incoming::Nothing);
        }
        let number = raw.channel();
        if number == 0 {
            return self.on_channel_zero(raw);
        }
        let Some(channel) = self.channels.get_mut(&number) else {
            return self.on_closed_channel(raw);
        };
        if channel.state == ChannelState::Closing {
            // Looked at no further than to know whether it is one of the two
            // that count (rule channel / close / stability).
            match raw.method_id() {
                channel::CloseOk::ID => {
                    self.remove_channel(number);
                    return Ok(Incoming::ChannelCloseOk(number));
                }
                channel::Close::ID => {
                    // A content that was being sent is of no use any more, but
                    // this side's own close may wait behind it.
                    if let Some(sending) = self.sending.remove(&number) {
                        self.transmit.buffer().extend_from_slice(&sending.waiting);
                    }
                    self.answer_short(number, &channel::CloseOk {});
                }
                _ => {}
            }
            return Ok(Incoming::Nothing);
        }
        if raw.raw_type() != RawType::Method || !channel.assembly.is_idle() {
            let assembled = channel.assembly.frame(raw, &self.limits, &mut self.held)?;
            let method = channel.assembly.method();
            return Ok(self.assembled(number, assembled, method, raw.payload));
        }
        let Frame::Method { method, .. } = raw.decode(&self.limits)? else {
            return Ok(Incoming::Nothing);
        };
        let info = method.info();
        if info.id.class_id == connection::Close::ID.class_id || info.sent_by == self.role {
            return Err(
                ReplyError::connection(ReplyCode::CommandInvalid, "unimplemented method")
                    .caused_by(info.id)
                    .into(),
            );
        }
        if let Some(head) = Head::of(&method) {
            let assembled = channel
                .assembly
                .start(head, raw, input, &self.limits, &mut self.held);
            return Ok(self.assembled(number, assembled, info.id, &[]));
        }
        Ok(Incoming::Method(number, method))
    }

    /// What a frame of this method's content comes to. A content that is too
    /// large, alone or with the others, closes its channel.
    fn assembled<'a>(
        &mut self,
        number: u16,
        assembled: Assembled,
        method: MethodId,
        part: &'a [u8],
    ) -> Incoming<'a> {
        let (code, text) = match assembled {
            Assembled::Partly => return Incoming::Nothing,
            Assembled::Complete(content) => return Incoming::Content(number, content),
            Assembled::Part(remaining) => return Incoming::Body(number, part, remaining),
            // As RabbitMQ answers it. 311 is for a size that is too large "at the
            // present time", which the client may try again.
            Assembled::TooLarge(size) => (
                ReplyCode::PreconditionFailed,
                alloc::format!(
                    "message size {size} is larger than configured max size {}",
                    self.limits.body_size
                ),
            ),
            Assembled::NoRoom => (
                ReplyCode::ContentTooLarge,
                alloc::format!(
                    "contents that are not complete, at most {} bytes are held",
                    self.limits.held_size
                ),
            ),
        };
        let error = ReplyError::new(code, number, text).caused_by(method);
        let closing = self.send_channel_close(number, &error);
        debug_assert_eq!(closing, Ok(()));
        Incoming::ChannelFailed(number, error)
    }

    // keeps: section 4.2.3 / size and channel, section 4.2.6.1 / channel
    fn on_channel_zero<'a>(&self, raw: RawFrame<'a>) -> Result<Incoming<'a>, ConnectionError> {
        if raw.raw_type() != RawType::Method {
            // Section 4.2.6.1: contents are never on channel 0.
            return Err(ReplyError::connection(
                ReplyCode::ChannelError,
                "content frame on channel 0",
            )
            .into());
        }
        let Frame::Method { method, .. } = raw.decode(&self.limits)? else {
            return Ok(Incoming::Nothing);
        };
        let info = method.info();
        let error = |code, text: &str| ReplyError::connection(code, text).caused_by(info.id).into();
        if info.id.class_id != connection::Close::ID.class_id {
            return Err(error(ReplyCode::ChannelError, "method needs a channel"));
        }
        if info.sent_by == self.role {
            return Err(error(ReplyCode::CommandInvalid, "unimplemented method"));
        }
        Ok(Incoming::Connection(method))
    }

    // keeps: section 4.3 / channels
    fn on_closed_channel<'a>(&self, raw: RawFrame<'a>) -> Result<Incoming<'a>, ConnectionError> {
        let number = raw.channel();
        let error = |code, text: &str| {
            ReplyError::connection(code, text)
                .caused_by(raw.method_id())
                .into()
        };
        if self.role != SentBy::Server || raw.method_id() != channel::Open::ID {
            return Err(error(ReplyCode::ChannelError, "expected 'channel.open'"));
        }
        raw.decode(&self.limits)?;
        if number > self.limits.channel_max {
            return Err(error(
                ReplyCode::NotAllowed,
                "channel number is above the negotiated channel-max",
            ));
        }
        Ok(Incoming::Open(number))
    }

    /// A frame after this side's connection.close: all is discarded but close
    /// and close-ok (rule connection / close / stability). Returns whether it is over.
    // keeps: connection / close / stability
    pub(super) fn on_closing(&mut self, raw: RawFrame<'_>) -> bool {
        if raw.channel() != 0 {
            return false;
        }
        match raw.method_id() {
            connection::CloseOk::ID => {
                self.set_closed();
                true
            }
            connection::Close::ID => {
                self.answer_short(0, &connection::CloseOk {});
                false
            }
            _ => false,
        }
    }

    /// After a goodbye for an error: nothing counts any more but the peer's
    /// close and close-ok.
    fn linger(&mut self, input: &mut &[u8]) {
        while self.phase != Phase::Closed {
            match self.next_frame(input) {
                Ok(Some(raw)) => drop(self.on_closing(raw)),
                Ok(None) => return,
                Err(_) => self.set_closed(),
            }
        }
        *input = &[];
    }

    // Channels.

    pub(super) fn insert_channel(&mut self, number: u16, state: ChannelState) {
        let channel = Channel {
            state,
            assembly: Assembly::Idle,
            data: C::default(),
        };
        self.channels.insert(number, channel);
    }

    /// Forgets a channel: its number is free.
    pub(super) fn remove_channel(&mut self, number: u16) {
        if let Some(mut channel) = self.channels.remove(&number) {
            self.held.give_up(&mut channel.assembly);
        }
        self.sending.remove(&number);
    }

    fn remove_channels(&mut self) {
        self.channels.clear();
        self.held = Held::default();
        self.sending.clear();
    }

    /// Whether the body of a content that was handed out is still to come.
    pub(super) fn is_in_parts(&self, number: u16) -> bool {
        self.channels
            .get(&number)
            .is_some_and(|channel| channel.assembly.is_in_parts())
    }

    pub(super) fn open_channel(&mut self, number: u16) -> Result<&mut Channel<C>, SendError> {
        match self.channels.get_mut(&number) {
            Some(channel) if channel.state == ChannelState::Open => Ok(channel),
            _ => Err(SendError::ChannelNotOpen(number)),
        }
    }

    /// Sends channel.close; from here on the channel's frames are discarded.
    // keeps: section 2.3.7 / close is a hand-shake
    pub(super) fn send_channel_close(
        &mut self,
        number: u16,
        error: &ReplyError,
    ) -> Result<(), SendError> {
        let Some(channel) = self
            .channels
            .get_mut(&number)
            .filter(|channel| channel.state != ChannelState::Closing)
        else {
            return Err(SendError::ChannelNotOpen(number));
        };
        channel.state = ChannelState::Closing;
        self.held.give_up(&mut channel.assembly);
        channel.data = C::default();
        let text = error.reply_text();
        let close = channel::Close {
            reply_code: error.reply_code.code(),
            reply_text: &text,
            class_id: error.method.class_id,
            method_id: error.method.method_id,
        };
        self.answer_short(number, &close);
        Ok(())
    }

    // Sending.

    /// Queues a method frame, behind a body that is being sent on its channel.
    #[inline]
    pub(super) fn answer<A: Fields + Identified>(
        &mut self,
        channel: u16,
        arguments: &A,
    ) -> Result<(), EncodeError> {
        let most = self.payload_max();
        let out = match self.sending.get_mut(&channel) {
            None => self.transmit.buffer(),
            Some(sending) => &mut sending.waiting,
        };
        frame::encode_method(channel, arguments, most, out)
    }

    /// Where the next method frame of a channel will lie in what is transmitted, unless
    /// it waits for the end of a body.
    #[inline]
    pub(super) fn position(&self, channel: u16) -> Option<u64> {
        let waits = self.sending.contains_key(&channel);
        (!waits).then(|| self.transmit.position())
    }

    /// Writes a method frame over one of the same length at `position`, unless some of
    /// that has left. Returns whether it did.
    #[inline]
    pub(super) fn replace<A: Fields + Identified>(
        &mut self,
        position: u64,
        channel: u16,
        arguments: &A,
    ) -> Result<bool, EncodeError> {
        let most = self.payload_max();
        match self.transmit.waiting_from(position) {
            Some(mut place) => {
                frame::encode_method(channel, arguments, most, &mut place).map(|()| true)
            }
            None => Ok(false),
        }
    }

    /// As [`answer_short`](Self::answer_short), to a method that the peer may
    /// repeat: it must not be able to fill what waits behind a body.
    pub(super) fn answer_bounded<A: Fields + Identified>(
        &mut self,
        channel: u16,
        arguments: &A,
    ) -> Result<(), ConnectionError> {
        self.answer_short(channel, arguments);
        match self.sending.get(&channel) {
            Some(sending) if sending.waiting.len() > WAITING => Err(ReplyError::connection(
                ReplyCode::ResourceError,
                "too many answers wait for the end of a body",
            )
            .caused_by(A::ID)
            .into()),
            _ => Ok(()),
        }
    }

    /// Queues a method frame whose strings, if any, are known to be short.
    pub(super) fn answer_short<A: Fields + Identified>(&mut self, channel: u16, arguments: &A) {
        let answered = self.answer(channel, arguments);
        debug_assert_eq!(answered, Ok(()));
    }

    /// Queues a content: method, header, and the body in frames of frame-max.
    /// What the body falls short of `body_size` is to be sent in parts.
    #[inline]
    pub(super) fn content<A: Fields + Identified>(
        &mut self,
        channel: u16,
        arguments: &A,
        message: &Message<'_>,
        body_size: u64,
    ) -> Result<(), SendError> {
        if let Some(sending) = self.sending.get(&channel) {
            let remaining = sending.remaining;
            return Err(SendError::BodyLength { remaining });
        }
        let remaining = rest_of_body(message.body, body_size)?;
        let header = ContentHeader {
            body_size,
            properties: message.properties,
        };
        // A server passes on what cannot be split (erratum 11).
        if self.role == SentBy::Client {
            frame::fits(header.payload_len(), self.payload_max())?;
        }
        self.answer(channel, arguments)?;
        frame::encode_header(channel, &header, self.transmit.buffer());
        self.body_frames(channel, message.body);
        if remaining > 0 {
            let waiting = Vec::new();
            self.sending.insert(channel, Sending { remaining, waiting });
        }
        Ok(())
    }

    /// Bytes that a frame to send may carry.
    #[inline]
    fn payload_max(&self) -> usize {
        match self.agreed.frame_max {
            0 => u32::MAX as usize - FRAME_OVERHEAD,
            bytes => (bytes as usize).saturating_sub(FRAME_OVERHEAD).max(1),
        }
    }

    // keeps: section 2.3.5.2 / body frames, section 4.2.3 / size and channel
    #[inline]
    fn body_frames(&mut self, channel: u16, bytes: &[u8]) {
        for part in bytes.chunks(self.payload_max()) {
            frame::encode_body(channel, part, self.transmit.buffer());
        }
    }

    /// Queues the next part of a body. Returns how many bytes remain to be sent.
    pub(super) fn send_body(&mut self, channel: u16, part: &[u8]) -> Result<u64, SendError> {
        if !self.channels.contains_key(&channel) {
            return Err(SendError::ChannelNotOpen(channel));
        }
        let before = self.sending.get(&channel).map_or(0, |body| body.remaining);
        let remaining = rest_of_body(part, before)?;
        self.body_frames(channel, part);
        if let Some(sending) = self.sending.get_mut(&channel) {
            sending.remaining = remaining;
            if remaining == 0 {
                let sending = self.sending.remove(&channel).unwrap_or_default();
                self.transmit.buffer().extend_from_slice(&sending.waiting);
            }
        }
        Ok(remaining)
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.transmit.buffer().extend_from_slice(bytes);
    }

    pub(super) fn poll_transmit(&mut self, now: Duration, out: &mut impl BufMut) -> usize {
        let now = self.at(now);
        let len = self.transmit.poll(out);
        if len > 0 {
            self.sent(now);
        }
        len
    }

    // Time.

    /// Whether the peers watch each other: from tune-ok to the end.
    fn watches(&self) -> bool {
        !self.heartbeat.is_zero() && !matches!(self.phase, Phase::Closing | Phase::Closed)
    }

    /// The peer lives: any traffic stands in for a heartbeat (section 4.2.7).
    #[inline]
    fn heard(&mut self, now: Duration) {
        if self.watches() {
            self.timers.set(Timer::Receive, now, self.heartbeat * 2);
        }
    }

    /// This side has shown that it lives. A heartbeat after half an interval leaves
    /// the peer at most one without, however late this side's timers are.
    #[inline]
    fn sent(&mut self, now: Duration) {
        if self.watches() {
            self.timers.set(Timer::Send, now, self.heartbeat / 2);
        }
    }

    pub(super) fn set_reading(&mut self, now: Duration, reading: Reading) {
        let now = self.at(now);
        if self.timers.reading == Reading::Paused && reading == Reading::Running {
            self.heard(now);
        }
        self.timers.reading = reading;
    }

    /// Does what is due; heartbeats are queued here.
    pub(super) fn handle_timeout(&mut self, now: Duration) -> Result<(), ConnectionError> {
        let now = self.at(now);
        while let Some(timer) = self.timers.expired(now) {
            let error = match timer {
                Timer::Send => {
                    // What waits to be transmitted is as good a sign of life.
                    if self.transmit.len() == 0 {
                        frame::encode_heartbeat(self.transmit.buffer());
                    }
                    self.sent(now);
                    continue;
                }
                Timer::Handshake => ConnectionError::HandshakeTimeout,
                Timer::Receive => ConnectionError::PeerTimeout,
                Timer::Close => {
                    if self.failed.is_some() {
                        self.set_closed();
                        break;
                    }
                    ConnectionError::CloseTimeout
                }
            };
            return Err(self.fail(now, error));
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    // The end.

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open && self.failed.is_none()
    }

    pub(super) fn must_be_open(&self) -> Result<(), SendError> {
        match self.phase {
            Phase::Open if self.failed.is_none() => Ok(()),
            Phase::Open | Phase::Closing | Phase::Closed => Err(SendError::Closed),
            _ => Err(SendError::NotOpen),
        }
    }

    /// Whether nothing may be sent any more: closed, or about to be for an error.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Closed || self.failed.is_some()
    }

    /// Whether connection.close has somebody to go to: the virtual host is open, or
    /// about to be.
    // keeps: section 2.2.4 / no hand-shake before open
    fn has_goodbye(&self) -> bool {
        matches!(
            self.phase,
            Phase::VirtualHost | Phase::Opening | Phase::Open
        )
    }

    /// Closes the connection, with a word if there is somebody to say it to.
    pub(super) fn close(&mut self, now: Duration, error: &ReplyError) -> Result<(), SendError> {
        if self.is_over() || self.phase == Phase::Closing {
            return Err(SendError::Closed);
        }
        if self.has_goodbye() {
            self.send_close(now, error);
        } else {
            self.set_closed();
        }
        Ok(())
    }

    /// Sends connection.close; close-ok must come in time, counted from now.
    // keeps: section 2.3.7 / close is a hand-shake
    pub(super) fn send_close(&mut self, now: Duration, error: &ReplyError) {
        let now = self.at(now);
        self.remove_channels();
        self.phase = Phase::Closing;
        self.timers.stop_all();
        self.timers.set(Timer::Close, now, self.close_timeout);
        let text = error.reply_text();
        let close = connection::Close {
            reply_code: error.reply_code.code(),
            reply_text: &text,
            class_id: error.method.class_id,
            method_id: error.method.method_id,
        };
        self.answer_short(0, &close);
    }

    /// The protocol is over; what is queued is still transmitted.
    pub(super) fn set_closed(&mut self) {
        self.phase = Phase::Closed;
        self.timers.stop_all();
        self.remove_channels();
    }

    /// Ends for an error, which every later call returns again. The answer to the
    /// goodbye is waited for, unless the peer is beyond answering.
    pub(super) fn fail(&mut self, now: Duration, error: ConnectionError) -> ConnectionError {
        if self.failed.is_none() {
            let reply = error.reply().filter(|_| self.has_goodbye());
            if let Some(reply) = &reply {
                self.send_close(now, reply);
            }
            if reply.is_none() || !error.leaves_frames() {
                self.set_closed();
            }
            self.failed = Some(error.clone());
        }
        error
    }

    /// The peer closed its side.
    pub(super) fn eof(&mut self, now: Duration) -> Result<(), ConnectionError> {
        let now = self.at(now);
        if let Some(error) = self.failed.clone() {
            self.set_closed();
            return Err(error);
        }
        match self.phase {
            Phase::Closed => Ok(()),
            _ => Err(self.fail(now, ConnectionError::UnexpectedEof)),
        }
    }
}

/// What remains of a body of `remaining` bytes after this part of it.
fn rest_of_body(part: &[u8], remaining: u64) -> Result<u64, SendError> {
    remaining
        .checked_sub(part.len() as u64)
        .ok_or(SendError::BodyLength { remaining })
}
