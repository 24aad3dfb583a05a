//! The tests of the crate from outside, in one binary.

mod client;
mod conversations;
mod idle;
mod joined;
mod large_body;
mod requirements;
mod round_trip;
mod script;
mod server;
mod server_heart_beat;
mod server_limits;
mod server_login;
mod simulation;
mod timers;
mod web_socket;
mod wire;
