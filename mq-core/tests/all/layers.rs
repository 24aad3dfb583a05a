//! Which folder may name which: the model stands below the front ends and the journal,
//! and all of them below the broker that composes them.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of `src`, and what no file in it names.
const RULES: &[(&str, &[&str])] = &[
    (
        "model",
        &[
            "crate::frontend",
            "crate::broker",
            "crate::journal",
            "amqp_codec",
            "mqtt_codec",
            "stomp_codec",
        ],
    ),
    (
        "frontend",
        &[
            "crate::broker",
            "crate::journal",
            "crate::model::Model",
            "VirtualHost",
        ],
    ),
    (
        "journal",
        &[
            "crate::frontend",
            "crate::broker",
            "VirtualHost",
            "amqp_codec",
            "mqtt_codec",
            "stomp_codec",
        ],
    ),
];

#[test]
fn no_layer_names_one_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (folder, forbidden) in RULES {
        let files = files(&source.join(folder));
        assert!(files.len() > 5, "{folder} is not where it was");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // What is for tests may look around.
            let text = text.split("#[cfg(test)]").next().unwrap();
            for name in *forbidden {
                assert!(!text.contains(name), "{} names {name}", file.display());
            }
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
