//! CONNECT and CONNACK: who is let in, and what is said to it (3.1, 3.2).

use std::time::{Duration, Instant};

use super::client::Client;
use super::play::{Play, Played};
use super::property::{
    ASSIGNED_CLIENT_IDENTIFIER, RECEIVE_MAXIMUM, RESPONSE_INFORMATION, SERVER_KEEP_ALIVE,
};
use super::wire::{CONNACK, Connect, PING, PINGRESP, PUBLISH, Packet, SUBACK, Version};
use crate::case::Section;
use crate::target::Protocol;
use crate::verdict::{fail, not_applicable};
use crate::wire::Seen;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Connecting",
    cases: cases! {
        "accepted" Must [V31 "CONNECT", V311 "MQTT-3.1.4-4", V5 "MQTT-3.1.4-5" & "MQTT-3.2.2-1" & "MQTT-3.2.2-8"]
            "A correct CONNECT is acknowledged with success and without a session"
            accepted;
        "connack-properties" Must [V5 "3.2.2.3"]
            "The properties of a CONNACK are ones that it may have, in their range"
            connack_properties;
        "response-information" Must [V5 "MQTT-3.1.2-28"]
            "Response Information is not sent to a client that has not asked for it"
            response_information;
        "pipelined" Must [V311 "MQTT-3.2.0-1", V5 "MQTT-3.2.0-1"]
            "What is sent right behind the CONNECT is answered, and after the CONNACK"
            pipelined;
        "octet-by-octet" Must [V311 "MQTT-3.1.4-4" & "MQTT-7.1.1-1", V5 "MQTT-4.2-1"]
            "A CONNECT that comes one octet at a time is acknowledged like any other"
            octet_by_octet;
        "client-id-23" Must [V31 "CONNECT", V311 "MQTT-3.1.3-5", V5 "MQTT-3.1.3-5"]
            "A client identifier of 23 letters and digits is allowed"
            client_id_23;
        "client-id-empty" Must [V311 "MQTT-3.1.3-6", V5 "MQTT-3.1.3-7" & "MQTT-3.1.3-6" & "MQTT-3.2.2-16"]
            "Clients with an empty client identifier get one each, in 5.0 told by the CONNACK"
            client_id_empty;
        "client-id-empty-without-clean-session" Must [V311 "MQTT-3.1.3-8" & "MQTT-3.1.3-7"]
            "An empty client identifier without a clean session is answered with 0x02 and the end"
            client_id_empty_without_clean_session;
        "client-id-unwanted" Must [V311 "MQTT-3.1.3-9", V5 "MQTT-3.1.3-8"]
            "A long client identifier is accepted, or refused as one: 0x02 in 3.1.1, in 5.0 0x85 or the end"
            client_id_unwanted;
        "wrong-password" Must [V311 "MQTT-3.2.2-5", V5 "MQTT-3.1.4-2"]
            "A client with a wrong password is refused, and its connection closed"
            wrong_password;
        "password-without-user-name" Must [V5 "3.1.2.9"]
            "A password without a user name is no error of form"
            password_without_user_name;
        "second-connect" Must [V31 "CONNECT", V311 "MQTT-3.1.0-2", V5 "MQTT-3.1.0-2"]
            "A second CONNECT closes the connection"
            second_connect;
        "takeover" Must [V31 "CONNECT", V311 "MQTT-3.1.4-2", V5 "MQTT-3.1.4-3" & "MQTT-3.14.4-2"]
            "A second connection of a client identifier closes the first one"
            |p| takeover(p).map(drop);
        "takeover-reason" Should [V5 "3.1.4"]
            "The first connection of a client identifier that is taken over learns 0x8E"
            takeover_reason;
        "pingresp" Must [V31 "PINGREQ", V311 "MQTT-3.12.4-1", V5 "MQTT-3.12.4-1"]
            "A PINGREQ is answered with a PINGRESP"
            |p| {
                let mut client = p.client()?;
                client.wire.send(PING);
                client.wire.expect_bytes(&[0xD0, 0x00], "PINGRESP")
            };
        "keep-alive-expires" Must [V311 "MQTT-3.1.2-24", V5 "MQTT-3.1.2-22" & "MQTT-3.2.2-22"]
            "A client that is silent for one and a half times the keep alive is cut off"
            super::timed(keep_alive_expires);
        "keep-alive-kept" Must [V311 "MQTT-3.1.2-24", V5 "MQTT-3.1.2-22"]
            "A client that sends any packet within the keep alive stays connected"
            super::timed(keep_alive_kept);
    },
};

