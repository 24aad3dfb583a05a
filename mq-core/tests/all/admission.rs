//! What a listener and its transport say about a peer, and an embedder that checks who a
//! peer is.

use crate::world::World;
use crate::world::amqp::Amqp;
use crate::world::mqtt::{Mqtt, utf8};
use crate::world::stomp::Stomp;
use amqp_codec::connection::{ClientConfig, Sasl};
use mq_core::{
    Authentication, Config, ConnectionId, Input, Output, Protocol, Reason, Report, Terms,
};
use mqtt_codec::{Connect, ProtocolVersion};
use std::time::Duration;

const PROTOCOLS: [Protocol; 3] = [Protocol::Amqp, Protocol::Mqtt, Protocol::Stomp];

/// A user name and a password.
type Login = Option<(&'static str, &'static str)>;

/// A peer connects and logs in; AMQP has the mechanism EXTERNAL for no login. Returns its
/// connection.
fn log_in(world: &mut World, protocol: Protocol, login: Login) -> ConnectionId {
    match protocol {
        Protocol::Amqp => {
            let mut config = ClientConfig::default();
            config.sasl = match login {
                Some((username, password)) => Sasl::Plain {
                    username: username.into(),
                    password: password.into(),
                },
                None => Sasl::External {
                    identity: String::new(),
                },
            };
            let mut client = Amqp::new(world, config);
            client.seen(world);
            client.id
        }
        Protocol::Mqtt => {
            let connect = Connect {
                user_name: login.map(|(user, _)| utf8(user)),
                password: login.map(|(_, password)| password.as_bytes()),
                ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
            };
            let mut client = Mqtt::with(world, &connect);
            client.seen(world);
            client.id
        }
        _ => {
            let client = Stomp(world.connect(Protocol::Stomp));
            let login = login.map_or_else(String::new, |(user, password)| {
                format!("login:{user}\npasscode:{password}\n")
            });
            client.send(world, &format!("CONNECT\naccept-version:1.2\n{login}\n"));
            client.0
        }
    }
}

/// Who came in on that connection, or why nobody did.
fn outcome(world: &World, connection: ConnectionId) -> Option<Result<String, String>> {
    world.outputs.iter().find_map(|output| match output {
        Output::Report(Report::Peer(report)) if report.connection == connection => {
            match &report.reason {
                Reason::LoggedIn => Some(Ok(report.user.clone())),
                Reason::LoginRefused(reason) => Some(Err(reason.clone())),
                _ => None,
            }
        }
        _ => None,
    })
}

fn config() -> Config {
    let mut config = Config::default();
    config.users.insert("device".into(), "secret".into());
    config
}

/// RabbitMQ: the mechanism EXTERNAL takes the user from the certificate, and so do MQTT and
/// STOMP (`ssl_cert_login`) for clients that present neither user name nor password. Others
/// are who they say.
#[test]
fn the_transport_names_the_user() {
    let rows: [(Option<&str>, Login, Result<&str, &str>); 5] = [
        (Some("device"), None, Ok("device")),
        (Some("device"), Some(("guest", "guest")), Ok("guest")),
        (
            Some("device"),
            Some(("device", "wrong")),
            Err("the password is wrong"),
        ),
        (Some("stranger"), None, Err("there is no such user")),
        (None, Some(("device", "secret")), Ok("device")),
    ];
    for protocol in PROTOCOLS {
        for (identity, login, expected) in &rows {
            let mut world = World::with(config());
            world.terms.identity = identity.map(String::from);
            let connection = log_in(&mut world, protocol, *login);
            let seen = outcome(&world, connection).expect("an answer");
            let seen = seen
                .as_ref()
                .map(|user| &**user)
                .map_err(|reason| &**reason);
            assert_eq!(seen, *expected, "{protocol:?} {identity:?} {login:?}");
        }
    }
}

/// The mechanism is only offered where the transport knows who it is.
#[test]
fn external_is_offered_with_an_identity() {
    for (identity, offered) in [(None, false), (Some("device"), true)] {
        let mut world = World::with(config());
        world.terms.identity = identity.map(String::from);
        let connection = world.connect(Protocol::Amqp);
        world.send(connection, b"AMQP\x00\x00\x09\x01");
        let start = std::mem::take(&mut world.socket(connection).received);
        let has = |text: &[u8]| start.windows(text.len()).any(|window| window == text);
        assert!(has(b"PLAIN AMQPLAIN"));
        assert_eq!(has(b"EXTERNAL"), offered, "{identity:?}");
    }
}

#[test]
fn a_listener_says_whether_nobody_in_particular_comes_in() {
    for protocol in [Protocol::Mqtt, Protocol::Stomp] {
        for everywhere in [true, false] {
            for here in [None, Some(true), Some(false)] {
                let mut config = config();
                config.allow_anonymous = everywhere;
                let mut world = World::with(config);
                world.terms.allow_anonymous = here;
                let connection = log_in(&mut world, protocol, None);
                let seen = outcome(&world, connection).expect("an answer");
                assert_eq!(
                    seen.is_ok(),
                    here.unwrap_or(everywhere),
                    "{protocol:?} {everywhere} {here:?}"
                );
            }
        }
    }
}

