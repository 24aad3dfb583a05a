//! Ratios: the candidates of a column take turns, so that what else the machine does
//! meets all of them alike.

use std::time::Duration;

use crate::{Candidate, Column, Group};

/// How often each candidate has its turn; the median is told.
const ROUNDS: usize = 301;
/// How long a turn is at least.
const TURN: Duration = Duration::from_micros(100);

/// Measures the groups and prints a Markdown table for each: in each field the median
/// ratio to the first candidate of the column, taken round by round, and the median time
/// of one item.
///
/// An argument of the process that is not a flag is a filter: only columns with that text
/// in `GROUP/COLUMN` are measured.
pub fn ratios(groups: Vec<Group>) {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    for mut group in groups {
        if let Some(text) = &filter {
            let Group { name, columns } = &mut group;
            columns.retain(|column| format!("{name}/{}", column.name).contains(text));
        }
        if !group.columns.is_empty() {
            print(&group.name, group.columns);
        }
    }
}

/// What was measured of one candidate in one column.
struct Field {
    name: String,
    ratio: f64,
    nanoseconds: f64,
}

fn print(name: &str, columns: Vec<Column>) {
    let mut head = String::from("| |");
    let mut rule = String::from("|---|");
    let mut measured = Vec::new();
    for column in columns {
        head += &format!(" {} |", column.name);
        rule += "---:|";
        measured.push(measure(column));
    }

    let mut names = Vec::new();
    for field in measured.iter().flatten() {
        if !names.contains(&&field.name) {
            names.push(&field.name);
        }
    }
    println!("\n{name}: ratio (ns)\n\n{head}\n{rule}");
    for name in names {
        let mut row = format!("| {name} |");
        for column in &measured {
            row += &match column.iter().find(|field| field.name == *name) {
                Some(field) => format!(" {:.2} ({:.1}) |", field.ratio, field.nanoseconds),
                None => String::from(" - |"),
            };
        }
        println!("{row}");
    }
}

fn measure(column: Column) -> Vec<Field> {
    let Column {
        items,
        mut candidates,
        ..
    } = column;
    let times: Vec<u64> = candidates.iter_mut().map(times_in_a_turn).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); candidates.len()];
    for round in 0..ROUNDS {
        // Another one begins each time, and every other round goes backwards, so that
        // none always comes after the same neighbour.
        let count = candidates.len();
        for turn in 0..count {
            let at = (round + if round % 2 == 0 { turn } else { count - turn }) % count;
            let spent = (candidates[at].run)(times[at]);
            rounds[at].push(spent.as_nanos() as f64 / (times[at] * items) as f64);
        }
    }
    let first = rounds[0].clone();
    candidates
        .into_iter()
        .zip(rounds)
        .map(|(candidate, spent)| Field {
            name: candidate.name,
            ratio: median(spent.iter().zip(&first).map(|(it, first)| it / first)),
            nanoseconds: median(spent.iter().copied()),
        })
        .collect()
}

/// How many runs take as long as a turn; it also warms the candidate up.
fn times_in_a_turn(candidate: &mut Candidate) -> u64 {
    let mut times = 1;
    while (candidate.run)(times) < TURN {
        times *= 2;
    }
    times
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
