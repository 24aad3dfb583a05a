//! Enhanced authentication with a method that the broker has (4.12): SCRAM, whose messages are
//! computed here and go in packets that are written as bytes.

use super::client::Client;
use super::play::{Play, Played};
use super::property::{
    AUTHENTICATION_DATA, AUTHENTICATION_METHOD, MAXIMUM_PACKET_SIZE, Properties, four_byte, text,
};
use super::wire::{AUTH, CONNACK, Connect, DISCONNECT, GOODBYE, Packet, packet, varint};
use crate::case::Section;
use crate::scram::{Credentials, Exchange, with_wrong_proof};
use crate::target::Protocol;
use crate::verdict::{Setup, Stop, fail, inconclusive, not_applicable};
use crate::wire::Seen;

/// Reason codes of AUTH (3.15.2.1).
const SUCCESS: u8 = 0x00;
const CONTINUE: u8 = 0x18;
const AGAIN: u8 = 0x19;

pub(super) const SECTION: Section = Section {
    protocol: Protocol::Mqtt,
    title: "Authentication by AUTH",
    cases: cases! {
        "challenge" Must [V5 "MQTT-4.12.0-2" & "MQTT-4.12.0-5" & "MQTT-3.15.2-1"]
            "A client that names a method is asked by an AUTH with 0x18 and that method"
            |p| begin(p).map(drop);
        "method-in-connack" Must [V5 "MQTT-4.12.0-5"]
            "The CONNACK after an authentication has the method of the CONNECT"
            |p| log_in(p).map(drop);
        "the-server-proves-itself" Should [V5 "4.12"]
            "The CONNACK after SCRAM proves that the broker knows the password"
            the_server_proves_itself;
        "wrong-proof" Must [V5 "MQTT-4.12.0-4"]
            "A client with a wrong proof is refused"
            |p| wrong_proof(p).map(drop);
        "wrong-proof-reason" May [V5 "MQTT-4.12.0-4"]
            "A client with a wrong proof is refused with 0x86 or 0x87"
            wrong_proof_reason;
        "unknown-user" Must [V5 "MQTT-4.12.0-4"]
            "A client with the name of nobody is refused"
            unknown_user;
        "replayed" Must [V5 "MQTT-4.12.0-4"]
            "What a client sent in an authentication that succeeded is refused another time"
            replayed;
        "within-the-maximum-packet-size" Must [V5 "MQTT-3.15.2-2" & "MQTT-3.15.2-3"]
            "An AUTH is no longer than the client's maximum packet size"
            within_the_maximum_packet_size;
        "auth-with-another-method" Must [V5 "MQTT-4.13.1-1"]
            "An AUTH with another method than that of the CONNECT closes the connection"
            |p| wrong_answer(p, |answer| Answer { method: Some("X-OTHER".into()), ..answer });
        "auth-without-its-method" Must [V5 "MQTT-4.13.1-1"]
            "An AUTH without a method closes the connection of a client that named one"
            |p| wrong_answer(p, |answer| Answer { method: None, ..answer });
        // The rules bind the client alone.
        "auth-again-meanwhile" Leniency [V5 "MQTT-4.12.0-3"]
            "An AUTH with 0x19 that answers a challenge closes the connection"
            |p| wrong_answer(p, |answer| Answer { reason: AGAIN, ..answer });
        "auth-of-no-reason" Leniency [V5 "MQTT-3.15.2-1"]
            "An AUTH with a reason code that it does not have closes the connection"
            |p| wrong_answer(p, |answer| Answer { reason: 0x01, ..answer });
        "message-meanwhile" Leniency [V5 "MQTT-3.1.2-30"]
            "A message that is published before the authentication is over is not delivered"
            message_meanwhile;
        "nobody-is-taken-over" Should [V5 "3.1.4"]
            "A client that is not authenticated ends no session of another"
            nobody_is_taken_over;
        "again" Must [V5 "MQTT-4.12.0-5" & "MQTT-4.12.0-2"]
            "A client that asks for another authentication gets AUTH with 0x18, and then with 0x00"
            |p| again(p).map(drop);
        "again-twice" Should [V5 "4.12.1"]
            "A client may authenticate again, and again"
            again_twice;
        "again-keeps-the-session" Should [V5 "4.12.1"]
            "Another authentication leaves the subscriptions of the client as they are"
            again_keeps_the_session;
        "messages-while-again" May [V5 "4.12.1"]
            "During another authentication messages go on as before"
            messages_while_again;
        "again-with-a-wrong-proof" Must [V5 "MQTT-4.12.1-2"]
            "Another authentication that fails closes the connection"
            |p| again_with_a_wrong_proof(p).map(drop);
        "again-with-a-wrong-proof-reason" Should [V5 "4.12.1"]
            "Another authentication that fails is a DISCONNECT before the end"
            again_with_a_wrong_proof_reason;
        "again-with-another-method" Must [V5 "MQTT-4.13.1-1" & "MQTT-4.12.1-1"]
            "Another authentication with another method closes the connection"
            again_with_another_method;
        // The rules bind the client alone.
        "continued-without-a-beginning" Leniency [V5 "MQTT-4.12.0-3"]
            "An AUTH with 0x18 that answers nothing closes the connection"
            |p| alone(p, CONTINUE);
        "success-from-a-client" Leniency [V5 "MQTT-3.15.2-1"]
            "An AUTH with 0x00, which only a broker sends, closes the connection"
            |p| alone(p, SUCCESS);
    },
};

