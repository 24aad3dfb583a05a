//! lapin, a Rust client for AMQP 0-9-1.
//!
//! Checks of the shape that `checks.py` has: one line each, none can hang the run.

use std::env;
use std::error::Error;
use std::future::Future;
use std::process::{ExitCode, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind,
    ExchangeKind,
};
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error>>;

/// Long enough for a loaded machine; a check that works takes far less.
const CHECK: Duration = Duration::from_secs(20);
/// How long nothing has to come for there to be nothing.
const QUIET: Duration = Duration::from_millis(500);

macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+).into());
        }
    };
}

fn uri(credentials: &str, query: &str) -> String {
    let host = env::var("MQ_HOST").unwrap_or_else(|_| "127.0.0.1".into());
    let port = env::var("MQ_AMQP_PORT").unwrap_or_else(|_| "5672".into());
    format!("amqp://{credentials}@{host}:{port}/%2f?{query}")
}

async fn connect(query: &str) -> lapin::Result<Connection> {
    Connection::connect(&uri("guest:guest", query), ConnectionProperties::default()).await
}

/// A name that no other check, and no earlier run, has used.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("lapin-{}-{}", id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A queue that goes away with its connection.
async fn queue(channel: &Channel) -> lapin::Result<String> {
    let name = unique();
    let options = QueueDeclareOptions {
        exclusive: true,
        ..Default::default()
    };
    let declared = channel
        .queue_declare(name.as_str().into(), options, FieldTable::default())
        .await?;
    Ok(declared.name().as_str().into())
}

async fn publish(channel: &Channel, key: &str, body: &[u8]) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..Default::default()
    };
    let properties = BasicProperties::default().with_delivery_mode(2);
    channel
        .basic_publish("".into(), key.into(), options, body, properties)
        .await?
        .await
}

async fn consume(channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
    let options = BasicConsumeOptions::default();
    channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await
}

async fn next(consumer: &mut Consumer) -> Result<Delivery, Box<dyn Error>> {
    Ok(consumer.next().await.ok_or("the consumer has ended")??)
}

async fn depth(channel: &Channel, queue: &str) -> lapin::Result<u32> {
    let options = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let declared = channel
        .queue_declare(queue.into(), options, FieldTable::default())
        .await?;
    Ok(declared.message_count())
}

async fn handshakes() -> Outcome {
    for mechanism in ["plain", "amqplain"] {
        let connection = connect(&format!("auth_mechanism={mechanism}&frame_max=8192")).await?;
        let agreed = connection.configuration().frame_max();
        ensure!(agreed == 8192, "{mechanism}: frame-max {agreed}");
        connection.close(200, "bye".into()).await?;
    }
    Ok(())
}

