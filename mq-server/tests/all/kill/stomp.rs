//! STOMP 1.2: a publisher with receipts.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use stomp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options, ReceiptId,
};

use super::way::At;
use super::{Client, STOMP_QUEUE, Shared, talk};

/// Messages that wait for their receipts.
const OPEN: usize = 10;

pub(super) fn publish(shared: &Shared, at: &At, start: Instant, stop: &AtomicBool) {
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    let options = ConnectOptions {
        host: "/",
        ..ConnectOptions::default()
    };
    client.connect(start.elapsed(), &options).unwrap();
    let mut publisher = Publisher {
        shared,
        client,
        open: BTreeMap::new(),
        ready: false,
    };
    talk(at, start, stop, &mut publisher);
}

struct Publisher<'a> {
    shared: &'a Shared,
    client: ClientConnection,
    open: BTreeMap<ReceiptId, String>,
    ready: bool,
}

impl Client for Publisher<'_> {
    fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) {
        let destination = format!("/queue/{STOMP_QUEUE}");
        while self.ready && self.open.len() < OPEN {
            let body = self.shared.body("stomp");
            let headers = [("persistent", "true")];
            let sent = self
                .client
                .send(&destination, headers, body.as_bytes(), Options::RECEIPT);
            let Ok(Some(receipt)) = sent else {
                break;
            };
            self.open.insert(receipt, body);
        }
        self.client.poll_transmit(now, out);
    }

    fn receive(&mut self, now: Duration, input: &mut &[u8]) {
        while let Ok(Some(event)) = self.client.receive(now, input) {
            match event {
                ClientEvent::Connected(_) => self.ready = true,
                ClientEvent::Receipt(receipt) => {
                    self.shared.confirm(self.open.remove(&receipt).unwrap());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.client.is_closed()
    }
}