/// An AUTH of a client.
struct Answer {
    reason: u8,
    method: Option<String>,
    data: Vec<u8>,
}

impl Answer {
    fn bytes(&self) -> Vec<u8> {
        let method = self.method.as_ref();
        let properties = [
            method.map_or_else(Vec::new, |method| text(AUTHENTICATION_METHOD, method)),
            text(AUTHENTICATION_DATA, &self.data),
        ]
        .concat();
        let body = [vec![self.reason], varint(properties.len()), properties].concat();
        packet(0xF0, &body)
    }
}

/// A client that has been asked for its proof.
struct Asked {
    client: Client,
    /// What it answers.
    answer: Answer,
    exchange: Exchange,
}

fn credentials<'a>(p: &Play<'a>) -> Played<&'a Credentials> {
    p.ctx
        .target
        .authentication
        .as_ref()
        .ok_or_else(|| not_applicable("no method was named: --authentication METHOD:USER:PASSWORD"))
}

/// The first message of SCRAM.
fn first(exchange: &mut Exchange) -> Played<Vec<u8>> {
    exchange.step(None).map_err(inconclusive)
}

fn exchange(credentials: &Credentials) -> Played<Exchange> {
    Exchange::new(credentials).map_err(inconclusive)
}

/// A CONNECT that begins an authentication. Who it is the exchange alone says.
fn naming(p: &Play<'_>, credentials: &Credentials, data: &[u8]) -> Connect {
    Connect {
        properties: [
            text(AUTHENTICATION_METHOD, &credentials.method),
            text(AUTHENTICATION_DATA, data),
        ]
        .concat(),
        user: None,
        password: None,
        ..p.connect()
    }
}

/// The data of an AUTH with this reason, which has the method, next.
fn expect_auth(client: &mut Client, reason: u8, method: &str) -> Played<Vec<u8>> {
    let expected = format!("AUTH with 0x{reason:02X} and the method {method}");
    let packet = client.expect(AUTH, &expected)?;
    let (code, properties) =
        read(&packet).map_err(|why| fail(expected.as_str(), format!("{why}: {packet}")))?;
    if code != reason || properties.bytes(AUTHENTICATION_METHOD) != Some(method.as_bytes()) {
        return Err(fail(expected, packet.to_string()));
    }
    Ok(properties
        .bytes(AUTHENTICATION_DATA)
        .unwrap_or_default()
        .to_vec())
}

/// The reason and the properties of an AUTH.
fn read(packet: &Packet) -> Result<(u8, Properties), String> {
    if packet.first != 0xF0 {
        return Err("a reserved bit".into());
    }
    let Some((code, mut rest)) = packet.body.split_first() else {
        return Ok((SUCCESS, Properties::default()));
    };
    let properties = Properties::read(AUTH, &mut rest)?;
    if rest.is_empty() {
        Ok((*code, properties))
    } else {
        Err("bytes after the properties".into())
    }
}

/// The challenge that answers `first`. A broker may refuse at any step (MQTT-4.12.0-4), and one
/// that refuses this method or user has not been asked anything.
fn challenged(client: &mut Client, credentials: &Credentials) -> Played<Vec<u8>> {
    expect_auth(client, CONTINUE, &credentials.method).map_err(|stop| match stop {
        Stop::Fail { seen, .. } if !(seen.starts_with("AUTH") || client_is_in(&seen)) => {
            inconclusive(format!(
                "the broker does not begin {}: {seen}",
                credentials.method
            ))
        }
        other => other,
    })
}

