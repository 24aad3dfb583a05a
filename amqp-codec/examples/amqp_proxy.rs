//! A sniffer: it stands between AMQP clients and a broker, passes every byte on as
//! it came, and prints each method, content header and body that goes by.
//!
//! `amqp_proxy LISTEN-HOST:PORT BROKER-HOST:PORT`
//!
//! ```text
//! 1 > 1 basic.publish exchange="" routing_key="tasks" mandatory=true immediate=false
//! 1 > 1 header of 5 bytes: content_type="text/plain" delivery_mode=2
//! 1 > 1 body "hello"
//! 1 < 1 basic.ack delivery_tag=1 multiple=false
//! ```
//!
//! First the number of the connection, `>` for what its client says and `<` for the
//! broker, then the channel.

use std::error::Error;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use amqp_codec::{DecodeError, Frame, Limits, ProtocolHeader, decode};

/// A sniffer looks at what the peers have agreed to, however large.
const LIMITS: Limits = Limits::DEFAULT.with_frame_size(u32::MAX);

/// Bytes of a body that are shown.
const SHOWN: usize = 60;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, broker] = &arguments[..] else {
        return Err("usage: amqp_proxy LISTEN-HOST:PORT BROKER-HOST:PORT".into());
    };
    let listener = TcpListener::bind(listen)?;
    eprintln!("listening on {}", listener.local_addr()?);
    for number in 1.. {
        let (client, _) = listener.accept()?;
        match connect(number, client, broker) {
            Ok(()) => {}
            Err(error) => eprintln!("{number}: {broker}: {error}"),
        }
    }
    Ok(())
}

/// Joins a client to the broker, with a thread for each way.
fn connect(number: u64, client: TcpStream, broker: &str) -> io::Result<()> {
    let broker = TcpStream::connect(broker)?;
    let (to_broker, to_client) = (broker.try_clone()?, client.try_clone()?);
    let ways = [(client, to_broker, '>'), (broker, to_client, '<')];
    for (source, sink, way) in ways {
        thread::spawn(move || {
            let mut sniffer = Sniffer::new(number, way);
            if let Err(error) = pass(source, sink, &mut sniffer) {
                sniffer.tell(format_args!("{error}"));
            }
        });
    }
    Ok(())
}

/// Passes bytes on, and shows them to the sniffer, until there are no more.
fn pass(mut source: TcpStream, mut sink: TcpStream, sniffer: &mut Sniffer) -> io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        match source.read(&mut chunk)? {
            0 => return sink.shutdown(Shutdown::Write),
            length => {
                sink.write_all(&chunk[..length])?;
                sniffer.look(&chunk[..length]);
            }
        }
    }
}

/// Follows one way of one connection.
struct Sniffer {
    number: u64,
    way: char,
    /// What is no whole frame yet.
    buffer: Vec<u8>,
    /// What comes is no AMQP 0-9-1: it is passed on, but not looked at any more.
    lost: bool,
}

impl Sniffer {
    fn new(number: u64, way: char) -> Self {
        Self {
            number,
            way,
            buffer: Vec::new(),
            lost: false,
        }
    }

    fn tell(&self, what: fmt::Arguments<'_>) {
        println!("{} {} {what}", self.number, self.way);
    }

    fn look(&mut self, bytes: &[u8]) {
        if self.lost {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        let mut seen = 0;
        loop {
            match self.show_one(&self.buffer[seen..]) {
                Ok(0) => break,
                Ok(length) => seen += length,
                Err(error) => {
                    self.tell(format_args!("{error}: what follows is not shown"));
                    self.lost = true;
                    seen = self.buffer.len();
                    break;
                }
            }
        }
        self.buffer.drain(..seen);
    }

    /// Shows what is at the front. Returns how many bytes that was, 0 if it is not whole.
    fn show_one(&self, input: &[u8]) -> Result<usize, DecodeError> {
        // No frame begins as the protocol header does.
        if input.first() == Some(&b'A') {
            let Some(header) = ProtocolHeader::decode(input)? else {
                return Ok(0);
            };
            let ProtocolHeader {
                id,
                major,
                minor,
                revision,
            } = header;
            self.tell(format_args!("0 AMQP {id} {major}.{minor}.{revision}"));
            return Ok(ProtocolHeader::LEN);
        }
        let Some((frame, length)) = decode(input, &LIMITS)? else {
            return Ok(0);
        };
        let channel = frame.channel();
        match frame {
            Frame::Method { method, .. } => self.tell(format_args!("{channel} {method}")),
            Frame::Header { header, .. } => self.tell(format_args!(
                "{channel} header of {} bytes: {}",
                header.body_size, header.properties
            )),
            Frame::Body { payload, .. } => {
                let shown = payload[..payload.len().min(SHOWN)].escape_ascii();
                let more = if payload.len() > SHOWN { "..." } else { "" };
                self.tell(format_args!("{channel} body \"{shown}\"{more}"));
            }
            _ => self.tell(format_args!("{channel} heartbeat")),
        }
        Ok(length)
    }
}
