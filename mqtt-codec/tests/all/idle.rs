//! What is left of an idle connection, and the connection that is made of it again.

use std::fmt::Write;
use std::time::Duration;

use crate::support::bytes;
use crate::support::ends::{
    V3_1, V3_1_1, V5_0, accepted, asked, connect_of, id, seconds, server_of,
};
use mqtt_codec::connection::{
    Message, Reading, ServerConfig, ServerConnection, ServerEvent, TopicAliasPolicy,
};
use mqtt_codec::{Properties, QoS, ReasonCode};

const CONNECT_WITH_ALIASES: &str = "10: 0004'MQTT' 05 02 000A 03 220005 0001'c'";

fn config() -> ServerConfig {
    ServerConfig::default()
        .with_topic_alias_maximum(5)
        .with_topic_alias_policy(TopicAliasPolicy::UntilFull)
}

fn feed(server: &mut ServerConnection, input: &str) {
    let input = bytes(input);
    server.receive(Duration::ZERO, &mut &input[..]).unwrap();
}

/// The same, and what is said to it leaves.
fn receive(server: &mut ServerConnection, input: &str) {
    feed(server, input);
    transmit(server, Duration::ZERO);
}

/// What makes a connection be more than idle, and what makes it idle again.
type Row = (
    &'static str,
    fn(&mut ServerConnection),
    fn(&mut ServerConnection),
);

const ROWS: [Row; 8] = [
    (
        "something is to be sent",
        |server| feed(server, "C0 00"),
        |_| {},
    ),
    (
        "half a packet has come",
        |server| receive(server, "C0"),
        |server| receive(server, "C0 00"),
    ),
    (
        "SUBSCRIBE waits for its answer",
        |server| receive(server, "82: 0001 00 0001'a' 00"),
        |server| {
            let codes = [ReasonCode::granted(QoS::AtMostOnce)];
            server.suback(id(1), &codes, Properties::EMPTY).unwrap();
        },
    ),
    (
        "a message waits for PUBACK",
        |server| receive(server, "32: 0001'a' 0001 00 'x'"),
        |server| acknowledge(server),
    ),
    (
        "a message of QoS 2 is not released",
        |server| {
            receive(server, "34: 0001'a' 0001 00 'x'");
            acknowledge(server);
        },
        |server| receive(server, "62: 0001"),
    ),
    (
        "the client is to acknowledge",
        |server| publish(server, QoS::AtLeastOnce),
        |server| receive(server, "40: 0001"),
    ),
    (
        "the client is to complete",
        |server| {
            publish(server, QoS::ExactlyOnce);
            receive(server, "50: 0001");
        },
        |server| receive(server, "70: 0001"),
    ),
    (
        "it is not read from",
        |server| server.set_reading(Duration::ZERO, Reading::Paused),
        |server| server.set_reading(Duration::ZERO, Reading::Running),
    ),
];

fn acknowledge(server: &mut ServerConnection) {
    let acknowledged = server.acknowledge(id(1), ReasonCode::Success, Properties::EMPTY);
    acknowledged.unwrap();
    transmit(server, Duration::ZERO);
}

fn send(server: &mut ServerConnection, qos: QoS) {
    server.publish(&Message::new("a", "x", qos)).unwrap();
}

fn publish(server: &mut ServerConnection, qos: QoS) {
    send(server, qos);
    transmit(server, Duration::ZERO);
}

fn transmit(server: &mut ServerConnection, now: Duration) -> Vec<u8> {
    let mut out = Vec::new();
    server.poll_transmit(now, &mut out);
    out
}

#[test]
fn what_is_under_way_is_not_forgotten() {
    for (what, begin, end) in ROWS {
        let mut server = server_of(V5_0, ServerConfig::default());
        assert!(server.idle().is_some(), "{what}");
        begin(&mut server);
        assert!(server.idle().is_none(), "{what}");
        end(&mut server);
        transmit(&mut server, Duration::ZERO);
        assert!(server.idle().is_some(), "{what}");
    }
}

#[test]
fn what_an_alias_stands_for_is_not_forgotten() {
    let server = || accepted(CONNECT_WITH_ALIASES, config());
    assert!(server().idle().is_some());
    let mut told = server();
    receive(&mut told, "30: 0001'a' 03 230001");
    assert!(told.idle().is_none());
    let mut said = server();
    publish(&mut said, QoS::AtMostOnce);
    assert!(said.idle().is_none());
}

