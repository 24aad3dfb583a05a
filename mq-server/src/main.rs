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
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

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
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
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
    loop {
        tokio::select! {
            request = signals.next() => match request {
                Request::Stop(signal) => {
                    tracing::info!(signal, "stopping");
                    break;
                }
                Request::Reload => reload(&server),
            },
            () = server.stopped() => return ExitCode::FAILURE,
        }
    }
    let stopping = server.shutdown();
    let mut stopping = std::pin::pin!(stopping);
    loop {
        tokio::select! {
            () = &mut stopping => {
                tracing::info!("stopped");
                break;
            }
            request = signals.next() => {
                if let Request::Stop(signal) = request {
                    tracing::warn!(signal, "stopping at once");
                    break;
                }
            }
        }
    }
    ExitCode::SUCCESS
}

fn reload(server: &Server) {
    match server.reload_tls() {
        Ok(()) => tracing::info!("SIGHUP: the certificates were read again"),
        Err(error) => tracing::error!(%error, "SIGHUP: the certificates stay as they are"),
    }
}

/// One line for each listener, with the port that it really has.
fn announce(server: &Server) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (protocol, address) in server.addresses().iter() {
        writeln!(out, "{} listening on {address}", mq_server::name(protocol))?;
    }
    for endpoint in &server.endpoints()[server.addresses().iter().count()..] {
        writeln!(out, "listening on {endpoint}")?;
    }
    out.flush()
}

/// What a signal asks for.
enum Request {
    /// Ctrl-C or SIGTERM, by name.
    Stop(&'static str),
    /// SIGHUP: what can change while serving is read again.
    Reload,
}

#[cfg(unix)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Request::Stop("SIGINT"),
            _ = self.hang_up.recv() => Request::Reload,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Request {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Request::Stop("Ctrl-C"),
            Err(_) => std::future::pending().await,
        }
    }
}
