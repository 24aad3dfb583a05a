//! MQTT 3.1, 3.1.1 and 5.0.

mod connect;
mod properties;

use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::BytesMut;
use core::time::Duration;
use mqtt_codec::connection::{
    InboundPublish, Reading, SendError, ServerConfig, ServerConnection, ServerEvent,
};
use mqtt_codec::{
    Disconnect, PacketIdentifier, Properties, ProtocolVersion, ReasonCode,
    RetainHandling as WireRetainHandling, Subscribe, Unsubscribe,
};

use super::{Context, FrontEnd, Progress};
use crate::config::Config;
use crate::model::Notice;
use crate::model::session::{
    Leaving, RetainHandling, SessionId, SubscribeRequest, SubscriptionOptions,
};
use crate::model::vhost::{PublishOutcome, VirtualHost};
use connect::Waiting;
use properties::Inbound;

/// Bytes of a packet besides its payload that are allowed for.
const PACKET_OVERHEAD: usize = 64 * 1024;

/// Messages sent before the broker looks whether the peer keeps up.
const BURST: usize = 64;

/// Bytes sent before the broker looks whether the peer keeps up.
const BURST_BYTES: usize = 16 * 1024;

/// One MQTT connection.
pub(super) struct MqttFrontEnd {
    codec: ServerConnection,
    /// The virtual host, by number.
    vhost: usize,
    /// From CONNACK on.
    session: Option<SessionId>,
    /// A CONNECT that waits for another connection to go.
    waiting: Option<Waiting>,
    /// How the client said that it leaves.
    leaving: Leaving,
    /// Messages may be sent.
    writable: bool,
    /// The codec could not answer, so there is no way to go on.
    failed: bool,
}

impl MqttFrontEnd {
    pub(super) fn new(config: &Config, now: Duration) -> Self {
        let mut codec = ServerConfig::default();
        let packet = config.limits.message_size.saturating_add(PACKET_OVERHEAD);
        codec.limits.maximum_packet_size = u32::try_from(packet).unwrap_or(u32::MAX);
        codec.limits.maximum_topic_levels =
            u16::try_from(config.limits.topic_levels).unwrap_or(u16::MAX);
        codec.limits.maximum_topic_filters =
            u32::try_from(config.limits.topic_filters).unwrap_or(u32::MAX);
        codec.receive_maximum = config.receive_maximum;
        codec.maximum_in_flight = config.maximum_in_flight;
        codec.topic_alias_maximum = config.topic_alias_maximum;
        MqttFrontEnd {
            codec: ServerConnection::new(now, codec),
            vhost: 0,
            session: None,
            waiting: None,
            leaving: Leaving::default(),
            writable: true,
            failed: false,
        }
    }

    fn is_5(&self) -> bool {
        self.codec.version() == Some(ProtocolVersion::V5_0)
    }

    fn event(&mut self, context: &mut Context<'_>, event: ServerEvent<'_>) {
        match event {
            ServerEvent::Connect(connect) => self.connect(context, &connect),
            ServerEvent::Auth(_) => {
                // No method was agreed upon, so this cannot be right.
                let _ = self
                    .codec
                    .close(context.now, ReasonCode::ProtocolError, Properties::EMPTY);
            }
            ServerEvent::Publish(publish) => self.publish(context, &publish),
            ServerEvent::PubAck(ack) | ServerEvent::PubComp(ack) => {
                self.settled(context, ack.packet_identifier);
            }
            // An error ends it here; otherwise PUBCOMP does.
            ServerEvent::PubRec(ack) if ack.reason_code.is_error() => {
                self.settled(context, ack.packet_identifier);
            }
            ServerEvent::Subscribe(subscribe) => self.subscribe(context, &subscribe),
            ServerEvent::Unsubscribe(unsubscribe) => self.unsubscribe(context, &unsubscribe),
            ServerEvent::Disconnect(disconnect) => {
                self.disconnect(context.config, &disconnect);
            }
            _ => {}
        }
    }

