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
//!
//! [[case]]
//! case = "mqtt*/MQTT-3.8.3-4/*"    # every case that the glob names
//! version = ">=2.0, <2.1"          # of these versions of the broker only
//! verdict = "fail"
//! reason = "..."
//! ```
//!
//! What is said of a case by its id stands before what is said by a glob.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::selection::{Selector, all_cases};
use crate::verdict::Kind;
use crate::version::{Condition, Version};

/// What is known of one case, or of those that a glob names, on one broker.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    /// The id of the case, or a glob over ids.
    pub(crate) case: String,
    /// The versions of the broker that it is about. Without one, it is about all.
    pub(crate) version: Option<Condition>,
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
    #[error("{path}: {one} and {other} both name {case}")]
    Overlap {
        path: PathBuf,
        one: String,
        other: String,
        case: String,
    },
    #[error(
        "{path}: {case} must say fail, not-applicable, crash, or inconclusive and what is seen: no \
         other verdict wants explaining"
    )]
    Verdict { path: PathBuf, case: String },
    #[error("{path}: {case} must give a reason")]
    NoReason { path: PathBuf, case: String },
    #[error(
        "{path}: {case} is about some versions of the broker, and {target} does not say which it \
         is: give --broker-version"
    )]
    UnknownVersion {
        path: PathBuf,
        case: String,
        target: String,
    },
}

/// Every expectation of a run.
#[derive(Debug, Default)]
pub(crate) struct Expectations(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    selector: Selector,
    expectation: Expectation,
}

/// What is expected of one broker, by the id of the case.
pub(crate) type Expected<'a> = BTreeMap<&'static str, &'a Expectation>;

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
            let selector = Selector::from(case.as_str());
            // A part of ids would say more than its writer looked into.
            if matches!(selector, Selector::Part(_)) || !selector.selects_any() {
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
            let repeated = self.0.iter().any(|entry| {
                entry.selector == selector && entry.expectation.version == expectation.version
            });
            if repeated {
                return Err(ExpectationError::Twice { path, case });
            }
            let path = path.clone();
            self.0.push(Entry {
                path,
                selector,
                expectation,
            });
        }
        Ok(())
    }

    /// Returns what is expected of a broker of this version.
    ///
    /// # Errors
    ///
    /// [`ExpectationError`] when two entries say something of the same case, or
    /// one is about some versions only and there is none.
    pub(crate) fn of(
        &self,
        target: &str,
        version: Option<&Version>,
    ) -> Result<Expected<'_>, ExpectationError> {
        let mut applying = Vec::new();
        for entry in &self.0 {
            let applies = match (&entry.expectation.version, version) {
                (None, _) => true,
                (Some(condition), Some(version)) => condition.holds(version),
                (Some(_), None) => {
                    return Err(ExpectationError::UnknownVersion {
                        path: entry.path.clone(),
                        case: entry.expectation.case.clone(),
                        target: target.into(),
                    });
                }
            };
            if applies {
                applying.push(entry);
            }
        }
        let mut expected = Expected::new();
        // The globs first: what is said by id takes their place.
        for by_id in [false, true] {
            let mut said = BTreeMap::<&str, &Entry>::new();
            let is_by_id = |entry: &&&Entry| matches!(entry.selector, Selector::Id(_)) == by_id;
            for entry in applying.iter().filter(is_by_id) {
                for case in all_cases().filter(|case| entry.selector.selects(case.id)) {
                    if let Some(one) = said.insert(case.id, entry) {
                        return Err(ExpectationError::Overlap {
                            path: entry.path.clone(),
                            one: one.expectation.case.clone(),
                            other: entry.expectation.case.clone(),
                            case: case.id.into(),
                        });
                    }
                    expected.insert(case.id, &entry.expectation);
                }
            }
        }
        Ok(expected)
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
        format!("[[case]]\ncase = \"{case}\"\n{rest}\n")
    }

    fn file(entries: &[String]) -> String {
        format!("broker = \"b\"\n{}", entries.concat())
    }

    const ID: &str = "amqp/queue.delete/in-use";
    const REST: &str = "verdict = \"fail\"\nreason = \"r\"";

    #[test]
    fn a_file_speaks_of_cases_that_exist_once_and_with_a_reason() {
        let fine = read(&file(&[entry(ID, REST)])).unwrap();
        assert_eq!(fine.of("b", None).unwrap()[ID].verdict, Kind::Fail);
        for (text, part) in [
            (entry("amqp/no/such", REST), "no case"),
            (entry("amqp/no/*", REST), "no case"),
            (entry("queue.delete", REST), "no case"),
            (entry(ID, "verdict = \"pass\"\nreason = \"r\""), "must say"),
            (entry(ID, "verdict = \"fail\"\nreason = \" \""), "reason"),
            (entry(ID, "verdict = \"fail\""), "missing field `reason`"),
            (
                entry(ID, "verdict = \"flail\"\nreason = \"r\""),
                "unknown variant",
            ),
            (
                entry(ID, &format!("{REST}\nversion = \"3.10\"")),
                "begins with none of <",
            ),
            (entry(ID, REST).repeat(2), "twice"),
        ] {
            let error = read(&file(&[text])).unwrap_err();
            assert!(error.contains(part), "{error:?} does not say {part:?}");
        }
    }

    #[test]
    fn an_id_stands_before_a_glob_and_two_globs_do_not_overlap() {
        let glob = entry(
            "amqp/queue.delete/*",
            "verdict = \"not-applicable\"\nreason = \"r\"",
        );
        let all = read(&file(&[entry(ID, REST), glob.clone()])).unwrap();
        let expected = all.of("b", None).unwrap();
        assert_eq!(expected[ID].verdict, Kind::Fail);
        assert_eq!(
            expected["amqp/queue.delete/not-found"].verdict,
            Kind::NotApplicable
        );
        let all = read(&file(&[glob, entry("amqp/queue.delete/in-*", REST)])).unwrap();
        let error = all.of("b", None).unwrap_err().to_string();
        assert!(error.contains("both name amqp/queue.delete/in-"), "{error}");
    }

    #[test]
    fn an_entry_may_be_about_some_versions() {
        let old = entry(ID, &format!("{REST}\nversion = \"<3.12\""));
        let new = entry(
            ID,
            "version = \">=3.12\"\nverdict = \"crash\"\nreason = \"r\"",
        );
        let all = read(&file(&[old, new])).unwrap();
        for (version, expected) in [("3.10.8", Kind::Fail), ("4.0", Kind::Crash)] {
            let version = version.parse().unwrap();
            assert_eq!(all.of("b", Some(&version)).unwrap()[ID].verdict, expected);
        }
        let error = all.of("mqtt://h", None).unwrap_err().to_string();
        assert!(error.contains("mqtt://h does not say which"), "{error}");
    }
}
