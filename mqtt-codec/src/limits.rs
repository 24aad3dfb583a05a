//! What a decoder accepts: bounds, and the switches that relax a rule.

use crate::settings::settings;

settings! {
    /// Bounds on what is decoded, and leniency towards peers that break a rule.
    ///
    /// The default is strict: every switch is off. The bounds of the protocol itself
    /// (65,535 bytes a string, 268,435,455 bytes a packet) hold whatever is set here.
    ///
    /// ```
    /// use mqtt_codec::Limits;
    ///
    /// let limits = Limits::default()
    ///     .with_maximum_packet_size(64 * 1024)
    ///     .with_maximum_topic_levels(16);
    /// assert_eq!(limits.maximum_topic_levels, 16);
    /// ```
    pub struct Limits {
        /// Largest packet that is accepted, in bytes, fixed header included. A larger one
        /// is refused as soon as its length is read. Default: 1 MiB.
        pub maximum_packet_size, with_maximum_packet_size: u32 = 1 << 20;
        /// Largest PUBLISH, in bytes, that a connection hands out in one piece. The payload of
        /// a larger one is handed out in parts as it comes, and never kept: see
        /// [large bodies](crate#large-bodies). Default: all that are accepted.
        pub assembled_size, with_assembled_size: u32 = u32::MAX;
        /// Largest variable header, in bytes, of a PUBLISH over `assembled_size`: topic name,
        /// packet identifier and properties (section 3.3.2), which are handed out in one piece
        /// all the same. Where `assembled_size` is more, it counts. Default: 128 KiB.
        pub variable_header_size, with_variable_header_size: u32 = 128 * 1024;
        /// Most levels that a topic name or a topic filter may have. Default: 128.
        pub maximum_topic_levels, with_maximum_topic_levels: u16 = 128;
        /// Most topic filters in one SUBSCRIBE or UNSUBSCRIBE. Default: 1,024.
        pub maximum_topic_filters, with_maximum_topic_filters: u32 = 1024;
        /// Accepts an MQTT 3.1 client identifier of no or of more than 23 characters, as
        /// many 3.1 clients send it. Default: off.
        pub allow_any_3_1_client_identifier, with_any_3_1_client_identifier: bool = false;
        /// Accepts a CONNECT of 3.x with a password and no user name, against MQTT-3.1.2-22 of
        /// 3.1.1, as devices with a token send it; 5.0 allows it. Default: off.
        pub allow_password_without_user_name, with_password_without_user_name: bool = false;
        /// Accepts PUBLISH with QoS 0 and DUP, against MQTT-3.3.1-2, as though DUP were not
        /// set. Default: off.
        pub allow_dup_on_qos_0, with_dup_on_qos_0: bool = false;
        /// Checks that the payload of a PUBLISH or will whose Payload Format Indicator is 1
        /// is well-formed UTF-8: what 5.0 section 3.3.2.3.2 lets a receiver do. A payload that
        /// comes in parts is not looked at. Default: off.
        pub check_payload_format, with_payload_format_check: bool = false;
    }
}
