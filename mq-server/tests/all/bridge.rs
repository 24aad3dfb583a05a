//! Bridges, as `mosquitto.conf`, "Configuring Bridges", has them: two of our servers, and a
//! Mosquitto where there is one.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::certificates::Certificates;
use mq_server::store::Memory;
use mq_server::{
    Address, BlockingServer, Bridge, BridgeProtocol, ClientTls, Config, ConfigError, Listen,
    StartError,
};
use mqtt_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, MessageBuf, ReadBuffer, Session,
};
use mqtt_codec::{
    Connect, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS, Subscription,
    Utf8String,
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An MQTT client, and what has come to it: topic, payload, QoS.
struct Client {
    codec: ClientConnection,
    socket: TcpStream,
    input: ReadBuffer,
    start: Instant,
    seen: Vec<String>,
}

impl Client {
    fn connect(address: SocketAddr, name: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        let pause = Duration::from_millis(20);
        socket.set_read_timeout(Some(pause)).unwrap();
        let mut codec = ClientConnection::new(Duration::ZERO, ClientConfig::default());
        let mut properties = PropertiesBuilder::new();
        properties
            .push(Property::SessionExpiryInterval(1000))
            .unwrap();
        let connect = Connect {
            properties: properties.as_properties(),
            ..Connect::resume(ProtocolVersion::V5_0, Utf8String::new(name).unwrap())
        };
        codec
            .connect(Duration::ZERO, &connect, Session::new())
            .unwrap();
        let mut client = Self {
            codec,
            socket,
            input: ReadBuffer::new(),
            start: Instant::now(),
            seen: Vec::new(),
        };
        client.wait_for("connack");
        client
    }

    fn subscribe(&mut self, filter: &str) {
        let all = [Subscription::new(filter, QoS::ExactlyOnce)];
        self.codec.subscribe(&all, Properties::EMPTY).unwrap();
        self.wait_for("suback");
    }

    fn publish(&mut self, topic: &str, payload: &str, qos: QoS) {
        let message = MessageBuf::new(topic, payload.to_owned(), qos);
        self.codec.publish(&message.as_message()).unwrap();
        match qos {
            QoS::AtMostOnce => self.turn(),
            QoS::AtLeastOnce => self.wait_for("puback"),
            QoS::ExactlyOnce => self.wait_for("pubcomp"),
        }
    }

    /// Waits for something, which is taken out of what was seen.
    fn wait_for(&mut self, wanted: &str) {
        let begin = Instant::now();
        loop {
            if let Some(at) = self.seen.iter().position(|seen| seen == wanted) {
                self.seen.remove(at);
                return;
            }
            let seen = &self.seen;
            assert!(begin.elapsed() < PATIENCE, "no {wanted:?}, but {seen:?}");
            self.turn();
        }
    }

    /// What comes within a while.
    fn rest(&mut self) -> Vec<String> {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(300) {
            self.turn();
        }
        std::mem::take(&mut self.seen)
    }

    fn turn(&mut self) {
        let now = self.start.elapsed();
        let mut out = Vec::new();
        self.codec.poll_transmit(now, &mut out);
        self.socket.write_all(&out).unwrap();
        match self.socket.read(self.input.space(4096)) {
            Ok(len) => self.input.filled(len),
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{error}"
            ),
        }
        let mut input = self.input.input();
        while let Some(event) = self.codec.receive(now, &mut input).unwrap() {
            self.seen.push(match event {
                ClientEvent::ConnAck(_) => "connack".into(),
                ClientEvent::SubAck(_) => "suback".into(),
                ClientEvent::PubAck(_) => "puback".into(),
                ClientEvent::PubComp(_) => "pubcomp".into(),
                ClientEvent::Publish(publish) => {
                    let payload = String::from_utf8_lossy(publish.payload);
                    let retained = if publish.retain { " retained" } else { "" };
                    let topic = &*publish.topic_name;
                    format!("{topic} {payload} q{}{retained}", publish.qos as u8)
                }
                _ => continue,
            });
        }
        drop(input);
        let mut out = Vec::new();
        self.codec.poll_transmit(now, &mut out);
        self.socket.write_all(&out).unwrap();
    }
}

fn bridge(address: SocketAddr, topics: &[&str]) -> Bridge {
    let mut bridge = Bridge::new("b", &address.to_string());
    bridge.topics.topics = topics.iter().map(|topic| topic.parse().unwrap()).collect();
    bridge.restart = (Duration::from_millis(50), Duration::from_millis(200));
    bridge.notification_topic = "state/b".into();
    bridge
}

