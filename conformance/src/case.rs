//! What a case is, how it is chosen, and what it has at hand while it runs.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::interrupt;
use crate::restart::Restart;
use crate::stream::Stream;
use crate::target::{Protocol, Target};
use crate::transcript::Transcript;
use crate::verdict::{Stop, inconclusive, not_applicable};
use crate::wire::Wire;

/// How strongly the specification asks for what a case checks (RFC 2119).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Level {
    /// An absolute requirement, MUST NOT included.
    Must,
    /// A recommendation, SHOULD NOT included.
    Should,
    /// An option. A case of this level checks that a broker that takes the
    /// option does so in the way described.
    May,
    /// The specification binds the client alone: a broker that accepts what a
    /// client must not send breaks no rule, and is only more lenient than others.
    Leniency,
}

impl Level {
    /// The word of RFC 2119.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
            Self::Leniency => "leniency",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One question to a broker.
#[derive(Debug)]
pub(crate) struct Case {
    /// `PROTOCOL/RULE/QUESTION`, unique and stable: what users select by.
    pub(crate) id: &'static str,
    /// The statement of the specification, as the specification names it; several with
    /// `; ` between them.
    pub(crate) rule: &'static str,
    /// How strongly the rule is meant.
    pub(crate) level: Level,
    /// What a conforming broker does, in one line.
    pub(crate) title: &'static str,
    /// Plays the case. `Ok(())`: the rule is kept.
    pub(crate) run: fn(&Context<'_>) -> Result<(), Stop>,
}

impl Case {
    /// Each statement that [`rule`](Self::rule) names.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &'static str> {
        self.rule.split("; ")
    }
}

/// The title of the sections whose cases start the broker again.
pub(crate) const AFTER_A_RESTART: &str = "After a restart";

/// The cases about one part of a specification, reported together.
#[derive(Debug)]
pub(crate) struct Section {
    /// The protocol that the cases speak.
    pub(crate) protocol: Protocol,
    /// The heading in a report.
    pub(crate) title: &'static str,
    /// In the order in which they are reported.
    pub(crate) cases: &'static [Case],
}

impl Section {
    /// Returns whether its cases start the broker again, which ends every other
    /// conversation with it.
    pub(crate) fn restarts(&self) -> bool {
        self.title == AFTER_A_RESTART
    }
}

/// Every section of every protocol, in the order of the report.
pub(crate) fn sections() -> impl Iterator<Item = &'static Section> {
    crate::amqp::SECTIONS
        .iter()
        .chain(crate::mqtt::SECTIONS)
        .chain(crate::stomp::SECTIONS)
        .copied()
}

/// What is at hand for a running case.
pub(crate) struct Context<'a> {
    /// The broker under judgement.
    pub(crate) target: &'a Target,
    /// How long one answer may take.
    pub(crate) patience: Duration,
    /// How long nothing must come for the broker to count as silent.
    pub(crate) silence: Duration,
    /// The id of the case.
    pub(crate) id: &'static str,
    deadline: Instant,
    /// How many milliseconds of what has passed do not count for the deadline.
    uncounted: AtomicU64,
    timed: AtomicBool,
    unique: String,
    transcript: Transcript,
    /// Whether Ctrl-C ends the conversations too.
    interruptible: bool,
    restart: Option<&'a Restart<'a>>,
}

impl<'a> Context<'a> {
    /// `unique` is different for each case and each run.
    pub(crate) fn new(
        target: &'a Target,
        windows: &Windows,
        unique: String,
        transcript: Transcript,
        id: &'static str,
    ) -> Self {
        Self {
            target,
            patience: windows.patience,
            silence: windows.silence,
            id,
            deadline: Instant::now() + windows.deadline,
            uncounted: AtomicU64::new(0),
            timed: AtomicBool::new(false),
            unique,
            transcript,
            interruptible: true,
            restart: None,
        }
    }

    /// The same for another view of the broker: another virtual host, another user.
    pub(crate) fn to<'b>(&'b self, target: &'b Target) -> Context<'b> {
        Context {
            target,
            patience: self.patience,
            silence: self.silence,
            id: self.id,
            deadline: self.deadline(),
            uncounted: AtomicU64::new(0),
            timed: AtomicBool::new(self.is_timed()),
            unique: self.unique.clone(),
            transcript: self.transcript.clone(),
            interruptible: self.interruptible,
            restart: self.restart,
        }
    }

    /// Marks a case of which the verdict depends on the broker and the machine keeping
    /// time: who stands still for two seconds is late, and has broken no rule. The runner
    /// asks such a case again before it says that it failed.
    pub(crate) fn timed(&self) -> &Self {
        self.timed.store(true, Ordering::Relaxed);
        self
    }

