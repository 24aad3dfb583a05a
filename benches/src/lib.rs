//! What is measured, described once: [`Group`]s of [`Column`]s of candidates that do the
//! same work. Criterion measures them one after the other ([`criterion`]); [`ratios`]
//! measures the candidates of a column in turns, many times, and prints how they stand to
//! the first of them. On a machine with other work the second is the one to believe.
#![allow(
    clippy::disallowed_methods,
    reason = "measuring is what the clock is for"
)]

mod ratios;

use std::hint::black_box;
use std::time::{Duration, Instant};

use ::criterion::{BenchmarkId, Criterion, Throughput};
pub use ratios::ratios;

/// One kind of work, in several sizes or versions: a table of ratios.
pub struct Group {
    name: String,
    columns: Vec<Column>,
}

/// Candidates that do the same work on the same input. Our own is added first: the others
/// are measured against it.
pub struct Column {
    name: String,
    items: u64,
    candidates: Vec<Candidate>,
}

struct Candidate {
    name: String,
    /// Runs so many times, and tells how long that took.
    run: Box<dyn FnMut(u64) -> Duration>,
}

impl Group {
    /// A group without columns.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            columns: Vec::new(),
        }
    }

    /// Adds a column. A run of one of its candidates handles `items` items (packets,
    /// frames, messages), and times are told for one of them.
    pub fn column(&mut self, name: impl Into<String>, items: u64) -> &mut Column {
        self.columns.push(Column {
            name: name.into(),
            items,
            candidates: Vec::new(),
        });
        self.columns.last_mut().expect("it was just pushed")
    }
}

impl Column {
    /// Adds a candidate. What `routine` returns is dropped within the time.
    pub fn add<O>(
        &mut self,
        name: impl Into<String>,
        mut routine: impl FnMut() -> O + 'static,
    ) -> &mut Self {
        self.push(name, move |times| {
            let start = Instant::now();
            for _ in 0..times {
                black_box(routine());
            }
            start.elapsed()
        })
    }

    /// Adds a candidate that consumes what it works on: `setup` makes it outside of the
    /// time, and it is dropped outside of it. What `routine` returns is dropped within.
    ///
    /// The clock is looked at around each run, which costs tens of nanoseconds: let a run
    /// handle many items, and give our own candidate and a floor the same treatment.
    pub fn add_batched<I, O>(
        &mut self,
        name: impl Into<String>,
        mut setup: impl FnMut() -> I + 'static,
        mut routine: impl FnMut(&mut I) -> O + 'static,
    ) -> &mut Self {
        self.push(name, move |times| {
            (0..times).fold(Duration::ZERO, |sum, _| {
                let mut input = black_box(setup());
                let start = Instant::now();
                black_box(routine(&mut input));
                sum + start.elapsed()
            })
        })
    }

    fn push(
        &mut self,
        name: impl Into<String>,
        run: impl FnMut(u64) -> Duration + 'static,
    ) -> &mut Self {
        self.candidates.push(Candidate {
            name: name.into(),
            run: Box::new(run),
        });
        self
    }
}

/// Measures with criterion; the time that it reports is that of one item.
pub fn criterion(c: &mut Criterion, groups: Vec<Group>) {
    for group in groups {
        let mut measured = c.benchmark_group(&group.name);
        measured.throughput(Throughput::Elements(1));
        for column in group.columns {
            let items = u32::try_from(column.items).expect("few items");
            for mut candidate in column.candidates {
                measured.bench_function(BenchmarkId::new(candidate.name, &column.name), |b| {
                    b.iter_custom(|times| (candidate.run)(times) / items);
                });
            }
        }
        measured.finish();
    }
}
