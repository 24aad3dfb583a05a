//! One client's conversation: what a case says to get to its question, and
//! the forms in which a broker answers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::bytes::{
    ANY_CODE, BASIC, BASIC_ACK, BASIC_CANCEL, BASIC_CANCEL_OK, BASIC_CONSUME, BASIC_CONSUME_OK,
    BASIC_DELIVER, BASIC_GET, BASIC_GET_EMPTY, BASIC_GET_OK, BASIC_PUBLISH, BASIC_QOS,
    BASIC_QOS_OK, BASIC_REJECT, BASIC_RETURN, BODY, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_FLOW,
    CHANNEL_FLOW_OK, CHANNEL_OPEN, CHANNEL_OPEN_OK, CONNECTION_CLOSE, CONNECTION_CLOSE_OK,
    CONNECTION_OPEN, CONNECTION_OPEN_OK, CONNECTION_START, CONNECTION_START_OK, CONNECTION_TUNE,
    CONNECTION_TUNE_OK, EXCHANGE_DECLARE, EXCHANGE_DECLARE_OK, Frame, HEADER, HEARTBEAT,
    NO_PROPERTIES, PROTOCOL_HEADER, QUEUE_BIND, QUEUE_BIND_OK, QUEUE_DECLARE, QUEUE_DECLARE_OK,
    QUEUE_DELETE, QUEUE_DELETE_OK, QUEUE_UNBIND, QUEUE_UNBIND_OK, Reader, TX_SELECT, args, content,
    fields, frame, method, method_name, parse_frame,
};
use super::bytes::{Args, Fields, Method};
use super::method_args::{
    EXCHANGE_AUTO_DELETE, EXCLUSIVE, PASSIVE, bind_args, close_args, consume_args, declare_args,
    exchange_args, open_args, publish_args, start_ok, unbind_args,
};
use crate::case::Context;
use crate::transcript::hex_line;
use crate::verdict::{Setup, Stop, fail, not_applicable};
use crate::wire::{Seen, Wire};

/// One connection of a client.
pub(super) struct Client {
    pub(super) wire: Wire,
    /// The method or part of the protocol that the case is about.
    about: &'static str,
    /// What the broker proposed; 0 is no limit.
    channel_max: u16,
    /// What came for a channel that the case was not listening to: channels
    /// are independent, so their frames may come in any order.
    waiting: VecDeque<Frame>,
}

/// A message as it was delivered, got or returned.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) consumer_tag: Vec<u8>,
    pub(super) delivery_tag: u64,
    pub(super) redelivered: bool,
    pub(super) exchange: Vec<u8>,
    pub(super) routing_key: Vec<u8>,
    /// Property flags and property list, as they came.
    pub(super) properties: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// What queue.declare-ok says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) messages: u32,
    pub(super) consumers: u32,
}

impl Client {
    /// Sends the protocol header and receives connection.start.
    pub(super) fn start(ctx: &Context<'_>) -> Result<(Self, Frame), Stop> {
        let mut client = Self {
            wire: ctx.connect()?,
            about: ctx.id.split('/').nth(1).unwrap_or_default(),
            channel_max: 0,
            waiting: VecDeque::new(),
        };
        client.wire.send(PROTOCOL_HEADER);
        let expected = "connection.start after the protocol header";
        let start = client
            .expect(0, CONNECTION_START, expected)
            .setup("connecting")?;
        Ok((client, start))
    }

    /// Authenticates with PLAIN and receives connection.tune.
    pub(super) fn tuned(ctx: &Context<'_>) -> Result<(Self, Frame), Stop> {
        Self::tuned_with(ctx, &fields())
    }

    /// The same with client-properties.
    fn tuned_with(ctx: &Context<'_>, properties: &Fields) -> Result<(Self, Frame), Stop> {
        let (mut client, _) = Self::start(ctx)?;
        client.send(0, CONNECTION_START_OK, start_ok(ctx, properties));
        let expected = "connection.tune after a correct start-ok";
        let tune = client
            .expect(0, CONNECTION_TUNE, expected)
            .setup("logging in")?;
        Ok((client, tune))
    }

