//! For a reader at a terminal: sections, a mark for each case, a summary.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use requirements::Specification;

use crate::again::{Options, command};
use crate::requirement::{Asked, texts};
use crate::runner::{Answer, Question, Run};
use crate::selection::Selected;
use crate::target::Target;
use crate::transcript::render;
use crate::verdict::{Status, Stop};

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Every status with its mark, colour and name in the summary.
const STATUSES: [(Status, char, Style, &str); 8] = [
    (Status::Pass, '✓', colour(AnsiColor::Green), "passed"),
    (Status::Fail, '✗', colour(AnsiColor::Red), "failed"),
    (
        Status::Unexpected,
        '✗',
        colour(AnsiColor::Red),
        "unexpected",
    ),
    (
        Status::Crash,
        '☠',
        colour(AnsiColor::Red),
        "killed the broker",
    ),
    (
        Status::Inconclusive,
        '?',
        colour(AnsiColor::Red),
        "inconclusive",
    ),
    (Status::Warn, '!', colour(AnsiColor::Yellow), "warned"),
    (Status::Known, '≈', colour(AnsiColor::Cyan), "known"),
    (Status::NotApplicable, '-', DIM, "not applicable"),
];

const fn colour(colour: AnsiColor) -> Style {
    colour.on_default()
}

fn mark(status: Status) -> (char, Style) {
    STATUSES
        .iter()
        .find(|row| row.0 == status)
        .map_or(('?', DIM), |row| (row.1, row.2))
}

/// How much is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detail {
    /// A dump of the bytes of every case that is not a pass.
    pub(crate) verbose: bool,
    /// Passes are left out.
    pub(crate) quiet: bool,
    /// The bytes of passes too.
    pub(crate) transcripts: bool,
}

/// How the case of an answer is asked again.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    pub(crate) options: Options,
    /// Whether mqspec has started the broker itself.
    pub(crate) embedded: bool,
}

impl Again {
    /// Returns the command that does.
    pub(crate) fn command(&self, question: &Question<'_>) -> String {
        let url = match self.embedded {
            true => String::new(),
            false => question.target.url(),
        };
        command(question.case.id, &self.options, &url)
    }
}

/// Prints answers as they come.
pub(crate) struct Printer<W: Write> {
    out: W,
    detail: Detail,
    again: Again,
    target: Option<String>,
    section: Option<&'static str>,
    /// A terminal that went away is told about once, at the end.
    result: io::Result<()>,
}

impl<W: Write> Printer<W> {
    /// `out` takes ANSI colours, or takes them out.
    pub(crate) fn new(out: W, detail: Detail, again: Again) -> Self {
        Self {
            out,
            detail,
            again,
            target: None,
            section: None,
            result: Ok(()),
        }
    }

    /// What the brokers say of themselves, before the first case.
    pub(crate) fn profiles(&mut self, targets: &[Target]) {
        for target in targets {
            for line in &target.profile.says {
                self.note(&format!("{target}: {line}"));
            }
            for (version, evidence) in &target.profile.lacks {
                self.note(&format!("{target}: left out: {version}/*: {evidence}"));
            }
        }
    }

    fn note(&mut self, line: &str) {
        if self.result.is_ok() {
            self.result = writeln!(self.out, "{DIM}{line}{DIM:#}");
        }
    }

    /// One case, under the headings of its broker and section.
    pub(crate) fn answer(&mut self, answer: &Answer<'_>) {
        if self.result.is_ok() && !(self.detail.quiet && answer.outcome.status == Status::Pass) {
            self.result = self.try_answer(answer);
        }
    }

    fn try_answer(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        let question = answer.question;
        self.headings(question.target, question.section.title)?;
        let case = question.case;
        let (mark, style) = mark(answer.outcome.status);
        writeln!(
            self.out,
            "    {style}{mark}{style:#} {}  {DIM}{}{DIM:#}",
            case.title, case.id
        )?;
        let verbose = self.detail.verbose;
        let mut detail = |name: &str, text: &str| {
            let text = if verbose { text } else { &shorten(text) };
            writeln!(self.out, "        {DIM}{name:<9}{DIM:#} {text}")
        };
        let refused = !answer.outcome.accepted;
        if refused || matches!(answer.verdict.0, Err(Stop::Fail { .. })) {
            detail("rule", &format!("{} {}", case.level, case.rule))?;
        }
        if refused {
            for requirement in texts(case) {
                detail("requires", requirement.text)?;
            }
        }
        match &answer.verdict.0 {
            Ok(()) => {}
            Err(Stop::Fail { expected, seen }) => {
                detail("expected", expected)?;
                detail("seen", seen)?;
            }
            Err(Stop::NotApplicable(evidence)) => detail("because", evidence)?,
            Err(Stop::Inconclusive(why)) => detail("because", why)?,
            Err(Stop::Crash(why)) => detail("crash", why)?,
        }
        if let Some(note) = &answer.outcome.note {
            detail("known", note)?;
        }
        if answer.verdicts.len() > 1 {
            detail("varies", &rounds(answer))?;
        }
        if refused {
            // A command that is cut short is none.
            let again = self.again.command(&question);
            writeln!(self.out, "        {DIM}again    {DIM:#} {again}")?;
        }
        let failed = answer.verdict.0.is_err();
        if refused || verbose && failed || self.detail.transcripts {
            for line in render(&answer.transcript.events(case.id), verbose).lines() {
                writeln!(self.out, "        {DIM}{line}{DIM:#}")?;
            }
        }
        Ok(())
    }