fn with(bridge: Bridge) -> Config {
    Config {
        bridges: vec![bridge],
        ..Config::ephemeral()
    }
}

fn address(server: &BlockingServer) -> SocketAddr {
    server.mqtt_addr().unwrap()
}

/// Waits until the bridge is connected, as both brokers say.
fn up(here: &mut Client, there: &mut Client) {
    for client in [here, there] {
        client.subscribe("state/b");
        let begin = Instant::now();
        while !client.seen.iter().any(|seen| seen.starts_with("state/b 1")) {
            assert!(begin.elapsed() < PATIENCE, "the bridge is not connected");
            client.turn();
        }
        client.seen.clear();
    }
}

/// What passes, which way, under which name and with which QoS. Nothing comes back.
fn passes(here: SocketAddr, there: SocketAddr) {
    let mut here = Client::connect(here, "here");
    let mut there = Client::connect(there, "there");
    up(&mut here, &mut there);
    for client in [&mut here, &mut there] {
        for filter in ["l/#", "r/#", "plain/#"] {
            client.subscribe(filter);
        }
    }
    use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
    #[rustfmt::skip]
    let rows = [
        // Out.
        (true, "l/out/1", AtLeastOnce, Some("r/out/1 m q1")),
        (true, "l/out/1", AtMostOnce, Some("r/out/1 m q0")),
        (true, "l/out/1", ExactlyOnce, Some("r/out/1 m q1")),
        (false, "r/out/1", AtLeastOnce, None),
        // In.
        (false, "r/in/1", ExactlyOnce, Some("l/in/1 m q2")),
        (true, "l/in/1", AtLeastOnce, None),
        // Both, without prefixes.
        (true, "plain/a", ExactlyOnce, Some("plain/a m q2")),
        (false, "plain/a", ExactlyOnce, Some("plain/a m q2")),
        // None of them.
        (true, "l/other", AtLeastOnce, None),
    ];
    for (from_here, topic, qos, arrives) in rows {
        let (from, to) = match from_here {
            true => (&mut here, &mut there),
            false => (&mut there, &mut here),
        };
        from.publish(topic, "m", qos);
        if let Some(arrives) = arrives {
            to.wait_for(arrives);
        }
        assert_eq!(to.rest(), [""; 0], "{topic}");
        // Its own subscription has it once.
        let own = format!("{topic} m q{}", qos as u8);
        assert_eq!(from.rest(), [own], "{topic}");
    }
}

const TOPICS: [&str; 3] = ["out/# out 1 l/ r/", "in/# in 2 l/ r/", "plain/# both 2"];

#[test]
fn messages_pass_between_two_servers() {
    let remote = BlockingServer::start(Config::ephemeral()).unwrap();
    let local = BlockingServer::start(with(bridge(address(&remote), &TOPICS))).unwrap();
    passes(address(&local), address(&remote));
}

/// While the other broker is away messages of QoS 1 and 2 wait here, and come in their order.
/// Both brokers say whether the bridge is connected.
#[test]
fn messages_wait_while_the_other_broker_is_away() {
    let log = Memory::new();
    let mut config = Config::ephemeral();
    config.store = Some(Arc::new(log));
    let remote = BlockingServer::start(config.clone()).unwrap();
    let at = address(&remote);
    config.listen.mqtt = Some(at);
    let local = BlockingServer::start(with(bridge(at, &["t/# both 2"]))).unwrap();
    let mut here = Client::connect(address(&local), "here");
    let mut there = Client::connect(at, "there");
    up(&mut here, &mut there);
    there.subscribe("t/#");
    there.publish("t/there", "first", QoS::AtLeastOnce);
    there.wait_for("t/there first q1");
    // Its acknowledgement arrives.
    there.rest();
    drop(there);
    drop(remote);
    here.wait_for("state/b 0 q1");
    for n in 0..50 {
        here.publish("t/here", &n.to_string(), QoS::ExactlyOnce);
    }
    let remote = BlockingServer::start(config).unwrap();
    let mut there = Client::connect(address(&remote), "there");
    let begin = Instant::now();
    while there.seen.len() < 50 && begin.elapsed() < PATIENCE {
        there.turn();
        there.seen.retain(|seen| seen.starts_with("t/"));
    }
    let mut seen = there.rest();
    seen.retain(|seen| seen.starts_with("t/"));
    let expected: Vec<_> = (0..50).map(|n| format!("t/here {n} q2")).collect();
    assert_eq!(seen, expected);
    here.wait_for("state/b 1 q1");
}

