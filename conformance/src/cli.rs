//! The command line: what is asked for, of which brokers, and how it is told.

use std::io::{StdoutLock, Write};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::again::Options;
use crate::case::{Windows, sections};
use crate::embedded::Embedded;
use crate::expectation::{ExpectationError, Expectations};
use crate::interrupt;
use crate::leftover::Leftovers;
use crate::matrix::{MatrixError, matrix};
use crate::preflight::{PreflightError, preflight};
use crate::profile::{ProfileError, Profiles};
use crate::reach::{Reach, Times};
use crate::report;
use crate::report::document::{Document, DocumentError};
use crate::report::text::Again;
use crate::requirement::asked;
use crate::runner::{self, Answer, Observer, Question, Rules, Run};
use crate::selection::{Selection, SelectionError};
use crate::serve::{ServeArgs, ServeError, serve};
use crate::soak::Load;
use crate::target::{Target, TargetError};
use crate::transcript::Transcript;
use crate::version::Version;

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
    Run(Box<RunArgs>),
    /// List the cases, or what they could ask about
    List(ListArgs),
    /// Say what a case asks and why, play it, and show the bytes of both sides
    Explain(ExplainArgs),
    /// Write the expectation file that accepts what is in a report, with the
    /// reasons to be filled in
    Baseline(BaselineArgs),
    /// Make a static site of reports: brokers by requirements, with a page for
    /// each case
    Matrix(MatrixArgs),
    /// Find out how brokers let a client in and what they announce, and write a profile
    /// of it
    Probe(ProbeArgs),
    /// Keep a broker busy, restart it meanwhile, and say what it lost, repeated or
    /// reordered of what it had confirmed
    Soak(SoakArgs),
    /// Be a broker that misbehaves in one named way, for the authors of clients, and say
    /// what the client does then
    Serve(ServeArgs),
}

#[derive(Args, Debug)]
struct RunArgs {
    /// amqp://USER:PASSWORD@HOST:PORT/VHOST, mqtt://..., stomp://..., with TLS
    /// amqps, mqtts, stomps, over WebSocket ws, wss (MQTT), stomp+ws, stomp+wss.
    /// Without any, the reference broker is started in this process and judged
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    #[command(flatten)]
    reach: Reach,
    /// What `mqspec probe` has written of the brokers: they are not asked for it again.
    /// Without URLs, all that stand in it are judged
    #[arg(long, value_name = "FILE", conflicts_with = "no_preflight")]
    profile: Option<PathBuf>,
    #[command(flatten)]
    selection: Selection,
    /// What is known of the brokers (TOML): verdicts that are expected, and why.
    /// Repeat for more
    #[arg(long = "expect", value_name = "FILE")]
    expectations: Vec<PathBuf>,
    /// The version of the broker, for entries of an expectation file that are
    /// about some versions only, where the broker does not announce it
    #[arg(long, value_name = "VERSION", value_parser = Version::from_str)]
    broker_version: Option<Version>,
    /// A SHOULD or MAY that is not kept is not accepted either
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    times: Times,
    /// Ask everything of a broker as it is, without finding out first whether it
    /// can be asked, nor between the cases whether it is still there
    #[arg(long)]
    no_preflight: bool,
    /// What starts the broker again when a case has killed it, for the shell. It
    /// returns when the broker is starting; mqspec waits until it answers
    #[arg(long, value_name = "COMMAND")]
    restart_command: Option<String>,
    /// How many cases are played at a time. Without it 16, and 32 of the reference broker
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Ask each case so often. What differs between the rounds is reported, and
    /// the worst of them counts
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
    /// The form of the report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: RunFormat,
    /// Write the report into this file, and a text report to the terminal
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show a dump of the bytes of every case that is not a pass
    #[arg(short, long)]
    verbose: bool,
    /// Keep the bytes of passes too, in reports of every form
    #[arg(long)]
    transcripts: bool,
    /// Show only cases that are not a pass
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Args, Debug)]
struct ExplainArgs {
    /// The id of the case
    #[arg(value_name = "ID")]
    id: String,
    /// The broker to play it against. Without one, the reference broker is
    /// started in this process
    #[arg(value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    times: Times,
}

#[derive(Args, Debug)]
struct BaselineArgs {
    /// A report of `mqspec run --format json`
    #[arg(value_name = "REPORT")]
    report: PathBuf,
}

