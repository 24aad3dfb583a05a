//! Which versions an MQTT broker lets a client in with, and what it announces.

use super::client::Client;
use super::play::{Play, Played};
use super::property::{
    self, MAXIMUM_PACKET_SIZE, MAXIMUM_QOS, RECEIVE_MAXIMUM, RETAIN_AVAILABLE, SERVER_KEEP_ALIVE,
    SESSION_EXPIRY_INTERVAL, SHARED_SUBSCRIPTION_AVAILABLE, SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
    TOPIC_ALIAS_MAXIMUM, WILDCARD_SUBSCRIPTION_AVAILABLE,
};
use super::wire::{CONNACK, Connect, GOODBYE, PUBLISH, Publish, Version, parse_packet};
use crate::case::Context;
use crate::target::Profile;
use crate::verdict::Stop;
use crate::wire::Seen;

/// What the ids of the cases begin with, and the version's own number.
const VERSIONS: [(Version, &str, &str); 3] = [
    (Version::V5, "mqtt5", "5.0"),
    (Version::V311, "mqtt311", "3.1.1"),
    (Version::V31, "mqtt31", "3.1"),
];

/// The limits that a CONNACK of 5.0 may announce (3.2.2.3).
const LIMITS: [u8; 10] = [
    SESSION_EXPIRY_INTERVAL,
    RECEIVE_MAXIMUM,
    MAXIMUM_QOS,
    RETAIN_AVAILABLE,
    MAXIMUM_PACKET_SIZE,
    TOPIC_ALIAS_MAXIMUM,
    WILDCARD_SUBSCRIPTION_AVAILABLE,
    SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
    SHARED_SUBSCRIPTION_AVAILABLE,
    SERVER_KEEP_ALIVE,
];

/// A keep alive for brokers that refuse 0, longer than any case takes.
const KEEP_ALIVE: u16 = 60;

/// How a broker answered a CONNECT of one version.
enum Answer {
    /// With success, to this keep alive.
    Accepted { keep_alive: u16, says: String },
    /// With anything else.
    Refused(String),
}

/// Logs in over every version, all at once.
///
/// # Errors
///
/// In words, when none of them lets the client in.
pub(crate) fn preflight(ctx: &Context<'_>) -> Result<Profile, String> {
    let answers = std::thread::scope(|scope| {
        VERSIONS
            .map(|(version, ..)| scope.spawn(move || log_in(ctx, version)))
            .map(|thread| thread.join())
    });
    let mut profile = Profile::default();
    let mut refusals = Vec::new();
    for ((_, id, number), answer) in VERSIONS.into_iter().zip(answers) {
        match answer.map_err(|_| "the preflight itself panicked".to_string())? {
            Answer::Accepted { keep_alive, says } => {
                profile.keep_alive = profile.keep_alive.max(keep_alive);
                profile.says.push(format!("MQTT {number}{says}"));
            }
            Answer::Refused(evidence) => {
                refusals.push((number, evidence.clone()));
                profile.lacks.push((id, evidence));
            }
        }
    }
    if profile.lacks.len() < VERSIONS.len() {
        profile.maximum_qos = maximum_qos(ctx, &profile);
        if let Some((_, evidence)) = &profile.maximum_qos {
            profile.says.push(evidence.clone());
        }
        if let Some((product, version)) = identity(ctx, &profile) {
            profile.says.insert(0, format!("{product} {version}"));
            profile.product = Some(product);
            profile.version = Some(version);
        }
        return Ok(profile);
    }
    let (_, first) = &refusals[0];
    if refusals.iter().all(|(_, evidence)| evidence == first) {
        return Err(format!("it lets no client of MQTT in: {first}"));
    }
    let each: Vec<_> = refusals
        .iter()
        .map(|(number, evidence)| format!("{number}: {evidence}"))
        .collect();
    Err(format!("it lets no client of MQTT in: {}", each.join("; ")))
}

/// What a broker that closes at a message of QoS 2 takes at most. Where 5.0 is
/// offered it is announced.
fn maximum_qos(ctx: &Context<'_>, profile: &Profile) -> Option<(u8, String)> {
    let (version, ..) = VERSIONS
        .into_iter()
        .filter(|(version, ..)| *version != Version::V5)
        .find(|(_, id, _)| profile.lacks(id).is_none())?;
    let play = Play::new(ctx, version);
    let connect = Connect {
        keep_alive: profile.keep_alive,
        ..play.connect()
    };
    let mut client = play.join(&connect).ok()?;
    let publish = Publish {
        qos: 2,
        ..play.publish(&play.name("t"), b"x")
    };
    client.wire.send(&publish.bytes());
    match client.next() {
        Ok(Seen::Ended(end, _)) => Some((1, format!("to a message of QoS 2 {end}"))),
        _ => None,
    }
}

