//! Every rule that this crate holds a peer to, in one table: its statement in
//! the specification and the reason code that answers a breach.

use core::fmt;

use crate::{ProtocolVersion, ReasonCode};

macro_rules! rules {
    ($( $name:ident: $text:literal, $v5:literal, $v3:literal, $reason:ident; )*) => {
        /// A rule that a peer broke.
        ///
        /// The identifier of its normative statement is [`Rule::statement`]: `MQTT-2.1.3-1`;
        /// or, where the specification states it without an identifier, the section: `§2.1.4`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $( #[doc = concat!("A peer broke this: ", $text, " (5.0 ", $v5, ", 3.1.1 ", $v3, ").")] $name, )*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The rule in words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            const fn statements(self) -> (&'static str, &'static str) {
                match self { $( Self::$name => ($v5, $v3), )* }
            }

            /// The reason code that answers a breach (5.0 section 4.13).
            #[must_use]
            pub const fn reason_code(self) -> ReasonCode {
                match self { $( Self::$name => ReasonCode::$reason, )* }
            }
        }
    };
}

rules! {
    // Section 2: every packet.
    PacketType: "the packet type is one that the version defines", "§2.1.2", "§2.2.1", MalformedPacket;
    FixedHeaderFlags: "reserved flags of the fixed header have the value listed", "MQTT-2.1.3-1", "MQTT-2.2.2-1", MalformedPacket;
    PubRelFlags: "the fixed header flags of PUBREL are 0010", "MQTT-3.6.1-1", "MQTT-3.6.1-1", MalformedPacket;
    SubscribeFlags: "the fixed header flags of SUBSCRIBE are 0010", "MQTT-3.8.1-1", "MQTT-3.8.1-1", MalformedPacket;
    UnsubscribeFlags: "the fixed header flags of UNSUBSCRIBE are 0010", "MQTT-3.10.1-1", "MQTT-3.10.1-1", MalformedPacket;
    DisconnectFlags: "the fixed header flags of DISCONNECT are 0000", "MQTT-3.14.1-1", "MQTT-3.14.1-1", MalformedPacket;
    AuthFlags: "the fixed header flags of AUTH are 0000", "MQTT-3.15.1-1", "§2.2.1", MalformedPacket;
    VariableByteIntegerTooLong: "a variable byte integer has four bytes at most", "§1.5.5", "§2.2.3", MalformedPacket;
    VariableByteIntegerNotMinimal: "a variable byte integer has no more bytes than it needs", "MQTT-1.5.5-1", "§2.2.3", MalformedPacket;
    PacketTooLarge: "a packet is no larger than the Maximum Packet Size", "MQTT-3.2.2-15", "§2.2.3", PacketTooLarge;
    PacketTooLargeForClient: "a packet to a client is no larger than its Maximum Packet Size", "MQTT-3.1.2-24", "§2.2.3", PacketTooLarge;
    Truncated: "a packet holds every field of its type whole", "§2.1.4", "§2.2.3", MalformedPacket;
    TrailingBytes: "a packet ends where its last field ends", "§2.1.4", "§2.2.3", MalformedPacket;
    PacketIdentifierZero: "a packet identifier is not zero", "MQTT-2.2.1-3", "MQTT-2.3.1-1", ProtocolError;
    PacketIdentifierZeroOfServer: "a packet identifier of a server is not zero", "MQTT-2.2.1-4", "MQTT-2.3.1-4", ProtocolError;
    PacketIdentifierOnQoS0: "PUBLISH with QoS 0 has no packet identifier", "MQTT-2.2.1-2", "MQTT-2.3.1-5", ProtocolError;
    Utf8IllFormed: "a string is well-formed UTF-8 without surrogates", "MQTT-1.5.4-1", "MQTT-1.5.3-1", MalformedPacket;
    Utf8Null: "a string has no U+0000", "MQTT-1.5.4-2", "MQTT-1.5.3-2", MalformedPacket;

    // Section 2.2.2: properties.
    PropertiesLength: "the properties end inside their packet", "§2.2.2.1", "§2.2.2.1", MalformedPacket;
    PropertyTruncated: "a property ends inside the Property Length", "§2.2.2.1", "§2.2.2.1", MalformedPacket;
    PropertyUnknown: "a property identifier is one that the specification lists", "§2.2.2.2", "§2.2.2.2", MalformedPacket;
    PropertyNotAllowed: "a property is one that its packet may carry", "§2.2.2.2", "§2.2.2.2", MalformedPacket;
    PropertyRepeated: "a property appears once unless it may be repeated", "§2.2.2.2", "§2.2.2.2", ProtocolError;
    PropertyBoolean: "a one-byte property that tells yes or no is 0 or 1", "§2.2.2.2", "§2.2.2.2", ProtocolError;
    MaximumQoSValue: "Maximum QoS is 0 or 1", "§3.2.2.3.4", "§3.2.2.3.4", ProtocolError;
    ReceiveMaximumZero: "Receive Maximum is not 0", "§3.1.2.11.3", "§3.1.2.11.3", ProtocolError;
    MaximumPacketSizeZero: "Maximum Packet Size is not 0", "§3.1.2.11.4", "§3.1.2.11.4", ProtocolError;
    TopicAliasZero: "a topic alias is not 0", "MQTT-3.3.2-8", "5.0 MQTT-3.3.2-8", TopicAliasInvalid;
    SubscriptionIdentifierZero: "a subscription identifier is not 0", "§3.8.2.1.2", "§3.8.2.1.2", ProtocolError;
    ResponseTopicWildcard: "a Response Topic has no wildcard characters", "MQTT-3.3.2-14", "5.0 MQTT-3.3.2-14", ProtocolError;
    ResponseTopicEmpty: "a Response Topic has one character at least", "MQTT-4.7.3-1", "5.0 MQTT-4.7.3-1", ProtocolError;
    AuthenticationDataAlone: "Authentication Data comes with an Authentication Method", "§3.1.2.11.10", "§3.1.2.11.10", ProtocolError;
    AuthenticationMethodMissing: "AUTH has an Authentication Method", "§3.15.2.2.2", "§3.15.2.2.2", ProtocolError;
    PayloadFormat: "a payload marked as UTF-8 is well-formed UTF-8", "§3.3.2.3.2", "§3.3.2.3.2", PayloadFormatInvalid;

    // Section 3.1: CONNECT.
    ProtocolName: "the protocol name is MQTT, or MQIsdp in 3.1", "MQTT-3.1.2-1", "MQTT-3.1.2-1", UnsupportedProtocolVersion;
    ProtocolVersionUnsupported: "the protocol version is one that the server speaks", "MQTT-3.1.2-2", "MQTT-3.1.2-2", UnsupportedProtocolVersion;
    ConnectReservedFlag: "the reserved flag of CONNECT is 0", "MQTT-3.1.2-3", "MQTT-3.1.2-3", MalformedPacket;
    WillQoSWithoutWill: "Will QoS is 0 when the Will Flag is 0", "MQTT-3.1.2-11", "MQTT-3.1.2-13", MalformedPacket;
    WillQoSValue: "Will QoS is 0, 1 or 2", "MQTT-3.1.2-12", "MQTT-3.1.2-14", MalformedPacket;
    WillRetainWithoutWill: "Will Retain is 0 when the Will Flag is 0", "MQTT-3.1.2-13", "MQTT-3.1.2-15", MalformedPacket;
    WillTopicWildcard: "a Will Topic has no wildcard characters", "MQTT-4.7.0-1", "MQTT-4.7.1-1", MalformedPacket;
    WillTopicEmpty: "a Will Topic has one character at least", "MQTT-4.7.3-1", "MQTT-4.7.3-1", MalformedPacket;
    PasswordWithoutUserName: "the Password Flag is 0 when the User Name Flag is 0", "§3.1.2.9", "MQTT-3.1.2-22", MalformedPacket;
    ClientIdentifierEmpty: "an empty client identifier comes with Clean Session", "3.1.1 MQTT-3.1.3-7", "MQTT-3.1.3-7", ClientIdentifierNotValid;
    ClientIdentifierLength: "a client identifier of 3.1 has 1 to 23 characters", "§3.1.3.1", "§3.1.3.1", ClientIdentifierNotValid;

    // Section 3.2: CONNACK.
    ConnAckFlags: "bits 7 to 1 of the Connect Acknowledge Flags are 0", "MQTT-3.2.2-1", "§3.2.2.1", MalformedPacket;
    SessionPresentOnError: "Session Present is 0 in a CONNACK that refuses", "MQTT-3.2.2-6", "MQTT-3.2.2-4", ProtocolError;
    ConnAckReasonCode: "CONNACK has one of the Connect Reason Codes", "MQTT-3.2.2-8", "§3.2.2.3", MalformedPacket;

    // Section 3.3: PUBLISH.
    DupOnQoS0: "DUP is 0 in a PUBLISH with QoS 0", "MQTT-3.3.1-2", "MQTT-3.3.1-2", MalformedPacket;
    PublishQoSValue: "the QoS bits of PUBLISH are not both 1", "MQTT-3.3.1-4", "MQTT-3.3.1-4", MalformedPacket;
    TopicNameWildcard: "the Topic Name of PUBLISH has no wildcard characters", "MQTT-3.3.2-2", "MQTT-3.3.2-2", MalformedPacket;
    TopicNameEmpty: "a Topic Name has one character at least", "MQTT-4.7.3-1", "MQTT-4.7.3-1", MalformedPacket;
    TopicNameAndAliasMissing: "PUBLISH has a Topic Name or a Topic Alias", "§3.3.2.1", "MQTT-4.7.3-1", ProtocolError;
    AnswersWaiting: "no more answers wait for the end of a PUBLISH that is sent in parts than the limit", "§4.3", "§4.3", QuotaExceeded;
    VariableHeaderSize: "the variable header of a PUBLISH that comes in parts is no larger than the limit", "§3.3.2", "§3.3.2", QuotaExceeded;
    TopicNameLevels: "a Topic Name has no more levels than the limit", "§4.7.1.1", "§4.7.1.1", TopicNameInvalid;

    // Sections 3.4 to 3.7: acknowledgements.
    PubAckReasonCode: "PUBACK has one of its Reason Codes", "MQTT-3.4.2-1", "§3.4.2", MalformedPacket;
    PubRecReasonCode: "PUBREC has one of its Reason Codes", "MQTT-3.5.2-1", "§3.5.2", MalformedPacket;
    PubRelReasonCode: "PUBREL has one of its Reason Codes", "MQTT-3.6.2-1", "§3.6.2", MalformedPacket;
    PubCompReasonCode: "PUBCOMP has one of its Reason Codes", "MQTT-3.7.2-1", "§3.7.2", MalformedPacket;

    // Sections 3.8 to 3.11, 4.7 and 4.8: subscriptions.
    SubscribeEmpty: "SUBSCRIBE has one Topic Filter at least", "MQTT-3.8.3-2", "MQTT-3.8.3-3", ProtocolError;
    SubscriptionQoSValue: "the QoS of a subscription is 0, 1 or 2", "§3.8.3.1", "MQTT-3.8.3-4", ProtocolError;
    SubscriptionReservedBits: "reserved bits of the Subscription Options are 0", "MQTT-3.8.3-5", "MQTT-3.8.3-4", MalformedPacket;
    RetainHandlingValue: "Retain Handling is 0, 1 or 2", "§3.8.3.1", "MQTT-3.8.3-4", ProtocolError;
    NoLocalOnShared: "No Local is 0 on a Shared Subscription", "MQTT-3.8.3-4", "5.0 MQTT-3.8.3-4", ProtocolError;
    TopicFilterEmpty: "a Topic Filter has one character at least", "MQTT-4.7.3-1", "MQTT-4.7.3-1", MalformedPacket;
    TopicFilterMultiLevel: "# stands on its own in the last level of a filter", "MQTT-4.7.1-1", "MQTT-4.7.1-2", MalformedPacket;
    TopicFilterSingleLevel: "+ occupies an entire level of a filter", "MQTT-4.7.1-2", "MQTT-4.7.1-3", MalformedPacket;
    ShareNameMissing: "a Shared Subscription has a ShareName of one character at least", "MQTT-4.8.2-1", "§4.7.2", MalformedPacket;
    ShareName: "a ShareName has no wildcards, and / and a Topic Filter follow it", "MQTT-4.8.2-2", "§4.7.2", MalformedPacket;
    TopicFilterLevels: "a Topic Filter has no more levels than the limit", "§4.7.1.1", "§4.7.1.1", TopicFilterInvalid;
    TopicFilterCount: "a packet has no more Topic Filters than the limit", "§3.8.3", "§3.8.3", QuotaExceeded;
    SubAckReasonCode: "SUBACK has one of the Subscribe Reason Codes for each Topic Filter", "MQTT-3.9.3-2", "MQTT-3.9.3-2", MalformedPacket;
    SubAckEmpty: "SUBACK has a Reason Code for each Topic Filter", "MQTT-3.8.4-6", "MQTT-3.8.4-5", ProtocolError;
    UnsubscribeEmpty: "UNSUBSCRIBE has one Topic Filter at least", "MQTT-3.10.3-2", "MQTT-3.10.3-2", ProtocolError;
    UnsubAckReasonCode: "UNSUBACK has one of its Reason Codes for each Topic Filter", "MQTT-3.11.3-2", "§3.11", MalformedPacket;
    UnsubAckEmpty: "UNSUBACK has a Reason Code for each Topic Filter", "MQTT-3.11.3-2", "§3.11", ProtocolError;

    // Sections 3.14 and 3.15: DISCONNECT and AUTH.
    DisconnectReasonCode: "DISCONNECT has one of its Reason Codes", "MQTT-3.14.2-1", "§3.14", MalformedPacket;
    AuthReasonCode: "AUTH has one of the Authenticate Reason Codes", "MQTT-3.15.2-1", "§2.2.1", MalformedPacket;

    // What a packet may be at this point of a connection: kept by the connection.
    PacketDirection: "a packet is one that this side of the connection sends", "§2.1.2", "§2.2.1", ProtocolError;
    ConnectFirst: "CONNECT is the first packet of a client", "MQTT-3.1.0-1", "MQTT-3.1.0-1", ProtocolError;
    ConnectTwice: "a client sends CONNECT once", "MQTT-3.1.0-2", "MQTT-3.1.0-2", ProtocolError;
    OnlyAuthBeforeConnAck: "a client that authenticates by a method sends AUTH and DISCONNECT only until CONNACK", "MQTT-3.1.2-30", "5.0 MQTT-3.1.2-30", ProtocolError;
    ConnAckFirst: "CONNACK is the first packet of a server, but for AUTH", "MQTT-3.2.0-1", "MQTT-3.2.0-1", ProtocolError;
    ConnAckTwice: "a server sends CONNACK once", "MQTT-3.2.0-2", "MQTT-3.2.0-1", ProtocolError;
    SessionPresentUnknown: "Session Present is 0 when the client has no session", "MQTT-3.2.2-4", "MQTT-3.2.2-1", ProtocolError;
    AssignedClientIdentifierMissing: "CONNACK assigns an identifier to a client that sent none", "MQTT-3.2.2-16", "5.0 MQTT-3.2.2-16", ProtocolError;
    ResponseInformationNotRequested: "CONNACK has Response Information only when it is requested", "MQTT-3.1.2-28", "5.0 MQTT-3.1.2-28", ProtocolError;
    WillQoSNotSupported: "Will QoS is no higher than the server's Maximum QoS", "MQTT-3.2.2-12", "5.0 MQTT-3.2.2-12", QoSNotSupported;
    WillRetainNotSupported: "Will Retain is 0 when the server does not support retained messages", "MQTT-3.2.2-13", "5.0 MQTT-3.2.2-13", RetainNotSupported;
    QoSNotSupported: "the QoS of PUBLISH is no higher than the server's Maximum QoS", "MQTT-3.2.2-11", "5.0 MQTT-3.2.2-11", QoSNotSupported;
    RetainNotSupported: "RETAIN is 0 when the server does not support retained messages", "MQTT-3.2.2-14", "5.0 MQTT-3.2.2-14", RetainNotSupported;
    PacketIdentifierInUse: "a packet identifier is not in use already", "MQTT-2.2.1-3", "MQTT-2.3.1-2", ProtocolError;
    PacketIdentifierInUseOfServer: "a packet identifier of a server is not in use already", "MQTT-2.2.1-4", "MQTT-2.3.1-4", ProtocolError;
    ReceiveMaximum: "no more QoS 1 and QoS 2 messages are under way than the Receive Maximum", "MQTT-3.3.4-7", "5.0 MQTT-3.3.4-7", ReceiveMaximumExceeded;
    ReceiveMaximumOfClient: "no more QoS 1 and QoS 2 messages are under way to a client than its Receive Maximum", "MQTT-3.3.4-9", "5.0 MQTT-3.3.4-9", ReceiveMaximumExceeded;
    TopicAliasMaximum: "a topic alias is no higher than the Topic Alias Maximum", "MQTT-3.3.2-9", "5.0 MQTT-3.3.2-9", TopicAliasInvalid;
    TopicAliasMaximumOfClient: "a topic alias to a client is no higher than its Topic Alias Maximum", "MQTT-3.3.2-11", "5.0 MQTT-3.3.2-11", TopicAliasInvalid;
    TopicAliasUnknown: "a topic alias that stands alone has been given a topic name", "§3.3.2.3.4", "§3.3.2.3.4", ProtocolError;
    SubscriptionIdentifierFromClient: "a PUBLISH from a client has no subscription identifier", "MQTT-3.3.4-6", "5.0 MQTT-3.3.4-6", ProtocolError;
    AcknowledgementOfAnotherQoS: "an acknowledgement is the one that belongs to the QoS of its PUBLISH", "MQTT-3.3.4-1", "MQTT-3.3.4-1", ProtocolError;
    PubRelBeforePubRec: "PUBREL answers PUBREC", "MQTT-4.3.3-4", "MQTT-4.3.3-1", ProtocolError;
    SharedSubscriptionsNotSupported: "a filter is not shared when the server does not support it", "§3.2.2.3.13", "§3.2.2.3.13", SharedSubscriptionsNotSupported;
    SubscriptionIdentifiersNotSupported: "SUBSCRIBE has no subscription identifier when the server does not support it", "§3.2.2.3.12", "§3.2.2.3.12", SubscriptionIdentifiersNotSupported;
    WildcardSubscriptionsNotSupported: "a filter has no wildcard when the server does not support it", "§3.2.2.3.11", "§3.2.2.3.11", WildcardSubscriptionsNotSupported;
    SubAckUnexpected: "SUBACK answers a SUBSCRIBE, by its packet identifier", "MQTT-3.8.4-2", "MQTT-3.8.4-2", ProtocolError;
    SubAckCount: "SUBACK has one Reason Code for each Topic Filter", "MQTT-3.8.4-6", "MQTT-3.8.4-5", ProtocolError;
    UnsubAckUnexpected: "UNSUBACK answers an UNSUBSCRIBE, by its packet identifier", "MQTT-3.10.4-5", "MQTT-3.10.4-4", ProtocolError;
    UnsubAckCount: "UNSUBACK has one Reason Code for each Topic Filter", "MQTT-3.11.3-1", "5.0 MQTT-3.11.3-1", ProtocolError;
    AuthWithoutMethod: "AUTH is sent only when CONNECT had an Authentication Method", "MQTT-4.12.0-7", "§2.2.1", ProtocolError;
    AuthOfServerWithoutMethod: "a server sends AUTH or a method in CONNACK only when CONNECT had an Authentication Method", "MQTT-4.12.0-6", "§2.2.1", ProtocolError;
    AuthenticationMethodChanged: "the Authentication Method stays the one of CONNECT", "MQTT-4.12.0-5", "§2.2.1", ProtocolError;
    AuthReasonUnexpected: "AUTH has the Reason Code that this step of the authentication has", "MQTT-4.12.0-3", "§2.2.1", ProtocolError;
    AuthReasonOfServer: "AUTH of a server has the Reason Code that this step of the authentication has", "MQTT-4.12.0-2", "§2.2.1", ProtocolError;
    SessionExpiryFromServer: "a DISCONNECT from a server has no Session Expiry Interval", "MQTT-3.14.2-2", "§3.14", ProtocolError;
    SessionExpiryFromZero: "DISCONNECT sets no Session Expiry Interval when CONNECT set 0", "§3.14.2.2.2", "§3.14", ProtocolError;
}

