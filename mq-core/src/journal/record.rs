//! Records: what is written of each change.
//!
//! A record is a byte that names its kind, a byte that is the version of its layout, the
//! length of its fields in bytes as a number, and the fields. A kind that is given
//! another layout gets another version; what was written in an earlier one is read for
//! ever. What numbers, texts and the like are, `field.rs` says, and what a message and a
//! table are, `message.rs`.
//!
//! | kind | version | name | fields |
//! |---|---|---|---|
//! | 0 | 1 | context | virtual host as text, transaction as an optional number |
//! | 1 | 1 | exchange | name, type as text, auto-delete and internal as flags, alternate exchange as an optional text |
//! | 2 | 1 | exchange deleted | name |
//! | 3 | 1 | queue | number, name, auto-delete as a flag, arguments as a table, position before which messages may have been delivered |
//! | 4 | 1 | queue deleted | number |
//! | 5 | 1 | bound | number, source, destination, routing key as text, arguments as a table |
//! | 6 | 1 | unbound | number |
//! | 7 | 1 | message | number of targets, targets, message |
//! | 8 | 1 | settled | backlog and position as numbers |
//! | 9 | 1 | returned | backlog, position, and how often by now, as numbers |
//! | 10 | 1 | committed | transaction as a number |
//! | 11 | 1 | session | number, client identifier as text, expiry in nanoseconds as an optional number, since when it is away as an optional time, optional will |
//! | 12 | 1 | session ended | number |
//! | 13 | 1 | subscribed | session as a number, filter as text, shared as a flag, quality of service as a byte, no local and retain as published as flags, subscription identifier as an optional number |
//! | 14 | 1 | unsubscribed | session as a number, filter as text |
//! | 15 | 1 | in flight | session and position as numbers, sent |
//! | 16 | 1 | handshake | handshake, number |
//! | 17 | 1 | handshake ended | handshake |
//! | 18 | 1 | policy | whether it is the operator's as a flag, virtual host, name, pattern, and what it is for as texts, priority as 8 bytes, definition as a table |
//! | 19 | 1 | policy cleared | whether it is the operator's as a flag, name |
//! | 20 | 1 | exchange with more | the fields of an exchange, whether it lets messages wait as a flag, and what it takes a hash of: a byte that is 0 for the routing key, 1 for a header and 2 for a property, and after 1 and 2 the name as text |
//! | 21 | 1 | limits | a user as optional text, or else the virtual host; connections, and channels of a user or queues of a virtual host, as optional numbers |
//! | 22 | 1 | limits cleared | a user as optional text, or else the virtual host |
//! | 34 | 1 | settled range | backlog, first position and number of positions as numbers |
//!
//! A destination is a byte, and after 0 the number of a queue, after 1 the name of an
//! exchange. A target is backlog and position as numbers, the time at which its time in
//! there is over as an optional time, as a number how often it came back, and optionally
//! what a session has of it. A backlog has the number of its queue or session; that of the
//! retained messages has the number 0.
//!
//! What a session has of a message is the quality of service as a byte, RETAIN as a flag,
//! the number of subscription identifiers and these as numbers, the filter of a shared
//! subscription as an optional text, and optionally how it is sent: packet identifier and
//! place in the order of sending as numbers. A handshake is its session as a number, a
//! byte that is 0 if the client sent the message and 1 if the broker did, and the packet
//! identifier as a number. A will is its delay in nanoseconds as a number, and as bytes the
//! message.
//!
//! A context record says of all records between it and the next one in the same batch
//! which virtual host they are about, and which transaction they are a part of. They
//! count when the record says so that the transaction is committed. A batch begins with
//! a context record.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::batch::Batch;
use super::field::{Fields, Malformed, put_flag, put_number, put_option, put_text, put_time};
use super::limits::put_limits;
use super::message::{put_headers, put_message};
use super::policy::put_policy;
use super::session::{put_copy, put_handshake, put_sent, put_session, put_subscription};
use crate::model::Body;
use crate::model::change::{
    BacklogId, BindingId, Change, KeptBinding, KeptQueue, Range, Target, TransactionId,
};
use crate::model::exchange::{Destination, ExchangeSettings, ExchangeType, HashOn};
use crate::model::message::Name;
use crate::model::queue::QueueId;
use crate::model::session::SessionId;
use crate::policy::PolicyKind;

/// Which virtual host the records after it are about, and which transaction they are
/// part of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Context {
    pub(super) host: Name,
    pub(super) transaction: Option<TransactionId>,
}

/// What is read of a log.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    Context(Context),
    Change(Change),
}

/// Why a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Its bytes are not what was written.
    Damaged,
    /// It is of a kind or a version that came later.
    Unknown { kind: u8, version: u8 },
}

