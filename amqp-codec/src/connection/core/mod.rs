//! What both roles share: frames in, frames out, channels, timers, the end.

// Channels, which share a connection (section 4.3).
mod channel;
mod inbound;
mod outbound;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::time::Duration;

use self::channel::Channel;
use self::outbound::Sending;
use super::capabilities::Capabilities;
use super::content::Held;
use super::error::{ConnectionError, ReplyError, SendError};
use super::timer::{Reading, Timer, Timers};
use super::transmit::Transmit;
use crate::Limits;
use crate::frame::{self, FRAME_MIN_SIZE, FRAME_OVERHEAD, PartialFrame};
use crate::method::{SentBy, connection};

pub(super) use self::channel::ChannelState;
#[expect(unreachable_pub, reason = "a sealed trait names it")]
pub use self::inbound::Incoming;

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

/// What both roles keep. `C` is what a role keeps of each channel.
#[derive(Debug)]
pub struct Core<C> {
    pub(super) phase: Phase,
    /// What is in force; before tune-ok those before login.
    pub(super) limits: Limits,
    /// This side's own, for after tune-ok.
    pub(super) own_limits: Limits,
    pub(super) role: SentBy,
    /// The limits of tune-ok. No frame-max is in force before.
    pub(super) agreed: connection::TuneOk,
    pub(super) capabilities: Capabilities,
    pub(super) transmit: Transmit,
    /// How many encoded bytes have left, those of bodies' own memory apart.
    pub(super) left: u64,
    /// In boxes: most connections have one, and a map has room for eleven from the first on.
    pub(super) channels: BTreeMap<u16, Box<Channel<C>>>,
    /// Every channel number below this one is in use, but for 0.
    pub(super) first_free: u16,
    /// What the channels' assemblies hold.
    pub(super) held: Held,
    /// The frame that is being received in parts.
    pub(super) partial: Option<PartialFrame>,
    /// Bodies on their way out in parts, by channel.
    pub(super) sending: BTreeMap<u16, Sending>,
    /// update-secrets that wait for their answer.
    pub(super) updating: u32,
    pub(super) timers: Timers,
    /// Between heartbeats; zero for none.
    pub(super) heartbeat: Duration,
    pub(super) handshake_timeout: Duration,
    pub(super) close_timeout: Duration,
    /// The latest time seen.
    pub(super) now: Duration,
    /// What was left of the input when it was last looked at, in bytes.
    pub(super) left_over: usize,
    pub(super) error: Option<ConnectionError>,
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
            left: 0,
            channels: BTreeMap::new(),
            first_free: 1,
            held: Held::default(),
            partial: None,
            sending: BTreeMap::new(),
            updating: 0,
            timers,
            heartbeat: Duration::ZERO,
            handshake_timeout: setup.handshake_timeout,
            close_timeout: setup.close_timeout,
            now,
            left_over: 0,
            error: None,
        }
    }

    /// Takes note of the time.
    pub(super) fn set_now(&mut self, now: Duration) {
        self.at(now);
    }

    /// The time, which never goes back.
    #[inline]
    fn at(&mut self, now: Duration) -> Duration {
        self.now = self.now.max(now);
        self.now
    }

    /// Takes tune's limits into force. Both peers count heartbeats from here on; zero
    /// seconds is none at all. The frame that is being taken is the first that is heard.
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
        self.sent(now);
    }

    /// The application is to answer. How long it takes for that is no fault of the peer.
    pub(super) fn await_answer(&mut self, phase: Phase) {
        self.phase = phase;
        self.timers.stop(Timer::Handshake);
        self.timers.stop(Timer::Receive);
    }

    /// The application has answered, and the peer is to go on in time.
    pub(super) fn await_peer(&mut self, now: Duration, phase: Phase) {
        let now = self.at(now);
        self.phase = phase;
        self.timers
            .set(Timer::Handshake, now, self.handshake_timeout);
    }

    /// The handshake is over.
    pub(super) fn opened(&mut self, now: Duration) {
        let now = self.at(now);
        self.timers.stop(Timer::Handshake);
        self.phase = Phase::Open;
        self.heard(now);
    }

    // Time.

    /// Whether the peers watch each other: from tune-ok to the end.
    fn watches(&self) -> bool {
        !self.heartbeat.is_zero() && !matches!(self.phase, Phase::Closing | Phase::Closed)
    }

    /// The peer lives: any traffic stands in for a heartbeat (section 4.2.7). While the
    /// application is to open the virtual host, nothing is taken and nothing need come.
    #[inline]
    fn heard(&mut self, now: Duration) {
        if self.watches() && self.phase != Phase::VirtualHost {
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
                    if self.error.is_some() {
                        self.set_closed();
                        break;
                    }
                    ConnectionError::CloseTimeout
                }
            };
            return Err(self.fail(now, error));
        }
        match &self.error {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    // The end.

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open && self.error.is_none()
    }

    pub(super) fn must_be_open(&self) -> Result<(), SendError> {
        match self.phase {
            Phase::Open if self.error.is_none() => Ok(()),
            Phase::Open | Phase::Closing | Phase::Closed => Err(SendError::Closed),
            _ => Err(SendError::NotOpen),
        }
    }

    /// Whether nothing may be sent any more: closed, or about to be for an error.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Closed || self.error.is_some()
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
        let (text, cause) = (error.reply_text(), error.cause());
        let close = connection::Close {
            reply_code: error.reply_code.code(),
            reply_text: &text,
            class_id: cause.class_id,
            method_id: cause.method_id,
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
        if self.error.is_none() {
            let reply = error.reply().filter(|_| self.has_goodbye());
            if let Some(reply) = &reply {
                self.send_close(now, reply);
            }
            if reply.is_none() || !error.leaves_frames() {
                self.set_closed();
            }
            self.error = Some(error.clone());
        }
        error
    }

    /// The peer closed its side.
    pub(super) fn eof(&mut self, now: Duration) -> Result<(), ConnectionError> {
        let now = self.at(now);
        if let Some(error) = self.error.clone() {
            self.set_closed();
            return Err(error);
        }
        match self.phase {
            Phase::Closed => Ok(()),
            _ => Err(self.fail(now, ConnectionError::UnexpectedEof)),
        }
    }
}
