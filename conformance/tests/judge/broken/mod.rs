//! The rules that are broken, one in each row.

mod amqp;
mod amqp_client;
mod announced;
mod authentication;
mod delivery;
mod mqtt;
mod mqtt5;
mod mqtt_client;
mod stomp;
mod web_socket;

use crate::mutation::Row;
use crate::proxy::{Between, Protocol, Rewrite};

pub(crate) const ROWS: &[&[Row]] = &[
    mqtt::ROWS,
    mqtt5::ROWS,
    mqtt_client::ROWS,
    amqp::ROWS,
    amqp_client::ROWS,
    stomp::ROWS,
    stomp::CLIENT_ROWS,
    announced::ROWS,
    authentication::ROWS,
    delivery::ROWS,
    web_socket::ROWS,
];

/// Every frame of the broker's that `of` names is changed.
fn down(
    protocol: Protocol,
    of: impl Fn(&[u8]) -> bool + Send + 'static,
    change: impl Fn(&mut Vec<u8>) + Send + 'static,
) -> Box<dyn Between> {
    Box::new(Rewrite::new(protocol.framing(), move |mut frame| {
        if of(&frame) {
            change(&mut frame);
        }
        frame
    }))
}

/// Every frame of the client's that `of` names is changed.
fn up(
    protocol: Protocol,
    of: impl Fn(&[u8]) -> bool + Send + 'static,
    change: impl Fn(&mut Vec<u8>) + Send + 'static,
) -> Box<dyn Between> {
    Box::new(
        Rewrite::new(protocol.framing(), |frame| frame).up(move |mut frame| {
            if of(&frame) {
                change(&mut frame);
            }
            frame
        }),
    )
}

/// The connection stays when the broker closes it, and these frames are lost.
fn stays(protocol: Protocol, lost: fn(&[u8]) -> bool) -> Box<dyn Between> {
    Box::new(
        Rewrite::new(protocol.framing(), move |frame| {
            if lost(&frame) { Vec::new() } else { frame }
        })
        .staying(),
    )
}

fn lose(frame: &mut Vec<u8>) {
    frame.clear();
}

fn twice(frame: &mut Vec<u8>) {
    *frame = frame.repeat(2);
}
