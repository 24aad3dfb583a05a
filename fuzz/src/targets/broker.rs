//! The broker, and clients of all three protocols that keep the rules, over links that are slow
//! and break, with a store that is slow and a broker that crashes: what happens to them is
//! drawn from the input, as phrases of several steps with holes. What has to be where is known
//! by the ledger of the simulation of `mq-core`, whose clients these are.

use arbitrary::Unstructured;

use crate::simulation::choices::Choices;
use crate::simulation::play;
use crate::simulation::script::Likely;

/// Phrases of one input at the most: more take longer than they find.
const PHRASES: usize = 32;

/// Single steps in a row at the most.
const STEPS: u64 = 16;

struct Bytes<'a>(Unstructured<'a>);

impl Choices for Bytes<'_> {
    fn below(&mut self, end: u64) -> u64 {
        // What is missing counts as zeros.
        self.0.int_in_range(0..=end - 1).unwrap_or_default()
    }
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let mut choices = Bytes(Unstructured::new(data));
    let likely = Likely::any(&mut choices);
    let mut steps = Vec::new();
    for _ in 0..PHRASES {
        if choices.0.is_empty() {
            break;
        }
        match choices.below(5) {
            0 => {
                let count = 1 + choices.below(STEPS);
                steps.extend((0..count).map(|_| likely.step(&mut choices)));
            }
            _ => steps.extend(likely.phase(&mut choices)),
        }
    }
    play(&likely.script(steps));
}
