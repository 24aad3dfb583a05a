//! What changed of what outlives the broker.
//!
//! Whoever keeps it is not known here: the model says what happened as plain data,
//! in the order in which it happened, and says with each notice whether that has to
//! be kept before the notice may go out.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::exchange::{Destination, ExchangeSettings};
pub(crate) use super::id::{BacklogId, BindingId, TransactionId};
use super::id::{QueueId, SessionId};
use super::message::{Headers, Message, Name, Qos};
use super::session::options::{SubscriptionOptions, Will};
use crate::policy::{Policy, PolicyKind};

/// One thing that happened in a virtual host.
///
/// | change | comes when |
/// |---|---|
/// | `Exchange`, `ExchangeDeleted` | a durable exchange is made, is gone |
/// | `Policy`, `PolicyCleared` | a policy is set while the broker runs, is cleared |
/// | `Limits`, `LimitsCleared` | limits of a user or of the virtual host are set while the broker runs, are cleared |
/// | `Queue`, `QueueDeleted` | a durable queue is made, or has delivered more than it said; is gone with all that it holds |
/// | `Bound`, `Unbound` | a durable exchange is bound to something durable, no longer is |
/// | `Message` | a lasting message is put into durable backlogs |
/// | `Settled` | one of them has given it up: acknowledged, expired, purged, moved |
/// | `Forgotten` | one of them was deleted, and had it |
/// | `SettledRange`, `ForgottenRange` | the same of all messages that it has at some positions |
/// | `Returned` | a consumer has returned it, and the queue counts that |
/// | `Committed` | all changes of a transaction are done |
/// | `Session` | a lasting session begins, gets a connection, loses it, or publishes its will |
/// | `SessionEnded` | it is gone, with all that belongs to it |
/// | `Subscribed`, `Unsubscribed` | a lasting session gets, loses a subscription |
/// | `InFlight` | a message of a lasting session is sent to its client |
/// | `Handshake`, `HandshakeEnded` | of a QoS 2 message only the handshake is left to be known; it is done |
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Exchange {
        name: Name,
        settings: Box<ExchangeSettings>,
    },
    ExchangeDeleted {
        name: Name,
    },
    Policy(Box<KeptPolicy>),
    PolicyCleared {
        kind: PolicyKind,
        name: Name,
    },
    Limits(KeptLimits),
    /// Those of a user, or else of the virtual host.
    LimitsCleared {
        user: Option<Name>,
    },
    Queue(Box<KeptQueue>),
    QueueDeleted {
        id: QueueId,
    },
    Bound(Box<KeptBinding>),
    Unbound {
        id: BindingId,
    },
    Message {
        message: Arc<Message>,
        targets: Vec<Target>,
    },
    Settled {
        backlog: BacklogId,
        position: u64,
    },
    Forgotten {
        backlog: BacklogId,
        position: u64,
    },
    SettledRange(Range),
    ForgottenRange(Range),
    Returned {
        backlog: BacklogId,
        position: u64,
        /// How often it came back by now.
        count: u32,
    },
    Committed {
        transaction: TransactionId,
    },
    Session(Box<KeptSession>),
    SessionEnded {
        id: SessionId,
    },
    Subscribed(Box<KeptSubscription>),
    Unsubscribed {
        session: SessionId,
        filter: Name,
    },
    InFlight {
        session: SessionId,
        position: u64,
        sent: Sent,
    },
    Handshake {
        handshake: Handshake,
        /// Of the broker's: its place in the order of sending.
        number: u64,
    },
    HandshakeEnded(Handshake),
}

impl Change {
    /// A backlog has nothing more to do with the message at a position.
    pub(crate) fn settled(backlog: impl Into<BacklogId>, position: u64) -> Self {
        let backlog = backlog.into();
        Self::Settled { backlog, position }
    }
}

/// A policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeptPolicy {
    pub(crate) kind: PolicyKind,
    pub(crate) policy: Policy,
}

/// How much a user, or the virtual host, may have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeptLimits {
    /// None: they are those of the virtual host.
    pub(crate) user: Option<Name>,
    pub(crate) connections: Option<u32>,
    /// Channels of a user, queues of a virtual host.
    pub(crate) others: Option<u32>,
}

