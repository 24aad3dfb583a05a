//! `mqspec serve`: a broker that misbehaves in one named way, for the authors of clients.
//!
//! A man in the middle stands before the reference broker, or before another, and changes
//! what it sends. What the client does then is printed; what a good one does stands beside
//! each fault.

mod amqp;
mod frame;
mod mqtt;
mod relay;
mod stomp;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Instant;

use crate::embedded::Embedded;
use crate::interrupt;
use crate::target::Protocol;
use frame::Cutter;
use relay::{Between, Pace, relay};

/// A way in which a broker misbehaves.
pub(crate) struct Fault {
    /// What the user selects it by, unique in its protocol.
    pub(crate) name: &'static str,
    /// The rule that the broker breaks, or by which it is right after all.
    pub(crate) rule: &'static str,
    /// What the broker does.
    pub(crate) broker: &'static str,
    /// What a good client does then.
    pub(crate) client: &'static str,
    make: fn() -> Wrong,
}

/// What goes wrong on one connection.
struct Wrong {
    /// What takes the place of a frame of the broker.
    down: Box<dyn FnMut(Vec<u8>) -> After + Send>,
    /// The bytes come one at a time.
    octets: bool,
}

/// What comes of a frame of the broker.
enum After {
    /// It goes on as it is.
    Same(Vec<u8>),
    /// These bytes come in its place: the fault has happened.
    Instead(Vec<u8>),
    /// These bytes come in its place, and then the end of the connection.
    Last(Vec<u8>),
}

/// One fault, at the first frame that it can happen to and every later one.
fn each(down: impl FnMut(Vec<u8>) -> After + Send + 'static) -> Wrong {
    Wrong {
        down: Box::new(down),
        octets: false,
    }
}

/// Every frame that `of` names is changed.
fn change(
    of: impl Fn(&[u8]) -> bool + Send + 'static,
    change: impl Fn(&mut Vec<u8>) + Send + 'static,
) -> Wrong {
    each(move |mut frame| {
        if of(&frame) {
            change(&mut frame);
            After::Instead(frame)
        } else {
            After::Same(frame)
        }
    })
}

/// The faults of a protocol.
pub(crate) fn faults(protocol: Protocol) -> &'static [Fault] {
    match protocol {
        Protocol::Amqp => amqp::FAULTS,
        Protocol::Mqtt => mqtt::FAULTS,
        Protocol::Stomp => stomp::FAULTS,
    }
}

/// What the command line says.
#[derive(clap::Args, Debug)]
pub(crate) struct ServeArgs {
    /// The protocol of the clients
    #[arg(value_name = "PROTOCOL")]
    protocol: Protocol,
    /// How the broker misbehaves. Without it the faults are listed, each with what a
    /// good client does
    #[arg(value_name = "FAULT")]
    fault: Option<String>,
    /// Where clients connect to
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The broker behind it. Without one, the reference broker is started in this process
    #[arg(long, value_name = "HOST:PORT")]
    to: Option<String>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("there is no fault {0}; `mqspec serve PROTOCOL` lists those that there are")]
    NoSuchFault(String),
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot start the reference broker: {0}")]
    Embedded(#[from] mq_server::StartError),
    #[error("cannot listen for Ctrl-C: {0}")]
    Signals(io::Error),
    #[error("cannot write: {0}")]
    Stdout(#[from] io::Error),
}

/// Lists the faults, or serves one of them until Ctrl-C.
///
/// # Errors
///
/// [`ServeError`].
pub(crate) fn serve(args: &ServeArgs) -> Result<(), ServeError> {
    let mut out = anstream::stdout().lock();
    let Some(name) = &args.fault else {
        return Ok(list(&mut out, args.protocol)?);
    };
    let fault = faults(args.protocol)
        .iter()
        .find(|fault| fault.name == name)
        .ok_or_else(|| ServeError::NoSuchFault(name.clone()))?;
    interrupt::listen().map_err(ServeError::Signals)?;
    let embedded = match &args.to {
        Some(_) => None,
        None => Some(Embedded::start()?),
    };
    let behind = match (&args.to, &embedded) {
        (Some(to), _) => to.clone(),
        (None, Some(embedded)) => embedded
            .targets()
            .iter()
            .find(|target| target.protocol == args.protocol)
            .map(|target| format!("{}:{}", target.host, target.port))
            .unwrap_or_default(),
        (None, None) => String::new(),
    };
    let listener = TcpListener::bind(args.listen).map_err(|source| ServeError::Listen {
        address: args.listen,
        source,
    })?;
    writeln!(
        out,
        "listening on {}://{}",
        args.protocol,
        listener.local_addr()?
    )?;
    writeln!(out, "the broker  {} [{}]", fault.broker, fault.rule)?;
    writeln!(out, "the client  {}", fault.client)?;
    out.flush()?;
    let (events, seen) = mpsc::channel();
    let protocol = args.protocol;
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().flatten().enumerate() {
            // A broker that is gone takes none of its clients.
            let Ok(broker) = TcpStream::connect(&behind) else {
                continue;
            };
            let between = Faulty::new(protocol, fault, number + 1, events.clone());
            let Ok(threads) = relay(client, broker, Box::new(between)) else {
                continue;
            };
            let events = events.clone();
            std::thread::spawn(move || {
                for thread in threads {
                    // What panicked there has been printed.
                    thread.join().unwrap_or_default();
                }
                // Nobody reads any more after Ctrl-C.
                events
                    .send((number + 1, "gone".to_owned()))
                    .unwrap_or_default();
            });
        }
    });
    let start = Instant::now();
    while !interrupt::requested() {
        if let Ok((number, what)) = seen.recv_timeout(std::time::Duration::from_millis(100)) {
            let time = start.elapsed().as_secs_f64();
            writeln!(out, "{time:>8.2} s  client {number}: {what}")?;
            out.flush()?;
        }
    }
    Ok(())
}

