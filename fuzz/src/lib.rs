//! Fuzz targets, and what they share. `fuzz/run` runs them; README.md says how.
//!
//! A target is a function of bytes that panics when something is wrong: libFuzzer calls it
//! in `fuzz_targets`, and `cargo test` calls it for each input in `seeds`, on stable.

pub mod allocation;
pub mod cut;
pub mod difference;
pub mod phrase;
pub mod targets;
