//! How much one call does before it leaves the rest for later.

/// Steps that one connection's input may take before others have their turn, and that one call
/// does at most of each kind of work: about a hundred microseconds. What a single event moves
/// is not divided, and comes on top.
///
/// What is said to a connection in one turn leaves in one piece, so a shorter turn costs more
/// where a message goes to many.
pub(super) const TURN: u64 = 1_000;

/// Timers that one call serves.
pub(super) const TIMERS: usize = 256;
