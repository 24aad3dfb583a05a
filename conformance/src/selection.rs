//! Which cases are asked: selectors, and what the command line selects with them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use crate::case::{Case, Level, Section, sections};
use crate::report::document::{Document, DocumentError};
use crate::target::Protocol;

/// Names cases: the id of one, a glob over whole ids, or a part of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// The whole id of a case, and that case alone, although others contain it.
    Id(String),
    /// With a `*` for any number of bytes, `/` included, or a `?` for one.
    Glob(String),
    /// Anything else: what an id contains.
    Part(String),
}

impl From<&str> for Selector {
    fn from(text: &str) -> Self {
        if text.contains(['*', '?']) {
            Self::Glob(text.into())
        } else if all_cases().any(|case| case.id == text) {
            Self::Id(text.into())
        } else {
            Self::Part(text.into())
        }
    }
}

impl Selector {
    /// Returns whether it names the case with this id.
    pub(crate) fn selects(&self, id: &str) -> bool {
        match self {
            Self::Id(whole) => whole == id,
            Self::Glob(pattern) => glob(pattern.as_bytes(), id.as_bytes()),
            Self::Part(part) => id.contains(part.as_str()),
        }
    }

    /// Returns whether it names any case at all.
    pub(crate) fn selects_any(&self) -> bool {
        all_cases().any(|case| self.selects(case.id))
    }
}

/// Every case of every protocol.
pub(crate) fn all_cases() -> impl Iterator<Item = &'static Case> {
    sections().flat_map(|section| section.cases)
}

/// `*` stands for any number of bytes, `/` included, `?` for one.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when the last star has to swallow one byte more.
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// What the command line selects.
#[derive(Args, Debug)]
pub(crate) struct Selection {
    /// Only the case with this id, or those that a glob with * or ? matches, or
    /// whose id contains this. Repeat for more
    #[arg(long = "case", value_name = "SELECTOR")]
    cases: Vec<String>,
    /// Leave out the case with this id, those that a glob matches, or whose id
    /// contains this. Repeat for more
    #[arg(long, value_name = "SELECTOR")]
    skip: Vec<String>,
    /// Only cases of this level. Repeat for more
    #[arg(long = "level", value_name = "LEVEL")]
    levels: Vec<Level>,
    /// Only cases of this protocol. Repeat for more
    #[arg(long = "protocol", value_name = "PROTOCOL")]
    protocols: Vec<Protocol>,
    /// Only cases that were not accepted, or not asked to their end, in this
    /// report of `--format json`
    #[arg(long, value_name = "REPORT")]
    rerun_failed: Option<PathBuf>,
}

/// A section and those of its cases that were chosen.
pub(crate) type Selected = (&'static Section, Vec<&'static Case>);

/// Why nothing can be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelectionError {
    #[error("no case is selected by {0}; `mqspec list` shows what there is")]
    Nothing(String),
    #[error(transparent)]
    Report(#[from] DocumentError),
}

impl Selection {
    /// Returns whether a report says which cases are chosen.
    pub(crate) fn is_of_report(&self) -> bool {
        self.rerun_failed.is_some()
    }

    /// Returns the chosen cases by section.
    ///
    /// # Errors
    ///
    /// [`SelectionError::Nothing`] when nothing is left, or a selector names
    /// no case at all: it is mistyped, and a run that silently leaves out what
    /// was asked for would look like a success.
    pub(crate) fn apply(&self) -> Result<Vec<Selected>, SelectionError> {
        let wanted = resolve("--case", &self.cases)?;
        let unwanted = resolve("--skip", &self.skip)?;
        let failed = self.rerun_failed.as_deref().map(failed).transpose()?;
        let chosen = |case: &&'static Case| {
            (self.levels.is_empty() || self.levels.contains(&case.level))
                && (wanted.is_empty() || wanted.iter().any(|selector| selector.selects(case.id)))
                && !unwanted.iter().any(|selector| selector.selects(case.id))
                && failed.as_ref().is_none_or(|ids| ids.contains(case.id))
        };
        let selected: Vec<Selected> = sections()
            .filter(|s| self.protocols.is_empty() || self.protocols.contains(&s.protocol))
            .map(|section| {
                (
                    section,
                    section.cases.iter().filter(chosen).collect::<Vec<_>>(),
                )
            })
            .filter(|(_, cases)| !cases.is_empty())
            .collect();
        if selected.is_empty() {
            return Err(SelectionError::Nothing("all selectors together".into()));
        }
        Ok(selected)
    }
}

/// Every section with all of its cases.
#[cfg(test)]
pub(crate) fn everything() -> Vec<Selected> {
    let all = |section: &'static Section| (section, section.cases.iter().collect());
    sections().map(all).collect()
}

fn resolve(option: &str, selectors: &[String]) -> Result<Vec<Selector>, SelectionError> {
    selectors
        .iter()
        .map(|text| {
            let selector = Selector::from(text.as_str());
            if selector.selects_any() {
                Ok(selector)
            } else {
                Err(SelectionError::Nothing(format!("{option} {text}")))
            }
        })
        .collect()
}

/// The ids of what was not accepted in a report.
fn failed(path: &std::path::Path) -> Result<BTreeSet<String>, SelectionError> {
    let document = Document::read(path)?;
    let ids: BTreeSet<String> = document
        .cases
        .into_iter()
        .filter(|case| !case.accepted)
        .map(|case| case.id)
        .collect();
    if ids.is_empty() {
        let what = format!(
            "--rerun-failed: every case of {} was accepted",
            path.display()
        );
        return Err(SelectionError::Nothing(what));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_an_id_a_glob_or_a_part() {
        // The id is part of that of another case.
        let (short, long) = (
            "amqp/queue.bind/exchange-not-found",
            "amqp/queue.unbind/exchange-not-found",
        );
        for (selector, id, expected) in [
            ("basic.ack", "amqp/basic.ack/twice", true),
            ("amqp/basic.ack", "amqp/basic.nack/twice", false),
            ("amqp/*", "amqp/basic.ack/twice", true),
            ("amqp/*", "stomp12/SEND/body", false),
            ("*/twice", "amqp/basic.ack/twice", true),
            ("*/twi", "amqp/basic.ack/twice", false),
            ("mqtt?/*", "mqtt5/MQTT-3.1.2-3/x", true),
            ("mqtt?/*", "mqtt311/MQTT-3.1.2-3/x", false),
            ("*a*b*", "aab", true),
            ("*a*b*", "aac", false),
            (short, short, true),
            (short, long, false),
            ("queue.bind/exchange-not-found", short, true),
        ] {
            assert_eq!(
                Selector::from(selector).selects(id),
                expected,
                "{selector} on {id}"
            );
        }
    }

    #[test]
    fn an_id_selects_one_case() {
        for case in all_cases() {
            let selector = Selector::from(case.id);
            let count = all_cases()
                .filter(|other| selector.selects(other.id))
                .count();
            assert_eq!(count, 1, "{}", case.id);
        }
    }
}