fn accepted(p: &Play<'_>) -> Played {
    let client = p.join_accepted(&p.connect())?;
    if client.connack.session_present {
        return Err(fail("session present 0", client.connack.text));
    }
    client.disconnect()
}

fn connack_properties(p: &Play<'_>) -> Played {
    // That they are well formed, and sent once, has been seen by `client`.
    let client = p.client()?;
    let properties = &client.connack.properties;
    let wrong = |what: &str| Err(fail(what, client.connack.text.clone()));
    for flag in [0x24, 0x25, 0x28, 0x29, 0x2A] {
        if properties.numbers(flag).iter().any(|&value| value > 1) {
            return wrong(&format!("0 or 1 in the property 0x{flag:02X}"));
        }
    }
    if properties.number(RECEIVE_MAXIMUM) == Some(0) || properties.number(0x27) == Some(0) {
        return wrong("a receive maximum and a maximum packet size other than 0");
    }
    if properties.has(ASSIGNED_CLIENT_IDENTIFIER) {
        return wrong("no assigned client identifier for a client that has one");
    }
    Ok(())
}

fn response_information(p: &Play<'_>) -> Played {
    for properties in [&[][..], &[0x19, 0x00]] {
        let client = p.join(&Connect {
            properties: properties.to_vec(),
            ..p.connect()
        })?;
        if client.connack.properties.has(RESPONSE_INFORMATION) {
            return Err(fail("no Response Information", client.connack.text));
        }
    }
    Ok(())
}

fn pipelined(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    drop(p.client()?);
    let mut client = p.open()?;
    let bytes = [
        p.connect().bytes(),
        p.subscribe(&topic, 0),
        p.publish(&topic, b"early").bytes(),
        PING.to_vec(),
    ];
    client.wire.send(&bytes.concat());
    client.await_connack("CONNACK first")?;
    let mut missing = vec![SUBACK, PINGRESP];
    while !missing.is_empty() {
        let expected = "SUBACK and PINGRESP, in whatever order, after the CONNACK";
        match client.next()? {
            Seen::Frame(packet) if packet.kind() == PUBLISH => {}
            Seen::Frame(packet) if missing.contains(&packet.kind()) => {
                missing.retain(|kind| *kind != packet.kind());
            }
            other => return Err(fail(expected, other.to_string())),
        }
    }
    Ok(())
}

fn octet_by_octet(p: &Play<'_>) -> Played {
    drop(p.client()?);
    let mut client = p.open()?;
    for octet in p.connect().bytes() {
        client.wire.send(&[octet]);
        p.ctx.pause(Duration::from_millis(2))?;
    }
    client.await_connack("CONNACK with success")?;
    for octet in PING {
        client.wire.send(&[*octet]);
        p.ctx.pause(Duration::from_millis(20))?;
    }
    client.expect(PINGRESP, "PINGRESP").map(drop)
}

fn client_id_23(p: &Play<'_>) -> Played {
    drop(p.client()?);
    let mut client_id = p.name("AZaz09");
    let filler = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    client_id.push_str(&filler[..23 - client_id.len()]);
    p.join_accepted(&Connect {
        client_id: client_id.into(),
        ..p.connect()
    })?
    .disconnect()
}

