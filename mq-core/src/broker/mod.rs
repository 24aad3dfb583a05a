//! The broker: connections, and the model that they share.

mod administration;
mod backlog;
mod budget;
mod connection;
mod connections;
mod departure;
mod front;
mod interceptor;
mod memory;
mod notices;
mod port;
mod shared;
mod slow;
mod statistics;
mod store;
mod system;
mod turn;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use crate::config::{Config, ConfigError, Store};
use crate::journal::{Journal, Wanted};
use crate::model::message::Name;
use crate::model::{ConnectionId, Model};
use administration::Administered;
use budget::TIMERS;
use connections::Connections;
use interceptor::Inspection;
pub use interceptor::{Fault, Interception, Interceptor, Publisher};
use memory::Memory;
use notices::Gathered;
pub use port::{Input, Output};
use shared::Shared;
pub use statistics::ConnectionStatistics;
use system::System;

/// A deterministic message broker: the same inputs at the same times give the
/// same outputs in the same order.
///
/// Call [`handle`](Self::handle) for everything that happens, then
/// [`poll_output`](Self::poll_output) until it has nothing more, and
/// [`handle_timeout`](Self::handle_timeout) no earlier than
/// [`poll_timeout`](Self::poll_timeout) says. `now` is the time since an origin
/// that the embedder chooses; it must not go backwards.
pub struct Broker {
    shared: Shared,
    connections: Connections,
    deadlines: BTreeSet<(Duration, ConnectionId)>,
    /// Connections whose output and deadline have to be looked at.
    touched: VecDeque<ConnectionId>,
    gathered: Gathered,
    /// What one connection transmits, while it is handed out.
    transmitting: Vec<Bytes>,
    /// Batches, which go before all other outputs.
    batches: VecDeque<Output>,
    /// What is said under `$SYS`.
    system: Option<Box<System>>,
    /// Bodies that are read, and what for.
    reads: BTreeMap<u64, Wanted>,
    last_read: u64,
    /// Connections whose input waits for the store, or for memory.
    blocked: BTreeSet<ConnectionId>,
    administered: Administered,
    /// Connections with a backlog that can be taken, in the order of their turns.
    line: VecDeque<ConnectionId>,
    /// Steps done in here. The model counts its own.
    steps: u64,
    stopping: bool,
}

impl core::fmt::Debug for Broker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Broker")
            .field("now", &self.shared.now)
            .field("connections", &self.connections.len())
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker without connections.
    ///
    /// # Errors
    ///
    /// The settings contradict themselves.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let model = Model::with_store(&config, config.store)?;
        let journal = match config.store {
            Store::None => None,
            Store::Log => {
                let hosts = config.virtual_hosts.iter();
                let hosts = hosts.map(|name| Name::from(&**name)).collect();
                let journal = Journal::new(
                    hosts,
                    config.limits.store_high_water,
                    config.limits.memory_spill,
                );
                Some(Box::new(journal))
            }
        };
        let system = System::new(config.sys_interval, config.unix_time);
        let shared = Shared {
            now: config.unix_time,
            memory: Memory::new(&config.limits),
            config: Arc::new(config),
            model,
            journal,
            outputs: VecDeque::new(),
            inspection: Inspection::default(),
            is_disk_short: false,
        };
        Ok(Self {
            shared,
            connections: Connections::default(),
            deadlines: BTreeSet::new(),
            touched: VecDeque::new(),
            gathered: Gathered::default(),
            transmitting: Vec::new(),
            batches: VecDeque::new(),
            system,
            reads: BTreeMap::new(),
            last_read: 0,
            blocked: BTreeSet::new(),
            administered: Administered::default(),
            line: VecDeque::new(),
            steps: 0,
            stopping: false,
        })
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Duration, input: Input) {
        self.set_time(now);
        match input {
            Input::Connected {
                connection,
                protocol,
                terms,
            } => self.connect(connection, protocol, terms),
            Input::Authenticated { connection, user } => self.authenticated(connection, user),
            Input::Proving { connection, answer } => self.step_answered(connection, answer),
            Input::Received { connection, bytes } => self.receive(connection, bytes),
            Input::Transmitted { connection, len } => self.transmitted(connection, len),
            Input::Disconnected { connection } => self.disconnect(connection),
            Input::Drained { connection } => self.drained(connection),
            Input::Idle { connection } => self.rest(connection),
            Input::Durable { through } => self.stored(through),
            Input::Read { id, bytes } => self.body_came(id, bytes),
            Input::StoreRoom { is_short } => self.set_store_room(is_short),
            Input::Administer { id, action } => self.administer(id, *action),
            Input::Fault(fault) => self.shared.inspection.faults.set(fault),
            Input::Shutdown => self.shutdown(),
        }
        self.settle();
    }

    /// The next thing to do outside, until there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.batches
            .pop_front()
            .or_else(|| self.shared.outputs.pop_front())
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next: at a time that has
    /// come already while there is work left.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let at = if !self.line.is_empty()
            || self.shared.model.has_work()
            || self.has_stored()
            || self.has_unblocked()
            || self.has_spill()
        {
            Some(self.shared.now)
        } else {
            let connection = self.deadlines.first().map(|(at, _)| *at);
            let model = self.shared.model.poll_timeout();
            let system = self.system.as_ref().map(|system| system.poll_timeout());
            model.into_iter().chain(connection).chain(system).min()
        };
        at.map(|at| at.saturating_sub(self.shared.config.unix_time))
    }

    /// Does what is due, and some of the work that earlier calls have left. The call
    /// does a bounded amount: where there is more, [`poll_timeout`](Self::poll_timeout)
    /// says so by a time that is not later than `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.set_time(now);
        let now = self.shared.now;
        for _ in 0..TIMERS {
            let Some(&(at, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) else {
                break;
            };
            self.deadlines.remove(&(at, id));
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.deadline = None;
            }
            self.steps += 1;
            self.with(id, |front, now| front.handle_timeout(now));
            self.stop_draining(id);
            self.stop_checking(id);
            self.stop_slow(id);
        }
        self.shared.model.handle_timeout(self.shared.now, TIMERS);
        self.say();
        self.turn();
        self.settle();
    }

    /// Everything in here counts Unix time, so that what was written down once means the
    /// same later.
    fn set_time(&mut self, now: Duration) {
        let now = self.shared.config.unix_time.saturating_add(now);
        self.shared.now = self.shared.now.max(now);
        self.shared.model.set_time(self.shared.now);
    }

    fn shutdown(&mut self) {
        self.stopping = true;
        let ids: Vec<ConnectionId> = self.connections.keys().collect();
        for id in ids {
            self.with(id, |front, now| front.shutdown(now));
            self.flush(id);
            self.close(id);
        }
    }
}
