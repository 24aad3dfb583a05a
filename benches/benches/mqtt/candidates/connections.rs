//! Whole connections, both roles, ours and those of mqtt-protocol-core: messages with
//! QoS 1 and 64 B of payload come in and are acknowledged, or go out and are settled, from
//! bytes to bytes.
//!
//! Ours keep what is not acknowledged, to send it again on the next connection; those of
//! mqtt-protocol-core do so only for a session that outlives the connection, which theirs
//! here do not.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use benches::{Column, Group};
use bytes::Bytes;
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, Message, Role, ServerConfig,
    ServerConnection, ServerEvent, Session,
};
use mqtt_codec::{
    ConnAck, Connect, Packet, PacketIdentifier, Properties, PropertiesBuilder, ProtocolVersion,
    Publish, QoS, ReasonCode,
};
use mqtt_protocol_core::mqtt;
use mqtt_protocol_core::mqtt::connection::Event;
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, v3_1_1, v5_0};

use super::packets::{TOPIC_NAME, USER_PROPERTIES, add_user_properties, publish};

static PAYLOAD: [u8; 64] = [b'x'; 64];

/// One end of a connection that is established, and speaks this version.
trait Connection: 'static {
    const NAME: &'static str;
    /// What a user keeps a payload in, to send it with the least work.
    type Payload: From<&'static [u8]> + 'static;

    fn established(version: ProtocolVersion) -> Self;
    /// Takes the packets in `input`, each message and each acknowledgement with `event`,
    /// and acknowledges the messages.
    fn receive(&mut self, input: &[u8], output: &mut Vec<u8>, event: impl FnMut());
    /// Sends a message, made of its parts; its packet identifier.
    fn publish(
        &mut self,
        version: ProtocolVersion,
        payload: &Self::Payload,
        output: &mut Vec<u8>,
    ) -> u16;
    /// Appends what is to be sent and is not in `output` yet.
    fn transmit(&mut self, output: &mut Vec<u8>);
}

pub(crate) fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for count in [100, 1] {
        let mut receiving = Group::new(format!("mqtt/connection receives, {count} at a time"));
        let mut sending = Group::new(format!("mqtt/connection sends, {count} at a time"));
        for (version, name) in [
            (ProtocolVersion::V3_1_1, "3.1.1"),
            (ProtocolVersion::V5_0, "5.0"),
        ] {
            let column = receiving.column(format!("client, {name}"), count.into());
            receive::<ClientConnection>(column, version, count);
            receive::<mqtt::Connection<mqtt::role::Client>>(column, version, count);
            let column = receiving.column(format!("server, {name}"), count.into());
            receive::<ServerConnection>(column, version, count);
            receive::<mqtt::Connection<mqtt::role::Server>>(column, version, count);

            let column = sending.column(format!("client, {name}"), count.into());
            send::<ClientConnection>(column, version, count);
            send::<mqtt::Connection<mqtt::role::Client>>(column, version, count);
            let column = sending.column(format!("server, {name}"), count.into());
            send::<ServerConnection>(column, version, count);
            send::<mqtt::Connection<mqtt::role::Server>>(column, version, count);
        }
        groups.extend([receiving, sending]);
    }
    groups
}

/// `count` messages from one buffer, and their acknowledgements into one.
fn receive<C: Connection>(column: &mut Column, version: ProtocolVersion, count: u16) {
    let (mut input, mut expected) = (Vec::new(), Vec::new());
    for identifier in 1..=count {
        let publish = Publish {
            packet_identifier: PacketIdentifier::new(identifier),
            ..publish(version, &PAYLOAD)
        };
        input.extend(encoded(&Packet::Publish(publish), version));
        expected.extend(puback(identifier));
    }
    let mut connection = C::established(version);
    let mut output = Vec::new();

    let mut turn = move || {
        output.clear();
        let mut events = 0;
        connection.receive(black_box(&input), &mut output, || events += 1);
        connection.transmit(&mut output);
        (events, black_box(&output).len())
    };
    assert_eq!(turn(), (count, expected.len()), "{}", C::NAME);
    column.add(C::NAME, turn);
}

/// `count` messages into one buffer, and their acknowledgements from one.
fn send<C: Connection>(column: &mut Column, version: ProtocolVersion, count: u16) {
    let payload = C::Payload::from(&PAYLOAD);
    let mut connection = C::established(version);
    let (mut output, mut input) = (Vec::new(), Vec::new());

    let mut turn = move || {
        output.clear();
        input.clear();
        for _ in 0..count {
            let identifier = connection.publish(version, black_box(&payload), &mut output);
            input.extend(puback(identifier));
        }
        connection.transmit(&mut output);
        let sent = black_box(&output).len();
        let mut events = 0;
        connection.receive(black_box(&input), &mut output, || events += 1);
        (events, sent)
    };
    let length = encoded(&Packet::Publish(publish(version, &PAYLOAD)), version).len();
    assert_eq!(turn(), (count, length * usize::from(count)), "{}", C::NAME);
    column.add(C::NAME, turn);
}

