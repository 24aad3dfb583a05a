//! The model: everything that two connections share.
//!
//! It knows no codec, no front end and no byte of a connection. Front ends send it
//! [`Request`]s and it answers with [`Notice`]s; the two tables say who sends which, what
//! answers it, and in which order. Both are plain values: what sends them may be in another
//! thread, or speak a protocol of its own.
//!
//! ```
//! use core::time::Duration;
//! use mq_core::Config;
//! use mq_core::model::{
//!     Answer, ConnectionId, Consume, ConsumerTimeout, Counted, DeclareQueue, Headers, Host, Identity,
//!     Login, Message, Model, Name, Notice, Origin, Properties, Publish, Request, Settlement, Unrouted,
//! };
//! use std::sync::Arc;
//!
//! let mut model = Model::new(&Config::default())?;
//! let (me, channel, now) = (ConnectionId(1), 1, Duration::ZERO);
//! let mut ask = |request| {
//!     model.handle(now, me, request);
//!     model.poll_notice(u64::MAX).map(|said| said.notice)
//! };
//!
//! // Nobody in particular logs in, to the first virtual host.
//! let login = Login { identity: Identity::Anonymous(None), host: Host::Default(None) };
//! let answer = ask(Request::Login(Box::new(login)));
//! assert!(matches!(answer, Some(Notice::LoggedIn { user }) if &*user == "guest"));
//!
//! // A statement has no answer.
//! assert!(ask(Request::OpenChannel { channel }).is_none());
//!
//! let queue = Name::from("orders");
//! let declare = DeclareQueue {
//!     channel,
//!     name: queue.clone(),
//!     durable: false,
//!     exclusive: false,
//!     auto_delete: false,
//!     arguments: Headers::default(),
//! };
//! let answer = ask(Request::DeclareQueue(Box::new(declare)));
//! assert!(matches!(answer, Some(Notice::QueueDeclared { messages: 0, .. })));
//!
//! let message = Message {
//!     exchange: Name::from(""),
//!     routing_key: queue.clone(),
//!     properties: Properties::default(),
//!     body: "two pencils".into(),
//!     published: now,
//!     origin: Origin::Broker,
//!     counted: Counted::default(),
//! };
//! let publish = Publish { message: Arc::new(message), unrouted: Unrouted::Return };
//! let answer = ask(Request::Publish { channel, publish, answer: Answer::Always(7) });
//! assert!(matches!(answer, Some(Notice::Accepted { ticket: 7, .. })));
//!
//! let consume = Consume {
//!     channel,
//!     queue,
//!     no_ack: false,
//!     exclusive: false,
//!     leads: false,
//!     priority: 0,
//!     prefetch: 1,
//!     timeout: ConsumerTimeout::Default,
//!     no_local: false,
//!     selector: None,
//!     topic: None,
//! };
//! let answer = ask(Request::Consume(Box::new(consume)));
//! assert!(matches!(answer, Some(Notice::Consumed { .. })));
//!
//! // The delivery holds a lease until it is settled.
//! let Some(Notice::Deliver(delivery)) = model.poll_notice(u64::MAX).map(|said| said.notice)
//! else {
//!     panic!("there is a message, and somebody who wants it");
//! };
//! assert_eq!(delivery.message.body, b"two pencils"[..]);
//! let lease = delivery.claim.lease().expect("it is to be acknowledged");
//! model.handle(now, me, Request::Settle { lease, settlement: Settlement::Acknowledge });
//! assert_eq!(model.statistics().acknowledged, 1);
//! model.handle(now, me, Request::Leave);
//! # Ok::<(), mq_core::ConfigError>(())
//! ```

mod attendance;
mod authentication;
pub(crate) mod body;
pub(crate) mod change;
mod connection;
pub(crate) mod cron;
pub(crate) mod delay;
pub(crate) mod difference;
mod drops;
pub(crate) mod exchange;
pub(crate) mod id;
mod limits;
mod login;
pub(crate) mod message;
pub(crate) mod meter;
mod notice;
pub(crate) mod policy;
pub(crate) mod queue;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod rights;
pub(crate) mod schedule;
pub(crate) mod selector;
pub(crate) mod session;
pub(crate) mod shared;
mod spill;
mod statistics;
pub(crate) mod timers;
pub(crate) mod topic;
pub(crate) mod transaction;
pub(crate) mod vhost;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::administration::Administration;
use crate::config::{Config, ConfigError, Store};
use crate::dialect::StompDialect;
use crate::names::Names;
use crate::policy::{Policy, PolicyKind};
use attendance::Attendance;
use authentication::Proofs;
use change::Part;
use meter::Meter;
use policy::Configured;
use rights::Rights;
use vhost::VirtualHost;

