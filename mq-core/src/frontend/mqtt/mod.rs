//! MQTT 3.1, 3.1.1 and 5.0.

mod answer;
mod authentication;
mod connect;
mod idle;
mod packets;
mod peek;
mod properties;
mod reason;
mod topic;

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::num::NonZeroU32;
use core::time::Duration;
use mqtt_codec::connection::{
    Handshakes, InboundPublish, Reading, ServerConfig, ServerConnection, ServerEvent,
    TopicAliasPolicy,
};
use mqtt_codec::{
    Disconnect, PacketIdentifier, ProtocolVersion, ReasonCode,
    RetainHandling as WireRetainHandling, Subscribe, Unsubscribe,
};

use super::body::Source;
use super::last_name::LastTopic;
use super::{FrontEnd, IdleFrontEnd, Link, Progress};
use crate::admission::Terms;
use crate::config::Config;
use crate::frontend::Traffic;
use crate::model::message::Name;
use crate::model::request::{Answer, ChannelNumber, Publish, Row, Unrouted};
use crate::model::session::{
    Leaving, RetainHandling, SubscribeRefusal, SubscribeRequest, SubscriptionOptions,
};
use crate::model::{ConnectionId, Notice, Request};
use crate::report::Reason;
use crate::rewrite::{NoTopic, Use, Who};
use answer::Asked;
use authentication::Proof;
use idle::IdleMqtt;
use packets::{Counter, Packets};
use properties::Inbound;
use topic::published;

/// Bytes of a packet besides its payload that are allowed for.
const PACKET_OVERHEAD: usize = 64 * 1024;

/// The channel of the model that a connection is.
const CHANNEL: ChannelNumber = 0;

/// One MQTT connection.
pub(super) struct MqttFrontEnd {
    codec: ServerConnection,
    config: Arc<Config>,
    /// Until CONNECT.
    terms: Option<Box<Terms>>,
    connection: ConnectionId,
    link: Link<Asked>,
    last_topic: LastTopic,
    /// Where topics may have other names.
    who: Option<Box<Who>>,
    /// It may publish under `$SYS/broker/connection/`.
    state_topics: bool,
    /// The client has its session: from CONNACK on.
    attached: bool,
    /// With an authentication method.
    proof: Option<Box<Proof>>,
    /// Its CONNECT had a user name or a password.
    named: bool,
    /// How the client said that it leaves.
    leaving: Leaving,
    /// Messages that it is to acknowledge.
    unacknowledged: usize,
    /// What has passed, where that is counted.
    packets: Counter,
    /// The codec could not answer, so there is no way to go on.
    failed: bool,
}

/// The settings of the codec.
fn codec_config(config: &Config) -> ServerConfig {
    let mut codec = ServerConfig::default();
    codec.handshake_timeout = config.login_timeout;
    let packet = config.limits.message_size.saturating_add(PACKET_OVERHEAD);
    codec.limits.maximum_packet_size = u32::try_from(packet).unwrap_or(u32::MAX);
    codec.limits.maximum_topic_levels =
        u16::try_from(config.limits.topic_levels).unwrap_or(u16::MAX);
    codec.limits.maximum_topic_filters =
        u32::try_from(config.limits.topic_filters).unwrap_or(u32::MAX);
    for limits in [&mut codec.limits_before_login, &mut codec.limits] {
        config.mqtt_rules.apply(limits);
    }
    // The model says PUBREL and PUBCOMP.
    codec.handshakes = Handshakes::Manual;
    codec.receive_maximum = config.receive_maximum;
    codec.maximum_in_flight = config.maximum_in_flight;
    codec.topic_alias_maximum = config.topic_alias_maximum;
    let offer = &config.offer;
    codec.maximum_qos = connect::maximum_qos(config);
    codec.retain_available = offer.retain_available;
    codec.wildcard_subscription_available = offer.wildcard_subscription_available;
    codec.subscription_identifiers_available = offer.subscription_identifiers_available;
    codec.shared_subscription_available = offer.shared_subscription_available;
    codec.topic_alias_policy = TopicAliasPolicy::UntilFull;
    codec.outbound_topic_alias_maximum = offer.outbound_topic_alias_maximum;
    codec
}

