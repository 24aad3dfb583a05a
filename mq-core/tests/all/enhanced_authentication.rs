//! Enhanced authentication (MQTT 5.0 section 4.12) with SCRAM (RFC 5802, RFC 7677), and by an
//! embedder.

use crate::world::World;
use crate::world::mqtt::{Mqtt, properties, utf8};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use mq_core::{Authentication, Config, Input, Output, Proving, Reason, Report};
use mqtt_codec::{Connect, Property, ProtocolVersion, QoS, ReasonCode};
use sha1::Sha1;
use sha2::{Digest, Sha256};

const METHODS: [&str; 2] = ["SCRAM-SHA-1", "SCRAM-SHA-256"];

fn config() -> Config {
    let mut config = Config::default();
    config.users.insert("user".into(), "pencil".into());
    config.users.insert("a,b=c".into(), "pen".into());
    config.virtual_hosts.push("other".into());
    config
}

fn hash(method: &str, data: &[u8]) -> Vec<u8> {
    match method {
        "SCRAM-SHA-1" => Sha1::digest(data).to_vec(),
        _ => Sha256::digest(data).to_vec(),
    }
}

fn mac(method: &str, key: &[u8], data: &[u8]) -> Vec<u8> {
    if method == "SCRAM-SHA-1" {
        let mut mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
        mac.update(data);
        return mac.finalize().into_bytes().to_vec();
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// What a client with a password answers to the server's first message, and what it expects
/// then (RFC 5802 section 3).
fn last(method: &str, bare: &str, challenge: &str, password: &str) -> (String, String) {
    let part = |name: &str| {
        let mut parts = challenge.split(',');
        parts.find_map(|part| part.strip_prefix(name)).unwrap()
    };
    let salt = STANDARD.decode(part("s=")).unwrap();
    let rounds: u32 = part("i=").parse().unwrap();
    let mut salted = vec![0; hash(method, b"").len()];
    match method {
        "SCRAM-SHA-1" => {
            pbkdf2::pbkdf2_hmac::<Sha1>(password.as_bytes(), &salt, rounds, &mut salted);
        }
        _ => pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, rounds, &mut salted),
    }
    let client = mac(method, &salted, b"Client Key");
    let without_proof = format!("c=biws,r={}", part("r="));
    let signed = format!("{bare},{challenge},{without_proof}");
    let signature = mac(method, &hash(method, &client), signed.as_bytes());
    let proof: Vec<u8> = client.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    let server = mac(method, &salted, b"Server Key");
    let expected = mac(method, &server, signed.as_bytes());
    (
        format!("{without_proof},p={}", STANDARD.encode(proof)),
        format!("v={}", STANDARD.encode(expected)),
    )
}

/// A client that has sent CONNECT with a method, and data if there are some.
fn begin(world: &mut World, method: &str, data: Option<&str>) -> Mqtt {
    let mut list = vec![Property::AuthenticationMethod(method)];
    list.extend(data.map(|data| Property::AuthenticationData(data.as_bytes())));
    let list = properties(list);
    let connect = Connect {
        properties: list.as_properties(),
        ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
    };
    Mqtt::with(world, &connect)
}

/// Sends AUTH.
fn auth(client: &mut Mqtt, world: &mut World, reason: ReasonCode, data: &str) {
    let data = properties([Property::AuthenticationData(data.as_bytes())]);
    let sent = client
        .codec
        .authenticate(world.now, reason, data.as_properties());
    sent.unwrap();
}

/// The data of the AUTH that came.
fn challenge(client: &mut Mqtt, world: &mut World) -> String {
    let seen = client.seen(world);
    assert_eq!(seen, ["auth ContinueAuthentication"]);
    client.data.pop().unwrap_or_default()
}

/// Goes through the whole of it. Returns what came in the end.
fn log_in(world: &mut World, method: &str, first: &str, password: &str) -> (Mqtt, Vec<String>) {
    let mut client = begin(world, method, Some(&format!("n,,{first}")));
    let answer = challenge(&mut client, world);
    let (last, expected) = last(method, first, &answer, password);
    auth(
        &mut client,
        world,
        ReasonCode::ContinueAuthentication,
        &last,
    );
    let seen = client.seen(world);
    if seen == ["connack Success"] {
        assert_eq!(client.data, [expected], "the server proves that it knows");
    }
    (client, seen)
}

#[test]
fn a_client_proves_its_password() {
    for method in METHODS {
        for (first, password, expected) in [
            ("n=user,r=abc", "pencil", "connack Success"),
            ("n=a=2Cb=3Dc,r=abc", "pen", "connack Success"),
            ("n=other:user,r=abc", "pencil", "connack Success"),
            ("n=user,r=abc", "pencils", "connack NotAuthorized"),
            // As far as the client can see, such a user is there.
            ("n=nobody,r=abc", "pencil", "connack NotAuthorized"),
        ] {
            let mut world = World::with(config());
            let (mut client, seen) = log_in(&mut world, method, first, password);
            assert_eq!(seen, [expected], "{method} {first}");
            let comes_in = expected == "connack Success";
            assert_eq!(world.is_closed(client.id), !comes_in);
            if comes_in {
                client.subscribe(&mut world, "a", QoS::AtLeastOnce);
                client.publish("a", "m", QoS::AtLeastOnce);
                assert_eq!(client.seen(&mut world), ["puback Success", "a m q1"]);
            }
        }
    }
}

/// The operator reads who came in, and why not.
#[test]
fn the_operator_is_told() {
    for (password, expected) in [
        ("pencil", Ok("user")),
        ("wrong", Err("the user or the password is wrong")),
    ] {
        let mut world = World::with(config());
        log_in(&mut world, "SCRAM-SHA-256", "n=user,r=abc", password);
        let seen = world.outputs.iter().find_map(|output| match output {
            Output::Report(Report::Peer(report)) => match &report.reason {
                Reason::LoggedIn => Some(Ok(report.user.clone())),
                Reason::LoginRefused(text) => Some(Err(text.clone())),
                _ => None,
            },
            _ => None,
        });
        let seen = seen.unwrap();
        let seen = seen.as_ref().map(|user| &**user).map_err(|text| &**text);
        assert_eq!(seen, expected);
    }
}

/// A client that sends no data in CONNECT is asked for its first message, and its nonce is not
/// used twice.
#[test]
fn the_first_message_may_come_later() {
    let mut world = World::with(config());
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let mut client = begin(&mut world, "SCRAM-SHA-256", None);
        assert_eq!(challenge(&mut client, &mut world), "");
        let go_on = ReasonCode::ContinueAuthentication;
        auth(&mut client, &mut world, go_on, "n,,n=user,r=abc");
        let answer = challenge(&mut client, &mut world);
        let (last, _) = last("SCRAM-SHA-256", "n=user,r=abc", &answer, "pencil");
        auth(&mut client, &mut world, go_on, &last);
        assert_eq!(client.seen(&mut world), ["connack Success"]);
        nonces.push(answer.split_once(',').unwrap().0.to_owned());
    }
    assert_ne!(nonces[0], nonces[1]);
    // 18 bytes in base64 after the client's.
    assert!(nonces[0].starts_with("r=abc") && nonces[0].len() == 5 + 24);
}

