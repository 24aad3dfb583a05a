//! The library half: a server in this process, and raw sockets against it.
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use mq_core::{Administration, ApplyTo, Policy, PolicyKind, PolicyValue};
use mq_server::{Address, AdministerError, BlockingServer, Config, Listen, Server, StartError};

fn start() -> BlockingServer {
    BlockingServer::start(Config::ephemeral()).unwrap()
}

fn connect(address: Option<SocketAddr>) -> TcpStream {
    let stream = TcpStream::connect(address.unwrap()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
}

/// What the peer says until it has said `wanted` bytes.
fn read(stream: &mut TcpStream, wanted: usize) -> Vec<u8> {
    let mut bytes = vec![0; wanted];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// What the peer says until it closes; a reset counts as closing.
fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    bytes
}

/// MQTT 3.1.1 section 3.1: clean session, keep alive 60 s, client identifier.
fn mqtt_connect(client_identifier: &str) -> Vec<u8> {
    let mut packet = vec![0x10, 12 + client_identifier.len() as u8];
    packet.extend(b"\x00\x04MQTT\x04\x02\x00\x3c\x00");
    packet.push(client_identifier.len() as u8);
    packet.extend(client_identifier.bytes());
    packet
}

/// MQTT 3.1.1 section 3.2: accepted, no session.
const MQTT_CONNACK: [u8; 4] = [0x20, 0x02, 0x00, 0x00];

#[test]
fn amqp_answers_the_protocol_header() {
    let server = start();
    let mut peer = connect(server.amqp_addr());
    peer.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    // AMQP 0-9-1 section 2.3.5: a method frame on channel 0; 10.10 is
    // connection.start, version 0-9.
    let start = read(&mut peer, 13);
    assert_eq!(start[..3], [1, 0, 0]);
    assert_eq!(start[7..13], [0, 10, 0, 10, 0, 9]);
}

#[test]
fn mqtt_answers_connect_and_ping() {
    let server = start();
    let mut peer = connect(server.mqtt_addr());
    // Byte by byte: the cuts of the stream mean nothing.
    for byte in mqtt_connect("shell") {
        peer.write_all(&[byte]).unwrap();
    }
    assert_eq!(read(&mut peer, 4), MQTT_CONNACK);
    peer.write_all(&[0xC0, 0x00]).unwrap();
    assert_eq!(read(&mut peer, 2), [0xD0, 0x00]);
}

#[test]
fn stomp_answers_connect() {
    let server = start();
    let mut peer = connect(server.stomp_addr());
    peer.write_all(b"CONNECT\naccept-version:1.2\nhost:/\n\n\0")
        .unwrap();
    assert_eq!(read(&mut peer, 10), b"CONNECTED\n");
}

#[test]
fn one_protocol_reaches_another() {
    let server = start();
    let mut subscriber = connect(server.stomp_addr());
    subscriber
        .write_all(
            b"CONNECT\naccept-version:1.2\nhost:/\n\n\0\
              SUBSCRIBE\nid:1\ndestination:/topic/a.b\nreceipt:r\n\n\0",
        )
        .unwrap();
    let mut seen = Vec::new();
    let mut wait_for = |text: &str| {
        while !String::from_utf8_lossy(&seen).contains(text) {
            seen.extend(read(&mut subscriber, 1));
        }
    };
    wait_for("receipt-id:r");
    let mut publisher = connect(server.mqtt_addr());
    publisher.write_all(&mqtt_connect("p")).unwrap();
    // MQTT 3.1.1 section 3.3: QoS 0, topic "a/b", payload "hello".
    publisher.write_all(b"\x30\x0a\x00\x03a/bhello").unwrap();
    wait_for("\n\nhello\0");
}

#[test]
fn a_broken_peer_gets_its_goodbye_before_the_end() {
    let server = start();
    // AMQP 0-9-1 section 2.2.4: the header of the version that is spoken.
    let mut peer = connect(server.amqp_addr());
    peer.write_all(b"HTTP/1.1").unwrap();
    assert_eq!(read_to_end(&mut peer), b"AMQP\x00\x00\x09\x01");

    let mut peer = connect(server.stomp_addr());
    // More than the server reads: without a lingering close the reset would
    // take the ERROR with it.
    let mut nonsense = b"NONSENSE\n\n\0".to_vec();
    nonsense.resize(100_000, b'x');
    peer.write_all(&nonsense).unwrap();
    let said = read_to_end(&mut peer);
    assert!(
        said.starts_with(b"ERROR\n"),
        "{:?}",
        String::from_utf8_lossy(&said)
    );
}

/// A method frame (AMQP 0-9-1 section 2.3.5).
fn amqp_method(channel: u16, [class, method]: [u16; 2], arguments: &[u8]) -> Vec<u8> {
    let len = 4 + arguments.len() as u32;
    let mut frame = vec![1];
    frame.extend(channel.to_be_bytes());
    frame.extend(len.to_be_bytes());
    frame.extend(class.to_be_bytes());
    frame.extend(method.to_be_bytes());
    frame.extend(arguments);
    frame.push(0xCE);
    frame
}

/// A connection that is open, after `connection.open-ok`.
fn amqp_opened(server: &BlockingServer) -> TcpStream {
    let mut peer = connect(server.amqp_addr());
    peer.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    let start_ok = b"\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US";
    peer.write_all(&amqp_method(0, [10, 11], start_ok)).unwrap();
    let tune_ok = [0x07, 0xFF, 0, 2, 0, 0, 0, 0];
    peer.write_all(&amqp_method(0, [10, 31], &tune_ok)).unwrap();
    peer.write_all(&amqp_method(0, [10, 40], b"\x01/\0\0"))
        .unwrap();
    loop {
        let head = read(&mut peer, 7);
        let len = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        let rest = read(&mut peer, len + 1);
        if rest[..4] == [0, 10, 0, 41] {
            return peer;
        }
    }
}

/// AMQP 0-9-1 section 1.4.2.7: a client may wait for close-ok, and what it had sent before
/// or sends after that must not take close-ok from it. (A socket that is closed with unread
/// bytes in it is reset, which throws away what the client has not read.)
#[test]
fn close_ok_is_read_by_a_client_that_goes_on_sending() {
    let server = start();
    let close_ok = amqp_method(0, [10, 51], &[]);
    // The reply code 200, no text, no method.
    let close = amqp_method(0, [10, 50], &[0, 200, 0, 0, 0, 0, 0]);
    for more in [0, 8, 100_000, 1_000_000] {
        let mut peer = amqp_opened(&server);
        let mut bytes = close.clone();
        bytes.resize(bytes.len() + more, 0xFF);
        peer.write_all(&bytes).unwrap();
        // It takes its time, and more bytes come after close-ok was sent.
        std::thread::sleep(Duration::from_millis(50));
        peer.write_all(&vec![0xFF; more]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let mut said = Vec::new();
        peer.read_to_end(&mut said)
            .unwrap_or_else(|error| panic!("{more}: {error}"));
        assert_eq!(said, close_ok, "{more}");
    }
}

/// AMQP 0-9-1 section 1.4.2.9: close-ok tells its recipient that it may close the socket, so
/// that is who closes it first. The test suite of RabbitMQ's client for Go has connections
/// that are closed by many threads at once, and those find no end of the stream meanwhile. A
/// peer that does not close is not waited for.
#[test]
fn a_client_closes_its_socket_before_the_server_does() {
    let server = start();
    let mut peer = amqp_opened(&server);
    peer.write_all(&amqp_method(0, [10, 50], &[0, 200, 0, 0, 0, 0, 0]))
        .unwrap();
    let close_ok = amqp_method(0, [10, 51], &[]);
    assert_eq!(read(&mut peer, close_ok.len()), close_ok);
    peer.set_read_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    let early = peer.read(&mut [0]).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    peer.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    assert_eq!(read_to_end(&mut peer), b"");
}

#[test]
fn shutdown_says_goodbye_and_frees_the_ports() {
    let server = start();
    let (amqp, mqtt) = (server.amqp_addr().unwrap(), server.mqtt_addr().unwrap());
    let mut peer = connect(Some(mqtt));
    peer.write_all(&mqtt_connect("bye")).unwrap();
    assert_eq!(read(&mut peer, 4), MQTT_CONNACK);
    let begin = Instant::now();
    let waiting = std::thread::spawn(move || {
        // MQTT 3.1.1 has no goodbye from the server but the end.
        assert_eq!(read_to_end(&mut peer), b"");
    });
    server.shutdown();
    waiting.join().unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "a peer that closes too is not waited for until the grace period ends"
    );
    for address in [amqp, mqtt] {
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn shutdown_does_not_wait_for_a_peer_that_never_closes() {
    let mut config = Config::ephemeral();
    config.shutdown_grace = Duration::from_millis(300);
    config.linger = Duration::from_secs(60);
    let server = BlockingServer::start(config).unwrap();
    let mut peer = connect(server.mqtt_addr());
    peer.write_all(&mqtt_connect("deaf")).unwrap();
    assert_eq!(read(&mut peer, 4), MQTT_CONNACK);
    let begin = Instant::now();
    server.shutdown();
    assert!(begin.elapsed() < Duration::from_secs(5));
}

/// Clients of MQTT and AMQP, and one that has said nothing, that do nothing when the server
/// says goodbye.
#[test]
fn shutdown_does_not_wait_for_idle_clients() {
    let server = start();
    let mut mqtt = connect(server.mqtt_addr());
    mqtt.write_all(&mqtt_connect("idle")).unwrap();
    assert_eq!(read(&mut mqtt, 4), MQTT_CONNACK);
    let mut amqp = connect(server.amqp_addr());
    amqp.write_all(b"AMQP\x00\x00\x09\x01").unwrap();
    read(&mut amqp, 13);
    let _silent = connect(server.stomp_addr());
    let begin = Instant::now();
    server.shutdown();
    let took = begin.elapsed();
    assert!(took < Duration::from_millis(900), "{took:?}");
}

/// 5,000 clients that do nothing when the server says goodbye, or as many as this process may
/// have sockets for. None of them is waited for: that would take as long as the grace period.
#[test]
fn dropping_does_not_wait_for_many_idle_clients() {
    let files = rlimit::increase_nofile_limit(20_000).unwrap_or(1024);
    let count = usize::try_from(files / 2)
        .unwrap()
        .saturating_sub(500)
        .min(5000);
    let mut config = Config::ephemeral();
    (config.shutdown_grace, config.linger) = (Duration::from_secs(60), Duration::from_secs(60));
    let server = BlockingServer::start(config).unwrap();
    let mut clients: Vec<TcpStream> = Vec::new();
    for number in 0..count {
        let mut client = connect(server.mqtt_addr());
        let identifier = format!("idle-{number}");
        client.write_all(&mqtt_connect(&identifier)).unwrap();
        // Each waits to be let in: the kernel has the next ones try again only after a second
        // where too many wait.
        assert_eq!(read(&mut client, 4), MQTT_CONNACK);
        clients.push(client);
    }
    let begin = Instant::now();
    drop(server);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?} for {count}");
}

#[test]
fn dropping_stops_too() {
    let address = start().amqp_addr().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_port_in_use_is_an_error_that_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = Config::ephemeral();
    config.listen.stomp = Some(taken.local_addr().unwrap());
    let error = BlockingServer::start(config).unwrap_err();
    assert!(matches!(error, StartError::Bind { .. }));
    let message = error.to_string();
    assert!(message.contains("port is in use"), "{message}");
    assert!(message.contains("stomp://"), "{message}");
}

#[test]
fn settings_that_contradict_themselves_are_an_error() {
    let mut config = Config::ephemeral();
    config.broker.virtual_hosts.clear();
    let error = BlockingServer::start(config).unwrap_err();
    assert!(matches!(error, StartError::Config(_)), "{error}");
}

#[test]
fn a_listener_can_be_left_out() {
    let mut config = Config::ephemeral();
    config.listen = Listen::none();
    config.listen.mqtt = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let server = BlockingServer::start(config).unwrap();
    assert_eq!(server.amqp_addr(), None);
    assert_eq!(server.stomp_addr(), None);
    connect(server.mqtt_addr());
}

#[test]
fn a_connection_over_the_limit_is_closed_and_its_place_is_given_back() {
    let mut config = Config::ephemeral();
    config.max_connections = 1;
    let server = BlockingServer::start(config).unwrap();
    let mut first = connect(server.mqtt_addr());
    first.write_all(&mqtt_connect("1")).unwrap();
    assert_eq!(read(&mut first, 4), MQTT_CONNACK);
    assert_eq!(read_to_end(&mut connect(server.mqtt_addr())), b"");
    drop(first);
    // The place is free when the server has seen the end of the first.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let mut next = connect(server.mqtt_addr());
        let _ = next.write_all(&mqtt_connect("2"));
        let mut answer = [0; 4];
        if next.read_exact(&mut answer).is_ok() {
            assert_eq!(answer, MQTT_CONNACK);
            break;
        }
        assert!(Instant::now() < deadline, "the place was never given back");
    }
}

#[test]
fn a_listener_and_an_address_have_limits_of_their_own() {
    let mut config = Config::ephemeral();
    config.max_connections_per_address = 2;
    config.endpoints = vec!["mqtt://127.0.0.1:0?max_connections=1".parse().unwrap()];
    let server = BlockingServer::start(config).unwrap();
    let Address::Tcp(_, port) = server.endpoints()[3].address else {
        panic!("an address of TCP");
    };
    let narrow = Some(SocketAddr::from(([127, 0, 0, 1], port)));
    let is_served = |address| {
        let mut peer = connect(address);
        let _ = peer.write_all(&mqtt_connect("x"));
        let served = peer.read_exact(&mut [0; 4]).is_ok();
        (peer, served)
    };
    let (_first, served) = is_served(narrow);
    assert!(served);
    assert!(!is_served(narrow).1, "the listener is full");
    let (_second, served) = is_served(server.mqtt_addr());
    assert!(served);
    assert!(!is_served(server.mqtt_addr()).1, "the address has two");
}

#[test]
fn settings_that_can_serve_nobody_are_an_error() {
    let mut config = Config::ephemeral();
    config.broker.limits.message_size = 0;
    let error = BlockingServer::start(config).unwrap_err().to_string();
    assert!(error.starts_with("limits.message_size is 0: "), "{error}");
}

/// What a test of another project sees of the broker, and does to it.
#[test]
fn a_program_sees_and_cuts_its_connections() {
    let server = start();
    assert_eq!(server.snapshot().connections, 0);
    let mut peer = connect(server.mqtt_addr());
    peer.write_all(&mqtt_connect("seen")).unwrap();
    assert_eq!(read(&mut peer, 4), MQTT_CONNACK);
    // MQTT 3.1.1 section 3.3: QoS 0, topic "a/b", payload "hello".
    peer.write_all(b"\x30\x0a\x00\x03a/bhello").unwrap();
    assert!(server.wait_until(Duration::from_secs(10), |now| now.statistics.published == 1));
    let inventory = server.inventory();
    assert_eq!(inventory.queues, []);
    assert_eq!(&*inventory.sessions[0].client_identifier, "seen");
    let connection = inventory.sessions[0].connection;
    assert_eq!(connection, Some(inventory.connections[0].connection));
    assert_eq!(server.cut_connections(), 1);
    assert_eq!(read_to_end(&mut peer), b"");
    assert_eq!(server.snapshot().connections, 0);
    mqtt_answers(&server);
}

#[test]
fn a_reset_is_not_the_end_of_the_server() {
    let server = start();
    for _ in 0..20 {
        let mut peer = connect(server.mqtt_addr());
        peer.write_all(&mqtt_connect("reset")).unwrap();
        assert_eq!(read(&mut peer, 4), MQTT_CONNACK);
        // Unread bytes at closing make the kernel send a reset.
        peer.write_all(&[0xC0, 0x00]).unwrap();
        peer.set_nonblocking(true).unwrap();
        drop(peer);
    }
    mqtt_answers(&server);
}

/// A peer that publishes to itself and never reads makes the server neither
/// grow without bound nor stop serving others.
#[test]
fn a_slow_reader_harms_nobody_else() {
    let mut config = Config::ephemeral();
    config.broker.limits.session_bytes = 1 << 20;
    let server = BlockingServer::start(config).unwrap();
    let mut slow = connect(server.mqtt_addr());
    slow.write_all(&mqtt_connect("slow")).unwrap();
    // MQTT 3.1.1 section 3.8: packet identifier 1, filter "s", QoS 0.
    slow.write_all(b"\x82\x06\x00\x01\x00\x01s\x00").unwrap();
    let mut publish = b"\x30\xff\x7f\x00\x01s".to_vec();
    publish.resize(3 + 16383, b'x');
    slow.set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    for _ in 0..2000 {
        if slow.write_all(&publish).is_err() {
            break;
        }
    }
    mqtt_answers(&server);
}

fn mqtt_answers(server: &BlockingServer) {
    let mut peer = connect(server.mqtt_addr());
    peer.write_all(&mqtt_connect("other")).unwrap();
    assert_eq!(read(&mut peer, 4), MQTT_CONNACK);
}

#[tokio::test]
async fn the_same_within_a_runtime() {
    let server = Server::start(Config::ephemeral()).await.unwrap();
    let address = server.mqtt_addr().unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let mut peer = connect(Some(address));
        peer.write_all(&mqtt_connect("tokio")).unwrap();
        read(&mut peer, 4)
    })
    .await
    .unwrap();
    assert_eq!(answer, MQTT_CONNACK);
    server.shutdown().await;
    assert!(TcpStream::connect(address).is_err());
}