    fn publish(&mut self, context: &mut Context<'_>, publish: &InboundPublish<'_>) {
        let limits = &context.config.limits;
        if publish.payload.len() > limits.message_size
            || publish.properties.user_properties().count() > limits.user_properties
        {
            let _ = self
                .codec
                .close(context.now, ReasonCode::PacketTooLarge, Properties::EMPTY);
            return;
        }
        let body = context.keep(publish.payload);
        let inbound = Inbound {
            topic: publish.topic_name.to_shared(),
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties,
        };
        let message = Arc::new(properties::message(inbound, body, context.now));
        let (index, session) = (self.vhost, self.session);
        let Some(vhost) = context.vhost(index) else {
            return;
        };
        let outcome = vhost.publish_retaining(&message, session);
        let Some(id) = publish.packet_identifier else {
            return;
        };
        let reason = match outcome {
            PublishOutcome::Routed | PublishOutcome::Replied => ReasonCode::Success,
            PublishOutcome::Unroutable => ReasonCode::NoMatchingSubscribers,
            PublishOutcome::Refused => ReasonCode::QuotaExceeded,
            PublishOutcome::Dropped if self.is_5() => ReasonCode::QuotaExceeded,
            // 3.x has no word for it. To end the connection would let one client that
            // stays away end all publishers.
            PublishOutcome::Dropped => ReasonCode::Success,
        };
        let _ = if reason.is_error() && !self.is_5() {
            // 3.x has no word for it, and a PUBACK would be a lie.
            self.codec.close(context.now, reason, Properties::EMPTY)
        } else {
            self.codec.acknowledge(id, reason, Properties::EMPTY)
        };
    }

    fn subscribe(&mut self, context: &mut Context<'_>, subscribe: &Subscribe<'_>) {
        let (index, shared) = (self.vhost, self.is_5());
        let (Some(session), Some(vhost)) = (self.session, context.vhost(index)) else {
            return;
        };
        let identifier = subscribe.properties.subscription_identifiers().next();
        let codes: Vec<ReasonCode> = subscribe
            .subscriptions
            .iter()
            .map(|subscription| {
                let options = subscription.options;
                let request = SubscribeRequest {
                    filter: subscription.topic_filter,
                    shared,
                    options: SubscriptionOptions {
                        qos: properties::qos(options.maximum_qos),
                        no_local: options.no_local,
                        retain_as_published: options.retain_as_published,
                        identifier,
                    },
                    retain_handling: match options.retain_handling {
                        WireRetainHandling::Send => RetainHandling::Send,
                        WireRetainHandling::SendIfNew => RetainHandling::SendIfNew,
                        WireRetainHandling::DoNotSend => RetainHandling::DoNotSend,
                    },
                };
                match vhost.subscribe(session, request) {
                    Ok(qos) => ReasonCode::granted(properties::wire_qos(qos)),
                    Err(_) => ReasonCode::QuotaExceeded,
                }
            })
            .collect();
        let id = subscribe.packet_identifier;
        let _ = self.codec.suback(id, &codes, Properties::EMPTY);
    }

    fn unsubscribe(&mut self, context: &mut Context<'_>, unsubscribe: &Unsubscribe<'_>) {
        let index = self.vhost;
        let (Some(session), Some(vhost)) = (self.session, context.vhost(index)) else {
            return;
        };
        let codes: Vec<ReasonCode> = unsubscribe
            .topic_filters
            .iter()
            .map(|filter| {
                if vhost.unsubscribe(session, filter) {
                    ReasonCode::Success
                } else {
                    ReasonCode::NoSubscriptionExisted
                }
            })
            .collect();
        let id = unsubscribe.packet_identifier;
        let _ = self.codec.unsuback(id, &codes, Properties::EMPTY);
    }

    fn disconnect(&mut self, config: &Config, disconnect: &Disconnect<'_>) {
        self.leaving.discard_will = disconnect.reason_code == ReasonCode::Success;
        self.leaving.expiry = disconnect
            .properties
            .session_expiry_interval()
            .map(|asked| connect::expiry(asked.min(config.session_expiry_maximum)));
    }

