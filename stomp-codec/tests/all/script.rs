//! A server application that a client's bytes fully determine, so that whole
//! conversations can be written as bytes and compared.

use std::time::Duration;

use stomp_codec::connection::{
    Accept, Goodbye, HeartBeat, Operation, ServerConfig, ServerConnection, ServerEvent,
};
use stomp_codec::{Command, ConnectionError, Headers, Version};

/// What happened, in words; what was sent; how it ended.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Transcript {
    pub(crate) events: Vec<String>,
    /// As text, CONNECTED left out, NUL as `^@`.
    pub(crate) sent: String,
    pub(crate) error: Option<ConnectionError>,
    pub(crate) closed: bool,
}

pub(crate) struct Application {
    pub(crate) server: ServerConnection,
    pub(crate) transcript: Transcript,
    /// All that was sent and not taken, and all without CONNECTED.
    raw: Vec<u8>,
    out: Vec<u8>,
    messages: u64,
    /// A SEND whose body comes in parts.
    partial: Option<Partial>,
}

struct Partial {
    /// What the event of the whole SEND says before the body.
    head: String,
    destination: String,
    receipt: Option<String>,
    body: Vec<u8>,
}

impl Application {
    pub(crate) fn new(config: ServerConfig) -> Self {
        Self {
            server: ServerConnection::new(Duration::ZERO, config),
            transcript: Transcript::default(),
            raw: Vec::new(),
            out: Vec::new(),
            messages: 0,
            partial: None,
        }
    }

    /// Gives `input` to the server and acts on all events. Gives what is left.
    pub(crate) fn receive<'a>(&mut self, now: Duration, mut input: &'a [u8]) -> &'a [u8] {
        loop {
            match self.server.receive(now, &mut input) {
                Ok(None) => break,
                Ok(Some(event)) => self.act(now, event),
                Err(error) => {
                    self.transcript.error = Some(error);
                    break;
                }
            }
        }
        let start = self.out.len();
        self.server.poll_transmit(now, &mut self.out);
        self.raw.extend_from_slice(&self.out[start..]);
        self.transcript.sent = String::from_utf8_lossy(&self.out).replace('\0', "^@");
        self.transcript.closed = self.server.is_closed();
        input
    }

    /// Takes the bytes that were sent.
    pub(crate) fn take_sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.raw)
    }

    /// Accepts all but the login `nobody`; sends as many messages to a
    /// subscription as its header `send` says, numbered from 1 over all, each
    /// with a body as long as the header `size` says; gives
    /// receipts at once; answers a SEND to `/error` with ERROR.
    fn act(&mut self, now: Duration, event: ServerEvent<'_>) {
        let server = &mut self.server;
        let (text, receipt) = match event {
            ServerEvent::Connect(connect) => {
                let text = format!(
                    "connect {} host={} login={} passcode={} heart-beat={}",
                    connect.version,
                    connect.host.as_deref().unwrap_or("-"),
                    connect.login.as_deref().unwrap_or("-"),
                    connect.passcode.as_deref().unwrap_or("-"),
                    connect.heart_beat,
                );
                if connect.login.as_deref() == Some("nobody") {
                    let goodbye = Goodbye {
                        summary: "Access refused",
                        body: b"Who: nobody",
                        ..Goodbye::default()
                    };
                    server.refuse(now, &goodbye).unwrap();
                } else {
                    server.accept(now, &Accept::default()).unwrap();
                    server.poll_transmit(now, &mut self.raw);
                }
                (text, None)
            }
            ServerEvent::Send(send) => {
                assert!(self.partial.is_none(), "the last part of the one before");
                let headers: Vec<_> = send
                    .user_headers()
                    .map(|h| format!("{}={}", h.name, h.value))
                    .collect();
                let partial = Partial {
                    head: format!("send {} [{}] ", send.destination, headers.join(" ")),
                    destination: send.destination.to_string(),
                    receipt: send.receipt.as_deref().map(String::from),
                    body: send.body().to_vec(),
                };
                if send.is_whole() {
                    return self.act_on_send(partial);
                }
                assert_eq!(partial.body, b"");
                self.partial = Some(partial);
                return;
            }
            ServerEvent::Body {
                part, remaining, ..
            } => {
                assert!(
                    remaining == Some(0) || !part.is_empty(),
                    "only the last part can be empty"
                );
                let mut partial = self.partial.take().expect("its SEND came before");
                partial.body.extend_from_slice(part);
                if remaining == Some(0) {
                    return self.act_on_send(partial);
                }
                self.partial = Some(partial);
                return;
            }
            ServerEvent::Subscribe(subscribe) => {
                let count = subscribe.frame.header("send");
                let count = count.map_or(0, |count| count.parse().unwrap());
                let size = subscribe.frame.header("size");
                let body = vec![b'm'; size.map_or(0, |size| size.parse().unwrap())];
                for _ in 0..count {
                    self.messages += 1;
                    let destination = &subscribe.destination;
                    server
                        .deliver(
                            subscribe.subscription,
                            self.messages,
                            destination,
                            Headers::NONE,
                            &body,
                        )
                        .unwrap();
                }
                let text = format!(
                    "subscribe {} id={} {} {}",
                    subscribe.subscription.get(),
                    subscribe.id.as_deref().unwrap_or("-"),
                    subscribe.destination,
                    subscribe.ack.as_str(),
                );
                (text, subscribe.receipt)
            }
            ServerEvent::Unsubscribe {
                subscription,
                unacknowledged,
                receipt,
                ..
            } => {
                let text = format!("unsubscribe {} {unacknowledged:?}", subscription.get());
                (text, receipt)
            }
            ServerEvent::Ack(ack) => {
                let text = format!("ack {} {:?}", ack.subscription.get(), ack.deliveries);
                (text, ack.receipt)
            }
            ServerEvent::Nack(ack) => {
                let text = format!("nack {} {:?}", ack.subscription.get(), ack.deliveries);
                (text, ack.receipt)
            }
            ServerEvent::Commit {
                transaction,
                operations,
                receipt,
                ..
            } => {
                let operations: Vec<_> = operations.iter().map(operation).collect();
                (
                    format!("commit {transaction} ({})", operations.join("; ")),
                    receipt,
                )
            }
            ServerEvent::Disconnect {
                unacknowledged,
                receipt,
                ..
            } => {
                let left: Vec<_> = unacknowledged.iter().map(|(s, m)| (s.get(), *m)).collect();
                (format!("disconnect {left:?}"), receipt)
            }
            _ => panic!("an event that the test does not know"),
        };
        self.transcript.events.push(text);
        if let Some(receipt) = receipt {
            self.server.receipt(&receipt).unwrap();
        }
    }

    /// The same however the body came.
    fn act_on_send(&mut self, send: Partial) {
        let text = send.head + &String::from_utf8_lossy(&send.body);
        self.transcript.events.push(text);
        let server = &mut self.server;
        match send.receipt {
            receipt if send.destination == "/error" => {
                let goodbye = Goodbye {
                    receipt: receipt.as_deref(),
                    summary: "No such place",
                    ..Goodbye::default()
                };
                server.close(Duration::ZERO, &goodbye).unwrap();
            }
            Some(receipt) => server.receipt(&receipt).unwrap(),
            None => {}
        }
    }
}

