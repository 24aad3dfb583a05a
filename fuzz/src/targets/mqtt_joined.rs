//! A client and a server of MQTT, joined by pipes that are cut at any time. Whatever
//! happens between, once they are connected again: a message with QoS 1 has come, one with
//! QoS 2 has come once, and none has overtaken another of its QoS (sections 4.3, 4.4, 4.6).

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, MessageBuf, ServerConfig,
    ServerConnection, ServerEvent, Session,
};
use mqtt_codec::{
    Connect, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS, ReasonCode,
};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    ClientPublishes(u8),
    ServerPublishes(u8),
    /// So many bytes arrive there.
    ToServer(u8),
    ToClient(u8),
    /// What is on its way is lost, and the two connect again.
    Lose,
    /// Tenths of a second.
    Wait(u8),
}

#[derive(Arbitrary, Debug)]
struct Input {
    five: bool,
    window: u8,
    steps: Vec<Step>,
}

struct World {
    version: ProtocolVersion,
    window: u16,
    now: Duration,
    client: ClientConnection,
    server: ServerConnection,
    /// What the server kept, until the client has connected.
    kept: Option<Session>,
    had_session: bool,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    by_client: Ledger,
    by_server: Ledger,
}

/// Messages of one direction: number `n` is the `n`th that was accepted.
#[derive(Default)]
struct Ledger {
    published: Vec<QoS>,
    /// How often each came.
    came: Vec<u32>,
    /// The last number of each QoS that came for the first time.
    last: [Option<usize>; 3],
}

impl Ledger {
    fn next(&self, bits: u8) -> MessageBuf {
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(bits) % 3];
        let number = self.published.len() as u32;
        MessageBuf::new("a/b", number.to_be_bytes().to_vec(), qos)
    }

    fn accepted(&mut self, message: &MessageBuf) {
        self.published.push(message.qos);
        self.came.push(0);
    }

    fn arrived(&mut self, qos: QoS, payload: &[u8]) {
        let number = u32::from_be_bytes(payload.try_into().expect("four bytes")) as usize;
        assert_eq!(self.published.get(number), Some(&qos), "message {number}");
        if self.came[number] == 0 {
            let last = &mut self.last[qos as usize];
            assert!(*last < Some(number), "{number} comes after {last:?}");
            *last = Some(number);
        }
        self.came[number] += 1;
        assert!(
            qos == QoS::AtLeastOnce || self.came[number] == 1,
            "{number} with {qos:?} twice"
        );
    }

    fn check(&self) {
        for (number, (qos, came)) in self.published.iter().zip(&self.came).enumerate() {
            match qos {
                QoS::AtMostOnce => assert!(*came <= 1, "message {number} came {came} times"),
                QoS::AtLeastOnce => assert!(*came >= 1, "message {number} never came"),
                QoS::ExactlyOnce => assert_eq!(*came, 1, "message {number}"),
            }
        }
    }
}

impl World {
    fn new(input: &Input) -> Self {
        let now = Duration::ZERO;
        let mut world = Self {
            version: match input.five {
                false => ProtocolVersion::V3_1_1,
                true => ProtocolVersion::V5_0,
            },
            window: u16::from(input.window % 8) + 1,
            now,
            client: ClientConnection::new(now, ClientConfig::default()),
            server: ServerConnection::new(now, ServerConfig::default()),
            kept: Some(Session::new()),
            had_session: false,
            to_server: Vec::new(),
            to_client: Vec::new(),
            by_client: Ledger::default(),
            by_server: Ledger::default(),
        };
        world.connect(Session::new());
        // The first connection is whole: a client that has never heard of a session knows
        // of none that the server has.
        world.settle();
        world
    }

    fn connect(&mut self, session: Session) {
        let config = ClientConfig::default().with_maximum_in_flight(self.window);
        self.client = ClientConnection::new(self.now, config);
        let mut properties = PropertiesBuilder::new();
        if self.version.has_properties() {
            properties
                .push(Property::SessionExpiryInterval(u32::MAX))
                .expect("the first");
        }
        let connect = Connect {
            properties: properties.as_properties(),
            ..Connect::resume(self.version, "c".try_into().expect("it is one"))
        };
        self.client
            .connect(self.now, &connect, session)
            .expect("it is the first thing said");
        self.server = ServerConnection::new(self.now, ServerConfig::default());
    }

