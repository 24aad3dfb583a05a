//! The command line: what is asked for, of which brokers, and how it is told.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::case::{Level, Section, Windows, sections, selects};
use crate::embedded::Embedded;
use crate::expectation::{ExpectationError, Expectations};
use crate::interrupt;
use crate::leftover::Leftovers;
use crate::preflight::{PreflightError, preflight};
use crate::report;
use crate::requirement::asked;
use crate::runner::{self, Question, Rules, Run};
use crate::target::{Protocol, Target, TargetError};

/// Judges a broker against AMQP 0-9-1, MQTT and STOMP.
///
/// Plays raw bytes over connections of its own and judges what comes back.
/// Exits with 0 when every case had an accepted outcome, with 1 when one had
/// not, and with 2 when nothing was judged: the command line or an expectation
/// file is wrong, or a broker cannot be reached, does not speak the protocol or
/// does not let the client in.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge brokers. The default
    Run(RunArgs),
    /// List the cases, or what they could ask about
    List(ListArgs),
}

#[derive(Args, Debug)]
struct Selection {
    /// Only cases whose id contains this, or matches it when it has a * or ?.
    /// Repeat for more
    #[arg(long = "case", value_name = "SELECTOR")]
    cases: Vec<String>,
    /// Only cases of this level. Repeat for more
    #[arg(long = "level", value_name = "LEVEL")]
    levels: Vec<Level>,
    /// Only cases of this protocol. Repeat for more
    #[arg(long = "protocol", value_name = "PROTOCOL")]
    protocols: Vec<Protocol>,
}

#[derive(Args, Debug)]
struct RunArgs {
    /// amqp://USER:PASSWORD@HOST:PORT/VHOST, mqtt://..., stomp://... Without
    /// any, the reference broker is started in this process and judged
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    #[command(flatten)]
    selection: Selection,
    /// What is known of the brokers (TOML): verdicts that are expected, and why.
    /// Repeat for more
    #[arg(long = "expect", value_name = "FILE")]
    expectations: Vec<PathBuf>,
    /// A SHOULD or MAY that is not kept is not accepted either
    #[arg(long)]
    strict: bool,
    /// How long one answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    timeout: Duration,
    /// How long nothing must come for a broker to count as silent, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    silence: Duration,
    /// How long one case may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    deadline: Duration,
    /// Ask everything of a broker as it is, without finding out first whether it
    /// can be asked, nor between the cases whether it is still there
    #[arg(long)]
    no_preflight: bool,
    /// What starts the broker again when a case has killed it, for the shell. It
    /// returns when the broker is starting; mqspec waits until it answers
    #[arg(long, value_name = "COMMAND")]
    restart_command: Option<String>,
    /// How many cases are played at a time
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// The form of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: RunFormat,
    /// Write the report into this file, and a text report to the terminal
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the bytes of every case that is not a pass
    #[arg(short, long)]
    verbose: bool,
    /// Show only cases that are not a pass
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Args, Debug)]
struct ListArgs {
    #[command(flatten)]
    selection: Selection,
    /// List what the specifications require instead, and how many of the cases ask
    /// about each
    #[arg(long)]
    requirements: bool,
    /// The form of the list
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: ListFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RunFormat {
    Text,
    Json,
    Junit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    Text,
    Json,
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "must be a number of seconds greater than 0".into())
}

/// Why there is no report, or none that could be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    #[error("cannot listen for Ctrl-C: {0}")]
    Signals(std::io::Error),
    #[error(transparent)]
    Expectation(#[from] ExpectationError),
    #[error("cannot start the reference broker: {0}")]
    Embedded(#[from] mq_server::StartError),
    #[error("no case is selected by {0}; `mqspec list` shows what there is")]
    NothingSelected(String),
    #[error("no case is selected for the protocol of {0}")]
    NothingForTarget(String),
    #[error("cannot write {path}: {source}")]
    Output {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write: {0}")]
    Stdout(std::io::Error),
}

impl CliError {
    /// 1 when there was something to report and it could not be, 2 when nothing
    /// was judged.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Embedded(_) | Self::Signals(_) | Self::Output { .. } | Self::Stdout(_) => 1,
            Self::Target(_)
            | Self::Preflight(_)
            | Self::Expectation(_)
            | Self::NothingSelected(_)
            | Self::NothingForTarget(_) => 2,
        }
    }
}

/// Does what the command line says; whether every outcome was accepted.
///
/// # Errors
///
/// [`CliError`], to be shown to the user in one line.
pub(crate) fn main() -> Result<bool, CliError> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::List(args)) => list(&args).map(|()| true),
        Some(Command::Run(args)) => run(&args),
        None => run(&cli.run),
    }
}

fn list(args: &ListArgs) -> Result<(), CliError> {
    let selected = args.selection.apply()?;
    let mut stdout = anstream::stdout().lock();
    match (args.requirements, args.format) {
        (false, ListFormat::Text) => report::text::list(&mut stdout, &selected),
        (false, ListFormat::Json) => report::json::list(&mut stdout, &selected),
        (true, ListFormat::Text) => report::text::requirements(&mut stdout, &asked(&selected)),
        (true, ListFormat::Json) => report::json::requirements(&mut stdout, &asked(&selected)),
    }
    .and_then(|()| stdout.flush())
    .or_else(ignore_closed_pipe)
}

