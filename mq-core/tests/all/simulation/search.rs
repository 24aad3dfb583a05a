//! Many seeds, and the fewest steps of one that fails.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::play;
use super::script::{self, Script};

/// Seeds of a run that does not say how many.
const SEEDS: u64 = 60;

thread_local! {
    /// Panics are expected here: a list of steps is tried many times while it shrinks.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What goes wrong when these steps are played.
fn failure(script: &Script) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                report(panic);
            }
        }));
    });
    QUIET.set(true);
    let played = panic::catch_unwind(AssertUnwindSafe(|| play(script)));
    QUIET.set(false);
    let panic = played.err()?;
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Some(text.unwrap_or("a panic without words").to_owned())
}

/// A failure without its numbers: what stays the same while a list shrinks.
fn kind(failure: &str) -> String {
    failure.replace(|letter: char| letter.is_ascii_digit(), "")
}

/// Leaves out steps, many at first, for as long as the rest fails in the same way.
fn shrink(mut script: Script, first: &str) -> Script {
    let mut size = script.steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < script.steps.len() {
            let end = (at + size).min(script.steps.len());
            let mut steps = script.steps.clone();
            steps.drain(at..end);
            let fewer = Script { steps, ..script };
            if failure(&fewer).is_some_and(|failure| kind(&failure) == kind(first)) {
                script = fewer;
            } else {
                at = end;
            }
        }
        size /= 2;
    }
    script
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("a number"))
}

#[test]
fn nothing_confirmed_is_lost_and_nothing_comes_from_nowhere() {
    let seeds = match number("MQ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MQ_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let script = script::of(seed);
        if let Some(first) = failure(&script) {
            let script = shrink(script, &first);
            let last = failure(&script).unwrap_or_default();
            let steps = script.steps.iter();
            let steps: String = steps.map(|step| format!("    {step:?}\n")).collect();
            panic!(
                "MQ_SEED={seed}: {first}\nThese steps are enough, with {} messages a session, with a store: {}: {last}\n{steps}",
                script.session_messages, script.stores,
            );
        }
    }
}
