//! What a broker loses or repeats when it is started again is noticed: a man in the middle has it
//! lose something when the restart command has run, and the broker itself goes on.

use crate::figure;
use crate::frame::method;
use crate::mutation::{LONG, cases, missed, selected};
use crate::proxy::Protocol::{Amqp, Mqtt};
use crate::proxy::{Between, Clear, Protocol, Rewrite, through};

/// What is lost, over which protocol, the cases that must notice, and the man in the middle of a
/// connection before or after the restart.
type Row = (
    &'static str,
    Protocol,
    &'static [&'static str],
    fn(bool) -> Box<dyn Between>,
);

/// After the restart this part of what a client sends is another: what it asks for is not there.
fn renamed(
    protocol: Protocol,
    restarted: bool,
    from: &'static [u8],
    to: &'static [u8],
) -> Box<dyn Between> {
    Box::new(
        Rewrite::new(protocol.framing(), |frame| frame).up(move |mut frame| {
            let at = frame.windows(from.len()).position(|part| part == from);
            if let (true, Some(at)) = (restarted, at) {
                frame[at..at + from.len()].copy_from_slice(to);
            }
            frame
        }),
    )
}

/// The names of a case have eleven characters after the first ones, and their length before them.
const ROWS: &[Row] = &[
    (
        "queues are lost",
        Amqp,
        &[
            "amqp/restart/durable-queue",
            "amqp/restart/persistent-message",
            "amqp/restart/confirmed-message",
        ],
        |restarted| renamed(Amqp, restarted, b"\x0Dq.", b"\x0DQ."),
    ),
    (
        "exchanges are lost",
        Amqp,
        &["amqp/restart/binding"],
        |restarted| renamed(Amqp, restarted, b"\x0Dx.", b"\x0DX."),
    ),
    (
        "a queue that is not durable keeps its message",
        Amqp,
        &["amqp/restart/transient-queue"],
        |_| Box::new(Clear),
    ),
    (
        "acknowledgements are lost",
        Amqp,
        &["amqp/restart/acknowledged"],
        |restarted| {
            Box::new(
                Rewrite::new(Amqp.framing(), |frame| frame).up(move |frame| {
                    if !restarted && method(&frame) == Some((60, 80)) {
                        Vec::new()
                    } else {
                        frame
                    }
                }),
            )
        },
    ),
    (
        "sessions are lost",
        Mqtt,
        &[
            "*/restart-session",
            "*/restart-queued-*",
            "*/restart-in-flight",
        ],
        |restarted| renamed(Mqtt, restarted, b"\x00\x0Dc1", b"\x00\x0DC1"),
    ),
    (
        "retained messages are lost",
        Mqtt,
        &["*/restart-retained"],
        |restarted| renamed(Mqtt, restarted, b"\x00\x0Ct", b"\x00\x0CT"),
    ),
    (
        "messages of QoS 2 come twice",
        Mqtt,
        &["*/restart-qos2-in"],
        |restarted| {
            Box::new(Rewrite::new(Mqtt.framing(), move |packet| {
                if restarted && packet[0] >> 4 == 3 {
                    packet.repeat(2)
                } else {
                    packet
                }
            }))
        },
    ),
];

#[test]
fn what_is_lost_at_a_restart_is_noticed() {
    let all = cases();
    let (mut planted, mut unnoticed) = (0, Vec::new());
    for (name, protocol, selectors, make) in ROWS {
        let selected = selected(*protocol, selectors, &all);
        assert!(!selected.is_empty(), "{name}");
        let directory = tempfile::tempdir().unwrap();
        let again = directory.path().join("again");
        let restart = format!("touch {}", again.display());
        let make = *make;
        let url = through(*protocol, move || make(again.exists()));
        // The broker is started again once, so the cases are asked once.
        let more = ["--restart-command", &restart];
        unnoticed.extend(missed(name, &url, &selected, LONG, &more));
        planted += selected.len();
    }
    figure(&format!(
        "{} of {planted} losses at a restart noticed",
        planted - unnoticed.len()
    ));
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
    // Each case about a restart is in a row.
    let about = all.iter().filter(|(id, _)| id.contains("/restart"));
    assert_eq!(about.count(), planted);
}
