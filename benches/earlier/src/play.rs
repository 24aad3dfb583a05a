//! A broker whose sockets cost nothing, by no call that an earlier tree does not have: that of the
//! other benches (`work`) asks for more.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use mq_core::{Broker, Config, ConnectionId, Input, Output, Protocol};

const NOW: Duration = Duration::ZERO;
/// Bytes of one read.
const READ: usize = 64 * 1024;

pub(crate) struct Play {
    broker: Broker,
    connections: u64,
    /// Bytes of each that were taken and not reported yet.
    taken: BTreeMap<ConnectionId, usize>,
}

impl Play {
    pub(crate) fn new() -> Self {
        Self {
            broker: Broker::new(Config::default()).expect("the settings are in order"),
            connections: 0,
            taken: BTreeMap::new(),
        }
    }

    /// A client that says this to begin with, each in a read of its own.
    pub(crate) fn connect(&mut self, protocol: Protocol, hello: &[Vec<u8>]) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let input = Input::Connected {
            connection,
            protocol,
            #[cfg(feature = "terms")]
            terms: mq_core::Terms::default(),
        };
        self.broker.handle(NOW, input);
        for bytes in hello {
            self.give(connection, Bytes::copy_from_slice(bytes), |_, _| {});
        }
        connection
    }

    /// Hands bytes in as they are read from a socket, and takes what comes out after each read.
    pub(crate) fn give(
        &mut self,
        connection: ConnectionId,
        mut bytes: Bytes,
        mut take: impl FnMut(ConnectionId, &[u8]),
    ) {
        while !bytes.is_empty() {
            let read = bytes.split_to(bytes.len().min(READ));
            self.hand_in(connection, read);
            self.drain(&mut take);
        }
    }

    /// Hands in one read, and leaves what comes out for later.
    pub(crate) fn hand_in(&mut self, connection: ConnectionId, bytes: Bytes) {
        self.broker
            .handle(NOW, Input::Received { connection, bytes });
    }

    /// Takes what comes out. What one connection was sent is reported at one time, as of one
    /// write to its socket.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(ConnectionId, &[u8])) {
        loop {
            let mut is_quiet = true;
            while let Some(output) = self.broker.poll_output() {
                is_quiet = false;
                match output {
                    Output::Transmit { connection, bytes } => {
                        *self.taken.entry(connection).or_default() += bytes.len();
                        take(connection, &bytes);
                    }
                    Output::Close { connection } => panic!("{connection:?} is closed"),
                    _ => {}
                }
            }
            while let Some((connection, len)) = self.taken.pop_first() {
                let transmitted = Input::Transmitted { connection, len };
                self.broker.handle(NOW, transmitted);
            }
            if self.broker.poll_timeout().is_some_and(|at| at <= NOW) {
                self.broker.handle_timeout(NOW);
            } else if is_quiet {
                return;
            }
        }
    }
}
