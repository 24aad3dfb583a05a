//! A front end's way to the model.

use alloc::collections::VecDeque;

use crate::model::Request;
use crate::model::request::{Answer, Row, Ticket};

/// The requests on their way to the model, and what its next answers are for.
///
/// While a question is open, a front end receives nothing: what follows may depend on the
/// answer.
#[derive(Debug)]
pub(super) struct Link<Q> {
    requests: Few<Request>,
    row: Row,
    /// In the order of the questions, which is that of the answers.
    asked: Few<Q>,
}

impl<Q> Default for Link<Q> {
    fn default() -> Self {
        Self {
            requests: Few::default(),
            row: Row::default(),
            asked: Few::default(),
        }
    }
}

/// A queue that mostly has one item, for which it allocates nothing: there are many idle
/// connections.
#[derive(Debug)]
struct Few<T> {
    first: Option<T>,
    rest: VecDeque<T>,
}

/// Items besides the first one that there is room for: those of a row.
const REST: usize = 7;

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self {
            first: None,
            rest: VecDeque::new(),
        }
    }
}

impl<T> Few<T> {
    fn push_back(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
            return;
        }
        if self.rest.capacity() == 0 {
            // Room for a row from the first: to grow costs more than to be allocated.
            self.rest = VecDeque::with_capacity(REST);
        }
        self.rest.push_back(item);
    }

    fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take();
        if !self.rest.is_empty() {
            self.first = self.rest.pop_front();
            if self.rest.is_empty() {
                self.rest = VecDeque::new();
            }
        }
        first
    }

    fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    fn back(&self) -> Option<&T> {
        self.rest.back().or(self.first.as_ref())
    }

    fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl<Q> Link<Q> {
    /// Says something that has no answer.
    pub(super) fn tell(&mut self, statement: Request) {
        self.row = self.row.max(statement.row());
        self.requests.push_back(statement);
    }

    /// Asks something, and remembers what the answer is for.
    pub(super) fn ask(&mut self, question: Request, asked: Q) {
        self.tell(question);
        self.asked.push_back(asked);
    }

    /// Whether a question is open.
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether nothing is said or asked.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.asked.is_empty()
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

    /// What the front end may take before the model hears of the requests on their way.
    pub(super) fn row(&self) -> Row {
        self.row
    }

    /// What names the message that is the last request, if its publisher waits for an answer.
    pub(super) fn last_ticket(&self) -> Option<Ticket> {
        match self.requests.back()? {
            Request::Publish {
                answer: Answer::Always(ticket),
                ..
            } => Some(*ticket),
            _ => None,
        }
    }

    /// The next request to the model.
    pub(super) fn poll(&mut self) -> Option<Request> {
        let request = self.requests.pop_front();
        if self.requests.is_empty() {
            self.row = Row::default();
        }
        request
    }
}
