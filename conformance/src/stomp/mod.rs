//! STOMP 1.2, 1.1 and 1.0.
//!
//! The specifications number nothing: the rule of a case is an identifier of the
//! list in the crate `requirements`, by version, heading and name. A case that
//! several versions share has an id and a rule for each of them.
//!
//! Where the text says what a client's frame MUST be, and nothing of a broker
//! that gets another, the case asks that the broker does not take it for good:
//! it sends an ERROR or closes, and nothing comes of the frame. Where the text
//! asks for ERROR and the end of the connection, the case asks for both.
//!
//! Destinations are the broker's: the cases use `/queue/NAME`, of which each
//! message goes to one consumer and stays until there is one, and
//! `/topic/NAME`, of which every subscriber has a copy. Every name is new, and
//! what a broker makes for it stays behind, as STOMP cannot remove it.

mod acknowledge;
mod body;
mod client;
mod connect;
mod control;
mod describe;
mod encoding;
mod error;
mod framing;
mod heart_beat;
mod leftover;
mod message;
mod negotiation;
mod preflight;
mod receipt;
mod right;
mod send;
mod soak;
mod subscribe;
mod transaction;
mod wire;

use crate::case::Section;
pub(crate) use control::with_control;
pub(crate) use describe::describe;
pub(crate) use leftover::{made, remove};
pub(crate) use preflight::{alive, preflight};
pub(crate) use soak::LANES;

/// By the order of the specification.
pub(crate) const SECTIONS: &[&Section] = &[
    &framing::SECTION,
    &encoding::SECTION,
    &body::SECTION,
    &connect::SECTION,
    &negotiation::SECTION,
    &heart_beat::SECTION,
    &send::SECTION,
    &subscribe::SECTION,
    &acknowledge::SECTION,
    &transaction::SECTION,
    &receipt::SECTION,
    &message::SECTION,
    &error::SECTION,
    &right::SECTION,
];
