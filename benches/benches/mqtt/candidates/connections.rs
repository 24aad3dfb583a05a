//! Whole connections, both roles, ours and those of mqtt-protocol-core: messages with
//! QoS 1 and 64 B of payload come in and are acknowledged, or go out and are settled, from
//! bytes to bytes.
//!
//! Ours keep what is not acknowledged, to send it again on the next connection; those of
//! mqtt-protocol-core do so only for a session that outlives the connection, which theirs
//! here do not.

use std::hint::black_box;
use std::sync::Arc;

use benches::Group;
use mqtt_codec::connection::{ClientConnection, ServerConnection};
use mqtt_codec::{ConnAck, Packet, ProtocolVersion, ReasonCode};
use mqtt_protocol_core::mqtt;
use mqtt_protocol_core::mqtt::connection::Event;
use mqtt_protocol_core::mqtt::connection::role::{self, RoleType};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, v3_1_1, v5_0};
use work::mqtt::connection::{Connection, encoded, receive, send};
use work::mqtt::{TOPIC_NAME, USER_PROPERTIES, connect};

const OURS: &str = "mqtt-codec";
const THEIRS: &str = "mqtt-protocol-core";

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
            column.add(OURS, receive::<ClientConnection>(version, count));
            column.add(THEIRS, receive::<Theirs<role::Client>>(version, count));
            let column = receiving.column(format!("server, {name}"), count.into());
            column.add(OURS, receive::<ServerConnection>(version, count));
            column.add(THEIRS, receive::<Theirs<role::Server>>(version, count));

            let column = sending.column(format!("client, {name}"), count.into());
            column.add(OURS, send::<ClientConnection>(version, count));
            column.add(THEIRS, send::<Theirs<role::Client>>(version, count));
            let column = sending.column(format!("server, {name}"), count.into());
            column.add(OURS, send::<ServerConnection>(version, count));
            column.add(THEIRS, send::<Theirs<role::Server>>(version, count));
        }
        groups.extend([receiving, sending]);
    }
    groups
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
trait PeerRole: RoleType + Sized + 'static {
    fn establish(connection: &mut mqtt::Connection<Self>, version: ProtocolVersion);
}

impl PeerRole for role::Client {
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

impl PeerRole for role::Server {
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

/// A connection of mqtt-protocol-core.
struct Theirs<R: RoleType>(mqtt::Connection<R>);

impl<R: PeerRole> Connection for Theirs<R>
where
    v3_1_1::Publish: mqtt::connection::Sendable<R, u16>,
    v5_0::Publish: mqtt::connection::Sendable<R, u16>,
{
    type Payload = Arc<[u8]>;

    fn established(version: ProtocolVersion) -> Self {
        let mut connection = mqtt::Connection::new(match version {
            ProtocolVersion::V5_0 => mqtt::Version::V5_0,
            _ => mqtt::Version::V3_1_1,
        });
        connection.set_auto_pub_response(true);
        R::establish(&mut connection, version);
        Self(connection)
    }

    fn receive(&mut self, input: &[u8], output: &mut Vec<u8>, mut event: impl FnMut()) {
        let mut cursor = mqtt::common::Cursor::new(input);
        while (cursor.position() as usize) < input.len() {
            handle(self.0.recv(&mut cursor), output, &mut event);
        }
    }

    fn publish(
        &mut self,
        version: ProtocolVersion,
        payload: &Arc<[u8]>,
        output: &mut Vec<u8>,
    ) -> u16 {
        let identifier = self.0.acquire_packet_id().expect("one is free");
        let events = match version {
            ProtocolVersion::V5_0 => self
                .0
                .checked_send(publish_5_0(TOPIC_NAME, identifier, payload)),
            _ => self
                .0
                .checked_send(publish_3_1_1(TOPIC_NAME, identifier, payload)),
        };
        handle(events, output, &mut || unreachable!("nothing came in"));
        identifier
    }

    fn transmit(&mut self, _: &mut Vec<u8>) {}
}