/// Returns whether what came is a CONNACK with success.
fn client_is_in(seen: &str) -> bool {
    seen.contains("[20 ") && seen.contains(" 00 00 ")
}

fn begin(p: &Play<'_>) -> Played<Asked> {
    begin_as(p, credentials(p)?, &[])
}

/// Connects with the first message, further properties, and takes the challenge.
fn begin_as(p: &Play<'_>, credentials: &Credentials, properties: &[u8]) -> Played<Asked> {
    let mut exchange = exchange(credentials)?;
    let mut connect = naming(p, credentials, &first(&mut exchange)?);
    connect.properties.extend(properties);
    let mut client = p.open()?;
    client.wire.send(&connect.bytes());
    let challenge = challenged(&mut client, credentials)?;
    answered(client, credentials, exchange, &challenge)
}

/// What answers the challenge.
fn answered(
    client: Client,
    credentials: &Credentials,
    mut exchange: Exchange,
    challenge: &[u8],
) -> Played<Asked> {
    let data = exchange.step(Some(challenge)).map_err(|why| {
        let challenge = String::from_utf8_lossy(challenge);
        inconclusive(format!("{why}, to the challenge {challenge:?}"))
    })?;
    let answer = Answer {
        reason: CONTINUE,
        method: Some(credentials.method.clone()),
        data,
    };
    Ok(Asked {
        client,
        answer,
        exchange,
    })
}

/// A client that has been authenticated, the exchange, and the last that the broker said in it.
fn log_in(p: &Play<'_>) -> Played<(Client, Exchange, Vec<u8>)> {
    let credentials = credentials(p)?;
    let Asked {
        mut client,
        answer,
        exchange,
    } = begin(p).setup("beginning to authenticate")?;
    client.wire.send(&answer.bytes());
    client
        .await_connack("CONNACK with success after the right proof")
        .setup("the proof")?;
    let properties = &client.connack.properties;
    if properties.bytes(AUTHENTICATION_METHOD) != Some(credentials.method.as_bytes()) {
        return Err(fail(
            format!("a CONNACK with the method {}", credentials.method),
            client.connack.text,
        ));
    }
    let last = properties
        .bytes(AUTHENTICATION_DATA)
        .unwrap_or_default()
        .to_vec();
    Ok((client, exchange, last))
}

/// A client that has been authenticated, as a step.
fn authenticated(p: &Play<'_>) -> Played<Client> {
    let (client, ..) = log_in(p).setup("authenticating")?;
    Ok(client)
}

fn the_server_proves_itself(p: &Play<'_>) -> Played {
    let (client, mut exchange, last) = log_in(p).setup("authenticating")?;
    exchange.step(Some(&last)).map(drop).map_err(|why| {
        let expected = "authentication data with the verifier of the server, v=...";
        fail(expected, format!("{why}: {}", client.connack.text))
    })
}

/// The broker refuses the client before it accepts it. The rule is that it closes the
/// connection. Another rule says where the reason stands, in a CONNACK or a DISCONNECT.
fn expect_refused(client: &mut Client) -> Played<Option<u8>> {
    let expected = "the connection closed, after a CONNACK or DISCONNECT with an error at most";
    match client.next()? {
        Seen::Ended(_, rest) if rest.is_empty() => Ok(None),
        Seen::Frame(packet) => {
            let code = match packet.kind() {
                CONNACK => packet.body.get(1),
                DISCONNECT => packet.body.first(),
                _ => None,
            };
            match code {
                Some(&code) if code >= 0x80 => {
                    client.expect_end(expected)?;
                    Ok(Some(code))
                }
                _ => Err(fail(expected, packet.to_string())),
            }
        }
        other => Err(fail(expected, other.to_string())),
    }
}

fn wrong_proof(p: &Play<'_>) -> Played<Option<u8>> {
    authenticated(p)?;
    let Asked {
        mut client, answer, ..
    } = begin(p).setup("beginning to authenticate")?;
    let data = with_wrong_proof(&answer.data);
    client.wire.send(&Answer { data, ..answer }.bytes());
    expect_refused(&mut client)
}

fn wrong_proof_reason(p: &Play<'_>) -> Played {
    match wrong_proof(p)? {
        Some(0x86 | 0x87) => Ok(()),
        Some(code) => Err(fail("CONNACK with 0x86 or 0x87", format!("0x{code:02X}"))),
        None => Err(fail("CONNACK with 0x86 or 0x87", "the end without a word")),
    }
}

