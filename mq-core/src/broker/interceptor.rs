//! What an embedder makes of messages before they are published, and the faults that a test
//! asks for.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Broker;
use crate::frontend::Protocol;
use crate::model::message::Message;
use crate::model::request::{Identity, Operation, Publish};
use crate::model::{ConnectionId, Request};
use crate::report::Login;

/// Who publishes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Publisher<'a> {
    /// The connection.
    pub connection: ConnectionId,
    /// What it speaks.
    pub protocol: Protocol,
    /// The name of the user; empty for nobody in particular.
    pub user: &'a str,
    /// MQTT's client identifier; empty in other protocols.
    pub client_identifier: &'a str,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Interception {
    /// It is published as it is.
    Accept,
    /// This is published in its place. Where it differs in more than the body, its
    /// [`origin`](Message::origin) is to be [`Origin::Broker`](crate::model::Origin::Broker):
    /// what the publisher's protocol said of the message would be sent on otherwise.
    Replace(Box<Message>),
    /// It is not published, and its publisher hears that as if a queue were full that refuses
    /// messages: `basic.nack` in AMQP, where confirms are on; PUBACK or PUBREC with 0x97
    /// in MQTT 5.0; ERROR in STOMP. A transaction with it in it is refused as a whole.
    Refuse,
}

/// Sees each message that a client publishes, before it is routed, and decides what becomes of
/// it. Wills are not among them, nor what the broker moves itself.
///
/// It is called in the order of the messages. For a broker that is replayed it has to decide
/// the same again.
pub trait Interceptor: core::fmt::Debug + Send {
    /// Decides about one message.
    fn intercept(&mut self, publisher: Publisher<'_>, message: &Message) -> Interception;
}

/// What is to go wrong, for tests of programs that have to live with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// So many logins from now on are refused, whoever it is. 0 ends it.
    RefuseLogins(u32),
    /// So many messages from now on are refused, as by [`Interception::Refuse`]. 0 ends it.
    RefusePublishes(u32),
}

/// How many more are refused.
#[derive(Debug, Default)]
pub(super) struct Faults {
    logins: u32,
    publishes: u32,
}

/// Counts down. Returns whether there was something left.
fn take_one(count: &mut u32) -> bool {
    let left = count.checked_sub(1);
    *count = left.unwrap_or_default();
    left.is_some()
}

impl Faults {
    pub(super) fn set(&mut self, fault: Fault) {
        match fault {
            Fault::RefuseLogins(count) => self.logins = count,
            Fault::RefusePublishes(count) => self.publishes = count,
        }
    }
}

/// What looks at requests on their way to the model.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    pub(super) faults: Faults,
    pub(super) interceptor: Option<Box<dyn Interceptor>>,
}

impl Inspection {
    /// Whether requests are to be [inspected](Self::inspect).
    #[inline]
    pub(super) fn is_watching(&self) -> bool {
        let Faults { logins, publishes } = self.faults;
        self.interceptor.is_some() || logins > 0 || publishes > 0
    }

    /// What the model is to be asked in place of a request.
    #[cold]
    pub(super) fn inspect(
        &mut self,
        id: ConnectionId,
        protocol: Protocol,
        login: &Login,
        request: Request,
    ) -> Request {
        let publisher = Publisher {
            connection: id,
            protocol,
            user: login.client().user(),
            client_identifier: login.client().identifier(),
        };
        match request {
            Request::Login(mut login) if take_one(&mut self.faults.logins) => {
                login.identity = Identity::Refused("a test has it refused".into());
                Request::Login(login)
            }
            Request::Publish {
                channel,
                publish,
                answer,
            } => match self.decide(publisher, publish) {
                Some(publish) => Request::Publish {
                    channel,
                    publish,
                    answer,
                },
                None => Request::RefusePublish { channel, answer },
            },
            Request::Commit {
                channel,
                operations,
                ticket,
            } => {
                let operations = operations.into_iter().map(|operation| match operation {
                    Operation::Publish(publish) => {
                        self.decide(publisher, publish).map(Operation::Publish)
                    }
                    settle @ Operation::Settle { .. } => Some(settle),
                });
                match operations.collect::<Option<Vec<_>>>() {
                    Some(operations) => Request::Commit {
                        channel,
                        operations,
                        ticket,
                    },
                    None => Request::RefuseCommit { channel, ticket },
                }
            }
            request => request,
        }
    }

    /// What is published in place of a message, if anything is.
    fn decide(&mut self, publisher: Publisher<'_>, mut publish: Publish) -> Option<Publish> {
        if take_one(&mut self.faults.publishes) {
            return None;
        }
        if let Some(interceptor) = &mut self.interceptor {
            match interceptor.intercept(publisher, &publish.message) {
                Interception::Accept => {}
                Interception::Replace(message) => publish.message = Arc::new(*message),
                Interception::Refuse => return None,
            }
        }
        Some(publish)
    }
}

impl Broker {
    /// Has an interceptor see each message that is published from now on.
    pub fn set_interceptor(&mut self, interceptor: Box<dyn Interceptor>) {
        self.shared.inspection.interceptor = Some(interceptor);
    }
}
