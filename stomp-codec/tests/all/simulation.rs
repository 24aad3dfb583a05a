//! A client, a server and the network between them under random schedules: what is
//! done, how many bytes pass at a time, how much a side takes, when time goes on. A
//! seed gives the same run each time, and a run that fails tells its seed.

use std::collections::{BTreeMap, VecDeque};
use std::mem::take;
use std::time::Duration;

use stomp_codec::connection::{
    Accept, AckMode, AckToken, ClientConfig, ClientConnection, ClientEvent, ConnectOptions,
    HeartBeat, Operation, Options, ReceiptId, ServerConfig, ServerConnection, ServerEvent,
    Subscription, Transaction,
};
use stomp_codec::{Headers, Version};

const SEEDS: u64 = 4000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// One of those that there are.
    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())])
    }
}

/// What is on its way from one side to the other.
#[derive(Default)]
struct Wire {
    flying: VecDeque<u8>,
    /// What has arrived and was not taken yet.
    buffer: Vec<u8>,
}

impl Wire {
    fn arrive(&mut self, count: usize) {
        let count = count.min(self.flying.len());
        self.buffer.extend(self.flying.drain(..count));
    }
}

/// What the client did, that the server has to hear of, in this order.
#[derive(Clone, Debug, PartialEq)]
enum Heard {
    Send(u64),
    Subscribe(u64, AckMode),
    Unsubscribe(u64),
    Ack(u64),
    Nack(u64),
    Commit(Vec<Self>),
    Disconnect,
}

/// A subscription as the server's application sees it.
struct Subscribed {
    subscription: Subscription,
    mode: AckMode,
    is_open: bool,
    unsettled: Vec<u64>,
}

