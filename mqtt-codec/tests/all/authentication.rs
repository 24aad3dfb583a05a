//! Enhanced authentication and re-authentication (5.0 section 4.12), from both ends.

use std::time::Duration;

use crate::support::ends::{
    CONNECT_5_0, V5_0, accepted, asked, client_event, client_of, connecting, event, seconds, sent,
    server_of, transmitted,
};
use crate::support::link::Link;
use crate::support::{bytes, utf8};
use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, Message, SendError, ServerConfig,
    ServerConnection, ServerEvent, Session,
};
use mqtt_codec::{
    Connect, Packet, Properties, PropertiesBuf, PropertiesBuilder, Property, QoS, ReasonCode, Rule,
    Subscription,
};

/// A CONNECT with the method M.
const WITH_METHOD: &str = "10: 0004'MQTT' 05 02 000A {15 0001'M'} 0001'c'";

const AUTH_CONTINUE: &str = "F0: 18 {15 0001'M'}";
const AUTH_AGAIN: &str = "F0: 19 {15 0001'M'}";
const AUTH_SUCCESS: &str = "F0: 00 {15 0001'M'}";

fn method(name: &str) -> PropertiesBuf {
    let mut builder = PropertiesBuilder::new();
    builder.push(Property::AuthenticationMethod(name)).unwrap();
    builder.build()
}

/// A client that has sent CONNECT with the method M.
fn client() -> ClientConnection {
    let method = method("M");
    let connect = Connect {
        properties: method.as_properties(),
        ..Connect::clean(V5_0, utf8("c"))
    };
    connecting(&connect, ClientConfig::default(), Session::new())
}

fn connected_client() -> ClientConnection {
    let mut client = client();
    client_event(&mut client, "20: 00 00 {15 0001'M'}").unwrap();
    client
}

/// A server that has asked the client for more.
fn asking() -> ServerConnection {
    let mut server = asked(WITH_METHOD, ServerConfig::default());
    authenticate(&mut server, ReasonCode::ContinueAuthentication).unwrap();
    assert_eq!(transmitted(&mut server), bytes(AUTH_CONTINUE));
    server
}

fn authenticate(server: &mut ServerConnection, reason: ReasonCode) -> Result<(), SendError> {
    server.authenticate(Duration::ZERO, reason, Properties::EMPTY)
}

// shows: 5.0 MQTT-4.12.0-2, 5.0 MQTT-4.12.0-3, 5.0 MQTT-4.12.0-5, 5.0 MQTT-4.12.1-1
#[test]
fn an_authentication_in_steps_and_again() {
    let mut link = Link::new(ClientConfig::default(), ServerConfig::default());
    let mut properties = PropertiesBuilder::new();
    properties
        .extend([
            Property::AuthenticationMethod("M"),
            Property::AuthenticationData(b"client-first"),
        ])
        .unwrap();
    let connect = Connect {
        properties: properties.as_properties(),
        ..Connect::clean(V5_0, utf8("c"))
    };
    link.client
        .connect(link.now, &connect, Session::new())
        .unwrap();
    let data = |data: &'static [u8]| {
        let mut builder = PropertiesBuilder::new();
        builder.push(Property::AuthenticationData(data)).unwrap();
        builder.build()
    };
    link.server_events(|server, event| {
        assert!(matches!(event, ServerEvent::Connect(_)));
        server
            .authenticate(
                Duration::ZERO,
                ReasonCode::ContinueAuthentication,
                data(b"server-first").as_properties(),
            )
            .unwrap();
    })
    .unwrap();
    assert_eq!(link.server.poll_timeout(), Some(seconds(10)));
    link.client_events(|client, event| {
        let ClientEvent::Auth(auth) = event else {
            panic!("AUTH");
        };
        assert_eq!(
            auth.properties.authentication_data(),
            Some(&b"server-first"[..])
        );
        assert_eq!(auth.properties.authentication_method(), Some("M"));
        client
            .authenticate(
                Duration::ZERO,
                ReasonCode::ContinueAuthentication,
                data(b"client-final").as_properties(),
            )
            .unwrap();
    })
    .unwrap();
    link.server_events(|server, event| {
        assert!(matches!(event, ServerEvent::Auth(_)));
        let last = data(b"server-final");
        let accept = Accept {
            properties: last.as_properties(),
            ..Accept::default()
        };
        assert_eq!(
            server.accept(Duration::ZERO, &accept, Session::new()),
            Ok(())
        );
    })
    .unwrap();
    link.client_events(|_, event| {
        let ClientEvent::ConnAck(connack) = event else {
            panic!("CONNACK");
        };
        // MQTT-4.12.0-5
        assert_eq!(connack.properties.authentication_method(), Some("M"));
    })
    .unwrap();
    // Again (section 4.12.1), while messages go on.
    link.client
        .authenticate(
            Duration::ZERO,
            ReasonCode::ReAuthenticate,
            Properties::EMPTY,
        )
        .unwrap();
    link.client
        .publish(&Message::new("a", "x", QoS::AtMostOnce))
        .unwrap();
    link.server_events(|server, event| match event {
        ServerEvent::Auth(auth) => {
            assert_eq!(auth.reason_code, ReasonCode::ReAuthenticate);
            server
                .authenticate(Duration::ZERO, ReasonCode::Success, Properties::EMPTY)
                .unwrap();
        }
        other => assert!(matches!(other, ServerEvent::Publish(_))),
    })
    .unwrap();
    assert_eq!(link.at_client().unwrap().len(), 1);
}

