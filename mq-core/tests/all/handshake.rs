//! The handshakes of QoS 1 and 2 over connections that end, byte for byte (MQTT 3.1.1 and 5.0
//! sections 4.3 and 4.4): the model assigns packet identifiers and knows where each stands.

use crate::world::World;
use crate::world::amqp::{Amqp, table, text};
use crate::world::mqtt::{Mqtt, properties, utf8};
use amqp_codec::FieldValue;
use mq_core::{ConnectionId, Protocol};
use mqtt_codec::connection::Session;
use mqtt_codec::{Connect, Properties, Property, ProtocolVersion, QoS, ReasonCode};

/// CONNECT of 3.1.1 with a session that stays, and the client identifier `c`.
const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\0\0\0\0\x01c";
const CONNACK_NEW: &[u8] = b"\x20\x02\0\0";
const CONNACK_PRESENT: &[u8] = b"\x20\x02\x01\0";
/// SUBSCRIBE to `t` with QoS 2, and its answer.
const SUBSCRIBE: &[u8] = b"\x82\x06\0\x09\0\x01t\x02";
const SUBACK: &[u8] = b"\x90\x03\0\x09\x02";

fn exchange(world: &mut World, client: ConnectionId, sent: &[u8]) -> Vec<u8> {
    world.send(client, sent);
    std::mem::take(&mut world.socket(client).received)
}

fn connect(world: &mut World, connack: &[u8]) -> (ConnectionId, Vec<u8>) {
    let client = world.connect(Protocol::Mqtt);
    let answer = exchange(world, client, CONNECT);
    assert_eq!(answer[..4], *connack);
    (client, answer[4..].to_vec())
}

/// What the client sends, and what the broker answers. Between two lists the connection ends;
/// of the list after that the first is what the broker sends on its own.
type Exchange = (&'static [u8], &'static [u8]);
const CASES: &[(&str, &[Exchange], &[Exchange])] = &[
    (
        "a message to the client, before PUBREC",
        &[(
            b"\x32\x06\0\x01t\0\x07x",
            b"\x40\x02\0\x07\x32\x06\0\x01t\0\x01x",
        )],
        &[
            (b"", b"\x3a\x06\0\x01t\0\x01x"),
            (b"\x40\x02\0\x01", b""),
            // The next identifier is another.
            (
                b"\x34\x06\0\x01t\0\x07y",
                b"\x50\x02\0\x07\x34\x06\0\x01t\0\x02y",
            ),
        ],
    ),
    (
        "a QoS 2 message to the client, before PUBREC",
        &[(
            b"\x34\x06\0\x01t\0\x07x",
            b"\x50\x02\0\x07\x34\x06\0\x01t\0\x01x",
        )],
        &[
            (b"", b"\x3c\x06\0\x01t\0\x01x"),
            (b"\x50\x02\0\x01", b"\x62\x02\0\x01"),
            (b"\x70\x02\0\x01", b""),
        ],
    ),
    (
        "a QoS 2 message to the client, after PUBREC",
        &[
            (
                b"\x34\x06\0\x01t\0\x07x",
                b"\x50\x02\0\x07\x34\x06\0\x01t\0\x01x",
            ),
            (b"\x50\x02\0\x01", b"\x62\x02\0\x01"),
        ],
        &[
            (b"", b"\x62\x02\0\x01"),
            (b"\x50\x02\0\x01", b"\x62\x02\0\x01"),
            (b"\x70\x02\0\x01", b""),
        ],
    ),
    (
        "PUBRELs in the order of their PUBRECs, after the messages",
        &[
            (
                b"\x34\x06\0\x01t\0\x07x\x34\x06\0\x01t\0\x08y\x34\x06\0\x01t\0\x09z",
                b"\x50\x02\0\x07\x34\x06\0\x01t\0\x01x\x50\x02\0\x08\x34\x06\0\x01t\0\x02y\
                  \x50\x02\0\x09\x34\x06\0\x01t\0\x03z",
            ),
            (
                b"\x50\x02\0\x03\x50\x02\0\x01",
                b"\x62\x02\0\x03\x62\x02\0\x01",
            ),
        ],
        &[(b"", b"\x3c\x06\0\x01t\0\x02y\x62\x02\0\x03\x62\x02\0\x01")],
    ),
    (
        "a QoS 2 message of the client, before PUBREL",
        &[(b"\x34\x06\0\x01u\0\x07x", b"\x50\x02\0\x07")],
        &[
            (b"", b""),
            // It is not published again (MQTT-4.3.3-2 of 3.1.1).
            (b"\x3c\x06\0\x01t\0\x07x", b"\x50\x02\0\x07"),
            (b"\x62\x02\0\x07", b"\x70\x02\0\x07"),
            (
                b"\x34\x06\0\x01t\0\x07y",
                b"\x50\x02\0\x07\x34\x06\0\x01t\0\x01y",
            ),
        ],
    ),
    (
        "a QoS 2 message of the client, after PUBREL",
        &[
            (b"\x34\x06\0\x01u\0\x07x", b"\x50\x02\0\x07"),
            (b"\x62\x02\0\x07", b"\x70\x02\0\x07"),
        ],
        &[
            (b"\x62\x02\0\x07", b"\x70\x02\0\x07"),
            (
                b"\x34\x06\0\x01t\0\x07y",
                b"\x50\x02\0\x07\x34\x06\0\x01t\0\x01y",
            ),
        ],
    ),
    (
        "a client that has forgotten its own state uses an open identifier with QoS 1",
        &[
            (b"\x34\x06\0\x01u\0\x07x", b"\x50\x02\0\x07"),
            (b"\x32\x06\0\x01u\0\x07y", b"\x40\x02\0\x07"),
        ],
        &[(
            b"\x34\x06\0\x01t\0\x07z",
            b"\x50\x02\0\x07\x34\x06\0\x01t\0\x01z",
        )],
    ),
];

