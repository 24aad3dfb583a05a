//! Fuzz targets, and what they share. `fuzz/run` runs them; README.md says how.
//!
//! A target is a function of bytes that panics when something is wrong: libFuzzer calls it
//! in `fuzz_targets`, and `cargo test` calls it for each input in `seeds`, on stable.

pub mod allocation;
pub mod cut;
pub mod dictionary;
pub mod difference;
pub mod phrase;
pub mod targets;

// The settings of mq-server are part of its binary.
#[allow(dead_code, reason = "the binary needs more of it")]
#[path = "../../mq-server/src/cli.rs"]
mod cli;
#[allow(dead_code, reason = "the binary needs more of it")]
#[path = "../../mq-server/src/log.rs"]
mod log;
#[allow(dead_code, reason = "the binary needs more of it")]
#[path = "../../mq-server/src/settings/mod.rs"]
mod settings;

// The clients and the ledger of the target `broker` are those of a test of mq-core.
#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../../mq-core/tests/all/simulation/mod.rs"]
mod simulation;
#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../../mq-core/tests/all/world/mod.rs"]
mod world;
