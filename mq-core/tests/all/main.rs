//! The broker at its public surface: bytes and other inputs in, outputs out.

#![expect(
    clippy::field_reassign_with_default,
    reason = "a setting reads best in a line of its own"
)]

mod adversary;
mod amqp;
mod amqp_confirm;
mod amqp_declaration;
mod amqp_deviations;
mod amqp_message;
mod connack_that_does_not_fit;
mod credentials;
mod cross;
mod dead_letter_loop;
mod direct_reply;
mod exchange_chain;
mod fairness;
mod flow;
mod full_session;
mod growth;
mod handshake;
mod held_input;
mod held_size;
mod journal;
mod lasting_confirmations;
mod layers;
mod limits;
mod long_topic;
mod mqtt;
mod mqtt_topic;
mod permission;
mod replay;
mod retained_walk;
mod selector;
mod share_members;
mod simulation;
mod stomp;
mod stomp_queue;
mod takeover;
mod transient_to_session;
mod world;
