//! A server in a hundred lines, over tokio, for clients of 3.1, 3.1.1 and 5.0: QoS 0, 1 and 2.
//! No sessions, wills, retained messages or options; who falls behind has to go. `.. HOST:PORT`
use mqtt_codec::connection::{
    Accept, Message, MessageBuf, ReadBuffer, ServerConfig, ServerConnection, ServerEvent,
};
use mqtt_codec::{Properties, QoS, ReasonCode, connection::Session, topic::matches};
use std::{collections::BTreeMap, error::Error, net::SocketAddr, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::{net, sync::broadcast, time};

/// What all connections hear: a message, or who connected, and as which client.
type Bus = broadcast::Sender<Result<MessageBuf, (SocketAddr, String)>>;
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let address = std::env::args().nth(1).ok_or("where to listen?")?;
    let listener = net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let (bus, mut config) = (Bus::new(1024), ServerConfig::default());
    config.retain_available = false;
    config.shared_subscription_available = false;
    config.subscription_identifiers_available = false;
    loop {
        let ((mut socket, peer), bus) = (listener.accept().await?, bus.clone());
        tokio::spawn(async move {
            let start = time::Instant::now();
            let mut server = ServerConnection::new(start.elapsed(), config);
            let outcome = serve(&mut server, &mut socket, &bus, start).await;
            outcome.unwrap_or_else(|error| println!("{peer}: {error}"));
        });
    }
}

async fn serve(
    server: &mut ServerConnection,
    socket: &mut net::TcpStream,
    bus: &Bus,
    start: time::Instant,
) -> Outcome {
    let peer = socket.peer_addr()?;
    let (mut filters, mut heard) = (BTreeMap::<String, QoS>::new(), bus.subscribe());
    let (mut client, mut buffer, mut out) = (peer.to_string(), ReadBuffer::new(), Vec::new());
    let mut outcome = Ok(());
    loop {
        // After an error too: the protocol's goodbye is still to be sent.
        server.poll_transmit(start.elapsed(), &mut out);
        socket.write_all(&std::mem::take(&mut out)).await?;
        if outcome.is_err() || server.is_closed() {
            return outcome;
        }
        // An error within ends the block, not the loop.
        outcome = async {
        let timeout = server.poll_timeout().unwrap_or(Duration::from_secs(3600));
        tokio::select! {
            length = socket.read(buffer.space(4096)) => match length? {
                0 => server.receive_eof(start.elapsed())?,
                length => buffer.filled(length),
            },
            news = heard.recv(), if server.send_quota() > 0 => match news {
                Ok(Ok(message)) => {
                    let to = filters.iter().filter(|(it, _)| matches(it, &message.topic_name));
                    if let Some(qos) = to.map(|(_, qos)| *qos.min(&message.qos)).max() {
                        let message = Message { qos, retain: false, ..message.as_message() };
                        server.publish(&message).ok(); // too large?
                    }
                }
                Ok(Err((other, name))) if other == peer || name != client => {}
                Ok(Err(_)) => server.close(start.elapsed(), ReasonCode::SessionTakenOver, Properties::EMPTY)?,
                Err(_) => server.close(start.elapsed(), ReasonCode::QuotaExceeded, Properties::EMPTY)?,
            },
            () = time::sleep_until(start + timeout) => server.handle_timeout(start.elapsed())?,
        }
        let mut input = buffer.input();
        while let Some(event) = server.receive(start.elapsed(), &mut input)? {
            match event {
                ServerEvent::Connect(connect) => {
                    let mut accept = Accept::default();
                    match connect.client_identifier.as_str() {
                        "" => accept.assigned_client_identifier = Some(&client),
                        name => client = name.into(),
                    }
                    server.accept(start.elapsed(), &accept, Session::new())?;
                    heard = bus.subscribe();
                    bus.send(Err((peer, client.clone())))?;
                }
                ServerEvent::Publish(publish) => {
                    bus.send(Ok(publish.to_message().ok_or("a message in parts")?))?;
                    if let Some(identifier) = publish.packet_identifier {
                        server.acknowledge(identifier, ReasonCode::Success, Properties::EMPTY)?;
                    }
                }
                ServerEvent::Subscribe(subscribe) => {
                    let all = || subscribe.subscriptions.iter();
                    filters
                        .extend(all().map(|it| (it.topic_filter.into(), it.options.maximum_qos)));
                    let granted = all().map(|it| ReasonCode::granted(it.options.maximum_qos));
                    let granted: Vec<_> = granted.collect();
                    server.suback(subscribe.packet_identifier, &granted, Properties::EMPTY)?;
                }
                ServerEvent::Unsubscribe(unsubscribe) => {
                    let none = ReasonCode::NoSubscriptionExisted;
                    let end = |it| filters.remove(it).map_or(none, |_| ReasonCode::Success);
                    let ended: Vec<_> = unsubscribe.topic_filters.iter().map(end).collect();
                    server.unsuback(unsubscribe.packet_identifier, &ended, Properties::EMPTY)?;
                }
                _ => {}
            }
        }
        Ok(())
        }.await;
    }
}
