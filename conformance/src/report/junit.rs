//! For a CI server: JUnit XML, one test suite for each broker.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::runner::Answer;
use crate::transcript::render;
use crate::verdict::{Status, Stop};

/// `mqspec run --format junit`.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn run(out: &mut impl Write, answers: &[Answer<'_>]) -> io::Result<()> {
    let mut report = Report::new("mqspec");
    let mut rest = answers;
    while let Some(first) = rest.first() {
        let target = first.question.target;
        let count = rest
            .iter()
            .take_while(|answer| std::ptr::eq(answer.question.target, target))
            .count();
        let (of_target, others) = rest.split_at(count);
        let mut suite = TestSuite::new(target.to_string());
        suite.add_test_cases(of_target.iter().map(test_case));
        report.add_test_suite(suite);
        rest = others;
    }
    let text = report
        .to_string()
        .map_err(|error| io::Error::other(error.to_string()))?;
    out.write_all(without_skipped(&text).as_bytes())
}

/// Leaves out how many cases are skipped in all suites together: the schema of Jenkins' xUnit
/// plugin (junit-10.xsd) has it for each suite, and refuses a report that has it at the root.
fn without_skipped(report: &str) -> String {
    let root = report.find("<testsuites").unwrap_or(0);
    let end = report[root..]
        .find('>')
        .map_or(report.len(), |at| root + at);
    let name = " skipped=\"";
    let Some(start) = report[..end].find(name) else {
        return report.to_owned();
    };
    let value = start + name.len();
    let after = report[value..end]
        .find('"')
        .map_or(end, |at| value + at + 1);
    format!("{}{}", &report[..start], &report[after..])
}

/// JUnit knows four ends of a test. What is accepted without being a pass is
/// `skipped` there, with the reason.
fn test_case(answer: &Answer<'_>) -> TestCase {
    let question = answer.question;
    let status = match (answer.outcome.status, answer.outcome.accepted) {
        (Status::Pass, _) => TestCaseStatus::success(),
        (_, true) => TestCaseStatus::skipped(),
        (Status::Inconclusive | Status::Crash, false) => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
        (_, false) => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    let mut message = match &answer.verdict.0 {
        Ok(()) => String::new(),
        Err(Stop::Fail { expected, seen }) => format!("expected {expected}; seen {seen}"),
        Err(Stop::NotApplicable(why) | Stop::Inconclusive(why) | Stop::Crash(why)) => why.clone(),
    };
    if let Some(note) = &answer.outcome.note {
        message = format!("{message} ({note})");
    }
    let mut status = status;
    if answer.outcome.status != Status::Pass {
        status.set_type(answer.outcome.status.as_str());
        status.set_message(message);
    }
    let mut case = TestCase::new(question.case.id, status);
    case.set_classname(question.section.title);
    case.set_time(answer.time);
    if answer.verdict.0.is_err() {
        case.set_system_out(render(&answer.transcript.events(question.case.id), true));
    }
    case
}
