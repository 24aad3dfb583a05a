//! Transactions of a server's client: SEND, ACK and NACK wait until COMMIT
//! ("BEGIN").

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::event::InboundSend;
use super::subscription::{Deliveries, Named, Subscription, Subscriptions};
use crate::connection::{Connection, Server};
use crate::parts::Part;
use crate::{ConnectionError, Frame, FrameBuf, Limits};

/// One step of a transaction that was committed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// A message for a destination.
    Send(SendBuf),
    /// Messages were consumed.
    #[non_exhaustive]
    Ack {
        /// The subscription that they were sent to.
        subscription: Subscription,
        /// Those that were not settled before the COMMIT.
        deliveries: Deliveries,
        /// The ACK frame.
        frame: FrameBuf,
    },
    /// Messages were not consumed.
    #[non_exhaustive]
    Nack {
        /// The subscription that they were sent to.
        subscription: Subscription,
        /// Those that were not settled before the COMMIT.
        deliveries: Deliveries,
        /// The NACK frame.
        frame: FrameBuf,
    },
}

/// A SEND that was held in a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SendBuf(FrameBuf);

impl SendBuf {
    /// The message. Its receipt, if it asked for one, has been answered when it
    /// was taken into the transaction.
    #[must_use]
    pub fn as_send(&self) -> InboundSend<'_> {
        let frame = self.0.as_frame();
        InboundSend {
            destination: frame.header("destination").unwrap_or_default(),
            receipt: None,
            frame,
        }
    }

    /// The frame; its body can be shared without a copy.
    #[must_use]
    pub fn frame(&self) -> &FrameBuf {
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

impl Connection<Server> {
    /// How many transactions the client has begun, and neither committed nor aborted. While there
    /// is one, a frame that it holds is answered by [`receive`](Self::receive) itself.
    #[must_use]
    pub fn open_transactions(&self) -> usize {
        self.state.transactions.open.len()
    }
}

/// The open transactions of a connection.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    open: BTreeMap<String, Vec<(Held, FrameBuf)>>,
    operations: usize,
    bytes: usize,
    /// A SEND whose body is coming.
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    transaction: String,
    frame: FrameBuf,
    /// What is held in all transactions and the head of this frame, in bytes.
    /// Nothing else is taken before its body has come.
    bytes: usize,
    body: Vec<u8>,
}

impl Transactions {
    // keeps: stomp12/BEGIN/unique
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
    // keeps: stomp12/BEGIN/binds, stomp11/BEGIN/binds, stomp10/BEGIN/binds,
    // keeps: stomp12/SEND/transaction, stomp11/SEND/transaction, stomp10/SEND/transaction,
    // keeps: stomp12/ACK/in-transaction, stomp11/ACK/in-transaction, stomp10/ACK/in-transaction
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
        let body = Bytes::copy_from_slice(frame.body());
        let Ok(owned) = frame.with_body(body) else {
            // Only a frame that was never decoded can be refused.
            return Err(ConnectionError::TransactionTooLarge);
        };
        if !frame.is_whole() && matches!(held, Held::Send) {
            self.partial = Some(Partial {
                transaction: id.into(),
                frame: owned,
                bytes,
                body: Vec::new(),
            });
            return Ok(());
        }
        operations.push((held, owned));
        self.operations += 1;
        self.bytes = bytes;
        Ok(())
    }

    /// Takes a part of the body of the SEND that was held last, if that was not
    /// whole.
    pub(crate) fn hold_part(
        &mut self,
        part: Part<'_>,
        limits: &Limits,
    ) -> Result<(), ConnectionError> {
        let Some(partial) = &mut self.partial else {
            return Ok(());
        };
        // The buffer grows by what has come, never by what was claimed.
        let body = partial.body.len().saturating_add(part.bytes.len());
        if partial.bytes.saturating_add(body) > limits.transaction_bytes {
            return Err(ConnectionError::TransactionTooLarge);
        }
        partial.body.extend_from_slice(part.bytes);
        if part.is_last()
            && let Some(mut partial) = self.partial.take()
            && let Some(operations) = self.open.get_mut(&partial.transaction)
        {
            partial.frame.set_body(Bytes::from(partial.body));
            self.bytes += partial.frame.as_frame().encoded_len();
            self.operations += 1;
            operations.push((Held::Send, partial.frame));
        }
        Ok(())
    }

    /// Ends a transaction and returns what it held.
    // keeps: stomp12/COMMIT/transaction, stomp11/COMMIT/transaction, stomp10/COMMIT/transaction,
    // keeps: stomp12/ABORT/transaction, stomp11/ABORT/transaction, stomp10/ABORT/transaction
    fn end(&mut self, id: &str) -> Result<Vec<(Held, FrameBuf)>, ConnectionError> {
        let held = self.open.remove(id);
        let held = held.ok_or(ConnectionError::UnknownTransaction)?;
        self.operations -= held.len();
        for (_, frame) in &held {
            self.bytes -= frame.as_frame().encoded_len();
        }
        Ok(held)
    }

    // keeps: stomp12/ABORT/aborts, stomp11/ABORT/aborts, stomp10/ABORT/aborts
    pub(crate) fn abort(&mut self, id: &str) -> Result<(), ConnectionError> {
        self.end(id).map(drop)
    }

    // keeps: stomp12/COMMIT/commits, stomp11/COMMIT/commits, stomp10/COMMIT/commits,
    // keeps: stomp12/BEGIN/atomic, stomp11/BEGIN/atomic, stomp10/BEGIN/atomic
    pub(crate) fn commit(
        &mut self,
        id: &str,
        subscriptions: &mut Subscriptions,
    ) -> Result<Vec<Operation>, ConnectionError> {
        let held = self.end(id)?.into_iter();
        let operations = held.map(|(held, frame)| match held {
            Held::Send => Operation::Send(SendBuf(frame)),
            Held::Ack(named) => Operation::Ack {
                subscription: named.subscription,
                deliveries: subscriptions.settle(named),
                frame,
            },
            Held::Nack(named) => Operation::Nack {
                subscription: named.subscription,
                deliveries: subscriptions.settle(named),
                frame,
            },
        });
        Ok(operations.collect())
    }

    /// Whether none is open, and no frame of one is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.partial.is_none()
    }

    /// Drops all of them ("will be implicitly aborted").
    // keeps: stomp12/BEGIN/aborted, stomp11/BEGIN/aborted
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
