//! CONNECT (section 3.1).

use core::fmt;

use bytes::BufMut;

use super::body::{Body, Form, check_properties, end};
use super::publish::payload_is_text;
use super::{PacketSet, PacketType};
use crate::property::properties;
use crate::secret::Secret;
use crate::setters::setters;
use crate::wire::{self, Parsed, fault, field_len, put_binary};
use crate::{
    EncodeError, Limits, Properties, ProtocolVersion, QoS, Rule, TopicName, Utf8String, topic,
};

/// A client asks for a connection (section 3.1). It is the first packet that a client
/// sends, and the only one that tells its version.
///
/// Its `Debug` shows of a password only that there is one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The version that the connection is to speak (sections 3.1.2.1 and 3.1.2.2).
    pub protocol_version: ProtocolVersion,
    /// Whether a session that is there is discarded (section 3.1.2.4); in 3.x this is
    /// Clean Session, and the session ends with the connection as well.
    pub clean_start: bool,
    /// Longest silence of the client in seconds; 0 is no limit (section 3.1.2.10).
    pub keep_alive: u16,
    /// Properties of the connection (section 3.1.2.11). Empty in 3.x.
    pub properties: Properties<'a>,
    /// Who the client is (section 3.1.3.1). Empty: the server chooses.
    pub client_identifier: Utf8String<'a>,
    /// The message to be published when the connection is lost (section 3.1.2.5).
    pub will: Option<Will<'a>>,
    /// The user name (section 3.1.3.5).
    pub user_name: Option<Utf8String<'a>>,
    /// The password (section 3.1.3.6).
    pub password: Option<&'a [u8]>,
}

impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol_version,
            clean_start,
            keep_alive,
            properties,
            client_identifier,
            will,
            user_name,
            password,
        } = self;
        f.debug_struct("Connect")
            .field("protocol_version", protocol_version)
            .field("clean_start", clean_start)
            .field("keep_alive", keep_alive)
            .field("properties", properties)
            .field("client_identifier", client_identifier)
            .field("will", will)
            .field("user_name", user_name)
            .field("password", &password.map(|_| Secret))
            .finish()
    }
}

/// The Will Message of a CONNECT (section 3.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Where it is published (section 3.1.3.3).
    pub topic: TopicName<'a>,
    /// What is published (section 3.1.3.4).
    pub payload: &'a [u8],
    /// Its QoS (section 3.1.2.6).
    pub qos: QoS,
    /// Whether it is retained (section 3.1.2.7).
    pub retain: bool,
    /// Properties of the message, and the Will Delay Interval (section 3.1.3.2). Empty in 3.x.
    pub properties: Properties<'a>,
}

