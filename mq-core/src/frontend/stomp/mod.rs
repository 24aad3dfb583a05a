//! STOMP 1.0, 1.1 and 1.2.

mod destination;
mod headers;
mod subscription;

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use stomp_codec::connection::{
    Accept, Connect, Goodbye, HeartBeat, HostHeader, InboundSend, Operation, ServerConfig,
    ServerConnection, ServerEvent, Subscription,
};
use stomp_codec::{Command, Limits};

use super::{ByConsumer, Context, FrontEnd, Progress};
use crate::config::Config;
use crate::model::message::{Message, Name, Origin};
use crate::model::queue::{ChannelId, ConsumerId, QueueSettings};
use crate::model::refusal::Refusal;
use crate::model::vhost::{DeclareQueue, Delivery, Lease, PublishOutcome, Settlement, VirtualHost};
use crate::model::{ConnectionId, Notice};
use destination::Destination;

/// What this server calls itself in CONNECTED.
const SERVER: &str = concat!("mq-core/", env!("CARGO_PKG_VERSION"));

/// Where the messages of a consumer go.
#[derive(Debug, Clone)]
enum Receiver {
    /// To a subscription of the client.
    Subscription(Subscription),
    /// To a temporary queue, under its own name.
    Temporary(Name),
}

/// One STOMP connection.
pub(super) struct StompFrontEnd {
    codec: ServerConnection,
    /// The virtual host, by number.
    vhost: usize,
    /// From CONNECTED on.
    session: Option<Session>,
}

/// What a connection has after login.
struct Session {
    connection: ConnectionId,
    channel: ChannelId,
    consumers: ByConsumer<Receiver>,
    by_subscription: BTreeMap<Subscription, ConsumerId>,
    /// Queues that replies come to, by the client's name for them.
    temporary: BTreeMap<String, Name>,
    /// What the client holds, by the number that the codec knows it by.
    held: BTreeMap<u64, Lease>,
    last_delivery: u64,
}

/// Why a frame could not be served: the ERROR says so and ends the connection.
#[derive(Debug)]
struct Failure {
    message: &'static str,
    detail: String,
}

