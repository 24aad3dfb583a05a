//! Client and server joined in memory: whatever is done, and however the bytes
//! between them are cut, neither complains, and what happens is the same.

use std::time::Duration;

use crate::script::Application;
use proptest::prelude::*;
use stomp_codec::connection::{
    AckMode, AckToken, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, HeartBeat,
    Options, ServerConfig, Subscription, Transaction,
};
use stomp_codec::{Headers, Version};

const NOW: Duration = Duration::ZERO;

/// What a user does. Numbers choose among what is there, if anything is.
#[derive(Clone, Debug)]
enum Do {
    Subscribe(AckMode, u8),
    Unsubscribe(usize),
    Send(String, Vec<u8>, Option<usize>),
    Ack(usize, Option<usize>),
    Nack(usize, Option<usize>),
    Begin,
    Commit(usize),
    Abort(usize),
}

fn actions() -> impl Strategy<Value = Vec<Do>> {
    let mode = prop::sample::select(vec![
        AckMode::Auto,
        AckMode::Client,
        AckMode::ClientIndividual,
    ]);
    let within = || prop::option::of(0usize..4);
    let action = prop_oneof![
        (mode, 0u8..5).prop_map(|(mode, count)| Do::Subscribe(mode, count)),
        (0usize..4).prop_map(Do::Unsubscribe),
        (
            "[a-z:\\\\]{0,5}",
            prop::collection::vec(any::<u8>(), 0..24),
            within()
        )
            .prop_map(|(header, body, within)| Do::Send(header, body, within)),
        (0usize..8, within()).prop_map(|(message, within)| Do::Ack(message, within)),
        (0usize..8, within()).prop_map(|(message, within)| Do::Nack(message, within)),
        Just(Do::Begin),
        (0usize..4).prop_map(Do::Commit),
        (0usize..4).prop_map(Do::Abort),
    ];
    prop::collection::vec(action, 0..30)
}

struct Joined {
    client: ClientConnection,
    server: Application,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    cuts: Vec<usize>,
    turn: usize,
    events: Vec<String>,
    receipts: usize,
    subscriptions: Vec<Subscription>,
    transactions: Vec<Transaction>,
    /// Messages that were not named by an ACK or NACK yet.
    messages: Vec<(Subscription, AckToken<'static>)>,
}

impl Joined {
    /// Bodies of more than `assembled` bytes come in parts on both sides.
    fn new(version: Version, assembled: usize, cuts: Vec<usize>) -> Self {
        let mut config = ClientConfig::default();
        config.versions = vec![version];
        config.heart_beat = HeartBeat::NONE;
        config.limits.assembled_size = assembled;
        let mut server = ServerConfig::default();
        server.limits.assembled_size = assembled;
        let mut joined = Self {
            client: ClientConnection::new(NOW, config),
            server: Application::new(server),
            to_server: Vec::new(),
            to_client: Vec::new(),
            cuts,
            turn: 0,
            events: Vec::new(),
            receipts: 0,
            subscriptions: Vec::new(),
            transactions: Vec::new(),
            messages: Vec::new(),
        };
        joined
            .client
            .connect(NOW, &ConnectOptions::default())
            .unwrap();
        joined.exchange();
        joined
    }

    fn cut(&mut self) -> usize {
        self.turn += 1;
        self.cuts[self.turn % self.cuts.len()]
    }

