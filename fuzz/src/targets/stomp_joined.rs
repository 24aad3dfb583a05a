//! A client and a server of STOMP, joined by pipes from which any number of bytes arrive at
//! a time: what is sent comes, in its order and whole, and no earlier than its transaction is
//! committed; each receipt comes once; each message is acknowledged once.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use stomp_codec::connection::{
    Accept, AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Operation,
    Options, ReceiptId, ServerConfig, ServerConnection, ServerEvent, Subscription, Transaction,
};
use stomp_codec::{Headers, Version};

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// A body of so many bytes, with a receipt or without, in the transaction or not.
    Send(u16, bool, bool),
    Deliver(u16),
    Begin,
    /// The transaction is committed, or aborted.
    End(bool),
    /// So many bytes arrive there.
    ToServer(u16),
    ToClient(u16),
}

#[derive(Arbitrary, Debug)]
struct Input {
    version: u8,
    individual: bool,
    steps: Vec<Step>,
}

struct World {
    client: ClientConnection,
    server: ServerConnection,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    subscription: Option<Subscription>,
    /// Bodies on their way, the oldest first.
    sent: VecDeque<usize>,
    delivered: VecDeque<usize>,
    /// The transaction that is open, and the bodies in it.
    transaction: Option<(Transaction, Vec<usize>)>,
    receipts: BTreeSet<String>,
    awaited: Vec<ReceiptId>,
    individual: bool,
    /// Messages to the client: sent, arrived, and those of them that it acknowledges.
    messages: u64,
    came: u64,
    acknowledged: u64,
}

/// Less than what a server keeps of a transaction.
const IN_TRANSACTION: usize = 8;

const NOW: Duration = Duration::ZERO;

/// A body that says how long it is, with everything in it that a body may have.
fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ length) as u8).collect()
}

impl World {
    fn new(input: &Input) -> Self {
        let version = Version::ALL[usize::from(input.version) % 3];
        let config = ClientConfig::default().with_versions([version]);
        let mut client = ClientConnection::new(NOW, config);
        let options = ConnectOptions {
            host: "/",
            ..ConnectOptions::default()
        };
        client.connect(NOW, &options).expect("the first");
        let mut world = Self {
            client,
            server: ServerConnection::new(NOW, ServerConfig::default()),
            to_server: Vec::new(),
            to_client: Vec::new(),
            subscription: None,
            sent: VecDeque::new(),
            delivered: VecDeque::new(),
            transaction: None,
            receipts: BTreeSet::new(),
            awaited: Vec::new(),
            individual: input.individual && version > Version::V1_0,
            messages: 0,
            came: 0,
            acknowledged: 0,
        };
        world.settle();
        let mode = match world.individual {
            true => AckMode::ClientIndividual,
            false => AckMode::Client,
        };
        world
            .client
            .subscribe("/queue/a", mode, Headers::NONE, Options::default())
            .expect("connected");
        world.settle();
        world
    }

    fn settle(&mut self) {
        while self.move_to_server(usize::MAX) + self.move_to_client(usize::MAX) > 0 {}
    }

    fn arrived(sent: &mut VecDeque<usize>, got: &[u8]) {
        let length = sent.pop_front().expect("it was sent");
        assert!(got == body(length), "a body of {length} bytes");
    }

    fn move_to_server(&mut self, most: usize) -> usize {
        self.client.poll_transmit(NOW, &mut self.to_server);
        let length = most.min(self.to_server.len());
        let mut input = &self.to_server[..length];
        while let Some(event) = self.server.receive(NOW, &mut input).expect("legal") {
            let receipt = match event {
                ServerEvent::Connect(_) => {
                    self.server
                        .accept(NOW, &Accept::default())
                        .expect("asked for");
                    None
                }
                ServerEvent::Subscribe(subscribe) => {
                    self.subscription = Some(subscribe.subscription);
                    subscribe.receipt
                }
                ServerEvent::Send(send) => {
                    Self::arrived(&mut self.sent, send.body());
                    send.receipt
                }
                ServerEvent::Commit {
                    operations,
                    receipt,
                    ..
                } => {
                    for operation in operations {
                        if let Operation::Send(send) = operation {
                            Self::arrived(&mut self.sent, send.as_send().body());
                        }
                    }
                    receipt
                }
                _ => None,
            };
            if let Some(receipt) = receipt {
                assert!(self.receipts.insert(receipt.to_string()), "{receipt} twice");
                self.server.receipt(&receipt).expect("it is asked for");
            }
        }
        let taken = length - input.len();
        self.to_server.drain(..taken);
        taken
    }

