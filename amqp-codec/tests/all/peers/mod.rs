//! Connections that have come as far as a test wants them, and frames by hand.

use core::time::Duration;

use amqp_codec::connection::Capabilities;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, ConnectionError, ServerConfig, ServerConnection,
    ServerEvent,
};
use amqp_codec::method::{Method, Secret, basic, channel, connection};
use amqp_codec::{Frame, Limits, ProtocolHeader, TableBuf, decode};

pub(crate) use amqp_codec::connection::{Mandatory, Redelivered, Requeue, Tags};
pub(crate) use amqp_codec::method::confirm;

pub(crate) const NOW: Duration = Duration::from_secs(1000);

/// The bytes of a method frame.
pub(crate) fn method<'a>(channel: u16, method: impl Into<Method<'a>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let frame = Frame::Method {
        channel,
        method: method.into(),
    };
    frame.encode(&mut bytes).unwrap();
    bytes
}

/// The bytes of any frame, well-formed or not.
pub(crate) fn frame(frame_type: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![frame_type];
    bytes.extend(channel.to_be_bytes());
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(payload);
    bytes.push(0xCE);
    bytes
}

/// A content header frame without properties.
pub(crate) fn header(channel: u16, body_size: u64) -> Vec<u8> {
    let mut payload = b"\x00\x3c\x00\x00".to_vec();
    payload.extend(body_size.to_be_bytes());
    payload.extend([0, 0]);
    frame(2, channel, &payload)
}

pub(crate) fn body(channel: u16, payload: &[u8]) -> Vec<u8> {
    frame(3, channel, payload)
}

/// A publish to the queue "q", without header and body.
pub(crate) fn publish(channel: u16) -> Vec<u8> {
    method(
        channel,
        basic::Publish {
            routing_key: "q",
            ..Default::default()
        },
    )
}

/// An ack on channel 1.
pub(crate) fn ack(delivery_tag: u64, multiple: bool) -> Vec<u8> {
    method(
        1,
        basic::Ack {
            delivery_tag,
            multiple,
        },
    )
}

pub(crate) fn start(mechanisms: &[u8]) -> Vec<u8> {
    method(
        0,
        connection::Start {
            version_minor: 9,
            mechanisms,
            locales: b"en_US",
            ..Default::default()
        },
    )
}

pub(crate) fn tune(channel_max: u16, frame_max: u32, heartbeat: u16) -> Vec<u8> {
    method(
        0,
        connection::Tune {
            channel_max,
            frame_max,
            heartbeat,
        },
    )
}

pub(crate) fn start_ok(capabilities: Capabilities) -> Vec<u8> {
    let mut properties = TableBuf::new();
    properties
        .insert("capabilities", &capabilities.to_table())
        .unwrap();
    method(
        0,
        connection::StartOk {
            client_properties: properties.as_table(),
            mechanism: "PLAIN",
            response: Secret(b"\0guest\0guest"),
            locale: "en_US",
        },
    )
}

pub(crate) fn tune_ok(channel_max: u16, frame_max: u32, heartbeat: u16) -> Vec<u8> {
    method(
        0,
        connection::TuneOk {
            channel_max,
            frame_max,
            heartbeat,
        },
    )
}

pub(crate) fn open() -> Vec<u8> {
    method(0, connection::Open { virtual_host: "/" })
}

/// What a client sends up to an open virtual host.
pub(crate) fn client_handshake(frame_max: u32, heartbeat: u16) -> Vec<u8> {
    [
        ProtocolHeader::AMQP_0_9_1.to_bytes().to_vec(),
        start_ok(Capabilities::ALL),
        tune_ok(2047, frame_max, heartbeat),
        open(),
    ]
    .concat()
}

/// What a server sends up to an open virtual host.
pub(crate) fn server_handshake(frame_max: u32, heartbeat: u16) -> Vec<u8> {
    let mut properties = TableBuf::new();
    properties
        .insert("capabilities", &Capabilities::ALL.to_table())
        .unwrap();
    [
        method(
            0,
            connection::Start {
                version_major: 0,
                version_minor: 9,
                server_properties: properties.as_table(),
                mechanisms: b"AMQPLAIN PLAIN",
                locales: b"en_US",
            },
        ),
        method(
            0,
            connection::Tune {
                channel_max: 2047,
                frame_max,
                heartbeat,
            },
        ),
        method(0, connection::OpenOk {}),
    ]
    .concat()
}

