//! One end of a bridge: an MQTT client, its socket, and what waits for either.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use mqtt_codec::connection::{
    Acknowledgements, ClientConfig, ClientConnection, ClientEvent, ConnectionError, InFlight,
    MessageBuf, ReadBuffer, SendError, Session,
};
use mqtt_codec::{
    Connect, PacketIdentifier, Properties, PropertiesBuilder, Property, ProtocolVersion, QoS,
    ReasonCode, Subscription, TopicName, Utf8String, Will,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::transport::BoxSocket;

/// Messages of QoS 1 and 2 that one end may have under way to the bridge.
const RECEIVE_MAXIMUM: u16 = 20;

/// How long a session outlives its connection: for ever.
const EXPIRY: u32 = u32::MAX;

/// Bytes that are read at one time.
const READ: usize = 16 * 1024;

/// Bytes, or messages, for one end, above which nothing more is taken from the other.
const HIGH_WATER: usize = 1 << 20;
const WAITING: usize = 1000;

/// What outlives the connections of one end.
#[derive(Default)]
pub(super) struct Kept {
    session: Session,
    /// What was sent to it and is not settled, with what is to be acknowledged to the other
    /// end then.
    sent: BTreeMap<PacketIdentifier, PacketIdentifier>,
    /// The broker may have a session of which nothing is known here, and nothing in it is
    /// needed.
    begins_clean: bool,
}

impl Kept {
    /// At the start of the process: nothing is known of the session that the broker may have,
    /// where an earlier process may have left messages of QoS 2 unreleased. A message that is
    /// sent under such an identifier would be taken for that one. So the session begins anew
    /// where nothing waits in it; or else every identifier is released first, which section
    /// 4.3.3 of MQTT 5.0 has a broker answer also where it knows nothing of one.
    pub(super) fn of_a_new_process(version: ProtocolVersion, sends: bool, receives: bool) -> Self {
        // In 3.1.1 a session that begins anew ends with the connection.
        let begins_clean = sends && !receives && version == ProtocolVersion::V5_0;
        let is_unsure = sends && !begins_clean;
        let all = (1..=u16::MAX).filter(|_| is_unsure);
        let released = all.filter_map(PacketIdentifier::new);
        let released = released.map(|identifier| (identifier, InFlight::PubRel));
        Self {
            session: Session::restore(released, []),
            sent: BTreeMap::new(),
            begins_clean,
        }
    }
}

/// Who one end is to its broker.
pub(super) struct Who<'a> {
    pub(super) version: ProtocolVersion,
    pub(super) client_id: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    pub(super) clean_session: bool,
    pub(super) keep_alive: Duration,
    /// The topic of its state, and its will.
    pub(super) state: Option<&'a str>,
}

/// A message on its way to an end.
struct Passing {
    message: MessageBuf,
    /// What is to be acknowledged to the other end when it has arrived.
    from: Option<PacketIdentifier>,
}

/// What happened at an end.
pub(super) enum Happened {
    /// It is connected. The flag is Session Present of its CONNACK.
    Connected(bool),
    /// It is connected, and does not know any more what was sent to it.
    Forgotten,
    /// It is not let in.
    Refused(ReasonCode),
    /// A message for the other end.
    Message(MessageBuf, Option<PacketIdentifier>),
    /// A message to this end is settled. This is to be acknowledged to the other.
    Settled(PacketIdentifier),
}

pub(super) struct End {
    codec: ClientConnection,
    version: ProtocolVersion,
    input: ReadBuffer,
    read: ReadHalf<BoxSocket>,
    write: WriteHalf<BoxSocket>,
    out: BytesMut,
    waiting: VecDeque<Passing>,
    sent: BTreeMap<PacketIdentifier, PacketIdentifier>,
    /// What could not be acknowledged, since it has not come again on this connection. It has
    /// arrived at the other end.
    owed: Vec<PacketIdentifier>,
    /// Filters that are to be subscribed to, and the QoS.
    filters: Vec<(String, u8)>,
    /// See [`Kept::begins_clean`].
    begins_clean: bool,
}

/// The settings cannot be said in MQTT.
fn unsayable(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
}

