//! STOMP clients: receipts, transactions, acknowledgements one by one.

use mq_core::{ConnectionId, Protocol};
use std::collections::BTreeMap;
use std::time::Duration;
use stomp_codec::connection::{
    AckMode, AckToken, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options,
    ReceiptId, Subscription, Transaction,
};

use stomp_codec::Headers;

use super::amqp::{PARTS, is_lasting, part, selector};
use super::ledger::{CHOSEN, DELAYS, Ledger, Outcome, PREFETCH, Place, What, body, number};
use super::network::{Network, Peer};

#[derive(Default)]
pub(super) struct StompPeer {
    number: u8,
    id: Option<ConnectionId>,
    codec: Option<ClientConnection>,
    buffer: Vec<u8>,
    ready: bool,
    over: bool,
    /// The broker has a store.
    keeps: bool,
    subscriptions: BTreeMap<Subscription, Place>,
    held: Vec<(AckToken<'static>, Place, u64)>,
    /// What a receipt says about messages.
    unconfirmed: BTreeMap<ReceiptId, Vec<u64>>,
    open: Option<(Transaction, Vec<u64>)>,
    acknowledged: Vec<(Place, u64)>,
    /// What it wants of the queue `chosen`.
    part: usize,
}

/// The queues that it uses, and the destination of each.
const DESTINATIONS: [(Place, &str); 6] = [
    ("plain", "/queue/plain"),
    ("strict", "/amq/queue/strict"),
    ("dying", "/amq/queue/dying"),
    ("bound", "/amq/queue/bound"),
    ("late", "/amq/queue/late"),
    (CHOSEN, "/amq/queue/chosen"),
];

/// Why the broker may end a session: there is no room for what was sent, or it heard nothing.
const FAIR: [&str; 3] = ["resource_limit", "no session in time", "no heart-beat"];

impl StompPeer {
    pub(super) fn new(number: u8) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    fn codec(&mut self) -> &mut ClientConnection {
        self.codec.as_mut().unwrap()
    }

    fn send(&mut self, destination: &str, message: u64, transaction: Option<Transaction>) {
        self.send_with(destination, message, transaction, &[]);
    }

    fn send_with(
        &mut self,
        destination: &str,
        message: u64,
        transaction: Option<Transaction>,
        more: &[(&str, &str)],
    ) {
        let persistent = match is_lasting(message, self.keeps) {
            true => "true",
            false => "false",
        };
        let mut headers = vec![("persistent", persistent), ("part", part(message))];
        headers.extend(more);
        let options = Options {
            transaction,
            receipt: transaction.is_none(),
        };
        let body = body(message);
        let receipt = self.codec().send(destination, headers, &body, options);
        if let Some(receipt) = receipt.unwrap() {
            self.unconfirmed.insert(receipt, vec![message]);
        }
    }

    fn event(&mut self, event: ClientEvent<'_>, ledger: &mut Ledger) {
        match event {
            ClientEvent::Connected(_) => self.ready = true,
            ClientEvent::Message(message) => {
                let place = self.subscriptions[&message.subscription.unwrap()];
                let found = number(message.body());
                ledger.delivered(place, found);
                if place == CHOSEN {
                    assert_eq!(part(found), PARTS[self.part], "{found} is not wanted");
                }
                let token = message.ack.unwrap().into_owned();
                self.held.push((token, place, found));
            }
            ClientEvent::Receipt(receipt) => {
                for message in self.unconfirmed.remove(&receipt).into_iter().flatten() {
                    ledger.answered(message, Outcome::Confirmed);
                }
            }
            ClientEvent::Error(error) => {
                let is_fair = error
                    .summary
                    .as_deref()
                    .is_some_and(|it| FAIR.contains(&it));
                assert!(is_fair, "{error:?} to a client that keeps the rules");
                self.over = true;
            }
            _ => {}
        }
    }
}

impl Peer for StompPeer {
    fn connection(&self) -> Option<ConnectionId> {
        self.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.id = Some(network.open(Protocol::Stomp));
        let mut codec = ClientConnection::new(network.now, ClientConfig::default());
        let options = ConnectOptions {
            host: "/",
            login: Some("guest"),
            passcode: Some("guest"),
            ..ConnectOptions::default()
        };
        codec.connect(network.now, &options).unwrap();
        self.codec = Some(codec);
        self.keeps = network.stores();
    }

