//! MQTT packets, in each version: any bytes to a packet, and back, and again
//! the same.

use crate::allocation::bounded;
use mqtt_codec::{Limits, Packet, Properties, Property, ProtocolVersion, decode, needed};

/// The properties of a packet that has some which may not be zero, and those of a will.
fn properties<'a>(packet: &Packet<'a>) -> [Properties<'a>; 2] {
    let (own, will) = match packet {
        Packet::Connect(it) => (it.properties, it.will.map(|will| will.properties)),
        Packet::ConnAck(it) => (it.properties, None),
        Packet::Publish(it) => (it.properties, None),
        Packet::Subscribe(it) => (it.properties, None),
        _ => (Properties::EMPTY, None),
    };
    [own, will.unwrap_or(Properties::EMPTY)]
}

/// "It is a Protocol Error" or "a sender MUST NOT": sections 3.1.2.11.3, 3.1.2.11.4, 3.3.2.3.4
/// and 3.8.2.1.2 of 5.0.
fn is_zero(property: &Property<'_>) -> bool {
    matches!(
        property,
        Property::ReceiveMaximum(0)
            | Property::MaximumPacketSize(0)
            | Property::TopicAlias(0)
            | Property::SubscriptionIdentifier(0)
    )
}

/// Runs one input.
pub fn run(data: &[u8]) {
    let limits = Limits::default();
    for version in ProtocolVersion::ALL {
        let (packet, len) = match bounded(data, 0, || decode(data, version, &limits)) {
            Ok(Some(decoded)) => decoded,
            Ok(None) => continue,
            Err(error) => {
                assert!(error.offset() <= data.len(), "{error:?}");
                continue;
            }
        };
        // The connection speaks what CONNECT says from then on.
        let version = match packet {
            Packet::Connect(connect) => connect.protocol_version,
            _ => version,
        };
        for cut in (0..len).rev().take(64).chain(0..len.min(16)) {
            let front = &data[..cut];
            assert_eq!(decode(front, version, &limits), Ok(None), "cut at {cut}");
            let needed = needed(front, version, &limits).expect("the front is good");
            assert!((1..=len - cut).contains(&needed), "cut at {cut}");
        }
        // Reads every property and list.
        let _ = format!("{packet:?}");

        for properties in properties(&packet) {
            assert!(!properties.iter().any(|it| is_zero(&it)), "{packet:?}");
        }
        let kept = bounded(data, 2, || packet.to_buf(version));
        assert_eq!(kept.expect("it was decoded").as_packet(), packet);
        let mut out = Vec::new();
        packet
            .encode(version, &mut out)
            .expect("what was decoded can be encoded");
        assert_eq!(out.len(), packet.encoded_len(version));
        assert_eq!(
            decode(&out, version, &limits),
            Ok(Some((packet, out.len()))),
        );
    }
}
