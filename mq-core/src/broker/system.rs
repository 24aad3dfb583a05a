//! The tree `$SYS`: what the broker says of itself to MQTT clients, with Mosquitto's names.
//!
//! | topic after `$SYS/broker/` | value |
//! |---|---|
//! | `version` | `mq` and the version |
//! | `uptime` | `N seconds` |
//! | `clients/total`, `connected` and `active`, `disconnected` and `inactive`, `maximum`, `expired` | MQTT sessions |
//! | `messages/received`, `messages/sent` | MQTT packets of all types |
//! | `publish/messages/received`, `sent`; `publish/bytes/received`, `sent` | PUBLISH packets, and bytes of their payloads |
//! | `publish/messages/dropped` | copies that found no room |
//! | `bytes/received`, `bytes/sent` | bytes of MQTT packets |
//! | `messages/stored` and `store/messages/count`, `store/messages/bytes` | all messages that the broker holds |
//! | `subscriptions/count`, `shared_subscriptions/count`, `retained messages/count` | what there is now |
//! | `connections/socket/count` | connections of all protocols |
//! | `load/../1min`, `5min`, `15min` | of some of them, the mean for each minute, which forgets exponentially |
//!
//! Mosquitto's `heap/..` is missing, since this crate does not know the allocator, and
//! `packet/out/..`, which would be a look at each connection.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::Broker;
use super::budget::TURN;
use crate::frontend::Traffic;
use crate::model::Census;

/// What all topics begin with.
const ROOT: &str = "$SYS/broker/";

const VERSION: &str = concat!("mq version ", env!("CARGO_PKG_VERSION"));

/// What is known at one moment.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    traffic: Traffic,
    census: Census,
    messages: usize,
    bytes: usize,
    /// Connections, now and since the beginning.
    sockets: usize,
    opened: u64,
    /// The most sessions that there were.
    maximum: usize,
}

/// A topic, and where its value comes from.
type Row = (&'static str, fn(&Snapshot) -> u64);

const COUNTS: [Row; 23] = [
    ("clients/total", |s| s.census.sessions as u64),
    ("clients/connected", |s| s.census.connected as u64),
    ("clients/active", |s| s.census.connected as u64),
    ("clients/disconnected", away),
    ("clients/inactive", away),
    ("clients/maximum", |s| s.maximum as u64),
    ("clients/expired", |s| s.census.expired),
    ("messages/received", |s| s.traffic.received.packets),
    ("messages/sent", |s| s.traffic.sent.packets),
    ("publish/messages/received", |s| {
        s.traffic.received.publishes
    }),
    ("publish/messages/sent", |s| s.traffic.sent.publishes),
    ("publish/messages/dropped", |s| s.census.dropped),
    ("publish/bytes/received", |s| {
        s.traffic.received.publish_bytes
    }),
    ("publish/bytes/sent", |s| s.traffic.sent.publish_bytes),
    ("bytes/received", |s| s.traffic.received.bytes),
    ("bytes/sent", |s| s.traffic.sent.bytes),
    ("messages/stored", |s| s.messages as u64),
    ("store/messages/count", |s| s.messages as u64),
    ("store/messages/bytes", |s| s.bytes as u64),
    ("subscriptions/count", |s| s.census.subscriptions as u64),
    ("shared_subscriptions/count", |s| s.census.shared as u64),
    ("retained messages/count", |s| s.census.retained as u64),
    ("connections/socket/count", |s| s.sockets as u64),
];

fn away(snapshot: &Snapshot) -> u64 {
    let census = &snapshot.census;
    census.sessions.saturating_sub(census.connected) as u64
}

/// Topics under `load/`, and what grows.
const LOADS: [Row; 9] = [
    ("messages/received", |s| s.traffic.received.packets),
    ("messages/sent", |s| s.traffic.sent.packets),
    ("publish/received", |s| s.traffic.received.publishes),
    ("publish/sent", |s| s.traffic.sent.publishes),
    ("publish/dropped", |s| s.census.dropped),
    ("bytes/received", |s| s.traffic.received.bytes),
    ("bytes/sent", |s| s.traffic.sent.bytes),
    ("sockets", |s| s.opened),
    ("connections", |s| s.traffic.logins),
];

/// The last part of a topic under `load/`, and how many seconds its mean is about.
const WINDOWS: [(&str, f64); 3] = [("1min", 60.0), ("5min", 300.0), ("15min", 900.0)];

/// How much something grew by lately.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    total: u64,
    /// For each minute, by [`WINDOWS`].
    means: [f64; 3],
}

