//! What the peer did, as far as the application has to know.

mod client;
mod server;

pub use client::{AckToken, ClientEvent, Connected, ErrorFrame, Message, ReceiptId, Transaction};
pub use server::{Acknowledge, Connect, InboundSend, ServerEvent, Subscribe};

pub(super) use server::is_user_header;