    /// Until neither side has anything to say.
    fn exchange(&mut self) {
        loop {
            let mut sent = Vec::new();
            self.client.poll_transmit(NOW, &mut sent);
            let mut answered = Vec::new();
            let mut rest = sent.as_slice();
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at(self.cut().min(rest.len()));
                rest = tail;
                self.to_server.extend_from_slice(piece);
                let left = self.server.receive(NOW, &self.to_server).len();
                self.to_server.drain(..self.to_server.len() - left);
                answered.append(&mut self.server.take_sent());
            }
            let mut rest = answered.as_slice();
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at(self.cut().min(rest.len()));
                rest = tail;
                self.to_client.extend_from_slice(piece);
                self.receive();
            }
            if sent.is_empty() && answered.is_empty() {
                return;
            }
        }
    }

    fn receive(&mut self) {
        let mut input = self.to_client.as_slice();
        while let Some(event) = self.client.receive(NOW, &mut input).unwrap() {
            match event {
                ClientEvent::Message(message) => {
                    let subscription = message.subscription;
                    let body = String::from_utf8_lossy(message.body());
                    self.events.push(format!(
                        "message {subscription:?} {} {body}",
                        message.destination
                    ));
                    let token = message.ack.map(AckToken::into_owned);
                    self.messages.extend(subscription.zip(token));
                }
                ClientEvent::Body { part, .. } => {
                    let message = self.events.last_mut().expect("its MESSAGE came before");
                    *message += &String::from_utf8_lossy(part);
                }
                ClientEvent::Receipt(_) => self.receipts += 1,
                event => self.events.push(format!("{event:?}")),
            }
        }
        let left = input.len();
        self.to_client.drain(..self.to_client.len() - left);
    }

    /// Does it if there is something to do it to, with a receipt.
    fn act(&mut self, action: &Do) -> bool {
        let version = self.client.version().unwrap();
        let pick = |from: &[Transaction], within: &Option<usize>| {
            within.and_then(|n| from.get(n).copied())
        };
        let options = |transaction| Options {
            transaction,
            receipt: true,
        };
        let client = &mut self.client;
        match action {
            Do::Subscribe(AckMode::ClientIndividual, _) | Do::Nack(..)
                if version == Version::V1_0 =>
            {
                return false;
            }
            Do::Subscribe(mode, count) => {
                let (count, number) = (count.to_string(), self.subscriptions.len());
                let destination = format!("/queue/{number}");
                let headers = [("send", &*count), ("size", "12")];
                let (subscription, _) = client
                    .subscribe(&destination, *mode, headers, Options::RECEIPT)
                    .unwrap();
                self.subscriptions.push(subscription);
            }
            Do::Unsubscribe(n) => {
                let Some(subscription) = self.subscriptions.get(*n).copied() else {
                    return false;
                };
                self.subscriptions.remove(*n);
                // Its messages may still be acknowledged; that settles nothing.
                client
                    .unsubscribe(subscription, Headers::NONE, Options::RECEIPT)
                    .unwrap();
            }
            Do::Send(header, body, within) => {
                let transaction = pick(&self.transactions, within);
                client
                    .send("/queue/x", [("x", &**header)], body, options(transaction))
                    .unwrap();
            }
            Do::Ack(n, within) | Do::Nack(n, within) => {
                if *n >= self.messages.len() {
                    return false;
                }
                let (_, token) = self.messages.remove(*n);
                let options = options(pick(&self.transactions, within));
                match action {
                    Do::Ack(..) => client.ack(&token, Headers::NONE, options).unwrap(),
                    _ => client.nack(&token, Headers::NONE, options).unwrap(),
                };
            }
            Do::Begin => {
                let (transaction, _) = client.begin(Options::RECEIPT).unwrap();
                self.transactions.push(transaction);
            }
            Do::Commit(n) | Do::Abort(n) => {
                let Some(transaction) = self.transactions.get(*n).copied() else {
                    return false;
                };
                self.transactions.remove(*n);
                match action {
                    Do::Commit(_) => client.commit(transaction, Options::RECEIPT).unwrap(),
                    _ => client.abort(transaction, Options::RECEIPT).unwrap(),
                };
            }
        }
        true
    }
}

/// Everything that happened on both sides.
fn play(
    version: Version,
    actions: &[Do],
    assembled: usize,
    cuts: Vec<usize>,
) -> (Vec<String>, Vec<String>) {
    let mut joined = Joined::new(version, assembled, cuts);
    let mut receipts = 1;
    for action in actions {
        receipts += usize::from(joined.act(action));
        joined.exchange();
        assert_eq!(joined.server.transcript.error, None, "{action:?}");
    }
    joined.client.close(NOW).unwrap();
    joined.exchange();
    assert_eq!(joined.receipts, receipts, "one receipt for each frame");
    assert!(joined.client.is_closed() && joined.server.server.is_closed());
    assert!(joined.to_client.is_empty() && joined.to_server.is_empty());
    (joined.server.transcript.events, joined.events)
}