#[test]
fn one_that_is_not_open_is_not_idle() {
    let new = ServerConnection::new(Duration::ZERO, ServerConfig::default());
    assert!(new.idle().is_none());
    assert!(
        asked(connect_of(V5_0), ServerConfig::default())
            .idle()
            .is_none()
    );
    let mut left = server_of(V5_0, ServerConfig::default());
    receive(&mut left, "E0 00");
    assert!(left.idle().is_none());
    let mut broken = server_of(V5_0, ServerConfig::default());
    let input = bytes("F1 00");
    assert!(broken.receive(Duration::ZERO, &mut &input[..]).is_err());
    assert!(broken.idle().is_none());
}

/// What a client says, a second after what it said before; `P` is where properties are.
const SAID: [&str; 13] = [
    "C0 00",
    "82: 0001 P 0001'a' 00",
    "32: 0001'a' 0001 P 'x'",
    "34: 0001'b' 0002 P 'y'",
    "62: 0002",
    "40: 0001",
    "50: 0002",
    "70: 0002",
    "A2: 0003 P 0001'a'",
    "40: 0003",
    "30: 0001'a' P 'z'",
    "C0 00",
    "E0 00",
];

/// All that comes of what a client says: events, bytes, and when the next time-out is. The
/// connection is replaced before each step, where it is idle and that is asked for.
fn told(version: mqtt_codec::ProtocolVersion, resumes: bool) -> (String, usize) {
    let mut server = server_of(version, config());
    let (mut text, mut resumed) = (String::new(), 0);
    for (second, said) in (1..).zip(SAID) {
        let now = seconds(second);
        if resumes && let Some(idle) = server.idle() {
            assert_eq!(idle.poll_timeout(), server.poll_timeout());
            server = idle.resume(now, config());
            resumed += 1;
        }
        // Before 5.0 there are no properties.
        let input = match version {
            V5_0 => bytes(&said.replace("P ", "00 ")),
            _ => bytes(&said.replace("P ", "")),
        };
        let mut input = &input[..];
        loop {
            let event = server.receive(now, &mut input);
            writeln!(text, "{event:?}").unwrap();
            match event {
                Ok(Some(ServerEvent::Subscribe(subscribe))) => {
                    let codes = [ReasonCode::granted(QoS::AtMostOnce)];
                    let identifier = subscribe.packet_identifier;
                    server
                        .suback(identifier, &codes, Properties::EMPTY)
                        .unwrap();
                    send(&mut server, QoS::AtLeastOnce);
                }
                Ok(Some(ServerEvent::Unsubscribe(unsubscribe))) => {
                    let codes = [ReasonCode::Success];
                    let identifier = unsubscribe.packet_identifier;
                    server
                        .unsuback(identifier, &codes, Properties::EMPTY)
                        .unwrap();
                    // Its packet identifier is the one after those that were used before.
                    send(&mut server, QoS::AtLeastOnce);
                }
                Ok(Some(ServerEvent::Publish(publish))) => {
                    if let Some(identifier) = publish.packet_identifier {
                        let code = ReasonCode::Success;
                        server
                            .acknowledge(identifier, code, Properties::EMPTY)
                            .unwrap();
                    }
                }
                Ok(Some(ServerEvent::PubAck(ack))) if ack.packet_identifier == id(1) => {
                    send(&mut server, QoS::ExactlyOnce);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let sent = transmit(&mut server, now);
        writeln!(text, "{sent:02X?} {:?}", server.poll_timeout()).unwrap();
    }
    (text, resumed)
}

/// A connection that is resumed wherever it is idle says what one says that always was.
#[test]
fn it_goes_on_as_though_it_had_always_been_there() {
    for version in [V3_1, V3_1_1, V5_0] {
        let (all, none) = told(version, false);
        let (same, resumed) = told(version, true);
        assert_eq!(none, 0);
        assert!(resumed >= 4, "{resumed}");
        assert_eq!(all, same, "{version:?}");
    }
}

/// The keep alive goes on from when the client was heard last (MQTT-3.1.2-22).
#[test]
fn silence_counts() {
    let mut server = server_of(V5_0, ServerConfig::default());
    let idle = server.idle().unwrap();
    assert_eq!(idle.poll_timeout(), Some(seconds(15)));
    assert_eq!(server.poll_timeout(), idle.poll_timeout());
    server = idle.resume(seconds(1), ServerConfig::default());
    assert_eq!(server.handle_timeout(seconds(14)), Ok(()));
    assert!(server.handle_timeout(seconds(15)).is_err());
}