impl MqttFrontEnd {
    pub(super) fn new(
        config: Arc<Config>,
        terms: Terms,
        connection: ConnectionId,
        now: Duration,
    ) -> Self {
        let mut codec = codec_config(&config);
        if let Some(login_timeout) = terms.login_timeout {
            codec.handshake_timeout = login_timeout;
        }
        Self {
            codec: ServerConnection::new(now, codec),
            packets: Counter::new(!config.sys_interval.is_zero()),
            config,
            state_topics: terms.state_topics,
            terms: Some(Box::new(terms)),
            connection,
            link: Link::default(),
            last_topic: LastTopic::default(),
            who: None,
            attached: false,
            proof: None,
            named: false,
            leaving: Leaving::default(),
            unacknowledged: 0,
            failed: false,
        }
    }

    fn is_5(&self) -> bool {
        self.codec.version() == Some(ProtocolVersion::V5_0)
    }

    fn event(&mut self, now: Duration, source: Source<'_>, event: ServerEvent<'_>) {
        match event {
            ServerEvent::Connect(connect) => {
                self.count(Packets::login);
                self.connect(now, &connect);
            }
            ServerEvent::Auth(auth) => self.auth(&auth),
            ServerEvent::Publish(publish) => self.publish(now, source, &publish),
            ServerEvent::PubAck(ack) | ServerEvent::PubComp(ack) => {
                self.settled(ack.packet_identifier);
            }
            // An error ends it here; otherwise PUBCOMP does.
            ServerEvent::PubRec(ack) if ack.reason_code.is_error() => {
                self.settled(ack.packet_identifier);
            }
            ServerEvent::PubRec(ack) => {
                let packet_identifier = ack.packet_identifier.get();
                self.link.tell(Request::Received { packet_identifier });
            }
            ServerEvent::PubRel(ack) => {
                let packet_identifier = ack.packet_identifier.get();
                self.link.tell(Request::Released { packet_identifier });
            }
            ServerEvent::Subscribe(subscribe) => self.subscribe(&subscribe),
            ServerEvent::Unsubscribe(unsubscribe) => self.unsubscribe(&unsubscribe),
            ServerEvent::Disconnect(disconnect) => self.disconnect(&disconnect),
            _ => {}
        }
    }

    fn publish(&mut self, now: Duration, source: Source<'_>, publish: &InboundPublish<'_>) {
        self.count(|packets| packets.published(publish.payload.len()));
        let limits = &self.config.limits;
        if publish.payload.len() > limits.message_size
            || publish.properties.user_properties().count() > limits.headers
        {
            let why = "the message is larger than the server takes";
            self.close(now, ReasonCode::PacketTooLarge, why);
            return;
        }
        let name = self.renamed(Use::Publish, &publish.topic_name);
        let (delay, topic) = match name
            .as_deref()
            .map(|name| published(&self.config, self.state_topics, name))
        {
            Ok(Some(published)) => published,
            refused => {
                let reason = match refused {
                    Ok(_) => ReasonCode::NotAuthorized,
                    Err(_) => ReasonCode::TopicNameInvalid,
                };
                self.link.tell(Request::CountRefused);
                self.refuse_publish(publish.packet_identifier, reason);
                return;
            }
        };
        let inbound = Inbound {
            topic: self.last_topic.of(topic),
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties,
        };
        let mut message = properties::message(inbound, source.keep(publish.payload), now);
        if let Some(seconds @ 1..) = delay {
            properties::delay(&mut message, seconds);
        }
        self.link.tell(Request::Publish {
            channel: CHANNEL,
            publish: Publish {
                message: Arc::new(message),
                unrouted: Unrouted::Drop,
            },
            answer: match publish.packet_identifier {
                Some(id) => Answer::Always(id.get().into()),
                None => Answer::Never,
            },
        });
    }

