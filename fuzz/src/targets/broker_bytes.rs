//! The broker, and peers that say anything at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use crate::phrase::{self, Phrasebook};
use amqp_codec::ProtocolHeader;
use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use mq_core::{Broker, Config, ConnectionId, Input, Output, Protocol, Report, Terms};

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step<'a> {
    Connect(Language),
    /// The same, past the handshake.
    LogIn(Language),
    Say {
        who: u8,
        phrase: u8,
    },
    /// A phrase with one byte changed.
    Stammer {
        who: u8,
        phrase: u8,
        at: u8,
        byte: u8,
    },
    /// A phrase that stops in the middle.
    Break {
        who: u8,
        phrase: u8,
        at: u8,
    },
    Babble {
        who: u8,
        bytes: &'a [u8],
    },
    /// Everything on its way to this peer has left.
    Transmitted {
        who: u8,
    },
    Disconnect {
        who: u8,
    },
    /// Everything that has arrived from this peer is handed in.
    Drained {
        who: u8,
    },
    Wait {
        milliseconds: u16,
    },
    Shutdown,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Language {
    Amqp,
    Mqtt3,
    Mqtt5,
    Stomp10,
    Stomp11,
    Stomp12,
}

static PHRASEBOOKS: LazyLock<[Phrasebook; 6]> = LazyLock::new(|| {
    [
        phrase::amqp(),
        phrase::mqtt(4),
        phrase::mqtt(5),
        phrase::stomp("1.0"),
        phrase::stomp("1.1"),
        phrase::stomp("1.2"),
    ]
});

impl Language {
    fn protocol(self) -> Protocol {
        match self {
            Language::Amqp => Protocol::Amqp,
            Language::Mqtt3 | Language::Mqtt5 => Protocol::Mqtt,
            Language::Stomp10 | Language::Stomp11 | Language::Stomp12 => Protocol::Stomp,
        }
    }

    /// The length of the frame that `sent` begins with, if it is whole. What the broker
    /// says is legal in a version of the protocol: a peer may have asked for another one.
    fn frame(self, sent: &[u8]) -> Option<usize> {
        let length = match self.protocol() {
            // It answers an unknown version with its own protocol header (section 4.2.2).
            Protocol::Amqp if sent.starts_with(b"AMQP") => {
                return (sent.len() >= ProtocolHeader::LEN).then_some(ProtocolHeader::LEN);
            }
            Protocol::Amqp => amqp_codec::decode(sent, &amqp_codec::Limits::default())
                .map(|it| it.map(|(_, length)| length))
                .map_err(|error| format!("{error:?}")),
            Protocol::Mqtt => any(mqtt_codec::ProtocolVersion::ALL.map(|version| {
                mqtt_codec::decode(sent, version, &mqtt_codec::Limits::default())
                    .map(|it| it.map(|(_, length)| length))
                    .map_err(|error| format!("{error:?}"))
            })),
            // A line end alone is a heart-beat.
            Protocol::Stomp if sent.first() == Some(&b'\n') => return Some(1),
            Protocol::Stomp => any(stomp_codec::Version::ALL.map(|version| {
                stomp_codec::decode(sent, version, &stomp_codec::Limits::default())
                    .map(|it| it.map(|(_, length)| length))
                    .map_err(|error| format!("{error:?}"))
            })),
            other => panic!("a protocol that this target does not know: {other:?}"),
        };
        length.unwrap_or_else(|error| panic!("{error}: {}", sent.escape_ascii()))
    }

    fn phrasebook(self) -> &'static Phrasebook {
        &PHRASEBOOKS[self as usize]
    }
}

/// The first that is no error.
fn any<T>(outcomes: [Result<T, String>; 3]) -> Result<T, String> {
    let mut last = Err(String::new());
    for outcome in outcomes {
        match outcome {
            Ok(value) => return Ok(value),
            error => last = error,
        }
    }
    last
}

/// The world outside of the broker, with a check on each output.
struct World {
    broker: Broker,
    now: Duration,
    /// Open, in the order of their ids, with bytes that have not left yet.
    peers: BTreeMap<ConnectionId, (Language, usize)>,
    /// What was sent to each, from the first byte of a frame on.
    sent: BTreeMap<ConnectionId, (Language, Vec<u8>)>,
    paused: BTreeSet<ConnectionId>,
    last_id: u64,
    outputs: Vec<Output>,
}

impl World {
    fn new() -> World {
        let mut config = Config {
            drain_on_takeover: true,
            ..Config::default()
        };
        // Small, so that what happens at a limit does happen.
        config.limits.transmit_high_water = 2_000;
        config.limits.receive_high_water = 2_000;
        config.limits.queue_messages = 20;
        config.limits.session_messages = 20;
        World {
            broker: Broker::new(config).expect("a good configuration"),
            now: Duration::ZERO,
            peers: BTreeMap::new(),
            sent: BTreeMap::new(),
            paused: BTreeSet::new(),
            last_id: 0,
            outputs: Vec::new(),
        }
    }

    fn peer(&self, who: u8) -> Option<(ConnectionId, Language, usize)> {
        let index = usize::from(who) % self.peers.len().max(1);
        let (id, (language, unsent)) = self.peers.iter().nth(index)?;
        Some((*id, *language, *unsent))
    }

