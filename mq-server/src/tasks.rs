//! The tasks of connections: which of them have one, and which are parked.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mq_core::ConnectionId;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::broker_task::Command;
use crate::connection::{Connection, Task, Writing};
use crate::fault::Pace;
use crate::link::Link;
use crate::live::Live;
use crate::lot::{Lot, Parked};
use crate::places::Place;
use crate::rounds::{Patience, Rounds};
use crate::transport::Carrier;

/// How a connection is served.
pub(crate) struct Seat {
    at: At,
    patience: Patience,
    /// It is in the rounds.
    is_watched: bool,
    /// Something has passed since it was looked at.
    is_busy: bool,
}

/// A connection that has a task.
pub(crate) struct Served {
    /// The orders of the task.
    pub(crate) link: Arc<Link>,
    /// It was handed so many bytes to write, and does not know yet.
    pub(crate) unflushed: usize,
}

enum At {
    Task(Served),
    Parked(Parked),
    /// Not at all: its socket could not be had back.
    Lost,
}

impl Seat {
    /// The way to its task, where it has one.
    pub(crate) fn link(&self) -> Option<&Link> {
        match &self.at {
            At::Task(served) => Some(&served.link),
            At::Parked(_) | At::Lost => None,
        }
    }

    pub(crate) fn served(&mut self) -> Option<&mut Served> {
        match &mut self.at {
            At::Task(served) => Some(served),
            At::Parked(_) | At::Lost => None,
        }
    }

    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.at, At::Parked(_))
    }

    /// Something passes.
    pub(crate) fn pass(&mut self) {
        self.is_busy = true;
    }
}

pub(crate) struct Tasks {
    /// Of connections that are closing too.
    pub(crate) running: JoinSet<()>,
    /// Each of them that may have something to write has a clone.
    pub(crate) writing: Writing,
    /// Connections of which nothing is left but that the broker knows them.
    pub(crate) lost: Vec<ConnectionId>,
    lot: Lot,
    rounds: Rounds,
    /// How connections are read, also those to come.
    pub(crate) pace: Pace,
    /// The origin of the broker's time.
    start: Instant,
    live: Live,
    commands: Sender<Command>,
}

impl Tasks {
    pub(crate) fn new(
        start: Instant,
        live: Live,
        commands: Sender<Command>,
        writing: Writing,
    ) -> Self {
        Self {
            running: JoinSet::new(),
            writing,
            lost: Vec::new(),
            lot: Lot::new(),
            rounds: Rounds::default(),
            pace: Pace::default(),
            start,
            live,
            commands,
        }
    }

    /// Serves a connection that has just come.
    pub(crate) fn open(&mut self, id: ConnectionId, carrier: Carrier, place: Place) -> Seat {
        let is_bare = carrier.is_bare();
        let mut seat = Seat {
            at: At::Task(self.begin(id, carrier, place)),
            patience: Patience::default(),
            is_watched: !is_bare,
            is_busy: true,
        };
        self.watch(id, &mut seat);
        seat
    }

    fn begin(&mut self, id: ConnectionId, carrier: Carrier, place: Place) -> Served {
        let link = Arc::new(Link::new(self.pace));
        let connection = Connection::new(
            id,
            carrier,
            Arc::clone(&link),
            self.commands.clone(),
            self.live.get(),
            self.writing.clone(),
            place,
        );
        self.go_on(connection);
        Served { link, unflushed: 0 }
    }

    /// Gives a connection its task back: there is something to do.
    pub(crate) fn go_on(&mut self, connection: Connection) {
        self.running.spawn(Task::from(connection));
    }

    /// Parks a connection that has given up its task, unless it has to go on.
    pub(crate) fn park(&mut self, connection: Connection, seat: &mut Seat) {
        let id = connection.id();
        let (socket, place) = match connection.into_idle() {
            Ok(idle) => idle,
            Err(connection) => return self.go_on(*connection),
        };
        let now = self.start.elapsed();
        let parked =
            socket
                .into_std()
                .and_then(|socket| match self.lot.park(id, socket, place, now) {
                    Ok(parked) => Ok(At::Parked(parked)),
                    Err((socket, place)) => {
                        let carrier = Carrier::Tcp(TcpStream::from_std(socket)?);
                        Ok(At::Task(self.begin(id, carrier, place)))
                    }
                });
        seat.at = self.found(id, parked);
    }

    /// A connection with its task. One that is parked has a task again.
    pub(crate) fn serve<'a>(
        &mut self,
        id: ConnectionId,
        seat: &'a mut Seat,
    ) -> Option<&'a mut Served> {
        if seat.is_parked()
            && let At::Parked(parked) = mem::replace(&mut seat.at, At::Lost)
        {
            let left = self.lot.leave(parked, self.start.elapsed());
            let begun = left.map(|(socket, place, parked)| {
                seat.patience = seat.patience.after(parked);
                At::Task(self.begin(id, Carrier::Tcp(socket), place))
            });
            seat.at = self.found(id, begun);
            seat.is_busy = true;
            self.watch(id, seat);
        }
        seat.served()
    }

    /// Where a connection is, if its socket could be had.
    fn found(&mut self, id: ConnectionId, at: std::io::Result<At>) -> At {
        at.unwrap_or_else(|error| {
            tracing::debug!(id = id.0, %error, "its socket is lost");
            self.lost.push(id);
            At::Lost
        })
    }

    /// Has it looked at later whether a connection is idle.
    fn watch(&mut self, id: ConnectionId, seat: &mut Seat) {
        if !mem::replace(&mut seat.is_watched, true) {
            self.rounds.add(self.start.elapsed(), seat.patience, id);
        }
    }

    /// The next connection of which it is time to look whether it is idle.
    pub(crate) fn next_look(&mut self, now: Duration) -> Option<ConnectionId> {
        self.rounds.pop(now)
    }

    /// When that time comes for the first of them, in the broker's time.
    pub(crate) fn next_look_at(&self) -> Option<Duration> {
        self.rounds.next()
    }

    /// Looks whether a connection is idle, and offers to park it then.
    pub(crate) fn look(&mut self, id: ConnectionId, seat: &mut Seat) {
        seat.is_watched = false;
        if let Some(link) = seat.link() {
            if !seat.is_busy {
                link.offer_parking();
            }
            seat.is_busy = false;
            self.watch(id, seat);
        }
    }

    /// Waits until something comes from connections that are parked: these.
    pub(crate) async fn hear(&mut self, woken: &mut Vec<ConnectionId>) {
        self.lot.hear(woken).await;
    }
}
