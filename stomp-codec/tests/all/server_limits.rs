//! The limits of a server on frames, before the login and after it.

use crate::script::{config, converse};
use stomp_codec::ConnectionError::Decode;
use stomp_codec::{DecodeError, DecodeErrorKind, Limit, Limits};

/// Before login other limits hold ("Size Limits").
// shows: stomp12/size-limits/error, stomp11/size-limits/error
#[test]
fn limits_before_and_after_login() {
    let mut config = config();
    config.limits_before_login.header_line = 20;
    config.limits.header_line = 30;
    let long = "x:0123456789012345678\n";
    let before = format!("CONNECT\n{long}\n\0");
    let error = converse(config.clone(), before.as_bytes()).error;
    let Some(Decode(DecodeError { offset, .. })) = error else {
        panic!("{error:?}")
    };
    assert_eq!(offset, "CONNECT\n".len() + 20);
    for opening in [
        "",
        "accept-version:1.1\nhost:h\n",
        "accept-version:1.2\nhost:h\n",
    ] {
        let opening = format!("CONNECT\n{opening}\n\0");
        let after = format!("{opening}SEND\ndestination:a\n{long}\n\0");
        assert_eq!(converse(config.clone(), after.as_bytes()).error, None);
        let after = format!("{opening}SEND\ndestination:a\nlong{long}{long}\n\0");
        assert_eq!(converse(config.clone(), after.as_bytes()).error, None);
        let after = format!("{opening}SEND\nlonger-than-that-{long}\n\0");
        let found = converse(config.clone(), after.as_bytes());
        assert!(found.error.is_some() && found.closed);
        assert!(
            found
                .sent
                .starts_with("ERROR\nmessage:maximum length of a header line")
        );
    }
}

/// Each limit on a frame holds where it is said to hold, and not in the other place.
// shows: stomp12/size-limits/header-count, stomp11/size-limits/header-count,
// shows: stomp12/size-limits/body, stomp11/size-limits/body
#[test]
fn each_limit_has_two_places() {
    type Row = (&'static str, fn(&mut Limits), &'static str, Limit);
    let send = "SEND\ndestination:a\nx:y\n\n0123456789\0";
    let table: &[Row] = &[
        (
            "CONNECT\nx:y\nz:y\n\n\0",
            |limits| limits.command = 6,
            "",
            Limit::Command,
        ),
        (
            "CONNECT\nx:y\nz:y\n\n\0",
            |limits| limits.header_line = 2,
            "",
            Limit::HeaderLine,
        ),
        (
            "CONNECT\nx:y\nz:y\n\n\0",
            |limits| limits.header_count = 1,
            "",
            Limit::HeaderCount,
        ),
        (
            "CONNECT\nx:y\nz:y\n\n\0",
            |limits| limits.headers = 7,
            "",
            Limit::Headers,
        ),
        (
            "CONNECT\n\n\0",
            |limits| limits.command = 8,
            "SUBSCRIBE\nid:0\ndestination:a\n\n\0",
            Limit::Command,
        ),
        (
            "CONNECT\n\n\0",
            |limits| limits.header_line = 12,
            send,
            Limit::HeaderLine,
        ),
        (
            "CONNECT\n\n\0",
            |limits| limits.header_count = 1,
            send,
            Limit::HeaderCount,
        ),
        (
            "CONNECT\n\n\0",
            |limits| limits.headers = 17,
            send,
            Limit::Headers,
        ),
        ("CONNECT\n\n\0", |limits| limits.body = 9, send, Limit::Body),
    ];
    for (opening, set, frame, limit) in table {
        let stream = (*opening).to_owned() + frame;
        for is_before in [true, false] {
            let mut config = config();
            set(if is_before {
                &mut config.limits_before_login
            } else {
                &mut config.limits
            });
            let found = converse(config, stream.as_bytes()).error;
            let exceeded = match found {
                Some(Decode(error)) => Some(error.kind),
                None => None,
                error => panic!("{error:?}"),
            };
            let expected = is_before == frame.is_empty();
            let expected = expected.then_some(DecodeErrorKind::Limit(*limit));
            assert_eq!(exceeded, expected, "{limit:?} {is_before} {stream}");
        }
    }
}
