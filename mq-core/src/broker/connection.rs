//! A connection: its front end, its input that is not taken yet, and its output that has
//! not left.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use super::backlog::{Backlog, FRAME_HEAD};
use super::budget::TURN;
use super::departure::Departure;
use super::front::Front;
use super::memory::Memory;
use super::notices::Gathering;
use super::shared::Shared;
use super::slow::Pace;
use super::{Broker, Output};
use crate::admission::{Authentication, Proving, Terms};
use crate::frontend::{self, IdleFrontEnd, Protocol};
use crate::model::message::Name;
use crate::model::refusal::Refusal;
use crate::model::request::{self, Identity};
use crate::model::{ConnectionId, Notice, Request, Shortage};
use crate::report::Login;
use crate::slow_consumers::SlowConsumers;

/// One connection.
pub(super) struct Connection {
    pub(super) protocol: Protocol,
    pub(super) front: Front,
    /// Received, and not taken yet.
    pub(super) backlog: Backlog,
    /// Handed out, and not reported as transmitted yet.
    pub(super) unsent: usize,
    /// Sizes of messages for it that wait for the store.
    pub(super) held: usize,
    /// It publishes, and there is no room for that.
    pub(super) blocked: Option<Shortage>,
    /// Takes deliveries.
    pub(super) writable: bool,
    /// Among those whose output and deadline have to be looked at.
    pub(super) touched: bool,
    pub(super) paused: bool,
    /// The model has to answer before more of the backlog is taken.
    pub(super) waits: bool,
    /// In the line of those whose backlog can be taken.
    pub(super) in_line: bool,
    /// The peer is gone, and only what it has sent before is still to be taken.
    pub(super) gone: bool,
    pub(super) departure: Option<Departure>,
    pub(super) deadline: Option<Duration>,
    pub(super) login: Login,
    /// What its front end says next.
    pub(super) gathering: Gathering,
    /// What the embedder is asked to check, and until when.
    pub(super) unverified: Option<Box<(Duration, Unverified)>>,
    /// What is done about its peer if that is too slow, where it is not what the settings of
    /// the broker say.
    pub(super) slow_consumers: Option<Box<SlowConsumers>>,
    /// How its peer gets on, where it matters.
    pub(super) pace: Option<Box<Pace>>,
}

/// What an embedder is asked about a peer.
pub(super) enum Unverified {
    /// Who it is.
    Login(Box<request::Login>),
    /// What its step proves.
    Step,
}

impl Unverified {
    fn is_login(&self) -> bool {
        matches!(self, Self::Login(_))
    }
}

impl Connection {
    /// One of which nothing is known yet.
    pub(super) fn new(protocol: Protocol, front: Front) -> Self {
        Self {
            protocol,
            front,
            backlog: Backlog::default(),
            unsent: 0,
            held: 0,
            blocked: None,
            writable: true,
            touched: false,
            paused: false,
            waits: false,
            in_line: false,
            gone: false,
            departure: None,
            deadline: None,
            login: Login::default(),
            gathering: Gathering::default(),
            unverified: None,
            slow_consumers: None,
            pace: None,
        }
    }

    /// Whether nothing is under way between the peer, the front end and the model.
    pub(super) fn is_quiet(&self) -> bool {
        // A field that is new does not compile until it is known whether it matters here.
        let Self {
            protocol: _,
            front: _,
            backlog,
            unsent,
            held,
            blocked,
            writable,
            touched,
            paused,
            waits,
            in_line,
            gone,
            departure,
            deadline: _,
            login,
            gathering,
            unverified,
            slow_consumers: _,
            pace: _, // none without anything under way
        } = self;
        let is_busy = *touched || *paused || *waits || *in_line || *gone || !*writable;
        let is_to_go = *unsent > 0 || *held > 0 || !gathering.is_empty();
        let is_under_way = is_to_go || !backlog.is_empty();
        let is_open = blocked.is_none() && departure.is_none() && unverified.is_none();
        is_open && !is_busy && !is_under_way && login.is_over()
    }

    /// What is left of its front end while it is quiet, if that is less.
    pub(super) fn idle(&mut self) -> Option<Box<dyn IdleFrontEnd>> {
        // The buffer goes in any case.
        self.backlog = Backlog::default();
        let idle = self.front.idle()?;
        (idle.poll_timeout() == self.deadline).then_some(idle)
    }

    /// Has its output and its deadline looked at before the call of the broker ends.
    pub(super) fn touch(&mut self, id: ConnectionId, touched: &mut VecDeque<ConnectionId>) {
        if !self.touched {
            self.touched = true;
            touched.push_back(id);
        }
    }

