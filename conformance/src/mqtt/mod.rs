//! MQTT 5.0, 3.1.1 and 3.1.
//!
//! Rules are named by the statement identifiers of the specification
//! (`[MQTT-3.1.2-3]`), which the ids of the cases repeat after the version.

mod connect;
mod wire;

use crate::case::Section;

/// By the order of the specification.
pub(crate) const SECTIONS: &[&Section] = &[&connect::SECTION];
