//! What one measurement came to.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::process::Usage;

/// What one load on one broker came to, once.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// How long it was measured.
    pub seconds: f64,
    /// Deliveries, or connections of a storm or a herd, a second.
    pub per_second: f64,
    /// Messages published in that time.
    pub sent: u64,
    /// Deliveries in that time.
    pub received: u64,
    /// Messages that were due in it and that the broker did not take by its end.
    pub unsent: u64,
    /// Deliveries that never came.
    pub lost: u64,
    /// From when a message was due (open loop) or published (closed loop) to its delivery.
    pub latency: Option<Latency>,
    /// The same to its confirm.
    pub confirm: Option<Latency>,
    /// From the first SYN to being logged in and subscribed.
    pub connect: Option<Latency>,
    /// The latency of a small pair beside the load.
    pub bystander: Option<Latency>,
    /// What the broker has taken, if it runs on this machine.
    pub server: Option<Server>,
    /// Processors that the generator has kept busy: near the number of its threads it is
    /// the generator that was measured.
    pub generator_cpu: f64,
}

/// Times in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    pub count: u64,
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    /// Points of the distribution: a quantile, and what so many are at most.
    pub curve: Vec<(f64, f64)>,
}

/// The quantiles of a curve: three more of each nine.
const CURVE: [f64; 13] = [
    0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999, 0.9995, 0.9999,
];

impl Latency {
    /// Of a histogram in nanoseconds; none of an empty one.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1000.0,
            curve: CURVE.map(|quantile| (quantile, at(quantile))).to_vec(),
        })
    }
}

/// What the broker's process has taken.
#[derive(Clone, Debug, Serialize)]
pub struct Server {
    /// Microseconds of processor time for a delivery or a connection; of a herd, for a
    /// second.
    pub cpu_each: f64,
    /// Resident memory at the end, in MiB.
    pub resident: f64,
    /// Memory for each connection of a herd, in KiB.
    pub each_connection: Option<f64>,
}

impl Server {
    /// Of so many deliveries or connections.
    pub fn of_messages(taken: Usage, items: u64) -> Self {
        Self {
            cpu_each: taken.cpu.as_secs_f64() * 1e6 / items.max(1) as f64,
            resident: taken.resident as f64 / 1024.0,
            each_connection: None,
        }
    }

    /// Of a herd of so many that was watched for so long; before it came, the broker had
    /// `before` KiB.
    pub fn of_herd(taken: Usage, before: u64, connections: u64, time: Duration) -> Self {
        let more = taken.resident as f64 - before as f64;
        Self {
            cpu_each: taken.cpu.as_secs_f64() * 1e6 / time.as_secs_f64(),
            resident: taken.resident as f64 / 1024.0,
            each_connection: Some(more / connections as f64),
        }
    }
}