    /// Bytes on their way to the peer.
    pub(super) fn outbound(&self) -> usize {
        self.unsent + self.held + self.front.transmit_len()
    }

    /// Hands the requests of its front end to the model. Returns whether it is blocked from
    /// here on: it waits before its next message.
    pub(super) fn pass_requests(&mut self, id: ConnectionId, shared: &mut Shared) -> bool {
        let was_blocked = self.blocked.is_some();
        while self.unverified.is_none()
            && let Some(mut request) = self.front.get_mut().and_then(|front| front.poll_request())
        {
            if let Some(reason) = self.login.hear(&request) {
                shared.report(&self.login, id, reason);
            }
            let inspection = &mut shared.inspection;
            if inspection.is_watching() {
                request = inspection.inspect(id, self.protocol, &self.login, request);
            }
            match request {
                Request::Login(login)
                    if shared.config.authentication == Authentication::Embedder
                        && !matches!(
                            login.identity,
                            Identity::Verified(_) | Identity::Refused(_)
                        ) =>
                {
                    shared.ask_who(id, &login.identity);
                    // What follows waits with it.
                    let until = shared.checked_until();
                    self.unverified = Some(Box::new((until, Unverified::Login(login))));
                }
                Request::Prove(step)
                    if shared.config.authentication == Authentication::Embedder =>
                {
                    let (connection, step) = (id, *step);
                    shared.outputs.push_back(Output::Prove { connection, step });
                    let until = shared.checked_until();
                    self.unverified = Some(Box::new((until, Unverified::Step)));
                }
                request => {
                    if let Some(shortage) = shared.request(id, request) {
                        self.blocked.get_or_insert(shortage);
                    }
                }
            }
        }
        !was_blocked && self.blocked.is_some()
    }

    /// Whether its input waits because its peer does not take what it is sent, or there is no
    /// room for what it publishes. The last input of a connection does not: there is no later
    /// time for it.
    pub(super) fn is_held(&self, shared: &Shared) -> bool {
        let is_last = self.gone || self.departure.is_some();
        let high_water = shared.config.limits.transmit_high_water;
        !is_last && (self.is_blocked(&shared.memory) || self.outbound() >= high_water)
    }

    /// Whether its input waits since there is no room for what it publishes. Where a peer has
    /// something to acknowledge, which makes room, that may come next.
    pub(super) fn is_blocked(&self, memory: &Memory) -> bool {
        match self.blocked {
            None => false,
            Some(Shortage::Store | Shortage::Disk) => true,
            Some(Shortage::Memory) => !(memory.has_reserve() && self.front.has_unacknowledged()),
        }
    }

    /// Whether there is input that can be taken, now or when the model has answered.
    pub(super) fn has_input(&self) -> bool {
        self.in_line || self.waits
    }

    /// When it has to be looked at next.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let drained = match self.departure {
            Some(Departure::Draining { until }) => Some(until),
            Some(Departure::Drained) | None => None,
        };
        let checked = self.unverified.as_ref().map(|unverified| unverified.0);
        let front = self.front.poll_timeout();
        let slow = self.too_slow_at();
        let times = [front, drained, checked, slow];
        times.into_iter().flatten().min()
    }
}
impl Broker {
    pub(super) fn connect(&mut self, id: ConnectionId, protocol: Protocol, terms: Terms) {
        if self.connections.contains_key(&id) {
            return;
        }
        let full = self.connections.len() >= self.shared.config.limits.connections;
        if self.stopping || full {
            self.shared
                .outputs
                .push_back(Output::Close { connection: id });
            return;
        }
        let (config, now) = (&self.shared.config, self.shared.now);
        let own = terms.slow_consumers;
        let own = own.filter(|policy| *policy != config.slow_consumers);
        let front = frontend::new(protocol, config, terms, id, now);
        let mut connection = Connection::new(protocol, Front::Open(front));
        connection.slow_consumers = own.map(Box::new);
        connection.touch(id, &mut self.touched);
        self.connections.insert(id, connection);
        if let Some(system) = &mut self.system {
            system.connected();
        }
    }

    /// The embedder has checked who a connection's peer is.
    pub(super) fn authenticated(&mut self, id: ConnectionId, user: Result<String, String>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let unverified = connection.unverified.take_if(|it| it.1.is_login());
        let Some((_, Unverified::Login(mut login))) = unverified.map(|it| *it) else {
            return;
        };
        login.identity = match user {
            Ok(user) => Identity::Verified(Name::from(user)),
            Err(reason) => Identity::Refused(reason),
        };
        self.shared
            .model
            .handle(self.shared.now, id, Request::Login(login));
        self.with(id, |_, _| {});
    }

