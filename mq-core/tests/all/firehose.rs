//! The firehose: RabbitMQ, "Firehose Tracer" (<https://www.rabbitmq.com/docs/firehose>), with
//! the headers that 3.10.8 was seen to send.

use crate::world::World;
use crate::world::amqp::Amqp;
use amqp_codec::PropertyFields;
use amqp_codec::TableBuf;
use amqp_codec::method::exchange;
use mq_core::Administration;

fn switch(world: &mut World, on: bool) {
    let action = Administration::SetTracing {
        virtual_host: "/".into(),
        on,
    };
    assert_eq!(world.administer(action), Some(Ok(())));
}

/// A client with a queue of traces.
fn watcher(world: &mut World) -> Amqp {
    let mut c = Amqp::connect(world);
    c.declare("traces", &TableBuf::new());
    c.bind("traces", "amq.rabbitmq.trace", "#");
    c.consume(2, "traces", "trace", true);
    c.seen(world);
    c
}

/// Key and headers of the traces that came.
fn traces(c: &mut Amqp, world: &mut World) -> Vec<String> {
    c.seen(world);
    let contents = std::mem::take(&mut c.contents);
    let traces = contents.iter().map(|content| {
        let amqp_codec::Method::BasicDeliver(deliver) = content.method() else {
            panic!("{content:?}");
        };
        assert_eq!(deliver.exchange, "amq.rabbitmq.trace");
        assert_eq!(content.body(), b"m");
        format!("{} {:?}", deliver.routing_key, content.properties())
    });
    traces.collect()
}

#[test]
fn it_copies_what_is_published_and_delivered() {
    let mut world = World::new();
    let mut watcher = watcher(&mut world);
    let mut c = Amqp::connect(&mut world);
    c.declare("q", &TableBuf::new());
    c.bind("q", "amq.direct", "k");
    c.publish(1, "amq.direct", "k", "m");
    c.seen(&mut world);
    assert!(traces(&mut watcher, &mut world).is_empty(), "it is off");
    switch(&mut world, true);
    let fields = PropertyFields {
        message_id: Some("7".into()),
        ..Default::default()
    };
    c.publish_with(1, "amq.direct", "k", "m", false, &fields);
    c.publish(1, "", "nowhere", "m");
    c.get("q", true);
    c.consume(2, "q", "t", true);
    c.seen(&mut world);
    let traces_now = traces(&mut watcher, &mut world);
    let rows: [(&str, &[&str]); 4] = [
        (
            "publish.amq.direct ",
            &[
                "exchange_name",
                "routing_keys",
                "message_id",
                "node",
                "vhost",
                "connection",
                "channel",
                "guest",
                "routed_queues",
            ],
        ),
        ("publish. ", &["routed_queues"]),
        ("deliver.q ", &["redelivered"]),
        ("deliver.q ", &["redelivered", "message_id"]),
    ];
    assert_eq!(traces_now.len(), rows.len(), "{traces_now:#?}");
    for (trace, (key, headers)) in traces_now.iter().zip(rows) {
        assert!(trace.starts_with(key), "{trace}");
        for header in headers {
            assert!(trace.contains(header), "{header} in {trace}");
        }
    }
    switch(&mut world, false);
    c.publish(1, "", "q", "m");
    c.seen(&mut world);
    assert!(traces(&mut watcher, &mut world).is_empty(), "off again");
}

/// Nobody publishes there, and there is no such virtual host.
#[test]
fn what_is_refused() {
    let mut world = World::new();
    let action = Administration::SetTracing {
        virtual_host: "nope".into(),
        on: true,
    };
    let refused = Some(Err("vhost nope not found".into()));
    assert_eq!(world.administer(action), refused);
    let mut c = Amqp::connect(&mut world);
    let declare = exchange::Declare {
        exchange: "amq.rabbitmq.trace",
        passive: true,
        ..Default::default()
    };
    c.codec.exchange_declare(1, &declare).unwrap();
    assert_eq!(c.answer(&mut world), "exchange.declare-ok");
    c.publish(1, "amq.rabbitmq.trace", "k", "m");
    assert_eq!(
        c.answer(&mut world),
        "channel.close 403 ACCESS_REFUSED - cannot publish to internal exchange \
         'amq.rabbitmq.trace' in vhost '/'"
    );
}
