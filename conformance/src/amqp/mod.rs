//! AMQP 0-9-1.
//!
//! Rules are named as the list of requirements does: `class / method / field / rule`
//! for those in the class definitions, `section N.N.N / name` for those in the text.
//! Without a rule behind it, such a path or section is what the specification defines
//! there; `domain`, `constant`, `capability NAME` and `extension NAME` are that too, the last two for the
//! extensions that a broker announces. Where the text contradicts itself, or the
//! published errata ("erratum N") correct it, a case accepts both and says so.

mod acknowledge;
mod argument;
mod bytes;
mod channel;
mod client;
mod connection;
mod consume;
mod current_queue;
mod dead_letter;
mod describe;
mod durable;
mod exchange;
mod extension;
mod framing;
mod leftover;
mod limit;
mod method_args;
mod name;
mod preflight;
mod publish;
mod queue;
mod right;
mod routing;
mod soak;
mod transaction;

use crate::case::Section;
pub(crate) use bytes::method_name;
pub(crate) use describe::describe;
pub(crate) use leftover::{Made, made, remove};
pub(crate) use preflight::{alive, carries, preflight};
pub(crate) use soak::LANES;

/// By the order of the specification.
pub(crate) const SECTIONS: &[&Section] = &[
    &connection::SECTION,
    &framing::SECTION,
    &channel::SECTION,
    &exchange::SECTION,
    &queue::SECTION,
    &current_queue::SECTION,
    &name::SECTION,
    &routing::SECTION,
    &publish::SECTION,
    &consume::SECTION,
    &acknowledge::SECTION,
    &transaction::SECTION,
    &extension::SECTION,
    &argument::SECTION,
    &limit::SECTION,
    &dead_letter::SECTION,
    &right::SECTION,
    &durable::SECTION,
];