    /// The embedder has looked at a step of a connection's client.
    pub(super) fn step_answered(&mut self, id: ConnectionId, answer: Proving) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let step = connection.unverified.take_if(|it| !it.1.is_login());
        if step.is_none() {
            return;
        }
        let notice = match answer {
            Proving::Continue(data) => Notice::Challenge { data },
            Proving::Proven { user, data } => Notice::Proven {
                user: Name::from(user),
                virtual_host: None,
                data,
            },
            Proving::Refused(reason) => {
                Notice::Refused(Box::new(Refusal::access_refused(format_args!("{reason}"))))
            }
            Proving::UnknownMethod => Notice::Refused(Box::new(Refusal::not_implemented(
                format_args!("the authentication method is not known"),
            ))),
        };
        self.notify(id, notice);
        self.with(id, |_, _| {});
    }

    /// Refuses a peer that the embedder should have known by now.
    pub(super) fn stop_checking(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let reason = || String::from("the check of who it is has taken too long");
        match connection.unverified.as_deref() {
            Some((until, _)) if *until > self.shared.now => {}
            Some((_, Unverified::Login(_))) => self.authenticated(id, Err(reason())),
            Some((_, Unverified::Step)) => self.step_answered(id, Proving::Refused(reason())),
            None => {}
        }
    }

    pub(super) fn receive(&mut self, id: ConnectionId, bytes: Bytes) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.departure == Some(Departure::Drained) {
            return;
        }
        if connection.backlog.is_empty() {
            self.process(id, bytes, Bytes::new());
            return;
        }
        if !self.has_to_wait(id) {
            self.complete_frame(id, &bytes);
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.backlog.extend(&bytes);
        if connection.in_line {
            self.set_paused(id, true);
        } else {
            self.process_backlog(id);
        }
    }

    /// Whether the input of a connection waits for something else than the rest of a frame.
    fn has_to_wait(&self, id: ConnectionId) -> bool {
        let connection = self.connections.get(&id);
        connection.is_some_and(|c| c.has_input() || c.is_held(&self.shared))
            || self.shared.model.is_busy(id)
    }

    /// The backlog is the beginning of a frame. Copies no more to it than completes the frame,
    /// as far as can be told, and takes the rest of `bytes` as it lies.
    fn complete_frame(&mut self, id: ConnectionId, bytes: &Bytes) {
        let mut at = 0;
        loop {
            let Some(connection) = self.connections.get_mut(&id) else {
                return;
            };
            let rest = bytes.get(at..).unwrap_or_default();
            let missing = connection.backlog.missing(&connection.front);
            let more = missing.unwrap_or(connection.backlog.len().max(FRAME_HEAD));
            let (more, rest) = rest.split_at(more.min(rest.len()));
            at += more.len();
            connection.backlog.keep(more, &connection.front);
            if missing.is_some() {
                let frame = connection.backlog.take();
                self.process(id, frame, bytes.slice(at..));
                return;
            }
            self.process_backlog(id);
            if rest.is_empty() {
                return;
            }
            let waits = self.has_to_wait(id);
            let Some(connection) = self.connections.get_mut(&id) else {
                return;
            };
            let left = connection.backlog.len();
            if waits {
                connection.backlog.extend(rest);
                self.set_paused(id, true);
                return;
            }
            if left <= more.len() {
                // What is left came with `bytes`.
                connection.backlog = Backlog::default();
                self.process(id, bytes.slice(at - left..), Bytes::new());
                return;
            }
        }
    }

    /// Nothing has passed a connection for a while: as little of it is kept as can be.
    pub(super) fn rest(&mut self, id: ConnectionId) {
        if !self.shared.model.is_busy(id) {
            self.shared.model.rest(id);
            self.connections.rest(id);
        }
    }

    /// Stops reading from a connection whose input waits for something else than the
    /// rest of a frame, once there is enough of it, and reads on when half is gone.
    pub(super) fn set_paused(&mut self, id: ConnectionId, waits: bool) {
        let high_water = self.shared.config.limits.receive_high_water;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let waiting = connection.backlog.len();
        if connection.gone {
            return;
        }
        if waits && waiting >= high_water && !connection.paused {
            connection.paused = true;
            self.shared
                .outputs
                .push_back(Output::Pause { connection: id });
        } else if connection.paused && (!waits || waiting < high_water / 2) {
            connection.paused = false;
            self.shared
                .outputs
                .push_back(Output::Resume { connection: id });
        }
    }

    /// The peer is gone. What it has sent before counts all the same.
    pub(super) fn disconnect(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.backlog.is_empty() || connection.front.is_closed() {
            self.report_failure(id);
            self.remove(id);
            return;
        }
        connection.gone = true;
        connection.unsent = 0;
        let in_line = connection.in_line;
        self.set_writable(id, false);
        if !in_line {
            self.process_backlog(id);
        }
    }

    pub(super) fn transmitted(&mut self, id: ConnectionId, len: usize) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.unsent = connection.unsent.saturating_sub(len);
        connection.count_taken(&self.shared.config, len);
        connection.touch(id, &mut self.touched);
        if connection.outbound() > self.shared.config.limits.transmit_high_water / 2 {
            return;
        }
        if !connection.writable {
            self.set_writable(id, true);
            self.after_sending(id);
            self.pump(self.spent() + TURN);
        }
        let waiting = self
            .connections
            .get(&id)
            .is_some_and(|c| !c.backlog.is_empty() && !c.in_line);
        if waiting {
            self.process_backlog(id);
        }
    }

    /// Lets deliveries come to a connection, or not.
    pub(super) fn set_writable(&mut self, id: ConnectionId, writable: bool) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.writable = writable;
        let flow = connection.flow(&self.shared.config, writable);
        self.shared
            .model
            .handle(self.shared.now, id, Request::Flow(flow));
    }

    /// Stops deliveries to a connection that has enough on its way.
    pub(super) fn after_sending(&mut self, id: ConnectionId) {
        let high_water = self.shared.config.limits.transmit_high_water;
        let enough = self
            .connections
            .get(&id)
            .is_some_and(|c| c.writable && c.outbound() >= high_water);
        if enough {
            self.set_writable(id, false);
        }
    }

    pub(super) fn flush(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.touched = false;
        if let Some(front) = connection.front.get_mut()
            && front.transmit_len() > 0
        {
            front.poll_transmit(self.shared.now, &mut self.transmitting);
            for bytes in self.transmitting.drain(..) {
                if !connection.gone {
                    connection.unsent += bytes.len();
                    self.shared.outputs.push_back(Output::Transmit {
                        connection: id,
                        bytes,
                    });
                }
            }
        }
        connection.watch_pace(&self.shared.config, self.shared.now);
        if let Some(system) = &mut self.system
            && let Some(front) = connection.front.get_mut()
        {
            system.add(front.take_traffic());
        }
        if connection.front.is_closed() {
            self.close(id);
            return;
        }
        // While an answer waits for the store, so does what comes after the question.
        let journal = self.shared.journal.as_ref();
        let waits = connection.waits && journal.is_some_and(|journal| journal.holds(id));
        let reading = !waits && !connection.is_held(&self.shared);
        if let Some(front) = connection.front.get_mut() {
            front.set_reading(self.shared.now, reading);
        }
        let deadline = connection.poll_timeout();
        if deadline != connection.deadline {
            if let Some(old) = connection.deadline {
                self.deadlines.remove(&(old, id));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, id));
            }
            connection.deadline = deadline;
        }
    }

    /// Says why a connection ends, if its peer is the cause.
    fn report_failure(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(&id)
            && let Some(reason) = connection.front.failure()
        {
            self.shared.report(&connection.login, id, reason);
        }
    }

    /// Ends a connection from this side, unless it is over.
    pub(super) fn close(&mut self, id: ConnectionId) {
        self.report_failure(id);
        if self.connections.get(&id).is_some_and(|c| !c.gone) {
            self.shared
                .outputs
                .push_back(Output::Close { connection: id });
        }
        self.remove(id);
    }

    /// Forgets a connection, after it gave back what it holds.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        let Some(mut connection) = self.connections.remove(&id) else {
            return;
        };
        if let Some(at) = connection.deadline {
            self.deadlines.remove(&(at, id));
        }
        self.blocked.remove(&id);
        // What it never got it gives back with the rest.
        let held: Vec<Notice> = match &mut self.shared.journal {
            Some(journal) => journal.take_held(id).collect(),
            None => Vec::new(),
        };
        for notice in held {
            connection
                .front
                .with(id, &self.shared, |front, now| front.notice(now, notice));
        }
        connection
            .front
            .with(id, &self.shared, |front, _| front.disconnected());
        // The model has never heard of one that was not let in.
        while !connection
            .unverified
            .as_ref()
            .is_some_and(|it| it.1.is_login())
            && let Some(request) = connection.front.get_mut().and_then(|f| f.poll_request())
        {
            self.shared.model.handle(self.shared.now, id, request);
        }
        self.shared
            .model
            .handle(self.shared.now, id, Request::Leave);
        self.pump(self.spent() + TURN);
    }
}