#[derive(Args, Debug)]
struct MatrixArgs {
    /// Reports of `mqspec run --format json`, one for each broker. NAME=REPORT
    /// names the broker; without a name it is called what it calls itself
    #[arg(value_name = "REPORT", required = true)]
    reports: Vec<String>,
    /// The directory to write the pages into
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

#[derive(Args, Debug)]
struct ProbeArgs {
    /// The brokers
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    times: Times,
}

#[derive(Args, Debug)]
struct SoakArgs {
    /// The brokers. Without any, the reference broker is started in this process
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    load: Load,
    /// What starts the broker again, for the shell. It returns when the broker is
    /// starting
    #[arg(long, value_name = "COMMAND")]
    restart_command: Option<String>,
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
    #[error(transparent)]
    Selection(#[from] SelectionError),
    #[error(transparent)]
    Report(#[from] DocumentError),
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("there is no case {0}; `mqspec list` shows what there is")]
    NoSuchCase(String),
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
            Self::Embedded(_)
            | Self::Signals(_)
            | Self::Output { .. }
            | Self::Stdout(_)
            | Self::Serve(
                ServeError::Listen { .. }
                | ServeError::Embedded(_)
                | ServeError::Signals(_)
                | ServeError::Stdout(_),
            ) => 1,
            Self::Target(_)
            | Self::Preflight(_)
            | Self::Expectation(_)
            | Self::Selection(_)
            | Self::Report(_)
            | Self::Matrix(_)
            | Self::Profile(_)
            | Self::Serve(ServeError::NoSuchFault(_))
            | Self::NoSuchCase(_)
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
        Some(Command::Explain(args)) => explain(&args).map(|()| true),
        Some(Command::Baseline(args)) => baseline(&args).map(|()| true),
        Some(Command::Matrix(args)) => {
            let page = matrix(&args.reports, &args.output)?;
            anstream::println!("{}", page.display());
            Ok(true)
        }
        Some(Command::Probe(args)) => probe(&args).map(|()| true),
        Some(Command::Soak(args)) => soak(&args),
        Some(Command::Serve(args)) => {
            serve(&args)?;
            Ok(true)
        }
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

fn explain(args: &ExplainArgs) -> Result<(), CliError> {
    let found = sections().find_map(|section| {
        let case = section.cases.iter().find(|case| case.id == args.id)?;
        Some((section, case))
    });
    let (section, case) = found.ok_or_else(|| CliError::NoSuchCase(args.id.clone()))?;
    let windows = Windows::from(args.times);
    let seed = runner::run_seed();
    let (mut target, embedded) = match &args.url {
        Some(url) => (args.reach.target(url)?, None),
        None => {
            let embedded = Embedded::start()?;
            let of_case = |target: &Target| target.protocol == section.protocol;
            let target = embedded.targets().into_iter().find(of_case);
            let target = target.ok_or_else(|| CliError::NothingForTarget(args.id.clone()))?;
            (target, Some(embedded))
        }
    };
    if target.protocol != section.protocol {
        return Err(CliError::NothingForTarget(target.to_string()));
    }
    target.check_reachable(windows.patience)?;
    target.profile = preflight(&target, &windows, &format!("{seed:08x}pre"))?;
    let question = Question {
        target: &target,
        section,
        case,
        expectation: None,
    };
    let rules = Rules {
        jobs: 1,
        windows,
        strict: false,
        restart: embedded.as_ref().map(Embedded::restarted),
        seed,
        watch: false,
    };
    let mut follow = Follow {
        leftovers: Leftovers::new(std::slice::from_ref(&target)),
        printer: None,
    };
    let run = runner::run(&[question], &rules, &mut follow);
    follow.leftovers.remove(&windows, seed);
    let broker = match &args.url {
        Some(_) => target.to_string(),
        None => "the reference broker".into(),
    };
    let again = args.again().command(&question);
    let mut stdout = anstream::stdout().lock();
    for answer in &run.answers {
        crate::explain::explain(&mut stdout, section, case, answer, &broker, &again)
            .or_else(ignore_closed_pipe)?;
    }
    Ok(())
}

impl ExplainArgs {
    fn again(&self) -> Again {
        let Self {
            id: _,
            url,
            reach,
            times,
        } = self;
        let mut options = Options::default();
        reach.again(&mut options);
        times.again(&mut options);
        Again {
            options,
            embedded: url.is_none(),
        }
    }
}

fn probe(args: &ProbeArgs) -> Result<(), CliError> {
    let windows = Windows::from(args.times);
    let seed = runner::run_seed();
    let mut targets = Vec::new();
    for url in &args.urls {
        let mut target = args.reach.target(url)?;
        target.check_reachable(windows.patience)?;
        target.profile = preflight(&target, &windows, &format!("{seed:08x}pre"))?;
        targets.push(target);
    }
    let text = Profiles::of(&targets).text()?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .or_else(ignore_closed_pipe)
}

fn soak(args: &SoakArgs) -> Result<bool, CliError> {
    let mut targets = args
        .urls
        .iter()
        .map(|url| args.reach.target(url))
        .collect::<Result<Vec<_>, _>>()?;
    let embedded = if targets.is_empty() {
        Some(Embedded::start()?)
    } else {
        None
    };
    if let Some(embedded) = &embedded {
        targets = embedded.targets();
    }
    interrupt::listen().map_err(CliError::Signals)?;
    let seed = runner::run_seed();
    let windows = args.load.windows();
    for target in &mut targets {
        target.check_reachable(windows.patience)?;
        target.profile = preflight(target, &windows, &format!("{seed:08x}pre"))?;
    }
    let restart = match (&embedded, &args.restart_command) {
        (Some(embedded), _) => Some(embedded.restarted()),
        (None, Some(command)) => Some(runner::by_command(command)),
        (None, None) => None,
    };
    let ledgers = crate::soak::soak(&targets, &args.load, restart.as_ref(), seed);
    let mut stdout = anstream::stdout().lock();
    crate::soak::report(&mut stdout, &ledgers).or_else(ignore_closed_pipe)?;
    Ok(ledgers.iter().all(crate::soak::Ledger::is_sound))
}

fn baseline(args: &BaselineArgs) -> Result<(), CliError> {
    let document = Document::read(&args.report)?;
    let mut stdout = std::io::stdout().lock();
    crate::baseline::baseline(&mut stdout, &document)
        .and_then(|()| stdout.flush())
        .or_else(ignore_closed_pipe)
}

/// What goes on while the cases are played: what they make is noted, and what
/// became of them printed.
struct Follow<'a> {
    leftovers: Leftovers<'a>,
    printer: Option<report::text::Printer<anstream::AutoStream<StdoutLock<'static>>>>,
}

impl Observer for Follow<'_> {
    fn played(&mut self, question: &Question<'_>, transcript: &Transcript) {
        self.leftovers.add(question.target, transcript);
    }

