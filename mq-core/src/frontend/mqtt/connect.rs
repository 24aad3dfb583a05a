//! CONNECT: who it is, and which session is theirs.

use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::time::Duration;
use mqtt_codec::{
    Connect, PropertiesBuilder, Property, ProtocolVersion, QoS, ReasonCode, Will as WireWill,
};

use super::MqttFrontEnd;
use super::answer::{Answer, Asked};
use super::properties::{self, Inbound};
use super::reason::because;
use super::topic::may_publish;
use crate::config::Config;
use crate::frontend::last_name::LastTopic;
use crate::model::Request;
use crate::model::message::Name;
use crate::model::request::{Host, Login};
use crate::model::session::{Attach, Will};
use crate::names::Names;
use crate::rewrite::Use;

/// A session expiry interval (MQTT 5.0 section 3.1.2.11.2): the largest number
/// is for ever.
pub(super) fn expiry(seconds: u32) -> Option<Duration> {
    (seconds != u32::MAX).then(|| Duration::from_secs(seconds.into()))
}

/// The will, as a message to be, under that topic.
fn will(will: &WireWill<'_>, topic: &str, now: Duration) -> Will {
    let inbound = Inbound {
        topic: LastTopic::default().of(topic),
        qos: will.qos,
        retain: will.retain,
        properties: will.properties,
    };
    let body = Bytes::copy_from_slice(will.payload);
    let delay = will.properties.will_delay_interval().unwrap_or_default();
    Will {
        message: Arc::new(properties::message(inbound, body, now)),
        delay: Duration::from_secs(delay.into()),
    }
}

impl MqttFrontEnd {
    /// Finds out who it is, and what it is to have.
    pub(super) fn connect(&mut self, now: Duration, connect: &Connect<'_>) {
        if let Err((reason, why)) = check(connect, &self.config) {
            self.refuse(now, reason, why);
            return;
        }
        let is_5 = connect.protocol_version == ProtocolVersion::V5_0;
        let asked = match (is_5, connect.clean_start) {
            (true, _) => connect
                .properties
                .session_expiry_interval()
                .unwrap_or_default(),
            // Clean session is both: a new session, and one that ends with
            // the connection (3.1.1 section 3.1.2.4).
            (false, true) => 0,
            (false, false) => u32::MAX,
        };
        let granted = asked.min(self.config.session_expiry_maximum);
        let terms = core::mem::take(&mut self.terms).unwrap_or_default();
        let assigned = connect.client_identifier.is_empty();
        let client_identifier = if assigned {
            Name::from(Names::new(self.config.seed, self.connection.0).next("mqtt-"))
        } else {
            Name::from(connect.client_identifier.as_str())
        };
        self.set_who(connect, &terms, &client_identifier);
        let offer = &self.config.offer;
        let longest = offer.maximum_keep_alive;
        let is_longer = longest > 0 && !(1..=longest).contains(&connect.keep_alive);
        let mut answer = Answer {
            assigned: assigned.then(|| client_identifier.clone()),
            expiry: (is_5 && granted != asked).then_some(granted),
            keep_alive: (is_5 && is_longer).then_some(longest),
            properties: PropertiesBuilder::new(),
        };
        if connect.properties.request_response_information() == Some(true)
            && let Some(text) = offer.response_information(&client_identifier)
        {
            // What cannot be said is left out.
            answer.add(Property::ResponseInformation(&text));
        }
        let attach = Attach {
            client_identifier,
            clean_start: connect.clean_start,
            expiry: expiry(granted),
            // Mosquitto's bridges have a will under `$SYS`: it is not published, and they
            // are served.
            will: connect.will.as_ref().and_then(|wire| {
                let topic = self.renamed(Use::Publish, wire.topic.as_str()).ok()?;
                let may = may_publish(&self.config, self.state_topics, &topic);
                may.then(|| will(wire, &topic, now))
            }),
            credit: credit(&self.config, connect),
        };
        let arrival = Arrival {
            answer,
            attach,
            virtual_host: terms.virtual_host.as_deref().map(Name::from),
        };
        if let Some(method) = connect.properties.authentication_method() {
            self.begin_proof(connect, method, arrival);
            return;
        }
        // Some clients send a user name always: an empty one without a password is none.
        let user = connect.user_name.map_or("", |user| user.as_str());
        let password = connect.password.unwrap_or_default();
        self.named = !user.is_empty() || !password.is_empty();
        let login = Login {
            identity: crate::frontend::identity(&self.config, &terms, user, password),
            host: Host::InUserName(arrival.virtual_host.clone()),
        };
        self.enter(now, login, arrival);
    }