/// Connections that are cut at any time lose nothing of QoS 1.
#[test]
fn nothing_is_lost_when_connections_are_cut() {
    let remote = BlockingServer::start(Config::ephemeral()).unwrap();
    let at = address(&remote);
    let local = BlockingServer::start(with(bridge(at, &["t/# out 1"]))).unwrap();
    let mut here = Client::connect(address(&local), "here");
    let mut there = Client::connect(at, "there");
    up(&mut here, &mut there);
    // The queue of a session that nobody cuts.
    there.subscribe("t/#");
    drop(there);
    for n in 0..200 {
        here.publish("t/a", &n.to_string(), QoS::AtLeastOnce);
        if n % 40 == 20 {
            assert!(remote.cut_connections() <= 1);
        }
    }
    let mut there = Client::connect(at, "there");
    let begin = Instant::now();
    let missing = |client: &Client| {
        let is_there = |n: &i32| client.seen.contains(&format!("t/a {n} q1"));
        (0..200).filter(|n| !is_there(n)).collect::<Vec<_>>()
    };
    while !missing(&there).is_empty() && begin.elapsed() < PATIENCE {
        there.turn();
    }
    assert_eq!(missing(&there), [0; 0]);
}

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mosquitto() -> Option<PathBuf> {
    let places = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
    let mut found = places.map(Path::new).into_iter();
    found.find(|path| path.exists()).map(Path::to_owned)
}

/// A Mosquitto with two listeners: a plain one, and one of which these are the lines.
struct Mosquitto {
    _process: Process,
    _directory: tempfile::TempDir,
    plain: SocketAddr,
    other: SocketAddr,
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl Mosquitto {
    /// None: it is not installed.
    fn start(lines: &str) -> Option<Self> {
        let program = mosquitto()?;
        let directory = tempfile::tempdir().unwrap();
        let [plain, other] = [free_address(), free_address()];
        let file = directory.path().join("mosquitto.conf");
        // With root's rights it would drop them, and could not read the files of this user.
        let text = format!(
            "user root\nallow_anonymous true\nlistener {} 127.0.0.1\nlistener {} 127.0.0.1\n{lines}",
            plain.port(),
            other.port()
        );
        std::fs::write(&file, text).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = Process(child);
        let begin = Instant::now();
        while TcpStream::connect(other).is_err() {
            assert!(begin.elapsed() < PATIENCE, "mosquitto does not start");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self {
            _process: process,
            _directory: directory,
            plain,
            other,
        })
    }
}

/// The same against Mosquitto, where it is installed.
#[test]
fn messages_pass_to_mosquitto_and_back() {
    let Some(mosquitto) = Mosquitto::start("") else {
        return;
    };
    let at = mosquitto.plain;
    let local = BlockingServer::start(with(bridge(at, &TOPICS))).unwrap();
    passes(address(&local), at);
}

/// A bridge to `localhost`, whose certificate it checks, and to which it shows one.
fn over_tls(port: u16, tls: ClientTls) -> Bridge {
    let mut bridge = bridge(([127, 0, 0, 1], port).into(), &TOPICS);
    bridge.address = format!("localhost:{port}");
    bridge.tls = Some(tls);
    bridge
}

fn client_tls(certificates: &Certificates) -> ClientTls {
    ClientTls::new(certificates.file("ca.pem")).with_identity(
        certificates.file("client.pem"),
        certificates.file("client.key"),
    )
}

/// A server with MQTT in the plain and over TLS, for which clients need a certificate, and
/// the port of the latter.
fn with_tls(certificates: &Certificates) -> (BlockingServer, u16) {
    let mut config = Config::ephemeral();
    config.listen = Listen {
        mqtt: Some(([127, 0, 0, 1], 0).into()),
        ..Listen::none()
    };
    config.endpoints = vec!["mqtts://127.0.0.1:0".parse().unwrap()];
    config.tls = Some(
        certificates
            .of_server()
            .with_client_ca(certificates.file("ca.pem")),
    );
    let server = BlockingServer::start(config).unwrap();
    let endpoint = server.endpoints().last().unwrap();
    let port = match endpoint.address {
        Address::Tcp(_, port) => port,
        ref other => panic!("{other:?}"),
    };
    (server, port)
}

#[test]
fn messages_pass_over_tls() {
    let certificates = Certificates::new();
    let (remote, port) = with_tls(&certificates);
    let bridge = over_tls(port, client_tls(&certificates));
    let local = BlockingServer::start(with(bridge)).unwrap();
    passes(address(&local), address(&remote));
}

/// `bridge_cafile`, `bridge_certfile` and `bridge_keyfile` of `mosquitto.conf`, at a Mosquitto
/// that wants a certificate of its clients.
#[test]
fn messages_pass_to_mosquitto_over_tls() {
    let certificates = Certificates::new();
    let file = |name| certificates.file(name).display().to_string();
    let Some(mosquitto) = Mosquitto::start(&format!(
        "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
        file("ca.pem"),
        file("server.pem"),
        file("server.key")
    )) else {
        return;
    };
    let bridge = over_tls(mosquitto.other.port(), client_tls(&certificates));
    let local = BlockingServer::start(with(bridge)).unwrap();
    passes(address(&local), mosquitto.plain);
}

/// Another authority, another name than the certificate's (RFC 9525), and no certificate
/// where one is wanted: nothing passes, and each is tried again.
#[test]
fn a_broker_that_is_not_trusted_gets_nothing() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let (remote, port) = with_tls(&certificates);
    let of_others = ClientTls::new(others.file("ca.pem"));
    let mut by_address = over_tls(port, client_tls(&certificates));
    by_address.address = format!("127.0.0.1:{port}");
    let bridges = [
        over_tls(port, of_others),
        by_address,
        over_tls(port, ClientTls::new(certificates.file("ca.pem"))),
    ];
    for bridge in bridges {
        let local = BlockingServer::start(with(bridge.clone())).unwrap();
        let mut here = Client::connect(address(&local), "here");
        let mut there = Client::connect(address(&remote), "there");
        for client in [&mut here, &mut there] {
            client.subscribe("state/b");
            let mut seen = client.rest();
            seen.retain(|seen| seen.starts_with("state/b 1"));
            assert_eq!(seen, [""; 0], "{bridge:?}");
        }
    }
}