pub(crate) fn server_config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.limits = Limits::default().with_body_size(20_000);
    config
}

/// Gives the server these bytes and lets everybody in. What it made of them.
pub(crate) fn feed_server<'a>(
    server: &mut ServerConnection,
    now: Duration,
    mut input: &'a [u8],
) -> Result<Vec<ServerEvent<'a>>, ConnectionError> {
    let mut events = Vec::new();
    while let Some(event) = server.receive(now, &mut input)? {
        match &event {
            ServerEvent::Authenticate { .. } | ServerEvent::Secure { .. } => {
                server.accept(NOW).unwrap();
            }
            ServerEvent::Open { .. } => server.open_ok(NOW).unwrap(),
            _ => {}
        }
        events.push(event);
    }
    assert!(input.is_empty(), "left over: {input:?}");
    Ok(events)
}

/// Gives the client these bytes. What it made of them.
pub(crate) fn feed_client<'a>(
    client: &mut ClientConnection,
    now: Duration,
    mut input: &'a [u8],
) -> Result<Vec<ClientEvent<'a>>, ConnectionError> {
    let mut events = Vec::new();
    while let Some(event) = client.receive(now, &mut input)? {
        events.push(event);
    }
    assert!(input.is_empty(), "left over: {input:?}");
    Ok(events)
}

/// A server with an open virtual host, channel 1 open, nothing to transmit.
pub(crate) fn open_server(
    config: ServerConfig,
    frame_max: u32,
    heartbeat: u16,
) -> ServerConnection {
    let mut server = ServerConnection::new(NOW, config);
    feed_server(&mut server, NOW, &client_handshake(frame_max, heartbeat)).unwrap();
    feed_server(&mut server, NOW, &method(1, channel::Open {})).unwrap();
    assert!(server.is_open());
    server.poll_transmit(NOW, &mut Vec::new());
    server
}

/// A client with an open virtual host, channel 1 open, nothing to transmit.
pub(crate) fn open_client(
    config: ClientConfig,
    frame_max: u32,
    heartbeat: u16,
) -> ClientConnection {
    let mut client = ClientConnection::new(NOW, config);
    feed_client(&mut client, NOW, &server_handshake(frame_max, heartbeat)).unwrap();
    assert_eq!(client.open_channel(), Ok(1));
    feed_client(&mut client, NOW, &method(1, channel::OpenOk {})).unwrap();
    assert!(client.is_open());
    client.poll_transmit(NOW, &mut Vec::new());
    client
}

/// What a side transmits, as a log shows it, one frame an element.
pub(crate) fn shown(bytes: &[u8]) -> Vec<String> {
    let limits = Limits::default();
    let mut rest = bytes;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (frame, len) = decode(rest, &limits).unwrap().unwrap();
        frames.push(match frame {
            Frame::Method { channel, method } => format!("{channel} {method}"),
            Frame::Header { channel, header } => format!("{channel} header {}", header.body_size),
            Frame::Body { channel, payload } => format!("{channel} body {}", payload.len()),
            Frame::Heartbeat => "heartbeat".into(),
            other => format!("{other:?}"),
        });
        rest = &rest[len..];
    }
    frames
}

/// All that waits to be transmitted, as [`shown`].
macro_rules! transmitted {
    ($connection:expr) => {
        transmitted!($connection, NOW)
    };
    ($connection:expr, $now:expr) => {{
        let mut bytes = Vec::new();
        let pending = $connection.transmit_len();
        assert_eq!($connection.poll_transmit($now, &mut bytes), pending);
        assert_eq!(($connection.transmit_len(), bytes.len()), (0, pending));
        crate::peers::shown(&bytes)
    }};
}
pub(crate) use transmitted;

/// What has a pattern, and perhaps a condition on what the pattern binds. Events can only
/// be matched: more fields may come to them.
macro_rules! assert_matches {
    ($value:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {
        match $value {
            $pattern $(if $guard)? => {}
            other => panic!("{other:?}"),
        }
    };
}
pub(crate) use assert_matches;
