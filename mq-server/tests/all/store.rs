//! A server with a log: what it brings back, and what it does while the disk does not take it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mq_server::store::{Batch, Directory, Memory, Recovered, Storage, Store, StoreError};
use mq_server::{BlockingServer, Config, StartError};

fn start(store: impl Storage + 'static) -> BlockingServer {
    try_start(store).unwrap()
}

fn try_start(store: impl Storage + 'static) -> Result<BlockingServer, StartError> {
    let mut config = Config::ephemeral();
    config.store = Some(Arc::new(store));
    BlockingServer::start(config)
}

/// A connection of STOMP.
struct Stomp {
    socket: TcpStream,
    heard: String,
}

impl Stomp {
    fn connect(address: Option<SocketAddr>) -> Self {
        let mut stomp = Self {
            socket: TcpStream::connect(address.unwrap()).unwrap(),
            heard: String::new(),
        };
        stomp.say("CONNECT\naccept-version:1.2\nhost:/\n\n\0");
        assert!(stomp.hears("CONNECTED", 10_000));
        stomp
    }

    fn say(&mut self, frame: &str) {
        self.socket.write_all(frame.as_bytes()).unwrap();
    }

    /// Whether the text comes within so many milliseconds.
    fn hears(&mut self, text: &str, milliseconds: u64) -> bool {
        let deadline = Instant::now() + Duration::from_millis(milliseconds);
        while !self.heard.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 1024];
            if let Ok(len) = self.socket.read(&mut chunk) {
                self.heard.push_str(&String::from_utf8_lossy(&chunk[..len]));
            }
        }
        true
    }

    fn send(&mut self, body: &str) {
        self.say(&format!(
            "SEND\ndestination:/queue/kept\npersistent:true\nreceipt:{body}\n\n{body}\0"
        ));
    }

    fn subscribe(&mut self) {
        self.say("SUBSCRIBE\nid:1\ndestination:/queue/kept\nack:client-individual\n\n\0");
    }
}

/// STOMP 1.2, "Standard Headers": a RECEIPT says that the frame has been processed. What is
/// persistent is on disk then.
fn outlives(storage: impl Storage + Clone + 'static) {
    for round in 0..3 {
        let server = start(storage.clone());
        let mut client = Stomp::connect(server.stomp_addr());
        client.send(&format!("message-{round}"));
        assert!(client.hears(&format!("receipt-id:message-{round}"), 10_000));
        server.shutdown();
    }
    let server = start(storage);
    let mut client = Stomp::connect(server.stomp_addr());
    client.subscribe();
    for round in 0..3 {
        assert!(
            client.hears(&format!("\n\nmessage-{round}\0"), 10_000),
            "{}",
            client.heard
        );
    }
}

#[test]
fn messages_outlive_the_server_in_files() {
    let directory = tempfile::tempdir().unwrap();
    outlives(Directory::new(directory.path().join("data")).with_segment_size(1));
}

#[test]
fn messages_outlive_the_server_in_memory() {
    outlives(Memory::new());
}

/// A disk that is full while the flag is set.
#[derive(Clone, Debug, Default)]
struct Disk {
    log: Memory,
    full: Arc<AtomicBool>,
}

impl Storage for Disk {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(self.clone()))
    }

    fn describe(&self) -> String {
        self.log.describe()
    }
}

