//! What a connection has received and sent, in the units of its protocol.

use core::ops::AddAssign;

/// What passed a connection in both directions since it was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// From the peer.
    pub received: Passed,
    /// To the peer.
    pub sent: Passed,
    /// Requests to log in.
    pub logins: u64,
}

/// What passed in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Passed {
    /// Packets of all kinds.
    pub packets: u64,
    /// Packets that carry a message of an application.
    pub publishes: u64,
    /// Bytes of all packets.
    pub bytes: u64,
    /// Bytes of the bodies of messages.
    pub publish_bytes: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        let Self {
            received,
            sent,
            logins,
        } = other;
        self.received += received;
        self.sent += sent;
        self.logins += logins;
    }
}

impl AddAssign for Passed {
    fn add_assign(&mut self, other: Self) {
        let Self {
            packets,
            publishes,
            bytes,
            publish_bytes,
        } = other;
        self.packets += packets;
        self.publishes += publishes;
        self.bytes += bytes;
        self.publish_bytes += publish_bytes;
    }
}
