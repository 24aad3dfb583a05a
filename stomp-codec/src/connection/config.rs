//! What a connection is configured with.

use alloc::vec::Vec;
use core::time::Duration;

use super::heart_beat::{HeartBeat, Tolerance};
use crate::setters::setters;
use crate::{Limits, Version};

/// What a client offers and asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The versions that it speaks. Default: all.
    pub versions: Vec<Version>,
    /// The limits until CONNECTED. Default: [`Limits::before_login`].
    pub limits_before_login: Limits,
    /// The limits from then on. Default: [`Limits::default`].
    pub limits: Limits,
    /// The heart-beats that it can send and would like to get, from servers that
    /// offer and want some. Default: 10 s each.
    pub heart_beat: HeartBeat,
    /// The margin of error for the server's heart-beats. Default: once more the interval, and a
    /// second at least.
    pub tolerance: Tolerance,
    /// How long the server may take to answer CONNECT. Default: 30 s;
    /// [`Duration::MAX`]: for ever.
    pub handshake_timeout: Duration,
    /// How long the server may take to answer DISCONNECT, or for the next part of the
    /// ERROR that ends the connection. Default: 10 s; [`Duration::MAX`]: for ever.
    pub close_timeout: Duration,
}

/// What a server grants and asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The versions that it speaks. Default: all.
    pub versions: Vec<Version>,
    /// Whether CONNECT has to have a `host`. Default: no.
    pub host_header: HostHeader,
    /// What it makes of UNSUBSCRIBE for what is not subscribed to. Default: an ERROR.
    pub unmatched_unsubscribe: UnmatchedUnsubscribe,
    /// The limits until [`accept`](super::ServerConnection::accept). Default:
    /// [`Limits::before_login`].
    pub limits_before_login: Limits,
    /// The limits from then on. Default: [`Limits::default`].
    pub limits: Limits,
    /// The heart-beats that it can send and would like to get, from clients
    /// that offer and want some. Default: 10 s each.
    pub heart_beat: HeartBeat,
    /// The margin of error for a client's heart-beats. Default: once more the interval, and a
    /// second at least.
    pub tolerance: Tolerance,
    /// How long a client may take for its CONNECT. Default: 10 s;
    /// [`Duration::MAX`]: for ever.
    pub handshake_timeout: Duration,
}

/// What a server makes of CONNECT or STOMP of 1.1 or 1.2 without the header `host`,
/// which these require ("CONNECT or STOMP Frame").
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum HostHeader {
    /// It is accepted, with `None` as [`Connect::host`](super::Connect::host). The
    /// clients of stomp.py, stompjs and Spring send none unless told to.
    #[default]
    Optional,
    /// It is refused with ERROR.
    Required,
}

/// What a server makes of UNSUBSCRIBE for what is not subscribed to ("UNSUBSCRIBE": the id
/// has to match that of a subscription).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum UnmatchedUnsubscribe {
    /// It is refused with ERROR.
    #[default]
    Refused,
    /// It is passed on as
    /// [`ServerEvent::UnmatchedUnsubscribe`](super::ServerEvent::UnmatchedUnsubscribe).
    /// Clients of ActiveMQ end a durable subscription with it that they do not read.
    PassedOn,
}

/// Heart-beats of 10 s, either way.
const HEART_BEAT: HeartBeat = HeartBeat {
    send: Duration::from_secs(10),
    receive: Duration::from_secs(10),
};

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            versions: Version::ALL.to_vec(),
            limits_before_login: Limits::before_login(),
            limits: Limits::default(),
            heart_beat: HEART_BEAT,
            tolerance: Tolerance::default(),
            handshake_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            versions: Version::ALL.to_vec(),
            host_header: HostHeader::default(),
            unmatched_unsubscribe: UnmatchedUnsubscribe::default(),
            limits_before_login: Limits::before_login(),
            limits: Limits::default(),
            heart_beat: HEART_BEAT,
            tolerance: Tolerance::default(),
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

setters! { ClientConfig {
    with_versions(versions: impl IntoIterator<Item = Version>) = versions.into_iter().collect();
    with_limits_before_login(limits_before_login: Limits);
    with_limits(limits: Limits);
    with_heart_beat(heart_beat: HeartBeat);
    with_tolerance(tolerance: Tolerance);
    with_handshake_timeout(handshake_timeout: Duration);
    with_close_timeout(close_timeout: Duration);
} }

setters! { ServerConfig {
    with_versions(versions: impl IntoIterator<Item = Version>) = versions.into_iter().collect();
    with_host_header(host_header: HostHeader);
    with_unmatched_unsubscribe(unmatched_unsubscribe: UnmatchedUnsubscribe);
    with_limits_before_login(limits_before_login: Limits);
    with_limits(limits: Limits);
    with_heart_beat(heart_beat: HeartBeat);
    with_tolerance(tolerance: Tolerance);
    with_handshake_timeout(handshake_timeout: Duration);
} }
