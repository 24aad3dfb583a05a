//! Short strings that are not UTF-8: a content's properties and the names of a
//! table pass on as they came, in either role (RabbitMQ 3.10.8 and 4.0 do not look
//! at them: `rabbit_framing_amqp_0_9_1:decode_properties` and
//! `rabbit_binary_parser:parse_table`).

use crate::peers::*;
use amqp_codec::connection::{ClientConfig, ClientEvent, Delivery, InboundPublish, ServerEvent};
use amqp_codec::method::basic;

/// Content headers of an empty body: flags (section 4.2.6.1), then the property.
#[rustfmt::skip] // A row a line.
const ROWS: &[(&str, u16, &[u8])] = &[
    ("content-type",     0x8000, b"\x02\xff\xfe"),
    ("content-encoding", 0x4000, b"\x02\xff\xfe"),
    ("a header's name",  0x2000, b"\x00\x00\x00\x04\x02\xff\xfeV"),
    ("a name, nested",   0x2000, b"\x00\x00\x00\x0a\x01aF\x00\x00\x00\x03\x01\xffV"),
    ("correlation-id",   0x0400, b"\x02\xff\xfe"),
    ("reply-to",         0x0200, b"\x01\xc3"),
    ("expiration",       0x0100, b"\x02\xc0\x80"),
    ("message-id",       0x0080, b"\x03\xed\xa0\x80"),
    ("type",             0x0020, b"\x01\xff"),
    ("user-id",          0x0010, b"\x01\x80"),
    ("app-id",           0x0008, b"\x02a\xff"),
    ("reserved",         0x0004, b"\x02\x00\xff"),
];

fn header_of(flags: u16, properties: &[u8]) -> Vec<u8> {
    let mut payload = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    payload.extend(flags.to_be_bytes());
    payload.extend(properties);
    frame(2, 1, &payload)
}

#[test]
fn properties_that_are_not_utf8_pass_on() {
    for (name, flags, property) in ROWS {
        let header = header_of(*flags, property);

        let mut server = open_server(server_config(), 4096, 0);
        let bytes = [publish(1), header.clone()].concat();
        let events = feed_server(&mut server, NOW, &bytes).expect(name);
        let [ServerEvent::Publish(InboundPublish { content, .. })] = &events[..] else {
            panic!("{name}: {events:?}")
        };
        server
            .deliver(1, "t", Redelivered::No, &content.message())
            .unwrap();
        let mut sent = Vec::new();
        server.poll_transmit(NOW, &mut sent);
        assert!(sent.ends_with(&header), "{name}");

        let mut client = open_client(ClientConfig::default(), 4096, 0);
        let bytes = [method(1, basic::Deliver::default()), header.clone()].concat();
        let events = feed_client(&mut client, NOW, &bytes).expect(name);
        let [ClientEvent::Deliver(Delivery { content, .. })] = &events[..] else {
            panic!("{name}: {events:?}")
        };
        client
            .publish(1, Mandatory::No, &content.message())
            .unwrap();
        let mut sent = Vec::new();
        client.poll_transmit(NOW, &mut sent);
        assert!(sent.ends_with(&header), "{name}");
    }
}
