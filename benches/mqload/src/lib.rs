//! Pictures of results, for the load generator and for the tables of the other benches.

pub mod picture;
