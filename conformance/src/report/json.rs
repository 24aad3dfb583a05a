//! For a program: one JSON document.

use std::io::{self, Write};

use requirements::Specification;
use serde_json::{Value, json};

use crate::case::Case;
use crate::cli::Selected;
use crate::requirement::Asked;
use crate::runner::Run;
use crate::verdict::Stop;

fn case_fields(section: &str, case: &Case) -> Value {
    json!({
        "id": case.id,
        "section": section,
        "rule": case.rule,
        "level": case.level.as_str(),
        "title": case.title,
    })
}

/// `mqspec run --format json`: `accepted`, and one object for each case.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn run(out: &mut impl Write, run: &Run<'_>) -> io::Result<()> {
    let cases: Vec<Value> = run
        .answers
        .iter()
        .map(|answer| {
            let question = answer.question;
            let mut value = case_fields(question.section.title, question.case);
            value["target"] = json!(question.target.to_string());
            value["verdict"] = json!(answer.verdict.kind().as_str());
            value["status"] = json!(answer.outcome.status.as_str());
            value["accepted"] = json!(answer.outcome.accepted);
            value["seconds"] = json!(answer.time.as_secs_f64());
            match &answer.verdict.0 {
                Ok(()) => {}
                Err(Stop::Fail { expected, seen }) => {
                    value["expected"] = json!(expected);
                    value["seen"] = json!(seen);
                }
                Err(Stop::NotApplicable(why) | Stop::Inconclusive(why) | Stop::Crash(why)) => {
                    value["because"] = json!(why);
                }
            }
            if let Some(note) = &answer.outcome.note {
                value["note"] = json!(note);
            }
            if answer.verdict.0.is_err() {
                value["transcript"] = json!(answer.transcript.render());
            }
            value
        })
        .collect();
    let document = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "accepted": run.is_accepted(),
        "findings": run.findings,
        "not_asked": run.left,
        "left_behind": run.remains,
        "cases": cases,
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
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
        .flat_map(|(section, cases)| cases.iter().map(|case| case_fields(section.title, case)))
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
        .map(|Asked { requirement, cases }| {
            json!({
                "specification": requirement.specification.name(),
                "identifier": requirement.identifier,
                "section": requirement.section,
                "level": requirement.level.as_str(),
                "keeper": requirement.keeper.as_str(),
                "requirement": requirement.text,
                "cases": cases,
            })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &rows)?;
    writeln!(out)
}
