//! The three codecs lie alike: who knows where something is in one of them finds it in the others.
//!
//! What all three have is in files of the same names. A file that only one protocol has a use for
//! says why, in the line before its `mod`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The codecs, by what they are of.
const CODECS: [&str; 3] = ["amqp", "mqtt", "stomp"];

/// The files of `src/connection` that each has.
const SHARED: [&str; 21] = [
    "config.rs",
    "connection.rs",
    "core/inbound.rs",
    "core/mod.rs",
    "core/outbound.rs",
    "error.rs",
    "event/client.rs",
    "event/mod.rs",
    "event/server.rs",
    "idle.rs",
    "mod.rs",
    "read_buffer.rs",
    "receive/client.rs",
    "receive/mod.rs",
    "receive/server.rs",
    "role.rs",
    "send/client.rs",
    "send/mod.rs",
    "send/server.rs",
    "timer.rs",
    "transmit.rs",
];

/// Headings of the crates' pages that have another name, or that only one has.
const HEADINGS: [(&str, Option<&str>); 2] = [
    ("Packets", Some("Frames")),
    // STOMP alone is spoken by browsers.
    ("WebSocket", None),
];

fn source(codec: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join(format!("{codec}-codec/src"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut directories = vec![directory.to_path_buf()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        let entries = std::fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for entry in entries {
            let path = entry.expect("a directory that can be read").path();
            match path.is_dir() {
                true => directories.push(path),
                false => files.push(path),
            }
        }
    }
    files
}

/// The modules that a file declares, each with the line before it.
fn modules(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().zip(text.lines().skip(1));
    lines
        .filter_map(|(before, line)| {
            let name = line.strip_prefix("mod ")?.strip_suffix(';')?;
            Some((name, before))
        })
        .collect()
}

/// Whether a module of `connection` is one that each has.
fn is_shared(name: &str) -> bool {
    let file = [format!("{name}.rs"), format!("{name}/mod.rs")];
    file.iter().any(|file| SHARED.contains(&file.as_str()))
}

#[test]
fn what_all_have_has_one_place() {
    for codec in CODECS {
        let connection = source(codec).join("connection");
        for file in SHARED {
            let path = connection.join(file);
            assert!(path.is_file(), "{codec}: there is no {file}");
        }
    }
}

#[test]
fn what_one_has_says_why() {
    for codec in CODECS {
        let connection = source(codec).join("connection");
        for path in files(&connection) {
            let file = path.strip_prefix(&connection).expect("it is below");
            if SHARED.iter().any(|shared| Path::new(shared) == file) {
                continue;
            }
            let name = file.file_stem().and_then(|it| it.to_str());
            let parent = read(&path.with_file_name("mod.rs"));
            let declared = modules(&parent);
            let why = declared.iter().find(|(module, _)| Some(*module) == name);
            let (_, why) = why.unwrap_or_else(|| panic!("{codec}: {} is nowhere", file.display()));
            let is_said = why.strip_prefix("// ").is_some_and(|it| it.ends_with('.'));
            assert!(is_said, "{codec}: why is there a {}?", file.display());
        }
    }
}

#[test]
fn what_all_have_comes_first() {
    for codec in CODECS {
        let text = read(&source(codec).join("connection/mod.rs"));
        let names: Vec<_> = modules(&text).into_iter().map(|(name, _)| name).collect();
        let mut of_one = names.iter().skip_while(|name| is_shared(name));
        assert!(!of_one.any(|name| is_shared(name)), "{codec}: {names:?}");
    }
}

#[test]
fn pages_have_the_same_headings() {
    let headings = |codec: &str| {
        let text = read(&source(codec).join("lib.rs"));
        let found = text.lines().filter_map(|it| it.strip_prefix("//! # "));
        let named = found.filter_map(|heading| {
            let other = HEADINGS.iter().find(|(name, _)| *name == heading);
            match other {
                Some((_, name)) => *name,
                None => Some(heading),
            }
            .map(String::from)
        });
        named.collect::<Vec<_>>()
    };
    let all = CODECS.map(headings);
    let different: BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), 1, "{all:#?}");
    assert!(all[0].len() > 5, "{all:?}");
}
