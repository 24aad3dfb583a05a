//! AMQP: what the broker sends.

use super::{down, lose, stays, twice, up};
use crate::frame::method;
use crate::mutation::Row;
use crate::proxy::Between;
use crate::proxy::Protocol::Amqp;

// AMQP: a method by its class and number.
pub(super) fn amqp(of: (u8, u8), change: fn(&mut Vec<u8>)) -> Box<dyn Between> {
    down(Amqp, move |frame| method(frame) == Some(of), change)
}

pub(super) fn amqp_up(of: (u8, u8), change: fn(&mut Vec<u8>)) -> Box<dyn Between> {
    up(Amqp, move |frame| method(frame) == Some(of), change)
}

pub(super) fn closes(frame: &[u8]) -> bool {
    matches!(method(frame), Some((10, 50) | (20, 40)))
}

/// Where the short string at this place ends.
pub(super) fn after(frame: &[u8], at: usize) -> usize {
    at + 1 + usize::from(frame[at])
}

/// Changes the last byte of the short string at this place, if it has one.
pub(super) fn change_string(frame: &mut [u8], at: usize) {
    if frame[at] > 0 {
        let last = after(frame, at) - 1;
        frame[last] ^= 1;
    }
}

pub(super) const ROWS: &[Row] = &[
    (
        "another reply code",
        Amqp,
        &[
            "~exception 4",
            "~exception 5",
            "~: 4",
            "~with 403",
            "~with 503",
            "!*/nested-deeply",
            "!*/exchange.delete/not-found",
            "!*/queue.delete/not-found",
            "!*/heartbeat/on-channel-1",
        ],
        || {
            down(Amqp, closes, |frame| {
                frame[11..13].copy_from_slice(&[2, 0x57]);
            })
        },
    ),
    (
        "no exception",
        Amqp,
        &[
            "~exception",
            "!~leaves the other",
            "!~can be opened again",
            "!*/not-found",
            "amqp/queue.bind/*-not-found",
            "amqp/basic.publish/*-not-found",
            "!*/heartbeat/on-channel-1",
        ],
        || stays(Amqp, closes),
    ),
    (
        "no end",
        Amqp,
        &[
            "~closes the connection",
            "~then closed",
            "~gets the client disconnected",
            "!*/content/truncated*",
        ],
        || stays(Amqp, closes),
    ),
    (
        "another version in connection.start",
        Amqp,
        &["amqp/connection.start/version"],
        || amqp((10, 10), |frame| frame[12] = 10),
    ),
    (
        "no locale en_US",
        Amqp,
        &["amqp/connection.start/locale-en-us"],
        || {
            amqp((10, 10), |frame| {
                let at = frame.len() - 2;
                frame[at] ^= 1;
            })
        },
    ),
    (
        "no product in server-properties",
        Amqp,
        &["amqp/connection.start/server-properties"],
        || {
            amqp((10, 10), |frame| {
                let at = frame
                    .windows(7)
                    .position(|part| part == b"product")
                    .unwrap();
                frame[at] = b'x';
            })
        },
    ),
    (
        "no version in server-properties",
        Amqp,
        &["amqp/connection.start/server-properties"],
        || {
            amqp((10, 10), |frame| {
                let at = frame
                    .windows(7)
                    .position(|part| part == b"version")
                    .unwrap();
                frame[at] = b'x';
            })
        },
    ),
    (
        "a frame-max below the least",
        Amqp,
        &["amqp/connection.tune/limits"],
        || {
            amqp((10, 30), |frame| {
                frame[13..17].copy_from_slice(&[0, 0, 4, 0]);
            })
        },
    ),
    (
        "another method than close-ok",
        Amqp,
        &[
            "amqp/connection.close/handshake",
            "amqp/connection.close/crossing",
        ],
        || amqp((10, 51), |frame| frame[10] = 52),
    ),
    (
        "a word after close-ok",
        Amqp,
        &["amqp/connection.close/handshake"],
        || amqp((10, 51), twice),
    ),
    (
        "channel.open-ok of another channel",
        Amqp,
        &["amqp/channel.open/open-ok"],
        || amqp((20, 11), |frame| frame[2] += 1),
    ),
    (
        "channel.open-ok with a word",
        Amqp,
        &["amqp/channel.open/open-ok"],
        || {
            amqp((20, 11), |frame| {
                frame[6] += 1;
                frame[14] = 1;
                frame.insert(15, b'x');
            })
        },
    ),
    (
        "no channel.close-ok",
        Amqp,
        &["amqp/channel.close/reopen", "amqp/channel.close/crossing"],
        || amqp((20, 41), lose),
    ),
    (
        "flow-ok that is not active",
        Amqp,
        &["amqp/channel.flow/active"],
        || amqp((20, 21), |frame| frame[11] ^= 1),
    ),
    (
        "no exchange.declare-ok",
        Amqp,
        &["amqp/exchange.declare/minimum"],
        || amqp((40, 11), lose),
    ),
    (
        "no exchange.delete-ok",
        Amqp,
        &["amqp/exchange.delete/gone"],
        || amqp((40, 21), lose),
    ),
    (
        "declare-ok of another queue",
        Amqp,
        &[
            "amqp/queue.declare/equivalent",
            "amqp/queue.declare/passive",
        ],
        || amqp((50, 11), |frame| change_string(frame, 11)),
    ),
    (
        "one name for every queue without one",
        Amqp,
        &["amqp/queue.declare/default-name"],
        || {
            amqp((50, 11), |frame| {
                let end = after(frame, 11);
                frame[12..end].fill(b'x');
            })
        },
    ),
    (
        "a message more in declare-ok",
        Amqp,
        &["amqp/queue.declare/counts"],
        || {
            amqp((50, 11), |frame| {
                let at = after(frame, 11) + 3;
                frame[at] += 1;
            })
        },
    ),
    (
        "a consumer more in declare-ok",
        Amqp,
        &["amqp/queue.declare/counts"],
        || {
            amqp((50, 11), |frame| {
                let at = after(frame, 11) + 7;
                frame[at] += 1;
            })
        },
    ),
    (
        "another count in purge-ok",
        Amqp,
        &[
            "amqp/queue.purge/empties",
            "amqp/queue.purge/unacknowledged",
        ],
        || amqp((50, 31), |frame| frame[14] += 1),
    ),
    (
        "another count in delete-ok",
        Amqp,
        &["amqp/queue.delete/counts"],
        || amqp((50, 41), |frame| frame[14] += 1),
    ),
    (
        "no queue.bind-ok",
        Amqp,
        &["amqp/queue.bind/duplicates", "amqp/queue.bind/unique"],
        || amqp((50, 21), lose),
    ),
    (
        "no queue.unbind-ok",
        Amqp,
        &["amqp/queue.unbind/gone"],
        || amqp((50, 51), lose),
    ),
    (
        "another tag in consume-ok",
        Amqp,
        &["amqp/basic.consume/tag-in-use"],
        || amqp((60, 21), |frame| change_string(frame, 11)),
    ),
    (
        "one tag for every consumer",
        Amqp,
        &["amqp/basic.consume/generated-tag"],
        || {
            amqp((60, 21), |frame| {
                let end = after(frame, 11);
                frame[12..end].fill(b'x');
            })
        },
    ),
    (
        "another tag in cancel-ok",
        Amqp,
        &["amqp/basic.cancel/stops"],
        || amqp((60, 31), |frame| change_string(frame, 11)),
    ),
    (
        "no cancel-ok",
        Amqp,
        &[
            "amqp/basic.cancel/stops",
            "amqp/basic.cancel/unacknowledged",
            "amqp/basic.cancel/queue-gone",
            "amqp/basic.cancel/unknown-tag",
        ],
        || amqp((60, 31), lose),
    ),
    (
        "no qos-ok",
        Amqp,
        &["amqp/basic.qos/prefetch-count", "amqp/frame/pipelined"],
        || amqp((60, 11), lose),
    ),
    (
        "another consumer tag in deliver",
        Amqp,
        &["amqp/basic.deliver/fields"],
        || amqp((60, 60), |frame| change_string(frame, 11)),
    ),
    (
        "another exchange in deliver",
        Amqp,
        &["amqp/basic.deliver/fields"],
        || {
            amqp((60, 60), |frame| {
                let at = after(frame, 11) + 9;
                change_string(frame, at);
            })
        },
    ),
    (
        "another routing key in deliver",
        Amqp,
        &["amqp/basic.deliver/fields"],
        || {
            amqp((60, 60), |frame| {
                let at = after(frame, 11) + 9;
                let at = after(frame, at);
                change_string(frame, at);
            })
        },
    ),
    (
        "delivery tag 0",
        Amqp,
        &["amqp/basic.deliver/fields"],
        || {
            amqp((60, 60), |frame| {
                let at = after(frame, 11);
                frame[at..at + 8].fill(0);
            })
        },
    ),
    (
        "one delivery tag for all",
        Amqp,
        &["amqp/basic.deliver/fields"],
        || {
            amqp((60, 60), |frame| {
                let at = after(frame, 11);
                frame[at + 7] = 9;
            })
        },
    ),
    (
        "redelivered on a first delivery",
        Amqp,
        &["amqp/basic.deliver/fields"],
        || {
            amqp((60, 60), |frame| {
                let at = after(frame, 11) + 8;
                frame[at] = 1;
            })
        },
    ),
    (
        "redelivered on no delivery",
        Amqp,
        &[
            "amqp/basic.recover/requeue",
            "amqp/basic.recover-async/requeue",
            "amqp/basic/redelivered-at-connection-loss",
        ],
        || {
            amqp((60, 60), |frame| {
                let at = after(frame, 11) + 8;
                frame[at] = 0;
            })
        },
    ),
    (
        "redelivered on no get-ok",
        Amqp,
        &["amqp/basic.reject/requeue-redelivered"],
        || amqp((60, 71), |frame| frame[19] = 0),
    ),
    (
        "redelivered on a first get",
        Amqp,
        &["amqp/basic.get/message-count"],
        || amqp((60, 71), |frame| frame[19] = 1),
    ),
    (
        "another count in get-ok",
        Amqp,
        &["amqp/basic.get/message-count"],
        || {
            amqp((60, 71), |frame| {
                let at = frame.len() - 2;
                frame[at] += 1;
            })
        },
    ),
    (
        "get-empty for a queue with a message",
        Amqp,
        &["amqp/basic.cancel/stops"],
        || {
            down(
                Amqp,
                |frame| matches!(frame[0], 2 | 3) || method(frame) == Some((60, 71)),
                |frame| {
                    if frame[0] == 1 {
                        *frame = [&[1], &frame[1..3], b"\0\0\0\x05\0\x3C\0\x48\0\xCE"].concat();
                    } else {
                        frame.clear();
                    }
                },
            )
        },
    ),
    (
        "another code in basic.return",
        Amqp,
        &["amqp/basic.publish/mandatory"],
        || amqp((60, 50), |frame| frame[12] ^= 1),
    ),
    (
        "no basic.return",
        Amqp,
        &["amqp/basic.publish/mandatory"],
        || amqp((60, 50), lose),
    ),
    (
        "no deliveries",
        Amqp,
        &[
            "amqp/basic.deliver/*",
            "amqp/basic.consume/no-wait",
            "amqp/basic.qos/*",
            "!*/prefetch-size",
        ],
        || {
            down(
                Amqp,
                |frame| matches!(frame[0], 2 | 3) || method(frame) == Some((60, 60)),
                lose,
            )
        },
    ),
    (
        "every body is another",
        Amqp,
        &[
            "amqp/content/megabyte",
            "amqp/content/empty-frames",
            "amqp/basic.deliver/order",
            "amqp/content/channels-interleaved",
            "!amqp/content/empty-frames",
        ],
        || down(Amqp, |frame| frame[0] == 3, |frame| frame[7] ^= 1),
    ),
    (
        "a body that is shorter than its header says",
        Amqp,
        &["amqp/content/megabyte"],
        || down(Amqp, |frame| frame[0] == 2, |frame| frame[18] ^= 1),
    ),
    (
        "content of another class",
        Amqp,
        &["amqp/basic.deliver/fields", "amqp/content/megabyte"],
        || down(Amqp, |frame| frame[0] == 2, |frame| frame[8] = 61),
    ),
    (
        "a weight in the content header",
        Amqp,
        &["amqp/basic.deliver/fields"],
        || down(Amqp, |frame| frame[0] == 2, |frame| frame[10] = 1),
    ),
    ("no heart-beats", Amqp, &["amqp/heartbeat/sent"], || {
        down(Amqp, |frame| frame[0] == 8, lose)
    }),
    (
        "a frame without its end",
        Amqp,
        &["amqp/channel.open/open-ok"],
        || amqp((20, 11), |frame| *frame.last_mut().unwrap() = 0xCD),
    ),
    (
        "no confirms",
        Amqp,
        &["amqp/confirm.select/*", "!*/in-transaction", "!*/select-ok"],
        || amqp((60, 80), lose),
    ),
    (
        "no select-ok",
        Amqp,
        &["amqp/tx.select/*", "!*/in-confirm-mode"],
        || amqp((90, 11), lose),
    ),
    (
        "no commit-ok",
        Amqp,
        &["amqp/tx.commit/publish*", "amqp/tx.commit/ack*"],
        || amqp((90, 21), lose),
    ),
    (
        "no rollback-ok",
        Amqp,
        &["amqp/tx.rollback/publish*", "amqp/tx.rollback/ack*"],
        || amqp((90, 31), lose),
    ),
    (
        "no recover-ok",
        Amqp,
        &["amqp/basic.recover/requeue"],
        || amqp((60, 111), lose),
    ),
];
