//! The `mqspec` binary.
fn main() {}
