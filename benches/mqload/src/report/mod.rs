//! Results as a table, as JSON and as pictures.

mod plot;
mod table;

use serde::Serialize;

pub use self::plot::plot;
pub use self::table::table;
use crate::load::{Load, Shape};
use crate::outcome::Outcome;
use crate::target::Target;

/// A load and all brokers that it was measured on: one block of a report.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The protocol's name.
    pub protocol: &'static str,
    /// The load, as it was written.
    pub load: String,
    /// What the load consists of.
    pub shape: Shape,
    /// The brokers; ratios are to the first.
    pub brokers: Vec<Broker>,
}

/// One broker under a load.
#[derive(Debug, Serialize)]
pub struct Broker {
    /// Its name.
    pub name: String,
    /// One of each round.
    pub rounds: Vec<Outcome>,
    /// What went wrong, the last time that something did.
    pub error: Option<String>,
}

impl Comparison {
    /// Of a load, and the brokers that speak one protocol.
    pub fn new(load: &Load, targets: &[&Target]) -> Self {
        Self {
            protocol: targets[0].protocol.name(),
            load: load.to_string(),
            shape: load.shape,
            brokers: targets
                .iter()
                .map(|target| Broker {
                    name: target.name.clone(),
                    rounds: Vec::new(),
                    error: None,
                })
                .collect(),
        }
    }

    /// The median of a figure, and its median ratio to the first broker, round by round.
    pub fn figure(
        &self,
        broker: &Broker,
        figure: impl Fn(&Outcome) -> Option<f64>,
    ) -> Option<(f64, f64)> {
        let own: Vec<f64> = broker.rounds.iter().filter_map(&figure).collect();
        let first: Vec<f64> = self.brokers[0].rounds.iter().filter_map(&figure).collect();
        let ratios = own.iter().zip(&first).map(|(own, first)| own / first);
        Some((
            median(own.clone())?,
            median(ratios.collect()).unwrap_or(f64::NAN),
        ))
    }
}

/// The middle, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}
