//! What the three codecs have alike is the same text.
//!
//! No codec knows another, and each can be packaged alone, so that what they share stands in each.
//! A change of one copy is made in all, or this fails.

use std::path::Path;

/// The codecs, by what they are of.
const CODECS: [&str; 3] = ["amqp", "mqtt", "stomp"];

/// The files, with the lines that are a codec's own: those that begin so.
const COPIES: [(&str, &[&str]); 5] = [
    ("src/drive-contract.md", &[]),
    ("src/drive-loop.rs", &[]),
    ("src/setters.rs", &[]),
    ("src/connection/read_buffer.rs", &[]),
    // How much memory is kept: an idle connection of MQTT has less.
    ("src/connection/transmit.rs", &["const KEPT: usize = "]),
];

/// A copy without what is the codec's own: lines, and the name of its crate.
fn shared(codec: &str, file: &str, own: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(format!("{codec}-codec")).join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for own in own {
        let lines = text.lines().filter(|line| line.starts_with(own));
        assert_eq!(lines.count(), 1, "{codec}: {file}: {own}");
    }
    let lines = text
        .lines()
        .filter(|line| !own.iter().any(|own| line.starts_with(own)));
    lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace(&format!("{codec}_codec"), "CODEC")
}

#[test]
fn copies_are_equal() {
    for (file, own) in COPIES {
        let [first, others @ ..] = CODECS.map(|codec| (codec, shared(codec, file, own)));
        for (codec, other) in others {
            let lines = first.1.lines().zip(other.lines()).enumerate();
            if let Some((at, (here, there))) = lines.into_iter().find(|(_, (a, b))| a != b) {
                panic!(
                    "{file}, about line {}: {}: {here}\n{codec}: {there}",
                    at + 1,
                    first.0
                );
            }
            assert_eq!(
                first.1.lines().count(),
                other.lines().count(),
                "{file}: {codec}"
            );
        }
    }
}