setters! { Connect<'a> {
    /// In seconds; 0 is no limit.
    with_keep_alive(keep_alive: u16);
    with_properties(properties: Properties<'a>);
    with_will(will: Will<'a>) = Some(will);
    with_user_name(user_name: Utf8String<'a>) = Some(user_name);
    with_password(password: &'a [u8]) = Some(password);
} }

setters! { Will<'a> {
    with_qos(qos: QoS);
    with_retain(retain: bool);
    with_properties(properties: Properties<'a>);
} }

// Connect Flags (section 3.1.2.3).
const RESERVED: u8 = 0b0000_0001;
const CLEAN_START: u8 = 0b0000_0010;
const WILL: u8 = 0b0000_0100;
const WILL_QOS: u8 = 0b0001_1000;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 0b0010_0000;
const PASSWORD: u8 = 0b0100_0000;
const USER_NAME: u8 = 0b1000_0000;

/// Bytes of Protocol Name, Protocol Version, Connect Flags and Keep Alive in 3.1.1 and 5.0.
const PLAIN_FRONT: usize = 10;

/// Most characters in the client identifier of 3.1.
const CLIENT_IDENTIFIER_3_1_MAX: usize = 23;

/// The version that the body of a CONNECT tells, if it tells one.
pub(super) fn version_of(body: &[u8]) -> Option<ProtocolVersion> {
    let (rest, _) = wire::binary(body).ok()?;
    ProtocolVersion::from_level(*rest.first()?)
}

impl<'a> Connect<'a> {
    /// A CONNECT with Clean Start, a keep alive of 60 seconds and nothing else: the server
    /// discards the session that it has of this client.
    #[must_use]
    pub const fn clean(
        protocol_version: ProtocolVersion,
        client_identifier: Utf8String<'a>,
    ) -> Self {
        Self {
            clean_start: true,
            ..Self::resume(protocol_version, client_identifier)
        }
    }

    /// A CONNECT without Clean Start, with a keep alive of 60 seconds and nothing else: the
    /// session that the server has of this client goes on. In 5.0 a session outlives its
    /// connection only with a Session Expiry Interval among the properties (section
    /// 3.1.2.11.2).
    #[must_use]
    pub const fn resume(
        protocol_version: ProtocolVersion,
        client_identifier: Utf8String<'a>,
    ) -> Self {
        Self {
            protocol_version,
            clean_start: false,
            keep_alive: 60,
            properties: Properties::EMPTY,
            client_identifier,
            will: None,
            user_name: None,
            password: None,
        }
    }

    // keeps: 5.0 MQTT-3.1.2-9, 5.0 MQTT-3.1.2-16, 5.0 MQTT-3.1.2-17, 5.0 MQTT-3.1.2-18,
    // keeps: 5.0 MQTT-3.1.2-19, 5.0 MQTT-3.1.3-1, 5.0 MQTT-3.1.3-3, 5.0 MQTT-3.1.3-4,
    // keeps: 5.0 MQTT-3.1.3-12
    // keeps: 3.1.1 MQTT-3.1.2-9, 3.1.1 MQTT-3.1.2-11, 3.1.1 MQTT-3.1.2-18, 3.1.1 MQTT-3.1.2-19,
    // keeps: 3.1.1 MQTT-3.1.2-20, 3.1.1 MQTT-3.1.2-21, 3.1.1 MQTT-3.1.3-1, 3.1.1 MQTT-3.1.3-3,
    // keeps: 3.1.1 MQTT-3.1.3-4, 3.1.1 MQTT-3.1.3-11
    #[inline(always)]
    pub(super) fn parse_fields(body: &'a [u8], limits: &Limits) -> Parsed<'a, Self> {
        let (rest, name) = wire::binary(body)?;
        if !matches!(name, b"MQTT" | b"MQIsdp") {
            return Err(fault(Rule::ProtocolName, body));
        }
        let (after_level, level) = wire::u8(rest)?;
        let version = match (name.len(), level) {
            (4, 5) => ProtocolVersion::V5_0,
            (4, 4) => ProtocolVersion::V3_1_1,
            (6, 3) => ProtocolVersion::V3_1,
            _ => return Err(fault(Rule::ProtocolVersionUnsupported, rest)),
        };
        let (rest, flags) = wire::u8(after_level)?;
        check_flags(flags, version, limits).map_err(|rule| fault(rule, after_level))?;
        let (properties_at, keep_alive) = wire::u16(rest)?;
        let (client_identifier_at, connect_properties) =
            properties(properties_at, PacketSet::CONNECT, version)?;
        check_authentication(&connect_properties).map_err(|rule| fault(rule, properties_at))?;
        let (rest, client_identifier) = wire::string(client_identifier_at)?;
        let clean_start = flags & CLEAN_START != 0;
        if !limits.allow_any_3_1_client_identifier || version != ProtocolVersion::V3_1 {
            check_client_identifier(&client_identifier, clean_start, version)
                .map_err(|rule| fault(rule, client_identifier_at))?;
        }
        let (rest, will) = if flags & WILL == 0 {
            (rest, None)
        } else {
            let (rest, will) = Will::parse(rest, flags, version, limits)?;
            (rest, Some(will))
        };
        // In 3.1 the Remaining Length goes before the flags: a user name or password
        // that is announced may be missing (3.1 section 3.1).
        let may_miss = |rest: &[u8]| version == ProtocolVersion::V3_1 && rest.is_empty();
        let (rest, user_name) = if flags & USER_NAME == 0 || may_miss(rest) {
            (rest, None)
        } else {
            let (rest, user_name) = wire::string(rest)?;
            (rest, Some(user_name))
        };
        let (rest, password) = if flags & PASSWORD == 0 || may_miss(rest) {
            (rest, None)
        } else {
            let (rest, password) = wire::binary(rest)?;
            (rest, Some(password))
        };
        end(rest)?;
        let connect = Self {
            protocol_version: version,
            clean_start,
            keep_alive,
            properties: connect_properties,
            client_identifier,
            will,
            user_name,
            password,
        };
        Ok((rest, connect))
    }

    // keeps: 5.0 MQTT-3.1.2-11, 5.0 MQTT-3.1.2-13, 5.0 MQTT-3.1.2-16, 5.0 MQTT-3.1.2-17,
    // keeps: 5.0 MQTT-3.1.2-18, 5.0 MQTT-3.1.2-19
    // keeps: 3.1.1 MQTT-3.1.2-13, 3.1.1 MQTT-3.1.2-15, 3.1.1 MQTT-3.1.2-18, 3.1.1 MQTT-3.1.2-19,
    // keeps: 3.1.1 MQTT-3.1.2-20, 3.1.1 MQTT-3.1.2-21
    fn flags(&self) -> u8 {
        let bit = |set: bool, flag: u8| if set { flag } else { 0 };
        let will = self.will.map_or(0, |will| {
            WILL | (will.qos as u8) << WILL_QOS_SHIFT | bit(will.retain, WILL_RETAIN)
        });
        bit(self.clean_start, CLEAN_START)
            | will
            | bit(self.user_name.is_some(), USER_NAME)
            | bit(self.password.is_some(), PASSWORD)
    }

    /// Appends the packet, in its own version, once it is seen that decoding would accept it.
    #[inline(always)]
    pub(super) fn checked_encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        // What most are is written here, and all else out of the way: with it this would be
        // slower.
        let version = self.protocol_version;
        let plain = (version != ProtocolVersion::V3_1)
            & self.properties.is_empty()
            & self.will.is_none()
            & !self.client_identifier.is_empty()
            & (self.user_name.is_some() | self.password.is_none());
        let optional = |length: Option<usize>| length.map_or(0, |length| 2 + length);
        let body = PLAIN_FRONT
            + usize::from(version.has_properties())
            + self.client_identifier.encoded_len()
            + optional(self.user_name.map(|user_name| user_name.len()))
            + optional(self.password.map(<[u8]>::len));
        if plain && body < 0x80 && out.remaining_mut() >= 2 + body {
            self.put_plain(body as u8, out);
            return Ok(());
        }
        self.encode_any(out)
    }

    #[inline(never)]
    fn encode_any(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        self.encode(PacketType::Connect, self.protocol_version, out)
    }

    /// Appends a packet of 3.1.1 or 5.0 without properties and will, all of whose lengths
    /// take one byte, in few writes: each has its price.
    #[inline(always)]
    fn put_plain(&self, length: u8, out: &mut impl BufMut) {
        let first = PacketType::Connect.first_byte();
        let level = self.protocol_version.level();
        let flags = (u8::from(self.clean_start) * CLEAN_START)
            | (u8::from(self.user_name.is_some()) * USER_NAME)
            | (u8::from(self.password.is_some()) * PASSWORD);
        let [high, low] = self.keep_alive.to_be_bytes();
        let id = self.client_identifier.len() as u8;
        if self.protocol_version.has_properties() {
            out.put_slice(&[
                first, length, 0, 4, b'M', b'Q', b'T', b'T', level, flags, high, low, 0, 0, id,
            ]);
        } else {
            out.put_slice(&[
                first, length, 0, 4, b'M', b'Q', b'T', b'T', level, flags, high, low, 0, id,
            ]);
        }
        out.put_slice(self.client_identifier.as_bytes());
        self.put_credentials(out);
    }

    /// Writes user name and password.
    #[inline(always)]
    fn put_credentials(&self, out: &mut impl BufMut) {
        if let Some(user_name) = self.user_name {
            put_binary(out, user_name.as_bytes());
        }
        if let Some(password) = self.password {
            put_binary(out, password);
        }
    }
}

/// CONNECT is in its own version, whatever the connection speaks.
impl<'a> Body<'a> for Connect<'a> {
    #[inline(never)]
    fn parse(body: &'a [u8], form: Form<'_>) -> Parsed<'a, Self> {
        Self::parse_fields(body, form.limits)
    }

    fn check(&self, kind: PacketType, _: ProtocolVersion) -> Result<(), EncodeError> {
        let version = self.protocol_version;
        let broken = |rule| EncodeError::Rule { rule, version };
        check_properties(&self.properties, kind, version)?;
        check_authentication(&self.properties).map_err(broken)?;
        check_client_identifier(&self.client_identifier, self.clean_start, version)
            .map_err(broken)?;
        if let Some(will) = &self.will {
            will.check(version)?;
        }
        if let Some(password) = self.password {
            field_len(password)?;
            // 5.0 allows it: section 3.1.2.9.
            if version < ProtocolVersion::V5_0 && self.user_name.is_none() {
                return Err(broken(Rule::PasswordWithoutUserName));
            }
        }
        Ok(())
    }

    fn len(&self, _: ProtocolVersion) -> usize {
        let version = self.protocol_version;
        // Protocol name, level, flags and keep alive.
        2 + version.name().len()
            + 1
            + 1
            + 2
            + self.properties.encoded_len(version)
            + self.client_identifier.encoded_len()
            + self.will.map_or(0, |will| will.len(version))
            + self.user_name.map_or(0, |it| it.encoded_len())
            + self.password.map_or(0, |it| 2 + it.len())
    }

    // keeps: 5.0 MQTT-3.1.3-1, 3.1.1 MQTT-3.1.3-1
    #[inline(never)]
    fn put(&self, _: ProtocolVersion, out: &mut impl BufMut) {
        let version = self.protocol_version;
        put_binary(out, version.name().as_bytes());
        out.put_u8(version.level());
        out.put_u8(self.flags());
        out.put_u16(self.keep_alive);
        self.properties.put(version, out);
        put_binary(out, self.client_identifier.as_bytes());
        if let Some(will) = &self.will {
            will.put(version, out);
        }
        self.put_credentials(out);
    }
}

impl<'a> Will<'a> {
    /// A will with QoS 0, not retained, without properties.
    #[must_use]
    pub const fn new(topic: TopicName<'a>, payload: &'a [u8]) -> Self {
        Self {
            topic,
            payload,
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::EMPTY,
        }
    }

    /// That decoding would accept it.
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        if self.topic.is_empty() {
            return Err(EncodeError::Rule {
                rule: Rule::WillTopicEmpty,
                version,
            });
        }
        if !self.properties.is_empty() && !version.has_properties() {
            return Err(EncodeError::NotInVersion {
                version,
                what: "properties",
            });
        }
        if !self.properties.packets().contains(PacketSet::WILL) {
            return Err(EncodeError::PropertyNotAllowed {
                packet: PacketType::Connect,
            });
        }
        field_len(self.payload)?;
        Ok(())
    }

    /// Encoded length in bytes, properties included.
    fn len(&self, version: ProtocolVersion) -> usize {
        self.properties.encoded_len(version) + self.topic.encoded_len() + 2 + self.payload.len()
    }

    #[inline(never)]
    fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        self.properties.put(version, out);
        put_binary(out, self.topic.as_bytes());
        put_binary(out, self.payload);
    }

    // keeps: 5.0 MQTT-3.1.3-11, 3.1.1 MQTT-3.1.3-10
    #[inline(never)]
    fn parse(
        input: &'a [u8],
        flags: u8,
        version: ProtocolVersion,
        limits: &Limits,
    ) -> Parsed<'a, Self> {
        let (topic_at, will_properties) = properties(input, PacketSet::WILL, version)?;
        let (payload_at, topic) = wire::string(topic_at)?;
        if topic.is_empty() {
            return Err(fault(Rule::WillTopicEmpty, topic_at));
        }
        if topic::has_wildcard(&topic) {
            return Err(fault(Rule::WillTopicWildcard, topic_at));
        }
        if topic.len() >= usize::from(limits.maximum_topic_levels)
            && topic::levels(&topic) > usize::from(limits.maximum_topic_levels)
        {
            return Err(fault(Rule::TopicNameLevels, topic_at));
        }
        let (rest, payload) = wire::binary(payload_at)?;
        if limits.check_payload_format && !payload_is_text(&will_properties, payload) {
            return Err(fault(Rule::PayloadFormat, payload_at));
        }
        let qos = QoS::from_bits((flags & WILL_QOS) >> WILL_QOS_SHIFT)
            .ok_or_else(|| fault(Rule::WillQoSValue, input))?;
        Ok((
            rest,
            Self {
                topic: TopicName::checked(topic.as_str()),
                payload,
                qos,
                retain: flags & WILL_RETAIN != 0,
                properties: will_properties,
            },
        ))
    }
}

