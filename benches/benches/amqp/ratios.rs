//! AMQP 0-9-1 in ratios.

mod candidates;

fn main() {
    benches::ratios(candidates::groups);
}
