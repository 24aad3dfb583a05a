//! WebSocket, as browsers have it, with tokio and tungstenite.

use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use stomp_codec::Version;
use stomp_codec::connection::{ClientConnection, ReadBuffer};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};

use crate::runtimes::Act;
use crate::{Outcome, take, wait};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(
    url: &str,
    version: Version,
    mut client: ClientConnection,
    start: Instant,
    mut act: Act,
) -> Outcome {
    let request = ClientRequestBuilder::new(url.parse()?).with_sub_protocol(version.subprotocol());
    let (mut socket, _) = connect_async(request).await?;
    let (mut buffer, mut out, mut outcome) = (ReadBuffer::new(), Vec::new(), Ok(()));
    loop {
        let sent = match client.poll_transmit(start.elapsed(), &mut out) {
            0 => Ok(()),
            _ => socket.send(Message::binary(std::mem::take(&mut out))).await,
        };
        if outcome.is_err() || client.is_closed() {
            // The session is over; the server may have closed its side already.
            socket.close(None).await.ok();
            return outcome;
        }
        sent?;
        let read = match timeout(wait(&client, start.elapsed()), socket.next()).await {
            Ok(None) => Some(0),
            Ok(Some(message)) => match message? {
                // The contents of the messages are the stream, whatever their kind.
                message @ (Message::Text(_) | Message::Binary(_)) => {
                    buffer.extend_from_slice(&message.into_data());
                    None
                }
                _ => None,
            },
            Err(_) => None,
        };
        outcome = take(&mut client, start.elapsed(), &mut buffer, read, &mut act);
    }
}