/// Files that cannot be used are said at the start.
#[test]
fn files_of_a_bridge_are_checked_at_the_start() {
    let certificates = Certificates::new();
    let file = |name| certificates.file(name);
    for tls in [
        ClientTls::new(file("nothing.pem")),
        ClientTls::new(file("ca.pem")).with_identity(file("client.pem"), file("ca.pem")),
        ClientTls::new(file("ca.pem")).with_identity(file("client.pem"), file("server.key")),
    ] {
        let started = BlockingServer::start(with(over_tls(1, tls.clone())));
        assert!(matches!(started, Err(StartError::Tls(_))), "{tls:?}");
    }
}

/// A broker of 3.1.1 sends a bridge what that has published, where it is asked for it: topics
/// go one way. What it cannot say is left out.
#[test]
fn messages_pass_in_an_older_version() {
    let older = |at, topics: &[&str]| {
        let mut bridge = bridge(at, topics);
        bridge.protocol = BridgeProtocol::V3_1_1;
        bridge
    };
    let topics = ["out/# out 1 l/ r/", "in/# in 2 l/ r/"];
    let mosquitto = Mosquitto::start("");
    let ours = BlockingServer::start(Config::ephemeral()).unwrap();
    let brokers = [Some(address(&ours)), mosquitto.as_ref().map(|m| m.plain)];
    for at in brokers.into_iter().flatten() {
        let local = BlockingServer::start(with(older(at, &topics))).unwrap();
        let mut here = Client::connect(address(&local), "here");
        let mut there = Client::connect(at, "there");
        up(&mut here, &mut there);
        here.subscribe("l/#");
        there.subscribe("r/#");
        for (qos, n) in [
            (QoS::AtMostOnce, 0),
            (QoS::AtLeastOnce, 1),
            (QoS::ExactlyOnce, 2),
        ] {
            here.publish("l/out/1", "m", qos);
            here.wait_for(&format!("l/out/1 m q{n}"));
            there.wait_for(&format!("r/out/1 m q{}", n.min(1)));
            there.publish("r/in/1", "m", qos);
            there.wait_for(&format!("r/in/1 m q{n}"));
            here.wait_for(&format!("l/in/1 m q{n}"));
        }
        assert_eq!(here.rest(), [""; 0]);
        assert_eq!(there.rest(), [""; 0]);
    }
    let both = older(address(&ours), &["a/# both"]);
    let started = BlockingServer::start(with(both));
    assert!(matches!(
        started,
        Err(StartError::Config(ConfigError::BridgeEcho { .. }))
    ));
}
