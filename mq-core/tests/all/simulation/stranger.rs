//! An MQTT client that takes no packet as large as any CONNACK, and has the identifier
//! of another.

use mq_core::{ConnectionId, Protocol};
use std::time::Duration;

use super::ledger::Ledger;
use super::network::{Network, Peer};

#[derive(Default)]
pub(super) struct StrangerPeer {
    id: Option<ConnectionId>,
    to_send: Vec<u8>,
    sent: bool,
    heard: bool,
}

impl Peer for StrangerPeer {
    fn connection(&self) -> Option<ConnectionId> {
        self.id
    }

    fn connect(&mut self, network: &mut Network) {
        self.id = Some(network.open_to_stranger(Protocol::Mqtt));
        // CONNECT of 5.0, Maximum Packet Size 4, client identifier `odd`.
        self.to_send = b"\x10\x15\0\x04MQTT\x05\0\0\x0A\x05\x27\0\0\0\x04\0\x03odd".to_vec();
    }

    fn act(&mut self, _choice: u64, _ledger: &mut Ledger) {
        self.to_send.extend([0xC0, 0x00]);
    }

    fn transmit(&mut self, _now: Duration) -> Vec<u8> {
        self.sent = true;
        std::mem::take(&mut self.to_send)
    }

    fn receive(&mut self, _now: Duration, bytes: &[u8], _ledger: &mut Ledger) {
        self.heard |= !bytes.is_empty();
    }

    fn handle_timeout(&mut self, _now: Duration) -> bool {
        true
    }

    fn comes_back(&self) -> bool {
        false
    }

    fn is_over(&self) -> bool {
        false
    }

    fn lost(&mut self, _ledger: &mut Ledger) {
        *self = Self::default();
    }

    fn settled(&mut self, _ledger: &mut Ledger) {
        let waits = self.id.is_some() && self.sent;
        assert!(!waits || self.heard, "a CONNECT without an answer");
    }

    fn finish(&mut self, ledger: &mut Ledger) {
        self.settled(ledger);
    }
}
