//! What the connections share: the model, and what stands between it and the store.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::time::Duration;

use super::Output;
use super::interceptor::Inspection;
use super::memory::Memory;
use crate::admission::Credentials;
use crate::config::Config;
use crate::journal::Journal;
use crate::model::request::Identity;
use crate::model::{ConnectionId, Model, Request, Shortage};
use crate::report::{Login, Reason, Report};

/// Everything of the broker that a connection works with.
pub(super) struct Shared {
    pub(super) config: Arc<Config>,
    /// Unix time.
    pub(super) now: Duration,
    pub(super) model: Model,
    /// With a store.
    pub(super) journal: Option<Box<Journal>>,
    pub(super) memory: Memory,
    pub(super) outputs: VecDeque<Output>,
    pub(super) inspection: Inspection,
    /// The store has less room left than is to be kept free.
    pub(super) is_disk_short: bool,
}

impl Shared {
    /// Hands a request to the model. Returns what there is too little of now, if it has
    /// published: then its connection waits before its next message.
    pub(super) fn request(&mut self, id: ConnectionId, request: Request) -> Option<Shortage> {
        if let (Some(journal), Request::CloseChannel { channel }) = (&mut self.journal, &request) {
            journal.close_channel(id, *channel);
        }
        if !request.publishes() {
            self.model.handle(self.now, id, request);
            return None;
        }
        let mut shortage = None;
        match self.journal.as_mut().filter(|journal| journal.is_full()) {
            None => self.model.handle(self.now, id, request),
            Some(journal) => {
                journal.take(&mut self.model);
                let end = journal.end();
                self.model.handle(self.now, id, request);
                journal.take(&mut self.model);
                if journal.end() > end {
                    shortage = Some(Shortage::Store);
                }
            }
        }
        self.memory.set_held(self.model.meter().total());
        let memory = self.memory.is_short().then_some(Shortage::Memory);
        let disk = self.is_disk_short.then_some(Shortage::Disk);
        shortage.or(memory).or(disk)
    }

    /// Whether several messages of a connection may be taken in at one time: there is room for
    /// more than those.
    pub(super) fn may_gather(&self) -> bool {
        let is_full = self
            .journal
            .as_ref()
            .is_some_and(|journal| journal.is_full());
        !is_full && !self.is_disk_short && self.memory.has_plenty(self.model.meter().total())
    }

    /// Until when the embedder has to answer who a peer is.
    pub(super) fn checked_until(&self) -> Duration {
        self.now.saturating_add(self.config.authentication_timeout)
    }

    /// Asks the embedder who a peer is.
    pub(super) fn ask_who(&mut self, connection: ConnectionId, identity: &Identity) {
        let password = match identity {
            Identity::Password(given) => Some(given.password.clone()),
            _ => None,
        };
        let credentials = Credentials {
            user: identity.user().map(|user| user.to_string()),
            password,
        };
        self.outputs.push_back(Output::Authenticate {
            connection,
            credentials,
        });
    }

    /// Says something about a connection to whoever logs or counts.
    pub(super) fn report(&mut self, login: &Login, id: ConnectionId, reason: Reason) {
        let report: Report = login.report(id, reason);
        self.outputs.push_back(Output::Report(report));
    }
}
