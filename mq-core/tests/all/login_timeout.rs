//! How long a peer may take to log in.

use crate::world::World;
use mq_core::{Config, ConfigError, Output, Protocol, Reason, Report, Terms};
use std::time::Duration;

/// RabbitMQ's `handshake_timeout`, by which a peer is gone; and what it has sent before.
const PEERS: [(Protocol, &[u8]); 6] = [
    (Protocol::Amqp, b""),
    (Protocol::Amqp, b"AMQP\0\0\x09\x01"),
    (Protocol::Mqtt, b""),
    (Protocol::Mqtt, b"\x10\x20\0\x04"),
    (Protocol::Stomp, b""),
    (Protocol::Stomp, b"CONNECT\n"),
];

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn whoever_does_not_log_in_in_time_goes() {
    let seconds = Duration::from_secs;
    // Of the broker, of the listener, and the one that holds.
    for (of_broker, of_listener, holds) in [
        (Config::default().login_timeout, None, seconds(10)),
        (seconds(3), None, seconds(3)),
        (seconds(3), Some(seconds(70)), seconds(70)),
    ] {
        for (protocol, sent) in PEERS {
            let config = Config {
                login_timeout: of_broker,
                ..Config::default()
            };
            let mut world = World::with(config);
            world.terms = Terms {
                login_timeout: of_listener,
                ..Terms::default()
            };
            let id = world.connect(protocol);
            world.send(id, sent);
            world.wait(holds - MILLISECOND);
            assert!(!world.is_closed(id), "{protocol:?} {sent:?}");
            world.wait(MILLISECOND);
            assert!(world.is_closed(id), "{protocol:?} {sent:?}");
            let timed_out = world.outputs.iter().any(|output| {
                matches!(output, Output::Report(Report::Peer(report))
                    if matches!(report.reason, Reason::TimedOut(_)))
            });
            assert!(timed_out, "{protocol:?} {sent:?}");
        }
    }
}

#[test]
fn for_ever_is_no_time() {
    for (protocol, sent) in PEERS {
        let config = Config {
            login_timeout: Duration::MAX,
            ..Config::default()
        };
        let mut world = World::with(config);
        let id = world.connect(protocol);
        world.send(id, sent);
        world.wait(Duration::from_secs(1_000_000));
        assert!(!world.is_closed(id), "{protocol:?} {sent:?}");
    }
}

#[test]
fn no_time_at_all_is_refused() {
    let login = Config {
        login_timeout: Duration::ZERO,
        ..Config::default()
    };
    let check = Config {
        authentication_timeout: Duration::ZERO,
        ..Config::default()
    };
    for config in [login, check] {
        assert!(matches!(config.check(), Err(ConfigError::NoTime { .. })));
    }
}