struct World {
    random: Random,
    now: Duration,
    client: ClientConnection,
    server: ServerConnection,
    to_server: Wire,
    to_client: Wire,
    /// What the server is still to hear.
    expected: VecDeque<Heard>,
    receipts: VecDeque<ReceiptId>,
    last_send: u64,
    transactions: Vec<(Transaction, Vec<Heard>)>,
    client_subscriptions: Vec<Subscription>,
    /// Messages that the client can acknowledge, each once.
    tokens: Vec<(u64, AckToken<'static>)>,
    /// The server's subscriptions, by number from 1.
    subscribed: Vec<Subscribed>,
    /// Which subscription each message was sent to, and the bodies that the client is
    /// still to get.
    message_of: BTreeMap<u64, usize>,
    messages: VecDeque<(u64, Vec<u8>)>,
    last_message: u64,
    /// A body that comes in parts: what it is of, and its receipt.
    upload: Option<(u64, Option<String>, Vec<u8>)>,
    /// What remains of the bodies that the two sides send in parts.
    sending: (Vec<u8>, Vec<u8>),
    download: Option<(u64, Option<AckToken<'static>>, Vec<u8>)>,
}

/// The body of the thing with this number: some longer than others, some with NUL.
fn body(number: u64) -> Vec<u8> {
    let mut body = number.to_string().into_bytes();
    body.push(b' ');
    body.resize(body.len() + (number * 7 % 40) as usize, (number % 3) as u8);
    body
}

fn number(body: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(body);
    let number = text.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(body, self::body(number));
    number
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let version = Version::ALL[random.below(3)];
        let beat = |random: &mut Random| HeartBeat {
            send: Duration::from_millis(random.below(3) as u64 * 500),
            receive: Duration::from_millis(random.below(3) as u64 * 500),
        };
        let thresholds = [0, 1, 10, usize::MAX];
        let mut config = ClientConfig::default();
        config.versions = Version::ALL[..=version as usize].to_vec();
        config.heart_beat = beat(&mut random);
        config.limits.assembled_size = thresholds[random.below(4)];
        let client = ClientConnection::new(Duration::ZERO, config);
        let mut config = ServerConfig::default();
        config.heart_beat = beat(&mut random);
        config.limits.assembled_size = thresholds[random.below(4)];
        let server = ServerConnection::new(Duration::ZERO, config);
        Self {
            random,
            now: Duration::ZERO,
            client,
            server,
            to_server: Wire::default(),
            to_client: Wire::default(),
            expected: VecDeque::new(),
            receipts: VecDeque::new(),
            last_send: 0,
            transactions: Vec::new(),
            client_subscriptions: Vec::new(),
            tokens: Vec::new(),
            subscribed: Vec::new(),
            message_of: BTreeMap::new(),
            messages: VecDeque::new(),
            last_message: 0,
            upload: None,
            sending: (Vec::new(), Vec::new()),
            download: None,
        }
    }

    /// Lets the client's and the server's bytes onto the wire, as many as fit.
    fn transmit(&mut self, room: usize) {
        self.pass();
        let mut out = vec![0; room];
        let count = self.client.poll_transmit(self.now, &mut &mut out[..]);
        self.to_server.flying.extend(&out[..count]);
        let count = self.server.poll_transmit(self.now, &mut &mut out[..]);
        self.to_client.flying.extend(&out[..count]);
    }

    /// Gives the server what has arrived, until it has made so many events.
    fn serve(&mut self, mut events: usize) {
        let buffer = take(&mut self.to_server.buffer);
        let mut input = buffer.as_slice();
        while events > 0
            && let Some(event) = self.server.receive(self.now, &mut input).unwrap()
        {
            events -= 1;
            self.pass();
            let receipt = match event {
                ServerEvent::Connect(_) => {
                    self.server.accept(self.now, &Accept::default()).unwrap();
                    None
                }
                ServerEvent::Send(send) if send.is_whole() => {
                    self.hear(&Heard::Send(number(send.body())));
                    send.receipt.map(String::from)
                }
                ServerEvent::Send(send) => {
                    self.upload = Some((0, send.receipt.map(String::from), Vec::new()));
                    None
                }
                ServerEvent::Body {
                    part, remaining, ..
                } => {
                    let (_, receipt, mut body) = self.upload.take().unwrap();
                    body.extend_from_slice(part);
                    if remaining == Some(0) {
                        self.hear(&Heard::Send(number(&body)));
                        receipt
                    } else {
                        self.upload = Some((0, receipt, body));
                        None
                    }
                }
                ServerEvent::Subscribe(subscribe) => {
                    self.subscribed.push(Subscribed {
                        subscription: subscribe.subscription,
                        mode: subscribe.ack,
                        is_open: true,
                        unsettled: Vec::new(),
                    });
                    let count = self.subscribed.len() as u64;
                    self.hear(&Heard::Subscribe(count, subscribe.ack));
                    subscribe.receipt.map(String::from)
                }
                ServerEvent::Unsubscribe {
                    subscription,
                    unacknowledged,
                    receipt,
                    ..
                } => {
                    let at = subscription.get();
                    self.hear(&Heard::Unsubscribe(at));
                    let known = &mut self.subscribed[at as usize - 1];
                    known.is_open = false;
                    assert_eq!(*unacknowledged, take(&mut known.unsettled)[..]);
                    receipt.map(String::from)
                }
                ServerEvent::Ack(ack) => {
                    self.settle(&ack.deliveries, false);
                    ack.receipt.map(String::from)
                }
                ServerEvent::Nack(nack) => {
                    self.settle(&nack.deliveries, true);
                    nack.receipt.map(String::from)
                }
                ServerEvent::Commit {
                    operations,
                    receipt,
                    ..
                } => {
                    self.commit(&operations);
                    receipt.map(String::from)
                }
                ServerEvent::Disconnect {
                    unacknowledged,
                    receipt,
                    ..
                } => {
                    self.hear(&Heard::Disconnect);
                    let left = self.subscribed.iter_mut().flat_map(|known| {
                        known.is_open = false;
                        let subscription = known.subscription;
                        let unsettled = take(&mut known.unsettled).into_iter();
                        unsettled.map(move |message| (subscription, message))
                    });
                    assert_eq!(unacknowledged, left.collect::<Vec<_>>());
                    receipt.map(String::from)
                }
                event => panic!("{event:?}"),
            };
            if let Some(receipt) = receipt {
                self.server.receipt(&receipt).unwrap();
            }
        }
        self.to_server.buffer = input.to_vec();
    }

    fn hear(&mut self, heard: &Heard) {
        assert_eq!(self.expected.pop_front().as_ref(), Some(heard));
    }

    fn settle(&mut self, messages: &[u64], is_nack: bool) {
        match self.expected.pop_front() {
            Some(Heard::Ack(number)) if !is_nack => self.check_settled(number, messages),
            Some(Heard::Nack(number)) if is_nack => self.check_settled(number, messages),
            expected => panic!("{expected:?}"),
        }
    }

    /// What an ACK or NACK of a message has to settle, said once more: itself, if that
    /// is not settled, and in mode client all before it.
    fn check_settled(&mut self, number: u64, messages: &[u64]) {
        let known = &mut self.subscribed[self.message_of[&number]];
        let mut expected = Vec::new();
        if known.unsettled.contains(&number) {
            let is_client = known.mode == AckMode::Client;
            let settles = |at: &u64| *at == number || (is_client && *at < number);
            (expected, known.unsettled) = known.unsettled.iter().copied().partition(settles);
        }
        assert_eq!(messages, expected, "message {number}");
    }

    fn commit(&mut self, operations: &[Operation]) {
        let Some(Heard::Commit(expected)) = self.expected.pop_front() else {
            panic!("a COMMIT that was not expected");
        };
        assert_eq!(operations.len(), expected.len());
        for (operation, expected) in operations.iter().zip(expected) {
            match (operation, expected) {
                (Operation::Send(send), Heard::Send(at)) => {
                    assert_eq!(number(send.as_send().body()), at);
                }
                (Operation::Ack { deliveries, .. }, Heard::Ack(at))
                | (Operation::Nack { deliveries, .. }, Heard::Nack(at)) => {
                    self.check_settled(at, deliveries);
                }
                (operation, expected) => panic!("{operation:?}, not {expected:?}"),
            }
        }
    }

    /// Gives the client what has arrived, until it has made so many events.
    fn consume(&mut self, mut events: usize) {
        let buffer = take(&mut self.to_client.buffer);
        let mut input = buffer.as_slice();
        while events > 0
            && let Some(event) = self.client.receive(self.now, &mut input).unwrap()
        {
            events -= 1;
            self.pass();
            match event {
                ClientEvent::Connected(_) => {}
                ClientEvent::Message(message) => {
                    let token = message.ack.clone().map(AckToken::into_owned);
                    let body = message.body().to_vec();
                    if message.is_whole() {
                        self.got(&body, token);
                    } else {
                        self.download = Some((0, token, body));
                    }
                }
                ClientEvent::Body {
                    part, remaining, ..
                } => {
                    let (_, token, mut body) = self.download.take().unwrap();
                    body.extend_from_slice(part);
                    if remaining == Some(0) {
                        self.got(&body, token);
                    } else {
                        self.download = Some((0, token, body));
                    }
                }
                ClientEvent::Receipt(receipt) => {
                    assert_eq!(self.receipts.pop_front(), Some(receipt));
                }
                event => panic!("{event:?}"),
            }
        }
        self.to_client.buffer = input.to_vec();
    }

    fn got(&mut self, body: &[u8], token: Option<AckToken<'static>>) {
        let (number, expected) = self.messages.pop_front().unwrap();
        assert_eq!(body, expected);
        let known = &self.subscribed[self.message_of[&number]];
        assert!(token.is_some() || known.mode == AckMode::Auto);
        self.tokens.extend(token.map(|token| (number, token)));
    }

    /// Something that the client's user does, if there is anything to do it to.
    fn act(&mut self) {
        let Some(version) = self.client.version() else {
            return;
        };
        let modes = [AckMode::Auto, AckMode::Client, AckMode::ClientIndividual];
        let within = self.random.below(self.transactions.len() * 2 + 1);
        let within = self.transactions.get(within).map(|_| within);
        let options = Options {
            transaction: within.map(|at| self.transactions[at].0),
            receipt: self.random.below(2) == 0,
        };
        let alone = Options {
            transaction: None,
            ..options
        };
        let client = &mut self.client;
        let (receipt, heard) = match self.random.below(10) {
            0 => {
                let modes = &modes[..if version == Version::V1_0 { 2 } else { 3 }];
                let mode = modes[self.random.below(modes.len())];
                let destination = format!("/queue/{}", self.client_subscriptions.len());
                let subscribed = client.subscribe(&destination, mode, Headers::NONE, alone);
                let (subscription, receipt) = subscribed.unwrap();
                self.client_subscriptions.push(subscription);
                (receipt, Some(Heard::Subscribe(subscription.get(), mode)))
            }
            1 => {
                let Some(subscription) = self.random.pick(&self.client_subscriptions) else {
                    return;
                };
                let Ok(receipt) = client.unsubscribe(subscription, Headers::NONE, alone) else {
                    return;
                };
                (receipt, Some(Heard::Unsubscribe(subscription.get())))
            }
            2 => {
                let (transaction, receipt) = client.begin(alone).unwrap();
                self.transactions.push((transaction, Vec::new()));
                (receipt, None)
            }
            3 if !self.transactions.is_empty() => {
                let at = self.random.below(self.transactions.len());
                let (transaction, operations) = self.transactions.remove(at);
                let receipt = client.commit(transaction, alone).unwrap();
                (receipt, Some(Heard::Commit(operations)))
            }
            4 if !self.transactions.is_empty() => {
                let at = self.random.below(self.transactions.len());
                let (transaction, _) = self.transactions.remove(at);
                (client.abort(transaction, alone).unwrap(), None)
            }
            5 | 6 if !self.tokens.is_empty() => {
                let at = self.random.below(self.tokens.len());
                let (number, token) = self.tokens.remove(at);
                if version > Version::V1_0 && self.random.below(3) == 0 {
                    let receipt = client.nack(&token, Headers::NONE, options).unwrap();
                    (receipt, self.hold(within, Heard::Nack(number)))
                } else {
                    let receipt = client.ack(&token, Headers::NONE, options).unwrap();
                    (receipt, self.hold(within, Heard::Ack(number)))
                }
            }
            7 if self.sending.0.is_empty() => {
                self.last_send += 1;
                let number = self.last_send;
                self.sending.0 = body(number);
                let length = self.sending.0.len();
                let receipt = client.begin_send("/queue/x", Headers::NONE, length as u64, options);
                (receipt.unwrap(), self.hold(within, Heard::Send(number)))
            }
            _ => {
                self.last_send += 1;
                let number = self.last_send;
                let receipt = client.send("/queue/x", [("x", "y")], &body(number), options);
                (receipt.unwrap(), self.hold(within, Heard::Send(number)))
            }
        };
        self.receipts.extend(receipt);
        self.expected.extend(heard);
    }

    /// What the server hears of at once, or else when the transaction is committed.
    fn hold(&mut self, within: Option<usize>, heard: Heard) -> Option<Heard> {
        match within {
            None => Some(heard),
            Some(at) => {
                self.transactions[at].1.push(heard);
                None
            }
        }
    }

    /// The server's application sends a message to one of the subscriptions.
    fn deliver(&mut self) {
        let open = self.subscribed.iter().enumerate();
        let open: Vec<_> = open.filter(|(_, s)| s.is_open).map(|(at, _)| at).collect();
        let Some(at) = self.random.pick(&open) else {
            return;
        };
        let known = &mut self.subscribed[at];
        self.last_message += 1;
        let number = self.last_message;
        let body = body(number);
        let server = &mut self.server;
        let sent = if self.sending.1.is_empty() && number.is_multiple_of(2) {
            self.sending.1 = body.clone();
            server.begin_deliver(
                known.subscription,
                number,
                "/queue/x",
                Headers::NONE,
                body.len() as u64,
            )
        } else {
            server.deliver(known.subscription, number, "/queue/x", Headers::NONE, &body)
        };
        sent.unwrap();
        if known.mode != AckMode::Auto {
            known.unsettled.push(number);
        }
        self.message_of.insert(number, at);
        self.messages.push_back((number, body));
    }

    /// The next parts of bodies, of so many bytes.
    fn send_parts(&mut self, count: usize) {
        let (up, down) = &mut self.sending;
        let count = (count.min(up.len()), count.min(down.len()));
        let part: Vec<u8> = up.drain(..count.0).collect();
        assert!(part.is_empty() || self.client.send_body(&part) == Ok(up.len() as u64));
        let part: Vec<u8> = down.drain(..count.1).collect();
        assert!(part.is_empty() || self.server.send_body(&part) == Ok(down.len() as u64));
    }

    /// Everything that is under way arrives.
    fn settle_down(&mut self) {
        loop {
            self.send_parts(usize::MAX);
            self.transmit(1 << 16);
            let quiet = self.to_server.flying.is_empty() && self.to_client.flying.is_empty();
            self.to_server.arrive(usize::MAX);
            self.to_client.arrive(usize::MAX);
            self.serve(usize::MAX);
            self.consume(usize::MAX);
            if quiet && self.server.transmit_len() == 0 && self.client.transmit_len() == 0 {
                return;
            }
        }
    }

    /// A little time passes between two calls.
    fn pass(&mut self) {
        self.now += Duration::from_millis(self.random.below(3) as u64);
    }

    /// Whatever was called at this time, once timeouts are handled at it the next one is
    /// later.
    fn look_at_timers(&mut self) {
        self.client.handle_timeout(self.now).unwrap();
        self.server.handle_timeout(self.now).unwrap();
        for next in [self.client.poll_timeout(), self.server.poll_timeout()] {
            assert!(next.is_none_or(|next| next > self.now), "{next:?}");
        }
    }

    /// Time goes on, a little or to the next time that a side has asked for.
    fn wait(&mut self) {
        self.settle_down();
        let next = [self.client.poll_timeout(), self.server.poll_timeout()];
        let next = next.into_iter().flatten().min();
        let step = self.now + Duration::from_millis(self.random.below(400) as u64);
        self.now = next.map_or(step, |next| next.min(step)).max(self.now);
        self.look_at_timers();
    }

    fn run(&mut self, steps: usize) {
        self.client
            .connect(self.now, &ConnectOptions::default())
            .unwrap();
        for _ in 0..steps {
            let count = self.random.below(60);
            let events = 1 + self.random.below(4);
            match self.random.below(10) {
                0..=3 => self.act(),
                4 => self.deliver(),
                5 => {
                    self.send_parts(count);
                    self.transmit(count);
                }
                6 => {
                    self.to_server.arrive(count);
                    self.serve(events);
                }
                7 => {
                    self.to_client.arrive(count);
                    self.consume(events);
                }
                8 => self.wait(),
                _ => self.settle_down(),
            }
            if self.random.below(2) == 0 {
                self.pass();
            }
            self.look_at_timers();
        }
        self.settle_down();
        self.receipts
            .push_back(self.client.close(self.now).unwrap());
        self.expected.push_back(Heard::Disconnect);
        self.settle_down();
        assert!(self.client.is_closed() && self.server.is_closed());
        assert!(self.expected.is_empty() && self.receipts.is_empty());
        assert!(self.messages.is_empty() && self.upload.is_none() && self.download.is_none());
        assert!(self.to_server.buffer.is_empty() && self.to_client.buffer.is_empty());
    }
}

/// Tells the seed when its run panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

// shows: stomp12/RECEIPT/earlier-received
#[test]
fn both_sides_agree_whatever_the_schedule() {
    let (mut sends, mut messages) = (0, 0);
    for seed in 0..SEEDS {
        let _told = Seed(seed);
        let mut world = World::new(seed);
        world.run(120);
        sends += world.last_send;
        messages += world.last_message;
    }
    // The runs are about something.
    assert!(
        sends > 10 * SEEDS && messages > SEEDS,
        "{sends}, {messages}"
    );
}