    /// Whether a PUBLISH may be taken before the messages on their way to the model are
    /// answered: their identifiers are not free until then (section 2.2.1), and no more than the
    /// receive maximum may wait (section 4.9).
    fn follows(&self, publish: &[u8]) -> bool {
        let identifiers = (self.link.last_ticket(), peek::packet_identifier(publish));
        matches!(identifiers, (Some(last), Some(next)) if last < next.into())
            && self.codec.receive_quota() > 0
    }

    /// Counts what passes, if that is counted.
    fn count(&mut self, count: impl FnOnce(&mut Packets)) {
        self.packets.count(count);
    }

    /// Answers a PUBLISH to a topic that is not for this client.
    fn refuse_publish(&mut self, id: Option<PacketIdentifier>, reason: ReasonCode) {
        let Some(id) = id else {
            return;
        };
        // 3.x has no word for it: the acknowledgement is positive, or the connection
        // ends (MQTT-3.3.5-2 of 3.1.1), and Mosquitto acknowledges.
        let reason = if self.is_5() {
            reason
        } else {
            ReasonCode::Success
        };
        self.acknowledge(id, reason);
    }

    fn subscribe(&mut self, subscribe: &Subscribe<'_>) {
        let identifier = subscribe.properties.subscription_identifiers().next();
        // The codec takes none that is zero (section 3.8.2.1.2).
        let identifier = identifier.and_then(NonZeroU32::new);
        let shared = self.is_5();
        let offer = &self.config.offer;
        let maximum_qos = properties::qos(connect::maximum_qos(&self.config));
        let wildcards = shared || offer.wildcard_subscription_available;
        let filters = subscribe
            .subscriptions
            .iter()
            .map(|subscription| {
                let options = subscription.options;
                let (filter, refused) = match self.renamed_filter(subscription.topic_filter) {
                    Ok(filter) => (Name::from(&*filter), None),
                    Err(NoTopic) => {
                        let filter = Name::from(subscription.topic_filter);
                        (filter, Some(SubscribeRefusal::NoFilter))
                    }
                };
                // The codec has looked at those of 5.0.
                let is_served = wildcards || !filter.contains(['+', '#']);
                SubscribeRequest {
                    refused: refused.or((!is_served).then_some(SubscribeRefusal::NotAvailable)),
                    filter,
                    shared,
                    options: SubscriptionOptions {
                        qos: properties::qos(options.maximum_qos).min(maximum_qos),
                        no_local: options.no_local,
                        retain_as_published: options.retain_as_published,
                        identifier,
                    },
                    retain_handling: match options.retain_handling {
                        WireRetainHandling::Send => RetainHandling::Send,
                        WireRetainHandling::SendIfNew => RetainHandling::SendIfNew,
                        WireRetainHandling::DoNotSend => RetainHandling::DoNotSend,
                    },
                }
            })
            .collect();
        let asked = Asked::Subscribe(subscribe.packet_identifier);
        self.link.ask(Request::Subscribe(filters), asked);
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe<'_>) {
        // What is no filter has no subscription.
        let name = |filter| match self.renamed_filter(filter) {
            Ok(filter) => Name::from(&*filter),
            Err(NoTopic) => Name::from(filter),
        };
        let filters = unsubscribe.topic_filters.iter().map(name).collect();
        let asked = Asked::Unsubscribe(unsubscribe.packet_identifier);
        self.link.ask(Request::Unsubscribe(filters), asked);
    }

    fn disconnect(&mut self, disconnect: &Disconnect<'_>) {
        let longest = self.config.session_expiry_maximum;
        self.leaving.discard_will = disconnect.reason_code == ReasonCode::Success;
        self.leaving.expiry = disconnect
            .properties
            .session_expiry_interval()
            .map(|asked| connect::expiry(asked.min(longest)));
    }

    /// The client has settled a message, which makes room for another.
    fn settled(&mut self, id: PacketIdentifier) {
        self.unacknowledged = self.unacknowledged.saturating_sub(1);
        let packet_identifier = id.get();
        self.link.tell(Request::Settled { packet_identifier });
    }

