//! Every method as bytes and as meaning. The bytes are written by hand from the
//! specification's XML (class and method numbers, order and types of fields)
//! and its grammar (section 4.2), never by this crate's encoder.

use amqp_codec::method::{
    METHODS, Method, Secret, access, basic, channel, confirm, connection, exchange, queue, tx,
};
use amqp_codec::{Frame, Limits, Table, decode};

/// The table `{"a": true}` without its length.
const A_TRUE: &[u8] = b"\x01at\x01";

fn a_true() -> Table<'static> {
    Table::decode(A_TRUE, &Limits::default()).unwrap()
}

/// Payload of a method frame, meaning, and how a log shows it.
fn rows() -> Vec<(&'static [u8], Method<'static>, &'static str)> {
    vec![
        (
            b"\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x04\x01at\x01\x00\x00\x00\x0ePLAIN AMQPLAIN\x00\x00\x00\x05en_US",
            connection::Start {
                version_major: 0,
                version_minor: 9,
                server_properties: a_true(),
                mechanisms: b"PLAIN AMQPLAIN",
                locales: b"en_US",
            }
            .into(),
            r#"connection.start version_major=0 version_minor=9 server_properties={"a": true} mechanisms="PLAIN AMQPLAIN" locales="en_US""#,
        ),
        (
            b"\x00\x0a\x00\x0b\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x04\x00u\x00p\x05en_US",
            connection::StartOk {
                client_properties: Table::EMPTY,
                mechanism: "PLAIN",
                response: Secret(b"\0u\0p"),
                locale: "en_US",
            }
            .into(),
            r#"connection.start-ok client_properties={} mechanism="PLAIN" response=<4 bytes> locale="en_US""#,
        ),
        (
            b"\x00\x0a\x00\x14\x00\x00\x00\x01c",
            connection::Secure {
                challenge: Secret(b"c"),
            }
            .into(),
            "connection.secure challenge=<1 bytes>",
        ),
        (
            b"\x00\x0a\x00\x15\x00\x00\x00\x01r",
            connection::SecureOk {
                response: Secret(b"r"),
            }
            .into(),
            "connection.secure-ok response=<1 bytes>",
        ),
        (
            b"\x00\x0a\x00\x1e\x07\xff\x00\x02\x00\x00\x00\x3c",
            connection::Tune {
                channel_max: 2047,
                frame_max: 131_072,
                heartbeat: 60,
            }
            .into(),
            "connection.tune channel_max=2047 frame_max=131072 heartbeat=60",
        ),
        (
            b"\x00\x0a\x00\x1f\x00\x01\x00\x00\x10\x00\x00\x00",
            connection::TuneOk {
                channel_max: 1,
                frame_max: 4096,
                heartbeat: 0,
            }
            .into(),
            "connection.tune-ok channel_max=1 frame_max=4096 heartbeat=0",
        ),
        (
            b"\x00\x0a\x00\x28\x01/\x00\x00",
            connection::Open { virtual_host: "/" }.into(),
            r#"connection.open virtual_host="/""#,
        ),
        (
            b"\x00\x0a\x00\x29\x00",
            connection::OpenOk {}.into(),
            "connection.open-ok",
        ),
        (
            b"\x00\x0a\x00\x32\x01\x40\x03bye\x00\x3c\x00\x28",
            connection::Close {
                reply_code: 320,
                reply_text: "bye",
                class_id: 60,
                method_id: 40,
            }
            .into(),
            r#"connection.close reply_code=320 reply_text="bye" class_id=60 method_id=40"#,
        ),
        (
            b"\x00\x0a\x00\x33",
            connection::CloseOk {}.into(),
            "connection.close-ok",
        ),
        (
            b"\x00\x0a\x00\x3c\x06memory",
            connection::Blocked { reason: "memory" }.into(),
            r#"connection.blocked reason="memory""#,
        ),
        (
            b"\x00\x0a\x00\x3d",
            connection::Unblocked {}.into(),
            "connection.unblocked",
        ),
        (
            b"\x00\x0a\x00\x46\x00\x00\x00\x03jwt\x07expired",
            connection::UpdateSecret {
                new_secret: Secret(b"jwt"),
                reason: "expired",
            }
            .into(),
            r#"connection.update-secret new_secret=<3 bytes> reason="expired""#,
        ),
        (
            b"\x00\x0a\x00\x47",
            connection::UpdateSecretOk {}.into(),
            "connection.update-secret-ok",
        ),
        (
            b"\x00\x14\x00\x0a\x00",
            channel::Open {}.into(),
            "channel.open",
        ),
        (
            b"\x00\x14\x00\x0b\x00\x00\x00\x00",
            channel::OpenOk {}.into(),
            "channel.open-ok",
        ),
        (
            b"\x00\x14\x00\x14\x01",
            channel::Flow { active: true }.into(),
            "channel.flow active=true",
        ),
        (
            b"\x00\x14\x00\x15\x00",
            channel::FlowOk { active: false }.into(),
            "channel.flow-ok active=false",
        ),
        (
            b"\x00\x14\x00\x28\x01\x94\x02no\x00\x32\x00\x0a",
            channel::Close {
                reply_code: 404,
                reply_text: "no",
                class_id: 50,
                method_id: 10,
            }
            .into(),
            r#"channel.close reply_code=404 reply_text="no" class_id=50 method_id=10"#,
        ),
        (
            b"\x00\x14\x00\x29",
            channel::CloseOk {}.into(),
            "channel.close-ok",
        ),
        (
            // active and read: bits 2 and 4 of one byte.
            b"\x00\x1e\x00\x0a\x05/data\x14",
            access::Request {
                realm: "/data",
                active: true,
                read: true,
                ..Default::default()
            }
            .into(),
            r#"access.request realm="/data" exclusive=false passive=false active=true write=false read=true"#,
        ),
        (
            b"\x00\x1e\x00\x0b\x00\x01",
            access::RequestOk { ticket: 1 }.into(),
            "access.request-ok ticket=1",
        ),
        (
            // durable and no-wait: bits 1 and 4.
            b"\x00\x28\x00\x0a\x00\x00\x01e\x06direct\x12\x00\x00\x00\x04\x01at\x01",
            exchange::Declare {
                exchange: "e",
                r#type: "direct",
                durable: true,
                no_wait: true,
                arguments: a_true(),
                ..Default::default()
            }
            .into(),
            r#"exchange.declare exchange="e" type="direct" passive=false durable=true auto_delete=false internal=false no_wait=true arguments={"a": true}"#,
        ),
        (
            b"\x00\x28\x00\x0b",
            exchange::DeclareOk {}.into(),
            "exchange.declare-ok",
        ),
        (
            b"\x00\x28\x00\x14\x00\x00\x01e\x01",
            exchange::Delete {
                exchange: "e",
                if_unused: true,
                no_wait: false,
            }
            .into(),
            r#"exchange.delete exchange="e" if_unused=true no_wait=false"#,
        ),
        (
            b"\x00\x28\x00\x15",
            exchange::DeleteOk {}.into(),
            "exchange.delete-ok",
        ),
        (
            b"\x00\x28\x00\x1e\x00\x00\x01d\x01s\x02rk\x01\x00\x00\x00\x00",
            exchange::Bind {
                destination: "d",
                source: "s",
                routing_key: "rk",
                no_wait: true,
                arguments: Table::EMPTY,
            }
            .into(),
            r#"exchange.bind destination="d" source="s" routing_key="rk" no_wait=true arguments={}"#,
        ),
        (
            b"\x00\x28\x00\x1f",
            exchange::BindOk {}.into(),
            "exchange.bind-ok",
        ),
        (
            b"\x00\x28\x00\x28\x00\x00\x01d\x01s\x02rk\x00\x00\x00\x00\x00",
            exchange::Unbind {
                destination: "d",
                source: "s",
                routing_key: "rk",
                no_wait: false,
                arguments: Table::EMPTY,
            }
            .into(),
            r#"exchange.unbind destination="d" source="s" routing_key="rk" no_wait=false arguments={}"#,
        ),
        (
            // 51, where one would expect 41.
            b"\x00\x28\x00\x33",
            exchange::UnbindOk {}.into(),
            "exchange.unbind-ok",
        ),
        (
            // passive, exclusive, auto-delete: bits 0, 2, 3.
            b"\x00\x32\x00\x0a\x00\x00\x01q\x0d\x00\x00\x00\x00",
            queue::Declare {
                queue: "q",
                passive: true,
                exclusive: true,
                auto_delete: true,
                ..Default::default()
            }
            .into(),
            r#"queue.declare queue="q" passive=true durable=false exclusive=true auto_delete=true no_wait=false arguments={}"#,
        ),
        (
            b"\x00\x32\x00\x0b\x01q\x00\x00\x00\x02\x00\x00\x00\x01",
            queue::DeclareOk {
                queue: "q",
                message_count: 2,
                consumer_count: 1,
            }
            .into(),
            r#"queue.declare-ok queue="q" message_count=2 consumer_count=1"#,
        ),
        (
            b"\x00\x32\x00\x14\x00\x00\x01q\x01e\x02rk\x00\x00\x00\x00\x04\x01at\x01",
            queue::Bind {
                queue: "q",
                exchange: "e",
                routing_key: "rk",
                no_wait: false,
                arguments: a_true(),
            }
            .into(),
            r#"queue.bind queue="q" exchange="e" routing_key="rk" no_wait=false arguments={"a": true}"#,
        ),
        (
            b"\x00\x32\x00\x15",
            queue::BindOk {}.into(),
            "queue.bind-ok",
        ),
        (
            b"\x00\x32\x00\x1e\x00\x00\x01q\x01",
            queue::Purge {
                queue: "q",
                no_wait: true,
            }
            .into(),
            r#"queue.purge queue="q" no_wait=true"#,
        ),
        (
            b"\x00\x32\x00\x1f\x00\x00\x00\x07",
            queue::PurgeOk { message_count: 7 }.into(),
            "queue.purge-ok message_count=7",
        ),
        (
            b"\x00\x32\x00\x28\x00\x00\x01q\x02",
            queue::Delete {
                queue: "q",
                if_unused: false,
                if_empty: true,
                no_wait: false,
            }
            .into(),
            r#"queue.delete queue="q" if_unused=false if_empty=true no_wait=false"#,
        ),
        (
            b"\x00\x32\x00\x29\x00\x00\x00\x00",
            queue::DeleteOk { message_count: 0 }.into(),
            "queue.delete-ok message_count=0",
        ),
        (
            b"\x00\x32\x00\x32\x00\x00\x01q\x01e\x02rk\x00\x00\x00\x00",
            queue::Unbind {
                queue: "q",
                exchange: "e",
                routing_key: "rk",
                arguments: Table::EMPTY,
            }
            .into(),
            r#"queue.unbind queue="q" exchange="e" routing_key="rk" arguments={}"#,
        ),
        (
            b"\x00\x32\x00\x33",
            queue::UnbindOk {}.into(),
            "queue.unbind-ok",
        ),
        (
            b"\x00\x3c\x00\x0a\x00\x00\x00\x00\x00\x0a\x01",
            basic::Qos {
                prefetch_size: 0,
                prefetch_count: 10,
                global: true,
            }
            .into(),
            "basic.qos prefetch_size=0 prefetch_count=10 global=true",
        ),
        (
            b"\x00\x3c\x00\x0b",
            basic::QosOk {}.into(),
            "basic.qos-ok",
        ),
        (
            // no-ack and exclusive: bits 1 and 2.
            b"\x00\x3c\x00\x14\x00\x00\x01q\x01t\x06\x00\x00\x00\x00",
            basic::Consume {
                queue: "q",
                consumer_tag: "t",
                no_ack: true,
                exclusive: true,
                ..Default::default()
            }
            .into(),
            r#"basic.consume queue="q" consumer_tag="t" no_local=false no_ack=true exclusive=true no_wait=false arguments={}"#,
        ),
        (
            b"\x00\x3c\x00\x15\x01t",
            basic::ConsumeOk { consumer_tag: "t" }.into(),
            r#"basic.consume-ok consumer_tag="t""#,
        ),
        (
            b"\x00\x3c\x00\x1e\x01t\x01",
            basic::Cancel {
                consumer_tag: "t",
                no_wait: true,
            }
            .into(),
            r#"basic.cancel consumer_tag="t" no_wait=true"#,
        ),
        (
            b"\x00\x3c\x00\x1f\x01t",
            basic::CancelOk { consumer_tag: "t" }.into(),
            r#"basic.cancel-ok consumer_tag="t""#,
        ),
        (
            b"\x00\x3c\x00\x28\x00\x00\x01e\x02rk\x02",
            basic::Publish {
                exchange: "e",
                routing_key: "rk",
                mandatory: false,
                immediate: true,
            }
            .into(),
            r#"basic.publish exchange="e" routing_key="rk" mandatory=false immediate=true"#,
        ),
        (
            b"\x00\x3c\x00\x32\x01\x38\x08NO_ROUTE\x01e\x02rk",
            basic::Return {
                reply_code: 312,
                reply_text: "NO_ROUTE",
                exchange: "e",
                routing_key: "rk",
            }
            .into(),
            r#"basic.return reply_code=312 reply_text="NO_ROUTE" exchange="e" routing_key="rk""#,
        ),
        (
            b"\x00\x3c\x00\x3c\x01t\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01e\x02rk",
            basic::Deliver {
                consumer_tag: "t",
                delivery_tag: 1,
                redelivered: true,
                exchange: "e",
                routing_key: "rk",
            }
            .into(),
            r#"basic.deliver consumer_tag="t" delivery_tag=1 redelivered=true exchange="e" routing_key="rk""#,
        ),
        (
            b"\x00\x3c\x00\x46\x00\x00\x01q\x01",
            basic::Get {
                queue: "q",
                no_ack: true,
            }
            .into(),
            r#"basic.get queue="q" no_ack=true"#,
        ),
        (
            b"\x00\x3c\x00\x47\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01e\x02rk\x00\x00\x00\x05",
            basic::GetOk {
                delivery_tag: 2,
                redelivered: false,
                exchange: "e",
                routing_key: "rk",
                message_count: 5,
            }
            .into(),
            r#"basic.get-ok delivery_tag=2 redelivered=false exchange="e" routing_key="rk" message_count=5"#,
        ),
        (
            b"\x00\x3c\x00\x48\x00",
            basic::GetEmpty {}.into(),
            "basic.get-empty",
        ),
        (
            b"\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x01\x00\x01",
            basic::Ack {
                delivery_tag: 256,
                multiple: true,
            }
            .into(),
            "basic.ack delivery_tag=256 multiple=true",
        ),
        (
            b"\x00\x3c\x00\x5a\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            basic::Reject {
                delivery_tag: u64::MAX,
                requeue: true,
            }
            .into(),
            "basic.reject delivery_tag=18446744073709551615 requeue=true",
        ),
        (
            b"\x00\x3c\x00\x64\x01",
            basic::RecoverAsync { requeue: true }.into(),
            "basic.recover-async requeue=true",
        ),
        (
            b"\x00\x3c\x00\x6e\x00",
            basic::Recover { requeue: false }.into(),
            "basic.recover requeue=false",
        ),
        (
            b"\x00\x3c\x00\x6f",
            basic::RecoverOk {}.into(),
            "basic.recover-ok",
        ),
        (
            // multiple and requeue: bits 0 and 1.
            b"\x00\x3c\x00\x78\x00\x00\x00\x00\x00\x00\x00\x03\x02",
            basic::Nack {
                delivery_tag: 3,
                multiple: false,
                requeue: true,
            }
            .into(),
            "basic.nack delivery_tag=3 multiple=false requeue=true",
        ),
        (
            b"\x00\x55\x00\x0a\x01",
            confirm::Select { no_wait: true }.into(),
            "confirm.select no_wait=true",
        ),
        (
            b"\x00\x55\x00\x0b",
            confirm::SelectOk {}.into(),
            "confirm.select-ok",
        ),
        (b"\x00\x5a\x00\x0a", tx::Select {}.into(), "tx.select"),
        (
            b"\x00\x5a\x00\x0b",
            tx::SelectOk {}.into(),
            "tx.select-ok",
        ),
        (b"\x00\x5a\x00\x14", tx::Commit {}.into(), "tx.commit"),
        (
            b"\x00\x5a\x00\x15",
            tx::CommitOk {}.into(),
            "tx.commit-ok",
        ),
        (
            b"\x00\x5a\x00\x1e",
            tx::Rollback {}.into(),
            "tx.rollback",
        ),
        (
            b"\x00\x5a\x00\x1f",
            tx::RollbackOk {}.into(),
            "tx.rollback-ok",
        ),
    ]
}

