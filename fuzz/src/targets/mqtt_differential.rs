//! MQTT packets beside mqttrs, mqttbytes, mqtt-protocol-core and ntex-mqtt: whether they are
//! accepted, and what a PUBLISH and a DISCONNECT mean.

use std::fmt::{Debug, Display};
use std::sync::Arc;

use bytes::BytesMut;
use mqtt_codec::{Limits, Packet, Properties, PropertyIdentifier, ProtocolVersion, decode};
use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
use ntex_codec::Decoder;

use crate::difference::{Difference, Verdict, compare};

const CORE: &str = "mqtt-protocol-core";

/// What the peers take.
const MAXIMUM: usize = 1 << 20;

/// Packets by their number in section 2.2.1.
const NAMES: [&str; 16] = [
    "0",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// Where they differ.
#[rustfmt::skip]
const KNOWN: &[Difference] = &[
    Difference { peer: "mqttbytes", ours: "accepts DISCONNECT", theirs: "refuses PayloadRequired", why: "section 3.14.2.1 of 5.0: a DISCONNECT of no bytes has reason code 0x00" },
    Difference { peer: "mqttbytes", ours: "accepts DISCONNECT", theirs: "refuses InsufficientBytes", why: "section 3.14.2.2.1 of 5.0: a DISCONNECT of one byte has no properties" },
    Difference { peer: "mqttbytes", ours: "accepts CONNECT", theirs: "refuses TopicNotUtf8", why: "sections 3.1.3.3 and 3.1.3.5 of 3.1.1: a Will Message and a password are any bytes" },
    Difference { peer: "mqttbytes", ours: "accepts DISCONNECT 0x8C", theirs: "refuses InvalidConnectReturnCode(140)", why: "table 2-6 of 5.0: DISCONNECT has reason code 0x8C; the table of section 3.14.2.1 leaves it out" },
    Difference { peer: CORE, ours: "accepts DISCONNECT 0x8C", theirs: "refuses MalformedPacket", why: "the same" },
    Difference { peer: "mqttbytes", ours: "accepts AUTH", theirs: "refuses InvalidPacketType", why: "section 3.15 of 5.0: it has no AUTH" },
    // None of them looks at these.
    Difference { peer: "", ours: "refuses ClientIdentifierEmpty", theirs: "accepts", why: "3.1.1 MQTT-3.1.3-7 of 5.0, MQTT-3.1.3-7 of 3.1.1: an empty client identifier comes with Clean Session" },
    Difference { peer: "", ours: "refuses ConnAckFlags", theirs: "accepts", why: "MQTT-3.2.2-1 of 5.0, §3.2.2.1 of 3.1.1: bits 7 to 1 of the Connect Acknowledge Flags are 0" },
    Difference { peer: "", ours: "refuses ConnectReservedFlag", theirs: "accepts", why: "MQTT-3.1.2-3: the reserved flag of CONNECT is 0" },
    Difference { peer: "", ours: "refuses DisconnectFlags", theirs: "accepts", why: "MQTT-3.14.1-1: the fixed header flags of DISCONNECT are 0000" },
    Difference { peer: "", ours: "refuses DupOnQoS0", theirs: "accepts", why: "MQTT-3.3.1-2: DUP is 0 in a PUBLISH with QoS 0" },
    Difference { peer: "", ours: "refuses FixedHeaderFlags", theirs: "accepts", why: "MQTT-2.1.3-1 of 5.0, MQTT-2.2.2-1 of 3.1.1: reserved flags of the fixed header have the value listed" },
    Difference { peer: "", ours: "refuses NoLocalOnShared", theirs: "accepts", why: "MQTT-3.8.3-4 of 5.0: No Local is not set on a Shared Subscription" },
    Difference { peer: "", ours: "refuses PacketIdentifierZero", theirs: "accepts", why: "MQTT-2.2.1-3 of 5.0, MQTT-2.3.1-1 of 3.1.1: a packet identifier is not zero" },
    Difference { peer: "", ours: "refuses PropertyTruncated", theirs: "accepts", why: "§2.2.2.1: a property ends inside the Property Length" },
    Difference { peer: "", ours: "refuses PubRelFlags", theirs: "accepts", why: "MQTT-3.6.1-1: the fixed header flags of PUBREL are 0010" },
    Difference { peer: "", ours: "refuses ResponseTopic", theirs: "accepts", why: "MQTT-4.7.3-1 and MQTT-3.3.2-14: a Response Topic has one character at least, and no wildcard characters" },
    Difference { peer: "", ours: "refuses SessionPresentOnError", theirs: "accepts", why: "MQTT-3.2.2-6 of 5.0, MQTT-3.2.2-4 of 3.1.1: Session Present is 0 in a CONNACK that refuses" },
    Difference { peer: "", ours: "refuses ShareName", theirs: "accepts", why: "MQTT-4.8.2-1 and -2 of 5.0: a ShareName has a character at least and no wildcards, and / and a Topic Filter follow it" },
    Difference { peer: "", ours: "refuses SubscribeFlags", theirs: "accepts", why: "MQTT-3.8.1-1: the fixed header flags of SUBSCRIBE are 0010" },
    Difference { peer: "", ours: "refuses SubscriptionReservedBits", theirs: "accepts", why: "MQTT-3.8.3-5 of 5.0, MQTT-3.8.3-4 of 3.1.1: reserved bits of the Subscription Options are 0" },
    Difference { peer: "", ours: "refuses TopicFilterEmpty", theirs: "accepts", why: "MQTT-4.7.3-1: a Topic Filter has one character at least" },
    Difference { peer: "", ours: "refuses TopicFilterMultiLevel", theirs: "accepts", why: "MQTT-4.7.1-1 of 5.0, MQTT-4.7.1-2 of 3.1.1: # is the last level of a filter, and all of it" },
    Difference { peer: "", ours: "refuses TopicFilterSingleLevel", theirs: "accepts", why: "MQTT-4.7.1-2 of 5.0, MQTT-4.7.1-3 of 3.1.1: + occupies an entire level of a filter" },
    Difference { peer: "", ours: "refuses TopicNameAndAliasMissing", theirs: "accepts", why: "§3.3.2.1 of 5.0, MQTT-4.7.3-1 of 3.1.1: PUBLISH has a Topic Name or a Topic Alias" },
    Difference { peer: "", ours: "refuses TopicNameEmpty", theirs: "accepts", why: "MQTT-4.7.3-1: a Topic Name has one character at least" },
    Difference { peer: "", ours: "refuses TopicNameWildcard", theirs: "accepts", why: "MQTT-3.3.2-2: the Topic Name of PUBLISH has no wildcard characters" },
    Difference { peer: "", ours: "refuses TrailingBytes", theirs: "accepts", why: "§2.1.4 of 5.0, §2.2.3 of 3.1.1: a packet ends where its last field ends" },
    Difference { peer: "", ours: "refuses Truncated", theirs: "accepts", why: "§2.1.4 of 5.0, §2.2.3 of 3.1.1: a packet holds every field of its type whole" },
    Difference { peer: "", ours: "refuses UnsubscribeFlags", theirs: "accepts", why: "MQTT-3.10.1-1: the fixed header flags of UNSUBSCRIBE are 0010" },
    Difference { peer: "", ours: "refuses Utf8Null", theirs: "accepts", why: "MQTT-1.5.4-2 of 5.0, MQTT-1.5.3-2 of 3.1.1: a string has no U+0000" },
    Difference { peer: "", ours: "refuses VariableByteIntegerNotMinimal", theirs: "accepts", why: "MQTT-1.5.5-1 of 5.0, §2.2.3 of 3.1.1: a variable byte integer has no more bytes than it needs" },
    Difference { peer: "", ours: "refuses WillQoSWithoutWill", theirs: "accepts", why: "MQTT-3.1.2-11 of 5.0, MQTT-3.1.2-13 of 3.1.1: Will QoS is 0 when the Will Flag is 0" },
    Difference { peer: "", ours: "refuses WillTopicEmpty", theirs: "accepts", why: "MQTT-4.7.3-1: a Will Topic has one character at least" },
    Difference { peer: "", ours: "refuses WillTopicWildcard", theirs: "accepts", why: "MQTT-4.7.0-1 of 5.0, MQTT-4.7.1-1 of 3.1.1: a Will Topic is a Topic Name, which has no wildcard characters" },
];

/// ntex-mqtt in one version. Its codec is no part of its runtime.
macro_rules! ntex {
    ($version:ident, $first:expr, $data:expr, $meaning:expr) => {{
        use ntex_mqtt::$version::codec::{Codec, Decoded};

        // What a packet that is no PUBLISH means.
        let meaning: fn(&ntex_mqtt::$version::codec::Packet) -> String = $meaning;
        let mut input = ntex_bytes::BytesMut::with_capacity($data.len());
        input.extend_from_slice($data);
        match Codec::default().decode(&mut input) {
            Err(error) => refused(error),
            Ok(None) => Verdict::Incomplete,
            Ok(Some(Decoded::Publish(it, payload, _))) => accepted(
                $first,
                publish(
                    &*it.topic,
                    &payload,
                    it.packet_id.map_or(0, u16::from),
                    [it.dup, it.retain],
                ),
            ),
            Ok(Some(Decoded::Packet(it, _))) => accepted($first, meaning(&it)),
            Ok(Some(Decoded::PayloadChunk(..))) => accepted($first, String::new()),
        }
    }};
}

/// Runs one input.
pub fn run(data: &[u8]) {
    // A packet that is whole and alone, so that all look at the same bytes.
    let Some((first, body)) = whole(data) else {
        return;
    };
    for version in [ProtocolVersion::V3_1_1, ProtocolVersion::V5_0] {
        // A CONNECT says which version it is of; the peers read their own.
        if first >> 4 == 1 && body.get(6) != Some(&version.level()) {
            continue;
        }
        let ours = ours(data, version);
        let mut peers = Vec::new();
        if version == ProtocolVersion::V3_1_1 {
            // It reads past the end of a packet whose fields do, and panics, whatever else is
            // wrong with it.
            if !matches!(ours, Verdict::Refused(_)) {
                peers.push(("mqttrs", mqttrs(first, data)));
            }
            peers.push(("mqttbytes", mqttbytes_4(first, data)));
            peers.extend(core_4(first, body).map(|theirs| (CORE, theirs)));
            peers.push(("ntex-mqtt", ntex!(v3, first, data, |_| String::new())));
        } else {
            let properties = properties(data);
            // It counts a byte too many for each, and takes what follows for the payload.
            if !properties.contains(PropertyIdentifier::SubscriptionIdentifier) {
                peers.push(("mqttbytes", mqttbytes_5(first, data)));
            }
            peers.extend(core_5(first, body).map(|theirs| (CORE, theirs)));
            // It refuses an interval of 0, which section 3.3.2.3.3 does not.
            if properties.message_expiry_interval() != Some(0) {
                let theirs = ntex!(v5, first, data, |it| match it {
                    ntex_mqtt::v5::codec::Packet::Disconnect(it) =>
                        disconnect(u8::from(it.reason_code)),
                    _ => String::new(),
                });
                peers.push(("ntex-mqtt", theirs));
            }
        }
        compare(&ours, &peers, KNOWN);
    }
}

/// The first byte of the one packet that this is, and what follows its fixed header.
fn whole(data: &[u8]) -> Option<(u8, &[u8])> {
    let (mut length, mut at) = (0, 1);
    loop {
        let byte = *data.get(at)?;
        length |= usize::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
        if at > 4 {
            return None;
        }
    }
    let body = &data[at..];
    (body.len() == length).then_some((data[0], body))
}

fn ours(data: &[u8], version: ProtocolVersion) -> Verdict {
    match decode(data, version, &Limits::default()) {
        Err(error) => Verdict::Refused(format!("{:?}", error.rule())),
        Ok(None) => Verdict::Incomplete,
        Ok(Some((packet, length))) => {
            assert_eq!(length, data.len());
            let meaning = match &packet {
                Packet::Publish(it) => publish(
                    &*it.topic_name,
                    it.payload,
                    it.packet_identifier.map_or(0, u16::from),
                    [it.dup, it.retain],
                ),
                Packet::Disconnect(it) if version.has_properties() => {
                    disconnect(it.reason_code as u8)
                }
                _ => String::new(),
            };
            Verdict::Accepted(packet.packet_type().name(), meaning)
        }
    }
}

/// The properties of a PUBLISH of 5.0.
fn properties(data: &[u8]) -> Properties<'_> {
    match decode(data, ProtocolVersion::V5_0, &Limits::default()) {
        Ok(Some((Packet::Publish(it), _))) => it.properties,
        _ => Properties::EMPTY,
    }
}

