//! Bridges as people write them, in the words of Mosquitto.

use std::path::PathBuf;
use std::time::Duration;

use mq_core::BridgeTopic;
use mq_server::{Bridge, BridgeProtocol, ClientTls};
use serde::{Deserialize, Serialize};

use super::SettingsError;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BridgeTable {
    connection: String,
    address: String,
    topics: Vec<String>,
    #[serde(default)]
    bridge_protocol_version: Protocol,
    #[serde(default)]
    bridge_cafile: Option<PathBuf>,
    #[serde(default)]
    bridge_certfile: Option<PathBuf>,
    #[serde(default)]
    bridge_keyfile: Option<PathBuf>,
    #[serde(default)]
    remote_clientid: Option<String>,
    #[serde(default)]
    remote_username: Option<String>,
    #[serde(default)]
    remote_password: Option<String>,
    #[serde(default)]
    local_clientid: Option<String>,
    #[serde(default)]
    local_username: Option<String>,
    #[serde(default)]
    virtual_host: Option<String>,
    #[serde(default)]
    cleansession: Option<bool>,
    #[serde(default)]
    keepalive_interval: Option<u16>,
    #[serde(default)]
    notifications: Option<bool>,
    #[serde(default)]
    notification_topic: Option<String>,
    #[serde(default)]
    bridge_outgoing_retain: Option<bool>,
    #[serde(default)]
    restart_timeout: Option<(u64, u64)>,
}

/// Mosquitto's names of versions.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
enum Protocol {
    #[default]
    #[serde(rename = "mqttv50")]
    V5_0,
    #[serde(rename = "mqttv311")]
    V3_1_1,
}

impl From<Protocol> for BridgeProtocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::V5_0 => Self::V5_0,
            Protocol::V3_1_1 => Self::V3_1_1,
        }
    }
}

/// The bridges that tables are.
pub(super) fn bridges(tables: Vec<BridgeTable>) -> Result<Vec<Bridge>, SettingsError> {
    tables.into_iter().map(bridge).collect()
}

fn bridge(table: BridgeTable) -> Result<Bridge, SettingsError> {
    let topic = |topic: &String| {
        topic
            .parse::<BridgeTopic>()
            .map_err(|reason| SettingsError::BridgeTopic {
                topic: topic.clone(),
                reason,
            })
    };
    let topics = table.topics.iter().map(topic).collect::<Result<_, _>>()?;
    let tls = match (
        table.bridge_cafile,
        table.bridge_certfile,
        table.bridge_keyfile,
    ) {
        (None, None, None) => None,
        (Some(ca), None, None) => Some(ClientTls::new(ca)),
        (Some(ca), Some(certificate), Some(key)) => {
            Some(ClientTls::new(ca).with_identity(certificate, key))
        }
        _ => return Err(SettingsError::BridgeTls(table.connection)),
    };
    let client_id = table.remote_clientid.as_ref().unwrap_or(&table.connection);
    // What depends on the client identifier has its default by that.
    let base = Bridge::new(client_id, &table.address);
    let seconds = Duration::from_secs;
    Ok(Bridge {
        name: table.connection,
        address: base.address,
        tls,
        protocol: table.bridge_protocol_version.into(),
        topics: mq_core::Bridge { topics },
        remote_client_id: base.remote_client_id,
        remote_user: table.remote_username,
        remote_password: table.remote_password,
        local_client_id: table.local_clientid.unwrap_or(base.local_client_id),
        local_user: table.local_username,
        virtual_host: table.virtual_host,
        clean_session: table.cleansession.unwrap_or(base.clean_session),
        keep_alive: (table.keepalive_interval)
            .map_or(base.keep_alive, |interval| seconds(interval.into())),
        notifications: table.notifications.unwrap_or(base.notifications),
        notification_topic: table.notification_topic.unwrap_or(base.notification_topic),
        outgoing_retain: table.bridge_outgoing_retain.unwrap_or(base.outgoing_retain),
        restart: (table.restart_timeout)
            .map_or(base.restart, |(base, cap)| (seconds(base), seconds(cap))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `mosquitto.conf`, "Configuring Bridges": `bridge_cafile`, `bridge_certfile`,
    /// `bridge_keyfile` and `bridge_protocol_version`.
    #[test]
    fn tls_and_versions() {
        let files = ClientTls::new("ca");
        let both = files.clone().with_identity("cert", "key");
        let version = |name| format!("bridge_protocol_version = {name:?}");
        let rows = [
            (String::new(), Some((None, BridgeProtocol::V5_0))),
            (version("mqttv50"), Some((None, BridgeProtocol::V5_0))),
            (version("mqttv311"), Some((None, BridgeProtocol::V3_1_1))),
            (
                "bridge_cafile = 'ca'".into(),
                Some((Some(files), BridgeProtocol::V5_0)),
            ),
            (
                "bridge_cafile = 'ca'\nbridge_certfile = 'cert'\nbridge_keyfile = 'key'".into(),
                Some((Some(both), BridgeProtocol::V5_0)),
            ),
            ("bridge_cafile = 'ca'\nbridge_keyfile = 'key'".into(), None),
            (
                "bridge_certfile = 'cert'\nbridge_keyfile = 'key'".into(),
                None,
            ),
        ];
        for (text, expected) in rows {
            let text = format!("connection = 'b'\naddress = 'h:1'\ntopics = ['#']\n{text}");
            let bridge = bridge(toml::from_str(&text).unwrap());
            let seen = bridge.ok().map(|bridge| (bridge.tls, bridge.protocol));
            assert_eq!(seen, expected, "{text}");
        }
        let other = "connection = 'b'\naddress = 'h:1'\ntopics = []\nbridge_protocol_version = 'x'";
        assert!(toml::from_str::<BridgeTable>(other).is_err());
    }
}
