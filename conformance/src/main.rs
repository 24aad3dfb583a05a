//! `mqspec`: judges a broker against AMQP 0-9-1, MQTT and STOMP.
//!
//! A [`case::Case`] plays raw bytes over a connection of its own and judges
//! what comes back. The bytes are written out in the cases, or put together by
//! the small builders next to them, and never by the workspace's codecs: a
//! mistake that a codec and a broker share would otherwise go unseen.
//!
//! What happens from the command line to the exit code, in order of reading:
//! [`cli`] (what the user asks for), [`target`] (which broker; without one, [`embedded`]),
//! [`preflight`] (whether it can be asked at all, and how), [`case`] (what there is to ask, and
//! [`requirement`]: about what), [`wire`] (the conversation and its transcript), [`runner`] (many at
//! once, each with a deadline), [`leftover`] (what they made is removed again), [`verdict`] (what the
//! broker did), [`expectation`] (what it was known to do), [`report`].

// A network tool has a clock; only the pure crates go without.
#![allow(clippy::disallowed_methods)]

mod again;
mod amqp;
mod baseline;
mod case;
mod cli;
mod describe;
mod embedded;
mod expectation;
mod explain;
mod interrupt;
mod leftover;
mod matrix;
mod mqtt;
mod preflight;
mod profile;
mod reach;
mod report;
mod requirement;
mod restart;
mod runner;
mod scram;
mod selection;
mod serve;
mod soak;
mod stomp;
mod stream;
mod target;
mod tls;
mod transcript;
mod unasked;
mod verdict;
mod version;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            anstream::eprintln!("mqspec: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