fn publish(topic: impl Display, payload: &[u8], identifier: u16, flags: [bool; 2]) -> String {
    format!("{topic} {} {identifier} {flags:?}", payload.escape_ascii())
}

/// What a DISCONNECT of 5.0 means.
fn disconnect(reason_code: u8) -> String {
    format!("0x{reason_code:02X}")
}

fn accepted(first: u8, meaning: String) -> Verdict {
    Verdict::Accepted(NAMES[usize::from(first >> 4)], meaning)
}

fn refused(error: impl Debug) -> Verdict {
    Verdict::Refused(format!("{error:?}"))
}

fn mqttrs(first: u8, data: &[u8]) -> Verdict {
    match mqttrs::decode_slice(data) {
        Err(error) => refused(error),
        Ok(None) => Verdict::Incomplete,
        Ok(Some(mqttrs::Packet::Publish(it))) => {
            let identifier = it.qospid.pid().map_or(0, mqttrs::Pid::get);
            accepted(
                first,
                publish(it.topic_name, it.payload, identifier, [it.dup, it.retain]),
            )
        }
        Ok(Some(_)) => accepted(first, String::new()),
    }
}

fn mqttbytes_4(first: u8, data: &[u8]) -> Verdict {
    match mqttbytes::v4::read(&mut BytesMut::from(data), MAXIMUM) {
        Err(error) => refused(error),
        Ok(mqttbytes::v4::Packet::Publish(it)) => accepted(
            first,
            publish(it.topic, &it.payload, it.pkid, [it.dup, it.retain]),
        ),
        Ok(_) => accepted(first, String::new()),
    }
}

