//! Files that say what a given broker is known to do otherwise.
//!
//! ```toml
//! broker = "Mosquitto 2.0.11"
//!
//! [[case]]
//! case = "mqtt5/MQTT-3.1.2-3/connect-reserved-flag"
//! verdict = "fail"
//! seen = "CONNACK"                 # must be among what the case saw
//! reason = "..., bytes 20 02 00 00" # which rule is broken, with the bytes
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::case::sections;
use crate::verdict::Kind;

/// What is known of one case on one broker.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    /// The id of the case.
    pub(crate) case: String,
    /// The verdict that is known and was looked into: `fail`, `not-applicable`,
    /// `crash`, or `inconclusive` for a step that the broker does not take.
    pub(crate) verdict: Kind,
    /// A text that must be among what the case saw. An `inconclusive` needs one:
    /// the step that does not work, so that no other is accepted with it.
    pub(crate) seen: Option<String>,
    /// Which rule the broker breaks and how, with the bytes.
    pub(crate) reason: String,
    /// Whether the broker keeps the rule at times, by chance: then a pass is
    /// accepted too, and the reason says what decides it.
    #[serde(default)]
    pub(crate) varies: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// For the reader of the file.
    #[serde(rename = "broker")]
    _broker: String,
    #[serde(default, rename = "case")]
    cases: Vec<Expectation>,
}

/// Why an expectation file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExpectationError {
    #[error("{path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: {source}")]
    Parse {
        path: PathBuf,
        source: toml::de::Error,
    },
    #[error("{path}: there is no case {case}")]
    NoSuchCase { path: PathBuf, case: String },
    #[error("{path}: {case} is there twice")]
    Twice { path: PathBuf, case: String },
    #[error(
        "{path}: {case} must say fail, not-applicable, crash, or inconclusive and what is seen: no \
         other verdict wants explaining"
    )]
    Verdict { path: PathBuf, case: String },
    #[error("{path}: {case} must give a reason")]
    NoReason { path: PathBuf, case: String },
}

/// Every expectation of a run, by the id of the case.
#[derive(Debug, Default)]
pub(crate) struct Expectations(BTreeMap<String, Expectation>);

impl Expectations {
    /// Reads the files; what two of them say must not overlap.
    ///
    /// # Errors
    ///
    /// [`ExpectationError`] for a file that cannot be read, or that speaks of
    /// a case that does not exist, so that a renamed case does not leave a
    /// dead entry behind.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, ExpectationError> {
        let mut all = Self::default();
        for path in paths {
            let text = std::fs::read_to_string(path).map_err(|source| ExpectationError::Read {
                path: path.clone(),
                source,
            })?;
            all.add(path, &text)?;
        }
        Ok(all)
    }

    /// Adds what is known of the reference broker: where it means to differ.
    ///
    /// # Errors
    ///
    /// As for a file that says the same.
    pub(crate) fn add_reference(&mut self) -> Result<(), ExpectationError> {
        self.add(
            Path::new("expect/reference.toml"),
            include_str!("../expect/reference.toml"),
        )
    }

    fn add(&mut self, path: &Path, text: &str) -> Result<(), ExpectationError> {
        let path = path.to_path_buf();
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(source) => return Err(ExpectationError::Parse { path, source }),
        };
        for expectation in file.cases {
            let case = expectation.case.clone();
            if !sections().any(|section| section.cases.iter().any(|c| c.id == case)) {
                return Err(ExpectationError::NoSuchCase { path, case });
            }
            if expectation.verdict == Kind::Pass
                || expectation.verdict == Kind::Inconclusive && expectation.seen.is_none()
            {
                return Err(ExpectationError::Verdict { path, case });
            }
            if expectation.reason.trim().is_empty() {
                return Err(ExpectationError::NoReason { path, case });
            }
            if self.0.insert(case.clone(), expectation).is_some() {
                return Err(ExpectationError::Twice { path, case });
            }
        }
        Ok(())
    }

    /// What is known of the case.
    pub(crate) fn of(&self, case: &str) -> Option<&Expectation> {
        self.0.get(case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Expectations, String> {
        let mut all = Expectations::default();
        all.add(Path::new("file"), text)
            .map(|()| all)
            .map_err(|error| error.to_string())
    }

    fn entry(case: &str, rest: &str) -> String {
        format!("broker = \"b\"\n[[case]]\ncase = \"{case}\"\n{rest}\n")
    }

    #[test]
    fn a_file_speaks_of_cases_that_exist_once_and_with_a_reason() {
        let id = sections().next().unwrap().cases[0].id;
        let fine = entry(id, "verdict = \"fail\"\nreason = \"r\"");
        assert_eq!(read(&fine).unwrap().of(id).unwrap().verdict, Kind::Fail);
        for (text, part) in [
            (
                entry("amqp/no/such", "verdict = \"fail\"\nreason = \"r\""),
                "no case",
            ),
            (entry(id, "verdict = \"pass\"\nreason = \"r\""), "must say"),
            (entry(id, "verdict = \"fail\"\nreason = \" \""), "reason"),
            (entry(id, "verdict = \"fail\""), "missing field `reason`"),
            (
                entry(id, "verdict = \"flail\"\nreason = \"r\""),
                "unknown variant",
            ),
            (fine.clone() + &fine["broker = \"b\"\n".len()..], "twice"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(part), "{error:?} does not say {part:?}");
        }
    }
}