    fn headings(&mut self, target: &Target, section: &'static str) -> io::Result<()> {
        let target = target.to_string();
        if self.target.as_ref() != Some(&target) {
            writeln!(self.out, "\n{BOLD}{target}{BOLD:#}")?;
            self.target = Some(target);
            self.section = None;
        }
        if self.section != Some(section) {
            writeln!(self.out, "\n  {BOLD}{section}{BOLD:#}")?;
            self.section = Some(section);
        }
        Ok(())
    }

    /// The summary: counts, what was not accepted by its id, and what is about
    /// the whole run.
    ///
    /// # Errors
    ///
    /// The first error that writing met.
    pub(crate) fn finish(mut self, run: &Run<'_>) -> io::Result<()> {
        self.result?;
        let answers = &run.answers;
        let refused: Vec<_> = answers.iter().filter(|a| !a.outcome.accepted).collect();
        if !refused.is_empty() {
            writeln!(self.out, "\n{BOLD}Not accepted{BOLD:#}\n")?;
            for answer in &refused {
                let (mark, style) = mark(answer.outcome.status);
                writeln!(
                    self.out,
                    "    {style}{mark}{style:#} {}  {DIM}{}{DIM:#}",
                    answer.question.case.id, answer.question.target
                )?;
            }
        }
        for finding in &run.findings {
            writeln!(self.out, "\n{BOLD}{finding}{BOLD:#}")?;
        }
        if !run.remains.is_empty() {
            writeln!(self.out, "\n{BOLD}Left behind{BOLD:#}\n")?;
            for line in &run.remains {
                writeln!(self.out, "    {line}")?;
            }
        }
        let rounds = answers.iter().map(Answer::rounds).max().unwrap_or(1);
        if rounds > 1 {
            let varying: Vec<_> = answers.iter().filter(|a| a.verdicts.len() > 1).collect();
            writeln!(
                self.out,
                "\n{BOLD}{} of {} cases had another verdict when asked again, {rounds} times at most{BOLD:#}",
                varying.len(),
                answers.len()
            )?;
            for answer in varying {
                let case = answer.question.case;
                writeln!(
                    self.out,
                    "    {}  {DIM}{}{DIM:#}",
                    case.id,
                    self::rounds(answer)
                )?;
            }
        }
        let plural = if answers.len() == 1 { "" } else { "s" };
        write!(self.out, "\n{} case{plural}:", answers.len())?;
        let mut separator = " ";
        for (status, _, style, name) in STATUSES {
            let count = answers
                .iter()
                .filter(|answer| answer.outcome.status == status)
                .count();
            if count > 0 {
                write!(self.out, "{separator}{style}{count} {name}{style:#}")?;
                separator = ", ";
            }
        }
        if run.left > 0 {
            write!(self.out, "{separator}{} not asked", run.left)?;
        }
        writeln!(self.out, " in {:.1} s", run.time.as_secs_f64())?;
        self.out.flush()
    }
}

/// `pass 19 times, fail 1 time`
fn rounds(answer: &Answer<'_>) -> String {
    let each = answer.verdicts.iter().map(|(kind, count)| {
        let plural = if *count == 1 { "" } else { "s" };
        format!("{} {count} time{plural}", kind.as_str())
    });
    each.collect::<Vec<_>>().join(", ")
}

/// A broker may put a whole stack trace into an answer. The beginning says what
/// it is; the rest is in the verbose report, and in those for programs.
fn shorten(text: &str) -> String {
    const LIMIT: usize = 500;
    match text.char_indices().nth(LIMIT) {
        None => text.into(),
        Some((end, _)) => format!("{} ...", &text[..end]),
    }
}

/// `mqspec list`.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn list(out: &mut impl Write, selected: &[Selected]) -> io::Result<()> {
    let cases = || selected.iter().flat_map(|(_, cases)| cases);
    let width = cases().map(|case| case.id.len()).max().unwrap_or(0);
    for (section, cases) in selected {
        writeln!(out, "{BOLD}{}: {}{BOLD:#}", section.protocol, section.title)?;
        for case in cases {
            writeln!(
                out,
                "  {:<width$}  {:<8}  {}  {DIM}[{}]{DIM:#}",
                case.id, case.level, case.title, case.rule
            )?;
        }
    }
    writeln!(out, "{} cases", cases().count())
}

/// `mqspec list --requirements`.
///
/// # Errors
///
/// Those of `out`.
pub(crate) fn requirements(
    out: &mut impl Write,
    asked: &[(Specification, Vec<Asked>)],
) -> io::Result<()> {
    for (specification, asked) in asked {
        let width = asked
            .iter()
            .map(|row| row.requirement.identifier.len())
            .max()
            .unwrap_or(0);
        writeln!(out, "{BOLD}{specification}{BOLD:#}")?;
        for Asked {
            requirement,
            cases,
            because,
        } in asked
        {
            let because = because.as_ref().map_or_else(String::new, |because| {
                format!("  {DIM}[not asked: {because}]{DIM:#}")
            });
            writeln!(
                out,
                "  {:<width$}  {:<10}  {:<11}  {cases:>3}  {}{because}",
                requirement.identifier, requirement.level, requirement.keeper, requirement.text
            )?;
        }
        let covered = asked.iter().filter(|row| row.cases > 0).count();
        writeln!(
            out,
            "{} requirements, cases ask about {covered}",
            asked.len()
        )?;
    }
    Ok(())
}
