//! For a program: one JSON document.

use std::io::{self, Write};

use requirements::Specification;
use serde_json::{Value, json};

use crate::report::document::Document;
use crate::requirement::Asked;
use crate::selection::Selected;

/// `mqspec run --format json`.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn run(out: &mut impl Write, document: &Document) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

/// `mqspec list --format json`: an array of cases.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn list(out: &mut impl Write, selected: &[Selected]) -> io::Result<()> {
    let cases: Vec<Value> = selected
        .iter()
        .flat_map(|(section, cases)| cases.iter().map(|case| (section.title, *case)))
        .map(|(section, case)| {
            json!({
                "id": case.id,
                "section": section,
                "rule": case.rule,
                "level": case.level.as_str(),
                "title": case.title,
            })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &cases)?;
    writeln!(out)
}

/// `mqspec list --requirements --format json`: an array of requirements.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn requirements(
    out: &mut impl Write,
    asked: &[(Specification, Vec<Asked>)],
) -> io::Result<()> {
    let rows: Vec<Value> = asked
        .iter()
        .flat_map(|(_, asked)| asked)
        .map(|row| {
            let Asked {
                requirement,
                cases,
                because,
            } = row;
            json!({
                "specification": requirement.specification.name(),
                "identifier": requirement.identifier,
                "section": requirement.section,
                "level": requirement.level.as_str(),
                "keeper": requirement.keeper.as_str(),
                "requirement": requirement.text,
                "cases": cases,
                "not_asked_because": because,
            })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &rows)?;
    writeln!(out)
}
