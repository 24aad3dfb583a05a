//! What is left of an idle connection, and the connection that is made of it again.

use std::fmt::Write;
use std::time::Duration;

use stomp_codec::connection::{
    Accept, Reading, ServerConfig, ServerConnection, ServerEvent, Subscription,
};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const SUBSCRIBE: &str = "SUBSCRIBE\nid:0\ndestination:/a\nack:client\n\n^@";

/// A server whose client speaks this version, with heart-beats of 10 s in both directions from
/// 1.1 on.
fn server(version: &str) -> ServerConnection {
    let mut server = ServerConnection::new(s(0), ServerConfig::default());
    let connect = format!("CONNECT\naccept-version:{version}\nheart-beat:10000,10000\n\n\0");
    let event = server.receive(s(0), &mut connect.as_bytes()).unwrap();
    assert!(matches!(event, Some(ServerEvent::Connect(_))));
    let accept = Accept {
        session: Some("s-1"),
        ..Accept::default()
    };
    server.accept(s(0), &accept).unwrap();
    transmit(&mut server, s(0));
    server
}

fn transmit(server: &mut ServerConnection, now: Duration) -> String {
    let mut out = Vec::new();
    server.poll_transmit(now, &mut out);
    String::from_utf8(out).unwrap().replace('\0', "^@")
}

/// Whatever is said to the server, all that it answers leaves. Returns the subscription, if it
/// was SUBSCRIBE.
fn feed(server: &mut ServerConnection, input: &str) -> Option<Subscription> {
    let input = input.replace("^@", "\0");
    let mut input = input.as_bytes();
    let mut subscription = None;
    while let Some(event) = server.receive(s(0), &mut input).unwrap() {
        if let ServerEvent::Subscribe(subscribe) = event {
            subscription = Some(subscribe.subscription);
        }
    }
    transmit(server, s(0));
    subscription
}

const NONE: [(&str, &str); 0] = [];

/// What makes a connection be more than idle, and what makes it idle again.
type Row = (
    &'static str,
    fn(&mut ServerConnection),
    fn(&mut ServerConnection),
);

const ROWS: [Row; 7] = [
    (
        "something is to be sent",
        |server| server.handle_timeout(s(8)).unwrap(),
        |_| {},
    ),
    (
        "half a frame has come",
        |server| {
            feed(server, "SEND\ndestination:/a\n");
        },
        |server| {
            feed(server, "SEND\ndestination:/a\n\n^@");
        },
    ),
    (
        "a message waits for ACK",
        |server| {
            let subscription = feed(server, SUBSCRIBE).unwrap();
            server.deliver(subscription, 7, "/a", NONE, b"b").unwrap();
            transmit(server, s(0));
        },
        |server| {
            feed(server, "ACK\nid:1-1\n\n^@");
        },
    ),
    (
        "a transaction is open",
        |server| {
            feed(server, "BEGIN\ntransaction:t\n\n^@");
        },
        |server| {
            feed(server, "ABORT\ntransaction:t\n\n^@");
        },
    ),
    (
        "a body is going in parts",
        |server| {
            let subscribe = "SUBSCRIBE\nid:0\ndestination:/a\n\n^@";
            let subscription = feed(server, subscribe).unwrap();
            let begun = server.begin_deliver(subscription, 0, "/a", NONE, 1);
            begun.unwrap();
            transmit(server, s(0));
        },
        |server| {
            server.send_body(b"x").unwrap();
        },
    ),
    (
        "it has more than 16 subscriptions",
        |server| {
            for id in 1..=17 {
                feed(server, &format!("SUBSCRIBE\nid:{id}\ndestination:/a\n\n^@"));
            }
        },
        |server| {
            feed(server, "UNSUBSCRIBE\nid:9\n\n^@");
        },
    ),
    (
        "it is not read from",
        |server| server.set_reading(s(0), Reading::Paused),
        |server| server.set_reading(s(0), Reading::Running),
    ),
];

#[test]
fn what_is_under_way_is_not_forgotten() {
    for (what, begin, end) in ROWS {
        let mut server = server("1.2");
        assert!(server.idle().is_some(), "{what}");
        begin(&mut server);
        assert!(server.idle().is_none(), "{what}");
        end(&mut server);
        transmit(&mut server, s(0));
        assert!(server.idle().is_some(), "{what}");
    }
}