proptest! {
    // shows: stomp12/frames/any-segmentation, stomp11/frames/any-segmentation,
    // shows: stomp10/frames/any-segmentation, stomp12/RECEIPT/earlier-received,
    // shows: stomp12/SUBSCRIBE-id/several, stomp11/SUBSCRIBE-id/several,
    // shows: stomp10/SUBSCRIBE-id/several
    #[test]
    fn the_same_happens_however_it_is_cut(
        version in prop::sample::select(Version::ALL.to_vec()),
        actions in actions(),
        assembled in 0usize..16,
        cuts in prop::collection::vec(1usize..30, 1..10),
    ) {
        let whole = play(version, &actions, usize::MAX, vec![usize::MAX]);
        for assembled in [usize::MAX, assembled] {
            for cuts in [cuts.clone(), vec![1], vec![usize::MAX]] {
                prop_assert_eq!(play(version, &actions, assembled, cuts), whole.clone());
            }
        }
    }

    /// After `handle_timeout(t)` the next time is none or later than `t`, and an
    /// open pair that is driven on time stays open.
    #[test]
    fn time_goes_on(
        beats in (0u64..50, 0u64..50, 0u64..50, 0u64..50),
        late in prop::collection::vec(0u64..12, 1..50),
    ) {
        let beat = |send, receive| HeartBeat {
            send: Duration::from_millis(send),
            receive: Duration::from_millis(receive),
        };
        let mut config = ClientConfig::default();
        config.heart_beat = beat(beats.0, beats.1);
        let mut client = ClientConnection::new(NOW, config);
        let mut config = ServerConfig::default();
        config.heart_beat = beat(beats.2, beats.3);
        let mut server = stomp_codec::connection::ServerConnection::new(NOW, config);

        client.connect(NOW, &ConnectOptions { host: "h", ..ConnectOptions::default() }).unwrap();
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        client.poll_transmit(NOW, &mut to_server);
        server.receive(NOW, &mut to_server.as_slice()).unwrap().unwrap();
        server.accept(NOW, &stomp_codec::connection::Accept::default()).unwrap();
        server.poll_transmit(NOW, &mut to_client);
        client.receive(NOW, &mut to_client.as_slice()).unwrap().unwrap();

        let mut now = NOW;
        for late in late {
            let Some(next) = client.poll_timeout().into_iter().chain(server.poll_timeout()).min() else {
                prop_assert!((beats.0 == 0 || beats.3 == 0) && (beats.2 == 0 || beats.1 == 0));
                return Ok(());
            };
            now = next + Duration::from_millis(late);
            client.handle_timeout(now).unwrap();
            server.handle_timeout(now).unwrap();
            prop_assert!(client.poll_timeout().is_none_or(|at| at > now));
            prop_assert!(server.poll_timeout().is_none_or(|at| at > now));
            to_server.clear();
            to_client.clear();
            client.poll_transmit(NOW, &mut to_server);
            server.poll_transmit(NOW, &mut to_client);
            prop_assert_eq!(server.receive(now, &mut to_server.as_slice()), Ok(None));
            prop_assert_eq!(client.receive(now, &mut to_client.as_slice()), Ok(None));
        }
        prop_assert!(now > NOW);
    }

    /// Any bytes, in any pieces: the same events, the same answer, no panic.
    #[test]
    fn any_bytes_in_any_pieces(
        version in prop::sample::select(Version::ALL.to_vec()),
        pieces in prop::collection::vec(prop::sample::select(vec![
            "SEND\n", "destination:a\n", "id:1-1\n", "id:0\n", "transaction:t\n", "receipt:r\\c\n",
            "ack:client\n", "send:2\n", "\n\0", "\n", "\0", "SUBSCRIBE\ndestination:a\nid:0\nsend:2\nack:client\n\n\0",
            "ACK\nid:1-1\nmessage-id:1-1\nsubscription:0\n\n\0", "BEGIN\ntransaction:t\nreceipt:x\n\n\0",
            "COMMIT\ntransaction:t\n\n\0", "ABORT\ntransaction:t\n\n\0", "UNSUBSCRIBE\nid:0\n\n\0",
            "SEND\ndestination:a\ntransaction:t\n\n\0", "SEND\ndestination:a\ncontent-length:3\n\na\0b\0",
            "DISCONNECT\nreceipt:z\n\n\0", "\\", ":", "\r\n", "\u{e9}",
        ]), 0..14),
        assembled in prop::sample::select(vec![0, 1, 3, usize::MAX]),
        cuts in prop::collection::vec(1usize..20, 1..10),
    ) {
        let mut config = ServerConfig::default();
        config.limits.assembled_size = assembled;
        let input = format!("CONNECT\naccept-version:{version}\nhost:h\n\n\0{}", pieces.concat());
        let whole = crate::script::converse(config.clone(), input.as_bytes());
        let cut = crate::script::converse_in_pieces(config.clone(), input.as_bytes(), &cuts);
        prop_assert_eq!(&cut, &whole);
        let bytewise = crate::script::converse_in_pieces(config, input.as_bytes(), &[1]);
        prop_assert_eq!(&bytewise, &whole);
    }
}
