//! Few lines of the log where peers could cause many.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of one kind in each second.
const LINES: u32 = 10;

/// Counts the lines of one kind. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Throttle(Arc<Mutex<Second>>);

#[derive(Debug, Default)]
struct Second {
    begin: Option<Instant>,
    written: u32,
    left_out: u64,
}

/// What a line that may be written says besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Lines of this kind that were not written since the last one that was, if there
    /// were any.
    pub(crate) left_out: Option<u64>,
}

impl Throttle {
    /// Whether a line may be written now. None leaves it out, and counts it.
    pub(crate) fn line(&self, now: Instant) -> Option<Line> {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |begin| now.saturating_duration_since(begin) >= Duration::from_secs(1);
        if second.begin.is_none_or(is_over) {
            second.begin = Some(now);
            second.written = 0;
        }
        if second.written == LINES {
            second.left_out += 1;
            return None;
        }
        second.written += 1;
        let left_out = std::mem::take(&mut second.left_out);
        Some(Line {
            left_out: (left_out > 0).then_some(left_out),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_second_and_the_rest_is_counted() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let lines = |at| {
            let outcomes = (0..25).map(|_| throttle.line(start + Duration::from_millis(at)));
            outcomes
                .flatten()
                .map(|line| line.left_out)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(0), [None; 10]);
        assert_eq!(lines(999), []);
        let mut after = vec![Some(40)];
        after.extend([None; 9]);
        assert_eq!(lines(1000), after);
    }
}
