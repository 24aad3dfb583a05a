//! One end of a connection at a time, fed with bytes as they are written in the tables.

use std::time::Duration;

use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, ConnectionError, ServerConfig,
    ServerConnection, ServerEvent, Session,
};
use mqtt_codec::{Connect, PacketIdentifier, ProtocolVersion};

use super::bytes;

pub(crate) const V3_1: ProtocolVersion = ProtocolVersion::V3_1;
pub(crate) const V3_1_1: ProtocolVersion = ProtocolVersion::V3_1_1;
pub(crate) const V5_0: ProtocolVersion = ProtocolVersion::V5_0;

pub(crate) const CONNECT_5_0: &str = "10: 0004'MQTT' 05 02 000A 00 0001'c'";
pub(crate) const CONNECT_3_1_1: &str = "10: 0004'MQTT' 04 02 000A 0001'c'";
pub(crate) const CONNECT_3_1: &str = "10: 0006'MQIsdp' 03 02 000A 0001'c'";

pub(crate) fn connect_of(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::V3_1 => CONNECT_3_1,
        ProtocolVersion::V3_1_1 => CONNECT_3_1_1,
        ProtocolVersion::V5_0 => CONNECT_5_0,
    }
}

pub(crate) fn id(value: u16) -> PacketIdentifier {
    PacketIdentifier::new(value).unwrap()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server that has received this CONNECT and is to answer it.
pub(crate) fn asked(connect: &str, config: ServerConfig) -> ServerConnection {
    let mut server = ServerConnection::new(Duration::ZERO, config);
    let connect = bytes(connect);
    assert!(matches!(
        server.receive(Duration::ZERO, &mut &connect[..]),
        Ok(Some(ServerEvent::Connect(_)))
    ));
    server
}

/// A server that has accepted this CONNECT, its CONNACK taken.
pub(crate) fn accepted(connect: &str, config: ServerConfig) -> ServerConnection {
    let mut server = asked(connect, config);
    server
        .accept(Duration::ZERO, &Accept::default(), Session::new())
        .unwrap();
    transmitted(&mut server);
    server
}

/// A server that has accepted a client of this version, its CONNACK taken.
pub(crate) fn server_of(version: ProtocolVersion, config: ServerConfig) -> ServerConnection {
    accepted(connect_of(version), config)
}

pub(crate) fn transmitted(server: &mut ServerConnection) -> Vec<u8> {
    let mut out = Vec::new();
    let length = server.transmit_len();
    assert_eq!(server.poll_transmit(Duration::ZERO, &mut out), length);
    assert_eq!(server.transmit_len(), 0);
    out
}

pub(crate) fn sent(client: &mut ClientConnection) -> Vec<u8> {
    let mut out = Vec::new();
    client.poll_transmit(Duration::ZERO, &mut out);
    out
}

/// The first event of these bytes, as text; then that all of them were taken.
pub(crate) fn event(server: &mut ServerConnection, input: &str) -> Result<String, ConnectionError> {
    let input = bytes(input);
    let mut input = &input[..];
    let event = server.receive(Duration::ZERO, &mut input)?;
    Ok(event.map_or_else(String::new, |event| format!("{event:?}")))
}

/// A client that waits for CONNACK; its CONNECT has been taken.
pub(crate) fn connecting(
    connect: &Connect<'_>,
    config: ClientConfig,
    session: Session,
) -> ClientConnection {
    let mut client = ClientConnection::new(Duration::ZERO, config);
    client.connect(Duration::ZERO, connect, session).unwrap();
    sent(&mut client);
    client
}

/// A client that a server has accepted with this CONNACK; its CONNECT has been taken.
pub(crate) fn client_of(
    connect: &Connect<'_>,
    config: ClientConfig,
    connack: &str,
) -> ClientConnection {
    let mut client = connecting(connect, config, Session::new());
    let connack = bytes(connack);
    assert!(matches!(
        client.receive(Duration::ZERO, &mut &connack[..]),
        Ok(Some(ClientEvent::ConnAck(_)))
    ));
    client
}

pub(crate) fn client_event(
    client: &mut ClientConnection,
    input: &str,
) -> Result<String, ConnectionError> {
    let input = bytes(input);
    let event = client.receive(Duration::ZERO, &mut &input[..])?;
    Ok(event.map_or_else(String::new, |event| format!("{event:?}")))
}
