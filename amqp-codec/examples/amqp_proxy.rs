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

use amqp_codec::connection::ReadBuffer;
use amqp_codec::{DecodeError, Frame, Limits, ProtocolHeader, decode};

/// A sniffer looks at what the peers have agreed to, however large.
const LIMITS: Limits = Limits::DEFAULT.with_frame_size(u32::MAX);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, broker] = &arguments[..] else {
        return Err("usage: amqp_proxy LISTEN-HOST:PORT BROKER-HOST:PORT".into());
    };
    let listener = TcpListener::bind(listen)?;
    eprintln!("listening on {}", listener.local_addr()?);
    for number in 1.. {
        let (client, broker) = (listener.accept()?.0, TcpStream::connect(broker)?);
        let (to_broker, to_client) = (broker.try_clone()?, client.try_clone()?);
        for (source, sink, way) in [(client, to_broker, '>'), (broker, to_client, '<')] {
            let label = format!("{number} {way}");
            std::thread::spawn(move || {
                let outcome = pass(&label, source, sink);
                outcome.unwrap_or_else(|error| println!("{label} {error}"));
            });
        }
    }
    Ok(())
}

/// Passes bytes on, and shows the frames in them, until there are no more.
fn pass(label: &str, mut source: TcpStream, mut sink: TcpStream) -> io::Result<()> {
    let mut buffer = ReadBuffer::new();
    loop {
        let room = buffer.space(16 * 1024);
        let length = source.read(room)?;
        if length == 0 {
            return sink.shutdown(Shutdown::Write);
        }
        sink.write_all(&room[..length])?;
        buffer.filled(length);
        if let Err(error) = show(label, &mut buffer.input()) {
            println!("{label} {error}: what follows is not shown");
            io::copy(&mut source, &mut sink)?;
        }
    }
}

/// Shows the frames at the front, and takes them.
fn show(label: &str, input: &mut &[u8]) -> Result<(), DecodeError> {
    // No frame begins as the protocol header does.
    if input.first() == Some(&b'A') {
        let Some(header) = ProtocolHeader::decode(input)? else {
            return Ok(());
        };
        println!("{label} 0 {header:?}");
        *input = &input[ProtocolHeader::LEN..];
    }
    while let Some((frame, length)) = decode(input, &LIMITS)? {
        let what = match &frame {
            Frame::Method { method, .. } => method.to_string(),
            Frame::Header { header, .. } => {
                let (size, properties) = (header.body_size, header.properties);
                format!("header of {size} bytes: {properties}")
            }
            Frame::Body { payload, .. } => format!("body \"{}\"", payload.escape_ascii()),
            _ => "heartbeat".into(),
        };
        println!("{label} {} {what}", frame.channel());
        *input = &input[length..];
    }
    Ok(())
}
