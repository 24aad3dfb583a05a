//! The whole clients of the codecs' pages, and a line that breaks anywhere.
//!
//! What QoS 2 of MQTT, confirms of AMQP and receipts of STOMP promise has to hold wherever the first
//! connection ends: after any number of bytes that the client sent, and of bytes that it received.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use mq_server::{BlockingServer, Config};

#[allow(dead_code, reason = "the test calls what `main` calls")]
mod amqp {
    include!("../../../amqp-codec/src/drive-loop.rs");
    include!("../../../amqp-codec/src/whole-client.rs");

    pub(super) fn receive(address: &str) -> super::Received {
        let received = run(address, &ClientConfig::default(), &super::SENT)?;
        Ok(received.into_iter().collect())
    }
}

#[allow(dead_code, reason = "the test calls what `main` calls")]
mod mqtt {
    include!("../../../mqtt-codec/src/drive-loop.rs");
    include!("../../../mqtt-codec/src/whole-client.rs");

    pub(super) fn receive(address: &str) -> super::Received {
        let a_minute = PropertiesBuilder::new().with(Property::SessionExpiryInterval(60))?;
        let connect = Connect::resume(ProtocolVersion::V5_0, "station".try_into()?)
            .with_properties(a_minute.as_properties());
        run(address, &connect, &super::SENT)
    }
}

#[allow(dead_code, reason = "the test calls what `main` calls")]
mod stomp {
    include!("../../../stomp-codec/src/drive-loop.rs");
    include!("../../../stomp-codec/src/whole-client.rs");

    pub(super) fn receive(address: &str) -> super::Received {
        let connect = ConnectOptions::new("/")
            .with_login("guest")
            .with_passcode("guest");
        let received = run(address, &connect, &super::SENT)?;
        Ok(received.into_iter().collect())
    }
}

/// What is sent.
const SENT: [&str; 3] = ["one", "two", "three"];

/// Longer than any run, also on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the first connection ends.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Never,
    /// After so many bytes from the client.
    Sent(usize),
    /// After so many bytes from the server.
    Received(usize),
}

/// A network between a client and a server, which breaks once.
struct Line {
    address: SocketAddr,
    connections: AtomicUsize,
    /// What passed on the first connection.
    sent: AtomicUsize,
    received: AtomicUsize,
}

impl Line {
    fn to(server: SocketAddr, cut: Cut) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let line = Arc::new(Self {
            address: listener.local_addr().expect("it is bound"),
            connections: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            received: AtomicUsize::new(0),
        });
        let network = Arc::clone(&line);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let is_first = network.connections.fetch_add(1, Ordering::Relaxed) == 0;
                let (sent, received) = match cut {
                    Cut::Sent(bytes) if is_first => (bytes, usize::MAX),
                    Cut::Received(bytes) if is_first => (usize::MAX, bytes),
                    _ => (usize::MAX, usize::MAX),
                };
                let server = TcpStream::connect(server).expect("the server is there");
                let pair = |stream: &TcpStream| stream.try_clone().expect("a descriptor is free");
                let (from, to, counted) = (pair(&client), pair(&server), Arc::clone(&network));
                thread::spawn(move || pass(from, to, sent, is_first.then_some(&counted.sent)));
                let counted = Arc::clone(&network);
                thread::spawn(move || {
                    pass(
                        server,
                        client,
                        received,
                        is_first.then_some(&counted.received),
                    );
                });
            }
        });
        line
    }
}

/// Passes bytes on until so many have passed or either side is gone, and then ends both.
fn pass(mut from: TcpStream, mut to: TcpStream, mut left: usize, counted: Option<&AtomicUsize>) {
    let mut buffer = [0; 4096];
    while left > 0 {
        let room = left.min(buffer.len());
        let Ok(length @ 1..) = from.read(&mut buffer[..room]) else {
            break;
        };
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
        left -= length;
        if let Some(counted) = counted {
            counted.fetch_add(length, Ordering::Relaxed);
        }
    }
    // An end that is gone has been shut down.
    let _: [io::Result<()>; 2] = [from, to].map(|stream| stream.shutdown(Shutdown::Both));
}

/// What a client received, or what it was refused for.
type Received = Result<Vec<String>, Box<dyn Error>>;

/// A client of a protocol.
struct Client {
    address: fn(&BlockingServer) -> Option<SocketAddr>,
    /// Sends [`SENT`] to an address, and returns what it received.
    receive: fn(&str) -> Received,
    /// What it may have published with one broken line.
    published: RangeInclusive<u64>,
}

/// Runs a client to its end with one broken line, and returns the line.
fn run(client: &Client, cut: Cut) -> Arc<Line> {
    let server = BlockingServer::start(Config::ephemeral()).expect("ports are free");
    let line = Line::to((client.address)(&server).expect("it listens"), cut);
    let (address, (done, outcome)) = (line.address.to_string(), mpsc::channel());
    let receive = client.receive;
    thread::spawn(move || done.send(receive(&address).map_err(|error| error.to_string())));
    let outcome = outcome.recv_timeout(TIMEOUT);
    let mut received = outcome
        .unwrap_or_else(|_| panic!("{cut:?}: the client waits for ever"))
        .unwrap_or_else(|error| panic!("{cut:?}: {error}"));
    received.sort_unstable();
    let mut sent = SENT;
    sent.sort_unstable();
    assert_eq!(received, sent, "{cut:?}");
    let published = server.snapshot().statistics.published;
    assert!(
        client.published.contains(&published),
        "{cut:?}: {published} published"
    );
    line
}

/// Cuts the line at every third byte of what an uncut conversation has in either direction.
fn cut_anywhere(client: &Client) {
    let whole = run(client, Cut::Never);
    assert_eq!(whole.connections.load(Ordering::Relaxed), 1);
    let cuts = |of: &AtomicUsize, cut: fn(usize) -> Cut| {
        (0..of.load(Ordering::Relaxed)).step_by(3).map(cut)
    };
    let cuts = cuts(&whole.sent, Cut::Sent).chain(cuts(&whole.received, Cut::Received));
    let cuts: Vec<_> = cuts.collect();
    // Most of a run is the pause before the second connection.
    for together in cuts.chunks(32) {
        thread::scope(|scope| {
            for &cut in together {
                scope.spawn(move || {
                    let line = run(client, cut);
                    // Bytes that are sent when all is over may be what is cut off.
                    let connections = line.connections.load(Ordering::Relaxed);
                    assert!((1..=2).contains(&connections), "{cut:?}: {connections}");
                });
            }
        });
    }
}

#[test]
fn amqp_at_least_once() {
    cut_anywhere(&Client {
        address: BlockingServer::amqp_addr,
        receive: amqp::receive,
        published: 3..=6,
    });
}

#[test]
fn mqtt_exactly_once() {
    cut_anywhere(&Client {
        address: BlockingServer::mqtt_addr,
        receive: mqtt::receive,
        published: 3..=3,
    });
}

#[test]
fn stomp_at_least_once() {
    cut_anywhere(&Client {
        address: BlockingServer::stomp_addr,
        receive: stomp::receive,
        published: 3..=6,
    });
}
