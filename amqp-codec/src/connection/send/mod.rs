//! What the application asks, answers and sends, by role.

mod client;
mod server;
mod vocabulary;

pub use vocabulary::{Mandatory, Redelivered, Requeue, Tags};
