//! A client whose connection is cut with a message that it has not acknowledged and one
//! that it has no receipt for. A second connection goes on: the server delivers the one
//! again, and the client sends the other again.
//!
//! `stomp_resume HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[expect(dead_code, reason = "this one has a conversation of its own")]
mod conversation;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use conversation::{Arguments, Outcome, wait};
use stomp_codec::Headers;
use stomp_codec::connection::{
    AckMode, ClientConfig, ClientConnection, ClientEvent, Options, ReadBuffer, ReceiptId,
};

const QUEUE: &str = "/queue/examples.resume";

/// What outlives a connection.
struct Work {
    /// What the server has not confirmed.
    outbox: BTreeSet<String>,
    /// What is to be received and acknowledged.
    awaited: BTreeSet<String>,
    /// Whether the line breaks before the first acknowledgement.
    is_cut: bool,
}

/// What does not: what each receipt that is to come confirms.
type Receipts = BTreeMap<ReceiptId, String>;

fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let texts = ["one", "two", "three"].map(String::from);
    let mut work = Work {
        outbox: texts.clone().into(),
        awaited: texts.into(),
        is_cut: true,
    };
    for _ in 0..2 {
        connect(&arguments, &mut work)?;
        println!("not confirmed: {:?}", work.outbox);
        println!("not acknowledged: {:?}", work.awaited);
    }
    Ok(())
}

/// One connection, until all is done, or until it is cut.
fn connect(arguments: &Arguments, work: &mut Work) -> Outcome {
    let mut socket = TcpStream::connect(&arguments.address)?;
    let start = Instant::now();
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    client.connect(start.elapsed(), &arguments.connect_options())?;
    let (mut buffer, mut out, mut receipts) = (ReadBuffer::new(), Vec::new(), Receipts::new());
    while !client.is_closed() {
        client.poll_transmit(start.elapsed(), &mut out);
        socket.write_all(&out)?;
        out.clear();
        socket.set_read_timeout(Some(wait(&client, start.elapsed())))?;
        match socket.read(buffer.space(4096)) {
            Ok(0) => client.receive_eof(start.elapsed())?,
            Ok(length) => buffer.filled(length),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        let (now, mut input) = (start.elapsed(), buffer.input());
        while let Some(event) = client.receive(now, &mut input)? {
            let outcome = work.answer(now, &mut client, event, &mut receipts);
            if let Err(error) = outcome {
                // The socket is dropped, and nothing is said.
                println!("{error}");
                return match std::mem::take(&mut work.is_cut) {
                    true => Ok(()),
                    false => Err(error),
                };
            }
        }
        client.handle_timeout(now)?;
    }
    Ok(())
}

impl Work {
    fn answer(
        &mut self,
        now: Duration,
        client: &mut ClientConnection,
        event: ClientEvent<'_>,
        receipts: &mut Receipts,
    ) -> Outcome {
        match event {
            ClientEvent::Connected(_) => {
                let (mode, plain) = (AckMode::ClientIndividual, Options::default());
                client.subscribe(QUEUE, mode, Headers::NONE, plain)?;
                for text in &self.outbox {
                    let body = text.as_bytes();
                    let receipt = client.send(QUEUE, Headers::NONE, body, Options::RECEIPT)?;
                    receipts.extend(receipt.map(|receipt| (receipt, text.clone())));
                }
            }
            ClientEvent::Receipt(receipt) => {
                if let Some(text) = receipts.remove(&receipt) {
                    println!("receipt {receipt} is for {text}");
                    self.outbox.remove(&text);
                }
            }
            // After DISCONNECT nothing can be acknowledged: it is delivered again, to
            // whoever comes next.
            ClientEvent::Message(_) if !client.is_open() => {}
            ClientEvent::Message(message) => {
                let text = String::from_utf8_lossy(message.body()).into_owned();
                println!("received {text}");
                if self.is_cut {
                    return Err("the line breaks".into());
                }
                let token = message.ack.ok_or("a message that needs no ACK")?;
                client.ack(&token, Headers::NONE, Options::default())?;
                self.awaited.remove(&text);
            }
            ClientEvent::Error(error) => {
                return Err(format!("the server says {:?}", error.summary).into());
            }
            _ => {}
        }
        if self.outbox.is_empty() && self.awaited.is_empty() && client.is_open() {
            client.close(now)?;
        }
        Ok(())
    }
}
