//! Plays cases: many at a time, each on its own, the results in order. A
//! broker that dies is one finding, and what was asked while it died is asked
//! again, alone, when it can be brought back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use crate::case::{Case, Context, Section, Windows};
use crate::expectation::Expectation;
use crate::interrupt;
use crate::preflight;
use crate::restart::Restart;
use crate::target::{Protocol, Target};
use crate::transcript::Transcript;
use crate::verdict::{Kind, Outcome, Status, Stop, Verdict, inconclusive, judge, not_applicable};

/// One case to be asked of one broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The broker.
    pub(crate) target: &'a Target,
    /// Where the case stands in the report.
    pub(crate) section: &'static Section,
    /// What to ask.
    pub(crate) case: &'static Case,
    /// What is known of the answer.
    pub(crate) expectation: Option<&'a Expectation>,
}

impl Question<'_> {
    /// Returns whether the other is the same case of the same broker.
    fn is(&self, other: &Question<'_>) -> bool {
        std::ptr::eq(self.target, other.target) && std::ptr::eq(self.case, other.case)
    }
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
    /// How often each verdict came. What else is here is about the first round that
    /// was not accepted, or else the first that was no pass, and about the last
    /// attempt of that round.
    pub(crate) verdicts: BTreeMap<Kind, usize>,
    /// Whether the case is [`timed`](Context::timed).
    timed: bool,
}

impl Answer<'_> {
    /// Returns whether it may be like this only because somebody stood still.
    fn may_be_late(&self) -> bool {
        let failed = matches!(self.verdict.kind(), Kind::Fail | Kind::Inconclusive);
        self.timed && failed && self.outcome.status != Status::Known
    }

    /// Returns the answer of the next attempt, which says what came of the one before.
    fn after(mut self, before: Self) -> Self {
        self.add(before.time, before.verdicts);
        self
    }

    /// Returns how often the question was asked.
    pub(crate) fn rounds(&self) -> usize {
        self.verdicts.values().sum()
    }

    /// Adds what became of the same question in another round.
    fn join(&mut self, mut other: Self) {
        let worse = |answer: &Self| (!answer.outcome.accepted, answer.verdict.kind());
        if worse(&other) > worse(self) {
            std::mem::swap(self, &mut other);
        }
        self.add(other.time, other.verdicts);
    }

    fn add(&mut self, time: Duration, verdicts: BTreeMap<Kind, usize>) {
        self.time += time;
        for (kind, count) in verdicts {
            *self.verdicts.entry(kind).or_insert(0) += count;
        }
    }
}

/// Who follows a run.
pub(crate) trait Observer {
    /// A case has been played, or a part of it: what went over the wire.
    fn played(&mut self, question: &Question<'_>, transcript: &Transcript);
    /// A question is answered, after all its rounds.
    fn answered(&mut self, answer: &Answer<'_>);
}

/// What starts a broker again.
pub(crate) type Starter<'a> = Box<dyn Fn() -> Result<(), String> + Sync + 'a>;

/// How a run judges.
pub(crate) struct Rules<'r> {
    /// How many cases are played at a time.
    pub(crate) jobs: usize,
    /// The times within which a case judges.
    pub(crate) windows: Windows,
    /// Whether a SHOULD that is not kept is accepted.
    pub(crate) strict: bool,
    /// What brings a broker back that has died, or that a case wants to start again.
    pub(crate) restart: Option<Starter<'r>>,
    /// Whether the broker is looked after between cases.
    pub(crate) watch: bool,
    /// Makes the names of this run its own.
    pub(crate) seed: u32,
}

/// What became of all questions.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// In the order of the questions.
    pub(crate) answers: Vec<Answer<'a>>,
    /// What happened to a broker that no single case can be blamed for, and
    /// why questions were left.
    pub(crate) findings: Vec<String>,
    /// How many questions were not asked.
    pub(crate) left: usize,
    /// What the cases made and could not be removed.
    pub(crate) remains: Vec<String>,
    /// How long it took.
    pub(crate) time: Duration,
}

impl Run<'_> {
    /// Whether every question was asked and every outcome is accepted.
    pub(crate) fn is_accepted(&self) -> bool {
        self.left == 0
            && self.findings.is_empty()
            && self.answers.iter().all(|answer| answer.outcome.accepted)
    }
}

/// How often a case that is timed is asked before it says that it failed: what each
/// attempt has in its names, so that it meets nothing of the one before.
const ATTEMPTS: [&str; 3] = ["", "y", "z"];

