//! A load generator for brokers: one load after the other, on several brokers in turn, over
//! the network, by the state machines of the three codecs.
#![allow(
    clippy::disallowed_methods,
    reason = "measuring is what the clock is for"
)]

mod client;
mod connection;
mod load;
mod measure;
mod outcome;
mod pacer;
mod process;
mod report;
mod run;
mod target;
mod transport;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use mqload::picture::Theme;

use crate::load::Load;
use crate::measure::{Times, measure};
use crate::report::{Comparison, plot, table};
use crate::target::Target;

/// Loads brokers, in turn, and compares them.
///
/// Each load is measured on each broker, and that several times: --rounds. What else the
/// machine does meets all brokers alike. The table has medians, and in parentheses the
/// median ratio to the first broker of the same protocol, taken round by round.
///
/// An open loop (rate=) counts a latency from the time at which a message was due: a broker
/// that stops for a while pays for each message that it made wait, also for those that it
/// never took. A closed loop (window=) shows how much goes through; its latencies are those
/// of a broker that is always full.
#[derive(Debug, Parser)]
#[command(version, after_help = after_help())]
struct Flags {
    /// Brokers: [NAME=]URL
    #[arg(required = true, value_name = "BROKER")]
    brokers: Vec<Target>,
    /// A load, with changes to it; several are measured one after the other
    #[arg(
        short,
        long,
        default_value = "confirmed",
        value_name = "LOAD[,KEY=VALUE].."
    )]
    load: Vec<Load>,
    /// How often each load is measured on each broker
    #[arg(short, long, default_value_t = 3)]
    rounds: u32,
    /// Seconds that are measured
    #[arg(short, long, default_value_t = 5.0, value_name = "SECONDS")]
    duration: f64,
    /// Seconds before that
    #[arg(short, long, default_value_t = 1.0, value_name = "SECONDS")]
    warm_up: f64,
    /// Threads of the generator; as many as there are processors, unless given
    #[arg(long)]
    threads: Option<usize>,
    /// Certificates that TLS trusts, in PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Writes each round, with the distributions
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes FILE-light.svg and FILE-dark.svg
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

fn after_help() -> String {
    format!(
        "{}\n\n{}\n\nExample:\n  \
         mqload ours=mqtt://127.0.0.1:1883 mosquitto=mqtt://127.0.0.1:1884 \\\n    \
         -l fan-out,size=1k -l steady,rate=5k,confirm=1 -l idle,connections=5k --plot results",
        target::HELP,
        load::help()
    )
}

fn main() -> ExitCode {
    match run(Flags::parse()) {
        Ok(failures) => ExitCode::from(u8::from(failures > 0)),
        Err(error) => {
            eprintln!("mqload: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Measures all, and returns how many measurements failed.
fn run(flags: Flags) -> Result<usize> {
    ensure!(flags.rounds > 0, "--rounds: 1 or more");
    let seconds = |value: f64| Duration::try_from_secs_f64(value).context("a time");
    let times = Times {
        warm_up: seconds(flags.warm_up)?,
        measured: seconds(flags.duration)?,
    };
    let tls = flags.ca.as_deref().map(transport::trust).transpose()?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = flags.threads {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build()?;

    // Brokers are compared with those that speak the same.
    let mut protocols: Vec<Vec<&Target>> = Vec::new();
    for target in &flags.brokers {
        match protocols
            .iter_mut()
            .find(|same| same[0].protocol == target.protocol)
        {
            Some(same) => same.push(target),
            None => protocols.push(vec![target]),
        }
    }

    let total = flags.load.len() * flags.brokers.len() * flags.rounds as usize;
    let bar = ProgressBar::new(total as u64);
    let style = "{bar:30} {pos}/{len} {wide_msg}";
    bar.set_style(ProgressStyle::with_template(style).expect("it is one"));
    let (mut comparisons, mut failures) = (Vec::new(), 0);
    for targets in &protocols {
        for load in &flags.load {
            let mut comparison = Comparison::new(load, targets);
            for round in 0..flags.rounds as usize {
                for turn in 0..targets.len() {
                    // Another one begins each time.
                    let at = (round + turn) % targets.len();
                    let title = format!(
                        "{} {load}, {}",
                        comparison.protocol, comparison.brokers[at].name
                    );
                    bar.set_message(title.clone());
                    let progress = |done: u64| bar.set_message(format!("{title}: {done}"));
                    let future = measure(targets[at], load, tls.as_ref(), times, progress);
                    match runtime.block_on(future) {
                        Ok(outcome) => comparison.brokers[at].rounds.push(outcome),
                        Err(error) => {
                            failures += 1;
                            bar.suspend(|| eprintln!("mqload: {title}: {error:#}"));
                            comparison.brokers[at].error = Some(format!("{error:#}"));
                        }
                    }
                    bar.inc(1);
                }
            }
            bar.suspend(|| println!("{}", table(&comparison)));
            comparisons.push(comparison);
        }
    }
    bar.finish_and_clear();

    if let Some(file) = &flags.json {
        let json = serde_json::to_string_pretty(&comparisons)?;
        std::fs::write(file, json).with_context(|| file.display().to_string())?;
    }
    if let Some(file) = &flags.plot {
        for theme in Theme::ALL {
            plot(&comparisons, &theme, &named(file, theme.name))?;
        }
    }
    Ok(failures)
}

/// `FILE-NAME.svg`.
fn named(file: &Path, name: &str) -> PathBuf {
    let mut path = file.with_extension("").into_os_string();
    path.push(format!("-{name}.svg"));
    path.into()
}
