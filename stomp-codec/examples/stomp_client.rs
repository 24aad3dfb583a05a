//! A client that subscribes, sends to itself with a receipt, receives, acknowledges with a
//! receipt, and says goodbye. What it says stands here, and how bytes come and go in `runtimes`.
//!
//! `stomp_client std|tokio|smol|mio|arrays HOST:PORT [1.0|1.1|1.2] [USER PASSWORD]`, and
//! `stomp_client websocket ws://HOST:PORT/PATH [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

#[path = "../../docs/runtimes/mod.rs"]
mod runtimes;
mod websocket;

use stomp_codec::connection::*;
use stomp_codec::{Headers, Version};

include!("../src/drive-loop.rs");

fn main() -> Outcome {
    let arguments = runtimes::Arguments::parse()?;
    let version = arguments.version.as_deref().unwrap_or("1.2").parse()?;
    let start = Instant::now();
    let config = ClientConfig::default().with_versions([version]);
    let mut client = ClientConnection::new(start.elapsed(), config);
    let mut connect = ConnectOptions::new("/");
    if let Some((login, passcode)) = &arguments.user {
        connect = connect.with_login(login).with_passcode(passcode);
    }
    client.connect(start.elapsed(), &connect)?;
    // A queue of this client alone.
    let conversation = conversation(format!("/queue/examples.{}", arguments.runtime));
    match &*arguments.runtime {
        "websocket" => websocket::run(&arguments.address, version, client, start, conversation),
        _ => runtimes::run(&arguments, client, start, conversation),
    }
}

fn conversation(queue: String) -> runtimes::Act {
    let (mut subscribed, mut awaited, mut done) = (None, Vec::new(), 0);
    Box::new(move |client, now, event| {
        match event {
            ClientEvent::Connected(connected) => {
                println!("connected with STOMP {}", connected.version);
                // 1.0 knows no other mode in which there are ACKs.
                let mode = match connected.version {
                    Version::V1_0 => AckMode::Client,
                    _ => AckMode::ClientIndividual,
                };
                (_, subscribed) =
                    client.subscribe(&queue, mode, Headers::NONE, Options::RECEIPT)?;
            }
            ClientEvent::Receipt(receipt) if subscribed == Some(receipt) => {
                let headers = [("content-type", "text/plain")];
                awaited.push(client.send(&queue, headers, b"21.5", Options::RECEIPT)?);
            }
            ClientEvent::Message(message) => {
                let text = String::from_utf8_lossy(message.body());
                println!("received {text} from {}", message.destination);
                let token = message.ack.ok_or("a message that needs no ACK")?;
                awaited.push(client.ack(&token, Headers::NONE, Options::RECEIPT)?);
            }
            // One for the message, and one for its acknowledgement, in whatever order.
            ClientEvent::Receipt(receipt) if awaited.contains(&Some(receipt)) => {
                done += 1;
                if done == 2 {
                    client.close(now)?;
                }
            }
            ClientEvent::Error(error) => {
                let summary = error.summary.unwrap_or_default();
                let details = String::from_utf8_lossy(error.frame.body());
                return Err(format!("the server says {summary}: {details}").into());
            }
            _ => {}
        }
        Ok(())
    })
}
