//! A bridge between two servers, one of which is killed at any moment.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::way::{At, Trust, WAYS, trust};
use super::{Process, Shared, kills, mqtt, twice};
use crate::certificates::Certificates;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    /// The one that has the bridge.
    Here,
    There,
}

/// A port that is free, and is none of those that systems give to sockets that connect: one of
/// these could have it while its server is down.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (std::process::id() % 2_000) as u16 * 10;
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed));
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).unwrap()
}

/// Publishers speak to the one here, and a subscriber to the one there; what goes over the
/// bridge between them does so over TLS.
struct Two {
    certificates: Certificates,
    trust: Trust,
    directory: tempfile::TempDir,
    /// The other one keeps its port.
    port: u16,
    topics: &'static str,
    version: &'static str,
}

impl Two {
    fn new(topics: &'static str, version: &'static str) -> Self {
        let certificates = Certificates::new();
        Self {
            trust: trust(&certificates.file("ca.pem")),
            certificates,
            directory: tempfile::tempdir().unwrap(),
            port: free_port(),
            topics,
            version,
        }
    }

    fn start(&self, name: &str, more: &[String]) -> Process {
        let data = self.directory.path().join(name);
        let store = ["--data".into(), data.into()];
        // What waits for an end that is down is to have room, however often it is killed.
        let room = ["messages", "bytes"];
        let room = room.map(|of| format!("--set=limits.session_{of}=10000000000"));
        Process::start(store, &self.certificates, &[&room, more].concat())
    }

    fn here(&self) -> Process {
        let authority = self.certificates.file("ca.pem");
        let bridge = format!(
            "--set=bridges=[{{ connection = \"kill\", address = \"localhost:{}\", \
             topics = {}, bridge_protocol_version = \"{}\", bridge_cafile = \"{}\", restart_timeout = [0, 1] }}]",
            self.port,
            self.topics,
            self.version,
            authority.display()
        );
        self.start("here", &[bridge])
    }

    fn there(&self) -> Process {
        let listen = format!("--listen=mqtts://127.0.0.1:{}", self.port);
        self.start("there", &[listen])
    }

    fn at(&self, process: &Process, round: u64) -> At {
        process.at(1, WAYS[round as usize % WAYS.len()], &self.trust)
    }
}

const OUT: &str = "['kill/# out 2']";

/// The session at the other broker is needed for what comes in.
const BOTH: &str = "['kill/# out 2', 'other/# in 2']";

fn nothing_is_lost(killed: Killed, topics: &'static str, version: &'static str) {
    let two = Two::new(topics, version);
    let shared = Shared::default();
    let start = Instant::now();
    let mut publisher = mqtt::Endpoint::new("publisher");
    let mut subscriber = mqtt::Endpoint::new("subscriber");
    // The sessions of the bridge are there before anything is published, and so is the
    // subscription.
    let (mut here, mut there) = (two.here(), two.there());
    let never = AtomicBool::new(false);
    subscriber.subscribe(&shared, &two.at(&there, 0), start, &never);
    mqtt::bridged(&two.at(&here, 0), start);
    for round in 0..kills() / 4 {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (shared, stop) = (&shared, &stop);
            let (publisher, subscriber) = (&mut publisher, &mut subscriber);
            let (to, from) = (two.at(&here, round), two.at(&there, round + 1));
            scope.spawn(move || publisher.publish(shared, &to, start, stop));
            scope.spawn(move || subscriber.receive(shared, &from, start, stop));
            // The bridge may have to come back first.
            std::thread::sleep(Duration::from_millis(100 + round * 237 % 1400));
            match killed {
                Killed::Here => here.kill(),
                Killed::There => {
                    // Publishers go on meanwhile: more waits in the bridge than its session
                    // there has room for.
                    #[cfg(unix)]
                    {
                        there.freeze();
                        std::thread::sleep(Duration::from_millis(300));
                    }
                    there.kill();
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        match killed {
            Killed::Here => here = two.here(),
            Killed::There => there = two.there(),
        }
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (shared, stop) = (&shared, &stop);
        let (to, from) = (two.at(&here, 0), two.at(&there, 0));
        let (publisher, subscriber) = (&mut publisher, &mut subscriber);
        scope.spawn(move || publisher.finish(shared, &to, start, stop));
        scope.spawn(move || subscriber.receive(shared, &from, start, stop));
        shared.settle();
        stop.store(true, Ordering::Relaxed);
    });
    shared.assert_nothing_missing();
    let ledger = shared.ledger();
    // A bridge that is killed with its server does not know what it was about.
    if killed == Killed::There {
        assert_eq!(twice(&ledger), Vec::<String>::new(), "more than once");
    }
    for publisher in ["mqtt1", "mqtt2"] {
        let confirmed = ledger.confirmed.get(publisher).copied().unwrap_or(0);
        println!("{killed:?}, {publisher}: {confirmed} confirmed");
        assert!(confirmed > 0, "{publisher}: this shows nothing");
    }
}

#[test]
fn what_was_confirmed_passes_a_bridge_whose_other_end_is_killed() {
    nothing_is_lost(Killed::There, OUT, "mqttv50");
}

#[test]
fn what_was_confirmed_passes_a_bridge_that_is_killed() {
    nothing_is_lost(Killed::Here, OUT, "mqttv50");
}

#[test]
fn what_was_confirmed_passes_a_bridge_of_both_ways_that_is_killed() {
    nothing_is_lost(Killed::Here, BOTH, "mqttv50");
}

/// Before 5.0 a session does not begin anew and stay.
#[test]
fn what_was_confirmed_passes_a_bridge_of_an_older_version_that_is_killed() {
    nothing_is_lost(Killed::Here, OUT, "mqttv311");
}
