//! `mqspec explain`: what a case asks, why, and what goes over the wire.

use std::io::{self, Write};

use anstyle::Style;

use crate::case::{Case, Section};
use crate::requirement::texts;
use crate::runner::Answer;
use crate::transcript::render;
use crate::verdict::Stop;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Prints a case, the text of its rule, the conversation that was played, and
/// how it is played again.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn explain(
    out: &mut impl Write,
    section: &Section,
    case: &Case,
    answer: &Answer<'_>,
    broker: &str,
    again: &str,
) -> io::Result<()> {
    let mut line = |name: &str, text: &str| writeln!(out, "{DIM}{name:<9}{DIM:#} {text}");
    line("case", case.id)?;
    line("asks", &format!("{BOLD}{}{BOLD:#}", case.title))?;
    line(
        "section",
        &format!("{}: {}", section.protocol, section.title),
    )?;
    line("rule", &format!("{} {}", case.level, case.rule))?;
    for requirement in texts(case) {
        line(
            "requires",
            &format!(
                "{} {} (section {})",
                requirement.level, requirement.text, requirement.section
            ),
        )?;
    }
    line("broker", broker)?;
    line("verdict", answer.verdict.kind().as_str())?;
    match &answer.verdict.0 {
        Ok(()) => {}
        Err(Stop::Fail { expected, seen }) => {
            line("expected", expected)?;
            line("seen", seen)?;
        }
        Err(Stop::NotApplicable(why) | Stop::Inconclusive(why) | Stop::Crash(why)) => {
            line("because", why)?;
        }
    }
    line("again", again)?;
    writeln!(out)?;
    write!(out, "{}", render(&answer.transcript.events(case.id), true))
}
