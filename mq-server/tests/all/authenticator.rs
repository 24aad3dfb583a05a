//! A program that has the server in it checks who peers are.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mq_core::Proving;
use mq_server::{Attempt, Authenticator, Config, Server, StepAttempt, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug)]
struct Directory;

impl Authenticator for Directory {
    fn authenticate(&self, attempt: Attempt) -> Pin<Box<dyn Future<Output = Verdict> + Send>> {
        Box::pin(async move {
            let user = attempt.credentials.user.unwrap_or_default();
            assert!(
                attempt
                    .address
                    .is_some_and(|address| address.ip().is_loopback())
            );
            match user.as_str() {
                "slow" => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    Ok(user)
                }
                "quick" => Ok(user),
                _ => Err("no such entry".to_owned()),
            }
        })
    }

    fn prove(&self, attempt: StepAttempt) -> Pin<Box<dyn Future<Output = Proving> + Send>> {
        let step = attempt.step;
        let said = step.data.unwrap_or_default();
        Box::pin(async move {
            match (&*step.method, step.begins, &*said) {
                ("ECHO", true, b"hi") => Proving::Continue("ho".into()),
                ("ECHO", false, b"go") => Proving::Proven {
                    user: "quick".into(),
                    data: None,
                },
                ("ECHO", ..) => Proving::Refused("it is no echo".into()),
                _ => Proving::UnknownMethod,
            }
        })
    }
}

/// An MQTT 3.1.1 client with that user name. Returns the return code of its CONNACK.
async fn connect(server: &Server, user: &str) -> u8 {
    let mut socket = TcpStream::connect(server.mqtt_addr().unwrap())
        .await
        .unwrap();
    let mut packet = b"\x10\0\0\x04MQTT\x04\x82\0\x3C\0\x01".to_vec();
    packet.push(user.as_bytes()[0]);
    packet.extend([0, user.len() as u8]);
    packet.extend(user.as_bytes());
    packet[1] = (packet.len() - 2) as u8;
    socket.write_all(&packet).await.unwrap();
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).await.unwrap();
    answer[3]
}

#[tokio::test]
async fn a_program_says_who_comes_in() {
    let mut config = Config::ephemeral();
    config.authenticator = Some(Arc::new(Directory));
    let server = Server::start(config).await.unwrap();
    let begin = Instant::now();
    let (slow, (quick, nobody, before)) = tokio::join!(connect(&server, "slow"), async {
        let quick = connect(&server, "quick").await;
        (quick, connect(&server, "nobody").await, begin.elapsed())
    });
    // 3.1.1 table 3.1: accepted, and a bad user name or password.
    assert_eq!((slow, quick, nobody), (0, 0, 4));
    assert!(
        before < Duration::from_millis(300),
        "the others have waited: {before:?}"
    );
    assert!(begin.elapsed() >= Duration::from_millis(300));
    server.shutdown().await;
}

/// A step of a method: its property, and that of its data.
fn step(method: &str, data: &str) -> Vec<u8> {
    let mut properties = vec![(6 + method.len() + data.len()) as u8];
    for (identifier, text) in [(0x15, method), (0x16, data)] {
        properties.extend([identifier, 0, text.len() as u8]);
        properties.extend(text.as_bytes());
    }
    properties
}

/// MQTT 5.0 section 4.12: steps of a method that the program has.
#[tokio::test]
async fn a_program_has_a_method_of_its_own() {
    let mut config = Config::ephemeral();
    config.authenticator = Some(Arc::new(Directory));
    let server = Server::start(config).await.unwrap();
    for (method, last, expected) in [
        ("ECHO", "go", 0x00),
        ("ECHO", "no", 0x87),
        ("ELSE", "", 0x8C),
    ] {
        let address = server.mqtt_addr().unwrap();
        let mut socket = TcpStream::connect(address).await.unwrap();
        let mut connect = b"\x10\0\0\x04MQTT\x05\x02\0\x3C".to_vec();
        connect.extend(step(method, "hi"));
        connect.extend(b"\0\x01c");
        connect[1] = (connect.len() - 2) as u8;
        socket.write_all(&connect).await.unwrap();
        if method == "ECHO" {
            let mut auth = [0; 16];
            socket.read_exact(&mut auth).await.unwrap();
            assert_eq!(auth[..3], [0xF0, 14, 0x18]);
            assert_eq!(auth[3..], step(method, "ho"));
            let mut answer = vec![0xF0, 14, 0x18];
            answer.extend(step(method, last));
            socket.write_all(&answer).await.unwrap();
        }
        let mut connack = [0; 4];
        socket.read_exact(&mut connack).await.unwrap();
        assert_eq!(
            (connack[0], connack[3]),
            (0x20, expected),
            "{method} {last}"
        );
    }
    server.shutdown().await;
}
