//! Changes by an administrator, each answered once it is stored.

use alloc::collections::VecDeque;

use super::budget::TURN;
use super::{Broker, Output};
use crate::administration::Administration;
use crate::model::Refusal;
use crate::policy::{Policy, PolicyKind};

/// Answers that wait for the store, in their order.
#[derive(Debug, Default)]
pub(super) struct Administered(VecDeque<Answer>);

#[derive(Debug)]
struct Answer {
    id: u64,
    result: Result<(), Refusal>,
    /// Everything before is to be stored first.
    end: u64,
}

impl Broker {
    /// The policies of one kind of a virtual host, by name; none where there is no such host.
    pub fn policies(&self, virtual_host: &str, kind: PolicyKind) -> impl Iterator<Item = &Policy> {
        self.shared.model.policies(virtual_host, kind)
    }

    pub(super) fn administer(&mut self, id: u64, action: Administration) {
        let shared = &mut self.shared;
        let result = shared.model.administer(shared.now, action);
        let end = shared.journal.as_mut().map_or(0, |journal| {
            journal.take(&mut shared.model);
            journal.end()
        });
        self.administered.0.push_back(Answer { id, result, end });
        self.pump(self.spent() + TURN);
    }

    /// Hands out the answers that wait for nothing more.
    pub(super) fn answer_administration(&mut self) {
        let journal = &self.shared.journal;
        let stored = |end| {
            journal
                .as_ref()
                .is_none_or(|journal| journal.has_stored(end))
        };
        let waiting = &mut self.administered.0;
        while waiting.front().is_some_and(|answer| stored(answer.end))
            && let Some(Answer { id, result, .. }) = waiting.pop_front()
        {
            let outputs = &mut self.shared.outputs;
            outputs.push_back(Output::Administered { id, result });
        }
    }
}
