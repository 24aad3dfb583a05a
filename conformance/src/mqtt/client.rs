//! The clients that a case plays with.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use super::play::Played;
use super::property::{
    MAXIMUM_PACKET_SIZE, MAXIMUM_QOS, Properties, RETAIN_AVAILABLE, SESSION_EXPIRY_INTERVAL,
    SHARED_SUBSCRIPTION_AVAILABLE, WILDCARD_SUBSCRIPTION_AVAILABLE, read_string, take,
};
use super::wire::{
    CONNACK, Connect, DISCONNECT, GOODBYE, PING, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC,
    PUBREL, Packet, Publish, SUBACK, UNSUBACK, Version, ack, name, parse_packet, subscribe,
    unsubscribe, varint,
};
use crate::verdict::{Setup, Stop, fail, not_applicable};
use crate::wire::{Seen, Wire};

/// The reason codes of a DISCONNECT that a server may close with (3.14.2.1).
const GOODBYES: &[u8] = &[
    0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
];

/// What a CONNACK says.
#[derive(Clone, Debug, Default)]
pub(super) struct Connack {
    pub(super) session_present: bool,
    pub(super) properties: Properties,
    /// The packet in words and bytes.
    pub(super) text: String,
}

/// A message as it came.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) dup: bool,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) topic: Vec<u8>,
    pub(super) id: u16,
    pub(super) properties: Properties,
    pub(super) payload: Vec<u8>,
    packet: Packet,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.packet.fmt(f)
    }
}

/// One client's connection.
pub(super) struct Client {
    pub(super) wire: Wire,
    pub(super) version: Version,
    pub(super) connack: Connack,
    /// How many bytes that was.
    pub(super) connack_length: usize,
    /// Messages that came while an answer was awaited.
    early: VecDeque<Packet>,
    last_id: u16,
    /// How many messages are on their way that the case has not acknowledged.
    unacknowledged: usize,
    /// What every topic of the case contains.
    unique: String,
    /// See [`Profile::maximum_qos`](crate::target::Profile::maximum_qos).
    maximum_qos: Option<(u8, String)>,
}

impl Client {
    /// A TCP connection over which nothing has gone yet.
    pub(super) fn new(
        wire: Wire,
        version: Version,
        unique: String,
        maximum_qos: Option<(u8, String)>,
    ) -> Self {
        Self {
            unique,
            maximum_qos,
            unacknowledged: 0,
            wire,
            version,
            connack: Connack::default(),
            connack_length: 0,
            early: VecDeque::new(),
            last_id: 0,
        }
    }

    /// The next packet.
    pub(super) fn next(&mut self) -> Played<Seen<Packet>> {
        match self.early.pop_front() {
            Some(packet) => Ok(Seen::Frame(packet)),
            None => self.read(None),
        }
    }

    /// The next packet that is of this case. A message to a topic of another
    /// case, or of somebody else, is put aside: what it does here is not the
    /// question, and it answers none.
    fn read(&mut self, time: Option<Duration>) -> Played<Seen<Packet>> {
        let start = Instant::now();
        loop {
            let seen = match time {
                None => self.wire.next(parse_packet)?,
                Some(time) => self
                    .wire
                    .next_within(time.saturating_sub(start.elapsed()), parse_packet)?,
            };
            match seen {
                Seen::Frame(packet) if self.is_foreign(&packet) => {
                    self.wire.note(format!("put aside: {packet}"));
                    self.release(&packet);
                }
                seen => return Ok(seen),
            }
        }
    }

    fn is_foreign(&self, packet: &Packet) -> bool {
        let unique = self.unique.as_bytes();
        packet.kind() == PUBLISH
            && read_string(&mut &packet.body[..]).is_ok_and(|topic| {
                !topic.is_empty() && !topic.windows(unique.len()).any(|part| part == unique)
            })
    }

    /// Acknowledges a message of QoS 1 that nobody waits for.
    fn release(&mut self, packet: &Packet) {
        if let Ok(delivery) = self.delivery(packet)
            && delivery.qos == 1
        {
            self.wire.send(&ack(0x40, delivery.id));
        }
    }