#[test]
fn what_is_refused_at_once() {
    for (method, data, expected) in [
        (
            "SCRAM-SHA-512",
            "n,,n=user,r=abc",
            "connack BadAuthenticationMethod",
        ),
        (
            "scram-sha-256",
            "n,,n=user,r=abc",
            "connack BadAuthenticationMethod",
        ),
        ("GS2-KRB5", "", "connack BadAuthenticationMethod"),
        ("SCRAM-SHA-256", "", "connack NotAuthorized"),
        (
            "SCRAM-SHA-256",
            "p=tls-unique,,n=user,r=abc",
            "connack NotAuthorized",
        ),
        (
            "SCRAM-SHA-256",
            "n,,m=x,n=user,r=abc",
            "connack NotAuthorized",
        ),
        (
            "SCRAM-SHA-256",
            "n,a=guest,n=user,r=abc",
            "connack NotAuthorized",
        ),
        ("SCRAM-SHA-256", "n,,n=us=er,r=abc", "connack NotAuthorized"),
    ] {
        let mut world = World::with(config());
        let mut client = begin(&mut world, method, Some(data));
        assert_eq!(client.seen(&mut world), [expected], "{method} {data}");
        assert!(world.is_closed(client.id));
    }
}

/// A user name beside the method has to be the same one.
#[test]
fn connect_may_name_the_user_as_well() {
    for (name, expected) in [("user", "Success"), ("guest", "BadUserNameOrPassword")] {
        let mut world = World::with(config());
        let list = properties([
            Property::AuthenticationMethod("SCRAM-SHA-1"),
            Property::AuthenticationData(b"n,,n=user,r=abc"),
        ]);
        let connect = Connect {
            user_name: Some(utf8(name)),
            properties: list.as_properties(),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
        };
        let mut client = Mqtt::with(&mut world, &connect);
        let answer = challenge(&mut client, &mut world);
        let (last, _) = last("SCRAM-SHA-1", "n=user,r=abc", &answer, "pencil");
        let go_on = ReasonCode::ContinueAuthentication;
        auth(&mut client, &mut world, go_on, &last);
        let seen = client.seen(&mut world);
        assert_eq!(seen, [format!("connack {expected}")]);
    }
}

