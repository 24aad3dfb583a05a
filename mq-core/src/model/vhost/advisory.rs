//! What is said when connections and consumers come and go: ActiveMQ's advisory messages
//! (`AdvisoryBroker`, `AdvisorySupport`).

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use super::VirtualHost;
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Headers, Integer, Message, Name, Origin, Properties, Text, Value};
use crate::model::meter::Counted;
use crate::model::queue::Advice;

/// What the topics begin with. Nothing is said about those who listen there.
const TOPICS: &str = "ActiveMQ.Advisory.";

/// The broker that says it: there is one.
const BROKER: &str = "mq";

impl VirtualHost {
    /// A connection has come, or is gone.
    pub(crate) fn advise_connection(&mut self) {
        if self.shared.advises {
            self.advise(format!("{TOPICS}Connection"), None);
        }
    }

    /// The consumers of a queue or a topic are others.
    pub(super) fn advise_consumers(&mut self, advice: &Advice) {
        let Advice { of, name, count } = advice;
        if !name.starts_with(TOPICS) {
            // A comma separates destinations.
            let name = name.replace(',', "&sbquo;");
            self.advise(
                format!("{TOPICS}Consumer.{}.{name}", of.name()),
                Some(*count),
            );
        }
    }

    fn advise(&mut self, topic: String, consumers: Option<usize>) {
        let mut headers = Headers::default();
        for name in ["originBrokerId", "originBrokerName"] {
            headers.push(name, Value::string(BROKER));
        }
        if let Some(count) = consumers {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            headers.push("consumerCount", Value::Int(Integer::I64, count));
        }
        let message = Message {
            exchange: Name::from(TOPIC_EXCHANGE),
            routing_key: Name::from(topic),
            properties: Properties {
                headers,
                kind: Some(Text::from("Advisory")),
                ..Properties::default()
            },
            body: bytes::Bytes::new(),
            published: self.shared.now,
            origin: Origin::Broker,
            counted: Counted::default(),
        };
        let mut message = Arc::new(message);
        self.shared.meter.count(&mut message);
        // Nobody has asked what becomes of it.
        let _ = self.retain_and_route(&message, None);
    }
}
