//! A broker made again of what was stored.

use alloc::string::String;
use bytes::Bytes;
use core::time::Duration;

use crate::broker::Broker;
use crate::config::{Config, ConfigError, Store};
use crate::journal::{Reader, Trouble};

/// Makes a broker of a log: of the batches that [`Output::Append`](crate::Output::Append)
/// handed out, all that are there from the oldest on.
///
/// What is durable is there again: durable exchanges, durable queues, bindings between
/// them, and the persistent messages in those queues. A message that was with a consumer
/// is back in its place. What may have been delivered says so (`redelivered`): who was
/// sent what is not stored for each message, so that others near it say so as well. MQTT
/// sessions are there that outlive their connections: their subscriptions, the messages of
/// QoS 1 and 2 that wait or are in flight, how far each handshake has come in either
/// direction, and the will that is not published yet; and so is what is retained. What was
/// not stored yet is not there, and nobody was told that it is.
///
/// All times are kept as Unix times ([`Config::unix_time`] and `now`): a time to live, the
/// expiry of a session without a connection and the delay of its will go on while there is
/// no broker. Of a session that had a connection they begin with the recovery.
///
/// ```
/// use bytes::Bytes;
/// use core::time::Duration;
/// use mq_core::{Config, Recovery, Store};
///
/// let mut config = Config::default();
/// config.store = Store::Log;
/// let mut recovery = Recovery::new(config)?;
/// // For each batch in the log, with its position:
/// # let batches: [(u64, Bytes); 0] = [];
/// for (position, bytes) in batches {
///     recovery.batch(position, bytes)?;
/// }
/// let broker = recovery.finish(Duration::ZERO)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recovery {
    broker: Broker,
    reader: Reader,
    /// What was appended up to here may be missing.
    skipped: u64,
}

/// Why a broker cannot be made of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// A batch is missing, or was given twice.
    #[error("the batch at {position} does not follow the one before, which ends at {expected}")]
    Gap {
        /// Where the batch begins.
        position: u64,
        /// Where the one before it ends.
        expected: u64,
    },
    /// The bytes there are not what was appended.
    #[error("the record at {position} is damaged")]
    Damaged {
        /// Where the record begins.
        position: u64,
    },
    /// The record there was written by a version of the broker that came later.
    #[error("the record at {position} is of kind {kind} in version {version}, which is not known")]
    Unknown {
        /// Where the record begins.
        position: u64,
        /// Its kind.
        kind: u8,
        /// The version of its layout.
        version: u8,
    },
    /// The log has a virtual host that the settings do not have.
    #[error("the record at {position} is about virtual host {name:?}, which is not configured")]
    VirtualHost {
        /// Where the record begins.
        position: u64,
        /// The name of the virtual host.
        name: String,
    },
    /// The record there makes something that the broker would not make.
    #[error("the record at {position} says what cannot be: {reason}")]
    Refused {
        /// Where the record begins.
        position: u64,
        /// Why not.
        reason: String,
    },
}

impl From<(u64, Trouble)> for RecoveryError {
    fn from((position, trouble): (u64, Trouble)) -> Self {
        match trouble {
            Trouble::Damaged => Self::Damaged { position },
            Trouble::Unknown { kind, version } => Self::Unknown {
                position,
                kind,
                version,
            },
            Trouble::Host(name) => Self::VirtualHost { position, name },
            Trouble::Refused(reason) => Self::Refused { position, reason },
        }
    }
}

impl Recovery {
    /// Begins with an empty log.
    ///
    /// # Errors
    /// If the settings contradict themselves, or have no [`Store`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if config.store == Store::None {
            return Err(ConfigError::NoStore);
        }
        let mut broker = Broker::new(config)?;
        let journal = broker.take_journal().ok_or(ConfigError::NoStore)?;
        Ok(Self {
            broker,
            reader: Reader::new(journal),
            skipped: 0,
        })
    }

    /// The store has lost what was appended between the last batch and this position, as
    /// after a repair: the next batch is the one there. Messages may be missing then, and
    /// others come again that were acknowledged.
    pub fn skip(&mut self, position: u64) {
        self.skipped = position;
    }

    /// Takes the next batch, as it was appended at that position. They come from the
    /// oldest that is there to the newest, whole.
    ///
    /// # Errors
    /// If it is not the next one, or cannot be read. Then no broker is to be made.
    pub fn batch(&mut self, position: u64, bytes: Bytes) -> Result<(), RecoveryError> {
        let follows = |end: u64| end == position || (end < position && position == self.skipped);
        if let Some(expected) = self.reader.end().filter(|end| !follows(*end)) {
            return Err(RecoveryError::Gap { position, expected });
        }
        Ok(self.reader.batch(position, bytes)?)
    }

    /// Makes the broker, at the time `now` since the origin of the new settings. It goes
    /// on appending where the last batch ends; of an empty log it is a fresh one.
    ///
    /// # Errors
    /// If the log says what cannot be.
    pub fn finish(self, now: Duration) -> Result<Broker, RecoveryError> {
        let Self {
            mut broker, reader, ..
        } = self;
        broker.recover(now, reader)?;
        Ok(broker)
    }
}
