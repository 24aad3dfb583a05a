//! The broker of mq-core, called as a server calls it, in one thread: received, routed,
//! delivered, and its output taken.

pub mod amqp;
mod crowd;
pub mod mqtt;
pub mod stomp;
mod turns;

pub use crowd::{CROWDS, Crowd};
pub use turns::{BATCH, TURNS, Work};

use bytes::Bytes;
use mq_core::{Broker, Config, ConnectionId, Input, Limits, Output, Protocol, Store, Terms};
use std::time::Duration;

const NOW: Duration = Duration::ZERO;
/// Bytes of one read.
const READ: usize = 64 * 1024;

/// A broker whose sockets and store cost nothing.
#[derive(Debug)]
pub struct Play {
    broker: Broker,
    connections: u64,
}

impl Play {
    /// A broker that keeps no log, or one that does.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let config = Config {
            store,
            limits: wide(),
            ..Config::default()
        };
        Self {
            broker: Broker::new(config).expect("the limits are in order"),
            connections: 0,
        }
    }

    /// A client that says this to begin with.
    pub fn connect<'a>(
        &mut self,
        protocol: Protocol,
        hello: impl IntoIterator<Item = &'a [u8]>,
    ) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.broker.handle(
            NOW,
            Input::Connected {
                connection,
                protocol,
                terms: Terms::default(),
            },
        );
        for bytes in hello {
            self.give(connection, Bytes::copy_from_slice(bytes));
        }
        connection
    }

    /// Nothing has passed any of the connections for a while.
    pub fn rest(&mut self) {
        for connection in (1..=self.connections).map(ConnectionId) {
            self.broker.handle(NOW, Input::Idle { connection });
        }
        self.drain();
    }

    /// The socket is gone.
    pub fn disconnect(&mut self, connection: ConnectionId) {
        self.broker.handle(NOW, Input::Disconnected { connection });
        self.drain();
    }

    /// Hands bytes in and takes all that comes out. Returns how many bytes that is.
    pub fn give(&mut self, connection: ConnectionId, mut bytes: Bytes) -> usize {
        let mut received = 0;
        while !bytes.is_empty() {
            let bytes = bytes.split_to(bytes.len().min(READ));
            self.broker
                .handle(NOW, Input::Received { connection, bytes });
            received += self.drain();
        }
        received
    }

    fn drain(&mut self) -> usize {
        let mut received = 0;
        loop {
            while let Some(output) = self.broker.poll_output() {
                match output {
                    Output::Transmit { connection, bytes } => {
                        let len = bytes.len();
                        received += len;
                        self.broker
                            .handle(NOW, Input::Transmitted { connection, len });
                    }
                    Output::Append { position, slices } => {
                        let len: usize = slices.iter().map(Bytes::len).sum();
                        let through = position + len as u64;
                        self.broker.handle(NOW, Input::Durable { through });
                    }
                    Output::Close { connection } => panic!("{connection:?} is closed"),
                    _ => {}
                }
            }
            match self.broker.poll_timeout() {
                Some(at) if at <= NOW => self.broker.handle_timeout(NOW),
                _ => return received,
            }
        }
    }
}

/// Room for a crowd.
fn wide() -> Limits {
    const MANY: usize = 1 << 22;
    Limits {
        connections: MANY,
        queue_messages: MANY,
        queue_bytes: usize::MAX,
        queues: MANY,
        bindings: MANY,
        session_messages: MANY,
        sessions: MANY,
        subscriptions: MANY,
        topic_filters: MANY,
        retained_messages: MANY,
        retained_bytes: usize::MAX,
        memory_high_water: usize::MAX,
        memory_low_water: usize::MAX,
        memory_spill: usize::MAX,
        ..Limits::default()
    }
}