/// RabbitMQ: `mqtt_port_to_vhost_mapping`, after which `HOST:USER` still holds.
#[test]
fn a_listener_has_a_virtual_host_of_its_own() {
    let mut config = config();
    config.virtual_hosts.push("here".into());
    let mut world = World::with(config);
    let terms = Terms::default().with_virtual_host("here");
    world.terms = terms.clone();
    let inside = Stomp(log_in(&mut world, Protocol::Stomp, None));
    inside.subscribe(&mut world, "s", "/topic/a.b", "");
    world.terms = Terms::default();
    let outside = Stomp(log_in(&mut world, Protocol::Stomp, None));
    outside.subscribe(&mut world, "s", "/topic/a.b", "");
    let publish = |world: &mut World, user: &str, body: &str| {
        let connect = Connect {
            user_name: Some(utf8(user)),
            password: Some(b"secret"),
            ..Connect::clean(ProtocolVersion::V5_0, utf8("c"))
        };
        let mut client = Mqtt::with(world, &connect);
        client.seen(world);
        client.publish("a/b", body, mqtt_codec::QoS::AtMostOnce);
        client.seen(world);
    };
    world.terms = terms;
    publish(&mut world, "device", "by the listener");
    publish(&mut world, "/:device", "by the user name");
    assert_eq!(inside.messages(&mut world), ["by the listener"]);
    assert_eq!(outside.messages(&mut world), ["by the user name"]);
}

fn asking() -> World {
    let mut config = config();
    config.authentication = Authentication::Embedder;
    World::with(config)
}

/// What the embedder is asked.
fn asked(world: &World) -> Vec<(ConnectionId, Option<String>, Option<Vec<u8>>)> {
    let asked = world.outputs.iter().filter_map(|output| match output {
        Output::Authenticate {
            connection,
            credentials,
        } => {
            let password = credentials.password.as_ref().map(|bytes| bytes.to_vec());
            Some((*connection, credentials.user.clone(), password))
        }
        _ => None,
    });
    asked.collect()
}

#[test]
fn an_embedder_says_who_it_is() {
    for protocol in PROTOCOLS {
        for (answer, expected) in [
            (Ok("known by another name"), Ok("known by another name")),
            (Err("the directory says no"), Err("the directory says no")),
        ] {
            let mut world = asking();
            let connection = log_in(&mut world, protocol, Some(("someone", "something")));
            let question = (
                connection,
                Some("someone".to_owned()),
                Some(b"something".to_vec()),
            );
            assert_eq!(asked(&world), [question]);
            assert_eq!(outcome(&world, connection), None, "nobody has decided");
            // Others do not wait for it.
            let other = log_in(&mut world, Protocol::Stomp, Some(("other", "o")));
            world.handle(Input::Authenticated {
                connection: other,
                user: Ok("other".into()),
            });
            assert_eq!(outcome(&world, other), Some(Ok("other".into())));
            world.handle(Input::Authenticated {
                connection,
                user: answer.map(String::from).map_err(String::from),
            });
            let seen = outcome(&world, connection).expect("an answer");
            let seen = seen
                .as_ref()
                .map(|user| &**user)
                .map_err(|reason| &**reason);
            assert_eq!(seen, expected, "{protocol:?}");
        }
    }
}

/// The client hears nothing of the embedder's reasons.
#[test]
fn a_reason_is_for_the_operator() {
    for protocol in PROTOCOLS {
        let mut world = asking();
        let connection = log_in(&mut world, protocol, Some(("someone", "something")));
        world.socket(connection).received.clear();
        world.handle(Input::Authenticated {
            connection,
            user: Err("the directory says no".into()),
        });
        let said = &world.socket(connection).received;
        assert!(!said.is_empty(), "{protocol:?} is told in its own way");
        assert!(!said.windows(9).any(|window| window == b"directory"));
    }
}

/// A peer does not wait for ever, and an answer that comes too late, or twice, does nothing.
#[test]
fn an_embedder_that_does_not_answer() {
    for protocol in PROTOCOLS {
        let mut world = asking();
        let connection = log_in(&mut world, protocol, Some(("someone", "something")));
        world.wait(Duration::from_secs(9));
        assert_eq!(outcome(&world, connection), None, "{protocol:?}");
        // AMQP's refusal has an answer, which is waited for as long again.
        world.wait(Duration::from_secs(12));
        assert!(world.is_closed(connection), "{protocol:?}");
        let refused = outcome(&world, connection);
        for _ in 0..2 {
            world.handle(Input::Authenticated {
                connection,
                user: Ok("someone".into()),
            });
        }
        assert_eq!(outcome(&world, connection), refused, "{protocol:?}");
        assert!(!matches!(refused, Some(Ok(_))), "{protocol:?}");
        let cut = log_in(&mut world, protocol, Some(("someone", "something")));
        world.cut(cut);
        world.handle(Input::Authenticated {
            connection: cut,
            user: Ok("someone".into()),
        });
        assert_eq!(outcome(&world, cut), None, "{protocol:?}");
    }
}
