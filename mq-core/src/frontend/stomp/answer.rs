//! What the model was asked, and what its notices lead to.

use alloc::string::String;
use stomp_codec::Command;
use stomp_codec::connection::{Accept, Goodbye, SendError, Subscription};

use super::super::give_back;
use super::{Failure, Receiver, SERVER, Session, StompFrontEnd, destination, headers};
use crate::frontend::body::LARGE;
use crate::model::PublishOutcome;
use crate::model::message::Name;
use crate::model::queue::{Claim, Delivery};
use crate::model::refusal::{Refusal, RefusalKind};
use crate::model::request::Ticket;
use crate::model::{Notice, Request};
use core::time::Duration;

/// What the model was asked.
#[derive(Debug)]
pub(super) enum Asked {
    Login {
        host: String,
    },
    /// A step before the last one of a SUBSCRIBE or of a temporary queue.
    Preparation,
    /// The last step of a SUBSCRIBE.
    Subscribe {
        subscription: Subscription,
        receipt: Option<String>,
    },
    /// The last step of an UNSUBSCRIBE that forgets a durable subscription.
    Unsubscribe {
        receipt: Option<String>,
    },
    /// The last step of a temporary queue.
    Temporary {
        name: Name,
    },
}

impl StompFrontEnd {
    pub(super) fn take_notice(&mut self, now: Duration, notice: Notice) {
        match notice {
            Notice::Deliver(delivery) => self.deliver(&delivery),
            Notice::Accepted {
                ticket, outcome, ..
            } => self.accepted(now, ticket, outcome),
            Notice::PublishRefused {
                ticket, refusal, ..
            } => {
                let receipt = ticket.and_then(|ticket| self.receipt_of(ticket));
                self.fail(now, receipt.as_deref(), &Failure::from(*refusal));
            }
            Notice::Cancelled { consumer, .. } => {
                let Some(session) = &mut self.session else {
                    return;
                };
                if let Some(Receiver::Subscription(subscription)) =
                    session.consumers.remove(&consumer)
                {
                    session.by_subscription.remove(&subscription);
                    let goodbye = Goodbye {
                        summary: "Server cancelled subscription",
                        body: b"The queue is gone.\n",
                        ..Goodbye::default()
                    };
                    self.close(now, &goodbye);
                }
            }
            // The protocol has no words for it.
            Notice::Blocked(_) | Notice::Unblocked => {}
            answer => self.answered(now, answer),
        }
    }

    fn answered(&mut self, now: Duration, notice: Notice) {
        let Some(asked) = self.link.answered() else {
            return;
        };
        match (asked, notice) {
            (Asked::Login { .. }, Notice::LoggedIn { user }) => {
                self.user = user;
                self.welcome(now);
            }
            (Asked::Login { host }, Notice::Refused(refusal)) => {
                self.turn_away(now, &host, &refusal);
            }
            (
                Asked::Subscribe { receipt, .. } | Asked::Unsubscribe { receipt },
                Notice::Refused(refusal),
            ) => {
                self.fail(now, receipt.as_deref(), &Failure::from(*refusal));
            }
            (_, Notice::Refused(refusal)) => {
                // Only the last step of a SUBSCRIBE knows its receipt, and it is refused too.
                let receipt = self.link.last().and_then(|asked| match asked {
                    Asked::Subscribe { receipt, .. } => receipt.clone(),
                    _ => None,
                });
                self.fail(now, receipt.as_deref(), &Failure::from(*refusal));
            }
            (
                Asked::Subscribe {
                    subscription,
                    receipt,
                },
                Notice::Consumed { consumer },
            ) => {
                if let Some(session) = &mut self.session {
                    let receiver = Receiver::Subscription(subscription);
                    session.consumers.insert(consumer, receiver);
                    session.by_subscription.insert(subscription, consumer);
                }
                self.receipt(receipt.as_deref());
            }
            (Asked::Unsubscribe { receipt }, _) => self.receipt(receipt.as_deref()),
            (Asked::Temporary { name }, Notice::Consumed { consumer }) => {
                if let Some(session) = &mut self.session {
                    let receiver = Receiver::Temporary(name);
                    session.consumers.insert(consumer, receiver);
                }
            }
            // The model answers what was asked.
            _ => {}
        }
    }

    /// Answers CONNECT with CONNECTED.
    fn welcome(&mut self, now: Duration) {
        let name = self.names.next("session-");
        let accept = Accept {
            session: Some(&name),
            server: Some(SERVER),
            ..Accept::default()
        };
        if self.codec.accept(now, &accept).is_ok() {
            self.link.tell(Request::OpenChannel { channel: 0 });
            self.session = Some(Session::default());
        }
    }

