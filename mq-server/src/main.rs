//! The `mq-server` binary.
fn main() {}