impl Failure {
    fn new(message: &'static str, detail: impl Into<String>) -> Self {
        Failure {
            message,
            detail: detail.into(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        use crate::model::refusal::RefusalKind as Kind;
        let message = match refusal.kind {
            Kind::AccessRefused => "access_refused",
            Kind::NotFound => "not_found",
            Kind::ResourceLocked => "resource_locked",
            Kind::PreconditionFailed => "precondition_failed",
            Kind::NotImplemented => "not_implemented",
        };
        Failure::new(message, refusal.text)
    }
}

impl StompFrontEnd {
    pub(super) fn new(config: &Config, now: Duration) -> Self {
        let limits = Limits::default()
            .with_body(config.limits.message_size)
            .with_subscriptions(config.limits.consumers)
            .with_transactions(config.limits.transactions)
            .with_transaction_operations(config.limits.transaction_operations)
            .with_transaction_bytes(config.limits.transaction_bytes);
        let host_header = if config.stomp_host_required {
            HostHeader::Required
        } else {
            HostHeader::Optional
        };
        let codec = ServerConfig::default()
            .with_heart_beat(HeartBeat {
                send: config.stomp_heart_beat,
                receive: config.stomp_heart_beat,
            })
            .with_host_header(host_header)
            .with_limits(limits);
        StompFrontEnd {
            codec: ServerConnection::new(now, codec),
            vhost: 0,
            session: None,
        }
    }

    fn connect(&mut self, context: &mut Context<'_>, connect: &Connect<'_>) {
        let known = match (&connect.login, &connect.passcode) {
            (None, None) => context.config.allow_anonymous,
            (login, passcode) => {
                let login = login.as_deref().unwrap_or_default();
                let passcode = passcode.as_deref().unwrap_or_default();
                context.password_is(login, passcode.as_bytes())
            }
        };
        if !known {
            let why = b"Access refused for the given login.\n";
            self.refuse(context.now, why);
            return;
        }
        let host = connect.host.as_deref().unwrap_or_default();
        let named = context.model.find(host);
        let fallback = context.config.stomp_host_fallback || connect.host.is_none();
        let Some(vhost) = named.or(fallback.then_some(0)) else {
            let detail = alloc::format!("Virtual host '{host}' does not exist.\n");
            self.refuse(context.now, detail.as_bytes());
            return;
        };
        self.vhost = vhost;
        let connection = context.connection;
        let (now, index) = (context.now, vhost);
        context.model.place(connection, index);
        let Some(vhost) = context.vhost(index) else {
            return;
        };
        let name = vhost.names.next("session-");
        let accept = Accept {
            session: Some(&name),
            server: Some(SERVER),
            ..Accept::default()
        };
        if self.codec.accept(now, &accept).is_ok() {
            let number = 0;
            let channel = ChannelId { connection, number };
            vhost.open_channel(channel);
            self.session = Some(Session {
                connection,
                channel,
                consumers: BTreeMap::new(),
                by_subscription: BTreeMap::new(),
                temporary: BTreeMap::new(),
                held: BTreeMap::new(),
                last_delivery: 0,
            });
        }
    }

    /// Acts on an event of an open session, and answers its receipt.
    fn serve(&mut self, context: &mut Context<'_>, event: ServerEvent<'_>) {
        let Some(session) = &mut self.session else {
            return;
        };
        let index = self.vhost;
        let (receipt, result) = match event {
            ServerEvent::Send(send) => {
                let body = context.keep(send.body());
                let result = session.send(context, index, &send, body);
                (send.receipt, result)
            }
            ServerEvent::Subscribe(subscribe) => {
                let result = match context.vhost(index) {
                    Some(vhost) => session.subscribe(vhost, &subscribe),
                    None => Ok(()),
                };
                (subscribe.receipt, result)
            }
            ServerEvent::Unsubscribe {
                subscription,
                unacknowledged,
                receipt,
                ..
            } => {
                if let Some(vhost) = context.vhost(index) {
                    session.settle(vhost, &unacknowledged, Settlement::Requeue);
                    session.unsubscribe(vhost, subscription);
                }
                (receipt, Ok(()))
            }
            ServerEvent::Ack(ack) => {
                if let Some(vhost) = context.vhost(index) {
                    session.settle(vhost, &ack.deliveries, Settlement::Acknowledge);
                }
                (ack.receipt, Ok(()))
            }
            ServerEvent::Nack(nack) => {
                let settlement = refused(nack.frame.header("requeue").as_deref());
                if let Some(vhost) = context.vhost(index) {
                    session.settle(vhost, &nack.deliveries, settlement);
                }
                (nack.receipt, Ok(()))
            }
            ServerEvent::Commit {
                operations,
                receipt,
                ..
            } => (receipt, session.commit(context, index, &operations)),
            ServerEvent::Disconnect { receipt, .. } => {
                if let (Some(session), Some(vhost)) = (self.session.take(), context.vhost(index)) {
                    session.leave(vhost);
                }
                (receipt, Ok(()))
            }
            _ => return,
        };
        match (result, receipt) {
            (Ok(()), None) => {}
            (Ok(()), Some(receipt)) => {
                // The session is open, and what the client could write can be written.
                let _ = self.codec.receipt(&receipt);
            }
            (Err(failure), receipt) => {
                let detail = alloc::format!("{}\n", failure.detail);
                let goodbye = Goodbye {
                    receipt: receipt.as_deref(),
                    summary: failure.message,
                    body: detail.as_bytes(),
                    ..Goodbye::default()
                };
                self.close(context.now, &goodbye);
            }
        }
    }

    /// Answers CONNECT with ERROR.
    fn refuse(&mut self, now: Duration, why: &[u8]) {
        let goodbye = Goodbye {
            summary: "Bad CONNECT",
            body: why,
            ..Goodbye::default()
        };
        // A CONNECT waits for an answer, and every version can carry this one.
        let _ = self.codec.refuse(now, &goodbye);
    }

    /// Ends the connection with ERROR.
    fn close(&mut self, now: Duration, goodbye: &Goodbye<'_>) {
        // It is refused only if the connection has ended already.
        let _ = self.codec.close(now, goodbye);
    }
}

/// NACK: back to the queue, unless the header says otherwise.
fn refused(requeue: Option<&str>) -> Settlement {
    match requeue.and_then(headers::boolean) {
        Some(false) => Settlement::Reject,
        Some(true) | None => Settlement::Requeue,
    }
}

impl Session {
    fn settle(&mut self, vhost: &mut VirtualHost, deliveries: &[u64], settlement: Settlement) {
        for delivery in deliveries {
            if let Some(lease) = self.held.remove(delivery) {
                vhost.settle(lease, settlement);
            }
        }
    }

    /// SEND outside of a transaction.
    fn send(
        &mut self,
        context: &mut Context<'_>,
        index: usize,
        send: &InboundSend<'_>,
        body: Bytes,
    ) -> Result<(), Failure> {
        let now = context.now;
        let Some(vhost) = context.vhost(index) else {
            return Ok(());
        };
        check_send(vhost, self.connection, send)?;
        let message = self.message(vhost, send, body, now)?;
        match vhost.publish(&message, None) {
            PublishOutcome::Refused => Err(Failure::new(
                "resource_limit",
                "a queue for this destination is full",
            )),
            // An ERROR would end the connection of who publishes to a topic because of
            // somebody who subscribed to it and stays away.
            PublishOutcome::Routed
            | PublishOutcome::Replied
            | PublishOutcome::Unroutable
            | PublishOutcome::Dropped => Ok(()),
        }
    }

    /// COMMIT: looks at everything first, so that all of it is done or nothing.
    fn commit(
        &mut self,
        context: &mut Context<'_>,
        index: usize,
        operations: &[Operation],
    ) -> Result<(), Failure> {
        let now = context.now;
        let Some(vhost) = context.vhost(index) else {
            return Ok(());
        };
        let mut messages = Vec::new();
        for operation in operations {
            if let Operation::Send(held) = operation {
                check_send(vhost, self.connection, &held.as_send())?;
            }
        }
        for operation in operations {
            if let Operation::Send(held) = operation {
                let body = held.frame().body().clone();
                messages.push(self.message(vhost, &held.as_send(), body, now)?);
            }
        }
        if let Err(queue) = vhost.publish_all(&messages) {
            let detail =
                alloc::format!("no part of the transaction is done: queue '{queue}' is full");
            return Err(Failure::new("resource_limit", detail));
        }
        for operation in operations {
            match operation {
                Operation::Ack { deliveries, .. } => {
                    self.settle(vhost, deliveries, Settlement::Acknowledge);
                }
                Operation::Nack {
                    deliveries, frame, ..
                } => {
                    let settlement = refused(frame.as_frame().header("requeue").as_deref());
                    self.settle(vhost, deliveries, settlement);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The message that a SEND is, its destination made ready.
    fn message(
        &mut self,
        vhost: &mut VirtualHost,
        send: &InboundSend<'_>,
        body: Bytes,
        now: Duration,
    ) -> Result<Arc<Message>, Failure> {
        let destination = parse(&send.destination)?;
        if let Destination::Queue(name) = &destination {
            let header = |name| send.frame.header(name);
            make_queue(vhost, self.connection, name, header)?;
        }
        let Some((exchange, routing_key)) = destination.route() else {
            return Err(invalid(&send.destination));
        };
        let headers = send.user_headers().map(|h| (h.name, h.value));
        let mut properties = headers::properties(headers);
        if let Some(reply_to) = &mut properties.reply_to
            && let Some(Destination::TemporaryQueue(name)) = Destination::parse(reply_to)
        {
            let name = name.into_owned();
            *reply_to = self.temporary_queue(vhost, &name)?;
        }
        Ok(Arc::new(Message {
            exchange: Name::from(exchange),
            routing_key: Name::from(routing_key),
            properties,
            body,
            published: now,
            origin: Origin::Stomp {
                destination: Name::from(&*send.destination),
            },
        }))
    }

    /// Gives back everything, and closes the channel.
    fn leave(self, vhost: &mut VirtualHost) {
        for lease in self.held.into_values() {
            vhost.settle(lease, Settlement::Requeue);
        }
        vhost.leave(self.connection);
    }
}

fn parse(text: &str) -> Result<Destination<'_>, Failure> {
    Destination::parse(text).ok_or_else(|| invalid(text))
}

fn invalid(destination: &str) -> Failure {
    Failure::new(
        "invalid_destination",
        alloc::format!("'{destination}' is not a valid destination here"),
    )
}

/// Whether a SEND can be done.
fn check_send(
    vhost: &VirtualHost,
    connection: ConnectionId,
    send: &InboundSend<'_>,
) -> Result<(), Failure> {
    let destination = parse(&send.destination)?;
    let Some((exchange, routing_key)) = destination.route() else {
        return Err(invalid(&send.destination));
    };
    vhost.check_publish(exchange)?;
    if let Destination::ExistingQueue(_) = destination {
        vhost.queue(routing_key, connection)?;
    }
    Ok(())
}

/// Makes the queue of `/queue/N`, unless it is there.
fn make_queue<'h>(
    vhost: &mut VirtualHost,
    connection: ConnectionId,
    name: &str,
    header: impl Fn(&'static str) -> Option<Cow<'h, str>>,
) -> Result<(), Refusal> {
    if vhost.queue_id(name).is_some() {
        return Ok(());
    }
    vhost
        .declare_queue(DeclareQueue {
            name,
            settings: QueueSettings {
                durable: true,
                exclusive: None,
                auto_delete: false,
                arguments: headers::queue_arguments(header),
            },
            connection,
        })
        .map(|_| ())
}

impl FrontEnd for StompFrontEnd {
    fn receive(&mut self, context: &mut Context<'_>, input: &mut &[u8]) -> Progress {
        match self.codec.receive(context.now, input) {
            Ok(Some(ServerEvent::Connect(connect))) => {
                self.connect(context, &connect);
                Progress::Event
            }
            Ok(Some(event)) => {
                self.serve(context, event);
                Progress::Event
            }
            // The ERROR is on its way, and the connection over.
            Ok(None) | Err(_) => Progress::Idle,
        }
    }

    fn notice(&mut self, context: &mut Context<'_>, notice: Notice) {
        match notice {
            Notice::Deliver(delivery) => {
                let sent = self.send_message(&delivery);
                let index = self.vhost;
                if let (false, Some(lease), Some(vhost)) =
                    (sent, delivery.lease, context.vhost(index))
                {
                    // It cannot be said in this version of the protocol.
                    vhost.settle(lease, Settlement::Undeliverable);
                }
            }
            Notice::Cancelled { consumer, .. } => self.cancelled(context.now, consumer),
            _ => {}
        }
    }

    fn poll_transmit(&mut self, now: Duration, out: &mut BytesMut) {
        self.codec.poll_transmit(now, out);
    }

    fn transmit_len(&self) -> usize {
        self.codec.transmit_len()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    fn handle_timeout(&mut self, context: &mut Context<'_>) {
        // An error has closed the connection, which is_closed() tells.
        let _ = self.codec.handle_timeout(context.now);
    }

    fn is_closed(&self) -> bool {
        self.codec.is_closed()
    }

    fn shutdown(&mut self, context: &mut Context<'_>) {
        let goodbye = Goodbye {
            summary: "Server shutting down",
            body: b"The broker stops.\n",
            ..Goodbye::default()
        };
        self.close(context.now, &goodbye);
    }

    fn disconnected(&mut self, context: &mut Context<'_>) {
        let index = self.vhost;
        if let (Some(session), Some(vhost)) = (self.session.take(), context.vhost(index)) {
            session.leave(vhost);
        }
    }
}

impl StompFrontEnd {
    fn cancelled(&mut self, now: Duration, consumer: ConsumerId) {
        let Some(session) = &mut self.session else {
            return;
        };
        if let Some(Receiver::Subscription(subscription)) = session.consumers.remove(&consumer) {
            session.by_subscription.remove(&subscription);
            let goodbye = Goodbye {
                summary: "Server cancelled subscription",
                body: b"The queue is gone.\n",
                ..Goodbye::default()
            };
            self.close(now, &goodbye);
        }
    }

    /// Sends a MESSAGE, and says whether that was possible.
    fn send_message(&mut self, delivery: &Delivery) -> bool {
        let Some(session) = &mut self.session else {
            return false;
        };
        let (Some(receiver), Some(version)) = (
            session.consumers.get(&delivery.consumer),
            self.codec.version(),
        ) else {
            return false;
        };
        session.last_delivery += 1;
        let number = session.last_delivery;
        let message = &delivery.message;
        let destination = destination::of(message, version);
        let headers = headers::of(message, delivery.redelivered);
        let headers = headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            // What this version cannot carry stays behind.
            .filter(|(name, value)| version.check_header(Command::Message, name, value).is_ok());
        let sent = match receiver {
            Receiver::Subscription(subscription) => {
                self.codec
                    .deliver(*subscription, number, &destination, headers, &message.body)
            }
            Receiver::Temporary(name) => {
                self.codec
                    .deliver_unsubscribed(name, &destination, headers, &message.body)
            }
        };
        if sent.is_err() {
            return false;
        }
        if let Some(lease) = delivery.lease {
            session.held.insert(number, lease);
        }
        true
    }
}

/// A name as text, for the maps of a session.
fn owned(name: &str) -> String {
    name.to_string()
}
