//! MQTT, measured in turns: what the figures in README.md are from.

mod candidates;

fn main() {
    benches::ratios(candidates::groups);
}
