//! STOMP 1.2. Queues are `/queue/NAME` and topics `/topic/NAME`, as every broker has them.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Result, bail};
use stomp_codec::connection::{
    AckMode, ClientConfig, ClientConnection, ClientEvent, ConnectOptions, Options, ReceiptId,
};
use stomp_codec::{Headers, Version};

use super::{Client, Destination, Heard, Job};
use crate::load::{Confirm, Kind};
use crate::target::Target;

pub struct Stomp {
    client: ClientConnection,
    job: Job,
    destination: String,
    subscribed: Option<ReceiptId>,
    /// Identifiers and stamps of what is not confirmed, the oldest first: that is nearly
    /// always the next one to be.
    unconfirmed: VecDeque<(ReceiptId, u64)>,
}

fn path(destination: &Destination) -> String {
    let room = match destination.kind {
        Kind::Queue => "queue",
        Kind::Topic => "topic",
    };
    format!("/{room}/{}", destination.name)
}

impl Client for Stomp {
    fn begin(now: Duration, target: &Target, job: Job) -> Result<Self> {
        let config = ClientConfig::default().with_versions([Version::V1_2]);
        let mut client = ClientConnection::new(now, config);
        let user = target.user.as_ref();
        let options = ConnectOptions {
            host: &target.virtual_host,
            login: user.map(|(name, _)| &**name),
            passcode: user.map(|(_, password)| &**password),
            ..ConnectOptions::default()
        };
        client.connect(now, &options)?;
        Ok(Self {
            client,
            destination: job.publish.as_ref().map(path).unwrap_or_default(),
            subscribed: None,
            unconfirmed: VecDeque::new(),
            job,
        })
    }

    fn receive(
        &mut self,
        now: Duration,
        input: &mut &[u8],
        heard: &mut impl FnMut(Heard<'_>),
    ) -> Result<()> {
        while let Some(event) = self.client.receive(now, input)? {
            match event {
                ClientEvent::Message(message) => {
                    heard(Heard::Message(message.body()));
                    // What comes behind DISCONNECT is not acknowledged any more.
                    if let Some(token) = &message.ack
                        && self.client.is_open()
                    {
                        self.client.ack(token, Headers::NONE, Options::default())?;
                    }
                }
                ClientEvent::Receipt(receipt) => {
                    if self.subscribed == Some(receipt) {
                        heard(Heard::Ready);
                        continue;
                    }
                    let at = self.unconfirmed.iter().position(|it| it.0 == receipt);
                    if let Some((_, stamp)) = at.and_then(|at| self.unconfirmed.remove(at)) {
                        heard(Heard::Confirmed(stamp));
                    }
                }
                ClientEvent::Connected(_) => {
                    let Some(destination) = &self.job.consume else {
                        heard(Heard::Ready);
                        continue;
                    };
                    let mode = match self.job.confirm {
                        Confirm::None => AckMode::Auto,
                        _ => AckMode::ClientIndividual,
                    };
                    let path = path(destination);
                    (_, self.subscribed) =
                        self.client
                            .subscribe(&path, mode, Headers::NONE, Options::RECEIPT)?;
                }
                ClientEvent::Error(error) => {
                    bail!("{}", error.summary.unwrap_or_default());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn receive_eof(&mut self, now: Duration) -> Result<()> {
        Ok(self.client.receive_eof(now)?)
    }

    fn may_publish(&self) -> bool {
        self.unconfirmed.len() < self.job.window
    }

    fn publish(&mut self, body: &[u8], stamp: u64) -> Result<()> {
        let options = match self.job.confirm {
            Confirm::None => Options::default(),
            _ => Options::RECEIPT,
        };
        let persistent = [("persistent", "true")];
        let headers = if self.job.durable {
            &persistent[..]
        } else {
            &[]
        };
        let receipt =
            self.client
                .send(&self.destination, headers.iter().copied(), body, options)?;
        if let Some(receipt) = receipt {
            self.unconfirmed.push_back((receipt, stamp));
        }
        Ok(())
    }

    fn transmit(&mut self, now: Duration, out: &mut Vec<u8>) {
        self.client.poll_transmit(now, out);
    }

    fn timeout(&self) -> Option<Duration> {
        self.client.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<()> {
        Ok(self.client.handle_timeout(now)?)
    }

    fn close(&mut self, now: Duration) -> Result<()> {
        self.client.close(now)?;
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages that were on their way when the client leaves are no fault.
    #[test]
    fn what_comes_behind_disconnect_is_not_acknowledged() {
        let consume = Destination {
            kind: Kind::Queue,
            name: "q".into(),
            shared: false,
        };
        let job = Job {
            name: "c".into(),
            consume: Some(consume),
            publish: None,
            confirm: Confirm::Once,
            durable: false,
            window: 1,
        };
        let target: Target = "stomp://guest:guest@localhost".parse().expect("a URL");
        let mut client = Stomp::begin(Duration::ZERO, &target, job).expect("it begins");
        let hear = |client: &mut Stomp, mut input: &[u8]| {
            client.receive(Duration::ZERO, &mut input, &mut |_| {})
        };
        hear(&mut client, b"CONNECTED\nversion:1.2\n\n\0").expect("it subscribes");
        let message = b"MESSAGE\ndestination:/queue/q\nmessage-id:1\nsubscription:1\nack:1\n\n\0";
        hear(&mut client, message).expect("it is acknowledged");
        client.close(Duration::ZERO).expect("it is open");
        hear(&mut client, message).expect("it is passed over");
    }
}
