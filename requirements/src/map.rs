//! The map of a crate: requirement, place, test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::source::Source;
use crate::{Requirement, Specification, list};

/// Which places of a crate keep which requirements, and which tests show it.
#[derive(Debug)]
pub struct Map {
    directory: PathBuf,
    pub(crate) requirements: Vec<Requirement>,
    /// Of each requirement, in the same order.
    pub(crate) entries: Vec<Entry>,
    /// By path relative to the crate.
    files: BTreeMap<String, String>,
    faults: Vec<String>,
}

/// What was found about one requirement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) keeps: Vec<String>,
    /// Each with the number of rows, for a file of data.
    pub(crate) shows: Vec<(String, usize)>,
}

impl Map {
    /// An empty map of the requirements of `specifications`.
    #[must_use]
    pub fn new(specifications: &[Specification]) -> Self {
        let requirements: Vec<_> = specifications.iter().copied().flat_map(list).collect();
        Self {
            directory: PathBuf::new(),
            entries: vec![Entry::default(); requirements.len()],
            requirements,
            files: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// The map of the crate in `directory`: the markers in `src`, in `tests`, and in the
    /// `.txt` files of `tests/data`.
    ///
    /// # Errors
    ///
    /// What reading the files gives.
    pub fn read(directory: impl AsRef<Path>, specifications: &[Specification]) -> io::Result<Self> {
        let mut map = Self::new(specifications);
        map.directory = directory.as_ref().to_owned();
        let mut paths = Vec::new();
        for root in ["src", "tests"] {
            collect(&map.directory.join(root), root, &mut paths)?;
        }
        // The order of a directory differs from machine to machine.
        paths.sort();
        for path in paths {
            if path.ends_with(".rs") {
                let text = fs::read_to_string(map.directory.join(&path))?;
                map.source(&path, &text);
            } else if path.starts_with("tests/data/") && path.ends_with(".txt") {
                let text = fs::read_to_string(map.directory.join(&path))?;
                map.data(&path, &text);
            }
        }
        Ok(map)
    }

    /// Adds the markers of a Rust file, whose `path` is relative to the crate.
    pub fn source(&mut self, path: &str, text: &str) {
        let source = Source::new(path, text);
        for (at, identifiers) in source.markers("keeps") {
            match source.below(at) {
                Some(place) if place.is_in_tests => {
                    self.faults
                        .push(format!("{path}:{}: a test keeps nothing", at + 1));
                }
                Some(place) => {
                    for identifier in split(identifiers) {
                        self.keeps(identifier, &place.path);
                    }
                }
                None => self.above_nothing(path, at),
            }
        }
        for (at, identifiers) in source.markers("shows") {
            match source.below(at) {
                Some(place) if place.is_plain_function || !place.is_in_tests => {
                    let fault = format!("{path}:{}: {} is not a test", at + 1, place.path);
                    self.faults.push(fault);
                }
                Some(place) => {
                    for identifier in split(identifiers) {
                        self.shows(identifier, &place.path);
                    }
                }
                None => self.above_nothing(path, at),
            }
        }
        self.files.insert(path.to_owned(), text.to_owned());
    }

    /// Adds the markers of a file of data, each above a row.
    fn data(&mut self, path: &str, text: &str) {
        let mut lines = text.lines().enumerate().peekable();
        while let Some((at, line)) = lines.next() {
            let Some(identifiers) = line.strip_prefix("# shows:") else {
                continue;
            };
            if lines.peek().is_some_and(|(_, next)| !next.is_empty()) {
                for identifier in split(identifiers) {
                    self.row_shows(identifier, path);
                }
            } else {
                self.above_nothing(path, at);
            }
        }
    }

    fn above_nothing(&mut self, path: &str, at: usize) {
        self.faults
            .push(format!("{path}:{}: a marker above nothing", at + 1));
    }

    /// Adds a place that keeps a requirement.
    pub fn keeps(&mut self, identifier: &str, place: &str) {
        if let Some(entry) = self.entry(identifier, place)
            && !entry.keeps.iter().any(|known| known == place)
        {
            entry.keeps.push(place.to_owned());
        }
    }

    /// Adds every place in `src` that mentions `word` as keeping a requirement: for a
    /// table of rules, each of which is called by name where it is kept. A word that
    /// stands nowhere keeps nothing. For maps that were read.
    pub fn keeps_where(&mut self, identifier: &str, word: &str) {
        let mut places = Vec::new();
        for (path, text) in &self.files {
            let source = Source::new(path, text);
            places.extend(
                source
                    .mentions(word)
                    .filter_map(|at| source.place(at))
                    .filter(|place| !place.is_in_tests)
                    .map(|place| place.path),
            );
        }
        for place in places {
            self.keeps(identifier, &place);
        }
    }

    /// Adds a test that shows a requirement.
    pub fn shows(&mut self, identifier: &str, test: &str) {
        if let Some(entry) = self.entry(identifier, test)
            && !entry.shows.iter().any(|(known, _)| known == test)
        {
            entry.shows.push((test.to_owned(), 0));
        }
    }

    /// Adds a row of a file of data that shows a requirement: a file is named with the
    /// number of its rows.
    pub fn row_shows(&mut self, identifier: &str, file: &str) {
        if let Some(entry) = self.entry(identifier, file) {
            match entry.shows.iter_mut().find(|(known, _)| known == file) {
                Some((_, rows)) => *rows += 1,
                None => entry.shows.push((file.to_owned(), 1)),
            }
        }
    }

    fn entry(&mut self, identifier: &str, place: &str) -> Option<&mut Entry> {
        let found = self
            .requirements
            .iter()
            .position(|requirement| requirement.is_named(identifier));
        match found {
            Some(index) => Some(&mut self.entries[index]),
            None => {
                self.faults
                    .push(format!("{place}: no requirement is called {identifier:?}"));
                None
            }
        }
    }

    /// What is wrong, a line each: faults of markers, and requirements that a codec crate
    /// answers for and that have no place or no test.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.faults.clone();
        for (requirement, entry) in self.requirements.iter().zip(&self.entries) {
            let mut wrong = |what| problems.push(format!("{requirement}: {what}"));
            if requirement.keeper.is_codec_crate() {
                if entry.keeps.is_empty() {
                    wrong("no place keeps it");
                }
                if entry.shows.is_empty() && requirement.not_shown.is_none() {
                    wrong("no test shows it");
                }
            }
            if !entry.shows.is_empty() && requirement.not_shown.is_some() {
                wrong("a test shows it, and the list says that none can");
            }
        }
        problems
    }

    /// Sees that there is no problem and that the file at `path`, relative to the crate,
    /// is what [`Self::render`] gives. With `UPDATE=1` in the environment the file is
    /// written.
    ///
    /// # Panics
    ///
    /// When it is not so: this is for tests.
    #[track_caller]
    pub fn check(&self, path: &str) {
        let file = self.directory.join(path);
        let document = self.render();
        if env::var_os("UPDATE").is_some_and(|value| value == "1")
            && let Err(error) = fs::write(&file, &document)
        {
            panic!("{}: {error}", file.display());
        }
        let mut problems = self.problems();
        if fs::read_to_string(&file).ok().as_deref() != Some(&document) {
            problems.push(format!(
                "{path} is not what the markers say: UPDATE=1 writes it"
            ));
        }
        assert!(
            problems.is_empty(),
            "{} problems:\n{}",
            problems.len(),
            problems.join("\n")
        );
    }
}

/// The identifiers of a marker. A comma at the end says that another marker follows.
fn split(identifiers: &str) -> impl Iterator<Item = &str> {
    let identifiers = identifiers.trim();
    identifiers
        .strip_suffix(',')
        .unwrap_or(identifiers)
        .split(',')
        .map(str::trim)
}

/// The files below `directory`, each as a path that begins with `name`.
fn collect(directory: &Path, name: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &name, paths)?;
        } else {
            paths.push(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPS: &str = "// keeps: 5.0 MQTT-3.1.2-20\nfn ping() {}\n";
    const SHOWS: &str = "// shows: 5.0 MQTT-3.1.2-20\n#[test]\nfn pings() {}\n";

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let mut map = Map::new(&[Specification::Mqtt5_0]);
        for (path, text) in files {
            map.source(path, text);
        }
        map.problems()
            .into_iter()
            // Of the other requirements nothing is said in these files.
            .filter(|problem| {
                !problem.starts_with("5.0 ") || problem.starts_with("5.0 MQTT-3.1.2-20:")
            })
            .collect()
    }

    #[test]
    fn each_fault_is_told() {
        for (files, expected) in [
            (&[("src/a.rs", KEEPS), ("tests/t.rs", SHOWS)][..], &[][..]),
            (
                &[("src/a.rs", KEEPS)],
                &["5.0 MQTT-3.1.2-20: no test shows it"],
            ),
            (
                &[("tests/t.rs", SHOWS)],
                &["5.0 MQTT-3.1.2-20: no place keeps it"],
            ),
            (
                &[
                    ("src/a.rs", KEEPS),
                    ("tests/t.rs", SHOWS),
                    ("src/b.rs", "// keeps: MQTT-3.1.2-20\nfn f() {}"),
                ],
                &["b::f: no requirement is called \"MQTT-3.1.2-20\""],
            ),
            (
                &[
                    ("src/a.rs", KEEPS),
                    ("tests/t.rs", SHOWS),
                    ("src/b.rs", "// keeps: 5.0 MQTT-3.1.2-20\n\nfn f() {}"),
                ],
                &["src/b.rs:1: a marker above nothing"],
            ),
            (
                &[
                    ("src/a.rs", KEEPS),
                    ("tests/t.rs", SHOWS),
                    ("tests/u.rs", "// shows: 5.0 MQTT-3.1.2-20\nfn f() {}"),
                ],
                &["tests/u.rs:1: tests/u::f is not a test"],
            ),
            (
                &[
                    ("src/a.rs", KEEPS),
                    ("tests/t.rs", SHOWS),
                    ("src/b.rs", "// shows: 5.0 MQTT-3.1.2-20\nfn f() {}"),
                ],
                &["src/b.rs:1: b::f is not a test"],
            ),
            (
                &[
                    ("src/a.rs", KEEPS),
                    ("tests/t.rs", SHOWS),
                    ("tests/u.rs", KEEPS),
                ],
                &["tests/u.rs:1: a test keeps nothing"],
            ),
        ] {
            assert_eq!(problems(files), expected, "{files:?}");
        }
    }

    #[test]
    fn a_row_of_data_shows_what_stands_above_it() {
        let text = "\
# shows: 5.0 MQTT-3.1.2-20, 5.0 MQTT-3.1.2-21
one | row
two | rows
# shows: 5.0 MQTT-3.1.2-20
three | rows

# shows: 5.0 MQTT-3.1.2-22

# shows: 5.0 MQTT-3.1.2-22";
        let mut map = Map::new(&[Specification::Mqtt5_0]);
        map.data("tests/data/t.txt", text);
        for (identifier, rows) in [
            ("MQTT-3.1.2-20", Some(2)),
            ("MQTT-3.1.2-21", Some(1)),
            ("MQTT-3.1.2-22", None),
        ] {
            let at = map
                .requirements
                .iter()
                .position(|requirement| requirement.identifier == identifier);
            let shows = &map.entries[at.unwrap()].shows;
            assert_eq!(shows.first().map(|(_, rows)| *rows), rows, "{identifier}");
        }
        assert_eq!(
            map.faults,
            [
                "tests/data/t.txt:7: a marker above nothing",
                "tests/data/t.txt:9: a marker above nothing"
            ]
        );
    }

    #[test]
    fn a_word_keeps_where_it_is_mentioned() {
        let mut map = Map::new(&[Specification::Mqtt5_0]);
        map.source("src/rule.rs", "rules! {\n    One: 1;\n}\n");
        map.source(
            "src/packet.rs",
            "fn decode() {\n    fail(Rule::One);\n    fail(Rule::One);\n}\n",
        );
        map.source("tests/t.rs", "#[test]\nfn f() {\n    is(Rule::One);\n}\n");
        map.keeps_where("5.0 MQTT-3.1.2-20", "Rule::One");
        map.row_shows("5.0 MQTT-3.1.2-20", "tests/data/t.txt");
        map.row_shows("5.0 MQTT-3.1.2-20", "tests/data/t.txt");
        let index = map
            .requirements
            .iter()
            .position(|requirement| requirement.identifier == "MQTT-3.1.2-20");
        let entry = &map.entries[index.unwrap()];
        assert_eq!(entry.keeps, ["packet::decode"]);
        assert_eq!(entry.shows, [("tests/data/t.txt".into(), 2)]);
    }
}
