//! Connections that have nothing to do, of which only the socket is left.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mq_server::{BlockingServer, Config, Fault};

const LONG: Duration = Duration::from_secs(20);

struct Peer(TcpStream);

impl Peer {
    fn connect(address: Option<SocketAddr>) -> Self {
        let stream = TcpStream::connect(address.unwrap()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Self(stream)
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// It comes next.
    fn hears(&mut self, bytes: &[u8]) {
        let mut heard = vec![0; bytes.len()];
        self.0.read_exact(&mut heard).unwrap();
        assert_eq!(heard, bytes);
    }

    /// What comes until the end; a reset is one too.
    fn rest(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        match self.0.read_to_end(&mut heard) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
        heard
    }
}

fn start() -> BlockingServer {
    BlockingServer::start(Config::ephemeral()).unwrap()
}

/// Waits until so many connections are idle.
fn idle(server: &BlockingServer, count: usize) {
    let are_idle = server.wait_until(LONG, |now| now.idle == count);
    assert!(are_idle, "{:?}", server.snapshot());
}

/// MQTT 3.1.1 section 3.1: clean session, keep alive 60 s, client identifier; 3.2: accepted.
const MQTT: (&[u8], &[u8]) = (b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c", b"\x20\x02\0\0");
/// Sections 3.12 and 3.13.
const PING: (&[u8], &[u8]) = (b"\xC0\0", b"\xD0\0");
/// STOMP 1.2.
const STOMP: (&[u8], &[u8]) = (
    b"CONNECT\naccept-version:1.2\nhost:/\n\n\0",
    b"CONNECTED\nversion:1.2\n",
);
/// AMQP 0-9-1 section 2.3.5: connection.start on channel 0.
const AMQP: (&[u8], &[u8]) = (b"AMQP\0\0\x09\x01", b"\x01\0\0\0");

fn mqtt(server: &BlockingServer) -> Peer {
    let mut peer = Peer::connect(server.mqtt_addr());
    peer.say(MQTT.0);
    peer.hears(MQTT.1);
    peer
}

/// A subscriber to the topic `t`. MQTT 3.1.1 sections 3.8 and 3.9.
fn subscriber(server: &BlockingServer) -> Peer {
    let mut peer = mqtt(server);
    peer.say(b"\x82\x06\0\x01\0\x01t\0");
    peer.hears(b"\x90\x03\0\x01\0");
    peer
}

#[test]
fn one_that_says_something_is_answered() {
    let server = start();
    let mut mqtt = Peer::connect(server.mqtt_addr());
    let mut stomp = Peer::connect(server.stomp_addr());
    // Before their protocols begin.
    idle(&server, 2);
    for (peer, (said, heard)) in [(&mut mqtt, MQTT), (&mut stomp, STOMP)] {
        peer.say(said);
        peer.hears(heard);
    }
    idle(&server, 2);
    mqtt.say(PING.0);
    mqtt.hears(PING.1);
    // In the middle of a packet.
    mqtt.say(&PING.0[..1]);
    idle(&server, 2);
    mqtt.say(&PING.0[1..]);
    mqtt.hears(PING.1);
    stomp.say(b"DISCONNECT\nreceipt:1\n\n\0");
    let rest = String::from_utf8(stomp.rest()).unwrap();
    assert!(rest.contains("RECEIPT\nreceipt-id:1\n"), "{rest}");
    assert!(server.wait_until(LONG, |now| now.connections == 1));
}

/// In the middle of the login, and after what is no frame (section 4.2.3).
#[test]
fn one_of_amqp_is_answered() {
    let server = start();
    let mut peer = Peer::connect(server.amqp_addr());
    idle(&server, 1);
    peer.say(AMQP.0);
    peer.hears(AMQP.1);
    idle(&server, 1);
    peer.say(b"nonsense of nobody");
    peer.rest();
    assert!(server.wait_until(LONG, |now| now.connections == 0));
}

#[test]
fn one_gets_what_others_publish() {
    let server = start();
    let mut peer = subscriber(&server);
    let mut stomp = Peer::connect(server.stomp_addr());
    stomp.say(STOMP.0);
    stomp.hears(STOMP.1);
    for _ in 0..2 {
        idle(&server, 2);
        stomp.say(b"SEND\ndestination:/topic/t\n\nhello\0");
        // Section 3.3: QoS 0.
        peer.hears(b"\x30\x08\0\x01thello");
    }
}

/// The end of a connection is seen, and its place is free then and no earlier.
#[test]
fn one_has_its_place_until_it_ends() {
    let mut config = Config::ephemeral();
    config.max_connections = 1;
    let server = BlockingServer::start(config).unwrap();
    let peer = mqtt(&server);
    idle(&server, 1);
    assert_eq!(Peer::connect(server.mqtt_addr()).rest(), b"");
    drop(peer);
    assert!(server.wait_until(LONG, |now| now.connections == 0));
    let begin = Instant::now();
    loop {
        let mut next = Peer::connect(server.mqtt_addr());
        // A reset is a refusal too.
        let _ = next.0.write_all(MQTT.0);
        if next.0.read_exact(&mut [0; 4]).is_ok() {
            break;
        }
        assert!(begin.elapsed() < LONG, "the place was never given back");
    }
}

#[test]
fn one_is_cut_like_any_other() {
    let server = start();
    let mut peers = [mqtt(&server), subscriber(&server)];
    // The second one has taken over the client identifier of the first.
    idle(&server, 1);
    assert_eq!(server.cut_connections(), 1);
    for peer in &mut peers {
        assert_eq!(peer.rest(), b"");
    }
    assert_eq!(server.snapshot().connections, 0);
}

/// MQTT 5.0 section 3.14.2.1: the server shuts down (0x8B).
#[test]
fn one_is_told_goodbye() {
    let server = start();
    let mut peer = Peer::connect(server.mqtt_addr());
    peer.say(b"\x10\x0E\0\x04MQTT\x05\x02\0\x3C\0\0\x01c");
    peer.hears(b"\x20");
    idle(&server, 1);
    let begin = Instant::now();
    let waiting = std::thread::spawn(move || peer.rest());
    server.shutdown();
    let took = begin.elapsed();
    assert!(took < Duration::from_millis(900), "{took:?}");
    let rest = waiting.join().unwrap();
    let is_goodbye = |bytes: &[u8]| (bytes[0], bytes[2]) == (0xE0, 0x8B);
    assert!(rest.windows(3).any(is_goodbye), "{rest:?}");
}

#[test]
fn one_is_not_read_where_nothing_is() {
    let server = start();
    let mut peer = mqtt(&server);
    idle(&server, 1);
    server.inject(Fault::StopReading(true));
    peer.say(PING.0);
    peer.0
        .set_read_timeout(Some(Duration::from_millis(600)))
        .unwrap();
    assert!(peer.0.read(&mut [0]).is_err(), "nothing is read");
    server.inject(Fault::StopReading(false));
    peer.0.set_read_timeout(Some(LONG)).unwrap();
    peer.hears(PING.1);
}

/// The keep alive (MQTT 3.1.1 MQTT-3.1.2-24) is that of the broker: one and a half times a
/// second.
#[test]
fn one_that_is_silent_for_too_long_is_closed() {
    let server = start();
    let mut peer = Peer::connect(server.mqtt_addr());
    peer.say(b"\x10\x0D\0\x04MQTT\x04\x02\0\x01\0\x01c");
    peer.hears(MQTT.1);
    let begin = Instant::now();
    idle(&server, 1);
    assert_eq!(peer.rest(), b"");
    assert!(begin.elapsed() > Duration::from_millis(1_200));
}
