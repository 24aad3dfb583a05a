//! Counts the packets of a connection as their bytes pass (MQTT 5.0 section 2.1).

use alloc::boxed::Box;
use bytes::Bytes;

use crate::frontend::traffic::{Passed, Traffic};

/// The packet type of PUBLISH, in the upper half of the first byte.
const PUBLISH: u8 = 3;

/// Counts what passes a connection, if that is wanted. While nothing does, it holds nothing:
/// there are many idle connections.
#[derive(Debug)]
pub(super) struct Counter {
    is_on: bool,
    packets: Option<Box<Packets>>,
}

impl Counter {
    pub(super) const fn new(is_on: bool) -> Self {
        let packets = None;
        Self { is_on, packets }
    }

    pub(super) fn count(&mut self, count: impl FnOnce(&mut Packets)) {
        if self.is_on {
            count(self.packets.get_or_insert_with(Box::default));
        }
    }

    /// Whether nothing has passed since the last call of [`take`](Self::take), in no direction
    /// a part of a packet.
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_none()
    }

    /// What has passed since the last call.
    pub(super) fn take(&mut self) -> Traffic {
        let Some(packets) = &mut self.packets else {
            return Traffic::default();
        };
        let traffic = packets.take();
        if packets.is_between() {
            self.packets = None;
        }
        traffic
    }
}

/// What passed in both directions, and where in a packet each of them is.
#[derive(Debug, Default)]
pub(super) struct Packets {
    traffic: Traffic,
    received: Place,
    sent: Place,
}

/// How far a stream has come.
#[derive(Debug, Default)]
struct Place {
    /// The first byte of a packet whose length is not whole yet, the length so far, and how
    /// many of its bits there are.
    head: Option<(u8, u64, u32)>,
    /// Bytes that are left of the packet.
    left: u64,
}

impl Packets {
    pub(super) fn received(&mut self, bytes: &[u8]) {
        self.received.pass(bytes, &mut self.traffic.received);
    }

    pub(super) fn sent(&mut self, slices: &[Bytes]) {
        for bytes in slices {
            self.sent.pass(bytes, &mut self.traffic.sent);
        }
    }

    pub(super) fn published(&mut self, body: usize) {
        self.traffic.received.publish_bytes += body as u64;
    }

    pub(super) fn pushed(&mut self, body: usize) {
        self.traffic.sent.publish_bytes += body as u64;
    }

    pub(super) fn login(&mut self) {
        self.traffic.logins += 1;
    }

    fn take(&mut self) -> Traffic {
        core::mem::take(&mut self.traffic)
    }

    /// Whether both streams are between two packets.
    fn is_between(&self) -> bool {
        self.received.is_between() && self.sent.is_between()
    }
}

impl Place {
    fn is_between(&self) -> bool {
        self.head.is_none() && self.left == 0
    }

    fn pass(&mut self, mut bytes: &[u8], passed: &mut Passed) {
        passed.bytes += bytes.len() as u64;
        loop {
            let skipped = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.left -= skipped as u64;
            bytes = &bytes[skipped..];
            let Some((&byte, rest)) = bytes.split_first() else {
                return;
            };
            bytes = rest;
            self.head = match self.head {
                None => Some((byte, 0, 0)),
                Some((first, length, bits)) => {
                    let length = length | u64::from(byte & 0x7F) << bits;
                    // Four bytes at most.
                    if byte & 0x80 != 0 && bits < 21 {
                        Some((first, length, bits + 7))
                    } else {
                        passed.packets += 1;
                        passed.publishes += u64::from(first >> 4 == PUBLISH);
                        self.left = length;
                        None
                    }
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PINGREQ, a PUBLISH of 130 bytes after its fixed header, and a DISCONNECT, cut
    /// anywhere.
    #[test]
    fn packets_are_counted_wherever_they_are_cut() {
        let mut stream = alloc::vec![0xC0, 0];
        stream.extend([0x30, 0x82, 0x01]);
        stream.extend([0xC0; 130]);
        stream.extend([0xE0, 0]);
        for size in 1..stream.len() {
            let mut packets = Packets::default();
            for piece in stream.chunks(size) {
                packets.received(piece);
            }
            let received = packets.take().received;
            assert_eq!((received.packets, received.publishes), (3, 1), "{size}");
            assert_eq!(received.bytes, 137);
        }
    }

    /// The rest of a packet is none of its own, however long it is waited for; and between two
    /// packets nothing is held.
    #[test]
    fn what_is_counted_is_held_while_a_packet_comes() {
        let mut counter = Counter::new(true);
        counter.count(|packets| packets.received(&[0x30, 2, 0]));
        assert_eq!(counter.take().received.packets, 1);
        assert!(counter.packets.is_some());
        counter.count(|packets| packets.received(&[0xC0]));
        assert_eq!(counter.take().received.bytes, 1);
        assert!(counter.packets.is_none());
        let mut off = Counter::new(false);
        off.count(|packets| packets.received(&[0xC0, 0]));
        assert_eq!(off.take(), Traffic::default());
    }
}
