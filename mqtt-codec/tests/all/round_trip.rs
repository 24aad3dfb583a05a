//! What is written is read back as it was, and what is read and accepted is written back.

use arbitrary::Unstructured;
use mqtt_codec::{Limits, Packet, ProtocolVersion, decode, needed};
use proptest::prelude::*;

fn any_version() -> impl Strategy<Value = ProtocolVersion> {
    prop::sample::select(&ProtocolVersion::ALL[..])
}

/// A seed is any bytes; a packet is made from them.
fn seed() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 16..600)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_packet_survives_the_wire(version in any_version(), seed in seed()) {
        let mut u = Unstructured::new(&seed);
        let packet = crate::support::arbitrary::packet(&mut u, version).unwrap_or(Packet::PingReq);
        let mut wire = Vec::new();
        packet.encode(version, &mut wire).unwrap();
        prop_assert_eq!(packet.encoded_len(version), wire.len());
        let (back, length) = decode(&wire, version, &Limits::default()).unwrap().unwrap();
        prop_assert_eq!(length, wire.len());
        prop_assert_eq!(back, packet);
        // And the view of the bytes is written as the bytes were.
        let mut again = Vec::new();
        back.encode(version, &mut again).unwrap();
        prop_assert_eq!(again, wire);
    }

    #[test]
    fn a_packet_cut_anywhere_is_incomplete(version in any_version(), seed in seed()) {
        let mut u = Unstructured::new(&seed);
        let packet = crate::support::arbitrary::packet(&mut u, version).unwrap_or(Packet::PingReq);
        let mut wire = Vec::new();
        packet.encode(version, &mut wire).unwrap();
        for cut in 0..wire.len() {
            prop_assert_eq!(decode(&wire[..cut], version, &Limits::default()), Ok(None));
            let more = needed(&wire[..cut], version, &Limits::default()).unwrap();
            prop_assert!(more > 0 && cut + more <= wire.len());
        }
    }

    /// Any bytes: no panic, an offset inside the packet, and what is accepted can be written.
    #[test]
    fn any_bytes_are_judged(version in any_version(), first in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut input = vec![first, body.len() as u8];
        input.extend_from_slice(&body);
        judge(&input, version)?;
        judge(&body, version)?;
    }

    /// Valid packets with a byte or two changed go deeper than bytes by chance.
    #[test]
    fn damaged_packets_are_judged(
        version in any_version(),
        seed in seed(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut u = Unstructured::new(&seed);
        let packet = crate::support::arbitrary::packet(&mut u, version).unwrap_or(Packet::PingReq);
        let mut wire = Vec::new();
        packet.encode(version, &mut wire).unwrap();
        for (at, byte) in changes {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        judge(&wire, version)?;
    }
}

fn judge(input: &[u8], version: ProtocolVersion) -> Result<(), TestCaseError> {
    match decode(input, version, &Limits::default()) {
        Ok(None) => {}
        Err(error) => {
            prop_assert!(error.offset() <= input.len());
            prop_assert!(!error.statement().is_empty());
        }
        Ok(Some((packet, length))) => {
            prop_assert!(length <= input.len());
            let version = match packet {
                Packet::Connect(connect) => connect.protocol_version,
                _ => version,
            };
            let mut out = Vec::new();
            packet.encode(version, &mut out).unwrap();
            let (back, _) = decode(&out, version, &Limits::default()).unwrap().unwrap();
            prop_assert_eq!(back, packet);
        }
    }
    Ok(())
}
