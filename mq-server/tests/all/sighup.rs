//! SIGHUP: what changes while the server runs, how that is seen, and that everything else is
//! reported.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::binary::Running;

/// Longer than the second that the timeouts of the rows have, and what the machine adds to it.
const A_WHILE: Duration = Duration::from_millis(2500);

/// A server whose settings are in a file.
struct Server {
    running: Running,
    directory: tempfile::TempDir,
    /// Where STOMP listens, and what is for any protocol.
    stomp: String,
    any: String,
}

impl Server {
    fn start(settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = write(&directory, settings);
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let flag = format!("--config={}", file.display());
        let mut running = Running::start_with(&[&flag], log.into());
        let mut address = || {
            let line = running.line();
            line.rsplit([' ', '/']).next().unwrap().to_owned()
        };
        let (stomp, any) = (address(), address());
        Self {
            running,
            directory,
            stomp,
            any,
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Has other settings read, and waits until the log says so in these words once more.
    /// Returns what it says from then on.
    fn reload(&self, settings: &str, words: &str) -> String {
        let before = self.log().len();
        write(&self.directory, settings);
        self.running.signal("HUP");
        let begin = Instant::now();
        loop {
            let log = self.log().split_off(before);
            if log.contains(words) {
                return log;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "{words}: {log}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// A STOMP client, unless it is refused.
    fn client(&self) -> Option<TcpStream> {
        let mut client = TcpStream::connect(&self.stomp).unwrap();
        client
            .write_all(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0")
            .ok()?;
        frame(&mut client)?.contains("CONNECTED").then_some(client)
    }
}

/// Writes the file with the settings.
fn write(directory: &tempfile::TempDir, settings: &str) -> PathBuf {
    let data = directory.path().join("data");
    let file = directory.path().join("mq.toml");
    let settings = settings.replace("DATA", data.to_str().unwrap());
    std::fs::write(&file, settings).unwrap();
    file
}

/// The next frame. None: there will be none, or not within a while.
fn frame(peer: &mut TcpStream) -> Option<String> {
    peer.set_read_timeout(Some(A_WHILE)).unwrap();
    let (mut frame, mut byte) = (Vec::new(), [0]);
    while !frame.ends_with(b"\0") {
        peer.read_exact(&mut byte).ok()?;
        frame.extend(byte);
    }
    Some(String::from_utf8_lossy(&frame).into_owned())
}

/// Whether the server ends a connection within a while. What it says before is passed over.
fn ends(peer: &mut TcpStream) -> bool {
    peer.set_read_timeout(Some(A_WHILE)).unwrap();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match peer.read(&mut chunk) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// Whether a peer that says nothing is thrown out.
fn silence_ends(address: &str) -> bool {
    ends(&mut TcpStream::connect(address).unwrap())
}

/// Whether there can be one connection, and no second one.
fn one_at_a_time(server: &Server) -> bool {
    let first = server.client();
    first.is_some() && server.client().is_none()
}

/// A client that has much to take, and takes nothing. None: it was refused.
fn slow_consumer(server: &Server) -> Option<TcpStream> {
    let (mut slow, mut publisher) = (server.client()?, server.client()?);
    let topic = slow.local_addr().unwrap().port();
    let subscribe = format!("SUBSCRIBE\nid:1\ndestination:/topic/{topic}\nreceipt:s\n\n\0");
    slow.write_all(subscribe.as_bytes()).unwrap();
    frame(&mut slow)?;
    let body = "x".repeat(1 << 20);
    let send = format!("SEND\ndestination:/topic/{topic}\nreceipt:m\n\n{body}\0");
    // More than the buffers of two sockets.
    for _ in 0..24 {
        publisher.write_all(send.as_bytes()).unwrap();
        frame(&mut publisher)?;
    }
    Some(slow)
}

/// Whether a peer that takes no bytes is given up, which has its socket go only after the time
/// for its last bytes: the log says it.
fn a_stuck_peer_is_given_up(server: &Server) -> bool {
    slow_consumer(server).is_some_and(|_slow| {
        thread::sleep(A_WHILE);
        server.log().contains("the peer takes no bytes")
    })
}

fn a_slow_consumer_is_disconnected(server: &Server) -> bool {
    slow_consumer(server).is_some_and(|mut slow| {
        thread::sleep(A_WHILE);
        ends(&mut slow)
    })
}

/// Whether the socket of a connection that the server has ended goes soon, though its peer
/// does not end it.
fn a_socket_goes_soon(server: &Server) -> bool {
    let mut peer = TcpStream::connect(&server.stomp).unwrap();
    peer.write_all(b"NONSENSE\n\n\0").unwrap();
    assert!(ends(&mut peer));
    let begin = Instant::now();
    while begin.elapsed() < A_WHILE {
        if peer.write_all(b"\n").is_err() {
            return true;
        }
        thread::sleep(Duration::from_millis(50));
    }
    false
}

fn is_refused(server: &Server, queue: &str) -> bool {
    let send = format!("SEND\ndestination:/queue/{queue}\nreceipt:r\n\nm\0");
    server.client().is_some_and(|mut client| {
        client.write_all(send.as_bytes()).unwrap();
        frame(&mut client).is_some_and(|answer| answer.contains("ERROR"))
    })
}

fn publishers_wait(server: &Server) -> bool {
    let send = b"SEND\ndestination:/topic/t\nreceipt:r\n\nm\0";
    // The first one is taken in any case.
    server.client().is_some_and(|mut client| {
        (0..2).any(|_| {
            client.write_all(send).unwrap();
            frame(&mut client).is_none()
        })
    })
}

fn logins_are_logged(server: &Server) -> bool {
    server.client().is_some() && server.log().contains("logged in")
}

/// Whether the system asks a silent peer after some time, by Linux' /proc/net/tcp: "tr" is 02.
fn has_keepalive(server: &Server) -> bool {
    let Some(client) = server.client() else {
        return false;
    };
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    let mine = client.local_addr().unwrap().port();
    let theirs = client.peer_addr().unwrap().port();
    // What was said has to be acknowledged first, which has a timer as well.
    thread::sleep(Duration::from_millis(500));
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    sockets.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        port(fields[1]) == Some(theirs)
            && port(fields[2]) == Some(mine)
            && fields[5].starts_with("02:")
    })
}

/// A setting, what it is at first and then, and whether the latter is in force.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    fn(&Server) -> bool,
);

const REFUSE: &str = r#"[{ name = "p", virtual_host = "/", pattern = "^PATTERN$", definition = { max-length = 0, overflow = "reject-publish" } }]"#;

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("handshake_timeout_seconds", "3600", "1", |server| silence_ends(&server.any)),
    ("login_timeout_seconds", "3600", "1", |server| silence_ends(&server.stomp)),
    ("linger_seconds", "3600", "1", a_socket_goes_soon),
    ("write_timeout_seconds", "3600", "1", a_stuck_peer_is_given_up),
    ("slow_consumers", "\"block\"", "\"disconnect:1\"", a_slow_consumer_is_disconnected),
    ("max_connections", "100", "1", one_at_a_time),
    ("max_connections_per_address", "100", "1", one_at_a_time),
    ("user_limits.guest.max_connections", "100", "1", one_at_a_time),
    ("virtual_host_limits.\"/\".max_connections", "100", "1", one_at_a_time),
    ("policies", "[]", REFUSE, |server| is_refused(server, "policies")),
    ("operator_policies", "[]", REFUSE, |server| is_refused(server, "operator_policies")),
    ("log.level", "\"info\"", "\"debug\"", logins_are_logged),
    #[cfg(target_os = "linux")]
    ("tcp_keepalive_seconds", "0", "3600", has_keepalive),
    // No disk has so much free. It is looked within ten seconds.
    ("disk_free_limit", "0", "9223372036854775807", publishers_wait),
];

/// What others are at first.
const MORE: &str = r#"
    data = "DATA"
    listen.amqp = "off"
    listen.mqtt = "off"
    listen.stomp = "127.0.0.1:0"
    endpoints = ["any://127.0.0.1:0"]
    shutdown_grace_seconds = 3600
"#;

/// The first settings, but for one.
fn settings(changed: Option<&str>) -> String {
    let lines = ROWS.iter().map(|(name, before, after, _)| {
        let value = if changed == Some(*name) {
            after
        } else {
            before
        };
        format!("{name} = {}\n", value.replace("PATTERN", name))
    });
    MORE.chars()
        .chain(lines.collect::<String>().chars())
        .collect()
}

/// Each setting alone is changed, and is in force. A file that cannot be used changes nothing.
#[test]
fn settings_change() {
    let mut server = Server::start(&settings(None));
    thread::scope(|scope| {
        for (name, _, _, is_in_force) in ROWS {
            let server = &server;
            scope.spawn(move || assert!(!is_in_force(server), "{name}: from the start"));
        }
    });
    let read = "settings and certificates were read again";
    for (name, _, _, is_in_force) in ROWS {
        let log = server.reload(&settings(Some(name)), read);
        assert!(!log.contains("need a restart"), "{name}: {log}");
        let begin = Instant::now();
        while !is_in_force(&server) {
            assert!(begin.elapsed() < Duration::from_secs(30), "{name}");
        }
    }

    server.reload(&settings(None), read);
    let unusable = settings(Some("login_timeout_seconds")) + "tcp_backlog = 0\n";
    server.reload(&unusable, "everything stays as it is");
    assert!(!silence_ends(&server.stomp));

    // A stop waits for a peer that does not take its goodbye. It is the last thing that a
    // server does.
    let shorter = settings(None).replace("grace_seconds = 3600", "grace_seconds = 1");
    server.reload(&shorter, read);
    let slow = slow_consumer(&server).unwrap();
    server.running.signal("TERM");
    assert_eq!(server.running.exit_code(), Some(0));
    drop(slow);
}

/// Settings that are neither numbers nor flags, changed.
#[rustfmt::skip]
const OTHERS: &[(&str, &str)] = &[
    ("data", "\"elsewhere\""),
    ("store", "\"postgres://localhost/mq\""),
    ("permissions", r#"[{ user = "guest", virtual_host = "/", configure = "", write = "", read = "" }]"#),
    ("topic_permissions", r#"[{ user = "guest", virtual_host = "/", exchange = "amq.topic", write = "", read = "" }]"#),
    ("virtual_hosts", r#"["/", "other"]"#),
    ("endpoints", r#"["mqtt://127.0.0.1:1"]"#),
    ("bridges", r#"[{ connection = "b", address = "localhost:1", topics = ["a"] }]"#),
    ("listen.amqp", "\"127.0.0.1:1\""),
    ("listen.mqtt", "\"127.0.0.1:2\""),
    ("listen.stomp", "\"127.0.0.1:3\""),
    ("tls.certificate", "\"server.pem\""),
    ("tls.key", "\"server.key\""),
    ("tls.client_ca", "\"ca.pem\""),
    ("users.guest", "\"other\""),
    ("amqp.product", "\"other\""),
    ("amqp.version", "\"1.0\""),
    ("mqtt.topic_rewrites", r#"[{ action = "all", source_topic = "x/#", re = "^x/y$", dest_topic = "z" }]"#),
    ("mqtt.response_information", "\"r\""),
    ("mqtt.server_reference", "\"s\""),
    ("stomp.dialect", "\"activemq\""),
    ("log.format", "\"json\""),
];

/// All values by their names with dots.
fn flatten(before: &str, table: &toml::Table, flat: &mut BTreeMap<String, toml::Value>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(table) => flatten(&format!("{before}{key}."), table, flat),
            value => drop(flat.insert(format!("{before}{key}"), value.clone())),
        }
    }
}

/// Every other setting is reported when it changes: those that the example file shows, which
/// has all of them.
#[test]
fn the_other_settings_need_a_restart() {
    let example = include_str!("../../mq-server.example.toml").replace("#= ", "");
    let mut all = BTreeMap::new();
    flatten("", &example.parse().unwrap(), &mut all);
    let rows = ROWS.iter().map(|(name, ..)| *name);
    for name in rows.chain(["shutdown_grace_seconds", "tcp_keepalive_seconds"]) {
        all.remove(name);
    }
    let mut changed = String::new();
    for (name, value) in &all {
        let other = OTHERS.iter().find(|(other, _)| other == name);
        let value = match (other, value) {
            (Some((_, value)), _) => (*value).to_owned(),
            (None, toml::Value::Boolean(flag)) => (!flag).to_string(),
            (None, toml::Value::Integer(0)) => "1".to_owned(),
            (None, toml::Value::Integer(number)) => (number - 1).to_string(),
            _ => panic!("{name} is in no table"),
        };
        changed += &format!("{name} = {value}\n");
    }
    let server = Server::start(MORE);
    let log = server.reload(&changed, "these changes need a restart");
    let (_, names) = log.split_once("names=\"").unwrap();
    let (names, _) = names.split_once('"').unwrap();
    let reported: BTreeSet<&str> = names.split(", ").collect();
    assert_eq!(reported, all.keys().map(|name| &**name).collect());
}
