//! Reason codes (5.0 section 2.4) and the return codes of 3.x.

use core::fmt;

use crate::packet::PacketSet;

macro_rules! reason_codes {
    ($( $(#[$doc:meta])* $name:ident = $code:literal, $text:literal, [$($packet:ident)*]; )*) => {
        /// How an operation went (5.0 section 2.4). Values below 0x80 are success.
        ///
        /// The return codes of CONNACK and SUBACK in MQTT 3.x are given as the reason
        /// codes of 5.0 that say the same; see [`ReasonCode::connect_return_code`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ReasonCode {
            $( $(#[$doc])* $name = $code, )*
        }

        impl ReasonCode {
            /// Every reason code, lowest first.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The reason code with this value, if 5.0 defines one.
            #[must_use]
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $( $code => Some(Self::$name), )*
                    _ => None,
                }
            }

            /// The name that 5.0 gives it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            /// The packets that may carry it (5.0 table 2-6).
            #[must_use]
            pub const fn packets(self) -> PacketSet {
                match self { $( Self::$name => PacketSet::NONE $(.union(PacketSet::$packet))*, )* }
            }
        }
    };
}

reason_codes! {
    /// Success; in DISCONNECT "Normal disconnection", in SUBACK "Granted QoS 0".
    Success = 0x00, "Success", [CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH];
    /// The subscription is granted with QoS 1 at most.
    GrantedQoS1 = 0x01, "Granted QoS 1", [SUBACK];
    /// The subscription is granted with QoS 2 at most.
    GrantedQoS2 = 0x02, "Granted QoS 2", [SUBACK];
    /// The client goes and wants its Will Message published.
    DisconnectWithWill = 0x04, "Disconnect with Will Message", [DISCONNECT];
    /// The message is accepted, but nobody subscribes to it.
    NoMatchingSubscribers = 0x10, "No matching subscribers", [PUBACK PUBREC];
    /// There was no such subscription to remove.
    NoSubscriptionExisted = 0x11, "No subscription existed", [UNSUBACK];
    /// Go on with another step of the authentication.
    ContinueAuthentication = 0x18, "Continue authentication", [AUTH];
    /// Begin a re-authentication.
    ReAuthenticate = 0x19, "Re-authenticate", [AUTH];
    /// No more is told, or no other code fits.
    UnspecifiedError = 0x80, "Unspecified error", [CONNACK PUBACK PUBREC SUBACK UNSUBACK DISCONNECT];
    /// The packet does not follow the specification's format.
    MalformedPacket = 0x81, "Malformed Packet", [CONNACK DISCONNECT];
    /// An unexpected packet, or data that the protocol does not allow there.
    ProtocolError = 0x82, "Protocol Error", [CONNACK DISCONNECT];
    /// Valid, but this implementation does not take it.
    ImplementationSpecificError = 0x83, "Implementation specific error", [CONNACK PUBACK PUBREC SUBACK UNSUBACK DISCONNECT];
    /// The server does not speak the version that the client asks for.
    UnsupportedProtocolVersion = 0x84, "Unsupported Protocol Version", [CONNACK];
    /// A valid client identifier that the server does not allow.
    ClientIdentifierNotValid = 0x85, "Client Identifier not valid", [CONNACK];
    /// The server does not accept the user name or password.
    BadUserNameOrPassword = 0x86, "Bad User Name or Password", [CONNACK];
    /// The client may not do this.
    NotAuthorized = 0x87, "Not authorized", [CONNACK PUBACK PUBREC SUBACK UNSUBACK DISCONNECT];
    /// The server is not available.
    ServerUnavailable = 0x88, "Server unavailable", [CONNACK];
    /// The server is busy; try again later.
    ServerBusy = 0x89, "Server busy", [CONNACK DISCONNECT];
    /// The client has been banned.
    Banned = 0x8A, "Banned", [CONNACK];
    /// The server is shutting down.
    ServerShuttingDown = 0x8B, "Server shutting down", [DISCONNECT];
    /// The authentication method is not supported, or not the one in use.
    BadAuthenticationMethod = 0x8C, "Bad authentication method", [CONNACK DISCONNECT];
    /// Nothing was received for one and a half times the keep alive time.
    KeepAliveTimeout = 0x8D, "Keep Alive timeout", [DISCONNECT];
    /// Another connection with the same client identifier came.
    SessionTakenOver = 0x8E, "Session taken over", [DISCONNECT];
    /// A correct topic filter that the server does not accept.
    TopicFilterInvalid = 0x8F, "Topic Filter invalid", [SUBACK UNSUBACK DISCONNECT];
    /// A correct topic name that the receiver does not accept.
    TopicNameInvalid = 0x90, "Topic Name invalid", [CONNACK PUBACK PUBREC DISCONNECT];
    /// The packet identifier is in use already.
    PacketIdentifierInUse = 0x91, "Packet Identifier in use", [PUBACK PUBREC SUBACK UNSUBACK];
    /// The packet identifier is not known.
    PacketIdentifierNotFound = 0x92, "Packet Identifier not found", [PUBREL PUBCOMP];
    /// More messages without acknowledgement than the Receive Maximum.
    ReceiveMaximumExceeded = 0x93, "Receive Maximum exceeded", [DISCONNECT];
    /// A topic alias above the Topic Alias Maximum.
    TopicAliasInvalid = 0x94, "Topic Alias invalid", [DISCONNECT];
    /// A packet larger than the Maximum Packet Size.
    PacketTooLarge = 0x95, "Packet too large", [CONNACK DISCONNECT];
    /// Data comes too fast.
    MessageRateTooHigh = 0x96, "Message rate too high", [DISCONNECT];
    /// A limit that somebody set is exceeded.
    QuotaExceeded = 0x97, "Quota exceeded", [CONNACK PUBACK PUBREC SUBACK DISCONNECT];
    /// An administrator closed the connection.
    AdministrativeAction = 0x98, "Administrative action", [DISCONNECT];
    /// The payload is not what the Payload Format Indicator says.
    PayloadFormatInvalid = 0x99, "Payload format invalid", [CONNACK PUBACK PUBREC DISCONNECT];
    /// The server does not support retained messages.
    RetainNotSupported = 0x9A, "Retain not supported", [CONNACK DISCONNECT];
    /// A QoS above the server's Maximum QoS.
    QoSNotSupported = 0x9B, "QoS not supported", [CONNACK DISCONNECT];
    /// Use another server for now.
    UseAnotherServer = 0x9C, "Use another server", [CONNACK DISCONNECT];
    /// Use another server from now on.
    ServerMoved = 0x9D, "Server moved", [CONNACK DISCONNECT];
    /// The server does not support shared subscriptions.
    SharedSubscriptionsNotSupported = 0x9E, "Shared Subscriptions not supported", [SUBACK DISCONNECT];
    /// Connections come too fast.
    ConnectionRateExceeded = 0x9F, "Connection rate exceeded", [CONNACK DISCONNECT];
    /// The longest time that a connection may last is over.
    MaximumConnectTime = 0xA0, "Maximum connect time", [DISCONNECT];
    /// The server does not support subscription identifiers.
    SubscriptionIdentifiersNotSupported = 0xA1, "Subscription Identifiers not supported", [SUBACK DISCONNECT];
    /// The server does not support wildcards in subscriptions.
    WildcardSubscriptionsNotSupported = 0xA2, "Wildcard Subscriptions not supported", [SUBACK DISCONNECT];
}

/// CONNACK return codes of 3.x (3.1.1 table 3.1): position is the code.
const CONNECT_RETURN_CODES: [ReasonCode; 6] = [
    ReasonCode::Success,
    ReasonCode::UnsupportedProtocolVersion,
    ReasonCode::ClientIdentifierNotValid,
    ReasonCode::ServerUnavailable,
    ReasonCode::BadUserNameOrPassword,
    ReasonCode::NotAuthorized,
];

impl ReasonCode {
    /// Whether it tells of a failure: 0x80 and above.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self as u8 >= 0x80
    }

    /// The SUBACK code that grants a subscription with this QoS.
    #[must_use]
    pub const fn granted(qos: crate::QoS) -> Self {
        match qos {
            crate::QoS::AtMostOnce => Self::Success,
            crate::QoS::AtLeastOnce => Self::GrantedQoS1,
            crate::QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }

    /// The CONNACK return code of 3.x that says the same (3.1.1 section 3.2.2.3);
    /// `None` where there is none, and then a server closes without CONNACK (MQTT-3.2.2-6).
    #[must_use]
    pub fn connect_return_code(self) -> Option<u8> {
        (0u8..)
            .zip(CONNECT_RETURN_CODES)
            .find(|&(_, reason)| reason == self)
            .map(|(code, _)| code)
    }

    /// The reason that a CONNACK return code of 3.x stands for.
    #[must_use]
    pub fn from_connect_return_code(code: u8) -> Option<Self> {
        CONNECT_RETURN_CODES.get(usize::from(code)).copied()
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X} {}", *self as u8, self.name())
    }
}
