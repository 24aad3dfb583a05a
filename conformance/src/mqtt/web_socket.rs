//! MQTT over WebSocket (6), with frames of WebSocket as bytes (RFC 6455).

use std::fmt;

use super::play::{Play, Played};
use super::wire::PING;
use crate::case::Section;
use crate::target::Protocol;
use crate::transcript::{hex_line, shown};
use crate::verdict::{Setup, Stop, fail, not_applicable};
use crate::wire::{Parsed, Seen, Wire};

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "WebSocket",
    cases: cases! {
        "binary-frames" Must [V311 "MQTT-6.0.0-1", V5 "MQTT-6.0.0-1"]
            "A CONNECT in a binary frame is answered in a binary frame"
            |p| connected(p).map(drop);
        "text-frame" Must [V311 "MQTT-6.0.0-1", V5 "MQTT-6.0.0-1"]
            "A packet in a text frame closes the connection"
            text_frame;
        "packet-in-several-frames" Must [V311 "MQTT-6.0.0-2", V5 "MQTT-6.0.0-2"]
            "A packet may be spread over several frames"
            packet_in_several_frames;
        "several-packets-in-a-frame" Must [V311 "MQTT-6.0.0-2", V5 "MQTT-6.0.0-2"]
            "A frame may hold several packets, and a part of the next"
            several_packets_in_a_frame;
        "subprotocol" Must [V311 "MQTT-6.0.0-4", V5 "MQTT-6.0.0-4"]
            "The broker selects the subprotocol mqtt"
            |p| selected(p, "mqtt");
        "subprotocol-of-several" Must [V311 "MQTT-6.0.0-4", V5 "MQTT-6.0.0-4"]
            "The broker selects the subprotocol mqtt out of several"
            |p| selected(p, "chat, mqtt");
        // The rule binds the client alone.
        "without-subprotocol" Leniency [V311 "MQTT-6.0.0-3", V5 "MQTT-6.0.0-3"]
            "A client that does not offer the subprotocol mqtt is refused"
            without_subprotocol;
    },
};

/// Opcodes (RFC 6455, 5.2).
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING_FRAME: u8 = 9;
const CONTINUATION: u8 = 0;

/// The last frame of a message.
const FINAL: u8 = 0x80;

/// A frame as it came.
struct Frame {
    opcode: u8,
    payload: Vec<u8>,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.opcode {
            CONTINUATION => "a continuation frame",
            TEXT => "a text frame",
            BINARY => "a binary frame",
            CLOSE => "a Close frame",
            _ => "a control frame",
        };
        write!(f, "{name} of [{}]", hex_line(&self.payload))
    }
}

/// A frame of a client, which is masked (RFC 6455, 5.3).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | short as u8),
        long => {
            bytes.push(0x80 | 126);
            bytes.extend((long as u16).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m));
    bytes
}

fn parse_frame(bytes: &[u8]) -> Parsed<Frame> {
    let [first, second, ..] = *bytes else {
        return Parsed::Incomplete;
    };
    if second & 0x80 != 0 {
        return Parsed::Malformed("a masked frame of a server".into());
    }
    let (length, start) = match second {
        126 => match bytes.get(2..4) {
            Some(length) => (u16::from_be_bytes([length[0], length[1]]).into(), 4),
            None => return Parsed::Incomplete,
        },
        127 => return Parsed::Malformed("a frame of more than 65,535 bytes".into()),
        short => (usize::from(short), 2),
    };
    match bytes.get(start..start + length) {
        None => Parsed::Incomplete,
        Some(payload) => Parsed::Whole(
            Frame {
                opcode: first & 0x0F,
                payload: payload.to_vec(),
            },
            start + length,
        ),
    }
}

/// The head of an HTTP response.
fn parse_head(bytes: &[u8]) -> Parsed<String> {
    let end = b"\r\n\r\n";
    match bytes.windows(end.len()).position(|window| window == end) {
        None => Parsed::Incomplete,
        Some(at) => {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            Parsed::Whole(head, at + end.len())
        }
    }
}

/// The answer to a WebSocket handshake that offers these subprotocols.
fn handshake(p: &Play<'_>, offered: Option<&str>) -> Played<(Wire, Seen<String>)> {
    let target = p.ctx.target;
    let address = target
        .web_socket
        .as_ref()
        .ok_or_else(|| not_applicable("the URL is not one of WebSocket"))?;
    let mut wire = p.ctx.connect_below_web_socket(address.port)?;
    let offer = offered.map_or_else(String::new, |offered| {
        format!("Sec-WebSocket-Protocol: {offered}\r\n")
    });
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n",
        address.path, target.host, address.port
    );
    wire.send(request.as_bytes());
    let answer = wire.next(parse_head)?;
    Ok((wire, answer))
}