impl Load {
    /// It has grown to `total` in `seconds`.
    fn grow(&mut self, total: u64, seconds: f64) {
        let grown = total.saturating_sub(self.total) as f64 * 60.0 / seconds;
        self.total = total;
        for (mean, (_, window)) in self.means.iter_mut().zip(WINDOWS) {
            *mean = grown + libm::exp(-seconds / window) * (*mean - grown);
        }
    }
}

/// What is said, and when.
#[derive(Debug)]
pub(super) struct System {
    interval: Duration,
    began: Duration,
    next: Duration,
    /// When it was said last.
    last: Duration,
    traffic: Traffic,
    opened: u64,
    maximum: usize,
    loads: [Load; LOADS.len()],
    /// The last value of each topic.
    said: Vec<String>,
    /// What is still to be said.
    due: VecDeque<(String, String)>,
}

impl System {
    /// None: nothing is ever said.
    pub(super) fn new(interval: Duration, now: Duration) -> Option<Box<Self>> {
        (!interval.is_zero()).then(|| {
            Box::new(Self {
                interval,
                began: now,
                next: now,
                last: now,
                traffic: Traffic::default(),
                opened: 0,
                maximum: 0,
                loads: Default::default(),
                said: Vec::new(),
                due: VecDeque::new(),
            })
        })
    }

    pub(super) fn connected(&mut self) {
        self.opened += 1;
    }

    pub(super) fn add(&mut self, traffic: Traffic) {
        self.traffic += traffic;
    }

    /// When there is something to say; at a time that has come while there is more.
    pub(super) fn poll_timeout(&self) -> Duration {
        if self.due.is_empty() {
            self.next
        } else {
            self.last
        }
    }

    /// Finds out what has changed. The moments are multiples of the interval.
    fn look(&mut self, now: Duration, mut snapshot: Snapshot) {
        let seconds = now.saturating_sub(self.last).as_secs_f64();
        let past = now.as_nanos() % self.interval.as_nanos();
        let past = Duration::from_nanos(u64::try_from(past).unwrap_or(0));
        self.next = now.saturating_sub(past).saturating_add(self.interval);
        self.last = now;
        self.maximum = self.maximum.max(snapshot.census.sessions);
        snapshot.maximum = self.maximum;
        if seconds > 0.0 {
            for (load, (_, total)) in self.loads.iter_mut().zip(LOADS) {
                load.grow(total(&snapshot), seconds);
            }
        }
        let uptime = now.saturating_sub(self.began).as_secs();
        let counts = COUNTS.map(|(topic, value)| (topic.into(), value(&snapshot).to_string()));
        let loads = self.loads.iter().zip(LOADS).flat_map(|(load, (topic, _))| {
            let means = load.means.into_iter().zip(WINDOWS);
            means.map(move |(mean, (window, _))| {
                (format!("load/{topic}/{window}"), format!("{mean:.2}"))
            })
        });
        let first = [
            (String::from("version"), String::from(VERSION)),
            (String::from("uptime"), format!("{uptime} seconds")),
        ];
        for (index, (topic, value)) in first.into_iter().chain(counts).chain(loads).enumerate() {
            match self.said.get_mut(index) {
                Some(said) if *said == value => continue,
                Some(said) => said.clone_from(&value),
                None => self.said.push(value.clone()),
            }
            self.due.push_back((topic, value));
        }
    }
}

impl Broker {
    /// Says what has changed since the last time, if it is time, and in turns.
    pub(super) fn say(&mut self) {
        let Some(system) = &mut self.system else {
            return;
        };
        let shared = &mut self.shared;
        if system.due.is_empty() && system.next <= shared.now {
            let snapshot = Snapshot {
                traffic: system.traffic,
                census: shared.model.census(),
                messages: shared.model.meter().messages(),
                bytes: shared.model.meter().total(),
                sockets: self.connections.len(),
                opened: system.opened,
                maximum: 0,
            };
            system.look(shared.now, snapshot);
        }
        let end = shared.model.steps() + TURN / 4;
        while shared.model.steps() < end
            && let Some((topic, value)) = system.due.pop_front()
        {
            shared
                .model
                .publish_system(&format!("{ROOT}{topic}"), &value);
        }
    }
}
