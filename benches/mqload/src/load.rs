//! What is done to a broker, in words that are the same for the three protocols.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

/// One load. [`Load::from_str`] reads it from a name of [`PRESETS`] and changes to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// What was asked for, as it was written.
    pub text: String,
    /// Messages, or only connections.
    pub shape: Shape,
    /// Connections that publish. Publisher `n` publishes to destination `n % destinations`.
    pub publishers: usize,
    /// Connections that consume, spread over the destinations in the same way.
    pub consumers: usize,
    /// Queues or topics.
    pub destinations: usize,
    /// Whether consumers share the messages of a destination or each get a copy.
    pub kind: Kind,
    /// Bytes of a message's body; 8 or more, since it begins with a time.
    pub size: usize,
    /// When the next message is published.
    pub pace: Pace,
    /// How surely a message is handed over, both ways.
    pub confirm: Confirm,
    /// Whether messages and what they wait in are to survive the broker.
    pub durable: bool,
    /// Connections of a storm or a herd.
    pub connections: usize,
    /// How many of those connect at the same time.
    pub at_once: usize,
    /// Whether a connection of its own, which sends itself a message every 10 ms, is
    /// measured beside the load.
    pub bystander: bool,
}

/// What a load consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Messages from publishers to consumers.
    Messages,
    /// Connections that log in and leave, as fast as the broker takes them.
    Storm,
    /// Connections that log in, subscribe, and stay without a word.
    Idle,
}

/// What a destination is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// One of its consumers gets a message.
    Queue,
    /// Each of its consumers gets a copy.
    Topic,
}

/// When the next message is published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Open loop: so many messages a second of all publishers together, at times that are
    /// fixed beforehand, whatever the broker does. A latency is counted from that time, so
    /// that a broker that stops for a while pays for each message that it made wait.
    Rate(f64),
    /// Closed loop: so many messages of each publisher may be on their way.
    Window(usize),
}

/// How surely a message is handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd)]
pub enum Confirm {
    /// QoS 0; no confirms and consumers that need not acknowledge; no receipts, `ack:auto`.
    None,
    /// QoS 1; publisher confirms and acknowledgements; receipts and `ack:client-individual`.
    Once,
    /// QoS 2 in MQTT; as [`Confirm::Once`] in the others.
    Exactly,
}

/// A load with a name.
struct Preset {
    name: &'static str,
    about: &'static str,
    shape: Shape,
    publishers: usize,
    consumers: usize,
    kind: Kind,
    pace: Pace,
    confirm: Confirm,
}

const WINDOW: Pace = Pace::Window(500);

/// The loads that have a name.
#[rustfmt::skip]
const PRESETS: [Preset; 8] = [
    Preset { name: "pipe", about: "one publisher, one consumer, nothing confirmed", shape: Shape::Messages, publishers: 1, consumers: 1, kind: Kind::Queue, pace: WINDOW, confirm: Confirm::None },
    Preset { name: "confirmed", about: "the same with confirms and acknowledgements", shape: Shape::Messages, publishers: 1, consumers: 1, kind: Kind::Queue, pace: WINDOW, confirm: Confirm::Once },
    Preset { name: "pairs", about: "eight of those at once, a queue each (destinations=8)", shape: Shape::Messages, publishers: 8, consumers: 8, kind: Kind::Queue, pace: Pace::Window(100), confirm: Confirm::Once },
    Preset { name: "fan-in", about: "32 publishers, one consumer", shape: Shape::Messages, publishers: 32, consumers: 1, kind: Kind::Queue, pace: Pace::Window(20), confirm: Confirm::None },
    Preset { name: "fan-out", about: "one publisher, 32 consumers with a copy each", shape: Shape::Messages, publishers: 1, consumers: 32, kind: Kind::Topic, pace: Pace::Window(50), confirm: Confirm::None },
    Preset { name: "steady", about: "one pair at 2,000 messages a second, open loop: for latencies", shape: Shape::Messages, publishers: 1, consumers: 1, kind: Kind::Queue, pace: Pace::Rate(2000.0), confirm: Confirm::Once },
    Preset { name: "storm", about: "1,000 connections log in and leave, 50 at once", shape: Shape::Storm, publishers: 0, consumers: 0, kind: Kind::Queue, pace: WINDOW, confirm: Confirm::None },
    Preset { name: "idle", about: "1,000 subscribed connections stay without a word (on a broker that was just started)", shape: Shape::Idle, publishers: 0, consumers: 0, kind: Kind::Topic, pace: WINDOW, confirm: Confirm::None },
];

/// What can be changed of a load, for `--help`.
const KEYS: &str = "\
  publishers=N consumers=N destinations=N   connections, and queues or topics
  kind=queue|topic                          consumers share, or have a copy each
  size=BYTES                                of a body, 8 or more (64)
  rate=N                                    open loop: messages a second, all publishers together
  window=N                                  closed loop: messages on their way, each publisher
  confirm=0|1|2                             QoS; 1 and 2 are confirms and acks in AMQP, receipts in STOMP
  durable=yes|no                            persistent messages in what survives the broker
  connections=N at-once=N                   of a storm or a herd
  bystander=yes|no                          a small pair beside the load (yes)";