/// How often a broker may die in one run before it is left alone.
const DEATHS: usize = 50;

/// How long a broker may take to come back after its restart.
const RESTART: Duration = Duration::from_secs(60);

/// How often, and at what distance, a broker is looked for before it counts as
/// gone: a slow machine is not a dead broker.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Plays every question and hands over the answers, in the order of the
/// questions and as soon as that order allows. The rounds of one question stand
/// one after the other.
pub(crate) fn run<'a>(
    questions: &[Question<'a>],
    rules: &Rules<'_>,
    observer: &mut dyn Observer,
) -> Run<'a> {
    let start = Instant::now();
    let mut ordered = Ordered {
        observer,
        early: BTreeMap::new(),
        next: 0,
        taken: 0,
        last: None,
        answers: Vec::new(),
    };
    let mut findings = Vec::new();
    // Those that start the broker again come last: that ends all other conversations.
    let (last, first): (Vec<_>, Vec<_>) =
        (0..questions.len()).partition(|&index| questions[index].section.restarts());
    let mut open = VecDeque::from(first);
    let mut deaths = 0;
    while !open.is_empty() && !interrupt::requested() {
        let Some(death) = play(questions, rules, &mut open, rules.jobs, None, &mut ordered) else {
            continue;
        };
        deaths += 1;
        let target = questions[death.during[0]].target;
        let names: Vec<_> = death
            .during
            .iter()
            .map(|&index| questions[index].case.id)
            .collect();
        let why = format!("{target} does not answer any more: {}", death.evidence);
        if let [index] = death.during[..] {
            ordered.take(index, crashed(questions[index], rules, &death, &why));
        }
        let back = deaths < DEATHS && bring_back(target, rules);
        if !back {
            if death.during.len() > 1 {
                findings.push(format!(
                    "{why}. It was well before these cases: {}. With --jobs 1, or with a \
                     --restart-command, the run finds out which of them it is",
                    names.join(", ")
                ));
            } else {
                findings.push(why);
            }
            open.retain(|&index| !std::ptr::eq(questions[index].target, target));
            continue;
        }
        if death.during.len() == 1 {
            continue;
        }
        // Alone, each of them shows whether it was the one.
        let mut suspects: VecDeque<usize> = death.during.into();
        while let Some(index) = suspects.pop_front() {
            let mut one = VecDeque::from([index]);
            if let Some(death) = play(questions, rules, &mut one, 1, None, &mut ordered) {
                let why = format!("{target} does not answer any more: {}", death.evidence);
                ordered.take(index, crashed(questions[index], rules, &death, &why));
                if !bring_back(target, rules) {
                    findings.push(format!("{why}, and it did not come back"));
                    open.retain(|&index| !std::ptr::eq(questions[index].target, target));
                    break;
                }
            }
            if interrupt::requested() {
                break;
            }
        }
    }
    if findings.is_empty() {
        play_restarts(questions, rules, last, &mut ordered);
    }
    let left = questions.len() - ordered.taken;
    if interrupt::requested() {
        findings.push(format!("interrupted, with {left} cases not asked"));
    }
    ordered.finish();
    Run {
        answers: ordered.answers,
        findings,
        left,
        remains: Vec::new(),
        time: start.elapsed(),
    }
}

/// Plays the cases that start the broker again: all at a time, and with one restart for all
/// of them.
fn play_restarts<'a>(
    questions: &[Question<'a>],
    rules: &Rules<'_>,
    last: Vec<usize>,
    ordered: &mut Ordered<'a, '_>,
) {
    let mut targets: Vec<&Target> = Vec::new();
    for &index in &last {
        let target = questions[index].target;
        if !targets.iter().any(|known| std::ptr::eq(*known, target)) {
            targets.push(target);
        }
    }
    let again = || match &rules.restart {
        Some(restart) => start_again(restart, &targets, rules),
        None => Ok(()),
    };
    // Another round of a case is another restart.
    let mut rounds: Vec<VecDeque<usize>> = Vec::new();
    for index in last {
        let is_new = |round: &&mut VecDeque<usize>| {
            !round
                .iter()
                .any(|&other| questions[other].is(&questions[index]))
        };
        match rounds.iter_mut().find(is_new) {
            Some(round) => round.push_back(index),
            None => rounds.push(VecDeque::from([index])),
        }
    }
    for mut round in rounds {
        let count = round.len();
        let restart = Restart::new(&again, count);
        let restart = rules.restart.is_some().then_some(&restart);
        // Nobody looks whether it is there: it is not, for a while.
        play(questions, rules, &mut round, count, restart, ordered);
    }
}