impl Rule {
    /// The identifier of the normative statement in the specification of this version,
    /// or the section where a rule has no identifier. MQTT 3.1 has no identifiers: what
    /// 3.1.1 calls the same rule stands for it. For a rule that one version alone has, the
    /// other gives its version too: `5.0 MQTT-3.3.2-8`.
    #[must_use]
    pub const fn statement(self, version: ProtocolVersion) -> &'static str {
        let (v5, v3) = self.statements();
        match version {
            ProtocolVersion::V5_0 => v5,
            ProtocolVersion::V3_1 | ProtocolVersion::V3_1_1 => v3,
        }
    }
}

impl Rule {
    /// The rule as it is stated for a server, where it is stated for each end.
    #[must_use]
    pub(crate) const fn of_server(self) -> Self {
        match self {
            Self::PacketTooLarge => Self::PacketTooLargeForClient,
            Self::PacketIdentifierZero => Self::PacketIdentifierZeroOfServer,
            Self::PacketIdentifierInUse => Self::PacketIdentifierInUseOfServer,
            Self::ReceiveMaximum => Self::ReceiveMaximumOfClient,
            Self::TopicAliasMaximum => Self::TopicAliasMaximumOfClient,
            Self::AuthWithoutMethod => Self::AuthOfServerWithoutMethod,
            other => other,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
