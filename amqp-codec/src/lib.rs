//! Frames to and from bytes, and the protocol state of one connection, without I/O.
#![cfg_attr(not(feature = "std"), no_std)]
// No input from a peer may panic: what could is denied outside of tests.
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]
