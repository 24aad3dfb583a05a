//! Conversations with a server, as bytes on one side and what it makes of them
//! on the other, with the section of the specification.

mod script;

use std::time::Duration;

use script::{converse, converse_in_pieces};
use stomp_codec::ConnectionError::{
    Decode, DuplicateSubscription, DuplicateTransaction, InvalidHeader, MissingHeader,
    NoCommonVersion, TooManySubscriptions, TooManyTransactions, TransactionTooLarge,
    UnexpectedCommand, UnknownMessage, UnknownSubscription, UnknownTransaction,
};
use stomp_codec::connection::{Accept, HeartBeat, ServerConfig, ServerConnection, Tolerance};
use stomp_codec::{Command, ConnectionError, DecodeError, SendError, Version};

/// The bytes of a client that has said CONNECT, by version.
fn opening(version: Version) -> String {
    match version {
        Version::V1_0 => "CONNECT\n\n\0".into(),
        version => format!("CONNECT\naccept-version:{version}\nhost:h\n\n\0"),
    }
}

fn config() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.heart_beat = HeartBeat::NONE;
    config.limits.subscriptions = 3;
    config.limits.transactions = 2;
    config.limits.transaction_operations = 4;
    config.limits.transaction_bytes = 200;
    config
}

fn missing(command: Command, header: &'static str) -> Option<ConnectionError> {
    Some(MissingHeader { command, header })
}