    fn move_to_client(&mut self, most: usize) -> usize {
        self.server.poll_transmit(NOW, &mut self.to_client);
        let length = most.min(self.to_client.len());
        let mut input = &self.to_client[..length];
        while let Some(event) = self.client.receive(NOW, &mut input).expect("legal") {
            match event {
                ClientEvent::Message(message) => {
                    Self::arrived(&mut self.delivered, message.body());
                    let token = message.ack.expect("the mode is one with ACKs");
                    // Every other one is acknowledged, by its token.
                    self.came += 1;
                    if self.came.is_multiple_of(2) {
                        self.acknowledged += 1;
                        self.client
                            .ack(&token, Headers::NONE, Options::default())
                            .expect("connected");
                    }
                }
                ClientEvent::Receipt(receipt) => {
                    let at = self.awaited.iter().position(|it| *it == receipt);
                    self.awaited
                        .swap_remove(at.expect("it is awaited, and comes once"));
                }
                _ => {}
            }
        }
        let taken = length - input.len();
        self.to_client.drain(..taken);
        taken
    }

    fn step(&mut self, step: Step) {
        // More than a read, and not so much that a run takes long.
        let size = |length: u16| usize::from(length) % 3000;
        match step {
            Step::Send(length, receipt, in_transaction) => {
                let open = self
                    .transaction
                    .as_mut()
                    .filter(|(_, bodies)| in_transaction && bodies.len() < IN_TRANSACTION);
                let options = Options {
                    receipt,
                    transaction: open.as_ref().map(|(transaction, _)| *transaction),
                };
                let sent = &mut self.sent;
                match open {
                    Some((_, bodies)) => bodies.push(size(length)),
                    None => sent.push_back(size(length)),
                }
                let receipt = self
                    .client
                    .send("/queue/a", Headers::NONE, &body(size(length)), options)
                    .expect("connected");
                self.awaited.extend(receipt);
            }
            Step::Deliver(length) => {
                let subscription = self.subscription.expect("it is subscribed");
                self.messages += 1;
                self.server
                    .deliver(
                        subscription,
                        self.messages,
                        "/queue/a",
                        Headers::NONE,
                        &body(size(length)),
                    )
                    .expect("connected");
                self.delivered.push_back(size(length));
            }
            Step::Begin => {
                if self.transaction.is_none() {
                    let (transaction, receipt) =
                        self.client.begin(Options::RECEIPT).expect("connected");
                    self.transaction = Some((transaction, Vec::new()));
                    self.awaited.extend(receipt);
                }
            }
            Step::End(commit) => {
                if let Some((transaction, bodies)) = self.transaction.take() {
                    let receipt = match commit {
                        true => {
                            self.sent.extend(bodies);
                            self.client.commit(transaction, Options::RECEIPT)
                        }
                        false => self.client.abort(transaction, Options::RECEIPT),
                    };
                    self.awaited.extend(receipt.expect("it was begun"));
                }
            }
            Step::ToServer(most) => {
                self.move_to_server(most.into());
            }
            Step::ToClient(most) => {
                self.move_to_client(most.into());
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
    world.settle();
    assert!(world.sent.is_empty() && world.delivered.is_empty());
    assert!(world.client.is_open() && world.server.is_open());
    assert_eq!(world.awaited, [], "receipts that never came");
    let waiting = world.server.unacknowledged().count() as u64;
    // In the mode `client` an ACK is for all before it.
    let expected = match world.individual {
        true => world.messages - world.acknowledged,
        false => world.messages % 2,
    };
    assert_eq!(waiting, expected);
}