/// Connect Flags (sections 3.1.2.3 to 3.1.2.9).
#[inline(always)]
fn check_flags(flags: u8, version: ProtocolVersion, limits: &Limits) -> Result<(), Rule> {
    if flags & RESERVED != 0 {
        return Err(Rule::ConnectReservedFlag);
    }
    if flags & WILL == 0 {
        if flags & WILL_QOS != 0 {
            return Err(Rule::WillQoSWithoutWill);
        }
        if flags & WILL_RETAIN != 0 {
            return Err(Rule::WillRetainWithoutWill);
        }
    } else if flags & WILL_QOS == WILL_QOS {
        return Err(Rule::WillQoSValue);
    }
    // 5.0 allows it: section 3.1.2.9.
    if version < ProtocolVersion::V5_0
        && flags & PASSWORD != 0
        && flags & USER_NAME == 0
        && !limits.allow_password_without_user_name
    {
        return Err(Rule::PasswordWithoutUserName);
    }
    Ok(())
}

/// Authentication Data belongs to an Authentication Method (section 3.1.2.11.10).
pub(super) fn check_authentication(properties: &Properties<'_>) -> Result<(), Rule> {
    use crate::PropertyIdentifier as P;
    if properties.contains(P::AuthenticationData) && !properties.contains(P::AuthenticationMethod) {
        return Err(Rule::AuthenticationDataAlone);
    }
    Ok(())
}

/// The client identifiers that a version has (section 3.1.3.1).
// keeps: 5.0 MQTT-3.1.3-5, 3.1.1 MQTT-3.1.3-5
#[inline(always)]
fn check_client_identifier(
    client_identifier: &str,
    clean_start: bool,
    version: ProtocolVersion,
) -> Result<(), Rule> {
    match version {
        ProtocolVersion::V3_1 => match client_identifier.chars().count() {
            1..=CLIENT_IDENTIFIER_3_1_MAX => Ok(()),
            _ => Err(Rule::ClientIdentifierLength),
        },
        ProtocolVersion::V3_1_1 if client_identifier.is_empty() && !clean_start => {
            Err(Rule::ClientIdentifierEmpty)
        }
        _ => Ok(()),
    }
}
