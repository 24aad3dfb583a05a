//! The judge is judged: run as its users run it, against brokers of which the
//! right verdict is known.

// A tool that waits for brokers is tested with a clock.
#![allow(clippy::disallowed_methods)]

mod broken;
mod choice;
mod commands;
#[path = "../../src/serve/frame.rs"]
mod frame;
mod legal;
mod mutation;
mod proxy;
#[path = "../../src/serve/relay.rs"]
mod relay;
mod restarted;
mod run;
mod tools;
mod transport;
mod unusual;
mod watch;

use std::io::Write;
use std::process::{Command, Output};

fn mqspec<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mqspec"))
        .args(args)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}{}",
        stdout(output),
        stderr(output)
    );
}

/// Says a figure of the self-test, also where the test passes: what the macros
/// print is kept back then.
#[allow(clippy::explicit_write)]
fn figure(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}
