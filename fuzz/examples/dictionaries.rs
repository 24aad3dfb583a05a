//! Writes the dictionaries: `cargo run --no-default-features --example dictionaries` in `fuzz`.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("dictionaries");
    fs::create_dir_all(&directory)?;
    for (name, words) in mq_fuzz::dictionary::files() {
        fs::write(directory.join(name), words)?;
    }
    Ok(())
}
