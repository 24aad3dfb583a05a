//! STOMP 1.0, 1.1 and 1.2.

mod answer;
mod destination;
mod headers;
mod idle;
mod send;
mod subscription;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use stomp_codec::connection::{
    Connect, Goodbye, HeartBeat, HostHeader, Operation, Reading, ServerConfig, ServerConnection,
    ServerEvent, Subscription, UnmatchedUnsubscribe,
};

use stomp_codec::Limits;

use super::body::{Source, WHOLE};
use super::last_name::{LastName, LastRoute};
use super::{FrontEnd, IdleFrontEnd, Link, Progress, settle};
use crate::admission::Terms;
use crate::config::Config;
use crate::dialect::StompDialect;
use crate::few_map::FewMap;
use crate::model::message::Name;
use crate::model::queue::{ConsumerId, Lease, Settlement};
use crate::model::refusal::Refusal;
use crate::model::request::{self, ChannelNumber, Host, Login, Row, Ticket};
use crate::model::{Body, ConnectionId, Notice, Request};
use crate::names::Names;
use crate::report::Reason;
use answer::Asked;
use destination::Destination;
use idle::IdleStomp;
use send::Incoming;

/// What this server calls itself in CONNECTED.
const SERVER: &str = concat!("mq-core/", env!("CARGO_PKG_VERSION"));

/// Where the messages of a consumer go.
#[derive(Debug, Clone)]
enum Receiver {
    /// To a subscription of the client.
    Subscription(Subscription),
    /// The same, with the destination that it has subscribed to in place of the one that a
    /// publisher has named.
    Own(Subscription, Name),
    /// To a temporary queue, under its own name.
    Temporary(Name),
}

/// The channel of the model that a connection is.
const CHANNEL: ChannelNumber = 0;

/// The name of a client's durable subscription to a topic (ActiveMQ).
const SUBSCRIPTION_NAME: &str = "activemq.subscriptionName";

/// Bytes in which most frames have all of their headers.
const LONGEST_HEAD: usize = 4 * 1024;

/// One STOMP connection.
pub(super) struct StompFrontEnd {
    codec: ServerConnection,
    config: Arc<Config>,
    link: Link<Asked>,
    names: Names,
    /// Until CONNECT.
    terms: Option<Box<Terms>>,
    connection: ConnectionId,
    last_route: LastRoute,
    last_destination: LastName,
    /// Who the client is, from CONNECTED on.
    user: Name,
    /// From CONNECTED on.
    session: Option<Session>,
    /// A SEND whose body is coming.
    incoming: Option<Box<Incoming>>,
}

/// What a connection has after login.
#[derive(Default)]
struct Session {
    /// Who the client says it is (`client-id`), for its durable subscriptions.
    client: Option<Name>,
    consumers: FewMap<ConsumerId, Receiver>,
    /// A subscription to several destinations has as many.
    by_subscription: FewMap<Subscription, Vec<ConsumerId>>,
    /// The queues of durable subscriptions, which stay when the client goes.
    durable: BTreeMap<Subscription, Name>,
    /// Queues that replies come to, by the client's name for them.
    temporary: BTreeMap<String, Name>,
    /// What the names of its temporary topics begin with.
    temporary_topics: Option<Name>,
    /// What the client holds, by the number that the codec knows it by.
    held: BTreeMap<u64, Lease>,
    last_delivery: u64,
    /// Receipts of what the model has not accepted yet.
    receipts: BTreeMap<Ticket, String>,
    /// What a transaction settles that the model has not accepted yet.
    committing: BTreeMap<Ticket, Vec<Lease>>,
    last_ticket: Ticket,
    /// DISCONNECT has come, and its receipt waits for that.
    farewell: Option<Ticket>,
}

/// Why a frame could not be served: the ERROR says so and ends the connection.
#[derive(Debug)]
struct Failure {
    message: &'static str,
    detail: String,
}