impl From<Malformed> for Unreadable {
    fn from(Malformed: Malformed) -> Self {
        Self::Damaged
    }
}

mod kind {
    pub(super) const CONTEXT: u8 = 0;
    pub(super) const EXCHANGE: u8 = 1;
    pub(super) const EXCHANGE_DELETED: u8 = 2;
    pub(super) const QUEUE: u8 = 3;
    pub(super) const QUEUE_DELETED: u8 = 4;
    pub(super) const BOUND: u8 = 5;
    pub(super) const UNBOUND: u8 = 6;
    pub(super) const MESSAGE: u8 = 7;
    pub(super) const SETTLED: u8 = 8;
    pub(super) const RETURNED: u8 = 9;
    pub(super) const COMMITTED: u8 = 10;
    pub(super) const SESSION: u8 = 11;
    pub(super) const SESSION_ENDED: u8 = 12;
    pub(super) const SUBSCRIBED: u8 = 13;
    pub(super) const UNSUBSCRIBED: u8 = 14;
    pub(super) const IN_FLIGHT: u8 = 15;
    pub(super) const HANDSHAKE: u8 = 16;
    pub(super) const HANDSHAKE_ENDED: u8 = 17;
    pub(super) const POLICY: u8 = 18;
    pub(super) const POLICY_CLEARED: u8 = 19;
    pub(super) const EXCHANGE_WITH_MORE: u8 = 20;
    pub(super) const LIMITS: u8 = 21;
    pub(super) const LIMITS_CLEARED: u8 = 22;
    pub(super) const SETTLED_RANGE: u8 = 34;
}

/// The layout in which every kind is written.
const VERSION: u8 = 1;

/// Bytes that stand before the fields of a record, at most.
const HEAD: usize = 12;

/// Writes records.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// The fields of the record being written, but for a body.
    fields: Vec<u8>,
}

impl Encoder {
    /// Appends a context record.
    pub(super) fn context(
        &mut self,
        out: &mut Batch,
        host: &str,
        transaction: Option<TransactionId>,
    ) {
        self.fields.clear();
        put_text(&mut self.fields, host);
        put_option(&mut self.fields, transaction.map(|id| id.0), put_number);
        self.finish(out, kind::CONTEXT, &Body::default());
    }

