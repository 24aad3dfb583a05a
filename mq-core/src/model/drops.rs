//! Messages that limits drop: where, why and how many, gathered until somebody asks.

use alloc::collections::BTreeMap;

use super::message::Name;

/// Messages that one queue or session had no room for, or has delivered too often.
///
/// What is dropped at the same place for the same cause within one call of the broker is
/// one report. How often that is worth a line in a log is for the shell to say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The virtual host.
    pub virtual_host: Name,
    /// Where in it.
    pub place: Place,
    /// Why.
    pub cause: DropCause,
    /// How many messages.
    pub count: u64,
}

/// What holds messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Place {
    /// The queue of that name.
    Queue(Name),
    /// The MQTT session of the client with that identifier.
    Session(Name),
    /// The retained messages.
    Retained,
}

/// Why a message is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropCause {
    /// There is no room. A queue has given up the message at its head, to its dead-letter
    /// exchange if it has one. A session does not take the new one, and a topic does not
    /// retain it.
    Full,
    /// There is no room, and the queue refuses what is published (`x-overflow`). A
    /// publisher that waits for a confirmation receives a refusal.
    Refused,
    /// A queue has given it up to its dead-letter exchange, and nothing is bound there that
    /// takes it, or only a queue that has given it up before and would again.
    Nowhere,
    /// It came back more often than `x-delivery-limit` allows. It goes to the dead-letter
    /// exchange, if the queue has one.
    DeliveryLimit,
    /// The client of the session takes what it is sent too slowly, and what it is to get with
    /// QoS 0 is dropped meanwhile: [`SlowConsumers::DropQos0`](crate::SlowConsumers).
    Slow,
}

/// What a virtual host has dropped since somebody asked.
#[derive(Debug, Default)]
pub(crate) struct Drops(BTreeMap<(Place, DropCause), u64>);

impl Drops {
    pub(crate) fn note(&mut self, place: Place, cause: DropCause) {
        *self.0.entry((place, cause)).or_default() += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the first of them.
    pub(crate) fn pop(&mut self, virtual_host: &Name) -> Option<Dropped> {
        let ((place, cause), count) = self.0.pop_first()?;
        Some(Dropped {
            virtual_host: virtual_host.clone(),
            place,
            cause,
            count,
        })
    }
}
