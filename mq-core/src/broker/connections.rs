//! All connections: those in use, and what is left of those that are idle.

use alloc::boxed::Box;

use super::connection::Connection;
use super::front::Front;
use crate::frontend::{IdleFrontEnd, Protocol};
use crate::model::ConnectionId;
use crate::number_map::NumberMap;
use crate::report::{Client, Login};
use crate::slow_consumers::SlowConsumers;

/// The connections of a broker. Most of them are idle most of the time, and take a third then.
#[derive(Default)]
pub(super) struct Connections(NumberMap<ConnectionId, Kept>);

/// In boxes: a map of numbers wants small values.
enum Kept {
    InUse(Box<Connection>),
    /// None for as long as it takes to have it in use again. The protocol has room here.
    Idle(Protocol, Option<Box<Idle>>),
}

impl Kept {
    #[inline]
    fn in_use(&mut self) -> Option<&mut Connection> {
        if let Self::Idle(protocol, idle) = self {
            *self = Self::InUse(Box::new(idle.take()?.wake(*protocol)));
        }
        match self {
            Self::InUse(connection) => Some(connection),
            Self::Idle(..) => None,
        }
    }
}

/// A connection with nothing under way.
struct Idle {
    front: Box<dyn IdleFrontEnd>,
    client: Client,
    slow_consumers: Option<Box<SlowConsumers>>,
}

/// What is to be seen of a connection.
pub(super) enum Look<'a> {
    InUse(&'a Connection),
    Idle(Protocol, &'a Client),
}

impl Idle {
    fn wake(self, protocol: Protocol) -> Connection {
        let deadline = self.front.poll_timeout();
        Connection {
            deadline,
            login: Login::of(self.client),
            slow_consumers: self.slow_consumers,
            ..Connection::new(protocol, Front::Idle(self.front))
        }
    }
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains_key(&self, id: &ConnectionId) -> bool {
        self.0.contains_key(id)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = ConnectionId> {
        self.0.keys()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, Look<'_>)> {
        self.0.iter().filter_map(|(id, kept)| {
            let look = match kept {
                Kept::InUse(connection) => Look::InUse(connection),
                Kept::Idle(protocol, idle) => Look::Idle(*protocol, &idle.as_ref()?.client),
            };
            Some((id, look))
        })
    }

    pub(super) fn insert(&mut self, id: ConnectionId, connection: Connection) {
        self.0.insert(id, Kept::InUse(Box::new(connection)));
    }

    /// A connection that is in use. There is nothing to be asked of one that is idle.
    pub(super) fn get(&self, id: &ConnectionId) -> Option<&Connection> {
        match self.0.get(id)? {
            Kept::InUse(connection) => Some(connection),
            Kept::Idle(..) => None,
        }
    }

    /// A connection, which is in use from here on.
    #[inline]
    pub(super) fn get_mut(&mut self, id: &ConnectionId) -> Option<&mut Connection> {
        self.0.get_mut(id)?.in_use()
    }

    pub(super) fn remove(&mut self, id: &ConnectionId) -> Option<Box<Connection>> {
        Some(match self.0.remove(id)? {
            Kept::InUse(connection) => connection,
            Kept::Idle(protocol, idle) => Box::new(idle?.wake(protocol)),
        })
    }

    /// Keeps as little of a connection as can be, if it is idle.
    pub(super) fn rest(&mut self, id: ConnectionId) {
        let Some(Kept::InUse(connection)) = self.0.get_mut(&id) else {
            return;
        };
        if !connection.is_quiet() {
            return;
        }
        let Some(front) = connection.idle() else {
            return;
        };
        let protocol = connection.protocol;
        let idle = Idle {
            front,
            client: core::mem::take(&mut connection.login).into_client(),
            slow_consumers: connection.slow_consumers.take(),
        };
        self.0
            .insert(id, Kept::Idle(protocol, Some(Box::new(idle))));
    }
}