    /// A packet of this type next; messages may come before it, and are kept.
    pub(super) fn expect(&mut self, kind: u8, expected: &str) -> Played<Packet> {
        loop {
            match self.read(None)? {
                Seen::Frame(packet) if packet.kind() == kind => return Ok(packet),
                Seen::Frame(packet) if packet.kind() == PUBLISH => self.early.push_back(packet),
                other => return Err(fail(expected, other.to_string())),
            }
        }
    }

    /// Sends bytes and expects a packet of this type.
    pub(super) fn request(&mut self, bytes: &[u8], kind: u8) -> Played<Packet> {
        self.wire.send(bytes);
        self.expect(kind, name(kind))
    }

    /// A CONNACK with success next.
    pub(super) fn await_connack(&mut self, expected: &str) -> Played {
        let seen = self.next()?;
        let packet = match seen {
            Seen::Frame(packet) if packet.kind() == CONNACK => packet,
            other => return Err(fail(expected, other.to_string())),
        };
        let text = packet.to_string();
        match packet.body.get(1) {
            // 0x01 in 3.1.1, 0x84 in 5.0: unacceptable protocol version.
            Some(0x01 | 0x84) => Err(not_applicable(format!(
                "the broker refuses this version: {text}"
            ))),
            Some(0) => self
                .read_connack(&packet)
                .map_err(|why| fail(expected, format!("{why}: {text}"))),
            _ => Err(fail(expected, text)),
        }
    }

    /// Keeps what a CONNACK with success says.
    ///
    /// # Errors
    ///
    /// What is wrong with its form.
    pub(super) fn read_connack(&mut self, packet: &Packet) -> Result<(), String> {
        let mut rest = packet.body.get(2..).unwrap_or_default();
        let mut properties = Properties::default();
        if self.version == Version::V5 {
            properties = Properties::read(CONNACK, &mut rest)?;
        }
        let flags = packet.body[0];
        if packet.first != 0x20 || flags & 0xFE != 0 {
            return Err("a reserved bit".into());
        }
        if !rest.is_empty() {
            return Err("bytes after its end".into());
        }
        let text = packet.to_string();
        self.connack_length = super::wire::packet(packet.first, &packet.body).len();
        if let Some(maximum) = properties.number(MAXIMUM_PACKET_SIZE) {
            let why = format!("the maximum packet size is {maximum} in {text}");
            self.wire.limit_writes(maximum as usize, why);
        }
        self.connack = Connack {
            session_present: flags == 1,
            properties,
            text,
        };
        Ok(())
    }

    /// The broker closes. In 5.0 a DISCONNECT with an error may come before, and
    /// in any version what it had to say to earlier packets: it may read ahead,
    /// and no answer waits for another.
    pub(super) fn expect_refusal(&mut self, expected: &str) -> Played<Option<u8>> {
        let mut before = Vec::new();
        let patience = self.wire.patience();
        let start = Instant::now();
        loop {
            match self.next_within(patience.saturating_sub(start.elapsed()))? {
                Seen::Ended(_, rest) if rest.is_empty() => return Ok(None),
                Seen::Frame(packet)
                    if self.version == Version::V5 && packet.kind() == DISCONNECT =>
                {
                    let code = packet.body.first().copied().unwrap_or(0);
                    if packet.first != 0xE0 || !GOODBYES.contains(&code) {
                        return Err(fail(expected, packet.to_string()));
                    }
                    self.expect_end(expected)?;
                    return Ok(Some(code));
                }
                Seen::Frame(packet) => before.push(packet.to_string()),
                other if before.is_empty() => return Err(fail(expected, other.to_string())),
                _ => {
                    let seen = format!("{}, and still open", before.join(", "));
                    return Err(fail(expected, seen));
                }
            }
        }
    }

