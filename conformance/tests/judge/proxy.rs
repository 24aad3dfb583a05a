//! A man in the middle: clients of the reference broker reach it through here,
//! and what it answers can be changed on the way.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use mq_core::Permission;
use mq_server::{Address, BlockingServer, Config, Speaks};

use crate::frame::{self, Cutter, Framing, body};
use crate::relay::relay;
pub(crate) use crate::relay::{Between, Pace};

/// The protocols, by the scheme of their URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Amqp,
    Mqtt,
    Stomp,
    /// MQTT, in frames of WebSocket that are seen as they are.
    WebSocket,
}

impl Protocol {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Mqtt => "mqtt",
            Self::Stomp => "stomp",
            Self::WebSocket => "ws",
        }
    }

    /// What the ids of its cases begin with.
    pub(crate) fn of_cases(self) -> &'static str {
        match self {
            Self::WebSocket => Self::Mqtt.scheme(),
            other => other.scheme(),
        }
    }

    pub(crate) fn framing(self) -> Framing {
        match self {
            Self::Amqp => frame::amqp,
            Self::Mqtt => frame::mqtt,
            Self::Stomp => frame::stomp,
            Self::WebSocket => |bytes| (!bytes.is_empty()).then_some(bytes.len()),
        }
    }
}

/// The reference broker, one for all tests.
pub(crate) fn reference(protocol: Protocol) -> SocketAddr {
    static SERVER: OnceLock<BlockingServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| BlockingServer::start(config()).unwrap());
    match protocol {
        Protocol::Amqp => server.amqp_addr(),
        Protocol::Mqtt => server.mqtt_addr(),
        Protocol::Stomp => server.stomp_addr(),
        Protocol::WebSocket => server.endpoints().iter().find_map(|endpoint| {
            let is_web_socket = endpoint.speaks == Speaks::WebSocket;
            match endpoint.address {
                Address::Tcp(_, port) if is_web_socket => {
                    Some(SocketAddr::from(([127, 0, 0, 1], port)))
                }
                _ => None,
            }
        }),
    }
    .unwrap()
}

/// Further arguments for mqspec, after the URL.
pub(crate) const BESIDE: [&str; 6] = [
    "--authentication",
    "SCRAM-SHA-256:guest:guest",
    "--restricted-user",
    "restricted:restricted",
    "--other-virtual-host",
    "other",
];

/// A user who may do nothing, and a second virtual host.
fn config() -> Config {
    let mut config = Config::ephemeral();
    config.endpoints = vec!["ws://127.0.0.1:0".parse().unwrap()];
    let broker = &mut config.broker;
    broker.virtual_hosts = vec!["/".into(), "other".into()];
    broker
        .users
        .insert("restricted".into(), "restricted".into());
    broker.permissions = [
        ("guest", "/", ".*"),
        ("guest", "other", ".*"),
        ("restricted", "/", "^$"),
    ]
    .map(|(user, virtual_host, pattern)| Permission {
        user: user.into(),
        virtual_host: virtual_host.into(),
        configure: pattern.into(),
        write: pattern.into(),
        read: pattern.into(),
    })
    .into();
    config
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
            // A broker that is gone takes none of its clients.
            if let Ok(broker) = TcpStream::connect(reference(protocol)) {
                relay(client, broker, make()).map(drop).unwrap_or_default();
            }
        }
    });
    format!("{}://{address}", protocol.scheme())
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
        framing: Framing,
        down: impl FnMut(Vec<u8>) -> Vec<u8> + Send + 'static,
    ) -> Self {
        Self {
            up: (Cutter::new(framing), Box::new(|frame| frame)),
            down: (Cutter::new(framing), Box::new(down)),
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
        Self::new(frame::mqtt, move |frame| {
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
        up.append(&mut cutter.buffer);
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
