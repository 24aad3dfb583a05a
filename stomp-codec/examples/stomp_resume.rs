//! A client whose connection is cut with a message that it has not acknowledged and one
//! that it has no receipt for. A second connection goes on: the server delivers the one
//! again, and the client sends the other again.
//!
//! `stomp_resume HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use stomp_codec::Headers;
use stomp_codec::connection::{
    AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options, ReadBuffer,
    ReceiptId,
};

const QUEUE: &str = "/queue/examples.resume";

/// What outlives a connection.
struct Work {
    /// What the server has not confirmed.
    outbox: BTreeSet<String>,
    /// What is to be received and acknowledged.
    awaited: BTreeSet<String>,
}

/// What does not.
#[derive(Default)]
struct Session {
    /// What each receipt that is to come confirms.
    receipts: BTreeMap<ReceiptId, String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match &arguments[..] {
        [_] => ConnectOptions::default(),
        [_, user, password] => ConnectOptions {
            login: Some(user),
            passcode: Some(password),
            ..ConnectOptions::default()
        },
        _ => return Err("usage: stomp_resume HOST:PORT [USER PASSWORD]".into()),
    };
    let options = ConnectOptions {
        host: "/",
        ..options
    };
    let texts = ["one", "two", "three"].map(String::from);
    let mut work = Work {
        outbox: texts.clone().into(),
        awaited: texts.into(),
    };
    for is_cut in [true, false] {
        let mut socket = TcpStream::connect(&arguments[0])?;
        connect(&mut socket, &options, &mut work, is_cut)?;
        println!("not confirmed: {:?}", work.outbox);
        println!("not acknowledged: {:?}", work.awaited);
    }
    Ok(())
}

/// One connection, until all is done, or until a message has come if it is to be cut.
fn connect(
    socket: &mut TcpStream,
    options: &ConnectOptions<'_>,
    work: &mut Work,
    is_cut: bool,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    client.connect(start.elapsed(), options)?;
    let (mut buffer, mut session) = (ReadBuffer::new(), Session::default());
    let mut outcome = Ok(false);
    loop {
        let mut out = Vec::new();
        client.poll_transmit(start.elapsed(), &mut out);
        socket.write_all(&out)?;
        match outcome {
            Ok(false) if !client.is_closed() => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
        let next = client.poll_timeout();
        let wait = next.map(|at| at.saturating_sub(start.elapsed()));
        socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        match socket.read(buffer.space(4096)) {
            Ok(0) => client.receive_eof(start.elapsed())?,
            Ok(len) => buffer.filled(len),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                _ => return Err(error.into()),
            },
        }
        outcome = take(&mut client, start, &mut buffer, &mut session, work, is_cut);
        if outcome.is_ok() && next.is_some_and(|at| at <= start.elapsed()) {
            client.handle_timeout(start.elapsed())?;
        }
    }
}

/// Acts on what has come. Returns whether the connection is to be cut now.
fn take(
    client: &mut ClientConnection,
    start: Instant,
    buffer: &mut ReadBuffer,
    session: &mut Session,
    work: &mut Work,
    is_cut: bool,
) -> Result<bool, Box<dyn Error>> {
    let mut input = buffer.input();
    while let Some(event) = client.receive(start.elapsed(), &mut input)? {
        match event {
            ClientEvent::Connected(_) => {
                let (mode, plain) = (AckMode::ClientIndividual, Options::default());
                client.subscribe(QUEUE, mode, Headers::NONE, plain)?;
                for text in &work.outbox {
                    let body = text.as_bytes();
                    let receipt = client.send(QUEUE, Headers::NONE, body, Options::RECEIPT)?;
                    session
                        .receipts
                        .extend(receipt.map(|receipt| (receipt, text.clone())));
                }
            }
            ClientEvent::Receipt(receipt) => {
                if let Some(text) = session.receipts.remove(&receipt) {
                    work.outbox.remove(&text);
                }
            }
            // After DISCONNECT nothing can be acknowledged: it is delivered again, to
            // whoever comes next.
            ClientEvent::Message(_) if !client.is_open() => {}
            ClientEvent::Message(message) => {
                let text = String::from_utf8_lossy(message.body()).into_owned();
                println!("received {text}");
                if is_cut {
                    return Ok(true);
                }
                let token = message.ack.ok_or("a message that needs no ACK")?;
                client.ack(&token, Headers::NONE, Options::default())?;
                work.awaited.remove(&text);
            }
            ClientEvent::Error(error) => {
                return Err(format!("the server says {:?}", error.summary).into());
            }
            _ => {}
        }
        if work.outbox.is_empty() && work.awaited.is_empty() && client.is_open() {
            client.close(start.elapsed())?;
        }
    }
    Ok(false)
}
