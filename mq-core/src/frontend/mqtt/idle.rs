//! What is left of an MQTT connection that is idle.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;
use mqtt_codec::connection::IdleConnection;

use super::packets::Counter;
use super::{MqttFrontEnd, codec_config};
use crate::config::Config;
use crate::frontend::last_name::LastTopic;
use crate::frontend::link::Link;
use crate::frontend::{FrontEnd, IdleFrontEnd};
use crate::model::ConnectionId;
use crate::model::session::Leaving;
use crate::rewrite::Who;

pub(super) struct IdleMqtt {
    codec: IdleConnection,
    /// Of few connections.
    rest: Option<Box<Rest>>,
}

/// What few clients have.
struct Rest {
    who: Option<Box<Who>>,
    state_topics: bool,
}

impl IdleMqtt {
    pub(super) fn of(front: &MqttFrontEnd) -> Option<Self> {
        // A field that is new does not compile until it is known whether it matters here.
        let MqttFrontEnd {
            codec,
            config: _,
            terms,
            connection: _,
            link,
            last_topic: _,
            who,
            state_topics,
            attached,
            proof,
            // Matters to the answer to CONNECT, which it has.
            named: _,
            leaving: _,
            unacknowledged,
            packets,
            failed,
        } = front;
        let is_attached = *attached && terms.is_none() && !failed;
        let is_quiet = link.is_empty() && packets.is_empty() && *unacknowledged == 0;
        // Who has proven who it is may be asked to do so again.
        if !is_attached || !is_quiet || proof.is_some() {
            return None;
        }
        let codec = codec.idle()?;
        let rest = (who.is_some() || *state_topics).then(|| {
            Box::new(Rest {
                who: who.clone(),
                state_topics: *state_topics,
            })
        });
        Some(Self { codec, rest })
    }
}

impl IdleFrontEnd for IdleMqtt {
    fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    fn resume(
        &self,
        connection: ConnectionId,
        now: Duration,
        config: &Arc<Config>,
    ) -> Box<dyn FrontEnd + Send> {
        Box::new(MqttFrontEnd {
            codec: self.codec.resume(now, codec_config(config)),
            config: Arc::clone(config),
            terms: None,
            connection,
            link: Link::default(),
            last_topic: LastTopic::default(),
            who: self.rest.as_ref().and_then(|rest| rest.who.clone()),
            state_topics: self.rest.as_ref().is_some_and(|rest| rest.state_topics),
            attached: true,
            proof: None,
            named: false,
            leaving: Leaving::default(),
            unacknowledged: 0,
            packets: Counter::new(!config.sys_interval.is_zero()),
            failed: false,
        })
    }
}
