//! Lists of steps, and what they are played with.

use super::choices::{Choices, Random};
use super::ledger::What;
use super::phase;

/// Steps of one seed.
const STEPS: usize = 600;
/// Phases among them.
const PHASES: usize = 5;
/// How many clients there are.
const PEERS: u64 = 11;

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A client does something, or connects if it is not connected.
    Act { who: u8, choice: u64 },
    /// Bytes of a client arrive at the broker.
    Up { who: u8, len: u16 },
    /// Bytes of the broker arrive at a client.
    Down { who: u8, len: u16 },
    /// A link breaks; bytes that were on their way are lost.
    Cut { who: u8 },
    /// Time passes.
    Wait { milliseconds: u16 },
    /// Some of what was appended is stored.
    Sync { part: u8 },
    /// The broker is gone, and with it most of what is not stored. With `flipped` a bit of
    /// what was being stored is turned round. The clock jumps by so many seconds meanwhile.
    Crash {
        kept: u8,
        flipped: Option<u16>,
        jump: i32,
    },
    /// A client connects, if it is not connected.
    Connect { who: u8 },
    /// A client does what it is asked for.
    Do { who: u8, what: What },
    /// So many times whatever is on its way to and from a client arrives.
    Exchange { who: u8, times: u8 },
    /// The same for all clients, and all is stored.
    Settle { times: u8 },
    /// All links break, all is stored, and the broker is made again of that.
    Restart,
    /// Another policy is for the queue `ruled`.
    Rule { choice: u8 },
}

/// What a list of steps is played with.
#[derive(Debug)]
pub(crate) struct Script {
    /// How many messages wait in one session at the most.
    pub(super) session_messages: usize,
    /// The broker has a store.
    pub(super) stores: bool,
    pub(super) steps: Vec<Step>,
}

/// What is likely in a script.
#[derive(Debug)]
pub(crate) struct Likely {
    stores: bool,
    session_messages: usize,
    /// Of a hundred steps, so many.
    crashes: u64,
    syncs: u64,
    cuts: u64,
    /// What is below that, and is nothing else, lets a client read; the rest is time.
    reads: u64,
    /// Milliseconds that pass at once.
    longest: u64,
}

impl Likely {
    pub(crate) fn any(choices: &mut impl Choices) -> Self {
        let stores = choices.once_in(2);
        Self {
            stores,
            // Few, so that what has expired may stand in the way of others; but which session
            // was full depends on what a crash has undone.
            session_messages: match stores {
                true => 100_000,
                false => choices.one(&[2, 5, 100_000]),
            },
            crashes: choices.one(&[0, 1, 3]),
            // Some stores are slow, so that much is lost.
            syncs: choices.one(&[4, 10]),
            // Some scripts break links often, some never.
            cuts: choices.one(&[0, 2, 8]),
            // In some clients read slowly, in some much time passes.
            reads: choices.one(&[92, 72]),
            longest: choices.one(&[400, 3000]),
        }
    }

    pub(crate) fn step(&self, choices: &mut impl Choices) -> Step {
        if self.stores {
            match choices.below(100) {
                n if n < self.syncs => {
                    return Step::Sync {
                        part: choices.byte() % 8,
                    };
                }
                n if n < self.syncs + self.crashes => {
                    return Step::Crash {
                        kept: choices.byte(),
                        flipped: choices.once_in(2).then(|| choices.below(1 << 16) as u16),
                        jump: phase::jump(choices),
                    };
                }
                _ => {}
            }
        }
        let kind = choices.below(100);
        if (self.reads..).contains(&kind) {
            return Step::Wait {
                milliseconds: choices.below(self.longest) as u16,
            };
        }
        let who = choices.below(PEERS) as u8;
        if kind < self.cuts {
            return Step::Cut { who };
        }
        if kind < 40 {
            let choice = choices.below(1 << 32);
            return Step::Act { who, choice };
        }
        let len = 1 << choices.below(15);
        match kind {
            0..65 => Step::Up { who, len },
            _ => Step::Down { who, len },
        }
    }

    pub(crate) fn phase(&self, choices: &mut impl Choices) -> Vec<Step> {
        phase::any(choices, self.stores)
    }

    pub(crate) fn script(&self, steps: Vec<Step>) -> Script {
        Script {
            session_messages: self.session_messages,
            stores: self.stores,
            steps,
        }
    }
}

/// The script of a seed.
pub(super) fn of(seed: u64) -> Script {
    let mut random = Random(seed);
    let likely = Likely::any(&mut random);
    let mut steps: Vec<Step> = (0..STEPS).map(|_| likely.step(&mut random)).collect();
    for _ in 0..PHASES {
        let at = random.below(steps.len() as u64) as usize;
        let phase = likely.phase(&mut random);
        steps.splice(at..at, phase);
    }
    likely.script(steps)
}
