//! The page of behaviours, `docs/semantics.md`: the tests that it names are there.

use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../../docs/semantics.md");

/// The rows of tables that name a test: the last cell of each.
fn tests() -> impl Iterator<Item = &'static str> {
    PAGE.lines()
        .filter_map(|line| line.strip_suffix(" |")?.rsplit(" | ").next())
        .filter_map(|cell| cell.strip_prefix('`')?.strip_suffix('`'))
        .filter(|cell| cell.contains("::") && !cell.contains(' '))
}

#[test]
fn the_tests_that_it_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for test in tests() {
        let (file, function) = test.rsplit_once("::").unwrap();
        let found = ["tests/all", "src", "../mq-server/tests/all"]
            .iter()
            .any(|folder| {
                let path = root.join(folder).join(file).with_extension("rs");
                let text = fs::read_to_string(path).unwrap_or_default();
                text.contains(&format!("fn {function}("))
            });
        assert!(found, "{test}");
    }
}

/// Each section says how many rows it has: "Rows done: N".
#[test]
fn it_counts_its_rows() {
    for section in PAGE.split("\n## ").skip(1) {
        let (name, _) = section.split_once('\n').unwrap();
        let rows = section
            .lines()
            .filter(|line| line.ends_with("` |") && line.contains("::"))
            .count();
        let said = format!("Rows done: {rows}.");
        assert!(section.contains(&said), "{name}: {rows} rows");
    }
}
