//! What is left of an AMQP connection that is idle.

use alloc::boxed::Box;
use alloc::sync::Arc;
use amqp_codec::TableBuf;
use amqp_codec::connection::IdleConnection;
use core::time::Duration;

use super::channel::{Channel, IdleChannel};
use super::{AmqpFrontEnd, codec_config};
use crate::config::Config;
use crate::few_map::FewMap;
use crate::frontend::last_name::LastRoute;
use crate::frontend::link::Link;
use crate::frontend::{FEW, FrontEnd, IdleFrontEnd};
use crate::model::ConnectionId;
use crate::model::message::Name;
use crate::names::Names;

pub(super) struct IdleAmqp {
    codec: IdleConnection,
    /// How many names it has made up.
    named: u64,
    user: Name,
    virtual_host: Name,
    channels: Box<[(u16, IdleChannel)]>,
}

impl IdleAmqp {
    pub(super) fn of(front: &AmqpFrontEnd) -> Option<Self> {
        // A field that is new does not compile until it is known whether it matters here.
        let AmqpFrontEnd {
            codec,
            config: _,
            link,
            names,
            last_route: _,
            // It has logged in.
            identity: _,
            user,
            virtual_host,
            channels,
            held_bodies,
            held_bodies_limit: _,
            closing,
        } = front;
        if *closing || !link.is_empty() || *held_bodies > 0 {
            return None;
        }
        // It has few channels.
        let codec = codec.idle()?;
        let consumers = channels.values().map(|channel| channel.tags.len());
        if consumers.sum::<usize>() > FEW {
            return None;
        }
        let channels = channels.iter();
        let channels = channels.map(|(number, channel)| Some((*number, channel.idle()?)));
        Some(Self {
            codec,
            named: names.count(),
            user: user.clone(),
            virtual_host: virtual_host.clone(),
            channels: channels.collect::<Option<_>>()?,
        })
    }
}

impl IdleFrontEnd for IdleAmqp {
    fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    fn resume(
        &self,
        connection: ConnectionId,
        now: Duration,
        config: &Arc<Config>,
    ) -> Box<dyn FrontEnd + Send> {
        // What start says has been said.
        let settings = codec_config(config, TableBuf::new());
        let mut channels = FewMap::new();
        for (number, idle) in &self.channels {
            channels.insert(*number, Channel::resume(*number, idle));
        }
        Box::new(AmqpFrontEnd {
            held_bodies_limit: settings.limits.held_size,
            codec: self.codec.resume(now, settings),
            config: Arc::clone(config),
            link: Link::default(),
            names: Names::after(config.seed, connection.0, self.named),
            last_route: LastRoute::default(),
            identity: None,
            user: self.user.clone(),
            virtual_host: self.virtual_host.clone(),
            channels,
            held_bodies: 0,
            closing: false,
        })
    }
}
