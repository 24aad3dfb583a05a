//! Ratios: the candidates of a column take turns, so that what else the machine does
//! meets all of them alike.

use std::time::Duration;

use crate::{Candidate, Column, Group};

/// How often the candidates are made anew. Where buffers happen to lie makes copying of one
/// and the same bytes twice as fast or as slow, so each candidate has several of them.
const MAKES: usize = 7;
/// How often each candidate has its turn then; the median of all is told.
const ROUNDS: usize = 43;
/// By how many bytes more than the last one each make is moved: no divisor of a page.
const SHIFT: usize = 592;
/// How long a turn is at least.
const TURN: Duration = Duration::from_micros(100);

/// Measures the groups that `make` makes, and prints a Markdown table for each: in each
/// field the median ratio to the first candidate of the column, taken round by round, and
/// the median time of one item.
///
/// An argument of the process that is not a flag is a filter: only columns with that text
/// in `GROUP/COLUMN` are measured.
pub fn ratios(make: impl Fn() -> Vec<Group>) {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wanted = |group: &str, column: &str| match &filter {
        Some(text) => format!("{group}/{column}").contains(text),
        None => true,
    };
    let made: Vec<Vec<Group>> = (0..MAKES)
        .map(|at| {
            // What is kept here moves what comes after it.
            Vec::<u8>::with_capacity(at * SHIFT).leak();
            make()
        })
        .collect();
    // The same group of each make, one behind the other: so that a table is printed once it
    // is measured.
    let mut made: Vec<_> = made.into_iter().map(Vec::into_iter).collect();
    while let Some(same) = made
        .iter_mut()
        .map(Iterator::next)
        .collect::<Option<Vec<_>>>()
    {
        let mut table: Vec<Measured> = Vec::new();
        let name = same[0].name.clone();
        for group in same {
            let columns = group
                .columns
                .into_iter()
                .filter(|it| wanted(&name, &it.name));
            for (at, column) in columns.enumerate() {
                if at == table.len() {
                    table.push(Measured::new(&column));
                }
                table[at].add(column);
            }
        }
        if !table.is_empty() {
            print(&name, &table);
        }
    }
}

/// What was measured in one column.
struct Measured {
    name: String,
    candidates: Vec<Samples>,
}

/// What was measured of one candidate: each turn.
struct Samples {
    name: String,
    /// To the first candidate of the column, in the same round.
    ratios: Vec<f64>,
    nanoseconds: Vec<f64>,
}

fn print(name: &str, columns: &[Measured]) {
    let mut head = String::from("| |");
    let mut rule = String::from("|---|");
    let mut names = Vec::new();
    for column in columns {
        head += &format!(" {} |", column.name);
        rule += "---:|";
        for candidate in &column.candidates {
            if !names.contains(&&candidate.name) {
                names.push(&candidate.name);
            }
        }
    }
    println!("\n{name}: ratio (ns)\n\n{head}\n{rule}");
    for name in names {
        let mut row = format!("| {name} |");
        for column in columns {
            row += &match column.candidates.iter().find(|it| it.name == *name) {
                Some(it) => format!(
                    " {:.2} ({:.1}) |",
                    median(&it.ratios),
                    median(&it.nanoseconds)
                ),
                None => String::from(" - |"),
            };
        }
        println!("{row}");
    }
}

impl Measured {
    fn new(column: &Column) -> Self {
        Self {
            name: column.name.clone(),
            candidates: column
                .candidates
                .iter()
                .map(|candidate| Samples {
                    name: candidate.name.clone(),
                    ratios: Vec::new(),
                    nanoseconds: Vec::new(),
                })
                .collect(),
        }
    }

    /// Measures the candidates of one make.
    fn add(&mut self, column: Column) {
        let Column {
            items,
            mut candidates,
            ..
        } = column;
        let times: Vec<u64> = candidates.iter_mut().map(times_in_a_turn).collect();
        let mut spent = vec![0.0; candidates.len()];
        for round in 0..ROUNDS {
            // Another one begins each time, and every other round goes backwards, so that
            // none always comes after the same neighbour.
            let count = candidates.len();
            for turn in 0..count {
                let at = (round + if round % 2 == 0 { turn } else { count - turn }) % count;
                let time = (candidates[at].run)(times[at]);
                spent[at] = time.as_nanos() as f64 / (times[at] * items) as f64;
            }
            for (samples, time) in self.candidates.iter_mut().zip(&spent) {
                samples.ratios.push(time / spent[0]);
                samples.nanoseconds.push(*time);
            }
        }
    }
}

/// How many runs take as long as a turn; it also warms the candidate up.
fn times_in_a_turn(candidate: &mut Candidate) -> u64 {
    let mut times = 1;
    while (candidate.run)(times) < TURN {
        times *= 2;
    }
    times
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
