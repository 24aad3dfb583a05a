//! Connecting the two ends of a bridge, and again.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::{Duration, Instant};

use mq_core::{Protocol, Terms};
use mqtt_codec::connection::MessageBuf;
use mqtt_codec::{PacketIdentifier, ProtocolVersion};
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::time::{sleep, sleep_until, timeout};

use super::end::{End, Happened, Kept, Who};
use super::{Bridge, BridgeProtocol};
use crate::listener::{Peer, Reception};
use crate::transport::{BoxSocket, Carrier, Established};

/// How long a connection to the other broker may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Bytes on their way between the bridge and this server.
const PIPE: usize = 64 * 1024;

/// The bridge wakes up after so long, whatever there is to do.
const IDLE: Duration = Duration::from_secs(3600);

/// What outlives the connections of a bridge.
#[derive(Default)]
struct Memory {
    local: Kept,
    remote: Kept,
}

impl Memory {
    fn of_a_new_process(bridge: &Bridge) -> Self {
        let goes_out = bridge.topics.local_subscriptions().next().is_some();
        let comes_in = bridge.topics.remote_subscriptions().next().is_some();
        let (here, there) = (ProtocolVersion::V5_0, version(bridge));
        Self {
            local: Kept::of_a_new_process(here, comes_in, goes_out),
            remote: Kept::of_a_new_process(there, goes_out, comes_in),
        }
    }
}

/// The version of MQTT at the other broker.
fn version(bridge: &Bridge) -> ProtocolVersion {
    match bridge.protocol {
        BridgeProtocol::V5_0 => ProtocolVersion::V5_0,
        BridgeProtocol::V3_1_1 => ProtocolVersion::V3_1_1,
    }
}

/// Keeps a bridge up for ever.
pub(crate) async fn run(bridge: Bridge, reception: Reception) {
    let (shortest, longest) = bridge.restart;
    let mut wait = shortest;
    let mut memory = Memory::of_a_new_process(&bridge);
    // What is kept of one connection counts its time as the next ones do.
    let start = Instant::now();
    // One line when the trouble begins or becomes another, not one a try.
    let mut trouble = String::new();
    while !reception.commands.is_closed() {
        let (was_up, error) = cross(&bridge, &reception, start, &mut memory).await;
        if was_up {
            wait = shortest;
        }
        let (name, address) = (&bridge.name, &bridge.address);
        let error = error.to_string();
        if was_up || error != trouble {
            tracing::warn!(%name, %address, %error, "the bridge is down");
        }
        trouble = error;
        sleep(wait).await;
        wait = longest.min(between(shortest, wait * 3));
    }
}

/// A time somewhere between two.
fn between(least: Duration, most: Duration) -> Duration {
    let drawn = RandomState::new().hash_one(Instant::now()) % 1024;
    let room = most.saturating_sub(least);
    least + room.mul_f64(drawn as f64 / 1024.0)
}

/// Both ends, from their connections on until one of them is over. Returns whether both were
/// connected, and what has ended it.
async fn cross(
    bridge: &Bridge,
    reception: &Reception,
    start: Instant,
    memory: &mut Memory,
) -> (bool, io::Error) {
    let remote = match timeout(CONNECT, reach(bridge)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return (false, error),
        Err(_) => return (false, io::ErrorKind::TimedOut.into()),
    };
    let (local, ours) = tokio::io::duplex(PIPE);
    let place = match reception.places.take_any() {
        Ok(place) => place,
        Err(full) => return (false, io::Error::other(full)),
    };
    let established = Established {
        protocol: Protocol::Mqtt,
        carrier: Carrier::Bytes(Box::new(ours)),
        source: None,
        identity: None,
    };
    let mut terms = Terms::default()
        .with_allow_anonymous(true)
        .with_state_topics(true);
    if let Some(user) = &bridge.local_user {
        terms = terms.with_identity(user);
    }
    if let Some(host) = &bridge.virtual_host {
        terms = terms.with_virtual_host(host);
    }
    let peer = Peer::bridge(bridge.name.clone());
    reception.accept(established, terms, peer, place).await;

    let (local, remote) = match ends(bridge, local, remote, start.elapsed(), memory) {
        Ok(ends) => ends,
        Err(error) => return (false, error),
    };
    let mut crossing = Crossing {
        bridge,
        start,
        local,
        remote,
        local_is_up: false,
        remote_is_up: false,
    };
    let error = crossing.pass().await;
    let Crossing {
        local,
        remote,
        local_is_up,
        remote_is_up,
        ..
    } = crossing;
    if !bridge.clean_session {
        *memory = Memory {
            local: local.into_kept(),
            remote: remote.into_kept(),
        };
    }
    (local_is_up && remote_is_up, error)
}

/// Connects to the other broker.
async fn reach(bridge: &Bridge) -> io::Result<BoxSocket> {
    let stream = TcpStream::connect(&bridge.address).await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "socket options");
    }
    match &bridge.tls {
        None => Ok(Box::new(stream)),
        Some(tls) => tls.connect(Box::new(stream), host(&bridge.address)).await,
    }
}