    /// Appends the record of a change. Returns whether it has one.
    /// A message has the body that it has, or else the one that is given beside it.
    pub(super) fn change(&mut self, out: &mut Batch, change: &Change, absent: &Body) -> bool {
        self.fields.clear();
        let fields = &mut self.fields;
        let none = Body::default();
        let mut body = &none;
        let kind = match change {
            Change::Exchange { name, settings } => {
                let ExchangeSettings {
                    kind,
                    durable: _,
                    auto_delete,
                    internal,
                    alternate,
                    delayed,
                    hash_on,
                } = &**settings;
                put_text(fields, name);
                put_text(fields, kind.name());
                put_flag(fields, *auto_delete);
                put_flag(fields, *internal);
                put_option(fields, alternate.as_deref(), put_text);
                if *delayed || *kind == ExchangeType::ConsistentHash {
                    put_flag(fields, *delayed);
                    put_hash_on(fields, hash_on);
                    kind::EXCHANGE_WITH_MORE
                } else {
                    kind::EXCHANGE
                }
            }
            Change::ExchangeDeleted { name } => {
                put_text(fields, name);
                kind::EXCHANGE_DELETED
            }
            Change::Queue(queue) => {
                let KeptQueue {
                    id,
                    name,
                    auto_delete,
                    arguments,
                    offered,
                } = &**queue;
                put_number(fields, id.0);
                put_text(fields, name);
                put_flag(fields, *auto_delete);
                put_headers(fields, arguments);
                put_number(fields, *offered);
                kind::QUEUE
            }
            Change::QueueDeleted { id } => {
                put_number(fields, id.0);
                kind::QUEUE_DELETED
            }
            Change::Bound(binding) => {
                let KeptBinding {
                    id,
                    source,
                    destination,
                    routing_key,
                    arguments,
                } = &**binding;
                put_number(fields, id.0);
                put_text(fields, source);
                match destination {
                    Destination::Queue(id) => {
                        fields.push(0);
                        put_number(fields, id.0);
                    }
                    Destination::Exchange(name) => {
                        fields.push(1);
                        put_text(fields, name);
                    }
                }
                put_text(fields, routing_key);
                put_headers(fields, arguments);
                kind::BOUND
            }
            Change::Unbound { id } => {
                put_number(fields, id.0);
                kind::UNBOUND
            }
            Change::Message { message, targets } => {
                put_number(fields, targets.len() as u64);
                for target in targets {
                    put_target(fields, target);
                }
                put_message(fields, message);
                body = if message.is_absent() {
                    absent
                } else {
                    &message.body
                };
                kind::MESSAGE
            }
            Change::Settled { backlog, position } => {
                put_number(fields, backlog.0);
                put_number(fields, *position);
                kind::SETTLED
            }
            // The record of what had it says enough.
            Change::Forgotten { .. } | Change::ForgottenRange(_) => return false,
            Change::SettledRange(range) => {
                let Range {
                    backlog,
                    first,
                    count,
                } = *range;
                put_number(fields, backlog.0);
                put_number(fields, first);
                put_number(fields, count);
                kind::SETTLED_RANGE
            }
            Change::Returned {
                backlog,
                position,
                count,
            } => {
                put_number(fields, backlog.0);
                put_number(fields, *position);
                put_number(fields, (*count).into());
                kind::RETURNED
            }
            Change::Committed { transaction } => {
                put_number(fields, transaction.0);
                kind::COMMITTED
            }
            Change::Session(session) => {
                put_session(fields, session);
                kind::SESSION
            }
            Change::SessionEnded { id } => {
                put_number(fields, id.0);
                kind::SESSION_ENDED
            }
            Change::Subscribed(subscription) => {
                put_subscription(fields, subscription);
                kind::SUBSCRIBED
            }
            Change::Unsubscribed { session, filter } => {
                put_number(fields, session.0);
                put_text(fields, filter);
                kind::UNSUBSCRIBED
            }
            Change::InFlight {
                session,
                position,
                sent,
            } => {
                put_number(fields, session.0);
                put_number(fields, *position);
                put_sent(fields, *sent);
                kind::IN_FLIGHT
            }
            Change::Handshake { handshake, number } => {
                put_handshake(fields, *handshake);
                put_number(fields, *number);
                kind::HANDSHAKE
            }
            Change::HandshakeEnded(handshake) => {
                put_handshake(fields, *handshake);
                kind::HANDSHAKE_ENDED
            }
            Change::Policy(kept) => {
                put_policy(fields, kept);
                kind::POLICY
            }
            Change::PolicyCleared { kind, name } => {
                put_flag(fields, *kind == PolicyKind::Operator);
                put_text(fields, name);
                kind::POLICY_CLEARED
            }
            Change::Limits(limits) => {
                put_limits(fields, limits);
                kind::LIMITS
            }
            Change::LimitsCleared { user } => {
                put_option(fields, user.as_deref(), put_text);
                kind::LIMITS_CLEARED
            }
        };
        self.finish(out, kind, body);
        true
    }

    fn finish(&mut self, out: &mut Batch, kind: u8, body: &Body) {
        let len = self.fields.len() + body.len();
        out.reserve(HEAD + self.fields.len());
        out.gather(&[kind, VERSION]);
        put_number(out.buffer(), len as u64);
        out.gather(&self.fields);
        for piece in body.pieces() {
            out.put(piece);
        }
    }
}

fn put_hash_on(out: &mut Vec<u8>, hash_on: &HashOn) {
    match hash_on {
        HashOn::RoutingKey => out.push(0),
        HashOn::Header(name) => {
            out.push(1);
            put_text(out, name);
        }
        HashOn::Property(name) => {
            out.push(2);
            put_text(out, name);
        }
    }
}

fn put_target(out: &mut Vec<u8>, target: &Target) {
    let Target {
        backlog,
        position,
        expires,
        returned,
        copy,
    } = target;
    put_number(out, backlog.0);
    put_number(out, *position);
    put_option(out, *expires, put_time);
    put_number(out, (*returned).into());
    put_option(out, copy.as_deref(), put_copy);
}

/// Reads the next record of a batch, and takes it off.
pub(super) fn decode(batch: &mut Bytes) -> Result<Record, Unreadable> {
    let mut head = Fields(core::mem::take(batch));
    let (kind, version) = (head.byte()?, head.byte()?);
    let len = usize::try_from(head.number()?).map_err(|_| Malformed)?;
    let Fields(mut rest) = head;
    if len > rest.len() {
        return Err(Unreadable::Damaged);
    }
    let mut fields = Fields(rest.split_to(len));
    *batch = rest;
    if version != VERSION {
        return Err(Unreadable::Unknown { kind, version });
    }
    let record = match kind {
        kind::CONTEXT => Record::Context(Context {
            host: fields.text()?,
            transaction: fields.option(Fields::count)?.map(TransactionId),
        }),
        kind => match fields.change(kind)? {
            Some(change) => Record::Change(change),
            None => return Err(Unreadable::Unknown { kind, version }),
        },
    };
    fields.end()?;
    Ok(record)
}

