//! A front end's way to the model.

use alloc::collections::VecDeque;

use crate::model::Request;

/// The requests on their way to the model, and what its next answers are for.
///
/// While a question is open, a front end receives nothing: what follows may depend on the
/// answer.
#[derive(Debug)]
pub(super) struct Link<Q> {
    requests: VecDeque<Request>,
    /// In the order of the questions, which is that of the answers.
    asked: VecDeque<Q>,
}

impl<Q> Default for Link<Q> {
    fn default() -> Self {
        Self {
            requests: VecDeque::new(),
            asked: VecDeque::new(),
        }
    }
}

impl<Q> Link<Q> {
    /// Says something that has no answer.
    pub(super) fn tell(&mut self, statement: Request) {
        self.requests.push_back(statement);
    }

    /// Asks something, and remembers what the answer is for.
    pub(super) fn ask(&mut self, question: Request, asked: Q) {
        self.requests.push_back(question);
        self.asked.push_back(asked);
    }

    /// Whether a question is open.
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// What the answer that has come is for.
    pub(super) fn answered(&mut self) -> Option<Q> {
        self.asked.pop_front()
    }

    /// Takes back the oldest question if it is of that kind.
    pub(super) fn answered_if(&mut self, is_it: impl FnOnce(&Q) -> bool) -> Option<Q> {
        if is_it(self.asked.front()?) {
            self.asked.pop_front()
        } else {
            None
        }
    }

    /// What was asked last.
    pub(super) fn last(&self) -> Option<&Q> {
        self.asked.back()
    }

    /// The next request to the model.
    pub(super) fn poll(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }
}
