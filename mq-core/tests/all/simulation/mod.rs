//! A broker among clients of all three protocols, over links that are slow,
//! cut bytes anywhere and break, and a ledger that knows what must be where. With a store,
//! which is slow too, the broker crashes at times: what the store has not said to be stored
//! is lost, the clock jumps, and clients go on with what they know. Among random steps there are [phases](phase)
//! as an adversary makes them.
//!
//! Everything follows from a list of steps, and the list from a seed. A list that
//! fails is made shorter for as long as it still fails, and printed.
//!
//! ```text
//! cargo test -p mq-core --test all simulation                  # the seeds of every run
//! MQ_SEEDS=100000 cargo test --release -p mq-core --test all simulation
//! MQ_SEED=17 cargo test -p mq-core --test all simulation       # one seed again
//! ```

mod amqp;
mod brief;
mod contents;
mod ledger;
mod line;
mod mqtt;
mod network;
mod phase;
mod rule;
mod share;
mod stomp;
mod stranger;
mod will;

use amqp::AmqpPeer;
use brief::BriefPeer;
use contents::Contents;
use ledger::{Ledger, QUEUES, What};
use mqtt::MqttPeer;
use network::{Network, Peer};
use share::SharePeer;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::Duration;
use stomp::StompPeer;
use stranger::StrangerPeer;
use will::WillPeer;

/// Seeds of a run that does not say how many.
const SEEDS: u64 = 60;
/// Steps of one seed.
const STEPS: usize = 600;
/// Phases among them.
const PHASES: usize = 5;
/// How many clients there are.
const PEERS: u64 = 11;

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A client does something, or connects if it is not connected.
    Act { who: u8, choice: u64 },
    /// Bytes of a client arrive at the broker.
    Up { who: u8, len: u16 },
    /// Bytes of the broker arrive at a client.
    Down { who: u8, len: u16 },
    /// A link breaks; bytes that were on their way are lost.
    Cut { who: u8 },
    /// Time passes.
    Wait { milliseconds: u16 },
    /// Some of what was appended is stored.
    Sync { part: u8 },
    /// The broker is gone, and with it most of what is not stored. With `flipped` a bit of
    /// what was being stored is turned round. The clock jumps by so many seconds meanwhile.
    Crash {
        kept: u8,
        flipped: Option<u16>,
        jump: i32,
    },
    /// A client connects, if it is not connected.
    Connect { who: u8 },
    /// A client publishes.
    Publish { who: u8, what: What },
    /// So many times whatever is on its way to and from a client arrives.
    Exchange { who: u8, times: u8 },
    /// The same for all clients, and all is stored.
    Settle { times: u8 },
    /// All links break, all is stored, and the broker is made again of that.
    Restart,
    /// Another policy is for the queue `ruled`.
    Rule { choice: u8 },
}

/// SplitMix64: the steps only have to vary.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn script(seed: u64) -> Script {
    let mut random = Random(seed);
    let stores = random.next().is_multiple_of(2);
    // Few, so that what has expired may stand in the way of others; but which session was
    // full depends on what a crash has undone.
    let session_messages = match stores {
        true => 100_000,
        false => [2, 5, 100_000][(random.next() % 3) as usize],
    };
    let crashes = [0, 1, 3][(random.next() % 3) as usize];
    // Some stores are slow, so that much is lost.
    let syncs = [4, 10][(random.next() % 2) as usize];
    // Some seeds break links often, some never.
    let cuts = [0, 2, 8][(random.next() % 3) as usize];
    // In some clients read slowly, in some much time passes.
    let reads = [92, 72][(random.next() % 2) as usize];
    let longest = [400, 3000][(random.next() % 2) as usize];
    let mut steps: Vec<Step> = (0..STEPS)
        .map(|_| {
            let who = (random.next() % PEERS) as u8;
            let len = 1 << (random.next() % 15);
            if stores {
                let part = (random.next() % 256) as u8;
                match random.next() % 100 {
                    n if n < syncs => return Step::Sync { part: part % 8 },
                    n if n < syncs + crashes => {
                        let flipped = part.is_multiple_of(2).then_some(random.next() as u16);
                        return Step::Crash {
                            kept: part,
                            flipped,
                            jump: phase::jump(&mut random),
                        };
                    }
                    _ => {}
                }
            }
            match random.next() % 100 {
                n if n < cuts => Step::Cut { who },
                0..40 => Step::Act {
                    who,
                    choice: random.next(),
                },
                40..65 => Step::Up { who, len },
                n if (65..reads).contains(&n) => Step::Down { who, len },
                _ => Step::Wait {
                    milliseconds: (random.next() % longest) as u16,
                },
            }
        })
        .collect();
    for _ in 0..PHASES {
        let at = random.below(steps.len() as u64) as usize;
        let phase = phase::any(&mut random, stores);
        steps.splice(at..at, phase);
    }
    Script {
        session_messages,
        stores,
        steps,
    }
}

struct Simulation {
    network: Network,
    peers: Vec<Box<dyn Peer>>,
    ledger: Ledger,
}

