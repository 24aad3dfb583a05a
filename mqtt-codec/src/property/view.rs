//! Properties as they stand in a packet, read one after the other.

use core::fmt;
use core::iter::FusedIterator;

use bytes::BufMut;

use super::{Contents, Property, PropertyIdentifier};
use crate::packet::PacketSet;
use crate::wire::{Fault, into_fault, put_variable_byte_integer, variable_byte_integer_len};
use crate::{PropertiesBuf, ProtocolVersion, QoS};

/// The properties of a packet: encoded, valid, and read by iterating.
///
/// Nothing is copied or allocated to read them. A property that is not there is told
/// at once; one that is there is found by walking over those before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Properties<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) contents: Contents,
}

impl Default for Properties<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

macro_rules! getters {
    ($($getter:ident: $name:ident -> $type:ty;)*) => {
        $(
            #[doc = concat!("The value of [`", stringify!($name), "`](PropertyIdentifier::", stringify!($name), "), if it is there.")]
            #[must_use]
            #[inline]
            pub fn $getter(&self) -> Option<$type> {
                match self.get(PropertyIdentifier::$name)? {
                    Property::$name(value) => Some(value),
                    _ => None,
                }
            }
        )*
    };
}

impl<'a> Properties<'a> {
    /// No properties.
    pub const EMPTY: Self = Self {
        bytes: &[],
        contents: Contents::EMPTY,
    };

    /// The properties that `bytes` hold, without their Property Length.
    #[inline(never)]
    pub(super) fn validate(bytes: &'a [u8], packet: PacketSet) -> Result<Self, Fault> {
        let mut contents = Contents::EMPTY;
        let mut input = bytes;
        while !input.is_empty() {
            let (rest, identifier) = Property::check_at(input).map_err(into_fault)?;
            contents = contents.with(identifier, packet).map_err(|rule| Fault {
                rule,
                remaining: input.len(),
            })?;
            input = rest;
        }
        Ok(Self { bytes, contents })
    }

    /// The properties in the order in which they stand in the packet.
    #[must_use]
    pub const fn iter(&self) -> PropertyIter<'a> {
        PropertyIter { rest: self.bytes }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether this property is there.
    #[must_use]
    pub const fn contains(&self, identifier: PropertyIdentifier) -> bool {
        self.contents.contains(identifier)
    }

    /// The first property with this identifier.
    #[must_use]
    pub fn get(&self, identifier: PropertyIdentifier) -> Option<Property<'a>> {
        if !self.contains(identifier) {
            return None;
        }
        self.iter().find(|p| p.identifier() == identifier)
    }

    /// The packets that may carry all of them, each as often as it is here.
    #[must_use]
    pub const fn packets(&self) -> PacketSet {
        self.contents.packets()
    }

    /// The subscription identifiers, in order.
    pub fn subscription_identifiers(&self) -> impl Iterator<Item = u32> + 'a {
        self.all(PropertyIdentifier::SubscriptionIdentifier)
            .filter_map(|property| match property {
                Property::SubscriptionIdentifier(value) => Some(value),
                _ => None,
            })
    }

    /// Names and values of the user properties, in order.
    pub fn user_properties(&self) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        self.all(PropertyIdentifier::UserProperty)
            .filter_map(|property| match property {
                Property::UserProperty(name, value) => Some((name, value)),
                _ => None,
            })
    }

    /// All properties, or none when this one is not among them.
    fn all(&self, identifier: PropertyIdentifier) -> PropertyIter<'a> {
        if self.contains(identifier) {
            self.iter()
        } else {
            PropertyIter { rest: &[] }
        }
    }

    /// An owned copy.
    #[must_use]
    pub fn to_buf(&self) -> PropertiesBuf {
        PropertiesBuf::copy_from(*self)
    }

    getters! {
        payload_format_indicator: PayloadFormatIndicator -> bool;
        message_expiry_interval: MessageExpiryInterval -> u32;
        content_type: ContentType -> &'a str;
        response_topic: ResponseTopic -> &'a str;
        correlation_data: CorrelationData -> &'a [u8];
        subscription_identifier: SubscriptionIdentifier -> u32;
        session_expiry_interval: SessionExpiryInterval -> u32;
        assigned_client_identifier: AssignedClientIdentifier -> &'a str;
        server_keep_alive: ServerKeepAlive -> u16;
        authentication_method: AuthenticationMethod -> &'a str;
        authentication_data: AuthenticationData -> &'a [u8];
        request_problem_information: RequestProblemInformation -> bool;
        will_delay_interval: WillDelayInterval -> u32;
        request_response_information: RequestResponseInformation -> bool;
        response_information: ResponseInformation -> &'a str;
        server_reference: ServerReference -> &'a str;
        reason_string: ReasonString -> &'a str;
        receive_maximum: ReceiveMaximum -> u16;
        topic_alias_maximum: TopicAliasMaximum -> u16;
        topic_alias: TopicAlias -> u16;
        maximum_qos: MaximumQoS -> QoS;
        retain_available: RetainAvailable -> bool;
        maximum_packet_size: MaximumPacketSize -> u32;
        wildcard_subscription_available: WildcardSubscriptionAvailable -> bool;
        subscription_identifiers_available: SubscriptionIdentifiersAvailable -> bool;
        shared_subscription_available: SharedSubscriptionAvailable -> bool;
    }

    /// Encoded length in bytes, Property Length included. 3.x has no properties.
    #[inline]
    pub(crate) const fn encoded_len(&self, version: ProtocolVersion) -> usize {
        if !version.has_properties() {
            return 0;
        }
        // Longer than a variable byte integer tells is longer than a packet may be,
        // which is found when the packet's length is.
        variable_byte_integer_len(self.bytes.len() as u32) + self.bytes.len()
    }

    /// Writes Property Length and properties.
    // keeps: 5.0 MQTT-2.2.2-1
    #[inline]
    pub(crate) fn put(&self, version: ProtocolVersion, out: &mut impl BufMut) {
        if !version.has_properties() {
            return;
        }
        if self.is_empty() {
            // MQTT-2.2.2-1
            return out.put_u8(0);
        }
        put_variable_byte_integer(out, self.bytes.len() as u32);
        out.put_slice(self.bytes);
    }

    /// Encoded properties that were a view before.
    pub(crate) const fn checked(bytes: &'a [u8], contents: Contents) -> Self {
        Self { bytes, contents }
    }

    /// Which they are.
    pub(crate) const fn contents(&self) -> Contents {
        self.contents
    }

    /// The encoded properties, without Property Length.
    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Properties<'a> {
    type Item = Property<'a>;
    type IntoIter = PropertyIter<'a>;

    fn into_iter(self) -> PropertyIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Properties<'a> {
    type Item = Property<'a>;
    type IntoIter = PropertyIter<'a>;

    fn into_iter(self) -> PropertyIter<'a> {
        self.iter()
    }
}

/// Iterates over [`Properties`].
#[derive(Clone)]
pub struct PropertyIter<'a> {
    rest: &'a [u8],
}

impl fmt::Debug for PropertyIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> Iterator for PropertyIter<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        // They were valid when the view was made; were they not, iteration would end.
        match Property::parse(self.rest) {
            Ok((rest, property)) => {
                self.rest = rest;
                Some(property)
            }
            Err(_) => {
                self.rest = &[];
                None
            }
        }
    }
}

impl FusedIterator for PropertyIter<'_> {}
