//! lapin or rumqttc against `mqspec serve`: `serve-clients CLIENT PORT`. What the client
//! met and how it ended is one line of JSON, which `run.py` reads.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::time::{sleep, timeout};

/// How long a message is waited for.
const MESSAGE: Duration = Duration::from_secs(3);

/// How long is looked at what happens afterwards.
const AFTER: Duration = Duration::from_secs(7);

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, client, port] = &arguments[..] else {
        return Err("usage: serve-clients lapin|rumqttc PORT".into());
    };
    let port = port.parse()?;
    let mut said = Vec::new();
    let outcome = match client.as_str() {
        "lapin" => lapin(port, &mut said).await,
        "rumqttc" => rumqttc(port, &mut said).await,
        other => return Err(format!("no client {other}").into()),
    };
    let end = match outcome {
        Ok(()) => "ends well".to_owned(),
        Err(error) => format!("ends with {}", error.to_string().replace('\n', " ")),
    };
    println!("{}", serde_json::json!({ "said": said, "end": end }));
    Ok(())
}

async fn lapin(port: u16, said: &mut Vec<String>) -> Outcome {
    let uri = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        ..Default::default()
    };
    let declared = channel
        .queue_declare("mqspec".into(), exclusive, FieldTable::default())
        .await?;
    let queue = declared.name().as_str().to_owned();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default();
    let confirm = channel
        .basic_publish(
            "".into(),
            queue.as_str().into(),
            options,
            b"body",
            properties,
        )
        .await?;
    match timeout(MESSAGE, confirm).await {
        Ok(confirm) => {
            let word = if confirm?.is_ack() {
                "confirmed"
            } else {
                "refused"
            };
            said.push(format!("the message is {word}"));
        }
        Err(_) => said.push(format!("no confirm within {} s", MESSAGE.as_secs())),
    }
    let options = BasicConsumeOptions::default();
    let mut consumer = channel
        .basic_consume(
            queue.as_str().into(),
            "tag".into(),
            options,
            FieldTable::default(),
        )
        .await?;
    match timeout(MESSAGE, consumer.next()).await {
        Ok(Some(delivery)) => {
            let delivery = delivery?;
            let body = String::from_utf8_lossy(&delivery.data).into_owned();
            said.push(format!("takes {body:?}, tag {}", delivery.delivery_tag));
            delivery.ack(BasicAckOptions::default()).await?;
        }
        Ok(None) => said.push("the consumer ends".into()),
        Err(_) => said.push("no message".into()),
    }
    sleep(AFTER).await;
    connection.close(200, "bye".into()).await?;
    Ok(())
}

async fn rumqttc(port: u16, said: &mut Vec<String>) -> Outcome {
    let mut options = MqttOptions::new("mqspec", "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(2));
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe("mqspec", QoS::ExactlyOnce).await?;
    for (qos, payload) in [
        (QoS::AtMostOnce, "0"),
        (QoS::AtLeastOnce, "1"),
        (QoS::ExactlyOnce, "2"),
    ] {
        client.publish("mqspec", qos, false, payload).await?;
    }
    let mut errors = 0;
    let mut seen = BTreeSet::new();
    let watched = timeout(MESSAGE + AFTER, async {
        loop {
            let what = match events.poll().await {
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                    format!("takes {payload:?}")
                }
                Ok(Event::Incoming(
                    packet @ (Packet::ConnAck(_)
                    | Packet::SubAck(_)
                    | Packet::PubAck(_)
                    | Packet::PubComp(_)),
                )) => format!("{packet:?}")
                    .split(['(', ' '])
                    .next()
                    .unwrap_or("")
                    .to_owned(),
                Ok(_) => continue,
                Err(error) => {
                    errors += 1;
                    // Its loop connects again at once, when it is asked to.
                    sleep(Duration::from_millis(200)).await;
                    error.to_string()
                }
            };
            if seen.insert(what.clone()) {
                said.push(what);
            }
        }
    })
    .await;
    // It never ends by itself.
    debug_assert!(watched.is_err());
    if errors > 0 {
        said.push(format!("{errors} errors of its loop"));
    }
    client.try_disconnect()?;
    Ok(())
}
