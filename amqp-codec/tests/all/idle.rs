//! What is left of an idle connection, and the connection that is made of it again.

use core::fmt::Write;
use core::time::Duration;

use crate::peers::*;
use amqp_codec::connection::{
    Message, Reading, ReplyError, Request, ServerConfig, ServerConnection, ServerEvent,
};
use amqp_codec::method::{basic, channel, connection, queue};
use amqp_codec::{ReplyCode, TableBuf};

fn at(seconds: u64) -> Duration {
    NOW + Duration::from_secs(seconds)
}

fn server() -> ServerConnection {
    open_server(server_config(), 4096, 10)
}

/// Whatever is said to the server, all that it answers leaves.
fn feed(server: &mut ServerConnection, input: &[u8]) {
    feed_server(server, NOW, input).unwrap();
    server.poll_transmit(NOW, &mut Vec::new());
}

fn select() -> Vec<u8> {
    method(1, confirm::Select::default())
}

fn whole_publish() -> Vec<u8> {
    [publish(1), header(1, 1), body(1, b"x")].concat()
}

/// What makes a connection be more than idle, and what makes it idle again.
type Row = (
    &'static str,
    fn(&mut ServerConnection),
    fn(&mut ServerConnection),
);

const ROWS: [Row; 10] = [
    (
        "something is to be sent",
        |server| server.handle_timeout(at(5)).unwrap(),
        |_| {},
    ),
    (
        "half a frame has come",
        |server| {
            let mut input = &b"\x08\x00"[..];
            assert_eq!(server.receive(NOW, &mut input), Ok(None));
        },
        |server| feed(server, b"\x08\x00\x00\x00\x00\x00\x00\xce"),
    ),
    (
        "a request waits for its answer",
        |server| feed(server, &method(1, queue::Declare::default())),
        |server| server.queue_declare_ok(1, "q", 0, 0).unwrap(),
    ),
    (
        "a secret waits for its answer",
        |server| feed(server, &method(0, connection::UpdateSecret::default())),
        |server| server.update_secret_ok().unwrap(),
    ),
    (
        "a publish waits for its confirm",
        |server| {
            feed(server, &select());
            server.confirm_select_ok(1).unwrap();
            feed(server, &whole_publish());
        },
        |server| server.ack(1, Tags::One(1)).unwrap(),
    ),
    (
        "a content is coming",
        |server| feed(server, &publish(1)),
        |server| feed(server, &[header(1, 1), body(1, b"x")].concat()),
    ),
    (
        "a body is going in parts",
        |server| {
            let message = Message::default();
            let begun = server.begin_deliver(1, "c", Redelivered::No, &message, 1);
            begun.unwrap();
            server.poll_transmit(NOW, &mut Vec::new());
        },
        |server| {
            server.send_body(1, b"x").unwrap();
        },
    ),
    (
        "a channel is closing",
        |server| {
            let error = ReplyError::new(ReplyCode::NotFound, 1, "no queue");
            server.fail(NOW, &error).unwrap();
            server.poll_transmit(NOW, &mut Vec::new());
        },
        |server| feed(server, &method(1, channel::CloseOk {})),
    ),
    (
        "it has more than 16 channels",
        |server| {
            for number in 2..=17 {
                feed(server, &method(number, channel::Open {}));
            }
        },
        |server| feed(server, &method(9, channel::Close::default())),
    ),
    (
        "it is not read from",
        |server| server.set_reading(NOW, Reading::Paused),
        |server| server.set_reading(NOW, Reading::Running),
    ),
];

#[test]
fn what_is_under_way_is_not_forgotten() {
    for (what, begin, end) in ROWS {
        let mut server = server();
        assert!(server.idle().is_some(), "{what}");
        begin(&mut server);
        assert!(server.idle().is_none(), "{what}");
        end(&mut server);
        server.poll_transmit(NOW, &mut Vec::new());
        assert!(server.idle().is_some(), "{what}");
    }
}

#[test]
fn one_that_is_not_open_is_not_idle() {
    assert!(ServerConnection::new(NOW, server_config()).idle().is_none());
    let mut left = server();
    feed(&mut left, &method(0, connection::Close::default()));
    assert!(left.idle().is_none());
    let mut broken = server();
    assert!(feed_server(&mut broken, NOW, b"\x08\x00\x00\x00\x00\x00\x00\x00").is_err());
    broken.poll_transmit(NOW, &mut Vec::new());
    assert!(broken.idle().is_none());
}

