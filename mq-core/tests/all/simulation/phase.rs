//! Phases: rows of steps as somebody makes them who looks for what is lost.

use super::choices::Choices;
use super::ledger::What;
use super::script::Step;

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
pub(super) fn any(choices: &mut impl Choices, stores: bool) -> Vec<Step> {
    match choices.below(21) {
        0 => crowd(choices),
        1 => retain(choices),
        2 => leave(choices, stores),
        3 => shake_hands(choices, stores),
        4 => clear(choices),
        5 => transact(choices),
        6 => die(choices, stores),
        7 => share(choices),
        8 => rank(choices),
        9 => follow(choices),
        10 => delay(choices, stores),
        11 => rule(choices, stores),
        12 => intrude(choices),
        13 => give_back(choices),
        14 => overfill(choices),
        15 => go_round(choices),
        16 => ask(choices),
        17 => part(choices),
        18 => forget(choices),
        19 => hurry(choices, stores),
        _ => vec![Step::Restart],
    }
}

fn settle() -> Step {
    Step::Settle { times: ENOUGH }
}

/// More time than what expires has to live, or less.
fn wait(choices: &mut impl Choices) -> Step {
    let milliseconds = choices.one(&[300, 1_100, 2_000]);
    Step::Wait { milliseconds }
}

/// A session is away while messages for it come and expire, and then some that do not.
fn crowd(choices: &mut impl Choices) -> Vec<Step> {
    let away = choices.one(&[EVEN, ODD]);
    // 3.1.1 and our STOMP clients have no way to say how long a message lives.
    let expiring = match away {
        EVEN => choices.one(&AMQP),
        _ => choices.one(&[AMQP[0], AMQP[1], EVEN]),
    };
    let others = [AMQP[0], AMQP[1], EVEN + ODD - away, STOMP[0], STOMP[1]];
    let lasting = choices.one(&others);
    let mut steps = Vec::from([away, expiring, lasting].map(|who| Step::Connect { who }));
    steps.extend([settle(), Step::Cut { who: away }]);
    let publish = |who, what| Step::Do { who, what };
    let many = 1 + choices.below(6) as usize;
    steps.extend(vec![publish(expiring, What::Expiring); many]);
    steps.extend([settle(), wait(choices)]);
    let few = 1 + choices.below(2) as usize;
    steps.extend(vec![publish(lasting, What::Lasting); few]);
    steps.push(settle());
    steps
}

/// As many messages are retained as may be, for a while, and then others.
fn retain(choices: &mut impl Choices) -> Vec<Step> {
    let mut steps = Vec::from([EVEN, ODD].map(|who| Step::Connect { who }));
    steps.push(settle());
    let retained = |who, slot, expires| {
        let what = What::Retained { slot, expires };
        Step::Do { who, what }
    };
    let first = choices.below(2) as u8;
    steps.extend((first..4).map(|slot| retained(EVEN, slot, true)));
    steps.extend([settle(), wait(choices)]);
    let who = choices.one(&[EVEN, ODD]);
    steps.push(retained(who, 4, choices.once_in(4)));
    steps.push(settle());
    steps
}

/// A client with a session that ends soon goes and comes back.
fn leave(choices: &mut impl Choices, stores: bool) -> Vec<Step> {
    let here = [Step::Connect { who: BRIEF }, settle()];
    let mut steps = Vec::from(here);
    steps.push(Step::Cut { who: BRIEF });
    if stores && choices.once_in(2) {
        // What happened before is stored, or is lost at times.
        if choices.once_in(2) {
            steps.push(settle());
        }
        let (kept, flipped) = (choices.below(4) as u8, None);
        let jump = jump(choices);
        steps.push(Step::Crash {
            kept,
            flipped,
            jump,
        });
    }
    let milliseconds = choices.one(&[200, 1_800, 2_200]);
    steps.push(Step::Wait { milliseconds });
    steps.extend(here);
    steps
}

