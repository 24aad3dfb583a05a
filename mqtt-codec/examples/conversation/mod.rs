//! What each client example does: it subscribes, publishes to itself as surely as the server
//! grants, receives, acknowledges and says goodbye. How bytes come and go, and how to wait, is
//! the business of the runtime.
#![allow(
    clippy::disallowed_methods,
    reason = "an application is where the clock is"
)]

use std::error::Error;
use std::time::{Duration, Instant};

use mqtt_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Message, ReadBuffer, Session,
};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode, Subscription};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// What each client example is told: `HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]`.
pub(crate) struct Arguments {
    pub(crate) address: String,
    pub(crate) version: ProtocolVersion,
    user: Option<(String, String)>,
}

impl Arguments {
    pub(crate) fn parse() -> Result<Self, Box<dyn Error>> {
        let given: Vec<String> = std::env::args().skip(1).collect();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let (address, version, user) = match given[..] {
            [address] => (address, "5.0", None),
            [address, version] => (address, version, None),
            [address, user, password] => (address, "5.0", Some((user, password))),
            [address, version, user, password] => (address, version, Some((user, password))),
            _ => return Err("usage: HOST:PORT [3.1|3.1.1|5.0] [USER PASSWORD]".into()),
        };
        let mut versions = ProtocolVersion::ALL.into_iter();
        let version = versions.find(|known| known.to_string() == version);
        Ok(Self {
            address: address.into(),
            version: version.ok_or("the version is 3.1, 3.1.1 or 5.0")?,
            user: user.map(|(name, password)| (name.into(), password.into())),
        })
    }
}

/// What is done with an event.
pub(crate) type Act = Box<dyn FnMut(&mut ClientConnection, Duration, ClientEvent<'_>) -> Outcome>;

/// A client, and what it does with each event.
pub(crate) struct Conversation {
    pub(crate) client: ClientConnection,
    buffer: ReadBuffer,
    start: Instant,
    act: Act,
    /// What went wrong that is no error of the connection.
    failure: Option<Box<dyn Error>>,
}

impl Conversation {
    /// One that begins with this CONNECT, with the user of `arguments`. Its time counts from
    /// `start`, as that of each connection of the same session.
    pub(crate) fn new(
        arguments: &Arguments,
        connect: Connect<'_>,
        session: Session,
        start: Instant,
        act: Act,
    ) -> Result<Self, Box<dyn Error>> {
        let mut connect = connect;
        if let Some((name, password)) = &arguments.user {
            connect.user_name = Some(name.as_str().try_into()?);
            connect.password = Some(password.as_bytes());
        }
        let mut client = ClientConnection::new(start.elapsed(), ClientConfig::default());
        client.connect(start.elapsed(), &connect, session)?;
        Ok(Self {
            client,
            buffer: ReadBuffer::new(),
            start,
            act,
            failure: None,
        })
    }

    /// Where to read to.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.buffer.space(4096)
    }

    /// So much was read; nothing, when the socket has ended.
    pub(crate) fn read(&mut self, length: usize) {
        self.buffer.filled(length);
        if length == 0 {
            // What it returns is also what `error` returns at the end.
            let now = self.start.elapsed();
            self.client.receive_eof(now).unwrap_or_default();
        }
    }

    /// Answers what has come, does what is due, and returns what is to be written. An error ends
    /// the conversation, once the protocol's goodbye is written.
    pub(crate) fn turn(&mut self) -> Vec<u8> {
        let now = self.start.elapsed();
        let mut input = self.buffer.input();
        while let Ok(Some(event)) = self.client.receive(now, &mut input) {
            if let Err(error) = (self.act)(&mut self.client, now, event) {
                self.failure.get_or_insert(error);
            }
        }
        self.client.handle_timeout(now).unwrap_or_default();
        let mut out = Vec::new();
        self.client.poll_transmit(now, &mut out);
        out
    }

    /// How long to wait for bytes: never nothing, which a socket would take for ever.
    pub(crate) fn wait(&self) -> Duration {
        let due = self.client.poll_timeout().unwrap_or(Duration::MAX);
        due.saturating_sub(self.start.elapsed())
            .clamp(Duration::from_millis(1), Duration::from_secs(3600))
    }

    /// How it went, once all has been said and written.
    pub(crate) fn outcome(&mut self) -> Option<Outcome> {
        match (self.failure.take(), self.client.error()) {
            (Some(failure), _) => Some(Err(failure)),
            (None, Some(error)) => Some(Err((*error).into())),
            (None, None) => self.client.is_closed().then_some(Ok(())),
        }
    }
}

/// The conversation that the example with this name has.
#[allow(dead_code, reason = "the example of a resumed session has its own")]
pub(crate) fn begin(name: &str, arguments: &Arguments) -> Result<Conversation, Box<dyn Error>> {
    let (identifier, topic) = (format!("{name}-client"), format!("examples/{name}"));
    let connect = Connect::clean(arguments.version, identifier.as_str().try_into()?);
    let (mut sent, mut received) = (false, false);
    let act = move |client: &mut ClientConnection, now: Duration, event: ClientEvent<'_>| {
        match event {
            ClientEvent::ConnAck(connack) if connack.reason_code.is_error() => {
                return Err(connack.reason_code.to_string().into());
            }
            ClientEvent::ConnAck(_) => {
                let filters = [Subscription::new(&topic, QoS::ExactlyOnce)];
                client.subscribe(&filters, Properties::EMPTY)?;
            }
            ClientEvent::SubAck(suback) => {
                let qos = match suback.reason_codes.iter().next() {
                    Some(ReasonCode::GrantedQoS2) => QoS::ExactlyOnce,
                    Some(ReasonCode::GrantedQoS1) => QoS::AtLeastOnce,
                    other => return Err(format!("subscribed with {other:?}").into()),
                };
                client.publish(&Message::new(&topic, "21.5", qos))?;
            }
            // It is acknowledged automatically.
            ClientEvent::Publish(message) => {
                let text = String::from_utf8_lossy(message.payload);
                println!("received {text} from {}", message.topic_name);
                received = message.qos < QoS::ExactlyOnce;
            }
            ClientEvent::PubRel(_) => received = true,
            ClientEvent::PubAck(ack) | ClientEvent::PubRec(ack) | ClientEvent::PubComp(ack)
                if ack.reason_code.is_error() =>
            {
                return Err(ack.reason_code.to_string().into());
            }
            ClientEvent::PubAck(_) | ClientEvent::PubComp(_) => sent = true,
            ClientEvent::Disconnect(disconnect) => {
                return Err(format!("the server leaves: {}", disconnect.reason_code).into());
            }
            _ => {}
        }
        if sent && received && client.is_open() {
            client.close(now, ReasonCode::Success, Properties::EMPTY)?;
        }
        Ok(())
    };
    let (session, start) = (Session::new(), Instant::now());
    Conversation::new(arguments, connect, session, start, Box::new(act))
}
