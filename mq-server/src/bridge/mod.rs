//! Bridges: MQTT clients of this server and of another one that pass messages on, as
//! Mosquitto has them (`mosquitto.conf`, "Configuring Bridges").

mod end;
mod task;

use std::fmt;
use std::time::Duration;

use crate::transport::ClientTls;

pub(crate) use task::run;

/// The version of MQTT that a bridge speaks with the other broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BridgeProtocol {
    /// 5.0.
    #[default]
    V5_0,
    /// 3.1.1. The other broker sends back what it gets where it is asked for that: no topic
    /// that comes in may have the name of one that goes out. Whether a message is retained is
    /// not known of one that comes in, unless it was before the bridge came.
    V3_1_1,
}

/// A bridge to another MQTT broker.
///
/// The server is its client, connects again when that connection is lost, and is a client of
/// itself as well: both sessions are kept, unless [`clean_session`](Self::clean_session) is
/// set, so that messages of QoS 1 and 2 wait meanwhile. A message is acknowledged on one side
/// when the other side has acknowledged it. What came over the bridge does not go back over it.
/// What is under way is known to this process alone: where it is killed, nothing is lost, and a
/// message of QoS 2 that was under way may arrive twice.
#[derive(Clone)]
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// `HOST:PORT` of the other broker.
    pub address: String,
    /// TLS to the other broker. Default: none.
    pub tls: Option<ClientTls>,
    /// The version of MQTT there. Default: 5.0.
    pub protocol: BridgeProtocol,
    /// What passes, and under which names.
    pub topics: mq_core::Bridge,
    /// The client identifier at the other broker. Default: [`name`](Self::name). No other
    /// client of that broker may have it.
    pub remote_client_id: String,
    /// The user at the other broker. Default: none.
    pub remote_user: Option<String>,
    /// Its password. Default: none.
    pub remote_password: Option<String>,
    /// The client identifier here. Default: `local.` and `remote_client_id`.
    pub local_client_id: String,
    /// The user here, one of [`mq_core::Config::users`], whose rights it has. Default: that of
    /// clients without credentials, also where no such client is let in.
    pub local_user: Option<String>,
    /// The virtual host here. Default: the first.
    pub virtual_host: Option<String>,
    /// Whether both sessions end with their connections. Default: no.
    pub clean_session: bool,
    /// Longest silence before the other broker is asked whether it is there. Default: 60 s.
    pub keep_alive: Duration,
    /// Whether both brokers have a retained message that says whether the bridge is connected:
    /// `1` or `0`. Default: yes.
    pub notifications: bool,
    /// Its topic. Default: `$SYS/broker/connection/REMOTE_CLIENT_ID/state`.
    pub notification_topic: String,
    /// Whether messages that are retained here are to be retained at the other broker. Default:
    /// yes.
    pub outgoing_retain: bool,
    /// How long it waits, at least and at most, before it connects again. Default: 5 s and
    /// 30 s.
    pub restart: (Duration, Duration),
}

impl Bridge {
    /// A bridge over which nothing passes yet, to the broker at `HOST:PORT`.
    #[must_use]
    pub fn new(name: &str, address: &str) -> Self {
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            tls: None,
            protocol: BridgeProtocol::default(),
            topics: mq_core::Bridge::default(),
            remote_client_id: name.to_owned(),
            remote_user: None,
            remote_password: None,
            local_client_id: format!("local.{name}"),
            local_user: None,
            virtual_host: None,
            clean_session: false,
            keep_alive: Duration::from_secs(60),
            notifications: true,
            notification_topic: state_topic(name),
            outgoing_retain: true,
            restart: (Duration::from_secs(5), Duration::from_secs(30)),
        }
    }
}

/// Mosquitto's topic for the state of a bridge.
pub(crate) fn state_topic(remote_client_id: &str) -> String {
    format!("$SYS/broker/connection/{remote_client_id}/state")
}

impl fmt::Debug for Bridge {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("name", &self.name)
            .field("address", &self.address)
            .field("tls", &self.tls)
            .field("protocol", &self.protocol)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}
