//! A client over WebSocket, as browsers are, with tokio and tungstenite. It subscribes,
//! sends to itself with a receipt, receives, acknowledges with a receipt and says goodbye.
//!
//! `stomp_websocket_client ws://HOST:PORT/PATH [1.0|1.1|1.2] [USER PASSWORD]`

use std::error::Error;
use std::future::pending;
use std::mem::take;

use futures_util::{SinkExt, StreamExt};
use stomp_codec::connection::{
    AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options, ReceiptId,
};
use stomp_codec::{Headers, Version};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const QUEUE: &str = "/queue/examples.web-socket";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, version, user) = match arguments[..] {
        [address] => (address, "1.2", None),
        [address, version] => (address, version, None),
        [address, user, password] => (address, "1.2", Some((user, password))),
        [address, version, user, password] => (address, version, Some((user, password))),
        _ => return Err("usage: stomp_websocket_client URL [VERSION] [USER PASSWORD]".into()),
    };
    let version: Version = version
        .parse()
        .map_err(|_| "the version is 1.0, 1.1 or 1.2")?;

    let request =
        ClientRequestBuilder::new(address.parse()?).with_sub_protocol(version.subprotocol());
    let (mut socket, response) = connect_async(request).await?;
    let chosen = response.headers().get("sec-websocket-protocol");
    println!("the sub-protocol is {chosen:?}");

    let start = Instant::now();
    let mut config = ClientConfig::default();
    config.versions = vec![version];
    let mut client = ClientConnection::new(start.elapsed(), config);
    client.connect(
        start.elapsed(),
        &ConnectOptions {
            host: "/",
            login: user.map(|(name, _)| name),
            passcode: user.map(|(_, password)| password),
            ..ConnectOptions::default()
        },
    )?;
    converse(&mut client, &mut socket, start).await?;
    // The session is over; the server may have closed its side already.
    socket.close(None).await.ok();
    Ok(())
}

/// Drives the connection until the protocol is over.
async fn converse(
    client: &mut ClientConnection,
    socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>,
    start: Instant,
) -> Result<(), Box<dyn Error>> {
    let mut round = Round::default();
    let (mut buffer, mut out) = (Vec::new(), Vec::new());
    while !client.is_closed() {
        client.poll_transmit(start.elapsed(), &mut out);
        if !out.is_empty() {
            socket.send(Message::binary(take(&mut out))).await?;
        }

        let timeout = client.poll_timeout();
        tokio::select! {
            message = socket.next() => match message.transpose()? {
                // The contents of the messages are the stream, whatever their kind.
                Some(Message::Text(text)) => buffer.extend_from_slice(text.as_bytes()),
                Some(Message::Binary(bytes)) => buffer.extend_from_slice(&bytes),
                Some(_) => {}
                None => client.receive_eof(start.elapsed())?,
            },
            () = async {
                match timeout {
                    Some(at) => sleep_until(start + at).await,
                    None => pending().await,
                }
            } => client.handle_timeout(start.elapsed())?,
        }

        let mut input = &buffer[..];
        while let Some(event) = client.receive(start.elapsed(), &mut input)? {
            round.answer(client, start.elapsed(), event)?;
        }
        let taken = buffer.len() - input.len();
        buffer.drain(..taken);
    }
    Ok(())
}

/// What is done of the round.
#[derive(Default)]
struct Round {
    subscribed: Option<ReceiptId>,
    sent: Option<ReceiptId>,
    acknowledged: Option<ReceiptId>,
    /// How many of the two last ones have come.
    done: u8,
}

impl Round {
    fn answer(
        &mut self,
        client: &mut ClientConnection,
        now: std::time::Duration,
        event: ClientEvent<'_>,
    ) -> Result<(), Box<dyn Error>> {
        match event {
            ClientEvent::Connected(connected) => {
                println!("connected with STOMP {}", connected.version);
                // 1.0 knows no other mode in which there are ACKs.
                let mode = match connected.version {
                    Version::V1_0 => AckMode::Client,
                    _ => AckMode::ClientIndividual,
                };
                (_, self.subscribed) =
                    client.subscribe(QUEUE, mode, Headers::NONE, Options::RECEIPT)?;
            }
            ClientEvent::Message(message) => {
                let text = String::from_utf8_lossy(message.body());
                println!("received {text} from {}", message.destination);
                let token = message.ack.ok_or("a message that needs no ACK")?;
                self.acknowledged = client.ack(&token, Headers::NONE, Options::RECEIPT)?;
            }
            ClientEvent::Receipt(receipt) => {
                let receipt = Some(receipt);
                if receipt == self.subscribed {
                    println!("subscribed");
                    let headers = [("content-type", "text/plain")];
                    self.sent = client.send(QUEUE, headers, b"21.5", Options::RECEIPT)?;
                } else if receipt == self.sent || receipt == self.acknowledged {
                    self.done += 1;
                    if self.done == 2 {
                        println!("delivered and acknowledged");
                        client.close(now)?;
                    }
                }
            }
            ClientEvent::Error(error) => {
                let message = error.summary.unwrap_or_default();
                let details = String::from_utf8_lossy(error.frame.body());
                return Err(format!("the server says {message}: {details}").into());
            }
            _ => {}
        }
        Ok(())
    }
}