impl Fields {
    fn backlog(&mut self) -> Result<BacklogId, Malformed> {
        self.count().map(BacklogId)
    }

    fn target(&mut self) -> Result<Target, Malformed> {
        Ok(Target {
            backlog: self.backlog()?,
            position: self.count()?,
            expires: self.option(Self::time)?,
            returned: self.u32()?,
            copy: self.option(Self::copied)?.map(Box::new),
        })
    }

    fn exchange(&mut self) -> Result<ExchangeSettings, Malformed> {
        let kind = ExchangeType::parse(&self.text()?).ok_or(Malformed)?;
        Ok(ExchangeSettings {
            durable: true,
            auto_delete: self.flag()?,
            internal: self.flag()?,
            alternate: self.option(Self::text)?,
            ..ExchangeSettings::of(kind)
        })
    }

    fn hash_on(&mut self) -> Result<HashOn, Malformed> {
        Ok(match self.byte()? {
            0 => HashOn::RoutingKey,
            1 => HashOn::Header(self.text()?),
            2 => HashOn::Property(self.text()?),
            _ => return Err(Malformed),
        })
    }

    /// A change of the given kind, if there is such a kind.
    fn change(&mut self, kind: u8) -> Result<Option<Change>, Malformed> {
        Ok(Some(match kind {
            kind::EXCHANGE | kind::EXCHANGE_WITH_MORE => {
                let name = self.text()?;
                let mut settings = self.exchange()?;
                if kind == kind::EXCHANGE_WITH_MORE {
                    settings.delayed = self.flag()?;
                    settings.hash_on = self.hash_on()?;
                }
                let settings = Box::new(settings);
                Change::Exchange { name, settings }
            }
            kind::EXCHANGE_DELETED => Change::ExchangeDeleted { name: self.text()? },
            kind::QUEUE => Change::Queue(Box::new(KeptQueue {
                id: QueueId(self.count()?),
                name: self.text()?,
                auto_delete: self.flag()?,
                arguments: self.headers()?,
                offered: self.count()?,
            })),
            kind::QUEUE_DELETED => Change::QueueDeleted {
                id: QueueId(self.count()?),
            },
            kind::BOUND => Change::Bound(Box::new(KeptBinding {
                id: BindingId(self.count()?),
                source: self.text()?,
                destination: match self.byte()? {
                    0 => Destination::Queue(QueueId(self.count()?)),
                    1 => Destination::Exchange(self.text()?),
                    _ => return Err(Malformed),
                },
                routing_key: self.text()?,
                arguments: self.headers()?,
            })),
            kind::UNBOUND => Change::Unbound {
                id: BindingId(self.count()?),
            },
            kind::MESSAGE => Change::Message {
                targets: self.list(Self::target)?,
                message: Arc::new(self.message()?),
            },
            kind::SETTLED => Change::Settled {
                backlog: self.backlog()?,
                position: self.count()?,
            },
            kind::SETTLED_RANGE => Change::SettledRange(Range {
                backlog: self.backlog()?,
                first: self.count()?,
                count: self.count()?,
            }),
            kind::RETURNED => Change::Returned {
                backlog: self.backlog()?,
                position: self.count()?,
                count: self.u32()?,
            },
            kind::COMMITTED => Change::Committed {
                transaction: TransactionId(self.count()?),
            },
            kind::SESSION => Change::Session(Box::new(self.session()?)),
            kind::SESSION_ENDED => Change::SessionEnded {
                id: SessionId(self.count()?),
            },
            kind::SUBSCRIBED => Change::Subscribed(Box::new(self.subscription()?)),
            kind::UNSUBSCRIBED => Change::Unsubscribed {
                session: SessionId(self.count()?),
                filter: self.text()?,
            },
            kind::IN_FLIGHT => Change::InFlight {
                session: SessionId(self.count()?),
                position: self.count()?,
                sent: self.sent()?,
            },
            kind::HANDSHAKE => Change::Handshake {
                handshake: self.handshake()?,
                number: self.count()?,
            },
            kind::HANDSHAKE_ENDED => Change::HandshakeEnded(self.handshake()?),
            kind::POLICY => Change::Policy(Box::new(self.policy()?)),
            kind::POLICY_CLEARED => Change::PolicyCleared {
                kind: self.policy_kind()?,
                name: self.text()?,
            },
            kind::LIMITS => Change::Limits(self.limits()?),
            kind::LIMITS_CLEARED => Change::LimitsCleared {
                user: self.option(Self::text)?,
            },
            _ => return Ok(None),
        }))
    }
}