    fn handle(&mut self, input: Input) {
        self.broker.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match &output {
                Output::Transmit { connection, bytes } => {
                    let (language, unsent) = self
                        .peers
                        .get_mut(connection)
                        .expect("a transmission to an open connection");
                    *unsent += bytes.len();
                    let none = || (*language, Vec::new());
                    let (_, sent) = self.sent.entry(*connection).or_insert_with(none);
                    sent.extend_from_slice(bytes);
                    while let Some(length) = language.frame(sent) {
                        sent.drain(..length);
                    }
                }
                Output::Pause { connection } => {
                    assert!(self.peers.contains_key(connection), "{output:?}");
                    assert!(self.paused.insert(*connection), "paused twice");
                }
                Output::Resume { connection } => {
                    assert!(self.peers.contains_key(connection), "{output:?}");
                    assert!(self.paused.remove(connection), "resumed unasked");
                }
                // Another step answers it, or none.
                Output::Drain { connection } => {
                    assert!(self.peers.contains_key(connection), "{output:?}");
                }
                Output::Close { connection } => {
                    assert!(self.peers.remove(connection).is_some(), "{output:?}");
                    self.paused.remove(connection);
                }
                // For logs and counters.
                Output::Report(Report::Peer(report)) => {
                    assert!(report.connection.0 <= self.last_id, "{output:?}");
                }
                Output::Report(Report::Dropped(dropped)) => {
                    assert!(dropped.count > 0, "{output:?}");
                }
                other => panic!("an output that this target does not know: {other:?}"),
            }
            self.outputs.push(output);
        }
        self.assert_that_nothing_is_missing();
    }

    fn connect(&mut self, language: Language) -> ConnectionId {
        self.last_id += 1;
        let connection = ConnectionId(self.last_id);
        self.peers.insert(connection, (language, 0));
        self.handle(Input::Connected {
            connection,
            protocol: language.protocol(),
            terms: Terms::default(),
        });
        connection
    }

    fn hear(&mut self, connection: ConnectionId, bytes: &[u8]) {
        // A shell stops reading after `Output::Pause`.
        if self.paused.contains(&connection) {
            return;
        }
        self.handle(Input::Received {
            connection,
            bytes: Bytes::copy_from_slice(bytes),
        });
    }

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Connect(language) => {
                self.connect(language);
            }
            Step::LogIn(language) => {
                let connection = self.connect(language);
                self.hear(connection, &language.phrasebook().login);
            }
            Step::Say { who, phrase } => self.say(who, phrase, |_| {}),
            Step::Stammer {
                who,
                phrase,
                at,
                byte,
            } => self.say(who, phrase, |bytes| {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }),
            Step::Break { who, phrase, at } => self.say(who, phrase, |bytes| {
                bytes.truncate(usize::from(at) % bytes.len());
            }),
            Step::Babble { who, bytes } => {
                if let Some((connection, ..)) = self.peer(who) {
                    self.hear(connection, bytes);
                }
            }
            Step::Transmitted { who } => {
                if let Some((connection, _, len)) = self.peer(who) {
                    if let Some((_, unsent)) = self.peers.get_mut(&connection) {
                        *unsent = 0;
                    }
                    self.handle(Input::Transmitted { connection, len });
                }
            }
            Step::Disconnect { who } => {
                if let Some((connection, ..)) = self.peer(who) {
                    self.peers.remove(&connection);
                    self.paused.remove(&connection);
                    self.handle(Input::Disconnected { connection });
                }
            }
            Step::Drained { who } => {
                if let Some((connection, ..)) = self.peer(who) {
                    self.handle(Input::Drained { connection });
                }
            }
            Step::Wait { milliseconds } => {
                self.now += Duration::from_millis(milliseconds.into());
                // Work that takes turns ends.
                let mut turns = 0;
                while self
                    .broker
                    .poll_timeout()
                    .is_some_and(|due| due <= self.now)
                {
                    self.broker.handle_timeout(self.now);
                    self.drain();
                    turns += 1;
                    assert!(turns < 100_000, "the broker finds no end");
                }
            }
            Step::Shutdown => self.handle(Input::Shutdown),
        }
    }

    /// Every copy of a message was acknowledged, was given up for a reason that is counted,
    /// or is there.
    fn assert_that_nothing_is_missing(&self) {
        let s = self.broker.statistics();
        let gone = s.acknowledged + s.expired + s.overflowed + s.rejected + s.discarded;
        assert_eq!(s.queued, gone + s.ready + s.unacknowledged, "{s:?}");
    }

    fn say(&mut self, who: u8, phrase: u8, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some((connection, language, _)) = self.peer(who) {
            let phrases = &language.phrasebook().phrases;
            let mut bytes = phrases[usize::from(phrase) % phrases.len()].clone();
            change(&mut bytes);
            self.hear(connection, &bytes);
        }
    }
}

fn play(steps: &[Step<'_>]) -> Vec<Output> {
    let mut world = World::new();
    for step in steps {
        world.step(*step);
    }
    world.outputs
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let Ok(steps) = Vec::<Step<'_>>::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    assert_eq!(play(&steps), play(&steps), "the same again is not the same");
}
