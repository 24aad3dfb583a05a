//! One connection as a load generator sees it, over the state machine of its protocol.

mod amqp;
mod mqtt;
mod stomp;

use std::time::Duration;

use anyhow::Result;

pub use self::amqp::Amqp;
pub use self::mqtt::Mqtt;
pub use self::stomp::Stomp;
use crate::load::{Confirm, Kind};
use crate::target::Target;

/// What one connection is there for.
#[derive(Clone, Debug)]
pub struct Job {
    /// Tells it from every other connection, also from those of earlier runs.
    pub name: String,
    /// What it consumes from.
    pub consume: Option<Destination>,
    /// What it publishes to.
    pub publish: Option<Destination>,
    /// How surely messages are handed over.
    pub confirm: Confirm,
    /// Whether messages are to survive the broker.
    pub durable: bool,
    /// How many messages may wait for their confirm.
    pub window: usize,
}

/// A queue or a topic.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its name: letters, digits and dashes.
    pub name: String,
    /// What its consumers share.
    pub kind: Kind,
    /// Whether several consumers share it.
    pub shared: bool,
}

/// What came in.
#[derive(Debug)]
pub enum Heard<'a> {
    /// The connection can do its job.
    Ready,
    /// The message with this stamp is confirmed.
    Confirmed(u64),
    /// A message.
    Message(&'a [u8]),
}

/// The drive contract of the three crates, in words that do not depend on the protocol.
pub trait Client: Send + Sized + 'static {
    /// Begins to log in.
    fn begin(now: Duration, target: &Target, job: Job) -> Result<Self>;
    /// Takes all that is whole off `input`.
    fn receive(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        heard: &mut impl FnMut(Heard<'_>),
    ) -> Result<()>;
    /// The peer has closed its side.
    fn receive_eof(&mut self, now: Duration) -> Result<()>;
    /// Whether another message may wait for its confirm.
    fn may_publish(&self) -> bool;
    /// Publishes; `stamp` comes back with the confirm.
    fn publish(&mut self, body: &[u8], stamp: u64) -> Result<()>;
    /// Appends what is to be written.
    fn transmit(&mut self, now: Duration, out: &mut Vec<u8>);
    /// When to call `handle_timeout`.
    fn timeout(&self) -> Option<Duration>;
    /// The time has come.
    fn handle_timeout(&mut self, now: Duration) -> Result<()>;
    /// Says goodbye.
    fn close(&mut self, now: Duration) -> Result<()>;
    /// Whether all is said.
    fn is_closed(&self) -> bool;
}