    fn lose(&mut self) {
        self.to_server.clear();
        self.to_client.clear();
        let none = |now| ServerConnection::new(now, ServerConfig::default());
        let server = std::mem::replace(&mut self.server, none(self.now));
        // One that was never accepted has no session to hand back: it waits still.
        if self.kept.is_none() {
            self.kept = Some(server.into_session());
        }
        let none = ClientConnection::new(self.now, ClientConfig::default());
        let session = std::mem::replace(&mut self.client, none).into_session();
        self.connect(session);
    }

    /// Everything arrives and is answered, until nobody has anything to say.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let moved = self.move_to_server(usize::MAX) + self.move_to_client(usize::MAX);
            if moved == 0 {
                return;
            }
        }
        panic!("the two find no end");
    }

    fn move_to_server(&mut self, most: usize) -> usize {
        self.client.poll_transmit(self.now, &mut self.to_server);
        let length = most.min(self.to_server.len());
        let mut input = &self.to_server[..length];
        while let Some(event) = self.server.receive(self.now, &mut input).expect("legal") {
            match event {
                ServerEvent::Connect(_) => {
                    let accept = Accept {
                        session_present: self.had_session,
                        ..Accept::default()
                    };
                    self.had_session = true;
                    let session = self.kept.take().expect("it was not accepted yet");
                    self.server
                        .accept(self.now, &accept, session)
                        .expect("it is asked for");
                }
                ServerEvent::Publish(publish) => {
                    self.by_client.arrived(publish.qos, publish.payload);
                    if let Some(identifier) = publish.packet_identifier {
                        self.server
                            .acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)
                            .expect("it waits for that");
                    }
                }
                _ => {}
            }
        }
        let taken = length - input.len();
        self.to_server.drain(..taken);
        taken
    }

    fn move_to_client(&mut self, most: usize) -> usize {
        self.server.poll_transmit(self.now, &mut self.to_client);
        let length = most.min(self.to_client.len());
        let mut input = &self.to_client[..length];
        while let Some(event) = self.client.receive(self.now, &mut input).expect("legal") {
            if let ClientEvent::Publish(publish) = event {
                self.by_server.arrived(publish.qos, publish.payload);
            }
        }
        let taken = length - input.len();
        self.to_client.drain(..taken);
        taken
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::ClientPublishes(bits) => {
                let message = self.by_client.next(bits);
                if self.client.is_open() && self.client.publish(&message.as_message()).is_ok() {
                    self.by_client.accepted(&message);
                }
            }
            Step::ServerPublishes(bits) => {
                let message = self.by_server.next(bits);
                if self.server.is_open() && self.server.publish(&message.as_message()).is_ok() {
                    self.by_server.accepted(&message);
                }
            }
            Step::ToServer(most) => {
                self.move_to_server(most.into());
            }
            Step::ToClient(most) => {
                self.move_to_client(most.into());
            }
            Step::Lose => self.lose(),
            Step::Wait(tenths) => {
                self.now += Duration::from_millis(100) * u32::from(tenths);
                let late = |at: Option<Duration>| at.is_some_and(|at| at <= self.now);
                let (client, server) = (self.client.poll_timeout(), self.server.poll_timeout());
                // Whoever has waited too long gives up, and that is a loss like any other.
                let mut lost = false;
                if late(client) {
                    lost |= self.client.handle_timeout(self.now).is_err();
                    assert!(self.client.poll_timeout().is_none_or(|at| at > self.now));
                }
                if late(server) {
                    lost |= self.server.handle_timeout(self.now).is_err();
                    assert!(self.server.poll_timeout().is_none_or(|at| at > self.now));
                }
                if lost {
                    self.lose();
                }
            }
        }
    }
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut world = World::new(&input);
    for step in &input.steps {
        world.step(*step);
    }
    // What was lost is sent again on the next connection.
    world.lose();
    world.settle();
    assert!(world.client.is_open() && world.server.is_open());
    world.by_client.check();
    world.by_server.check();
    assert!(
        world.client.session().is_empty(),
        "{:?}",
        world.client.session()
    );
    assert!(
        world.server.session().is_empty(),
        "{:?}",
        world.server.session()
    );
}
