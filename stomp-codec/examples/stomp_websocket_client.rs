//! A client over WebSocket, as browsers are, with tokio and tungstenite.
//!
//! `stomp_websocket_client ws://HOST:PORT/PATH [1.0|1.1|1.2] [USER PASSWORD]`
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

mod conversation;

use std::mem::take;

use conversation::{Arguments, Conversation, Outcome, wait};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments = Arguments::read()?;
    let request = ClientRequestBuilder::new(arguments.address.parse()?)
        .with_sub_protocol(arguments.version.subprotocol());
    let (mut socket, response) = connect_async(request).await?;
    let chosen = response.headers().get("sec-websocket-protocol");
    println!("the sub-protocol is {chosen:?}");

    let start = Instant::now();
    let mut conversation = Conversation::begin(start.elapsed(), &arguments, "web-socket")?;
    let (mut out, mut outcome) = (Vec::new(), Ok(()));
    loop {
        // After an error too: the goodbye is still to be sent.
        conversation.client.poll_transmit(start.elapsed(), &mut out);
        let sent = match out.is_empty() {
            true => Ok(()),
            false => socket.send(Message::binary(take(&mut out))).await,
        };
        if outcome.is_err() || conversation.client.is_closed() {
            // The session is over; the server may have closed its side already.
            socket.close(None).await.ok();
            return outcome;
        }
        sent?;
        let wait = wait(&conversation.client, start.elapsed());
        let read = match timeout(wait, socket.next()).await {
            Ok(None) => Some(0),
            // The contents of the messages are the stream, whatever their kind.
            Ok(Some(message)) => match message? {
                message @ (Message::Text(_) | Message::Binary(_)) => {
                    conversation.buffer.extend_from_slice(&message.into_data());
                    None
                }
                _ => None,
            },
            Err(_) => None,
        };
        outcome = conversation.take(start.elapsed(), read);
    }
}
