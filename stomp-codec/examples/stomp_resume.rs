//! A client whose first connection is cut with messages that it has no receipt for and one that
//! it has not acknowledged. The second goes on: the client sends the ones again, and the server
//! delivers the other again. So a message may come twice.
//!
//! `stomp_resume HOST:PORT [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[path = "runtimes/arguments.rs"]
mod arguments;

use std::collections::{BTreeMap, BTreeSet};

use stomp_codec::Headers;
use stomp_codec::connection::*;

include!("../src/drive-loop.rs");

/// What is left to do: this outlives a connection.
struct Work {
    /// What the server has not confirmed.
    outbox: BTreeSet<String>,
    /// What is to be received and acknowledged.
    awaited: BTreeSet<String>,
}

fn main() -> Outcome {
    let arguments = arguments::Arguments::parse(std::env::args().skip(1))?;
    let texts = ["one", "two", "three"].map(String::from);
    let (outbox, awaited) = (texts.clone().into(), texts.into());
    let mut work = Work { outbox, awaited };
    let cut = connect(&arguments, &mut work, true);
    println!("{cut:?}, not confirmed: {:?}", work.outbox);
    connect(&arguments, &mut work, false)
}

/// One connection, until all is done or, if it is to be cut, until a message has come.
fn connect(arguments: &arguments::Arguments, work: &mut Work, is_cut: bool) -> Outcome {
    let (start, user) = (Instant::now(), arguments.user.as_ref());
    let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
    let options = ConnectOptions {
        host: "/",
        login: user.map(|(name, _)| &**name),
        passcode: user.map(|(_, password)| &**password),
        ..ConnectOptions::default()
    };
    client.connect(start.elapsed(), &options)?;
    // Which message a receipt confirms: receipts are of one connection.
    let mut receipts = BTreeMap::<ReceiptId, String>::new();
    let (queue, plain) = ("/queue/examples.resume", Options::default());
    let mut socket = TcpStream::connect(&arguments.address)?;
    drive(&mut client, &mut socket, start, |client, now, event| {
        match event {
            ClientEvent::Connected(_) => {
                client.subscribe(queue, AckMode::Client, Headers::NONE, plain)?;
                for text in &work.outbox {
                    let body = text.as_bytes();
                    let receipt = client.send(queue, Headers::NONE, body, Options::RECEIPT)?;
                    receipts.extend(receipt.map(|receipt| (receipt, text.clone())));
                }
            }
            ClientEvent::Receipt(receipt) => {
                if let Some(text) = receipts.remove(&receipt) {
                    work.outbox.remove(&text);
                }
            }
            ClientEvent::Message(_) if is_cut => return Err("the line breaks".into()),
            ClientEvent::Message(message) if client.is_open() => {
                let token = message.ack.as_ref().ok_or("a message that needs no ACK")?;
                client.ack(token, Headers::NONE, plain)?;
                let text = String::from_utf8_lossy(message.body());
                println!("received {text}");
                work.awaited.remove(&*text);
            }
            ClientEvent::Error(error) => return Err(format!("{:?}", error.summary).into()),
            _ => {}
        }
        if work.outbox.is_empty() && work.awaited.is_empty() && client.is_open() {
            client.close(now)?;
        }
        Ok(())
    })
}
