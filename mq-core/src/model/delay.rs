//! Messages that wait for their time before they are routed.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::change::{BacklogId, Target};
use super::message::{Message, Value};
use super::shared::Shared;
use super::timers::TimerKey;

/// The header that says for how many milliseconds a message waits. On its way to a consumer it
/// has the negative of that, as with RabbitMQ's plugin.
pub(crate) const DELAY: &str = "x-delay";

/// Longest delay in milliseconds: a message with a longer one does not wait, as with RabbitMQ's
/// plugin.
const LONGEST: i64 = u32::MAX as i64;

/// For how long a message says that it waits.
pub(crate) fn delay_of(message: &Message) -> Option<Duration> {
    let delay = message.properties.headers.get(DELAY)?.as_int()?;
    let millis = (1..=LONGEST).contains(&delay).then_some(delay)?;
    u64::try_from(millis).ok().map(Duration::from_millis)
}

/// The messages that wait, by their time and then in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    waiting: BTreeMap<(Duration, u64), Waiting>,
    next_position: u64,
}

#[derive(Debug)]
struct Waiting {
    message: Arc<Message>,
    /// It is in the log.
    kept: bool,
}

/// A message whose time has come.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) message: Arc<Message>,
    /// Its place in the log, if it has one: to be settled.
    pub(crate) kept: Option<u64>,
}

impl Delays {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Lets a message wait until a time. Where that outlives the broker it is one of its
    /// targets then.
    pub(crate) fn hold(
        &mut self,
        shared: &mut Shared,
        message: &Arc<Message>,
        until: Duration,
        durable: bool,
        targets: &mut Vec<Target>,
    ) {
        let kept = durable && shared.changes.are_kept() && message.is_lasting();
        let position = self.next_position;
        if kept {
            targets.push(Target {
                backlog: BacklogId::DELAYED,
                position,
                expires: Some(until),
                returned: 0,
                copy: None,
            });
        }
        self.insert(shared, until, position, message.clone(), kept);
    }

    /// Puts back a message that was kept.
    pub(crate) fn restore(&mut self, shared: &mut Shared, message: &Arc<Message>, target: &Target) {
        let until = target.expires.unwrap_or_default();
        self.insert(shared, until, target.position, message.clone(), true);
    }

    fn insert(
        &mut self,
        shared: &mut Shared,
        until: Duration,
        position: u64,
        message: Arc<Message>,
        kept: bool,
    ) {
        self.set_next_position(position.saturating_add(1));
        self.waiting
            .insert((until, position), Waiting { message, kept });
        self.update_timer(shared);
    }

    /// Uses no position before this one.
    pub(crate) fn set_next_position(&mut self, next: u64) {
        self.next_position = self.next_position.max(next);
    }

    /// Takes the next message whose time has come.
    pub(crate) fn pop_due(&mut self, shared: &mut Shared) -> Option<Due> {
        let first = self.waiting.first_entry()?;
        let (until, position) = *first.key();
        if until > shared.now {
            self.update_timer(shared);
            return None;
        }
        let Waiting { message, kept } = first.remove();
        self.update_timer(shared);
        Some(Due {
            message,
            kept: kept.then_some(position),
        })
    }

    fn update_timer(&self, shared: &mut Shared) {
        let next = self.waiting.first_key_value();
        shared
            .timers
            .set(TimerKey::Delays, next.map(|((until, _), _)| *until));
    }
}

/// A message whose time has come, as it goes on: its delay is over.
pub(crate) fn released(message: Arc<Message>) -> Arc<Message> {
    let Some(delay) = message
        .properties
        .headers
        .get(DELAY)
        .and_then(Value::as_int)
        .filter(|delay| *delay > 0)
    else {
        return message;
    };
    let mut message = Arc::unwrap_or_clone(message).into_edited();
    let over = match message.properties.headers.get(DELAY) {
        Some(Value::Int(width, _)) => Value::Int(*width, -delay),
        _ => Value::long(-delay),
    };
    message.properties.headers.set(DELAY, over);
    Arc::new(message)
}