/// Hands answers over in the order of their questions.
struct Ordered<'a, 'o> {
    observer: &'o mut dyn Observer,
    early: BTreeMap<usize, Answer<'a>>,
    next: usize,
    /// How many questions have been answered.
    taken: usize,
    /// The answer that another round may add to.
    last: Option<Answer<'a>>,
    answers: Vec<Answer<'a>>,
}

impl<'a> Ordered<'a, '_> {
    fn take(&mut self, index: usize, answer: Answer<'a>) {
        self.taken += 1;
        self.early.insert(index, answer);
        while let Some(answer) = self.early.remove(&self.next) {
            self.next += 1;
            self.push(answer);
        }
    }

    /// Hands over what came after a question that was never answered.
    fn finish(&mut self) {
        for (_, answer) in std::mem::take(&mut self.early) {
            self.push(answer);
        }
        self.flush();
    }

    fn push(&mut self, answer: Answer<'a>) {
        match &mut self.last {
            Some(last) if last.question.is(&answer.question) => last.join(answer),
            _ => {
                self.flush();
                self.last = Some(answer);
            }
        }
    }

    fn flush(&mut self) {
        if let Some(answer) = self.last.take() {
            self.observer.answered(&answer);
            self.answers.push(answer);
        }
    }
}

/// A broker that does not answer any more.
struct Death {
    evidence: String,
    /// The questions that were on, by index.
    during: Vec<usize>,
    transcript: Option<Transcript>,
}

