//! What a broker holds, as sets: by what its clients get of it.

use mqtt_codec::ProtocolVersion;
use std::collections::BTreeMap;
use std::time::Duration;

use super::ledger::{Place, QUEUES, Topic};
use super::network::Network;
use super::{brief, mqtt, queues, rule, share};

/// The sessions of a simulation.
const SESSIONS: [(Place, ProtocolVersion); 5] = [
    ("even", ProtocolVersion::V5_0),
    ("odd", ProtocolVersion::V3_1_1),
    (brief::NAME, ProtocolVersion::V5_0),
    (share::NAMES[0], ProtocolVersion::V5_0),
    (share::NAMES[1], ProtocolVersion::V5_0),
];

/// What a broker holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents {
    queues: BTreeMap<Place, Vec<u64>>,
    sessions: BTreeMap<Place, Vec<String>>,
    retained: BTreeMap<Topic, u64>,
    /// What comes to the queue `late` later.
    late: Vec<u64>,
    /// Which policy is in force.
    rule: Option<u8>,
}

impl Contents {
    /// Takes everything out of a broker that has no connection. When so much time has passed
    /// all that waits has come.
    pub(super) fn of(network: &mut Network, time: Duration) -> Self {
        let mut taken = |queue| {
            let mut messages = queues::empty(network, queue);
            messages.sort_unstable();
            (queue, messages)
        };
        let queues = QUEUES.into_iter().map(&mut taken).collect();
        let mut session = |(name, version)| (name, mqtt::session(network, name, version));
        let sessions = SESSIONS.into_iter().map(&mut session).collect();
        let retained = mqtt::retained(network);
        network.wait(time);
        let mut late = queues::empty(network, "late");
        late.sort_unstable();
        Self {
            queues,
            sessions,
            retained,
            late,
            rule: rule::in_force(network),
        }
    }
}
