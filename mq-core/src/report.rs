//! What a shell should log or count: it is about peers and queues, and not for a peer.

use alloc::string::{String, ToString};

use crate::model::message::Name;
use crate::model::{ConnectionId, Dropped, Notice, Request};

/// Something that a person who runs the broker wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// About a connection.
    Peer(PeerReport),
    /// Messages were dropped by a limit.
    Dropped(Dropped),
}

/// Something that a person who runs the broker wants to know of a connection.
///
/// A client learns no more than its protocol allows, and often nothing: MQTT 3.1.1 ends
/// the connection without a word. What comes here says why. It does not change what the
/// broker does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerReport {
    /// Which connection.
    pub connection: ConnectionId,
    /// The user that the client said it is; empty while it has not, or for nobody in
    /// particular.
    pub user: String,
    /// MQTT's client identifier, also one that the broker has made up; empty in other
    /// protocols.
    pub client_identifier: String,
    /// What there is to know.
    pub reason: Reason,
}

/// What there is to know of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The client is who it said it is.
    LoggedIn,
    /// The login was refused: a wrong password, a user that is not known, nobody where
    /// somebody is wanted, or a virtual host that is not there or not for this user.
    LoginRefused(String),
    /// The peer broke a rule of its protocol, or a limit; which, the text says. The
    /// connection ends.
    Malformed(String),
    /// Something did not come in time: the handshake, a heartbeat, an answer. The
    /// connection ends.
    TimedOut(String),
    /// The client was to get a message that its protocol has no words for, or that is larger
    /// than it takes; which, the text says. The message went to its queue's dead-letter
    /// exchange, if there is one, and is counted in
    /// [`Statistics::rejected`](crate::Statistics::rejected).
    Undeliverable(String),
    /// The peer takes what it is sent too slowly; how slowly, the text says. The connection
    /// ends: [`SlowConsumers::Disconnect`](crate::SlowConsumers::Disconnect).
    Slow(String),
    /// Another connection has the client identifier now. This one ends.
    TakenOver,
    /// It publishes, and is read no further, since there is no room for that; of what, the
    /// text says.
    Blocked(String),
    /// It is read again.
    Unblocked,
}

/// Who is at the other end of a connection.
#[derive(Debug, Default)]
pub(crate) struct Client {
    user: Name,
    identifier: Name,
}

impl Client {
    /// The name of the user; empty for nobody in particular.
    pub(crate) fn user(&self) -> &Name {
        &self.user
    }

    /// MQTT's client identifier; empty in other protocols.
    pub(crate) fn identifier(&self) -> &Name {
        &self.identifier
    }
}

/// Who that is, as far as the login has come.
#[derive(Debug, Default)]
pub(crate) struct Login {
    client: Client,
    /// Questions of the login that wait for their answers.
    asked: u8,
}

impl Login {
    /// One that is over.
    pub(crate) fn of(client: Client) -> Self {
        Self { client, asked: 0 }
    }

    pub(crate) fn into_client(self) -> Client {
        self.client
    }

    /// Keeps what a request to the model says of who it is. Returns what there is to know of
    /// a message that it did not get.
    pub(crate) fn hear(&mut self, request: &Request) -> Option<Reason> {
        match request {
            Request::Undeliverable { message, .. } => {
                let (exchange, key) = (&message.exchange, &message.routing_key);
                let size = message.size();
                return Some(Reason::Undeliverable(alloc::format!(
                    "exchange '{exchange}', routing key '{key}', {size} bytes"
                )));
            }
            Request::Login(login) => {
                self.client.user = login.identity.user().cloned().unwrap_or_default();
            }
            Request::Attach(attach) => {
                self.client.identifier = attach.client_identifier.clone();
            }
            Request::Open { .. } | Request::Prove(_) => {}
            _ => return None,
        }
        self.asked += 1;
        None
    }

    /// What there is to know when the model has answered.
    pub(crate) fn answered(&mut self, notice: &Notice) -> Option<Reason> {
        match notice {
            Notice::LoggedIn { user } => {
                self.client.user = user.clone();
                self.asked = self.asked.saturating_sub(1);
                Some(Reason::LoggedIn)
            }
            Notice::Opened
            | Notice::Attached(_)
            | Notice::Challenge { .. }
            | Notice::Proven { .. } => {
                self.asked = self.asked.saturating_sub(1);
                None
            }
            // What was asked besides is refused with it.
            Notice::Refused(refusal) if core::mem::take(&mut self.asked) > 0 => {
                Some(Reason::LoginRefused(refusal.text.clone()))
            }
            Notice::TakenOver => Some(Reason::TakenOver),
            _ => None,
        }
    }

    /// Whether no question of the login waits for its answer.
    pub(crate) fn is_over(&self) -> bool {
        self.asked == 0
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn report(&self, connection: ConnectionId, reason: Reason) -> Report {
        Report::Peer(PeerReport {
            connection,
            user: self.client.user.to_string(),
            client_identifier: self.client.identifier.to_string(),
            reason,
        })
    }
}
