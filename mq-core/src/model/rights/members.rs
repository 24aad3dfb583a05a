//! The connections that use a virtual host: whose they are, and what they may do there.

use alloc::sync::Arc;
use core::num::NonZeroU64;

use super::grant::Grant;
use super::request::Known;
use crate::model::id::SessionId;
use crate::model::message::{Message, Name};
use crate::model::refusal::Refusal;
use crate::model::request::Request;
use crate::model::{ConnectionId, Flow};
use crate::number_map::NumberMap;

/// A connection that uses the virtual host.
#[derive(Debug)]
struct Member {
    /// Whether it takes deliveries.
    flow: Flow,
    /// The number of its session, of which the first is one.
    session: Option<NonZeroU64>,
    /// What it may do; None: everything.
    grant: Option<Arc<Grant>>,
    /// Whose connection it is.
    user: Name,
}

impl Default for Member {
    fn default() -> Self {
        Self {
            flow: Flow::Open,
            session: None,
            grant: None,
            user: Name::from(""),
        }
    }
}

impl Member {
    fn session(&self) -> Option<SessionId> {
        self.session.map(|number| SessionId(number.get()))
    }
}

/// All connections that use a virtual host.
#[derive(Debug, Default)]
pub(crate) struct Members {
    all: NumberMap<ConnectionId, Member>,
    /// Somebody has come who may not do everything.
    is_restricted: bool,
}

impl Members {
    /// A connection of a user comes, who may do this here; None: everything.
    pub(crate) fn enter(
        &mut self,
        connection: ConnectionId,
        user: &Name,
        grant: Option<Arc<Grant>>,
    ) {
        self.is_restricted |= grant.is_some();
        if let Some(member) = self.all.get_or_default(connection) {
            member.user = user.clone();
            member.grant = grant;
        }
    }

    /// A connection is gone. Returns the session that it had.
    pub(crate) fn leave(&mut self, connection: ConnectionId) -> Option<SessionId> {
        self.all.remove(&connection)?.session()
    }

    /// Whose connection it is.
    pub(crate) fn user(&self, connection: ConnectionId) -> Option<&str> {
        self.all.get(&connection).map(|member| &*member.user)
    }

    /// Lets deliveries come to a connection, or not. Returns its session.
    pub(crate) fn set_flow(&mut self, connection: ConnectionId, flow: Flow) -> Option<SessionId> {
        let member = self.all.get_or_default(connection)?;
        member.flow = flow;
        member.session()
    }

    /// Whether a connection takes deliveries.
    pub(crate) fn flow(&self, connection: ConnectionId) -> Flow {
        let member = self.all.get(&connection);
        member.map_or(Flow::Open, |member| member.flow)
    }

    // Sessions

    /// The session that a connection has.
    pub(crate) fn session(&self, connection: ConnectionId) -> Option<SessionId> {
        self.all.get(&connection)?.session()
    }

    pub(crate) fn take_session(&mut self, connection: ConnectionId) -> Option<SessionId> {
        let member = self.all.get_mut(&connection)?;
        let session = member.session();
        member.session = None;
        session
    }

    pub(crate) fn set_session(&mut self, connection: ConnectionId, session: SessionId) {
        if let Some(member) = self.all.get_or_default(connection) {
            member.session = NonZeroU64::new(session.0);
        }
    }

    /// The connection is of the MQTT client with that identifier.
    pub(crate) fn name_client(&mut self, connection: ConnectionId, client: &str) {
        if let Some(member) = self.all.get_mut(&connection)
            && let Some(grant) = &member.grant
            && grant.names_client()
        {
            member.grant = Some(Arc::new(grant.of_client(client)));
        }
    }

    // What their users may do

    /// Checks something of what the user of a connection may do, unless that is everything.
    fn check(
        &self,
        connection: ConnectionId,
        check: impl FnOnce(&Grant) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if !self.is_restricted {
            return Ok(());
        }
        let grant = self
            .all
            .get(&connection)
            .and_then(|member| member.grant.as_deref());
        grant.map_or(Ok(()), check)
    }

    /// Whether a request is allowed. Publishes and subscriptions are looked at one by
    /// one.
    pub(crate) fn permit(
        &self,
        connection: ConnectionId,
        request: &Request,
        known: &impl Known,
    ) -> Result<(), Refusal> {
        self.check(connection, |grant| grant.permit(request, known))
    }

    /// Whether the user of a connection may publish a message.
    pub(crate) fn permit_publish(
        &self,
        connection: ConnectionId,
        message: &Message,
        known: &impl Known,
    ) -> Result<(), Refusal> {
        self.check(connection, |grant| grant.permit_publish(message, known))
    }

    /// Whether the user of a connection may publish to an exchange, as far as no topic
    /// matters.
    pub(crate) fn permit_write(
        &self,
        connection: ConnectionId,
        exchange: &str,
    ) -> Result<(), Refusal> {
        self.check(connection, |grant| grant.permit_write(exchange))
    }

    /// Whether the user of a connection may make a queue by publishing to it.
    pub(crate) fn permit_made_queue(
        &self,
        connection: ConnectionId,
        name: &str,
    ) -> Result<(), Refusal> {
        self.check(connection, |grant| grant.permit_made_queue(name))
    }

    /// Whether the user of a connection may subscribe to a topic filter.
    pub(crate) fn may_subscribe(&self, connection: ConnectionId, filter: &str) -> bool {
        self.check(connection, |grant| grant.permit_subscription(filter))
            .is_ok()
    }
}
