//! Phases: rows of steps as somebody makes them who looks for what is lost.

use super::ledger::What;
use super::{Random, Step};

/// Clients by what they are.
const AMQP: [u8; 2] = [0, 1];
const EVEN: u8 = 2;
const ODD: u8 = 3;
const STOMP: [u8; 2] = [4, 5];
const STRANGER: u8 = 6;
const BRIEF: u8 = 7;
const WILL: u8 = 8;
const SHARE: [u8; 2] = [9, 10];

/// Exchanges that are enough for a client to connect and subscribe.
pub(super) const ENOUGH: u8 = 8;

/// One of the phases.
pub(super) fn any(random: &mut Random, stores: bool) -> Vec<Step> {
    match random.below(14) {
        0 => crowd(random),
        1 => retain(random),
        2 => leave(random, stores),
        3 => shake_hands(random, stores),
        4 => clear(random),
        5 => transact(random),
        6 => die(random, stores),
        7 => share(random),
        8 => rank(random),
        9 => follow(random),
        10 => delay(random, stores),
        11 => rule(random, stores),
        12 => vec![Step::Connect { who: STRANGER }, settle()],
        _ => vec![Step::Restart],
    }
}

/// One of them.
fn one(random: &mut Random, all: &[u8]) -> u8 {
    all[random.below(all.len() as u64) as usize]
}

fn settle() -> Step {
    Step::Settle { times: ENOUGH }
}

/// More time than what expires has to live, or less.
fn wait(random: &mut Random) -> Step {
    let milliseconds = [300, 1_100, 2_000][random.below(3) as usize];
    Step::Wait { milliseconds }
}

/// A session is away while messages for it come and expire, and then some that do not.
fn crowd(random: &mut Random) -> Vec<Step> {
    let away = one(random, &[EVEN, ODD]);
    // 3.1.1 and our STOMP clients have no way to say how long a message lives.
    let expiring = match away {
        EVEN => one(random, &AMQP),
        _ => one(random, &[AMQP[0], AMQP[1], EVEN]),
    };
    let others = [AMQP[0], AMQP[1], EVEN + ODD - away, STOMP[0], STOMP[1]];
    let lasting = one(random, &others);
    let mut steps = Vec::from([away, expiring, lasting].map(|who| Step::Connect { who }));
    steps.extend([settle(), Step::Cut { who: away }]);
    let publish = |who, what| Step::Publish { who, what };
    let many = 1 + random.below(6) as usize;
    steps.extend(vec![publish(expiring, What::Expiring); many]);
    steps.extend([settle(), wait(random)]);
    let few = 1 + random.below(2) as usize;
    steps.extend(vec![publish(lasting, What::Lasting); few]);
    steps.push(settle());
    steps
}

/// As many messages are retained as may be, for a while, and then others.
fn retain(random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::from([EVEN, ODD].map(|who| Step::Connect { who }));
    steps.push(settle());
    let retained = |who, slot, expires| {
        let what = What::Retained { slot, expires };
        Step::Publish { who, what }
    };
    let first = random.below(2) as u8;
    steps.extend((first..4).map(|slot| retained(EVEN, slot, true)));
    steps.extend([settle(), wait(random)]);
    let who = one(random, &[EVEN, ODD]);
    steps.push(retained(who, 4, random.below(4) == 0));
    steps.push(settle());
    steps
}

/// A client with a session that ends soon goes and comes back.
fn leave(random: &mut Random, stores: bool) -> Vec<Step> {
    let here = [Step::Connect { who: BRIEF }, settle()];
    let mut steps = Vec::from(here);
    steps.push(Step::Cut { who: BRIEF });
    if stores && random.below(2) == 0 {
        // What happened before is stored, or is lost at times.
        if random.below(2) == 0 {
            steps.push(settle());
        }
        let (kept, flipped) = (random.below(4) as u8, None);
        let jump = jump(random);
        steps.push(Step::Crash {
            kept,
            flipped,
            jump,
        });
    }
    let milliseconds = [200, 1_800, 2_200][random.below(3) as usize];
    steps.push(Step::Wait { milliseconds });
    steps.extend(here);
    steps
}

/// By how many seconds the clock jumps while the broker is down.
pub(super) fn jump(random: &mut Random) -> i32 {
    [0, 1, 3, 3_600, -1, -3, -3_600][random.below(7) as usize]
}

/// A topic gets a message to be retained, which is cleared. Then the broker starts anew.
fn clear(random: &mut Random) -> Vec<Step> {
    let who = one(random, &[EVEN, ODD]);
    let slot = random.below(5) as u8;
    let retained = What::Retained {
        slot,
        expires: false,
    };
    let publish = |what| Step::Publish { who, what };
    vec![
        Step::Connect { who },
        settle(),
        publish(retained),
        settle(),
        publish(What::Cleared { slot }),
        settle(),
        Step::Restart,
    ]
}

/// A transaction is committed, and the broker starts anew.
fn transact(random: &mut Random) -> Vec<Step> {
    let who = one(random, &AMQP);
    let what = What::Together;
    vec![
        Step::Connect { who },
        settle(),
        Step::Publish { who, what },
        settle(),
        Step::Restart,
    ]
}

