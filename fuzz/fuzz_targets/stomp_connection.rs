//! A STOMP connection of either role, and any bytes from the peer.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mq_fuzz::{Cut, Transcript, assert_the_cut_does_not_matter, feed, phrase};
use stomp_codec::connection::{
    Accept, AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options,
    ServerConfig, ServerConnection, ServerEvent,
};

const NOW: Duration = Duration::ZERO;

fuzz_target!(|data: &[u8]| {
    let [how, seed, stream @ ..] = data else {
        return;
    };
    let login = match how & 3 {
        0 => Vec::new(),
        1 => phrase::stomp("1.0").login,
        2 => phrase::stomp("1.1").login,
        _ => phrase::stomp("1.2").login,
    };
    if how & 4 == 0 {
        let stream = [&login, stream].concat();
        assert_the_cut_does_not_matter(*seed, |cut| serve(&stream, cut));
    } else {
        let greeting: &[u8] = match how & 3 {
            0 => b"",
            1 => b"CONNECTED\n\n\0",
            2 => b"CONNECTED\nversion:1.1\n\n\0",
            _ => b"CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0",
        };
        let stream = [greeting, stream].concat();
        assert_the_cut_does_not_matter(*seed, |cut| consume(&stream, cut));
    }
});

/// The server's side. Every subscriber gets a message at once.
fn serve(stream: &[u8], cut: Cut) -> Transcript {
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
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
            transcript.events.push(format!("{event:?}"));
            let answer = match event {
                ServerEvent::Connect(connect) if connect.login.as_deref() == Some("nobody") => {
                    server.refuse("nobody", b"")
                }
                ServerEvent::Connect(_) => server.accept(NOW, &Accept::default()),
                ServerEvent::Subscribe(subscribe) => {
                    let tag = transcript.events.len() as u64;
                    let headers = [("x", "y")];
                    server.message(
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
    server.poll_transmit(&mut transcript.sent);
    assert_eq!(server.transmit_len(), 0);
    transcript
}

/// The client's side. It subscribes as soon as it can, and acknowledges.
fn consume(stream: &[u8], cut: Cut) -> Transcript {
    let mut client = ClientConnection::new(NOW, ClientConfig::default());
    client
        .connect(&ConnectOptions {
            host: "/",
            ..ConnectOptions::default()
        })
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
            transcript.events.push(format!("{event:?}"));
            let answer = match event {
                ClientEvent::Connected(_) => client
                    .subscribe("/queue/q", AckMode::Client, [], Options::RECEIPT)
                    .map(|_| ()),
                ClientEvent::Message(message) => match message.ack {
                    Some(token) => client.ack(&token, Options::default()).map(|_| ()),
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
    client.poll_transmit(&mut transcript.sent);
    transcript
}
