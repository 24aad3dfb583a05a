//! Why the model refuses to do what it is asked.

use alloc::string::{String, ToString};
use core::fmt;

/// The kinds of refusal: those of AMQP's reply codes that a broker's state can
/// give rise to. The other protocols say them in their own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The user may not do that, or nobody may.
    AccessRefused,
    /// The virtual host is not for this user.
    NotAllowed,
    /// What it is about is not there.
    NotFound,
    /// It belongs to another connection.
    ResourceLocked,
    /// It contradicts what is there, or a rule.
    PreconditionFailed,
    /// The broker cannot do that.
    NotImplemented,
    /// There is no room.
    ResourceLimit,
}

/// A refusal: the state is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// Which kind.
    pub kind: RefusalKind,
    /// Why, in RabbitMQ's words where it has some.
    pub text: String,
}

impl Refusal {
    fn new(kind: RefusalKind, text: fmt::Arguments<'_>) -> Self {
        Self {
            kind,
            text: text.to_string(),
        }
    }

    pub(crate) fn access_refused(text: fmt::Arguments<'_>) -> Self {
        Self::new(RefusalKind::AccessRefused, text)
    }

    pub(crate) fn not_allowed(text: fmt::Arguments<'_>) -> Self {
        Self::new(RefusalKind::NotAllowed, text)
    }

    pub(crate) fn not_found(text: fmt::Arguments<'_>) -> Self {
        Self::new(RefusalKind::NotFound, text)
    }

    pub(crate) fn resource_locked(text: fmt::Arguments<'_>) -> Self {
        Self::new(RefusalKind::ResourceLocked, text)
    }

    pub(crate) fn precondition_failed(text: fmt::Arguments<'_>) -> Self {
        Self::new(RefusalKind::PreconditionFailed, text)
    }

    pub(crate) fn resource_limit(text: fmt::Arguments<'_>) -> Self {
        Self::new(RefusalKind::ResourceLimit, text)
    }

    pub(crate) fn not_implemented(text: fmt::Arguments<'_>) -> Self {
        Self::new(RefusalKind::NotImplemented, text)
    }
}