impl End {
    /// Begins a connection over a socket. What is kept goes into it until
    /// [`into_kept`](Self::into_kept).
    pub(super) fn new(
        socket: BoxSocket,
        now: Duration,
        who: &Who<'_>,
        kept: &mut Kept,
    ) -> io::Result<Self> {
        let mut config = ClientConfig::default();
        config.acknowledgements = Acknowledgements::Manual;
        let mut codec = ClientConnection::new(now, config);
        let mut properties = PropertiesBuilder::new();
        if who.version == ProtocolVersion::V5_0 {
            let expiry = if who.clean_session { 0 } else { EXPIRY };
            properties
                .extend([
                    Property::SessionExpiryInterval(expiry),
                    Property::ReceiveMaximum(RECEIVE_MAXIMUM),
                ])
                .map_err(unsayable)?;
        }
        let will = who.state.map(|topic| -> io::Result<Will<'_>> {
            Ok(Will {
                topic: TopicName::new(topic).map_err(unsayable)?,
                payload: b"0",
                qos: QoS::AtLeastOnce,
                retain: true,
                properties: Properties::EMPTY,
            })
        });
        let text = |text| Utf8String::new(text).map_err(unsayable);
        let seconds = who.keep_alive.as_secs();
        let connect = Connect {
            keep_alive: u16::try_from(seconds).unwrap_or(u16::MAX),
            clean_start: who.clean_session || kept.begins_clean,
            properties: properties.as_properties(),
            will: will.transpose()?,
            user_name: who.user.map(text).transpose()?,
            password: who.password.map(str::as_bytes),
            ..Connect::resume(who.version, text(who.client_id)?)
        };
        let Kept {
            session,
            sent,
            begins_clean,
        } = match who.clean_session {
            true => Kept::default(),
            false => std::mem::take(kept),
        };
        codec.connect(now, &connect, session).map_err(unsayable)?;
        let (read, write) = tokio::io::split(socket);
        Ok(Self {
            codec,
            version: who.version,
            input: ReadBuffer::new(),
            read,
            write,
            out: BytesMut::new(),
            waiting: VecDeque::new(),
            sent,
            owed: Vec::new(),
            filters: Vec::new(),
            begins_clean,
        })
    }

    /// What outlives the connection, which is over.
    pub(super) fn into_kept(self) -> Kept {
        let mut session = self.codec.into_session();
        for id in self.owed {
            // One of QoS 1 comes again, and is passed on again.
            session.acknowledge(id);
        }
        Kept {
            session,
            sent: self.sent,
            begins_clean: self.begins_clean,
        }
    }

    /// What was sent here before came from messages that the other end does not know any more.
    pub(super) fn forget(&mut self) {
        self.sent.clear();
    }

    /// Subscribes when it can, so that nothing comes that this client has published, where the
    /// version can say that.
    pub(super) fn subscribe(&mut self, filters: impl Iterator<Item = (String, u8)>) {
        self.filters = filters.collect();
    }

    fn say_subscriptions(&mut self) {
        if self.filters.is_empty() {
            return;
        }
        let subscriptions = self.filters.iter().map(|(filter, qos)| {
            let qos = match qos {
                0 => QoS::AtMostOnce,
                1 => QoS::AtLeastOnce,
                _ => QoS::ExactlyOnce,
            };
            let mut subscription = Subscription::new(filter, qos);
            // Before 5.0 there are no such options.
            let has_options = self.version == ProtocolVersion::V5_0;
            subscription.options.no_local = has_options;
            subscription.options.retain_as_published = has_options;
            subscription
        });
        let subscriptions: Vec<_> = subscriptions.collect();
        match self.codec.subscribe(&subscriptions, Properties::EMPTY) {
            // Later.
            Err(SendError::NoPacketIdentifier) => return,
            Err(error) => tracing::warn!(%error, "cannot subscribe"),
            Ok(_) => {}
        }
        self.filters.clear();
    }

    /// Says that the bridge is connected.
    pub(super) fn say_connected(&mut self, topic: &str) {
        let mut message = MessageBuf::new(topic, "1", QoS::AtLeastOnce);
        message.retain = true;
        self.send(message, None);
    }

    /// Sends a message, when there is room for it.
    pub(super) fn send(&mut self, message: MessageBuf, from: Option<PacketIdentifier>) {
        self.waiting.push_back(Passing { message, from });
    }

    /// A message from here has arrived at the other end.
    pub(super) fn acknowledge(&mut self, id: PacketIdentifier) {
        let acknowledged = self
            .codec
            .acknowledge(id, ReasonCode::Success, Properties::EMPTY);
        if acknowledged.is_err() {
            self.owed.push(id);
        }
    }

    /// Whether a message is on its way to this end, or was, and comes again at the other.
    pub(super) fn has(&self, from: PacketIdentifier) -> bool {
        self.sent.values().any(|sent| *sent == from)
            || self
                .waiting
                .iter()
                .any(|passing| passing.from == Some(from))
    }

    /// Whether nothing more is to be taken for it.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= HIGH_WATER || self.waiting.len() >= WAITING
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.codec.poll_timeout()
    }

    /// Reads, if it may, or writes: whatever is possible first.
    pub(super) async fn progress(&mut self, may_read: bool) -> io::Result<()> {
        let Self {
            input,
            read,
            write,
            out,
            ..
        } = self;
        tokio::select! {
            len = read.read(input.space(READ)), if may_read => match len? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => input.filled(len),
            },
            len = write.write_buf(out), if !out.is_empty() => drop(len?),
            else => std::future::pending::<()>().await,
        }
        Ok(())
    }

    /// Takes what has come.
    pub(super) fn take(&mut self, now: Duration) -> Result<Vec<Happened>, ConnectionError> {
        let (mut happened, mut arrived, mut is_resumed) = (Vec::new(), Vec::new(), false);
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.codec.handle_timeout(now)?;
        }
        let mut input = self.input.input();
        while let Some(event) = self.codec.receive(now, &mut input)? {
            happened.extend(match event {
                ClientEvent::ConnAck(ack) if ack.reason_code.is_error() => {
                    Some(Happened::Refused(ack.reason_code))
                }
                ClientEvent::ConnAck(ack) => {
                    self.begins_clean = false;
                    let present = ack.session_present;
                    is_resumed = present;
                    if !present {
                        self.owed.clear();
                    }
                    // What was sent to it comes again at the other end, once that connects.
                    let is_forgotten = !present && !self.sent.is_empty();
                    if is_forgotten {
                        self.sent.clear();
                    }
                    Some(match is_forgotten {
                        true => Happened::Forgotten,
                        false => Happened::Connected(present),
                    })
                }
                ClientEvent::Disconnect(ack) => Some(Happened::Refused(ack.reason_code)),
                ClientEvent::Publish(publish) => {
                    let id = publish.packet_identifier;
                    let owed = self.owed.iter().position(|owed| Some(*owed) == id);
                    let owed = owed.map(|owed| self.owed.swap_remove(owed));
                    // Without DUP it is another message, under an identifier that is used again
                    // (MQTT-3.3.1-1).
                    if publish.dup && owed.is_some() {
                        arrived.extend(owed);
                        None
                    } else {
                        let message = publish.to_message();
                        message.map(|message| Happened::Message(message, id))
                    }
                }
                // It is settled, whatever became of it.
                ClientEvent::PubAck(ack) | ClientEvent::PubComp(ack) => {
                    let from = self.sent.remove(&ack.packet_identifier);
                    from.map(Happened::Settled)
                }
                ClientEvent::PubRec(ack) if ack.reason_code.is_error() => {
                    let from = self.sent.remove(&ack.packet_identifier);
                    from.map(Happened::Settled)
                }
                _ => None,
            });
        }
        drop(input);
        if is_resumed {
            // The codec knows one of QoS 2, and does not hand it out again.
            arrived.append(&mut self.owed);
        }
        for id in arrived {
            self.acknowledge(id);
        }
        Ok(happened)
    }

    /// Sends what waits and has room. Returns what has to be acknowledged to the other end: what
    /// is of QoS 0 from here on, and what this end does not take at all.
    pub(super) fn flush(&mut self, now: Duration) -> Vec<PacketIdentifier> {
        let mut done = Vec::new();
        self.say_subscriptions();
        while self.out.len() < HIGH_WATER
            && let Some(Passing { message, from }) = self.waiting.front()
        {
            match self.codec.publish(&message.as_message()) {
                Ok(Some(id)) => {
                    if let Some(from) = from {
                        self.sent.insert(id, *from);
                    }
                }
                Ok(None) => done.extend(*from),
                Err(
                    SendError::ReceiveMaximum
                    | SendError::NoPacketIdentifier
                    | SendError::NotOpen
                    | SendError::Closed,
                ) => break,
                Err(error) => {
                    tracing::warn!(topic = %message.topic_name, %error, "cannot pass on");
                    done.extend(*from);
                }
            }
            self.waiting.pop_front();
            self.transmit(now);
        }
        done
    }

    /// Moves what is to be sent to the socket.
    pub(super) fn transmit(&mut self, now: Duration) {
        self.codec.poll_transmit(now, &mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Who<'_> = Who {
        version: ProtocolVersion::V5_0,
        client_id: "c",
        user: None,
        password: None,
        clean_session: false,
        keep_alive: Duration::ZERO,
        state: None,
    };

    fn connect(kept: &mut Kept) -> End {
        let (socket, _) = tokio::io::duplex(1);
        End::new(Box::new(socket), Duration::ZERO, &WHO, kept).unwrap()
    }

    /// Takes bytes, and returns how many messages come of them.
    fn messages(end: &mut End, bytes: &[u8]) -> usize {
        end.input.space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        end.input.filled(bytes.len());
        let happened = end.take(Duration::ZERO).unwrap();
        let is_message = |it: &&Happened| matches!(it, Happened::Message(..));
        happened.iter().filter(is_message).count()
    }

    /// The other end can be connected, and say that it has a message, before this one is. The
    /// message comes again here then, and its sender waits for an acknowledgement.
    #[test]
    fn what_has_arrived_is_acknowledged_when_it_comes_again() {
        for (flags, answer, is_one_read) in [
            (2, 0x40, false),
            (2, 0x40, true),
            (4, 0x50, false),
            (4, 0x50, true),
        ] {
            // With the packet identifier 5.
            let publish = [0x30 | flags, 7, 0, 1, b't', 0, 5, 0, b'm'];
            let mut again = publish;
            again[0] |= 8;
            let mut kept = Kept::default();
            let mut end = connect(&mut kept);
            assert_eq!(messages(&mut end, &[0x20, 3, 0, 0, 0]), 0);
            assert_eq!(messages(&mut end, &publish), 1);
            let mut kept = end.into_kept();
            let mut end = connect(&mut kept);
            end.acknowledge(PacketIdentifier::new(5).unwrap());
            let resumed = [0x20, 3, 1, 0, 0];
            if is_one_read {
                let both = [&resumed[..], &again].concat();
                assert_eq!(messages(&mut end, &both), 0, "it has arrived");
            } else {
                assert_eq!(messages(&mut end, &resumed), 0);
                assert_eq!(messages(&mut end, &again), 0, "it has arrived");
            }
            end.transmit(Duration::ZERO);
            assert!(end.out.ends_with(&[answer, 2, 0, 5]), "{:?}", end.out);
            assert!(end.owed.is_empty());
        }
    }

    #[test]
    fn an_identifier_that_is_used_again_is_of_another_message() {
        let mut end = connect(&mut Kept::default());
        assert_eq!(messages(&mut end, &[0x20, 3, 1, 0, 0]), 0);
        end.acknowledge(PacketIdentifier::new(5).unwrap());
        let publish = [0x32, 7, 0, 1, b't', 0, 5, 0, b'm'];
        assert_eq!(messages(&mut end, &publish), 1);
        assert!(end.owed.is_empty());
    }

    /// Of a session that is lost nothing is owed: its identifiers stand for something else.
    #[test]
    fn nothing_is_owed_to_a_new_session() {
        let mut end = connect(&mut Kept::default());
        end.acknowledge(PacketIdentifier::new(5).unwrap());
        assert_eq!(messages(&mut end, &[0x20, 3, 0, 0, 0]), 0);
        let publish = [0x32, 7, 0, 1, b't', 0, 5, 0, b'm'];
        assert_eq!(messages(&mut end, &publish), 1);
    }
}
