//! Draws Markdown tables of ratios: `chart TABLES.md OUT` writes OUT-light.svg and
//! OUT-dark.svg. A row of a table is a candidate, the first of them ours; a column is a
//! kind of work; a field is a time as a multiple of ours.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use mqload::picture::{Bar, Layout, Theme, bars};
use plotters::prelude::*;

const WIDTH: u32 = 920;
/// Columns side by side.
const ABREAST: usize = 2;
const LAYOUT: Layout = Layout {
    head: 30,
    bar: 17,
    left: 210,
    right: 50,
    text: 11,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chart: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, out] = &arguments[..] else {
        anyhow::bail!("usage: chart TABLES.md OUT");
    };
    let text = std::fs::read_to_string(input).with_context(|| input.clone())?;
    let columns: Vec<Column> = tables(&text).iter().flat_map(Table::columns).collect();
    ensure!(!columns.is_empty(), "{input} has no table");
    for theme in Theme::ALL {
        draw(
            &columns,
            &theme,
            &PathBuf::from(format!("{out}-{}.svg", theme.name)),
        )?;
    }
    Ok(())
}

/// A table as it stands there: the first row is its head.
struct Table(Vec<Vec<String>>);

/// One column, with its title and its candidates.
struct Column {
    title: String,
    candidates: Vec<(String, Option<f64>)>,
}

/// The tables of a text. A line of dashes below the head is left out.
fn tables(text: &str) -> Vec<Table> {
    let mut tables = vec![Table(Vec::new())];
    for line in text.lines().map(str::trim) {
        let row = line
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'));
        match (row, tables.last_mut()) {
            (Some(row), Some(table)) => {
                let fields: Vec<_> = row
                    .split('|')
                    .map(|field| field.trim().to_owned())
                    .collect();
                let rule = |field: &String| field.chars().all(|it| matches!(it, '-' | ':'));
                if !fields.iter().all(rule) {
                    table.0.push(fields);
                }
            }
            _ => tables.push(Table(Vec::new())),
        }
    }
    tables.retain(|table| table.0.len() > 1);
    tables
}

impl Table {
    fn columns(&self) -> Vec<Column> {
        let [head, rows @ ..] = &self.0[..] else {
            return Vec::new();
        };
        let column = |at: usize| Column {
            title: format!("{}, {}", head[0], head[at]),
            candidates: rows
                .iter()
                .filter_map(|row| {
                    let value = row.get(at)?.split_whitespace().next()?.parse().ok()?;
                    Some((row[0].clone(), Some(value)))
                })
                .collect(),
        };
        (1..head.len()).map(column).collect()
    }
}

fn draw(columns: &[Column], theme: &Theme, file: &std::path::Path) -> Result<()> {
    let rows: Vec<&[Column]> = columns.chunks(ABREAST).collect();
    let height = |row: &[Column]| {
        let bars = row.iter().map(|column| column.candidates.len()).max();
        LAYOUT.height(bars.unwrap_or(0))
    };
    let total: u32 = rows.iter().map(|row| height(row)).sum();
    let root = SVGBackend::new(file, (WIDTH, total)).into_drawing_area();
    root.fill(&theme.paper)?;
    let mut rest = root.clone();
    for row in rows {
        let (mut area, below) = rest.split_vertically(height(row));
        rest = below;
        for column in row {
            let (left, right) = area.split_horizontally(WIDTH / ABREAST as u32);
            area = right;
            let candidates = column
                .candidates
                .iter()
                .enumerate()
                .map(|(at, (name, value))| Bar {
                    name: name.clone(),
                    value: *value,
                    label: value.map(|value| format!("{value:.2}")).unwrap_or_default(),
                    color: match at {
                        0 => theme.series(0),
                        _ if name.starts_with("floor") => theme.faint,
                        _ => theme.series(1),
                    },
                });
            bars(
                &left,
                theme,
                LAYOUT,
                &column.title,
                &candidates.collect::<Vec<_>>(),
            )?;
        }
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let text = "words\n\n| decode | 64 B | 4 KiB |\n|---|---:|---:|\n| ours | 1.00 | 1.00 |\n\
            | theirs | 2.50 (31.0) | - |\n\n| other | x |\n|---|---|\n| ours | 1.00 |\n";
        let columns: Vec<_> = tables(text).iter().flat_map(Table::columns).collect();
        let titles: Vec<_> = columns.iter().map(|column| &*column.title).collect();
        assert_eq!(titles, ["decode, 64 B", "decode, 4 KiB", "other, x"]);
        let theirs = ("theirs".to_owned(), Some(2.5));
        assert_eq!(columns[0].candidates[1], theirs);
        assert_eq!(columns[1].candidates.len(), 1);
    }
}