fn mqttbytes_5(first: u8, data: &[u8]) -> Verdict {
    match mqttbytes::v5::read(&mut BytesMut::from(data), MAXIMUM) {
        Err(error) => refused(error),
        Ok(mqttbytes::v5::Packet::Publish(it)) => accepted(
            first,
            publish(it.topic, &it.payload, it.pkid, [it.dup, it.retain]),
        ),
        Ok(mqttbytes::v5::Packet::Disconnect(it)) => {
            accepted(first, disconnect(it.reason_code as u8))
        }
        Ok(_) => accepted(first, String::new()),
    }
}

/// The flags that each packet but PUBLISH has (section 2.2.2). The connection of
/// mqtt-protocol-core looks at them, and its packets do not.
const fn flags(kind: u8) -> u8 {
    match kind {
        6 | 8 | 10 => 2,
        _ => 0,
    }
}

/// Whether a packet of mqtt-protocol-core was read to its end.
macro_rules! whole {
    ($first:expr, $body:expr, $packet:path) => {
        whole!($first, $body, $packet, |_| String::new())
    };
    ($first:expr, $body:expr, $packet:path, $meaning:expr) => {{
        use $packet as Packet;
        let meaning: fn(&Packet) -> String = $meaning;
        match Packet::parse($body) {
            Err(error) => refused(error),
            Ok((_, length)) if length != $body.len() => refused("bytes are left"),
            Ok((it, _)) => accepted($first, meaning(&it)),
        }
    }};
}

