//! What a program can ask of the server in it.

use mq_core::model::Refusal;
use mq_core::{
    Administration, ConnectionStatistics, QueueStatistics, SessionStatistics, Statistics,
};
use tokio::sync::{mpsc, oneshot};

use crate::broker_task::Command;
use crate::fault::Fault;

/// What there is in the server, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Connections that the broker serves, logged in or not.
    pub connections: usize,
    /// Those among them that have had nothing to do for a while: all that the server keeps
    /// running for them is their sockets. The next byte of either side changes that.
    pub idle: usize,
    /// What was counted since the server began, and what waits.
    pub statistics: Statistics,
}

/// What each queue, session and connection of the server holds, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inventory {
    /// The queues: by virtual host, and in the order in which they were declared.
    pub queues: Vec<QueueStatistics>,
    /// The MQTT sessions: by virtual host, and in the order in which they began.
    pub sessions: Vec<SessionStatistics>,
    /// The connections, in the order in which they came.
    pub connections: Vec<ConnectionStatistics>,
}

/// Why something could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdministerError {
    /// It cannot be, and nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The server has ended.
    #[error("the server has ended")]
    Ended,
}

/// What came of a change.
pub(crate) type Administered = Result<(), AdministerError>;

/// A hand on the broker's task.
#[derive(Clone, Debug)]
pub(crate) struct Hand(pub(crate) mpsc::Sender<Command>);

/// A question, and where the answer comes.
type Question<T> = (Command, oneshot::Receiver<T>);

fn snapshot() -> Question<Snapshot> {
    let (answer, answered) = oneshot::channel();
    (Command::Snapshot { answer }, answered)
}

fn inventory() -> Question<Inventory> {
    let (answer, answered) = oneshot::channel();
    (Command::Inventory { answer }, answered)
}

fn cut() -> Question<usize> {
    let (answer, answered) = oneshot::channel();
    (Command::Cut { answer }, answered)
}

fn administer(action: Administration) -> Question<Result<(), Refusal>> {
    let (answer, answered) = oneshot::channel();
    let action = Box::new(action);
    (Command::Administer { action, answer }, answered)
}

fn inject(fault: Fault) -> Question<()> {
    let (answer, answered) = oneshot::channel();
    (Command::Inject { fault, answer }, answered)
}

impl Hand {
    pub(crate) async fn administer(&self, action: Administration) -> Administered {
        let (command, answered) = administer(action);
        let sent = self.0.send(command).await;
        sent.map_err(|_| AdministerError::Ended)?;
        Ok(answered.await.map_err(|_| AdministerError::Ended)??)
    }

    pub(crate) fn administer_blocking(&self, action: Administration) -> Administered {
        let (command, answered) = administer(action);
        let sent = self.0.blocking_send(command);
        sent.map_err(|_| AdministerError::Ended)?;
        Ok(answered
            .blocking_recv()
            .map_err(|_| AdministerError::Ended)??)
    }

    async fn ask<T: Default>(&self, (command, answered): Question<T>) -> T {
        // A server that has ended has nothing.
        match self.0.send(command).await {
            Ok(()) => answered.await.unwrap_or_default(),
            Err(_) => T::default(),
        }
    }

    fn ask_blocking<T: Default>(&self, (command, answered): Question<T>) -> T {
        match self.0.blocking_send(command) {
            Ok(()) => answered.blocking_recv().unwrap_or_default(),
            Err(_) => T::default(),
        }
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        self.ask(snapshot()).await
    }

    pub(crate) fn snapshot_blocking(&self) -> Snapshot {
        self.ask_blocking(snapshot())
    }

    pub(crate) async fn inventory(&self) -> Inventory {
        self.ask(inventory()).await
    }

    pub(crate) fn inventory_blocking(&self) -> Inventory {
        self.ask_blocking(inventory())
    }

    pub(crate) async fn inject(&self, fault: Fault) {
        self.ask(inject(fault)).await;
    }

    pub(crate) fn inject_blocking(&self, fault: Fault) {
        self.ask_blocking(inject(fault));
    }

    pub(crate) async fn cut(&self) -> usize {
        self.ask(cut()).await
    }

    pub(crate) fn cut_blocking(&self) -> usize {
        self.ask_blocking(cut())
    }
}
