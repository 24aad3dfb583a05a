//! How much one call does before it leaves the rest for later.

/// Steps that one call does at most: some hundred microseconds. What a single event moves
/// is not divided, and comes on top.
pub(super) const TURN: u64 = 1_000;

/// Steps that one connection's input may take before others have their turn.
pub(super) const SLICE: u64 = 250;

/// Timers that one call serves.
pub(super) const TIMERS: usize = 256;