/// Plays the open questions until there are none, the run is interrupted, or a
/// broker dies; then with what was on.
fn play<'a>(
    questions: &[Question<'a>],
    rules: &Rules<'_>,
    open: &mut VecDeque<usize>,
    jobs: usize,
    restart: Option<&Restart<'_>>,
    ordered: &mut Ordered<'a, '_>,
) -> Option<Death> {
    struct State<'q> {
        open: &'q mut VecDeque<usize>,
        dead: Option<String>,
        during: BTreeSet<usize>,
        transcript: Option<Transcript>,
    }
    let count = jobs.min(open.len());
    let state = Mutex::new(State {
        open,
        dead: None,
        during: BTreeSet::new(),
        transcript: None,
    });
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..count {
            let sender = sender.clone();
            let lock = &lock;
            scope.spawn(move || {
                loop {
                    let index = {
                        let mut state = lock();
                        if state.dead.is_some() || interrupt::requested() {
                            break;
                        }
                        let Some(index) = state.open.pop_front() else {
                            break;
                        };
                        index
                    };
                    let question = questions[index];
                    // What it made is to be removed, whatever becomes of it.
                    let played = |transcript: &Transcript| {
                        sender.send((index, Err(transcript.clone()))).is_ok()
                    };
                    let Some(answer) = attempts(question, rules, index, restart, played) else {
                        break;
                    };
                    if let Some(restart) = restart {
                        restart.leave();
                    }
                    if interrupt::requested() && answer.verdict.0.is_err() {
                        break;
                    }
                    // A broker that is well after a case was well during it.
                    let suspect = rules.watch
                        && !question.section.restarts()
                        && (answer.transcript.has_an_end() || answer.verdict.0.is_err());
                    let gone = if suspect {
                        look(question.target, rules).err()
                    } else {
                        None
                    };
                    let mut state = lock();
                    if gone.is_some() || state.dead.is_some() && suspect {
                        state.during.insert(index);
                        state.dead = state.dead.take().or(gone);
                        state.transcript = Some(answer.transcript.clone());
                        break;
                    }
                    drop(state);
                    if sender.send((index, Ok(answer))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (index, message) in receiver {
            match message {
                Ok(answer) => ordered.take(index, answer),
                Err(transcript) => ordered.observer.played(&questions[index], &transcript),
            }
        }
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.dead.map(|evidence| Death {
        evidence,
        during: state.during.into_iter().collect(),
        transcript: state.transcript,
    })
}

/// Whether the broker answers a client, within some attempts.
fn look(target: &Target, rules: &Rules<'_>) -> Result<(), String> {
    static LOOKED: AtomicU32 = AtomicU32::new(0);
    let mut last = Ok(());
    for turn in 0..LOOKS {
        if turn > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let number = LOOKED.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{:08x}l{number:x}", rules.seed);
        last = preflight::alive(target, &rules.windows, &unique);
        if last.is_ok() || interrupt::requested() {
            return Ok(());
        }
    }
    last
}

/// A command for the shell that starts the broker again.
pub(crate) fn by_command(command: &str) -> Starter<'_> {
    Box::new(
        move || match Command::new("sh").arg("-c").arg(command).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{command}: {status}")),
            Err(error) => Err(format!("{command}: {error}")),
        },
    )
}

/// Starts the broker again, if that can be done, and waits until it answers.
fn bring_back(target: &Target, rules: &Rules<'_>) -> bool {
    let Some(restart) = &rules.restart else {
        return false;
    };
    match start_again(restart, &[target], rules) {
        Ok(()) => true,
        Err(error) => {
            anstream::eprintln!("mqspec: {error}");
            false
        }
    }
}

fn start_again(
    restart: &Starter<'_>,
    targets: &[&Target],
    rules: &Rules<'_>,
) -> Result<(), String> {
    restart()?;
    let start = Instant::now();
    loop {
        let Some(missing) = targets.iter().find_map(|target| look(target, rules).err()) else {
            return Ok(());
        };
        if start.elapsed() > RESTART || interrupt::requested() {
            return Err(missing);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

fn crashed<'a>(question: Question<'a>, rules: &Rules<'_>, death: &Death, why: &str) -> Answer<'a> {
    let transcript = death.transcript.clone().unwrap_or_else(Transcript::new);
    answer(
        question,
        rules,
        Err(Stop::Crash(why.into())),
        Duration::ZERO,
        transcript,
    )
}

/// Asks a question, and again while its answer may be late. `None` when nobody wants to
/// know any more what was `played`.
fn attempts<'a>(
    question: Question<'a>,
    rules: &Rules<'_>,
    index: usize,
    restart: Option<&Restart<'_>>,
    played: impl Fn(&Transcript) -> bool,
) -> Option<Answer<'a>> {
    let mut last: Option<Answer<'a>> = None;
    for attempt in ATTEMPTS {
        let unique = format!("{:08x}{index:03x}{attempt}", rules.seed);
        let answer = ask(question, rules, unique, restart);
        if !played(&answer.transcript) {
            return None;
        }
        let answer = match last.take() {
            Some(before) => answer.after(before),
            None => answer,
        };
        let again = answer.may_be_late() && !interrupt::requested();
        last = Some(answer);
        // One restart is for one attempt of all the cases about it.
        if !again || question.section.restarts() {
            break;
        }
    }
    last
}

fn ask<'a>(
    question: Question<'a>,
    rules: &Rules<'_>,
    unique: String,
    restart: Option<&Restart<'_>>,
) -> Answer<'a> {
    let start = Instant::now();
    let transcript = Transcript::new();
    if let Some(evidence) = question.target.profile.lacks(question.case.id) {
        let why = format!("the broker does not offer this version: {evidence}");
        let absent = Err(not_applicable(why));
        return answer(question, rules, absent, start.elapsed(), transcript);
    }
    let context = Context::new(
        question.target,
        &rules.windows,
        unique,
        transcript.clone(),
        question.case.id,
    )
    .with_restart(restart);
    // A mistake in one case must not take the verdicts of the others with it.
    let played = catch_unwind(AssertUnwindSafe(|| (question.case.run)(&context)))
        .unwrap_or_else(|_| Err(inconclusive("the case itself panicked")));
    let played = match question.target.protocol {
        Protocol::Stomp => crate::stomp::with_control(&context, played),
        Protocol::Amqp | Protocol::Mqtt => played,
    };
    Answer {
        timed: context.is_timed(),
        ..answer(question, rules, played, start.elapsed(), transcript)
    }
}

fn answer<'a>(
    question: Question<'a>,
    rules: &Rules<'_>,
    played: Result<(), Stop>,
    time: Duration,
    transcript: Transcript,
) -> Answer<'a> {
    let verdict = Verdict(played);
    let outcome = judge(
        question.case.level,
        &verdict,
        question.expectation,
        rules.strict,
    );
    let verdicts = BTreeMap::from([(verdict.kind(), 1)]);
    Answer {
        question,
        verdict,
        outcome,
        time,
        transcript,
        verdicts,
        timed: false,
    }
}

/// Differs from run to run, so that what an earlier run left in a broker is
/// never met again.
pub(crate) fn run_seed() -> u32 {
    let nanoseconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    // Milliseconds in 32 bits repeat after seven weeks; the process id tells
    // apart what starts in the same one.
    ((nanoseconds / 1_000_000) as u32) ^ std::process::id().rotate_left(20)
}
