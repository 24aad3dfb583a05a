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
            let _ = self.codec.refuse(context.now, reason, Properties::EMPTY);
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
        self.enter(context, waiting);
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
    pub(super) fn attach(&mut self, context: &mut Context<'_>, waiting: Waiting) {
        let (index, connection, now) = (self.vhost, context.connection, context.now);
        let Some(vhost) = context.vhost(index) else {
            return;
        };
        let attached = vhost.attach(Attach {
            client_identifier: &waiting.client_identifier,
            connection,
            clean_start: waiting.clean_start,
            expiry: expiry(waiting.expiry),
            will: waiting.will,
        });
        let Ok((id, present)) = attached else {
            let _ = self
                .codec
                .refuse(now, ReasonCode::QuotaExceeded, Properties::EMPTY);
            return;
        };
        self.session = Some(id);
        let accept = Accept {
            session_present: present,
            assigned_client_identifier: waiting
                .assigned
                .then_some(waiting.client_identifier.as_str()),
            session_expiry_interval: waiting.expiry_differs.then_some(waiting.expiry),
            ..Accept::default()
        };
        let in_flight = vhost.unpark(id);
        let _ = self.codec.accept(now, &accept, in_flight);
        vhost.announce(id);
    }
}
