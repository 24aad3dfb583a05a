//! The model on its own, without any protocol.

mod account;
mod consumer;
mod declaration;
mod queue;
mod routing;

use super::*;
use crate::model::PublishOutcome;
use crate::model::exchange::{BindRequest, Destination, ExchangeSettings, ExchangeType};
use crate::model::message::{Headers, Message, Name, Value};
use crate::model::queue::declaration::DeclareQueue;
use crate::model::queue::tests::message;
use crate::model::queue::{
    ChannelId, ConsumeRequest, ConsumerId, Delivery, Fetched, Lease, QueueId, QueueSettings,
    Settlement,
};
use crate::model::refusal::{Refusal, RefusalKind};
use crate::model::request::ConsumerTimeout;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

const ME: ConnectionId = ConnectionId(1);
const OTHER: ConnectionId = ConnectionId(2);

fn vhost() -> VirtualHost {
    VirtualHost::new("/", 0, Store::None, Limits::default())
}

fn settings(arguments: &[(&str, Value)]) -> QueueSettings {
    let mut table = Headers::default();
    for (name, value) in arguments {
        table.push(name, value.clone());
    }
    QueueSettings {
        durable: false,
        exclusive: None,
        auto_delete: false,
        arguments: table,
    }
}

impl VirtualHost {
    fn make(&mut self, name: &str, arguments: &[(&str, Value)]) -> QueueId {
        self.queues
            .declare(
                &mut self.shared,
                DeclareQueue {
                    name,
                    settings: settings(arguments),
                    connection: ME,
                },
            )
            .unwrap()
            .id
    }

    fn send(&mut self, exchange: &str, key: &str, body: &'static str) -> PublishOutcome {
        self.send_with(exchange, key, body, |_| {})
    }

    fn send_with(
        &mut self,
        exchange: &str,
        key: &str,
        body: &'static str,
        change: impl FnOnce(&mut Message),
    ) -> PublishOutcome {
        let mut message = message(body);
        message.exchange = Name::from(exchange);
        message.routing_key = Name::from(key);
        message.published = self.shared.now;
        change(&mut message);
        let outcome = self.publish(&Arc::new(message), None);
        self.settle_down();
        outcome
    }

    fn channel(&mut self, connection: ConnectionId) -> ChannelId {
        let number = self.shared.next_id() as u16;
        let id = ChannelId { connection, number };
        self.open_channel(id);
        id
    }

    /// Lets the queues do what is due, where nobody consumes.
    fn settle_down(&mut self) {
        assert!(self.next_delivery(u64::MAX).is_none());
    }

    fn consumer(&mut self, queue: QueueId, channel: ChannelId, prefetch: u32) -> ConsumerId {
        self.consume(ConsumeRequest {
            queue,
            channel,
            no_ack: false,
            exclusive: false,
            leads: false,
            priority: 0,
            prefetch,
            timeout: ConsumerTimeout::Default,
            no_local: false,
            selector: None,
            topic: None,
        })
        .unwrap()
    }

    fn get(&mut self, queue: QueueId, channel: ChannelId, no_ack: bool) -> Option<Fetched> {
        let fetched = self.queues.fetch(&mut self.shared, queue, channel, no_ack);
        self.pass_on();
        fetched
    }

    fn deliveries(&mut self) -> Vec<Delivery> {
        core::iter::from_fn(|| Some(self.next_delivery(u64::MAX)?.1)).collect()
    }

    /// Empties a queue, and says what was in it.
    fn drain(&mut self, queue: QueueId) -> Vec<Arc<Message>> {
        let channel = self.channel(ME);
        core::iter::from_fn(|| self.get(queue, channel, true).map(|f| f.message)).collect()
    }

    fn bodies(&mut self, queue: QueueId) -> Vec<alloc::string::String> {
        self.drain(queue).iter().map(|m| body(m)).collect()
    }

    fn pass(&mut self, seconds: f64) {
        self.shared.now += Duration::from_secs_f64(seconds);
        self.expire(usize::MAX);
    }
}

fn body(message: &Message) -> alloc::string::String {
    core::str::from_utf8(&message.body.to_bytes())
        .unwrap()
        .to_string()
}

fn kind<T: core::fmt::Debug>(result: Result<T, Refusal>) -> Option<RefusalKind> {
    result.err().map(|r| r.kind)
}

fn exchange(kind: ExchangeType) -> ExchangeSettings {
    ExchangeSettings::new("x", kind, &Headers::default()).unwrap()
}

fn binding<'a>(source: &'a str, destination: Destination, key: &'a str) -> BindRequest<'a> {
    BindRequest {
        source,
        destination,
        lasting: false,
        routing_key: key,
        arguments: Headers::default(),
    }
}