/// The value of a header, in an answer that accepts.
fn accepted(answer: &Seen<String>, header: &str) -> Result<Option<String>, Stop> {
    let head = match answer {
        Seen::Frame(head) if head.starts_with("HTTP/1.1 101") => head,
        other => return Err(fail("HTTP/1.1 101", other.to_string())),
    };
    Ok(head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case(header))
        .map(|(_, value)| value.trim().to_owned()))
}

fn selected(p: &Play<'_>, offered: &str) -> Played {
    let (_, answer) = handshake(p, Some(offered))?;
    match accepted(&answer, "Sec-WebSocket-Protocol")?.as_deref() {
        Some("mqtt") => Ok(()),
        _ => Err(fail("Sec-WebSocket-Protocol: mqtt", answer.to_string())),
    }
}

fn without_subprotocol(p: &Play<'_>) -> Played {
    open(p)?;
    match handshake(p, None)?.1 {
        Seen::Frame(head) if head.starts_with("HTTP/1.1 101") => Err(fail("a refusal", head)),
        _ => Ok(()),
    }
}

/// A connection over which WebSocket is spoken.
fn open(p: &Play<'_>) -> Played<Wire> {
    let (wire, answer) = handshake(p, Some("mqtt"))?;
    accepted(&answer, "Sec-WebSocket-Protocol").setup("the WebSocket handshake")?;
    Ok(wire)
}

/// The packets in the binary frames that come, once they have this many bytes.
fn expect_packets(wire: &mut Wire, length: usize, expected: &str) -> Played<Vec<u8>> {
    let mut packets = Vec::new();
    while packets.len() < length {
        match wire.next(parse_frame)? {
            Seen::Frame(frame) if matches!(frame.opcode, BINARY | CONTINUATION) => {
                packets.extend(frame.payload);
            }
            Seen::Frame(frame) if frame.opcode == PING_FRAME => {}
            other => return Err(fail(expected, other.to_string())),
        }
    }
    Ok(packets)
}

fn expect_connack(wire: &mut Wire) -> Played {
    let expected = "a CONNACK with success in a binary frame";
    let packets = expect_packets(wire, 4, expected)?;
    match packets[..] {
        [0x20, _, 0, 0, ..] => Ok(()),
        _ => Err(fail(expected, shown(&packets))),
    }
}

/// A client that has connected by binary frames.
fn connected(p: &Play<'_>) -> Played<Wire> {
    let mut wire = open(p)?;
    wire.send(&frame(FINAL | BINARY, &p.connect().bytes()));
    expect_connack(&mut wire)?;
    Ok(wire)
}

fn expect_pong(wire: &mut Wire) -> Played {
    let expected = "PINGRESP [D0 00] in a binary frame";
    let packets = expect_packets(wire, 2, expected)?;
    if packets == [0xD0, 0x00] {
        Ok(())
    } else {
        Err(fail(expected, shown(&packets)))
    }
}

fn text_frame(p: &Play<'_>) -> Played {
    let mut wire = connected(p).setup("connecting")?;
    // Half of a PINGREQ is text too.
    wire.send(&frame(FINAL | TEXT, b"\x00"));
    wire.send(&frame(FINAL | BINARY, PING));
    loop {
        match wire.next(parse_frame)? {
            Seen::Ended(..) => return Ok(()),
            Seen::Frame(frame) if frame.opcode == CLOSE => return Ok(()),
            // In 5.0 a DISCONNECT says why.
            Seen::Frame(frame) if frame.payload.first() == Some(&0xE0) => {}
            other => return Err(fail("the connection closed", other.to_string())),
        }
    }
}

fn packet_in_several_frames(p: &Play<'_>) -> Played {
    let mut wire = open(p)?;
    let connect = p.connect().bytes();
    let (first, rest) = connect.split_at(1);
    let (second, third) = rest.split_at(rest.len() / 2);
    // Three messages, the last of which comes in two frames.
    wire.send(&frame(FINAL | BINARY, first));
    wire.send(&frame(FINAL | BINARY, second));
    let (third, fourth) = third.split_at(third.len() / 2);
    wire.send(&frame(BINARY, third));
    wire.send(&frame(FINAL | CONTINUATION, fourth));
    expect_connack(&mut wire)
}

fn several_packets_in_a_frame(p: &Play<'_>) -> Played {
    let mut wire = connected(p).setup("connecting")?;
    wire.send(&frame(FINAL | BINARY, &[PING, PING, &PING[..1]].concat()));
    let expected = "two PINGRESPs in binary frames";
    let packets = expect_packets(&mut wire, 4, expected)?;
    if packets != [0xD0, 0x00, 0xD0, 0x00] {
        return Err(fail(expected, shown(&packets)));
    }
    wire.send(&frame(FINAL | BINARY, &PING[1..]));
    expect_pong(&mut wire)
}
