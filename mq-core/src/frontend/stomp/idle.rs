//! What is left of a STOMP connection that is idle.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use stomp_codec::connection::{IdleConnection, Subscription};

use super::{Receiver, Session, StompFrontEnd, codec_config};
use crate::config::Config;
use crate::frontend::last_name::{LastName, LastRoute};
use crate::frontend::link::Link;
use crate::frontend::{FEW, FrontEnd, IdleFrontEnd};
use crate::model::ConnectionId;
use crate::model::message::Name;
use crate::model::queue::ConsumerId;
use crate::names::Names;

pub(super) struct IdleStomp {
    codec: IdleConnection,
    /// How many names it has made up.
    named: u64,
    user: Name,
    /// In the order of their numbers, in which they were added.
    consumers: Box<[(ConsumerId, Receiver)]>,
    last_delivery: u64,
    last_ticket: u64,
    /// Of few connections.
    rest: Option<Box<Rest>>,
}

/// What few clients have.
#[derive(Clone)]
struct Rest {
    client: Option<Name>,
    durable: Box<[(Subscription, Name)]>,
    temporary: Box<[(String, Name)]>,
    temporary_topics: Option<Name>,
}

impl Rest {
    fn is_empty(&self) -> bool {
        let Self {
            client,
            durable,
            temporary,
            temporary_topics,
        } = self;
        let has_names = client.is_some() || temporary_topics.is_some();
        !has_names && durable.is_empty() && temporary.is_empty()
    }
}

impl IdleStomp {
    pub(super) fn of(front: &StompFrontEnd) -> Option<Self> {
        // A field that is new does not compile until it is known whether it matters here.
        let StompFrontEnd {
            codec,
            config: _,
            link,
            names,
            incoming,
            // It has logged in.
            terms: _,
            connection: _,
            last_route: _,
            last_destination: _,
            user,
            session,
        } = front;
        let Session {
            client,
            consumers,
            by_subscription: _,
            durable,
            temporary,
            temporary_topics,
            held,
            last_delivery,
            receipts,
            committing,
            last_ticket,
            farewell,
        } = session.as_ref()?;
        let is_settled = held.is_empty() && receipts.is_empty() && committing.is_empty();
        if !link.is_empty() || !is_settled || farewell.is_some() || incoming.is_some() {
            return None;
        }
        let most = consumers.len().max(durable.len()).max(temporary.len());
        if most > FEW {
            return None;
        }
        let codec = codec.idle()?;
        let durable = durable.iter().map(|(it, queue)| (*it, queue.clone()));
        let temporary = temporary
            .iter()
            .map(|(it, queue)| (it.clone(), queue.clone()));
        let rest = Rest {
            client: client.clone(),
            durable: durable.collect(),
            temporary: temporary.collect(),
            temporary_topics: temporary_topics.clone(),
        };
        let consumers = consumers.iter();
        Some(Self {
            codec,
            named: names.count(),
            user: user.clone(),
            consumers: consumers.map(|(id, to)| (*id, to.clone())).collect(),
            last_delivery: *last_delivery,
            last_ticket: *last_ticket,
            rest: Some(rest).filter(|rest| !rest.is_empty()).map(Box::new),
        })
    }

    fn session(&self) -> Session {
        let mut session = Session {
            last_delivery: self.last_delivery,
            last_ticket: self.last_ticket,
            ..Session::default()
        };
        for (consumer, receiver) in &self.consumers {
            session.consumers.insert(*consumer, receiver.clone());
            if let Receiver::Subscription(subscription) | Receiver::Own(subscription, _) = receiver
            {
                let consumers = session.by_subscription.or_default(*subscription);
                consumers.push(*consumer);
            }
        }
        if let Some(rest) = &self.rest {
            let Rest {
                client,
                durable,
                temporary,
                temporary_topics,
            } = (**rest).clone();
            session.client = client;
            session.durable = durable.into_iter().collect();
            session.temporary = temporary.into_iter().collect();
            session.temporary_topics = temporary_topics;
        }
        session
    }
}

impl IdleFrontEnd for IdleStomp {
    fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    fn resume(
        &self,
        connection: ConnectionId,
        now: Duration,
        config: &Arc<Config>,
    ) -> Box<dyn FrontEnd + Send> {
        Box::new(StompFrontEnd {
            codec: self.codec.resume(now, codec_config(config)),
            config: Arc::clone(config),
            link: Link::default(),
            names: Names::after(config.seed, connection.0, self.named),
            terms: None,
            connection,
            last_route: LastRoute::default(),
            last_destination: LastName::default(),
            user: self.user.clone(),
            incoming: None,
            session: Some(self.session()),
        })
    }
}