impl Simulation {
    fn new(session_messages: usize, stores: bool) -> Self {
        let network = Network::new(session_messages, stores);
        let mut ledger = Ledger::default();
        ledger.set_time(network.clock(network.now));
        ledger.session_messages = session_messages;
        let mut simulation = Self {
            network,
            peers: vec![
                Box::new(AmqpPeer::new(0)),
                Box::new(AmqpPeer::new(1)),
                Box::new(MqttPeer::new(2)),
                Box::new(MqttPeer::new(3)),
                Box::new(StompPeer::new(4)),
                Box::new(StompPeer::new(5)),
                Box::new(StrangerPeer::default()),
                Box::new(BriefPeer::default()),
            ],
            ledger,
        };
        amqp::declare(&mut simulation.network);
        mqtt::retain(&mut simulation.network, &mut simulation.ledger);
        simulation.network.store.is_quick = false;
        let will = WillPeer::new(&mut simulation.ledger);
        simulation.peers.push(Box::new(will));
        for member in [0, 1] {
            simulation.peers.push(Box::new(SharePeer::new(member)));
        }
        simulation
    }

    fn step(&mut self, step: Step) {
        let count = self.peers.len();
        let at = |who: u8| usize::from(who) % count;
        match step {
            Step::Act { who, choice } => {
                let peer = &mut self.peers[at(who)];
                match peer.connection() {
                    Some(_) => peer.act(choice, &mut self.ledger),
                    // It may stay away for a while.
                    None if choice % 4 == 0 => peer.connect(&mut self.network),
                    None => {}
                }
            }
            Step::Up { who, len } => self.up(at(who), len.into()),
            Step::Down { who, len } => self.down(at(who), len.into()),
            Step::Cut { who } => self.cut(at(who)),
            Step::Wait { milliseconds } => self.wait(Duration::from_millis(milliseconds.into())),
            Step::Sync { part } => {
                self.network.read(part.into());
                self.network.sync(part.into());
            }
            Step::Crash {
                kept,
                flipped,
                jump,
            } => self.crash(kept.into(), flipped, jump),
            Step::Connect { who } => {
                let peer = &mut self.peers[at(who)];
                if peer.connection().is_none() {
                    peer.connect(&mut self.network);
                }
            }
            Step::Publish { who, what } => {
                let peer = &mut self.peers[at(who)];
                if peer.connection().is_some() {
                    peer.publish(what, &mut self.ledger);
                }
            }
            Step::Exchange { who, times } => {
                for _ in 0..times {
                    self.exchange(at(who));
                }
            }
            Step::Settle { times } => {
                let mut moved = self.network.moved;
                for _ in 0..times {
                    moved = self.network.moved;
                    (0..count).for_each(|who| self.exchange(who));
                    self.network.read(usize::MAX);
                    self.network.sync(usize::MAX);
                    self.wait(Duration::ZERO);
                }
                if self.network.moved == moved {
                    self.network.check_rest();
                }
                if times >= phase::ENOUGH {
                    self.peers.iter().for_each(|peer| peer.settled());
                }
            }
            Step::Restart if self.network.stores() => self.restart(),
            Step::Restart => {}
            Step::Rule { choice } => {
                self.ledger.is_ruled = true;
                self.network.rule(choice);
            }
        }
        self.network.check();
    }

    /// Bytes go from a client to the broker.
    fn up(&mut self, who: usize, len: usize) {
        let peer = &mut self.peers[who];
        if let Some(id) = peer.connection() {
            let bytes = peer.transmit(self.network.now);
            self.network.send(id, &bytes, len);
        }
    }

    /// Bytes go from the broker to a client.
    fn down(&mut self, who: usize, len: usize) {
        for peer in &self.peers {
            let closed = peer.connection().and_then(|id| self.network.closed(id));
            if let Some(since) = closed {
                peer.closed(since, &mut self.ledger);
            }
        }
        let peer = &mut self.peers[who];
        let Some(id) = peer.connection() else { return };
        let bytes = self.network.receive(id, len);
        peer.receive(self.network.now, &bytes, &mut self.ledger);
        if peer.is_over() || self.network.is_over(id) {
            self.cut(who);
        }
    }

    /// What is on its way between a client and the broker arrives.
    fn exchange(&mut self, who: usize) {
        self.up(who, usize::MAX);
        self.down(who, usize::MAX);
    }

    fn cut(&mut self, who: usize) {
        if let Some(id) = self.peers[who].connection() {
            let left = self.network.cut(id);
            self.ledger.left = self.network.clock(left);
            self.peers[who].lost(&mut self.ledger);
        }
    }

    fn crash(&mut self, kept: usize, flipped: Option<u16>, jump: i32) {
        self.ledger.all_stored = self.network.is_all_stored();
        self.network.crash(kept, flipped, jump);
        let clock = self.network.clock(self.network.now);
        self.ledger.crashed();
        self.ledger.set_time(clock);
        self.ledger.left = clock;
        for peer in &mut self.peers {
            if peer.connection().is_some() {
                peer.lost(&mut self.ledger);
            }
            peer.crashed(clock, &mut self.ledger);
        }
    }