fn unknown_user(p: &Play<'_>) -> Played {
    authenticated(p)?;
    let nobody = Credentials {
        user: p.name("nobody"),
        ..credentials(p)?.clone()
    };
    let mut exchange = exchange(&nobody)?;
    let connect = naming(p, &nobody, &first(&mut exchange)?);
    let mut client = p.open()?;
    client.wire.send(&connect.bytes());
    // It may refuse at once, or ask for the proof first, so that nobody learns which names it
    // has.
    match client.next()? {
        Seen::Frame(packet) if packet.kind() == AUTH => {
            let (_, properties) = read(&packet).map_err(inconclusive)?;
            let challenge = properties.bytes(AUTHENTICATION_DATA).unwrap_or_default();
            let Asked {
                mut client, answer, ..
            } = answered(client, &nobody, exchange, challenge)?;
            client.wire.send(&answer.bytes());
            expect_refused(&mut client).map(drop)
        }
        Seen::Ended(_, rest) if rest.is_empty() => Ok(()),
        Seen::Frame(packet)
            if packet.kind() == CONNACK && packet.body.get(1).is_some_and(|code| *code >= 0x80) =>
        {
            client.expect_end("the connection closed after the refusal")
        }
        other => Err(fail("a challenge or a refusal", other.to_string())),
    }
}

fn replayed(p: &Play<'_>) -> Played {
    let credentials = credentials(p)?;
    let mut exchange = exchange(credentials)?;
    let connect = naming(p, credentials, &first(&mut exchange)?);
    let mut client = p.open()?;
    client.wire.send(&connect.bytes());
    let challenge = challenged(&mut client, credentials).setup("beginning to authenticate")?;
    let Asked {
        mut client, answer, ..
    } = answered(client, credentials, exchange, &challenge)?;
    client.wire.send(&answer.bytes());
    client
        .await_connack("CONNACK with success after the right proof")
        .setup("the proof")?;
    client.wire.send(GOODBYE);
    drop(client);
    let mut client = p.open()?;
    client.wire.send(&connect.bytes());
    // A nonce that has been seen may be refused at once.
    match client.next()? {
        Seen::Frame(packet) if packet.kind() == AUTH => {
            client.wire.send(&answer.bytes());
            expect_refused(&mut client).map(drop)
        }
        Seen::Ended(_, rest) if rest.is_empty() => Ok(()),
        Seen::Frame(packet) if !client_is_in(&packet.to_string()) => {
            client.expect_end("the connection closed after the refusal")
        }
        other => Err(fail("a challenge or a refusal", other.to_string())),
    }
}

fn within_the_maximum_packet_size(p: &Play<'_>) -> Played {
    let credentials = credentials(p)?;
    let mut exchange = exchange(credentials)?;
    let mut connect = naming(p, credentials, &first(&mut exchange)?);
    let length = |packet: &Packet| super::wire::packet(packet.first, &packet.body).len();
    let mut client = p.open()?;
    client.wire.send(&connect.bytes());
    let usual = client.expect(AUTH, "a challenge").setup("the challenge")?;
    let limit = length(&usual) - 1;
    connect = naming(p, credentials, &first(&mut self::exchange(credentials)?)?);
    connect
        .properties
        .extend(four_byte(MAXIMUM_PACKET_SIZE, limit as u32));
    let mut client = p.open()?;
    client.wire.send(&connect.bytes());
    match client.next()? {
        Seen::Frame(packet) if length(&packet) > limit => {
            let expected = format!("packets of up to {limit} bytes, or the end");
            Err(fail(expected, packet.to_string()))
        }
        Seen::Silence(..) => Err(inconclusive("nothing came that could be measured")),
        _ => Ok(()),
    }
}

/// The broker takes a right answer, and closes after this one.
fn wrong_answer(p: &Play<'_>, change: fn(Answer) -> Answer) -> Played {
    authenticated(p)?;
    let Asked {
        mut client, answer, ..
    } = begin(p).setup("beginning to authenticate")?;
    client.wire.send(&change(answer).bytes());
    expect_refused(&mut client).map(drop)
}

fn message_meanwhile(p: &Play<'_>) -> Played {
    authenticated(p)?;
    let topic = p.name("t");
    let mut subscriber = p.client()?;
    subscriber.subscribe(&topic, 0)?;
    let Asked { mut client, .. } = begin(p).setup("beginning to authenticate")?;
    client.wire.send(&p.publish(&topic, b"early").bytes());
    // Whether it closes is its own affair here.
    while let Seen::Frame(_) = client.next_within(p.ctx.silence)? {}
    p.client()?.publish(&p.publish(&topic, b"end"))?;
    subscriber.take_last(&topic, b"end")
}

