//! The front end of a connection, or what is left of it while the connection is idle.

use alloc::boxed::Box;
use core::time::Duration;

use super::shared::Shared;
use crate::frontend::{FrontEnd, IdleFrontEnd};
use crate::model::ConnectionId;
use crate::report::Reason;

pub(super) enum Front {
    Open(Box<dyn FrontEnd + Send>),
    /// Nothing is under way.
    Idle(Box<dyn IdleFrontEnd>),
}

impl Front {
    /// Calls the front end, which is made again where the connection was idle.
    #[inline]
    pub(super) fn with<T>(
        &mut self,
        id: ConnectionId,
        shared: &Shared,
        call: impl FnOnce(&mut (dyn FrontEnd + Send), Duration) -> T,
    ) -> T {
        match self {
            Self::Open(front) => call(&mut **front, shared.now),
            Self::Idle(idle) => {
                let mut front = idle.resume(id, shared.now, &shared.config);
                let result = call(&mut *front, shared.now);
                *self = Self::Open(front);
                result
            }
        }
    }

    /// What is left of the front end if the connection is idle.
    pub(super) fn idle(&self) -> Option<Box<dyn IdleFrontEnd>> {
        self.get()?.idle()
    }

    /// The front end of a connection that is not idle.
    pub(super) fn get_mut(&mut self) -> Option<&mut (dyn FrontEnd + Send)> {
        match self {
            Self::Open(front) => Some(&mut **front),
            Self::Idle(_) => None,
        }
    }

    fn get(&self) -> Option<&(dyn FrontEnd + Send)> {
        match self {
            Self::Open(front) => Some(&**front),
            Self::Idle(_) => None,
        }
    }

    pub(super) fn transmit_len(&self) -> usize {
        self.get().map_or(0, FrontEnd::transmit_len)
    }

    /// One byte is always missing where nothing says how many are.
    pub(super) fn missing(&self, input: &[u8]) -> usize {
        self.get().map_or(1, |front| front.missing(input))
    }

    pub(super) fn has_unacknowledged(&self) -> bool {
        self.get().is_some_and(FrontEnd::has_unacknowledged)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.get().is_some_and(FrontEnd::is_closed)
    }

    pub(super) fn failure(&self) -> Option<Reason> {
        self.get()?.failure()
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match self {
            Self::Open(front) => front.poll_timeout(),
            Self::Idle(idle) => idle.poll_timeout(),
        }
    }
}