fn frame_of(payload: &[u8], channel: u16) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(channel.to_be_bytes());
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(payload);
    bytes.push(0xCE);
    bytes
}

#[test]
fn each_method_means_its_bytes_and_is_written_as_them() {
    for (payload, method, shown) in rows() {
        let bytes = frame_of(payload, 258);
        let frame = Frame::Method {
            channel: 258,
            method,
        };
        assert_eq!(
            decode(&bytes, &Limits::default()),
            Ok(Some((frame, bytes.len()))),
            "{shown}"
        );
        let mut encoded = Vec::new();
        frame.encode(&mut encoded).unwrap();
        assert_eq!(encoded, bytes, "{shown}");
        assert_eq!(frame.encoded_len(), bytes.len(), "{shown}");
        assert_eq!(method.to_string(), shown);
        assert_eq!(method.info().name, shown.split(' ').next().unwrap());
    }
}

#[test]
fn every_method_has_a_row() {
    let ids: Vec<_> = rows().iter().map(|(_, method, _)| method.id()).collect();
    let table: Vec<_> = METHODS.iter().map(|info| info.id).collect();
    assert_eq!(ids, table);
    // The XML has 64 methods; the class access (2) is RabbitMQ's, from AMQP 0-8.
    assert_eq!(table.len(), 66);
}

