//! Times and room that settings bound: a login, a consumer that is too slow, the disk.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mq_core::SlowConsumers;
use mq_core::model::Shortage;
use mq_server::store::{Directory, Memory, Storage};
use mq_server::{BlockingServer, Config, Endpoint, Fault};

const LONG: Duration = Duration::from_secs(20);

/// STOMP 1.2, "CONNECT or STOMP Frame", "SUBSCRIBE", "SEND".
const CONNECT: &[u8] = b"CONNECT\naccept-version:1.2\nhost:/\n\n\0";

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Reads until a text has come.
fn read_until(stream: &mut TcpStream, text: &str) {
    let mut heard = Vec::new();
    let mut chunk = [0; 4096];
    while !heard
        .windows(text.len())
        .any(|part| part == text.as_bytes())
    {
        let len = stream.read(&mut chunk).unwrap();
        assert!(len > 0, "{text:?} in {:?}", String::from_utf8_lossy(&heard));
        heard.extend(&chunk[..len]);
    }
}

fn stomp(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(CONNECT).unwrap();
    read_until(&mut stream, "CONNECTED");
    stream
}

/// How long a peer that says nothing is left alone.
fn patience(address: SocketAddr) -> Duration {
    let begin = Instant::now();
    let mut stream = connect(address);
    // However it ends.
    let _ = stream.read_to_end(&mut Vec::new());
    begin.elapsed()
}

fn address(endpoint: &Endpoint) -> SocketAddr {
    let url = endpoint.to_string();
    let rest = url.split_once("://").unwrap().1;
    rest.split('?').next().unwrap().parse().unwrap()
}

#[test]
fn a_login_has_its_time() {
    let ms = Duration::from_millis;
    let mut config = Config::ephemeral();
    config.broker.login_timeout = ms(200);
    for scheme in ["amqp", "mqtt", "stomp"] {
        let url = format!("{scheme}://127.0.0.1:0?login_timeout=1");
        config.endpoints.push(url.parse().unwrap());
    }
    let server = BlockingServer::start(config).unwrap();
    let plain = [server.amqp_addr(), server.mqtt_addr(), server.stomp_addr()];
    for at in plain {
        let patience = patience(at.unwrap());
        assert!((ms(200)..ms(900)).contains(&patience), "{patience:?}");
    }
    for endpoint in &server.endpoints()[3..] {
        let patience = patience(address(endpoint));
        assert!(patience >= ms(1000), "{endpoint}: {patience:?}");
    }
}

/// A protocol that begins late is another matter than a login that does.
#[test]
fn a_handshake_has_its_time() {
    let mut config = Config::ephemeral();
    config.handshake_timeout = Duration::from_millis(200);
    for options in ["", "?handshake_timeout=1"] {
        let url = format!("any://127.0.0.1:0{options}");
        config.endpoints.push(url.parse().unwrap());
    }
    let server = BlockingServer::start(config).unwrap();
    let [first, second] = &server.endpoints()[3..] else {
        panic!("{:?}", server.endpoints());
    };
    assert!(patience(address(first)) < Duration::from_millis(900));
    assert!(patience(address(second)) >= Duration::from_secs(1));
}

/// A consumer that reads nothing, and 40 MB for it: more than sockets hold.
#[test]
fn a_consumer_that_does_not_read() {
    let disconnect = SlowConsumers::Disconnect {
        after: Duration::from_secs(1),
    };
    for (policy, is_gone) in [(SlowConsumers::Block, false), (disconnect, true)] {
        let mut config = Config::ephemeral();
        config.broker.slow_consumers = policy;
        config.write_timeout = Duration::from_secs(2);
        // Where it does not come to that, nothing else ends it either.
        if !is_gone {
            config.write_timeout = Duration::from_secs(600);
        }
        let server = BlockingServer::start(config).unwrap();
        let at = server.stomp_addr().unwrap();
        let mut slow = stomp(at);
        slow.write_all(b"SUBSCRIBE\nid:1\ndestination:/queue/q\nreceipt:s\nack:client\n\n\0")
            .unwrap();
        read_until(&mut slow, "receipt-id:s");
        let mut publisher = stomp(at);
        let body = "x".repeat(1_000_000);
        let send = format!("SEND\ndestination:/queue/q\nreceipt:p\n\n{body}\0");
        for _ in 0..40 {
            publisher.write_all(send.as_bytes()).unwrap();
            read_until(&mut publisher, "receipt-id:p");
        }
        let wait = if is_gone {
            LONG
        } else {
            Duration::from_secs(3)
        };
        let went = server.wait_until(wait, |now| now.connections == 1);
        assert_eq!(went, is_gone, "{policy:?}");
        if is_gone {
            let statistics = server.snapshot().statistics;
            assert_eq!((statistics.ready, statistics.unacknowledged), (40, 0));
            // It does not have its socket for ever, though it takes nothing.
            let begin = Instant::now();
            drop(server);
            assert!(begin.elapsed() < Duration::from_secs(10));
        }
    }
}

fn with_log(storage: Arc<dyn Storage>, limit: u64) -> BlockingServer {
    let mut config = Config::ephemeral();
    config.store = Some(storage);
    config.disk_free_limit = limit;
    BlockingServer::start(config).unwrap()
}

/// RabbitMQ, "Free Disk Space Alarms": what is not to be stored waits as well.
const SEND: &[u8] = b"SEND\ndestination:/queue/q\nreceipt:p\n\nhello\0";

#[test]
fn publishers_wait_until_enough_is_free() {
    let server = with_log(Arc::new(Memory::new()), 1000);
    let is_blocked = || {
        let connections = server.inventory().connections;
        connections[0].blocked == Some(Shortage::Disk)
    };
    let mut publisher = stomp(server.stomp_addr().unwrap());
    for _ in 0..2 {
        // There is no telling how much memory is free.
        publisher.write_all(SEND).unwrap();
        read_until(&mut publisher, "receipt-id:p");
        assert!(!is_blocked());
        server.inject(Fault::FreeDisk(Some(999)));
        let deadline = Instant::now() + LONG;
        while !is_blocked() && Instant::now() < deadline {
            publisher.write_all(SEND).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(is_blocked());
        let published = server.snapshot().statistics.published;
        publisher.write_all(SEND).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(server.snapshot().statistics.published, published);
        server.inject(Fault::FreeDisk(Some(1000)));
        let goes_on = server.wait_until(LONG, |now| now.statistics.published > published);
        assert!(goes_on && !is_blocked());
    }
}

/// A directory says how much is free; no disk has so much as the second limit.
#[test]
fn a_directory_says_how_much_is_free() {
    for (limit, blocks) in [(0, false), (1, false), (u64::MAX, true)] {
        let directory = tempfile::tempdir().unwrap();
        let server = with_log(Arc::new(Directory::new(directory.path())), limit);
        let mut publisher = stomp(server.stomp_addr().unwrap());
        publisher.write_all(SEND).unwrap();
        // It may come before it is known how much is free.
        let deadline = Instant::now() + Duration::from_secs(if blocks { 20 } else { 1 });
        let mut is_blocked = false;
        while !is_blocked && Instant::now() < deadline {
            publisher.write_all(SEND).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            is_blocked = server.inventory().connections[0].blocked.is_some();
        }
        assert_eq!(is_blocked, blocks, "{limit}");
    }
}