/// The part of `--help` about loads.
pub fn help() -> String {
    let mut text = String::from("Loads:\n");
    for preset in &PRESETS {
        text += &format!("  {:<10} {}\n", preset.name, preset.about);
    }
    text + "\nChanges to a load, as in fan-out,size=4k,rate=500:\n" + KEYS
}

impl FromStr for Load {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split(',');
        let name = words.next().unwrap_or_default();
        let preset = PRESETS
            .iter()
            .find(|preset| preset.name == name)
            .with_context(|| format!("there is no load {name:?}; --help lists them"))?;
        let mut load = Self {
            text: text.to_owned(),
            shape: preset.shape,
            publishers: preset.publishers,
            consumers: preset.consumers,
            destinations: if preset.name == "pairs" { 8 } else { 1 },
            kind: preset.kind,
            size: 64,
            pace: preset.pace,
            confirm: preset.confirm,
            durable: false,
            connections: 1000,
            at_once: 50,
            bystander: true,
        };
        for word in words {
            let (key, value) = word
                .split_once('=')
                .with_context(|| format!("{word:?} is not key=value"))?;
            load.change(key, value)
                .with_context(|| format!("in {word:?}"))?;
        }
        load.check()?;
        Ok(load)
    }
}

impl Load {
    fn change(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "publishers" => self.publishers = number(value)?,
            "consumers" => self.consumers = number(value)?,
            "destinations" => self.destinations = number(value)?,
            "size" => self.size = number(value)?,
            "connections" => self.connections = number(value)?,
            "at-once" => self.at_once = number(value)?,
            "window" => self.pace = Pace::Window(number(value)?),
            "rate" => self.pace = Pace::Rate(number(value)? as f64),
            "durable" => self.durable = yes(value)?,
            "bystander" => self.bystander = yes(value)?,
            "kind" => {
                self.kind = match value {
                    "queue" => Kind::Queue,
                    "topic" => Kind::Topic,
                    _ => bail!("queue or topic"),
                }
            }
            "confirm" => {
                self.confirm = match value {
                    "0" => Confirm::None,
                    "1" => Confirm::Once,
                    "2" => Confirm::Exactly,
                    _ => bail!("0, 1 or 2"),
                }
            }
            _ => bail!("no such key"),
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        ensure!(self.size >= 8, "size: 8 or more");
        ensure!(self.pace != Pace::Window(0), "window: 1 or more");
        ensure!(self.pace != Pace::Rate(0.0), "rate: 1 or more");
        match self.shape {
            Shape::Messages => {
                ensure!(self.publishers > 0, "publishers: 1 or more");
                ensure!(self.destinations > 0, "destinations: 1 or more");
                ensure!(
                    self.consumers > 0 && self.consumers.is_multiple_of(self.destinations),
                    "consumers: as many at each destination"
                );
            }
            Shape::Storm | Shape::Idle => {
                ensure!(self.connections > 0, "connections: 1 or more");
                ensure!(self.at_once > 0, "at-once: 1 or more");
            }
        }
        Ok(())
    }

    /// How many consumers get each message.
    pub fn copies(&self) -> u64 {
        match self.kind {
            Kind::Queue => 1,
            Kind::Topic => (self.consumers / self.destinations.max(1)) as u64,
        }
    }
}

/// A number, which may end with `k` or `m`.
fn number(text: &str) -> Result<usize> {
    let (digits, unit) = match text.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => match text.strip_suffix('m') {
            Some(digits) => (digits, 1_000_000),
            None => (text, 1),
        },
    };
    let number: usize = digits.parse()?;
    number.checked_mul(unit).context("too large")
}

fn yes(text: &str) -> Result<bool> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => bail!("yes or no"),
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_read() {
        let load: Load = "fan-out,size=4k,rate=500,confirm=1,durable=yes"
            .parse()
            .expect("good");
        assert_eq!((load.publishers, load.consumers, load.size), (1, 32, 4000));
        assert_eq!(load.pace, Pace::Rate(500.0));
        assert_eq!(
            (load.confirm, load.durable, load.copies()),
            (Confirm::Once, true, 32)
        );
        assert_eq!("pairs".parse::<Load>().expect("good").copies(), 1);
        for preset in &PRESETS {
            assert!(preset.name.parse::<Load>().is_ok(), "{}", preset.name);
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for (text, why) in [
            ("nothing", "no load"),
            ("pipe,size", "not key=value"),
            ("pipe,size=7", "8 or more"),
            ("pipe,rate=0", "1 or more"),
            ("pipe,window=0", "1 or more"),
            ("pipe,consumers=3,destinations=2", "as many at each"),
            ("pipe,colour=red", "colour"),
            ("storm,at-once=0", "1 or more"),
        ] {
            let error = format!("{:#}", text.parse::<Load>().expect_err(text));
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
