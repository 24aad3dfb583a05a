//! The front ends: each owns the protocol state of one connection and
//! translates between its events and the model.
//!
//! A front end gives bytes and [`Notice`]s a meaning, and makes [`Request`]s and bytes of
//! them. It knows nothing of other connections, and can be in another thread than the
//! [model](crate::model). [`Broker`](crate::Broker) composes them in one.
//!
//! ```
//! use bytes::Bytes;
//! use core::time::Duration;
//! use mq_core::frontend::{self, Progress, Protocol};
//! use mq_core::model::{ConnectionId, Name, Notice, Request};
//! use mq_core::{Config, Terms};
//! use std::sync::Arc;
//!
//! let (config, now) = (Arc::new(Config::default()), Duration::ZERO);
//! let mut front = frontend::new(Protocol::Stomp, &config, Terms::default(), ConnectionId(1), now);
//!
//! // Bytes come in, and a question goes to the model.
//! let source = Bytes::from_static(b"CONNECT\naccept-version:1.2\nhost:/\n\n\0SEND\n");
//! let mut input = &source[..];
//! assert_eq!(front.receive(now, &source, &mut input), Progress::Event);
//! assert!(matches!(front.poll_request(), Some(Request::Login(_))));
//! assert!(front.poll_request().is_none());
//!
//! // Until it is answered, nothing more is taken.
//! assert_eq!(front.receive(now, &source, &mut input), Progress::Waiting);
//! assert_eq!(input, b"SEND\n");
//!
//! // The answer comes, and bytes go out.
//! front.notice(now, Notice::LoggedIn { user: Name::from("guest") });
//! let mut output = Vec::new();
//! front.poll_transmit(now, &mut output);
//! assert!(output[0].starts_with(b"CONNECTED\nversion:1.2\n"));
//! assert!(matches!(front.poll_request(), Some(Request::OpenChannel { channel: 0 })));
//!
//! // The beginning of a frame waits for its end.
//! assert_eq!(front.receive(now, &source, &mut input), Progress::Idle);
//!
//! // When the connection is over, the front end says so.
//! front.disconnected();
//! assert!(matches!(front.poll_request(), Some(Request::Leave)));
//! ```

mod amqp;
mod body;
mod last_name;
mod link;
mod mqtt;
mod stomp;
mod traffic;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use crate::admission::Terms;
use crate::config::Config;
use crate::model::message::Name;
use crate::model::queue::{Claim, Lease, Settlement};
use crate::model::request::{Credentials, Identity};
use crate::model::{ConnectionId, Notice, Request};
use crate::report::Reason;
use link::Link;
pub use traffic::{Passed, Traffic};

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// AMQP 0-9-1.
    Amqp,
    /// MQTT 3.1, 3.1.1 or 5.0, as the client's CONNECT says.
    Mqtt,
    /// STOMP 1.0, 1.1 or 1.2, as negotiated.
    Stomp,
}

/// Ends deliveries, all in the same way.
fn settle<Q>(link: &mut Link<Q>, mut leases: impl Iterator<Item = Lease>, settlement: Settlement) {
    let Some(lease) = leases.next() else {
        return;
    };
    // Mostly it is one, for which there is no list.
    let Some(second) = leases.next() else {
        link.tell(Request::Settle { lease, settlement });
        return;
    };
    link.tell(Request::SettleAll {
        leases: [lease, second].into_iter().chain(leases).collect(),
        settlement,
        asked: None,
    });
}

/// A message came for a consumer that is over. One that counts as acknowledged has been
/// given to the connection, and goes with the consumer.
fn give_back<Q>(link: &mut Link<Q>, claim: Claim) {
    if let Claim::Leased(lease) = claim {
        let settlement = Settlement::Requeue;
        link.tell(Request::Settle { lease, settlement });
    }
}

/// Who the peer of a connection is that presents this user name and password, both empty
/// where it presents none.
fn identity(config: &Config, terms: &Terms, user: &str, password: &[u8]) -> Identity {
    let is_named = !user.is_empty() || !password.is_empty();
    match &terms.identity {
        Some(user) if !is_named => Identity::Transport(Name::from(&**user)),
        _ if !is_named || config.is_stranger(user) => Identity::Anonymous(terms.allow_anonymous),
        _ => Identity::Password(Credentials {
            user: Name::from(user),
            password: Bytes::copy_from_slice(password),
        }),
    }
}

/// Who has more consumers is not taken for idle: to put them away and back takes a time for each,
/// in one call.
const FEW: usize = 16;

/// What one call of [`FrontEnd::receive`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Something happened; there may be more in the input.
    Event,
    /// What is left of the input is the beginning of a frame, or nothing.
    Idle,
    /// The model has to answer first.
    Waiting,
}

