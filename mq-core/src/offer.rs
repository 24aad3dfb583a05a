//! What MQTT clients are offered: CONNACK of 5.0 says it, and it is kept.

use alloc::string::String;

/// The features that an MQTT client may use, and the texts that it receives.
///
/// As [`Config`](crate::Config), it can be taken apart without `..`. A client of 5.0 that
/// uses a feature that its CONNACK excludes is disconnected with the reason code that stands
/// here. A client of 3.x, whose CONNACK cannot exclude any, is disconnected or gets 0x80 in
/// SUBACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The highest QoS of a PUBLISH from a client (0x9B), and what a subscription is granted
    /// at most (MQTT 5.0 section 3.2.2.3.4). Default: 2.
    pub maximum_qos: u8,
    /// Whether messages may be retained (0x9A; section 3.2.2.3.5). Default: yes.
    pub retain_available: bool,
    /// Whether filters may have wildcards (0xA2; section 3.2.2.3.11). Default: yes.
    pub wildcard_subscription_available: bool,
    /// Whether subscriptions may have identifiers (0xA1; section 3.2.2.3.12). Default: yes.
    pub subscription_identifiers_available: bool,
    /// Whether subscriptions may be shared (0x9E; section 3.2.2.3.13). Default: yes.
    pub shared_subscription_available: bool,
    /// The longest keep alive, in seconds. A client of 5.0 that asks for a longer one, or for
    /// none, gets this one as Server Keep Alive (section 3.2.2.3.14); one of 3.x is refused
    /// with return code 2, as Mosquitto does it. 0, the default: there is no longest.
    pub maximum_keep_alive: u16,
    /// Topic names that are sent to a client by an alias, whatever its Topic Alias Maximum
    /// (section 3.3.2.3.4): the first ones that it gets. Default: 10, as in Mosquitto.
    pub outbound_topic_alias_maximum: u16,
    /// What a client that asks for it gets as Response Information (section 3.2.2.3.15), with
    /// its client identifier for `{client_id}`. Empty, the default: nothing.
    pub response_information: String,
    /// Another server for the clients of this one. When this one stops it says so with
    /// DISCONNECT 0x9C and this Server Reference, and when it has no room for one more session
    /// in CONNACK (sections 4.11 and 3.2.2.3.16). Empty, the default: there is none.
    pub server_reference: String,
}

/// What stands for the client identifier in [`Offer::response_information`].
const CLIENT: &str = "{client_id}";

impl Offer {
    /// The Response Information for a client that asks for it.
    pub(crate) fn response_information(&self, client: &str) -> Option<String> {
        let text = self.response_information.replace(CLIENT, client);
        (!text.is_empty()).then_some(text)
    }
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            maximum_qos: 2,
            retain_available: true,
            wildcard_subscription_available: true,
            subscription_identifiers_available: true,
            shared_subscription_available: true,
            maximum_keep_alive: 0,
            outbound_topic_alias_maximum: 10,
            response_information: String::new(),
            server_reference: String::new(),
        }
    }
}
