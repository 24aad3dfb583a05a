//! Messages that MQTT carries for sure: QoS 1 and 2, to a session that lasts.

use std::collections::BTreeSet;

use super::client::Client;
use super::play::{Play, Played};
use super::property::{self, SESSION_EXPIRY_INTERVAL};
use super::wire::{Connect, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Publish, Version, ack};
use crate::case::Context;
use crate::soak::{Consumer, Lane, Publisher, Taken};
use crate::verdict::{Stop, fail};
use crate::wire::Seen;

pub(crate) const LANES: &[Lane] = &[
    Lane {
        name: "QoS 1",
        publisher: |ctx| publisher(ctx, 1),
        consumer: |ctx| consumer(ctx, 1),
        may_repeat: true,
    },
    Lane {
        name: "QoS 2",
        publisher: |ctx| publisher(ctx, 2),
        consumer: |ctx| consumer(ctx, 2),
        may_repeat: false,
    },
];

/// The highest version that the broker offers.
fn version(ctx: &Context<'_>) -> Version {
    [(Version::V5, "mqtt5/"), (Version::V311, "mqtt311/")]
        .into_iter()
        .find(|(_, id)| ctx.target.profile.lacks(id).is_none())
        .map_or(Version::V31, |(version, _)| version)
}

fn publisher(ctx: &Context<'_>, qos: u8) -> Result<Box<dyn Publisher>, Stop> {
    let play = Play::new(ctx, version(ctx));
    // Each has a name of its own, which the broker may give in place of ours.
    let connect = Connect {
        client_id: Vec::new(),
        ..play.connect()
    };
    let client = play.join(&connect)?;
    client.needs_qos(qos)?;
    let message = Publish {
        qos,
        ..play.publish(&play.name("t"), b"")
    };
    Ok(Box::new(Publishing { client, message }))
}

fn consumer(ctx: &Context<'_>, qos: u8) -> Result<Box<dyn Consumer>, Stop> {
    Ok(Box::new(Session {
        client: join(ctx, qos)?,
        qos,
        received: BTreeSet::new(),
    }))
}

/// A client with the session of this lane, and its subscription.
fn join(ctx: &Context<'_>, qos: u8) -> Played<Client> {
    let play = Play::new(ctx, version(ctx));
    let connect = Connect {
        client_id: play.name("s").into(),
        properties: property::four_byte(SESSION_EXPIRY_INTERVAL, 3600),
        ..play.durable()
    };
    let mut client = play.join(&connect)?;
    if !client.connack.session_present {
        client.subscribe(&play.name("t"), qos)?;
    }
    Ok(client)
}

struct Publishing {
    client: Client,
    message: Publish,
}

impl Publisher for Publishing {
    fn publish(&mut self, bodies: &[String]) -> Played {
        let ids = 1..=bodies.len() as u16;
        for (id, body) in ids.clone().zip(bodies) {
            let message = Publish {
                id,
                payload: body.as_bytes().to_vec(),
                ..self.message.clone()
            };
            self.client.wire.send(&message.bytes());
        }
        for id in ids {
            if self.message.qos == 1 {
                self.client.expect_ack(PUBACK, id)?;
            } else {
                self.client.expect_ack(PUBREC, id)?;
                self.client.wire.send(&ack(0x62, id));
            }
        }
        if self.message.qos == 2 {
            for id in 1..=bodies.len() as u16 {
                self.client.expect_ack(PUBCOMP, id)?;
            }
        }
        Ok(())
    }
}

struct Session {
    client: Client,
    qos: u8,
    /// Packet identifiers of QoS 2 whose PUBREL has not come.
    received: BTreeSet<u16>,
}

impl Consumer for Session {
    fn connect_again(&mut self, ctx: &Context<'_>) -> Played {
        self.client = join(ctx, self.qos)?;
        if !self.client.connack.session_present {
            self.received.clear();
        }
        Ok(())
    }

    fn remove(&mut self, ctx: &Context<'_>) -> Played {
        let play = Play::new(ctx, version(ctx));
        play.forget(&Connect {
            client_id: play.name("s").into(),
            ..play.connect()
        })
    }

    fn take(&mut self) -> Played<Option<Taken>> {
        loop {
            let time = self.client.wire.silence();
            match self.client.next_within(time)? {
                Seen::Silence(..) => return Ok(None),
                Seen::Frame(packet) if packet.kind() == PUBREL => {
                    if let Some(id) = packet.id() {
                        self.received.remove(&id);
                        self.client.wire.send(&ack(0x70, id));
                    }
                }
                Seen::Frame(packet) if packet.kind() == PUBLISH => {
                    let delivery = self
                        .client
                        .delivery(&packet)
                        .map_err(|why| fail("a PUBLISH", format!("{why}: {packet}")))?;
                    let answer = if delivery.qos == 2 { 0x50 } else { 0x40 };
                    self.client.wire.send(&ack(answer, delivery.id));
                    if delivery.qos == 2 && !self.received.insert(delivery.id) {
                        continue;
                    }
                    return Ok(Some(Taken {
                        body: delivery.payload,
                        again: delivery.dup,
                    }));
                }
                other => return Err(fail("a PUBLISH", other.to_string())),
            }
        }
    }
}
