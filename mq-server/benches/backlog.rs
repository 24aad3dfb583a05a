//! A backlog that is larger than memory, in one thread and on a real disk: how fast it comes
//! in, how long a new process takes to have it again, and how fast it goes out in order.
//!
//! ```console
//! $ MESSAGES=10000000 BODY=1024 MEMORY=268435456 cargo bench -p mq-server --bench backlog
//! ```
//!
//! `MEMORY` is what the process may take: messages leave memory from a quarter of that on.
//! `DIRECTORY` is where the log is, and is removed afterwards. Each phase is a process of its
//! own, so that each has its own peak.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use mq_core::{Broker, Config, ConnectionId, Input, Output, Protocol, Recovery, Terms};
use mq_server::store::{Batch, Directory, Storage, Store};

/// Messages in one read of the publisher.
const AT_A_TIME: u64 = 64;
/// Batches are synced together from so many bytes on.
const GROUP: u64 = 4 << 20;
/// Digits of the number that each body begins with.
const DIGITS: usize = 12;

const CLIENT: ConnectionId = ConnectionId(1);
const CONNECT: &[u8] = b"CONNECT\naccept-version:1.2\nhost:/\n\n\0";
const SUBSCRIBE: &[u8] = b"SUBSCRIBE\nid:0\ndestination:/queue/backlog\nack:auto\n\n\0";

struct Settings {
    messages: u64,
    body: usize,
    memory: usize,
    directory: PathBuf,
}

fn number(name: &str, default: u64) -> Result<u64, Box<dyn Error>> {
    match std::env::var(name) {
        Ok(text) => Ok(text.parse().map_err(|error| format!("{name}: {error}"))?),
        Err(_) => Ok(default),
    }
}

impl Settings {
    fn read() -> Result<Self, Box<dyn Error>> {
        let directory = match std::env::var_os("DIRECTORY") {
            Some(path) => path.into(),
            None => std::env::temp_dir().join("mq-backlog"),
        };
        Ok(Self {
            messages: number("MESSAGES", 200_000)?,
            body: usize::try_from(number("BODY", 1024)?)?.max(DIGITS),
            memory: usize::try_from(number("MEMORY", 256 << 20)?)?,
            directory,
        })
    }

    fn config(&self) -> Config {
        let mut config = Config {
            store: mq_core::Store::Log,
            ..Config::default()
        };
        config.limits.queue_messages = usize::MAX;
        config.limits.queue_bytes = usize::MAX;
        config.limits.memory_spill = self.memory / 4;
        config.limits.memory_high_water = self.memory / 2;
        config.limits.memory_low_water = self.memory / 3;
        config
    }
}

/// A broker, its store, and what is on the way between them.
struct Machine {
    broker: Broker,
    store: Box<dyn Store>,
    batches: Vec<Batch>,
    /// Bytes of them.
    waiting: u64,
    /// What the client has received and not read.
    received: BytesMut,
    /// Bytes of it that the broker was not told about.
    untold: usize,
    /// The client is to wait.
    paused: bool,
    begin: Instant,
}

