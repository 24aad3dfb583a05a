//! AMQP: what the broker makes of what the client sends.

use super::amqp::{after, amqp_up, change_string};
use super::lose;
use crate::frame::method;
use crate::mutation::Row;
use crate::proxy::Protocol::Amqp;
use crate::proxy::Rewrite;

pub(super) const ROWS: &[Row] = &[
    (
        "no queue is exclusive",
        Amqp,
        &["amqp/queue.declare/exclusive*"],
        || {
            amqp_up((50, 10), |frame| {
                let at = after(frame, 13);
                frame[at] &= !4;
            })
        },
    ),
    (
        "no queue goes with its consumers",
        Amqp,
        &["amqp/queue.declare/auto-delete"],
        || {
            amqp_up((50, 10), |frame| {
                let at = after(frame, 13);
                frame[at] &= !8;
            })
        },
    ),
    (
        "no consumer is exclusive",
        Amqp,
        &["amqp/basic.consume/exclusive"],
        || {
            amqp_up((60, 20), |frame| {
                let at = after(frame, 13);
                let at = after(frame, at);
                frame[at] &= !4;
            })
        },
    ),
    (
        "no-ack is ignored",
        Amqp,
        &[
            "amqp/basic.ack/no-ack",
            "amqp/basic.ack/no-ack-tag",
            "amqp/basic.qos/no-ack-is-not-limited",
        ],
        || {
            amqp_up((60, 20), |frame| {
                let at = after(frame, 13);
                let at = after(frame, at);
                frame[at] &= !2;
            })
        },
    ),
    (
        "the prefetch count is ignored",
        Amqp,
        &["amqp/basic.qos/prefetch-count"],
        || amqp_up((60, 10), |frame| frame[15..17].fill(0)),
    ),
    (
        "an ack of multiple is one of one",
        Amqp,
        &["amqp/basic.ack/multiple"],
        || amqp_up((60, 80), |frame| frame[19] = 0),
    ),
    (
        "acknowledgements of the client are lost",
        Amqp,
        &["amqp/basic.ack/explicit"],
        || amqp_up((60, 80), lose),
    ),
    (
        "a reject always requeues",
        Amqp,
        &["amqp/basic.reject/discard"],
        || amqp_up((60, 90), |frame| frame[19] = 1),
    ),
    (
        "a reject never requeues",
        Amqp,
        &[
            "amqp/basic.reject/requeue",
            "amqp/basic.reject/requeue-redelivered",
            "amqp/basic.reject/order",
        ],
        || amqp_up((60, 90), |frame| frame[19] = 0),
    ),
    (
        "mandatory is ignored",
        Amqp,
        &["amqp/basic.publish/mandatory"],
        || {
            amqp_up((60, 40), |frame| {
                let at = after(frame, 13);
                let at = after(frame, at);
                frame[at] = 0;
            })
        },
    ),
    (
        "if-unused is ignored for queues",
        Amqp,
        &["amqp/queue.delete/in-use"],
        || {
            amqp_up((50, 40), |frame| {
                let at = after(frame, 13);
                frame[at] &= !1;
            })
        },
    ),
    (
        "if-empty is ignored",
        Amqp,
        &["amqp/queue.delete/not-empty"],
        || {
            amqp_up((50, 40), |frame| {
                let at = after(frame, 13);
                frame[at] &= !2;
            })
        },
    ),
    (
        "if-unused is ignored for exchanges",
        Amqp,
        &["amqp/exchange.delete/in-use"],
        || {
            amqp_up((40, 20), |frame| {
                let at = after(frame, 13);
                frame[at] &= !1;
            })
        },
    ),
    (
        "passive is ignored",
        Amqp,
        &["amqp/queue.declare/passive-not-found"],
        || {
            amqp_up((50, 10), |frame| {
                let at = after(frame, 13);
                frame[at] &= !1;
            })
        },
    ),
    (
        "passive is ignored for exchanges",
        Amqp,
        &["amqp/exchange.declare/passive-not-found"],
        || {
            amqp_up((40, 10), |frame| {
                let at = after(frame, 13);
                let at = after(frame, at);
                frame[at] &= !1;
            })
        },
    ),
    (
        "a rollback is lost",
        Amqp,
        &["amqp/tx.rollback/*", "!*/not-selected"],
        || {
            Box::new(
                Rewrite::new(Amqp.framing(), |mut frame| {
                    if method(&frame) == Some((90, 21)) {
                        frame[10] = 31;
                    }
                    frame
                })
                .up(|mut frame| {
                    if method(&frame) == Some((90, 30)) {
                        frame[10] = 20;
                    }
                    frame
                }),
            )
        },
    ),
    (
        "routing keys are changed on the way",
        Amqp,
        &[
            "amqp/exchange/direct",
            "amqp/exchange/default-exchange",
            "amqp/exchange/topic-star",
            "amqp/exchange/topic-hash",
        ],
        || {
            amqp_up((60, 40), |frame| {
                let at = after(frame, 13);
                change_string(frame, at);
            })
        },
    ),
];
