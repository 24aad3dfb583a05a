//! Clients of MQTT: who gets which session, and what comes of one for others.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::{VirtualHost, Work};
use crate::model::message::{Message, Name};
use crate::model::refusal::Refusal;
use crate::model::session::{Attach, Attached, Census, Leaving, Parting, SessionId};
use crate::model::{ConnectionId, Notice};

impl VirtualHost {
    /// What there is of sessions and retained messages.
    pub(crate) fn census(&self) -> Census {
        Census {
            dropped: self.shared.statistics.overflowed,
            ..self.sessions.census()
        }
    }

    /// Gives a client its session, once no other connection has it.
    pub(super) fn attach(&mut self, connection: ConnectionId, attach: Attach) {
        let shared = &mut self.shared;
        if let Some(attach) = self.sessions.wait_in_line(shared, connection, attach) {
            self.attach_and_answer(connection, attach);
        }
    }

    fn attach_and_answer(&mut self, connection: ConnectionId, attach: Attach) {
        let changes = self.shared.changes.count();
        let notice = match self.attach_now(connection, attach) {
            Ok(attached) => Notice::Attached(Box::new(attached)),
            Err(refusal) => Notice::Refused(Box::new(refusal)),
        };
        let wait = self.shared.wait_since(changes);
        self.shared.emit_after(wait, connection, notice);
    }

    /// The session of a client has lost its connection: the next that waits for it goes on.
    fn admit_next(&mut self, client: &Name) {
        while let Some((connection, attach)) = self.sessions.next_in_line(&mut self.shared, client)
        {
            self.shared.statistics.steps += 1;
            self.attach_and_answer(connection, attach);
        }
    }

    /// Gives a client the session that it had, or with `clean_start`, or when it had none,
    /// a new one.
    pub(crate) fn attach_now(
        &mut self,
        connection: ConnectionId,
        mut attach: Attach,
    ) -> Result<Attached, Refusal> {
        self.members
            .name_client(connection, &attach.client_identifier);
        let may_publish = |message: &Arc<Message>| {
            self.members
                .permit_publish(connection, message, self)
                .is_ok()
        };
        attach.will = attach.will.filter(|will| may_publish(&will.message));
        // What is due of the session comes first, though nobody has come to it yet.
        if let Some(id) = self.sessions.find_client(&attach.client_identifier) {
            let parting = self.sessions.expire(&mut self.shared, id);
            self.carry_out(parting);
        }
        if attach.clean_start {
            let name = &attach.client_identifier;
            let parting = self.sessions.start_clean(&mut self.shared, name);
            self.carry_out(parting);
        }
        let flow = self.flow(connection);
        let shared = &mut self.shared;
        let (id, attached) = self.sessions.attach(shared, connection, flow, attach)?;
        self.members.set_session(connection, id);
        Ok(attached)
    }

    /// The connection of a session is over.
    pub(crate) fn detach(&mut self, id: SessionId, leaving: Leaving) {
        let client = self.sessions.get(id).map(|s| s.client_identifier.clone());
        if let Some((parting, stale)) = self.sessions.detach(&mut self.shared, id, leaving) {
            self.begin(None, Work::Discard(stale));
            self.carry_out(Some(parting));
        }
        if let Some(client) = client {
            self.admit_next(&client);
        }
    }

    /// Publishes the will of a session, and passes on what it leaves to others.
    pub(super) fn carry_out(&mut self, parting: Option<Parting>) {
        let Some(Parting { id, will, ended }) = parting else {
            return;
        };
        if let Some(will) = will {
            // Its time to live begins when it is published (section 3.1.3.2.4).
            let mut message = will.message;
            Arc::make_mut(&mut message).published = self.shared.now;
            self.shared.meter.count(&mut message);
            // Who could be told what became of it is gone.
            let _ = self.publish(&message, Some(id));
        }
        if let Some(remains) = ended {
            self.sessions.bury(&mut self.shared, &remains);
            self.begin(None, Work::PassOn(remains));
        }
    }
}
