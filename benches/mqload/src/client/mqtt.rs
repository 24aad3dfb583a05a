//! MQTT 3.1.1 and 5.0. A queue that several consumers share is a shared subscription, which
//! came with 5.0 (section 4.8.2); one with a single consumer is a topic.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use mqtt_codec::connection::{ClientConfig, ClientConnection, ClientEvent, Message, Session};
use mqtt_codec::{
    Connect, PacketIdentifier, Properties, ProtocolVersion, QoS, ReasonCode, Subscription,
};

use super::{Client, Heard, Job};
use crate::load::{Confirm, Kind};
use crate::target::Target;

pub struct Mqtt {
    client: ClientConnection,
    job: Job,
    /// What is published, but for its payload.
    topic: String,
    qos: QoS,
    /// Identifiers and stamps of what is not confirmed, the oldest first: that is nearly
    /// always the next one to be.
    unconfirmed: VecDeque<(PacketIdentifier, u64)>,
}

impl Mqtt {
    fn confirmed(
        &mut self,
        identifier: PacketIdentifier,
        reason: ReasonCode,
        heard: &mut impl FnMut(Heard<'_>),
    ) -> Result<()> {
        ensure!(!reason.is_error(), "a message was refused: {reason}");
        let at = self.unconfirmed.iter().position(|it| it.0 == identifier);
        if let Some((_, stamp)) = at.and_then(|at| self.unconfirmed.remove(at)) {
            heard(Heard::Confirmed(stamp));
        }
        Ok(())
    }
}

impl Client for Mqtt {
    fn begin(now: Duration, target: &Target, job: Job) -> Result<Self> {
        let version = match target.version.as_deref() {
            None | Some("3.1.1") => ProtocolVersion::V3_1_1,
            Some("5.0" | "5") => ProtocolVersion::V5_0,
            Some(other) => bail!("MQTT has no version {other}"),
        };
        let shares = job
            .consume
            .as_ref()
            .is_some_and(|it| it.kind == Kind::Queue && it.shared);
        ensure!(
            !shares || version == ProtocolVersion::V5_0,
            "consumers that share came with MQTT 5.0: ?version=5.0, or kind=topic"
        );
        let window = u16::try_from(job.window).unwrap_or(u16::MAX);
        let config = ClientConfig::default().with_maximum_in_flight(window);
        let mut client = ClientConnection::new(now, config);
        let user = target.user.as_ref();
        let connect = Connect {
            // What survives the broker waits in a session that does.
            clean_start: !(job.durable && job.consume.is_some()),
            keep_alive: 60,
            user_name: match user {
                Some((name, _)) => Some(name.as_str().try_into()?),
                None => None,
            },
            password: user.map(|(_, password)| password.as_bytes()),
            ..Connect::clean(version, job.name.as_str().try_into()?)
        };
        client.connect(now, &connect, Session::new())?;
        let qos = qos(job.confirm);
        let topic = job.publish.as_ref().map_or("-", |it| it.name.as_str());
        Ok(Self {
            client,
            topic: topic.into(),
            qos,
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
                // It is acknowledged automatically.
                ClientEvent::Publish(publish) => heard(Heard::Message(publish.payload)),
                ClientEvent::PubAck(ack) | ClientEvent::PubComp(ack) => {
                    self.confirmed(ack.packet_identifier, ack.reason_code, heard)?;
                }
                ClientEvent::PubRec(ack) if ack.reason_code.is_error() => {
                    self.confirmed(ack.packet_identifier, ack.reason_code, heard)?;
                }
                ClientEvent::ConnAck(connack) => {
                    let reason = connack.reason_code;
                    ensure!(!reason.is_error(), "{reason}");
                    let Some(destination) = &self.job.consume else {
                        heard(Heard::Ready);
                        continue;
                    };
                    let filter = match destination.kind {
                        Kind::Queue if destination.shared => {
                            format!("$share/mqload/{}", destination.name)
                        }
                        _ => destination.name.clone(),
                    };
                    let filters = [Subscription::new(&filter, qos(self.job.confirm))];
                    self.client.subscribe(&filters, Properties::EMPTY)?;
                }
                ClientEvent::SubAck(suback) => {
                    let refused = suback.reason_codes.iter().find(|code| code.is_error());
                    if let Some(reason) = refused {
                        bail!("the subscription was refused: {reason}");
                    }
                    heard(Heard::Ready);
                }
                ClientEvent::Disconnect(disconnect) => bail!("{}", disconnect.reason_code),
                _ => {}
            }
        }
        Ok(())
    }

    fn receive_eof(&mut self, now: Duration) -> Result<()> {
        Ok(self.client.receive_eof(now)?)
    }

    fn may_publish(&self) -> bool {
        self.job.confirm == Confirm::None || self.client.send_quota() > 0
    }

    fn publish(&mut self, body: &[u8], stamp: u64) -> Result<()> {
        let message = Message::new(&self.topic, body, self.qos);
        if let Some(identifier) = self.client.publish(&message)? {
            self.unconfirmed.push_back((identifier, stamp));
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
        Ok(self
            .client
            .close(now, ReasonCode::Success, Properties::EMPTY)?)
    }

    fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

fn qos(confirm: Confirm) -> QoS {
    match confirm {
        Confirm::None => QoS::AtMostOnce,
        Confirm::Once => QoS::AtLeastOnce,
        Confirm::Exactly => QoS::ExactlyOnce,
    }
}
