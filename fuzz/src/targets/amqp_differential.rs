//! AMQP frames beside amq-protocol, the codec of lapin: whether they are accepted, and what
//! is written for them again.

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amqp_codec::{Frame, Limits, decode};

use crate::difference::{Difference, Verdict, compare};

const AMQ: &str = "amq-protocol";

/// Where they differ.
#[rustfmt::skip]
const KNOWN: &[Difference] = &[
    Difference { peer: AMQ, ours: "accepts", theirs: "refuses Error(ParserErrors { error: Nom(MapRes)", why: "names, short strings and properties that are not UTF-8: RabbitMQ passes them on, and so do we" },
    Difference { peer: AMQ, ours: "refuses ContentClass", theirs: "accepts header", why: "section 4.2.6.1: the class of a content header is that of its method, and only basic has contents" },
    Difference { peer: AMQ, ours: "refuses ContentWeight", theirs: "accepts header", why: "section 4.2.6.1: the weight is not used, and must be zero" },
    Difference { peer: AMQ, ours: "refuses PropertyFlags", theirs: "accepts header", why: "section 4.2.6.1: bit 0 of the property flags says that more of them follow, which it does not read, and bit 1 is that of no property" },
    Difference { peer: AMQ, ours: "refuses HeartbeatPayload", theirs: "accepts heartbeat", why: "section 4.2.7: a heartbeat has no payload" },
];

/// Runs one input.
pub fn run(data: &[u8]) {
    // A frame that is whole and alone (section 4.2.3), and no protocol header.
    let Some(size) = data.get(3..7).and_then(|size| size.try_into().ok()) else {
        return;
    };
    let length = (u32::from_be_bytes(size) as usize).saturating_add(8);
    if data.len() != length || data[0] == b'A' {
        return;
    }
    // It has no prefetch-size in basic.qos, and writes 0.
    if matches!(data[7..], [0, 60, 0, 10, a, b, c, d, ..] if [a, b, c, d] != [0; 4]) {
        return;
    }
    let (ours, theirs) = (ours(data), amq_protocol(data));
    // A table is a map there: an entry whose name comes twice is written once.
    if let (Verdict::Accepted(_, ours), Verdict::Accepted(_, theirs)) = (&ours, &theirs)
        && (theirs.len() < ours.len() || differ_by_spelling(ours, theirs))
    {
        return;
    }
    compare(&ours, &[(AMQ, theirs)], KNOWN);
}

/// The bytes in hexadecimal, without their order: entries of tables are sorted there.
fn sorted(mut bytes: Vec<u8>) -> String {
    bytes.sort_unstable();
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Whether nothing differs but what it spells in another way: a boolean that is neither 0 nor 1 is
/// written as 1, and `L`, which means the 64-bit number `l` to RabbitMQ, as `l`.
fn differ_by_spelling(ours: &str, theirs: &str) -> bool {
    let count = |hex: &str, byte: u8| {
        let byte = format!("{byte:02X}");
        hex.as_bytes()
            .chunks(2)
            .filter(|it| *it == byte.as_bytes())
            .count()
    };
    (0..=u8::MAX).all(|byte| match (count(ours, byte), count(theirs, byte)) {
        (ours, theirs) if ours < theirs => matches!(byte, 1 | b'l'),
        (ours, theirs) if ours > theirs => byte > 1,
        _ => true,
    })
}

fn ours(data: &[u8]) -> Verdict {
    match decode(data, &Limits::default()) {
        Err(error) => Verdict::Refused(format!("{:?}", error.kind)),
        Ok(None) => Verdict::Incomplete,
        Ok(Some((frame, _))) => {
            let mut again = Vec::new();
            frame.encode(&mut again).expect("it was decoded");
            let kind = match frame {
                Frame::Method { .. } => "method",
                Frame::Header { .. } => "header",
                Frame::Body { .. } => "body",
                _ => "heartbeat",
            };
            Verdict::Accepted(kind, sorted(again))
        }
    }
}

fn amq_protocol(data: &[u8]) -> Verdict {
    let frame = match parse_frame(data) {
        Err(error) if error.is_incomplete() => return Verdict::Incomplete,
        Err(error) => return Verdict::Refused(format!("{error:?}")),
        Ok((_, frame)) => frame,
    };
    let kind = match frame {
        AMQPFrame::Method(..) => "method",
        AMQPFrame::Header(..) => "header",
        AMQPFrame::Body(..) => "body",
        AMQPFrame::Heartbeat => "heartbeat",
        AMQPFrame::ProtocolHeader(..) => "protocol header",
        AMQPFrame::InvalidHeartbeat(_) => {
            return Verdict::Refused(String::from("a heartbeat of a channel"));
        }
    };
    match gen_frame(&frame)(WriteContext::from(Vec::new())) {
        Err(error) => Verdict::Refused(format!("cannot be written again: {error:?}")),
        Ok(context) => {
            let again = context.into_inner().0;
            Verdict::Accepted(kind, sorted(again))
        }
    }
}
