//! MQTT: PUBLISH with QoS 1, a topic name of 20 bytes and a payload, in 3.1.1 and in 5.0 with two
//! user properties; CONNECT with user name and password; and messages over whole connections.

pub mod connection;

use std::hint::black_box;

use mqtt_codec::{
    Connect, PacketIdentifier, Properties, PropertiesBuf, PropertiesBuilder, Property,
    ProtocolVersion, Publish, QoS,
};

pub const TOPIC_NAME: &str = "sensors/kitchen/temp";
pub const IDENTIFIER: PacketIdentifier = PacketIdentifier::new(42).unwrap();
pub const USER_PROPERTIES: [(&str, &str); 2] = [("unit", "celsius"), ("source", "gateway-17")];

/// PUBLISH with QoS 1 in this version; 5.0 with two user properties.
pub fn publish(version: ProtocolVersion, payload: &'static [u8]) -> Publish<'static> {
    Publish {
        qos: QoS::AtLeastOnce,
        packet_identifier: Some(IDENTIFIER),
        properties: match version {
            ProtocolVersion::V5_0 => Box::leak(Box::new(user_properties())).as_properties(),
            _ => Properties::EMPTY,
        },
        ..Publish::new(TOPIC_NAME.try_into().expect("legal"), payload)
    }
}

pub fn user_properties() -> PropertiesBuf {
    let mut builder = PropertiesBuilder::new();
    add_user_properties(&mut builder);
    builder.build()
}

pub fn add_user_properties(builder: &mut PropertiesBuilder) {
    for (name, value) in black_box(USER_PROPERTIES) {
        builder
            .push(Property::UserProperty(name, value))
            .expect("a legal property");
    }
}

/// CONNECT with user name and password.
#[must_use]
pub fn connect(version: ProtocolVersion) -> Connect<'static> {
    Connect {
        keep_alive: 60,
        user_name: Some("kitchen".try_into().expect("legal")),
        password: Some(b"secret"),
        ..Connect::clean(version, "thermometer-0017".try_into().expect("legal"))
    }
}
