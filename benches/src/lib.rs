//! Nothing but what is in `benches/`: run `cargo bench` here.
