//! A CONNECT that breaks the form of one (3.1).

use super::play::{Play, Played};
use super::property::{
    AUTHENTICATION_DATA, MAXIMUM_PACKET_SIZE, RECEIVE_MAXIMUM, REQUEST_PROBLEM_INFORMATION,
    REQUEST_RESPONSE_INFORMATION, SESSION_EXPIRY_INTERVAL, TOPIC_ALIAS, byte, four_byte, text,
    two_byte,
};
use super::wire::{Connect, Version, Will, packet, string};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::fail;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "A CONNECT of the wrong form",
    cases: cases! {
        "connect-reserved-flag" Must [V311 "MQTT-3.1.2-3", V5 "MQTT-3.1.2-3"]
            "A CONNECT with the reserved flag set is refused"
            |p| refused(p, &Connect { flags: 0x01, ..p.connect() });
        "connect-header-flags" Must [V311 "MQTT-2.2.2-2" & "MQTT-2.2.2-1", V5 "MQTT-2.1.3-1"]
            "A CONNECT with a reserved bit in its first octet is refused"
            |p| {
                let mut bytes = p.connect().bytes();
                bytes[0] |= 0x01;
                p.refuses_connect(&bytes).map(drop)
            };
        "protocol-name" Must [V31 "CONNECT", V311 "MQTT-3.1.2-1", V5 "MQTT-3.1.2-1"]
            "A CONNECT with another protocol name is refused"
            |p| refused(p, &Connect { name: "MQTTX", ..p.connect() });
        "protocol-name-in-lower-case" Must [V311 "MQTT-3.1.2-1", V5 "MQTT-3.1.2-1"]
            "A CONNECT with the protocol name in lower case is refused"
            |p| refused(p, &Connect { name: "mqtt", ..p.connect() });
        "protocol-name-of-3.1" May [V311 "MQTT-3.1.2-1", V5 "MQTT-3.1.2-1"]
            "A CONNECT with the protocol name of MQTT 3.1 at another level is refused"
            |p| refused(p, &Connect { name: "MQIsdp", ..p.connect() });
        "level-unknown" Must [V311 "MQTT-3.1.2-2"]
            "A protocol level that does not exist is answered with CONNACK 0x01 and the end"
            level_unknown;
        "level-unknown-closes" Must [V5 "MQTT-3.1.2-2"]
            "A protocol level that does not exist is refused"
            |p| refused(p, &Connect { level: 6, ..p.connect() });
        "will-qos-3" Must [V31 "CONNECT", V311 "MQTT-3.1.2-14" & "MQTT-3.2.2-4" & "MQTT-3.2.2-5", V5 "MQTT-3.1.2-12" & "MQTT-3.2.2-6" & "MQTT-3.2.2-7" & "MQTT-3.14.0-1"]
            "A will with QoS 3 is refused"
            |p| refused(p, &Connect { will: Some(Will { qos: 3, ..will(p) }), ..p.connect() });
        "will-qos-without-will" Must [V311 "MQTT-3.1.2-13" & "MQTT-3.1.2-11", V5 "MQTT-3.1.2-11"]
            "A will QoS without a will is refused"
            |p| refused(p, &Connect { flags: 0x08, ..p.connect() });
        "will-retain-without-will" Must [V311 "MQTT-3.1.2-15", V5 "MQTT-3.1.2-13"]
            "A will retain flag without a will is refused"
            |p| refused(p, &Connect { flags: 0x20, ..p.connect() });
        "will-missing" Must [V311 "MQTT-3.1.2-9", V5 "MQTT-3.1.2-9"]
            "A will flag without a will in the payload is refused"
            |p| refused(p, &Connect { flags: 0x04, user: None, password: None, ..p.connect() });
        "will-topic-empty" Must [V311 "MQTT-4.7.3-1", V5 "MQTT-4.7.3-1"]
            "A will with an empty topic is refused"
            |p| refused(p, &Connect {
                will: Some(Will { topic: Vec::new(), ..will(p) }),
                ..p.connect()
            });
        "will-topic-with-wildcard" Must [V311 "MQTT-4.7.1-1", V5 "MQTT-4.7.0-1"]
            "A will with a wildcard in its topic is refused"
            |p| refused(p, &Connect {
                will: Some(Will { topic: b"a/#".to_vec(), ..will(p) }),
                ..p.connect()
            });
        "password-without-user-name" Must [V311 "MQTT-3.1.2-22"]
            "A password without a user name is refused"
            |p| refused(p, &Connect {
                user: None,
                password: Some(b"secret".to_vec()),
                ..p.connect()
            });
        "user-name-missing" Must [V311 "MQTT-3.1.2-19", V5 "MQTT-3.1.2-17"]
            "A user name flag without a user name in the payload is refused"
            |p| refused(p, &Connect { flags: 0x80, user: None, password: None, ..p.connect() });
        "password-missing" Must [V311 "MQTT-3.1.2-21", V5 "MQTT-3.1.2-19"]
            "A password flag without a password in the payload is refused"
            |p| refused(p, &Connect {
                flags: 0x40,
                user: Some(b"u".to_vec()),
                password: None,
                ..p.connect()
            });
        "trailing-octets" Must [V311 "MQTT-3.1.4-1" & "MQTT-3.1.2-18" & "MQTT-3.1.2-20", V5 "MQTT-3.1.4-1" & "MQTT-3.1.2-16" & "MQTT-3.1.2-18"]
            "A CONNECT with octets behind its payload is refused"
            |p| refused(p, &Connect { trailing: vec![0, 1, b'x'], ..p.connect() });
        "client-id-missing" Must [V311 "MQTT-3.1.3-3", V5 "MQTT-3.1.3-3"]
            "A CONNECT without a client identifier is refused"
            client_id_missing;
        "client-id-null" Must [V311 "MQTT-1.5.3-2", V5 "MQTT-1.5.4-2"]
            "A client identifier with U+0000 is refused"
            |p| refused(p, &Connect { client_id: b"a\0b".to_vec(), ..p.connect() });
        "client-id-surrogate" Must [V311 "MQTT-1.5.3-1", V5 "MQTT-1.5.4-1"]
            "A client identifier with an encoded surrogate is refused"
            |p| refused(p, &Connect { client_id: b"a\xED\xA0\x80".to_vec(), ..p.connect() });
        "client-id-not-utf8" Must [V311 "MQTT-3.1.3-4", V5 "MQTT-3.1.3-4"]
            "A client identifier that is not UTF-8 is refused"
            |p| refused(p, &Connect { client_id: b"a\xC3(".to_vec(), ..p.connect() });
        "user-name-not-utf8" Must [V311 "MQTT-3.1.3-11", V5 "MQTT-3.1.3-12"]
            "A user name that is not UTF-8 is refused"
            |p| refused(p, &Connect { user: Some(b"u\xFF".to_vec()), ..p.connect() });
        "will-topic-not-utf8" Must [V311 "MQTT-3.1.3-10", V5 "MQTT-3.1.3-11"]
            "A will topic that is not UTF-8 is refused"
            |p| refused(p, &Connect {
                will: Some(Will { topic: b"a/\xC0\x80".to_vec(), ..will(p) }),
                ..p.connect()
            });
        "receive-maximum-0" Must [V5 "3.1.2.11.3"]
            "A receive maximum of 0 is refused"
            |p| refused_with(p, two_byte(RECEIVE_MAXIMUM, 0));
        "maximum-packet-size-0" Must [V5 "3.1.2.11.4"]
            "A maximum packet size of 0 is refused"
            |p| refused_with(p, four_byte(MAXIMUM_PACKET_SIZE, 0));
        "request-response-information-2" Must [V5 "3.1.2.11.6"]
            "A request for response information that is neither 0 nor 1 is refused"
            |p| refused_with(p, byte(REQUEST_RESPONSE_INFORMATION, 2));
        "request-problem-information-2" Must [V5 "3.1.2.11.7"]
            "A request for problem information that is neither 0 nor 1 is refused"
            |p| refused_with(p, byte(REQUEST_PROBLEM_INFORMATION, 2));
        "authentication-data-alone" Must [V5 "3.1.2.11.10"]
            "Authentication data without a method is refused"
            |p| refused_with(p, text(AUTHENTICATION_DATA, b"secret"));
        "property-twice" Must [V5 "3.1.2.11.2"]
            "A session expiry interval that comes twice is refused"
            |p| refused_with(p, four_byte(SESSION_EXPIRY_INTERVAL, 1).repeat(2));
        "property-of-another-packet" Must [V5 "2.2.2.2"]
            "A CONNECT with a topic alias is refused"
            |p| refused_with(p, two_byte(TOPIC_ALIAS, 1));
        "property-unknown" Must [V5 "2.2.2.2"]
            "A CONNECT with a property that does not exist is refused"
            |p| refused_with(p, byte(0x7E, 0));
        "property-cut-short" Must [V5 "2.2.2.2"]
            "A property that goes on behind the property length is refused"
            |p| refused_with(p, vec![SESSION_EXPIRY_INTERVAL, 0, 0]);
        "will-property-of-another-packet" Must [V5 "2.2.2.2"]
            "A will with a topic alias is refused"
            |p| refused(p, &Connect {
                will: Some(Will { properties: two_byte(TOPIC_ALIAS, 1), ..will(p) }),
                ..p.connect()
            });
        // CVE-2023-3592.
        "will-property-twice" Must [V5 "3.1.3.2"]
            "A will with two content types is refused"
            |p| refused(p, &Connect {
                will: Some(Will { properties: text(0x03, "a").repeat(2), ..will(p) }),
                ..p.connect()
            });
        // CVE-2026-21888.
        "property-length-of-five-octets" Must [V5 "1.5.5"]
            "A property length of five octets is refused"
            |p| property_length(p, &[0x80, 0x80, 0x80, 0x80, 0x00]);
        "property-length-not-minimal" Must [V5 "MQTT-1.5.5-1"]
            "A property length of 0 in two octets is refused"
            |p| property_length(p, &[0x80, 0x00]);
        "property-length-past-the-end" Must [V5 "2.2.2.1"]
            "A property length that is longer than the packet is refused"
            |p| property_length(p, &[0xFF, 0x7F]);
    },
};

