//! What the model was asked, and what the client gets when the answer has come.

use amqp_codec::MethodId;
use amqp_codec::connection::{SendError, ServerConnection};

use crate::model::message::Name;

/// What the model was asked.
pub(super) enum Asked {
    Login {
        mechanism: Name,
    },
    Open,
    Channel {
        number: u16,
        /// The method that the answer answers.
        method: MethodId,
        next: Next,
    },
}

/// What the client gets when the answer has come.
pub(super) enum Next {
    /// A method that says no more than that it is done.
    Ok(fn(&mut ServerConnection, u16) -> Result<(), SendError>),
    QueueDeclareOk,
    /// The same for a name of direct reply-to.
    ReplyDeclareOk {
        name: Name,
    },
    QueuePurgeOk,
    QueueDeleteOk,
    ConsumeOk {
        tag: Name,
    },
    ReplyConsumeOk {
        tag: Name,
    },
    GetOk {
        queue: Name,
        no_ack: bool,
        /// Messages that may be fetched.
        tries: usize,
    },
    TxCommitOk,
}
