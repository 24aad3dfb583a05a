//! Enhanced authentication, at the beginning and again later (MQTT 5.0 section 4.12).

use alloc::boxed::Box;
use alloc::string::String;
use bytes::Bytes;
use core::time::Duration;
use mqtt_codec::{Auth, Connect, Properties, PropertiesBuilder, Property, ReasonCode};

use super::MqttFrontEnd;
use super::answer::Asked;
use super::connect::Arrival;
use crate::admission::Authentication;
use crate::model::Request;
use crate::model::message::Name;
use crate::model::refusal::RefusalKind;
use crate::model::request::{Host, Identity, Login, Step};

/// A client that proves who it is by the method of its CONNECT.
pub(super) struct Proof {
    method: Name,
    /// The user name of its CONNECT, which may be empty.
    named: Name,
    /// What its CONNECT asked for, until it has proven who it is.
    arrival: Option<Box<Arrival>>,
    /// Who it is, from then on.
    user: Name,
}

impl MqttFrontEnd {
    /// Begins with the first step, which is in CONNECT.
    pub(super) fn begin_proof(&mut self, connect: &Connect<'_>, method: &str, arrival: Arrival) {
        let method = Name::from(method);
        self.proof = Some(Box::new(Proof {
            method: method.clone(),
            named: Name::from(connect.user_name.map_or("", |user| user.as_str())),
            arrival: Some(Box::new(arrival)),
            user: Name::default(),
        }));
        self.ask_for_step(method, true, &connect.properties);
    }

    /// Goes on with a step, or begins once more. The codec has made sure that the method is
    /// that of CONNECT, and that it is the client's turn.
    pub(super) fn auth(&mut self, auth: &Auth<'_>) {
        if let Some(proof) = &self.proof {
            let begins = auth.reason_code == ReasonCode::ReAuthenticate;
            self.ask_for_step(proof.method.clone(), begins, &auth.properties);
        }
    }

    fn ask_for_step(&mut self, method: Name, begins: bool, properties: &Properties<'_>) {
        let data = properties.authentication_data();
        let step = Step {
            method,
            begins,
            data: data.map(Bytes::copy_from_slice),
        };
        self.link.ask(Request::Prove(Box::new(step)), Asked::Step);
    }

    /// The client is to take another step.
    pub(super) fn challenge(&mut self, now: Duration, data: &[u8]) {
        self.send_auth(now, ReasonCode::ContinueAuthentication, Some(data));
    }

    fn send_auth(&mut self, now: Duration, reason: ReasonCode, data: Option<&[u8]>) {
        let mut properties = PropertiesBuilder::new();
        let fits = data.is_none_or(|data| {
            let data = Property::AuthenticationData(data);
            properties.push(data).is_ok()
        });
        let properties = properties.as_properties();
        if !fits || self.codec.authenticate(now, reason, properties).is_err() {
            self.failed = true;
        }
    }

    /// The client has proven who it is.
    pub(super) fn proven(
        &mut self,
        now: Duration,
        user: Name,
        virtual_host: Option<Name>,
        data: Option<Bytes>,
    ) {
        let Some(proof) = &mut self.proof else {
            return;
        };
        let Some(mut arrival) = proof.arrival.take() else {
            if proof.user == user {
                self.send_auth(now, ReasonCode::Success, data.as_deref());
            } else {
                // A connection stays its user's.
                let why = "the connection is that of another user";
                self.close(now, ReasonCode::NotAuthorized, why);
            }
            return;
        };
        if !proof.named.is_empty() && proof.named != user {
            let why = "CONNECT names another user";
            self.refuse(now, ReasonCode::BadUserNameOrPassword, why);
            return;
        }
        proof.user = user.clone();
        if let Some(who) = &mut self.who {
            who.user = String::from(&*user);
        }
        if let Some(data) = data
            && !arrival.answer.add(Property::AuthenticationData(&data))
        {
            self.failed = true;
            return;
        }
        let identity = match self.config.authentication {
            Authentication::Users => Identity::Transport(user),
            Authentication::Embedder => Identity::Verified(user),
        };
        let host = match virtual_host {
            Some(name) => Host::Named(name),
            None => Host::Default(arrival.virtual_host.take()),
        };
        self.enter(now, Login { identity, host }, *arrival);
    }

    /// The client has not.
    pub(super) fn not_proven(&mut self, now: Duration, kind: RefusalKind) {
        let (reason, why) = match kind {
            RefusalKind::NotImplemented => (
                ReasonCode::BadAuthenticationMethod,
                "there is no such authentication method",
            ),
            _ => (ReasonCode::NotAuthorized, "the authentication has failed"),
        };
        let proof = self.proof.as_ref();
        if proof.is_some_and(|proof| proof.arrival.is_some()) {
            self.refuse(now, reason, why);
        } else {
            self.close(now, reason, why);
        }
    }
}
