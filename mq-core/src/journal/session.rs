//! What records of sessions are made of.

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::num::NonZeroU32;
use core::time::Duration;

use super::field::{
    Fields, Malformed, put_bytes, put_flag, put_number, put_option, put_text, put_time,
};
use super::message::{nanoseconds, put_message, put_quality};
use crate::model::change::{Copied, Handshake, KeptSession, KeptSubscription, Sender, Sent};
use crate::model::session::{SessionId, SubscriptionOptions, Will};

pub(super) fn put_session(out: &mut Vec<u8>, session: &KeptSession) {
    let KeptSession {
        id,
        client_identifier,
        expiry,
        away,
        will,
    } = session;
    put_number(out, id.0);
    put_text(out, client_identifier);
    put_option(out, expiry.map(nanoseconds), put_number);
    put_option(out, *away, put_time);
    put_option(out, will.as_ref(), put_will);
}

fn put_will(out: &mut Vec<u8>, will: &Will) {
    let Will { message, delay } = will;
    put_number(out, nanoseconds(*delay));
    let mut encoded = Vec::new();
    put_message(&mut encoded, message);
    for piece in message.body.pieces() {
        encoded.extend_from_slice(piece);
    }
    put_bytes(out, &encoded);
}

pub(super) fn put_subscription(out: &mut Vec<u8>, subscription: &KeptSubscription) {
    let KeptSubscription {
        session,
        filter,
        shared,
        options,
    } = subscription;
    let SubscriptionOptions {
        qos,
        no_local,
        retain_as_published,
        identifier,
    } = options;
    put_number(out, session.0);
    put_text(out, filter);
    put_flag(out, *shared);
    put_quality(out, *qos);
    put_flag(out, *no_local);
    put_flag(out, *retain_as_published);
    put_option(out, identifier.map(|it| it.get().into()), put_number);
}

pub(super) fn put_copy(out: &mut Vec<u8>, copy: &Copied) {
    let Copied {
        qos,
        retain,
        identifiers,
        share,
        sent,
    } = copy;
    put_quality(out, *qos);
    put_flag(out, *retain);
    put_number(out, identifiers.len() as u64);
    for identifier in identifiers {
        put_number(out, (*identifier).into());
    }
    put_option(out, share.as_deref(), put_text);
    put_option(out, *sent, put_sent);
}

pub(super) fn put_sent(out: &mut Vec<u8>, sent: Sent) {
    let Sent {
        packet_identifier,
        number,
    } = sent;
    put_number(out, packet_identifier.into());
    put_number(out, number);
}

pub(super) fn put_handshake(out: &mut Vec<u8>, handshake: Handshake) {
    let Handshake {
        session,
        sender,
        packet_identifier,
    } = handshake;
    put_number(out, session.0);
    out.push(match sender {
        Sender::Client => 0,
        Sender::Broker => 1,
    });
    put_number(out, packet_identifier.into());
}

impl Fields {
    pub(super) fn session(&mut self) -> Result<KeptSession, Malformed> {
        Ok(KeptSession {
            id: SessionId(self.count()?),
            client_identifier: self.text()?,
            expiry: self.option(Self::number)?.map(Duration::from_nanos),
            away: self.option(Self::time)?,
            will: self.option(Self::will)?,
        })
    }

    fn will(&mut self) -> Result<Will, Malformed> {
        let delay = Duration::from_nanos(self.number()?);
        let encoded: Bytes = self.bytes()?;
        let message = Arc::new(Self(encoded).message()?);
        Ok(Will { message, delay })
    }

    pub(super) fn subscription(&mut self) -> Result<KeptSubscription, Malformed> {
        Ok(KeptSubscription {
            session: SessionId(self.count()?),
            filter: self.text()?,
            shared: self.flag()?,
            options: SubscriptionOptions {
                qos: self.quality()?,
                no_local: self.flag()?,
                retain_as_published: self.flag()?,
                identifier: self.option(Self::u32)?.and_then(NonZeroU32::new),
            },
        })
    }

    pub(super) fn copied(&mut self) -> Result<Copied, Malformed> {
        Ok(Copied {
            qos: self.quality()?,
            retain: self.flag()?,
            identifiers: self.list(Self::u32)?,
            share: self.option(Self::text)?,
            sent: self.option(Self::sent)?,
        })
    }

    pub(super) fn sent(&mut self) -> Result<Sent, Malformed> {
        Ok(Sent {
            packet_identifier: self.packet_identifier()?,
            number: self.count()?,
        })
    }

    pub(super) fn handshake(&mut self) -> Result<Handshake, Malformed> {
        Ok(Handshake {
            session: SessionId(self.count()?),
            sender: match self.byte()? {
                0 => Sender::Client,
                1 => Sender::Broker,
                _ => return Err(Malformed),
            },
            packet_identifier: self.packet_identifier()?,
        })
    }

    fn packet_identifier(&mut self) -> Result<u16, Malformed> {
        match u16::try_from(self.number()?) {
            Ok(identifier) if identifier > 0 => Ok(identifier),
            _ => Err(Malformed),
        }
    }
}