/// What a client says, a second after what it said before.
fn said() -> Vec<Vec<u8>> {
    vec![
        b"\x08\x00\x00\x00\x00\x00\x00\xce".to_vec(),
        method(1, queue::Declare::default()),
        method(1, basic::Consume::default()),
        select(),
        whole_publish(),
        whole_publish(),
        method(7, channel::Open {}),
        method(1, channel::Flow { active: false }),
        method(1, channel::Flow { active: true }),
        ack(2, false),
        method(7, channel::Close::default()),
        // Longer than the frames that were agreed on (section 4.2.3).
        body(1, &[0; 5000]),
    ]
}

/// All that comes of what a client says: events, frames, and when the next time-out is. The
/// connection is replaced before each step, where it is idle and that is asked for.
fn told(resumes: bool) -> (String, usize) {
    let mut server = server();
    let (mut text, mut resumed) = (String::new(), 0);
    for (second, input) in (1..).zip(said()) {
        let now = at(second);
        if resumes && let Some(idle) = server.idle() {
            assert_eq!(idle.poll_timeout(), server.poll_timeout());
            let config = server_config().with_server_properties(TableBuf::new());
            server = idle.resume(now, config);
            resumed += 1;
        }
        if server.poll_timeout().is_some_and(|due| due <= now) {
            server.handle_timeout(now).unwrap();
        }
        let mut input = &input[..];
        loop {
            let event = server.receive(now, &mut input);
            writeln!(text, "{event:?}").unwrap();
            match event {
                Ok(Some(ServerEvent::Publish(publish))) => {
                    let tag = publish.publish_tag.unwrap();
                    server.ack(1, Tags::One(tag)).unwrap();
                    let delivered = server.deliver(1, "c", Redelivered::No, &Message::default());
                    writeln!(text, "{delivered:?}").unwrap();
                }
                Ok(Some(ServerEvent::Request {
                    channel: number,
                    request,
                    ..
                })) => {
                    let answered = match request {
                        Request::QueueDeclare(_) => server.queue_declare_ok(number, "q", 0, 0),
                        Request::BasicConsume(_) => server.consume_ok(number, "c"),
                        Request::ConfirmSelect(_) => server.confirm_select_ok(number),
                        Request::ChannelFlow(flow) => {
                            let active = flow.active;
                            server.flow_ok(number, &channel::FlowOk { active })
                        }
                        _ => Ok(()),
                    };
                    answered.unwrap();
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let paused = server.deliver(1, "c", Redelivered::No, &Message::default());
        writeln!(text, "{paused:?}").unwrap();
        let frames = transmitted!(server, now);
        writeln!(text, "{frames:?} {:?}", server.poll_timeout()).unwrap();
    }
    (text, resumed)
}

/// A connection that is resumed wherever it is idle says what one says that always was.
#[test]
fn it_goes_on_as_though_it_had_always_been_there() {
    let (all, none) = told(false);
    let (same, resumed) = told(true);
    assert_eq!(none, 0);
    assert!(resumed >= 10, "{resumed}");
    assert_eq!(all, same);
}

/// Heartbeats go on from when the client was heard last, and something was said to it last
/// (section 4.2.7).
#[test]
fn silence_counts() {
    let mut server = server();
    let resume = |server: &ServerConnection, now| {
        let idle = server.idle().unwrap();
        assert_eq!(idle.poll_timeout(), server.poll_timeout());
        idle.resume(now, server_config())
    };
    server = resume(&server, at(1));
    assert_eq!(server.poll_timeout(), Some(at(5)));
    server.handle_timeout(at(5)).unwrap();
    assert_eq!(transmitted!(server, at(5)), ["heartbeat"]);
    server = resume(&server, at(6));
    server.handle_timeout(at(19)).unwrap();
    assert_eq!(transmitted!(server, at(19)), ["heartbeat"]);
    assert!(server.handle_timeout(at(20)).is_err());
    // None were agreed on.
    let silent = open_server(ServerConfig::default(), 4096, 0);
    let silent = resume(&silent, at(1));
    assert_eq!(silent.poll_timeout(), None);
}
