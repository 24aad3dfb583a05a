//! What an idle connection takes: 10,000 established ones of each role and version, before
//! and after messages went both ways. Ends with status 1 when one takes more than is allowed.

use std::mem::size_of;
use std::process::ExitCode;
use std::time::Duration;

use mqtt_codec::connection::{
    Accept, ClientConfig, ClientConnection, ClientEvent, Message, ServerConfig, ServerConnection,
    ServerEvent, Session,
};
use mqtt_codec::{Connect, Properties, ProtocolVersion, QoS, ReasonCode, Subscription};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const CONNECTIONS: usize = 10_000;
/// The most bytes of one after CONNACK, and after messages.
const ALLOWED: [usize; 2] = [640, 768];
const NOW: Duration = Duration::ZERO;

fn main() -> ExitCode {
    println!("| {CONNECTIONS} connections | struct | after CONNACK | after messages |");
    println!("|---|---:|---:|---:|");
    let mut kept = true;
    for (version, name) in [
        (ProtocolVersion::V3_1_1, "3.1.1"),
        (ProtocolVersion::V5_0, "5.0"),
    ] {
        // The other end of each is dropped before it is measured.
        let client = |traffic| pair(version, traffic).0;
        let server = |traffic| pair(version, traffic).1;
        kept &= row(&format!("client, {name}"), client);
        kept &= row(&format!("server, {name}"), server);
    }
    if kept {
        println!("\nNone is over {ALLOWED:?} bytes.");
        ExitCode::SUCCESS
    } else {
        println!("\nOne is over {ALLOWED:?} bytes.");
        ExitCode::FAILURE
    }
}

/// Bytes for each connection, the struct included; whether they are as few as they should.
fn row<C>(name: &str, connection: impl Fn(bool) -> C) -> bool {
    let [before, after] = [false, true].map(|traffic| {
        let start = ALLOCATOR.current_usage();
        let mut all = Vec::with_capacity(CONNECTIONS);
        all.extend((0..CONNECTIONS).map(|_| connection(traffic)));
        (ALLOCATOR.current_usage() - start).div_ceil(CONNECTIONS)
    });
    println!("| {name} | {} | {before} | {after} |", size_of::<C>());
    before <= ALLOWED[0] && after <= ALLOWED[1]
}

/// The two ends of a connection, joined by memory.
fn pair(version: ProtocolVersion, traffic: bool) -> (ClientConnection, ServerConnection) {
    let mut client = ClientConnection::new(NOW, ClientConfig::default());
    let mut server = ServerConnection::new(NOW, ServerConfig::default());
    let connect = Connect {
        keep_alive: 60,
        user_name: Some("kitchen".try_into().expect("legal")),
        password: Some(b"secret"),
        ..Connect::clean(version, "thermometer-0017".try_into().expect("legal"))
    };
    client
        .connect(NOW, &connect, Session::new())
        .expect("legal");
    exchange(&mut client, &mut server);
    if traffic {
        client
            .subscribe(
                &[Subscription::new("sensors/#", QoS::ExactlyOnce)],
                Properties::EMPTY,
            )
            .expect("legal");
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let message = Message::new("sensors/kitchen/temp", &[b'x'; 64], qos);
            client.publish(&message).expect("it may be sent");
            server.publish(&message).expect("it may be sent");
            exchange(&mut client, &mut server);
        }
        assert!(client.session().is_empty() && server.session().is_empty());
    }
    (client, server)
}

/// Carries bytes between the two until there are none.
fn exchange(client: &mut ClientConnection, server: &mut ServerConnection) {
    loop {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        client.poll_transmit(NOW, &mut to_server);
        let mut input = &to_server[..];
        while let Some(event) = server.receive(NOW, &mut input).expect("legal") {
            match event {
                ServerEvent::Connect(_) => server
                    .accept(NOW, &Accept::default(), Session::new())
                    .expect("CONNECT waits for it"),
                ServerEvent::Subscribe(subscribe) => server
                    .suback(
                        subscribe.packet_identifier,
                        &[ReasonCode::granted(QoS::ExactlyOnce)],
                        Properties::EMPTY,
                    )
                    .expect("SUBSCRIBE waits for it"),
                ServerEvent::Publish(publish) => {
                    if let Some(identifier) = publish.packet_identifier {
                        server
                            .acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)
                            .expect("the message waits for it");
                    }
                }
                _ => {}
            }
        }
        server.poll_transmit(NOW, &mut to_client);
        let mut input = &to_client[..];
        while let Some(event) = client.receive(NOW, &mut input).expect("legal") {
            assert!(!matches!(event, ClientEvent::Disconnect(_)));
        }
        if to_server.is_empty() && to_client.is_empty() {
            return;
        }
    }
}