    /// Reads a DISCONNECT of the broker: its reason is one of a server, and its
    /// properties too.
    pub(super) fn read_disconnect(&self, packet: &Packet) -> Played {
        let wrong = |why: &str| fail("a DISCONNECT of a server", format!("{why}: {packet}"));
        let code = packet.body.first().copied().unwrap_or(0);
        if code != 0 && !GOODBYES.contains(&code) {
            return Err(wrong("a reason that is none of a server"));
        }
        if packet.body.len() > 1 {
            let mut rest = &packet.body[1..];
            Properties::read(DISCONNECT, &mut rest).map_err(|why| wrong(&why))?;
            if !rest.is_empty() {
                return Err(wrong("bytes after the properties"));
            }
        }
        Ok(())
    }

    /// The broker closes. A CONNACK with an error may come before.
    pub(super) fn expect_connect_refusal(&mut self, expected: &str) -> Played<Option<u8>> {
        match self.next()? {
            Seen::Ended(_, rest) if rest.is_empty() => Ok(None),
            Seen::Frame(packet) if packet.kind() == CONNACK => {
                let code = packet.body.get(1).copied().unwrap_or(0);
                if packet.first != 0x20 || packet.body.first() != Some(&0) || code == 0 {
                    return Err(fail(expected, packet.to_string()));
                }
                self.expect_end(expected)?;
                Ok(Some(code))
            }
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// The end, and nothing before it.
    pub(super) fn expect_end(&mut self, expected: &str) -> Played {
        match self.read(None)? {
            Seen::Ended(_, rest) if rest.is_empty() => Ok(()),
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// That the client is served still: a PINGREQ is answered. What else comes is
    /// passed over, and may come later too: a PINGRESP overtakes what it likes.
    pub(super) fn settle(&mut self) -> Played {
        self.wire.send(PING);
        loop {
            match self.next()? {
                Seen::Frame(packet) if packet.kind() == PINGRESP => return Ok(()),
                Seen::Frame(_) => {}
                other => return Err(fail("PINGRESP [D0 00]", other.to_string())),
            }
        }
    }

    /// These messages, in whatever order, acknowledged at once, and no other:
    /// between topics, and between what is retained and what is live, there is
    /// no order that a broker has to keep.
    pub(super) fn take_all(&mut self, messages: &[(&str, &[u8])]) -> Played {
        let mut missing = messages.to_vec();
        while !missing.is_empty() {
            let expected = missing
                .iter()
                .map(|(topic, payload)| {
                    format!("{:?} to {topic}", String::from_utf8_lossy(payload))
                })
                .collect::<Vec<_>>()
                .join(", ");
            let delivery = self.receive(&expected)?;
            let at = missing.iter().position(|(topic, payload)| {
                topic.as_bytes() == delivery.topic && *payload == delivery.payload
            });
            match at {
                Some(at) => drop(missing.remove(at)),
                None => return Err(fail(expected, delivery.to_string())),
            }
            self.acknowledge(&delivery)?;
        }
        Ok(())
    }

    /// This message next, and no other for as long as counts as silence: it has
    /// shown that one that was published before it had its chance. That it does
    /// not come itself breaks another rule than that of the case, and so does a
    /// second copy of it.
    pub(super) fn take_last(&mut self, topic: &str, payload: &[u8]) -> Played {
        let expected = format!(
            "PUBLISH of {:?} to {topic}, and no other message",
            String::from_utf8_lossy(payload)
        );
        let mut time = self.wire.patience();
        let mut came = false;
        loop {
            let packet = match self.next_within(time)? {
                Seen::Frame(packet) if packet.kind() == PUBLISH => packet,
                Seen::Silence(..) if came => return Ok(()),
                other if came => return Err(fail(expected, other.to_string())),
                other => return Err(fail(expected, other.to_string())).setup("the last message"),
            };
            let delivery = self
                .delivery(&packet)
                .map_err(|why| fail(expected.as_str(), format!("{why}: {packet}")))?;
            if delivery.topic != topic.as_bytes() || delivery.payload != payload {
                return Err(fail(expected, delivery.to_string()));
            }
            self.acknowledge(&delivery)?;
            came = true;
            time = self.wire.silence();
        }
    }

    /// A packet identifier that is not in use.
    pub(super) fn new_id(&mut self) -> u16 {
        self.last_id += 1;
        self.last_id
    }

    /// Stops when the CONNACK says that this is not available.
    pub(super) fn needs(&self, feature: u8) -> Played {
        if self.connack.properties.number(feature) == Some(0) {
            return Err(not_applicable(format!(
                "property 0x{feature:02X} is 0 in {}",
                self.connack.text
            )));
        }
        Ok(())
    }

    /// Stops when the CONNACK names a lower maximum QoS, or the broker has shown
    /// that it has one.
    pub(super) fn needs_qos(&self, qos: u8) -> Played {
        if let Some((maximum, evidence)) = &self.maximum_qos
            && *maximum < qos
        {
            return Err(not_applicable(evidence.as_str()));
        }
        self.needs_announced_qos(qos)
    }

    /// Stops when the CONNACK names a lower maximum QoS.
    pub(super) fn needs_announced_qos(&self, qos: u8) -> Played {
        match self.connack.properties.number(MAXIMUM_QOS) {
            Some(maximum) if maximum < qos.into() => Err(not_applicable(format!(
                "the maximum QoS is {maximum} in {}",
                self.connack.text
            ))),
            _ => Ok(()),
        }
    }

    /// Stops when the CONNACK names another session expiry than the CONNECT, as a
    /// broker without sessions, or with short ones, does.
    pub(super) fn needs_session(&self, connect: &Connect) -> Played {
        let mut asked =
            &[varint(connect.properties.len()), connect.properties.clone()].concat()[..];
        let asked = Properties::read(CONNACK, &mut asked)
            .ok()
            .and_then(|properties| properties.number(SESSION_EXPIRY_INTERVAL));
        match self.connack.properties.number(SESSION_EXPIRY_INTERVAL) {
            Some(granted) if asked.is_some_and(|asked| asked > granted) => {
                Err(not_applicable(format!(
                    "the session expiry interval is {granted} in {}",
                    self.connack.text
                )))
            }
            _ => Ok(()),
        }
    }

    fn needs_for(&self, filter: &[u8]) -> Played {
        if filter.contains(&b'+') || filter.contains(&b'#') {
            self.needs(WILDCARD_SUBSCRIPTION_AVAILABLE)?;
        }
        if filter.starts_with(b"$share/") {
            self.needs(SHARED_SUBSCRIPTION_AVAILABLE)?;
        }
        Ok(())
    }

    /// Subscribes with these options. Stops as "not applicable" when a lower
    /// QoS is granted than was asked for: the broker may do that, and what the
    /// case wants to see at the higher QoS is not to be had.
    pub(super) fn subscribe(&mut self, filter: &str, options: u8) -> Played {
        self.subscribe_with(filter, options, &[])
    }

    /// As [`Self::subscribe`] with properties.
    pub(super) fn subscribe_with(
        &mut self,
        filter: &str,
        options: u8,
        properties: &[u8],
    ) -> Played {
        self.needs_for(filter.as_bytes())?;
        self.try_subscribe(filter, options, properties)
            .setup("subscribing")
    }

    fn try_subscribe(&mut self, filter: &str, options: u8, properties: &[u8]) -> Played {
        let id = self.new_id();
        let filters = [(filter.as_bytes(), options)];
        let suback = self.request(&subscribe(self.version, id, properties, &filters), SUBACK)?;
        match self.codes(&suback)?[..] {
            [code] if code == options & 3 => Ok(()),
            [code] if code < options & 3 => Err(not_applicable(format!(
                "the broker grants QoS {code}: {suback}"
            ))),
            _ => Err(fail(
                "SUBACK that grants the subscription",
                suback.to_string(),
            )),
        }
    }

    /// Ends a subscription.
    pub(super) fn unsubscribe(&mut self, filter: &str) -> Played {
        let id = self.new_id();
        let unsuback = self.request(
            &unsubscribe(self.version, id, &[filter.as_bytes()]),
            UNSUBACK,
        )?;
        match self.codes(&unsuback)?[..] {
            [] if self.version != Version::V5 => Ok(()),
            [0] => Ok(()),
            _ => Err(fail("UNSUBACK with success", unsuback.to_string())),
        }
    }

    /// The reason codes of a SUBACK or UNSUBACK to the last packet identifier.
    pub(super) fn codes(&self, packet: &Packet) -> Played<Vec<u8>> {
        let expected = format!(
            "{} with the packet identifier {}",
            name(packet.kind()),
            self.last_id
        );
        if packet.id() != Some(self.last_id) || packet.first & 0x0F != 0 {
            return Err(fail(expected, packet.to_string()));
        }
        let mut rest = &packet.body[2..];
        if self.version == Version::V5 {
            Properties::read(packet.kind(), &mut rest)
                .map_err(|why| fail(expected, format!("{why}: {packet}")))?;
        }
        Ok(rest.to_vec())
    }

    /// Publishes, as a step on the way to a question.
    pub(super) fn publish(&mut self, publish: &Publish) -> Played {
        self.publish_acknowledged(publish).setup("publishing")
    }

    /// Publishes and sees the message acknowledged.
    pub(super) fn publish_acknowledged(&mut self, publish: &Publish) -> Played {
        self.needs_qos(publish.qos)?;
        if publish.retain {
            self.needs(RETAIN_AVAILABLE)?;
        }
        let id = self.new_id();
        let publish = Publish {
            id,
            ..publish.clone()
        };
        self.wire.send(&publish.bytes());
        match publish.qos {
            0 => Ok(()),
            1 => self.expect_ack(PUBACK, id),
            _ => {
                self.expect_ack(PUBREC, id)?;
                self.wire.send(&ack(0x62, id));
                self.expect_ack(PUBCOMP, id)
            }
        }
    }

    /// An acknowledgement without an error next.
    pub(super) fn expect_ack(&mut self, kind: u8, id: u16) -> Played {
        let expected = format!("{} of the packet identifier {id}", name(kind));
        let packet = self.expect(kind, &expected)?;
        if packet.id() != Some(id) || self.ack_code(&packet)? >= 0x80 {
            return Err(fail(expected, packet.to_string()));
        }
        Ok(())
    }

    /// Sends a PUBREL in a session that goes on, and sees its PUBCOMP. A broker may say
    /// PUBREC once more before it: no rule forbids that.
    pub(super) fn complete(&mut self, id: u16) -> Played {
        self.wire.send(&ack(0x62, id));
        let expected = format!("PUBCOMP of the packet identifier {id}");
        loop {
            match self.read(None)? {
                Seen::Frame(packet) if packet.kind() == PUBREC && packet.id() == Some(id) => {}
                Seen::Frame(packet) if packet.kind() == PUBLISH => self.early.push_back(packet),
                Seen::Frame(packet)
                    if packet.kind() == PUBCOMP
                        && packet.id() == Some(id)
                        && self.ack_code(&packet)? < 0x80 =>
                {
                    return Ok(());
                }
                other => return Err(fail(expected, other.to_string())),
            }
        }
    }

    /// The reason code of a PUBACK, PUBREC, PUBREL or PUBCOMP.
    pub(super) fn ack_code(&self, packet: &Packet) -> Played<u8> {
        let kind = packet.kind();
        let flags = if kind == PUBREL { 2 } else { 0 };
        let wrong = |why: &str| fail(name(kind), format!("{why}: {packet}"));
        if packet.first & 0x0F != flags {
            return Err(wrong("reserved bits"));
        }
        if packet.body.len() < 2 || packet.body.len() > 2 && self.version != Version::V5 {
            return Err(wrong("a remaining length other than 2"));
        }
        let code = packet.body.get(2).copied().unwrap_or(0);
        if packet.body.len() > 3 {
            let mut rest = &packet.body[3..];
            Properties::read(kind, &mut rest).map_err(|why| wrong(&why))?;
            if !rest.is_empty() {
                return Err(wrong("bytes after the properties"));
            }
        }
        Ok(code)
    }

    /// A message next.
    pub(super) fn receive(&mut self, expected: &str) -> Played<Delivery> {
        match self.next()? {
            Seen::Frame(packet) if packet.kind() == PUBLISH => self
                .delivery(&packet)
                .map_err(|why| fail(expected, format!("{why}: {packet}"))),
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// This message next, acknowledged at once.
    pub(super) fn take(&mut self, topic: &str, payload: &[u8]) -> Played<Delivery> {
        let delivery = self.take_unacknowledged(topic, payload)?;
        self.acknowledge(&delivery)?;
        Ok(delivery)
    }

    /// This message next.
    pub(super) fn take_unacknowledged(&mut self, topic: &str, payload: &[u8]) -> Played<Delivery> {
        let expected = format!(
            "PUBLISH of {:?} to {topic}",
            String::from_utf8_lossy(payload)
        );
        let delivery = self.receive(&expected).map_err(|stop| match &stop {
            // How many a broker sends before the first is acknowledged is its own.
            Stop::Fail { seen, .. } if self.unacknowledged > 0 && seen.starts_with("nothing") => {
                not_applicable(format!(
                    "{seen} while {} of the messages before are not acknowledged",
                    self.unacknowledged
                ))
            }
            _ => stop,
        })?;
        if delivery.topic != topic.as_bytes() || delivery.payload != payload {
            return Err(fail(expected, delivery.to_string()));
        }
        self.unacknowledged += usize::from(delivery.qos > 0);
        Ok(delivery)
    }

    /// Acknowledges by its QoS, up to the end of the exchange.
    pub(super) fn acknowledge(&mut self, delivery: &Delivery) -> Played {
        if delivery.qos > 0 {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        match delivery.qos {
            0 => {}
            1 => self.wire.send(&ack(0x40, delivery.id)),
            _ => {
                self.wire.send(&ack(0x50, delivery.id));
                self.expect_ack(PUBREL, delivery.id)?;
                self.wire.send(&ack(0x70, delivery.id));
            }
        }
        Ok(())
    }

    /// What a PUBLISH says, or what is wrong with its form.
    pub(super) fn delivery(&self, packet: &Packet) -> Result<Delivery, String> {
        let mut rest = &packet.body[..];
        let qos = packet.first >> 1 & 3;
        let dup = packet.first & 8 != 0;
        let topic = read_string(&mut rest)?.to_vec();
        let id = match qos {
            0 if dup => return Err("DUP with QoS 0".into()),
            0 => 0,
            3 => return Err("QoS 3".into()),
            _ => {
                let id = take(&mut rest, 2)?;
                u16::from(id[0]) << 8 | u16::from(id[1])
            }
        };
        if qos > 0 && id == 0 {
            return Err("the packet identifier 0".into());
        }
        let mut properties = Properties::default();
        if self.version == Version::V5 {
            properties = Properties::read(PUBLISH, &mut rest)?;
        }
        Ok(Delivery {
            dup,
            qos,
            retain: packet.first & 1 != 0,
            topic,
            id,
            properties,
            payload: rest.to_vec(),
            packet: packet.clone(),
        })
    }

    /// Says goodbye and sees the broker close. Whether it does so by itself is
    /// a rule with a case of its own.
    pub(super) fn disconnect(mut self) -> Played {
        self.wire.send(GOODBYE);
        self.sever()
    }

    /// Closes without a goodbye, and sees that the broker has noticed.
    pub(super) fn sever(mut self) -> Played {
        self.wire.shutdown_write();
        self.wire
            .expect_end("the connection closed after we closed our side")
            .map(drop)
            .setup("ending the connection")
    }

    /// Nothing comes, for as long as counts as silence.
    pub(super) fn expect_silence(&mut self, expected: &str) -> Played {
        match self.early.pop_front() {
            Some(packet) => Err(fail(expected, packet.to_string())),
            None => match self.read(Some(self.wire.silence()))? {
                Seen::Silence(..) => Ok(()),
                other => Err(fail(expected, other.to_string())),
            },
        }
    }

    /// A packet within `time`, or the end.
    pub(super) fn next_within(&mut self, time: Duration) -> Played<Seen<Packet>> {
        match self.early.pop_front() {
            Some(packet) => Ok(Seen::Frame(packet)),
            None => self.read(Some(time)),
        }
    }
}
