//! The whole clients of the codecs' pages, and a line that breaks anywhere.
//!
//! What QoS 2 of MQTT, confirms of AMQP and receipts of STOMP promise has to hold wherever the first
//! connection ends: after any number of bytes that the client sent, and of bytes that it received,
//! and by the goodbye of a server that restarts. A refusal ends the client.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use mq_server::{BlockingServer, Config};

#[allow(dead_code, reason = "the test calls what `main` calls")]
mod amqp {
    include!("../../../amqp-codec/src/drive-loop.rs");
    include!("../../../amqp-codec/src/whole-client.rs");

    pub(super) fn receive(address: &str, sent: &[&str]) -> super::Received {
        run(address, sent)
    }
}

#[allow(dead_code, reason = "the test calls what `main` calls")]
mod mqtt {
    include!("../../../mqtt-codec/src/drive-loop.rs");
    include!("../../../mqtt-codec/src/whole-client.rs");

    pub(super) fn receive(address: &str, sent: &[&str]) -> super::Received {
        let a_minute = PropertiesBuilder::new().with(Property::SessionExpiryInterval(60))?;
        let connect = Connect::resume(ProtocolVersion::V5_0, "station".try_into()?)
            .with_properties(a_minute.as_properties());
        run(address, &connect, sent)
    }
}

#[allow(dead_code, reason = "the test calls what `main` calls")]
mod stomp {
    include!("../../../stomp-codec/src/drive-loop.rs");
    include!("../../../stomp-codec/src/whole-client.rs");

    pub(super) fn receive(address: &str, sent: &[&str]) -> super::Received {
        let connect = ConnectOptions::new("/")
            .with_login("guest")
            .with_passcode("guest");
        run(address, &connect, sent)
    }
}

