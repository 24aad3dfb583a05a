//! The reference broker on TCP.
