//! `basic.publish`.

use alloc::sync::Arc;
use amqp_codec::ReplyCode;
use amqp_codec::connection::Content;

use super::channel::{Channel, Mode};
use super::{Answer, Serving, content};
use crate::model::Request;
use crate::model::message::Text;
use crate::model::request::{Publish, Unrouted};
use crate::model::vhost::REPLY_QUEUE;

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
        let mut message = content::message(content, s.user, &s.config.limits, s.last_route, s.now)
            .map_err(|refusal| s.refuse(refusal))?;
        let reply_to = message.properties.reply_to.as_ref();
        if reply_to.is_some_and(|name| name == REPLY_QUEUE) {
            let Some(reply) = &self.reply else {
                return Err(s.fail(
                    ReplyCode::PreconditionFailed,
                    "fast reply consumer does not exist",
                ));
            };
            message = message.into_edited();
            message.properties.reply_to = Some(Text::from(&*reply.name));
        }
        let publish = Publish {
            message: Arc::new(message),
            unrouted: if mandatory {
                Unrouted::Return
            } else {
                Unrouted::Drop
            },
        };
        let channel = s.number;
        if let Mode::Transaction(_) = self.mode {
            let exchange = publish.message.exchange.clone();
            s.link.tell(Request::CheckPublish { channel, exchange });
            return self.hold(s, publish);
        }
        s.link.tell(Request::Publish {
            channel,
            publish,
            ticket: publish_tag,
        });
        Ok(())
    }
}