    /// Gives the session back.
    fn detach(&mut self) {
        if core::mem::take(&mut self.attached) {
            self.link.tell(Request::Detach(self.leaving));
        }
    }
    /// Ends the connection because the broker stops, and says where the client may go.
    fn close_elsewhere(&mut self, now: Duration) {
        match connect::server_reference(&self.config) {
            None => self.close(now, ReasonCode::ServerShuttingDown, "the server stops"),
            Some(reference) => {
                let (reason, reference) = (ReasonCode::UseAnotherServer, reference.as_properties());
                // It is refused only if the connection has ended already.
                let _ = self.codec.close(now, reason, reference);
            }
        }
    }

    /// Ends the connection, in the words of its version.
    fn close(&mut self, now: Duration, reason: ReasonCode, why: &str) {
        let why = reason::because(why);
        // It is refused only if the connection has ended already.
        let _ = self.codec.close(now, reason, why.as_properties());
    }
}

impl FrontEnd for MqttFrontEnd {
    fn receive(&mut self, now: Duration, source: &Bytes, input: &mut &[u8]) -> Progress {
        if self.link.is_waiting() {
            return Progress::Waiting;
        }
        let before = *input;
        let received = self.codec.receive(now, input);
        let taken = &before[..before.len() - input.len()];
        if !taken.is_empty() {
            self.packets.count(|packets| packets.received(taken));
        }
        match received {
            Ok(Some(event)) => {
                self.event(now, Source(source), event);
                Progress::Event
            }
            Ok(None) | Err(_) => Progress::Idle,
        }
    }

    fn may_gather(&self, input: &[u8]) -> bool {
        // The packet type (section 2.1.2).
        match input.first().map(|first| first >> 4) {
            // PUBLISH.
            Some(3) => match self.link.row() {
                Row::Any => true,
                Row::Messages => self.follows(input),
                Row::Over => false,
            },
            // PUBACK and PUBCOMP.
            Some(4 | 7) => self.link.row() == Row::Any,
            _ => false,
        }
    }

    fn missing(&self, input: &[u8]) -> usize {
        let version = self.codec.version().unwrap_or(ProtocolVersion::V5_0);
        // What breaks a rule needs no more.
        mqtt_codec::needed(input, version, &mqtt_codec::Limits::default()).unwrap_or(0)
    }

    fn poll_request(&mut self) -> Option<Request> {
        self.link.poll()
    }

    fn notice(&mut self, now: Duration, notice: Notice) {
        self.take_notice(now, notice);
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

    fn poll_transmit(&mut self, now: Duration, out: &mut Vec<Bytes>) {
        let before = out.len();
        self.codec.poll_transmit_slices(now, out);
        self.packets.count(|packets| packets.sent(&out[before..]));
    }

    fn transmit_len(&self) -> usize {
        self.codec.transmit_len()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Duration) {
        // An error closes the connection, which is_closed() tells.
        let _ = self.codec.handle_timeout(now);
    }

    fn is_closed(&self) -> bool {
        self.failed || self.codec.is_closed()
    }

    fn failure(&self) -> Option<Reason> {
        use mqtt_codec::connection::ConnectionError as Error;
        let error = self.codec.error()?;
        let text = error.to_string();
        Some(match error {
            Error::HandshakeTimeout | Error::PeerTimeout { .. } => Reason::TimedOut(text),
            _ => Reason::Malformed(text),
        })
    }

    fn has_unacknowledged(&self) -> bool {
        self.unacknowledged > 0
    }

    fn take_traffic(&mut self) -> Traffic {
        self.packets.take()
    }

    fn idle(&self) -> Option<Box<dyn IdleFrontEnd>> {
        Some(Box::new(IdleMqtt::of(self)?))
    }

    fn shutdown(&mut self, now: Duration) {
        self.close_elsewhere(now);
    }

    fn give_up(&mut self, now: Duration) {
        self.close(now, ReasonCode::QuotaExceeded, "the client is too slow");
    }

    fn disconnected(&mut self) {
        self.detach();
    }
}
