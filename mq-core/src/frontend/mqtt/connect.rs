//! CONNECT: who it is, and which session is theirs.

use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::time::Duration;
use mqtt_codec::connection::Accept;
use mqtt_codec::{Connect, Properties, ProtocolVersion, ReasonCode, Will as WireWill};

use super::MqttFrontEnd;
use super::properties::{self, Inbound};
use crate::frontend::Context;
use crate::model::Notice;
use crate::model::message::Name;
use crate::model::session::{Attach, Will};

/// What a CONNECT asks for, checked, until its session is free.
pub(super) struct Waiting {
    client_identifier: String,
    /// The broker made the client identifier up, and tells it.
    assigned: bool,
    clean_start: bool,
    /// Granted, in seconds.
    expiry: u32,
    /// The client asked for another expiry.
    expiry_differs: bool,
    will: Option<Will>,
}

impl Waiting {
    /// What the CONNACK says.
    fn accept(&self, session_present: bool) -> Accept<'_> {
        Accept {
            session_present,
            assigned_client_identifier: self.assigned.then_some(self.client_identifier.as_str()),
            session_expiry_interval: self.expiry_differs.then_some(self.expiry),
            ..Accept::default()
        }
    }
}

/// A session expiry interval (MQTT 5.0 section 3.1.2.11.2): the largest number
/// is for ever.
pub(super) fn expiry(seconds: u32) -> Option<Duration> {
    (seconds != u32::MAX).then(|| Duration::from_secs(seconds.into()))
}

/// The will, as a message to be.
fn will(will: &WireWill<'_>, now: Duration) -> Will {
    let inbound = Inbound {
        topic: Name::from(will.topic.as_str()),
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
    pub(super) fn connect(&mut self, context: &mut Context<'_>, connect: &Connect<'_>) {
        if let Err(reason) = self.check(context, connect) {
            self.refuse(context.now, reason);
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
        let granted = asked.min(context.config.session_expiry_maximum);
        let (index, now) = (self.vhost, context.now);
        let Some(vhost) = context.vhost(index) else {
            return;
        };
        let assigned = connect.client_identifier.is_empty();
        let client_identifier = if assigned {
            vhost.names.next("mqtt-")
        } else {
            String::from(connect.client_identifier.as_str())
        };
        let waiting = Waiting {
            client_identifier,
            assigned,
            clean_start: connect.clean_start,
            expiry: granted,
            expiry_differs: is_5 && granted != asked,
            will: connect.will.as_ref().map(|w| will(w, now)),
        };
        // Before anything is taken from anybody, the client is known to take the answer.
        if self.codec.check_accept(&waiting.accept(false)).is_err() {
            self.refuse(now, ReasonCode::PacketTooLarge);
            return;
        }
        self.enter(context, waiting);
    }

    /// Refuses the client. Where the codec has no answer that it could send, the
    /// connection ends without one.
    fn refuse(&mut self, now: Duration, reason: ReasonCode) {
        self.failed |= self.codec.refuse(now, reason, Properties::EMPTY).is_err();
    }

    /// Takes the session, once nobody else has it.
    pub(super) fn enter(&mut self, context: &mut Context<'_>, waiting: Waiting) {
        let (index, connection) = (self.vhost, context.connection);
        let Some(vhost) = context.vhost(index) else {
            return;
        };
        let holder = vhost
            .sessions
            .find_client(&waiting.client_identifier)
            .and_then(|id| vhost.sessions.get(id)?.connection);
        match holder {
            // It has to go first, and gives its session back.
            Some(old) => {
                self.waiting = Some(waiting);
                vhost.emit(old, Notice::TakenOver);
                vhost.emit(connection, Notice::Resume);
            }
            None => self.attach(context, waiting),
        }
    }

    /// Whether the client may connect; finds its virtual host.
    fn check(&mut self, context: &Context<'_>, connect: &Connect<'_>) -> Result<(), ReasonCode> {
        if connect.properties.authentication_method().is_some() {
            return Err(ReasonCode::BadAuthenticationMethod);
        }
        // A will is a message like any other.
        let limits = &context.config.limits;
        if connect.will.as_ref().is_some_and(|will| {
            will.payload.len() > limits.message_size
                || will.properties.user_properties().count() > limits.user_properties
        }) {
            return Err(ReasonCode::PacketTooLarge);
        }
        let is_5 = connect.protocol_version == ProtocolVersion::V5_0;
        if connect.client_identifier.is_empty() && !is_5 && !connect.clean_start {
            // 3.1.1, MQTT-3.1.3-8.
            return Err(ReasonCode::ClientIdentifierNotValid);
        }
        let (user, password) = match (connect.user_name, connect.password) {
            (None, None) if context.config.allow_anonymous => return Ok(()),
            (None, None) => return Err(ReasonCode::NotAuthorized),
            (user, password) => (
                user.map_or("", |user| user.as_str()),
                password.unwrap_or_default(),
            ),
        };
        if context.password_is(user, password) {
            return Ok(());
        }
        // As in RabbitMQ, `HOST:USER` names the virtual host as well.
        let named = user.rsplit_once(':').and_then(|(host, user)| {
            let index = context.model.find(host)?;
            context.password_is(user, password).then_some(index)
        });
        self.vhost = named.ok_or(ReasonCode::BadUserNameOrPassword)?;
        Ok(())
    }

    /// Takes the session, which nobody else has now, and answers CONNACK.
    pub(super) fn attach(&mut self, context: &mut Context<'_>, mut waiting: Waiting) {
        let (index, connection, now) = (self.vhost, context.connection, context.now);
        let Some(vhost) = context.vhost(index) else {
            return;
        };
        let attached = vhost.attach(Attach {
            client_identifier: &waiting.client_identifier,
            connection,
            clean_start: waiting.clean_start,
            expiry: expiry(waiting.expiry),
            will: waiting.will.take(),
        });
        let Ok((id, present)) = attached else {
            self.refuse(now, ReasonCode::QuotaExceeded);
            return;
        };
        self.session = Some(id);
        let in_flight = vhost.unpark(id);
        let accepted = self.codec.accept(now, &waiting.accept(present), in_flight);
        vhost.announce(id);
        self.failed |= accepted.is_err();
    }
}
