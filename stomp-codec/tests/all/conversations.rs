//! What a server makes of each frame, by version: what a client sends behind its
//! CONNECT, and what happens, with the section of the specification.

use std::time::Duration;

use crate::script::{config, converse, converse_in_pieces, decode_error, invalid, missing};
use stomp_codec::ConnectionError::{
    DuplicateSubscription, DuplicateTransaction, TooManySubscriptions, TooManyTransactions,
    TransactionTooLarge, UnexpectedCommand, UnknownMessage, UnknownSubscription,
    UnknownTransaction,
};
use stomp_codec::connection::{Accept, ServerConfig, ServerConnection, ServerEvent};
use stomp_codec::{Command, ConnectionError, Version};

const V1_0: Version = Version::V1_0;
const V1_1: Version = Version::V1_1;
const V1_2: Version = Version::V1_2;
const ALL: &[Version] = &[V1_0, V1_1, V1_2];
const NEW: &[Version] = &[V1_1, V1_2];

/// The bytes of a client that has said CONNECT, by version.
fn opening(version: Version) -> String {
    match version {
        Version::V1_0 => "CONNECT\n\n\0".into(),
        version => format!("CONNECT\naccept-version:{version}\nhost:h\n\n\0"),
    }
}

/// Section, versions, what the client sends behind CONNECT (`^@` is NUL),
/// events, what the server sends behind CONNECTED, how it ends.
type Row = (
    &'static str,
    &'static [Version],
    &'static str,
    &'static [&'static str],
    &'static str,
    Option<ConnectionError>,
);