/// What is sent where the line is cut anywhere.
const FEW: [&str; 3] = ["one", "two", "three"];

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
    /// By the client, which heard these bytes and never met the server.
    Heard(&'static [u8]),
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
    fn between(listener: TcpListener, server: SocketAddr, cut: Cut) -> Arc<Self> {
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
                if let (Cut::Heard(script), true) = (cut, is_first) {
                    thread::spawn(move || recite(client, script));
                    continue;
                }
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

/// Says these bytes once the client has spoken, and waits for it to go.
fn recite(mut client: TcpStream, script: &[u8]) {
    let mut first = [0; 4096];
    let heard = client.read(&mut first);
    heard.expect("the client speaks first");
    client.write_all(script).expect("the client listens");
    // How it goes is its own affair.
    let _ = io::copy(&mut client, &mut io::sink());
}

/// What a client received, or what it was refused for.
type Received = Result<Vec<String>, Box<dyn Error>>;

/// A client of a protocol.
struct Client {
    address: fn(&BlockingServer) -> Option<SocketAddr>,
    /// Sends messages to an address, and returns what it received.
    receive: fn(&str, &[&str]) -> Received,
    /// How often it may publish a message with one broken line.
    copies: usize,
}

const AMQP: Client = Client {
    address: BlockingServer::amqp_addr,
    receive: amqp::receive,
    copies: 2,
};

const MQTT: Client = Client {
    address: BlockingServer::mqtt_addr,
    receive: mqtt::receive,
    copies: 1,
};

const STOMP: Client = Client {
    address: BlockingServer::stomp_addr,
    receive: stomp::receive,
    copies: 2,
};

/// A client at work, and what will come of it.
fn begin<'a>(
    client: &Client,
    address: SocketAddr,
    sent: impl IntoIterator<Item = &'a str>,
) -> mpsc::Receiver<Result<Vec<String>, String>> {
    let (done, outcome) = mpsc::channel();
    let (receive, address) = (client.receive, address.to_string());
    let sent: Vec<String> = sent.into_iter().map(String::from).collect();
    thread::spawn(move || {
        let sent: Vec<_> = sent.iter().map(String::as_str).collect();
        done.send(receive(&address, &sent).map_err(|error| error.to_string()))
    });
    outcome
}

/// Runs a client to its end with one broken line; returns the line, and why the client was
/// refused, if it was.
fn run(client: &Client, cut: Cut, sent: &[&str]) -> (Arc<Line>, Option<String>) {
    let server = BlockingServer::start(Config::ephemeral()).expect("ports are free");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = (client.address)(&server).expect("it listens");
    let line = Line::between(listener, address, cut);
    let outcome = begin(client, line.address, sent.iter().copied()).recv_timeout(TIMEOUT);
    match outcome.unwrap_or_else(|_| panic!("{cut:?}: the client waits for ever")) {
        Err(refused) => (line, Some(refused)),
        Ok(mut received) => {
            received.sort_unstable();
            let mut sent = sent.to_vec();
            sent.sort_unstable();
            assert_eq!(received, sent, "{cut:?}");
            let published = server.snapshot().statistics.published as usize;
            assert!(
                (sent.len()..=sent.len() * client.copies).contains(&published),
                "{cut:?}: {published} published"
            );
            (line, None)
        }
    }
}

/// Cuts the line at every third byte of what an uncut conversation has in either direction.
fn cut_anywhere(client: &Client) {
    let (whole, refused) = run(client, Cut::Never, &FEW);
    assert_eq!(refused, None);
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
                    let (line, refused) = run(client, cut, &FEW);
                    assert_eq!(refused, None, "{cut:?}");
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
    cut_anywhere(&AMQP);
}

#[test]
fn mqtt_exactly_once() {
    cut_anywhere(&MQTT);
}

#[test]
fn stomp_at_least_once() {
    cut_anywhere(&STOMP);
}

/// More than may be under way at a time.
#[test]
fn many() {
    let many: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for client in [AMQP, MQTT, STOMP] {
        for cut in [Cut::Never, Cut::Sent(500), Cut::Received(500)] {
            let (_, refused) = run(&client, cut, &many);
            assert_eq!(refused, None, "{cut:?}");
        }
    }
}

/// Of connection.start with PLAIN, tune, open-ok and blocked; of close with a reply code.
const START: &[u8] =
    b"\x01\0\0\0\0\0\x1c\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US\xce";
const TUNE: &[u8] = b"\x01\0\0\0\0\0\x0c\0\x0a\0\x1e\0\0\0\0\0\0\0\0\xce";
const OPEN_OK: &[u8] = b"\x01\0\0\0\0\0\x05\0\x0a\0\x29\0\xce";
const BLOCKED: &[u8] = b"\x01\0\0\0\0\0\x05\0\x0a\0\x3c\0\xce";
const CLOSE_320: &[u8] = b"\x01\0\0\0\0\0\x0e\0\x0a\0\x32\x01\x40\x03bye\0\0\0\0\xce";
const CLOSE_403: &[u8] = b"\x01\0\0\0\0\0\x0e\0\x0a\0\x32\x01\x93\x03who\0\0\0\0\xce";

/// CONNACK of MQTT 5.0 with success.
const CONNACK: &[u8] = b"\x20\x03\0\0\0";
const CONNECTED: &[u8] = b"CONNECTED\nversion:1.2\n\n\0";

/// What a client hears, piece by piece.
type Script = [&'static [u8]];

/// What a client hears on its first connection, and what ends it, if anything does.
#[test]
fn goodbyes() {
    let web: &Script = &[b"HTTP/1.1 400 Bad Request\r\n\r\n"];
    let table: &[(Client, &Script, Option<&str>)] = &[
        (AMQP, &[START, CLOSE_320], None),
        (AMQP, &[START, TUNE, OPEN_OK, BLOCKED, CLOSE_320], None),
        (AMQP, &[START, CLOSE_403], Some("who")),
        (AMQP, &[START, TUNE, OPEN_OK, CLOSE_403], Some("who")),
        (AMQP, web, Some("frame type")),
        // 5.0 section 2.4: Server busy, Server shutting down.
        (MQTT, &[CONNACK, b"\xe0\x02\x89\0"], None),
        (MQTT, &[CONNACK, b"\xe0\x02\x8b\0"], None),
        // Bad user name or password, Administrative action; SUBACK with Not authorized.
        (MQTT, &[b"\x20\x03\0\x86\0"], Some("0x86")),
        (MQTT, &[CONNACK, b"\xe0\x02\x98\0"], Some("0x98")),
        (MQTT, &[CONNACK, b"\x90\x04\0\x01\0\x87"], Some("SubAck")),
        (MQTT, web, Some("")),
        (STOMP, &[CONNECTED, b"ERROR\nmessage:bye\n\n\0"], None),
        (STOMP, &[b"ERROR\nmessage:who\n\n\0"], Some("who")),
        (STOMP, web, Some("")),
    ];
    for (client, script, reason) in table {
        let cut = Cut::Heard(script.concat().leak());
        let (line, refused) = run(client, cut, &FEW);
        let connections = line.connections.load(Ordering::Relaxed);
        assert_eq!(
            connections,
            1 + usize::from(reason.is_none()),
            "{cut:?}: {refused:?}"
        );
        match (reason, &refused) {
            (Some(reason), Some(refused)) => assert!(refused.contains(reason), "{refused}"),
            _ => assert_eq!(refused, reason.map(String::from), "{cut:?}"),
        }
    }
}

/// The server is not there yet: its port is closed. It is at an address of its own, so that
/// nobody else takes the port meanwhile.
#[cfg(target_os = "linux")]
#[test]
fn a_late_server() {
    for client in [AMQP, MQTT, STOMP] {
        let bind = |address: SocketAddr| TcpListener::bind(address).expect("the port is free");
        let address = bind(([127, 77, 0, 1], 0).into()).local_addr();
        let address = address.expect("it was bound");
        let outcome = begin(&client, address, FEW);
        let early = outcome.recv_timeout(Duration::from_millis(250));
        assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout));
        let server = BlockingServer::start(Config::ephemeral()).expect("ports are free");
        let at = (client.address)(&server).expect("it listens");
        Line::between(bind(address), at, Cut::Never);
        let received = outcome.recv_timeout(TIMEOUT).expect("it comes to an end");
        assert_eq!(received.map(|it| it.len()), Ok(FEW.len()));
    }
}
