//! Starting a broker again, once for all cases that wait for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How a broker is started again.
pub(crate) type Again<'a> = &'a (dyn Fn() -> Result<(), String> + Sync);

/// A restart that several cases wait for. It comes when each of them has made what it
/// wants to find again, or is over.
pub(crate) struct Restart<'a> {
    again: Again<'a>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// How many cases are not over.
    playing: usize,
    waiting: usize,
    /// Whether somebody has begun it.
    begun: bool,
    done: Option<Result<(), String>>,
}

impl<'a> Restart<'a> {
    /// A restart that so many cases take part in.
    pub(crate) fn new(again: Again<'a>, playing: usize) -> Self {
        let state = State {
            playing,
            waiting: 0,
            begun: false,
            done: None,
        };
        Self {
            again,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every other case does so too, and the broker is there again.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub(crate) fn wait(&self) -> Result<(), String> {
        let mut state = self.lock();
        state.waiting += 1;
        loop {
            if let Some(done) = &state.done {
                return done.clone();
            }
            if state.waiting == state.playing && !state.begun {
                state.begun = true;
                drop(state);
                let done = (self.again)();
                state = self.lock();
                state.done = Some(done);
                self.changed.notify_all();
            } else {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// A case is over, whether it has waited or not.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        if state.done.is_none() {
            state.playing -= 1;
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_restart_comes_once_when_all_wait_or_are_over() {
        let count = AtomicUsize::new(0);
        let again = || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let restart = Restart::new(&again, 5);
        std::thread::scope(|scope| {
            for turn in 0..5 {
                let restart = &restart;
                scope.spawn(move || {
                    if turn % 2 == 0 {
                        assert_eq!(restart.wait(), Ok(()));
                    }
                    restart.leave();
                });
            }
        });
        assert_eq!(count.into_inner(), 1);
    }
}
