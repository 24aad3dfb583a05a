//! The `mq-server` binary: flags and a file in, a running server out.
#![allow(
    clippy::disallowed_methods,
    reason = "part of the shell that owns the clock"
)]

mod cli;
mod log;
mod settings;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use mq_server::{Config, Server};

use crate::cli::Flags;
use crate::settings::Settings;

/// Something that the caller has to mend: a flag, the file, a port. The same
/// code that clap exits with for a flag that it does not know.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let flags = Flags::parse();
    let settings = match Settings::load(&flags) {
        Ok(settings) => settings,
        Err(error) => return complain(&error),
    };
    if let Err(error) = log::start(&settings.log) {
        return complain(&error);
    }
    if flags.check_config {
        println!("the configuration is good");
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("mq-server: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(serve(settings.config))
}

fn complain(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("mq-server: {error}");
    ExitCode::from(USAGE)
}

async fn serve(config: Config) -> ExitCode {
    // Before the ports open: who sees them open may send the signal already.
    let mut stop = match Stop::install() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("mq-server: cannot handle signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => return complain(&error),
    };
    if let Err(error) = announce(&server) {
        tracing::warn!(%error, "cannot write to stdout");
    }
    tokio::select! {
        signal = stop.received() => tracing::info!(signal, "stopping"),
        () = server.stopped() => return ExitCode::FAILURE,
    }
    tokio::select! {
        () = server.shutdown() => tracing::info!("stopped"),
        signal = stop.received() => tracing::warn!(signal, "stopping at once"),
    }
    ExitCode::SUCCESS
}

/// One line for each listener, with the port that it really has.
fn announce(server: &Server) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (protocol, address) in server.addresses().iter() {
        writeln!(out, "{} listening on {address}", mq_server::name(protocol))?;
    }
    out.flush()
}

/// Ctrl-C and SIGTERM.
struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    fn install() -> io::Result<Stop> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Stop {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
impl Stop {
    fn install() -> io::Result<Stop> {
        Ok(Stop {})
    }

    async fn received(&mut self) -> &'static str {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    }
}
