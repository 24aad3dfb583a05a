//! The targets. Each is a function of bytes that panics when something is wrong.

pub mod amqp_connection;
pub mod amqp_differential;
pub mod amqp_frame;
pub mod amqp_joined;
pub mod amqp_typed;
pub mod broker;
pub mod broker_bytes;
pub mod mqtt_connection;
pub mod mqtt_differential;
pub mod mqtt_joined;
pub mod mqtt_packet;
pub mod mqtt_typed;
pub mod recovery;
pub mod settings;
pub mod stomp_connection;
pub mod stomp_differential;
pub mod stomp_frame;
pub mod stomp_joined;
pub mod stomp_typed;

/// A name, and what is run.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Target; 19] = [
    ("amqp_connection", amqp_connection::run),
    ("amqp_differential", amqp_differential::run),
    ("amqp_frame", amqp_frame::run),
    ("amqp_joined", amqp_joined::run),
    ("amqp_typed", amqp_typed::run),
    ("broker", broker::run),
    ("broker_bytes", broker_bytes::run),
    ("mqtt_connection", mqtt_connection::run),
    ("mqtt_differential", mqtt_differential::run),
    ("mqtt_joined", mqtt_joined::run),
    ("mqtt_packet", mqtt_packet::run),
    ("mqtt_typed", mqtt_typed::run),
    ("recovery", recovery::run),
    ("settings", settings::run),
    ("stomp_connection", stomp_connection::run),
    ("stomp_differential", stomp_differential::run),
    ("stomp_frame", stomp_frame::run),
    ("stomp_joined", stomp_joined::run),
    ("stomp_typed", stomp_typed::run),
];
