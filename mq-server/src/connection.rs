//! The task of one connection: it reads and it writes.
//!
//! It is a future that is written by hand, for its weight: most connections are idle most of
//! the time, and hold no buffer and no timer then. One that is idle for longer gives up its
//! task ([`crate::lot`]).

use std::collections::VecDeque;
use std::fmt::Display;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mq_core::ConnectionId;
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::sync::mpsc::{OwnedPermit, Sender};
use tokio::time::{Sleep, sleep};

use crate::broker_task::Command;
use crate::link::{End, Link, Orders, Reading};
use crate::live::Values;
use crate::places::Place;
use crate::transport::{Carrier, SMALL};

/// Read sizes adapt between [`SMALL`] and this: an idle connection holds no buffer, a busy
/// one needs few calls.
pub(crate) const LARGEST_READ: usize = 64 * 1024;

/// A socket is taken for empty when it had nothing for so long. That this timer
/// fires shows that the runtime has looked at the socket meanwhile.
const EMPTY_AFTER: Duration = Duration::from_millis(1);

/// What is read of a socket at most when it is to be emptied.
const LARGEST_DRAIN: usize = 8 << 20;

/// How long a peer has to close its socket where it is to do so first.
const CLOSES_FIRST: Duration = Duration::from_millis(100);

/// Transmitted bytes are reported at the latest after so many.
const REPORT: usize = 256 * 1024;

/// A connection with a task of its own, which ends when both directions have, or when the
/// connection has nothing to do and its socket is to be parked.
pub(crate) struct Task(Option<Connection>);

