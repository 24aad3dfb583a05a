//! What a test of another project has go wrong, and the hook that sees each message.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mq_core::model::Message;
use mq_server::store::Memory;
use mq_server::{
    BlockingServer, Config, Fault, Interception, Interceptor, Protocol, Publisher, StartError,
};

const LONG: Duration = Duration::from_secs(20);

/// Clients by their bytes.
struct Peer {
    socket: TcpStream,
    heard: Vec<u8>,
}

/// MQTT 5.0 section 3.1: clean start, keep alive 0, no properties, client identifier "c".
const MQTT_CONNECT: &[u8] = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01c";
/// Section 3.3: QoS 1, topic "a/b", packet identifier 1, no properties, payload "hello".
const MQTT_PUBLISH: &[u8] = b"\x32\x0d\x00\x03a/b\x00\x01\x00hello";
const STOMP_CONNECT: &[u8] = b"CONNECT\naccept-version:1.2\nhost:/\n\n\0";
const STOMP_SEND: &[u8] = b"SEND\ndestination:/queue/q\npersistent:true\nreceipt:1\n\nhello\0";
const STOMP_SUBSCRIBE: &[u8] = b"SUBSCRIBE\nid:1\ndestination:/queue/q\nreceipt:sub\n\n\0";

impl Peer {
    fn connect(address: Option<SocketAddr>, hello: &[u8]) -> Self {
        let mut peer = Self {
            socket: TcpStream::connect(address.unwrap()).unwrap(),
            heard: Vec::new(),
        };
        peer.say(hello);
        peer
    }

    fn mqtt(server: &BlockingServer) -> Self {
        let mut peer = Self::connect(server.mqtt_addr(), MQTT_CONNECT);
        // Section 3.2: CONNACK, no session, success.
        assert!(peer.hears(b"\x00\x00", LONG));
        peer.heard.clear();
        peer
    }

    fn stomp(server: &BlockingServer) -> Self {
        let mut peer = Self::connect(server.stomp_addr(), STOMP_CONNECT);
        assert!(peer.hears(b"CONNECTED\n", LONG));
        peer
    }