// shows: 5.0 MQTT-3.1.2-30, 5.0 MQTT-3.1.4-6, 5.0 MQTT-4.12.0-3, 5.0 MQTT-4.12.0-5
#[test]
fn what_a_server_refuses_until_connack() {
    for (input, statement) in [
        ("30: 0001'a' 00", "MQTT-3.1.2-30"),
        ("82: 0001 00 0001'a' 00", "MQTT-3.1.2-30"),
        ("C0 00", "MQTT-3.1.2-30"),
        ("F0: 18 {15 0001'N'}", "MQTT-4.12.0-5"),
        (AUTH_AGAIN, "MQTT-4.12.0-3"),
        (AUTH_SUCCESS, "MQTT-4.12.0-3"),
        (WITH_METHOD, "MQTT-3.1.0-2"),
    ] {
        let mut server = asking();
        let error = event(&mut server, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
        assert_eq!(transmitted(&mut server), [0x20, 3, 0, 0x82, 0]);
        assert!(server.is_closed());
    }
    // DISCONNECT it may send.
    let mut server = asking();
    assert!(
        event(&mut server, "E0 00")
            .unwrap()
            .starts_with("Disconnect")
    );
    assert!(server.is_closed());
}

// shows: 5.0 MQTT-3.1.2-30
#[test]
fn what_a_client_sends_until_connack() {
    let mut client = client();
    let none = Properties::EMPTY;
    let not_yet = Some(SendError::NotOpen);
    let message = Message::new("a", "x", QoS::AtMostOnce);
    let filter = [Subscription::new("a", QoS::AtMostOnce)];
    assert_eq!(client.publish(&message).err(), not_yet);
    assert_eq!(client.subscribe(&filter, none).err(), not_yet);
    assert_eq!(client.unsubscribe(&["a"], none).err(), not_yet);
    assert_eq!(client.ping(Duration::ZERO).err(), not_yet);
    client.handle_timeout(seconds(9)).unwrap();
    assert_eq!(sent(&mut client), b"");
    client_event(&mut client, AUTH_CONTINUE).unwrap();
    assert_eq!(client.publish(&message).err(), not_yet);
    client
        .authenticate(Duration::ZERO, ReasonCode::ContinueAuthentication, none)
        .unwrap();
    assert_eq!(client.publish(&message).err(), not_yet);
    client
        .close(Duration::ZERO, ReasonCode::Success, none)
        .unwrap();
    let expected = [bytes(AUTH_CONTINUE), bytes("E0 00")].concat();
    assert_eq!(sent(&mut client), expected);
}

// shows: 5.0 MQTT-4.12.0-2
#[test]
fn the_steps_of_a_server() {
    use ReasonCode::{ContinueAuthentication, ReAuthenticate, Success};
    let refused = |reason_code| Err(SendError::ReasonCode { reason_code });
    // Before CONNACK.
    let mut server = asked(WITH_METHOD, ServerConfig::default());
    for reason in [Success, ReAuthenticate, ReasonCode::NotAuthorized] {
        assert_eq!(authenticate(&mut server, reason), refused(reason));
    }
    assert_eq!(authenticate(&mut server, ContinueAuthentication), Ok(()));
    // The client's turn.
    assert!(authenticate(&mut server, ContinueAuthentication).is_err());
    assert_eq!(transmitted(&mut server), bytes(AUTH_CONTINUE));
    // After CONNACK only in answer.
    let mut server = accepted(WITH_METHOD, ServerConfig::default());
    assert!(authenticate(&mut server, ContinueAuthentication).is_err());
    event(&mut server, AUTH_AGAIN).unwrap();
    assert_eq!(
        authenticate(&mut server, ReAuthenticate),
        refused(ReAuthenticate)
    );
    assert_eq!(authenticate(&mut server, Success), Ok(()));
    assert!(authenticate(&mut server, Success).is_err());
    assert_eq!(transmitted(&mut server), bytes(AUTH_SUCCESS));
}

// shows: 5.0 MQTT-4.12.0-3, 5.0 MQTT-4.12.1-1
#[test]
fn the_steps_of_a_client() {
    use ReasonCode::{ContinueAuthentication, ReAuthenticate, Success};
    let none = Properties::EMPTY;
    let refused = |reason_code| Err(SendError::ReasonCode { reason_code });
    let mut client = client();
    for reason in [ContinueAuthentication, ReAuthenticate, Success] {
        assert_eq!(
            client.authenticate(Duration::ZERO, reason, none),
            refused(reason)
        );
    }
    client_event(&mut client, AUTH_CONTINUE).unwrap();
    for reason in [ReAuthenticate, Success] {
        assert_eq!(
            client.authenticate(Duration::ZERO, reason, none),
            refused(reason)
        );
    }
    assert_eq!(
        client.authenticate(Duration::ZERO, ContinueAuthentication, none),
        Ok(())
    );
    assert_eq!(sent(&mut client), bytes(AUTH_CONTINUE));
    client_event(&mut client, "20: 00 00 {15 0001'M'}").unwrap();
    for reason in [ContinueAuthentication, Success] {
        assert_eq!(
            client.authenticate(Duration::ZERO, reason, none),
            refused(reason)
        );
    }
    assert_eq!(
        client.authenticate(Duration::ZERO, ReAuthenticate, none),
        Ok(())
    );
    // One at a time.
    assert!(
        client
            .authenticate(Duration::ZERO, ReAuthenticate, none)
            .is_err()
    );
    assert_eq!(sent(&mut client), bytes(AUTH_AGAIN));
    client_event(&mut client, AUTH_CONTINUE).unwrap();
    assert_eq!(
        client.authenticate(Duration::ZERO, ContinueAuthentication, none),
        Ok(())
    );
    client_event(&mut client, AUTH_SUCCESS).unwrap();
    assert_eq!(
        client.authenticate(Duration::ZERO, ReAuthenticate, none),
        Ok(())
    );
}

// shows: 5.0 MQTT-4.12.0-2, 5.0 MQTT-4.12.0-5
#[test]
fn what_a_server_may_not_answer() {
    for (input, statement) in [
        ("20: 00 00 00", "MQTT-4.12.0-5"),
        ("20: 00 00 {15 0001'N'}", "MQTT-4.12.0-5"),
        ("F0: 18 {15 0001'N'}", "MQTT-4.12.0-5"),
        (AUTH_SUCCESS, "MQTT-4.12.0-2"),
        (AUTH_AGAIN, "MQTT-4.12.0-2"),
    ] {
        let mut client = client();
        let error = client_event(&mut client, input).unwrap_err();
        assert_eq!(error.statement(), Some(statement), "{input}");
        assert!(client.is_closed());
    }
    // An AUTH that nothing asked for.
    for input in [AUTH_CONTINUE, AUTH_SUCCESS, AUTH_AGAIN] {
        let mut client = connected_client();
        assert!(client_event(&mut client, input).is_err(), "{input}");
    }
}

// shows: 5.0 MQTT-4.12.0-5, 5.0 MQTT-4.12.1-1
#[test]
fn the_method_stays_that_of_connect() {
    let (same, other) = (method("M"), method("N"));
    let changed = Err(SendError::Rule {
        rule: Rule::AuthenticationMethodChanged,
    });
    let mut client = connected_client();
    let again = ReasonCode::ReAuthenticate;
    assert_eq!(
        client.authenticate(Duration::ZERO, again, other.as_properties()),
        changed
    );
    assert_eq!(
        client.authenticate(Duration::ZERO, again, same.as_properties()),
        Ok(())
    );
    assert_eq!(sent(&mut client), bytes(AUTH_AGAIN));

    let mut server = asked(WITH_METHOD, ServerConfig::default());
    let more = ReasonCode::ContinueAuthentication;
    let step = server.authenticate(Duration::ZERO, more, other.as_properties());
    assert_eq!(step, changed);
    let accept = Accept {
        properties: other.as_properties(),
        ..Accept::default()
    };
    assert_eq!(
        server.accept(Duration::ZERO, &accept, Session::new()),
        changed
    );
    let accept = Accept::default();
    server
        .accept(Duration::ZERO, &accept, Session::new())
        .unwrap();
    assert_eq!(
        transmitted(&mut server),
        bytes("20: 00 00 {27 00100000 15 0001'M'}")
    );
    // And in an AUTH of the client.
    let error = event(&mut server, "F0: 19 {15 0001'N'}").unwrap_err();
    assert_eq!(error.statement(), Some("MQTT-4.12.0-5"));
    assert_eq!(transmitted(&mut server), bytes("E0: 82"));
}

// shows: 5.0 MQTT-4.12.0-6, 5.0 MQTT-4.12.0-7
#[test]
fn without_a_method_there_is_no_auth() {
    let broken = |rule| Err(SendError::Rule { rule });
    let by_server = Rule::AuthOfServerWithoutMethod;
    assert_eq!(by_server.statement(V5_0), "MQTT-4.12.0-6");
    let mut server = asked(CONNECT_5_0, ServerConfig::default());
    let more = ReasonCode::ContinueAuthentication;
    assert_eq!(authenticate(&mut server, more), broken(by_server));
    let method = method("M");
    let accept = Accept {
        properties: method.as_properties(),
        ..Accept::default()
    };
    let accepted = server.accept(Duration::ZERO, &accept, Session::new());
    assert_eq!(accepted, broken(by_server));
    assert_eq!(transmitted(&mut server), b"");
    let mut server = server_of(V5_0, ServerConfig::default());
    let error = event(&mut server, AUTH_AGAIN).unwrap_err();
    assert_eq!(error.statement(), Some("MQTT-4.12.0-7"));

    let connect = Connect::clean(V5_0, utf8("c"));
    let mut client = client_of(&connect, ClientConfig::default(), "20: 00 00 00");
    for reason in [more, ReasonCode::ReAuthenticate] {
        assert_eq!(
            client.authenticate(Duration::ZERO, reason, Properties::EMPTY),
            broken(Rule::AuthWithoutMethod)
        );
    }
    assert_eq!(sent(&mut client), b"");
    for input in [AUTH_CONTINUE, "20: 00 00 {15 0001'M'}"] {
        let mut client = connecting(&connect, ClientConfig::default(), Session::new());
        let error = client_event(&mut client, input).unwrap_err();
        assert_eq!(error.statement(), Some("MQTT-4.12.0-6"), "{input}");
    }
}

// shows: 5.0 MQTT-4.12.0-1, 5.0 MQTT-4.12.0-4, 5.0 MQTT-4.12.1-2
#[test]
fn an_authentication_that_fails() {
    let none = Properties::EMPTY;
    // A method that the server has not.
    let mut server = asked(WITH_METHOD, ServerConfig::default());
    server
        .refuse(Duration::ZERO, ReasonCode::BadAuthenticationMethod, none)
        .unwrap();
    assert_eq!(transmitted(&mut server), bytes("20: 00 8C 00"));
    assert!(server.is_closed());
    // At a later step.
    let mut server = asking();
    event(&mut server, AUTH_CONTINUE).unwrap();
    server
        .refuse(Duration::ZERO, ReasonCode::NotAuthorized, none)
        .unwrap();
    assert_eq!(transmitted(&mut server), bytes("20: 00 87 00"));
    assert!(server.is_closed());
    // Again, from either end.
    let mut server = accepted(WITH_METHOD, ServerConfig::default());
    event(&mut server, AUTH_AGAIN).unwrap();
    server
        .close(Duration::ZERO, ReasonCode::NotAuthorized, none)
        .unwrap();
    assert_eq!(transmitted(&mut server), bytes("E0: 87"));
    assert!(server.is_closed());
    let mut client = connected_client();
    let again = ReasonCode::ReAuthenticate;
    client.authenticate(Duration::ZERO, again, none).unwrap();
    sent(&mut client);
    client_event(&mut client, AUTH_CONTINUE).unwrap();
    client
        .close(Duration::ZERO, ReasonCode::UnspecifiedError, none)
        .unwrap();
    assert_eq!(sent(&mut client), bytes("E0: 80"));
    assert!(client.is_closed());
}

/// A re-authentication that is going on is not begun again (section 4.12.1), whoever is
/// to make the next step.
#[test]
fn one_re_authentication_at_a_time() {
    for server_has_answered in [false, true] {
        let mut server = accepted(WITH_METHOD, ServerConfig::default());
        event(&mut server, AUTH_AGAIN).unwrap();
        if server_has_answered {
            let now = Duration::ZERO;
            server
                .authenticate(now, ReasonCode::ContinueAuthentication, Properties::EMPTY)
                .unwrap();
        }
        transmitted(&mut server);
        assert!(event(&mut server, AUTH_AGAIN).is_err());
        assert_eq!(transmitted(&mut server), bytes("E0 01 82"));
    }
}

/// Neither a password nor authentication data is in what `Debug` writes, wherever they are.
#[test]
fn secrets_are_not_shown() {
    let mut builder = PropertiesBuilder::new();
    builder
        .push(Property::AuthenticationMethod("PLAIN"))
        .unwrap()
        .push(Property::AuthenticationData(b"hunter2"))
        .unwrap();
    let connect = Connect {
        user_name: Some(utf8("alice")),
        password: Some(b"hunter2"),
        properties: builder.as_properties(),
        ..Connect::clean(V5_0, utf8("c"))
    };
    let mut client = ClientConnection::new(Duration::ZERO, ClientConfig::default());
    client
        .connect(Duration::ZERO, &connect, Session::new())
        .unwrap();
    let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
    let mut wire = Vec::new();
    client.poll_transmit(Duration::ZERO, &mut wire);
    let event = server.receive(Duration::ZERO, &mut &wire[..]).unwrap();
    let packet = Packet::Connect(connect);
    for (name, text) in [
        ("packet", format!("{packet:?}")),
        ("PacketBuf", format!("{:?}", packet.to_buf(V5_0).unwrap())),
        ("event", format!("{event:?}")),
        ("builder", format!("{builder:?}")),
        ("PropertiesBuf", format!("{:?}", builder.clone().build())),
        ("iterator", format!("{:?}", connect.properties.iter())),
        ("client", format!("{client:?}")),
        ("server", format!("{server:?}")),
    ] {
        let numbers = format!("{:?}", b"hunter2");
        let numbers = numbers.trim_matches(['[', ']']);
        assert!(
            !text.contains("hunter2") && !text.contains(numbers),
            "{name}: {text}"
        );
    }
    assert!(format!("{packet:?}").contains("<secret>"));
}
