//! Turns: what is done in one call, and what is left for a later one, so that no connection
//! makes the others wait.

use bytes::{Buf, Bytes};
use core::time::Duration;

use super::Broker;
use super::backlog::Backlog;
use super::budget::{ROW, ROW_BYTES, TURN};
use crate::frontend::{FrontEnd, Progress};
use crate::model::{BYTES_PER_STEP, ConnectionId};

impl Broker {
    /// Goes on with what earlier calls have left: what is on its way to consumers,
    /// what moves much, and the input of the connections in line. While consumers wait,
    /// less new input is taken.
    pub(super) fn turn(&mut self) {
        self.unblock();
        let delivered = self.pump(self.spent() + TURN);
        self.shared.model.work(TURN / 2);
        let share = if delivered { TURN } else { TURN / 4 };
        let end = self.spent() + share;
        for _ in 0..self.line.len() {
            if self.spent() >= end {
                break;
            }
            if let Some(id) = self.line.pop_front() {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.in_line = false;
                }
                self.process_backlog(id);
            }
        }
    }

    pub(super) fn process_backlog(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let input = connection.backlog.take();
            self.process(id, input, Bytes::new());
        }
    }

    /// Feeds a connection for one turn, as long as its peer also takes
    /// what it is sent, and keeps what is left. What follows lies in another buffer, and no frame
    /// across the two.
    pub(super) fn process(&mut self, id: ConnectionId, mut source: Bytes, mut next: Bytes) {
        let end = self.spent() + TURN;
        let (mut held, mut more, mut waits) = (false, false, false);
        let mut input = &source[..];
        while let Some(connection) = self.connections.get_mut(&id) {
            connection.touch(id, &mut self.touched);
            if connection.front.is_closed() {
                self.finish_notices(end, true);
                return;
            }
            held = connection.is_held(&self.shared);
            more = self.shared.model.is_busy(id);
            if held || more {
                break;
            }
            if input.is_empty() && !next.is_empty() {
                source = core::mem::take(&mut next);
                input = &source[..];
            }
            let row = if self.shared.may_gather() { ROW } else { 1 };
            let (progress, steps) = connection.front.with(id, &self.shared, |front, now| {
                receive_row(front, now, &source, &mut input, row)
            });
            self.steps += steps;
            let blocked = connection.pass_requests(id, &mut self.shared);
            if blocked {
                self.block(id);
            }
            let delivered = self.take_notices(end, Some(id));
            match progress {
                Progress::Event => {}
                // What was taken was no event, such as a heart-beat.
                Progress::Idle if input.is_empty() && !next.is_empty() => {}
                Progress::Idle => {
                    more = !next.is_empty();
                    break;
                }
                Progress::Waiting => {
                    // It is in line again when the answer has come.
                    waits = true;
                    break;
                }
            }
            more = !delivered || self.spent() >= end;
            if more {
                break;
            }
        }
        let used = source.len() - input.len();
        source.advance(used);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.waits = waits;
        }
        more |= !self.finish_notices(end, true);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        more &= !source.is_empty() || !next.is_empty();
        connection.backlog = Backlog::of(source, &connection.front);
        connection.backlog.extend(&next);
        let gone = connection.gone;
        if more {
            self.put_in_line(id);
        }
        if gone && !more && !waits {
            self.remove(id);
            return;
        }
        self.set_paused(id, held || more || waits);
        if self.depart(id) {
            self.pump(self.spent() + TURN);
        }
    }

    /// Gives the input of a connection a turn.
    pub(super) fn put_in_line(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.in_line
        {
            connection.in_line = true;
            self.line.push_back(id);
        }
    }

    pub(super) fn spent(&self) -> u64 {
        self.steps + self.shared.model.steps()
    }

    /// Calls a front end outside of receiving, and hands on what comes of it.
    pub(super) fn with(
        &mut self,
        id: ConnectionId,
        call: impl FnOnce(&mut dyn FrontEnd, Duration),
    ) {
        self.call(id, call);
        self.pump(self.spent() + TURN);
    }

    /// Calls a front end, and hands its requests to the model.
    pub(super) fn call(
        &mut self,
        id: ConnectionId,
        call: impl FnOnce(&mut dyn FrontEnd, Duration),
    ) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection
            .front
            .with(id, &self.shared, |front, now| call(front, now));
        connection.touch(id, &mut self.touched);
        let blocked = connection.pass_requests(id, &mut self.shared);
        if blocked {
            self.block(id);
        }
    }
}

/// Has a front end take an event, or a row of such as may be gathered: so many of them at most.
/// Returns the steps too.
fn receive_row(
    front: &mut (dyn FrontEnd + Send),
    now: Duration,
    source: &Bytes,
    input: &mut &[u8],
    row: usize,
) -> (Progress, u64) {
    let (begin, mut events, mut steps) = (input.len(), 0, 0);
    loop {
        let before = input.len();
        let progress = front.receive(now, source, input);
        events += 1;
        steps += 1 + ((before - input.len()) / BYTES_PER_STEP) as u64;
        let is_full = events >= row || begin - input.len() >= ROW_BYTES;
        if progress != Progress::Event || is_full || !front.may_gather(input) {
            return (progress, steps);
        }
    }
}