/// A connection in its protocol.
///
/// After each call take the requests to the model, and send what
/// [`poll_transmit`](Self::poll_transmit) writes. Times are Unix times, and do not go
/// backwards.
pub trait FrontEnd {
    /// Takes at most one event from the input, which is what is left of `source`, and acts
    /// on it. What is taken is cut off the front of `input`; the rest is to be handed in
    /// again, with what has come after it.
    fn receive(&mut self, now: Duration, source: &Bytes, input: &mut &[u8]) -> Progress;

    /// Whether the next event of `input` may be taken before the model has heard of those
    /// before it. That is so for a message or the end of a delivery after others of that kind,
    /// and, where a publisher waits for an answer, for a message after messages. The peer gets the
    /// same answers in the same order, and the same messages, before the answer to anything
    /// else. Only a message that the front end itself refuses is answered before those just before
    /// it, and one that breaks a rule may end the connection before their answers are sent: as with
    /// answers that wait for the store.
    fn may_gather(&self, input: &[u8]) -> bool;

    /// How many bytes `input`, the beginning of a frame, is short of: exactly, once it says how
    /// long the frame is, and until then the least that any frame has, which is 8 at most.
    /// Allocate nothing by this alone.
    fn missing(&self, input: &[u8]) -> usize;

    /// The next request to the model, until there is nothing more. The model takes them in
    /// this order.
    fn poll_request(&mut self) -> Option<Request>;

    /// Acts on what the model says.
    fn notice(&mut self, now: Duration, notice: Notice);

    /// Says whether what the peer sends is looked at. While it is not, no silence of
    /// the peer counts.
    fn set_reading(&mut self, now: Duration, reading: bool);

    /// Moves all that is to be sent to the peer to the end of `out`, in slices for a vectored
    /// write: what is small gathered, and a body of 4 KiB or more as it lies in memory.
    fn poll_transmit(&mut self, now: Duration, out: &mut Vec<Bytes>);

    /// How many bytes [`poll_transmit`](Self::poll_transmit) has.
    fn transmit_len(&self) -> usize;

    /// When [`handle_timeout`](Self::handle_timeout) is due next; None: never, as things
    /// are.
    fn poll_timeout(&self) -> Option<Duration>;

    /// Does what is due at `now`: a heartbeat, or the end of a peer that is silent for too
    /// long.
    fn handle_timeout(&mut self, now: Duration);

    /// Whether the connection is to be closed once all is transmitted.
    fn is_closed(&self) -> bool;

    /// What the peer did wrong, or failed to do in time, if the connection ends for that.
    fn failure(&self) -> Option<Reason>;

    /// Whether the peer has deliveries that it is to acknowledge.
    fn has_unacknowledged(&self) -> bool;

    /// What has passed the connection since the last call, where that is counted: of MQTT
    /// while there is a [`sys_interval`](crate::Config::sys_interval).
    fn take_traffic(&mut self) -> Traffic {
        Traffic::default()
    }

    /// What there is of the connection, if it is idle and that takes less room. It may be kept
    /// in place of the front end, which [`IdleFrontEnd::resume`] makes of it again. Nothing is
    /// to be under way between the front end and the model. None: it stays as it is. It does a
    /// bounded amount, as does `resume`: of a connection with many consumers nothing is to be had.
    fn idle(&self) -> Option<Box<dyn IdleFrontEnd>>;

    /// Says goodbye because the broker stops.
    fn shutdown(&mut self, now: Duration);

    /// Says goodbye because the peer takes what it is sent too slowly.
    fn give_up(&mut self, now: Duration);

    /// The connection is over: gives back what it holds, in requests that are to be taken
    /// afterwards. It is called once, and last. The model is to be told
    /// [`Request::Leave`] after them, which does no harm where a front end has said it.
    fn disconnected(&mut self);
}

/// What is left of the front end of an idle connection.
pub trait IdleFrontEnd: Send {
    /// When [`FrontEnd::handle_timeout`] is due.
    fn poll_timeout(&self) -> Option<Duration>;

    /// The front end, which goes on as though it had always been there. It is to have the
    /// settings that it had.
    fn resume(
        &self,
        connection: ConnectionId,
        now: Duration,
        config: &Arc<Config>,
    ) -> Box<dyn FrontEnd + Send>;
}

/// The front end for a new connection. It is to have the settings of the model.
#[must_use]
pub fn new(
    protocol: Protocol,
    config: &Arc<Config>,
    terms: Terms,
    connection: ConnectionId,
    now: Duration,
) -> Box<dyn FrontEnd + Send> {
    match protocol {
        Protocol::Stomp => Box::new(stomp::StompFrontEnd::new(
            config.clone(),
            terms,
            connection,
            now,
        )),
        Protocol::Amqp => Box::new(amqp::AmqpFrontEnd::new(
            config.clone(),
            terms,
            connection,
            now,
        )),
        Protocol::Mqtt => Box::new(mqtt::MqttFrontEnd::new(
            config.clone(),
            terms,
            connection,
            now,
        )),
    }
}
