//! The two tasks of one connection: one reads, one writes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mq_core::ConnectionId;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use crate::broker_task::Command;
use crate::places::Place;
use crate::transport::{Reader, SMALL, Writer};

/// Read sizes adapt between [`SMALL`] and this: an idle connection holds no buffer, a busy
/// one needs few calls.
pub(crate) const LARGEST_READ: usize = 64 * 1024;

/// Reads of one connection that wait for the broker at most, so that one that floods
/// leaves the inbox to the others.
const READS_WAITING: usize = 2;

/// A socket is taken for empty when it had nothing for so long. That this timer
/// fires shows that the runtime has looked at the socket meanwhile.
const EMPTY_AFTER: Duration = Duration::from_millis(1);

/// What is read of a socket at most when it is to be emptied.
const LARGEST_DRAIN: usize = 8 << 20;

/// Chunks for which an idle connection keeps room.
const FEW: usize = 4;

/// Transmitted bytes are reported at the latest after so many.
const REPORT: usize = 256 * 1024;

/// Whether the broker wants to hear from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reading {
    On,
    Paused,
    /// What still comes is thrown away.
    Over,
}

/// The broker task's hand on a reader.
#[derive(Debug)]
pub(crate) struct Gate {
    reading: AtomicU8,
    drain: AtomicBool,
    changed: Notify,
    /// What may be read ahead of the broker.
    room: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            reading: AtomicU8::new(Reading::On as u8),
            drain: AtomicBool::new(false),
            changed: Notify::new(),
            room: Arc::new(Semaphore::new(READS_WAITING)),
        }
    }

    pub(crate) fn set(&self, reading: Reading) {
        self.reading.store(reading as u8, Ordering::Release);
        // There is one reader, and a permit that it does not wait for yet is
        // kept for it.
        self.changed.notify_one();
    }

    /// Has the reader hand in what has arrived, paused or not, and say so.
    pub(crate) fn drain(&self) {
        self.drain.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    fn takes_drain(&self) -> bool {
        self.drain.swap(false, Ordering::AcqRel)
    }

    fn get(&self) -> Reading {
        const ON: u8 = Reading::On as u8;
        const PAUSED: u8 = Reading::Paused as u8;
        match self.reading.load(Ordering::Acquire) {
            ON => Reading::On,
            PAUSED => Reading::Paused,
            _ => Reading::Over,
        }
    }
}

