//! A report as a program reads it: written by a run, and read back by the
//! commands that make something of reports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::runner::{Answer, Run};
use crate::target::Target;
use crate::transcript::Event;
use crate::verdict::{Kind, Stop};

/// The report of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    /// The version of mqspec that wrote it.
    pub(crate) mqspec: String,
    /// Whether every case was asked and every outcome accepted.
    pub(crate) accepted: bool,
    /// How many cases have each status.
    pub(crate) counts: BTreeMap<String, usize>,
    /// How long the run took.
    pub(crate) seconds: f64,
    /// Who was judged.
    pub(crate) brokers: Vec<Broker>,
    /// What no single case can be blamed for.
    pub(crate) findings: Vec<String>,
    /// How many cases were selected and not asked.
    pub(crate) not_asked: usize,
    /// What the cases made and could not be removed.
    pub(crate) left_behind: Vec<String>,
    /// In the order of the specifications.
    pub(crate) cases: Vec<CaseReport>,
}

/// A broker, reached over one protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Broker {
    /// Its URL, without a password.
    pub(crate) target: String,
    /// `amqp`, `mqtt` or `stomp`.
    pub(crate) protocol: String,
    /// The name that it gives itself, where it gives one.
    pub(crate) product: Option<String>,
    /// The version that it says it has.
    pub(crate) version: Option<String>,
    /// What it announces, a line each.
    pub(crate) says: Vec<String>,
    /// The versions of the protocol that it does not offer, and what it
    /// answered to them.
    pub(crate) lacks: BTreeMap<String, String>,
}

/// What became of one case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CaseReport {
    pub(crate) id: String,
    pub(crate) section: String,
    pub(crate) rule: String,
    pub(crate) level: String,
    pub(crate) title: String,
    /// The broker's URL.
    pub(crate) target: String,
    pub(crate) verdict: String,
    pub(crate) status: String,
    pub(crate) accepted: bool,
    pub(crate) seconds: f64,
    /// Of a fail: what the rule asks for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) expected: Option<String>,
    /// Of a fail: what came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) seen: Option<String>,
    /// Of any other verdict than pass and fail: why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) because: Option<String>,
    /// What the expectation file says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) note: Option<String>,
    /// How often each verdict came, of a case that was asked more than once.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) verdicts: BTreeMap<String, usize>,
    /// What went over the wire.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) transcript: Vec<Event>,
}

/// Why a report cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("{path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: no report of `mqspec run --format json`: {source}")]
    Parse {
        path: PathBuf,
        source: serde_json::Error,
    },
}

impl Document {
    /// Returns the report of a run. The bytes of a pass are in it where
    /// `transcripts` asks for them.
    pub(crate) fn of(run: &Run<'_>, targets: &[Target], transcripts: bool) -> Self {
        let mut counts = BTreeMap::new();
        for answer in &run.answers {
            *counts
                .entry(answer.outcome.status.as_str().into())
                .or_insert(0) += 1;
        }
        Self {
            mqspec: env!("CARGO_PKG_VERSION").into(),
            accepted: run.is_accepted(),
            counts,
            seconds: run.time.as_secs_f64(),
            brokers: targets.iter().map(Broker::of).collect(),
            findings: run.findings.clone(),
            not_asked: run.left,
            left_behind: run.remains.clone(),
            cases: run
                .answers
                .iter()
                .map(|answer| CaseReport::of(answer, transcripts))
                .collect(),
        }
    }

    /// Reads one that was written as JSON.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] for a file that cannot be read, or is no such report.
    pub(crate) fn read(path: &Path) -> Result<Self, DocumentError> {
        let bytes = std::fs::read(path).map_err(|source| DocumentError::Read {
            path: path.into(),
            source,
        })?;
        serde_json::from_slice(&bytes).map_err(|source| DocumentError::Parse {
            path: path.into(),
            source,
        })
    }
}

impl Broker {
    fn of(target: &Target) -> Self {
        let profile = &target.profile;
        Self {
            target: target.to_string(),
            protocol: target.protocol.to_string(),
            product: profile.product.clone(),
            version: profile.version.clone(),
            says: profile.says.clone(),
            lacks: profile
                .lacks
                .iter()
                .map(|(version, evidence)| ((*version).into(), evidence.clone()))
                .collect(),
        }
    }
}

impl CaseReport {
    fn of(answer: &Answer<'_>, transcripts: bool) -> Self {
        let question = answer.question;
        let mut report = Self {
            id: question.case.id.into(),
            section: question.section.title.into(),
            rule: question.case.rule.into(),
            level: question.case.level.as_str().into(),
            title: question.case.title.into(),
            target: question.target.to_string(),
            verdict: answer.verdict.kind().as_str().into(),
            status: answer.outcome.status.as_str().into(),
            accepted: answer.outcome.accepted,
            seconds: answer.time.as_secs_f64(),
            expected: None,
            seen: None,
            because: None,
            note: answer.outcome.note.clone(),
            verdicts: BTreeMap::new(),
            transcript: Vec::new(),
        };
        match &answer.verdict.0 {
            Ok(()) => {}
            Err(Stop::Fail { expected, seen }) => {
                report.expected = Some(expected.clone());
                report.seen = Some(seen.clone());
            }
            Err(Stop::NotApplicable(why) | Stop::Inconclusive(why) | Stop::Crash(why)) => {
                report.because = Some(why.clone());
            }
        }
        if answer.rounds() > 1 {
            report.verdicts = answer
                .verdicts
                .iter()
                .map(|(kind, count)| (kind.as_str().into(), *count))
                .collect();
        }
        if transcripts || answer.verdict.kind() != Kind::Pass {
            report.transcript = answer.transcript.events(question.case.id);
        }
        report
    }
}