fn client_id_empty(p: &Play<'_>) -> Played {
    drop(p.client()?);
    let connect = Connect {
        client_id: Vec::new(),
        ..p.connect()
    };
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = p.open()?;
        client.wire.send(&connect.bytes());
        match client.next()? {
            Seen::Frame(packet) if matches!(packet.body.get(1), Some(0x02 | 0x85)) => {
                return Err(not_applicable(format!(
                    "the broker wants a client identifier: {packet}"
                )));
            }
            _ => drop(client),
        }
        clients.push(p.join_accepted(&connect)?);
    }
    let [first, second] = &mut clients[..] else {
        unreachable!("two clients were pushed");
    };
    // Neither has taken over the other.
    first.settle()?;
    second.settle()?;
    if p.version == Version::V5 {
        let assigned = |client: &Client| {
            let properties = &client.connack.properties;
            properties
                .bytes(ASSIGNED_CLIENT_IDENTIFIER)
                .map(<[u8]>::to_vec)
                .ok_or_else(|| {
                    fail(
                        "an assigned client identifier in the CONNACK",
                        client.connack.text.clone(),
                    )
                })
        };
        if assigned(first)? == assigned(second)? {
            return Err(fail(
                "different client identifiers",
                second.connack.text.clone(),
            ));
        }
    }
    Ok(())
}

fn client_id_empty_without_clean_session(p: &Play<'_>) -> Played {
    let connect = Connect {
        client_id: Vec::new(),
        clean: false,
        ..p.connect()
    };
    match p.refuses_connect(&connect.bytes())? {
        Some(0x02) => Ok(()),
        Some(code) => Err(fail(
            "CONNACK 0x02",
            format!("CONNACK with 0x{code:02X} and the end"),
        )),
        None => Err(fail(
            "CONNACK 0x02",
            "the connection closed without CONNACK",
        )),
    }
}

fn client_id_unwanted(p: &Play<'_>) -> Played {
    let expected = match p.version {
        Version::V5 => "CONNACK with success or 0x85, or the end",
        _ => "CONNACK with success, or 0x02 and the end",
    };
    p.client()?;
    let mut client = p.open()?;
    let connect = Connect {
        client_id: format!("{}{}", p.name("c"), "x".repeat(1000)).into(),
        ..p.connect()
    };
    client.wire.send(&connect.bytes());
    match client.next()? {
        Seen::Frame(packet) if packet.kind() == CONNACK => match packet.body.get(1) {
            Some(0) => Ok(()),
            Some(0x02) if p.version != Version::V5 => client.expect_end(expected),
            Some(0x85) if p.version == Version::V5 => client.expect_end(expected),
            _ => Err(fail(expected, packet.to_string())),
        },
        Seen::Ended(_, rest) if rest.is_empty() && p.version == Version::V5 => Ok(()),
        other => Err(fail(expected, other.to_string())),
    }
}

fn wrong_password(p: &Play<'_>) -> Played {
    let Some(password) = &p.ctx.target.password else {
        return Err(not_applicable("the URL has no password"));
    };
    p.client()?;
    let mut client = p.open()?;
    let connect = Connect {
        password: Some(format!("not {password}").into()),
        ..p.connect()
    };
    client.wire.send(&connect.bytes());
    match client.next()? {
        Seen::Ended(_, rest) if rest.is_empty() => Ok(()),
        Seen::Frame(packet) if packet.kind() == CONNACK && packet.body.get(1) == Some(&0) => Err(
            not_applicable(format!("the broker takes any password: {packet}")),
        ),
        Seen::Frame(packet) if packet.kind() == CONNACK => {
            client.expect_end("the connection closed after the CONNACK")
        }
        other => Err(fail("CONNACK with an error, or the end", other.to_string())),
    }
}