#[test]
fn each_frame_by_version() {
    #[rustfmt::skip]
    let table: &[Row] = &[
        // SEND.
        // shows: stomp12/SEND/destination, stomp11/SEND/destination, stomp10/SEND/destination
        ("SEND", ALL, "SEND\ndestination:/queue/a\n\nhello^@", &["send /queue/a [] hello"], "", None),
        ("user headers are passed through, with order and repetition", ALL,
            "SEND\nx:1\ndestination:/queue/a\ncontent-type:t\nreceipt:r\nx:2\ncontent-length:1\nmessage-id:9\n\nb^@",
            &["send /queue/a [x=1 content-type=t x=2] b"], "RECEIPT\nreceipt-id:r\n\n^@", None),
        // shows: stomp12/SEND/destination, stomp11/SEND/destination, stomp10/SEND/destination,
        // shows: stomp12/ERROR/sent, stomp11/ERROR/sent, stomp10/ERROR/sent,
        // shows: stomp12/ERROR/message, stomp11/ERROR/message, stomp10/ERROR/message,
        // shows: stomp12/ERROR/receipt-id, stomp11/ERROR/receipt-id, stomp12/ERROR/identifies,
        // shows: stomp11/ERROR/identifies
        ("SEND needs a destination", ALL, "SEND\nreceipt:r\n\nhello^@", &[],
            "ERROR\nreceipt-id:r\nmessage:SEND without the header destination\n\n^@", missing(Command::Send, "destination")),
        // shows: stomp12/SEND/error, stomp11/SEND/error, stomp12/ERROR/close,
        // shows: stomp12/ERROR/receipt-id, stomp11/ERROR/receipt-id
        ("what cannot be processed gets ERROR with receipt-id", ALL, "SEND\ndestination:/error\nreceipt:r\n\n^@SEND\ndestination:b\n\n^@",
            &["send /error [] "], "ERROR\nreceipt-id:r\nmessage:No such place\n\n^@", None),
        ("EOLs between frames", ALL, "\n\nSEND\ndestination:a\n\n^@\n\nSEND\ndestination:b\n\n^@\n", &["send a [] ", "send b [] "], "", None),
        ("1.2 CR LF", &[V1_2], "\r\nSEND\r\ndestination:a\r\n\r\n^@\r\n", &["send a [] "], "", None),

        // SUBSCRIBE, and ids.
        // shows: stomp12/SUBSCRIBE/destination, stomp11/SUBSCRIBE/destination,
        // shows: stomp10/SUBSCRIBE/destination, stomp12/SUBSCRIBE-ack/default,
        // shows: stomp11/SUBSCRIBE-ack/default, stomp10/SUBSCRIBE-ack/default
        ("SUBSCRIBE", ALL, "SUBSCRIBE\nid:0\ndestination:a\n\n^@", &["subscribe 1 id=0 a auto"], "", None),
        // shows: stomp12/MESSAGE/subscription, stomp12/MESSAGE/ack, stomp12/MESSAGE/message-id,
        // shows: stomp12/MESSAGE/destination, stomp12/header-encoding/encode
        ("MESSAGE carries the id", &[V1_2], "SUBSCRIBE\nid:x:y\ndestination:a\nsend:1\nack:client\n\n^@", &["subscribe 1 id=x:y a client"],
            "MESSAGE\nsubscription:x\\cy\nmessage-id:1-1\ndestination:a\nack:1-1\n\n^@", None),
        // shows: stomp11/MESSAGE/subscription, stomp11/MESSAGE/message-id,
        // shows: stomp11/MESSAGE/destination
        ("1.1 has no ack header", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nsend:1\nack:client\n\n^@", &["subscribe 1 id=0 a client"],
            "MESSAGE\nsubscription:0\nmessage-id:1-1\ndestination:a\n\n^@", None),
        // shows: stomp10/SUBSCRIBE/subscription
        ("1.0: MESSAGE carries the id, if there is one", &[V1_0], "SUBSCRIBE\nid:x\ndestination:a\nsend:1\n\n^@", &["subscribe 1 id=x a auto"],
            "MESSAGE\nsubscription:x\nmessage-id:1-1\ndestination:a\n\n^@", None),
        ("no ack header in mode auto", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nsend:1\n\n^@", &["subscribe 1 id=0 a auto"],
            "MESSAGE\nsubscription:0\nmessage-id:1-1\ndestination:a\n\n^@", None),
        // shows: stomp10/SUBSCRIBE/id-optional, stomp10/MESSAGE/message-id,
        // shows: stomp10/MESSAGE/destination
        ("1.0 without an id", &[V1_0], "SUBSCRIBE\ndestination:a\nsend:1\n\n^@", &["subscribe 1 id=- a auto"],
            "MESSAGE\nmessage-id:1-1\ndestination:a\n\n^@", None),
        // shows: stomp12/SUBSCRIBE-id/required, stomp11/SUBSCRIBE-id/required,
        // shows: stomp12/SUBSCRIBE/error, stomp11/SUBSCRIBE/error
        ("an id is needed since 1.1", NEW, "SUBSCRIBE\ndestination:a\n\n^@", &[],
            "ERROR\nmessage:SUBSCRIBE without the header id\n\n^@", missing(Command::Subscribe, "id")),
        // shows: stomp12/SUBSCRIBE/destination, stomp11/SUBSCRIBE/destination,
        // shows: stomp10/SUBSCRIBE/destination
        ("a destination is needed", ALL, "SUBSCRIBE\nid:0\n\n^@", &[],
            "ERROR\nmessage:SUBSCRIBE without the header destination\n\n^@", missing(Command::Subscribe, "destination")),
        // shows: stomp12/SUBSCRIBE-id/unique, stomp11/SUBSCRIBE-id/unique
        ("different subscriptions have different ids", ALL,
            "SUBSCRIBE\nid:0\ndestination:a\n\n^@SUBSCRIBE\nid:0\ndestination:b\nreceipt:r\n\n^@", &["subscribe 1 id=0 a auto"],
            "ERROR\nreceipt-id:r\nmessage:subscription exists already\n\n^@", Some(DuplicateSubscription)),
        ("1.0: without ids, different destinations", &[V1_0],
            "SUBSCRIBE\ndestination:a\n\n^@SUBSCRIBE\ndestination:a\n\n^@", &["subscribe 1 id=- a auto"],
            "ERROR\nmessage:subscription exists already\n\n^@", Some(DuplicateSubscription)),
        ("an id is free again after UNSUBSCRIBE", ALL,
            "SUBSCRIBE\nid:0\ndestination:a\n\n^@UNSUBSCRIBE\nid:0\n\n^@SUBSCRIBE\nid:0\ndestination:b\n\n^@",
            &["subscribe 1 id=0 a auto", "unsubscribe 1 []", "subscribe 2 id=0 b auto"], "", None),
        // shows: stomp12/SUBSCRIBE-ack/values, stomp11/SUBSCRIBE-ack/values
        ("ack mode client-individual", NEW, "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\n\n^@", &["subscribe 1 id=0 a client-individual"], "", None),
        // Came with 1.1. RabbitMQ 4.1 accepts it from clients of 1.0.
        ("1.0 with client-individual", &[V1_0], "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:3\n\n^@ACK\nmessage-id:1-3\n\n^@ACK\nmessage-id:1-1\n\n^@",
            &["subscribe 1 id=0 a client-individual", "ack 1 [3]", "ack 1 [1]"], "*", None),
        // shows: stomp12/SUBSCRIBE-ack/values, stomp11/SUBSCRIBE-ack/values,
        // shows: stomp10/SUBSCRIBE-ack/values
        ("no other ack mode", ALL, "SUBSCRIBE\nid:0\ndestination:a\nack:Client\n\n^@", &[],
            "ERROR\nmessage:SUBSCRIBE with a wrong value of the header ack\n\n^@", invalid(Command::Subscribe, "ack")),
        ("1.0 padding", &[V1_0], "SUBSCRIBE\ndestination: a\nack: client\n\n^@", &["subscribe 1 id=- a client"], "", None),
        ("limit on subscriptions", ALL,
            "SUBSCRIBE\nid:0\ndestination:a\n\n^@SUBSCRIBE\nid:1\ndestination:a\n\n^@SUBSCRIBE\nid:2\ndestination:a\n\n^@SUBSCRIBE\nid:3\ndestination:a\n\n^@",
            &["subscribe 1 id=0 a auto", "subscribe 2 id=1 a auto", "subscribe 3 id=2 a auto"],
            "ERROR\nmessage:too many subscriptions\n\n^@", Some(TooManySubscriptions)),

        // UNSUBSCRIBE.
        ("UNSUBSCRIBE gives back what was not settled", &[V1_2],
            "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:3\n\n^@ACK\nid:1-2\n\n^@UNSUBSCRIBE\nid:0\nreceipt:r\n\n^@",
            &["subscribe 1 id=0 a client-individual", "ack 1 [2]", "unsubscribe 1 [1, 3]"],
            "MESSAGE\nsubscription:0\nmessage-id:1-1\ndestination:a\nack:1-1\n\n^@MESSAGE\nsubscription:0\nmessage-id:1-2\ndestination:a\nack:1-2\n\n^@\
             MESSAGE\nsubscription:0\nmessage-id:1-3\ndestination:a\nack:1-3\n\n^@RECEIPT\nreceipt-id:r\n\n^@", None),
        ("1.1: UNSUBSCRIBE gives back too", &[V1_1],
            "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@UNSUBSCRIBE\nid:0\n\n^@",
            &["subscribe 1 id=0 a client", "unsubscribe 1 [1, 2]"], "*", None),
        // shows: stomp12/UNSUBSCRIBE/matches, stomp11/UNSUBSCRIBE/matches
        ("the id must match", ALL, "UNSUBSCRIBE\nid:0\n\n^@", &[], "ERROR\nmessage:unknown subscription\n\n^@", Some(UnknownSubscription)),
        // shows: stomp12/UNSUBSCRIBE/id, stomp11/UNSUBSCRIBE/id
        ("an id is needed", NEW, "UNSUBSCRIBE\ndestination:a\n\n^@", &[],
            "ERROR\nmessage:UNSUBSCRIBE without the header id\n\n^@", missing(Command::Unsubscribe, "id")),
        // shows: stomp10/UNSUBSCRIBE/headers
        ("1.0: by destination", &[V1_0], "SUBSCRIBE\ndestination:a\n\n^@SUBSCRIBE\ndestination:b\n\n^@UNSUBSCRIBE\ndestination:b\n\n^@UNSUBSCRIBE\ndestination:b\n\n^@",
            &["subscribe 1 id=- a auto", "subscribe 2 id=- b auto", "unsubscribe 2 []"], "ERROR\nmessage:unknown subscription\n\n^@", Some(UnknownSubscription)),
        ("1.0: by destination, though it has an id", &[V1_0], "SUBSCRIBE\nid:0\ndestination:a\n\n^@UNSUBSCRIBE\ndestination:a\n\n^@",
            &["subscribe 1 id=0 a auto", "unsubscribe 1 []"], "", None),
        ("1.0: by destination, the one without an id first", &[V1_0],
            "SUBSCRIBE\nid:0\ndestination:a\n\n^@SUBSCRIBE\ndestination:a\n\n^@UNSUBSCRIBE\ndestination:a\n\n^@UNSUBSCRIBE\ndestination:a\n\n^@",
            &["subscribe 1 id=0 a auto", "subscribe 2 id=- a auto", "unsubscribe 2 []", "unsubscribe 1 []"], "", None),
        // shows: stomp10/UNSUBSCRIBE/headers
        ("1.0: one of the two headers is needed", &[V1_0], "UNSUBSCRIBE\n\n^@", &[],
            "ERROR\nmessage:UNSUBSCRIBE without the header destination\n\n^@", missing(Command::Unsubscribe, "destination")),

        // Receipts for every command; those that need no application by itself.
        // shows: stomp12/receipt/answered, stomp11/receipt/answered, stomp12/receipt/any-frame,
        // shows: stomp11/receipt/any-frame, stomp12/RECEIPT/receipt-id,
        // shows: stomp11/RECEIPT/receipt-id
        ("receipts", NEW,
            "SUBSCRIBE\nid:0\ndestination:a\nreceipt:1\n\n^@SEND\ndestination:a\nreceipt:2\n\n^@BEGIN\ntransaction:t\nreceipt:3\n\n^@\
             SEND\ndestination:a\ntransaction:t\nreceipt:4\n\n^@COMMIT\ntransaction:t\nreceipt:5\n\n^@BEGIN\ntransaction:t\nreceipt:6\n\n^@\
             ABORT\ntransaction:t\nreceipt:7\n\n^@UNSUBSCRIBE\nid:0\nreceipt:8\n\n^@DISCONNECT\nreceipt:9\\c\n\n^@",
            &["subscribe 1 id=0 a auto", "send a [] ", "commit t (send a )", "unsubscribe 1 []", "disconnect []"],
            "RECEIPT\nreceipt-id:1\n\n^@RECEIPT\nreceipt-id:2\n\n^@RECEIPT\nreceipt-id:3\n\n^@RECEIPT\nreceipt-id:4\n\n^@RECEIPT\nreceipt-id:5\n\n^@\
             RECEIPT\nreceipt-id:6\n\n^@RECEIPT\nreceipt-id:7\n\n^@RECEIPT\nreceipt-id:8\n\n^@RECEIPT\nreceipt-id:9\\c\n\n^@", None),

        // shows: stomp10/receipt/answered, stomp10/RECEIPT/receipt-id
        ("receipts in 1.0", &[V1_0],
            "SUBSCRIBE\ndestination:a\nreceipt: 1 \n\n^@SEND\ndestination:a\nreceipt:2\n\n^@BEGIN\ntransaction:t\nreceipt:3\n\n^@\
             SEND\ndestination:a\ntransaction:t\nreceipt:4\n\n^@COMMIT\ntransaction:t\nreceipt:5\n\n^@UNSUBSCRIBE\ndestination:a\nreceipt:6\n\n^@DISCONNECT\nreceipt:7\n\n^@",
            &["subscribe 1 id=- a auto", "send a [] ", "commit t (send a )", "unsubscribe 1 []", "disconnect []"],
            "RECEIPT\nreceipt-id:1\n\n^@RECEIPT\nreceipt-id:2\n\n^@RECEIPT\nreceipt-id:3\n\n^@RECEIPT\nreceipt-id:4\n\n^@RECEIPT\nreceipt-id:5\n\n^@RECEIPT\nreceipt-id:6\n\n^@RECEIPT\nreceipt-id:7\n\n^@", None),
        // Transactions.
        // shows: stomp12/COMMIT/commits, stomp11/COMMIT/commits, stomp10/COMMIT/commits,
        // shows: stomp12/BEGIN/atomic, stomp11/BEGIN/atomic, stomp10/BEGIN/atomic,
        // shows: stomp12/BEGIN/binds, stomp11/BEGIN/binds, stomp10/BEGIN/binds,
        // shows: stomp12/SEND/transaction, stomp11/SEND/transaction, stomp10/SEND/transaction
        ("a transaction comes out at COMMIT, in order", ALL,
            "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n1^@SEND\ndestination:b\n\n2^@SEND\ndestination:c\ntransaction:t\n\n3^@COMMIT\ntransaction:t\n\n^@",
            &["send b [] 2", "commit t (send a 1; send c 3)"], "", None),
        // shows: stomp12/ABORT/aborts, stomp11/ABORT/aborts, stomp10/ABORT/aborts,
        // shows: stomp12/BEGIN/atomic, stomp11/BEGIN/atomic, stomp10/BEGIN/atomic
        ("ABORT drops it", ALL,
            "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n1^@ABORT\ntransaction:t\n\n^@BEGIN\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@",
            &["commit t ()"], "", None),
        // shows: stomp12/BEGIN/binds, stomp11/BEGIN/binds, stomp10/BEGIN/binds
        ("two at a time", ALL,
            "BEGIN\ntransaction:t\n\n^@BEGIN\ntransaction:u\n\n^@SEND\ndestination:a\ntransaction:u\n\n1^@SEND\ndestination:b\ntransaction:t\n\n2^@COMMIT\ntransaction:u\n\n^@COMMIT\ntransaction:t\n\n^@",
            &["commit u (send a 1)", "commit t (send b 2)"], "", None),
        // shows: stomp12/ACK/in-transaction, stomp12/BEGIN/atomic
        ("ACK and NACK in a transaction", &[V1_2],
            "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:3\n\n^@BEGIN\ntransaction:t\n\n^@ACK\nid:1-2\ntransaction:t\n\n^@NACK\nid:1-1\ntransaction:t\n\n^@\
             ACK\nid:1-3\n\n^@ACK\nid:1-3\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@",
            &["subscribe 1 id=0 a client-individual", "ack 1 [3]", "commit t (ack [2]; nack [1]; ack [])"], "*", None),
        // shows: stomp11/ACK/in-transaction
        ("1.1: ACK and NACK in a transaction", &[V1_1],
            "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:2\n\n^@BEGIN\ntransaction:t\n\n^@ACK\nmessage-id:1-2\nsubscription:0\ntransaction:t\n\n^@\
             NACK\nmessage-id:1-1\nsubscription:0\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@",
            &["subscribe 1 id=0 a client-individual", "commit t (ack [2]; nack [1])"], "*", None),
        // shows: stomp10/ACK/in-transaction
        ("1.0: ACK in a transaction", &[V1_0],
            "SUBSCRIBE\ndestination:a\nack:client\nsend:2\n\n^@BEGIN\ntransaction:t\n\n^@ACK\nmessage-id:1-2\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@",
            &["subscribe 1 id=- a client", "commit t (ack [1, 2])"], "*", None),
        // shows: stomp12/ACK/in-transaction, stomp12/ABORT/aborts
        ("aborted ACKs are not given", &[V1_2],
            "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@BEGIN\ntransaction:t\n\n^@ACK\nid:1-2\ntransaction:t\n\n^@ABORT\ntransaction:t\n\n^@NACK\nid:1-2\n\n^@",
            &["subscribe 1 id=0 a client", "nack 1 [1, 2]"], "*", None),
        ("an ACK in a transaction must name a message", &[V1_2], "BEGIN\ntransaction:t\n\n^@ACK\nid:1-1\ntransaction:t\n\n^@", &[],
            "ERROR\nmessage:unknown message\n\n^@", Some(UnknownMessage)),
        // shows: stomp12/SEND/transaction, stomp11/SEND/transaction, stomp10/SEND/transaction
        ("unknown transaction in SEND", ALL, "SEND\ndestination:a\ntransaction:t\nreceipt:r\n\n^@", &[],
            "ERROR\nreceipt-id:r\nmessage:unknown transaction\n\n^@", Some(UnknownTransaction)),
        // shows: stomp12/COMMIT/transaction, stomp11/COMMIT/transaction,
        // shows: stomp10/COMMIT/transaction
        ("unknown transaction in COMMIT", ALL, "COMMIT\ntransaction:t\n\n^@", &[], "ERROR\nmessage:unknown transaction\n\n^@", Some(UnknownTransaction)),
        // shows: stomp12/ABORT/transaction, stomp11/ABORT/transaction, stomp10/ABORT/transaction
        ("unknown transaction in ABORT", ALL, "ABORT\ntransaction:t\n\n^@", &[], "ERROR\nmessage:unknown transaction\n\n^@", Some(UnknownTransaction)),
        // shows: stomp12/COMMIT/transaction, stomp11/COMMIT/transaction,
        // shows: stomp10/COMMIT/transaction
        ("a transaction ends with COMMIT", ALL, "BEGIN\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@", &["commit t ()"],
            "ERROR\nmessage:unknown transaction\n\n^@", Some(UnknownTransaction)),
        // shows: stomp12/BEGIN/unique
        ("different transactions have different identifiers", ALL, "BEGIN\ntransaction:t\n\n^@BEGIN\ntransaction:t\n\n^@", &[],
            "ERROR\nmessage:transaction exists already\n\n^@", Some(DuplicateTransaction)),
        // shows: stomp12/BEGIN/transaction, stomp11/BEGIN/transaction, stomp10/BEGIN/transaction
        ("BEGIN needs an identifier", ALL, "BEGIN\n\n^@", &[], "ERROR\nmessage:BEGIN without the header transaction\n\n^@", missing(Command::Begin, "transaction")),
        // shows: stomp12/COMMIT/transaction, stomp11/COMMIT/transaction,
        // shows: stomp10/COMMIT/transaction
        ("COMMIT needs an identifier", ALL, "COMMIT\n\n^@", &[], "ERROR\nmessage:COMMIT without the header transaction\n\n^@", missing(Command::Commit, "transaction")),
        ("limit on transactions", ALL, "BEGIN\ntransaction:1\n\n^@BEGIN\ntransaction:2\n\n^@BEGIN\ntransaction:3\n\n^@", &[],
            "ERROR\nmessage:too many transactions\n\n^@", Some(TooManyTransactions)),
        ("limit on operations", ALL,
            "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@\
             SEND\ndestination:a\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@", &[], "ERROR\nmessage:transactions too large\n\n^@", Some(TransactionTooLarge)),
        ("limit on bytes", ALL,
            "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n0123456789012345678901234567890123456789012345678901234567890123456789^@\
             SEND\ndestination:a\ntransaction:t\n\n0123456789012345678901234567890123456789012345678901234567890123456789^@", &[],
            "ERROR\nmessage:transactions too large\n\n^@", Some(TransactionTooLarge)),
        ("so are operations", ALL,
            "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@ABORT\ntransaction:t\n\n^@\
             BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@",
            &["commit t (send a ; send a )"], "", None),
        ("limits are free again after ABORT", ALL,
            "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n0123456789012345678901234567890123456789012345678901234567890123456789^@ABORT\ntransaction:t\n\n^@\
             BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n0123456789012345678901234567890123456789012345678901234567890123456789^@COMMIT\ntransaction:t\n\n^@",
            &["commit t (send a 0123456789012345678901234567890123456789012345678901234567890123456789)"], "", None),

        // ACK and NACK.
        // shows: stomp12/SUBSCRIBE-ack/cumulative, stomp12/ACK/id, stomp12/ACK/consumes
        ("cumulative", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:4\n\n^@ACK\nid:1-3\n\n^@NACK\nid:1-4\n\n^@",
            &["subscribe 1 id=0 a client", "ack 1 [1, 2, 3]", "nack 1 [4]"], "*", None),
        // shows: stomp12/NACK/scope, stomp12/NACK/not-consumed
        ("cumulative NACK: those not settled yet", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:4\n\n^@ACK\nid:1-1\n\n^@NACK\nid:1-3\n\n^@ACK\nid:1-4\n\n^@",
            &["subscribe 1 id=0 a client", "ack 1 [1]", "nack 1 [2, 3]", "ack 1 [4]"], "*", None),
        // shows: stomp12/SUBSCRIBE-ack/cumulative, stomp12/SUBSCRIBE-id/several
        ("cumulative within one subscription", &[V1_2],
            "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@SUBSCRIBE\nid:1\ndestination:b\nack:client\nsend:2\n\n^@ACK\nid:2-2\n\n^@ACK\nid:1-2\n\n^@",
            &["subscribe 1 id=0 a client", "subscribe 2 id=1 b client", "ack 2 [3, 4]", "ack 1 [1, 2]"], "*", None),
        ("cumulative: what a later ACK settled", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:3\n\n^@ACK\nid:1-3\n\n^@ACK\nid:1-1\nreceipt:r\n\n^@",
            &["subscribe 1 id=0 a client", "ack 1 [1, 2, 3]", "ack 1 []"], "*", None),
        // shows: stomp12/SUBSCRIBE-ack/individual, stomp12/NACK/scope
        ("individual", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:3\n\n^@ACK\nid:1-3\n\n^@NACK\nid:1-1\n\n^@ACK\nid:1-2\n\n^@",
            &["subscribe 1 id=0 a client-individual", "ack 1 [3]", "nack 1 [1]", "ack 1 [2]"], "*", None),
        // shows: stomp11/SUBSCRIBE-ack/individual, stomp11/NACK/scope
        ("1.1: individual", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:3\n\n^@ACK\nmessage-id:1-3\nsubscription:0\n\n^@NACK\nmessage-id:1-1\nsubscription:0\n\n^@",
            &["subscribe 1 id=0 a client-individual", "ack 1 [3]", "nack 1 [1]"], "*", None),
        // shows: stomp11/NACK/scope, stomp11/NACK/not-consumed
        ("1.1: cumulative NACK", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:3\n\n^@ACK\nmessage-id:1-1\nsubscription:0\n\n^@NACK\nmessage-id:1-3\nsubscription:0\n\n^@",
            &["subscribe 1 id=0 a client", "ack 1 [1]", "nack 1 [2, 3]"], "*", None),
        ("individual, twice", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:3\n\n^@ACK\nid:1-2\n\n^@ACK\nid:1-2\n\n^@",
            &["subscribe 1 id=0 a client-individual", "ack 1 [2]"], "*", Some(UnknownMessage)),
        // shows: stomp11/ACK/message-id, stomp11/ACK/subscription,
        // shows: stomp11/SUBSCRIBE-ack/cumulative, stomp11/ACK/consumes
        ("1.1: message-id and subscription", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nsubscription:0\nmessage-id:1-2\n\n^@",
            &["subscribe 1 id=0 a client", "ack 1 [1, 2]"], "*", None),
        // shows: stomp11/ACK/subscription
        ("1.1: both must match", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nsubscription:1\nmessage-id:1-2\n\n^@",
            &["subscribe 1 id=0 a client"], "*", Some(UnknownMessage)),
        // shows: stomp11/ACK/subscription
        ("1.1: subscription is needed", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nmessage-id:1-2\n\n^@",
            &["subscribe 1 id=0 a client"], "*", missing(Command::Ack, "subscription")),
        // shows: stomp11/NACK/headers
        ("1.1: message-id is needed", &[V1_1], "NACK\nid:1-1\nsubscription:0\n\n^@", &[], "*", missing(Command::Nack, "message-id")),
        // shows: stomp12/ACK/id
        ("1.2: id is needed", &[V1_2], "ACK\nmessage-id:1-2\nsubscription:0\n\n^@", &[], "*", missing(Command::Ack, "id")),
        // shows: stomp10/ACK/message-id, stomp10/ACK/consumes
        ("1.0: message-id", &[V1_0], "SUBSCRIBE\ndestination:a\nack:client\nsend:2\n\n^@ACK\nmessage-id:1-2\n\n^@",
            &["subscribe 1 id=- a client", "ack 1 [1, 2]"], "*", None),
        ("1.0 has no NACK", &[V1_0], "NACK\nmessage-id:1-2\nreceipt:r\n\n^@", &[], "ERROR\nreceipt-id:r\nmessage:NACK is not a command of STOMP 1.0 (byte 0)\n\n^@",
            decode_error("NACK\n", 0, V1_0)),
        // shows: stomp12/ACK/id
        ("an ACK names nothing that was sent", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nid:1-3\n\n^@",
            &["subscribe 1 id=0 a client"], "*", Some(UnknownMessage)),
        ("an ACK names a message before the first", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nid:1-0\n\n^@",
            &["subscribe 1 id=0 a client"], "*", Some(UnknownMessage)),
        ("an ACK names another server's message", &[V1_2], "ACK\nid:T_1@@session@@7\nreceipt:r\n\n^@", &[],
            "ERROR\nreceipt-id:r\nmessage:unknown message\n\n^@", Some(UnknownMessage)),
        ("an ACK is for one spelling only", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nid:1-02\n\n^@",
            &["subscribe 1 id=0 a client"], "*", Some(UnknownMessage)),
        // shows: stomp12/SUBSCRIBE-ack/auto
        ("no ACK in mode auto", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nsend:2\n\n^@ACK\nid:1-1\n\n^@",
            &["subscribe 1 id=0 a auto"], "*", Some(UnknownMessage)),
        // shows: stomp10/SUBSCRIBE-ack/auto, stomp11/SUBSCRIBE-ack/auto
        ("before 1.2: no ACK in mode auto", &[V1_0, V1_1], "SUBSCRIBE\nid:0\ndestination:a\nsend:2\n\n^@ACK\nmessage-id:1-1\nsubscription:0\n\n^@",
            &["subscribe 1 id=0 a auto"], "*", Some(UnknownMessage)),
        ("an ACK that comes after UNSUBSCRIBE settles nothing", &[V1_2],
            "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@UNSUBSCRIBE\nid:0\n\n^@ACK\nid:1-2\n\n^@",
            &["subscribe 1 id=0 a client", "unsubscribe 1 [1, 2]", "ack 1 []"], "*", None),

        // Clients copy the headers of a MESSAGE into its ACK, as PHP's do.
        ("an ACK with the content-length of its MESSAGE", ALL,
            "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:1\nsize:5\n\n^@ACK\nid:1-1\nmessage-id:1-1\nsubscription:0\ncontent-length:5\n\n^@SEND\ndestination:b\n\n^@",
            &["subscribe 1 id=0 a client", "ack 1 [1]", "send b [] "], "*", None),
        ("the same in a transaction", ALL,
            "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:1\nsize:5\n\n^@BEGIN\ntransaction:t\n\n^@ACK\nid:1-1\nmessage-id:1-1\nsubscription:0\ncontent-length:5\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@",
            &["subscribe 1 id=0 a client", "commit t (ack [1])"], "*", None),

        // DISCONNECT.
        // shows: stomp12/receipt/answered, stomp11/receipt/answered, stomp10/receipt/answered
        ("DISCONNECT with a receipt", ALL, "DISCONNECT\nreceipt:77\n\n^@", &["disconnect []"], "RECEIPT\nreceipt-id:77\n\n^@", None),
        ("DISCONNECT without", ALL, "DISCONNECT\n\n^@", &["disconnect []"], "", None),
        // shows: stomp12/receipt/answered, stomp11/receipt/answered, stomp10/receipt/answered
        ("nothing counts after DISCONNECT", ALL, "DISCONNECT\nreceipt:77\n\n^@SEND\ndestination:a\n\n^@garbage", &["disconnect []"], "RECEIPT\nreceipt-id:77\n\n^@", None),
        // shows: stomp12/BEGIN/aborted
        ("DISCONNECT aborts and gives back", &[V1_2],
            "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@BEGIN\ntransaction:t\n\n^@ACK\nid:1-1\ntransaction:t\n\n^@DISCONNECT\n\n^@",
            &["subscribe 1 id=0 a client", "disconnect [(1, 1), (1, 2)]"], "*", None),

        // shows: stomp11/BEGIN/aborted
        ("1.1: DISCONNECT aborts and gives back", &[V1_1],
            "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:1\n\n^@BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n^@DISCONNECT\n\n^@",
            &["subscribe 1 id=0 a client", "disconnect [(1, 1)]"], "*", None),
        // What a client may not send.
        // shows: stomp12/client-frames/unknown, stomp11/client-frames/unknown
        ("a second CONNECT", ALL, "CONNECT\naccept-version:1.2\nhost:h\n\n^@", &[], "ERROR\nmessage:unexpected CONNECT\n\n^@", Some(UnexpectedCommand(Command::Connect))),
        ("STOMP after CONNECT", NEW, "STOMP\naccept-version:1.2\nhost:h\n\n^@", &[], "ERROR\nmessage:unexpected STOMP\n\n^@", Some(UnexpectedCommand(Command::Stomp))),
        // shows: stomp12/client-frames/unknown, stomp11/client-frames/unknown
        ("a server's frame", ALL, "MESSAGE\ndestination:a\nmessage-id:1\nsubscription:0\nreceipt:r\n\n^@", &[],
            "ERROR\nreceipt-id:r\nmessage:unexpected MESSAGE\n\n^@", Some(UnexpectedCommand(Command::Message))),
        // shows: stomp12/client-frames/unknown, stomp11/client-frames/unknown
        ("an unknown command", ALL, "PUBLISH\n\n^@", &[], "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("PUBLISH\n", 0, V1_2)),
        // shows: stomp12/ERROR/receipt-id, stomp11/ERROR/receipt-id
        ("an unknown command and its receipt", ALL, "PUBLISH\nx:y\nreceipt:r\n\nhello^@", &[],
            "ERROR\nreceipt-id:r\nmessage:unknown command (byte 0)\n\n^@", decode_error("PUBLISH\n", 0, V1_2)),
        ("an unknown command, and a receipt in its body", ALL, "PUBLISH\nx:y\n\nreceipt:r\n^@", &[],
            "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("PUBLISH\n", 0, V1_2)),
        ("an unknown command, and a receipt after its NUL", ALL, "PUBLISH\nx:y\n^@receipt:r\n\n^@", &[],
            "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("PUBLISH\n", 0, V1_2)),
        ("1.2: an unknown command with CR LF", &[V1_2], "PUBLISH\r\nreceipt:r\r\n\r\n^@", &[],
            "ERROR\nreceipt-id:r\nmessage:unknown command (byte 0)\n\n^@", decode_error("PUBLISH\n", 0, V1_2)),
        // shows: stomp12/body/allowed, stomp11/body/allowed
        ("a body where none may be", NEW, "BEGIN\ntransaction:t\nreceipt:r\n\nbody^@", &[], "ERROR\nreceipt-id:r\nmessage:BEGIN with a body (byte 31)\n\n^@",
            decode_error("BEGIN\ntransaction:t\nreceipt:r\n\nbody\0", 31, V1_2)),
        // shows: stomp12/SEND/error, stomp11/SEND/error, stomp12/ERROR/receipt-id,
        // shows: stomp11/ERROR/receipt-id, stomp12/header-encoding/undefined-escape,
        // shows: stomp11/header-encoding/undefined-escape
        ("an undefined escape; the receipt that came before it", NEW, "SEND\nreceipt:a\\cb\ndestination:\\t\n\n^@", &[],
            "ERROR\nreceipt-id:a\\cb\nmessage:undefined escape sequence (byte 30)\n\n^@", decode_error("SEND\nreceipt:a\\cb\ndestination:\\t\n\n\0", 30, V1_2)),
        ("an undefined escape in the receipt, which names nothing", NEW, "SEND\nreceipt:a\\t\nx\n\n^@", &[],
            "ERROR\nmessage:header line without a colon (byte 17)\n\n^@", decode_error("SEND\nreceipt:a\\t\nx\n\n\0", 17, V1_2)),
        ("1.0: a backslash in the receipt, which is one", &[V1_0], "SEND\nreceipt:a\\t\nx\n\n^@", &[],
            "ERROR\nreceipt-id:a\\t\nmessage:header line without a colon (byte 17)\n\n^@", decode_error("SEND\nreceipt:a\\t\nx\n\n\0", 17, V1_0)),
        // EOL is LF before 1.2, and a CR before it belongs to the value.
        ("a CR behind the receipt", &[V1_0, V1_1], "SEND\nreceipt:r\r\nx\n\n^@", &[],
            "ERROR\nreceipt-id:r\r\nmessage:header line without a colon (byte 16)\n\n^@", decode_error("SEND\nreceipt:r\r\nx\n\n\0", 16, V1_1)),
        ("1.2: a CR behind the receipt", &[V1_2], "SEND\nreceipt:r\r\nx\n\n^@", &[],
            "ERROR\nreceipt-id:r\nmessage:header line without a colon (byte 16)\n\n^@", decode_error("SEND\nreceipt:r\r\nx\n\n\0", 16, V1_2)),
        ("1.0: a padded receipt before an error", &[V1_0], "SEND\nreceipt: r \nx\n\n^@", &[],
            "ERROR\nreceipt-id:r\nmessage:header line without a colon (byte 17)\n\n^@", decode_error("SEND\nreceipt: r \nx\n\n\0", 17, V1_0)),
        ("a wrong content-length", ALL, "SEND\nreceipt:r\ndestination:a\ncontent-length:1\n\nab^@", &[],
            "ERROR\nreceipt-id:r\nmessage:no NUL after content-length bytes of body (byte 48)\n\n^@",
            decode_error("SEND\nreceipt:r\ndestination:a\ncontent-length:1\n\nab\0", 48, V1_2)),
    ];
    for &(section, versions, input, events, sent, error) in table {
        for &version in versions {
            let place = format!("{version} {section}");
            let bytes = (opening(version) + input).replace("^@", "\0");
            let found = converse(config(), bytes.as_bytes());
            assert_eq!(found.events[1..], *events, "{place}");
            if sent != "*" {
                // In 1.0 a colon is not escaped.
                let sent = if version == V1_0 {
                    sent.replace("\\c", ":")
                } else {
                    sent.into()
                };
                assert_eq!(found.sent, sent, "{place}");
            }
            assert_eq!(found.error, error, "{place}");
            let over = error.is_some() || input.contains("DISCONNECT") || input.contains("/error");
            assert_eq!(found.closed, over, "{place}");
            assert_eq!(
                error.is_some(),
                found.sent.contains("ERROR") && !input.contains("/error"),
                "{place}"
            );

            // And cut in every way, and with bodies in parts.
            for size in 1..8 {
                for assembled in [usize::MAX, 5, 1, 0] {
                    let mut config = config();
                    config.limits.assembled_size = assembled;
                    let pieces = converse_in_pieces(config, bytes.as_bytes(), &[size]);
                    assert_eq!(
                        pieces, found,
                        "{place}, in pieces of {size}, parts after {assembled}"
                    );
                }
            }
        }
    }
}

/// Of those that are begun, the ones that are neither committed nor aborted ("BEGIN").
#[test]
fn open_transactions_are_counted() {
    let mut server = ServerConnection::new(Duration::ZERO, ServerConfig::default());
    let rows = [
        ("CONNECT\naccept-version:1.2\nhost:h\n\n\0", 0),
        ("BEGIN\ntransaction:t\n\n\0", 1),
        ("BEGIN\ntransaction:u\n\n\0", 2),
        ("SEND\ndestination:a\ntransaction:t\n\n\0", 2),
        ("COMMIT\ntransaction:t\n\n\0", 1),
        ("ABORT\ntransaction:u\n\n\0", 0),
    ];
    for (frame, open) in rows {
        let mut input = frame.as_bytes();
        let event = server.receive(Duration::ZERO, &mut input).unwrap();
        if let Some(ServerEvent::Connect(_)) = event {
            server.accept(Duration::ZERO, &Accept::default()).unwrap();
        }
        assert_eq!(server.open_transactions(), open, "{frame}");
    }
}