fn run(args: &RunArgs) -> Result<bool, CliError> {
    let selected = args.selection.apply()?;
    let mut targets: Vec<Target> = args
        .urls
        .iter()
        .map(|url| url.parse())
        .collect::<Result<_, _>>()?;
    let mut expectations = Expectations::read(&args.expectations)?;

    let embedded = if targets.is_empty() {
        expectations.add_reference()?;
        Some(Embedded::start()?)
    } else {
        None
    };
    if let Some(embedded) = &embedded {
        targets.clone_from(&embedded.targets);
        // What was not selected is not asked; of a URL that would be a mistake.
        targets.retain(|target| selected.iter().any(|(s, _)| s.protocol == target.protocol));
    }

    if let Some(target) = targets
        .iter()
        .find(|target| !selected.iter().any(|(s, _)| s.protocol == target.protocol))
    {
        return Err(CliError::NothingForTarget(target.to_string()));
    }
    interrupt::listen().map_err(CliError::Signals)?;
    let windows = Windows {
        patience: args.timeout,
        silence: args.silence,
        deadline: args.deadline,
    };
    let seed = runner::run_seed();
    for target in &mut targets {
        target.check_reachable(args.timeout)?;
        if !args.no_preflight {
            target.profile = preflight(target, &windows, &format!("{seed:08x}pre"))?;
        }
    }
    let mut questions = Vec::new();
    for target in &targets {
        for (section, cases) in &selected {
            if section.protocol == target.protocol {
                questions.extend(cases.iter().map(|case| Question {
                    target,
                    section,
                    case,
                }));
            }
        }
    }

    let rules = Rules {
        jobs: args.jobs.into(),
        windows,
        expectations,
        strict: args.strict,
        restart: args.restart_command.clone(),
        seed,
        watch: !args.no_preflight,
    };
    // With a format other than text on the terminal, nothing else goes there.
    let show_text = args.format == RunFormat::Text || args.output.is_some();
    let mut printer = show_text
        .then(|| report::text::Printer::new(anstream::stdout().lock(), args.verbose, args.quiet));
    if let Some(printer) = &mut printer {
        printer.profiles(&targets);
    }
    let mut leftovers = Leftovers::new(&targets);
    let mut run = runner::run(&questions, &rules, |answer| {
        leftovers.add(answer);
        if let Some(printer) = &mut printer {
            printer.answer(answer);
        }
    });
    // What the reference broker keeps ends with this process.
    if embedded.is_none() {
        run.remains = leftovers.remove(&windows, seed);
    }
    if let Some(printer) = printer {
        printer.finish(&run).or_else(ignore_closed_pipe)?;
    }

    if let Some(path) = &args.output {
        args.report(&run)
            .and_then(|report| std::fs::write(path, report))
            .map_err(|source| CliError::Output {
                path: path.clone(),
                source,
            })?;
    } else if !show_text {
        args.report(&run)
            .and_then(|report| std::io::stdout().write_all(&report))
            .or_else(ignore_closed_pipe)?;
    }
    Ok(run.is_accepted())
}

impl RunArgs {
    /// The whole report in the form asked for, without colours.
    fn report(&self, run: &Run<'_>) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::new();
        match self.format {
            RunFormat::Text => {
                let plain = anstream::StripStream::new(&mut out);
                let mut printer = report::text::Printer::new(plain, self.verbose, self.quiet);
                for answer in &run.answers {
                    printer.answer(answer);
                }
                printer.finish(run)?;
            }
            RunFormat::Json => report::json::run(&mut out, run)?,
            RunFormat::Junit => report::junit::run(&mut out, &run.answers)?,
        }
        Ok(out)
    }
}

/// `mqspec list | head` is no error.
fn ignore_closed_pipe(error: std::io::Error) -> Result<(), CliError> {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        Ok(())
    } else {
        Err(CliError::Stdout(error))
    }
}

/// A section and those of its cases that were chosen.
pub(crate) type Selected = (&'static Section, Vec<&'static crate::case::Case>);

impl Selection {
    /// The chosen cases by section.
    ///
    /// # Errors
    ///
    /// [`CliError::NothingSelected`] when nothing is left, or a selector names
    /// no case at all: it is mistyped, and a run that silently leaves out what
    /// was asked for would look like a success.
    fn apply(&self) -> Result<Vec<Selected>, CliError> {
        for selector in &self.cases {
            if !sections().any(|s| s.cases.iter().any(|case| selects(selector, case.id))) {
                return Err(CliError::NothingSelected(format!("--case {selector}")));
            }
        }
        let selected: Vec<Selected> = sections()
            .filter(|s| self.protocols.is_empty() || self.protocols.contains(&s.protocol))
            .map(|section| {
                let cases = section.cases.iter().filter(|case| {
                    (self.levels.is_empty() || self.levels.contains(&case.level))
                        && (self.cases.is_empty()
                            || self.cases.iter().any(|selector| selects(selector, case.id)))
                });
                (section, cases.collect::<Vec<_>>())
            })
            .filter(|(_, cases)| !cases.is_empty())
            .collect();
        if selected.is_empty() {
            return Err(CliError::NothingSelected("all selectors together".into()));
        }
        Ok(selected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn seconds_are_positive() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "NaN", "inf", "x", "1e30"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
