//! What a client of MQTT 5.0 sends, as bytes.

fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut len = rest.len();
    while len > 127 {
        bytes.push((len % 128) as u8 | 0x80);
        len /= 128;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(rest);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

/// CONNECT with a clean start. A session that `lasts` outlives the connection.
#[must_use]
pub fn connect(client: &str, lasts: bool) -> Vec<u8> {
    let properties: &[u8] = if lasts {
        &[5, 0x11, 0xFF, 0xFF, 0xFF, 0xFF]
    } else {
        &[0]
    };
    let head = [&text("MQTT")[..], &[5, 2, 0, 0], properties].concat();
    packet(0x10, &[head, text(client)].concat())
}

/// SUBSCRIBE with this QoS.
#[must_use]
pub fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    packet(0x82, &[&[0, 1, 0][..], &text(filter), &[qos]].concat())
}

/// UNSUBSCRIBE.
#[must_use]
pub fn unsubscribe(filter: &str) -> Vec<u8> {
    packet(0xA2, &[&[0, 1, 0][..], &text(filter)].concat())
}

/// PUBLISH with QoS 0, which is kept for those who come later if it is `retained`.
#[must_use]
pub fn publish(topic: &str, body: usize, retained: bool) -> Vec<u8> {
    let rest = [&text(topic)[..], &[0], &vec![b'a'; body]].concat();
    packet(0x30 | u8::from(retained), &rest)
}
