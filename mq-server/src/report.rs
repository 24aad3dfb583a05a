//! Lines of the log about peers: who did what, and which rule was broken.

use std::time::{Duration, Instant};

use mq_core::{DropCause, Dropped, PeerReport, Place, Protocol, Reason, Statistics};

use crate::listener::Peer;
use crate::name;
use crate::throttle::{Line, Throttle};

/// How often it is looked whether limits have dropped messages.
const DROPS: Duration = Duration::from_secs(10);

/// What a connection is to the log.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) protocol: Protocol,
    pub(crate) peer: Peer,
    /// Nothing has come from it yet.
    pub(crate) is_new: bool,
    /// What the peer seems to speak in place of the protocol.
    pub(crate) speaks: Option<Language>,
}

impl Subject {
    /// Bytes come. The first ones show what the peer speaks.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        if std::mem::take(&mut self.is_new) {
            self.speaks = other_protocol(bytes, self.protocol);
        }
    }
}

/// Writes the lines, not too many.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    refused: Throttle,
    malformed: Throttle,
    timed_out: Throttle,
    taken_over: Throttle,
    blocked: Throttle,
    undeliverable: Throttle,
    slow: Throttle,
    dropped: Throttle,
    seen: Statistics,
    next_look: Option<Instant>,
}

impl Reports {
    pub(crate) fn write(&self, report: &PeerReport, subject: &Subject) {
        let PeerReport {
            connection,
            user,
            client_identifier,
            reason,
            ..
        } = report;
        let (id, protocol, peer) = (connection.0, name(subject.protocol), &subject.peer);
        let now = Instant::now();
        // One macro for all: an event's level is a constant, and so are its fields.
        macro_rules! line {
            ($throttle:ident, $level:ident, $($text:tt)+) => {
                if let Some(Line { left_out }) = self.$throttle.line(now) {
                    tracing::$level!(
                        id, protocol, %peer, user, client = client_identifier, left_out, $($text)+
                    );
                }
            };
        }
        match reason {
            Reason::LoggedIn => {
                tracing::debug!(id, protocol, %peer, user, client = client_identifier, "logged in");
            }
            Reason::LoginRefused(why) => line!(refused, warn, "login refused: {why}"),
            Reason::Malformed(rule) => match subject.speaks {
                Some(speaks) => {
                    let speaks = speaks.name();
                    line!(malformed, warn, "malformed: it speaks {speaks} ({rule})");
                }
                None => line!(malformed, warn, "malformed: {rule}"),
            },
            Reason::TimedOut(what) => line!(timed_out, info, "timed out: {what}"),
            Reason::Slow(how) => line!(slow, warn, "too slow, and disconnected: {how}"),
            Reason::TakenOver => {
                line!(
                    taken_over,
                    info,
                    "another connection has its client identifier now"
                );
            }
            Reason::Blocked(why) => line!(blocked, warn, "its publishes wait: {why}"),
            Reason::Unblocked => {
                tracing::debug!(id, protocol, %peer, user, client = client_identifier, "goes on");
            }
            Reason::Undeliverable(which) => {
                line!(
                    undeliverable,
                    warn,
                    "a message cannot be sent to it: {which}"
                );
            }
            other => tracing::info!(id, protocol, %peer, user, "{other:?}"),
        }
    }

    /// Names the queue or session that drops messages.
    pub(crate) fn write_dropped(&self, dropped: &Dropped) {
        let Dropped {
            virtual_host,
            place,
            cause,
            count,
            ..
        } = dropped;
        let Some(Line { left_out }) = self.dropped.line(Instant::now()) else {
            return;
        };
        let (what, name) = match place {
            Place::Queue(name) => ("queue", &**name),
            Place::Session(client) => ("session of client", &**client),
            _ => ("retained messages", ""),
        };
        let why = match cause {
            DropCause::Full => "there is no room",
            DropCause::Refused => "there is no room, and it refuses what is published",
            DropCause::Nowhere => "the dead-letter exchange leads nowhere, or back to the queue",
            DropCause::Slow => "the client is too slow",
            DropCause::DeliveryLimit => "they came back too often",
            _ => "of a limit",
        };
        tracing::warn!(
            %virtual_host, name, count, left_out, "{what}: messages dropped, since {why}"
        );
    }

    /// Says at most every ten seconds how many messages limits have dropped meanwhile.
    pub(crate) fn count_drops(&mut self, now: Instant, statistics: impl FnOnce() -> Statistics) {
        if self.next_look.is_some_and(|next| now < next) {
            return;
        }
        self.next_look = Some(now + DROPS);
        let (seen, new) = (self.seen, statistics());
        self.seen = new;
        let overflowed = new.overflowed.saturating_sub(seen.overflowed);
        let not_retained = new.not_retained.saturating_sub(seen.not_retained);
        let refused = new.refused.saturating_sub(seen.refused);
        if overflowed + not_retained + refused > 0 {
            tracing::warn!(
                overflowed,
                not_retained,
                refused,
                "limits have dropped or refused messages since this was said last"
            );
        }
    }
}

/// What a peer can seem to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Tls,
    Http,
    Amqp,
    Stomp,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Amqp => "AMQP",
            Self::Stomp => "STOMP",
        }
    }
}

/// First bytes that show another protocol.
const SIGNS: [(&[u8], Language); 10] = [
    (b"\x16\x03", Language::Tls),
    (b"GET ", Language::Http),
    (b"POST ", Language::Http),
    (b"HEAD ", Language::Http),
    (b"PUT ", Language::Http),
    (b"OPTIONS ", Language::Http),
    (b"AMQP", Language::Amqp),
    (b"CONNECT\n", Language::Stomp),
    (b"CONNECT\r", Language::Stomp),
    (b"STOMP\n", Language::Stomp),
];

/// What a peer seems to speak, by its first bytes, if it is not the protocol of the port.
fn other_protocol(bytes: &[u8], protocol: Protocol) -> Option<Language> {
    let sign = SIGNS.iter().find(|(sign, _)| bytes.starts_with(sign));
    sign.map(|(_, speaks)| *speaks)
        .filter(|speaks| speaks.name() != name(protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        let rows: [(&[u8], Protocol, Option<Language>); 7] = [
            (b"\x16\x03\x01\x02\x00", Protocol::Mqtt, Some(Language::Tls)),
            (b"GET / HTTP/1.1\r\n", Protocol::Amqp, Some(Language::Http)),
            (b"AMQP\0\0\x09\x01", Protocol::Mqtt, Some(Language::Amqp)),
            (b"AMQP\x03\x01\0\0", Protocol::Amqp, None),
            (b"CONNECT\naccept", Protocol::Amqp, Some(Language::Stomp)),
            (b"\x10\x0C", Protocol::Mqtt, None),
            (b"", Protocol::Stomp, None),
        ];
        for (bytes, protocol, speaks) in rows {
            assert_eq!(other_protocol(bytes, protocol), speaks, "{bytes:?}");
        }
    }
}
