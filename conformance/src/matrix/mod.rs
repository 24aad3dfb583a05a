//! `mqspec matrix`: a static site made from reports, brokers by cases, with a
//! page for each case.

mod page;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::report::document::{CaseReport, Document, DocumentError};
use crate::selection::all_cases;

/// A report with the name of its column.
#[derive(Debug)]
struct Column {
    name: String,
    document: Document,
    /// By the id of the case.
    cases: BTreeMap<String, CaseReport>,
}

/// How a case came out, as a cell shows it: what the broker did, whether that
/// was expected or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Pass,
    NotApplicable,
    /// A SHOULD or MAY that was not kept, or leniency.
    Warn,
    Fail,
    Inconclusive,
    Crash,
    NotAsked,
}

impl Shown {
    const ALL: [Self; 7] = [
        Self::Pass,
        Self::Fail,
        Self::Warn,
        Self::NotApplicable,
        Self::Inconclusive,
        Self::Crash,
        Self::NotAsked,
    ];

    fn of(case: Option<&CaseReport>) -> Self {
        let Some(case) = case else {
            return Self::NotAsked;
        };
        match case.verdict.as_str() {
            "pass" => Self::Pass,
            "fail" if case.level == "MUST" => Self::Fail,
            "fail" => Self::Warn,
            "not-applicable" => Self::NotApplicable,
            "crash" => Self::Crash,
            _ => Self::Inconclusive,
        }
    }

    /// The class of its style.
    fn class(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotApplicable => "na",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Crash => "crash",
            Self::NotAsked => "none",
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Self::Pass => "✓",
            Self::NotApplicable => "–",
            Self::Warn => "!",
            Self::Fail => "✗",
            Self::Inconclusive => "?",
            Self::Crash => "☠",
            Self::NotAsked => "",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Pass => "keeps the rule",
            Self::NotApplicable => "the rule does not bind it",
            Self::Warn => "does not keep a SHOULD or MAY, or is lenient",
            Self::Fail => "breaks a MUST",
            Self::Inconclusive => "could not be asked to the end",
            Self::Crash => "died",
            Self::NotAsked => "not asked",
        }
    }
}

/// Why there is no matrix.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MatrixError {
    #[error(transparent)]
    Report(#[from] DocumentError),
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// Reads the reports, each `NAME=FILE` or a file alone, and writes the site
/// into a directory. Returns the path of its first page.
///
/// # Errors
///
/// [`MatrixError`] for a report that cannot be read, and a page that cannot be
/// written.
pub(crate) fn matrix(reports: &[String], directory: &Path) -> Result<PathBuf, MatrixError> {
    let columns = reports
        .iter()
        .map(|report| column(report))
        .collect::<Result<Vec<_>, _>>()?;
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        let directory = path.parent().unwrap_or(directory);
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| MatrixError::Write {
                path: path.clone(),
                source,
            })
            .map(|()| path)
    };
    write("style.css", include_str!("style.css"))?;
    write("filter.js", include_str!("filter.js"))?;
    for case in all_cases() {
        if columns
            .iter()
            .any(|column| column.cases.contains_key(case.id))
        {
            write(&page::file(case.id), &page::case(case, &columns))?;
        }
    }
    write("index.html", &page::index(&columns))
}

fn column(report: &str) -> Result<Column, DocumentError> {
    let (name, path) = match report.split_once('=') {
        Some((name, path)) => (Some(name.to_string()), path),
        None => (None, report),
    };
    let document = Document::read(Path::new(path))?;
    let own = document.brokers.iter().find_map(|broker| {
        let version = broker.version.as_deref().unwrap_or_default();
        Some(
            format!("{} {version}", broker.product.as_ref()?)
                .trim()
                .to_string(),
        )
    });
    let stem = || {
        let stem = Path::new(path).file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let cases = document
        .cases
        .iter()
        .map(|case| (case.id.clone(), case.clone()))
        .collect();
    Ok(Column {
        name: name.or(own).unwrap_or_else(stem),
        document,
        cases,
    })
}
