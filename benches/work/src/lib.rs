//! What the benches measure of ours: the same work is timed beside other people's codecs,
//! and its instructions are counted (`benches/instructions.rs`).

pub mod amqp;
pub mod broker;
pub mod mqtt;
pub mod stomp;

/// Work that can be done again and again, on state that is ready.
pub type Turn = Box<dyn FnMut()>;

/// Does the work once, so that its buffers have grown, and returns it.
#[must_use]
pub fn ready(mut turn: impl FnMut() + 'static) -> Turn {
    turn();
    Box::new(turn)
}
