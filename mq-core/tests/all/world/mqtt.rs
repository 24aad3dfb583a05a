//! An MQTT client, and what it sees in words.

use super::World;
use mq_core::{ConnectionId, Protocol};
use mqtt_codec::connection::{
    Acknowledgements, ClientConfig, ClientConnection, ClientEvent, MessageBuf, ReadBuffer, Session,
};
use mqtt_codec::{
    Connect, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS, ReasonCode,
    Subscription, TopicName, Utf8String,
};

pub(crate) struct Mqtt {
    pub(crate) id: ConnectionId,
    pub(crate) codec: ClientConnection,
    buffer: ReadBuffer,
    events: Vec<String>,
    /// Authentication data of CONNACK and AUTH, in words.
    pub(crate) data: Vec<String>,
    /// Of all messages that came.
    pub(crate) messages: Vec<MessageBuf>,
}

/// A string that a packet can carry.
pub(crate) fn utf8(string: &str) -> Utf8String<'_> {
    Utf8String::new(string).unwrap()
}

/// A Topic Name.
pub(crate) fn topic(name: &str) -> TopicName<'_> {
    TopicName::new(name).unwrap()
}

pub(crate) fn properties<'a>(
    list: impl IntoIterator<Item = Property<'a>>,
) -> mqtt_codec::PropertiesBuf {
    let mut builder = PropertiesBuilder::new();
    builder.extend(list).unwrap();
    builder.build()
}

impl Mqtt {
    /// A client with a clean session of version 5.0.
    pub(crate) fn connect(world: &mut World, client_identifier: &str) -> Self {
        let connect = Connect::clean(ProtocolVersion::V5_0, utf8(client_identifier));
        let mut client = Self::with(world, &connect);
        assert_eq!(client.seen(world), ["connack Success"]);
        client
    }

    pub(crate) fn with(world: &mut World, connect: &Connect<'_>) -> Self {
        Self::resume(world, connect, Session::new())
    }

    pub(crate) fn resume(world: &mut World, connect: &Connect<'_>, session: Session) -> Self {
        Self::configured(world, connect, session, ClientConfig::default())
    }

    /// A client that acknowledges only when the test says so.
    pub(crate) fn manual(world: &mut World, connect: &Connect<'_>, session: Session) -> Self {
        let mut config = ClientConfig::default();
        config.acknowledgements = Acknowledgements::Manual;
        Self::configured(world, connect, session, config)
    }

    fn configured(
        world: &mut World,
        connect: &Connect<'_>,
        session: Session,
        config: ClientConfig,
    ) -> Self {
        let mut codec = ClientConnection::new(world.now, config);
        codec.connect(world.now, connect, session).unwrap();
        Self {
            id: world.connect(Protocol::Mqtt),
            codec,
            buffer: ReadBuffer::new(),
            events: Vec::new(),
            data: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Sends what is to be sent, and gives what came since the last call.
    pub(crate) fn seen(&mut self, world: &mut World) -> Vec<String> {
        loop {
            let mut out = Vec::new();
            self.codec.poll_transmit(world.now, &mut out);
            if !out.is_empty() && !world.is_closed(self.id) {
                world.send(self.id, &out);
            }
            let received = std::mem::take(&mut world.socket(self.id).received);
            self.buffer.extend_from_slice(&received);
            let mut input = self.buffer.input();
            while let Some(event) = self.codec.receive(world.now, &mut input).unwrap() {
                self.data.extend(data(&event));
                let (text, message) = describe(event);
                self.events.push(text);
                self.messages.extend(message);
            }
            drop(input);
            if self.codec.transmit_len() == 0 {
                return std::mem::take(&mut self.events);
            }
        }
    }

    pub(crate) fn subscribe(&mut self, world: &mut World, filter: &str, qos: QoS) {
        self.subscribe_with(&[Subscription::new(filter, qos)], Properties::EMPTY);
        let seen = self.seen(world);
        assert!(seen[0].starts_with("suback"), "{seen:?}");
        self.events.extend(seen.into_iter().skip(1));
    }

    pub(crate) fn subscribe_with(
        &mut self,
        subscriptions: &[Subscription<'_>],
        properties: Properties<'_>,
    ) {
        self.codec.subscribe(subscriptions, properties).unwrap();
    }

    pub(crate) fn publish(&mut self, topic: &str, body: &str, qos: QoS) {
        let message = MessageBuf::new(topic, body.as_bytes().to_vec(), qos);
        self.codec.publish(&message.as_message()).unwrap();
    }

    pub(crate) fn retain(&mut self, topic: &str, body: &str) {
        let mut message = MessageBuf::new(topic, body.as_bytes().to_vec(), QoS::AtLeastOnce);
        message.retain = true;
        self.codec.publish(&message.as_message()).unwrap();
    }

    pub(crate) fn disconnect(&mut self, world: &mut World, reason: ReasonCode) {
        self.codec
            .close(world.now, reason, Properties::EMPTY)
            .unwrap();
        self.seen(world);
    }
}

/// The authentication data of an event, in words.
fn data(event: &ClientEvent<'_>) -> Option<String> {
    let properties = match event {
        ClientEvent::ConnAck(ack) => ack.properties,
        ClientEvent::Auth(auth) => auth.properties,
        _ => return None,
    };
    let data = properties.authentication_data()?;
    Some(String::from_utf8_lossy(data).into_owned())
}

/// An event in words, and the message that came with it.
fn describe(event: ClientEvent<'_>) -> (String, Option<MessageBuf>) {
    match event {
        ClientEvent::ConnAck(ack) => {
            let present = if ack.session_present { " present" } else { "" };
            let expiry = match ack.properties.session_expiry_interval() {
                Some(seconds) => format!(" for {seconds} s"),
                None => String::new(),
            };
            let text = format!("connack {:?}{present}{expiry}", ack.reason_code);
            (text, None)
        }
        ClientEvent::Publish(publish) => {
            let message = publish.to_message().unwrap();
            let mut text = format!(
                "{} {} q{}",
                &*publish.topic_name,
                String::from_utf8_lossy(publish.payload),
                publish.qos as u8
            );
            for (flag, name) in [(publish.retain, " retained"), (publish.dup, " dup")] {
                text.push_str(if flag { name } else { "" });
            }
            let mut identifiers: Vec<u32> = publish.properties.subscription_identifiers().collect();
            identifiers.sort_unstable();
            for identifier in identifiers {
                text.push_str(&format!(" #{identifier}"));
            }
            (text, Some(message))
        }
        ClientEvent::PubAck(ack) => (format!("puback {:?}", ack.reason_code), None),
        ClientEvent::PubRec(ack) => (format!("pubrec {:?}", ack.reason_code), None),
        ClientEvent::PubComp(ack) => (format!("pubcomp {:?}", ack.reason_code), None),
        ClientEvent::PubRel(_) => ("pubrel".into(), None),
        ClientEvent::SubAck(ack) => {
            let codes: Vec<_> = ack.reason_codes.iter().collect();
            (format!("suback {codes:?}"), None)
        }
        ClientEvent::UnsubAck(ack) => {
            let codes: Vec<_> = ack.reason_codes.iter().collect();
            (format!("unsuback {codes:?}"), None)
        }
        ClientEvent::Disconnect(disconnect) => {
            (format!("disconnect {:?}", disconnect.reason_code), None)
        }
        ClientEvent::Auth(auth) => (format!("auth {:?}", auth.reason_code), None),
        other => (format!("{other:?}"), None),
    }
}
