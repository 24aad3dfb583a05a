//! An AMQP connection of either role, and any bytes from the peer.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use crate::cut::{Cut, Transcript, assert_the_cut_does_not_matter, feed};
use crate::phrase;
use amqp_codec::connection::{
    ClientConfig, ClientConnection, ClientEvent, Connection, Delivery, InboundPublish, Mandatory,
    Message, Redelivered, ReplyError, Request, Role, SendError, ServerConfig, ServerConnection,
    ServerEvent, Tags,
};
use amqp_codec::method::{basic, channel, confirm, queue};
use amqp_codec::{Properties, ReplyCode};

const NOW: Duration = Duration::ZERO;

const MESSAGE: Message<'_> = Message {
    exchange: "e",
    routing_key: "k",
    properties: Properties::EMPTY,
    body: b"m",
};

/// Larger bodies come in parts.
const ASSEMBLED_SIZE: u64 = 4;

/// Enough for one content, and for no more than two.
const HELD_SIZE: u64 = 64;

/// Runs one input.
pub fn run(data: &[u8]) {
    let [how, seed, stream @ ..] = data else {
        return;
    };
    let login = match how & 3 {
        0 => Vec::new(),
        1 => phrase::amqp().login,
        2 => phrase::amqp_server(),
        // A few things said in a good order, and the fuzzer's after that.
        _ => {
            let book = phrase::amqp();
            let said = usize::from(how >> 2) % book.phrases.len();
            [book.login, book.phrases[said].clone()].concat()
        }
    };
    let stream = [&login, stream].concat();
    if how & 3 == 2 {
        assert_the_cut_does_not_matter(*seed, |cut| consume(&stream, cut));
    } else {
        assert_the_cut_does_not_matter(*seed, |cut| serve(&stream, cut));
    }
}

/// The server's side, of a broker that has everything that it is asked for.
fn serve(stream: &[u8], cut: Cut) -> Transcript {
    let mut config = ServerConfig::default();
    config.limits.assembled_size = ASSEMBLED_SIZE;
    config.limits.held_size = HELD_SIZE;
    let server = ServerConnection::new(NOW, config);
    let mut opened = false;
    drive(server, stream, cut, |server, event, said| {
        let late = matches!(event, ServerEvent::Request { .. } | ServerEvent::Publish(_));
        assert!(opened || !late, "{event:?} before connection.open-ok");
        opened |= matches!(
            event,
            ServerEvent::Open {
                virtual_host: "/",
                ..
            }
        );
        if let ServerEvent::Body {
            channel,
            part,
            remaining,
            ..
        } = event
        {
            said.part(channel, part, remaining);
            return Ok(());
        }
        said.push(&event);
        serve_event(server, event)
    })
}

fn serve_event(server: &mut ServerConnection, event: ServerEvent<'_>) -> Result<(), SendError> {
    match event {
        ServerEvent::Authenticate { mechanism, .. } => match mechanism {
            "PLAIN" => server.accept(NOW),
            _ => server.challenge(NOW, b"?"),
        },
        ServerEvent::Secure {
            response: b"no", ..
        } => server.refuse(NOW, "no"),
        ServerEvent::Secure { .. } => server.accept(NOW),
        ServerEvent::Open {
            virtual_host: "/", ..
        } => server.open_ok(NOW),
        ServerEvent::Open { .. } => server.close(
            NOW,
            &ReplyError::connection(ReplyCode::NotAllowed, "no such virtual host"),
        ),
        ServerEvent::UpdateSecret { .. } => server.update_secret_ok(),
        ServerEvent::Publish(InboundPublish {
            channel,
            publish_tag,
            mandatory,
            content,
            ..
        }) => {
            if mandatory {
                server.return_message(channel, ReplyCode::NoRoute, "none", &content.message())?;
            }
            match publish_tag {
                Some(tag) => server.ack(channel, Tags::new(tag, tag % 2 == 0)),
                None => Ok(()),
            }
        }
        ServerEvent::Request {
            channel, request, ..
        } => answer(server, channel, request),
        _ => Ok(()),
    }
}

fn answer(
    server: &mut ServerConnection,
    channel: u16,
    request: Request<'_>,
) -> Result<(), SendError> {
    match request {
        Request::AccessRequest(_) => server.access_request_ok(channel, 1),
        Request::ExchangeDeclare(declare) if declare.passive => server.fail(
            NOW,
            &ReplyError::new(ReplyCode::NotFound, channel, "no exchange").caused_by(request.id()),
        ),
        Request::ExchangeDeclare(_) => server.exchange_declare_ok(channel),
        Request::ExchangeDelete(_) => server.exchange_delete_ok(channel),
        Request::ExchangeBind(_) => server.exchange_bind_ok(channel),
        Request::ExchangeUnbind(_) => server.exchange_unbind_ok(channel),
        Request::QueueDeclare(declare) => server.queue_declare_ok(channel, declare.queue, 1, 2),
        Request::QueueBind(_) => server.queue_bind_ok(channel),
        Request::QueueUnbind(_) => server.queue_unbind_ok(channel),
        Request::QueuePurge(_) => server.queue_purge_ok(channel, 3),
        Request::QueueDelete(_) => server.queue_delete_ok(channel, 3),
        Request::BasicQos(_) => server.qos_ok(channel),
        Request::BasicConsume(consume) => {
            server.consume_ok(channel, consume.consumer_tag)?;
            let tag = server.deliver(channel, consume.consumer_tag, Redelivered::No, &MESSAGE)?;
            assert!(tag > 0);
            Ok(())
        }
        Request::BasicCancel(cancel) => server.cancel_ok(channel, cancel.consumer_tag),
        Request::BasicGet(get) if get.no_ack => server.get_empty(channel),
        Request::BasicGet(_) => server
            .get_ok(channel, Redelivered::Yes, 0, &MESSAGE)
            .map(drop),
        Request::BasicRecover(_) => server.recover_ok(channel),
        Request::TxSelect(_) => server.tx_select_ok(channel),
        Request::TxCommit(_) => server.tx_commit_ok(channel),
        Request::TxRollback(_) => server.tx_rollback_ok(channel),
        Request::ConfirmSelect(_) => server.confirm_select_ok(channel),
        Request::ChannelFlow(flow) => server.flow_ok(
            channel,
            &channel::FlowOk {
                active: flow.active,
            },
        ),
        _ => Ok(()),
    }
}