/// Messages wait for their time, and the broker crashes or starts anew before it, or after.
fn delay(random: &mut Random, stores: bool) -> Vec<Step> {
    let who = one(random, &[AMQP[0], AMQP[1], STOMP[0], STOMP[1], EVEN]);
    let mut steps = vec![Step::Connect { who }, settle()];
    for _ in 0..=random.below(3) {
        let slot = random.next() as u8;
        let what = What::Late { slot };
        steps.push(Step::Publish { who, what });
    }
    if random.below(3) > 0 {
        steps.push(settle());
    }
    if random.below(2) == 0 {
        steps.push(wait(random));
    }
    steps.push(end(random, stores));
    steps.push(wait(random));
    steps
}

/// The policy of a queue changes while messages are in it, and the broker crashes or starts
/// anew.
fn rule(random: &mut Random, stores: bool) -> Vec<Step> {
    let who = one(random, &AMQP);
    let mut steps = vec![Step::Connect { who }, settle()];
    for _ in 0..=random.below(2) {
        let choice = random.next() as u8;
        let what = What::Ruled;
        steps.extend(vec![
            Step::Publish { who, what };
            1 + random.below(4) as usize
        ]);
        steps.extend([settle(), Step::Rule { choice }]);
        steps.extend(vec![Step::Publish { who, what }; random.below(4) as usize]);
        if random.below(2) == 0 {
            steps.push(wait(random));
        }
    }
    steps.push(end(random, stores));
    steps
}

/// The broker crashes, or starts anew.
fn end(random: &mut Random, stores: bool) -> Step {
    match stores && random.below(2) == 0 {
        true => Step::Crash {
            kept: random.below(4) as u8,
            flipped: None,
            jump: jump(random),
        },
        false => Step::Restart,
    }
}

/// Messages with priorities wait while the broker starts anew.
fn rank(random: &mut Random) -> Vec<Step> {
    let who = one(random, &AMQP);
    let mut steps = vec![Step::Connect { who }, settle()];
    let what = What::Ranked;
    steps.extend(vec![Step::Publish { who, what }; 3]);
    steps.extend([settle(), Step::Restart]);
    steps
}

/// Two consume from a queue with a single active consumer. The one that is goes, and the
/// other follows.
fn follow(random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::from(AMQP.map(|who| Step::Connect { who }));
    steps.push(settle());
    let what = What::Single;
    for _ in 0..2 {
        steps.extend(AMQP.map(|who| Step::Publish { who, what }));
        steps.push(settle());
    }
    let who = one(random, &AMQP);
    steps.extend([Step::Cut { who }, settle()]);
    steps.extend(AMQP.map(|who| Step::Publish { who, what }));
    steps.push(settle());
    steps
}

/// A client with a will goes and may come back before that is due.
fn die(random: &mut Random, stores: bool) -> Vec<Step> {
    let here = [Step::Connect { who: WILL }, settle()];
    let mut steps = Vec::from(here);
    steps.push(Step::Cut { who: WILL });
    if random.below(2) == 0 {
        steps.push(wait(random));
    }
    if stores && random.below(2) == 0 {
        // What happened before is stored, or is lost at times.
        if random.below(2) == 0 {
            steps.push(settle());
        }
        let (kept, flipped) = (random.below(4) as u8, None);
        let jump = jump(random);
        steps.push(Step::Crash {
            kept,
            flipped,
            jump,
        });
    }
    if random.below(2) == 0 {
        steps.push(wait(random));
    }
    steps.extend(here);
    steps
}

/// Messages for a shared subscription, while a member of it goes.
fn share(random: &mut Random) -> Vec<Step> {
    let who = one(random, &AMQP);
    let mut steps = Vec::from([who, SHARE[0], SHARE[1]].map(|who| Step::Connect { who }));
    steps.push(settle());
    let what = What::Shared;
    steps.extend(vec![Step::Publish { who, what }; 3]);
    for _ in 0..random.below(4) {
        let who = one(random, &[who, SHARE[0], SHARE[1]]);
        steps.push(Step::Exchange { who, times: 1 });
    }
    let gone = one(random, &SHARE);
    steps.extend([
        Step::Cut { who: gone },
        Step::Publish { who, what },
        settle(),
    ]);
    steps
}

/// The broker crashes, or a link breaks, anywhere in a handshake of QoS 2.
fn shake_hands(random: &mut Random, stores: bool) -> Vec<Step> {
    let publisher = one(random, &[EVEN, ODD]);
    let mut steps = Vec::from([EVEN, ODD].map(|who| Step::Connect { who }));
    steps.push(settle());
    for _ in 0..=random.below(2) {
        let (who, what) = (publisher, What::Once);
        steps.push(Step::Publish { who, what });
    }
    for _ in 0..random.below(16) {
        let who = one(random, &[EVEN, ODD]);
        steps.push(match random.below(3) {
            0 if stores => Step::Sync { part: u8::MAX },
            _ => Step::Exchange { who, times: 1 },
        });
    }
    let kept = random.below(3) as u8;
    let flipped = (random.below(2) == 0).then(|| random.next() as u16);
    steps.push(match stores {
        true => Step::Crash {
            kept,
            flipped,
            jump: 0,
        },
        false => Step::Cut {
            who: one(random, &[EVEN, ODD]),
        },
    });
    steps.extend([EVEN, ODD].map(|who| Step::Connect { who }));
    steps.push(settle());
    steps
}
