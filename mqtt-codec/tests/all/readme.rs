//! The loop of the README is that of the crate's page and of the examples.

#[test]
fn the_loop_is_the_same() {
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(include_str!("../../src/drive-loop.rs")));
}