    /// Opens the connection with the limits that the broker proposed and no
    /// heart-beats.
    pub(super) fn open(ctx: &Context<'_>) -> Result<Self, Stop> {
        Self::open_with(ctx, &fields(), |limits| Limits {
            heartbeat: 0,
            ..limits
        })
    }

    /// Opens the connection with client-properties, and with limits made from
    /// those that the broker proposed.
    pub(super) fn open_with(
        ctx: &Context<'_>,
        properties: &Fields,
        negotiate: impl FnOnce(Limits) -> Limits,
    ) -> Result<Self, Stop> {
        let (mut client, tune) = Self::tuned_with(ctx, properties)?;
        let proposed = Limits::of(&tune)?;
        let limits = negotiate(proposed);
        client.channel_max = proposed.channel_max;
        client.send(0, CONNECTION_TUNE_OK, limits.args());
        client.open_virtual_host(&ctx.target.virtual_host)?;
        Ok(client)
    }

    /// connection.open, and its open-ok.
    fn open_virtual_host(&mut self, virtual_host: &str) -> Result<(), Stop> {
        self.call(
            0,
            CONNECTION_OPEN,
            open_args(virtual_host),
            CONNECTION_OPEN_OK,
        )
        .map(drop)
        .setup("opening the virtual host")
    }

    /// Opens a connection and its channel 1.
    pub(super) fn with_channel(ctx: &Context<'_>) -> Result<Self, Stop> {
        let mut client = Self::open(ctx)?;
        client.open_channel(1).setup("opening a channel")?;
        Ok(client)
    }

    /// Opens a connection and its channel 1 on a broker that announces this
    /// capability in its server-properties, and announces it in turn.
    pub(super) fn with_capability(ctx: &Context<'_>, capability: &str) -> Result<Self, Stop> {
        let (_, start) = Self::start(ctx)?;
        require_capability(&start, capability)?;
        let capabilities = fields().boolean(capability, true);
        let properties = fields().nested("capabilities", &capabilities);
        let mut client = Self::open_with(ctx, &properties, |limits| Limits {
            heartbeat: 0,
            ..limits
        })?;
        client.open_channel(1).setup("opening a channel")?;
        Ok(client)
    }

    /// The highest channel that the broker proposed.
    pub(super) fn highest_channel(&self) -> u16 {
        match self.channel_max {
            0 => u16::MAX,
            most => most,
        }
    }

    /// Stops when the broker proposed fewer channels.
    pub(super) fn needs_channel(&self, channel: u16) -> Result<(), Stop> {
        if self.channel_max != 0 && channel > self.channel_max {
            return Err(not_applicable(format!(
                "the broker proposed a channel-max of {}",
                self.channel_max
            )));
        }
        Ok(())
    }

    /// Opens a channel.
    pub(super) fn open_channel(&mut self, channel: u16) -> Result<(), Stop> {
        self.needs_channel(channel)?;
        self.call(channel, CHANNEL_OPEN, args().shortstr(""), CHANNEL_OPEN_OK)
            .map(drop)
    }

    /// Closes a channel.
    pub(super) fn close_channel(&mut self, channel: u16) -> Result<(), Stop> {
        self.call(channel, CHANNEL_CLOSE, close_args(), CHANNEL_CLOSE_OK)
            .map(drop)
    }

    /// Closes channel 1 and opens it again. Of what was delivered on it and not acknowledged,
    /// this message is the first to come again. The specification does not say that it is in
    /// the queue by close-ok: a consumer waits for it, where basic.get or a count could be
    /// too early.
    pub(super) fn expect_back(&mut self, queue: &str, body: &[u8]) -> Result<(), Stop> {
        self.close_channel(1)?;
        self.open_channel(1)?;
        self.consume(queue, "back", 0)?;
        self.expect_delivery(body).map(drop)
    }