    /// Asks who it is and for its session at once. Where the first is refused, so is the
    /// second.
    pub(super) fn enter(&mut self, now: Duration, login: Login, arrival: Arrival) {
        let Arrival { answer, attach, .. } = arrival;
        // Before anything is taken from anybody, the client is known to take the answer.
        if self.codec.check_accept(&answer.accept(false)).is_err() {
            let why = "the client takes no CONNACK that says what it has to know";
            self.refuse(now, ReasonCode::PacketTooLarge, why);
            return;
        }
        self.link.ask(Request::Login(Box::new(login)), Asked::Login);
        let attach = Request::Attach(Box::new(attach));
        self.link.ask(attach, Asked::Attach(Box::new(answer)));
    }

    /// Refuses a client that there is no room for, and says where it may go.
    pub(super) fn refuse_for_room(&mut self, now: Duration) {
        match server_reference(&self.config) {
            None => {
                let why = "there is no room for one more session";
                self.refuse(now, ReasonCode::QuotaExceeded, why);
            }
            Some(reference) => {
                let reference = reference.as_properties();
                let reason = ReasonCode::UseAnotherServer;
                self.failed |= self.codec.refuse(now, reason, reference).is_err();
            }
        }
    }

    /// Refuses the client. Where the codec has no answer that it could send, the
    /// connection ends without one.
    pub(super) fn refuse(&mut self, now: Duration, reason: ReasonCode, why: &str) {
        let why = because(why);
        let refused = self.codec.refuse(now, reason, why.as_properties());
        self.failed |= refused.is_err();
    }
}

/// The highest QoS that clients may publish with.
pub(super) fn maximum_qos(config: &Config) -> QoS {
    match config.offer.maximum_qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// What is said of another server, if there is one.
pub(super) fn server_reference(config: &Config) -> Option<PropertiesBuilder> {
    let reference = &config.offer.server_reference;
    let mut properties = PropertiesBuilder::new();
    let said = properties
        .push(Property::ServerReference(reference))
        .is_ok();
    (said && !reference.is_empty()).then_some(properties)
}

/// What a client is to have, once it is known who it is.
pub(super) struct Arrival {
    pub(super) answer: Answer,
    attach: Attach,
    /// That of the listener.
    pub(super) virtual_host: Option<Name>,
}

/// Whether the client may connect, as far as its CONNECT says. A client of 3.x is not told why.
fn check(connect: &Connect<'_>, config: &Config) -> Result<(), (ReasonCode, &'static str)> {
    let limits = &config.limits;
    // A will is a message like any other.
    if connect.will.as_ref().is_some_and(|will| {
        will.payload.len() > limits.message_size
            || will.properties.user_properties().count() > limits.headers
    }) {
        let why = "the will is larger than the server takes";
        return Err((ReasonCode::PacketTooLarge, why));
    }
    let is_5 = connect.protocol_version == ProtocolVersion::V5_0;
    if connect.client_identifier.is_empty() && !is_5 && !connect.clean_start {
        // 3.1.1, MQTT-3.1.3-8.
        return Err((ReasonCode::ClientIdentifierNotValid, ""));
    }
    let longest = config.offer.maximum_keep_alive;
    if !is_5 && longest > 0 && !(1..=longest).contains(&connect.keep_alive) {
        // It has no Server Keep Alive. This is what Mosquitto says.
        return Err((ReasonCode::ClientIdentifierNotValid, ""));
    }
    Ok(())
}

/// Messages of QoS 1 and 2 that may be on their way to the client (MQTT 5.0 section
/// 3.1.2.11.3). As many as the codec lets go.
fn credit(config: &Config, connect: &Connect<'_>) -> u16 {
    let asked = connect.properties.receive_maximum().unwrap_or(u16::MAX);
    asked.min(config.maximum_in_flight.max(1))
}
