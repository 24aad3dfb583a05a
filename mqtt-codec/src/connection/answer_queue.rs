//! Acknowledgements in the order of their messages.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use crate::{PacketIdentifier, Properties, PropertiesBuf, QoS, ReasonCode};

/// A client's acknowledgements. Most connections have none that wait.
#[derive(Debug, Default)]
pub(super) struct Answers(Option<Box<[AnswerQueue; 2]>>);

impl Answers {
    /// Those with PUBREC, or those with PUBACK: they do not wait for each other.
    pub(super) fn of(&mut self, qos: QoS) -> &mut AnswerQueue {
        let [pubacks, pubrecs] = &mut **self.0.get_or_insert_default();
        match qos {
            QoS::ExactlyOnce => pubrecs,
            _ => pubacks,
        }
    }
}

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
