//! What both roles share: frames in, frames out, timers, the end.

mod inbound;
mod outbound;

use core::time::Duration;

use self::inbound::Inbound;
use self::outbound::Outbound;
use super::heart_beat::Agreed;
use super::timer::{Timer, Timers};
use crate::{ConnectionError, SendError, Version};

pub(super) use self::inbound::Incoming;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Phase {
    /// No CONNECTED yet.
    #[default]
    Handshake,
    /// Between CONNECTED and DISCONNECT or ERROR.
    Open,
    /// DISCONNECT was sent or came, and its receipt is still to come; or the body of
    /// the ERROR that ends it is coming in parts.
    Closing,
    /// Nothing more is to come.
    Closed,
}

#[derive(Debug, Default)]
pub(crate) struct Core {
    pub(crate) phase: Phase,
    /// From CONNECTED on.
    pub(crate) version: Option<Version>,
    pub(crate) error: Option<ConnectionError>,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
    pub(crate) timers: Timers,
    pub(in crate::connection) heart_beat: Agreed,
    /// How long the peer may be silent in the body of its ERROR, while that comes.
    pub(in crate::connection) last_words: Option<Duration>,
    /// The latest time that was told.
    pub(in crate::connection) now: Duration,
}

impl Core {
    /// Notes the time of a call. Time never goes back.
    pub(crate) fn set_now(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// The time of the call that is being made.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    /// Starts a timer, or moves it.
    pub(crate) fn start(&mut self, timer: Timer, after: Duration) {
        self.timers.set(timer, self.now, after);
    }

    /// The session is open.
    pub(crate) fn open(&mut self, version: Version, heart_beat: Agreed) {
        self.phase = Phase::Open;
        self.version = Some(version);
        self.heart_beat = heart_beat;
        self.timers.stop(Timer::Handshake);
        self.heard();
        self.sent();
    }

    /// Something came from the peer: any data is a sign of life.
    // keeps: stomp12/heart-beating/any-data, stomp11/heart-beating/any-data
    pub(crate) fn heard(&mut self) {
        if let Some(silence) = self.heart_beat.silence {
            self.start(Timer::Receive, silence);
        }
        if let Some(silence) = self.last_words {
            self.start(Timer::Close, silence);
        }
    }

    /// Something went to the peer, or cannot go: the next heart-beat is an interval
    /// from now.
    // keeps: stomp12/heart-beating/sender-sends, stomp11/heart-beating/sender-sends
    pub(crate) fn sent(&mut self) {
        if let Some(every) = self.heart_beat.every {
            self.start(Timer::Send, every);
        }
    }

    /// The client has said DISCONNECT: nothing more is to come from it.
    pub(crate) fn expect_nothing(&mut self) {
        self.phase = Phase::Closing;
        self.heart_beat.silence = None;
        self.timers.stop(Timer::Receive);
    }

    /// Nothing more is to come but the body of an ERROR, whose parts may be so long in
    /// coming.
    pub(crate) fn await_last_words(&mut self, silence: Duration) {
        self.end();
        self.phase = Phase::Closing;
        self.last_words = Some(silence);
        self.heard();
    }

    /// Nothing more is to come.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Closed;
        self.heart_beat = Agreed::default();
        self.last_words = None;
        self.timers.stop_all();
    }

    /// Nothing more is to come, because of this.
    pub(crate) fn fail(&mut self, error: ConnectionError) -> ConnectionError {
        self.outbound.abandon();
        self.end();
        *self.error.insert(error)
    }

    /// The version of the session, if frames may be sent.
    pub(crate) fn writable(&self) -> Result<Version, SendError> {
        match (self.phase, self.version) {
            (Phase::Open, Some(version)) => Ok(version),
            (Phase::Open | Phase::Handshake, _) => Err(SendError::NotOpen),
            (Phase::Closing | Phase::Closed, _) => Err(SendError::Closed),
        }
    }

    /// Why a call is refused that answers or begins a login.
    pub(crate) fn out_of_turn(&self) -> SendError {
        match self.phase {
            Phase::Handshake | Phase::Open => SendError::OutOfTurn,
            Phase::Closing | Phase::Closed => SendError::Closed,
        }
    }
}
