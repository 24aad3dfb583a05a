//! What a case says about a broker, and what the run makes of it.

use std::fmt;

use crate::case::Level;
use crate::expectation::Expectation;

/// Why a case ended before it had seen the rule kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The broker broke the rule.
    Fail {
        /// What the rule asks for, in words, and in bytes where it is about bytes.
        expected: String,
        /// What came, in words and bytes.
        seen: String,
    },
    /// The rule does not bind this broker, and here is what it sent that says so.
    NotApplicable(String),
    /// The case could not be played to its end, so nothing is known.
    Inconclusive(String),
    /// The broker does not answer anyone any more since this case was played.
    Crash(String),
}

/// The broker broke the rule.
pub(crate) fn fail(expected: impl Into<String>, seen: impl Into<String>) -> Stop {
    Stop::Fail {
        expected: expected.into(),
        seen: seen.into(),
    }
}

/// The rule does not bind this broker, as `evidence` shows.
pub(crate) fn not_applicable(evidence: impl Into<String>) -> Stop {
    Stop::NotApplicable(evidence.into())
}

/// The case could not be played.
pub(crate) fn inconclusive(why: impl Into<String>) -> Stop {
    Stop::Inconclusive(why.into())
}

/// What has to work before the question of a case can be put.
pub(crate) trait Setup<T> {
    /// Turns a failure into one of the setup: the rule of the case was never
    /// asked about, so nothing is known of it. `step` names what did not work.
    fn setup(self, step: &str) -> Result<T, Stop>;
}

impl<T> Setup<T> for Result<T, Stop> {
    fn setup(self, step: &str) -> Self {
        self.map_err(|stop| match stop {
            Stop::Fail { expected, seen } => {
                inconclusive(format!("{step}: expected {expected}; seen {seen}"))
            }
            other => other,
        })
    }
}

/// In one line, for where there is no table of a report around it.
impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail { expected, seen } => write!(f, "expected {expected}; seen {seen}"),
            Self::NotApplicable(why) | Self::Inconclusive(why) | Self::Crash(why) => {
                f.write_str(why)
            }
        }
    }
}

/// The kind of a verdict, as expectation files and reports spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The rule was kept.
    Pass,
    /// The rule was broken.
    Fail,
    /// The rule does not bind this broker.
    NotApplicable,
    /// The case could not be played.
    Inconclusive,
    /// The broker died or hung during the case.
    Crash,
}

impl Kind {
    /// As written in files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotApplicable => "not-applicable",
            Self::Inconclusive => "inconclusive",
            Self::Crash => "crash",
        }
    }
}

/// What the broker did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict(pub(crate) Result<(), Stop>);

impl Verdict {
    /// The kind of the verdict.
    pub(crate) fn kind(&self) -> Kind {
        match &self.0 {
            Ok(()) => Kind::Pass,
            Err(Stop::Fail { .. }) => Kind::Fail,
            Err(Stop::NotApplicable(_)) => Kind::NotApplicable,
            Err(Stop::Inconclusive(_)) => Kind::Inconclusive,
            Err(Stop::Crash(_)) => Kind::Crash,
        }
    }
}

/// What the run makes of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The rule was kept.
    Pass,
    /// A MUST was broken.
    Fail,
    /// A SHOULD or MAY was not kept, or the broker is lenient.
    Warn,
    /// The rule does not bind this broker.
    NotApplicable,
    /// The case could not be played.
    Inconclusive,
    /// The broker died or hung.
    Crash,
    /// The verdict is not a pass, and is the one that the expectation file has.
    Known,
    /// The expectation file has another verdict.
    Unexpected,
}

impl Status {
    /// As written in reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::NotApplicable => "not-applicable",
            Self::Inconclusive => "inconclusive",
            Self::Crash => "crash",
            Self::Known => "known",
            Self::Unexpected => "unexpected",
        }
    }
}

/// A status, whether it is accepted, and what a reader should know beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the run makes of the verdict.
    pub(crate) status: Status,
    /// Whether the run can still exit with 0.
    pub(crate) accepted: bool,
    /// The reason that the expectation file gives, or how it was missed.
    pub(crate) note: Option<String>,
}