pub use body::Body;
pub use connection::{ConnectionId, Flow};
pub use drops::{DropCause, Dropped, Place};
pub use exchange::{ExchangeSettings, ExchangeType, HashOn};
pub use message::{Headers, Integer, Message, Name, Origin, Properties, Qos, Text, Value};
pub use meter::Counted;
pub(crate) use notice::Wait;
pub use notice::{Notice, PublishOutcome, Said, Shortage};
pub use queue::{Claim, ConsumerId, Delivery, Fetched, Lease, QueueId, QueueSettings, Settlement};
pub use refusal::{Refusal, RefusalKind};
pub use request::{
    Answer, BROWSED, Binding, BindingTarget, ChannelNumber, Consume, ConsumerTimeout, Credentials,
    DeclareExchange, DeclareQueue, Host, Identity, Login, Operation, Publish, Request, Step,
    Ticket, Unrouted,
};
pub(crate) use session::Census;
pub use session::{
    Attach, Attached, Leaving, Pending, Push, Resumed, RetainHandling, SubscribeRefusal,
    SubscribeRequest, SubscriptionOptions, Will,
};
pub use statistics::{QueueStatistics, SessionStatistics, Statistics};

/// A step is done for each event and each delivery, and one more for so many bytes in it.
pub(crate) const BYTES_PER_STEP: usize = 4096;

/// What all connections share: users and virtual hosts.
///
/// Hand in what a front end sends with [`handle`](Self::handle), and then take what
/// [`poll_notice`](Self::poll_notice) returns to the front ends until it returns nothing.
/// While [`has_work`](Self::has_work), call [`work`](Self::work) from time to time, and
/// [`handle_timeout`](Self::handle_timeout) no earlier than
/// [`poll_timeout`](Self::poll_timeout) says. Each call does a bounded amount.
///
/// Times are Unix times, and those of one model do not go backwards.
#[derive(Debug)]
pub struct Model {
    now: Duration,
    /// Steps that were done in all virtual hosts.
    steps: u64,
    rights: Rights,
    proofs: Proofs,
    /// What all messages hold.
    meter: Meter,
    /// Queues in one virtual host, whatever its own limit says.
    queues: usize,
    /// Who has logged in and not named a virtual host yet.
    users: BTreeMap<ConnectionId, Name>,
    vhosts: Vec<VirtualHost>,
    /// Who uses which virtual host.
    attendance: Attendance,
    /// Answers that no virtual host gives.
    notices: VecDeque<(ConnectionId, Notice)>,
    /// Virtual hosts that may have a notice.
    awake: VecDeque<usize>,
    /// Virtual hosts that have dropped messages, which nobody has been told of.
    dropping: BTreeSet<usize>,
    /// Virtual hosts that have work left, and some that have done it.
    working: BTreeSet<usize>,
    /// Virtual hosts that may have changes to be taken, if anybody takes them.
    changed: VecDeque<usize>,
}