impl Store for Disk {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Batch) -> Result<(), StoreError>,
    ) -> Result<Recovered, StoreError> {
        self.log.recover(each)
    }

    fn append(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        if self.full.load(Ordering::Relaxed) {
            return Err(StoreError::Io {
                doing: "write",
                path: "data".into(),
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        self.log.append(batches)
    }

    fn read(&mut self, position: u64, len: usize) -> Result<Bytes, StoreError> {
        self.log.read(position, len)
    }

    fn trim(&mut self, before: u64) -> Result<(), StoreError> {
        self.log.trim(before)
    }
}

#[test]
fn a_full_disk_confirms_nothing_until_there_is_room() {
    let disk = Disk::default();
    let server = start(disk.clone());
    let mut publisher = Stomp::connect(server.stomp_addr());
    publisher.send("before");
    assert!(publisher.hears("receipt-id:before", 10_000));
    disk.full.store(true, Ordering::Relaxed);
    publisher.send("while");
    assert!(!publisher.hears("receipt-id:while", 700));
    // What does not need the disk goes on.
    let mut other = Stomp::connect(server.stomp_addr());
    other.say("SEND\ndestination:/topic/t\nreceipt:transient\n\nx\0");
    assert!(other.hears("receipt-id:transient", 10_000));
    disk.full.store(false, Ordering::Relaxed);
    assert!(publisher.hears("receipt-id:while", 10_000));
    server.shutdown();
    let server = start(disk);
    let mut consumer = Stomp::connect(server.stomp_addr());
    consumer.subscribe();
    assert!(consumer.hears("\n\nwhile\0", 10_000));
}

/// Publishers wait, and what they send meanwhile is bounded.
#[test]
fn a_full_disk_holds_publishers_back() {
    let disk = Disk::default();
    let mut config = Config::ephemeral();
    config.store = Some(Arc::new(disk.clone()));
    config.broker.limits.store_high_water = 64 * 1024;
    config.broker.limits.receive_high_water = 64 * 1024;
    let server = BlockingServer::start(config).unwrap();
    let mut publisher = Stomp::connect(server.stomp_addr());
    disk.full.store(true, Ordering::Relaxed);
    publisher
        .socket
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let body = "x".repeat(60_000);
    let frame = format!("SEND\ndestination:/queue/kept\npersistent:true\n\n{body}\0");
    // Sockets and buffers take some of it; a server that reads on takes all.
    let sent = (0..2_000).take_while(|_| publisher.socket.write_all(frame.as_bytes()).is_ok());
    let sent = sent.count();
    assert!(sent < 1_000, "{sent} messages of 60 kB were taken");
    disk.full.store(false, Ordering::Relaxed);
    let mut other = Stomp::connect(server.stomp_addr());
    other.send("after");
    assert!(other.hears("receipt-id:after", 10_000));
}

#[test]
fn a_directory_has_one_server() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Directory::new(directory.path());
    let first = start(storage.clone());
    let error = try_start(storage.clone()).unwrap_err().to_string();
    assert!(error.contains("is in use by another mq-server"), "{error}");
    first.shutdown();
    start(storage);
}

/// The only file of a log, with so many messages in it.
fn write_log(data: &Path, messages: usize) -> std::path::PathBuf {
    let server = start(Directory::new(data));
    let mut client = Stomp::connect(server.stomp_addr());
    for number in 0..messages {
        let body = format!("message-{number}");
        client.send(&body);
        assert!(client.hears(&format!("receipt-id:{body}"), 10_000));
    }
    server.shutdown();
    data.join("00000000000000000000.log")
}

#[test]
fn a_damaged_log_is_refused_and_served_after_repair() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_log(directory.path(), 5);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(9).position(|w| w == b"message-2").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let error = try_start(Directory::new(directory.path()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("mq-server repair --data"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    let repaired = mq_server::store::repair(directory.path()).unwrap();
    assert!(repaired.lost > 0);
    let server = start(Directory::new(directory.path()));
    let mut client = Stomp::connect(server.stomp_addr());
    client.subscribe();
    for number in [0, 1, 3, 4] {
        assert!(
            client.hears(&format!("\n\nmessage-{number}\0"), 10_000),
            "{}",
            client.heard
        );
    }
}

/// The end of the last write is missing, as after a crash. It was confirmed here, since the
/// disk did not lie: the batch before it is what is shown.
#[test]
fn a_torn_end_is_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let file = write_log(directory.path(), 3);
    let bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(9).position(|w| w == b"message-2").unwrap();
    std::fs::write(&file, &bytes[..at + 4]).unwrap();
    let server = start(Directory::new(directory.path()));
    let mut client = Stomp::connect(server.stomp_addr());
    client.subscribe();
    for number in 0..2 {
        assert!(
            client.hears(&format!("\n\nmessage-{number}\0"), 10_000),
            "{}",
            client.heard
        );
    }
    assert!(!client.hears("message-2", 200));
}
