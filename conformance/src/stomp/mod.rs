//! STOMP 1.2, 1.1 and 1.0.
//!
//! The specifications number nothing, so rules are named by their headings
//! ("Value Encoding", "SEND"), which the ids of the cases repeat.

mod connect;
mod wire;

use crate::case::Section;

/// By the order of the specification.
pub(crate) const SECTIONS: &[&Section] = &[&connect::SECTION];