#[test]
fn one_that_is_not_open_is_not_idle() {
    let new = ServerConnection::new(s(0), ServerConfig::default());
    assert!(new.idle().is_none());
    let mut left = server("1.2");
    feed(&mut left, "DISCONNECT\nreceipt:r\n\n^@");
    assert!(left.idle().is_none());
    let mut broken = server("1.2");
    assert!(broken.receive(s(0), &mut &b"NONE\n\n\0"[..]).is_err());
    transmit(&mut broken, s(0));
    assert!(broken.idle().is_none());
}

/// What a client says, a second after what it said before.
const SAID: [&str; 14] = [
    "\r\n\n",
    SUBSCRIBE,
    "SUBSCRIBE\nid:1\ndestination:/b\nack:client-individual\n\n^@",
    "SEND\ndestination:/a\n\n1^@\r\n",
    "ACK\nid:1-1\nsubscription:0\nmessage-id:s-1-1-1\n\n^@",
    "SEND\ndestination:/b\n\n2^@",
    "NACK\nid:2-1\nsubscription:1\nmessage-id:s-1-2-1\n\n^@",
    "SEND\ndestination:/reply\n\n3^@",
    "SEND\ndestination:/reply\n\n4^@",
    "UNSUBSCRIBE\nid:0\n\n^@",
    "SUBSCRIBE\nid:2\ndestination:/a\n\n^@",
    "SEND\ndestination:/a\n\n5^@",
    // It was settled before.
    "ACK\nid:1-1\nsubscription:0\nmessage-id:s-1-1-1\n\n^@",
    "SUBSCRIBE\nid:2\ndestination:/c\n\n^@",
];

/// All that comes of what a client says: events, bytes, and when the next time-out is. The
/// connection is replaced before each step, where it is idle and that is asked for.
fn told(version: &str, resumes: bool) -> (String, usize) {
    let mut server = server(version);
    let (mut text, mut resumed) = (String::new(), 0);
    let mut subscriptions = Vec::new();
    for (second, said) in (1..).zip(SAID) {
        let now = s(second);
        if resumes && let Some(idle) = server.idle() {
            assert_eq!(idle.poll_timeout(), server.poll_timeout());
            server = idle.resume(now, ServerConfig::default());
            resumed += 1;
        }
        if server.poll_timeout().is_some_and(|due| due <= now) {
            server.handle_timeout(now).unwrap();
        }
        let input = said.replace("^@", "\0");
        let mut input = input.as_bytes();
        loop {
            let event = server.receive(now, &mut input);
            writeln!(text, "{event:?}").unwrap();
            match event {
                Ok(Some(ServerEvent::Subscribe(subscribe))) => {
                    let destination = subscribe.destination.into_owned();
                    subscriptions.push((destination, subscribe.subscription));
                }
                Ok(Some(ServerEvent::Send(send))) => {
                    let destination = &*send.destination;
                    // As good as any number.
                    let number = second;
                    for (_, to) in subscriptions.iter().filter(|(it, _)| it == destination) {
                        let sent = server.deliver(*to, number, destination, NONE, b"b");
                        writeln!(text, "{sent:?}").unwrap();
                    }
                    if destination == "/reply" {
                        let sent = server.deliver_unsubscribed("/r", "/q", NONE, b"");
                        sent.unwrap();
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let sent = transmit(&mut server, now);
        writeln!(text, "{sent} {:?} {input:?}", server.poll_timeout()).unwrap();
    }
    (text, resumed)
}

/// A connection that is resumed wherever it is idle says what one says that always was.
#[test]
fn it_goes_on_as_though_it_had_always_been_there() {
    for version in ["1.0", "1.1", "1.2"] {
        let (all, none) = told(version, false);
        let (same, resumed) = told(version, true);
        assert_eq!(none, 0);
        assert!(resumed >= 4, "{version}: {resumed}\n{all}");
        assert_eq!(all, same, "{version}");
    }
}

/// Heart-beats go on from when the client was heard last, and something was said to it last.
#[test]
fn silence_counts() {
    let mut server = server("1.2");
    let due = server.poll_timeout().unwrap();
    let resume = |server: &ServerConnection, now| {
        let idle = server.idle().unwrap();
        assert_eq!(idle.poll_timeout(), server.poll_timeout());
        idle.resume(now, ServerConfig::default())
    };
    server = resume(&server, s(1));
    assert_eq!(server.poll_timeout(), Some(due));
    server.handle_timeout(due).unwrap();
    assert_eq!(transmit(&mut server, due), "\n");
    server = resume(&server, due);
    server
        .handle_timeout(s(20) - Duration::from_millis(1))
        .unwrap();
    transmit(&mut server, s(20));
    assert!(server.handle_timeout(s(20)).is_err());
}
