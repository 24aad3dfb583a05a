//! The `mq-server` binary: flags and a file in, a running server out.
#![allow(
    clippy::disallowed_methods,
    reason = "part of the shell that owns the clock"
)]

mod cli;
mod log;
mod settings;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use mq_server::{Config, Server};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Arguments, Command, Flags};
use crate::log::Level;
use crate::settings::{Settings, SettingsError, Tables, Variables};

/// Something that the caller has to mend: a flag, the file, a port. The same
/// code that clap exits with for a flag that it does not know.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let Arguments { command, flags } = Arguments::parse();
    if let Some(Command::Repair { data }) = command {
        return repair(&data);
    }
    let source = Source {
        flags,
        variables: std::env::vars_os().collect(),
    };
    let mut settings = match source.load() {
        Ok(settings) => settings,
        Err(error) => return complain(&error),
    };
    if source.flags.check_config {
        println!("the configuration is good");
        return ExitCode::SUCCESS;
    }
    let level = match log::start(&settings.log) {
        Ok(level) => level,
        Err(error) => return complain(&error),
    };
    fit_connections(&mut settings.config);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("mq-server: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(serve(settings, &source, &level))
}

/// Where the settings come from, at the start and at each SIGHUP.
struct Source {
    flags: Flags,
    variables: Variables,
}

impl Source {
    fn load(&self) -> Result<Settings, SettingsError> {
        Settings::load(&self.flags, &self.variables)
    }
}

fn complain(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("mq-server: {error}");
    ExitCode::from(USAGE)
}

fn repair(data: &Path) -> ExitCode {
    match mq_server::store::repair(data) {
        Ok(repaired) if repaired.set_aside.is_empty() => {
            println!("{}: nothing is damaged", data.display());
            ExitCode::SUCCESS
        }
        Ok(repaired) => {
            for path in &repaired.set_aside {
                println!("{}: the file as it was", path.display());
            }
            println!(
                "{}: repaired; {} bytes are lost",
                data.display(),
                repaired.lost
            );
            ExitCode::SUCCESS
        }
        Err(error) => complain(&error),
    }
}

/// Files that the process has open besides its connections, and some room.
const OTHER_DESCRIPTORS: u64 = 64;

/// Lets the process have as many sockets as it may have connections. Where it cannot, fewer
/// connections are accepted: they would take the files that the log needs.
fn fit_connections(config: &mut Config) {
    let asked = config.max_connections;
    let wanted = u64::from(asked) + OTHER_DESCRIPTORS;
    let limit = match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit >= wanted => return,
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "cannot read the limit of open files");
            return;
        }
    };
    let others = OTHER_DESCRIPTORS.min(limit / 2);
    let fit = u32::try_from(limit - others).unwrap_or(u32::MAX).max(1);
    config.max_connections = fit;
    tracing::warn!(
        limit,
        max_connections = asked,
        accepted = fit,
        "this process may open fewer files than it may have connections, and accepts fewer: \
         raise the limit (`ulimit -n {wanted}`, or LimitNOFILE={wanted} for systemd), or lower \
         max_connections"
    );
}

async fn serve(settings: Settings, source: &Source, level: &Level) -> ExitCode {
    // Before the ports open: who sees them open may send the signal already.
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("mq-server: cannot handle signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Settings { config, tables, .. } = settings;
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
                Request::Reload => reload(&server, source, &tables, level).await,
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

/// What a SIGHUP asks for.
async fn reload(server: &Server, source: &Source, started_with: &Tables, level: &Level) {
    let take_over = async |mut settings: Settings| -> Result<Settings, Box<dyn std::error::Error>> {
        fit_connections(&mut settings.config);
        server.reload(&settings.config).await?;
        level.set(&settings.log)?;
        Ok(settings)
    };
    let reloaded = match source.load() {
        Ok(settings) => take_over(settings).await,
        Err(error) => Err(error.into()),
    };
    let reloaded = reloaded.map_err(|error| error.to_string());
    match reloaded {
        Ok(settings) => {
            tracing::info!("SIGHUP: settings and certificates were read again");
            let names = started_with.that_need_a_restart(&settings.tables);
            if !names.is_empty() {
                let names = names.join(", ");
                tracing::warn!(names, "SIGHUP: these changes need a restart");
            }
        }
        Err(error) => tracing::error!(error, "SIGHUP: everything stays as it is"),
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

/// SIGXFSZ of Linux and the BSDs.
#[cfg(unix)]
const FILE_TOO_LARGE: SignalKind = SignalKind::from_raw(25);

#[cfg(unix)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// It would end the process. With a handler, the write to the file that may grow no more
    /// is an error, as on a full disk.
    _file_too_large: Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_too_large: signal(FILE_TOO_LARGE)?,
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
