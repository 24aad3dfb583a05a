//! What each client says, whatever carries its bytes: it subscribes, sends to itself with
//! a receipt, receives, acknowledges with a receipt, and says goodbye.

use std::error::Error;
use std::time::Duration;

use stomp_codec::connection::{
    AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options, ReadBuffer,
    ReceiptId,
};
use stomp_codec::{Headers, SendError, Version};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// `ADDRESS [1.0|1.1|1.2] [USER PASSWORD]`.
pub(crate) struct Arguments {
    pub(crate) address: String,
    pub(crate) version: Version,
    user: Option<(String, String)>,
}

impl Arguments {
    pub(crate) fn read() -> Result<Self, Box<dyn Error>> {
        let given: Vec<String> = std::env::args().skip(1).collect();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let (address, version, user) = match given[..] {
            [address] => (address, "1.2", None),
            [address, version] => (address, version, None),
            [address, user, password] => (address, "1.2", Some((user, password))),
            [address, version, user, password] => (address, version, Some((user, password))),
            _ => return Err("usage: ADDRESS [1.0|1.1|1.2] [USER PASSWORD]".into()),
        };
        Ok(Self {
            address: address.into(),
            version: version.parse()?,
            user: user.map(|(name, password)| (name.into(), password.into())),
        })
    }

    pub(crate) fn connect_options(&self) -> ConnectOptions<'_> {
        let user = self.user.as_ref();
        ConnectOptions {
            host: "/",
            login: user.map(|(name, _)| &**name),
            passcode: user.map(|(_, password)| &**password),
            ..ConnectOptions::default()
        }
    }
}

/// How long to wait for input: to the next timeout, or an hour, since not every runtime
/// can wait for ever or not at all.
pub(crate) fn wait(client: &ClientConnection, now: Duration) -> Duration {
    let left = client.poll_timeout().map(|at| at.saturating_sub(now));
    let hour = Duration::from_secs(3600);
    left.unwrap_or(hour).clamp(Duration::from_millis(1), hour)
}

pub(crate) struct Conversation {
    pub(crate) client: ClientConnection,
    pub(crate) buffer: ReadBuffer,
    queue: String,
    subscribed: Option<ReceiptId>,
    sent: Option<ReceiptId>,
    acknowledged: Option<ReceiptId>,
    /// How many of the two last ones have come.
    done: u8,
}

impl Conversation {
    /// Begins with CONNECT. The queue is one of this client alone.
    pub(crate) fn begin(
        now: Duration,
        arguments: &Arguments,
        name: &str,
    ) -> Result<Self, SendError> {
        let config = ClientConfig::default().with_versions([arguments.version]);
        let mut client = ClientConnection::new(now, config);
        client.connect(now, &arguments.connect_options())?;
        Ok(Self {
            client,
            buffer: ReadBuffer::new(),
            queue: format!("/queue/examples.{name}"),
            subscribed: None,
            sent: None,
            acknowledged: None,
            done: 0,
        })
    }

    /// Acts on what was read into the buffer: so many bytes, none at the end of the
    /// stream, or nothing in time.
    pub(crate) fn take(&mut self, now: Duration, read: Option<usize>) -> Outcome {
        match read {
            Some(0) => self.client.receive_eof(now)?,
            Some(length) => self.buffer.filled(length),
            None => {}
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = self.receive(now, &mut buffer.input());
        self.buffer = buffer;
        outcome
    }

    /// Acts on all that has come, then on the time.
    pub(crate) fn receive(&mut self, now: Duration, input: &mut &[u8]) -> Outcome {
        while let Some(event) = self.client.receive(now, input)? {
            self.answer(now, event)?;
        }
        Ok(self.client.handle_timeout(now)?)
    }

    fn answer(&mut self, now: Duration, event: ClientEvent<'_>) -> Outcome {
        let client = &mut self.client;
        match event {
            ClientEvent::Connected(connected) => {
                println!("connected with STOMP {}", connected.version);
                // 1.0 knows no other mode in which there are ACKs.
                let mode = match connected.version {
                    Version::V1_0 => AckMode::Client,
                    _ => AckMode::ClientIndividual,
                };
                let none = Headers::NONE;
                (_, self.subscribed) =
                    client.subscribe(&self.queue, mode, none, Options::RECEIPT)?;
            }
            ClientEvent::Message(message) => {
                let text = String::from_utf8_lossy(message.body());
                println!("received {text} from {}", message.destination);
                let token = message.ack.ok_or("a message that needs no ACK")?;
                self.acknowledged = client.ack(&token, Headers::NONE, Options::RECEIPT)?;
            }
            ClientEvent::Receipt(receipt) if self.subscribed == Some(receipt) => {
                println!("subscribed");
                let headers = [("content-type", "text/plain")];
                self.sent = client.send(&self.queue, headers, b"21.5", Options::RECEIPT)?;
            }
            // One for the message, and one for its acknowledgement, in whatever order.
            ClientEvent::Receipt(receipt)
                if [self.sent, self.acknowledged].contains(&Some(receipt)) =>
            {
                self.done += 1;
                if self.done == 2 {
                    println!("delivered and acknowledged");
                    client.close(now)?;
                }
            }
            ClientEvent::Error(error) => {
                let summary = error.summary.unwrap_or_default();
                let details = String::from_utf8_lossy(error.frame.body());
                return Err(format!("the server says {summary}: {details}").into());
            }
            _ => {}
        }
        Ok(())
    }
}
