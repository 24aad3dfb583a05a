//! A STOMP connection of either role, and any bytes from the peer.

use std::time::Duration;

use crate::cut::{Cut, Transcript, assert_the_cut_does_not_matter, feed};
use crate::phrase;
use stomp_codec::Headers;
use stomp_codec::connection::{
    Accept, AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Goodbye, Options,
    ServerConfig, ServerConnection, ServerEvent,
};

const NOW: Duration = Duration::ZERO;

/// Runs one input.
pub fn run(data: &[u8]) {
    let [how, seed, stream @ ..] = data else {
        return;
    };
    let login = match how & 3 {
        0 => Vec::new(),
        1 => phrase::stomp("1.0").login,
        2 => phrase::stomp("1.1").login,
        _ => phrase::stomp("1.2").login,
    };
    // Bodies that are longer come in parts.
    let assembled = match how & 24 {
        0 => usize::MAX,
        more => usize::from(more) - 8,
    };
    if how & 4 == 0 {
        let stream = [&login, stream].concat();
        assert_the_cut_does_not_matter(*seed, |cut| serve(&stream, assembled, cut));
    } else {
        let greeting: &[u8] = match how & 3 {
            0 => b"",
            1 => b"CONNECTED\n\n\0",
            2 => b"CONNECTED\nversion:1.1\n\n\0",
            _ => b"CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0",
        };
        let stream = [greeting, stream].concat();
        assert_the_cut_does_not_matter(*seed, |cut| consume(&stream, assembled, cut));
    }
}

/// The server's side. Every subscriber gets a message at once.
fn serve(stream: &[u8], assembled: usize, cut: Cut) -> Transcript {
    let mut config = ServerConfig::default();
    config.limits.assembled_size = assembled;
    let mut server = ServerConnection::new(NOW, config);
    let mut transcript = Transcript::default();
    transcript.left = feed(stream, cut, |input| {
        loop {
            let event = match server.receive(NOW, input) {
                Ok(Some(event)) => event,
                Ok(None) => return true,
                Err(error) => {
                    assert_eq!(server.receive(NOW, input), Err(error), "errors are sticky");
                    transcript.events.push(format!("{error:?}"));
                    return false;
                }
            };
            if let ServerEvent::Body {
                part, remaining, ..
            } = event
            {
                put_together(&mut transcript, part, remaining == Some(0));
                continue;
            }
            transcript.events.push(format!("{event:?}"));
            let answer = match event {
                ServerEvent::Connect(connect) if connect.login.as_deref() == Some("nobody") => {
                    server.refuse(
                        NOW,
                        &Goodbye {
                            summary: "nobody",
                            ..Goodbye::default()
                        },
                    )
                }
                ServerEvent::Connect(_) => server.accept(NOW, &Accept::default()),
                ServerEvent::Subscribe(subscribe) => {
                    let tag = transcript.events.len() as u64;
                    let headers = [("x", "y")];
                    server.deliver(
                        subscribe.subscription,
                        tag,
                        &subscribe.destination,
                        headers,
                        b"m",
                    )
                }
                ServerEvent::Send(send) => send.receipt.map_or(Ok(()), |id| server.receipt(&id)),
                ServerEvent::Commit { receipt, .. } | ServerEvent::Disconnect { receipt, .. } => {
                    receipt.map_or(Ok(()), |id| server.receipt(&id))
                }
                _ => Ok(()),
            };
            if let Err(error) = answer {
                transcript.events.push(format!("{error:?}"));
            }
        }
    });
    transcript.closed = server.is_closed();
    server.poll_transmit(NOW, &mut transcript.sent);
    assert_eq!(server.transmit_len(), 0);
    transcript
}

/// The client's side. It subscribes as soon as it can, and acknowledges.
fn consume(stream: &[u8], assembled: usize, cut: Cut) -> Transcript {
    let mut config = ClientConfig::default();
    config.limits.assembled_size = assembled;
    let mut client = ClientConnection::new(NOW, config);
    client
        .connect(
            NOW,
            &ConnectOptions {
                host: "/",
                ..ConnectOptions::default()
            },
        )
        .expect("it is the first thing said");
    let mut transcript = Transcript::default();
    transcript.left = feed(stream, cut, |input| {
        loop {
            let event = match client.receive(NOW, input) {
                Ok(Some(event)) => event,
                Ok(None) => return true,
                Err(error) => {
                    assert_eq!(client.receive(NOW, input), Err(error), "errors are sticky");
                    transcript.events.push(format!("{error:?}"));
                    return false;
                }
            };
            if let ClientEvent::Body {
                part, remaining, ..
            } = event
            {
                put_together(&mut transcript, part, remaining == Some(0));
                continue;
            }
            transcript.events.push(format!("{event:?}"));
            let answer = match event {
                ClientEvent::Connected(_) => client
                    .subscribe("/queue/q", AckMode::Client, Headers::NONE, Options::RECEIPT)
                    .map(|_| ()),
                ClientEvent::Message(message) => match message.ack {
                    Some(token) => client
                        .ack(&token, Headers::NONE, Options::default())
                        .map(|_| ()),
                    None => Ok(()),
                },
                _ => Ok(()),
            };
            if let Err(error) = answer {
                transcript.events.push(format!("{error:?}"));
            }
        }
    });
    transcript.closed = client.is_closed();
    client.poll_transmit(NOW, &mut transcript.sent);
    transcript
}

/// A body in parts is the same however it is cut.
fn put_together(transcript: &mut Transcript, part: &[u8], last: bool) {
    assert!(last || !part.is_empty(), "only the last part can be empty");
    let event = transcript.events.last_mut();
    let event = event.expect("the frame came before its body");
    *event += &part.escape_ascii().to_string();
    *event += if last { "." } else { "" };
}