fn list(out: &mut impl Write, protocol: Protocol) -> io::Result<()> {
    let faults = faults(protocol);
    for fault in faults {
        writeln!(out, "{}  [{}]", fault.name, fault.rule)?;
        writeln!(out, "    the broker {}", fault.broker)?;
        writeln!(out, "    a good client {}", fault.client)?;
    }
    writeln!(out, "{} faults of {protocol}", faults.len())
}

/// One connection of a broker that misbehaves.
struct Faulty {
    wrong: Wrong,
    up: Cutter,
    down: Cutter,
    describe: fn(&[u8]) -> String,
    number: usize,
    /// Whether the fault has happened.
    happened: bool,
    is_over: bool,
    events: mpsc::Sender<(usize, String)>,
}

impl Faulty {
    fn new(
        protocol: Protocol,
        fault: &Fault,
        number: usize,
        events: mpsc::Sender<(usize, String)>,
    ) -> Self {
        let (framing, describe): (frame::Framing, fn(&[u8]) -> String) = match protocol {
            Protocol::Amqp => (frame::amqp, amqp::name),
            Protocol::Mqtt => (frame::mqtt, mqtt::name),
            Protocol::Stomp => (frame::stomp, stomp::name),
        };
        Self {
            wrong: (fault.make)(),
            up: Cutter::new(framing),
            down: Cutter::new(framing),
            describe,
            number,
            happened: false,
            is_over: false,
            events,
        }
    }

    fn say(&self, what: String) {
        // Nobody reads any more after Ctrl-C.
        self.events.send((self.number, what)).unwrap_or_default();
    }
}

impl Between for Faulty {
    fn up(&mut self, bytes: &[u8], _back: &mut Vec<u8>) -> Vec<u8> {
        for frame in self.up.cut(bytes) {
            if self.happened {
                self.say(format!("sends {}", (self.describe)(&frame)));
            }
        }
        bytes.to_vec()
    }

    fn down(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut down = Vec::new();
        for frame in self.down.cut(bytes) {
            if self.is_over {
                break;
            }
            let name = (self.describe)(&frame);
            let after = (self.wrong.down)(frame);
            let is_slow = self.wrong.octets && !self.happened;
            if is_slow || !matches!(after, After::Same(_)) {
                self.happened = true;
                self.say(format!("the fault, at {name}"));
            }
            match after {
                After::Same(bytes) | After::Instead(bytes) => down.extend(bytes),
                After::Last(bytes) => {
                    down.extend(bytes);
                    self.is_over = true;
                }
            }
        }
        down
    }

    fn pace(&self) -> Pace {
        Pace {
            octets: self.wrong.octets,
            ..Pace::default()
        }
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_has_twenty_faults_of_names_of_their_own() {
        for protocol in [Protocol::Amqp, Protocol::Mqtt, Protocol::Stomp] {
            let names: std::collections::BTreeSet<_> =
                faults(protocol).iter().map(|fault| fault.name).collect();
            assert_eq!(names.len(), faults(protocol).len());
            assert!(names.len() >= 20, "{protocol}: {}", names.len());
        }
    }
}