    fn wait(&mut self, time: Duration) {
        self.network.wait(time);
        let clock = self.network.clock(self.network.now);
        self.ledger.set_time(clock);
        for who in 0..self.peers.len() {
            if self.peers[who].connection().is_some()
                && !self.peers[who].handle_timeout(self.network.now)
            {
                self.cut(who);
            }
        }
    }

    /// Lets everybody connect and everything arrive.
    fn quiesce(&mut self) {
        let mut quiet = 0;
        for _ in 0..10_000 {
            let mut moved = false;
            for who in 0..self.peers.len() {
                if self.peers[who].connection().is_none() && self.peers[who].comes_back() {
                    self.peers[who].connect(&mut self.network);
                    moved = true;
                }
                let before = self.network.moved;
                self.exchange(who);
                moved |= self.network.moved != before;
            }
            quiet = if moved { 0 } else { quiet + 1 };
            if quiet == 2 {
                self.network.check_rest();
                return;
            }
            self.wait(Duration::from_millis(1));
        }
        panic!("the links do not come to rest");
    }

    /// Brings everything to an end, and compares what is where with the ledger.
    fn finish(&mut self) {
        self.network.store.is_quick = true;
        self.network.read(usize::MAX);
        self.network.sync(usize::MAX);
        self.quiesce();
        for peer in &mut self.peers {
            peer.finish(&mut self.ledger);
        }
        self.ledger.check_replies();
        match self.network.stores() {
            true => self.restart(),
            false => (0..self.peers.len()).for_each(|who| self.cut(who)),
        }
        let retained = mqtt::retained(&mut self.network);
        self.ledger.check_retained(&retained);
        // The time to live of the queue `dying` passes, and what waits comes.
        self.wait(self.enough());
        self.network.check();
        for queue in QUEUES {
            let present = amqp::empty(&mut self.network, queue);
            if queue == "ranked" {
                Ledger::check_ranks(&present);
            }
            self.ledger.audit(queue, &present);
        }
        let (overflowed, expired) = self.network.dropped();
        self.ledger.check(overflowed, expired);
        let found = rule::in_force(&mut self.network);
        self.network.rules.check(found);
        self.network.check();
        self.network.replay();
    }
}

impl Simulation {
    /// The time after which what waits has come, by whatever clock it began to wait.
    fn enough(&self) -> Duration {
        self.ledger.latest() - self.network.clock(self.network.now) + Duration::from_secs(3)
    }

    /// All is stored, and another broker that is made of it has what this one has.
    fn restart(&mut self) {
        (0..self.peers.len()).for_each(|who| self.cut(who));
        self.network.sync_all();
        let time = self.enough();
        let twins = self.network.twins();
        let [left, recovered] = twins.map(|mut twin| Contents::of(&mut twin, time));
        assert_eq!(recovered, left, "recovered");
        self.crash(0, None, 0);
    }
}

/// What a list of steps is played with.
#[derive(Debug)]
struct Script {
    /// How many messages wait in one session at the most.
    session_messages: usize,
    /// The broker has a store.
    stores: bool,
    steps: Vec<Step>,
}

fn play(script: &Script) {
    let mut simulation = Simulation::new(script.session_messages, script.stores);
    for step in &script.steps {
        simulation.step(*step);
    }
    simulation.finish();
}

thread_local! {
    /// Panics are expected here: a list of steps is tried many times while it shrinks.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What goes wrong when these steps are played.
fn failure(script: &Script) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                report(panic);
            }
        }));
    });
    QUIET.set(true);
    let played = panic::catch_unwind(AssertUnwindSafe(|| play(script)));
    QUIET.set(false);
    let panic = played.err()?;
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Some(text.unwrap_or("a panic without words").to_owned())
}

/// A failure without its numbers: what stays the same while a list shrinks.
fn kind(failure: &str) -> String {
    failure.replace(|letter: char| letter.is_ascii_digit(), "")
}

/// Leaves out steps, many at first, for as long as the rest fails in the same way.
fn shrink(mut script: Script, first: &str) -> Script {
    let mut size = script.steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < script.steps.len() {
            let end = (at + size).min(script.steps.len());
            let mut steps = script.steps.clone();
            steps.drain(at..end);
            let fewer = Script { steps, ..script };
            if failure(&fewer).is_some_and(|failure| kind(&failure) == kind(first)) {
                script = fewer;
            } else {
                at = end;
            }
        }
        size /= 2;
    }
    script
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("a number"))
}

#[test]
fn nothing_confirmed_is_lost_and_nothing_comes_from_nowhere() {
    let seeds = match number("MQ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MQ_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let script = script(seed);
        if let Some(first) = failure(&script) {
            let script = shrink(script, &first);
            let last = failure(&script).unwrap_or_default();
            let steps = script.steps.iter();
            let steps: String = steps.map(|step| format!("    {step:?}\n")).collect();
            panic!(
                "MQ_SEED={seed}: {first}\nThese steps are enough, with {} messages a session, with a store: {}: {last}\n{steps}",
                script.session_messages, script.stores,
            );
        }
    }
}