async fn a_wrong_password() -> Outcome {
    let refused =
        Connection::connect(&uri("guest:wrong", ""), ConnectionProperties::default()).await;
    match refused.map(drop).map_err(|error| error.kind().clone()) {
        Err(ErrorKind::ProtocolError(error)) if error.get_id() == 403 => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

async fn consumes() -> Outcome {
    let connection = connect("").await?;
    let channel = connection.create_channel().await?;
    let queue = queue(&channel).await?;
    let mut consumer = consume(&channel, &queue).await?;
    for number in 0..10u8 {
        publish(&channel, &queue, &[number]).await?;
    }
    for number in 0..10u8 {
        let delivery = next(&mut consumer).await?;
        ensure!(
            delivery.data == [number],
            "{:?} for {number}",
            delivery.data
        );
        ensure!(!delivery.redelivered, "redelivered");
        delivery.ack(BasicAckOptions::default()).await?;
    }
    channel
        .basic_cancel(consumer.tag(), BasicCancelOptions::default())
        .await?;
    ensure!(depth(&channel, &queue).await? == 0, "messages are left");
    connection.close(200, "bye".into()).await?;
    Ok(())
}

async fn confirms() -> Outcome {
    let connection = connect("").await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let queue = queue(&channel).await?;
    for _ in 0..20 {
        let confirmed = publish(&channel, &queue, b"x").await?;
        ensure!(confirmed == Confirmation::Ack(None), "{confirmed:?}");
    }
    ensure!(depth(&channel, &queue).await? == 20, "not all are there");
    // Unroutable: returned, and acknowledged all the same.
    let confirmed = publish(&channel, &unique(), b"lost").await?;
    ensure!(confirmed.is_ack(), "{confirmed:?}");
    let returned = confirmed.take_message().ok_or("nothing came back")?;
    ensure!(returned.reply_code == 312, "{}", returned.reply_code);
    ensure!(returned.delivery.data == b"lost", "another body");
    Ok(())
}

async fn transactions() -> Outcome {
    let connection = connect("").await?;
    let channel = connection.create_channel().await?;
    let other = connection.create_channel().await?;
    let queue = queue(&channel).await?;
    channel.tx_select().await?;
    publish(&channel, &queue, b"rolled back").await?;
    channel.tx_rollback().await?;
    publish(&channel, &queue, b"committed").await?;
    ensure!(depth(&other, &queue).await? == 0, "seen before commit");
    channel.tx_commit().await?;
    ensure!(depth(&other, &queue).await? == 1, "not seen after commit");
    let got = channel
        .basic_get(queue.as_str().into(), BasicGetOptions::default())
        .await?
        .ok_or("the queue is empty")?;
    ensure!(got.delivery.data == b"committed", "another body");
    got.delivery.ack(BasicAckOptions::default()).await?;
    channel.tx_commit().await?;
    ensure!(depth(&other, &queue).await? == 0, "not acknowledged");
    Ok(())
}

async fn prefetch() -> Outcome {
    let connection = connect("").await?;
    let channel = connection.create_channel().await?;
    let queue = queue(&channel).await?;
    for number in 0..5u8 {
        publish(&channel, &queue, &[number]).await?;
    }
    channel.basic_qos(2, BasicQosOptions::default()).await?;
    let mut consumer = consume(&channel, &queue).await?;
    let first = next(&mut consumer).await?;
    let second = next(&mut consumer).await?;
    let third = timeout(QUIET, consumer.next()).await;
    ensure!(third.is_err(), "a third came");
    let many = BasicAckOptions { multiple: true };
    second.ack(many).await?;
    drop(first);
    for number in 2..4u8 {
        ensure!(next(&mut consumer).await?.data == [number], "not {number}");
    }
    Ok(())
}

async fn nack_brings_back() -> Outcome {
    let connection = connect("").await?;
    let channel = connection.create_channel().await?;
    let queue = queue(&channel).await?;
    publish(&channel, &queue, b"again").await?;
    let mut consumer = consume(&channel, &queue).await?;
    let requeue = BasicNackOptions {
        requeue: true,
        ..Default::default()
    };
    next(&mut consumer).await?.nack(requeue).await?;
    let again = next(&mut consumer).await?;
    ensure!(again.redelivered && again.data == b"again", "{again:?}");
    again.reject(BasicRejectOptions::default()).await?;
    ensure!(depth(&channel, &queue).await? == 0, "it is there still");
    Ok(())
}

async fn exchanges() -> Outcome {
    let connection = connect("").await?;
    let channel = connection.create_channel().await?;
    let (exchange, queue) = (unique(), queue(&channel).await?);
    let options = ExchangeDeclareOptions {
        auto_delete: true,
        ..Default::default()
    };
    let mut arguments = FieldTable::default();
    arguments.insert("x-note".into(), AMQPValue::LongInt(1));
    channel
        .exchange_declare(
            exchange.as_str().into(),
            ExchangeKind::Topic,
            options,
            arguments,
        )
        .await?;
    let (name, from) = (queue.as_str(), exchange.as_str());
    channel
        .queue_bind(
            name.into(),
            from.into(),
            "a.#".into(),
            Default::default(),
            Default::default(),
        )
        .await?;
    for key in ["a.b", "b.a"] {
        channel
            .basic_publish(
                from.into(),
                key.into(),
                Default::default(),
                b"",
                Default::default(),
            )
            .await?
            .await?;
    }
    ensure!(depth(&channel, name).await? == 1, "wrongly routed");
    channel
        .queue_unbind(
            name.into(),
            from.into(),
            "a.#".into(),
            FieldTable::default(),
        )
        .await?;
    Ok(())
}

async fn large_bodies() -> Outcome {
    let connection = connect("frame_max=4096").await?;
    let channel = connection.create_channel().await?;
    let queue = queue(&channel).await?;
    let mut consumer = consume(&channel, &queue).await?;
    for size in [0, 1, 4088, 4089, 1_000_000] {
        publish(&channel, &queue, &vec![b'x'; size]).await?;
        let delivery = next(&mut consumer).await?;
        ensure!(
            delivery.data.len() == size,
            "{} for {size}",
            delivery.data.len()
        );
    }
    Ok(())
}

async fn an_error_closes_its_channel() -> Outcome {
    let connection = connect("").await?;
    let channel = connection.create_channel().await?;
    let missing = depth(&channel, &unique()).await;
    match missing.map_err(|error| error.kind().clone()) {
        Err(ErrorKind::ProtocolError(error)) if error.get_id() == 404 => {}
        other => return Err(format!("{other:?}").into()),
    }
    // The connection goes on.
    let channel = connection.create_channel().await?;
    queue(&channel).await?;
    Ok(())
}

async fn many_messages() -> Outcome {
    const MANY: usize = 5000;
    let connection = connect("").await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let queue = queue(&channel).await?;
    let mut consumer = consume(&channel, &queue).await?;
    let mut confirms = Vec::new();
    for number in 0..MANY {
        let body = number.to_string();
        let options = BasicPublishOptions::default();
        let name = queue.as_str().into();
        confirms.push(
            channel
                .basic_publish(
                    "".into(),
                    name,
                    options,
                    body.as_bytes(),
                    Default::default(),
                )
                .await?,
        );
    }
    for number in 0..MANY {
        let delivery = next(&mut consumer).await?;
        ensure!(
            delivery.data == number.to_string().as_bytes(),
            "not {number}"
        );
        delivery.ack(BasicAckOptions::default()).await?;
    }
    for confirm in confirms {
        ensure!(confirm.await?.is_ack(), "not acknowledged");
    }
    Ok(())
}

/// Runs a check; whether it passed.
async fn check(name: &str, check: impl Future<Output = Outcome>) -> bool {
    let title = format!("lapin: {name}");
    let chosen = env::var("MQ_CHECK").unwrap_or_default();
    let left_out = env::var("MQ_EXCEPT").unwrap_or_default();
    let mut left_out = left_out.split('\n').filter(|text| !text.is_empty());
    if !title.contains(&chosen) || left_out.any(|text| title.contains(text)) {
        return true;
    }
    let outcome = match timeout(CHECK, check).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("still not done after {} s", CHECK.as_secs()).into()),
    };
    match &outcome {
        Ok(()) => println!("ok   {title}"),
        Err(error) => println!("FAIL {title}: {error}"),
    }
    outcome.is_ok()
}

#[tokio::main]
async fn main() -> ExitCode {
    let passed = [
        check(
            "handshakes: PLAIN, AMQPLAIN, a lower frame-max",
            handshakes(),
        )
        .await,
        check("a wrong password is refused with 403", a_wrong_password()).await,
        check("publish, consume, acknowledge", consumes()).await,
        check("publisher confirms, and returns before them", confirms()).await,
        check("transactions: commit and rollback", transactions()).await,
        check("prefetch holds deliveries back", prefetch()).await,
        check(
            "nack with requeue brings back, reject does not",
            nack_brings_back(),
        )
        .await,
        check("a topic exchange and its bindings", exchanges()).await,
        check("bodies of 0 bytes, 1 byte, and many frames", large_bodies()).await,
        check(
            "an error closes its channel only",
            an_error_closes_its_channel(),
        )
        .await,
        check(
            "5000 messages, confirmed and consumed while they come",
            many_messages(),
        )
        .await,
    ];
    ExitCode::from(u8::from(passed.contains(&false)))
}