fn password_without_user_name(p: &Play<'_>) -> Played {
    drop(p.client()?);
    let mut client = p.open()?;
    let connect = Connect {
        user: None,
        password: Some(b"secret".to_vec()),
        ..p.connect()
    };
    client.wire.send(&connect.bytes());
    match client.next()? {
        // Whether the password opens the door is another question.
        Seen::Frame(packet)
            if packet.kind() == CONNACK
                && matches!(packet.body.get(1), Some(0x00 | 0x86 | 0x87 | 0x8C)) =>
        {
            Ok(())
        }
        // A CONNACK before the end is the broker's to send or not (MQTT-3.1.4-2).
        Seen::Ended(end, rest) if rest.is_empty() => Err(not_applicable(format!(
            "{end} without a CONNACK, as one may that lets nobody in without a user name"
        ))),
        other => Err(fail(
            "CONNACK with success, 0x86, 0x87 or 0x8C",
            other.to_string(),
        )),
    }
}

fn second_connect(p: &Play<'_>) -> Played {
    let connect = p.connect();
    let mut client = p.join(&connect)?;
    client.settle()?;
    client.wire.send(&connect.bytes());
    client
        .expect_refusal("the connection closed after a second CONNECT")
        .map(drop)
}

fn takeover(p: &Play<'_>) -> Played<Option<u8>> {
    let connect = p.connect();
    let mut first = p.join(&connect)?;
    let mut second = p.join(&connect)?;
    let reason = first.expect_refusal("the connection closed as its client connects again")?;
    second.settle()?;
    Ok(reason)
}

fn takeover_reason(p: &Play<'_>) -> Played {
    match takeover(p)? {
        Some(0x8E) => Ok(()),
        Some(code) => Err(fail(
            "DISCONNECT with 0x8E",
            format!("DISCONNECT with 0x{code:02X}"),
        )),
        None => Err(fail(
            "DISCONNECT with 0x8E",
            "the connection closed without a DISCONNECT",
        )),
    }
}

fn keep_alive_expires(p: &Play<'_>) -> Played {
    // A broker that looks only every few seconds can be in time for one of
    // them by chance, but not for both.
    let mut first = Silent::connect(p)?;
    first.expect_open()?;
    p.ctx
        .sleep(Duration::from_millis(2500).saturating_sub(first.start.elapsed()))?;
    let mut second = Silent::connect(p)?;
    first.expect_end()?;
    second.expect_open()?;
    second.expect_end()
}

/// A client with a keep alive of 1 s that sends nothing.
struct Silent {
    client: Client,
    start: Instant,
}

impl Silent {
    const EXPECTED: &str = "the connection closed 1.5 s after the last packet";

    fn connect(p: &Play<'_>) -> Played<Self> {
        let client = p.join(&Connect {
            keep_alive: 1,
            ..p.connect()
        })?;
        if client.connack.properties.has(SERVER_KEEP_ALIVE) {
            return Err(not_applicable(format!(
                "the broker sets a keep alive of its own: {}",
                client.connack.text
            )));
        }
        Ok(Self {
            client,
            start: Instant::now(),
        })
    }

    fn until(&mut self, time: Duration) -> Played<Seen<Packet>> {
        self.client
            .next_within(time.saturating_sub(self.start.elapsed()))
    }

    fn expect_open(&mut self) -> Played {
        match self.until(Duration::from_millis(950))? {
            Seen::Silence(..) => Ok(()),
            other => Err(fail(Self::EXPECTED, format!("within 0.95 s: {other}"))),
        }
    }

    /// Later than 1.5 s, for a busy machine. A broker that looks every 5 s cannot
    /// end both clients within this time: they connect 2.5 s apart, and neither
    /// may be ended in its first 0.95 s.
    fn expect_end(&mut self) -> Played {
        match self.until(Duration::from_millis(3400))? {
            Seen::Ended(..) => Ok(()),
            // That it says why is a SHOULD (4.13), and so is which reason.
            Seen::Frame(packet) if packet.first == 0xE0 => {
                self.client.read_disconnect(&packet)?;
                self.client.expect_end(Self::EXPECTED)
            }
            Seen::Silence(..) => Err(fail(Self::EXPECTED, "still open after 3.4 s")),
            Seen::Frame(packet) => Err(fail(Self::EXPECTED, packet.to_string())),
        }
    }
}

