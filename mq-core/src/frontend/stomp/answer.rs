//! What the model was asked, and what its notices lead to.

use alloc::borrow::Cow;
use alloc::string::String;
use stomp_codec::connection::{Accept, Goodbye, SendError, Subscription};
use stomp_codec::{Command, Version};

use super::super::give_back;
use super::{Failure, Receiver, SERVER, Session, StompFrontEnd, destination, headers};
use crate::dialect::StompDialect;
use crate::frontend::body::LARGE;
use crate::model::PublishOutcome;
use crate::model::message::{Message, Name};
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
        client: Option<Name>,
    },
    /// A step before the last one of a SUBSCRIBE or of a temporary queue.
    Preparation,
    /// The last step of a SUBSCRIBE.
    Subscribe {
        subscription: Subscription,
        /// The destination, where it is one of this connection alone.
        own: Option<Name>,
        receipt: Option<String>,
    },
    /// What is in a queue.
    Browse {
        subscription: Subscription,
        destination: Name,
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
            Notice::ChannelEnded { refusal, .. } => {
                self.fail(now, None, &Failure::from(*refusal));
            }
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
                if let Some(Receiver::Subscription(subscription) | Receiver::Own(subscription, _)) =
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
            (Asked::Login { client, .. }, Notice::LoggedIn { user }) => {
                self.user = user;
                self.welcome(now, client);
            }
            (Asked::Login { host, .. }, Notice::Refused(refusal)) => {
                self.turn_away(now, &host, &refusal);
            }
            (
                Asked::Subscribe { receipt, .. }
                | Asked::Browse { receipt, .. }
                | Asked::Unsubscribe { receipt },
                Notice::Refused(refusal),
            ) => {
                self.fail(now, receipt.as_deref(), &Failure::from(*refusal));
            }
            (_, Notice::Refused(refusal)) => {
                // Only the last step of a SUBSCRIBE knows its receipt, and it is refused too.
                let receipt = self.link.last().and_then(|asked| match asked {
                    Asked::Subscribe { receipt, .. } | Asked::Browse { receipt, .. } => {
                        receipt.clone()
                    }
                    _ => None,
                });
                self.fail(now, receipt.as_deref(), &Failure::from(*refusal));
            }
            (
                Asked::Subscribe {
                    subscription,
                    own,
                    receipt,
                },
                Notice::Consumed { consumer },
            ) => {
                if let Some(session) = &mut self.session {
                    let receiver = match own {
                        Some(destination) => Receiver::Own(subscription, destination),
                        None => Receiver::Subscription(subscription),
                    };
                    session.consumers.insert(consumer, receiver);
                    let consumers = session.by_subscription.or_default(subscription);
                    consumers.push(consumer);
                }
                self.receipt(receipt.as_deref());
            }
            (
                Asked::Browse {
                    subscription,
                    destination,
                    receipt,
                },
                Notice::Browsed(messages),
            ) => {
                self.receipt(receipt.as_deref());
                for message in &messages {
                    // What cannot be said in this version is passed over: it stays there.
                    let _ = self.show(subscription, None, message, false);
                }
                self.end_browsing(subscription, &destination);
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
    fn welcome(&mut self, now: Duration, client: Option<Name>) {
        let name = match &client {
            Some(client) if self.config.stomp_dialect == StompDialect::ActiveMq => {
                String::from(&**client)
            }
            _ => self.names.next("session-"),
        };
        let accept = Accept {
            session: Some(&name),
            server: Some(SERVER),
            ..Accept::default()
        };
        if self.codec.accept(now, &accept).is_ok() {
            self.link.tell(Request::OpenChannel { channel: 0 });
            self.session = Some(Session {
                client,
                ..Session::default()
            });
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
        let session = self.session.as_ref()?;
        let (message, redelivered) = (&delivery.message, delivery.redelivered);
        let sent = match session.consumers.get(&delivery.consumer)? {
            Receiver::Subscription(subscription) => {
                let subscription = *subscription;
                self.show(subscription, None, message, redelivered)
            }
            Receiver::Own(subscription, destination) => {
                let (subscription, destination) = (*subscription, destination.clone());
                self.show(subscription, Some(&destination), message, redelivered)
            }
            Receiver::Temporary(name) => {
                let name = name.clone();
                self.bring(&name, message, redelivered)
            }
        };
        if let (Ok(()), Claim::Leased(lease), Some(session)) =
            (&sent, delivery.claim, &mut self.session)
        {
            session.held.insert(session.last_delivery, lease);
        }
        Some(sent)
    }

    /// Sends a MESSAGE to a subscription, under the next number, with the destination that it
    /// is published to or another.
    fn show(
        &mut self,
        subscription: Subscription,
        destination: Option<&str>,
        message: &Message,
        redelivered: bool,
    ) -> Result<(), SendError> {
        let (Some(version), Some(session)) = (self.codec.version(), &mut self.session) else {
            return Err(SendError::NotOpen);
        };
        session.last_delivery += 1;
        let number = session.last_delivery;
        let destination = match destination {
            Some(destination) => Cow::Borrowed(destination),
            None => destination::of(message, version),
        };
        let headers = headers::of(message, redelivered, self.config.stomp_dialect);
        let headers = said(&headers, version);
        let codec = &mut self.codec;
        let body = &message.body;
        if let Some(small) = body.whole().filter(|body| body.len() < LARGE) {
            return codec.deliver(subscription, number, &destination, headers, small);
        }
        let body_size = body.len() as u64;
        codec.begin_deliver(subscription, number, &destination, headers, body_size)?;
        for piece in body.pieces() {
            codec.send_shared_body(piece.clone())?;
        }
        Ok(())
    }

    /// Sends a MESSAGE that nothing was subscribed to.
    fn bring(&mut self, name: &str, message: &Message, redelivered: bool) -> Result<(), SendError> {
        let Some(version) = self.codec.version() else {
            return Err(SendError::NotOpen);
        };
        let destination = destination::of(message, version);
        let headers = headers::of(message, redelivered, self.config.stomp_dialect);
        let headers = said(&headers, version);
        self.codec
            .deliver_unsubscribed(name, &destination, headers, &message.body.to_bytes())
    }

    /// Says that a browser has seen all (ActiveMQ).
    fn end_browsing(&mut self, subscription: Subscription, destination: &str) {
        if let Some(session) = &mut self.session {
            session.last_delivery += 1;
            let number = session.last_delivery;
            let end = [("browser", "end")];
            // The subscription is there, and every version can carry this.
            let _ = self
                .codec
                .deliver(subscription, number, destination, end, b"");
        }
    }
}

/// The headers that a version can carry. The others stay behind.
fn said<'a>(
    headers: &'a [(Cow<'_, str>, Cow<'_, str>)],
    version: Version,
) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
    let headers = headers.iter().map(|(name, value)| (&**name, &**value));
    headers.filter(move |(name, value)| version.check_header(Command::Message, name, value).is_ok())
}