/// The host of `HOST:PORT`, without the brackets of an address of IPv6.
fn host(address: &str) -> &str {
    let (host, _) = address.rsplit_once(':').unwrap_or((address, ""));
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Begins both connections.
fn ends(
    bridge: &Bridge,
    local: DuplexStream,
    remote: BoxSocket,
    now: Duration,
    memory: &mut Memory,
) -> io::Result<(End, End)> {
    let here = Who {
        version: ProtocolVersion::V5_0,
        client_id: &bridge.local_client_id,
        user: None,
        password: None,
        clean_session: bridge.clean_session,
        keep_alive: Duration::ZERO,
        state: bridge.notifications.then_some(&*bridge.notification_topic),
    };
    let there = Who {
        version: version(bridge),
        client_id: &bridge.remote_client_id,
        user: bridge.remote_user.as_deref(),
        password: bridge.remote_password.as_deref(),
        keep_alive: bridge.keep_alive,
        ..here
    };
    let local = End::new(Box::new(local), now, &here, &mut memory.local)?;
    let remote = End::new(remote, now, &there, &mut memory.remote)?;
    Ok((local, remote))
}

/// Both ends of a bridge while they have their connections.
struct Crossing<'a> {
    bridge: &'a Bridge,
    start: Instant,
    local: End,
    remote: End,
    local_is_up: bool,
    remote_is_up: bool,
}

/// One of the ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Local,
    Remote,
}

impl Crossing<'_> {
    /// Passes messages on until one end is over. Returns why.
    async fn pass(&mut self) -> io::Error {
        loop {
            if let Err(error) = self.turn() {
                return error;
            }
            let due = [self.local.poll_timeout(), self.remote.poll_timeout()];
            let due = due.into_iter().flatten().min().unwrap_or(IDLE);
            let may_read = (!self.remote.is_full(), !self.local.is_full());
            let moved = tokio::select! {
                moved = self.local.progress(may_read.0) => moved,
                moved = self.remote.progress(may_read.1) => moved,
                () = sleep_until((self.start + due).into()) => Ok(()),
            };
            if let Err(error) = moved {
                return error;
            }
        }
    }

    /// Takes what has come at both ends, and sends what there is for both.
    fn turn(&mut self) -> io::Result<()> {
        let now = self.start.elapsed();
        for side in [Side::Local, Side::Remote] {
            for happened in self.end(side).take(now).map_err(io::Error::other)? {
                self.happened(side, happened)?;
            }
        }
        for id in self.remote.flush(now) {
            self.local.acknowledge(id);
        }
        for id in self.local.flush(now) {
            self.remote.acknowledge(id);
        }
        // What was acknowledged leaves as well.
        self.local.transmit(now);
        self.remote.transmit(now);
        Ok(())
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Local => &mut self.local,
            Side::Remote => &mut self.remote,
        }
    }

    fn other(&mut self, side: Side) -> &mut End {
        self.end(match side {
            Side::Local => Side::Remote,
            Side::Remote => Side::Local,
        })
    }

    fn happened(&mut self, side: Side, happened: Happened) -> io::Result<()> {
        match happened {
            Happened::Connected(present) => self.connected(side, present)?,
            Happened::Forgotten => {
                return Err(io::Error::other("the broker has lost the session"));
            }
            Happened::Refused(reason) => {
                let text = format!("the broker says {reason:?}");
                return Err(io::Error::new(io::ErrorKind::ConnectionRefused, text));
            }
            Happened::Message(message, id) => {
                // One that comes again is on its way already.
                if id.is_none_or(|id| !self.other(side).has(id)) {
                    self.message(side, message, id);
                }
            }
            Happened::Settled(id) => self.other(side).acknowledge(id),
        }
        Ok(())
    }

    fn connected(&mut self, side: Side, present: bool) -> io::Result<()> {
        if !present {
            self.other(side).forget();
        }
        let bridge = self.bridge;
        match side {
            Side::Local => {
                self.local_is_up = true;
                self.local.subscribe(bridge.topics.local_subscriptions());
            }
            Side::Remote => {
                self.remote_is_up = true;
                self.remote.subscribe(bridge.topics.remote_subscriptions());
            }
        }
        if self.local_is_up && self.remote_is_up {
            tracing::info!(name = %bridge.name, address = %bridge.address, "the bridge is up");
            if bridge.notifications {
                for side in [Side::Local, Side::Remote] {
                    self.end(side).say_connected(&bridge.notification_topic);
                }
            }
        }
        Ok(())
    }

    fn message(&mut self, side: Side, mut message: MessageBuf, id: Option<PacketIdentifier>) {
        let bridge = self.bridge;
        let topics = &bridge.topics;
        let name = match side {
            Side::Local => topics.outward(&message.topic_name),
            Side::Remote => topics.inward(&message.topic_name),
        };
        message.topic_name = name.into();
        message.retain &= side == Side::Remote || bridge.outgoing_retain;
        self.other(side).send(message, id);
    }
}
