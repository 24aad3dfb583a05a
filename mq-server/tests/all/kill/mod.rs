//! The server is killed at any moment under load from three protocols, started again, and
//! asked for what it had confirmed.
//!
//! `MQ_KILLS` sets how many times; 20 by default. `MQ_STORE` is a database for the log, in
//! place of a directory.

mod amqp;
mod bridge;
mod mqtt;
mod stomp;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::certificates::Certificates;
use way::{At, Trust, WAYS, Way, trust};

/// The durable queues that are published to.
const AMQP_QUEUE: &str = "kill.amqp";
const STOMP_QUEUE: &str = "kill.stomp";

/// What was said on either side of the server, by the bodies of the messages.
#[derive(Debug, Default)]
struct Ledger {
    /// The next body of each publisher.
    next: BTreeMap<&'static str, u64>,
    /// How many messages of each publisher were confirmed.
    confirmed: BTreeMap<String, u64>,
    received: BTreeMap<String, u32>,
    /// What was confirmed and not received yet.
    missing: BTreeSet<String>,
    /// The newest retained message that was confirmed.
    retained: u64,
}

#[derive(Debug, Default)]
struct Shared(Mutex<Ledger>);

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap()
    }

    /// A body that nobody else publishes.
    fn body(&self, publisher: &'static str) -> String {
        let mut ledger = self.ledger();
        let next = ledger.next.entry(publisher).or_default();
        *next += 1;
        format!("{publisher} {next}")
    }

    fn confirm(&self, body: String) {
        let mut ledger = self.ledger();
        let (publisher, _) = body.split_once(' ').unwrap();
        *ledger.confirmed.entry(publisher.to_owned()).or_default() += 1;
        if !ledger.received.contains_key(&body) {
            ledger.missing.insert(body);
        }
    }

    /// Waits as long as something arrives, however much there is.
    fn settle(&self) {
        let mut last = (Instant::now(), 0);
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let ledger = self.ledger();
            if ledger.received.len() != last.1 {
                last = (Instant::now(), ledger.received.len());
            }
            let enough = if ledger.missing.is_empty() { 1 } else { 20 };
            if last.0.elapsed() > Duration::from_secs(enough) {
                break;
            }
        }
    }

    fn assert_nothing_missing(&self) {
        let missing = &self.ledger().missing;
        assert!(
            missing.is_empty(),
            "{} lost, such as {:?}",
            missing.len(),
            missing.iter().take(9).collect::<Vec<_>>()
        );
    }

    fn receive(&self, body: &[u8]) {
        let body = String::from_utf8_lossy(body).into_owned();
        let mut ledger = self.ledger();
        ledger.missing.remove(&body);
        *ledger.received.entry(body).or_default() += 1;
    }
}

/// A client's half of a conversation, whatever carries its bytes.
trait Client {
    fn transmit(&mut self, now: Duration, out: &mut Vec<u8>);
    fn receive(&mut self, now: Duration, input: &mut &[u8]);
    /// Whether it has nothing more to say.
    fn is_done(&self) -> bool;
}

/// Lets a client talk until it is done, the server is gone, or `stop` is set.
fn talk(at: &At, start: Instant, stop: &AtomicBool, client: &mut dyn Client) {
    let Ok(mut carrier) = at.connect() else {
        return;
    };
    let (mut out, mut input) = (Vec::new(), Vec::new());
    while !stop.load(Ordering::Relaxed) && !client.is_done() {
        client.transmit(start.elapsed(), &mut out);
        if carrier.send(&out).is_err() {
            return;
        }
        out.clear();
        if carrier.receive(&mut input).is_err() {
            return;
        }
        let mut rest = &input[..];
        client.receive(start.elapsed(), &mut rest);
        let taken = input.len() - rest.len();
        input.drain(..taken);
    }
}

/// A server process. Dropping it kills it.
struct Process {
    child: Child,
    /// AMQP, MQTT, STOMP, and that for everything.
    ports: [u16; 4],
}

/// The sub-protocols of WebSocket of AMQP, MQTT and STOMP.
const WEB_SOCKET: [Option<&str>; 3] = [None, Some("mqtt"), Some("v12.stomp")];

impl Process {
    fn start(store: [OsString; 2], certificates: &Certificates, more: &[String]) -> Self {
        let tls = ["certificate", "key"].map(|what| {
            let file = certificates.file(match what {
                "key" => "server.key",
                _ => "server.pem",
            });
            format!("--tls-{what}={}", file.display())
        });
        let mut child = Command::new(env!("CARGO_BIN_EXE_mq-server"))
            .args([
                "--amqp=127.0.0.1:0",
                "--mqtt=127.0.0.1:0",
                "--stomp=127.0.0.1:0",
                "--listen=any://127.0.0.1:0",
            ])
            .args(tls)
            // Small files, so that some are forgotten and others begun in each round.
            .arg("--set=data_file_bytes=65536")
            .arg("--log-level=warn")
            .args(store)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ports: Vec<u16> = lines
            .take(4)
            .map(|line| line.unwrap().rsplit(':').next().unwrap().parse().unwrap())
            .collect();
        let ports = ports.try_into().expect("a server that has started");
        Self { child, ports }
    }

