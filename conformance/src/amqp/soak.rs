//! Messages that AMQP carries for sure: persistent, confirmed, acknowledged.

use super::bytes::{BASIC_ACK, BASIC_NACK, CONFIRM_SELECT, CONFIRM_SELECT_OK, args};
use super::client::Client;
use super::method_args::DURABLE;
use crate::case::Context;
use crate::soak::{Consumer, Lane, Publisher, Taken};
use crate::verdict::{Stop, fail};
use crate::wire::Seen;

pub(crate) const LANES: &[Lane] = &[Lane {
    name: "persistent messages, confirmed and acknowledged",
    publisher: |ctx| {
        let mut client = Client::with_capability(ctx, "publisher_confirms")?;
        client.call(1, CONFIRM_SELECT, args().octet(0), CONFIRM_SELECT_OK)?;
        Ok(Box::new(Confirmed {
            client,
            queue: queue(ctx),
            last: 0,
        }))
    },
    consumer: |ctx| Ok(Box::new(Acknowledging::new(ctx)?)),
    may_repeat: true,
}];

fn queue(ctx: &Context<'_>) -> String {
    ctx.name("soak.")
}

struct Confirmed {
    client: Client,
    queue: String,
    /// The tag of the last message.
    last: u64,
}

impl Publisher for Confirmed {
    fn publish(&mut self, bodies: &[String]) -> Result<(), Stop> {
        // Bit 12 is delivery-mode; 2 is persistent.
        let persistent = args().short(1 << 12).octet(2);
        for body in bodies {
            self.client
                .publish_with(1, "", &self.queue, 0, &persistent.0, body.as_bytes());
        }
        let first = self.last + 1;
        self.last += bodies.len() as u64;
        let mut open: Vec<u64> = (first..=self.last).collect();
        while !open.is_empty() {
            match self.client.next(1)? {
                Seen::Frame(frame) if frame.method() == Some(BASIC_ACK) => {
                    let mut args = frame.args();
                    let tag = args.longlong()?;
                    let multiple = args.octet()? & 1 != 0;
                    open.retain(|&other| !(other == tag || multiple && other < tag));
                }
                Seen::Frame(frame) if frame.method() == Some(BASIC_NACK) => {
                    return Err(fail("basic.ack", frame.to_string()));
                }
                other => return Err(fail("basic.ack", other.to_string())),
            }
        }
        Ok(())
    }
}

struct Acknowledging(Client);

impl Acknowledging {
    fn new(ctx: &Context<'_>) -> Result<Self, Stop> {
        let mut client = Client::with_channel(ctx)?;
        let queue = queue(ctx);
        client.declare(1, &queue, DURABLE)?;
        client.consume(&queue, "soak", 0)?;
        Ok(Self(client))
    }
}

impl Consumer for Acknowledging {
    fn connect_again(&mut self, ctx: &Context<'_>) -> Result<(), Stop> {
        *self = Self::new(ctx)?;
        Ok(())
    }

    fn remove(&mut self, ctx: &Context<'_>) -> Result<(), Stop> {
        self.0.delete_queue(&queue(ctx))
    }

    fn take(&mut self) -> Result<Option<Taken>, Stop> {
        let Some(message) = self.0.delivery_within(1)? else {
            return Ok(None);
        };
        self.0.ack(message.delivery_tag, false);
        Ok(Some(Taken {
            body: message.body,
            again: message.redelivered,
        }))
    }
}