/// One of its versions.
macro_rules! core {
    ($first:expr, $body:expr, $version:ident, $($kind:literal $packet:ident),+) => {
        match $first >> 4 {
            3 => match $version::Publish::parse($first & 0x0F, Arc::from($body)) {
                Err(error) => refused(error),
                Ok((it, _)) => accepted(
                    $first,
                    publish(
                        it.topic_name(),
                        it.payload().as_slice(),
                        it.packet_id().unwrap_or(0),
                        [it.dup(), it.retain()],
                    ),
                ),
            },
            kind if $first & 0x0F != flags(kind) => return None,
            $($kind => whole!($first, $body, $version::$packet),)+
            _ => return None,
        }
    };
}

fn core_4(first: u8, body: &[u8]) -> Option<Verdict> {
    Some(core!(
        first, body, v3_1_1, 1 Connect, 2 Connack, 4 Puback, 5 Pubrec, 6 Pubrel, 7 Pubcomp,
        8 Subscribe, 9 Suback, 10 Unsubscribe, 11 Unsuback, 12 Pingreq, 13 Pingresp, 14 Disconnect
    ))
}

fn core_5(first: u8, body: &[u8]) -> Option<Verdict> {
    // A reason code that is left out is 0x00.
    let reason: fn(&v5_0::Disconnect) -> String =
        |it| disconnect(it.reason_code().map_or(0, |code| code as u8));
    if first == 0xE0 {
        return Some(whole!(first, body, v5_0::Disconnect, reason));
    }
    Some(core!(
        first, body, v5_0, 1 Connect, 2 Connack, 4 Puback, 5 Pubrec, 6 Pubrel, 7 Pubcomp,
        8 Subscribe, 9 Suback, 10 Unsubscribe, 11 Unsuback, 12 Pingreq, 13 Pingresp,
        15 Auth
    ))
}
