//! What a decoder accepts: bounds, and the switches that relax a rule.

/// Bounds on what is decoded, and leniency towards peers that break a rule.
///
/// The default is strict: every switch is off. The bounds of the protocol itself
/// (65,535 bytes a string, 268,435,455 bytes a packet) hold whatever is set here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest packet that is accepted, in bytes, fixed header included. A larger one
    /// is refused as soon as its length is read. Default: 1 MiB.
    pub maximum_packet_size: u32,
    /// Largest PUBLISH, in bytes, that a connection hands out in one piece. The payload of
    /// a larger one is handed out in parts as it comes, and never held: see
    /// [large messages](crate#large-messages). Default: all that are accepted.
    pub assembled_size: u32,
    /// Largest variable header, in bytes, of a PUBLISH over `assembled_size`: topic name,
    /// packet identifier and properties (section 3.3.2), which are handed out in one piece
    /// all the same. Where `assembled_size` is more, it counts. Default: 128 KiB.
    pub variable_header_size: u32,
    /// Most levels that a topic name or a topic filter may have. Default: 128.
    pub maximum_topic_levels: u16,
    /// Most topic filters in one SUBSCRIBE or UNSUBSCRIBE. Default: 1,024.
    pub maximum_topic_filters: u32,
    /// Accepts an MQTT 3.1 client identifier of no or of more than 23 characters, as
    /// many 3.1 clients send it. Default: off.
    pub allow_any_3_1_client_identifier: bool,
    /// Accepts a CONNECT of 3.x with a password and no user name, against MQTT-3.1.2-22 of
    /// 3.1.1, as devices with a token send it; 5.0 allows it. Default: off.
    pub allow_password_without_user_name: bool,
    /// Accepts PUBLISH with QoS 0 and DUP, against MQTT-3.3.1-2, as though DUP were not
    /// set. Default: off.
    pub allow_dup_on_qos_0: bool,
    /// Checks that the payload of a PUBLISH or will whose Payload Format Indicator is 1
    /// is well-formed UTF-8: what 5.0 section 3.3.2.3.2 lets a receiver do. A payload that
    /// comes in parts is not looked at. Default: off.
    pub check_payload_format: bool,
}

impl Limits {
    /// The limits of [`Default`], as a constant.
    pub const DEFAULT: Self = Self {
        maximum_packet_size: 1 << 20,
        assembled_size: u32::MAX,
        variable_header_size: 128 * 1024,
        maximum_topic_levels: 128,
        maximum_topic_filters: 1024,
        allow_any_3_1_client_identifier: false,
        allow_password_without_user_name: false,
        allow_dup_on_qos_0: false,
        check_payload_format: false,
    };

    /// The default limits with another largest packet, in bytes.
    #[must_use]
    pub const fn with_maximum_packet_size(mut self, bytes: u32) -> Self {
        self.maximum_packet_size = bytes;
        self
    }

    /// The same with another [`assembled_size`](Self::assembled_size), in bytes.
    #[must_use]
    pub const fn with_assembled_size(mut self, bytes: u32) -> Self {
        self.assembled_size = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