    /// Where a client of a protocol finds it.
    fn at(&self, protocol: usize, way: Way, trust: &Trust) -> At {
        At {
            plain: self.ports[protocol],
            any: self.ports[3],
            way,
            web_socket: WEB_SOCKET[protocol],
            trust: Arc::clone(trust),
        }
    }

    /// It answers nothing any more, and what it has been sent stays under way.
    #[cfg(unix)]
    fn freeze(&self) {
        let sent = Command::new("kill")
            .args(["-s", "STOP", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    fn kill(&mut self) {
        // SIGKILL. It may have ended by itself, which what follows would show.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where the log is.
fn store(data: &Path) -> [OsString; 2] {
    match std::env::var_os("MQ_STORE") {
        Some(database) => ["--store".into(), database],
        None => ["--data".into(), data.into()],
    }
}

fn kills() -> u64 {
    let kills = std::env::var("MQ_KILLS").ok();
    kills.map_or(20, |kills| kills.parse().expect("MQ_KILLS is a number"))
}

/// Messages of QoS 2 that have arrived more than once.
fn twice(ledger: &Ledger) -> Vec<String> {
    let received = ledger.received.iter();
    received
        .filter(|(body, count)| body.starts_with("mqtt2") && **count > 1)
        .map(|(body, _)| body.clone())
        .collect()
}

/// The way differs from round to round: TCP, TLS, WebSocket, and both.
#[test]
fn what_was_confirmed_outlives_any_kill() {
    let certificates = Certificates::new();
    let trust = trust(&certificates.file("ca.pem"));
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let shared = Shared::default();
    let start = Instant::now();
    let mut publisher = mqtt::Endpoint::new("publisher");
    let mut subscriber = mqtt::Endpoint::new("subscriber");
    // The subscription is there before anything is published.
    {
        let process = Process::start(store(&data), &certificates, &[]);
        let stop = AtomicBool::new(false);
        subscriber.subscribe(&shared, &process.at(1, Way::Tcp, &trust), start, &stop);
    }
    for round in 0..kills() {
        let process = Process::start(store(&data), &certificates, &[]);
        let stop = AtomicBool::new(false);
        let way = |more| WAYS[(round as usize + more) % WAYS.len()];
        let [amqp, mqtt, stomp] = [0, 1, 2].map(|n| process.at(n, way(n), &trust));
        let from = process.at(1, way(3), &trust);
        std::thread::scope(|scope| {
            let (shared, stop) = (&shared, &stop);
            let (amqp, mqtt, stomp, from) = (&amqp, &mqtt, &stomp, &from);
            scope.spawn(move || amqp::publish(shared, amqp, start, stop));
            // The other queue is left to grow in every other round, and never for long: how
            // long a start takes depends on what is stored.
            let queues = &[AMQP_QUEUE, STOMP_QUEUE][..1 + (round % 2) as usize];
            scope.spawn(move || amqp::consume(shared, amqp, start, stop, queues));
            scope.spawn(move || stomp::publish(shared, stomp, start, stop));
            let (publisher, subscriber) = (&mut publisher, &mut subscriber);
            scope.spawn(move || publisher.publish(shared, mqtt, start, stop));
            scope.spawn(move || subscriber.receive(shared, from, start, stop));
            // From before the first confirm to some hundred later.
            std::thread::sleep(Duration::from_millis(10 + round * 37 % 250));
            drop(process);
            stop.store(true, Ordering::Relaxed);
        });
    }
    let process = Process::start(store(&data), &certificates, &[]);
    let [amqp, mqtt] = [0, 1].map(|n| process.at(n, Way::Tcp, &trust));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (shared, stop) = (&shared, &stop);
        let (amqp, mqtt) = (&amqp, &mqtt);
        scope.spawn(|| amqp::consume(shared, amqp, start, stop, &[AMQP_QUEUE, STOMP_QUEUE]));
        scope.spawn(|| subscriber.receive(shared, mqtt, start, stop));
        scope.spawn(|| publisher.finish(shared, mqtt, start, stop));
        shared.settle();
        stop.store(true, Ordering::Relaxed);
    });
    shared.assert_nothing_missing();
    let retained = mqtt::retained(&mqtt, start);
    let ledger = shared.ledger();
    assert!(
        retained >= ledger.retained,
        "{retained} and not {}",
        ledger.retained
    );
    // MQTT 3.1.1 section 4.3.3: exactly once.
    assert_eq!(twice(&ledger), Vec::<String>::new(), "more than once");
    for publisher in ["amqp", "stomp", "mqtt1", "mqtt2"] {
        let confirmed = ledger.confirmed.get(publisher).copied().unwrap_or(0);
        println!("{publisher}: {confirmed} confirmed");
        assert!(
            confirmed > 0,
            "{publisher} published nothing: this shows nothing"
        );
    }
}
