//! AMQP 0-9-1.
//!
//! Rules are named as the specification's own list of them does: `class /
//! method / field / rule` for the rules in the class definitions, `section
//! N.N.N` for those in the text. Where the specification was found wrong and
//! brokers follow the published errata instead, the case accepts both and says so.

mod connection;
mod wire;

use crate::case::Section;

/// By the order of the specification.
pub(crate) const SECTIONS: &[&Section] = &[&connection::SECTION];
