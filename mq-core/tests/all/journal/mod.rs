//! What outlives the broker, and what waits until it is stored.

mod absent;
mod bounds;
mod cleaning;
mod clock;
mod flow;
mod promise;
mod recovery;
mod run_facts;
mod runs;
mod session;

use crate::world::World;
use crate::world::amqp::Amqp;
use amqp_codec::method::{confirm, exchange, queue};
use amqp_codec::{FieldValue, PropertyFields, TableBuf};

/// The delivery modes (AMQP 0-9-1, basic class, property `delivery-mode`).
const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// An AMQP client in a test of the journal.
struct Client(Amqp);

impl Client {
    fn connect(world: &mut World) -> Self {
        Self(Amqp::connect(world))
    }

    /// queue.declare with the flags named.
    fn queue(&mut self, queue: &str, flags: &[&str], arguments: &TableBuf) {
        let declare = queue::Declare {
            queue,
            durable: flags.contains(&"durable"),
            exclusive: flags.contains(&"exclusive"),
            auto_delete: flags.contains(&"auto-delete"),
            passive: flags.contains(&"passive"),
            arguments: arguments.as_table(),
            ..Default::default()
        };
        self.0.codec.queue_declare(1, &declare).unwrap();
    }

    /// A durable queue without arguments.
    fn durable(&mut self, queue: &str) {
        self.queue(queue, &["durable"], &TableBuf::default());
    }

    /// exchange.declare with the flags named.
    fn exchange(&mut self, exchange: &str, kind: &str, flags: &[&str]) {
        let declare = exchange::Declare {
            exchange,
            r#type: kind,
            durable: flags.contains(&"durable"),
            passive: flags.contains(&"passive"),
            auto_delete: flags.contains(&"auto-delete"),
            internal: flags.contains(&"internal"),
            ..Default::default()
        };
        self.0.codec.exchange_declare(1, &declare).unwrap();
    }

    fn confirm(&mut self, channel: u16) {
        let select = confirm::Select { no_wait: false };
        self.0.codec.confirm_select(channel, &select).unwrap();
    }

    /// Publishes with a delivery mode on a channel to a queue.
    fn publish_on(&mut self, channel: u16, queue: &str, mode: u8, body: &str) {
        let fields = PropertyFields {
            delivery_mode: Some(mode),
            ..Default::default()
        };
        self.0
            .publish_with(channel, "", queue, body, false, &fields);
    }

    fn publish(&mut self, queue: &str, mode: u8, body: &str) {
        self.publish_on(1, queue, mode, body);
    }

    fn seen(&mut self, world: &mut World) -> Vec<String> {
        self.0.seen(world)
    }

    /// Takes everything out of a queue: whether each was redelivered, and its body.
    fn drain(&mut self, world: &mut World, queue: &str) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            self.0.get(queue, true);
            match &self.seen(world)[..] {
                [one] if one.starts_with("get-ok ") => {
                    let mut words = one.split(' ').skip(2);
                    let first = words.next().unwrap();
                    let body = if first == "again" {
                        format!("again {}", words.next().unwrap())
                    } else {
                        first.to_owned()
                    };
                    all.push(body);
                }
                [empty] if empty.contains("GetEmpty") || empty.contains("get-empty") => {
                    return all;
                }
                other => panic!("{queue}: {other:?}"),
            }
        }
    }
}

fn long(number: i64) -> FieldValue<'static> {
    FieldValue::I64(number)
}