/// Reads until the peer has closed its side or the connection is over.
pub(crate) async fn read(
    connection: ConnectionId,
    mut socket: Reader,
    gate: Arc<Gate>,
    commands: mpsc::Sender<Command>,
    linger: Duration,
    _place: Arc<Place>,
) {
    let mut buffer = BytesMut::new();
    let mut size = SMALL;
    // What is read before the broker hears that the socket is empty.
    let mut drain = None;
    loop {
        if gate.takes_drain() {
            drain = Some(LARGEST_DRAIN);
        }
        match (gate.get(), drain) {
            (Reading::Over, _) => break,
            (_, Some(_)) | (Reading::On, None) => {}
            (Reading::Paused, None) => {
                gate.changed.notified().await;
                continue;
            }
        }
        if size == SMALL {
            buffer = BytesMut::new();
        } else if buffer.capacity() < size / 4 {
            // What is left of the last buffer is used up first.
            buffer.reserve(size);
        }
        let room = buffer.capacity().max(SMALL);
        let read = tokio::select! {
            biased;
            read = socket.read(&mut buffer) => read,
            () = sleep(EMPTY_AFTER), if drain.is_some() => {
                drain = None;
                if commands.send(Command::Drained { connection }).await.is_err() {
                    return;
                }
                continue;
            }
            () = gate.changed.notified() => continue,
        };
        match read {
            Ok(0) => {
                let _ = commands.send(Command::Gone { connection }).await;
                // The writer still has what the broker said before this.
                return;
            }
            Ok(len) => {
                if len == room {
                    size = (size * 2).min(LARGEST_READ);
                } else if len < size / 8 {
                    size = (size / 2).max(SMALL);
                }
                let bytes = buffer.split().freeze();
                // It is never closed: there is room again when the broker has taken
                // what waits.
                let Ok(room) = Arc::clone(&gate.room).acquire_owned().await else {
                    return;
                };
                let received = Command::Received {
                    connection,
                    bytes,
                    room,
                };
                if commands.send(received).await.is_err() {
                    return;
                }
                drain = drain.map(|left: usize| left.saturating_sub(len));
                if drain == Some(0) {
                    drain = None;
                    if commands
                        .send(Command::Drained { connection })
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            }
            Err(error) => {
                tracing::debug!(id = connection.0, %error, "cannot read");
                let _ = commands.send(Command::Gone { connection }).await;
                return;
            }
        }
    }
    // Closing a socket with unread bytes in it resets the connection, and a
    // reset can take from the peer the goodbye that it has not read yet.
    let _ = timeout(linger, discard(socket, buffer)).await;
}

async fn discard(mut socket: Reader, mut buffer: BytesMut) {
    loop {
        buffer.clear();
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// What the broker transmits to one connection. It is bounded by the broker, which holds
/// back while what it transmitted has not been reported to have left.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    chunks: Vec<Bytes>,
    is_over: bool,
}

impl Outgoing {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over chunks, which are taken out of `chunks`.
    pub(crate) fn push(&self, chunks: &mut Vec<Bytes>) {
        self.waiting().chunks.append(chunks);
        self.changed.notify_one();
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        self.waiting().is_over = true;
        self.changed.notify_one();
    }

    /// Takes what there is. Returns whether more may come.
    fn take(&self, queue: &mut VecDeque<Bytes>) -> bool {
        let mut waiting = self.waiting();
        queue.extend(waiting.chunks.drain(..));
        waiting.chunks.shrink_to(FEW);
        !waiting.is_over
    }

    /// Waits until there is something, and takes it. Returns false if nothing more comes.
    async fn more(&self, queue: &mut VecDeque<Bytes>) -> bool {
        loop {
            let is_open = self.take(queue);
            if !queue.is_empty() {
                return true;
            }
            if !is_open {
                return false;
            }
            queue.shrink_to(FEW);
            self.changed.notified().await;
        }
    }
}

/// Writes what the broker transmits, until it transmits no more. The end of
/// this task closes the connection's sending side.
pub(crate) async fn write(
    connection: ConnectionId,
    mut socket: Writer,
    outgoing: Arc<Outgoing>,
    commands: mpsc::Sender<Command>,
    write_timeout: Duration,
    _place: Arc<Place>,
) {
    let mut queue = VecDeque::new();
    // Reported in sums: written, but not yet told to the broker.
    let mut unreported = 0;
    while outgoing.more(&mut queue).await {
        while !queue.is_empty() {
            outgoing.take(&mut queue);
            let written = match timeout(write_timeout, socket.write(&mut queue)).await {
                Ok(Ok(written)) => written,
                stuck => {
                    match stuck {
                        Ok(Err(error)) => {
                            tracing::debug!(id = connection.0, %error, "cannot write");
                        }
                        _ => tracing::info!(
                            id = connection.0,
                            timeout = ?write_timeout,
                            "the peer takes no bytes: given up"
                        ),
                    }
                    let _ = commands.send(Command::Gone { connection }).await;
                    return;
                }
            };
            unreported += written;
            if unreported >= REPORT || queue.is_empty() {
                let len = std::mem::take(&mut unreported);
                let transmitted = Command::Transmitted { connection, len };
                if commands.send(transmitted).await.is_err() {
                    return;
                }
            }
        }
    }
    if let Ok(Err(error)) = timeout(write_timeout, socket.close()).await {
        tracing::debug!(id = connection.0, %error, "cannot end the sending side");
    }
}
