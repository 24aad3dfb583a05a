//! What a role does with what comes in.

// Acknowledgements, which come to both ends (section 4.3).
mod acknowledgement;
mod client;
// What a server offers in CONNACK, and what it does not (section 3.2.2.3).
mod offer;
// A message in parts, which is acknowledged when it is whole.
mod parts;
mod server;

pub(super) use parts::Parts;
