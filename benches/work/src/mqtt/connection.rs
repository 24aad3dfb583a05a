//! Whole connections, both roles: messages with QoS 1 and 64 B of payload come in and are
//! acknowledged, or go out and are settled, from bytes to bytes.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, Message, Role, ServerConfig,
    ServerConnection, ServerEvent, Session,
};
use mqtt_codec::{
    ConnAck, Packet, PacketIdentifier, Properties, PropertiesBuilder, ProtocolVersion, Publish,
    QoS, ReasonCode,
};

use crate::{Turn, ready};

use super::{TOPIC_NAME, add_user_properties, connect, publish};

const NOW: Duration = Duration::ZERO;
static PAYLOAD: [u8; 64] = [b'x'; 64];

/// One end of a connection that is established, and speaks this version.
pub trait Connection: 'static {
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

/// Takes `count` messages from one buffer, and puts their acknowledgements into one.
#[must_use]
pub fn receive<C: Connection>(version: ProtocolVersion, count: u16) -> Turn {
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

    let turn = move || {
        output.clear();
        let mut events = 0;
        connection.receive(black_box(&input), &mut output, || events += 1);
        connection.transmit(&mut output);
        let outcome = (events, black_box(&output).len());
        assert_eq!(outcome, (count, expected.len()));
    };
    ready(turn)
}

/// Puts `count` messages into one buffer, and takes their acknowledgements from one.
#[must_use]
pub fn send<C: Connection>(version: ProtocolVersion, count: u16) -> Turn {
    let payload = C::Payload::from(&PAYLOAD);
    let length = encoded(&Packet::Publish(publish(version, &PAYLOAD)), version).len();
    let mut connection = C::established(version);
    let (mut output, mut input) = (Vec::new(), Vec::new());

    let turn = move || {
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
        let outcome = (events, sent);
        assert_eq!(outcome, (count, length * usize::from(count)));
    };
    ready(turn)
}

/// The shortest, in any version.
fn puback(identifier: u16) -> [u8; 4] {
    let [high, low] = identifier.to_be_bytes();
    [0x40, 2, high, low]
}

/// The packet, as bytes.
#[must_use]
pub fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).expect("legal");
    bytes
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

impl Connection for ClientConnection {
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
