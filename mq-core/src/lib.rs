//! A deterministic message broker for AMQP 0-9-1, MQTT and STOMP, without I/O,
//! clock or thread.
//!
//! One neutral [`model`] (virtual hosts, exchanges, queues, topics, sessions) lies
//! underneath; each connection has a [front end](frontend) that owns the codec's protocol
//! state. Front ends and model speak by messages and share nothing else: [`Broker`]
//! composes them in one thread, and an embedder can put them into several. A message
//! published over one protocol is consumed over the others, its properties mapped:
//!
//! | here | AMQP | MQTT | STOMP |
//! |---|---|---|---|
//! | topic | exchange `amq.topic`, key `a.b` | topic `a/b` | `/topic/a.b` |
//! | queue | default exchange, key `q` | – | `/queue/q` |
//! | lasting | delivery-mode 2 | published with QoS 1 or 2 | `persistent:true` |
//! | QoS for MQTT subscribers | at most 1 | at most as published | at most 1 |
//! | time to live | expiration (ms) | message expiry interval (s) | `expiration` (ms) |
//! | content type | content-type | content type | `content-type` |
//! | correlation | correlation-id | correlation data | `correlation-id` |
//! | answer | reply-to | response topic (as `/topic/…`) | `reply-to` |
//! | headers | headers | user properties | other headers |
//!
//! `.` and `/` change places between an MQTT topic and a routing key, in both
//! directions, so that no two topics share a key. What a protocol cannot say
//! (a table in a STOMP header, a correlation of bytes) it leaves out. A routing
//! key of more than 255 bytes goes out over AMQP in the header `x-routing-key`,
//! beside an empty field. A message that came over AMQP or STOMP reaches an MQTT
//! client with the QoS of its subscription, at most 1, whether it is lasting or
//! not, and waits for one that is away.
//!
//! A consumer may say which messages it wants, with a selector of Jakarta Messaging
//! (SQL-92): the header `selector` of a STOMP SUBSCRIBE, the argument `x-selector` of
//! AMQP's `basic.consume`. What it does not want stays in the queue for others. The queue
//! of a STOMP topic subscription takes only what is wanted; AMQP declares such a queue
//! with the argument `x-selector` of `queue.declare`.
//!
//! [`Config::permissions`] says what users may do, in RabbitMQ's words: which exchanges and
//! queues they may configure, write to and read from, and with which routing keys
//! ([`Config::topic_permissions`]).
//!
//! [`Config::policies`] gives queues and exchanges arguments by their names, and
//! [`Input::Administer`] changes that and more while the broker runs.
//!
//! An MQTT client of 5.0 can prove its password by `SCRAM-SHA-256` or `SCRAM-SHA-1` in place of
//! saying it, or by a method of the embedder's ([`Output::Prove`]), at the beginning and again
//! later. [`Offer`] says which features MQTT clients may use, [`MqttRules`] which rules are relaxed for
//! them.
//!
//! With a [`Config::sys_interval`] MQTT clients read under `$SYS/broker/`, with Mosquitto's
//! names, what the broker counts.
//!
//! STOMP's destinations and headers are RabbitMQ's, or ActiveMQ's with
//! [`Config::stomp_dialect`]. Whatever that is, a header or a destination asks for message
//! groups (`JMSXGroupID`), exclusive consumers (`activemq.exclusive`), browsing (`browser`),
//! durable subscriptions (`activemq.subscriptionName`), virtual topics, composite destinations
//! and scheduled delivery (`AMQ_SCHEDULED_DELAY` and the like). Over MQTT `$delayed/SECONDS/TOPIC` publishes later.
//!
//! # The way of one message
//!
//! A PUBLISH of MQTT comes in, and a `basic.deliver` of AMQP goes out:
//!
//! ```text
//!            Input::Received                                Output::Transmit
//!                  |                                               ^
//! broker/       process                                          flush
//!                  | receive                                       | poll_transmit
//! frontend/     mqtt: codec event -> neutral message      amqp: deliver -> codec
//!                  | Request::Publish (and ticket)                 ^ Notice::Deliver
//! - - - - - - - - -|- - - - - - - messages only - - - - - - - - - -| - - - - - - -
//! model/        vhost/serve.rs       one request, one method       |
//!                  v                                               |
//!               vhost/routing.rs     Exchanges, topics -> queues, sessions
//!                  v                                               |
//!               Queues, Sessions     a backlog each  -----> queue/delivery.rs,
//!                  |                                        session/pending.rs
//!                  `--> Notice::Accepted -> mqtt: PUBACK     credit, turns
//! ```
//!
//! 1. [`Input::Received`] brings bytes. The front end's codec turns them into one
//!    event at a time, and the front end into a [`Request`](model::Request), which
//!    lists all of them, with what answers each.
//! 2. The broker hands the request to the model. `vhost/serve.rs` leads it to the
//!    method that does it, and the result to a [`Notice`](model::Notice).
//! 3. A message is routed once and shared by all queues and sessions that it goes
//!    to. It keeps its `Origin`: what only its own protocol could say, so that it
//!    goes out over that protocol as it came in.
//!    A virtual host has rooms, each with its own state: all exchanges, all queues with their
//!    consumers, all MQTT sessions, and all connections with what their users may do. None of
//!    them knows another. The virtual host routes between them, and passes on what one leaves
//!    to the others: the letters of a queue to its dead-letter exchange, the will of a session,
//!    the messages of its shares. A transaction that is being committed has its own state, too,
//!    and says which step comes next.
//! 4. `Accepted` names the ticket of the publish. What a publisher is owed hangs on
//!    it: PUBACK, PUBREC, `basic.ack`, `tx.commit-ok`, RECEIPT.
//! 5. A queue's consumers and a session's client have a credit. While there is some,
//!    and the connection takes what it is sent, the model has a notice for the front
//!    end: `Deliver` or `Push`, with a lease. The lease comes back with `Settle` when
//!    the client has acknowledged, or the connection is over.
//! 6. The front end says the message in the words of its protocol, and the broker
//!    hands out the bytes as [`Output::Transmit`]: what is small gathered, and a body of
//!    4 KiB or more as it lies in memory, between what the protocol puts around it.
//!
//! A body of that size is in the bytes of its `Input::Received` until it leaves, where it came
//! whole and is a quarter of them. One that came over AMQP or STOMP with several reads, or in
//! several frames, stays in as many [pieces](model::Body) of 8 KiB or more, as long as what they
//! came in is no more than four times as large as the body. What is smaller is copied once, and so
//! is what comes over MQTT in more than one read, or goes to MQTT in more than one piece.
//!
//! A front end asks one question at a time and receives nothing until the answer has
//! come; publishes and settlements it sends on. A refusal ends the channel in the
//! model, so that what was sent on it meanwhile does nothing.
//!
//! Messages and settlements go to the model in rows of up to eight, and what is said to a
//! connection is gathered in the same way: so each stage runs several times before the next one,
//! whose code displaces it from the processor's cache. Neither the order of a peer's answers nor
//! that of its messages depends on it.
//!
//! # The drive contract
//!
//! Give [`Broker::handle`] every [`Input`] with the time at which it happened,
//! and after each do what [`Broker::poll_output`] says until it says nothing
//! more. Call [`Broker::handle_timeout`] when [`Broker::poll_timeout`] is due,
//! and poll the outputs again. Report what was written with
//! [`Input::Transmitted`]: that is the flow control. The time is the duration
//! since an origin of the embedder's choice, and does not go backwards.
//!
//! Each call does a bounded amount of work and leaves the rest for later: a flood
//! of input, a purge, the requeue after a lost connection, messages for many
//! consumers, the end of a session or of a queue that had much. What one event is about is not
//! divided: a message that goes to many queues, a SUBSCRIBE with many filters, the bindings of
//! an exchange or a queue that is deleted. [`Limits`] bound each. While work is left, [`Broker::poll_timeout`] returns a time that has
//! come already. Call [`Broker::handle_timeout`] then as well, but give the broker
//! the inputs that have come meanwhile between two such calls: so no connection
//! makes the others wait. How much one call does is counted in steps, which
//! [`Statistics::steps`] adds up.
//!
//! # What outlives the broker
//!
//! With [`Store::Log`] the embedder keeps an append-only log for the broker: a file, a
//! table, a replicated stream.
//!
//! - [`Output::Append`] is one batch, which is stored whole or not at all. What one call
//!   did is in one batch. A body of 4 KiB or more is a slice of it, as it lies in memory.
//! - [`Input::Durable`] says how much is stored for good. What was said to be is never
//!   lost; of what came later any end may be, and nothing in the middle.
//! - [`Output::Trim`] says how much at the beginning is needed no more.
//! - [`Recovery`] takes the batches that are there and makes the broker again.
//!
//! What is durable is stored: durable exchanges, durable queues, bindings between them,
//! and lasting messages in durable queues, with what has become of them. What promises a
//! client that it is waits until it is stored: confirms, `declare-ok` and the like,
//! `tx.commit-ok`, receipts. Nothing else waits: no transient message, no delivery, and
//! no acknowledgement of a client. A delivery that the store has not heard the end of
//! comes again: at least once.
//!
//! Times in the log are Unix times ([`Config::unix_time`]): a time to live goes on while
//! the broker is down. The time that a queue may stay unused begins anew.
//!
//! A store may be slow, or stuck. Beyond [`Limits::store_high_water`] those wait who
//! publish what is to be stored. The log has no more than two and a half times the bytes
//! that are needed of it, and 64 KiB: what is needed and lies first is written once more, a
//! bounded number of bytes with each batch, before the beginning is trimmed.
//!
//! # What is held in memory
//!
//! [`Limits`] bound every queue, session and connection, and all messages together
//! ([`Limits::memory_high_water`]). Above that mark the broker stops reading from connections
//! that publish. [`Reason::Blocked`] reports each, and an AMQP client that supports
//! `connection.blocked` receives it. At [`Limits::memory_low_water`] the broker reads them
//! again. Deliveries never stop. A connection that publishes and also acknowledges has a
//! reserve, so that its acknowledgements are read. [`Statistics::held`] is how much is held.
//!
//! A body is held once: what it came in, or was put together in, is what queues, sessions, the
//! store and the sockets share: one of 64 MiB takes 65 MiB at its peak in a server, over each
//! protocol. It does not go out in parts while it comes in, since no protocol has a way to take
//! back the beginning of a message: if its publisher failed, all who had received a part would
//! have to lose their connections.
//!
//! With a store, messages that are stored, and in queues alone, leave memory before that
//! ([`Limits::memory_spill`]). Those far from the head of their queue leave as runs of up to
//! 256 KiB, of which about six bytes a message stay: so a backlog is bounded by the disk. A run
//! has messages of one priority that follow each other, are in no other queue and have not
//! come back to this one, and a queue with consumers that have a selector has none. Of other
//! messages, in up to 64 queues, the bodies leave, and some hundred bytes of each stay.
//! [`Output::Read`] asks for them again when they are near the head of a queue with consumers,
//! when one is fetched or becomes a dead letter, and when the log is cleaned; whoever waits for
//! a message waits for [`Input::Read`]. A purge, the end of a queue, and the end of their time where nobody gets a
//! letter take runs away unread.
//!
//! # What a person who runs it sees
//!
//! [`Output::Report`] says what happened that is worth a line in a log or a counter: a login
//! and why one was refused, a peer that breaks a rule or is too late, and each queue, session
//! or store of retained messages that drops messages because it is full.
//! [`Broker::statistics`] has the sums of what was counted; [`Broker::queues`],
//! [`Broker::sessions`] and [`Broker::connections`] say how each of them stands.
//!
//! # Replay
//!
//! Everything that happens follows from these calls: log the inputs with their
//! times, and another broker with the same [`Config`] does the same again.
//!
//! ```
//! use bytes::Bytes;
//! use core::time::Duration;
//! use mq_core::{Broker, Config, ConnectionId, Input, Output, Protocol, Terms};
//!
//! let mut broker = Broker::new(Config::default())?;
//! let (now, connection) = (Duration::ZERO, ConnectionId(1));
//! broker.handle(now, Input::Connected { connection, protocol: Protocol::Stomp, terms: Terms::default() });
//! let hello = Bytes::from_static(b"CONNECT\naccept-version:1.2\nhost:/\n\n\0");
//! broker.handle(now, Input::Received { connection, bytes: hello });
//! while let Some(output) = broker.poll_output() {
//!     match output {
//!         Output::Transmit { connection, bytes } => {
//!             // To the socket; and when it is written:
//!             assert!(bytes.starts_with(b"CONNECTED\nversion:1.2\n"));
//!             broker.handle(now, Input::Transmitted { connection, len: bytes.len() });
//!         }
//!         Output::Pause { .. } | Output::Resume { .. } => { /* reading that socket */ }
//!         Output::Close { .. } => { /* the socket, once all is written */ }
//!         _ => {}
//!     }
//! }
//! // A client without heart-beats leaves nothing to wait for.
//! assert_eq!(broker.poll_timeout(), None);
//! # Ok::<(), mq_core::ConfigError>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
// No input from a peer may panic: what could is denied outside of tests.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