/// MQTT-4.12.1-1 and -2: the same method, other traffic goes on, and a failure ends the
/// connection.
#[test]
fn a_client_proves_its_password_again() {
    for (user, password, expected) in [
        ("user", "pencil", "auth Success"),
        ("user", "wrong", "disconnect NotAuthorized"),
        // A connection stays its user's.
        ("guest", "guest", "disconnect NotAuthorized"),
    ] {
        let mut world = World::with(config());
        let method = "SCRAM-SHA-256";
        let (mut client, _) = log_in(&mut world, method, "n=user,r=abc", "pencil");
        client.data.clear();
        client.subscribe(&mut world, "a", QoS::AtMostOnce);
        let first = format!("n={user},r=abc");
        let data = format!("n,,{first}");
        auth(&mut client, &mut world, ReasonCode::ReAuthenticate, &data);
        let answer = challenge(&mut client, &mut world);
        client.publish("a", "between", QoS::AtMostOnce);
        assert_eq!(client.seen(&mut world), ["a between q0"]);
        let (last, signature) = last(method, &first, &answer, password);
        let go_on = ReasonCode::ContinueAuthentication;
        auth(&mut client, &mut world, go_on, &last);
        assert_eq!(client.seen(&mut world), [expected], "{user} {password}");
        if expected == "auth Success" {
            assert_eq!(client.data, [signature]);
            client.publish("a", "after", QoS::AtMostOnce);
            assert_eq!(client.seen(&mut world), ["a after q0"]);
        } else {
            assert!(world.is_closed(client.id));
        }
    }
}

/// A will is published by a client that has come in, and by no other.
#[test]
fn a_stranger_has_no_will_and_takes_no_session() {
    let mut world = World::with(config());
    let mut other = Mqtt::connect(&mut world, "other");
    other.subscribe(&mut world, "#", QoS::AtMostOnce);
    let mut holder = Mqtt::connect(&mut world, "c");
    let list = properties([
        Property::AuthenticationMethod("SCRAM-SHA-256"),
        Property::AuthenticationData(b"n,,n=user,r=abc"),
    ]);
    let connect = Connect {
        will: Some(mqtt_codec::Will::new(
            crate::world::mqtt::topic("w"),
            b"will",
        )),
        properties: list.as_properties(),
        ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
    };
    let mut client = Mqtt::with(&mut world, &connect);
    challenge(&mut client, &mut world);
    world.cut(client.id);
    assert!(other.seen(&mut world).is_empty());
    assert!(holder.seen(&mut world).is_empty());
    assert!(!world.is_closed(holder.id));
}

fn asking() -> World {
    let mut config = config();
    config.authentication = Authentication::Embedder;
    World::with(config)
}

/// What the embedder was asked last: the method, the data, and whether it begins.
fn asked(world: &World) -> (String, Option<Bytes>, bool) {
    let mut asked = world.outputs.iter().rev();
    asked
        .find_map(|output| match output {
            Output::Prove { step, .. } => {
                Some((step.method.to_string(), step.data.clone(), step.begins))
            }
            _ => None,
        })
        .unwrap()
}

/// A hook has methods of its own, with as many steps as it likes.
#[test]
fn an_embedder_has_methods_of_its_own() {
    for (answer, expected) in [
        (
            Proving::Proven {
                user: "known".into(),
                data: Some(Bytes::from_static(b"welcome")),
            },
            "connack Success",
        ),
        (Proving::Refused("no".into()), "connack NotAuthorized"),
        (Proving::UnknownMethod, "connack BadAuthenticationMethod"),
    ] {
        let mut world = asking();
        let mut client = begin(&mut world, "PING-PONG", Some("ping"));
        client.seen(&mut world);
        let connection = client.id;
        let data = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        assert_eq!(asked(&world), ("PING-PONG".into(), data("ping"), true));
        world.handle(Input::Proving {
            connection,
            answer: Proving::Continue(Bytes::from_static(b"pong")),
        });
        assert_eq!(challenge(&mut client, &mut world), "pong");
        auth(
            &mut client,
            &mut world,
            ReasonCode::ContinueAuthentication,
            "again",
        );
        client.seen(&mut world);
        assert_eq!(asked(&world), ("PING-PONG".into(), data("again"), false));
        world.handle(Input::Proving {
            connection,
            answer: answer.clone(),
        });
        assert_eq!(client.seen(&mut world), [expected]);
        if let Proving::Proven { .. } = answer {
            assert_eq!(client.data, ["welcome"]);
        }
        // An answer to nothing does nothing.
        world.handle(Input::Proving { connection, answer });
        assert!(client.seen(&mut world).is_empty());
    }
}

/// It does not wait for ever.
#[test]
fn an_embedder_that_does_not_answer() {
    let mut world = asking();
    let mut client = begin(&mut world, "PING-PONG", Some("ping"));
    client.seen(&mut world);
    world.wait(std::time::Duration::from_secs(12));
    assert_eq!(client.seen(&mut world), ["connack NotAuthorized"]);
    assert!(world.is_closed(client.id));
}