    /// Answers CONNECT with ERROR.
    fn turn_away(&mut self, now: Duration, host: &str, refusal: &Refusal) {
        // Clients show the summary, and often nothing else.
        let (summary, detail) = if refusal.kind == RefusalKind::NotFound {
            let detail = alloc::format!("Virtual host '{host}' does not exist.\n");
            ("Unknown virtual host", detail)
        } else {
            let detail = String::from("Access refused for the given login.\n");
            ("Login failed", detail)
        };
        let goodbye = Goodbye {
            summary,
            body: detail.as_bytes(),
            ..Goodbye::default()
        };
        // A CONNECT waits for an answer, and every version can carry this one.
        let _ = self.codec.refuse(now, &goodbye);
    }

    fn accepted(&mut self, now: Duration, ticket: Ticket, outcome: PublishOutcome) {
        let receipt = self.receipt_of(ticket);
        if let Some(session) = &mut self.session {
            session.committing.remove(&ticket);
            if session.farewell == Some(ticket) {
                self.leave();
            }
        }
        match outcome {
            // An ERROR would end the connection of who publishes to a topic because of
            // somebody who subscribed to it and stays away.
            PublishOutcome::Routed
            | PublishOutcome::Replied
            | PublishOutcome::Delayed
            | PublishOutcome::Unroutable
            | PublishOutcome::Dropped => {
                self.receipt(receipt.as_deref());
            }
            PublishOutcome::Refused => {
                let failure =
                    Failure::new("resource_limit", "a queue for this destination is full");
                self.fail(now, receipt.as_deref(), &failure);
            }
        }
    }

    /// The receipt that waits for what has this ticket.
    fn receipt_of(&mut self, ticket: Ticket) -> Option<String> {
        self.session.as_mut()?.receipts.remove(&ticket)
    }

    /// Answers a frame that asked for it.
    pub(super) fn receipt(&mut self, receipt: Option<&str>) {
        if let Some(receipt) = receipt {
            // The session is open, and what the client could write can be written.
            let _ = self.codec.receipt(receipt);
        }
    }

    /// Ends the connection because a frame cannot be served.
    pub(super) fn fail(&mut self, now: Duration, receipt: Option<&str>, failure: &Failure) {
        let detail = alloc::format!("{}\n", failure.detail);
        let goodbye = Goodbye {
            receipt,
            summary: failure.message,
            body: detail.as_bytes(),
            ..Goodbye::default()
        };
        self.close(now, &goodbye);
    }

    /// Ends the connection with ERROR.
    pub(super) fn close(&mut self, now: Duration, goodbye: &Goodbye<'_>) {
        // It is refused only if the connection has ended already.
        let _ = self.codec.close(now, goodbye);
    }

    fn deliver(&mut self, delivery: &Delivery) {
        match self.send_message(delivery) {
            Some(Ok(())) => {}
            // It cannot be said in this version of the protocol.
            Some(Err(SendError::Encode(_))) => self.link.tell(Request::Undeliverable {
                claim: Some(delivery.claim),
                message: delivery.message.clone(),
            }),
            // The subscription is over, or the connection.
            None | Some(Err(_)) => give_back(&mut self.link, delivery.claim),
        }
    }

    /// Sends a MESSAGE, if there is a subscription for it.
    fn send_message(&mut self, delivery: &Delivery) -> Option<Result<(), SendError>> {
        let session = self.session.as_mut()?;
        let receiver = session.consumers.get(&delivery.consumer)?;
        let version = self.codec.version()?;
        session.last_delivery += 1;
        let number = session.last_delivery;
        let message = &delivery.message;
        let destination = destination::of(message, version);
        let headers = headers::of(message, delivery.redelivered);
        let headers = headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            // What this version cannot carry stays behind.
            .filter(|(name, value)| version.check_header(Command::Message, name, value).is_ok());
        let sent = match receiver {
            Receiver::Subscription(subscription) if message.body.len() < LARGE => self
                .codec
                .deliver(*subscription, number, &destination, headers, &message.body),
            Receiver::Subscription(subscription) => {
                let body_size = message.body.len() as u64;
                let codec = &mut self.codec;
                codec
                    .begin_deliver(*subscription, number, &destination, headers, body_size)
                    .and_then(|()| codec.send_shared_body(message.body.clone()))
                    .map(|_remaining| ())
            }
            Receiver::Temporary(name) => {
                self.codec
                    .deliver_unsubscribed(name, &destination, headers, &message.body)
            }
        };
        if let (Ok(()), Claim::Leased(lease)) = (&sent, delivery.claim) {
            session.held.insert(number, lease);
        }
        Some(sent)
    }
}