/// The shortest, in any version.
fn puback(identifier: u16) -> [u8; 4] {
    let [high, low] = identifier.to_be_bytes();
    [0x40, 2, high, low]
}

fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).expect("legal");
    bytes
}

fn connect(version: ProtocolVersion) -> Connect<'static> {
    Connect {
        keep_alive: 60,
        ..Connect::clean(version, "thermometer-0017".try_into().expect("legal"))
    }
}

/// Sends the message, made of its parts.
fn publish_parts<R: Role>(
    connection: &mut mqtt_codec::connection::Connection<R>,
    version: ProtocolVersion,
    payload: &Bytes,
) -> u16 {
    let mut message = Message::new(TOPIC_NAME, payload, QoS::AtLeastOnce);
    let mut properties = PropertiesBuilder::new();
    if version == ProtocolVersion::V5_0 {
        add_user_properties(&mut properties);
        message.properties = properties.as_properties();
    }
    let identifier = connection.publish(&message).expect("it may be sent");
    identifier.expect("QoS 1 has one").get()
}

const NOW: Duration = Duration::ZERO;

impl Connection for ClientConnection {
    const NAME: &'static str = "mqtt-codec";
    type Payload = Bytes;

    fn established(version: ProtocolVersion) -> Self {
        let mut config = ClientConfig::default();
        config.maximum_in_flight = u16::MAX;
        let mut client = Self::new(NOW, config);
        client
            .connect(NOW, &connect(version), Session::new())
            .expect("legal");
        client.poll_transmit(NOW, &mut Vec::new());
        let connack = encoded(&Packet::ConnAck(ConnAck::new(ReasonCode::Success)), version);
        client.receive(NOW, &mut &connack[..]).expect("legal");
        client
    }

    fn receive(&mut self, mut input: &[u8], _: &mut Vec<u8>, mut event: impl FnMut()) {
        while let Some(it) = self.receive(NOW, &mut input).expect("legal") {
            if let ClientEvent::Publish(_) | ClientEvent::PubAck(_) = black_box(&it) {
                event();
            }
        }
        black_box(self.poll_timeout());
    }

    fn publish(&mut self, version: ProtocolVersion, payload: &Bytes, _: &mut Vec<u8>) -> u16 {
        publish_parts(self, version, payload)
    }

    fn transmit(&mut self, output: &mut Vec<u8>) {
        self.poll_transmit(NOW, output);
    }
}

impl Connection for ServerConnection {
    const NAME: &'static str = "mqtt-codec";
    type Payload = Bytes;

    fn established(version: ProtocolVersion) -> Self {
        let mut config = ServerConfig::default();
        config.maximum_in_flight = u16::MAX;
        let mut server = Self::new(NOW, config);
        let connect = encoded(&Packet::Connect(connect(version)), version);
        server.receive(NOW, &mut &connect[..]).expect("legal");
        server
            .accept(NOW, &Accept::default(), Session::new())
            .expect("CONNECT waits for it");
        server.poll_transmit(NOW, &mut Vec::new());
        server
    }

    fn receive(&mut self, mut input: &[u8], _: &mut Vec<u8>, mut event: impl FnMut()) {
        while let Some(it) = self.receive(NOW, &mut input).expect("legal") {
            match black_box(&it) {
                ServerEvent::Publish(publish) => {
                    event();
                    let identifier = publish.packet_identifier.expect("QoS 1 has one");
                    self.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)
                        .expect("the message waits for it");
                }
                ServerEvent::PubAck(_) => event(),
                _ => {}
            }
        }
        black_box(self.poll_timeout());
    }

    fn publish(&mut self, version: ProtocolVersion, payload: &Bytes, _: &mut Vec<u8>) -> u16 {
        publish_parts(self, version, payload)
    }

    fn transmit(&mut self, output: &mut Vec<u8>) {
        self.poll_transmit(NOW, output);
    }
}

/// A PUBLISH of mqtt-protocol-core, made of its parts.
pub(crate) fn publish_3_1_1(
    topic_name: &str,
    identifier: u16,
    payload: &Arc<[u8]>,
) -> v3_1_1::Publish {
    v3_1_1::Publish::builder()
        .topic_name(topic_name)
        .expect("legal")
        .qos(mqtt::packet::Qos::AtLeastOnce)
        .packet_id(identifier)
        .payload(Arc::clone(payload))
        .build()
        .expect("legal")
}

