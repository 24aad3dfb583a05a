//! Plays cases: many at a time, each on its own, the results in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use crate::case::{Case, Context, Section, Windows};
use crate::expectation::Expectations;
use crate::target::Target;
use crate::transcript::Transcript;
use crate::verdict::{Outcome, Verdict, inconclusive, judge};

/// One case to be asked of one broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The broker.
    pub(crate) target: &'a Target,
    /// Where the case stands in the report.
    pub(crate) section: &'static Section,
    /// What to ask.
    pub(crate) case: &'static Case,
}

/// What became of one question.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// What was asked.
    pub(crate) question: Question<'a>,
    /// What the broker did.
    pub(crate) verdict: Verdict,
    /// What the run makes of it.
    pub(crate) outcome: Outcome,
    /// How long the case took.
    pub(crate) time: Duration,
    /// The bytes, to be shown where the verdict is not a pass.
    pub(crate) transcript: Transcript,
}

/// How a run judges.
#[derive(Debug)]
pub(crate) struct Rules {
    /// How many cases are played at a time.
    pub(crate) jobs: usize,
    /// The times within which a case judges.
    pub(crate) windows: Windows,
    /// What is known of the brokers.
    pub(crate) expectations: Expectations,
    /// Whether a SHOULD that is not kept is accepted.
    pub(crate) strict: bool,
}

/// Plays every question and hands over the answers, in the order of the
/// questions and as soon as that order allows.
pub(crate) fn run<'a>(
    questions: &[Question<'a>],
    rules: &Rules,
    mut report: impl FnMut(&Answer<'a>),
) -> Vec<Answer<'a>> {
    let next = AtomicUsize::new(0);
    let seed = run_seed();
    let mut answers = Vec::with_capacity(questions.len());
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..rules.jobs.min(questions.len()) {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(question) = questions.get(index) else {
                        break;
                    };
                    let unique = format!("{seed:08x}{index:03x}");
                    if sender.send((index, ask(*question, rules, unique))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        for (index, answer) in receiver {
            early.insert(index, answer);
            while let Some(answer) = early.remove(&answers.len()) {
                report(&answer);
                answers.push(answer);
            }
        }
    });
    answers
}

fn ask<'a>(question: Question<'a>, rules: &Rules, unique: String) -> Answer<'a> {
    let start = Instant::now();
    let transcript = Transcript::new();
    let context = Context::new(question.target, &rules.windows, unique, transcript.clone());
    // A mistake in one case must not take the verdicts of the others with it.
    let played = catch_unwind(AssertUnwindSafe(|| (question.case.run)(&context)))
        .unwrap_or_else(|_| Err(inconclusive("the case itself panicked")));
    let verdict = Verdict(played);
    let outcome = judge(
        question.case.level,
        &verdict,
        rules.expectations.of(question.case.id),
        rules.strict,
    );
    Answer {
        question,
        verdict,
        outcome,
        time: start.elapsed(),
        transcript,
    }
}

/// Differs from run to run, so that what an earlier run left in a broker is
/// never met again.
fn run_seed() -> u32 {
    let nanoseconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    // Milliseconds in 32 bits repeat after seven weeks; the process id tells
    // apart what starts in the same one.
    ((nanoseconds / 1_000_000) as u32) ^ std::process::id().rotate_left(20)
}
