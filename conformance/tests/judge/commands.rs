//! `soak`, `serve` and `probe`, as their users run them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::proxy::{Clear, Protocol, Rewrite, through};
use crate::{assert_exit, mqspec, stdout};

#[test]
fn the_reference_broker_loses_nothing_over_restarts() {
    let output = mqspec(&["soak", "--duration", "6", "--restart-every", "2"]);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("4 of 4 lanes without a fault"), "{text}");
    assert!(!text.contains("\n    0 confirmed"), "{text}");
}

/// Of all messages of QoS 1 that the broker sends the third is changed.
fn third(change: fn(Vec<u8>) -> Vec<u8>) -> String {
    let count = Arc::new(AtomicUsize::new(0));
    through(Protocol::Mqtt, move || {
        let count = Arc::clone(&count);
        Box::new(Rewrite::new(Protocol::Mqtt.framing(), move |packet| {
            let is_message = packet[0] & 0xF6 == 0x32;
            if is_message && count.fetch_add(1, Ordering::SeqCst) == 2 {
                change(packet)
            } else {
                packet
            }
        }))
    })
}

#[test]
fn a_message_that_is_lost_or_comes_twice_is_counted() {
    type Row = (fn(Vec<u8>) -> Vec<u8>, i32, &'static str);
    let late = |packet| {
        std::thread::sleep(Duration::from_secs(9));
        packet
    };
    let rows: [Row; 4] = [
        (|packet| packet, 0, "2 of 2 lanes without a fault"),
        (late, 0, "2 of 2 lanes without a fault"),
        (|_| Vec::new(), 1, "1 lost, 0 duplicated"),
        (|packet| packet.repeat(2), 1, "0 lost, 1 duplicated"),
    ];
    for (change, code, expected) in rows {
        let url = third(change);
        let output = mqspec(&["soak", "--duration", "4", "--publishers", "1", &url]);
        assert_exit(&output, code);
        assert!(stdout(&output).contains(expected), "{}", stdout(&output));
    }
}

/// MQTT 3.1.1: a CONNECT with a clean session, and a PUBLISH of QoS 1 to `t` with identifier 1.
const CONNECT: &[u8] = b"\x10\x0D\0\x04MQTT\x04\x02\0\x3C\0\x01c";
const PUBLISH: &[u8] = b"\x32\x06\0\x01t\0\x01x";

#[test]
fn a_broker_that_misbehaves_says_what_the_client_does() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_mqspec"))
        .args(["serve", "mqtt", "puback-missing"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.strip_prefix("listening on mqtt://").unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(CONNECT).unwrap();
    let mut connack = [0; 4];
    client.read_exact(&mut connack).unwrap();
    assert_eq!(connack, *b"\x20\x02\0\0");
    client.write_all(PUBLISH).unwrap();
    let wait = |seconds| Some(Duration::from_secs(seconds));
    client.set_read_timeout(wait(1)).unwrap();
    assert!(client.read(&mut [0; 1]).is_err(), "there is no PUBACK");
    client.set_read_timeout(wait(60)).unwrap();
    client.write_all(b"\xC0\0").unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    drop(client);
    let told: Vec<String> = lines
        .map(|line| line.unwrap())
        .take_while(|line| !line.ends_with("client 1: gone"))
        .collect();
    server.kill().unwrap();
    server.wait().unwrap();
    let text = told.join("\n");
    for part in [
        "never acknowledges",
        "client 1: the fault, at PUBACK",
        "client 1: sends PINGREQ",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn the_faults_are_listed_with_what_a_good_client_does() {
    for protocol in ["amqp", "mqtt", "stomp"] {
        let output = mqspec(&["serve", protocol]);
        assert_exit(&output, 0);
        assert!(stdout(&output).contains("    a good client "));
    }
    assert_exit(&mqspec(&["serve", "mqtt", "no-such-fault"]), 2);
}

#[test]
fn what_a_probe_finds_is_not_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("profile.toml");
    let url = through(Protocol::Mqtt, || Box::new(Clear));
    let probe = mqspec(&["probe", &url]);
    assert_exit(&probe, 0);
    // As if the broker had shown that it does not offer 5.0.
    let lacks = "\n[[broker.lacks]]\nversion = \"mqtt5\"\nbecause = \"the profile says so\"\n";
    std::fs::write(&path, format!("{}{lacks}", stdout(&probe))).unwrap();
    let output = mqspec(&["--profile", path.to_str().unwrap(), "--case", "*/pingresp"]);
    assert_exit(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("the profile says so"), "{text}");
    assert!(text.contains("2 passed, 1 not applicable"), "{text}");
}
