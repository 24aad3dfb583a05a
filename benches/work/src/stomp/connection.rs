//! The work of a connection for each message: bytes in, event, answer, bytes out.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use stomp_codec::connection::{
    Accept, AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options,
    ServerConfig, ServerConnection, ServerEvent, Subscription,
};

use stomp_codec::Headers;

use super::HEADERS;

const NOW: Duration = Duration::ZERO;
/// Messages in a run.
pub const MESSAGES: usize = 16;

/// A client with a subscription, and messages for it.
pub struct Client {
    client: ClientConnection,
    messages: Vec<u8>,
    out: BytesMut,
}

impl Client {
    pub fn new(size: usize) -> Self {
        let mut client = ClientConnection::new(NOW, ClientConfig::default());
        client
            .connect(NOW, &ConnectOptions::default())
            .expect("the first");
        let mut input = &b"CONNECTED\nversion:1.2\n\n\0"[..];
        client.receive(NOW, &mut input).expect("legal");
        client
            .subscribe(
                "/queue/a",
                AckMode::Client,
                Headers::NONE,
                Options::default(),
            )
            .expect("connected");
        let mut out = BytesMut::with_capacity(1 << 17);
        client.poll_transmit(NOW, &mut out);
        let mut server = Server::new(size);
        server.send_all();
        Client {
            client,
            messages: server.out.to_vec(),
            out,
        }
    }

    /// Takes all messages, acknowledges each, and gives the bytes for the socket.
    pub fn acknowledge_all(&mut self) {
        let mut input = black_box(&self.messages[..]);
        let mut count = 0;
        while let Some(event) = self.client.receive(NOW, &mut input).expect("legal") {
            if let ClientEvent::Message(message) = event {
                black_box(message.body());
                let ack = message.ack.expect("the mode is client");
                self.client
                    .ack(&ack, Headers::NONE, Options::default())
                    .expect("open");
                count += 1;
            }
        }
        assert_eq!(count, MESSAGES);
        self.out.clear();
        self.client.poll_transmit(NOW, &mut self.out);
        black_box(&self.out[..]);
    }
}

/// A server with a subscription, and messages that come to it.
pub struct Server {
    server: ServerConnection,
    subscription: Subscription,
    messages: Vec<u8>,
    acks: Vec<u8>,
    body: Vec<u8>,
    out: BytesMut,
}

impl Server {
    pub fn new(size: usize) -> Self {
        let mut server = open(ServerConfig::default());
        let mut input = &b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n\n\0"[..];
        let Ok(Some(ServerEvent::Subscribe(subscribe))) = server.receive(NOW, &mut input) else {
            panic!("it is a SUBSCRIBE");
        };
        let subscription = subscribe.subscription;

        let mut client = ClientConnection::new(NOW, ClientConfig::default());
        client
            .connect(NOW, &ConnectOptions::default())
            .expect("the first");
        let mut input = &b"CONNECTED\nversion:1.2\n\n\0"[..];
        client.receive(NOW, &mut input).expect("legal");
        client.poll_transmit(NOW, &mut Vec::new());
        let body = vec![b'x'; size];
        for _ in 0..MESSAGES {
            let headers = HEADERS[3..].iter().copied();
            client
                .send("/queue/a", headers, &body, Options::RECEIPT)
                .expect("open");
        }
        let mut messages = Vec::new();
        client.poll_transmit(NOW, &mut messages);
        Server {
            server,
            subscription,
            messages,
            acks: Vec::new(),
            body,
            out: BytesMut::with_capacity(1 << 17),
        }
    }

    /// Takes all messages, gives a receipt for each, and the bytes for the socket.
    pub fn receive_all(&mut self) {
        let mut input = black_box(&self.messages[..]);
        let mut count = 0;
        while let Some(event) = self.server.receive(NOW, &mut input).expect("legal") {
            if let ServerEvent::Send(send) = event {
                black_box(send.body());
                let receipt = send.receipt.expect("all ask for one");
                self.server.receipt(&receipt).expect("open");
                count += 1;
            }
        }
        assert_eq!(count, MESSAGES);
        self.out.clear();
        self.server.poll_transmit(NOW, &mut self.out);
        black_box(&self.out[..]);
    }

    /// Sends messages to the subscription, gives the bytes for the socket, and takes one
    /// ACK for all of them.
    pub fn send_all(&mut self) {
        for number in 0..MESSAGES {
            let headers = HEADERS[3..].iter().copied();
            self.server
                .deliver(
                    self.subscription,
                    number as u64,
                    "/queue/a",
                    headers,
                    &self.body,
                )
                .expect("open");
        }
        self.out.clear();
        self.server.poll_transmit(NOW, &mut self.out);
        let last = memchr::memmem::rfind(&self.out, b"\nack:").expect("the mode is client");
        let id = self.out[last + 5..].split(|&byte| byte == b'\n').next();
        self.acks.clear();
        self.acks.extend_from_slice(b"ACK\nid:");
        self.acks.extend_from_slice(id.unwrap_or_default());
        self.acks.extend_from_slice(b"\n\n\0");
        let mut input = &self.acks[..];
        let Ok(Some(ServerEvent::Ack(ack))) = self.server.receive(NOW, &mut input) else {
            panic!("it is an ACK");
        };
        assert_eq!(ack.deliveries.len(), MESSAGES);
    }
}

fn open(config: ServerConfig) -> ServerConnection {
    let mut server = ServerConnection::new(NOW, config);
    let mut input = &b"CONNECT\naccept-version:1.2\nhost:h\n\n\0"[..];
    server.receive(NOW, &mut input).expect("legal");
    server.accept(NOW, &Accept::default()).expect("asked for");
    server.poll_transmit(NOW, &mut Vec::new());
    server
}

/// A server that takes long bodies in parts.
pub fn upload() -> ServerConnection {
    let mut config = ServerConfig::default();
    config.limits.assembled_size = 16 << 10;
    open(config)
}

/// Gives the server a frame in reads of one TCP segment, as from a socket; tells how long
/// its body is.
pub fn receive_in_reads(server: &mut ServerConnection, stream: &[u8]) -> usize {
    let mut buffer = BytesMut::with_capacity(32 << 10);
    let mut length = 0;
    for read in stream.chunks(1460) {
        buffer.extend_from_slice(read);
        let mut input = &buffer[..];
        while let Some(event) = server.receive(NOW, &mut input).expect("legal") {
            if let ServerEvent::Body { part, .. } = event {
                length += black_box(part).len();
            }
        }
        let taken = buffer.len() - input.len();
        buffer.advance(taken);
    }
    length
}
