//! The tests of the crate, at its public surface: a file for each thing that is tested.

mod authentication;
mod chunking;
mod connection;
mod delivery;
mod dropping_link;
mod encoder;
mod handshake;
mod idle;
mod large_payload;
mod malformed;
mod manual_handshakes;
mod order;
mod parts;
mod quota;
mod readme;
mod requirements;
mod round_trip;
mod sender;
mod sessions;
mod shedding;
mod support;
mod time;
mod too_large;
mod topic_alias;
mod valid;
