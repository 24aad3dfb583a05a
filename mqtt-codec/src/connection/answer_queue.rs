//! Acknowledgements in the order of their messages.

use alloc::collections::VecDeque;

use crate::{PacketIdentifier, Properties, PropertiesBuf, ReasonCode};

/// Acknowledgements that go out in the order of their messages (MQTT-4.6.0-2,
/// MQTT-4.6.0-3): each waits for those before it.
// keeps: 5.0 MQTT-4.6.0-2, 5.0 MQTT-4.6.0-3, 3.1.1 MQTT-4.6.0-2, 3.1.1 MQTT-4.6.0-3
#[derive(Debug, Default)]
pub(super) struct AnswerQueue(VecDeque<Answer>);

#[derive(Debug)]
struct Answer {
    identifier: PacketIdentifier,
    given: Option<(ReasonCode, PropertiesBuf)>,
}

impl AnswerQueue {
    pub(super) fn expect(&mut self, identifier: PacketIdentifier) {
        self.0.push_back(Answer {
            identifier,
            given: None,
        });
    }

    pub(super) fn give(
        &mut self,
        identifier: PacketIdentifier,
        reason: ReasonCode,
        properties: Properties<'_>,
    ) {
        // The oldest is usually the one.
        if let Some(answer) = self.0.iter_mut().find(|a| a.identifier == identifier) {
            answer.given = Some((reason, properties.to_buf()));
        }
    }

    /// The next answer, if it has been given.
    pub(super) fn next(&mut self) -> Option<(PacketIdentifier, ReasonCode, PropertiesBuf)> {
        let front = self.0.front_mut()?;
        let (reason, properties) = front.given.take()?;
        let identifier = front.identifier;
        self.0.pop_front();
        Some((identifier, reason, properties))
    }
}