extern crate alloc;

mod administration;
mod admission;
mod bridge;
mod broker;
mod config;
mod dialect;
mod few_map;
pub mod frontend;
mod journal;
mod limits;
pub mod model;
mod mqtt_rules;
mod names;
mod number_map;
mod offer;
mod pattern;
mod policy;
mod quota;
mod recovery;
mod report;
mod rewrite;
mod scram;
mod slow_consumers;

pub use administration::Administration;
pub use admission::{Authentication, Credentials, Proving, Terms};
pub use bridge::{Bridge, BridgeDirection, BridgeTopic, BridgeTopicError};
pub use broker::{
    Broker, ConnectionStatistics, Fault, Input, Interception, Interceptor, Output, Publisher,
};
pub use config::{Config, ConfigError, Permission, Store, TopicPermission};
pub use dialect::StompDialect;
pub use frontend::Protocol;
pub use limits::Limits;
pub use model::{
    ConnectionId, DropCause, Dropped, Place, QueueStatistics, SessionStatistics, Statistics,
};
pub use mqtt_rules::MqttRules;
pub use number_map::{Number, NumberMap};
pub use offer::Offer;
pub use policy::{ApplyTo, Policy, PolicyKind, PolicyValue};
pub use quota::{UserLimits, VirtualHostLimits};
pub use recovery::{Recovery, RecoveryError};
pub use report::{PeerReport, Reason, Report};
pub use rewrite::{RewriteAction, RewriteError, TopicRewrite};
pub use slow_consumers::{SlowConsumers, SlowConsumersError};
