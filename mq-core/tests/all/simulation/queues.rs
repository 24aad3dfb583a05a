//! The queues of a simulation: how they are declared, filled and emptied by somebody who waits
//! for nothing.

use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Mandatory, Message, Reply,
};
use amqp_codec::method::{basic, exchange, queue};
use amqp_codec::{FieldValue, PropertiesBuf};
use mq_core::Protocol;
use std::time::Duration;

use super::ledger::{Place, QUEUES, RANKS, ROUND, SINGLE, TIME_TO_LIVE, body, number};
use super::network::Network;
use crate::world::amqp::{table, text};

/// Rounds in a row in which nothing comes, after which nothing is taken to come.
const SILENCE: usize = 10_000;

/// A connection that waits for nothing.
fn converse(
    network: &mut Network,
    mut talk: impl FnMut(&mut ClientConnection, Option<ClientEvent<'_>>) -> bool,
) {
    let id = network.open(Protocol::Amqp);
    let mut codec = ClientConnection::new(network.now, ClientConfig::default());
    let mut buffer = Vec::new();
    let (mut more, mut silence) = (true, 0);
    while more {
        assert!(silence < SILENCE, "the broker does not answer");
        let mut out = Vec::new();
        codec.poll_transmit(network.now, &mut out);
        network.send(id, &out, usize::MAX);
        network.wait(Duration::ZERO);
        let received = network.receive(id, usize::MAX);
        silence = match received.is_empty() {
            true => silence + 1,
            false => 0,
        };
        buffer.extend(received);
        let mut input = &buffer[..];
        while let Some(event) = codec.receive(network.now, &mut input).unwrap() {
            if let ClientEvent::ChannelClosed { .. } | ClientEvent::Closed { .. } = event {
                panic!("the broker ends it: {event:?}");
            }
            more &= talk(&mut codec, Some(event));
        }
        buffer = input.to_vec();
    }
    network.cut(id);
}

/// Declares the queues: `plain` has no policy; `short` drops its oldest and `strict` refuses
/// when three are in it; what dies in `dying`, by a consumer or after a second, goes
/// to `dead`; what a consumer rejects in `cycle` comes back to it, and what dies in `round`
/// would go round for ever; `bound` takes
/// what is published under the topics `t/..`; `ranked` has priorities, and `single` one active
/// consumer; what comes to `late` has waited; `ruled` has policies, and consumers of `chosen`
/// want some messages only.
pub(super) fn declare(network: &mut Network) {
    let number = FieldValue::I32;
    let arguments = |queue| match queue {
        "short" => table([("x-max-length", number(3))]),
        "strict" => table([
            ("x-max-length", number(3)),
            ("x-overflow", text("reject-publish")),
        ]),
        "dying" => table([
            ("x-message-ttl", number(TIME_TO_LIVE.as_millis() as i32)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("dead")),
        ]),
        ROUND => table([
            ("x-message-ttl", number(300)),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(ROUND)),
        ]),
        "ranked" => table([("x-max-priority", number(RANKS as i32 - 1))]),
        SINGLE => table([("x-single-active-consumer", FieldValue::Boolean(true))]),
        "cycle" => table([
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("cycle")),
        ]),
        _ => table([]),
    };
    let mut bound = 0;
    converse(network, |codec, event| match event {
        Some(ClientEvent::Opened) => codec.open_channel().is_ok(),
        Some(ClientEvent::ChannelOpened { .. }) => {
            for queue in QUEUES {
                let arguments = arguments(queue);
                let declare = queue::Declare {
                    queue,
                    durable: true,
                    arguments: arguments.as_table(),
                    ..Default::default()
                };
                codec.queue_declare(1, &declare).unwrap();
            }
            let kind = table([("x-delayed-type", text("direct"))]);
            let late = exchange::Declare {
                exchange: "late",
                r#type: "x-delayed-message",
                durable: true,
                arguments: kind.as_table(),
                ..Default::default()
            };
            codec.exchange_declare(1, &late).unwrap();
            for (queue, exchange, routing_key) in BINDINGS {
                let bind = queue::Bind {
                    queue,
                    exchange,
                    routing_key,
                    ..Default::default()
                };
                codec.queue_bind(1, &bind).unwrap();
            }
            true
        }
        Some(ClientEvent::Reply {
            reply: Reply::QueueBindOk(_),
            ..
        }) => {
            bound += 1;
            bound < BINDINGS.len()
        }
        _ => true,
    });
}

/// A queue, an exchange and the key of its binding.
const BINDINGS: [(&str, &str, &str); 3] = [
    ("bound", "amq.topic", "t.#"),
    ("late", "late", "late"),
    ("late", "amq.topic", "late.#"),
];

/// Publishes so many messages to a queue.
pub(super) fn probe(network: &mut Network, queue: Place, count: usize) {
    converse(network, |codec, event| match event {
        Some(ClientEvent::Opened) => codec.open_channel().is_ok(),
        Some(ClientEvent::ChannelOpened { .. }) => {
            let properties = PropertiesBuf::new();
            for number in 0..count {
                let content = Message {
                    exchange: "",
                    routing_key: queue,
                    properties: properties.as_properties(),
                    body: &body(number as u64),
                };
                codec.publish(1, Mandatory::No, &content).unwrap();
            }
            codec.close_channel(1).is_ok()
        }
        Some(ClientEvent::ChannelCloseOk { .. }) => false,
        _ => true,
    });
}

/// Takes everything out of a queue.
pub(super) fn empty(network: &mut Network, queue: Place) -> Vec<u64> {
    let mut found = Vec::new();
    converse(network, |codec, event| {
        let get = basic::Get {
            queue,
            no_ack: true,
        };
        match event {
            Some(ClientEvent::Opened) => codec.open_channel().is_ok(),
            Some(ClientEvent::ChannelOpened { .. }) => codec.get(1, &get).is_ok(),
            Some(ClientEvent::GetOk { content, .. }) => {
                found.push(number(content.body()));
                codec.get(1, &get).is_ok()
            }
            Some(ClientEvent::Reply {
                reply: Reply::BasicGetEmpty(_),
                ..
            }) => false,
            _ => true,
        }
    });
    found
}