/// The same in 5.0, with the user properties.
pub(crate) fn publish_5_0(topic_name: &str, identifier: u16, payload: &Arc<[u8]>) -> v5_0::Publish {
    let properties: [mqtt::packet::Property; 2] =
        black_box(USER_PROPERTIES).map(|(name, value)| {
            let property = mqtt::packet::UserProperty::new(name, value);
            property.expect("legal").into()
        });
    v5_0::Publish::builder()
        .topic_name(topic_name)
        .expect("legal")
        .qos(mqtt::packet::Qos::AtLeastOnce)
        .packet_id(identifier)
        .props(properties)
        .payload(Arc::clone(payload))
        .build()
        .expect("legal")
}

/// Does what mqtt-protocol-core asks for.
fn handle(events: Vec<Event>, output: &mut Vec<u8>, event: &mut impl FnMut()) {
    for it in events {
        match black_box(&it) {
            Event::NotifyPacketReceived(_) => event(),
            Event::RequestSendPacket { packet, .. } => {
                output.extend(packet.to_continuous_buffer());
            }
            Event::NotifyError(error) => panic!("{error:?}"),
            _ => {}
        }
    }
}

/// What differs between the roles of mqtt-protocol-core.
trait PeerRole: mqtt::connection::role::RoleType + Sized + 'static {
    fn establish(connection: &mut mqtt::Connection<Self>, version: ProtocolVersion);
}

impl PeerRole for mqtt::role::Client {
    fn establish(connection: &mut mqtt::Connection<Self>, version: ProtocolVersion) {
        let bytes = encoded(&Packet::Connect(connect(version)), version);
        let body = &bytes[2..];
        let events = match version {
            ProtocolVersion::V5_0 => {
                connection.checked_send(v5_0::Connect::parse(body).expect("legal").0)
            }
            _ => connection.checked_send(v3_1_1::Connect::parse(body).expect("legal").0),
        };
        handle(events, &mut Vec::new(), &mut || ());
        let connack = encoded(&Packet::ConnAck(ConnAck::new(ReasonCode::Success)), version);
        connection.recv(&mut mqtt::common::Cursor::new(&connack));
    }
}

impl PeerRole for mqtt::role::Server {
    fn establish(connection: &mut mqtt::Connection<Self>, version: ProtocolVersion) {
        let connect = encoded(&Packet::Connect(connect(version)), version);
        connection.recv(&mut mqtt::common::Cursor::new(&connect));
        let bytes = encoded(&Packet::ConnAck(ConnAck::new(ReasonCode::Success)), version);
        let body = &bytes[2..];
        let events = match version {
            ProtocolVersion::V5_0 => {
                connection.checked_send(v5_0::Connack::parse(body).expect("legal").0)
            }
            _ => connection.checked_send(v3_1_1::Connack::parse(body).expect("legal").0),
        };
        handle(events, &mut Vec::new(), &mut || ());
    }
}

impl<R: PeerRole> Connection for mqtt::Connection<R>
where
    v3_1_1::Publish: mqtt::connection::Sendable<R, u16>,
    v5_0::Publish: mqtt::connection::Sendable<R, u16>,
{
    const NAME: &'static str = "mqtt-protocol-core";
    type Payload = Arc<[u8]>;

    fn established(version: ProtocolVersion) -> Self {
        let mut connection = Self::new(match version {
            ProtocolVersion::V5_0 => mqtt::Version::V5_0,
            _ => mqtt::Version::V3_1_1,
        });
        connection.set_auto_pub_response(true);
        R::establish(&mut connection, version);
        connection
    }

    fn receive(&mut self, input: &[u8], output: &mut Vec<u8>, mut event: impl FnMut()) {
        let mut cursor = mqtt::common::Cursor::new(input);
        while (cursor.position() as usize) < input.len() {
            handle(self.recv(&mut cursor), output, &mut event);
        }
    }

    fn publish(
        &mut self,
        version: ProtocolVersion,
        payload: &Arc<[u8]>,
        output: &mut Vec<u8>,
    ) -> u16 {
        let identifier = self.acquire_packet_id().expect("one is free");
        let events = match version {
            ProtocolVersion::V5_0 => {
                self.checked_send(publish_5_0(TOPIC_NAME, identifier, payload))
            }
            _ => self.checked_send(publish_3_1_1(TOPIC_NAME, identifier, payload)),
        };
        handle(events, output, &mut || unreachable!("nothing came in"));
        identifier
    }

    fn transmit(&mut self, _: &mut Vec<u8>) {}
}
