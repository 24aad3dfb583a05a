//! The table of methods, and the macro that makes everything else of it:
//! structs, decoder, encoder, `Display`, and the rows of [`METHODS`].

use core::fmt;

use bytes::BufMut;

use super::{
    Arguments, Field, FieldInfo, Fields, Identified, MethodId, MethodInfo, Secret, SentBy, plain,
};
use crate::Table;
use crate::error::DecodeErrorKind;
use crate::wire::{Fault, Measure, Reader, Writer};

// The specification's names for the types of fields.

/// `bit`: neighbours share bytes, lowest first (section 4.2.5.2).
pub type Bit = bool;
/// `octet`: 8 bits.
pub type Octet = u8;
/// `short`: 16 bits.
pub type Short = u16;
/// `long`: 32 bits.
pub type Long = u32;
/// `longlong`: 64 bits.
pub type LongLong = u64;
/// `shortstr`: up to 255 bytes of UTF-8 (section 4.2.5.3).
pub type ShortStr<'a> = &'a str;
/// `longstr`: bytes of any kind (section 4.2.5.3).
pub type LongStr<'a> = &'a [u8];

macro_rules! has_content {
    () => {
        false
    };
    (content) => {
        true
    };
}

macro_rules! methods {
    ($a:lifetime; $(
        $(#[$class_doc:meta])*
        class $class:ident = $class_id:literal { $(
            $(#[$doc:meta])*
            $method_id:literal $name:literal $variant:ident = $method:ident $(<$lt:lifetime>)?
            $by:ident $($content:ident)? [$($reply:ident),*]
            ($($before:ty),*) $(new($($required:ident),*))?
            { $($(#[$field_doc:meta])* $field:ident: $type:ty $(=> $with:ident)?,)* }
            ($($after:ty),*)
        )* }
    )*) => {
        $(
            $(#[$class_doc])*
            pub mod $class {
                use super::*;
                $(
                    $(#[$doc])*
                    #[derive(Clone, Copy, Default, PartialEq, Eq)]
                    pub struct $method $(<$lt>)? {
                        $($(#[$field_doc])* pub $field: $type,)*
                    }

                    impl $(<$lt>)? $method $(<$lt>)? {
                        /// Class and method number.
                        pub const ID: MethodId = MethodId::new($class_id, $method_id);

                        $($(
                            #[doc = concat!("Sets `", stringify!($field), "`.")]
                            #[must_use]
                            pub const fn $with(mut self, $field: $type) -> Self {
                                self.$field = $field;
                                self
                            }
                        )?)*

                        $(
                            /// With these names; all else is off or empty.
                            #[must_use]
                            pub fn new($($required: ShortStr<$a>),*) -> Self {
                                Self { $($required,)* ..Self::default() }
                            }
                        )?

                        pub(super) const FIELDS: &'static [FieldInfo] = &[
                            $(FieldInfo::of::<$before>("reserved"),)*
                            $(FieldInfo::of::<$type>(stringify!($field)),)*
                            $(FieldInfo::of::<$after>("reserved"),)*
                        ];
                    }

                    impl $(<$lt>)? Identified for $method $(<$lt>)? {
                        const ID: MethodId = MethodId::new($class_id, $method_id);
                    }

                    impl<$a> Arguments<$a> for $method $(<$lt>)? {
                        #[inline(always)]
                        fn read(reader: &mut Reader<$a>) -> Result<Self, Fault> {
                            $(<$before as Field<'_>>::read(reader)?;)*
                            $(let $field = <$type as Field<'_>>::read(reader)?;)*
                            $(<$after as Field<'_>>::read(reader)?;)*
                            reader.end()?;
                            Ok(Self { $($field,)* })
                        }
                    }

                    impl $(<$lt>)? Fields for $method $(<$lt>)? {
                        #[inline]
                        fn measure(&self, measure: &mut Measure) {
                            $(<$before as Default>::default().measure(measure);)*
                            $(self.$field.measure(measure);)*
                            $(<$after as Default>::default().measure(measure);)*
                            let _ = measure;
                        }

                        #[inline]
                        fn write<B: BufMut>(&self, writer: &mut Writer<'_, B>) {
                            $(<$before as Default>::default().write(writer);)*
                            $(self.$field.write(writer);)*
                            $(<$after as Default>::default().write(writer);)*
                            let _ = writer;
                        }
                    }

                    /// The name, and then each field as `name=value`.
                    impl $(<$lt>)? fmt::Display for $method $(<$lt>)? {
                        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                            f.write_str($name)?;
                            $(
                                write!(f, " {}=", plain(stringify!($field)))?;
                                self.$field.show(f)?;
                            )*
                            Ok(())
                        }
                    }

                    impl $(<$lt>)? fmt::Debug for $method $(<$lt>)? {
                        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                            fmt::Display::fmt(self, f)
                        }
                    }

                    impl<$a> From<$method $(<$lt>)?> for Method<$a> {
                        fn from(method: $method $(<$lt>)?) -> Self {
                            Self::$variant(method)
                        }
                    }
                )*
            }
        )*

        /// Any method of AMQP 0-9-1, RabbitMQ's additions included.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Method<$a> {
            $($(
                #[doc = concat!("`", $name, "`")]
                $variant($class::$method $(<$lt>)?),
            )*)*
        }

        impl<$a> Method<$a> {
            /// Class and method number.
            #[must_use]
            pub const fn id(&self) -> MethodId {
                match self {
                    $($(Self::$variant(_) => $class::$method::ID,)*)*
                }
            }

            /// The row of the table of methods.
            #[must_use]
            pub fn info(&self) -> &'static MethodInfo {
                // The table's macro numbers rows and variants alike.
                #[allow(non_camel_case_types, clippy::enum_variant_names)]
                enum Row { $($($variant,)*)* }
                let row = match self {
                    $($(Self::$variant(_) => Row::$variant,)*)*
                };
                &METHODS[row as usize]
            }

            /// Reads class, method and fields; nothing may be left.
            #[inline(never)]
            pub(super) fn read_any(at: Reader<$a>) -> Result<Self, Fault> {
                let mut reader = at;
                match (reader.short()?, reader.short()?) {
                    // Each reads with a reader of its own: one for all would have
                    // to lie in memory, for the sake of the largest of them.
                    $($(($class_id, $method_id) => {
                        let mut reader = reader;
                        Arguments::read(&mut reader).map(Self::$variant)
                    })*)*
                    _ => Err(at.fault(DecodeErrorKind::UnknownMethod)),
                }
            }
        }

        impl Fields for Method<'_> {
            #[inline]
            fn measure(&self, measure: &mut Measure) {
                match self {
                    $($(Self::$variant(method) => method.measure(measure),)*)*
                }
            }

            #[inline]
            fn write<B: BufMut>(&self, writer: &mut Writer<'_, B>) {
                match self {
                    $($(Self::$variant(method) => method.write(writer),)*)*
                }
            }
        }

        impl fmt::Display for Method<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($(Self::$variant(method) => method.fmt(f),)*)*
                }
            }
        }

        impl fmt::Debug for Method<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        /// Every method, in the order of classes and of the specification.
        // keeps: section 1.4.1 / names
        pub const METHODS: &[MethodInfo] = &[
            $($(MethodInfo {
                id: $class::$method::ID,
                name: $name,
                sent_by: SentBy::$by,
                has_content: has_content!($($content)?),
                replies: &[$($class::$reply::ID),*],
                fields: $class::$method::FIELDS,
            },)*)*
        ];
    };
}

// A row: number, name, variant of `Method`, struct, who sends it, whether a
// content follows, what answers it; then reserved fields before, the fields,
// reserved fields after. `new` takes the names that a request is about, and a field with `=>` has
// a method that sets it.
methods! { 'a;
    /// Class 10: the connection itself, on channel 0.
    class connection = 10 {
        /// Opens the negotiation: what the server is and offers.
        10 "connection.start" ConnectionStart = Start<'a> Server [StartOk] () {
            /// 0 for AMQP 0-9-1.
            version_major: Octet,
            /// 9 for AMQP 0-9-1.
            version_minor: Octet,
            /// Product, version, and the table `capabilities`.
            server_properties: Table<'a>,
            /// SASL mechanisms, separated by spaces.
            mechanisms: LongStr<'a>,
            /// Locales, separated by spaces.
            locales: LongStr<'a>,
        } ()
        /// The client's choice of mechanism and locale.
        11 "connection.start-ok" ConnectionStartOk = StartOk<'a> Client [] () {
            /// Product, version, and the table `capabilities`.
            client_properties: Table<'a>,
            /// One of the mechanisms that the server offers.
            mechanism: ShortStr<'a>,
            /// The mechanism's initial response.
            response: Secret<'a>,
            /// One of the locales that the server offers.
            locale: ShortStr<'a>,
        } ()
        /// A further challenge of the SASL mechanism.
        20 "connection.secure" ConnectionSecure = Secure<'a> Server [SecureOk] () {
            /// The mechanism's challenge.
            challenge: Secret<'a>,
        } ()
        /// The response to a challenge.
        21 "connection.secure-ok" ConnectionSecureOk = SecureOk<'a> Client [] () {
            /// The mechanism's response.
            response: Secret<'a>,
        } ()
        /// The limits that the server proposes.
        30 "connection.tune" ConnectionTune = Tune Server [TuneOk] () {
            /// The highest channel number, 0 for no limit.
            channel_max: Short,
            /// The largest frame in bytes, 0 for no limit.
            frame_max: Long,
            /// Seconds between heartbeats, 0 for none.
            heartbeat: Short,
        } ()
        /// The limits that the client settles on.
        31 "connection.tune-ok" ConnectionTuneOk = TuneOk Client [] () {
            /// The highest channel number, 0 for no limit.
            channel_max: Short,
            /// The largest frame in bytes, 0 for no limit.
            frame_max: Long,
            /// Seconds between heartbeats, 0 for none.
            heartbeat: Short,
        } ()
        /// Opens a virtual host.
        40 "connection.open" ConnectionOpen = Open<'a> Client [OpenOk] () {
            /// The virtual host's name.
            virtual_host: ShortStr<'a>,
        } (ShortStr<'_>, Bit)
        /// The connection is open.
        41 "connection.open-ok" ConnectionOpenOk = OpenOk Server [] () {} (ShortStr<'_>)
        /// Closes the connection, and tells why.
        50 "connection.close" ConnectionClose = Close<'a> Both [CloseOk] () {
            /// A reply code.
            reply_code: Short,
            /// The reason in words.
            reply_text: ShortStr<'a>,
            /// The class of the method that caused it, or 0.
            class_id: Short,
            /// The method that caused it, or 0.
            method_id: Short,
        } ()
        /// The close is confirmed: nothing follows.
        51 "connection.close-ok" ConnectionCloseOk = CloseOk Both [] () {} ()
        /// The server takes no more publishes for now (RabbitMQ).
        60 "connection.blocked" ConnectionBlocked = Blocked<'a> Server [] () {
            /// The reason in words.
            reason: ShortStr<'a>,
        } ()
        /// The server takes publishes again (RabbitMQ).
        61 "connection.unblocked" ConnectionUnblocked = Unblocked Server [] () {} ()
        /// New credentials for the same user (RabbitMQ).
        70 "connection.update-secret" ConnectionUpdateSecret = UpdateSecret<'a> Client [UpdateSecretOk] () {
            /// The new password or token.
            new_secret: Secret<'a>,
            /// The reason in words.
            reason: ShortStr<'a>,
        } ()
        /// The new credentials hold (RabbitMQ).
        71 "connection.update-secret-ok" ConnectionUpdateSecretOk = UpdateSecretOk Server [] () {} ()
    }

    /// Class 20: channels.
    class channel = 20 {
        /// Opens the channel it comes on.
        10 "channel.open" ChannelOpen = Open Client [OpenOk] () {} (ShortStr<'_>)
        /// The channel is open.
        11 "channel.open-ok" ChannelOpenOk = OpenOk Server [] () {} (LongStr<'_>)
        /// Asks the peer to pause or resume sending contents.
        20 "channel.flow" ChannelFlow = Flow Both [FlowOk] () {
            /// Whether contents may be sent.
            active: Bit,
        } ()
        /// What the peer does now.
        21 "channel.flow-ok" ChannelFlowOk = FlowOk Both [] () {
            /// Whether contents are sent.
            active: Bit,
        } ()
        /// Closes the channel, and tells why.
        40 "channel.close" ChannelClose = Close<'a> Both [CloseOk] () {
            /// A reply code.
            reply_code: Short,
            /// The reason in words.
            reply_text: ShortStr<'a>,
            /// The class of the method that caused it, or 0.
            class_id: Short,
            /// The method that caused it, or 0.
            method_id: Short,
        } ()
        /// The close is confirmed: the number is free.
        41 "channel.close-ok" ChannelCloseOk = CloseOk Both [] () {} ()
    }

    /// Class 30: access tickets, of AMQP 0-8. RabbitMQ grants ticket 1 to everyone.
    class access = 30 {
        /// Asks for an access ticket.
        10 "access.request" AccessRequest = Request<'a> Client [RequestOk] () {
            /// The realm.
            realm: ShortStr<'a>,
            /// Exclusive access.
            exclusive: Bit,
            /// Passive access.
            passive: Bit,
            /// Active access.
            active: Bit,
            /// Write access.
            write: Bit,
            /// Read access.
            read: Bit,
        } ()
        /// Grants it.
        11 "access.request-ok" AccessRequestOk = RequestOk Server [] () {
            /// The ticket.
            ticket: Short,
        } ()
    }

    /// Class 40: exchanges.
    class exchange = 40 {
        /// Creates an exchange, or checks one that exists.
        10 "exchange.declare" ExchangeDeclare = Declare<'a> Client [DeclareOk] (Short) new(exchange, r#type) {
            /// The exchange's name.
            exchange: ShortStr<'a>,
            /// The exchange's type: `direct`, `fanout`, `topic`, `headers`, or another.
            r#type: ShortStr<'a>,
            /// Only check that it exists.
            passive: Bit => with_passive,
            /// It survives a restart of the server.
            durable: Bit => with_durable,
            /// It goes when its last binding goes (erratum 25).
            auto_delete: Bit => with_auto_delete,
            /// Clients may not publish to it (erratum 26).
            internal: Bit => with_internal,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
            /// Further settings.
            arguments: Table<'a> => with_arguments,
        } ()
        /// It exists.
        11 "exchange.declare-ok" ExchangeDeclareOk = DeclareOk Server [] () {} ()
        /// Deletes an exchange.
        20 "exchange.delete" ExchangeDelete = Delete<'a> Client [DeleteOk] (Short) new(exchange) {
            /// The exchange's name.
            exchange: ShortStr<'a>,
            /// Only if nothing is bound to it.
            if_unused: Bit => with_if_unused,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
        } ()
        /// It exists no longer.
        21 "exchange.delete-ok" ExchangeDeleteOk = DeleteOk Server [] () {} ()
        /// Binds an exchange to an exchange (RabbitMQ).
        30 "exchange.bind" ExchangeBind = Bind<'a> Client [BindOk] (Short) new(destination, source, routing_key) {
            /// The exchange that messages go to.
            destination: ShortStr<'a>,
            /// The exchange that messages come from.
            source: ShortStr<'a>,
            /// The binding's routing key.
            routing_key: ShortStr<'a>,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
            /// Further settings.
            arguments: Table<'a> => with_arguments,
        } ()
        /// They are bound (RabbitMQ).
        31 "exchange.bind-ok" ExchangeBindOk = BindOk Server [] () {} ()
        /// Removes a binding between exchanges (RabbitMQ).
        40 "exchange.unbind" ExchangeUnbind = Unbind<'a> Client [UnbindOk] (Short) new(destination, source, routing_key) {
            /// The exchange that messages go to.
            destination: ShortStr<'a>,
            /// The exchange that messages come from.
            source: ShortStr<'a>,
            /// The binding's routing key.
            routing_key: ShortStr<'a>,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
            /// The binding's arguments.
            arguments: Table<'a> => with_arguments,
        } ()
        /// They are bound no longer; method 51, not 41 (RabbitMQ).
        51 "exchange.unbind-ok" ExchangeUnbindOk = UnbindOk Server [] () {} ()
    }

    /// Class 50: queues.
    class queue = 50 {
        /// Creates a queue, or checks one that exists.
        10 "queue.declare" QueueDeclare = Declare<'a> Client [DeclareOk] (Short) new(queue) {
            /// The queue's name; empty for one that the server makes up.
            queue: ShortStr<'a>,
            /// Only check that it exists.
            passive: Bit => with_passive,
            /// It survives a restart of the server.
            durable: Bit => with_durable,
            /// It is this connection's alone, and goes with it.
            exclusive: Bit => with_exclusive,
            /// It goes when its last consumer goes.
            auto_delete: Bit => with_auto_delete,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
            /// Further settings.
            arguments: Table<'a> => with_arguments,
        } ()
        /// It exists.
        11 "queue.declare-ok" QueueDeclareOk = DeclareOk<'a> Server [] () {
            /// The queue's name.
            queue: ShortStr<'a>,
            /// Messages that are ready.
            message_count: Long,
            /// Consumers that it has.
            consumer_count: Long,
        } ()
        /// Binds a queue to an exchange.
        20 "queue.bind" QueueBind = Bind<'a> Client [BindOk] (Short) new(queue, exchange, routing_key) {
            /// The queue's name.
            queue: ShortStr<'a>,
            /// The exchange's name.
            exchange: ShortStr<'a>,
            /// The binding's routing key.
            routing_key: ShortStr<'a>,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
            /// Further settings.
            arguments: Table<'a> => with_arguments,
        } ()
        /// They are bound.
        21 "queue.bind-ok" QueueBindOk = BindOk Server [] () {} ()
        /// Drops the messages that are ready.
        30 "queue.purge" QueuePurge = Purge<'a> Client [PurgeOk] (Short) new(queue) {
            /// The queue's name.
            queue: ShortStr<'a>,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
        } ()
        /// They are dropped.
        31 "queue.purge-ok" QueuePurgeOk = PurgeOk Server [] () {
            /// How many were dropped.
            message_count: Long,
        } ()
        /// Deletes a queue.
        40 "queue.delete" QueueDelete = Delete<'a> Client [DeleteOk] (Short) new(queue) {
            /// The queue's name.
            queue: ShortStr<'a>,
            /// Only if it has no consumers.
            if_unused: Bit => with_if_unused,
            /// Only if it has no messages.
            if_empty: Bit => with_if_empty,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
        } ()
        /// It exists no longer.
        41 "queue.delete-ok" QueueDeleteOk = DeleteOk Server [] () {
            /// How many messages went with it.
            message_count: Long,
        } ()
        /// Removes a binding of a queue.
        50 "queue.unbind" QueueUnbind = Unbind<'a> Client [UnbindOk] (Short) new(queue, exchange, routing_key) {
            /// The queue's name.
            queue: ShortStr<'a>,
            /// The exchange's name.
            exchange: ShortStr<'a>,
            /// The binding's routing key.
            routing_key: ShortStr<'a>,
            /// The binding's arguments.
            arguments: Table<'a> => with_arguments,
        } ()
        /// They are bound no longer.
        51 "queue.unbind-ok" QueueUnbindOk = UnbindOk Server [] () {} ()
    }

    /// Class 60: contents, published, delivered and acknowledged.
    class basic = 60 {
        /// How much may be delivered ahead of acknowledgements.
        10 "basic.qos" BasicQos = Qos Client [QosOk] () {
            /// Bytes, 0 for no limit.
            prefetch_size: Long => with_prefetch_size,
            /// Messages, 0 for no limit.
            prefetch_count: Short => with_prefetch_count,
            /// For the channel as a whole rather than for each new consumer (RabbitMQ's meaning).
            global: Bit => with_global,
        } ()
        /// It holds.
        11 "basic.qos-ok" BasicQosOk = QosOk Server [] () {} ()
        /// Starts a consumer.
        20 "basic.consume" BasicConsume = Consume<'a> Client [ConsumeOk] (Short) new(queue) {
            /// The queue's name.
            queue: ShortStr<'a>,
            /// The consumer's name on this channel; empty for one that the server makes up.
            consumer_tag: ShortStr<'a> => with_consumer_tag,
            /// Not what this connection published.
            no_local: Bit => with_no_local,
            /// Deliveries need no acknowledgement.
            no_ack: Bit => with_no_ack,
            /// No other consumer may have the queue.
            exclusive: Bit => with_exclusive,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
            /// Further settings.
            arguments: Table<'a> => with_arguments,
        } ()
        /// It is started.
        21 "basic.consume-ok" BasicConsumeOk = ConsumeOk<'a> Server [] () {
            /// The consumer's name.
            consumer_tag: ShortStr<'a>,
        } ()
        /// Ends a consumer; from the server, tells that it has ended (RabbitMQ).
        30 "basic.cancel" BasicCancel = Cancel<'a> Both [CancelOk] () new(consumer_tag) {
            /// The consumer's name.
            consumer_tag: ShortStr<'a>,
            /// No answer is wanted.
            no_wait: Bit => with_no_wait,
        } ()
        /// It has ended.
        31 "basic.cancel-ok" BasicCancelOk = CancelOk<'a> Both [] () {
            /// The consumer's name.
            consumer_tag: ShortStr<'a>,
        } ()
        /// Publishes a message.
        40 "basic.publish" BasicPublish = Publish<'a> Client content [] (Short) new(exchange, routing_key) {
            /// The exchange's name; empty for the default exchange.
            exchange: ShortStr<'a>,
            /// The message's routing key.
            routing_key: ShortStr<'a>,
            /// Return it if it goes to no queue.
            mandatory: Bit => with_mandatory,
            /// Return it if no consumer takes it at once.
            immediate: Bit => with_immediate,
        } ()
        /// Gives back a message that could not be routed.
        50 "basic.return" BasicReturn = Return<'a> Server content [] () {
            /// A reply code.
            reply_code: Short,
            /// The reason in words.
            reply_text: ShortStr<'a>,
            /// The exchange it was published to.
            exchange: ShortStr<'a>,
            /// Its routing key.
            routing_key: ShortStr<'a>,
        } ()
        /// Delivers a message to a consumer.
        60 "basic.deliver" BasicDeliver = Deliver<'a> Server content [] () {
            /// The consumer's name.
            consumer_tag: ShortStr<'a>,
            /// What to acknowledge it by; counts from 1 on each channel.
            delivery_tag: LongLong,
            /// It may have been delivered before.
            redelivered: Bit,
            /// The exchange it was published to.
            exchange: ShortStr<'a>,
            /// Its routing key.
            routing_key: ShortStr<'a>,
        } ()
        /// Asks for one message.
        70 "basic.get" BasicGet = Get<'a> Client [GetOk, GetEmpty] (Short) new(queue) {
            /// The queue's name.
            queue: ShortStr<'a>,
            /// It needs no acknowledgement.
            no_ack: Bit => with_no_ack,
        } ()
        /// Here it is.
        71 "basic.get-ok" BasicGetOk = GetOk<'a> Server content [] () {
            /// What to acknowledge it by; counts from 1 on each channel.
            delivery_tag: LongLong,
            /// It may have been delivered before.
            redelivered: Bit,
            /// The exchange it was published to.
            exchange: ShortStr<'a>,
            /// Its routing key.
            routing_key: ShortStr<'a>,
            /// Messages that are left.
            message_count: Long,
        } ()
        /// There is none.
        72 "basic.get-empty" BasicGetEmpty = GetEmpty Server [] () {} (ShortStr<'_>)
        /// Acknowledges deliveries; from the server, confirms publishes (RabbitMQ).
        80 "basic.ack" BasicAck = Ack Both [] () {
            /// The delivery or the publish.
            delivery_tag: LongLong,
            /// With all before it.
            multiple: Bit,
        } ()
        /// Rejects a delivery.
        90 "basic.reject" BasicReject = Reject Client [] () {
            /// The delivery.
            delivery_tag: LongLong,
            /// Back into the queue, rather than dropped or dead-lettered.
            requeue: Bit,
        } ()
        /// Redelivers what is unacknowledged, without an answer (deprecated).
        100 "basic.recover-async" BasicRecoverAsync = RecoverAsync Client [] () {
            /// To whoever consumes, rather than to the same consumer.
            requeue: Bit,
        } ()
        /// Redelivers what is unacknowledged.
        110 "basic.recover" BasicRecover = Recover Client [RecoverOk] () {
            /// To whoever consumes, rather than to the same consumer.
            requeue: Bit,
        } ()
        /// It is redelivered.
        111 "basic.recover-ok" BasicRecoverOk = RecoverOk Server [] () {} ()
        /// Rejects deliveries; from the server, refuses publishes (RabbitMQ).
        120 "basic.nack" BasicNack = Nack Both [] () {
            /// The delivery or the publish.
            delivery_tag: LongLong,
            /// With all before it.
            multiple: Bit,
            /// Back into the queue, rather than dropped or dead-lettered.
            requeue: Bit,
        } ()
    }

    /// Class 85: publisher confirms (RabbitMQ).
    class confirm = 85 {
        /// Asks for a confirm of every publish on this channel.
        10 "confirm.select" ConfirmSelect = Select Client [SelectOk] () {
            /// No answer is wanted (`nowait` in the specification's XML).
            no_wait: Bit => with_no_wait,
        } ()
        /// It holds.
        11 "confirm.select-ok" ConfirmSelectOk = SelectOk Server [] () {} ()
    }

    /// Class 90: transactions.
    class tx = 90 {
        /// Makes the channel transactional.
        10 "tx.select" TxSelect = Select Client [SelectOk] () {} ()
        /// It is.
        11 "tx.select-ok" TxSelectOk = SelectOk Server [] () {} ()
        /// Commits.
        20 "tx.commit" TxCommit = Commit Client [CommitOk] () {} ()
        /// It is committed.
        21 "tx.commit-ok" TxCommitOk = CommitOk Server [] () {} ()
        /// Rolls back.
        30 "tx.rollback" TxRollback = Rollback Client [RollbackOk] () {} ()
        /// It is rolled back.
        31 "tx.rollback-ok" TxRollbackOk = RollbackOk Server [] () {} ()
    }
}
