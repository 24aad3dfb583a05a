//! A broker among clients of all three protocols, over links that are slow,
//! cut bytes anywhere and break, and a ledger that knows what must be where. With a store,
//! which is slow too, the broker crashes at times: what the store has not said to be stored
//! is lost, the clock jumps, and clients go on with what they know. Among random steps there
//! are [phases](phase) as an adversary makes them.
//!
//! Everything follows from a list of steps, and the list from a seed, or from the bytes of the
//! fuzz target `broker`. A list of a seed that fails is made shorter for as long as it still
//! fails, and printed.
//!
//! ```text
//! cargo test -p mq-core --test all simulation                  # the seeds of every run
//! MQ_SEEDS=100000 cargo test --release -p mq-core --test all simulation
//! MQ_SEED=17 cargo test -p mq-core --test all simulation       # one seed again
//! ```

mod amqp;
mod brief;
pub(crate) mod choices;
mod contents;
mod ledger;
mod line;
mod link;
mod mqtt;
mod network;
mod phase;
mod queues;
mod rule;
pub(crate) mod script;
#[cfg(test)]
mod search;
mod share;
mod stomp;
mod stranger;
mod will;

use amqp::AmqpPeer;
use brief::BriefPeer;
use contents::Contents;
use ledger::{Ledger, QUEUES};
use mqtt::MqttPeer;
use network::{Network, Peer};
use script::{Script, Step};
use share::SharePeer;
use std::time::Duration;
use stomp::StompPeer;
use stranger::StrangerPeer;
use will::WillPeer;

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
        queues::declare(&mut simulation.network);
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
            Step::Do { who, what } => {
                let peer = &mut self.peers[at(who)];
                if peer.connection().is_some() {
                    peer.perform(what, &mut self.ledger);
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
                    self.peers
                        .iter_mut()
                        .for_each(|peer| peer.settled(&mut self.ledger));
                }
            }
            Step::Restart if self.network.stores() => self.restart(),
            Step::Restart => {}
            Step::Rule { choice } => {
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
        for peer in &mut self.peers {
            let closed = peer.connection().and_then(|id| self.network.closed(id));
            if let Some(at) = closed {
                peer.closed(at, self.network.clock(at), &mut self.ledger);
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
            let present = queues::empty(&mut self.network, queue);
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

/// Plays a script to its end, and panics when something is wrong.
pub(crate) fn play(script: &Script) {
    let mut simulation = Simulation::new(script.session_messages, script.stores);
    for step in &script.steps {
        simulation.step(*step);
    }
    simulation.finish();
}
