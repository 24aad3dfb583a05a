//! Which folder may name which: the settings stand below everything, the model below the
//! front ends and the journal, and all of them below the broker that composes them. In the
//! model no room names another, and none the virtual host that routes between them.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder or a file of `src`, and what no file in it names.
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
    ("config.rs", ABOVE_SETTINGS),
    ("limits.rs", ABOVE_SETTINGS),
    ("admission.rs", ABOVE_SETTINGS),
    ("dialect.rs", ABOVE_SETTINGS),
    ("offer.rs", ABOVE_SETTINGS),
    ("rewrite.rs", ABOVE_SETTINGS),
    ("bridge.rs", ABOVE_SETTINGS),
    ("pattern.rs", ABOVE_SETTINGS),
    ("policy.rs", ABOVE_SETTINGS),
    ("names.rs", ABOVE_SETTINGS),
    (
        "model/shared.rs",
        &["VirtualHost", "Exchanges", "Queues", "Sessions"],
    ),
    ("model/policy.rs", &["queue::", "exchange::"]),
    (
        "model/rights",
        &["VirtualHost", "Exchanges", "Queues", "Sessions"],
    ),
    (
        "model/transaction.rs",
        &["VirtualHost", "Exchanges", "Queues", "Sessions"],
    ),
    ("model/meter.rs", &["message::"]),
    (
        "model/exchange",
        &["VirtualHost", "Queues", "Sessions", "model::session"],
    ),
    (
        "model/queue",
        &["VirtualHost", "Exchanges", "Sessions", "model::session"],
    ),
    ("model/session", &["VirtualHost", "Exchanges", "Queues"]),
    ("frontend/amqp/asked.rs", &["super::"]),
    (
        "frontend/amqp/channel.rs",
        &["super::answer", "super::publish"],
    ),
    ("frontend/mqtt/answer.rs", &["super::connect"]),
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

/// What the settings do not know.
const ABOVE_SETTINGS: &[&str] = &[
    "crate::model",
    "crate::frontend",
    "crate::journal",
    "crate::broker",
];

#[test]
fn no_layer_names_one_above_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (folder, forbidden) in RULES {
        let files = files(&source.join(folder));
        assert!(!files.is_empty(), "{folder} is not where it was");
        for file in files {
            if file.file_name().is_some_and(|name| name == "tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            // What is for tests may look around.
            let text = text.split("#[cfg(test)]").next().unwrap();
            let lines = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let text: String = lines.collect::<Vec<_>>().join("\n");
            for name in *forbidden {
                assert!(!text.contains(name), "{} names {name}", file.display());
            }
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if folder.is_file() {
        return vec![folder.to_path_buf()];
    }
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