/// The client's side. It opens a channel, publishes, consumes, acknowledges.
fn consume(stream: &[u8], cut: Cut) -> Transcript {
    let mut config = ClientConfig::default();
    config.limits.assembled_size = ASSEMBLED_SIZE;
    config.limits.held_size = HELD_SIZE;
    let client = ClientConnection::new(NOW, config);
    drive(client, stream, cut, |client, event, said| {
        if let ClientEvent::Body {
            channel,
            part,
            remaining,
            ..
        } = event
        {
            said.part(channel, part, remaining);
            return Ok(());
        }
        said.push(&event);
        consume_event(client, event)
    })
}

/// What a connection has said.
#[derive(Default)]
struct Said {
    events: Vec<String>,
    /// Bodies in parts, by channel, as far as they have come.
    bodies: BTreeMap<u16, Vec<u8>>,
}

impl Said {
    fn push(&mut self, event: &impl Debug) {
        self.events.push(format!("{event:?}"));
    }

    /// A body in parts is the same however it is cut: one event, with its last part.
    fn part(&mut self, channel: u16, part: &[u8], remaining: u64) {
        assert!(!part.is_empty());
        self.bodies.entry(channel).or_default().extend(part);
        if remaining == 0 {
            let body = self.bodies.remove(&channel);
            self.push(&(channel, body));
        }
    }
}

/// Feeds either end, and acts on what it returns.
fn drive<R: Role>(
    mut connection: Connection<R>,
    stream: &[u8],
    cut: Cut,
    mut act: impl FnMut(&mut Connection<R>, R::Event<'_>, &mut Said) -> Result<(), SendError>,
) -> Transcript {
    let mut transcript = Transcript::default();
    let mut said = Said::default();
    let mut failed = None;
    transcript.left = feed(stream, cut, |input| {
        loop {
            let before = input.len();
            let event = match connection.receive(NOW, input) {
                Ok(event) => {
                    assert_eq!(failed, None, "errors are sticky");
                    match event {
                        Some(event) => event,
                        None => return true,
                    }
                }
                // What comes after is heard still: it may answer the goodbye.
                Err(error) => match &failed {
                    None => {
                        said.push(&error);
                        failed = Some(error);
                        continue;
                    }
                    Some(first) => {
                        assert_eq!(&error, first, "errors are sticky");
                        if input.len() == before {
                            return true;
                        }
                        continue;
                    }
                },
            };
            if let Err(error) = act(&mut connection, event, &mut said) {
                said.push(&error);
            }
        }
    });
    if failed.is_some() {
        transcript.left.clear();
    }
    transcript.events = said.events;
    transcript.closed = connection.is_closed();
    connection.poll_transmit(NOW, &mut transcript.sent);
    assert_eq!(connection.transmit_len(), 0);
    transcript
}

fn consume_event(client: &mut ClientConnection, event: ClientEvent<'_>) -> Result<(), SendError> {
    match event {
        ClientEvent::Secure { .. } => client.secure_ok(NOW, b"response"),
        ClientEvent::Opened => client.open_channel().map(drop),
        ClientEvent::ChannelOpened { channel, .. } => {
            client.confirm_select(channel, &confirm::Select { no_wait: true })?;
            for _ in 0..3 {
                client.publish(channel, Mandatory::Yes, &MESSAGE)?;
            }
            client.queue_declare(channel, &queue::Declare::default())?;
            client.consume(
                channel,
                &basic::Consume {
                    queue: "q",
                    consumer_tag: "c",
                    ..Default::default()
                },
            )?;
            client.get(channel, &basic::Get::default())
        }
        ClientEvent::Deliver(Delivery {
            channel,
            delivery_tag,
            ..
        })
        | ClientEvent::GetOk {
            channel,
            delivery_tag,
            ..
        } => client.ack(channel, Tags::One(delivery_tag)),
        // A body that has to wait for one event of a kind, and all else for it.
        ClientEvent::Blocked { .. } => client
            .begin_publish(1, Mandatory::No, &MESSAGE, 2)
            .map(drop),
        ClientEvent::Unblocked => client.send_body(1, b"n").map(drop),
        _ => Ok(()),
    }
}