/// Puts together what the broker did, how strongly the rule is meant, and what
/// was expected of this broker.
///
/// | verdict | no expectation | expected | expected otherwise |
/// |---|---|---|---|
/// | pass | pass | - | **unexpected** |
/// | fail, MUST | **fail** | known | **unexpected** |
/// | fail, SHOULD, MAY or leniency | warn (**with `strict`**) | known | **unexpected** |
/// | not applicable | not applicable | known | **unexpected** |
/// | crash | **crash** | known | **unexpected** |
/// | inconclusive | **inconclusive** | known | **inconclusive** |
///
/// What stands in bold is not accepted, but for a pass where the expectation
/// says that the verdict varies. An expected failure is the expected
/// one only when what was seen contains the text of the expectation.
pub(crate) fn judge(
    level: Level,
    verdict: &Verdict,
    expectation: Option<&Expectation>,
    strict: bool,
) -> Outcome {
    let outcome = |status, accepted, note: Option<String>| Outcome {
        status,
        accepted,
        note,
    };
    let kind = verdict.kind();
    let expects = |kind| expectation.is_some_and(|expectation| expectation.verdict == kind);
    if kind == Kind::Inconclusive && !expects(Kind::Inconclusive) {
        return outcome(Status::Inconclusive, false, None);
    }
    if let Some(expectation) = expectation {
        if kind == Kind::Pass && expectation.varies {
            return outcome(Status::Pass, true, None);
        }
        if kind != expectation.verdict {
            let note = format!(
                "expected {}: {}",
                expectation.verdict.as_str(),
                expectation.reason
            );
            return outcome(Status::Unexpected, false, Some(note));
        }
        if let (
            Err(Stop::Fail { seen, .. } | Stop::Inconclusive(seen) | Stop::Crash(seen)),
            Some(wanted),
        ) = (&verdict.0, &expectation.seen)
            && !seen.contains(wanted.as_str())
        {
            let note = format!("expected to fail otherwise, with {wanted:?} among what is seen");
            return outcome(Status::Unexpected, false, Some(note));
        }
        return outcome(Status::Known, true, Some(expectation.reason.clone()));
    }
    match (kind, level) {
        (Kind::Pass, _) => outcome(Status::Pass, true, None),
        (Kind::NotApplicable, _) => outcome(Status::NotApplicable, true, None),
        (Kind::Fail, Level::Must) => outcome(Status::Fail, false, None),
        (Kind::Fail, Level::Should | Level::May | Level::Leniency) => {
            outcome(Status::Warn, !strict, None)
        }
        (Kind::Inconclusive, _) => outcome(Status::Inconclusive, false, None),
        (Kind::Crash, _) => outcome(Status::Crash, false, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expecting(verdict: Kind, seen: Option<&str>) -> Expectation {
        Expectation {
            case: "amqp/x/y".into(),
            version: None,
            verdict,
            seen: seen.map(Into::into),
            reason: "because".into(),
            varies: false,
        }
    }

    #[test]
    fn the_table_of_outcomes() {
        let pass = Verdict(Ok(()));
        let failed = Verdict(Err(fail("this", "that [01 02]")));
        let absent = Verdict(Err(not_applicable("says so")));
        let broken = Verdict(Err(inconclusive("no route")));
        let expect_fail = expecting(Kind::Fail, Some("[01 02]"));
        let expect_other = expecting(Kind::Fail, Some("[03]"));
        let expect_absent = expecting(Kind::NotApplicable, None);
        let crashed = Verdict(Err(Stop::Crash("gone".into())));
        let expect_crash = expecting(Kind::Crash, None);
        let expect_broken = expecting(Kind::Inconclusive, Some("no route"));
        let expect_other_step = expecting(Kind::Inconclusive, Some("declaring"));
        use Level::{Leniency, May, Must, Should};
        for (level, verdict, expectation, strict, status, accepted) in [
            (Must, &pass, None, false, Status::Pass, true),
            (Must, &failed, None, false, Status::Fail, false),
            (Should, &failed, None, false, Status::Warn, true),
            (Should, &failed, None, true, Status::Warn, false),
            (May, &failed, None, false, Status::Warn, true),
            (May, &failed, None, true, Status::Warn, false),
            (Must, &absent, None, true, Status::NotApplicable, true),
            (Must, &broken, None, false, Status::Inconclusive, false),
            (Leniency, &failed, None, false, Status::Warn, true),
            (
                Must,
                &broken,
                Some(&expect_broken),
                false,
                Status::Known,
                true,
            ),
            (
                Must,
                &broken,
                Some(&expect_other_step),
                false,
                Status::Unexpected,
                false,
            ),
            (May, &crashed, None, false, Status::Crash, false),
            (
                Must,
                &crashed,
                Some(&expect_crash),
                false,
                Status::Known,
                true,
            ),
            (
                Must,
                &crashed,
                Some(&expect_fail),
                false,
                Status::Unexpected,
                false,
            ),
            (
                Must,
                &pass,
                Some(&expect_fail),
                false,
                Status::Unexpected,
                false,
            ),
            (
                Must,
                &failed,
                Some(&expect_fail),
                false,
                Status::Known,
                true,
            ),
            (
                Should,
                &failed,
                Some(&expect_fail),
                true,
                Status::Known,
                true,
            ),
            (
                Must,
                &failed,
                Some(&expect_other),
                false,
                Status::Unexpected,
                false,
            ),
            (
                Must,
                &absent,
                Some(&expect_fail),
                false,
                Status::Unexpected,
                false,
            ),
            (
                Must,
                &absent,
                Some(&expect_absent),
                false,
                Status::Known,
                true,
            ),
            (
                Must,
                &broken,
                Some(&expect_fail),
                false,
                Status::Inconclusive,
                false,
            ),
        ] {
            let outcome = judge(level, verdict, expectation, strict);
            assert_eq!(
                (outcome.status, outcome.accepted),
                (status, accepted),
                "{level} {verdict:?} {expectation:?} strict={strict}"
            );
        }
    }

    #[test]
    fn a_verdict_that_varies_may_be_a_pass() {
        let mut expectation = expecting(Kind::Fail, None);
        let outcome = judge(Level::Must, &Verdict(Ok(())), Some(&expectation), false);
        assert!(!outcome.accepted);
        expectation.varies = true;
        let outcome = judge(Level::Must, &Verdict(Ok(())), Some(&expectation), false);
        assert_eq!((outcome.status, outcome.accepted), (Status::Pass, true));
    }

    #[test]
    fn what_fails_before_the_question_accuses_nobody() {
        let failed: Result<(), Stop> = Err(fail("CONNACK", "[20 02 00 05]"));
        assert_eq!(
            failed.setup("logging in"),
            Err(inconclusive(
                "logging in: expected CONNACK; seen [20 02 00 05]"
            ))
        );
        let absent: Result<(), Stop> = Err(not_applicable("says so"));
        assert_eq!(absent.setup("logging in"), Err(not_applicable("says so")));
    }
}