    /// The client has settled a message, which makes room for another.
    fn settled(&mut self, context: &mut Context<'_>, id: PacketIdentifier) {
        let (index, now) = (self.vhost, context.now);
        if let (Some(session), Some(vhost)) = (self.session, context.vhost(index)) {
            vhost.settle_pending(session, Some(id.get()));
            self.send_pending(vhost, now);
        }
    }

    /// Sends what waits in the session, as far as the client lets it.
    fn send_pending(&mut self, vhost: &mut VirtualHost, now: Duration) {
        let Some(session) = self.session else {
            return;
        };
        let with_properties = self.is_5();
        let mut bytes = 0;
        for _ in 0..BURST {
            if !self.writable || bytes >= BURST_BYTES {
                break;
            }
            let quota = self.codec.send_quota() > 0;
            let Some(pending) = vhost.next_pending(session, quota) else {
                return;
            };
            bytes += pending.message.size();
            let message = properties::outbound(&pending, with_properties, now);
            match self.codec.publish(&message) {
                Ok(Some(id)) => vhost.sent(session, id.get(), pending),
                // Sent and forgotten; or larger than the client takes, which
                // counts as sent (MQTT-3.1.2-25).
                Ok(None) | Err(_) => vhost.settle_pending(session, None),
            }
        }
        vhost.announce(session);
    }

    /// Gives the session back to the virtual host, with what is in flight.
    fn detach(&mut self, context: &mut Context<'_>) {
        let index = self.vhost;
        if let (Some(session), Some(vhost)) = (self.session.take(), context.vhost(index))
            && vhost.detach(session, self.leaving)
        {
            vhost.park(session, self.codec.session().clone());
        }
    }
}

impl FrontEnd for MqttFrontEnd {
    fn receive(&mut self, context: &mut Context<'_>, input: &mut &[u8]) -> Progress {
        if self.waiting.is_some() {
            return Progress::Idle;
        }
        match self.codec.receive(context.now, input) {
            Ok(Some(event)) => {
                self.event(context, event);
                Progress::Event
            }
            Ok(None) | Err(_) => Progress::Idle,
        }
    }

    fn notice(&mut self, context: &mut Context<'_>, notice: Notice) {
        let (index, now) = (self.vhost, context.now);
        match notice {
            Notice::SessionReady => {
                if let Some(vhost) = context.vhost(index) {
                    self.send_pending(vhost, now);
                }
            }
            Notice::TakenOver => {
                let _ =
                    self.codec
                        .close(context.now, ReasonCode::SessionTakenOver, Properties::EMPTY);
                self.detach(context);
            }
            Notice::Resume => {
                if let Some(waiting) = self.waiting.take() {
                    self.enter(context, waiting);
                }
            }
            _ => {}
        }
    }

    fn set_writable(&mut self, context: &mut Context<'_>, writable: bool) {
        self.writable = writable;
        let (index, now) = (self.vhost, context.now);
        if let (true, Some(vhost)) = (writable, context.vhost(index)) {
            self.send_pending(vhost, now);
        }
    }

    fn set_reading(&mut self, now: Duration, reading: bool) {
        self.codec.set_reading(
            now,
            match reading {
                true => Reading::Running,
                false => Reading::Paused,
            },
        );
    }

    fn poll_transmit(&mut self, now: Duration, out: &mut BytesMut) {
        self.codec.poll_transmit(now, out);
    }

    fn transmit_len(&self) -> usize {
        self.codec.transmit_len()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    fn handle_timeout(&mut self, context: &mut Context<'_>) {
        // An error closes the connection, which is_closed() tells.
        let _ = self.codec.handle_timeout(context.now);
    }

    fn is_closed(&self) -> bool {
        self.failed || self.codec.is_closed()
    }

    fn shutdown(&mut self, context: &mut Context<'_>) {
        let _: Result<(), SendError> = self.codec.close(
            context.now,
            ReasonCode::ServerShuttingDown,
            Properties::EMPTY,
        );
    }

    fn disconnected(&mut self, context: &mut Context<'_>) {
        self.detach(context);
    }
}
