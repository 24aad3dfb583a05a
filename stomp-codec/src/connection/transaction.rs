//! Transactions of a server's client: SEND, ACK and NACK wait until COMMIT
//! ("BEGIN").

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::server::Send;
use super::subscription::{Messages, Named, Subscription, Subscriptions};
use crate::{ConnectionError, Frame, Limits, OwnedFrame};

/// One step of a transaction that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// A message for a destination.
    Send(OwnedSend),
    /// Messages were consumed.
    Ack {
        /// The subscription that they were sent to.
        subscription: Subscription,
        /// Those that were not settled before the COMMIT.
        messages: Messages,
        /// The ACK frame.
        frame: OwnedFrame,
    },
    /// Messages were not consumed.
    Nack {
        /// The subscription that they were sent to.
        subscription: Subscription,
        /// Those that were not settled before the COMMIT.
        messages: Messages,
        /// The NACK frame.
        frame: OwnedFrame,
    },
}

/// A SEND that was held in a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedSend(OwnedFrame);

impl OwnedSend {
    /// The message. Its receipt, if it asked for one, has been answered when it
    /// was taken into the transaction.
    pub fn send(&self) -> Send<'_> {
        let frame = self.0.frame();
        Send {
            destination: frame.header("destination").unwrap_or_default(),
            receipt: None,
            frame,
        }
    }

    /// The frame; its body can be shared without a copy.
    pub fn frame(&self) -> &OwnedFrame {
        &self.0
    }
}

/// What is held: as [`Operation`], but which messages an ACK or NACK settles
/// shows at COMMIT.
#[derive(Debug)]
pub(crate) enum Held {
    Send,
    Ack(Named),
    Nack(Named),
}

/// The open transactions of a connection.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    open: BTreeMap<String, Vec<(Held, OwnedFrame)>>,
    operations: usize,
    bytes: usize,
}

impl Transactions {
    pub(crate) fn begin(&mut self, id: &str, limits: &Limits) -> Result<(), ConnectionError> {
        if self.open.contains_key(id) {
            return Err(ConnectionError::DuplicateTransaction);
        }
        if self.open.len() >= limits.transactions {
            return Err(ConnectionError::TooManyTransactions);
        }
        self.open.insert(id.into(), Vec::new());
        Ok(())
    }

    /// Takes an operation into a transaction.
    pub(crate) fn hold(
        &mut self,
        id: &str,
        held: Held,
        frame: &Frame<'_>,
        limits: &Limits,
    ) -> Result<(), ConnectionError> {
        let operations = self.open.get_mut(id);
        let operations = operations.ok_or(ConnectionError::UnknownTransaction)?;
        // The wire form is as long as what is kept.
        let bytes = self.bytes.saturating_add(frame.encoded_len());
        if self.operations >= limits.transaction_operations || bytes > limits.transaction_bytes {
            return Err(ConnectionError::TransactionTooLarge);
        }
        let Ok(frame) = frame.to_owned() else {
            // Only a frame that was never decoded can be refused.
            return Err(ConnectionError::TransactionTooLarge);
        };
        operations.push((held, frame));
        self.operations += 1;
        self.bytes = bytes;
        Ok(())
    }

    /// Ends a transaction and gives what it held.
    fn end(&mut self, id: &str) -> Result<Vec<(Held, OwnedFrame)>, ConnectionError> {
        let held = self.open.remove(id);
        let held = held.ok_or(ConnectionError::UnknownTransaction)?;
        self.operations -= held.len();
        for (_, frame) in &held {
            self.bytes -= frame.frame().encoded_len();
        }
        Ok(held)
    }

    pub(crate) fn abort(&mut self, id: &str) -> Result<(), ConnectionError> {
        self.end(id).map(drop)
    }

    pub(crate) fn commit(
        &mut self,
        id: &str,
        subscriptions: &mut Subscriptions,
    ) -> Result<Vec<Operation>, ConnectionError> {
        let held = self.end(id)?.into_iter();
        let operations = held.map(|(held, frame)| match held {
            Held::Send => Operation::Send(OwnedSend(frame)),
            Held::Ack(named) => Operation::Ack {
                subscription: named.subscription,
                messages: subscriptions.settle(named),
                frame,
            },
            Held::Nack(named) => Operation::Nack {
                subscription: named.subscription,
                messages: subscriptions.settle(named),
                frame,
            },
        });
        Ok(operations.collect())
    }

    /// Drops all of them ("will be implicitly aborted").
    pub(crate) fn clear(&mut self) {
        *self = Transactions::default();
    }
}
