//! A man in the middle: clients of the reference broker reach it through here,
//! and what it answers can be changed on the way.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use mq_server::{BlockingServer, Config};

use crate::frames::{Cutter, body};

/// The protocols, by the scheme of their URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Amqp,
    Mqtt,
    Stomp,
}

impl Protocol {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Mqtt => "mqtt",
            Self::Stomp => "stomp",
        }
    }
}

/// The reference broker, one for all tests.
pub(crate) fn reference(protocol: Protocol) -> SocketAddr {
    static SERVER: OnceLock<BlockingServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| BlockingServer::start(Config::ephemeral()).unwrap());
    match protocol {
        Protocol::Amqp => server.amqp_addr(),
        Protocol::Mqtt => server.mqtt_addr(),
        Protocol::Stomp => server.stomp_addr(),
    }
    .unwrap()
}

/// What stands between one client and the broker.
pub(crate) trait Between: Send {
    /// What reaches the broker of what the client sent; what is pushed to
    /// `back` reaches the client.
    fn up(&mut self, bytes: &[u8], _back: &mut Vec<u8>) -> Vec<u8> {
        bytes.to_vec()
    }

    fn pace(&self) -> Pace {
        Pace::default()
    }

    /// What reaches the client of what the broker sent.
    fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.to_vec()
    }
}

/// How what the broker sent is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// Before each write.
    pub(crate) wait: Duration,
    /// Octet by octet, as far as the beginning of each write goes.
    pub(crate) octets: bool,
    /// Whether the client's connection stays when the broker closes.
    pub(crate) stays: bool,
}

/// Passes everything on.
pub(crate) struct Clear;

impl Between for Clear {}

/// A port on which clients reach the broker through what `make` makes for each
/// of them. Its threads end with the test process.
pub(crate) fn through(
    protocol: Protocol,
    make: impl Fn() -> Box<dyn Between> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            relay(client, protocol, make());
        }
    });
    format!("{}://{address}", protocol.scheme())
}

/// Both directions of one connection, each on a thread.
pub(crate) fn relay(client: TcpStream, protocol: Protocol, between: Box<dyn Between>) {
    let Ok(broker) = TcpStream::connect(reference(protocol)) else {
        return;
    };
    for stream in [&client, &broker] {
        stream.set_nodelay(true).unwrap();
    }
    let pace = between.pace();
    let between = Arc::new(Mutex::new(between));
    let (client_in, mut broker_out) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
    let (broker_in, client_out) = (broker, Arc::new(Mutex::new(client)));
    {
        let (between, client_out) = (Arc::clone(&between), Arc::clone(&client_out));
        std::thread::spawn(move || {
            each(client_in, |bytes| {
                let mut back = Vec::new();
                let up = between.lock().unwrap().up(bytes, &mut back);
                client_out.lock().unwrap().write_all(&back).is_ok()
                    && (broker_out.write_all(&up).is_ok() || pace.stays)
            });
            // A side that has gone already needs no farewell.
            let _ = broker_out.shutdown(Shutdown::Write);
        });
    }
    std::thread::spawn(move || {
        let mut last = Instant::now();
        each(broker_in, |bytes| {
            // Of what comes at a stretch the first is late.
            if last.elapsed() > Duration::from_millis(20) {
                std::thread::sleep(pace.wait);
            }
            last = Instant::now();
            let down = between.lock().unwrap().down(bytes);
            let (front, rest) = down.split_at(if pace.octets { down.len().min(40) } else { 0 });
            let mut client = client_out.lock().unwrap();
            front
                .iter()
                .all(|octet| client.write_all(&[*octet]).is_ok())
                && client.write_all(rest).is_ok()
        });
        if pace.stays {
            // Longer than any case waits for the end.
            std::thread::sleep(Duration::from_secs(10));
        }
        // As above.
        let _ = client_out.lock().unwrap().shutdown(Shutdown::Both);
    });
}

fn each(mut stream: TcpStream, mut then: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if !then(&buffer[..count]) {
            break;
        }
    }
}

/// Changes frames, whole ones, one at a time.
pub(crate) struct Rewrite {
    up: (Cutter, Change),
    down: (Cutter, Change),
    pace: Pace,
}

/// A frame, and what takes its place.
pub(crate) type Change = Box<dyn FnMut(Vec<u8>) -> Vec<u8> + Send>;

impl Rewrite {
    /// Changes what the broker sends.
    pub(crate) fn new(
        protocol: Protocol,
        down: impl FnMut(Vec<u8>) -> Vec<u8> + Send + 'static,
    ) -> Self {
        Self {
            up: (Cutter::new(protocol), Box::new(|frame| frame)),
            down: (Cutter::new(protocol), Box::new(down)),
            pace: Pace::default(),
        }
    }

    /// Changes what the client sends, too.
    pub(crate) fn up(mut self, up: impl FnMut(Vec<u8>) -> Vec<u8> + Send + 'static) -> Self {
        self.up.1 = Box::new(up);
        self
    }

    /// Keeps the client's connection when the broker closes.
    pub(crate) fn staying(mut self) -> Self {
        self.pace.stays = true;
        self
    }

    /// Changes what the broker sends, by the level of the client's CONNECT.
    pub(crate) fn mqtt(mut down: impl FnMut(u8, Vec<u8>) -> Vec<u8> + Send + 'static) -> Self {
        let level = Arc::new(AtomicU8::new(0));
        let seen = Arc::clone(&level);
        Self::new(Protocol::Mqtt, move |frame| {
            down(seen.load(Ordering::SeqCst), frame)
        })
        .up(move |frame| {
            if frame[0] == 0x10 {
                let body = body(&frame);
                let at = 2 + usize::from(*body.get(1).unwrap_or(&0));
                level.store(*body.get(at).unwrap_or(&0), Ordering::SeqCst);
            }
            frame
        })
    }
}

impl Between for Rewrite {
    fn up(&mut self, bytes: &[u8], _back: &mut Vec<u8>) -> Vec<u8> {
        let (cutter, change) = &mut self.up;
        let mut up: Vec<u8> = cutter.cut(bytes).into_iter().flat_map(change).collect();
        // What makes no frame is passed on as it is: it may be meant so.
        up.extend(cutter.take_rest());
        up
    }

    fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (cutter, change) = &mut self.down;
        cutter.cut(bytes).into_iter().flat_map(change).collect()
    }

    fn pace(&self) -> Pace {
        self.pace
    }
}
