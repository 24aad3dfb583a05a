//! How a broker of STOMP can misbehave.

use super::frame::command;
use super::{After, Fault, Wrong, change, each};

/// The command of a frame, or what it is else.
pub(super) fn name(frame: &[u8]) -> String {
    match command(frame) {
        b"" => "an end of line".into(),
        command => String::from_utf8_lossy(command).into_owned(),
    }
}

fn is(wanted: &'static str) -> impl Fn(&[u8]) -> bool {
    move |frame| command(frame) == wanted.as_bytes()
}

/// Frames of this command never come.
fn lost(wanted: &'static str) -> Wrong {
    change(is(wanted), Vec::clear)
}

/// The head and the body of a frame, without the empty line between them.
fn split(frame: &[u8]) -> (String, Vec<u8>) {
    let at = frame.windows(2).position(|two| two == b"\n\n");
    let at = at.unwrap_or(frame.len());
    let head = String::from_utf8_lossy(&frame[..at]).into_owned();
    (head, frame.get(at + 2..).unwrap_or_default().to_vec())
}

/// The lines of the head of frames of this command are changed: the command is the first.
fn with_lines(wanted: &'static str, edit: fn(&mut Vec<String>)) -> Wrong {
    change(is(wanted), move |frame| {
        let (head, rest) = split(frame);
        let mut lines: Vec<String> = head.lines().map(String::from).collect();
        edit(&mut lines);
        *frame = [lines.join("\n").as_bytes(), b"\n\n", &rest].concat();
    })
}

/// A header is left out.
fn without(wanted: &'static str, header: &'static str) -> Wrong {
    change(is(wanted), move |frame| {
        let (head, rest) = split(frame);
        let is_other = |line: &&str| line.split(':').next() != Some(header);
        let lines: Vec<_> = head.lines().filter(is_other).collect();
        *frame = [lines.join("\n").as_bytes(), b"\n\n", &rest].concat();
    })
}

/// A header has another value, whether it was there or not.
fn replaced(wanted: &'static str, header: &'static str, value: &'static str) -> Wrong {
    change(is(wanted), move |frame| {
        let (head, rest) = split(frame);
        let is_other = |line: &&str| line.split(':').next() != Some(header);
        let mut lines: Vec<_> = head.lines().filter(is_other).collect();
        let line = format!("{header}:{value}");
        lines.push(&line);
        *frame = [lines.join("\n").as_bytes(), b"\n\n", &rest].concat();
    })
}