    /// Returns whether the case is marked as [`timed`](Self::timed).
    pub(crate) fn is_timed(&self) -> bool {
        self.timed.load(Ordering::Relaxed)
    }

    /// For a case that is about what a broker keeps when it is started again.
    pub(crate) fn with_restart(self, restart: Option<&'a Restart<'a>>) -> Self {
        Self { restart, ..self }
    }

    /// For what has to be done after Ctrl-C too.
    pub(crate) fn uninterruptible(self) -> Self {
        Self {
            interruptible: false,
            ..self
        }
    }

    /// Opens a connection to the broker. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Stop::Inconclusive`] when the broker does not accept.
    pub(crate) fn connect(&self) -> Result<Wire, Stop> {
        self.wire(Stream::connect(self.target, self.patience))
    }

    /// Opens a connection to the port where the broker speaks WebSocket, without the
    /// handshake.
    ///
    /// # Errors
    ///
    /// [`Stop::Inconclusive`] when the broker does not accept.
    pub(crate) fn connect_below_web_socket(&self, port: u16) -> Result<Wire, Stop> {
        self.wire(Stream::connect_plain(self.target, port, self.patience))
    }

    fn wire(&self, stream: std::io::Result<Stream>) -> Result<Wire, Stop> {
        let stream = stream.map_err(|error| inconclusive(format!("cannot connect: {error}")))?;
        Ok(Wire::new(
            stream,
            self.patience,
            self.silence,
            self.deadline(),
            self.transcript.clone(),
            self.interruptible,
        ))
    }

    fn deadline(&self) -> Instant {
        self.deadline + Duration::from_millis(self.uncounted.load(Ordering::Relaxed))
    }

    /// Stops unless the broker can be started again.
    ///
    /// # Errors
    ///
    /// [`Stop::NotApplicable`].
    pub(crate) fn needs_restart(&self) -> Result<&'a Restart<'a>, Stop> {
        self.restart
            .ok_or_else(|| not_applicable("there is no --restart-command to start it again with"))
    }

    /// The broker is started again, once for all cases that are about that. What that
    /// takes does not count for the case.
    ///
    /// # Errors
    ///
    /// [`Stop::Inconclusive`] when it does not come back.
    pub(crate) fn restart(&self) -> Result<(), Stop> {
        let start = Instant::now();
        let restarted = self.needs_restart()?.wait();
        let took = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.uncounted.fetch_add(took, Ordering::Relaxed);
        restarted.map_err(inconclusive)
    }

    /// A name for a queue, client or the like that no other case and no
    /// earlier run has used: at most 23 octets of `[0-9a-z]` and the hint, so
    /// that with a hint of at most 8 letters it is a legal MQTT 3.1 client
    /// identifier too.
    pub(crate) fn name(&self, hint: &str) -> String {
        format!("{hint}{}", self.unique)
    }

    /// Waits, for rules about time.
    ///
    /// # Errors
    ///
    /// [`Stop::Inconclusive`] when the case's deadline would pass.
    pub(crate) fn sleep(&self, time: Duration) -> Result<(), Stop> {
        debug_assert!(self.is_timed(), "{} waits and is not timed", self.id);
        self.pause(time)
    }

    /// Waits between two steps, however long it takes: no rule is about that time.
    ///
    /// # Errors
    ///
    /// As for [`Self::sleep`].
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Stop> {
        if Instant::now() + time > self.deadline() {
            return Err(inconclusive("the deadline of the case has passed"));
        }
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if self.interruptible && interrupt::requested() {
                return Err(inconclusive("the run was interrupted"));
            }
            std::thread::sleep(left.min(Duration::from_millis(250)));
        }
    }
}

/// The times by which a case judges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    /// See [`Context::patience`].
    pub(crate) patience: Duration,
    /// See [`Context::silence`].
    pub(crate) silence: Duration,
    /// How long a whole case may take.
    pub(crate) deadline: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_case_is_named_once_and_by_protocol_rule_and_question() {
        let mut seen = BTreeSet::new();
        for section in sections() {
            assert!(
                !section.cases.is_empty(),
                "section {} is empty",
                section.title
            );
            for case in section.cases {
                assert!(seen.insert(case.id), "{} appears twice", case.id);
                let parts: Vec<_> = case.id.split('/').collect();
                assert_eq!(parts.len(), 3, "{}", case.id);
                assert!(parts.iter().all(|part| !part.is_empty()), "{}", case.id);
                assert!(
                    section.protocol.prefixes().contains(&parts[0]),
                    "{} stands among the cases of {}",
                    case.id,
                    section.protocol
                );
                assert!(!case.rule.is_empty(), "{} names no rule", case.id);
                assert!(
                    !case.title.is_empty()
                        && !case.title.contains('\n')
                        && !case.title.ends_with('.'),
                    "the title of {} is one line without a full stop",
                    case.id
                );
            }
        }
    }
}
