//! The dictionaries that are checked in are those that the tables of the codecs make.

use std::fs;
use std::path::Path;

#[test]
fn dictionaries_are_current() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("dictionaries");
    for (name, words) in mq_fuzz::dictionary::files() {
        let found = fs::read_to_string(directory.join(name)).expect("it is there");
        let is_current = found == words;
        assert!(
            is_current,
            "{name}: cargo run --no-default-features --example dictionaries"
        );
    }
}
