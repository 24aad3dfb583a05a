//! A client over WebSocket, as browsers are, with tokio and tungstenite.
//!
//! `stomp_websocket_client ws://HOST:PORT/PATH [1.0|1.1|1.2] [USER PASSWORD]`

mod conversation;

use std::future::pending;
use std::mem::take;

use conversation::{Arguments, Conversation, Outcome};
use futures_util::{SinkExt, StreamExt};
use stomp_codec::connection::ReadBuffer;
use tokio::time::{Instant, sleep_until};
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
    let (mut buffer, mut out) = (ReadBuffer::new(), Vec::new());
    let mut outcome = Ok(());
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

        let next = conversation.client.poll_timeout();
        let late = async {
            match next {
                Some(at) => sleep_until(start + at).await,
                None => pending().await,
            }
        };
        outcome = tokio::select! {
            message = socket.next() => match message.transpose()? {
                None => conversation.client.receive_eof(start.elapsed()).map_err(Into::into),
                Some(message) => {
                    // The contents of the messages are the stream, whatever their kind.
                    match message {
                        Message::Text(text) => buffer.extend_from_slice(text.as_bytes()),
                        Message::Binary(bytes) => buffer.extend_from_slice(&bytes),
                        _ => {}
                    }
                    conversation.receive(start.elapsed(), &mut buffer.input())
                }
            },
            () = late => conversation.client.handle_timeout(start.elapsed()).map_err(Into::into),
        };
    }
}