fn invalid(command: Command, header: &'static str) -> Option<ConnectionError> {
    Some(InvalidHeader { command, header })
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

const V1_0: Version = Version::V1_0;
const V1_1: Version = Version::V1_1;
const V1_2: Version = Version::V1_2;
const ALL: &[Version] = &[V1_0, V1_1, V1_2];
const NEW: &[Version] = &[V1_1, V1_2];

#[rustfmt::skip]
fn table() -> Vec<Row> { vec![
    // SEND.
    ("SEND", ALL, "SEND\ndestination:/queue/a\n\nhello^@", &["send /queue/a [] hello"], "", None),
    ("user headers are passed through, with order and repetition", ALL,
        "SEND\nx:1\ndestination:/queue/a\ncontent-type:t\nreceipt:r\nx:2\ncontent-length:1\nmessage-id:9\n\nb^@",
        &["send /queue/a [x=1 content-type=t x=2] b"], "RECEIPT\nreceipt-id:r\n\n^@", None),
    ("SEND needs a destination", ALL, "SEND\nreceipt:r\n\nhello^@", &[],
        "ERROR\nreceipt-id:r\nmessage:SEND without the header destination\n\n^@", missing(Command::Send, "destination")),
    ("what cannot be processed gets ERROR with receipt-id", ALL, "SEND\ndestination:/error\nreceipt:r\n\n^@SEND\ndestination:b\n\n^@",
        &["send /error [] "], "ERROR\nreceipt-id:r\nmessage:No such place\n\n^@", None),
    ("EOLs between frames", ALL, "\n\nSEND\ndestination:a\n\n^@\n\nSEND\ndestination:b\n\n^@\n", &["send a [] ", "send b [] "], "", None),
    ("1.2 CR LF", &[V1_2], "\r\nSEND\r\ndestination:a\r\n\r\n^@\r\n", &["send a [] "], "", None),

    // SUBSCRIBE, and ids.
    ("SUBSCRIBE", ALL, "SUBSCRIBE\nid:0\ndestination:a\n\n^@", &["subscribe 1 id=0 a auto"], "", None),
    ("MESSAGE carries the id", &[V1_2], "SUBSCRIBE\nid:x:y\ndestination:a\nsend:1\nack:client\n\n^@", &["subscribe 1 id=x:y a client"],
        "MESSAGE\nsubscription:x\\cy\nmessage-id:1-1\ndestination:a\nack:1-1\n\n^@", None),
    ("1.1 has no ack header", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nsend:1\nack:client\n\n^@", &["subscribe 1 id=0 a client"],
        "MESSAGE\nsubscription:0\nmessage-id:1-1\ndestination:a\n\n^@", None),
    ("no ack header in mode auto", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nsend:1\n\n^@", &["subscribe 1 id=0 a auto"],
        "MESSAGE\nsubscription:0\nmessage-id:1-1\ndestination:a\n\n^@", None),
    ("1.0 without an id", &[V1_0], "SUBSCRIBE\ndestination:a\nsend:1\n\n^@", &["subscribe 1 id=- a auto"],
        "MESSAGE\nmessage-id:1-1\ndestination:a\n\n^@", None),
    ("an id is needed since 1.1", NEW, "SUBSCRIBE\ndestination:a\n\n^@", &[],
        "ERROR\nmessage:SUBSCRIBE without the header id\n\n^@", missing(Command::Subscribe, "id")),
    ("a destination is needed", ALL, "SUBSCRIBE\nid:0\n\n^@", &[],
        "ERROR\nmessage:SUBSCRIBE without the header destination\n\n^@", missing(Command::Subscribe, "destination")),
    ("different subscriptions have different ids", ALL,
        "SUBSCRIBE\nid:0\ndestination:a\n\n^@SUBSCRIBE\nid:0\ndestination:b\nreceipt:r\n\n^@", &["subscribe 1 id=0 a auto"],
        "ERROR\nreceipt-id:r\nmessage:subscription exists already\n\n^@", Some(DuplicateSubscription)),
    ("1.0: without ids, different destinations", &[V1_0],
        "SUBSCRIBE\ndestination:a\n\n^@SUBSCRIBE\ndestination:a\n\n^@", &["subscribe 1 id=- a auto"],
        "ERROR\nmessage:subscription exists already\n\n^@", Some(DuplicateSubscription)),
    ("an id is free again after UNSUBSCRIBE", ALL,
        "SUBSCRIBE\nid:0\ndestination:a\n\n^@UNSUBSCRIBE\nid:0\n\n^@SUBSCRIBE\nid:0\ndestination:b\n\n^@",
        &["subscribe 1 id=0 a auto", "unsubscribe 1 []", "subscribe 2 id=0 b auto"], "", None),
    ("ack mode client-individual", NEW, "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\n\n^@", &["subscribe 1 id=0 a client-individual"], "", None),
    ("1.0 has no client-individual", &[V1_0], "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\n\n^@", &[],
        "ERROR\nmessage:SUBSCRIBE with a wrong value of the header ack\n\n^@", invalid(Command::Subscribe, "ack")),
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
    ("the id must match", ALL, "UNSUBSCRIBE\nid:0\n\n^@", &[], "ERROR\nmessage:unknown subscription\n\n^@", Some(UnknownSubscription)),
    ("an id is needed", NEW, "UNSUBSCRIBE\ndestination:a\n\n^@", &[],
        "ERROR\nmessage:UNSUBSCRIBE without the header id\n\n^@", missing(Command::Unsubscribe, "id")),
    ("1.0: by destination", &[V1_0], "SUBSCRIBE\ndestination:a\n\n^@SUBSCRIBE\ndestination:b\n\n^@UNSUBSCRIBE\ndestination:b\n\n^@UNSUBSCRIBE\ndestination:b\n\n^@",
        &["subscribe 1 id=- a auto", "subscribe 2 id=- b auto", "unsubscribe 2 []"], "ERROR\nmessage:unknown subscription\n\n^@", Some(UnknownSubscription)),
    ("1.0: by destination, though it has an id", &[V1_0], "SUBSCRIBE\nid:0\ndestination:a\n\n^@UNSUBSCRIBE\ndestination:a\n\n^@",
        &["subscribe 1 id=0 a auto", "unsubscribe 1 []"], "", None),
    ("1.0: one of the two headers is needed", &[V1_0], "UNSUBSCRIBE\n\n^@", &[],
        "ERROR\nmessage:UNSUBSCRIBE without the header destination\n\n^@", missing(Command::Unsubscribe, "destination")),

    // Receipts for every command; those that need no application by itself.
    ("receipts", NEW,
        "SUBSCRIBE\nid:0\ndestination:a\nreceipt:1\n\n^@SEND\ndestination:a\nreceipt:2\n\n^@BEGIN\ntransaction:t\nreceipt:3\n\n^@\
         SEND\ndestination:a\ntransaction:t\nreceipt:4\n\n^@COMMIT\ntransaction:t\nreceipt:5\n\n^@BEGIN\ntransaction:t\nreceipt:6\n\n^@\
         ABORT\ntransaction:t\nreceipt:7\n\n^@UNSUBSCRIBE\nid:0\nreceipt:8\n\n^@DISCONNECT\nreceipt:9\\c\n\n^@",
        &["subscribe 1 id=0 a auto", "send a [] ", "commit t (send a )", "unsubscribe 1 []", "disconnect []"],
        "RECEIPT\nreceipt-id:1\n\n^@RECEIPT\nreceipt-id:2\n\n^@RECEIPT\nreceipt-id:3\n\n^@RECEIPT\nreceipt-id:4\n\n^@RECEIPT\nreceipt-id:5\n\n^@\
         RECEIPT\nreceipt-id:6\n\n^@RECEIPT\nreceipt-id:7\n\n^@RECEIPT\nreceipt-id:8\n\n^@RECEIPT\nreceipt-id:9\\c\n\n^@", None),

    // Transactions.
    ("a transaction comes out at COMMIT, in order", ALL,
        "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n1^@SEND\ndestination:b\n\n2^@SEND\ndestination:c\ntransaction:t\n\n3^@COMMIT\ntransaction:t\n\n^@",
        &["send b [] 2", "commit t (send a 1; send c 3)"], "", None),
    ("ABORT drops it", ALL,
        "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\n\n1^@ABORT\ntransaction:t\n\n^@BEGIN\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@",
        &["commit t ()"], "", None),
    ("two at a time", ALL,
        "BEGIN\ntransaction:t\n\n^@BEGIN\ntransaction:u\n\n^@SEND\ndestination:a\ntransaction:u\n\n1^@SEND\ndestination:b\ntransaction:t\n\n2^@COMMIT\ntransaction:u\n\n^@COMMIT\ntransaction:t\n\n^@",
        &["commit u (send a 1)", "commit t (send b 2)"], "", None),
    ("ACK and NACK in a transaction", &[V1_2],
        "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:3\n\n^@BEGIN\ntransaction:t\n\n^@ACK\nid:1-2\ntransaction:t\n\n^@NACK\nid:1-1\ntransaction:t\n\n^@\
         ACK\nid:1-3\n\n^@ACK\nid:1-3\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@",
        &["subscribe 1 id=0 a client-individual", "ack 1 [3]", "commit t (ack [2]; nack [1]; ack [])"], "*", None),
    ("aborted ACKs are not given", &[V1_2],
        "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@BEGIN\ntransaction:t\n\n^@ACK\nid:1-2\ntransaction:t\n\n^@ABORT\ntransaction:t\n\n^@NACK\nid:1-2\n\n^@",
        &["subscribe 1 id=0 a client", "nack 1 [1, 2]"], "*", None),
    ("an ACK in a transaction must name a message", &[V1_2], "BEGIN\ntransaction:t\n\n^@ACK\nid:1-1\ntransaction:t\n\n^@", &[],
        "ERROR\nmessage:unknown message\n\n^@", Some(UnknownMessage)),
    ("unknown transaction in SEND", ALL, "SEND\ndestination:a\ntransaction:t\nreceipt:r\n\n^@", &[],
        "ERROR\nreceipt-id:r\nmessage:unknown transaction\n\n^@", Some(UnknownTransaction)),
    ("unknown transaction in COMMIT", ALL, "COMMIT\ntransaction:t\n\n^@", &[], "ERROR\nmessage:unknown transaction\n\n^@", Some(UnknownTransaction)),
    ("unknown transaction in ABORT", ALL, "ABORT\ntransaction:t\n\n^@", &[], "ERROR\nmessage:unknown transaction\n\n^@", Some(UnknownTransaction)),
    ("a transaction ends with COMMIT", ALL, "BEGIN\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@COMMIT\ntransaction:t\n\n^@", &["commit t ()"],
        "ERROR\nmessage:unknown transaction\n\n^@", Some(UnknownTransaction)),
    ("different transactions have different identifiers", ALL, "BEGIN\ntransaction:t\n\n^@BEGIN\ntransaction:t\n\n^@", &[],
        "ERROR\nmessage:transaction exists already\n\n^@", Some(DuplicateTransaction)),
    ("BEGIN needs an identifier", ALL, "BEGIN\n\n^@", &[], "ERROR\nmessage:BEGIN without the header transaction\n\n^@", missing(Command::Begin, "transaction")),
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
    ("cumulative", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:4\n\n^@ACK\nid:1-3\n\n^@NACK\nid:1-4\n\n^@",
        &["subscribe 1 id=0 a client", "ack 1 [1, 2, 3]", "nack 1 [4]"], "*", None),
    ("cumulative NACK: those not settled yet", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:4\n\n^@ACK\nid:1-1\n\n^@NACK\nid:1-3\n\n^@ACK\nid:1-4\n\n^@",
        &["subscribe 1 id=0 a client", "ack 1 [1]", "nack 1 [2, 3]", "ack 1 [4]"], "*", None),
    ("cumulative within one subscription", &[V1_2],
        "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@SUBSCRIBE\nid:1\ndestination:b\nack:client\nsend:2\n\n^@ACK\nid:2-2\n\n^@ACK\nid:1-2\n\n^@",
        &["subscribe 1 id=0 a client", "subscribe 2 id=1 b client", "ack 2 [3, 4]", "ack 1 [1, 2]"], "*", None),
    ("cumulative: what a later ACK settled", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:3\n\n^@ACK\nid:1-3\n\n^@ACK\nid:1-1\nreceipt:r\n\n^@",
        &["subscribe 1 id=0 a client", "ack 1 [1, 2, 3]", "ack 1 []"], "*", None),
    ("individual", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:3\n\n^@ACK\nid:1-3\n\n^@NACK\nid:1-1\n\n^@ACK\nid:1-2\n\n^@",
        &["subscribe 1 id=0 a client-individual", "ack 1 [3]", "nack 1 [1]", "ack 1 [2]"], "*", None),
    ("individual, twice", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client-individual\nsend:3\n\n^@ACK\nid:1-2\n\n^@ACK\nid:1-2\n\n^@",
        &["subscribe 1 id=0 a client-individual", "ack 1 [2]"], "*", Some(UnknownMessage)),
    ("1.1: message-id and subscription", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nsubscription:0\nmessage-id:1-2\n\n^@",
        &["subscribe 1 id=0 a client", "ack 1 [1, 2]"], "*", None),
    ("1.1: both must match", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nsubscription:1\nmessage-id:1-2\n\n^@",
        &["subscribe 1 id=0 a client"], "*", Some(UnknownMessage)),
    ("1.1: subscription is needed", &[V1_1], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nmessage-id:1-2\n\n^@",
        &["subscribe 1 id=0 a client"], "*", missing(Command::Ack, "subscription")),
    ("1.1: message-id is needed", &[V1_1], "NACK\nid:1-1\nsubscription:0\n\n^@", &[], "*", missing(Command::Nack, "message-id")),
    ("1.2: id is needed", &[V1_2], "ACK\nmessage-id:1-2\nsubscription:0\n\n^@", &[], "*", missing(Command::Ack, "id")),
    ("1.0: message-id", &[V1_0], "SUBSCRIBE\ndestination:a\nack:client\nsend:2\n\n^@ACK\nmessage-id:1-2\n\n^@",
        &["subscribe 1 id=- a client", "ack 1 [1, 2]"], "*", None),
    ("1.0 has no NACK", &[V1_0], "NACK\nmessage-id:1-2\nreceipt:r\n\n^@", &[], "ERROR\nmessage:NACK is not a command of STOMP 1.0 (byte 0)\n\n^@",
        decode_error("NACK\n", 0, V1_0)),
    ("an ACK names nothing that was sent", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nid:1-3\n\n^@",
        &["subscribe 1 id=0 a client"], "*", Some(UnknownMessage)),
    ("an ACK names another server's message", &[V1_2], "ACK\nid:T_1@@session@@7\nreceipt:r\n\n^@", &[],
        "ERROR\nreceipt-id:r\nmessage:unknown message\n\n^@", Some(UnknownMessage)),
    ("an ACK is for one spelling only", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@ACK\nid:1-02\n\n^@",
        &["subscribe 1 id=0 a client"], "*", Some(UnknownMessage)),
    ("no ACK in mode auto", &[V1_2], "SUBSCRIBE\nid:0\ndestination:a\nsend:2\n\n^@ACK\nid:1-1\n\n^@",
        &["subscribe 1 id=0 a auto"], "*", Some(UnknownMessage)),
    ("an ACK that comes after UNSUBSCRIBE settles nothing", &[V1_2],
        "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@UNSUBSCRIBE\nid:0\n\n^@ACK\nid:1-2\n\n^@",
        &["subscribe 1 id=0 a client", "unsubscribe 1 [1, 2]", "ack 1 []"], "*", None),

    // DISCONNECT.
    ("DISCONNECT with a receipt", ALL, "DISCONNECT\nreceipt:77\n\n^@", &["disconnect []"], "RECEIPT\nreceipt-id:77\n\n^@", None),
    ("DISCONNECT without", ALL, "DISCONNECT\n\n^@", &["disconnect []"], "", None),
    ("nothing counts after DISCONNECT", ALL, "DISCONNECT\nreceipt:77\n\n^@SEND\ndestination:a\n\n^@garbage", &["disconnect []"], "RECEIPT\nreceipt-id:77\n\n^@", None),
    ("DISCONNECT aborts and gives back", &[V1_2],
        "SUBSCRIBE\nid:0\ndestination:a\nack:client\nsend:2\n\n^@BEGIN\ntransaction:t\n\n^@ACK\nid:1-1\ntransaction:t\n\n^@DISCONNECT\n\n^@",
        &["subscribe 1 id=0 a client", "disconnect [(1, 1), (1, 2)]"], "*", None),

    // What a client may not send.
    ("a second CONNECT", ALL, "CONNECT\naccept-version:1.2\nhost:h\n\n^@", &[], "ERROR\nmessage:unexpected CONNECT\n\n^@", Some(UnexpectedCommand(Command::Connect))),
    ("STOMP after CONNECT", NEW, "STOMP\naccept-version:1.2\nhost:h\n\n^@", &[], "ERROR\nmessage:unexpected STOMP\n\n^@", Some(UnexpectedCommand(Command::Stomp))),
    ("a server's frame", ALL, "MESSAGE\ndestination:a\nmessage-id:1\nsubscription:0\nreceipt:r\n\n^@", &[],
        "ERROR\nreceipt-id:r\nmessage:unexpected MESSAGE\n\n^@", Some(UnexpectedCommand(Command::Message))),
    ("an unknown command", ALL, "PUBLISH\n\n^@", &[], "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("PUBLISH\n", 0, V1_2)),
    ("a body where none may be", NEW, "BEGIN\ntransaction:t\nreceipt:r\n\nbody^@", &[], "ERROR\nreceipt-id:r\nmessage:BEGIN with a body (byte 31)\n\n^@",
        decode_error("BEGIN\ntransaction:t\nreceipt:r\n\nbody\0", 31, V1_2)),
    ("an undefined escape; the receipt that came before it", NEW, "SEND\nreceipt:a\\cb\ndestination:\\t\n\n^@", &[],
        "ERROR\nreceipt-id:a\\cb\nmessage:undefined escape sequence (byte 30)\n\n^@", decode_error("SEND\nreceipt:a\\cb\ndestination:\\t\n\n\0", 30, V1_2)),
    ("1.0: a padded receipt before an error", &[V1_0], "SEND\nreceipt: r \nx\n\n^@", &[],
        "ERROR\nreceipt-id:r\nmessage:header line without a colon (byte 17)\n\n^@", decode_error("SEND\nreceipt: r \nx\n\n\0", 17, V1_0)),
    ("a wrong content-length", ALL, "SEND\nreceipt:r\ndestination:a\ncontent-length:1\n\nab^@", &[],
        "ERROR\nreceipt-id:r\nmessage:no NUL after content-length octets of body (byte 48)\n\n^@",
        decode_error("SEND\nreceipt:r\ndestination:a\ncontent-length:1\n\nab\0", 48, V1_2)),
] }

/// The error that layer 1 gives for the same bytes.
fn decode_error(input: &str, offset: usize, version: Version) -> Option<ConnectionError> {
    let limits = stomp_codec::Limits::default();
    let error = stomp_codec::decode(input.as_bytes(), version, &limits).unwrap_err();
    assert_eq!(error.offset, offset);
    Some(Decode(error))
}

#[test]
fn conversations() {
    for (section, versions, input, events, sent, error) in table() {
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
                    config.limits.assembled_body = assembled;
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

/// CONNECT and what comes of it ("Connecting").
#[test]
fn openings() {
    type Row = (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        Option<ConnectionError>,
    );
    let no_host = missing(Command::Connect, "host");
    #[rustfmt::skip]
    let table: &[Row] = &[
        ("1.0", "CONNECT\nlogin: guest\npasscode:a\\cb\n\n^@", "connect 1.0 host=- login=guest passcode=a\\cb heart-beat=0,0", "", None),
        ("1.1", "CONNECT\naccept-version:1.1\nhost:h\nlogin: guest\n\n^@", "connect 1.1 host=h login= guest passcode=- heart-beat=0,0", "", None),
        ("1.2 with CR LF", "CONNECT\r\naccept-version:1.0,1.2\r\nhost:h\r\n\r\n^@", "connect 1.2 host=h login=- passcode=- heart-beat=0,0", "", None),
        ("the highest common version", "CONNECT\naccept-version:1.0,1.1,2.0\nhost:h\n\n^@", "connect 1.1 host=h login=- passcode=- heart-beat=0,0", "", None),
        ("EOLs first", "\n\r\n\nCONNECT\n\n^@", "connect 1.0 host=- login=- passcode=- heart-beat=0,0", "", None),
        ("STOMP, whose headers are escaped", "STOMP\naccept-version:1.2\nhost:h\npasscode:a\\cb\n\n^@", "connect 1.2 host=h login=- passcode=a:b heart-beat=0,0", "", None),
        ("CONNECT, whose headers are not", "CONNECT\naccept-version:1.2\nhost:h\npasscode:a\\cb\\t\n\n^@", "connect 1.2 host=h login=- passcode=a\\cb\\t heart-beat=0,0", "", None),
        ("heart-beat", "CONNECT\naccept-version:1.2\nhost:h\nheart-beat:500,1000\n\n^@", "connect 1.2 host=h login=- passcode=- heart-beat=500,1000", "", None),
        ("1.0 knows no heart-beat", "CONNECT\nheart-beat:x\n\n^@", "connect 1.0 host=- login=- passcode=- heart-beat=0,0", "", None),
        ("1.0 by accept-version needs no host", "CONNECT\naccept-version:1.0\n\n^@", "connect 1.0 host=- login=- passcode=- heart-beat=0,0", "", None),
        ("the application refuses", "CONNECT\nlogin:nobody\n\n^@", "connect 1.0 host=- login=nobody passcode=- heart-beat=0,0",
            "ERROR\nmessage:Access refused\ncontent-type:text/plain\ncontent-length:11\n\nWho: nobody^@", None),
        ("host is needed since 1.1", "CONNECT\naccept-version:1.1\n\n^@", "", "ERROR\nmessage:CONNECT without the header host\n\n^@", no_host),
        ("STOMP needs accept-version", "STOMP\nhost:h\n\n^@", "", "ERROR\nmessage:STOMP without the header accept-version\n\n^@", missing(Command::Stomp, "accept-version")),
        ("no common version", "CONNECT\naccept-version:9.9\nhost:h\n\n^@", "",
            "ERROR\nmessage:no common protocol version\nversion:1.0,1.1,1.2\ncontent-type:text/plain\ncontent-length:43\n\nSupported protocol versions are 1.0 1.1 1.2^@", Some(NoCommonVersion)),
        ("wrong heart-beat", "CONNECT\naccept-version:1.1\nhost:h\nheart-beat:1\n\n^@", "",
            "ERROR\nmessage:CONNECT with a wrong value of the header heart-beat\n\n^@", invalid(Command::Connect, "heart-beat")),
        ("a frame before CONNECT", "SEND\ndestination:a\nreceipt:r\n\n^@", "", "ERROR\nreceipt-id:r\nmessage:unexpected SEND\n\n^@", Some(UnexpectedCommand(Command::Send))),
        ("a frame before CONNECT whose receipt cannot be written yet", "SEND\ndestination:a\nreceipt:r\\n\n\n^@", "", "ERROR\nmessage:unexpected SEND\n\n^@", Some(UnexpectedCommand(Command::Send))),
        ("a server's frame", "CONNECTED\nversion:1.2\n\n^@", "", "ERROR\nmessage:unexpected CONNECTED\n\n^@", Some(UnexpectedCommand(Command::Connected))),
        ("another protocol", "GET / HTTP/1.1\r\n", "", "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("GET / HTTP/1.1\n", 0, V1_2)),
        ("another protocol without lines", "\u{16}\u{3}\u{1}^@", "", "ERROR\nmessage:unknown command (byte 0)\n\n^@", decode_error("\0", 0, V1_2)),
    ];
    for (section, input, event, sent, error) in table {
        let bytes = input.replace("^@", "\0");
        let found = converse(config(), bytes.as_bytes());
        assert_eq!(found.events.concat(), *event, "{section}");
        assert_eq!(found.sent, *sent, "{section}");
        assert_eq!(found.error, *error, "{section}");
        assert_eq!(found.closed, !sent.is_empty(), "{section}");
        for size in 1..8 {
            let pieces = converse_in_pieces(config(), bytes.as_bytes(), &[size]);
            assert_eq!(pieces, found, "{section}, in pieces of {size}");
        }
    }
}

/// Before login other limits hold ("Size Limits").
#[test]
fn limits_before_and_after_login() {
    let mut config = config();
    config.limits_before_login.header_line = 20;
    config.limits.header_line = 30;
    let long = "x:0123456789012345678\n";
    let before = format!("CONNECT\n{long}\n\0");
    let error = converse(config.clone(), before.as_bytes()).error;
    let Some(Decode(DecodeError { offset, .. })) = error else {
        panic!("{error:?}")
    };
    assert_eq!(offset, "CONNECT\n".len() + 20);
    let after = format!("CONNECT\n\n\0SEND\ndestination:a\n{long}\n\0");
    assert_eq!(converse(config.clone(), after.as_bytes()).error, None);
    let after = format!("CONNECT\n\n\0SEND\ndestination:a\nlong{long}{long}\n\0");
    assert_eq!(converse(config.clone(), after.as_bytes()).error, None);
    let after = format!("CONNECT\n\n\0SEND\nlonger-than-that-{long}\n\0");
    assert!(converse(config, after.as_bytes()).error.is_some());
}

fn connect(config: ServerConfig, opening: &str) -> (ServerConnection, String) {
    let mut server = ServerConnection::new(Duration::ZERO, config);
    let mut input = opening.as_bytes();
    server.receive(Duration::ZERO, &mut input).unwrap().unwrap();
    let accept = Accept {
        session: Some("s-1"),
        server: Some("mq/0.1"),
        headers: &[("x", "y")],
    };
    server.accept(Duration::ZERO, &accept).unwrap();
    let sent = transmit(&mut server);
    (server, sent)
}

fn transmit(server: &mut ServerConnection) -> String {
    let mut out = Vec::new();
    let len = server.transmit_len();
    assert_eq!(server.poll_transmit(&mut out), len);
    assert_eq!(server.transmit_len(), 0);
    String::from_utf8(out).unwrap().replace('\0', "^@")
}

/// "CONNECTED Frame"; the session makes message-ids unique.
#[test]
fn connected_names_version_heart_beat_session_and_server() {
    let (mut server, sent) = connect(
        ServerConfig::default(),
        "CONNECT\naccept-version:1.1\nhost:h\nheart-beat:1,1\n\n\0",
    );
    assert_eq!(
        sent,
        "CONNECTED\nversion:1.1\nheart-beat:10000,10000\nsession:s-1\nserver:mq/0.1\nx:y\n\n^@"
    );
    assert_eq!(server.version(), Some(V1_1));

    let subscribe = "SUBSCRIBE\nid:0\ndestination:a\nack:client\n\n\0";
    let mut input = subscribe.as_bytes();
    let Ok(Some(stomp_codec::connection::ServerEvent::Subscribe(subscribe))) =
        server.receive(Duration::ZERO, &mut input)
    else {
        panic!("no subscription");
    };
    let headers = [
        ("a", "1"),
        ("ack", "no"),
        ("message-id", "no"),
        ("content-length", "9"),
    ];
    server
        .message(subscribe.subscription, 70, "/queue/a", headers, b"x\0y")
        .unwrap();
    assert_eq!(
        transmit(&mut server),
        "MESSAGE\nsubscription:0\nmessage-id:s-1-1-1\ndestination:/queue/a\na:1\ncontent-length:3\n\nx^@y^@"
    );
    assert_eq!(
        server.unacknowledged().collect::<Vec<_>>(),
        [(subscribe.subscription, 70)]
    );
    let mut input = &b"ACK\nmessage-id:s-1-1-1\nsubscription:0\n\n\0"[..];
    assert!(
        server
            .receive(Duration::ZERO, &mut input)
            .unwrap()
            .is_some()
    );
    assert_eq!(server.unacknowledged().count(), 0);

    // A header that cannot be carried: as if the call had not been.
    let refused = server.message(subscribe.subscription, 71, "a", [("x", "\0")], b"");
    assert!(matches!(refused, Err(SendError::Encode(_))));
    assert_eq!(
        (transmit(&mut server), server.unacknowledged().count()),
        (String::new(), 0)
    );

    let (_, sent) = connect(ServerConfig::default(), "CONNECT\n\n\0");
    assert_eq!(
        sent,
        "CONNECTED\nversion:1.0\nsession:s-1\nserver:mq/0.1\nx:y\n\n^@"
    );
}

/// Replies to a temporary destination come under its name, and need no ACK.
#[test]
fn a_message_without_a_subscription() {
    let opening = "CONNECT\naccept-version:1.2\nhost:h\n\n\0";
    let (mut server, _) = connect(config(), opening);
    for number in 1..3 {
        let headers = [("x", "y"), ("subscription", "no")];
        server
            .message_unsubscribed("/temp-queue/r", "/q", headers, b"")
            .unwrap();
        let expected = format!(
            "MESSAGE\nsubscription:/temp-queue/r\nmessage-id:s-1-0-{number}\ndestination:/q\nx:y\n\n^@"
        );
        assert_eq!(transmit(&mut server), expected);
    }
    assert_eq!(server.unacknowledged().count(), 0);
    let mut input = &b"ACK\nid:0-1\n\n\0"[..];
    assert_eq!(
        server.receive(Duration::ZERO, &mut input),
        Err(UnknownMessage)
    );
}

/// Connections move between threads.
#[test]
fn everything_can_be_sent() {
    fn is_send<T: Send>() {}
    is_send::<ServerConnection>();
    is_send::<stomp_codec::connection::ClientConnection>();
    is_send::<stomp_codec::connection::Operation>();
    is_send::<stomp_codec::connection::Messages>();
    is_send::<stomp_codec::OwnedFrame>();
}

/// Frames that come before the answer to CONNECT wait for it.
#[test]
fn nothing_is_taken_before_the_answer() {
    let mut server = ServerConnection::new(Duration::ZERO, config());
    let mut input = &b"CONNECT\n\n\0SEND\ndestination:a\n\n\0"[..];
    assert!(
        server
            .receive(Duration::ZERO, &mut input)
            .unwrap()
            .is_some()
    );
    let left = input.len();
    assert_eq!(server.receive(Duration::ZERO, &mut input), Ok(None));
    assert_eq!(input.len(), left);
    assert_eq!(server.receipt("r"), Err(SendError::NotConnected));
    assert!(
        server
            .accept(
                Duration::ZERO,
                &Accept {
                    session: Some("a\nb"),
                    ..Accept::default()
                }
            )
            .is_err()
    );
    assert_eq!(server.transmit_len(), 0);
    server.accept(Duration::ZERO, &Accept::default()).unwrap();
    assert_eq!(
        server.accept(Duration::ZERO, &Accept::default()),
        Err(SendError::NotConnected)
    );
    assert!(
        server
            .receive(Duration::ZERO, &mut input)
            .unwrap()
            .is_some()
    );
    assert!(input.is_empty());
}

/// An error is given again by every call that can give one, and ends the
/// connection with one ERROR frame.
#[test]
fn errors_are_sticky() {
    let mut server = ServerConnection::new(Duration::ZERO, config());
    let mut input = &b"SEND\n\n\0CONNECT\n\n\0"[..];
    let error = UnexpectedCommand(Command::Send);
    for _ in 0..2 {
        assert_eq!(server.receive(Duration::ZERO, &mut input), Err(error));
        assert_eq!(server.handle_timeout(Duration::from_secs(99)), Err(error));
        assert_eq!(server.receive_eof(Duration::ZERO), Err(error));
    }
    assert!(server.is_closed());
    assert_eq!(server.poll_timeout(), None);
    assert_eq!(
        transmit(&mut server),
        "ERROR\nmessage:unexpected SEND\n\n^@"
    );
    assert_eq!(server.error(None, "x", b""), Err(SendError::Closed));
}

#[test]
fn the_end_of_the_stream() {
    let (mut server, _) = connect(config(), "CONNECT\n\n\0");
    assert_eq!(
        server.receive_eof(Duration::ZERO),
        Err(ConnectionError::UnexpectedEof)
    );
    assert!(server.is_closed());

    let (mut server, _) = connect(config(), "CONNECT\n\n\0");
    let mut input = &b"DISCONNECT\nreceipt:r\n\n\0"[..];
    server.receive(Duration::ZERO, &mut input).unwrap().unwrap();
    assert_eq!(server.receive_eof(Duration::ZERO), Ok(()));
    assert!(!server.is_closed());
    // A receipt for an earlier frame may still come first.
    server.receipt("earlier").unwrap();
    assert!(!server.is_closed());
    server.receipt("r").unwrap();
    assert!(server.is_closed());
    assert_eq!(server.receipt("r"), Err(SendError::Closed));
    assert_eq!(
        transmit(&mut server),
        "RECEIPT\nreceipt-id:earlier\n\n^@RECEIPT\nreceipt-id:r\n\n^@"
    );
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// "Heart-beating": the agreed interval is the greater number; any data counts;
/// the receiver has a margin.
#[test]
fn heart_beats() {
    let mut config = ServerConfig::default();
    config.heart_beat = HeartBeat {
        send: ms(400),
        receive: ms(100),
    };
    config.tolerance = Tolerance {
        percent: 100,
        at_least: ms(0),
    };
    let (mut server, sent) = connect(
        config,
        "CONNECT\naccept-version:1.2\nhost:h\nheart-beat:200,100\n\n\0",
    );
    assert!(sent.contains("\nheart-beat:400,100\n"));
    // Sends within 400 ms, expects within 200 ms with a margin of 200 ms.
    assert_eq!(server.poll_timeout(), Some(ms(300)));
    assert_eq!(server.handle_timeout(ms(299)), Ok(()));
    assert_eq!(transmit(&mut server), "");
    assert_eq!(server.handle_timeout(ms(300)), Ok(()));
    assert_eq!(transmit(&mut server), "\n");
    assert_eq!(server.poll_timeout(), Some(ms(400)));

    // An EOL is taken, makes no event, and is a sign of life.
    let mut input = &b"\n"[..];
    assert_eq!(server.receive(ms(350), &mut input), Ok(None));
    assert!(input.is_empty());
    assert_eq!(server.poll_timeout(), Some(ms(600)));
    // Part of a frame too; the same bytes presented again are not.
    let mut input = &b"SEND\ndesti"[..];
    assert_eq!(server.receive(ms(380), &mut input), Ok(None));
    assert_eq!(server.receive(ms(500), &mut input), Ok(None));
    server.handle_timeout(ms(700)).unwrap();
    assert_eq!(server.poll_timeout(), Some(ms(780)));
    // What waits to be sent needs no EOL.
    assert_eq!(server.transmit_len(), 1);
    server.handle_timeout(ms(779)).unwrap();
    assert_eq!(server.transmit_len(), 1);
    assert_eq!(
        server.handle_timeout(ms(780)),
        Err(ConnectionError::HeartBeatTimeout)
    );
    assert!(server.is_closed());
    assert_eq!(
        transmit(&mut server),
        "\nERROR\nmessage:no heart-beat\n\n^@"
    );
}

#[test]
fn no_heart_beats_where_none_are_agreed_on() {
    for heart_beat in ["", "heart-beat:0,0\n"] {
        let opening = format!("CONNECT\naccept-version:1.2\nhost:h\n{heart_beat}\n\0");
        let (server, _) = connect(ServerConfig::default(), &opening);
        assert_eq!(server.poll_timeout(), None);
    }
    let (server, _) = connect(ServerConfig::default(), "CONNECT\nheart-beat:10,10\n\n\0");
    assert_eq!(server.poll_timeout(), None, "1.0 knows none");
}

#[test]
fn connect_has_to_come_in_time() {
    let mut server = ServerConnection::new(ms(5), ServerConfig::default());
    assert_eq!(server.poll_timeout(), Some(ms(10_005)));
    assert_eq!(server.handle_timeout(ms(10_004)), Ok(()));
    assert_eq!(
        server.handle_timeout(ms(10_005)),
        Err(ConnectionError::ConnectTimeout)
    );
    assert_eq!(
        transmit(&mut server),
        "ERROR\nmessage:no session in time\n\n^@"
    );
}

/// A writer with little room takes what fits, and the rest later.
#[test]
fn transmit_into_little_room() {
    let (mut server, _) = connect(config(), "CONNECT\n\n\0");
    server.receipt("abc").unwrap();
    let mut sent = Vec::new();
    let mut room = [0; 7];
    loop {
        let count = server.poll_transmit(&mut &mut room[..]);
        sent.extend_from_slice(&room[..count]);
        if count == 0 {
            break;
        }
    }
    assert_eq!(sent, b"RECEIPT\nreceipt-id:abc\n\n\0");
}
