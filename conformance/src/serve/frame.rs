//! Streams cut into frames, by the framing of each protocol and nothing more.

/// The length of the first frame, once enough of it is there to tell.
pub(crate) type Framing = fn(&[u8]) -> Option<usize>;

/// What has come of a stream and makes no whole frame yet.
#[derive(Debug)]
pub(crate) struct Cutter {
    framing: Framing,
    /// The bytes that make no whole frame yet.
    pub(crate) buffer: Vec<u8>,
}

impl Cutter {
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            framing,
            buffer: Vec::new(),
        }
    }

    /// The frames that are whole with these bytes.
    pub(crate) fn cut(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.buffer.extend(bytes);
        let mut frames = Vec::new();
        while let Some(length) = (self.framing)(&self.buffer) {
            if length > self.buffer.len() {
                break;
            }
            frames.push(self.buffer.drain(..length).collect());
        }
        frames
    }
}

/// Frames of AMQP 0-9-1.
pub(crate) fn amqp(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"AMQP") {
        return Some(8);
    }
    let size = bytes.get(3..7)?.first_chunk()?;
    Some(u32::from_be_bytes(*size) as usize + 8)
}

/// Packets of MQTT.
pub(crate) fn mqtt(bytes: &[u8]) -> Option<usize> {
    let (length, at) = varint(bytes.get(1..)?)?;
    Some(1 + at + length)
}

/// A variable byte integer and its length.
pub(crate) fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

/// Frames of STOMP: one with the end-of-lines before it, or an end-of-line alone.
pub(crate) fn stomp(bytes: &[u8]) -> Option<usize> {
    if *bytes.first()? == b'\n' {
        return Some(1);
    }
    let head = bytes.windows(2).position(|two| two == b"\n\n")? + 2;
    let text = String::from_utf8_lossy(&bytes[..head]);
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|value| value.trim().parse::<usize>().ok());
    match length {
        Some(length) => Some(head + length + 1),
        None => Some(head + bytes[head..].iter().position(|&b| b == 0)? + 1),
    }
}

/// Joins the type and body of an MQTT packet.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let more = left > 0x7F;
        bytes.push((left & 0x7F) as u8 | if more { 0x80 } else { 0 });
        left >>= 7;
        if !more {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// The body of an MQTT packet that is whole.
pub(crate) fn body(packet: &[u8]) -> &[u8] {
    let at = varint(&packet[1..]).map_or(packet.len() - 1, |(_, at)| at);
    &packet[1 + at..]
}

/// Class and method of an AMQP method frame.
pub(crate) fn method(frame: &[u8]) -> Option<(u8, u8)> {
    match frame {
        [1, _, _, _, _, _, _, 0, class, 0, method, ..] => Some((*class, *method)),
        _ => None,
    }
}

/// The command of a STOMP frame.
pub(crate) fn command(frame: &[u8]) -> &[u8] {
    frame.split(|&b| b == b'\n').next().unwrap_or_default()
}
