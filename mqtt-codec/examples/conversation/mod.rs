//! What each client example does: it subscribes, publishes to itself as surely as the server
//! grants, receives, acknowledges and says goodbye. How bytes and time come and go is the
//! business of the runtime.

use std::error::Error;
use std::time::Duration;

use crate::arguments::Arguments;
use mqtt_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Message, ReadBuffer, SendError, Session,
};
use mqtt_codec::{Connect, Properties, QoS, ReasonCode, Subscription};

/// Bytes that are read at a time.
const AT_ONCE: usize = 4096;

/// A client in the middle of it.
pub(crate) struct Conversation {
    client: ClientConnection,
    buffer: ReadBuffer,
    topic: String,
    sent: bool,
    received: bool,
    /// What went wrong that is no error of the connection.
    failure: Option<String>,
}

impl Conversation {
    pub(crate) fn begin(
        name: &str,
        arguments: &Arguments,
        now: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        let identifier = format!("{name}-client");
        let connect = Connect {
            keep_alive: 30,
            user_name: match &arguments.user {
                Some((name, _)) => Some(name.as_str().try_into()?),
                None => None,
            },
            password: arguments.user.as_ref().map(|(_, it)| it.as_bytes()),
            ..Connect::clean(arguments.version, identifier.as_str().try_into()?)
        };
        let mut client = ClientConnection::new(now, ClientConfig::default());
        client.connect(now, &connect, Session::new())?;
        Ok(Self {
            client,
            buffer: ReadBuffer::new(),
            topic: format!("examples/{name}"),
            sent: false,
            received: false,
            failure: None,
        })
    }

    /// Where to read to.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.buffer.space(AT_ONCE)
    }

    /// So much was read; nothing, when the socket has ended.
    pub(crate) fn read(&mut self, now: Duration, length: usize) {
        self.buffer.filled(length);
        if length == 0 {
            // What it returns is also what `error` returns at the end.
            self.client.receive_eof(now).unwrap_or_default();
        }
    }

    /// Answers what has come, and does what is due. Errors end the conversation, once the
    /// protocol's goodbye is sent.
    pub(crate) fn turn(&mut self, now: Duration) {
        let mut input = self.buffer.input();
        while let Ok(Some(event)) = self.client.receive(now, &mut input) {
            let step = Step {
                client: &mut self.client,
                topic: &self.topic,
                sent: &mut self.sent,
                received: &mut self.received,
            };
            if let Err(error) = step.answer(now, event) {
                self.failure.get_or_insert(error.to_string());
            }
        }
        self.client.handle_timeout(now).unwrap_or_default();
    }

    /// Appends what is to be written.
    pub(crate) fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) {
        self.client.poll_transmit(now, out);
    }

    /// How long to wait for bytes: never nothing, which a socket would take for ever.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        self.client
            .poll_timeout()
            .map_or(Duration::from_secs(3600), |at| at.saturating_sub(now))
            .max(Duration::from_millis(1))
    }

    /// Whether all has been said, once it is written.
    pub(crate) fn is_over(&self) -> bool {
        self.client.is_closed() || self.failure.is_some()
    }

    pub(crate) fn outcome(self) -> Result<(), Box<dyn Error>> {
        match (self.failure, self.client.error()) {
            (Some(failure), _) => Err(failure.into()),
            (None, Some(error)) => Err((*error).into()),
            (None, None) => Ok(()),
        }
    }
}

/// One event, and what it changes.
struct Step<'a> {
    client: &'a mut ClientConnection,
    topic: &'a str,
    sent: &'a mut bool,
    received: &'a mut bool,
}

impl Step<'_> {
    fn answer(self, now: Duration, event: ClientEvent<'_>) -> Result<(), Box<dyn Error>> {
        match event {
            ClientEvent::ConnAck(connack) if connack.reason_code.is_error() => {
                return Err(connack.reason_code.to_string().into());
            }
            ClientEvent::ConnAck(_) => {
                println!("connected");
                let filters = [Subscription::new(self.topic, QoS::ExactlyOnce)];
                self.client.subscribe(&filters, Properties::EMPTY)?;
            }
            ClientEvent::SubAck(suback) => {
                let qos = match suback.reason_codes.iter().next() {
                    Some(ReasonCode::GrantedQoS2) => QoS::ExactlyOnce,
                    Some(ReasonCode::GrantedQoS1) => QoS::AtLeastOnce,
                    other => return Err(format!("subscribed with {other:?}").into()),
                };
                println!("subscribed with {qos:?}");
                self.client
                    .publish(&Message::new(self.topic, "21.5", qos))?;
            }
            // It is acknowledged automatically.
            ClientEvent::Publish(message) => {
                let text = String::from_utf8_lossy(message.payload);
                println!("received {text} from {}", message.topic_name);
                *self.received = message.qos < QoS::ExactlyOnce;
            }
            ClientEvent::PubRel(_) => *self.received = true,
            ClientEvent::PubAck(ack) | ClientEvent::PubRec(ack) | ClientEvent::PubComp(ack)
                if ack.reason_code.is_error() =>
            {
                return Err(ack.reason_code.to_string().into());
            }
            ClientEvent::PubAck(ack) | ClientEvent::PubComp(ack) => {
                println!("delivered: {}", ack.reason_code);
                *self.sent = true;
            }
            ClientEvent::Disconnect(disconnect) => {
                return Err(format!("the server leaves: {}", disconnect.reason_code).into());
            }
            _ => {}
        }
        if *self.sent && *self.received {
            match self
                .client
                .close(now, ReasonCode::Success, Properties::EMPTY)
            {
                Ok(()) | Err(SendError::Closed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