/// MQTT 3.1.1 section 3.1: as [`mqtt_connect`], with the will `gone` on `will`.
fn mqtt_connect_with_will(client_identifier: &str) -> Vec<u8> {
    let mut packet = mqtt_connect(client_identifier);
    packet[9] |= 0x04;
    packet.extend(b"\x00\x04will\x00\x04gone");
    packet[1] = packet.len() as u8 - 2;
    packet
}

/// The bytes of the old connection may still lie in its socket when the CONNECT of the
/// new one has been read (MQTT 3.1.1 section 3.1.2.5: no will after DISCONNECT).
#[test]
fn a_disconnect_counts_before_the_connection_that_follows_it() {
    let server = start();
    let mut listener = connect(server.mqtt_addr());
    listener.write_all(&mqtt_connect("listener")).unwrap();
    assert_eq!(read(&mut listener, 4), MQTT_CONNACK);
    listener
        .write_all(b"\x82\x09\x00\x01\x00\x04will\x00")
        .unwrap();
    assert_eq!(read(&mut listener, 5), [0x90, 3, 0, 1, 0]);
    let hello = mqtt_connect_with_will("mortal");
    let mut old = connect(server.mqtt_addr());
    old.write_all(&hello).unwrap();
    assert_eq!(read(&mut old, 4), MQTT_CONNACK);
    for _ in 0..3000 {
        let mut new = connect(server.mqtt_addr());
        // PUBLISH with QoS 0, DISCONNECT.
        old.write_all(b"\x30\x05\x00\x01tm1\xE0\x00").unwrap();
        new.write_all(&hello).unwrap();
        assert_eq!(read(&mut new, 4), MQTT_CONNACK);
        old = new;
    }
    old.write_all(b"\x30\x09\x00\x04willend").unwrap();
    assert_eq!(read(&mut listener, 11), b"\x30\x09\x00\x04willend");
}