#[test]
fn a_handshake_goes_on_where_it_was() {
    for (case, before, after) in CASES {
        goes_on(
            World::new(),
            |world, client| world.cut(client),
            case,
            before,
            after,
        );
        let crash = |world: &mut World, _| world.crash();
        goes_on(World::stored(), crash, case, before, after);
    }
}

fn goes_on(
    mut world: World,
    end: impl Fn(&mut World, ConnectionId),
    case: &str,
    before: &[Exchange],
    after: &[Exchange],
) {
    let (client, _) = connect(&mut world, CONNACK_NEW);
    assert_eq!(exchange(&mut world, client, SUBSCRIBE), SUBACK);
    for (sent, answer) in before {
        let received = exchange(&mut world, client, sent);
        assert_eq!(in_order(&received), in_order(answer), "{case}");
    }
    end(&mut world, client);
    let (client, mut received) = connect(&mut world, CONNACK_PRESENT);
    for (at, (sent, answer)) in after.iter().enumerate() {
        received.extend(exchange(&mut world, client, sent));
        let received = std::mem::take(&mut received);
        assert_eq!(in_order(&received), in_order(answer), "{case}, {at}");
    }
}

/// The packets, PUBACK and PUBREC first: they may wait for a store, while others do not.
fn in_order(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while let Some(length) = bytes.get(1) {
        let (packet, rest) = bytes.split_at(2 + usize::from(*length));
        packets.push(packet);
        bytes = rest;
    }
    packets.sort_by_key(|packet| !matches!(packet[0], 0x40 | 0x50));
    packets
}

/// A message that is pushed while its client's connection ends is the next connection's. Here
/// the broker ends it: 3.1.1 has no word for a publish that a full queue refuses.
#[test]
fn a_message_for_a_connection_that_ends_is_not_lost() {
    let mut world = World::new();
    let mut amqp = Amqp::connect(&mut world);
    let full = table([
        ("x-max-length", FieldValue::I64(0)),
        ("x-overflow", text("reject-publish")),
    ]);
    amqp.declare("full", &full);
    amqp.bind("full", "amq.topic", "t");
    amqp.seen(&mut world);
    let (client, _) = connect(&mut world, CONNACK_NEW);
    exchange(&mut world, client, SUBSCRIBE);
    assert_eq!(
        exchange(&mut world, client, b"\x32\x06\0\x01t\0\x07x"),
        b"",
        "no acknowledgement"
    );
    assert!(world.is_closed(client));
    let (_, received) = connect(&mut world, CONNACK_PRESENT);
    assert_eq!(received, b"\x3a\x06\0\x01t\0\x01x");
}

/// What a client has become too small for counts as sent (MQTT-3.1.2-25 of 5.0), and makes
/// room for what it takes.
#[test]
fn what_does_not_fit_the_next_connection_takes_no_room() {
    let mut world = World::new();
    let connect = |world: &mut World, size: u32| {
        let limits = properties([
            Property::SessionExpiryInterval(3600),
            Property::ReceiveMaximum(2),
            Property::MaximumPacketSize(size),
        ]);
        let connect = Connect {
            properties: limits.as_properties(),
            ..Connect::resume(ProtocolVersion::V5_0, utf8("c"))
        };
        let mut c = Mqtt::manual(world, &connect, Session::new());
        let seen = c.seen(world);
        (c, seen)
    };
    let (mut c, _) = connect(&mut world, 200);
    c.subscribe(&mut world, "t", QoS::AtLeastOnce);
    let mut p = Mqtt::connect(&mut world, "p");
    let long = "x".repeat(60);
    for body in [&long, &long, "1", "2", "3"] {
        p.publish("t", body, QoS::AtLeastOnce);
    }
    p.seen(&mut world);
    assert_eq!(c.seen(&mut world).len(), 2);
    world.cut(c.id);
    let (mut c, seen) = connect(&mut world, 50);
    assert_eq!(seen, ["connack Success present", "t 1 q1", "t 2 q1"]);
    let id = |n| mqtt_codec::PacketIdentifier::new(n).unwrap();
    for identifier in [3, 4] {
        c.codec
            .acknowledge(id(identifier), ReasonCode::Success, Properties::EMPTY)
            .unwrap();
    }
    assert_eq!(c.seen(&mut world), ["t 3 q1"]);
    assert_eq!(world.broker.statistics().unacknowledged, 1);
}
