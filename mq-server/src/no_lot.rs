//! Where one object cannot watch many sockets for tokio, none is parked.

use std::io;
use std::net;
use std::time::Duration;

use mq_core::ConnectionId;

use crate::places::Place;

/// There is none.
#[derive(Debug)]
pub(crate) enum Parked {}

pub(crate) struct Lot;

impl Lot {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn park(
        &mut self,
        _connection: ConnectionId,
        socket: net::TcpStream,
        place: Place,
        _now: Duration,
    ) -> Result<Parked, (net::TcpStream, Place)> {
        Err((socket, place))
    }

    pub(crate) fn leave(
        &self,
        parked: Parked,
        _now: Duration,
    ) -> io::Result<(tokio::net::TcpStream, Place, Duration)> {
        match parked {}
    }

    pub(crate) async fn hear(&mut self, _woken: &mut Vec<ConnectionId>) {
        std::future::pending().await
    }
}