fn will(p: &Play<'_>) -> Will {
    Will {
        topic: p.name("w").into(),
        payload: b"will".to_vec(),
        ..Will::default()
    }
}

fn refused(p: &Play<'_>, connect: &Connect) -> Played {
    p.refuses_connect(&connect.bytes()).map(drop)
}

fn refused_with(p: &Play<'_>, properties: Vec<u8>) -> Played {
    refused(
        p,
        &Connect {
            properties,
            ..p.connect()
        },
    )
}

fn level_unknown(p: &Play<'_>) -> Played {
    let connect = Connect {
        level: 6,
        ..p.connect()
    };
    match p.refuses_connect(&connect.bytes())? {
        // The latter is what 5.0 has for it.
        Some(0x01 | 0x84) => Ok(()),
        Some(code) => Err(fail(
            "CONNACK with 0x01, or 0x84",
            format!("CONNACK with 0x{code:02X} and the end"),
        )),
        None => Err(fail(
            "CONNACK with 0x01, or 0x84",
            "the connection closed without a CONNACK",
        )),
    }
}

/// The fixed part of a CONNECT, up to where the properties of 5.0 begin.
fn head(p: &Play<'_>) -> Vec<u8> {
    [string("MQTT"), vec![p.version as u8, 0x02, 0, 0]].concat()
}

fn client_id_missing(p: &Play<'_>) -> Played {
    let mut body = head(p);
    if p.version == Version::V5 {
        body.push(0);
    }
    p.refuses_connect(&packet(0x10, &body)).map(drop)
}

fn property_length(p: &Play<'_>, length: &[u8]) -> Played {
    let body = [&head(p), length, &string(p.name("c"))].concat();
    p.refuses_connect(&packet(0x10, &body)).map(drop)
}
