//! What the next packet is, before it is taken.

/// The packet identifier of a PUBLISH, as far as its bytes have come (MQTT 5.0 section 3.3.2.2).
/// None: it is not there yet, or the packet has none.
pub(super) fn packet_identifier(publish: &[u8]) -> Option<u16> {
    let (first, rest) = publish.split_first()?;
    if first & 0b110 == 0 {
        return None;
    }
    // The remaining length takes four bytes at most, the last of which is less than 128.
    let last = rest.iter().take(4).position(|byte| *byte < 0x80)?;
    let (topic, rest) = rest.get(last + 1..)?.split_first_chunk()?;
    let rest = rest.get(usize::from(u16::from_be_bytes(*topic))..)?;
    rest.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::packet_identifier;

    /// A PUBLISH of QoS 1 to `t` with the payload `m`, under the identifier 0x0102.
    const PUBLISH: [u8; 8] = [0x32, 6, 0, 1, b't', 1, 2, b'm'];

    #[test]
    fn an_identifier_is_found_when_it_has_come() {
        for len in 0..PUBLISH.len() {
            let expected = (len >= 7).then_some(0x0102);
            assert_eq!(packet_identifier(&PUBLISH[..len]), expected, "{len}");
        }
        let long = [0x34, 0x86, 0x80, 0x80, 0, 0, 1, b't', 1, 2];
        assert_eq!(packet_identifier(&long), Some(0x0102));
        let endless = [0x34, 0x86, 0x80, 0x80, 0x80, 0, 0, 1, b't', 1, 2];
        assert_eq!(packet_identifier(&endless), None);
        let without = [0x30, 6, 0, 1, b't', 1, 2, b'm'];
        assert_eq!(packet_identifier(&without), None);
    }
}
