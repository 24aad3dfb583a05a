//! What is asked of a peer, and how it becomes a candidate.

use std::hint::black_box;

use benches::Column;

use super::packets::Work;

/// A codec of one version of MQTT, used as its own users would at its best: it decodes
/// from the kind of buffer that suits it, prepared outside of the time.
pub(crate) trait Peer: 'static {
    const NAME: &'static str;
    /// What it takes packets from.
    type Input: 'static;
    type Packet: Clone + 'static;
    /// What it writes packets to: a buffer that is used again, or the last one that it made
    /// when it makes one of its own each time.
    type Output: Default + 'static;

    /// `count` packets, all equal to `packet`.
    fn input(packet: &[u8], count: usize) -> Self::Input;
    /// Takes the packet at the front.
    fn decode(input: &mut Self::Input) -> Self::Packet;
    /// Appends the packet.
    fn encode(packet: &Self::Packet, output: &mut Self::Output);
    /// Empties the buffer and keeps its room.
    fn clear(output: &mut Self::Output);
    /// What was written.
    fn written(output: &Self::Output) -> Vec<u8>;
}

/// A peer that consumes the packet that it encodes.
pub(crate) trait ByValue: Peer {
    fn encode_value(packet: Self::Packet, output: &mut Self::Output);
}

/// Adds the peer's decoder; each packet is kept until the next one is decoded.
pub(crate) fn decode<P: Peer>(column: &mut Column, work: &Work) {
    let (bytes, count) = (work.bytes, work.count);
    let mut input = P::input(bytes, count);
    for _ in 0..count {
        assert_eq!(encoded::<P>(&P::decode(&mut input)), bytes, "{}", P::NAME);
    }
    column.add_batched(
        P::NAME,
        move || P::input(bytes, count),
        move |input| {
            for _ in 0..count {
                black_box(&P::decode(input));
            }
        },
    );
}

/// Adds the peer's encoder. The packets of a run are written one behind the other, as to a
/// socket: copying to one place again and again is faster or slower by where that is.
pub(crate) fn encode<P: Peer>(column: &mut Column, work: &Work) {
    let (packet, count) = (packet::<P>(work), work.count);
    let mut output = P::Output::default();
    column.add_batched(
        P::NAME,
        || (),
        move |()| {
            P::clear(&mut output);
            for _ in 0..count {
                P::encode(black_box(&packet), &mut output);
                black_box(&output);
            }
        },
    );
}

/// Adds the peer's encoder; the packets that it consumes are prepared outside of the time.
pub(crate) fn encode_by_value<P: ByValue>(column: &mut Column, work: &Work) {
    let (packet, count) = (packet::<P>(work), work.count);
    let mut output = P::Output::default();
    column.add_batched(
        P::NAME,
        move || vec![packet.clone(); count],
        move |packets| {
            P::clear(&mut output);
            for packet in packets.drain(..) {
                P::encode_value(black_box(packet), &mut output);
                black_box(&output);
            }
        },
    );
}

/// The packet as the peer has it, which is known to encode it to the same bytes as we do.
fn packet<P: Peer>(work: &Work) -> P::Packet {
    let packet = P::decode(&mut P::input(work.bytes, 1));
    assert_eq!(encoded::<P>(&packet), work.bytes, "{}", P::NAME);
    packet
}

fn encoded<P: Peer>(packet: &P::Packet) -> Vec<u8> {
    let mut output = P::Output::default();
    P::encode(packet, &mut output);
    P::written(&output)
}
