//! Rules of MQTT that a broker may keep or not.

/// What is accepted of MQTT clients that break a rule, and what is checked though it need not be.
/// The default is what the specification says.
///
/// As [`Config`](crate::Config), it can be taken apart without `..`. The names are those of
/// [`mqtt_codec::Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MqttRules {
    /// Accepts a client identifier of MQTT 3.1 with no or with more than 23 characters, which
    /// its section 3.1 forbids, and which many clients send. Default: no.
    pub allow_any_3_1_client_identifier: bool,
    /// Accepts a CONNECT of MQTT 3.x with a password and no user name, against MQTT-3.1.2-22 of
    /// 3.1.1: devices with a token send it. 5.0 allows it. Default: no.
    pub allow_password_without_user_name: bool,
    /// Accepts a PUBLISH with QoS 0 and DUP, against MQTT-3.3.1-2, as though DUP were not set.
    /// Default: no.
    pub allow_dup_on_qos_0: bool,
    /// Disconnects a client of MQTT 5.0 whose payload is not the UTF-8 that its Payload Format
    /// Indicator says (0x99; section 3.3.2.3.2), and refuses such a will. Default: no.
    pub check_payload_format: bool,
}

impl MqttRules {
    pub(crate) fn apply(self, limits: &mut mqtt_codec::Limits) {
        let Self {
            allow_any_3_1_client_identifier,
            allow_password_without_user_name,
            allow_dup_on_qos_0,
            check_payload_format,
        } = self;
        limits.allow_any_3_1_client_identifier = allow_any_3_1_client_identifier;
        limits.allow_password_without_user_name = allow_password_without_user_name;
        limits.allow_dup_on_qos_0 = allow_dup_on_qos_0;
        limits.check_payload_format = check_payload_format;
    }
}
