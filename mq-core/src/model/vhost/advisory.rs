//! What is said when connections, destinations and consumers come and go, and of messages that
//! nobody took: ActiveMQ's advisory messages (`AdvisoryBroker`, `AdvisorySupport`), as its
//! 5.17.2 says them over STOMP.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt::Write;

use super::VirtualHost;
use crate::model::exchange::TOPIC_EXCHANGE;
use crate::model::message::{Headers, Integer, Message, Name, Origin, Properties, Text, Value};
use crate::model::meter::Counted;
use crate::model::queue::{Advice, Happened};

/// What the topics begin with. Nothing is said about those who listen there.
const TOPICS: &str = "ActiveMQ.Advisory.";

/// The broker that says it: there is one.
const BROKER: &str = "mq";

/// How ActiveMQ has made the bodies of what is an object of Java.
const TRANSFORMATION: &str = "jms-advisory-json";

/// How many consumers there are.
const CONSUMERS: &str = "consumerCount";

impl VirtualHost {
    /// A connection has come, or is gone.
    pub(crate) fn advise_connection(&mut self, is_there: bool) {
        if self.shared.advises {
            let body = match is_there {
                true => r#"{"ConnectionInfo":{}}"#,
                false => r#"{"RemoveInfo":{"objectId":{"@class":"ConnectionId"}}}"#,
            };
            self.say_advisory(format!("{TOPICS}Connection"), None, body.into());
        }
    }

    /// Something has happened to a queue, a topic, or their consumers.
    pub(super) fn advise_of(&mut self, advice: &Advice) {
        let Advice { of, name, what } = advice;
        if name.starts_with(TOPICS) {
            return;
        }
        let destination = format!(
            r#""destination":{{"@class":"ActiveMQ{}","string":{},"null":""}}"#,
            of.name(),
            Json(name)
        );
        // A comma separates destinations.
        let name = name.replace(',', "&sbquo;");
        let one = of.lasting_name();
        let of_message = || format!(r#"{{"ActiveMQMessage":{{{destination}}}}}"#);
        let (topic, count, body) = match *what {
            Happened::Created | Happened::Destroyed => {
                let operation = u8::from(*what == Happened::Destroyed);
                let body = format!(
                    r#"{{"DestinationInfo":{{{destination},"operationType":{operation}}}}}"#
                );
                (String::from(of.name()), None, body)
            }
            Happened::Came(count) => {
                let body = format!(r#"{{"ConsumerInfo":{{{destination}}}}}"#);
                (format!("Consumer.{one}.{name}"), Some(count), body)
            }
            Happened::Left(count) => {
                let body = String::from(r#"{"RemoveInfo":{"objectId":{"@class":"ConsumerId"}}}"#);
                (format!("Consumer.{one}.{name}"), Some(count), body)
            }
            Happened::Expired => (format!("Expired.{one}.{name}"), None, of_message()),
            Happened::DeadLettered => (format!("MessageDLQd.{one}.{name}"), None, of_message()),
        };
        self.say_advisory(format!("{TOPICS}{topic}"), count, body);
    }

    fn say_advisory(&mut self, topic: String, consumers: Option<usize>, body: String) {
        let mut headers = Headers::default();
        for name in ["originBrokerId", "originBrokerName"] {
            headers.push(name, Value::string(BROKER));
        }
        headers.push("transformation", Value::string(TRANSFORMATION));
        if let Some(count) = consumers {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            headers.push(CONSUMERS, Value::Int(Integer::I64, count));
        }
        let message = Message {
            exchange: Name::from(TOPIC_EXCHANGE),
            routing_key: Name::from(topic),
            properties: Properties {
                headers,
                kind: Some(Text::from("Advisory")),
                // As ActiveMQ says it.
                priority: Some(0),
                ..Properties::default()
            },
            body: Bytes::from(body).into(),
            published: self.shared.now,
            origin: Origin::Broker,
            counted: Counted::default(),
        };
        let mut message = Arc::new(message);
        self.shared.meter.count(&mut message);
        // Nobody has asked what becomes of it.
        let _ = self.retain_and_route(&message, None, None);
    }
}

/// A string of JSON (RFC 8259 section 7).
struct Json<'a>(&'a str);

impl core::fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8259 section 7: what has to be escaped.
    #[test]
    fn strings() {
        for (text, expected) in [
            ("a.b", r#""a.b""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("a\n\0", r#""a\u000a\u0000""#),
            ("é/", r#""é/""#),
        ] {
            assert_eq!(format!("{}", Json(text)), expected);
        }
    }
}
