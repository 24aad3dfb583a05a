//! How peers are let in: what a listener says about them, and who checks who they are.

use alloc::string::String;
use bytes::Bytes;
use core::time::Duration;

use crate::slow_consumers::SlowConsumers;

/// What a connection's listener and transport say about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// The user that the transport has made sure of, such as the one of a TLS client
    /// certificate. An AMQP client is this user with the mechanism EXTERNAL, an MQTT or
    /// STOMP client when it presents neither a user name nor a password. It has to be one
    /// of [`Config::users`](crate::Config::users).
    pub identity: Option<String>,
    /// Whether an MQTT or STOMP peer without credentials is let in here. Default: what
    /// [`Config::allow_anonymous`](crate::Config::allow_anonymous) says.
    pub allow_anonymous: Option<bool>,
    /// The virtual host of MQTT and STOMP peers that name none. Default: the first of
    /// [`Config::virtual_hosts`](crate::Config::virtual_hosts).
    pub virtual_host: Option<String>,
    /// Whether an MQTT peer may publish under `$SYS/broker/connection/`, where bridges say
    /// whether they are connected, as in Mosquitto. Default: no.
    pub state_topics: bool,
    /// How long the peer may take to log in. Default: what
    /// [`Config::login_timeout`](crate::Config::login_timeout) says.
    pub login_timeout: Option<Duration>,
    /// What is done about the peer if it takes what it is sent too slowly. Default: what
    /// [`Config::slow_consumers`](crate::Config::slow_consumers) says.
    pub slow_consumers: Option<SlowConsumers>,
}

impl Terms {
    /// The same with another [`identity`](Self::identity).
    #[must_use]
    pub fn with_identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// The same with another [`allow_anonymous`](Self::allow_anonymous).
    #[must_use]
    pub fn with_allow_anonymous(mut self, allow_anonymous: bool) -> Self {
        self.allow_anonymous = Some(allow_anonymous);
        self
    }

    /// The same with another [`state_topics`](Self::state_topics).
    #[must_use]
    pub fn with_state_topics(mut self, state_topics: bool) -> Self {
        self.state_topics = state_topics;
        self
    }

    /// The same with another [`login_timeout`](Self::login_timeout).
    #[must_use]
    pub fn with_login_timeout(mut self, login_timeout: Duration) -> Self {
        self.login_timeout = Some(login_timeout);
        self
    }

    /// The same with another [`slow_consumers`](Self::slow_consumers).
    #[must_use]
    pub fn with_slow_consumers(mut self, slow_consumers: SlowConsumers) -> Self {
        self.slow_consumers = Some(slow_consumers);
        self
    }

    /// The same with another [`virtual_host`](Self::virtual_host).
    #[must_use]
    pub fn with_virtual_host(mut self, virtual_host: impl Into<String>) -> Self {
        self.virtual_host = Some(virtual_host.into());
        self
    }
}

/// Who checks what peers say about themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Authentication {
    /// The broker, by [`Config::users`](crate::Config::users).
    #[default]
    Users,
    /// The embedder, who is asked by [`Output::Authenticate`](crate::Output::Authenticate)
    /// each time. The connection waits for the answer, others do not.
    Embedder,
}

/// What an embedder says to a step by which an MQTT client proves who it is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proving {
    /// The client is to take another step, in answer to these bytes.
    Continue(Bytes),
    /// It is this user.
    Proven {
        /// The name of the user, by which permissions go.
        user: String,
        /// What proves to the client who the server is, if the method has that.
        data: Option<Bytes>,
    },
    /// It is not who it says; why is for the operator, and not for the client.
    Refused(String),
    /// There is no such method.
    UnknownMethod,
}

impl core::fmt::Debug for Proving {
    /// Without what passes between client and server.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Continue(_) => f.write_str("Continue"),
            Self::Proven { user, .. } => f.debug_tuple("Proven").field(user).finish(),
            Self::Refused(reason) => f.debug_tuple("Refused").field(reason).finish(),
            Self::UnknownMethod => f.write_str("UnknownMethod"),
        }
    }
}

/// What a peer says to be let in.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Credentials {
    /// The user's name, as the peer wrote it, or [`Terms::identity`]. None: the peer names
    /// no user.
    pub user: Option<String>,
    /// None where the transport has made sure of the user, or no user is named.
    pub password: Option<Bytes>,
}

impl core::fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