    fn act(&mut self, choice: u64, ledger: &mut Ledger) {
        if !self.ready {
            return;
        }
        let (place, destination) = DESTINATIONS[(choice >> 8) as usize % DESTINATIONS.len()];
        match choice % 10 {
            0..3 if place == "bound" => {
                self.perform(What::Lasting, ledger);
            }
            0..3 if place == "late" => {
                let slot = (choice >> 16) as u8;
                self.perform(What::Late { slot }, ledger);
            }
            0..3 => {
                let message = ledger.for_queue(self.number, place);
                self.send(destination, message, None);
            }
            3 => {
                if self
                    .subscriptions
                    .values()
                    .any(|subscribed| *subscribed == place)
                {
                    return;
                }
                let prefetch = PREFETCH.to_string();
                let mut headers = vec![("prefetch-count", &*prefetch)];
                let selector = selector(choice >> 16);
                if place == CHOSEN {
                    self.part = (choice >> 16) as usize % PARTS.len();
                    headers.push(("selector", &selector));
                }
                let mode = AckMode::ClientIndividual;
                let subscribed =
                    self.codec()
                        .subscribe(destination, mode, headers, Options::default());
                self.subscriptions.insert(subscribed.unwrap().0, place);
            }
            4..6 if !self.held.is_empty() => {
                let (token, place, message) = self.held.remove(0);
                self.codec()
                    .ack(&token, Headers::NONE, Options::default())
                    .unwrap();
                ledger.settled(place, message);
                self.acknowledged.push((place, message));
            }
            6 if !self.held.is_empty() => {
                let (token, ..) = self.held.pop().unwrap();
                let headers = [("requeue", "true")];
                self.codec()
                    .nack(&token, headers, Options::default())
                    .unwrap();
            }
            7 if self.open.is_none() => {
                let (transaction, _) = self.codec().begin(Options::default()).unwrap();
                self.open = Some((transaction, Vec::new()));
            }
            8 if place == "plain" || place == "strict" => {
                if let Some((transaction, mut messages)) = self.open.take() {
                    let message = ledger.for_queue(self.number + 100, place);
                    self.send(destination, message, Some(transaction));
                    messages.push(message);
                    self.open = Some((transaction, messages));
                }
            }
            9 => {
                if let Some((transaction, messages)) = self.open.take() {
                    let receipt = self.codec().commit(transaction, Options::RECEIPT).unwrap();
                    self.unconfirmed.insert(receipt.unwrap(), messages);
                }
            }
            _ => {}
        }
    }

    fn perform(&mut self, what: What, ledger: &mut Ledger) {
        if let What::Late { slot } = what
            && self.ready
        {
            let delay = DELAYS[usize::from(slot) % DELAYS.len()];
            let repeats = usize::from(slot / 4 % 3);
            let message = ledger.for_later(self.number, delay, repeats);
            let millis = delay.as_millis().to_string();
            let repeat = repeats.to_string();
            let headers = [
                ("AMQ_SCHEDULED_DELAY", &*millis),
                ("AMQ_SCHEDULED_PERIOD", "200"),
                ("AMQ_SCHEDULED_REPEAT", &*repeat),
            ];
            self.send_with("/amq/queue/late", message, None, &headers);
        }
        if self.ready && matches!(what, What::Expiring | What::Lasting | What::Once) {
            let message = ledger.for_topic(self.number, false, None);
            self.send("/topic/t.stomp", message, None);
        }
    }

    fn transmit(&mut self, now: Duration) -> Vec<u8> {
        let mut out = Vec::new();
        self.codec().poll_transmit(now, &mut out);
        out
    }

    fn receive(&mut self, now: Duration, bytes: &[u8], ledger: &mut Ledger) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(bytes);
        let mut input = &buffer[..];
        while let Some(event) = self
            .codec
            .as_mut()
            .unwrap()
            .receive(now, &mut input)
            .unwrap()
        {
            self.event(event, ledger);
        }
        self.buffer = input.to_vec();
    }

    fn handle_timeout(&mut self, now: Duration) -> bool {
        let codec = self.codec.as_mut().unwrap();
        codec.poll_timeout().is_none_or(|at| at > now) || codec.handle_timeout(now).is_ok()
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn lost(&mut self, _ledger: &mut Ledger) {
        *self = Self::new(self.number);
    }

    fn finish(&mut self, ledger: &mut Ledger) {
        assert!(
            self.unconfirmed.is_empty(),
            "{:?} have no receipt",
            self.unconfirmed
        );
        for (place, message) in self.acknowledged.drain(..) {
            ledger.settled_certainly(place, message);
        }
    }
}
