//! `basic.publish`.

use alloc::sync::Arc;
use amqp_codec::ReplyCode;
use amqp_codec::connection::Content;

use super::channel::{Channel, Mode};
use super::{Answer, Serving, content, with_outbound};
use crate::model::message::Message;
use crate::model::vhost::{PublishOutcome, REPLY_QUEUE};

impl Channel {
    pub(super) fn publish(
        &mut self,
        s: &mut Serving<'_>,
        publish_tag: Option<u64>,
        mandatory: bool,
        immediate: bool,
        content: &Content,
    ) -> Answer {
        if immediate {
            return Err(s.fail(ReplyCode::NotImplemented, "immediate=true"));
        }
        s.vhost
            .check_publish(content.exchange())
            .map_err(|refusal| s.refuse(refusal))?;
        let mut message =
            content::message(content, s.user, s.now).map_err(|refusal| s.refuse(refusal))?;
        if message.properties.reply_to.as_deref() == Some(REPLY_QUEUE) {
            let Some(reply) = &self.reply else {
                return Err(s.fail(
                    ReplyCode::PreconditionFailed,
                    "fast reply consumer does not exist",
                ));
            };
            message = message.into_edited();
            message.properties.reply_to = Some(reply.name.clone());
        }
        let message = Arc::new(message);
        if let Mode::Transaction(_) = self.mode {
            return self.hold(s, message, mandatory);
        }
        let outcome = s.vhost.publish(&message, None);
        return_unroutable(s, &message, mandatory, outcome)?;
        match (publish_tag, outcome) {
            (None, _) => Ok(()),
            (Some(tag), PublishOutcome::Refused) => Ok(s.codec.nack(s.number, tag, false)?),
            (Some(tag), PublishOutcome::Routed | PublishOutcome::Unroutable) => {
                Ok(s.codec.ack(s.number, tag, false)?)
            }
        }
    }
}

/// Returns a mandatory message that belongs nowhere.
pub(super) fn return_unroutable(
    s: &mut Serving<'_>,
    message: &Message,
    mandatory: bool,
    outcome: PublishOutcome,
) -> Answer {
    if mandatory && outcome == PublishOutcome::Unroutable {
        let (codec, number) = (&mut *s.codec, s.number);
        with_outbound(message, |message| {
            codec.return_message(number, ReplyCode::NoRoute, "NO_ROUTE", message)
        })?;
    }
    Ok(())
}
