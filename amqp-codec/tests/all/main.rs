//! What amqp-codec does, seen from outside: one binary, a module for each subject.

mod answers;
mod captured;
mod chunking;
mod content_limits;
mod contents;
mod frame_size;
mod generate;
mod handshake;
mod hard_errors;
mod idle;
mod joined;
mod large_bodies;
mod malformed;
mod method_bytes;
mod open_and_close;
mod peers;
mod requirements;
mod round_trip;
mod table_depth;
mod text;
mod time;
mod value_bytes;