/// These bytes come after each frame of this command.
fn followed_by(wanted: &'static str, bytes: &'static [u8]) -> Wrong {
    change(is(wanted), move |frame| frame.extend(bytes))
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "connected-missing",
        rule: "connecting/connected",
        broker: "never answers a CONNECT",
        client: "gives up after a time of its own, and says so",
        make: || lost("CONNECTED"),
    },
    Fault {
        name: "connected-unknown-version",
        rule: "CONNECTED/version",
        broker: "says that version 9.9 is spoken",
        client: "closes the connection",
        make: || replaced("CONNECTED", "version", "9.9"),
    },
    Fault {
        name: "connected-without-version",
        rule: "CONNECTED/version",
        broker: "names no version in CONNECTED, as 1.0 does",
        client: "speaks 1.0 then, or closes the connection",
        make: || without("CONNECTED", "version"),
    },
    Fault {
        name: "connected-twice",
        rule: "server-frames/commands",
        broker: "sends each CONNECTED twice",
        client: "closes the connection, or passes over the second",
        make: || change(is("CONNECTED"), |frame| *frame = frame.repeat(2)),
    },
    Fault {
        name: "error-for-connect",
        rule: "connecting/rejected",
        broker: "answers each CONNECT with an ERROR, and closes",
        client: "says what the ERROR says, and does not spin",
        make: || {
            each(|frame| {
                if is("CONNECTED")(&frame) {
                    After::Last(b"ERROR\nmessage:not today\n\nnot today\0".to_vec())
                } else {
                    After::Same(frame)
                }
            })
        },
    },
    Fault {
        name: "heart-beats-missing",
        rule: "heart-beating/silent-peer",
        broker: "promises a heart-beat each half second, and sends none",
        client: "closes the connection after a while",
        make: || {
            each(|frame| {
                if is("CONNECTED")(&frame) {
                    let (head, rest) = split(&frame);
                    let is_other = |line: &&str| !line.starts_with("heart-beat:");
                    let lines: Vec<_> = head.lines().filter(is_other).collect();
                    let head = format!("{}\nheart-beat:500,0\n\n", lines.join("\n"));
                    After::Same([head.as_bytes(), &rest].concat())
                } else if frame == b"\n" {
                    After::Instead(Vec::new())
                } else {
                    After::Same(frame)
                }
            })
        },
    },
    Fault {
        name: "receipt-missing",
        rule: "receipt/answered",
        broker: "never sends a RECEIPT",
        client: "does not wait for ever, that of DISCONNECT included",
        make: || lost("RECEIPT"),
    },
    Fault {
        name: "receipt-other-id",
        rule: "RECEIPT/receipt-id",
        broker: "sends each RECEIPT with another receipt-id",
        client: "does not take its frame for answered",
        make: || replaced("RECEIPT", "receipt-id", "another"),
    },
    Fault {
        name: "receipt-without-id",
        rule: "RECEIPT/receipt-id",
        broker: "sends each RECEIPT without receipt-id",
        client: "closes the connection, and does not end by an exception",
        make: || without("RECEIPT", "receipt-id"),
    },
    Fault {
        name: "receipt-twice",
        rule: "receipt/answered",
        broker: "sends each RECEIPT twice",
        client: "passes over the second",
        make: || change(is("RECEIPT"), |frame| *frame = frame.repeat(2)),
    },
    Fault {
        name: "message-without-subscription",
        rule: "MESSAGE/subscription",
        broker: "sends messages without the header subscription",
        client: "closes the connection, or finds the subscription by the destination",
        make: || without("MESSAGE", "subscription"),
    },
    Fault {
        name: "message-of-no-subscription",
        rule: "MESSAGE/subscription",
        broker: "sends messages of a subscription that does not exist",
        client: "closes the connection, and does not lose the message in silence",
        make: || replaced("MESSAGE", "subscription", "none-such"),
    },
    Fault {
        name: "message-without-id",
        rule: "MESSAGE/message-id",
        broker: "sends messages without message-id",
        client: "closes the connection, and does not end by an exception",
        make: || without("MESSAGE", "message-id"),
    },
    Fault {
        name: "message-without-ack",
        rule: "MESSAGE/ack",
        broker: "sends messages that want an ACK without the header ack (1.2)",
        client: "says that it cannot acknowledge, and sends no ACK with an empty id",
        make: || without("MESSAGE", "ack"),
    },
    Fault {
        name: "message-without-destination",
        rule: "MESSAGE/destination",
        broker: "sends messages without destination",
        client: "closes the connection, or delivers the message",
        make: || without("MESSAGE", "destination"),
    },
    Fault {
        name: "message-twice",
        rule: "SUBSCRIBE/delivers",
        broker: "sends each message twice",
        client: "delivers both: STOMP has no way to tell",
        make: || change(is("MESSAGE"), |frame| *frame = frame.repeat(2)),
    },
    Fault {
        name: "content-length-too-small",
        rule: "content-length/nul-terminates",
        broker: "sends a content-length of 1 for longer bodies",
        client: "closes the connection",
        make: || replaced("MESSAGE", "content-length", "1"),
    },
    Fault {
        name: "content-length-no-number",
        rule: "content-length/octets-read",
        broker: "sends the content-length many",
        client: "closes the connection, and does not end by an exception",
        make: || replaced("MESSAGE", "content-length", "many"),
    },
    Fault {
        name: "content-length-1-tib",
        rule: "size-limits/body",
        broker: "announces a body of 1 TiB",
        client: "closes the connection, or waits without taking the memory",
        make: || replaced("MESSAGE", "content-length", "1099511627776"),
    },
    Fault {
        name: "escape-unknown",
        rule: "header-encoding/undefined-escape",
        broker: "sends a header with the escape \\t, which does not exist",
        client: "closes the connection",
        make: || with_lines("MESSAGE", |lines| lines.push("note:a\\tb".into())),
    },
    Fault {
        name: "header-without-colon",
        rule: "grammar/header",
        broker: "sends a header line without a colon",
        client: "closes the connection, and does not end by an exception",
        make: || with_lines("MESSAGE", |lines| lines.push("nonsense".into())),
    },
    Fault {
        name: "header-repeated",
        rule: "repeated-headers/first",
        broker: "repeats message-id with another value, which is right: the first counts",
        client: "takes the first",
        make: || with_lines("MESSAGE", |lines| lines.push("message-id:second".into())),
    },
    Fault {
        name: "command-unknown",
        rule: "server-frames/commands",
        broker: "sends a frame with the command HELLO after each RECEIPT",
        client: "closes the connection, or passes over it",
        make: || followed_by("RECEIPT", b"HELLO\n\n\0"),
    },
    Fault {
        name: "error-and-silence",
        rule: "ERROR/close",
        broker: "sends an ERROR after each RECEIPT, and stays",
        client: "says what the ERROR says, and closes the connection",
        make: || followed_by("RECEIPT", b"ERROR\nmessage:tired\n\ntired\0"),
    },
    Fault {
        name: "cut-short",
        rule: "connection-lingering/last-frame",
        broker: "closes the connection in the middle of a message",
        client: "does not deliver what has come, and says that the connection is lost",
        make: || {
            each(|mut frame| {
                if is("MESSAGE")(&frame) {
                    frame.truncate(frame.len() - 2);
                    After::Last(frame)
                } else {
                    After::Same(frame)
                }
            })
        },
    },
    Fault {
        name: "eols-between-frames",
        rule: "frames/eols-after-nul",
        broker: "sends ends of line after each frame, which is right",
        client: "does not notice",
        make: || change(|frame| frame != b"\n", |frame| frame.extend(b"\n\n\n")),
    },
    Fault {
        name: "octet-by-octet",
        rule: "frames/any-segmentation",
        broker: "sends what it sends one byte at a time, which is right",
        client: "does not notice",
        make: || Wrong {
            octets: true,
            ..each(After::Same)
        },
    },
];