    fn say(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Whether these bytes come within a time.
    fn hears(&mut self, bytes: &[u8], timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while !self.heard.windows(bytes.len()).any(|part| part == bytes) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 4096];
            match self.socket.read(&mut chunk) {
                Ok(0) => return false,
                Ok(len) => self.heard.extend(&chunk[..len]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn start() -> BlockingServer {
    BlockingServer::start(Config::ephemeral()).unwrap()
}

fn start_with_log() -> Result<BlockingServer, StartError> {
    let mut config = Config::ephemeral();
    config.store = Some(Arc::new(Memory::new()));
    BlockingServer::start(config)
}

#[test]
fn so_many_logins_are_refused() {
    let server = start();
    server.inject(Fault::RefuseLogins(2));
    // MQTT 5.0 section 3.2.2.2: not authorized (0x87), or bad user name or password (0x86).
    let mut mqtt = Peer::connect(server.mqtt_addr(), MQTT_CONNECT);
    assert!(!mqtt.hears(b"\x00\x00\x00", LONG));
    assert_eq!(mqtt.heard[..3], [0x20, mqtt.heard[1], 0]);
    assert!(mqtt.heard[3] >= 0x80, "{:?}", mqtt.heard);
    let mut stomp = Peer::connect(server.stomp_addr(), STOMP_CONNECT);
    assert!(stomp.hears(b"ERROR\n", LONG));
    // The third is let in.
    Peer::stomp(&server);
}

#[test]
fn so_many_messages_are_refused() {
    let server = start();
    let (mut mqtt, mut stomp) = (Peer::mqtt(&server), Peer::stomp(&server));
    server.inject(Fault::RefusePublishes(1));
    mqtt.say(MQTT_PUBLISH);
    // MQTT 5.0 section 3.4.2.1: quota exceeded.
    assert!(mqtt.hears(b"\x00\x01\x97", LONG));
    mqtt.heard.clear();
    mqtt.say(MQTT_PUBLISH);
    // Nobody has subscribed: 0x10, or 0x00 in the short form.
    assert!(mqtt.hears(b"\x00\x01", LONG));
    assert!(!mqtt.heard.contains(&0x97), "{:?}", mqtt.heard);
    server.inject(Fault::RefusePublishes(1));
    stomp.say(STOMP_SEND);
    assert!(stomp.hears(b"ERROR\n", LONG));
    assert_eq!(server.snapshot().statistics.refused, 2);
}

#[test]
fn what_clients_send_is_late() {
    let server = start();
    let mut stomp = Peer::stomp(&server);
    server.inject(Fault::Delay(Duration::from_millis(300)));
    let begin = Instant::now();
    stomp.say(STOMP_SEND);
    assert!(stomp.hears(b"receipt-id:1", LONG));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    server.inject(Fault::Delay(Duration::ZERO));
    stomp.heard.clear();
    stomp.say(STOMP_SEND);
    assert!(stomp.hears(b"receipt-id:1", LONG));
}

#[test]
fn nothing_is_read_until_it_is_again() {
    let server = start();
    let mut stomp = Peer::stomp(&server);
    server.inject(Fault::StopReading(true));
    stomp.say(STOMP_SEND);
    assert!(!stomp.hears(b"receipt-id:1", Duration::from_millis(300)));
    // Nor from those that connect meanwhile.
    let mut other = Peer::connect(server.stomp_addr(), STOMP_CONNECT);
    assert!(!other.hears(b"CONNECTED", Duration::from_millis(300)));
    server.inject(Fault::StopReading(false));
    assert!(stomp.hears(b"receipt-id:1", LONG));
    assert!(other.hears(b"CONNECTED", LONG));
}

#[test]
fn a_full_store_confirms_nothing_until_there_is_room() {
    let server = start_with_log().unwrap();
    let mut stomp = Peer::stomp(&server);
    server.inject(Fault::FullStore(true));
    stomp.say(STOMP_SEND);
    assert!(!stomp.hears(b"receipt-id:1", Duration::from_millis(700)));
    server.inject(Fault::FullStore(false));
    assert!(stomp.hears(b"receipt-id:1", LONG));
}

/// A disk on which a write takes two seconds: what is to be kept is confirmed when it is, and
/// what is not goes on meanwhile, in all three protocols. No peer is given up for that.
#[test]
fn a_slow_disk_holds_up_only_what_is_kept() {
    let server = start_with_log().unwrap();
    let (mut kept, mut other) = (Peer::stomp(&server), Peer::stomp(&server));
    let mut mqtt = Peer::mqtt(&server);
    // What the subscription needs is kept before the disk is slow.
    other.say(STOMP_SUBSCRIBE);
    assert!(other.hears(b"receipt-id:sub", LONG));
    let slow = Duration::from_secs(2);
    server.inject(Fault::SlowStore(slow));
    let begin = Instant::now();
    kept.say(STOMP_SEND);
    // Meanwhile a transient message of another connection is delivered and confirmed, a ping is
    // answered, and a client connects.
    let transient = b"SEND\ndestination:/topic/t\nreceipt:2\n\nhello\0";
    let mut publisher = Peer::stomp(&server);
    publisher.say(transient);
    assert!(publisher.hears(b"receipt-id:2", LONG));
    mqtt.say(b"\xc0\x00");
    assert!(mqtt.hears(b"\xd0\x00", LONG));
    // QoS 0 comes back to its own publisher. Section 3.8: packet identifier 2, topic "t", QoS 0;
    // a session that ends with its connection is not kept.
    mqtt.say(b"\x82\x07\x00\x02\x00\x00\x01t\x00");
    assert!(mqtt.hears(b"\x90\x04\x00\x02\x00\x00", LONG));
    mqtt.say(b"\x30\x09\x00\x01t\x00hello");
    assert!(mqtt.hears(b"hello", LONG));
    let meanwhile = begin.elapsed();
    assert!(kept.hears(b"receipt-id:1", LONG));
    assert!(
        begin.elapsed() >= slow,
        "it was confirmed before it was kept"
    );
    assert!(
        meanwhile < slow,
        "others have waited for the disk: {meanwhile:?}"
    );
    assert_eq!(server.snapshot().connections, 4);
}

/// Remembers bodies, makes "draft" a "letter", and refuses "bad".
#[derive(Debug, Default)]
struct Editor(Vec<(Protocol, String)>);

impl Interceptor for Editor {
    fn intercept(&mut self, publisher: Publisher<'_>, message: &Message) -> Interception {
        let body = String::from_utf8_lossy(&message.body.to_bytes()).into_owned();
        self.0.push((publisher.protocol, body.clone()));
        match &*body {
            "bad" => Interception::Refuse,
            "draft" => Interception::Replace(Box::new(Message {
                body: "letter".into(),
                ..message.clone()
            })),
            _ => Interception::Accept,
        }
    }
}

#[test]
fn a_hook_sees_changes_and_refuses_messages() {
    let editor = Arc::new(Mutex::new(Editor::default()));
    let mut config = Config::ephemeral();
    config.interceptor = Some(editor.clone());
    let server = BlockingServer::start(config).unwrap();
    let (mut mqtt, mut stomp) = (Peer::mqtt(&server), Peer::stomp(&server));
    mqtt.say(MQTT_PUBLISH);
    assert!(mqtt.hears(b"\x00\x01", LONG));
    stomp.say(STOMP_SUBSCRIBE);
    assert!(stomp.hears(b"receipt-id:sub", LONG));
    stomp.say(b"SEND\ndestination:/queue/q\n\ndraft\0");
    assert!(stomp.hears(b"letter\0", LONG));
    // As a whole: "good" is not published.
    stomp.say(b"BEGIN\ntransaction:t\n\n\0");
    stomp.say(b"SEND\ndestination:/queue/q\ntransaction:t\n\ngood\0");
    stomp.say(b"SEND\ndestination:/queue/q\ntransaction:t\n\nbad\0");
    stomp.say(b"COMMIT\ntransaction:t\n\n\0");
    assert!(stomp.hears(b"ERROR\n", LONG));
    let heard = String::from_utf8_lossy(&stomp.heard).into_owned();
    assert!(!heard.contains("good\0"), "{heard}");
    let seen = &editor.lock().unwrap().0;
    let bodies: Vec<_> = seen
        .iter()
        .map(|(protocol, body)| (*protocol, &**body))
        .collect();
    assert_eq!(
        bodies,
        [
            (Protocol::Mqtt, "hello"),
            (Protocol::Stomp, "draft"),
            (Protocol::Stomp, "good"),
            (Protocol::Stomp, "bad"),
        ]
    );
}