impl Failure {
    fn new(message: &'static str, detail: impl Into<String>) -> Self {
        Self {
            message,
            detail: detail.into(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        use crate::model::refusal::RefusalKind as Kind;
        let message = match refusal.kind {
            Kind::AccessRefused | Kind::NotAllowed => "access_refused",
            Kind::NotFound => "not_found",
            Kind::ResourceLocked => "resource_locked",
            Kind::PreconditionFailed => "precondition_failed",
            Kind::NotImplemented => "not_implemented",
            Kind::ResourceLimit => "resource_limit",
        };
        Self::new(message, refusal.text)
    }
}

/// The settings of the codec.
fn codec_config(config: &Config) -> ServerConfig {
    let limits = Limits::default()
        .with_header_count(config.limits.headers)
        .with_body(config.limits.message_size)
        .with_assembled_size(WHOLE)
        .with_subscriptions(config.limits.consumers)
        .with_transactions(config.limits.transactions)
        .with_transaction_operations(config.limits.transaction_operations)
        .with_transaction_bytes(config.limits.transaction_bytes);
    let host_header = if config.stomp_host_required {
        HostHeader::Required
    } else {
        HostHeader::Optional
    };
    ServerConfig::default()
        .with_unmatched_unsubscribe(UnmatchedUnsubscribe::PassedOn)
        .with_heart_beat(HeartBeat {
            send: config.stomp_heart_beat,
            receive: config.stomp_heart_beat,
        })
        .with_host_header(host_header)
        .with_limits(limits)
}

impl StompFrontEnd {
    pub(super) fn new(
        config: Arc<Config>,
        terms: Terms,
        connection: ConnectionId,
        now: Duration,
    ) -> Self {
        let handshake_timeout = terms.login_timeout.unwrap_or(config.login_timeout);
        let codec = codec_config(&config).with_handshake_timeout(handshake_timeout);
        Self {
            codec: ServerConnection::new(now, codec),
            link: Link::default(),
            names: Names::new(config.seed, connection.0),
            config,
            terms: Some(Box::new(terms)),
            connection,
            last_route: LastRoute::default(),
            last_destination: LastName::default(),
            user: Name::default(),
            session: None,
            incoming: None,
        }
    }

    fn connect(&mut self, connect: &Connect<'_>) {
        let user = connect.login.as_deref().unwrap_or_default();
        let password = connect.passcode.as_deref().unwrap_or_default();
        let terms = core::mem::take(&mut self.terms).unwrap_or_default();
        let identity = super::identity(&self.config, &terms, user, password.as_bytes());
        let default = terms.virtual_host.map(Name::from);
        let host = connect.host.as_deref().map(Name::from);
        let name = host.as_deref().unwrap_or_default().to_string();
        let client = connect.frame.header("client-id").map(Name::from);
        let host = match host {
            None => Host::Default(default),
            Some(host) if self.config.stomp_host_fallback => Host::NamedOrDefault(host, default),
            Some(host) => Host::Named(host),
        };
        let login = Request::Login(Box::new(Login { identity, host }));
        self.link.ask(login, Asked::Login { host: name, client });
    }

    /// Acts on an event of an open session. What is done at once is answered at once, the
    /// rest when the model has answered.
    fn serve(&mut self, now: Duration, source: Source<'_>, event: ServerEvent<'_>) {
        let Some(session) = &mut self.session else {
            return;
        };
        let receipt = match event {
            ServerEvent::Send(send) => {
                let receipt = send.receipt.clone();
                if let Err(failure) = self.send(now, source, &send) {
                    self.fail(now, receipt.as_deref(), &failure);
                }
                return;
            }
            ServerEvent::Body {
                part, remaining, ..
            } => {
                self.body_part(source, part, remaining);
                return;
            }
            ServerEvent::Commit {
                operations,
                receipt,
                ..
            } => {
                if let Err(failure) = self.commit(now, &operations, receipt.as_deref()) {
                    self.fail(now, receipt.as_deref(), &failure);
                }
                return;
            }
            ServerEvent::Subscribe(subscribe) => {
                if let Err(failure) = self.subscribe(&subscribe) {
                    self.fail(now, subscribe.receipt.as_deref(), &failure);
                }
                return;
            }
            ServerEvent::Unsubscribe {
                subscription,
                unacknowledged,
                receipt,
                frame,
                ..
            } => {
                session.settle(&mut self.link, &unacknowledged, Settlement::Requeue);
                let queue = session.unsubscribe(&mut self.link, subscription);
                let forget = headers::flag(&frame, "durable") == Some(true)
                    || frame.header(SUBSCRIPTION_NAME).is_some();
                if let (Some(queue), true) = (queue, forget) {
                    self.forget(queue, receipt.as_deref());
                    return;
                }
                receipt
            }
            ServerEvent::UnmatchedUnsubscribe { receipt, frame, .. } => {
                let name = frame.header(SUBSCRIPTION_NAME);
                let queue = name.map(|name| session.durable_queue(&name));
                match queue {
                    Some(Ok(queue)) => self.forget(queue, receipt.as_deref()),
                    Some(Err(failure)) => self.fail(now, receipt.as_deref(), &failure),
                    None => {
                        let why = "there is no such subscription";
                        let failure = Failure::new("unknown subscription", why);
                        self.fail(now, receipt.as_deref(), &failure);
                    }
                }
                return;
            }
            ServerEvent::Ack(ack) => {
                let receipt = ack.receipt.as_deref();
                self.settle(&ack.deliveries, Settlement::Acknowledge, receipt);
                return;
            }
            ServerEvent::Nack(nack) => {
                let requeue = nack.frame.header("requeue");
                let settlement = refused(requeue.as_deref(), self.config.stomp_dialect);
                self.settle(&nack.deliveries, settlement, nack.receipt.as_deref());
                return;
            }
            ServerEvent::Disconnect { receipt, .. } => {
                match receipt {
                    None => self.leave(),
                    Some(receipt) => self.part(&receipt),
                }
                return;
            }
            _ => return,
        };
        self.receipt(receipt.as_deref());
    }

    /// Ends a durable subscription for ever.
    fn forget(&mut self, queue: Name, receipt: Option<&str>) {
        let question = Request::DeleteQueue {
            channel: CHANNEL,
            queue,
            if_unused: false,
            if_empty: false,
        };
        let receipt = receipt.map(String::from);
        self.link.ask(question, Asked::Unsubscribe { receipt });
    }

    /// Settles deliveries. The receipt comes when that is stored.
    fn settle(&mut self, deliveries: &[u64], settlement: Settlement, receipt: Option<&str>) {
        let asked = receipt.map(|receipt| (CHANNEL, self.ticket(Some(receipt))));
        let Some(session) = &mut self.session else {
            return;
        };
        let leases = session.take(deliveries);
        match asked {
            None => settle(&mut self.link, leases, settlement),
            asked => self.link.tell(Request::SettleAll {
                leases: leases.collect(),
                settlement,
                asked,
            }),
        }
    }

    fn commit(
        &mut self,
        now: Duration,
        operations: &[Operation],
        receipt: Option<&str>,
    ) -> Result<(), Failure> {
        let mut steps = Vec::with_capacity(operations.len());
        let mut leases = Vec::new();
        for operation in operations {
            let (deliveries, settlement) = match operation {
                Operation::Send(held) => {
                    let body = Body::from(held.frame().body().clone());
                    let publishes = self.publish_to_all(&held.as_send(), &body, now)?;
                    steps.extend(publishes.into_iter().map(request::Operation::Publish));
                    continue;
                }
                Operation::Ack { deliveries, .. } => (deliveries, Settlement::Acknowledge),
                Operation::Nack {
                    deliveries, frame, ..
                } => {
                    let requeue = frame.as_frame().header("requeue");
                    let dialect = self.config.stomp_dialect;
                    (deliveries, refused(requeue.as_deref(), dialect))
                }
                _ => continue,
            };
            let held = self
                .session
                .as_mut()
                .map(|session| session.take(deliveries));
            for lease in held.into_iter().flatten() {
                leases.push(lease);
                steps.push(request::Operation::Settle { lease, settlement });
            }
        }
        let ticket = self.ticket(receipt);
        if let Some(session) = &mut self.session {
            session.committing.insert(ticket, leases);
        }
        self.link.tell(Request::Commit {
            channel: CHANNEL,
            operations: steps,
            ticket,
        });
        Ok(())
    }

    /// A number for what the model is to accept, and the receipt that waits for it.
    fn ticket(&mut self, receipt: Option<&str>) -> Ticket {
        let Some(session) = &mut self.session else {
            return 0;
        };
        session.last_ticket += 1;
        if let Some(receipt) = receipt {
            let receipt = receipt.to_string();
            session.receipts.insert(session.last_ticket, receipt);
        }
        session.last_ticket
    }

    /// DISCONNECT with a receipt: that comes when all is stored that came before it, and
    /// after the receipts for that.
    fn part(&mut self, receipt: &str) {
        let ticket = self.ticket(Some(receipt));
        let Some(session) = &mut self.session else {
            return;
        };
        session.farewell = Some(ticket);
        session.give_back(&mut self.link);
        session.by_subscription = FewMap::new();
        let channel = CHANNEL;
        for (consumer, _) in core::mem::take(&mut session.consumers).into_entries() {
            self.link.tell(Request::Cancel { channel, consumer });
        }
        self.link.tell(Request::Store { channel, ticket });
    }

    /// Gives back everything.
    fn leave(&mut self) {
        self.incoming = None;
        if let Some(mut session) = self.session.take() {
            session.give_back(&mut self.link);
        }
        self.link.tell(Request::Leave);
    }
}

/// NACK: back to the queue as in RabbitMQ, or to its dead letters as in ActiveMQ, unless the
/// header says otherwise.
fn refused(requeue: Option<&str>, dialect: StompDialect) -> Settlement {
    let by_default = dialect == StompDialect::RabbitMq;
    match requeue.and_then(headers::boolean).unwrap_or(by_default) {
        false => Settlement::Reject,
        true => Settlement::Requeue,
    }
}

impl Session {
    /// Gives back all that the client holds.
    fn give_back(&mut self, link: &mut Link<Asked>) {
        let committing = core::mem::take(&mut self.committing);
        let refused = committing.into_values().flatten();
        let held = core::mem::take(&mut self.held).into_values();
        settle(link, refused.chain(held), Settlement::Requeue);
    }

    /// Takes what the client holds under these numbers.
    fn take(&mut self, deliveries: &[u64]) -> impl Iterator<Item = Lease> {
        let deliveries = deliveries.iter();
        deliveries.filter_map(|delivery| self.held.remove(delivery))
    }

    /// The queue of the client's durable subscription of that name (ActiveMQ).
    fn durable_queue(&self, name: &str) -> Result<Name, Failure> {
        let Some(client) = &self.client else {
            let why = "activemq.subscriptionName needs a client-id in CONNECT";
            return Err(Failure::new("Missing header", why));
        };
        Ok(destination::durable(client, name))
    }

    fn settle(&mut self, link: &mut Link<Asked>, deliveries: &[u64], settlement: Settlement) {
        let leases = self.take(deliveries);
        settle(link, leases, settlement);
    }

    /// Ends a subscription. Returns the queue of a durable one.
    fn unsubscribe(&mut self, link: &mut Link<Asked>, subscription: Subscription) -> Option<Name> {
        for consumer in self
            .by_subscription
            .remove(&subscription)
            .unwrap_or_default()
        {
            self.consumers.remove(&consumer);
            link.tell(Request::Cancel {
                channel: CHANNEL,
                consumer,
            });
        }
        self.durable.remove(&subscription)
    }
}

impl FrontEnd for StompFrontEnd {
    fn receive(&mut self, now: Duration, source: &Bytes, input: &mut &[u8]) -> Progress {
        if self.link.is_waiting() {
            return Progress::Waiting;
        }
        match self.codec.receive(now, input) {
            Ok(Some(ServerEvent::Connect(connect))) => {
                self.connect(&connect);
                Progress::Event
            }
            Ok(Some(event)) => {
                self.serve(now, Source(source), event);
                Progress::Event
            }
            // The ERROR is on its way, and the connection over.
            Ok(None) | Err(_) => Progress::Idle,
        }
    }

    fn may_gather(&self, input: &[u8]) -> bool {
        if self.codec.open_transactions() > 0 {
            // The codec answers what is held in one, and that at once.
            return false;
        }
        if self.codec.is_receiving_body() {
            // Who else has a body in parts is followed by any frame.
            return self.incoming.is_some() && self.link.row() != Row::Over;
        }
        match input {
            [b'S', b'E', b'N', b'D', ..] => self.link.row() != Row::Over,
            [b'A', b'C', b'K', ..] | [b'N', b'A', b'C', b'K', ..] => self.link.row() == Row::Any,
            _ => false,
        }
    }

    fn missing(&self, input: &[u8]) -> usize {
        if self.codec.is_receiving_body() {
            return 1;
        }
        // The header says it, if anything does: a body is not searched for its end.
        let (head, rest) = input.split_at(input.len().min(LONGEST_HEAD));
        let version = self.codec.version().unwrap_or(stomp_codec::Version::V1_2);
        // What breaks a rule needs no more.
        let missing = stomp_codec::needed(head, version, &Limits::default()).unwrap_or(0);
        missing.saturating_sub(rest.len())
    }

    fn poll_request(&mut self) -> Option<Request> {
        self.link.poll()
    }

    fn notice(&mut self, now: Duration, notice: Notice) {
        self.take_notice(now, notice);
    }

    fn set_reading(&mut self, now: Duration, reading: bool) {
        self.codec.set_reading(
            now,
            match reading {
                true => Reading::Running,
                false => Reading::Paused,
            },
        );
    }

    fn poll_transmit(&mut self, now: Duration, out: &mut Vec<Bytes>) {
        self.codec.poll_transmit_slices(now, out);
    }

    fn transmit_len(&self) -> usize {
        self.codec.transmit_len()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Duration) {
        // An error has closed the connection, which is_closed() tells.
        let _ = self.codec.handle_timeout(now);
    }

    fn is_closed(&self) -> bool {
        self.codec.is_closed()
    }

    fn failure(&self) -> Option<Reason> {
        use stomp_codec::connection::ConnectionError as Error;
        let error = self.codec.error()?;
        let text = error.to_string();
        Some(match error {
            Error::HandshakeTimeout | Error::PeerTimeout | Error::CloseTimeout => {
                Reason::TimedOut(text)
            }
            _ => Reason::Malformed(text),
        })
    }

    fn has_unacknowledged(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| !session.held.is_empty())
    }

    fn idle(&self) -> Option<Box<dyn IdleFrontEnd>> {
        Some(Box::new(IdleStomp::of(self)?))
    }

    fn shutdown(&mut self, now: Duration) {
        let goodbye = Goodbye {
            summary: "Server shutting down",
            body: b"The broker stops.\n",
            ..Goodbye::default()
        };
        self.close(now, &goodbye);
    }

    fn give_up(&mut self, now: Duration) {
        let goodbye = Goodbye {
            summary: "Too slow",
            body: b"The client takes too little of what it is sent.\n",
            ..Goodbye::default()
        };
        self.close(now, &goodbye);
    }

    fn disconnected(&mut self) {
        self.leave();
    }
}
