//! A STOMP connection of either role, and any bytes from the peer.

use std::time::Duration;

use crate::cut::{Cut, Transcript, assert_the_cut_does_not_matter, feed};
use crate::phrase;
use stomp_codec::Headers;
use stomp_codec::connection::{
    Accept, AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Connection,
    Goodbye, Options, Role, SendError, ServerConfig, ServerConnection, ServerEvent,
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
    let server = ServerConnection::new(NOW, config);
    let mut accepted = false;
    drive(server, stream, cut, |server, event, transcript| {
        assert!(
            accepted || matches!(event, ServerEvent::Connect(_)),
            "{event:?} before CONNECT was accepted"
        );
        if let ServerEvent::Body {
            part, remaining, ..
        } = event
        {
            put_together(transcript, part, remaining == Some(0));
            return Ok(());
        }
        transcript.events.push(format!("{event:?}"));
        match event {
            ServerEvent::Connect(connect) if connect.login.as_deref() == Some("nobody") => {
                let summary = "nobody";
                let goodbye = Goodbye {
                    summary,
                    ..Goodbye::default()
                };
                server.refuse(NOW, &goodbye)
            }
            ServerEvent::Connect(_) => {
                accepted = true;
                server.accept(NOW, &Accept::default())
            }
            ServerEvent::Subscribe(subscribe) => {
                let tag = transcript.events.len() as u64;
                let (headers, destination) = ([("x", "y")], &subscribe.destination);
                server.deliver(subscribe.subscription, tag, destination, headers, b"m")
            }
            ServerEvent::Send(send) => send.receipt.map_or(Ok(()), |id| server.receipt(&id)),
            ServerEvent::Commit { receipt, .. } | ServerEvent::Disconnect { receipt, .. } => {
                receipt.map_or(Ok(()), |id| server.receipt(&id))
            }
            _ => Ok(()),
        }
    })
}

/// The client's side. It subscribes as soon as it can, and acknowledges.
fn consume(stream: &[u8], assembled: usize, cut: Cut) -> Transcript {
    let mut config = ClientConfig::default();
    config.limits.assembled_size = assembled;
    let mut client = ClientConnection::new(NOW, config);
    let connect = ConnectOptions {
        host: "/",
        ..ConnectOptions::default()
    };
    let connected = client.connect(NOW, &connect);
    connected.expect("it is the first thing said");
    drive(client, stream, cut, |client, event, transcript| {
        if let ClientEvent::Body {
            part, remaining, ..
        } = event
        {
            put_together(transcript, part, remaining == Some(0));
            return Ok(());
        }
        transcript.events.push(format!("{event:?}"));
        match event {
            ClientEvent::Connected(_) => client
                .subscribe("/queue/q", AckMode::Client, Headers::NONE, Options::RECEIPT)
                .map(drop),
            ClientEvent::Message(message) => match message.ack {
                Some(token) => client
                    .ack(&token, Headers::NONE, Options::default())
                    .map(drop),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    })
}

/// Feeds either end, and has `act` write down what it returns, and answer.
fn drive<R: Role>(
    mut connection: Connection<R>,
    stream: &[u8],
    cut: Cut,
    mut act: impl FnMut(&mut Connection<R>, R::Event<'_>, &mut Transcript) -> Result<(), SendError>,
) -> Transcript {
    let mut transcript = Transcript::default();
    let left = feed(stream, cut, |input| {
        loop {
            match connection.receive(NOW, input) {
                Ok(Some(event)) => {
                    if let Err(error) = act(&mut connection, event, &mut transcript) {
                        transcript.events.push(format!("{error:?}"));
                    }
                }
                Ok(None) => return true,
                Err(error) => {
                    let again = connection.receive(NOW, input).map(drop);
                    assert_eq!(again, Err(error), "errors are sticky");
                    transcript.events.push(format!("{error:?}"));
                    return false;
                }
            }
        }
    });
    transcript.left = left;
    transcript.closed = connection.is_closed();
    connection.poll_transmit(NOW, &mut transcript.sent);
    assert_eq!(connection.transmit_len(), 0);
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