    fn answered(&mut self, answer: &Answer<'_>) {
        if let Some(printer) = &mut self.printer {
            printer.answer(answer);
        }
    }
}

fn run(args: &RunArgs) -> Result<bool, CliError> {
    let selected = args.selection.apply()?;
    let profiles = match &args.profile {
        Some(path) => Profiles::read(path)?,
        None => Profiles::default(),
    };
    let named = args.urls.iter().map(String::as_str);
    let of_profile = profiles.urls().filter(|_| args.urls.is_empty());
    let mut targets: Vec<Target> = named
        .chain(of_profile)
        .map(|url| args.reach.target(url))
        .collect::<Result<_, _>>()?;
    let mut expectations = Expectations::read(&args.expectations)?;

    let embedded = if targets.is_empty() {
        expectations.add_reference()?;
        Some(Embedded::start()?)
    } else {
        None
    };
    if let Some(embedded) = &embedded {
        targets = embedded.targets();
    }
    // A broker of which nothing is selected is not asked. Where the cases and the broker were
    // both named, that would be a mistake.
    let is_mistake = !args.urls.is_empty() && !args.selection.is_of_report();
    let is_asked = |target: &Target| selected.iter().any(|(s, _)| s.protocol == target.protocol);
    if let Some(target) = targets.iter().find(|target| !is_asked(target))
        && (is_mistake || !targets.iter().any(is_asked))
    {
        return Err(CliError::NothingForTarget(target.to_string()));
    }
    targets.retain(is_asked);
    interrupt::listen().map_err(CliError::Signals)?;
    let windows = Windows::from(args.times);
    let seed = runner::run_seed();
    for target in &mut targets {
        target.check_reachable(windows.patience)?;
        let is_known = match &args.profile {
            Some(path) => profiles.fill(target, path)?,
            None => false,
        };
        if !args.no_preflight && !is_known {
            target.profile = preflight(target, &windows, &format!("{seed:08x}pre"))?;
        }
    }
    let mut questions = Vec::new();
    for target in &targets {
        let version = args.version_of(target, &targets);
        let expected = expectations.of(&target.to_string(), version.as_ref())?;
        for (section, cases) in &selected {
            if section.protocol != target.protocol {
                continue;
            }
            for case in cases {
                let question = Question {
                    target,
                    section,
                    case,
                    expectation: expected.get(case.id).copied(),
                };
                questions.extend(std::iter::repeat_n(question, args.repeat.into()));
            }
        }
    }

    let rules = Rules {
        jobs: args
            .jobs
            .map_or(if embedded.is_some() { 32 } else { 16 }, usize::from),
        windows,
        strict: args.strict,
        restart: match (&embedded, &args.restart_command) {
            (Some(embedded), _) => Some(embedded.restarted()),
            (None, Some(command)) => Some(runner::by_command(command)),
            (None, None) => None,
        },
        seed,
        watch: !args.no_preflight,
    };
    let detail = report::text::Detail {
        verbose: args.verbose,
        quiet: args.quiet,
        transcripts: args.transcripts,
    };
    let again = args.again(embedded.is_some());
    // With a format other than text on the terminal, nothing else goes there.
    let show_text = args.format == RunFormat::Text || args.output.is_some();
    let mut printer = show_text
        .then(|| report::text::Printer::new(anstream::stdout().lock(), detail, again.clone()));
    if let Some(printer) = &mut printer {
        printer.profiles(&targets);
    }
    let mut follow = Follow {
        leftovers: Leftovers::new(&targets),
        printer,
    };
    let mut run = runner::run(&questions, &rules, &mut follow);
    // What the reference broker keeps ends with this process.
    if embedded.is_none() {
        run.remains = follow.leftovers.remove(&windows, seed);
    }
    if let Some(printer) = follow.printer {
        printer.finish(&run).or_else(ignore_closed_pipe)?;
    }

    if let Some(path) = &args.output {
        args.report(&run, &targets, detail, again)
            .and_then(|report| std::fs::write(path, report))
            .map_err(|source| CliError::Output {
                path: path.clone(),
                source,
            })?;
    } else if !show_text {
        args.report(&run, &targets, detail, again)
            .and_then(|report| std::io::stdout().write_all(&report))
            .or_else(ignore_closed_pipe)?;
    }
    Ok(run.is_accepted())
}

impl RunArgs {
    /// How one of its cases is asked again.
    fn again(&self, embedded: bool) -> Again {
        let Self {
            // The broker and the case that the command is about take their place.
            urls: _,
            selection: _,
            reach,
            profile,
            expectations,
            broker_version,
            strict,
            times,
            no_preflight,
            restart_command,
            // For many cases, and for reports.
            jobs: _,
            repeat: _,
            format: _,
            output: _,
            verbose: _,
            transcripts: _,
            quiet: _,
        } = self;
        let mut options = Options::default();
        reach.again(&mut options);
        options.values("--profile", profile.iter().map(|path| path.display()));
        options.values("--expect", expectations.iter().map(|path| path.display()));
        options.values("--broker-version", broker_version);
        options.flag("--strict", *strict);
        times.again(&mut options);
        options.flag("--no-preflight", *no_preflight);
        options.values("--restart-command", restart_command);
        Again { options, embedded }
    }

    /// The version of the broker: what the command line says, what it announces,
    /// or what it announces over another protocol.
    fn version_of(&self, target: &Target, targets: &[Target]) -> Option<Version> {
        let announced = |target: &Target| target.profile.version.as_ref()?.parse().ok();
        let others = targets.iter().filter(|other| other.host == target.host);
        self.broker_version
            .clone()
            .or_else(|| announced(target))
            .or_else(|| others.into_iter().find_map(announced))
    }

    /// The whole report in the form asked for, without colours.
    fn report(
        &self,
        run: &Run<'_>,
        targets: &[Target],
        detail: report::text::Detail,
        again: Again,
    ) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::new();
        match self.format {
            RunFormat::Text => {
                let plain = anstream::StripStream::new(&mut out);
                let mut printer = report::text::Printer::new(plain, detail, again);
                printer.profiles(targets);
                for answer in &run.answers {
                    printer.answer(answer);
                }
                printer.finish(run)?;
            }
            RunFormat::Json => {
                let document = Document::of(run, targets, self.transcripts);
                report::json::run(&mut out, &document)?;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
