//! The broker at its public surface: bytes and other inputs in, outputs out.

mod amqp;
mod amqp_declaration;
mod amqp_deviations;
mod amqp_message;
mod connack_that_does_not_fit;
mod cross;
mod dead_letter_loop;
mod direct_reply;
mod exchange_chain;
mod fairness;
mod flow;
mod full_session;
mod growth;
mod held_input;
mod held_size;
mod lasting_confirmations;
mod layers;
mod limits;
mod long_topic;
mod mqtt;
mod replay;
mod share_members;
mod simulation;
mod stomp;
mod transient_to_session;
mod world;
