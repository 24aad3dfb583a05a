//! One case played in one version: its clients, its packets, and the question
//! that most cases about form have in common.

use std::cell::Cell;

use super::client::Client;
use super::property::{self, SESSION_EXPIRY_INTERVAL};
use super::wire::{Connect, GOODBYE, PING, Publish, Version, subscribe};
use crate::case::Context;
use crate::verdict::{Setup, Stop};

/// What a case ends with.
pub(super) type Played<T = ()> = Result<T, Stop>;

/// One case played in one version.
pub(super) struct Play<'a> {
    pub(super) ctx: &'a Context<'a>,
    pub(super) version: Version,
    clients: Cell<u32>,
}

impl<'a> Play<'a> {
    pub(super) fn new(ctx: &'a Context<'a>, version: Version) -> Self {
        Self {
            ctx,
            version,
            clients: Cell::new(0),
        }
    }

    /// A name that no other case and no other run has.
    pub(super) fn name(&self, hint: &str) -> String {
        self.ctx.name(hint)
    }

    /// A CONNECT of a new client, with a clean start, the target's credentials
    /// and no keep alive, unless the broker wants one.
    pub(super) fn connect(&self) -> Connect {
        self.clients.set(self.clients.get() + 1);
        let target = self.ctx.target;
        Connect {
            version: self.version,
            name: if self.version == Version::V31 {
                "MQIsdp"
            } else {
                "MQTT"
            },
            level: self.version as u8,
            flags: 0,
            clean: true,
            keep_alive: target.profile.keep_alive,
            properties: Vec::new(),
            client_id: self.name(&format!("c{}", self.clients.get())).into(),
            will: None,
            user: target.user.clone().map(Into::into),
            password: target.password.clone().map(Into::into),
            trailing: Vec::new(),
        }
    }

    /// A CONNECT of a new client whose session outlives its connection.
    pub(super) fn durable(&self) -> Connect {
        Connect {
            clean: false,
            properties: property::four_byte(SESSION_EXPIRY_INTERVAL, 60),
            ..self.connect()
        }
    }

    /// A PUBLISH with quality of service 0.
    pub(super) fn publish(&self, topic: &str, payload: &[u8]) -> Publish {
        Publish {
            version: self.version,
            dup: false,
            qos: 0,
            retain: false,
            topic: topic.into(),
            id: 1,
            properties: Vec::new(),
            payload: payload.into(),
        }
    }

    /// A SUBSCRIBE with one filter.
    pub(super) fn subscribe(&self, filter: &str, options: u8) -> Vec<u8> {
        subscribe(self.version, 1, &[], &[(filter.as_bytes(), options)])
    }

    /// A TCP connection without a CONNECT.
    pub(super) fn open(&self) -> Played<Client> {
        Ok(Client::new(
            self.ctx.connect()?,
            self.version,
            self.name(""),
            self.ctx.target.profile.maximum_qos.clone(),
        ))
    }

    /// A new client with a clean start.
    pub(super) fn client(&self) -> Played<Client> {
        self.join(&self.connect())
    }

    /// Connects, as a step on the way to a question.
    pub(super) fn join(&self, connect: &Connect) -> Played<Client> {
        self.join_accepted(connect).setup("connecting")
    }

    /// Connects, where that is the question.
    pub(super) fn join_accepted(&self, connect: &Connect) -> Played<Client> {
        let mut client = self.open()?;
        client.wire.send(&connect.bytes());
        client.await_connack("CONNACK with success after a correct CONNECT")?;
        client.needs_session(connect)?;
        Ok(client)
    }

    /// Ends what is left of a session.
    pub(super) fn forget(&self, session: &Connect) -> Played {
        let clean = Connect {
            clean: true,
            properties: Vec::new(),
            will: None,
            ..session.clone()
        };
        self.join(&clean)?.disconnect()
    }

    /// The broker goes on after `sound`, and refuses `broken` by closing.
    pub(super) fn refuses(&self, sound: &[u8], broken: &[u8]) -> Played {
        self.refuses_after(&[], sound, broken)
    }

    /// As [`Self::refuses`], both after `prelude` has been answered.
    pub(super) fn refuses_after(&self, prelude: &[u8], sound: &[u8], broken: &[u8]) -> Played {
        let mut control = self.client()?;
        control.wire.send(prelude);
        control.settle().setup("what comes before, as a control")?;
        control.wire.send(sound);
        control.settle().setup("a sound packet, as a control")?;
        control.wire.send(GOODBYE);
        let mut client = self.client()?;
        client.wire.send(prelude);
        client.settle().setup("what comes before")?;
        // A broker that waits for more of it gets more.
        client.wire.send(&[broken, PING].concat());
        client
            .expect_refusal("the connection closed, in 5.0 after a DISCONNECT with the error")
            .map(drop)
    }

    /// As [`Self::refuses`] for bytes after which nothing can be told apart.
    pub(super) fn refuses_unframed(&self, sound: &[u8], broken: &[u8]) -> Played {
        let mut control = self.client()?;
        control.wire.send(sound);
        control.settle().setup("a sound packet, as a control")?;
        control.wire.send(GOODBYE);
        let mut client = self.client()?;
        client.wire.send(broken);
        client
            .expect_refusal("the connection closed, in 5.0 after a DISCONNECT with the error")
            .map(drop)
    }

    /// The broker takes a sound CONNECT and refuses this one.
    pub(super) fn refuses_connect(&self, broken: &[u8]) -> Played<Option<u8>> {
        self.client()?.wire.send(GOODBYE);
        let mut client = self.open()?;
        client.wire.send(broken);
        client
            .expect_connect_refusal("the connection closed, after a CONNACK with an error at most")
    }
}