fn operation(operation: &Operation) -> String {
    match operation {
        Operation::Send(send) => {
            let send = send.as_send();
            let body = String::from_utf8_lossy(send.body()).into_owned();
            format!("send {} {body}", send.destination)
        }
        Operation::Ack { deliveries, .. } => format!("ack {deliveries:?}"),
        Operation::Nack { deliveries, .. } => format!("nack {deliveries:?}"),
        _ => panic!("an operation that the test does not know"),
    }
}

/// A whole conversation, in one piece.
pub(crate) fn converse(config: ServerConfig, input: &[u8]) -> Transcript {
    let mut application = Application::new(config);
    application.receive(Duration::ZERO, input);
    application.transcript
}

/// The same conversation with the bytes cut into these pieces.
pub(crate) fn converse_in_pieces(config: ServerConfig, input: &[u8], cuts: &[usize]) -> Transcript {
    let mut application = Application::new(config);
    let mut kept = Vec::new();
    let mut rest = input;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
        rest = tail;
        kept.extend_from_slice(piece);
        let left = application.receive(Duration::ZERO, &kept).len();
        kept.drain(..kept.len() - left);
        if application.transcript.error.is_some() {
            break;
        }
    }
    application.transcript
}

/// No heart-beats, and limits that are easily reached.
pub(crate) fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.heart_beat = HeartBeat::NONE;
    config.limits.subscriptions = 3;
    config.limits.transactions = 2;
    config.limits.transaction_operations = 4;
    config.limits.transaction_bytes = 200;
    config
}

pub(crate) fn missing(command: Command, header: &'static str) -> Option<ConnectionError> {
    Some(ConnectionError::MissingHeader { command, header })
}

pub(crate) fn invalid(command: Command, header: &'static str) -> Option<ConnectionError> {
    Some(ConnectionError::InvalidHeader { command, header })
}

/// The error that layer 1 gives for the same bytes.
pub(crate) fn decode_error(
    input: &str,
    offset: usize,
    version: Version,
) -> Option<ConnectionError> {
    let limits = stomp_codec::Limits::default();
    let error = stomp_codec::decode(input.as_bytes(), version, &limits).unwrap_err();
    assert_eq!(error.offset, offset);
    Some(ConnectionError::Decode(error))
}