    /// Closes the connection, with what belongs to it.
    pub(super) fn close(mut self) -> Result<(), Stop> {
        self.call(0, CONNECTION_CLOSE, close_args(), CONNECTION_CLOSE_OK)
            .map(drop)
    }

    /// Sends a method.
    pub(super) fn send(&mut self, channel: u16, name: Method, args: Args) {
        self.wire.send(&method(channel, name, args));
    }

    /// Sends a method and expects the reply next. That it does not come is a
    /// failure of the case when it is about that method, and one of its setup
    /// when it is about another.
    pub(super) fn call(
        &mut self,
        channel: u16,
        name: Method,
        args: Args,
        reply: Method,
    ) -> Result<Frame, Stop> {
        self.send(channel, name, args);
        let expected = format!("{} after {}", method_name(reply), method_name(name));
        let replied = self.expect(channel, reply, &expected).map_err(|stop| {
            // A broker need not have the class tx (1.4.4), and there is a code
            // that says so.
            match &stop {
                Stop::Fail { seen, .. }
                    if name.0 == TX_SELECT.0 && seen.starts_with("connection.close 540") =>
                {
                    not_applicable(format!("transactions are not implemented: {seen}"))
                }
                _ => stop,
            }
        });
        if self.is_about(name) {
            replied
        } else {
            replied.setup(&method_name(name))
        }
    }

    fn is_about(&self, method: Method) -> bool {
        let name = method_name(method);
        let class = name.split('.').next().unwrap_or_default();
        name == self.about
            // Of these the methods stand and fall together.
            || matches!(class, "channel" | "tx") && self.about.split('.').next() == Some(class)
            // Here any method serves to ask about what carries it.
            || matches!(self.about, "queue" | "field-table" | "method" | "frame")
    }

    /// The next frame that is not a heart-beat, for this channel or for the
    /// connection.
    pub(super) fn next(&mut self, channel: u16) -> Result<Seen<Frame>, Stop> {
        self.next_within(channel, self.wire.patience())
    }

    /// The same within a time. A heart-beat that nobody asked for is no noise.
    pub(super) fn next_within(
        &mut self,
        channel: u16,
        time: Duration,
    ) -> Result<Seen<Frame>, Stop> {
        let waiting = self.waiting.iter().position(|f| f.channel == channel);
        if let Some(frame) = waiting.and_then(|at| self.waiting.remove(at)) {
            return Ok(Seen::Frame(frame));
        }
        let start = Instant::now();
        loop {
            let left = time.saturating_sub(start.elapsed());
            match self.wire.next_within(left, parse_frame)? {
                Seen::Frame(frame) if frame.kind == HEARTBEAT => {}
                // The broker may say at any time whether it wants content.
                Seen::Frame(frame) if frame.method() == Some(CHANNEL_FLOW) => {
                    let active = args().octet(frame.args().octet()?);
                    self.send(frame.channel, CHANNEL_FLOW_OK, active);
                }
                Seen::Frame(frame) if frame.channel != channel && frame.channel != 0 => {
                    self.waiting.push_back(frame);
                }
                seen => return Ok(seen),
            }
        }
    }

    /// This frame next, octet by octet, on channel 0 or 1.
    pub(super) fn expect_bytes(&mut self, bytes: &[u8], expected: &str) -> Result<(), Stop> {
        let channel = u16::from_be_bytes([bytes[1], bytes[2]]);
        match self.next(channel)? {
            Seen::Frame(seen) if frame(seen.kind, seen.channel, &seen.payload) == bytes => Ok(()),
            other => Err(fail(
                format!("{expected} [{}]", hex_line(bytes)),
                other.to_string(),
            )),
        }
    }