/// A durable queue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeptQueue {
    pub(crate) id: QueueId,
    pub(crate) name: Name,
    pub(crate) auto_delete: bool,
    pub(crate) arguments: Headers,
    /// Messages before that position may have been delivered.
    pub(crate) offered: u64,
}

/// A binding between durable things.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeptBinding {
    pub(crate) id: BindingId,
    pub(crate) source: Name,
    pub(crate) destination: Destination,
    pub(crate) routing_key: Name,
    pub(crate) arguments: Headers,
}

/// A lasting session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeptSession {
    pub(crate) id: SessionId,
    pub(crate) client_identifier: Name,
    /// How long it outlives its connection; None is for ever.
    pub(crate) expiry: Option<Duration>,
    /// Since when it has no connection, if it has none.
    pub(crate) away: Option<Duration>,
    /// The will that has not been published.
    pub(crate) will: Option<Will>,
}

/// A subscription of a lasting session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeptSubscription {
    pub(crate) session: SessionId,
    pub(crate) filter: Name,
    /// `$share/` has its meaning in the filter.
    pub(crate) shared: bool,
    pub(crate) options: SubscriptionOptions,
}

/// Who sent the message of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    /// It has been accepted, and its PUBREL has not come.
    Client,
    /// The client has it: PUBREC has come, and PUBCOMP has not.
    Broker,
}

/// What is left of a QoS 2 message that its receiver has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Handshake {
    pub(crate) session: SessionId,
    pub(crate) sender: Sender,
    pub(crate) packet_identifier: u16,
}

/// What a lasting session has of a message besides the message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Copied {
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// Of the subscriptions that it came by.
    pub(crate) identifiers: Vec<u32>,
    /// The shared subscription that it came by.
    pub(crate) share: Option<Name>,
    /// How it was sent to the client, if it was.
    pub(crate) sent: Option<Sent>,
}

/// How a message is on its way to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) packet_identifier: u16,
    /// Its place in the order of sending.
    pub(crate) number: u64,
}

/// A place in a backlog that a message was put into.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) backlog: BacklogId,
    pub(crate) position: u64,
    /// When its time in there is over.
    pub(crate) expires: Option<Duration>,
    /// How often it came back.
    pub(crate) returned: u32,
    /// There in a session.
    pub(crate) copy: Option<Box<Copied>>,
}

/// Positions of a backlog that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) backlog: BacklogId,
    pub(crate) first: u64,
    /// How many they are.
    pub(crate) count: u64,
}

impl Target {
    /// Whether it is a place in a queue, which can do without the message for a while.
    pub(crate) fn is_in_queue(&self) -> bool {
        self.copy.is_none()
            && self.backlog != BacklogId::RETAINED
            && self.backlog != BacklogId::DELAYED
    }

    /// The backlog and the position in it.
    pub(crate) fn place(&self) -> (BacklogId, u64) {
        (self.backlog, self.position)
    }
}

/// A change, and the transaction that it is a part of.
pub(crate) type Part = (Option<TransactionId>, Change);

/// The changes of a virtual host that nobody has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Somebody takes them: without that nothing is noted.
    kept: bool,
    list: VecDeque<Part>,
    /// How many there have been.
    count: u64,
    /// What is done now is part of it.
    transaction: Option<TransactionId>,
}

impl Changes {
    pub(crate) fn new(kept: bool) -> Self {
        Self {
            kept,
            ..Self::default()
        }
    }

    /// Whether changes are to be noted.
    pub(crate) fn are_kept(&self) -> bool {
        self.kept
    }

    /// How many there have been: more than before means that something was noted.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Notes what happened.
    pub(crate) fn push(&mut self, change: Change) {
        if self.kept {
            self.count += 1;
            self.list.push_back((self.transaction, change));
        }
    }

    /// The next change.
    pub(crate) fn pop(&mut self) -> Option<Part> {
        self.list.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What is done from now on is part of a transaction, or of none.
    pub(crate) fn set_transaction(&mut self, transaction: Option<TransactionId>) {
        self.transaction = transaction;
    }

    /// Notes a message, if it is kept anywhere.
    pub(crate) fn push_message(&mut self, message: &Arc<Message>, targets: Vec<Target>) {
        if !targets.is_empty() {
            let message = message.clone();
            self.push(Change::Message { message, targets });
        }
    }
}