/// For more than the three seconds after which a silent client is cut off; a busy machine may be
/// two seconds late with a packet.
fn keep_alive_kept(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = p.join(&Connect {
        keep_alive: 2,
        ..p.connect()
    })?;
    let publish = p.publish(&topic, b"alive").bytes();
    for _ in 0..6 {
        p.ctx.sleep(Duration::from_millis(700))?;
        client.wire.send(&publish);
    }
    client.settle()
}

/// The first packet, a packet of no version, and the like: before the CONNECT
/// is through.
pub(super) const FIRST: Section = Section {
    protocol: Protocol::Mqtt,
    title: "What is no CONNECT",
    cases: cases! {
        "first-packet-publish" Must [V311 "MQTT-3.1.0-1", V5 "MQTT-3.1.0-1"]
            "A PUBLISH before the CONNECT closes the connection"
            |p| not_first(p, &p.publish("t", b"x").bytes());
        "first-packet-subscribe" Must [V311 "MQTT-3.1.0-1", V5 "MQTT-3.1.0-1"]
            "A SUBSCRIBE before the CONNECT closes the connection"
            |p| not_first(p, &p.subscribe("t", 0));
        "first-packet-pingreq" Must [V311 "MQTT-3.1.0-1", V5 "MQTT-3.1.0-1"]
            "A PINGREQ before the CONNECT closes the connection"
            |p| not_first(p, PING);
        "first-packet-auth" Must [V5 "MQTT-3.1.0-1"]
            "An AUTH before the CONNECT closes the connection"
            |p| not_first(p, &[0xF0, 0x00]);
        "first-packet-connack" Must [V311 "MQTT-3.1.0-1", V5 "MQTT-3.1.0-1"]
            "A CONNACK before the CONNECT closes the connection"
            |p| not_first(p, &[0x20, 0x02, 0x00, 0x00]);
        "first-packet-of-no-type" Must [V311 "MQTT-3.1.0-1", V5 "MQTT-3.1.0-1"]
            "A packet of type 0 before the CONNECT closes the connection"
            |p| not_first(p, &[0x00, 0x00]);
        // CVE-2023-0809.
        "first-packet-announces-256-mib" Should [V311 "MQTT-3.1.0-1", V5 "MQTT-3.1.0-1"]
            "A first packet that is no CONNECT is refused before its 256 MiB have come"
            |p| not_first(p, &[&[PUBLISH << 4, 0xFF, 0xFF, 0xFF, 0x7F], &[0; 64][..]].concat());
        "connect-length-of-five-octets" Must [V311 "MQTT-3.1.4-1", V5 "MQTT-3.1.4-1"]
            "A CONNECT with a remaining length of five octets closes the connection"
            |p| not_first(p, &[&[0x10, 0x80, 0x80, 0x80, 0x80, 0x01], &[0; 16][..]].concat());
        "rejected-connect-ends-all" Must [V311 "MQTT-3.1.4-5", V5 "MQTT-3.1.4-6"]
            "What follows a rejected CONNECT is not processed"
            rejected_connect_ends_all;
    },
};

fn not_first(p: &Play<'_>, bytes: &[u8]) -> Played {
    drop(p.client()?);
    let mut client = p.open()?;
    client.wire.send(bytes);
    // A CONNACK with an error is not ruled out.
    client
        .expect_connect_refusal("the connection closed after a first packet that is no CONNECT")?;
    // The broker is still there for others.
    p.client()?.disconnect()
}

fn rejected_connect_ends_all(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 0)?;
    let mut rejected = p.open()?;
    let connect = Connect {
        name: "MQTX",
        ..p.connect()
    };
    rejected
        .wire
        .send(&[connect.bytes(), p.publish(&topic, b"smuggled").bytes()].concat());
    rejected.expect_connect_refusal("the connection closed")?;
    p.client()?.publish(&p.publish(&topic, b"end"))?;
    subscriber.take_last(&topic, b"end")
}