/// A policy that a program sets is in force when the call returns; a refusal says why.
#[test]
fn a_program_administers_its_server() {
    let server = start();
    let policy = |key: &str| Policy {
        virtual_host: "/".into(),
        name: "none".into(),
        pattern: "^q$".into(),
        apply_to: ApplyTo::Queues,
        priority: 0,
        definition: [
            (key.into(), PolicyValue::Number(0)),
            ("overflow".into(), PolicyValue::from("reject-publish")),
        ]
        .into(),
    };
    let set = |policy| {
        let kind = PolicyKind::Ordinary;
        server.administer(Administration::SetPolicy { kind, policy })
    };
    match set(policy("nothing")) {
        Err(AdministerError::Refused(refusal)) => {
            assert!(refusal.text.contains("not recognised"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
    set(policy("max-length")).unwrap();
    let mut peer = connect(server.stomp_addr());
    peer.write_all(
        b"CONNECT\naccept-version:1.2\nhost:/\n\n\0SEND\ndestination:/queue/q\nreceipt:s\n\nm\0",
    )
    .unwrap();
    let said = String::from_utf8(read_to_end(&mut peer)).unwrap();
    assert!(
        said.contains("ERROR\n") && !said.contains("RECEIPT\n"),
        "{said}"
    );
}
