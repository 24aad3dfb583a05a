//! Messages that STOMP carries for sure: with a receipt, to a queue, acknowledged.

use super::client::{Client, queue};
use super::wire::{Version, frame};
use crate::case::Context;
use crate::soak::{Consumer, Lane, Publisher, Taken};
use crate::verdict::Stop;

pub(crate) const LANES: &[Lane] = &[Lane {
    name: "with receipts, acknowledged",
    publisher: |ctx| {
        Ok(Box::new(Receipted {
            client: Client::connected(ctx, version(ctx))?,
            destination: queue(ctx, "soak"),
        }))
    },
    consumer: |ctx| Ok(Box::new(Acknowledging::new(ctx)?)),
    may_repeat: true,
}];

/// The highest version that the broker offers with an ACK for one message.
fn version(ctx: &Context<'_>) -> Version {
    match ctx.target.profile.lacks("stomp12/") {
        None => Version::V12,
        Some(_) => Version::V11,
    }
}

struct Receipted {
    client: Client,
    destination: String,
}

impl Publisher for Receipted {
    fn publish(&mut self, bodies: &[String]) -> Result<(), Stop> {
        // Brokers keep a message over a restart where it says so.
        let headers = [
            ("destination", self.destination.as_str()),
            ("persistent", "true"),
        ];
        let receipts: Vec<_> = bodies
            .iter()
            .map(|body| self.client.ask("SEND", &headers, body.as_bytes()))
            .collect();
        for receipt in receipts {
            self.client.receipt(&receipt, "SEND")?;
        }
        Ok(())
    }
}

struct Acknowledging(Client);

impl Acknowledging {
    fn new(ctx: &Context<'_>) -> Result<Self, Stop> {
        let mut client = Client::connected(ctx, version(ctx))?;
        client.subscribe("soak", &queue(ctx, "soak"), "client-individual")?;
        Ok(Self(client))
    }
}

impl Consumer for Acknowledging {
    fn connect_again(&mut self, ctx: &Context<'_>) -> Result<(), Stop> {
        *self = Self::new(ctx)?;
        Ok(())
    }

    /// STOMP has no frame that removes a queue, and this one is empty.
    fn remove(&mut self, _: &Context<'_>) -> Result<(), Stop> {
        Ok(())
    }

    fn take(&mut self) -> Result<Option<Taken>, Stop> {
        let Some(message) = self.0.message_within()? else {
            return Ok(None);
        };
        let headers = self.0.settle_headers(&message)?;
        self.0.send(&frame("ACK", &headers, b""));
        // What says that a message has come before is no header of STOMP.
        let again = message.header("redelivered") == Some(b"true");
        Ok(Some(Taken {
            body: message.body,
            again,
        }))
    }
}