/// By how many seconds the clock jumps while the broker is down.
pub(super) fn jump(choices: &mut impl Choices) -> i32 {
    choices.one(&[0, 1, 3, 3_600, -1, -3, -3_600])
}

/// A topic gets a message to be retained, which is cleared. Then the broker starts anew.
fn clear(choices: &mut impl Choices) -> Vec<Step> {
    let who = choices.one(&[EVEN, ODD]);
    let slot = choices.below(5) as u8;
    let retained = What::Retained {
        slot,
        expires: false,
    };
    let publish = |what| Step::Do { who, what };
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
fn transact(choices: &mut impl Choices) -> Vec<Step> {
    let who = choices.one(&AMQP);
    let what = What::Together;
    vec![
        Step::Connect { who },
        settle(),
        Step::Do { who, what },
        settle(),
        Step::Restart,
    ]
}

/// Messages wait for their time, and the broker crashes or starts anew before it, or after.
fn delay(choices: &mut impl Choices, stores: bool) -> Vec<Step> {
    let who = choices.one(&[AMQP[0], AMQP[1], STOMP[0], STOMP[1], EVEN]);
    let mut steps = vec![Step::Connect { who }, settle()];
    for _ in 0..=choices.below(3) {
        let slot = choices.byte();
        let what = What::Late { slot };
        steps.push(Step::Do { who, what });
    }
    if choices.below(3) > 0 {
        steps.push(settle());
    }
    if choices.once_in(2) {
        steps.push(wait(choices));
    }
    steps.push(end(choices, stores));
    steps.push(wait(choices));
    steps
}

/// The policy of a queue changes while messages are in it, and the broker crashes or starts
/// anew.
fn rule(choices: &mut impl Choices, stores: bool) -> Vec<Step> {
    let who = choices.one(&AMQP);
    let mut steps = vec![Step::Connect { who }, settle()];
    for _ in 0..=choices.below(2) {
        let choice = choices.byte();
        let what = What::Ruled;
        steps.extend(vec![Step::Do { who, what }; 1 + choices.below(4) as usize]);
        steps.extend([settle(), Step::Rule { choice }]);
        steps.extend(vec![Step::Do { who, what }; choices.below(4) as usize]);
        if choices.once_in(2) {
            steps.push(wait(choices));
        }
    }
    steps.push(end(choices, stores));
    steps
}

/// The broker crashes, or starts anew.
fn end(choices: &mut impl Choices, stores: bool) -> Step {
    match stores && choices.once_in(2) {
        true => Step::Crash {
            kept: choices.below(4) as u8,
            flipped: None,
            jump: jump(choices),
        },
        false => Step::Restart,
    }
}

/// Messages with priorities wait while the broker starts anew.
fn rank(choices: &mut impl Choices) -> Vec<Step> {
    let who = choices.one(&AMQP);
    let mut steps = vec![Step::Connect { who }, settle()];
    let what = What::Ranked;
    steps.extend(vec![Step::Do { who, what }; 3]);
    steps.extend([settle(), Step::Restart]);
    steps
}

/// Two consume from a queue with a single active consumer. The one that is goes, and the
/// other follows.
fn follow(choices: &mut impl Choices) -> Vec<Step> {
    let mut steps = Vec::from(AMQP.map(|who| Step::Connect { who }));
    steps.push(settle());
    let what = What::Single;
    for _ in 0..2 {
        steps.extend(AMQP.map(|who| Step::Do { who, what }));
        steps.push(settle());
    }
    let who = choices.one(&AMQP);
    steps.extend([Step::Cut { who }, settle()]);
    steps.extend(AMQP.map(|who| Step::Do { who, what }));
    steps.push(settle());
    steps
}

/// A client with a will goes and may come back before that is due.
fn die(choices: &mut impl Choices, stores: bool) -> Vec<Step> {
    let here = [Step::Connect { who: WILL }, settle()];
    let mut steps = Vec::from(here);
    steps.push(Step::Cut { who: WILL });
    if choices.once_in(2) {
        steps.push(wait(choices));
    }
    if stores && choices.once_in(2) {
        // What happened before is stored, or is lost at times.
        if choices.once_in(2) {
            steps.push(settle());
        }
        let (kept, flipped) = (choices.below(4) as u8, None);
        let jump = jump(choices);
        steps.push(Step::Crash {
            kept,
            flipped,
            jump,
        });
    }
    if choices.once_in(2) {
        steps.push(wait(choices));
    }
    steps.extend(here);
    steps
}

/// What a client publishes may be confirmed, and the broker crashes before much is stored.
fn hurry(choices: &mut impl Choices, stores: bool) -> Vec<Step> {
    let who = choices.one(&[AMQP[0], AMQP[1], EVEN, ODD, STOMP[0]]);
    let what = choices.one(&[What::Lasting, What::Once, What::Together]);
    let mut steps = vec![Step::Connect { who }, settle(), Step::Do { who, what }];
    let times = 1 + choices.below(3) as u8;
    steps.extend([Step::Exchange { who, times }, end(choices, stores)]);
    steps.extend([Step::Connect { who }, settle()]);
    steps
}

/// Somebody connects in the name of a client that is there or away, and cannot be answered. The
/// client comes back.
fn intrude(choices: &mut impl Choices) -> Vec<Step> {
    let mut steps = vec![Step::Connect { who: ODD }, settle()];
    if choices.once_in(2) {
        steps.push(Step::Cut { who: ODD });
    }
    steps.extend([Step::Connect { who: STRANGER }, settle()]);
    steps.extend([STRANGER, ODD].map(|who| Step::Cut { who }));
    steps.extend([Step::Connect { who: ODD }, settle()]);
    steps
}

/// A full queue is emptied, filled again, and gets back what was taken from it.
fn give_back(choices: &mut impl Choices) -> Vec<Step> {
    let who = choices.one(&AMQP);
    let publisher = choices.one(&AMQP);
    let mut steps = Vec::from([who, publisher].map(|who| Step::Connect { who }));
    steps.push(settle());
    for what in [What::Strict, What::Take, What::Strict] {
        let who = if matches!(what, What::Take) {
            who
        } else {
            publisher
        };
        let times = 1 + choices.below(4) as usize;
        steps.extend(vec![Step::Do { who, what }; times]);
        steps.push(settle());
    }
    steps.push(match choices.below(3) {
        0 => Step::Cut { who },
        _ => Step::Do {
            who,
            what: What::GiveBack,
        },
    });
    steps.push(settle());
    steps
}

/// A transaction has more than there is room for, or not.
fn overfill(choices: &mut impl Choices) -> Vec<Step> {
    let who = choices.one(&AMQP);
    let perform = |what| Step::Do { who, what };
    let mut steps = vec![Step::Connect { who }, settle()];
    steps.extend(vec![perform(What::Take); choices.below(4) as usize]);
    steps.extend([settle(), perform(What::Overfill), settle()]);
    if choices.once_in(2) {
        steps.push(Step::Restart);
    }
    steps
}

/// Messages die, and would go round for ever.
fn go_round(choices: &mut impl Choices) -> Vec<Step> {
    let who = choices.one(&AMQP);
    let what = What::Round;
    let mut steps = vec![Step::Connect { who }, settle()];
    let times = 1 + choices.below(3) as usize;
    steps.extend(vec![Step::Do { who, what }; times]);
    steps.extend([settle(), wait(choices), settle()]);
    steps
}

/// Requests are answered, while somebody goes or reads slowly.
fn ask(choices: &mut impl Choices) -> Vec<Step> {
    let [who, other] = AMQP;
    let mut steps = Vec::from(AMQP.map(|who| Step::Connect { who }));
    steps.push(settle());
    let what = What::Serve;
    steps.extend([Step::Do { who: other, what }, settle()]);
    let what = What::Request;
    let times = 1 + choices.below(8) as usize;
    steps.extend(vec![Step::Do { who, what }; times]);
    for _ in 0..choices.below(4) {
        let who = choices.one(&AMQP);
        steps.push(match choices.below(4) {
            0 => Step::Cut { who },
            1 => Step::Up { who, len: 1_000 },
            _ => Step::Exchange { who, times: 1 },
        });
    }
    steps.push(settle());
    steps
}

/// A client with a will says goodbye, and may come back before that would be due.
fn part(choices: &mut impl Choices) -> Vec<Step> {
    let who = WILL;
    let what = What::Part;
    let mut steps = vec![Step::Connect { who }, settle(), Step::Do { who, what }];
    for _ in 0..choices.below(3) {
        steps.push(Step::Exchange { who, times: 1 });
    }
    if choices.once_in(2) {
        steps.push(settle());
    }
    steps.push(wait(choices));
    if choices.once_in(2) {
        steps.extend([Step::Connect { who }, settle()]);
    }
    steps
}

/// A member of the shared subscription gives up its session, and joins again.
fn forget(choices: &mut impl Choices) -> Vec<Step> {
    let who = choices.one(&AMQP);
    let gone = choices.one(&SHARE);
    let mut steps = Vec::from([who, SHARE[0], SHARE[1]].map(|who| Step::Connect { who }));
    steps.push(settle());
    let what = What::Shared;
    let times = 1 + choices.below(4) as usize;
    steps.extend(vec![Step::Do { who, what }; times]);
    for _ in 0..choices.below(4) {
        let who = choices.one(&[who, SHARE[0], SHARE[1]]);
        steps.push(Step::Exchange { who, times: 1 });
    }
    let forget = Step::Do {
        who: gone,
        what: What::Forget,
    };
    steps.extend([forget, Step::Cut { who: gone }]);
    steps.extend(vec![Step::Do { who, what }; choices.below(3) as usize]);
    steps.extend([Step::Connect { who: gone }, settle()]);
    steps
}

/// Messages for a shared subscription, while a member of it goes.
fn share(choices: &mut impl Choices) -> Vec<Step> {
    let who = choices.one(&AMQP);
    let mut steps = Vec::from([who, SHARE[0], SHARE[1]].map(|who| Step::Connect { who }));
    steps.push(settle());
    let what = What::Shared;
    steps.extend(vec![Step::Do { who, what }; 3]);
    for _ in 0..choices.below(4) {
        let who = choices.one(&[who, SHARE[0], SHARE[1]]);
        steps.push(Step::Exchange { who, times: 1 });
    }
    let gone = choices.one(&SHARE);
    steps.extend([Step::Cut { who: gone }, Step::Do { who, what }, settle()]);
    steps
}

/// The broker crashes or starts anew, or a link breaks, anywhere in a handshake of QoS 2.
fn shake_hands(choices: &mut impl Choices, stores: bool) -> Vec<Step> {
    let publisher = choices.one(&[EVEN, ODD]);
    let mut steps = Vec::from([EVEN, ODD].map(|who| Step::Connect { who }));
    steps.push(settle());
    for _ in 0..=choices.below(2) {
        let (who, what) = (publisher, What::Once);
        steps.push(Step::Do { who, what });
    }
    for _ in 0..choices.below(16) {
        let who = choices.one(&[EVEN, ODD]);
        steps.push(match choices.below(3) {
            0 if stores => Step::Sync { part: u8::MAX },
            _ => Step::Exchange { who, times: 1 },
        });
    }
    let kept = choices.below(4) as u8;
    let flipped = (choices.once_in(2)).then(|| choices.below(1 << 16) as u16);
    steps.push(match (stores, kept) {
        // All that has come is stored, and no answer to it arrives.
        (true, 3) => Step::Restart,
        (true, _) => Step::Crash {
            kept,
            flipped,
            jump: 0,
        },
        (false, _) => Step::Cut {
            who: choices.one(&[EVEN, ODD]),
        },
    });
    steps.extend([EVEN, ODD].map(|who| Step::Connect { who }));
    steps.push(settle());
    steps
}
