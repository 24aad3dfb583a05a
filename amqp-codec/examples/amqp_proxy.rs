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

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use amqp_codec::connection::ReadBuffer;
use amqp_codec::{DecodeError, Frame, Limits, ProtocolHeader, decode};

/// A sniffer looks at what the peers have agreed to, however large.
const LIMITS: Limits = Limits::DEFAULT.with_frame_size(u32::MAX);

/// Bytes of a body that are shown.
const SHOWN: usize = 60;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, broker] = &arguments[..] else {
        return Err("usage: amqp_proxy LISTEN-HOST:PORT BROKER-HOST:PORT".into());
    };
    let listener = TcpListener::bind(listen)?;
    eprintln!("listening on {}", listener.local_addr()?);
    for number in 1.. {
        let client = listener.accept()?.0;
        let broker = TcpStream::connect(broker)?;
        let (to_broker, to_client) = (broker.try_clone()?, client.try_clone()?);
        for (source, sink, way) in [(client, to_broker, '>'), (broker, to_client, '<')] {
            thread::spawn(move || {
                if let Err(error) = pass(number, way, source, sink) {
                    println!("{number} {way} {error}");
                }
            });
        }
    }
    Ok(())
}

/// Passes bytes on, and shows the frames in them, until there are no more.
fn pass(number: u64, way: char, mut source: TcpStream, mut sink: TcpStream) -> io::Result<()> {
    let (mut buffer, mut is_lost) = (ReadBuffer::new(), false);
    loop {
        let room = buffer.space(16 * 1024);
        let length = source.read(room)?;
        if length == 0 {
            return sink.shutdown(Shutdown::Write);
        }
        sink.write_all(&room[..length])?;
        if is_lost {
            continue;
        }
        buffer.filled(length);
        let mut input = buffer.input();
        loop {
            match show(number, way, &input) {
                Ok(0) => break,
                Ok(length) => *input = &input[length..],
                Err(error) => {
                    println!("{number} {way} {error}: what follows is not shown");
                    (is_lost, *input) = (true, &[]);
                    break;
                }
            }
        }
    }
}

/// Shows the frame at the front. Returns how many bytes it has, 0 if it is not whole.
fn show(number: u64, way: char, input: &[u8]) -> Result<usize, DecodeError> {
    // No frame begins as the protocol header does.
    if input.first() == Some(&b'A') {
        let header = ProtocolHeader::decode(input)?;
        return Ok(header.map_or(0, |header| {
            println!("{number} {way} 0 {header:?}");
            ProtocolHeader::LEN
        }));
    }
    let Some((frame, length)) = decode(input, &LIMITS)? else {
        return Ok(0);
    };
    let what = match &frame {
        Frame::Method { method, .. } => method.to_string(),
        Frame::Header { header, .. } => {
            format!(
                "header of {} bytes: {}",
                header.body_size, header.properties
            )
        }
        Frame::Body { payload, .. } => {
            let shown = payload[..payload.len().min(SHOWN)].escape_ascii();
            let more = if payload.len() > SHOWN { "..." } else { "" };
            format!("body \"{shown}\"{more}")
        }
        _ => "heartbeat".into(),
    };
    println!("{number} {way} {} {what}", frame.channel());
    Ok(length)
}