/// Where brokers retain who they are, by custom: `mosquitto version 2.0.11`.
const IDENTITY: &str = "$SYS/broker/version";

/// Asks a broker for its name and version. Few have them, and no rule asks for it.
fn identity(ctx: &Context<'_>, profile: &Profile) -> Option<(String, String)> {
    let offered = |(_, id, _): &(Version, &str, &str)| profile.lacks(id).is_none();
    let (version, ..) = VERSIONS.into_iter().find(offered)?;
    let play = Play::new(ctx, version);
    let connect = Connect {
        keep_alive: profile.keep_alive,
        ..play.connect()
    };
    let mut client = play.join(&connect).ok()?;
    client.wire.send(&play.subscribe(IDENTITY, 0));
    loop {
        match client.wire.next_within(ctx.silence, parse_packet) {
            Ok(Seen::Frame(packet)) if packet.kind() == PUBLISH => {
                let delivery = client.delivery(&packet).ok()?;
                let text = String::from_utf8_lossy(&delivery.payload).into_owned();
                let mut words = text.split_ascii_whitespace();
                let product = words.next()?.to_string();
                let number = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
                return Some((product, number.into()));
            }
            Ok(Seen::Frame(_)) => {}
            _ => return None,
        }
    }
}

fn log_in(ctx: &Context<'_>, version: Version) -> Answer {
    let play = Play::new(ctx, version);
    let mut evidence = String::new();
    for keep_alive in [0, KEEP_ALIVE] {
        let connect = Connect {
            keep_alive,
            client_id: ctx.name(&format!("p{}", version as u8)).into(),
            ..play.connect()
        };
        match try_in(&play, &connect) {
            Ok(Ok(client)) => {
                return Answer::Accepted {
                    keep_alive,
                    says: limits(&client),
                };
            }
            // What came to a keep alive of 0, which is the plainer CONNECT.
            Ok(Err(answer)) if evidence.is_empty() => evidence = answer,
            Err(stop) if evidence.is_empty() => evidence = stop.to_string(),
            _ => {}
        }
        if evidence.starts_with("nothing") {
            break;
        }
    }
    Answer::Refused(evidence)
}

/// The client, or what came that is no success.
fn try_in(play: &Play<'_>, connect: &Connect) -> Played<Result<Client, String>> {
    let mut client = play.open()?;
    client.wire.send(&connect.bytes());
    match client.next()? {
        Seen::Frame(packet) if packet.kind() == CONNACK && packet.body.get(1) == Some(&0) => {
            // A malformed one is found by the cases about it.
            client.read_connack(&packet).unwrap_or_default();
            client.wire.send(GOODBYE);
            Ok(Ok(client))
        }
        Seen::Frame(packet) if packet.kind() == CONNACK => {
            Ok(Err(format!("{packet}{}", meaning(&packet.body))))
        }
        other => Ok(Err(other.to_string())),
    }
}

/// What the code of a CONNACK says, where it is about being let in.
fn meaning(body: &[u8]) -> &'static str {
    match body.get(1) {
        Some(0x01 | 0x84) => ", this version is not supported",
        Some(0x02 | 0x85) => ", the client identifier is not accepted",
        Some(0x04 | 0x86) => ", bad user name or password",
        Some(0x05 | 0x87) => ", not authorized",
        _ => "",
    }
}

fn limits(client: &Client) -> String {
    let properties = &client.connack.properties;
    LIMITS
        .iter()
        .filter_map(|&id| {
            Some(format!(
                ", {} {}",
                property::name(id),
                properties.number(id)?
            ))
        })
        .collect()
}

/// Logs in and subscribes.
///
/// # Errors
///
/// What came instead.
pub(crate) fn alive(ctx: &Context<'_>) -> Result<(), Stop> {
    let play = Play::new(ctx, newest(ctx));
    let mut client = play.client()?;
    client.subscribe(&play.name("t"), 0)?;
    client.settle()?;
    client.wire.send(GOODBYE);
    Ok(())
}

/// Sends a message to itself.
///
/// # Errors
///
/// What came instead.
pub(crate) fn carries(ctx: &Context<'_>) -> Result<(), Stop> {
    let play = Play::new(ctx, newest(ctx));
    let topic = play.name("t");
    let mut client = play.client()?;
    client.subscribe(&topic, 0)?;
    client.publish(&play.publish(&topic, b"round"))?;
    client.take(&topic, b"round")?;
    client.wire.send(GOODBYE);
    Ok(())
}

/// The newest version that the broker offers.
pub(super) fn newest(ctx: &Context<'_>) -> Version {
    VERSIONS
        .into_iter()
        .find(|(_, id, _)| ctx.target.profile.lacks(id).is_none())
        .map_or(Version::V311, |(version, ..)| version)
}
