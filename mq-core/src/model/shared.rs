//! What the rooms of a virtual host share: the time and the limits, and what they tell of
//! what they did.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::change::Changes;
use super::drops::Drops;
use super::message::{Message, Name};
use super::meter::Meter;
use super::policy::Policies;
use super::refusal::Refusal;
use super::statistics::Statistics;
use super::timers::Timers;
use super::{BYTES_PER_STEP, ConnectionId, Notice, Said, Wait};
use crate::config::Store;
use crate::limits::Limits;
use crate::names::Names;

/// What every room of a virtual host reads and writes.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The name of the virtual host.
    pub(crate) name: Name,
    pub(crate) limits: Limits,
    /// The time of the step that is being done: Unix time.
    pub(crate) now: Duration,
    pub(crate) names: Names,
    /// What is in force for queues and exchanges by their names.
    pub(crate) policies: Policies,
    /// How long a delivery may be out unacknowledged, where nothing else says it.
    pub(crate) consumer_timeout: Option<Duration>,
    /// It is said that connections and consumers come and go.
    pub(crate) advises: bool,
    /// The last identifier given out, to whatever it was.
    pub(crate) last_id: u64,
    pub(crate) notices: VecDeque<Said>,
    /// What changed of what outlives the broker.
    pub(crate) changes: Changes,
    pub(crate) timers: Timers,
    pub(crate) statistics: Statistics,
    pub(crate) meter: Meter,
    /// What limits have dropped, and nobody was told of yet.
    pub(crate) drops: Drops,
}

impl Shared {
    pub(crate) fn new(name: &str, seed: u64, store: Store, limits: Limits) -> Self {
        Self {
            name: Name::from(name),
            limits,
            now: Duration::ZERO,
            names: Names::new(seed, 0),
            policies: Policies::default(),
            consumer_timeout: None,
            advises: false,
            last_id: 0,
            notices: VecDeque::new(),
            changes: Changes::new(store != Store::None),
            timers: Timers::default(),
            statistics: Statistics::default(),
            meter: Meter::default(),
            drops: Drops::default(),
        }
    }

    /// A number that nothing in the virtual host has had.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn emit(&mut self, connection: ConnectionId, notice: Notice) {
        self.emit_after(Wait::Nothing, connection, notice);
    }

    pub(crate) fn emit_after(&mut self, wait: Wait, to: ConnectionId, notice: Notice) {
        self.notices.push_back(Said { to, notice, wait });
    }

    /// What a notice waits for that is about what was done since there were so many
    /// changes.
    pub(crate) fn wait_since(&self, changes: u64) -> Wait {
        if self.changes.count() > changes {
            Wait::Stored
        } else {
            Wait::Nothing
        }
    }

    /// A message goes to a consumer, or to the client of a session.
    pub(crate) fn count_delivery(&mut self, message: &Message) {
        self.statistics.delivered += 1;
        self.statistics.steps += (message.body.len() / BYTES_PER_STEP) as u64;
    }

    pub(crate) fn not_found(&self, what: &str, name: &str) -> Refusal {
        Refusal::not_found(format_args!("no {what} '{name}' in vhost '{}'", self.name))
    }
}
