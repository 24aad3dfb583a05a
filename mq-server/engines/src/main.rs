//! Measures what could keep the log of mq-server, each doing the same work, interleaved in
//! one run, and prints a table of the medians.
//!
//! ```text
//! cargo run --release --manifest-path mq-server/engines/Cargo.toml [-- DIRECTORY]
//! ```
//!
//! DIRECTORY is where the files go: the disk that is measured. Default: `target`.

mod engine;
mod engines;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::{BATCH, Engine, Open};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Times that everything is done.
const ROUNDS: usize = 3;

/// Groups of one batch, and of 64, that are written and synced.
const SMALL: usize = 400;
const LARGE: usize = 100;

/// Batches in the log when it is read, recovered and trimmed.
const FULL: u64 = 128 * 1024;

/// Batches that are read, anywhere in the log.
const READS: u64 = 2_000;

/// What is measured of one engine in one round.
#[derive(Clone, Copy, Default)]
struct Row {
    small: Duration,
    large: Duration,
    read: Duration,
    recovery: Duration,
    trim: Duration,
    /// Bytes on disk for each byte in the log, when it is full and after its first half
    /// was forgotten.
    full: f64,
    trimmed: f64,
}

fn main() -> Outcome<()> {
    let base = std::env::args()
        .nth(1)
        .map_or("target".into(), PathBuf::from);
    let engines = engines::all();
    let mut rows = vec![Vec::new(); engines.len()];
    for round in 0..ROUNDS {
        for (index, (name, open)) in engines.iter().enumerate() {
            eprintln!("round {round}: {name}");
            let directory = tempfile::tempdir_in(&base)?;
            rows[index].push(measure(*open, directory.path())?);
        }
    }
    println!(
        "| engine | 1 KiB, synced | 64 KiB, synced | read 1 KiB | recover {} MiB | forget half | on disk, full | on disk, half |",
        FULL * BATCH as u64 >> 20
    );
    println!("|---|---|---|---|---|---|---|---|");
    for ((name, _), rows) in engines.iter().zip(&rows) {
        let time = |of: fn(&Row) -> Duration| micros(median(rows.iter().map(of).collect()));
        let times = |of: fn(&Row) -> f64| {
            let mut all: Vec<f64> = rows.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        println!(
            "| {name} | {} | {} | {} | {} | {} | {:.2} | {:.2} |",
            time(|row| row.small),
            time(|row| row.large),
            time(|row| row.read),
            time(|row| row.recovery),
            time(|row| row.trim),
            times(|row| row.full),
            times(|row| row.trimmed),
        );
    }
    Ok(())
}

fn measure(open: Open, directory: &Path) -> Outcome<Row> {
    let mut engine = open(directory)?;
    let mut next = 0;
    let mut row = Row::default();
    let mut groups = |engine: &mut dyn Engine, count: usize, size: u64| -> Outcome<Duration> {
        let mut times = Vec::new();
        for _ in 0..count {
            let begin = Instant::now();
            engine.append(next, size)?;
            times.push(begin.elapsed());
            next += size;
        }
        Ok(median(times))
    };
    row.small = groups(engine.as_mut(), SMALL, 1)?;
    row.large = groups(engine.as_mut(), LARGE, 64)?;
    let left = FULL - SMALL as u64 - 64 * LARGE as u64;
    groups(engine.as_mut(), left as usize / 1024, 1024)?;
    let end = SMALL as u64 + 64 * LARGE as u64 + left / 1024 * 1024;

    let begin = Instant::now();
    for number in 0..READS {
        // A step that shares no factor with the length visits the whole log.
        let index = number * 7_919 % end;
        assert_eq!(engine.read(index)?, engine::content(index), "{index}");
    }
    row.read = begin.elapsed() / READS as u32;
    row.full = on_disk(directory)? / (end * BATCH as u64) as f64;

    drop(engine);
    let begin = Instant::now();
    let mut engine = open(directory)?;
    assert_eq!(engine.recover()?, end);
    row.recovery = begin.elapsed();

    let begin = Instant::now();
    engine.trim(end / 2)?;
    row.trim = begin.elapsed();
    engine.append(end, 1)?;
    row.trimmed = on_disk(directory)? / ((end - end / 2) * BATCH as u64) as f64;
    Ok(row)
}

fn on_disk(directory: &Path) -> Outcome<f64> {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0.0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        sum += match entry.file_type()?.is_dir() {
            true => on_disk(&entry.path())?,
            false => entry.metadata()?.blocks() as f64 * 512.0,
        };
    }
    Ok(sum)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn micros(time: Duration) -> String {
    match time.as_micros() {
        0..10_000 => format!("{} us", time.as_micros()),
        _ => format!("{} ms", time.as_millis()),
    }
}
