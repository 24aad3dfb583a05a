//! Finding out who peers are outside of the broker: a directory, a database, a token.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;

use mq_core::model::Step;
use mq_core::{ConnectionId, Credentials, Protocol, Proving};

/// What is known of a peer that wants to come in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it comes from; None on a Unix socket.
    pub address: Option<SocketAddr>,
    /// What it says to be let in.
    pub credentials: Credentials,
}

/// A step by which an MQTT client of 5.0 proves who it is (section 4.12).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StepAttempt {
    /// Whose step it is, by which the earlier ones are found again. No two connections of a
    /// server have the same.
    pub connection: ConnectionId,
    /// Where it comes from; None on a Unix socket.
    pub address: Option<SocketAddr>,
    /// The step itself.
    pub step: Step,
}

/// The answer to an [`Attempt`]: the name of the user, by which permissions go; or why the
/// peer is refused, which stands in the log and which it does not learn.
pub type Verdict = Result<String, String>;

/// Checks who peers are, in place of [`mq_core::Config::users`].
///
/// A peer waits for the answer, and is refused when none has come within
/// [`mq_core::Config::authentication_timeout`]. Others do not wait for it.
///
/// ```
/// use std::pin::Pin;
/// use std::sync::Arc;
/// use mq_server::{Attempt, Authenticator, Config, Server, Verdict};
///
/// #[derive(Debug)]
/// struct Tokens;
///
/// impl Authenticator for Tokens {
///     fn authenticate(&self, attempt: Attempt) -> Pin<Box<dyn Future<Output = Verdict> + Send>> {
///         Box::pin(async move {
///             match attempt.credentials.password.as_deref() {
///                 Some(b"token-of-a-device") => Ok("device".to_owned()),
///                 _ => Err("the token is not known".to_owned()),
///             }
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mq_server::StartError> {
/// let mut config = Config::ephemeral();
/// config.authenticator = Some(Arc::new(Tokens));
/// let server = Server::start(config).await?;
/// # server.shutdown().await;
/// # Ok(()) }
/// ```
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// Finds out who it is. The future is dropped when the server ends.
    fn authenticate(&self, attempt: Attempt) -> Pin<Box<dyn Future<Output = Verdict> + Send>>;

    /// Looks at a step of enhanced authentication. Default: there is no such method. The
    /// future is dropped when the server ends.
    fn prove(&self, attempt: StepAttempt) -> Pin<Box<dyn Future<Output = Proving> + Send>> {
        tracing::debug!(id = attempt.connection.0, method = %attempt.step.method, "unknown method");
        Box::pin(std::future::ready(Proving::UnknownMethod))
    }
}
