//! A broker, its clients in memory, and a clock that tests turn.

pub(crate) mod amqp;
pub(crate) mod log;
pub(crate) mod mqtt;
pub(crate) mod policy;
pub(crate) mod stomp;

use bytes::Bytes;
use log::Log;
use mq_core::{Administration, Broker, Config, ConnectionId, Input, Output, Protocol, Terms};
use std::collections::BTreeMap;
use std::time::Duration;

/// What goes into a broker, to be done again.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Handle(Duration, Input),
    Timeout(Duration),
}

/// What a client's socket holds.
#[derive(Debug, Default)]
pub(crate) struct Socket {
    pub(crate) received: Vec<u8>,
    pub(crate) closed: bool,
    pub(crate) paused: bool,
    /// Bytes that the broker was not told about yet, because the peer is slow.
    pub(crate) untold: usize,
    pub(crate) slow: bool,
}

pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) now: Duration,
    pub(crate) sockets: BTreeMap<ConnectionId, Socket>,
    pub(crate) log: Vec<Step>,
    pub(crate) outputs: Vec<Output>,
    /// What clients send is cut into pieces of this many bytes.
    pub(crate) piece: usize,
    /// What the broker stores.
    pub(crate) store: Log,
    /// Bodies that the broker has asked for, while they are read slowly.
    pub(crate) reads: Vec<(u64, Option<Bytes>)>,
    pub(crate) reads_slowly: bool,
    /// How often the broker was called because it had left work for later.
    pub(crate) turns: usize,
    /// How often that may be in a row.
    pub(crate) most_turns: usize,
    /// What the listener says about connections.
    pub(crate) terms: Terms,
    last: u64,
}

/// So many connections of a test are idle between two inputs.
const FEW: usize = 4;

/// Turns in a row that are enough for almost anything that a test does.
const TURNS: usize = 10_000;

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            broker: Broker::new(config).unwrap(),
            now: Duration::ZERO,
            sockets: BTreeMap::new(),
            log: Vec::new(),
            outputs: Vec::new(),
            piece: usize::MAX,
            store: Log::default(),
            reads: Vec::new(),
            reads_slowly: false,
            turns: 0,
            most_turns: TURNS,
            terms: Terms::default(),
            last: 0,
        }
    }

    pub(crate) fn connect(&mut self, protocol: Protocol) -> ConnectionId {
        self.last += 1;
        let connection = ConnectionId(self.last);
        self.sockets.insert(connection, Socket::default());
        self.handle(Input::Connected {
            connection,
            protocol,
            terms: self.terms.clone(),
        });
        connection
    }

    pub(crate) fn send(&mut self, connection: ConnectionId, bytes: &[u8]) {
        for piece in bytes.chunks(self.piece) {
            self.handle(Input::Received {
                connection,
                bytes: Bytes::copy_from_slice(piece),
            });
        }
    }

    /// The connection breaks.
    pub(crate) fn cut(&mut self, connection: ConnectionId) {
        self.socket(connection).closed = true;
        self.handle(Input::Disconnected { connection });
    }

    pub(crate) fn socket(&mut self, connection: ConnectionId) -> &mut Socket {
        self.sockets.get_mut(&connection).unwrap()
    }

    pub(crate) fn is_closed(&self, connection: ConnectionId) -> bool {
        self.sockets[&connection].closed
    }

    /// Something happens, and the broker does all that comes of it.
    pub(crate) fn handle(&mut self, input: Input) {
        self.handle_once(input);
        self.turn();
        self.rest();
    }

    /// What is forgotten of connections while they are idle changes nothing in any test.
    fn rest(&mut self) {
        let open = self.sockets.iter().filter(|(_, socket)| !socket.closed);
        let some: Vec<_> = open.map(|(connection, _)| *connection).take(FEW).collect();
        for connection in some {
            self.handle_once(Input::Idle { connection });
        }
    }

    /// Something happens, and the broker may leave work for later.
    pub(crate) fn handle_once(&mut self, input: Input) {
        self.log.push(Step::Handle(self.now, input.clone()));
        self.broker.handle(self.now, input);
        self.drain();
    }

    /// Changes something, and returns what came of it, if that is said.
    pub(crate) fn administer(&mut self, action: Administration) -> Option<Result<(), String>> {
        self.last += 1;
        let (id, action) = (self.last, Box::new(action));
        self.handle(Input::Administer { id, action });
        self.outputs.iter().rev().find_map(|output| match output {
            Output::Administered { id: of, result } if *of == id => {
                Some(result.clone().map_err(|refusal| refusal.text))
            }
            _ => None,
        })
    }

    /// Lets the broker do what it has left for later.
    pub(crate) fn turn(&mut self) {
        let begin = self.turns;
        while self.broker.poll_timeout().is_some_and(|at| at <= self.now) {
            self.turns += 1;
            let turns = self.turns - begin;
            assert!(turns < self.most_turns, "the broker comes to no end");
            self.log.push(Step::Timeout(self.now));
            self.broker.handle_timeout(self.now);
            self.drain();
        }
    }

    /// Lets time pass, with every timeout in its moment.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.broker.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.turn();
        }
        self.now = until;
    }

    /// A slow peer reads: the broker hears of `len` more bytes.
    pub(crate) fn tell(&mut self, connection: ConnectionId, len: usize) {
        let socket = self.socket(connection);
        let len = len.min(socket.untold);
        socket.untold -= len;
        self.handle(Input::Transmitted { connection, len });
    }

    fn drain(&mut self) {
        let mut told = Vec::new();
        let mut appended = false;
        while let Some(output) = self.broker.poll_output() {
            match &output {
                Output::Transmit { connection, bytes } => {
                    let socket = self.sockets.get_mut(connection).unwrap();
                    assert!(!socket.closed, "bytes after the close");
                    socket.received.extend_from_slice(bytes);
                    if socket.slow {
                        socket.untold += bytes.len();
                    } else {
                        told.push((*connection, bytes.len()));
                    }
                }
                Output::Close { connection } => self.socket(*connection).closed = true,
                Output::Pause { connection } => self.socket(*connection).paused = true,
                Output::Resume { connection } => self.socket(*connection).paused = false,
                Output::Append { position, slices } => {
                    self.store.append(*position, slices);
                    appended = true;
                }
                Output::Trim { before } => self.store.trim(*before),
                Output::Read { id, position, len } => {
                    let bytes = self.store.read(*position, *len);
                    self.reads.push((*id, bytes));
                }
                // The test answers it.
                Output::Drain { .. } | Output::Authenticate { .. } | Output::Prove { .. } => {}
                // For the operator.
                Output::Report(_) | Output::Administered { .. } => {}
                other => panic!("{other:?}"),
            }
            self.outputs.push(output);
        }
        if appended && self.store.is_quick {
            self.sync_once();
        }
        for (connection, len) in told {
            self.handle_once(Input::Transmitted { connection, len });
        }
        if !self.reads_slowly {
            self.read_once();
        }
    }

    /// What was asked for has been read.
    pub(crate) fn read(&mut self) {
        self.read_once();
        self.turn();
    }

    fn read_once(&mut self) {
        for (id, bytes) in std::mem::take(&mut self.reads) {
            self.handle_once(Input::Read { id, bytes });
        }
    }
}