impl Model {
    /// A model with the users and virtual hosts of the settings. It keeps nothing beyond
    /// its own life, and nothing waits for a store: that is for a
    /// [`Broker`](crate::Broker).
    ///
    /// # Errors
    ///
    /// The settings contradict themselves.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        config.check()?;
        Self::with_store(config, Store::None)
    }

    /// With a store, all changes are to be taken by [`poll_change`](Self::poll_change).
    pub(crate) fn with_store(config: &Config, store: Store) -> Result<Self, ConfigError> {
        let meter = Meter::default();
        let vhosts = config.virtual_hosts.iter().map(|name| {
            let mut vhost = VirtualHost::new(name, config.seed, store, config.limits.clone());
            vhost.shared.meter = meter.clone();
            vhost.shared.consumer_timeout =
                Some(config.consumer_timeout).filter(|timeout| !timeout.is_zero());
            vhost.shared.advises =
                config.advisories && config.stomp_dialect == StompDialect::ActiveMq;
            vhost
        });
        let mut vhosts: Vec<VirtualHost> = vhosts.collect();
        let (users, hosts) = (&config.user_limits, &config.virtual_host_limits);
        let attendance = Attendance::new(users.clone(), hosts.clone());
        for vhost in &mut vhosts {
            let limits = &mut vhost.shared.limits;
            limits.queues = attendance.queues(&vhost.shared.name, config.limits.queues);
            let (policies, operators) = (&config.policies, &config.operator_policies);
            let configured = Configured::new(&vhost.shared.name, policies, operators);
            let configured = configured.map_err(|(name, refusal)| ConfigError::Policy {
                name,
                reason: refusal.text,
            })?;
            vhost.replace_policies(configured);
        }
        Ok(Self {
            now: Duration::ZERO,
            steps: 0,
            rights: Rights::new(config)?,
            proofs: Proofs::new(config.seed),
            users: BTreeMap::new(),
            vhosts,
            meter,
            queues: config.limits.queues,
            attendance,
            notices: VecDeque::new(),
            awake: VecDeque::new(),
            dropping: BTreeSet::new(),
            working: BTreeSet::new(),
            changed: VecDeque::new(),
        })
    }

    /// What is done from now on is done at this time, if that is not over.
    pub fn set_time(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Takes in a request of a connection. Its answer, if it has one, and what else comes
    /// of it are for [`poll_notice`](Self::poll_notice).
    ///
    /// Requests of a connection that uses no virtual host are refused or ignored, but for
    /// `Login` and `Open`.
    pub fn handle(&mut self, now: Duration, connection: ConnectionId, mut request: Request) {
        self.now = self.now.max(now);
        self.count(&mut request);
        match request {
            Request::Login(login) => self.log_in(connection, *login),
            Request::Prove(step) => self.prove(connection, &step),
            Request::Open { virtual_host } => self.open(connection, &virtual_host),
            request => {
                let index = match request {
                    Request::Leave => {
                        self.users.remove(&connection);
                        self.proofs.forget(connection);
                        self.attendance.leave(connection)
                    }
                    Request::OpenChannel { channel } => {
                        if let Err(refusal) = self.attendance.open_channel(connection) {
                            self.refuse_channel(connection, channel, refusal);
                            return;
                        }
                        self.attendance.host_of(connection)
                    }
                    Request::CloseChannel { .. } => {
                        self.attendance.close_channel(connection);
                        self.attendance.host_of(connection)
                    }
                    _ => self.attendance.host_of(connection),
                };
                match index {
                    Some(index) => self.act(index, |vhost| vhost.serve(connection, request)),
                    None if matches!(request, Request::Attach(_)) => {
                        self.notices
                            .push_back((connection, refused(not_logged_in())));
                    }
                    None => {}
                }
            }
        }
    }

    /// A user has too many channels, and its connection ends for that.
    fn refuse_channel(&mut self, to: ConnectionId, channel: ChannelNumber, refusal: Refusal) {
        let notice = Notice::ChannelEnded {
            channel,
            refusal: Box::new(refusal),
        };
        self.notices.push_back((to, notice));
    }

    /// Changes what those who run the broker may change. What comes of it is for
    /// [`poll_notice`](Self::poll_notice).
    ///
    /// # Errors
    ///
    /// Why not; then nothing has changed.
    pub fn administer(&mut self, now: Duration, action: Administration) -> Result<(), Refusal> {
        self.now = self.now.max(now);
        match action {
            Administration::SetPolicy { kind, policy } => {
                let index = self.host(&policy.virtual_host)?;
                self.try_act(index, |vhost| vhost.set_policy(kind, policy))
            }
            Administration::ClearPolicy {
                kind,
                virtual_host,
                name,
            } => {
                let index = self.host(&virtual_host)?;
                self.try_act(index, |vhost| vhost.clear_policy(kind, &name))
            }
            Administration::ReplacePolicies {
                policies,
                operator_policies,
            } => self.replace_policies(&policies, &operator_policies),
            Administration::ReplaceLimits {
                users,
                virtual_hosts,
            } => {
                self.attendance.set_limits(users, virtual_hosts);
                self.limit_queues();
                Ok(())
            }
            Administration::SetUserLimits { user, limits } => self.set_user_limits(&user, limits),
            Administration::SetVirtualHostLimits {
                virtual_host,
                limits,
            } => self.set_host_limits(&virtual_host, limits),
            Administration::SetTracing { virtual_host, on } => {
                let index = self.host(&virtual_host)?;
                self.act(index, |vhost| vhost.set_tracing(on));
                Ok(())
            }
        }
    }

    fn replace_policies(
        &mut self,
        policies: &[Policy],
        operators: &[Policy],
    ) -> Result<(), Refusal> {
        let all = policies.iter().chain(operators);
        for policy in all {
            self.host(&policy.virtual_host)?;
        }
        let hosts = self.vhosts.iter();
        let configured =
            hosts.map(|vhost| Configured::new(&vhost.shared.name, policies, operators));
        let configured = configured.collect::<Result<Vec<_>, _>>();
        let configured = configured.map_err(|(_, refusal)| refusal)?;
        for (index, configured) in configured.into_iter().enumerate() {
            self.act(index, |vhost| vhost.replace_policies(configured));
        }
        Ok(())
    }

    /// The policies of one kind of a virtual host, by name; none where there is no such host.
    pub fn policies(&self, virtual_host: &str, kind: PolicyKind) -> impl Iterator<Item = &Policy> {
        let vhost = self
            .find(virtual_host)
            .and_then(|index| self.vhosts.get(index));
        vhost
            .into_iter()
            .flat_map(move |vhost| vhost.shared.policies.iter(kind))
    }

    /// The messages in a request are held from here on.
    fn count(&self, request: &mut Request) {
        match request {
            Request::Publish { publish, .. } => self.meter.count(&mut publish.message),
            Request::Commit { operations, .. } => {
                for operation in operations {
                    if let Operation::Publish(publish) = operation {
                        self.meter.count(&mut publish.message);
                    }
                }
            }
            _ => {}
        }
    }

    /// Counts what messages hold.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The next notice, and which connection's front end it is for. Returns None when there
    /// is nothing more, or when it has done that many steps without finding one;
    /// [`has_notices`](Self::has_notices) says which. A step is about one message or binding
    /// that was looked at.
    pub fn poll_notice(&mut self, steps: u64) -> Option<Said> {
        if steps == 0 {
            return None;
        }
        if let Some((to, notice)) = self.notices.pop_front() {
            let wait = Wait::Nothing;
            return Some(Said { to, notice, wait });
        }
        while let Some(index) = self.awake.front() {
            let index = *index;
            let vhost = self.vhosts.get_mut(index)?;
            let before = vhost.shared.statistics.steps;
            let said = vhost.poll_notice(steps);
            self.steps += vhost.shared.statistics.steps - before;
            if !vhost.shared.drops.is_empty() {
                self.dropping.insert(index);
            }
            if vhost.has_work() {
                self.working.insert(index);
            }
            if vhost.has_untaken_changes() {
                self.changed.push_back(index);
            }
            if said.is_some() {
                return said;
            }
            if vhost.has_notices() {
                // The steps are done. The others have their turn before it.
                self.awake.rotate_left(1);
                return None;
            }
            vhost.awake = false;
            self.awake.pop_front();
        }
        None
    }

    /// Messages that limits have dropped since the last call, one place after the other,
    /// until there is nothing more.
    pub fn poll_dropped(&mut self) -> Option<Dropped> {
        while let Some(index) = self.dropping.first() {
            let vhost = self.vhosts.get_mut(*index)?;
            if let Some(dropped) = vhost.shared.drops.pop(&vhost.shared.name) {
                return Some(dropped);
            }
            self.dropping.pop_first();
        }
        None
    }

    /// The next change of what outlives the broker, and the number of the virtual host.
    pub(crate) fn poll_change(&mut self) -> Option<(usize, Part)> {
        while let Some(index) = self.changed.front() {
            let vhost = self.vhosts.get_mut(*index)?;
            if let Some(change) = vhost.shared.changes.pop() {
                return Some((*index, change));
            }
            vhost.changing = false;
            self.changed.pop_front();
        }
        None
    }

    /// Goes on with what was kept, once all of it has been put back.
    pub(crate) fn resume(&mut self) {
        for index in 0..self.vhosts.len() {
            self.act(index, VirtualHost::resume);
        }
    }

    /// Makes other names from here on.
    pub(crate) fn reseed(&mut self, seed: u64) {
        for vhost in &mut self.vhosts {
            vhost.shared.names = Names::new(seed, 0);
        }
    }

    /// The virtual host of that number, to be filled with what was kept.
    pub(crate) fn host_mut(&mut self, index: usize) -> Option<&mut VirtualHost> {
        self.wake(index)
    }

    /// Whether [`poll_notice`](Self::poll_notice) has more to say.
    #[must_use]
    pub fn has_notices(&self) -> bool {
        let awake = || {
            self.awake
                .iter()
                .filter_map(|index| self.vhosts.get(*index))
        };
        !self.notices.is_empty() || awake().any(VirtualHost::has_notices)
    }

    /// Whether anything is left to do now: notices, or what [`work`](Self::work) does.
    #[must_use]
    pub fn has_work(&self) -> bool {
        let mut working = self.working.iter();
        let has_work = |index: &usize| self.vhosts.get(*index).is_some_and(VirtualHost::has_work);
        self.has_notices() || working.any(has_work)
    }

    /// Goes on with what moves much, for about so many steps: a purge, a large commit, the
    /// end of a connection that held a lot. What comes of it is for
    /// [`poll_notice`](Self::poll_notice).
    pub fn work(&mut self, steps: u64) {
        let mut working = core::mem::take(&mut self.working);
        working.retain(|index| self.vhosts.get(*index).is_some_and(VirtualHost::has_work));
        for index in &working {
            let steps = steps / working.len() as u64 + 1;
            self.act(*index, |vhost| vhost.do_work(steps));
        }
    }

    /// Whether something that the connection has asked for is still being done. Until then
    /// it is to ask for nothing else.
    #[must_use]
    pub fn is_busy(&self, connection: ConnectionId) -> bool {
        if self.working.is_empty() {
            return false;
        }
        match self.attendance.host_of(connection) {
            Some(index) => self
                .vhosts
                .get(index)
                .is_some_and(|vhost| vhost.is_busy(connection)),
            // It has left, and may have asked for something before.
            None => self.vhosts.iter().any(|vhost| vhost.is_busy(connection)),
        }
    }

    /// Steps that were done since the beginning.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next; None: never, as things
    /// are.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.vhosts
            .iter()
            .filter_map(VirtualHost::next_timeout)
            .min()
    }

    /// Does what is due at `now`, so many things in each virtual host at most.
    pub fn handle_timeout(&mut self, now: Duration, count: usize) {
        self.now = self.now.max(now);
        for index in 0..self.vhosts.len() {
            self.act(index, |vhost| vhost.expire(count));
        }
    }

    /// What was counted, over all virtual hosts.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let nothing = Statistics {
            held: self.meter.total() as u64,
            ..Statistics::default()
        };
        self.vhosts
            .iter()
            .map(VirtualHost::count)
            .fold(nothing, Statistics::plus)
    }

    /// What there is of sessions and retained messages, over all virtual hosts.
    pub(crate) fn census(&self) -> Census {
        let hosts = self.vhosts.iter().map(VirtualHost::census);
        hosts.fold(Census::default(), Census::plus)
    }

    /// Says something under `$SYS`, to the MQTT clients of the first virtual host.
    pub(crate) fn publish_system(&mut self, topic: &str, value: &str) {
        self.act(0, |vhost| {
            vhost.sessions.say(&mut vhost.shared, topic, value);
        });
    }

    /// Does something in a virtual host, and counts its steps.
    fn act(&mut self, index: usize, action: impl FnOnce(&mut VirtualHost)) {
        if let Some(vhost) = self.wake(index) {
            let before = vhost.shared.statistics.steps;
            action(vhost);
            let steps = vhost.shared.statistics.steps - before;
            let (has_dropped, has_work) = (!vhost.shared.drops.is_empty(), vhost.has_work());
            self.steps += steps;
            if has_dropped {
                self.dropping.insert(index);
            }
            if has_work {
                self.working.insert(index);
            }
        }
    }

    /// Tries something in a virtual host.
    fn try_act(
        &mut self,
        index: usize,
        action: impl FnOnce(&mut VirtualHost) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut result = Ok(());
        self.act(index, |vhost| result = action(vhost));
        result
    }

    /// Nothing has passed a connection for a while: what is its own takes as little memory as
    /// can be.
    pub(crate) fn rest(&mut self, connection: ConnectionId) {
        let host = self.attendance.host_of(connection);
        if let Some(vhost) = host.and_then(|index| self.vhosts.get_mut(index)) {
            vhost.rest(connection);
        }
    }

    /// What each queue has counted: by virtual host, and in the order in which they were
    /// declared.
    pub fn queues(&self) -> impl Iterator<Item = QueueStatistics> {
        self.vhosts.iter().flat_map(VirtualHost::queue_statistics)
    }

    /// What each MQTT session holds: by virtual host, and in the order in which they began.
    pub fn sessions(&self) -> impl Iterator<Item = SessionStatistics> {
        self.vhosts.iter().flat_map(VirtualHost::session_statistics)
    }

    /// A virtual host at the present time, to be polled afterwards.
    fn wake(&mut self, index: usize) -> Option<&mut VirtualHost> {
        let vhost = self.vhosts.get_mut(index)?;
        vhost.shared.now = self.now;
        if !vhost.awake {
            vhost.awake = true;
            self.awake.push_back(index);
        }
        if vhost.shared.changes.are_kept() && !vhost.changing {
            vhost.changing = true;
            self.changed.push_back(index);
        }
        Some(vhost)
    }
}

fn not_logged_in() -> Refusal {
    Refusal::access_refused(format_args!("nobody has logged in"))
}

fn refused(refusal: Refusal) -> Notice {
    Notice::Refused(Box::new(refusal))
}