impl From<Connection> for Task {
    fn from(connection: Connection) -> Self {
        Self(Some(connection))
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.0 else {
            return Poll::Ready(());
        };
        if connection.poll(context).is_ready() {
            return Poll::Ready(());
        }
        if mem::take(&mut connection.may_park)
            && connection.has_nothing_to_do()
            && let Ok(permit) = connection.inbox.commands.clone().try_reserve_owned()
            && let Some(connection) = self.0.take()
        {
            permit.send(Command::Idle(Box::new(connection)));
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// One connection.
pub(crate) struct Connection {
    id: ConnectionId,
    carrier: Carrier,
    link: Arc<Link>,
    inbox: Inbox,
    values: Arc<Values>,
    input: Input,
    /// How much is read at one time.
    size: usize,
    buffer: BytesMut,
    drain: Option<Box<Drain>>,
    output: Output,
    queue: VecDeque<Bytes>,
    /// Written, and not yet reported to the broker.
    unreported: usize,
    is_flushed: bool,
    /// The broker has offered to park its socket.
    may_park: bool,
    /// The peer takes no bytes, until then.
    stuck: Option<Timer>,
    /// Dropped when there is nothing more to write.
    writing: Option<Writing>,
    /// Dropped when the socket is closed.
    place: Place,
}

type Timer = Pin<Box<Sleep>>;

/// Held by those that have something to write, or may have. They are counted by what is
/// left of its clones.
pub(crate) type Writing = Sender<()>;

/// The direction from the peer.
enum Input {
    /// It reads, as the broker allows.
    Open,
    /// What is in the buffer was read, and is to be handed in.
    Read,
    /// It is to be handed in then.
    Late(Timer),
    /// The socket is empty, as the broker wanted to know.
    Empty,
    /// The peer has ended it, which is to be said.
    Ended,
    /// What still comes is thrown away, until then. Closing a socket with unread bytes in it
    /// resets the connection, and a reset can take from the peer the goodbye that it has not
    /// read yet.
    Discards(Timer),
    Over,
}

/// What is read before the broker hears that the socket is empty.
struct Drain {
    left: usize,
    /// It is empty then, unless something comes.
    empty: Option<Timer>,
}

/// The direction to the peer.
enum Output {
    Open,
    /// The peer takes nothing more, which is to be said.
    Failed,
    /// Everything is written. The peer is to close its side first, if it does so in time.
    Parting(Timer),
    Closing,
    Over,
}

/// The broker is gone.
struct Closed;

/// The way to the broker.
struct Inbox {
    commands: Sender<Command>,
    /// While it is full.
    room: Option<Room>,
}

type Room = Pin<Box<dyn Future<Output = Result<OwnedPermit<Command>, SendError<()>>> + Send>>;

impl Inbox {
    /// Sends a command when there is room for it. Only then is it made.
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        command: impl FnOnce() -> Command,
    ) -> Poll<Result<(), Closed>> {
        if self.room.is_none() {
            match self.commands.try_reserve() {
                Ok(permit) => {
                    permit.send(command());
                    return Poll::Ready(Ok(()));
                }
                Err(TrySendError::Closed(())) => return Poll::Ready(Err(Closed)),
                Err(TrySendError::Full(())) => {}
            }
        }
        let room = self
            .room
            .get_or_insert_with(|| Box::pin(self.commands.clone().reserve_owned()));
        let permit = ready!(room.as_mut().poll(context));
        self.room = None;
        permit.map_err(|SendError(())| Closed)?.send(command());
        Poll::Ready(Ok(()))
    }
}

impl Connection {
    pub(crate) fn new(
        id: ConnectionId,
        carrier: Carrier,
        link: Arc<Link>,
        commands: Sender<Command>,
        values: Arc<Values>,
        writing: Writing,
        place: Place,
    ) -> Self {
        Self {
            id,
            carrier,
            link,
            inbox: Inbox {
                commands,
                room: None,
            },
            values,
            input: Input::Open,
            size: SMALL,
            buffer: BytesMut::new(),
            drain: None,
            output: Output::Open,
            queue: VecDeque::new(),
            unreported: 0,
            is_flushed: true,
            may_park: false,
            stuck: None,
            writing: Some(writing),
            place,
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    /// What is left of a connection that has nothing to do: its socket and its place. Returns
    /// the connection where it has to go on, since the broker wants something of it.
    pub(crate) fn into_idle(self) -> Result<(TcpStream, Place), Box<Self>> {
        match self.carrier {
            Carrier::Tcp(socket) if self.link.is_quiet() => Ok((socket, self.place)),
            carrier => Err(Box::new(Self { carrier, ..self })),
        }
    }

    /// Whether it waits for nothing but what the peer sends next, or the broker.
    fn has_nothing_to_do(&self) -> bool {
        self.carrier.is_bare()
            && matches!(self.input, Input::Open)
            && matches!(self.output, Output::Open)
            && self.drain.is_none()
            && self.queue.is_empty()
            && self.is_flushed
            && self.unreported == 0
            && self.inbox.room.is_none()
            && self.link.has_room()
    }

    /// Reads until the peer has closed its side or the connection is over. An error: the
    /// broker is gone.
    fn poll_input(
        &mut self,
        context: &mut Context<'_>,
        reading: Reading,
    ) -> Poll<Result<(), Closed>> {
        let connection = self.id;
        loop {
            if reading == Reading::Over
                && matches!(
                    self.input,
                    Input::Open | Input::Read | Input::Late(_) | Input::Empty
                )
            {
                self.drain = None;
                self.input = Input::Discards(Box::pin(sleep(self.values.linger)));
            }
            match &mut self.input {
                Input::Open => {
                    ready!(self.poll_read(context, reading));
                    let delay = self.link.pace().delay;
                    if matches!(self.input, Input::Read) && !delay.is_zero() {
                        self.input = Input::Late(Box::pin(sleep(delay)));
                    }
                }
                Input::Late(until) => {
                    ready!(until.as_mut().poll(context));
                    self.input = Input::Read;
                }
                Input::Read if self.link.pace().is_stopped => return Poll::Pending,
                Input::Read => {
                    let buffer = &mut self.buffer;
                    let is_small = self.size == SMALL;
                    let received = || {
                        let read = match is_small {
                            true => mem::take(buffer),
                            false => buffer.split(),
                        };
                        let bytes = read.freeze();
                        Command::Received { connection, bytes }
                    };
                    ready!(self.inbox.poll_send(context, received))?;
                    self.input = match self.drain.as_ref().is_some_and(|drain| drain.left == 0) {
                        true => Input::Empty,
                        false => Input::Open,
                    };
                }
                Input::Empty => {
                    let drained = || Command::Drained { connection };
                    ready!(self.inbox.poll_send(context, drained))?;
                    self.drain = None;
                    self.input = Input::Open;
                }
                Input::Ended => {
                    let gone = || Command::Gone { connection };
                    ready!(self.inbox.poll_send(context, gone))?;
                    // The writer still has what the broker said before this.
                    self.input = Input::Over;
                }
                Input::Discards(until) => {
                    let is_late = until.as_mut().poll(context).is_ready();
                    self.buffer.clear();
                    let read = self.carrier.poll_read(context, &mut self.buffer);
                    if is_late || matches!(read, Poll::Ready(Ok(0) | Err(_))) {
                        self.input = Input::Over;
                    } else if read.is_pending() {
                        return Poll::Pending;
                    }
                }
                Input::Over => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Reads once. Ready: the state of the input has changed.
    fn poll_read(&mut self, context: &mut Context<'_>, reading: Reading) -> Poll<()> {
        let may_read = reading == Reading::On || self.drain.is_some();
        if !may_read || !self.link.has_room() {
            return Poll::Pending;
        }
        let Poll::Ready((read, room)) = self.poll_carrier(context) else {
            // An idle connection keeps no room, however busy it has been.
            self.buffer = BytesMut::new();
            if let Some(drain) = &mut self.drain {
                let empty = drain
                    .empty
                    .get_or_insert_with(|| Box::pin(sleep(EMPTY_AFTER)));
                ready!(empty.as_mut().poll(context));
                self.input = Input::Empty;
                return Poll::Ready(());
            }
            return Poll::Pending;
        };
        self.input = match read {
            Ok(0) => Input::Ended,
            Ok(len) => {
                if len == room {
                    self.size = (self.size * 2).min(LARGEST_READ);
                } else if len < self.size / 8 {
                    self.size = (self.size / 2).max(SMALL);
                }
                if let Some(drain) = &mut self.drain {
                    drain.left = drain.left.saturating_sub(len);
                    drain.empty = None;
                }
                self.link.reads();
                Input::Read
            }
            Err(error) => {
                tracing::debug!(id = self.id.0, %error, "cannot read");
                Input::Ended
            }
        };
        Poll::Ready(())
    }

    /// Reads from the carrier. Returns what came of it, and how much could have come.
    fn poll_carrier(&mut self, context: &mut Context<'_>) -> Poll<(io::Result<usize>, usize)> {
        if self.size == SMALL {
            self.buffer = BytesMut::new();
        } else if self.buffer.capacity() < self.size / 4 {
            // What is left of the last buffer is used up first.
            ready!(self.carrier.poll_readable(context));
            self.buffer.reserve(self.size);
        }
        let room = self.buffer.capacity().max(SMALL);
        let read = ready!(self.carrier.poll_read(context, &mut self.buffer));
        Poll::Ready((read, room))
    }

    /// Writes what the broker transmits, until it transmits no more, and closes the sending
    /// side then. An error: the broker is gone.
    fn poll_output(
        &mut self,
        context: &mut Context<'_>,
        end: Option<End>,
    ) -> Poll<Result<(), Closed>> {
        let connection = self.id;
        loop {
            let is_written = self.queue.is_empty() && self.is_flushed;
            match self.output {
                Output::Open
                    if self.unreported >= REPORT || (self.unreported > 0 && is_written) =>
                {
                    let len = self.unreported;
                    let transmitted = || Command::Transmitted { connection, len };
                    ready!(self.inbox.poll_send(context, transmitted))?;
                    self.unreported = 0;
                }
                Output::Open if !is_written => match self.poll_write(context) {
                    // Where nothing more comes, all of it has to be taken in that time.
                    Poll::Ready(Ok(())) if end.is_none() => self.stuck = None,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(id = self.id.0, %error, "cannot write");
                        self.output = Output::Failed;
                    }
                    Poll::Pending => {
                        ready!(self.poll_stuck(context));
                        tracing::info!(
                            id = self.id.0,
                            timeout = ?self.values.write_timeout,
                            "the peer takes no bytes: given up"
                        );
                        self.output = Output::Failed;
                    }
                },
                Output::Open => {
                    self.output = match end {
                        Some(End::AfterPeer) => Output::Parting(Box::pin(sleep(CLOSES_FIRST))),
                        Some(End::Now) => Output::Closing,
                        None => return Poll::Pending,
                    };
                }
                Output::Failed => {
                    self.queue = VecDeque::new();
                    let gone = || Command::Gone { connection };
                    ready!(self.inbox.poll_send(context, gone))?;
                    self.output = Output::Over;
                }
                Output::Parting(_) if matches!(self.input, Input::Ended | Input::Over) => {
                    self.output = Output::Closing;
                }
                Output::Parting(ref mut until) => {
                    ready!(until.as_mut().poll(context));
                    self.output = Output::Closing;
                }
                Output::Closing => {
                    match self.carrier.poll_close(context) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => self.say_unclosed(&error),
                        Poll::Pending => {
                            ready!(self.poll_stuck(context));
                            self.say_unclosed(&"the peer takes no bytes");
                        }
                    }
                    self.output = Output::Over;
                }
                Output::Over => {
                    self.stuck = None;
                    self.writing = None;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Writes some of what there is, or has it leave.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.queue.is_empty() {
            ready!(self.carrier.poll_flush(context))?;
            self.is_flushed = true;
            // An idle connection keeps no room.
            self.queue = VecDeque::new();
        } else {
            self.unreported += ready!(self.carrier.poll_write(context, &mut self.queue))?;
            self.is_flushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the peer has taken nothing for too long.
    fn poll_stuck(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timeout = self.values.write_timeout;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(timeout)));
        stuck.as_mut().poll(context)
    }

    fn say_unclosed(&self, error: &dyn Display) {
        tracing::debug!(id = self.id.0, %error, "cannot end the sending side");
    }

    /// Does what there is to do now.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Orders {
            reading,
            drain,
            may_park,
            end,
        } = self.link.orders(context.waker(), &mut self.queue);
        self.may_park = may_park && reading == Reading::On && end.is_none();
        if drain {
            self.drain = Some(Box::new(Drain {
                left: LARGEST_DRAIN,
                empty: None,
            }));
        }
        let mut output = self.poll_output(context, end);
        let input = self.poll_input(context, reading);
        if input.is_ready() && matches!(self.output, Output::Parting(_)) {
            // The peer has closed its side.
            output = self.poll_output(context, end);
        }
        match (input, output) {
            // Without the broker, nothing is left to do.
            (Poll::Ready(Err(Closed)), _) | (_, Poll::Ready(Err(Closed))) => Poll::Ready(()),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}
