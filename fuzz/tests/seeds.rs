//! Every input of the corpora that are checked in, on stable: what a fuzzer has found
//! interesting once, and what was wrong once, stays right.

use std::fs;
use std::panic;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use mq_fuzz::targets::ALL;

#[test]
fn the_seeds_of_every_target_pass() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut inputs = Vec::new();
    for (name, run) in ALL {
        let directory = seeds.join(name);
        let mut files: Vec<_> = fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
            .map(|file| file.expect("it can be read").path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no seeds");
        inputs.extend(files.into_iter().map(|file| (run, file)));
    }
    // On all processors: those of `broker` take a twentieth of a second each.
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let inputs = Mutex::new(inputs.into_iter());
    let next = || inputs.lock().expect("nobody panics with it").next();
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while let Some((run, file)) = next() {
                    let input = fs::read(&file).expect("it can be read");
                    let passes = panic::catch_unwind(|| run(&input)).is_ok();
                    assert!(passes, "{}", file.display());
                }
            });
        }
    });
}

/// A target in the table is one that libFuzzer runs and `cargo fuzz list` names, and the other
/// way round. The files for the engines that run targets all the time go by that list.
#[test]
fn every_target_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("it is there");
    let manifest: toml::Table = manifest.parse().expect("it is read by cargo too");
    let binaries = manifest["bin"].as_array().expect("a list");
    let mut names: Vec<_> = binaries
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ALL.map(|(name, _)| name));
    let directory = root.join("fuzz_targets");
    let mut files: Vec<_> = fs::read_dir(directory)
        .expect("it is there")
        .map(|file| file.expect("it can be read").path())
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .collect();
    files.sort();
    assert_eq!(files, ALL.map(|(name, _)| name));
}
