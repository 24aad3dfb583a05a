//! A Markdown table for each comparison.

use std::fmt::Write;

use super::{Broker, Comparison};
use crate::load::Shape;
use crate::outcome::{Latency, Outcome};

/// A column: its head, and what stands in it.
type Column = (&'static str, fn(&Comparison, &Broker) -> String);

const SPEED: Column = ("deliveries/s", |it, broker| {
    with_ratio(it.figure(broker, |outcome| Some(outcome.per_second)), count)
});
const CONNECTIONS: Column = ("connections/s", SPEED.1);
const P50: Column = ("p50", |it, broker| {
    time(it, broker, |it| it.latency.as_ref(), |it| it.p50)
});
const P99: Column = ("p99", |it, broker| {
    time(it, broker, |it| it.latency.as_ref(), |it| it.p99)
});
const P999: Column = ("p99.9", |it, broker| {
    time(it, broker, |it| it.latency.as_ref(), |it| it.p999)
});
const MAX: Column = ("max", |it, broker| {
    time(it, broker, |it| it.latency.as_ref(), |it| it.max)
});
const CONFIRM: Column = ("confirm p99", |it, broker| {
    time(it, broker, |it| it.confirm.as_ref(), |it| it.p99)
});
const LOGIN_P50: Column = ("login p50", |it, broker| {
    time(it, broker, |it| it.connect.as_ref(), |it| it.p50)
});
const LOGIN_P99: Column = ("login p99", |it, broker| {
    time(it, broker, |it| it.connect.as_ref(), |it| it.p99)
});
const BYSTANDER: Column = ("bystander p99", |it, broker| {
    time(it, broker, |it| it.bystander.as_ref(), |it| it.p99)
});
const CPU: Column = ("broker CPU µs each", |it, broker| {
    with_ratio(
        it.figure(broker, |outcome| Some(outcome.server.as_ref()?.cpu_each)),
        plain,
    )
});
const CPU_IDLE: Column = ("broker CPU µs/s", CPU.1);
const MEMORY: Column = ("broker MiB", |it, broker| {
    only(
        it.figure(broker, |outcome| Some(outcome.server.as_ref()?.resident)),
        plain,
    )
});
const EACH: Column = ("KiB a connection", |it, broker| {
    // Later rounds find the memory of the first one, which a broker keeps.
    let most = |broker: &Broker| {
        let each = |outcome: &Outcome| outcome.server.as_ref()?.each_connection;
        broker.rounds.iter().filter_map(each).reduce(f64::max)
    };
    let ratio = most(broker).zip(most(&it.brokers[0]));
    with_ratio(ratio.map(|(own, first)| (own, own / first)), plain)
});
const MISSING: Column = ("lost, unsent", |_, broker| {
    let sum = |figure: fn(&Outcome) -> u64| broker.rounds.iter().map(figure).sum::<u64>();
    format!("{}, {}", sum(|it| it.lost), sum(|it| it.unsent))
});

/// What is said about each shape.
const MESSAGES: &[Column] = &[
    SPEED, P50, P99, P999, MAX, CONFIRM, BYSTANDER, CPU, MEMORY, MISSING,
];
const STORM: &[Column] = &[CONNECTIONS, LOGIN_P50, LOGIN_P99, BYSTANDER, CPU, MEMORY];
const IDLE: &[Column] = &[CONNECTIONS, LOGIN_P99, BYSTANDER, CPU_IDLE, MEMORY, EACH];

/// The comparison as a table. A ratio to the first broker stands in parentheses.
pub fn table(comparison: &Comparison) -> String {
    let columns = match comparison.shape {
        Shape::Messages => MESSAGES,
        Shape::Storm => STORM,
        Shape::Idle => IDLE,
    };
    let mut text = format!("| {}, {} |", comparison.protocol, comparison.load);
    let mut rule = String::from("|---|");
    for (head, _) in columns {
        // Writing to a string cannot fail.
        let _ = write!(text, " {head} |");
        rule += "---:|";
    }
    text = format!("{text}\n{rule}\n");
    for broker in &comparison.brokers {
        let _ = write!(text, "| {} |", broker.name);
        if broker.rounds.is_empty() {
            let error = broker.error.as_deref().unwrap_or("not measured");
            let _ = writeln!(text, " {error} |{}", " |".repeat(columns.len() - 1));
            continue;
        }
        for (_, field) in columns {
            let _ = write!(text, " {} |", field(comparison, broker));
        }
        text.push('\n');
    }
    text
}

/// A median of microseconds, in the unit that suits it.
fn time(
    comparison: &Comparison,
    broker: &Broker,
    latency: fn(&Outcome) -> Option<&Latency>,
    figure: fn(&Latency) -> f64,
) -> String {
    let value = comparison.figure(broker, |outcome| latency(outcome).map(figure));
    only(value, |microseconds| match microseconds {
        it if it < 1000.0 => format!("{it:.0} µs"),
        it if it < 1e6 => format!("{} ms", plain(it / 1e3)),
        it => format!("{} s", plain(it / 1e6)),
    })
}

fn with_ratio(figure: Option<(f64, f64)>, show: impl Fn(f64) -> String) -> String {
    match figure {
        Some((value, ratio)) => format!("{} ({ratio:.2})", show(value)),
        None => String::from("-"),
    }
}

fn only(figure: Option<(f64, f64)>, show: impl Fn(f64) -> String) -> String {
    figure.map_or_else(|| String::from("-"), |(value, _)| show(value))
}

/// Three digits, or all before the point.
fn plain(value: f64) -> String {
    match value.abs() {
        it if it < 10.0 => format!("{value:.2}"),
        it if it < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A whole number with separators.
fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_of_each_round() {
        let outcome = |per_second| Outcome {
            per_second,
            ..Outcome::default()
        };
        let broker = |name: &str, speeds: &[f64]| Broker {
            name: name.into(),
            rounds: speeds.iter().copied().map(outcome).collect(),
            error: Some(String::from("no such thing")),
        };
        let comparison = Comparison {
            protocol: "MQTT",
            load: String::from("storm"),
            shape: Shape::Storm,
            brokers: vec![
                broker("ours", &[1000.0, 2000.0, 4000.0]),
                broker("theirs", &[500.0, 400.0, 2000.0]),
                broker("none", &[]),
            ],
        };
        let text = table(&comparison);
        let rows: Vec<&str> = text.lines().collect();
        assert!(
            rows[0].starts_with("| MQTT, storm | connections/s |"),
            "{text}"
        );
        assert!(rows[2].starts_with("| ours | 2,000 (1.00) | - |"), "{text}");
        assert!(rows[3].starts_with("| theirs | 500 (0.50) | - |"), "{text}");
        assert!(rows[4].starts_with("| none | no such thing | |"), "{text}");
        let pipes = |row: &str| row.matches('|').count();
        assert!(
            rows.iter().all(|row| pipes(row) == pipes(rows[0])),
            "{text}"
        );
    }
}
