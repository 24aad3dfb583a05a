//! Pictures: for each comparison how many a second, and the distribution of latencies.

use std::path::Path;

use anyhow::Result;
use mqload::picture::{Area, Bar, Layout, Theme, bars};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::Comparison;
use crate::load::Shape;
use crate::outcome::Latency;

const WIDTH: u32 = 920;
/// How high a comparison with latencies is at least.
const LEAST: u32 = 210;
const LAYOUT: Layout = Layout {
    head: 34,
    bar: 24,
    left: 120,
    right: 100,
    text: 13,
};

/// Draws all comparisons, one below the other.
pub fn plot(comparisons: &[Comparison], theme: &Theme, file: &Path) -> Result<()> {
    let height = |it: &Comparison| {
        let bars = LAYOUT.height(it.brokers.len());
        if it.shape == Shape::Messages {
            bars.max(LEAST)
        } else {
            bars
        }
    };
    let total = comparisons.iter().map(height).sum::<u32>().max(1);
    let root = SVGBackend::new(file, (WIDTH, total)).into_drawing_area();
    root.fill(&theme.paper)?;
    let mut rest = root.clone();
    for comparison in comparisons {
        let (area, below) = rest.split_vertically(height(comparison));
        rest = below;
        let (left, right) = area.split_horizontally(WIDTH * 55 / 100);
        speeds(comparison, theme, &left)?;
        if comparison.shape == Shape::Messages {
            latencies(comparison, theme, &right)?;
        }
    }
    root.present()?;
    Ok(())
}

/// How many a second: a bar for each broker.
fn speeds(comparison: &Comparison, theme: &Theme, area: &Area<'_>) -> Result<()> {
    let what = match comparison.shape {
        Shape::Messages => "deliveries/s",
        Shape::Storm | Shape::Idle => "connections/s",
    };
    let title = format!("{}, {}: {what}", comparison.protocol, comparison.load);
    let brokers = comparison.brokers.iter().enumerate().map(|(at, broker)| {
        let speed = comparison.figure(broker, |outcome| Some(outcome.per_second));
        let value = speed.map(|(value, _)| value);
        Bar {
            name: broker.name.clone(),
            value,
            label: value.map_or_else(|| "not measured".into(), |value| format!("{value:.0}")),
            color: theme.series(at),
        }
    });
    bars(area, theme, LAYOUT, &title, &brokers.collect::<Vec<_>>())
}

/// The last round's distribution of latencies, a line for each broker. To the right it goes
/// by nines: half, nine in ten, ninety-nine in a hundred.
fn latencies(comparison: &Comparison, theme: &Theme, area: &Area<'_>) -> Result<()> {
    let lines: Vec<(usize, &Latency)> = comparison
        .brokers
        .iter()
        .enumerate()
        .filter_map(|(at, broker)| Some((at, broker.rounds.last()?.latency.as_ref()?)))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    // Nothing is at 0 of a logarithm.
    let values = || {
        lines
            .iter()
            .flat_map(|(_, it)| &it.curve)
            .map(|(_, value)| value.max(1.0))
    };
    let (least, most) = (
        values().fold(f64::MAX, f64::min),
        values().fold(1.0, f64::max),
    );
    let mut chart = ChartBuilder::on(area)
        .caption("latency", theme.text(13, HPos::Center))
        .margin(6)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..4.0, (least * 0.8..most * 1.3).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(theme.faint)
        .light_line_style(theme.paper)
        .axis_style(theme.faint)
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&|nines: &f64| match nines.round() as u32 {
            0 => String::from("min"),
            1 => String::from("90 %"),
            2 => String::from("99 %"),
            3 => String::from("99.9 %"),
            _ => String::from("99.99 %"),
        })
        .y_label_formatter(&|microseconds: &f64| match *microseconds {
            it if it < 1e3 => format!("{it:.0} µs"),
            it if it < 1e6 => format!("{:.0} ms", it / 1e3),
            it => format!("{:.0} s", it / 1e6),
        })
        .label_style(("sans-serif", 11).into_font().color(&theme.ink))
        .draw()?;
    for (at, latency) in lines {
        let points = latency
            .curve
            .iter()
            .map(|(quantile, value)| (-(1.0 - quantile).log10(), value.max(1.0)));
        chart.draw_series(LineSeries::new(points, theme.series(at).stroke_width(2)))?;
    }
    Ok(())
}
