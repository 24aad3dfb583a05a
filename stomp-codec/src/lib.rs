//! STOMP 1.0, 1.1 and 1.2: frames to and from bytes, without I/O.
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

extern crate alloc;

mod limits;

mod error;

mod version;

mod command;
mod encoder;
mod escape;
mod frame;
mod header;
mod parser;

pub use command::{Command, Role};
pub use encoder::Encoder;
pub use error::{DecodeError, DecodeErrorKind, EncodeError, Limit};
pub use frame::{Frame, OwnedFrame};
pub use header::{Header, Headers};
pub use limits::Limits;
pub use parser::{Scan, decode, leading_eols};
pub use version::Version;