impl Machine {
    fn open(settings: &Settings) -> Result<Self, Box<dyn Error>> {
        let begin = Instant::now();
        let directory = Directory::new(&settings.directory).with_segment_size(16 << 20);
        let mut store = directory.open()?;
        let mut recovery = Recovery::new(settings.config())?;
        let mut failed = None;
        store.recover(&mut |batch| {
            if let Err(error) = recovery.batch(batch.position, batch.to_bytes()) {
                failed.get_or_insert(error);
            }
            Ok(())
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        Ok(Self {
            broker: recovery.finish(Duration::ZERO)?,
            store,
            batches: Vec::new(),
            waiting: 0,
            received: BytesMut::new(),
            untold: 0,
            paused: false,
            begin,
        })
    }

    fn connect(&mut self) -> Result<(), Box<dyn Error>> {
        self.handle(Input::Connected {
            connection: CLIENT,
            protocol: Protocol::Stomp,
            terms: Terms::default(),
        })?;
        self.send(Bytes::from_static(CONNECT))?;
        self.received.clear();
        Ok(())
    }

    fn send(&mut self, bytes: Bytes) -> Result<(), Box<dyn Error>> {
        let connection = CLIENT;
        self.handle(Input::Received { connection, bytes })
    }

    /// Has something done, and all that comes of it but for syncing.
    fn handle(&mut self, input: Input) -> Result<(), Box<dyn Error>> {
        let now = self.begin.elapsed();
        let mut inputs = vec![input];
        loop {
            for input in inputs.drain(..) {
                self.broker.handle(now, input);
            }
            while let Some(output) = self.broker.poll_output() {
                match output {
                    Output::Append { position, slices } => {
                        let batch = Batch { position, slices };
                        self.waiting += batch.len() as u64;
                        self.batches.push(batch);
                    }
                    Output::Read { id, position, len } => {
                        inputs.extend(self.sync()?);
                        let bytes = Some(self.store.read(position, len)?);
                        inputs.push(Input::Read { id, bytes });
                    }
                    Output::Trim { before } => self.store.trim(before)?,
                    Output::Transmit { bytes, .. } => {
                        self.untold += bytes.len();
                        self.received.extend_from_slice(&bytes);
                    }
                    Output::Pause { .. } => self.paused = true,
                    Output::Resume { .. } => self.paused = false,
                    Output::Close { .. } => return Err("the broker has closed".into()),
                    _ => {}
                }
            }
            if self.waiting >= GROUP {
                inputs.extend(self.sync()?);
            }
            if inputs.is_empty() {
                if self.broker.poll_timeout().is_none_or(|at| at > now) {
                    return Ok(());
                }
                self.broker.handle_timeout(now);
                // Its outputs are taken in the next round.
                continue;
            }
        }
    }

    /// Syncs what was appended.
    fn sync(&mut self) -> Result<Option<Input>, Box<dyn Error>> {
        let Some(through) = self.batches.last().map(Batch::end) else {
            return Ok(None);
        };
        self.store.append(&self.batches)?;
        self.batches.clear();
        self.waiting = 0;
        Ok(Some(Input::Durable { through }))
    }

    fn finish(&mut self) -> Result<(), Box<dyn Error>> {
        while let Some(input) = self.sync()? {
            self.handle(input)?;
        }
        Ok(())
    }

    fn report(&self, what: &str, since: Instant, messages: u64) -> Result<(), Box<dyn Error>> {
        let took = since.elapsed();
        let peak = peak()? >> 20;
        let each = took.as_secs_f64() * 1e6 / messages.max(1) as f64;
        let held = self.broker.statistics().held >> 20;
        println!(
            "| {what} | {:.0} s | {each:.1} µs | {held} MiB | {peak} MiB |",
            took.as_secs_f64()
        );
        Ok(())
    }
}

/// Bytes of memory that the process has had at most.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.ok_or("no peak is known here")?.parse::<u64>()? << 10)
}

fn publish(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let mut machine = Machine::open(settings)?;
    machine.connect()?;
    let begin = Instant::now();
    let fill = "x".repeat(settings.body - DIGITS);
    let len = settings.body;
    let mut next = 0;
    while next < settings.messages {
        let mut frames = BytesMut::new();
        let end = settings.messages.min(next + AT_A_TIME);
        for n in next..end {
            let head = "SEND\ndestination:/queue/backlog\npersistent:true\ncontent-length:";
            let frame = format!("{head}{len}\n\n{n:0DIGITS$}{fill}\0");
            frames.extend_from_slice(frame.as_bytes());
        }
        next = end;
        machine.send(frames.freeze())?;
        if machine.paused {
            machine.finish()?;
        }
        if machine.paused {
            return Err(format!("the publisher waits for memory after {next} messages").into());
        }
    }
    machine.finish()?;
    machine.report("in, synced by 4 MiB", begin, settings.messages)
}

fn consume(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let mut machine = Machine::open(settings)?;
    machine.report("recovered", begin, settings.messages)?;
    let ready = machine.broker.statistics().ready;
    if ready != settings.messages {
        return Err(format!("{ready} messages are there").into());
    }
    machine.connect()?;
    let begin = Instant::now();
    let mut next = 0;
    machine.send(Bytes::from_static(SUBSCRIBE))?;
    while next < settings.messages {
        let before = next;
        let received = machine.received.split().freeze();
        let mut rest = &received[..];
        // Headers end with an empty line, and the body is as long as it was.
        while let Some(at) = memchr(rest)
            && rest.len() > at + settings.body
        {
            let body = &rest[at..at + settings.body];
            let expected = format!("{next:0DIGITS$}");
            if !body.starts_with(expected.as_bytes()) {
                let body = String::from_utf8_lossy(&body[..DIGITS]);
                return Err(format!("{body} comes in the place of {expected}").into());
            }
            next += 1;
            rest = &rest[at + settings.body + 1..];
        }
        machine.received.extend_from_slice(rest);
        // It has read everything, and there is room for more.
        let len = std::mem::take(&mut machine.untold);
        machine.handle(Input::Transmitted {
            connection: CLIENT,
            len,
        })?;
        if next == before && len == 0 {
            return Err(format!("nothing comes after {next} messages").into());
        }
    }
    machine.finish()?;
    machine.report("out, in order", begin, settings.messages)
}

/// Where the first body begins.
fn memchr(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(2).position(|two| two == b"\n\n")?;
    Some(at + 2)
}

/// Bytes of the files in a directory.
fn size(directory: &Path) -> Result<u64, Box<dyn Error>> {
    let mut size = 0;
    for entry in std::fs::read_dir(directory)? {
        size += entry?.metadata()?.len();
    }
    Ok(size)
}

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::read()?;
    match std::env::args().nth(1).as_deref() {
        Some("in") => return publish(&settings),
        Some("out") => return consume(&settings),
        _ => {}
    }
    println!(
        "{} messages of {} bytes, {} MiB of memory\n",
        settings.messages,
        settings.body,
        settings.memory >> 20
    );
    println!(
        "| | time | a message | held by messages | peak of the process |\n|---|---:|---:|---:|---:|"
    );
    let mut outcome = Ok(());
    for phase in ["in", "out"] {
        let status = Command::new(std::env::current_exe()?).arg(phase).status()?;
        if !status.success() {
            outcome = Err(format!("{phase} failed").into());
            break;
        }
        if phase == "in" {
            eprintln!("{} MiB on disk", size(&settings.directory)? >> 20);
        }
    }
    std::fs::remove_dir_all(&settings.directory)?;
    outcome
}
