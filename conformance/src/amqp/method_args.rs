//! Bits and arguments of the methods that clients send.

use super::bytes::{Args, Fields, args, fields};
use crate::case::Context;

/// Bits of queue.declare and exchange.declare.
pub(super) const PASSIVE: u8 = 1;
pub(super) const DURABLE: u8 = 2;
/// queue.declare only.
pub(super) const EXCLUSIVE: u8 = 4;
/// queue.declare only.
pub(super) const AUTO_DELETE: u8 = 8;
/// exchange.declare only; restored by erratum 25.
pub(super) const EXCHANGE_AUTO_DELETE: u8 = 4;
/// exchange.declare only; restored by erratum 26.
pub(super) const INTERNAL: u8 = 8;
/// queue.declare and exchange.declare.
pub(super) const NO_WAIT: u8 = 16;

/// Bits of basic.consume.
pub(super) const NO_LOCAL: u8 = 1;
pub(super) const NO_ACK: u8 = 2;
pub(super) const EXCLUSIVE_CONSUMER: u8 = 4;

/// connection.start-ok with PLAIN and the target's credentials.
pub(super) fn start_ok(ctx: &Context<'_>, properties: &Fields) -> Args {
    let password = ctx.target.password.as_deref().unwrap_or_default();
    start_ok_with(ctx, properties, "PLAIN", password)
}

/// connection.start-ok with a mechanism and a password.
pub(super) fn start_ok_with(
    ctx: &Context<'_>,
    properties: &Fields,
    mechanism: &str,
    password: &str,
) -> Args {
    let user = ctx.target.user.as_deref().unwrap_or_default();
    args()
        .table(properties)
        .shortstr(mechanism)
        .longstr(format!("\0{user}\0{password}"))
        .shortstr("en_US")
}

pub(super) fn open_args(virtual_host: &str) -> Args {
    args().shortstr(virtual_host).shortstr("").octet(0)
}

pub(super) fn close_args() -> Args {
    args().short(200).shortstr("bye").short(0).short(0)
}

pub(super) fn declare_args(queue: &str, bits: u8, arguments: &Fields) -> Args {
    args().short(0).shortstr(queue).octet(bits).table(arguments)
}

pub(super) fn bind_args(queue: &str, exchange: &str, key: &str, arguments: &Fields) -> Args {
    args()
        .short(0)
        .shortstr(queue)
        .shortstr(exchange)
        .shortstr(key)
        .octet(0)
        .table(arguments)
}

/// queue.unbind has no no-wait bit: erratum 24.
pub(super) fn unbind_args(queue: &str, exchange: &str, key: &str) -> Args {
    args()
        .short(0)
        .shortstr(queue)
        .shortstr(exchange)
        .shortstr(key)
        .table(&fields())
}

pub(super) fn exchange_args(name: &str, kind: &str, bits: u8, arguments: &Fields) -> Args {
    args()
        .short(0)
        .shortstr(name)
        .shortstr(kind)
        .octet(bits)
        .table(arguments)
}

/// Bits: if-unused 1, no-wait 2.
pub(super) fn exchange_delete_args(exchange: &str, bits: u8) -> Args {
    args().short(0).shortstr(exchange).octet(bits)
}

/// Bits: if-unused 1, if-empty 2, no-wait 4.
pub(super) fn queue_delete_args(queue: &str, bits: u8) -> Args {
    args().short(0).shortstr(queue).octet(bits)
}

/// Bits: mandatory 1, immediate 2.
pub(super) fn publish_args(exchange: &str, key: &str, bits: u8) -> Args {
    args().short(0).shortstr(exchange).shortstr(key).octet(bits)
}

pub(super) fn consume_args(queue: &str, tag: &str, bits: u8, arguments: &Fields) -> Args {
    args()
        .short(0)
        .shortstr(queue)
        .shortstr(tag)
        .octet(bits)
        .table(arguments)
}
