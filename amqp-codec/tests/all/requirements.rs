//! The map from what the specification requires to places and tests agrees with
//! the markers in them.

use requirements::{Map, Specification};

#[test]
fn the_map_is_whole_and_true() {
    let map = Map::read(env!("CARGO_MANIFEST_DIR"), &[Specification::Amqp0_9_1]).unwrap();
    map.check("requirements.md");
}