fn nobody_is_taken_over(p: &Play<'_>) -> Played {
    authenticated(p)?;
    let credentials = credentials(p)?;
    let mut exchange = exchange(credentials)?;
    let connect = naming(p, credentials, &first(&mut exchange)?);
    let mut owner = p.join(&Connect {
        client_id: connect.client_id.clone(),
        ..p.connect()
    })?;
    let mut client = p.open()?;
    client.wire.send(&connect.bytes());
    let challenge = challenged(&mut client, credentials).setup("beginning to authenticate")?;
    let Asked {
        mut client, answer, ..
    } = answered(client, credentials, exchange, &challenge)?;
    let data = with_wrong_proof(&answer.data);
    client.wire.send(&Answer { data, ..answer }.bytes());
    expect_refused(&mut client).setup("the refusal")?;
    owner.settle()
}

/// Authenticates once more, up to the proof.
fn begin_again(p: &Play<'_>, mut client: Client) -> Played<Asked> {
    let credentials = credentials(p)?;
    let mut exchange = exchange(credentials)?;
    let again = Answer {
        reason: AGAIN,
        method: Some(credentials.method.clone()),
        data: first(&mut exchange)?,
    };
    client.wire.send(&again.bytes());
    let challenge = expect_auth(&mut client, CONTINUE, &credentials.method)?;
    answered(client, credentials, exchange, &challenge)
}

fn end_again(p: &Play<'_>, asked: Asked) -> Played<Client> {
    let Asked {
        mut client, answer, ..
    } = asked;
    client.wire.send(&answer.bytes());
    expect_auth(&mut client, SUCCESS, &credentials(p)?.method)?;
    Ok(client)
}

fn again(p: &Play<'_>) -> Played<Client> {
    let client = authenticated(p)?;
    let asked = begin_again(p, client)?;
    end_again(p, asked)
}

fn again_twice(p: &Play<'_>) -> Played {
    let client = again(p).setup("another authentication")?;
    let asked = begin_again(p, client)?;
    end_again(p, asked)?.settle()
}

fn again_keeps_the_session(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = authenticated(p)?;
    client.subscribe(&topic, 0)?;
    let asked = begin_again(p, client).setup("another authentication")?;
    let mut client = end_again(p, asked).setup("another authentication")?;
    p.client()?.publish(&p.publish(&topic, b"after"))?;
    client.take(&topic, b"after").map(drop)
}

fn messages_while_again(p: &Play<'_>) -> Played {
    let topic = p.name("t");
    let mut client = authenticated(p)?;
    client.subscribe(&topic, 0)?;
    let mut asked = begin_again(p, client).setup("another authentication")?;
    asked
        .client
        .wire
        .send(&p.publish(&topic, b"meanwhile").bytes());
    asked.client.take(&topic, b"meanwhile")?;
    end_again(p, asked).map(drop)
}

fn again_with_a_wrong_proof(p: &Play<'_>) -> Played<Option<u8>> {
    again(p).setup("another authentication with the right proof")?;
    let client = authenticated(p)?;
    let Asked {
        mut client, answer, ..
    } = begin_again(p, client).setup("another authentication")?;
    let data = with_wrong_proof(&answer.data);
    client.wire.send(&Answer { data, ..answer }.bytes());
    client.expect_refusal("the connection closed, after a DISCONNECT with an error at most")
}

fn again_with_a_wrong_proof_reason(p: &Play<'_>) -> Played {
    match again_with_a_wrong_proof(p)? {
        Some(_) => Ok(()),
        None => Err(fail("DISCONNECT with a reason", "the end without one")),
    }
}

fn again_with_another_method(p: &Play<'_>) -> Played {
    again(p).setup("another authentication with the same method")?;
    let mut client = authenticated(p)?;
    let other = Answer {
        reason: AGAIN,
        method: Some("X-OTHER".into()),
        data: first(&mut exchange(credentials(p)?)?)?,
    };
    client.wire.send(&other.bytes());
    client
        .expect_refusal("the connection closed, after a DISCONNECT with an error at most")
        .map(drop)
}

/// An AUTH with this reason from a client that is in and has begun nothing.
fn alone(p: &Play<'_>, reason: u8) -> Played {
    let mut client = authenticated(p)?;
    let auth = Answer {
        reason,
        method: Some(credentials(p)?.method.clone()),
        data: Vec::new(),
    };
    client.wire.send(&auth.bytes());
    client
        .expect_refusal("the connection closed, after a DISCONNECT with an error at most")
        .map(drop)
}
