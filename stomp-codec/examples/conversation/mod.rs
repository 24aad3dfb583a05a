//! What each client says, whatever carries its bytes: it subscribes, sends to itself with
//! a receipt, receives, acknowledges with a receipt, and says goodbye.

use std::error::Error;
use std::time::Duration;

use stomp_codec::connection::{
    AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options, ReceiptId,
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
}

pub(crate) struct Conversation {
    pub(crate) client: ClientConnection,
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
        let user = arguments.user.as_ref();
        let options = ConnectOptions {
            host: "/",
            login: user.map(|(name, _)| &**name),
            passcode: user.map(|(_, password)| &**password),
            ..ConnectOptions::default()
        };
        client.connect(now, &options)?;
        Ok(Self {
            client,
            queue: format!("/queue/examples.{name}"),
            subscribed: None,
            sent: None,
            acknowledged: None,
            done: 0,
        })
    }

    /// Acts on all that has come.
    pub(crate) fn receive(&mut self, now: Duration, input: &mut &[u8]) -> Outcome {
        while let Some(event) = self.client.receive(now, input)? {
            self.answer(now, event)?;
        }
        Ok(())
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