    /// Nothing on channel 1 within the window of silence, and no end either.
    pub(super) fn expect_silence(&mut self, expected: &str) -> Result<(), Stop> {
        match self.next_within(1, self.wire.silence())? {
            Seen::Silence(..) => Ok(()),
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// This method on this channel next.
    pub(super) fn expect(
        &mut self,
        channel: u16,
        name: Method,
        expected: &str,
    ) -> Result<Frame, Stop> {
        match self.next(channel)? {
            Seen::Frame(frame) if frame.channel == channel && frame.method() == Some(name) => {
                Ok(frame)
            }
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// A channel exception with one of the first codes, or a connection
    /// exception with one of the second, comes next; it is answered.
    pub(super) fn expect_exception(
        &mut self,
        channel: u16,
        channel_codes: &[u16],
        connection_codes: &[u16],
        why: &str,
    ) -> Result<(), Stop> {
        let mut forms = Vec::new();
        for (name, codes) in [
            ("channel.close", channel_codes),
            ("connection.close", connection_codes),
        ] {
            if codes == ANY_CODE {
                forms.push(name.to_string());
            } else if !codes.is_empty() {
                let codes: Vec<_> = codes.iter().map(u16::to_string).collect();
                forms.push(format!("{name} {}", codes.join(" or ")));
            }
        }
        let expected = format!("{} for {why}", forms.join(", or "));
        let frame = match self.next(channel)? {
            Seen::Frame(frame) => frame,
            other => return Err(fail(expected, other.to_string())),
        };
        let (codes, reply) = match (frame.method(), frame.channel) {
            (Some(CHANNEL_CLOSE), on) if on == channel => (channel_codes, CHANNEL_CLOSE_OK),
            (Some(CONNECTION_CLOSE), 0) => (connection_codes, CONNECTION_CLOSE_OK),
            _ => return Err(fail(expected, frame.to_string())),
        };
        match frame.close_reason() {
            Some((code, _)) if codes.contains(&code) => {
                self.send(frame.channel, reply, args());
                Ok(())
            }
            _ => Err(fail(expected, frame.to_string())),
        }
    }

    /// A channel exception with one of these codes comes next; it is answered.
    pub(super) fn expect_channel_close(
        &mut self,
        channel: u16,
        codes: &[u16],
        why: &str,
    ) -> Result<(), Stop> {
        self.expect_exception(channel, codes, &[], why)
    }

    /// A connection exception with one of these codes comes next, where the
    /// reply would come on this channel; it is answered.
    pub(super) fn expect_connection_close(
        &mut self,
        channel: u16,
        codes: &[u16],
        why: &str,
    ) -> Result<(), Stop> {
        self.expect_exception(channel, &[], codes, why)
    }

    /// The channel still answers, and nothing comes before the answer: what
    /// was sent before raised no exception.
    pub(super) fn expect_well(&mut self, channel: u16, expected: &str) -> Result<(), Stop> {
        // No limits are those that every channel starts with.
        let no_limits = args().long(0).short(0).octet(0);
        self.send(channel, BASIC_QOS, no_limits);
        self.expect(channel, BASIC_QOS_OK, expected).map(drop)
    }

    /// queue.declare without arguments.
    pub(super) fn declare(&mut self, channel: u16, name: &str, bits: u8) -> Result<Declared, Stop> {
        self.declare_with(channel, name, bits, &fields())
    }

    /// queue.declare and its declare-ok.
    pub(super) fn declare_with(
        &mut self,
        channel: u16,
        name: &str,
        bits: u8,
        arguments: &Fields,
    ) -> Result<Declared, Stop> {
        let declare = declare_args(name, bits, arguments);
        let frame = self.call(channel, QUEUE_DECLARE, declare, QUEUE_DECLARE_OK)?;
        let mut args = frame.args();
        let declared = Declared {
            name: String::from_utf8_lossy(args.shortstr()?).into_owned(),
            messages: args.long()?,
            consumers: args.long()?,
        };
        if name.is_empty() || declared.name == name {
            Ok(declared)
        } else {
            Err(fail(
                format!("declare-ok for queue {name:?}"),
                frame.to_string(),
            ))
        }
    }

    /// An exclusive queue with a name of its own.
    pub(super) fn queue(&mut self, ctx: &Context<'_>) -> Result<String, Stop> {
        self.declare(1, &ctx.name("q."), EXCLUSIVE)
            .map(|d| d.name)
            .setup("declaring a queue")
    }

    /// How many messages are ready in the queue.
    pub(super) fn ready(&mut self, channel: u16, queue: &str) -> Result<u32, Stop> {
        self.declare(channel, queue, PASSIVE).map(|d| d.messages)
    }

    /// queue.bind without arguments.
    pub(super) fn bind(&mut self, queue: &str, exchange: &str, key: &str) -> Result<(), Stop> {
        let bind = bind_args(queue, exchange, key, &fields());
        self.call(1, QUEUE_BIND, bind, QUEUE_BIND_OK).map(drop)
    }

    /// queue.unbind without arguments.
    pub(super) fn unbind(&mut self, queue: &str, exchange: &str, key: &str) -> Result<(), Stop> {
        let unbind = unbind_args(queue, exchange, key);
        self.call(1, QUEUE_UNBIND, unbind, QUEUE_UNBIND_OK)
            .map(drop)
    }

    /// queue.delete on channel 1, whatever is in it.
    pub(super) fn delete_queue(&mut self, queue: &str) -> Result<(), Stop> {
        let delete = args().short(0).shortstr(queue).octet(0);
        self.call(1, QUEUE_DELETE, delete, QUEUE_DELETE_OK)
            .map(drop)
    }

    /// basic.ack on channel 1.
    pub(super) fn ack(&mut self, delivery_tag: u64, multiple: bool) {
        let ack = args().longlong(delivery_tag).octet(multiple.into());
        self.send(1, BASIC_ACK, ack);
    }

    /// basic.reject on channel 1.
    pub(super) fn reject(&mut self, delivery_tag: u64, requeue: bool) {
        let reject = args().longlong(delivery_tag).octet(requeue.into());
        self.send(1, BASIC_REJECT, reject);
    }

    /// A transient exchange of this type that goes with its last binding.
    pub(super) fn exchange(&mut self, ctx: &Context<'_>, kind: &str) -> Result<String, Stop> {
        let name = ctx.name("x.");
        let declare = exchange_args(&name, kind, EXCHANGE_AUTO_DELETE, &fields());
        self.call(1, EXCHANGE_DECLARE, declare, EXCHANGE_DECLARE_OK)
            .setup("declaring an exchange")?;
        Ok(name)
    }

    /// Publishes without properties on channel 1.
    pub(super) fn publish(&mut self, exchange: &str, key: &str, body: &[u8]) {
        self.publish_with(1, exchange, key, 0, NO_PROPERTIES, body);
    }

    /// Publishes in one write.
    pub(super) fn publish_with(
        &mut self,
        channel: u16,
        exchange: &str,
        key: &str,
        bits: u8,
        properties: &[u8],
        body: &[u8],
    ) {
        let mut bytes = method(channel, BASIC_PUBLISH, publish_args(exchange, key, bits));
        bytes.extend(content(channel, properties, body));
        self.wire.send(&bytes);
    }

    /// basic.consume on channel 1, and the consumer tag.
    pub(super) fn consume(&mut self, queue: &str, tag: &str, bits: u8) -> Result<String, Stop> {
        self.consume_on(1, queue, tag, bits)
    }

    pub(super) fn consume_on(
        &mut self,
        channel: u16,
        queue: &str,
        tag: &str,
        bits: u8,
    ) -> Result<String, Stop> {
        let consume = consume_args(queue, tag, bits, &fields());
        let frame = self.call(channel, BASIC_CONSUME, consume, BASIC_CONSUME_OK)?;
        let given = String::from_utf8_lossy(frame.args().shortstr()?).into_owned();
        if given.is_empty() || (!tag.is_empty() && given != tag) {
            return Err(fail("consume-ok with the consumer tag", frame.to_string()));
        }
        Ok(given)
    }

    /// basic.cancel and its cancel-ok.
    pub(super) fn cancel(&mut self, channel: u16, tag: &str) -> Result<Frame, Stop> {
        let cancel = args().shortstr(tag).octet(0);
        self.call(channel, BASIC_CANCEL, cancel, BASIC_CANCEL_OK)
    }

    /// The next delivery on the channel, whole.
    pub(super) fn delivery(&mut self, channel: u16) -> Result<Message, Stop> {
        let frame = self.expect(channel, BASIC_DELIVER, "basic.deliver")?;
        let mut args = frame.args();
        let consumer_tag = args.shortstr()?.to_vec();
        self.content_of(channel, args, consumer_tag)
    }

    /// The next delivery on the channel, or `None` when the window of silence passes without
    /// one.
    pub(super) fn delivery_within(&mut self, channel: u16) -> Result<Option<Message>, Stop> {
        let frame = match self.next_within(channel, self.wire.silence())? {
            Seen::Silence(..) => return Ok(None),
            Seen::Frame(frame) if frame.method() == Some(BASIC_DELIVER) => frame,
            other => return Err(fail("basic.deliver", other.to_string())),
        };
        let mut args = frame.args();
        let consumer_tag = args.shortstr()?.to_vec();
        self.content_of(channel, args, consumer_tag).map(Some)
    }

    /// The delivery of this body next, on channel 1.
    pub(super) fn expect_delivery(&mut self, body: &[u8]) -> Result<Message, Stop> {
        let message = self.delivery(1)?;
        if message.body == body {
            Ok(message)
        } else {
            Err(fail(
                format!("the delivery of {:?}", String::from_utf8_lossy(body)),
                format!("that of {:?}", String::from_utf8_lossy(&message.body)),
            ))
        }
    }

    /// basic.get on channel 1.
    pub(super) fn get(&mut self, queue: &str, no_ack: bool) -> Result<Option<Message>, Stop> {
        self.send(
            1,
            BASIC_GET,
            args().short(0).shortstr(queue).octet(no_ack.into()),
        );
        let expected = "basic.get-ok or basic.get-empty";
        match self.next(1)? {
            Seen::Frame(frame) if frame.method() == Some(BASIC_GET_OK) => {
                self.content_of(1, frame.args(), Vec::new()).map(Some)
            }
            Seen::Frame(frame) if frame.method() == Some(BASIC_GET_EMPTY) => Ok(None),
            other => Err(fail(expected, other.to_string())),
        }
    }

    /// basic.get that must find this body.
    pub(super) fn expect_get(&mut self, queue: &str, body: &[u8]) -> Result<Message, Stop> {
        let expected = format!("{:?} in the queue", String::from_utf8_lossy(body));
        match self.get(queue, false)? {
            Some(message) if message.body == body => Ok(message),
            Some(message) => Err(fail(
                expected,
                format!("{:?}", String::from_utf8_lossy(&message.body)),
            )),
            None => Err(fail(expected, "basic.get-empty")),
        }
    }

    /// basic.get that must find nothing; `expected` says why.
    pub(super) fn expect_empty(&mut self, queue: &str, expected: &str) -> Result<(), Stop> {
        match self.get(queue, false)? {
            None => Ok(()),
            Some(message) => Err(fail(
                expected,
                format!("a message {:?}", String::from_utf8_lossy(&message.body)),
            )),
        }
    }

    /// basic.return with this reply code next, and the message that came back.
    pub(super) fn expect_return(&mut self, channel: u16, code: u16) -> Result<Message, Stop> {
        let expected = format!("basic.return {code}");
        let frame = self.expect(channel, BASIC_RETURN, &expected)?;
        let mut args = frame.args();
        if args.short()? != code {
            return Err(fail(expected, frame.to_string()));
        }
        args.shortstr()?;
        let exchange = args.shortstr()?.to_vec();
        let routing_key = args.shortstr()?.to_vec();
        let (properties, body) = self.content(channel)?;
        Ok(Message {
            consumer_tag: Vec::new(),
            delivery_tag: 0,
            redelivered: false,
            exchange,
            routing_key,
            properties,
            body,
        })
    }

    /// From the delivery tag on, deliver and get-ok are the same.
    fn content_of(
        &mut self,
        channel: u16,
        mut args: Reader<'_>,
        consumer_tag: Vec<u8>,
    ) -> Result<Message, Stop> {
        let delivery_tag = args.longlong()?;
        let redelivered = args.octet()? != 0;
        let exchange = args.shortstr()?.to_vec();
        let routing_key = args.shortstr()?.to_vec();
        let (properties, body) = self.content(channel)?;
        Ok(Message {
            consumer_tag,
            delivery_tag,
            redelivered,
            exchange,
            routing_key,
            properties,
            body,
        })
    }

    /// The content header and as many body frames as it announces (4.2.6).
    fn content(&mut self, channel: u16) -> Result<(Vec<u8>, Vec<u8>), Stop> {
        let header = match self.next(channel)? {
            Seen::Frame(frame) if frame.kind == HEADER && frame.channel == channel => frame,
            other => return Err(fail("a content header", other.to_string())),
        };
        let mut fields = Reader(&header.payload);
        let class_and_weight = (fields.short()?, fields.short()?);
        let size = fields.longlong()?;
        if class_and_weight != (BASIC, 0) {
            return Err(fail(
                "a content header of class 60 and weight 0",
                header.to_string(),
            ));
        }
        let properties = fields.0.to_vec();
        let mut body = Vec::new();
        while (body.len() as u64) < size {
            match self.next(channel)? {
                Seen::Frame(frame) if frame.kind == BODY && frame.channel == channel => {
                    body.extend(frame.payload);
                }
                other => {
                    let left = size - body.len() as u64;
                    let expected = format!("a content body, {left} octets to come");
                    return Err(fail(expected, other.to_string()));
                }
            }
        }
        if body.len() as u64 > size {
            return Err(fail(
                format!("a body of {size} octets"),
                format!("[{}]", hex_line(&body)),
            ));
        }
        Ok((properties, body))
    }
}

/// What connection.tune and tune-ok carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) channel_max: u16,
    pub(super) frame_max: u32,
    pub(super) heartbeat: u16,
}

impl Limits {
    /// Those that the broker proposed.
    pub(super) fn of(tune: &Frame) -> Result<Self, Stop> {
        let mut args = tune.args();
        Ok(Self {
            channel_max: args.short()?,
            frame_max: args.long()?,
            heartbeat: args.short()?,
        })
    }

    pub(super) fn args(self) -> Args {
        args()
            .short(self.channel_max)
            .long(self.frame_max)
            .short(self.heartbeat)
    }
}

/// Stops with "not applicable" unless connection.start announces the capability.
pub(super) fn require_capability(start: &Frame, capability: &str) -> Result<(), Stop> {
    let mut args = start.args();
    args.octet()?;
    args.octet()?;
    let properties = Reader(args.longstr()?);
    if let Some((b'F', capabilities)) = properties.field("capabilities")?
        && let Some((b't', [1])) = Reader(capabilities).field(capability)?
    {
        return Ok(());
    }
    Err(not_applicable(format!(
        "server-properties announce no capability {capability}: [{}]",
        hex_line(properties.0)
    )))
}

/// That a passive declare, of clients of their own, does not find any more what nobody uses.
/// When it goes no rule says: it may take as long as an answer.
pub(super) fn expect_gone(
    ctx: &Context<'_>,
    declare: Method,
    arguments: &Args,
    why: &str,
) -> Result<(), Stop> {
    let start = Instant::now();
    loop {
        let mut client = Client::with_channel(ctx)?;
        client.send(1, declare, arguments.clone());
        match client.expect_channel_close(1, &[404], why) {
            Err(Stop::Fail { .. }) if start.elapsed() < ctx.patience => {
                ctx.pause(Duration::from_millis(100))?;
            }
            seen => return seen,
        }
    }
}
