//! A program that has the server in it checks who peers are.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mq_server::{Attempt, Authenticator, Config, Server, Verdict};
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
