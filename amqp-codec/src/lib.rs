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

extern crate alloc;

mod error;
mod frame;
mod limits;
pub mod method;
mod properties;
mod reply;
mod table;
mod value;
mod wire;

pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use frame::{
    ContentHeader, FRAME_END, FRAME_MIN_SIZE, FRAME_OVERHEAD, Frame, ProtocolHeader, decode, needed,
};
pub use limits::Limits;
pub use method::{Method, MethodId};
pub use properties::{Properties, PropertiesBuf, PropertyFields};
pub use reply::ReplyCode;
pub use table::{Array, ArrayBuf, Elements, Entries, Table, TableBuf};
pub use value::FieldValue;