/// `synchronous` methods of the XML with their `response` elements.
#[test]
fn replies_are_those_of_the_specification() {
    let with_replies: Vec<_> = METHODS
        .iter()
        .filter(|info| !info.replies.is_empty())
        .map(|info| {
            let replies: Vec<_> = info.replies.iter().map(ToString::to_string).collect();
            format!("{} -> {}", info.name, replies.join("|"))
        })
        .collect();
    assert_eq!(
        with_replies,
        [
            "connection.start -> connection.start-ok",
            "connection.secure -> connection.secure-ok",
            "connection.tune -> connection.tune-ok",
            "connection.open -> connection.open-ok",
            "connection.close -> connection.close-ok",
            "connection.update-secret -> connection.update-secret-ok",
            "channel.open -> channel.open-ok",
            "channel.flow -> channel.flow-ok",
            "channel.close -> channel.close-ok",
            "access.request -> access.request-ok",
            "exchange.declare -> exchange.declare-ok",
            "exchange.delete -> exchange.delete-ok",
            "exchange.bind -> exchange.bind-ok",
            "exchange.unbind -> exchange.unbind-ok",
            "queue.declare -> queue.declare-ok",
            "queue.bind -> queue.bind-ok",
            "queue.purge -> queue.purge-ok",
            "queue.delete -> queue.delete-ok",
            "queue.unbind -> queue.unbind-ok",
            "basic.qos -> basic.qos-ok",
            "basic.consume -> basic.consume-ok",
            "basic.cancel -> basic.cancel-ok",
            "basic.get -> basic.get-ok|basic.get-empty",
            "basic.recover -> basic.recover-ok",
            "confirm.select -> confirm.select-ok",
            "tx.select -> tx.select-ok",
            "tx.commit -> tx.commit-ok",
            "tx.rollback -> tx.rollback-ok",
        ]
    );
}

/// `content="1"` in the XML.
#[test]
fn contents_follow_four_methods() {
    let with_content: Vec<_> = METHODS
        .iter()
        .filter(|info| info.has_content)
        .map(|info| info.name)
        .collect();
    assert_eq!(
        with_content,
        [
            "basic.publish",
            "basic.return",
            "basic.deliver",
            "basic.get-ok"
        ]
    );
}
